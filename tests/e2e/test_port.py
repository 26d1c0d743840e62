"""`officemail mail import`: what comes in is what was there, known to clients by the name it had."""

import mailbox
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from letters import letter, stored_form
from office import wait_until
from test_terminal import terminal  # noqa: F401
from test_tools_users import ANI, BUDI, refused


def lf(octets):
    return octets.replace(b"\r\n", b"\n")


LETTERS = [
    letter(1),
    letter(2, "From here on\r\n>From there\r\n>>From everywhere\r\n>from\r\n"),
    letter(3, "\r\n.\r\n..\r\n\r\n"),
    letter(4, "x" * 70_000 + "\r\nFrom pak@luar.example Mon Nov 23 07:00:00 2026"),
    letter(5, "\xe9\u00ff" * 10 + "y\r\n" * 200_000),  # in pieces
    b"Subject: without a body\r\n\r\n",
]


@pytest.fixture
def shelf(tmp_path):
    """A directory that the office's account can look into as little as root's."""
    tmp_path.chmod(0o700)
    return tmp_path


def maildir(path, letters, uidlist=None, crlf=False, first=1_700_000_000):
    """A Maildir as a server leaves it; names of the messages."""
    names = []
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True, exist_ok=True)
    for n, octets in enumerate(letters):
        base = f"{first + n}.M{n}P1.peer,S={len(octets)}"
        file = path / ("new" if n % 2 else "cur") / (base if n % 2 else base + ":2,S")
        file.write_bytes(octets if crlf else lf(octets))
        os.utime(file, (first + n, first + n))
        names.append(base)
    if uidlist:
        (path / "dovecot-uidlist").write_text(uidlist(names))
    return names


def dovecot(names):
    return "3 V1700000000 N100 G0123456789abcdef0123456789abcdef\n" + "".join(
        f"{10 + n} G{n:032x} W{n} :{name}\n" for n, name in enumerate(names))


def listed(office, address=ANI):
    """(folder, UIDL) of every message in order."""
    return [(mail["folder"], mail["uidl"]) for mail in office.mails(address)]


def uidls(office, name="ani"):
    session = office.login(name)
    session.send(b"UIDL\r\n")
    session.line()
    found = [line.split()[1].decode() for line in session.block()]
    session.command("QUIT")
    return found


def shown(office, address=ANI):
    return [office.command("mail", "show", address, str(mail["id"])).stdout for mail in office.mails(address)]


def stopped(office, *arguments):
    """What it said at the end: some of it was done, and not all."""
    result = office.command(*arguments)
    assert result.returncode == 1 and result.stdout, result.stderr
    return result.stderr.decode().splitlines()[-1]


# ---- Maildir

def test_a_maildir_comes_in_with_the_uidls_that_dovecot_gave(served, shelf):
    maildir(shelf / "Maildir", LETTERS, dovecot)
    said = served.run("mail", "import", ANI, shelf / "Maildir")
    assert said.startswith("6 messages imported (")
    assert uidls(served) == [f"{10 + n:08x}{1_700_000_000:08x}" for n in range(6)]
    assert served.fetch() == [stored_form(octets) for octets in LETTERS]
    assert [mail["received"] for mail in served.mails()] == [
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + n)) for n in range(6)]
    assert {mail["from"] for mail in served.mails()[:5]} == {"Pak Tani <pak@luar.example>"}
    served.run("check")


def test_the_order_is_that_of_the_old_server(office, shelf):
    names = maildir(shelf / "Maildir", LETTERS[:3])
    (shelf / "Maildir/dovecot-uidlist").write_text(
        f"3 V7 N9\n3 :{names[1]}\n5 Pown-name :{names[0]}\n8 :{names[2]}\nnonsense\n")
    office.run("mail", "import", ANI, shelf / "Maildir")
    assert [uidl for _, uidl in listed(office)] == ["0000000300000007", "own-name", "0000000800000007"]
    assert shown(office) == [stored_form(LETTERS[n]) for n in (1, 0, 2)]


@pytest.mark.parametrize("format, wanted", [
    ("%u.%v", "10.1700000000"), ("%v-%u", "1700000000-10"), ("%g", "0" * 32), ("%f", None),
    ("UID%u-%%", "UID10-%"), ("%XUu.%LXv", "A.6553f100")])
