"""The words by which a person learns that something is wrong, all of them: in one style. (For
reading: tests/words.) What a rule cannot see is whether a sentence is true and helps."""

import importlib.machinery
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]


def load(path):
    loader = importlib.machinery.SourceFileLoader("words", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("words", loader))
    loader.exec_module(module)
    return module


words = load(HERE / "tests/words")
SENTENCES = list(words.sentences())

# Words of helplessness and of form letters.
BANNED = re.compile(r"\b(failed to|unable to|could not|invalid|illegal|error:|please|sorry|oops|successfully)\b", re.I)


def show(sentences):
    return "\n".join(f"{one.file}:{one.line}: {one.text}" for one in sentences)


def own():
    return [one for one in SENTENCES if not re.fullmatch(r"(%s|%\.\*s|[:; ])+", one.text)]


def test_they_are_all_found():
    """As many as there are calls; a change of style must not hide them from this test."""
    assert len(SENTENCES) > 450
    assert len({one.file for one in SENTENCES}) > 50
    assert any("is in use by another program" in one.text for one in SENTENCES)


def test_none_ends_in_a_stop():
    assert not (found := [one for one in own() if re.search(r"[.!,;:\s]$", one.text) and not one.text.endswith("...")]), show(found)


def test_they_begin_small():
    """But for what is called so: an abbreviation, a placeholder, something quoted."""
    assert not (found := [one for one in own() if re.match(r"[A-Z][a-z]", one.text)]), show(found)


def test_they_are_one_sentence():
    assert not (found := [one for one in own() if re.search(r"[a-z]\. [A-Z]", one.text) and "`" not in one.text]), show(found)


def test_they_say_what_is_and_not_how_the_program_feels():
    assert not (found := [one for one in own() if BANNED.search(one.text)]), show(found)


def has_mend(text):
    """What is wrong, and behind it, set off, what to do or where to look."""
    return "`" in text or re.search(r"\S[:;] \S| \(|, (or|and) ", text)


def test_what_check_and_status_find_has_its_mend():
    found = [one for one in own() if one.who in ("finding", "finding_in", "warning", "warning_in") and not has_mend(one.text)]
    assert not found, show(found)


def test_what_a_command_refuses_has_its_mend():
    """Where a person asked, and has to do something else now."""
    kinds = ("ERR_MISSING", "ERR_EXISTS", "ERR_IN_USE", "ERR_SPACE", "ERR_NEWER", "ERR_QUOTA", "ERR_DENIED")
    found = [one for one in own() if one.file.startswith("tools/") and one.kind in kinds and not has_mend(one.text)]
    assert not found, show(found)


def test_commands_that_they_name_are_there(workshop):
    told = subprocess.run([workshop.binary, "help"], capture_output=True, text=True, timeout=60).stdout
    commands = set(re.findall(r"^  (\w+(?: [a-z][\w-]*)?)  +\S", told, re.M))
    named = set()
    for one in SENTENCES:
        for mend in re.findall(r"`officemail ([^`]*)`", one.text):
            match = re.match(r"[a-z]+(?: [a-z-]+(?=\s|$))?", mend)
            assert match, one
            named.add(match[0] if match[0] in commands else match[0].split()[0])
    assert len(named) > 10
    assert named <= commands, named - commands


def test_keys_that_they_name_are_there():
    ini, section, keys = (HERE / "office.ini").read_text(), "", set()
    for line in ini.splitlines():
        if match := re.match(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"(\w+) +=", line):
            keys.add((section, match[1]))
    for one in SENTENCES:
        for section, key in re.findall(r"\[(\w+)\] ([a-z_]+)", one.text):
            if section not in ("section", "name") and key not in ("in", "is"):
                assert (section, key) in keys, one


@pytest.mark.parametrize("name", sorted({name for _, name in words.events()}))
def test_an_event_of_the_log_is_one_word(name):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
