"""What is said of files and directories that a command is given and cannot use: what is wrong, where, and what to
do; and of a file that may not grow as far as it has to."""

import os
import re
import resource
import shutil
import subprocess

import pytest

from letters import letter, without_trace
from test_port import LETTERS, dovecot, maildir
from test_tools_users import ANI, refused
from wire import WireError

AS_ROOT = os.geteuid() == 0
ROOT_ONLY = pytest.mark.skipif(not AS_ROOT, reason="only root can try this")
SYSTEM_ONLY = re.compile(r": (No such file or directory|Permission denied|Not a directory|Is a directory|File too large)$")

NOT_THERE = [
    (["backup", "{}/nowhere/b"], "the directory {}/nowhere/ is not there: make it, or name a file elsewhere"),
    (["backup", "{}/file/b"], "{}/file/b cannot be looked at: Not a directory: a directory is wanted"),
    (["backup", "{}/directory"], "{}/directory is a directory: name a file in it"),
    (["restore", "{}/nowhere"], "{}/nowhere is not there: name a file that `officemail backup` has written"),
    (["restore", "{}/file/b"], "{}/file/b cannot be opened: Not a directory: a directory is wanted"),
    (["restore", "{}/directory"], "{}/directory is no plain file: name one"),
    (["mail", "import", ANI, "{}/nowhere"], "{}/nowhere is not there: name an mbox, a Maildir or a directory of .eml files"),
    (["mail", "import", ANI, "{}/file/x"], "{}/file/x cannot be opened: Not a directory: a directory is wanted"),
    (["mail", "import", ANI, "/dev/null"], "/dev/null is neither a file nor a directory: name an mbox"),
    (["mail", "export", ANI, "{}/nowhere/x"], "the directory that {}/nowhere/x is to be made in is not there: make that"),
    (["mail", "export", ANI, "{}/file"], "{}/file cannot be written: Not a directory: a directory is wanted"),
    (["mail", "export", ANI, "{}/" + "x" * 300], "cannot be written: File name too long: name a shorter one"),
]
CLOSED = [
    (["backup", "{}/closed/b"], "{}/closed/b cannot be looked at: Permission denied: "),
    (["restore", "{}/closed/b"], "{}/closed/b cannot be opened: Permission denied: "),
    (["mail", "import", ANI, "{}/closed"], "{}/closed cannot be opened: Permission denied: "),
    (["mail", "export", ANI, "{}/closed/x"], "{}/closed/x cannot be written: Permission denied: "),
]


@pytest.fixture
def place(office):
    place = office.dir / "place"
    for directory in (place, place / "directory", place / "closed"):
        directory.mkdir()
    (place / "file").touch()
    (place / "closed").chmod(0)
    return place


@pytest.mark.parametrize("words, said", NOT_THERE, ids=lambda row: " ".join(row)[:40] if isinstance(row, list) else "")
def test_what_is_not_there_or_is_something_else(office, place, words, said):
    found = refused(office, *[word.format(place) for word in words]).strip()
    assert said.format(place) in found and not SYSTEM_ONLY.search(found)


def as_whom(office, *words, who):
    return subprocess.run([*who, office.binary, "-c", office.ini, *map(str, words)], capture_output=True, text=True,
                          timeout=300, cwd=office.dir.parent)


@pytest.mark.parametrize("words, said", CLOSED, ids=lambda row: " ".join(row)[:20] if isinstance(row, list) else "")
def test_what_may_not_be_used(office, place, words, said):
    """By the office's account; and by root, whom other boxes' disks refuse."""
    whole = [word.format(place) for word in words]
    tries = [((), "run this as root, or name another place")]
    if AS_ROOT:
        tries = [(("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"), tries[0][1]),
                 (("setpriv", "--bounding-set=-dac_override,-dac_read_search"), "not even root may: name another place")]
    for who, mend in tries:
        if who[1:2] == ("--bounding-set=-dac_override,-dac_read_search",):
            shutil.chown(place / "closed", "nobody")
        result = as_whom(office, *whole, who=who)
        assert (result.returncode, result.stdout) == (1, ""), result
        assert result.stderr == f"officemail: {said.format(place)}{mend}\n"


@pytest.mark.parametrize("given, said", [
    ("{}", "{}: Is a directory; name the office.ini in it"), ("{}/nowhere.ini", "{}/nowhere.ini: No such file or directory; "
     "`officemail init` writes one"), ("{}/file/office.ini", "{}/file/office.ini: Not a directory; a part of the path is a file")])
def test_an_office_ini_that_cannot_be_read(office, place, given, said):
    result = office.command("-c", given.format(place), "status", config=False)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode().startswith(said.format(place)) and result.stderr.count(b"\n") == 1
    assert office.command("-c", "", "status", config=False).stderr.startswith(b"officemail: -c lacks its FILE\n")