def test_a_dovecot_with_another_format_of_uidls(office, shelf, format, wanted):
    names = maildir(shelf / "Maildir", LETTERS[:1], dovecot)
    office.run("mail", "import", ANI, shelf / "Maildir", "--uidl-format", format)
    assert listed(office) == [("Inbox", wanted or names[0])]


def test_a_dovecot_that_reuses_x_uidl(office, shelf):
    maildir(shelf / "M", [b"X-UIDL: 4dbf\r\n" + LETTERS[0], LETTERS[1]], dovecot)
    office.run("mail", "import", ANI, shelf / "M", "--reuse-xuidl")
    assert [uidl for _, uidl in listed(office)] == ["4dbf", "0000000b6553f100"]
    office.run("mail", "import", BUDI, shelf / "M")
    assert [uidl for _, uidl in listed(office, BUDI)] == ["0000000a6553f100", "0000000b6553f100"]


@pytest.mark.parametrize("format, why", [
    ("%m", "no format of UIDLs that is known here: %u, %v, %f and %g are"), ("x", "by x all messages have the same UIDL"),
    ("%v", "a format has %u, %f or %g in it, as %08Xu%08Xv has")])
def test_a_format_by_which_no_message_is_known_imports_nothing(office, shelf, format, why):
    maildir(shelf / "Maildir", LETTERS[:1])  # also where there is no list to use it on
    assert why in refused(office, "mail", "import", ANI, shelf / "Maildir", "--uidl-format", format, status=2)
    assert listed(office) == []


@pytest.mark.parametrize("head, ends, wanted", [
    ("/3 9 77", "5:77:0", "UID5-77"), ("/2 9 77", "5:77", "UID5-77"), ("/3 9 77", "5:0:0", "UID5"), ("/2 9", "0:0", None)])
def test_courier_s_list_is_understood(office, shelf, head, ends, wanted):
    names = maildir(shelf / "Maildir", LETTERS[:1])
    (shelf / "Maildir/courierpop3dsizelist").write_text(f"{head}\n{names[0]}:2,S 1234 {ends}\n")
    office.run("mail", "import", ANI, shelf / "Maildir")
    assert listed(office) == [("Inbox", wanted or names[0])]


def test_a_list_that_cannot_be_read_stops_the_import(office, shelf):
    maildir(shelf / "Maildir", LETTERS[:1])
    for name in ("dovecot-uidlist", "courierpop3dsizelist", "uidl.json"):
        (shelf / "Maildir" / name).write_text("nonsense\n")
        assert name in refused(office, "mail", "import", ANI, shelf / "Maildir")
        (shelf / "Maildir" / name).unlink()
    assert listed(office) == []


def test_folders_of_maildir_plus_plus_become_folders(office, shelf):
    maildir(shelf / "M", LETTERS[:1])
    maildir(shelf / "M/.Proyek", LETTERS[1:2], dovecot)
    maildir(shelf / "M/.Arsip.2024", LETTERS[2:3])
    maildir(shelf / "M/.&AMk-t&AOk-", LETTERS[:1])
    maildir(shelf / "M/.a+b", [])
    said = office.command("mail", "import", ANI, shelf / "M")
    assert said.returncode == 0 and b"M/.a+b: is the folder a-b here" in said.stderr
    assert [folder for folder, _ in listed(office)] == ["Inbox", "Été", "Arsip.2024", "Proyek"]
    folders = {folder["name"] for folder in office.json("folder", "list", ANI)}
    assert folders == {"Inbox", "Junk", "Proyek", "Pribadi", "Arsip.2024", "Été", "a-b"}


def test_folders_of_dovecot_s_fs_layout_become_folders(office, shelf):
    maildir(shelf / "M", LETTERS[:1])
    maildir(shelf / "M/Kerja/Klien", LETTERS[1:2], dovecot)
    (shelf / "M/sieve").mkdir()
    (shelf / "M/sieve/x.eml").write_bytes(LETTERS[0])
    office.run("mail", "import", ANI, shelf / "M")
    assert [folder for folder, _ in listed(office)] == ["Inbox", "Kerja.Klien"]
    office.run("mail", "import", BUDI, shelf / "M", "--folder", "Junk")
    assert [folder for folder, _ in listed(office, BUDI)] == ["Junk", "Junk"]


