"""`completion`: what bash offers at TAB, asked of bash itself as well."""

import os
import re
import subprocess

import pytest


def offered(office, *words, **kind):
    return office.run("completion", "--", *words, **kind).splitlines()


def ask_bash(office, typed, path=None):
    """What bash offers when TAB is pressed behind `typed`, as it would be inserted."""
    asked = r"""
        source <("$1" completion)
        # As readline does: split at blanks and at COMP_WORDBREAKS.
        COMP_LINE=$2 COMP_POINT=${#2} COMPREPLY=()
        cur=${2##*[[:space:]]}; cur=${cur##*[@=:]}
        compopt() { echo "compopt $*"; }
        _officemail "$1" "$cur" ""
        printf '%s\n' "${COMPREPLY[@]}"
    """
    result = subprocess.run(["bash", "--norc", "-c", asked, "bash", str(path or office.binary), typed],
                            capture_output=True, text=True, timeout=60, cwd=office.dir, check=True)
    assert not result.stderr
    return result.stdout.splitlines()


def test_it_offers_exactly_the_commands_of_the_table(office):
    shown = office.run("help", config=False)
    names = [name.split() for name in re.findall(r"^  (\w+(?: [\w-]+)?)  +\S", shown, re.M)]
    assert sorted(offered(office, "")) == sorted({words[0] for words in names})
    for first in {words[0] for words in names if len(words) == 2}:
        expected = sorted(words[1] for words in names if words[0] == first)
        assert sorted(offered(office, first, "")) == expected
        assert sorted(offered(office, "help", first, "")) == expected
    assert offered(office, "us") == ["user"]
    assert offered(office, "user", "en") == ["enable"]
    assert offered(office, "frob", "") == []


def test_it_offers_exactly_the_options_of_each_usage(office):
    names = re.findall(r"^  (\w+(?: [\w-]+)?)  +\S", office.run("help", config=False), re.M)
    seen = 0
    for name in names:
        usage = office.run("help", *name.split(), config=False).splitlines()[0]
        expected = sorted(set(re.findall(r"--[a-z-]+", usage)))
        assert sorted(offered(office, *name.split(), "--")) == expected, name
        seen += len(expected)
    assert seen > 20


def test_an_option_is_offered_once_and_with_it_none_of_its_bracket(office):
    assert offered(office, "user", "add", "x@kantor.example", "--generate", "--") == ["--quota"]
    assert offered(office, "user", "list", "--json", "--") == []
    assert offered(office, "user", "list", "") == ["--json"]
    assert offered(office, "user", "list", "--", "--") == []


def test_it_offers_who_and_what_there_is(office):
    people = [f"{name}@kantor.example" for name in ("ani", "budi", "citra")]
    assert offered(office, "user", "show", "") == people
    assert offered(office, "mail", "list", "b") == ["budi@kantor.example"]
    assert offered(office, "user", "add", "") == ["--quota", "--password-stdin", "--generate", "--hash-stdin"]
    assert offered(office, "alias", "remove", "@") == ["@cabang.example"]
    assert offered(office, "folder", "remove", "ani@kantor.example", "") == ["Inbox", "Junk", "Pribadi", "Proyek"]
    for name in ("pc", "hp"):
        office.run("device", "add", "ani@kantor.example", name, "--generate")
    assert offered(office, "device", "remove", "ani@kantor.example", "") == ["hp", "pc"]
    assert offered(office, "device", "remove", "budi@kantor.example", "") == []
    assert offered(office, "mail", "list", "ani@kantor.example", "--folder", "P") == ["Pribadi", "Proyek"]
    assert offered(office, "mail", "list", "ani@kantor.example", "--folder=Pr") == [
        "--folder=Pribadi", "--folder=Proyek"]
    assert offered(office, "mail", "move", "ani@kantor.example", "1", "2", "J") == ["Junk"]
    assert offered(office, "client", "ani@kantor.example", "--format", "") == ["text", "autoconfig", "mobileconfig"]
    assert offered(office, "mail", "export", "--format=m") == ["--format=mbox", "--format=maildir"]
    assert offered(office, "backup", "") == [":files"]
    assert offered(office, "init", "--dir", "") == [":directories"]
    assert offered(office, "-c", "") == [":files"]


def test_the_office_ini_on_the_line_is_the_one_that_is_asked(office, neighbour):
    neighbour.run("user", "remove", "citra@kantor.example", "--yes")
    assert offered(office, "-c", str(neighbour.ini), "user", "show", "c", config=False) == []
    assert offered(office, "-c", str(office.ini), "user", "show", "c", config=False) == ["citra@kantor.example"]


def test_bash_inserts_what_is_behind_the_last_break_of_a_word(office):
    office.environment["OFFICEMAIL_CONFIG"] = str(office.ini)
    office.run("folder", "add", "ani@kantor.example", "$(touch owned) `x`")
    line = f"officemail -c {office.ini} "
    assert ask_bash(office, "officemail us") == ["user"]
    assert ask_bash(office, line + "user show ani@") == ["kantor.example"]
    assert ask_bash(office, line + "user show a") == ["ani@kantor.example"]
    assert ask_bash(office, line + "mail list ani@kantor.example --folder=Pro") == ["Proyek"]
    assert ask_bash(office, line + "folder remove ani@kantor.example $") == [r"\$\(touch\ owned\)\ \`x\`"]
    assert ask_bash(office, "officemail backup ") == ["compopt -o default", ""]
    assert not (office.dir / "owned").exists()


def test_it_makes_nothing_and_says_nothing_where_there_is_no_office(office, tmp_path):
    before = sorted(path.name for path in office.data.iterdir())
    office.set("office", "data", tmp_path / "none")
    assert offered(office, "user", "show", "a") == []
    assert not (tmp_path / "none").exists()
    office.set("office", "data", office.data)
    (office.data / "store.db").rename(office.data / "away")
    assert offered(office, "user", "show", "a") == []
    (office.data / "away").rename(office.data / "store.db")
    assert sorted(path.name for path in office.data.iterdir()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another")
def test_an_office_ini_that_somebody_else_left_here_is_not_asked(office):
    assert offered(office, "user", "show", "a") == ["ani@kantor.example"]
    os.chown(office.ini, 12345, 12345)
    assert offered(office, "user", "show", "a") == []
