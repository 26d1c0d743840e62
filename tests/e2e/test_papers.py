"""The papers and the program say the same: officemail.8 names exactly the
commands there are with their whole usage, office.ini.5 exactly the keys with
their defaults."""

import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]


def run(workshop, *arguments):
    return subprocess.run([workshop.binary, *arguments], capture_output=True, text=True, cwd="/", timeout=60)


def plain(lines):
    """What mdoc lines say, in the manner of a usage: Op and Fl become [ ] and -."""
    words = []
    for line in lines:
        if line.startswith(".Op "):
            words.append("[" + plain(["." + line[4:]]) + "]")
            continue
        text = re.sub(r"^\.|\b(Ic|Ar) ", "", line)
        words.append(re.sub(r"\bFl ", "-", text))
    return " ".join(words).replace(" ...", "...")


def usages_of_the_manual():
    source = (HERE / "tools/officemail.8").read_text()
    items = re.findall(r"^\.It Xo\n(.*?)^\.Xc$", source, re.M | re.S)
    return [plain(item.splitlines()) for item in items]


def test_the_manual_names_the_commands_of_the_table_with_their_usage(workshop):
    shown = run(workshop, "help")
    assert shown.returncode == 0
    names = re.findall(r"^  (\w+(?: [\w-]+)?)  +\S", shown.stdout, re.M)
    usages = []
    for name in names:
        usage = run(workshop, "help", *name.split()).stdout.splitlines()[0]
        usages.append(usage.removeprefix("usage: officemail [-c FILE] "))
    assert len(usages) > 20
    assert sorted(usages_of_the_manual()) == sorted(usages)


def keys_of(pattern, section_pattern, text):
    section, found = "", []
    for line in text.splitlines():
        if match := re.match(section_pattern, line):
            section = match[1]
        elif match := re.match(pattern, line):
            found.append((section, match[1], match[2]))
    return found


def test_the_manual_names_the_keys_of_office_ini_with_their_defaults(workshop, tmp_path):
    written = keys_of(r"(\w+) += (.*?) +;", r"\[(\w+)\]", (HERE / "office.ini").read_text())
    manual = keys_of(r"\.It Ic (\w+) Pq (.*)$", r"\.Ss \[(\w+)\]", (HERE / "tools/office.ini.5").read_text())
    assert len(written) > 30

    empty = tmp_path / "office.ini"
    empty.write_text("")
    missing = re.findall(r"\[(\w+)\] (\w+) is missing", run(workshop, "-c", empty, "check").stderr)
    assert missing
    expected = []
    for section, key, value in written:
        if (section, key) in missing:
            value = "required"
        expected.append((section, key, value or "empty"))
    assert [(section, key, re.sub(r"^(Cm|Pa) ", "", value)) for section, key, value in manual] == expected


def sources(*folders):
    return "".join(source.read_text() for folder in folders for source in (HERE / folder).glob("*.[ch]"))


def test_the_manual_names_what_is_read_of_the_environment():
    manual = re.findall(r"^\.It Ev (\w+)", (HERE / "tools/officemail.8").read_text(), re.M)
    assert len(manual) > 3
    read = re.findall(r'getenv\("(\w+)"\)', sources("base", "store", "pop3d", "smtpd", "tools"))
    assert sorted(manual) == sorted(set(read))


def test_the_lines_of_the_log_that_the_manual_names_are_written_with_these_keys():
    written = set(re.findall(r'"([a-z-]+)"', sources("base", "store", "pop3d", "smtpd")))
    lines = re.findall(r"^\.It Li (.*)", (HERE / "tools/officemail.8").read_text(), re.M)
    assert len(lines) > 6
    for line in lines:
        events, *keys = re.split(r"(?<=[a-z]) (?=[a-z]+=)", line)
        for event in events.split(" , "):
            assert event in written, line
        for key in re.findall(r"([a-z]+)=", line):
            assert key == "reason" or key in written, line


def test_the_office_ini_beside_the_readme_has_no_fault(workshop):
    """check finds much else to mend there: nothing of it is installed here."""
    result = run(workshop, "-c", HERE / "office.ini", "user", "list")
    assert "office.ini:" not in result.stderr


@pytest.mark.parametrize("arguments", [
    ["--frob"], ["frob"], ["user"], ["mail", "show", "a@b"], ["user", "add", "a@b", "secret"], ["user", "rename", "a@b"], ["user", "frob"], ["frob", "--help"], ["user", "--help", "now"], ["serve", "now"], ["user", "add"],
    ["user", "list", "--jsn"], ["user", "add", "a@b", "--quota"], ["user", "list", "--json=1"],
    ["user", "add", "a@b", "--generate", "--password-stdin"], ["user", "list", "--json", "--json"],
    ["-c"], [], ["help", "frob"], ["init", "--dir", "/nonexistent"], ["trace"],
])
def test_a_command_line_that_is_wrong_is_usage_on_stderr_and_exit_2(workshop, arguments):
    result = run(workshop, *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "usage: officemail" in result.stderr or "-c lacks" in result.stderr


def test_options_may_stand_anywhere_and_end_at_two_hyphens(office):
    office.run("rule", "add", "--", "ani@kantor.example", "Subject", "--urgent", "Junk")
    rules = office.json("rule", "list", "ani@kantor.example")
    assert rules[0]["pattern"] == "--urgent"
    assert office.run("mail", "list", "--folder=Junk", "ani@kantor.example", "--json") == "[]\n"


def test_help_and_version_are_on_stdout(workshop):
    for arguments in (["help"], ["--help"], ["-h"], ["help", "user"], ["user", "add", "--help"], ["user", "--help"], ["--version"]):
        result = run(workshop, *arguments)
        assert result.returncode == 0 and result.stdout and not result.stderr
    assert run(workshop, "--version").stdout.startswith("officemail ")


def test_output_that_cannot_be_written_is_an_error(workshop):
    with open("/dev/full", "w") as full:
        result = subprocess.run([workshop.binary, "help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 1
    assert "No space left" in result.stderr


def test_closed_standard_descriptors_are_never_taken_for_something_else(office):
    """Without it, descriptor 1 would be the store when the list is printed."""
    before = (office.data / "store.db").read_bytes()
    for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        subprocess.run(["sh", "-c", f'"$1" -c "$2" user list {closing}', "sh", office.binary, office.ini],
                       capture_output=True, timeout=60)
    assert (office.data / "store.db").read_bytes() == before
    office.run("check")


def test_what_servers_and_reports_say_is_ascii_in_either_language():
    """It is put on lines of protocols and into mail that declares nothing else."""
    for folder in ("base", "store", "pop3d", "smtpd"):
        for source in Path(folder).glob("*.c"):
            assert source.read_bytes().isascii(), source