# ---- again, and again

def test_what_is_there_is_not_imported_twice(served, shelf):
    maildir(shelf / "M", LETTERS + [LETTERS[0]], dovecot)
    maildir(shelf / "N", LETTERS + [LETTERS[0]])  # the same without a list
    served.run("mail", "import", ANI, shelf / "M")
    before = listed(served)
    for place in ("N", "M", "N"):
        said = served.run("mail", "import", ANI, shelf / place)
        assert said.startswith("0 messages imported") and "7 there already" in said
    assert listed(served) == before and len(before) == 7


def test_two_of_the_same_octets_stay_two(office, shelf):
    maildir(shelf / "N", LETTERS[1:3] + [LETTERS[0]] * 3)
    office.run("mail", "import", ANI, shelf / "N")
    assert len(listed(office)) == 5
    maildir(shelf / "N", LETTERS[1:3] + [LETTERS[0]] * 5)
    assert "2 messages imported" in office.run("mail", "import", ANI, shelf / "N")
    assert len(listed(office)) == 7


def test_what_was_deleted_since_does_not_come_back(served, shelf):
    maildir(shelf / "M", LETTERS[:3], dovecot)
    served.run("mail", "import", ANI, shelf / "M")
    served.run("mail", "remove", ANI, str(served.mails()[0]["id"]))
    said = served.run("mail", "import", ANI, shelf / "M")
    assert "3 there already" in said and f"1 of those there are deleted: `officemail mail restore {ANI}`" in said
    assert len(listed(served)) == 2
    served.run("mail", "restore", ANI)
    served.run("mail", "again", ANI, str(served.mails()[0]["id"]))
    assert "0 messages imported" in served.run("mail", "import", ANI, shelf / "M")
    assert len(listed(served)) == 3


def test_a_moved_message_is_still_there(office, shelf):
    maildir(shelf / "M", LETTERS[:2], dovecot)
    office.run("mail", "import", ANI, shelf / "M")
    office.run("mail", "move", ANI, str(office.mails()[0]["id"]), "Pribadi")
    assert "2 there already" in office.run("mail", "import", ANI, shelf / "M")


def test_a_uidl_that_is_taken_gets_a_new_one_and_this_is_said(office, shelf):
    maildir(shelf / "M", LETTERS[:2], dovecot)
    maildir(shelf / "M/.Lain", LETTERS[2:3], dovecot)
    said = office.command("mail", "import", ANI, shelf / "M")
    assert said.returncode == 0
    assert b"0000000a6553f100 is the UIDL of another message already; it has a new one" in said.stderr
    assert len(set(listed(office))) == 3
    again = office.command("mail", "import", ANI, shelf / "M")
    assert b"3 there already" in again.stdout and again.stderr == b""


def test_a_uidl_that_can_be_none_gets_a_new_one(office, shelf):
    names = maildir(shelf / "M", LETTERS[:2])
    (shelf / "M/dovecot-uidlist").write_text(f"3 V7 N9\n3 P{'x' * 71} :{names[0]}\n4 P\xe9 :{names[1]}\n")
    said = office.command("mail", "import", ANI, shelf / "M")
    assert said.stderr.count(b"can be no UIDL") == 2 and said.returncode == 0
    assert all(re.fullmatch(r"[\w-]{16}", uidl) for _, uidl in listed(office))


# ---- bad messages