def test_what_stands_in_an_office_ini_drives_no_terminal(office):
    """It may be anybody's file, named by mistake. C1 is a control in UTF-8, and by itself."""
    text = office.ini.read_bytes()
    evil = ["\x1b[2J", "\x9b2J", "\u202e", "\x07"]
    for control in [word.encode() for word in evil] + [b"\x9b2J"]:
        for line in (b"reserve = " + control, control + b" = 1", b"[" + control + b"]", control):
            office.ini.write_bytes(text.replace(b"[store]\n", b"[store]\n" + line + b"\n"))
            result = office.command("status")
            assert result.returncode == 1 and b"\\x" in result.stderr
            assert not re.search(r"[^ -~\n]", result.stderr.decode("latin-1")), result.stderr
    office.ini.write_bytes(text.replace(b"[tls]\n", "[tls]\ncertificate = /\u009b2J\nkey = /dev/null\n".encode()))
    assert b"/\\xc2\\x9b2J is not there" in office.command("status").stderr


# ---- dns

def test_dns_without_a_data_directory(office):
    office.data.rename(office.dir / "elsewhere")
    assert "`officemail init` makes it, or mend [office] data" in refused(office, "dns")
    office.data.touch()
    assert "is something else: put a plain directory there" in refused(office, "dns")


def test_dns_where_the_key_is_none(office):
    key = office.data / "dkim/office.pem"
    key.rename(office.dir / "key")
    key.mkdir()
    assert f"{key} is no plain file: take it away, and another is made" in refused(office, "dns")
    key.rmdir()
    key.symlink_to(office.dir / "key")
    assert f"{key} cannot be opened (it is to be a plain file of the account that {office.data} belongs to)" in refused(office, "dns")
    shutil.rmtree(office.data / "dkim")
    (office.data / "dkim").touch()
    assert f"{office.data}/dkim is no directory, where one is wanted: take it away" in refused(office, "dns")


# ---- a file that may not grow

TOO_LARGE = "File too large: raise the limit of a file's size (ulimit -f; LimitFSIZE= of the systemd unit), or use a file " \
    "system that holds larger ones"


def limited(octets):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (octets, octets))


def command_limited(office, octets, *words):
    return subprocess.run([str(word) for word in (office.binary, "-c", office.ini, *words)], capture_output=True, text=True,
                          timeout=300, cwd=office.dir.parent, preexec_fn=limited(octets))


@pytest.mark.parametrize("format, name", [("mbox", "Inbox.mbox"), ("maildir", "cur/"), ("eml", "Inbox/")])
def test_an_export_beyond_the_limit_says_so_and_goes_on_later(office, place, format, name):
    maildir(place / "M", LETTERS, dovecot)
    office.run("mail", "import", ANI, place / "M")
    out = place / "out"
    result = command_limited(office, 300_000, "mail", "export", ANI, out, "--format", format)
    assert result.returncode == 1, result
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"officemail: {out}/{name}") and last.endswith(f" cannot be written: {TOO_LARGE}")
    assert not list(out.rglob("*.part"))
    done = int(result.stdout.split()[0]) if result.stdout else 0
    assert done == (0 if format == "mbox" else 4)
    said = office.run("mail", "export", ANI, out, "--format", format)
    assert said.startswith(f"{6 - done} messages exported") and (not done or f"{done} there already" in said)


def test_a_backup_beyond_the_limit_leaves_the_one_before(office, place):
    office.run("backup", place / "b")
    before = (place / "b").read_bytes()
    result = command_limited(office, 100_000, "backup", place / "b")
    assert (result.returncode, result.stdout) == (1, "")
    assert f"{place}/b.part: " in result.stderr and result.stderr.endswith(f": {TOO_LARGE}\n")
    assert (place / "b").read_bytes() == before and not (place / "b.part").exists()


def test_an_import_beyond_the_limit_keeps_what_it_has_and_goes_on_later(office, place):
    maildir(place / "M", LETTERS, dovecot)
    result = command_limited(office, 600_000, "mail", "import", ANI, place / "M")
    assert result.returncode == 1 and result.stderr.endswith(f": {TOO_LARGE}\n"), result
    assert f"officemail: {office.data}/store.db: " in result.stderr
    done = len(office.mails())
    assert done < 6
    assert f"{6 - done} messages imported" in office.run("mail", "import", ANI, place / "M")
    office.run("check")


def test_a_server_beyond_the_limit_puts_mail_off_and_lives(office):
    office.allow("File too large")
    office.start(preexec_fn=limited(1_000_000))
    roles, taken = set(office.pids()[1:]), 0
    with pytest.raises(WireError, match="45[12]"):
        while taken < 100:
            office.deliver(letter(taken, "x" * 50_000))
            taken += 1
    assert 0 < taken < 100
    assert roles <= set(office.pids())
    assert [without_trace(message) for message in office.fetch()] == [letter(n, "x" * 50_000) for n in range(taken)]
    office.restart()
    office.deliver(letter(taken))
    assert len(office.fetch()) == taken + 1
    office.run("check")
