"""A page of tools/docs (or README.md) as a test reads it. What its fences mean:

    ```sh    commands, run in the page's order by one root's shell; the directory they change to is kept,
             variables are not
    ```ini   lines of /etc/officemail/office.ini as they are to read from here on
    ```text  what the commands before have said: these lines in this order, others may stand between them;
             … is anything within a line
    A line "*Not run by the tests: WHY.*" right above a fence of sh: what nobody can try here."""

import re
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
DOCS = TREE / "tools/docs"
NOT_RUN = re.compile(r"^\s*\*(?:Not run by the tests|Tidak dijalankan oleh tes): (.+)\.\*$")
FENCE = re.compile(r"^(\s*)```(\w*)$")


class Block:
    def __init__(self, kind, text, line, not_run):
        self.kind, self.text, self.line, self.not_run = kind, text, line, not_run


def blocks(path):
    lines = path.read_text().splitlines()
    found, at = [], 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if not fence:
            at += 1
            continue
        assert fence[2], f"{path.name}:{at + 1}: a fence without a kind"
        end = next(n for n in range(at + 1, len(lines)) if lines[n].strip() == "```")
        above = next((lines[n] for n in range(at - 1, -1, -1) if lines[n].strip()), "")
        not_run = NOT_RUN.match(above)
        text = "\n".join(line.removeprefix(fence[1]) for line in lines[at + 1:end]) + "\n"
        found.append(Block(fence[2], text, at + 1, not_run and not_run[1]))
        at = end + 1
    return found


def headings(path):
    """Their depths, in order."""
    inside, found = False, []
    for line in path.read_text().splitlines():
        inside ^= bool(FENCE.match(line)) or inside and line.strip() == "```"
        if not inside and (match := re.match(r"(#+) ", line)):
            found.append(len(match[1]))
    return found


def links(path):
    return re.findall(r"\]\(([^)\s]+)\)", path.read_text())


def commands(path):
    """What stands between backticks and begins with officemail."""
    return re.findall(r"`officemail ([^`]+)`", path.read_text())


PAGES = sorted(path for path in DOCS.glob("*.md") if path.name != "README.md")
PAPERS = [TREE / "README.md", DOCS / "README.md", *PAGES]
TRANSLATED = sorted((DOCS / "id").glob("*.md"))