def test_a_bad_message_is_told_with_its_place_and_the_rest_comes_in(served, shelf):
    maildir(shelf / "M", LETTERS)
    cur = shelf / "M/cur"
    (cur / "1.nul:2,").write_bytes(LETTERS[0] + b"\0")
    (cur / "2.bignul").write_bytes(LETTERS[4] + b"\0")
    (cur / "3.empty").write_bytes(b"")
    (cur / "4.link").symlink_to("/etc/passwd")
    os.mkfifo(cur / "5.fifo")
    result = served.command("mail", "import", ANI, shelf / "M")
    assert result.returncode == 1 and b"6 messages imported" in result.stdout and b"5 left out" in result.stdout
    said = result.stderr.decode().splitlines()
    for name, why in [("1.nul:2,", "holds a NUL, which no mail may"), ("2.bignul", "holds a NUL, which no mail may"),
                      ("3.empty", "is empty"), ("4.link", "is a symbolic link"), ("5.fifo", "is no plain file")]:
        assert f"{cur}/{name}: {why}; not imported" in said
    assert said[-1].startswith("officemail: 5 of 11 messages left out")
    assert served.fetch() == [stored_form(octets) for octets in LETTERS]


def test_names_of_files_say_nothing_to_a_terminal(office, shelf):
    maildir(shelf / "M", LETTERS[:1])
    (shelf / "M/cur" / "1.\x1b]0;root\x07").write_bytes(b"")
    deep = os.path.join(shelf, "N/cur", *["\x1b[2J"] * 34)
    os.makedirs(deep)
    for source, said in [("M", b"/cur/1.\\x1b]0;root\\x07: is empty; not imported"), ("N/cur", b"\\x1b[2J lies too deep")]:
        result = office.command("mail", "import", ANI, shelf / source)
        assert said in result.stderr and b"\x1b" not in result.stderr


@pytest.mark.parametrize("octets", [
    b"Subject: bare\nlf\n", b"Subject: x\r\n\r\ntwo\rone\r\r\nend", b"\nno header\n", b"Subject: cut", b"\r", b"\xff\xfe\n\n"])
def test_octets_are_stored_as_the_server_would_have(office, shelf, octets):
    (shelf / "one.eml").write_bytes(octets)
    office.run("mail", "import", ANI, shelf / "one.eml")
    assert shown(office) == [stored_form(octets)]


def test_a_directory_in_the_place_of_a_link_leads_nowhere(office, shelf):
    maildir(shelf / "other", LETTERS)
    maildir(shelf / "M", LETTERS[:1])
    (shelf / "M/.Stolen").symlink_to(shelf / "other")
    shutil.rmtree(shelf / "M/new")
    (shelf / "M/new").symlink_to(shelf / "other/cur")
    result = office.command("mail", "import", ANI, shelf / "M")
    assert result.returncode == 1  # nobody shall believe that all of it is here
    assert result.stderr.count(b"is a symbolic link; not imported") == 2 and b"M/.Stolen: is" in result.stderr
    assert len(listed(office)) == 1


# ---- mbox and eml

def test_an_mbox_that_is_written_meanwhile_comes_in_up_to_there(served, shelf):
    """Never half a message: who has written may not be done."""
    line = b"From pak@luar.example Mon Nov 23 07:00:00 2026\n"
    spool = shelf / "spool"
    spool.write_bytes(b"".join(line + lf(letter(n, "z" * 4000)) + b"\n" for n in range(3000)))
    asked = begun(served, "mail", "import", ANI, spool)
    wait_until(lambda: int(served.json("user", "show", ANI)["messages"]) > 100, "some messages")
    asked.send_signal(signal.SIGSTOP)
    assert len(served.mails()) < 2900
    with spool.open("ab") as more:
        more.write(line + b"Subject: half of")
    asked.send_signal(signal.SIGCONT)
    _, err = asked.communicate(timeout=60)
    assert asked.returncode == 1 and b"the mbox has changed meanwhile: stop the server that writes it" in err
    done = len(served.mails())
    with spool.open("ab") as more:
        more.write(b" it\n\nand the other half\n")
    assert f"{done} there already" in served.run("mail", "import", ANI, spool)
    assert served.fetch() == [letter(n, "z" * 4000) for n in range(3000)] + [b"Subject: half of it\r\n\r\nand the other half\r\n"]


