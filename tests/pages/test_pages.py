"""Every command of the pages is run: each page is followed from its first block to its last, on a box of its
own (box.py), and what it says the commands say is seen."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from page import DOCS, NOT_RUN, PAGES, PAPERS, TRANSLATED, TREE, blocks, commands, headings, links

HERE = Path(__file__).resolve().parent
ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root of a box of its own")


@ONLY_ROOT
@pytest.mark.parametrize("page", [TREE / "README.md", *PAGES], ids=lambda path: path.stem)
def test_a_page_can_be_followed_to_its_end(workshop, page):
    done = subprocess.run(
        [HERE.parent / "outside/enter.py", sys.executable, "-B", HERE / "box.py", page.name], text=True, timeout=600,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "OFFICEMAIL": str(workshop.binary)})
    print(done.stdout)
    assert done.returncode == 0 and "followed to its end" in done.stdout


@pytest.mark.parametrize("paper", [*PAPERS, *TRANSLATED], ids=lambda path: str(path.relative_to(TREE)))
def test_links_lead_somewhere_and_commands_are_there(workshop, paper):
    known = subprocess.run([workshop.binary, "help"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^  (\w+(?: [\w-]+)?)  +\S", known, re.M)
    for link in links(paper):
        if not re.match(r"https?:", link):
            path, _, heading = link.partition("#")
            target = (paper.parent / path).resolve() if path else paper
            assert target.exists(), f"{paper.name} links to {link}"
            if heading:
                assert heading in anchors(target), f"{paper.name} links to {link}"
    for command in commands(paper):
        words = command.split()
        name = next((name for name in (" ".join(words[:2]), words[0]) if name in names), None)
        assert name or command.startswith(("-", "COMMAND")), f"{paper.name}: there is no officemail {command}"
        usage = subprocess.run([workshop.binary, "help", *(name or "help").split()], capture_output=True, text=True, check=True).stdout
        for option in re.findall(r"(?<!\S)--[\w-]+", command):
            assert option in usage or option == "--version", f"{paper.name}: officemail {command}"


def anchors(path):
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def test_every_page_stands_in_the_index():
    assert sorted({link for link in links(DOCS / "README.md") if "/" not in link}) == [page.name for page in PAGES]


def test_no_block_is_left_out_in_silence(request):
    """What nobody can run here is marked in its page, and named in the index beside what is played by a stand-in."""
    index = (DOCS / "README.md").read_text()
    for page in [TREE / "README.md", *PAGES]:
        assert all(block.kind in ("sh", "ini", "text") for block in blocks(page)), page.name
        assert any(block.kind == "sh" for block in blocks(page)), page.name
        marks = [line for line in page.read_text().splitlines() if NOT_RUN.match(line)]
        left = [block for block in blocks(page) if block.not_run]
        assert len(marks) == len(left), f"{page.name}: a mark above no block"
        for block in left:
            place = os.path.relpath(page, DOCS)
            assert f"- [{page.name}]({place}): {block.not_run}" in index, f"{page.name}:{block.line} is not in the index"
    for stand_in in (HERE / "stand-ins").iterdir():
        assert f"`{stand_in.name}`" in index, f"{stand_in.name} is not in the index"


@pytest.mark.parametrize("paper", TRANSLATED, ids=lambda path: path.stem)
def test_both_languages_keep_in_step(paper):
    """The same headings, blocks and links; what a block says behind # may be in either."""
    original = TREE / "README.md" if paper.name == "README.md" else DOCS / paper.name
    assert headings(paper) == headings(original)
    told = [[(block.kind, re.sub(r" *#.*", "", block.text), bool(block.not_run)) for block in blocks(path)] for path in (paper, original)]
    assert told[0] == told[1]
    led = [[(os.path.relpath(path.parent / link.split("#")[0], TREE), "#" in link) for link in links(path)
            if not link.startswith("#")] for path in (paper, original)]
    theirs = {os.path.relpath(DOCS / "id" / path.name, TREE): os.path.relpath(path, TREE) for path in PAGES}
    assert [(theirs.get(place, place), part) for place, part in led[0] if place != "README.md"] == [
        pair for pair in led[1] if pair[0] != os.path.relpath(paper, TREE)]
    assert {path.name for path in TRANSLATED} == {"README.md", "mail-programs.md"}