def test_an_mbox_of_other_people_s_making(office, shelf):
    box = mailbox.mbox(shelf / "old.mbox")
    for n, octets in enumerate(LETTERS[:4]):
        message = mailbox.mboxMessage(lf(octets))
        message.set_from("pak@luar.example", time.gmtime(1_700_000_000 + n))
        box.add(message)
    box.close()
    office.run("mail", "import", ANI, shelf / "old.mbox")
    # Python quotes "From " alone, and cannot say what was quoted before.
    plain = [octets.replace(b"\r\n>", b"\r\n") if n == 1 else octets for n, octets in enumerate(LETTERS[:4])]
    got = [octets.replace(b"\r\n>", b"\r\n").replace(b"\r\n>", b"\r\n") for octets in shown(office)]
    assert got[0] == plain[0] and got[2:] == plain[2:] and len(got) == 4
    assert [mail["received"] for mail in office.mails()][3] == "2023-11-14T22:13:23Z"


def test_an_mbox_with_x_uidl_and_garbage(office, shelf):
    (shelf / "spool").write_bytes(
        b"From a@b Mon Nov 23 07:00:00 2026\nX-UIDL: first\nSubject: 1\n\nFrom now on\n\n"
        b"From - Mon Nov 23 07:00:01 2026\nX-UIDL: second\n\na\0b\n\n"
        b"From c@d Mon, 23 Nov 2026\nstill the second\n"
        b"From d Mon Nov 23 14:00:02 2026 +0700\nX-UIDL: first\nSubject: 3\n\n>From x\n")
    result = office.command("mail", "import", ANI, shelf / "spool")
    assert result.returncode == 1
    assert b"/spool: message 2, at octet 106: holds a NUL" in result.stderr
    assert b"/spool: message 3, at octet " in result.stderr and b"first is the UIDL of another message" in result.stderr
    first, third = office.mails()
    assert first["uidl"] == "first" and third["received"] == "2026-11-23T07:00:02Z"
    assert shown(office) == [b"X-UIDL: first\r\nSubject: 1\r\n\r\nFrom now on\r\n",
                             b"X-UIDL: first\r\nSubject: 3\r\n\r\nFrom x\r\n"]


def test_what_imap_servers_keep_in_an_mbox_is_no_mail(office, shelf):
    (shelf / "spool").write_bytes(
        b"From MAILER-DAEMON Mon Nov 23 07:00:00 2026\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
        b"X-IMAP: 1 2\n\nThis text is part of the internal format.\n\nFrom a Mon Nov 23 07:00:00 2026\nSubject: x\n\ny\n")
    assert office.run("mail", "import", ANI, shelf / "spool").startswith("1 message imported")


def test_a_directory_of_eml_and_mbox_files_in_directories(office, shelf):
    place = shelf / "mail"
    (place / "Arsip/Lama").mkdir(parents=True)
    (place / "a.eml").write_bytes(LETTERS[0])
    (place / "b.EML").write_bytes(lf(LETTERS[1]))
    (place / "note.txt").write_text("no mail")
    (place / "Arsip/c.eml").write_bytes(LETTERS[2])
    (place / "Arsip/Lama/d.eml").write_bytes(LETTERS[5])
    (place / "Terkirim").write_bytes(b"From a Mon Nov 23 07:00:00 2026\nSubject: x\n\ny\n")
    (place / "Kosong.mbox").touch()
    (place / "Arsip/empty").touch()
    said = office.run("mail", "import", ANI, place)
    assert "5 messages imported" in said and f"1 file of {place} left alone" in said
    assert "5 had no UIDL of an old server" in said
    assert [folder for folder, _ in listed(office)] == ["Terkirim", "Inbox", "Inbox", "Arsip", "Arsip.Lama"]
    assert "Kosong" in [folder["name"] for folder in office.json("folder", "list", ANI)]


def test_an_empty_mailbox_is_nothing_to_complain_of(office, shelf):
    (shelf / "out").mkdir()
    (shelf / "out/Junk.mbox").touch()
    (shelf / "spool").touch()
    for place in ("out", "out/Junk.mbox", "spool"):
        said = office.command("mail", "import", ANI, shelf / place)
        assert (said.returncode, said.stdout, said.stderr) == (0, b"0 messages imported (0 B)\n", b"")


def test_what_holds_no_mail_is_refused(office, shelf):
    (shelf / "empty").mkdir()
    (shelf / "x.txt").write_text("x")
    for place in ("empty", "x.txt", "nonsense"):
        refused(office, "mail", "import", ANI, shelf / place)
    refused(office, "mail", "import", ANI, "/dev/null")
    refused(office, "mail", "import", "nobody@kantor.example", shelf)
    refused(office, "mail", "import", ANI, shelf, "--folder", "Nonsense")


# ---- room

def test_the_quota_ends_an_import_and_more_quota_goes_on_with_it(office, shelf):
    maildir(shelf / "M", [letter(n, "z" * 3000) for n in range(20)] + LETTERS[4:5], dovecot)
    office.run("user", "quota", ANI, "20K")
    said = stopped(office, "mail", "import", ANI, shelf / "M")
    assert f"the quota of {ANI} leaves" in said and "`officemail user quota`" in said
    assert len(listed(office)) == 6
    office.run("user", "quota", ANI, "100K")
    stopped(office, "mail", "import", ANI, shelf / "M")
    assert len(listed(office)) == 20
    office.run("user", "quota", ANI, "0")
    assert "1 message imported" in office.run("mail", "import", ANI, shelf / "M")


def test_the_reserve_is_kept(office, shelf):
    maildir(shelf / "M", LETTERS)
    office.set("store", "reserve", "999999G")
    assert "[store] reserve" in refused(office, "mail", "import", ANI, shelf / "M")
    assert listed(office) == []


# ---- ends

def many(shelf, count=3000, size=4000):
    return maildir(shelf / "M", [letter(n, "z" * size) for n in range(count)], dovecot)


def begun(office, *arguments):
    """As at a terminal: Ctrl-C is heeded, also where the tests themselves run in the background of a script."""
    words = [office.binary, "-c", office.ini, *arguments]
    return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def test_an_interrupted_import_says_so_and_goes_on(served, shelf):
    names = many(shelf)
    asked = begun(served, "mail", "import", ANI, shelf / "M")
    wait_until(lambda: int(served.json("user", "show", ANI)["messages"]) > 100, "some messages")
    asked.send_signal(signal.SIGINT)
    out, err = asked.communicate(timeout=60)
    assert asked.returncode == 1 and b"interrupted: what has been imported stays" in err
    done = len(served.mails())
    assert out.startswith(f"{done:d} messages imported".encode()) and 100 < done < len(names)
    said = served.run("mail", "import", ANI, shelf / "M")
    assert said.startswith(f"{len(names) - done} messages imported") and f"{done} there already" in said
    assert uidls(served) == [f"{10 + n:08x}{1_700_000_000:08x}" for n in range(len(names))]


def test_two_imports_at_once_are_refused(served, shelf):
    many(shelf)
    asked = begun(served, "mail", "import", ANI, shelf / "M")
    wait_until(lambda: int(served.json("user", "show", ANI)["messages"]) > 0, "some messages")
    assert "another import is under way" in refused(served, "mail", "import", BUDI, shelf / "M")
    asked.communicate(timeout=60)
    assert asked.returncode == 0 and len(served.mails()) == 3000


def test_mail_is_taken_while_an_import_runs(served, shelf):
    many(shelf)
    asked = begun(served, "mail", "import", ANI, shelf / "M")
    wait_until(lambda: int(served.json("user", "show", ANI)["messages"]) > 0, "some messages")
    for n in range(20):
        served.deliver(letter(n), BUDI)
    asked.communicate(timeout=60)
    assert len(served.mails(BUDI)) == 20 and len(served.mails()) == 3000


def test_a_terminal_shows_how_far_it_is_and_a_pipe_does_not(office, shelf, terminal):  # noqa: F811
    many(shelf, 8000, 4000)
    asked = terminal("mail", "import", ANI, str(shelf / "M"))
    asked.wait_for(b"importing ")
    asked.wait_for(b"%")
    assert asked.end() == 0
    assert asked.seen.endswith(b"\r\x1b[K")  # and nothing stays
    asked = terminal("mail", "export", ANI, str(shelf / "out"))
    asked.wait_for(b"exporting ")
    assert asked.end() == 0
    quiet = office.command("mail", "export", ANI, shelf / "out")
    assert quiet.stderr == b"" and len(quiet.stdout.splitlines()) == 1
