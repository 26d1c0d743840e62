"""`officemail mail export`: what goes out is what was there, for other programs, and for an import."""

import json
import mailbox
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest

from letters import letter
from office import wait_until
from test_port import LETTERS, begun, dovecot, lf, listed, maildir, many, shelf, shown, stopped  # noqa: F401
from test_tools_users import ANI, BUDI, refused


def export(office, place, *options):
    return office.run("mail", "export", ANI, place, *options)


def filled(office, shelf):
    maildir(shelf / "M", LETTERS, dovecot)
    maildir(shelf / "M/.Été & co", LETTERS[:2])
    office.run("mail", "import", ANI, shelf / "M")
    return [(mail["folder"], mail["uidl"], mail["size"], mail["received"]) for mail in office.mails()], shown(office)


@pytest.mark.parametrize("crlf", [(), ("--crlf",)], ids=["lf", "crlf"])
@pytest.mark.parametrize("format", ["mbox", "maildir", "eml"])
def test_an_export_comes_in_again_as_it_was(served, neighbour, shelf, format, crlf):  # noqa: F811
    mails, octets = filled(served, shelf)
    served.deliver(letter(99, "delivered"))
    mails.append(tuple(served.mails()[-1][key] for key in ("folder", "uidl", "size", "received")))
    octets.append(shown(served)[-1])
    said = export(served, shelf / "out", "--format", format, *crlf)
    assert said.startswith("9 messages exported (")
    assert neighbour.run("mail", "import", ANI, shelf / "out").startswith("9 messages imported")
    got = [(mail["folder"], mail["uidl"], mail["size"], mail["received"]) for mail in neighbour.mails()]
    assert sorted(zip(got, shown(neighbour))) == sorted(zip(mails, octets))
    for file in (shelf / "out").rglob("*"):
        if file.suffix in (".mbox", ".eml") or file.parent.name == "cur":
            text = file.read_bytes()
            assert text.count(b"\r\n") == (text.count(b"\n") if crlf else 0)
    assert not list((shelf / "out").rglob("*.part"))
    again = export(served, shelf / "out", "--format", format, *crlf)
    assert "0 messages exported" in again and "9 there already" in again
    neighbour.run("mail", "import", ANI, shelf / "out")
    assert len(neighbour.mails()) == 9


def test_other_programs_read_what_was_exported(office, shelf):  # noqa: F811
    _, octets = filled(office, shelf)
    for format in ("mbox", "maildir", "eml"):
        export(office, shelf / format, "--format", format)
    box = mailbox.mbox(shelf / "mbox/Inbox.mbox")
    quoted = [re.sub(rb"(?m)^(>*From )", rb">\1", lf(text)) for text in octets[:6]]
    assert [box.get_bytes(key) for key in box.keys()] == quoted
    inbox = mailbox.Maildir(shelf / "maildir", create=False)
    assert sorted(inbox.get_bytes(key) for key in inbox.keys()) == sorted(lf(text) for text in octets[:6])
    assert sorted(inbox.list_folders()) == ["&AMk-t&AOk- &- co", "Junk", "Pribadi", "Proyek"]
    assert sorted(path.read_bytes() for path in (shelf / "eml/Inbox").iterdir()) == sorted(lf(text) for text in octets[:6])
    rows = json.loads((shelf / "eml/uidl.json").read_text())
    assert [row["uidl"] for row in rows if row["file"].startswith("Inbox/")] == [uidl for folder, uidl in listed(office)
                                                                                if folder == "Inbox"]


def test_a_part_of_an_export_knows_its_uidls(office, neighbour, shelf):  # noqa: F811
    mails, _ = filled(office, shelf)
    export(office, shelf / "eml", "--format", "eml")
    export(office, shelf / "mbox")
    neighbour.run("mail", "import", ANI, f"{shelf}/eml/Inbox/")
    neighbour.run("mail", "import", BUDI, shelf / "mbox/Inbox.mbox")
    wanted = [uidl for folder, uidl, *_ in mails if folder == "Inbox"]
    assert [uidl for _, uidl in listed(neighbour)] == wanted
    assert [uidl for _, uidl in listed(neighbour, BUDI)] == wanted


def test_a_message_changed_since_gets_a_new_uidl(office, neighbour, shelf):  # noqa: F811
    filled(office, shelf)
    export(office, shelf / "eml", "--format", "eml", "--folder", "Inbox")
    first = min((shelf / "eml/Inbox").iterdir())
    first.write_bytes(b"X: y\n" + first.read_bytes())
    said = neighbour.command("mail", "import", ANI, shelf / "eml")
    assert said.returncode == 0 and f"{first}: it has changed since uidl.json was written" in said.stderr.decode()
    assert "1 had no UIDL" in said.stdout.decode()


def test_an_export_overwrites_nothing(office, shelf):  # noqa: F811
    filled(office, shelf)
    (shelf / "full").mkdir()
    (shelf / "full/x").write_text("mine")
    assert "is not empty" in refused(office, "mail", "export", ANI, shelf / "full")
    export(office, shelf / "eml", "--format", "eml")
    first = min((shelf / "eml/Inbox").iterdir())
    first.unlink()
    first.write_text("mine")
    (shelf / "eml/uidl.json").write_text("[]")
    result = office.command("mail", "export", ANI, shelf / "eml", "--format", "eml")
    assert result.returncode == 1 and f"{first} is there and is another message".encode() in result.stderr
    assert first.read_text() == "mine" and b"7 there already, 1 left out" in result.stdout
    export(office, shelf / "mbox")
    (shelf / "one.eml").write_bytes(letter(77))
    office.run("mail", "import", ANI, shelf / "one.eml")
    before = (shelf / "mbox/Inbox.mbox").read_bytes()
    assert "left out" in stopped(office, "mail", "export", ANI, shelf / "mbox")
    assert (shelf / "mbox/Inbox.mbox").read_bytes() == before
    refused(office, "mail", "export", ANI, shelf / "one.eml")
    assert office.command("mail", "export", ANI, shelf / "new", "--format", "pst").returncode == 2


def test_an_export_goes_on_with_what_has_come_since(served, shelf):  # noqa: F811
    filled(served, shelf)
    export(served, shelf / "out", "--format", "maildir")
    served.deliver(letter(50))
    said = export(served, shelf / "out", "--format", "maildir")
    assert "1 message exported" in said and "8 there already" in said
    heads = (shelf / "out/dovecot-uidlist").read_text().splitlines()
    assert len(heads) == 1 + 7 and heads[0].startswith("3 V")
    (shelf / "out/dovecot-uidlist").write_text("3 V7 N9 G0123456789abcdef0123456789abcdef\n")
    assert "a Dovecot uses" in refused(served, "mail", "export", ANI, shelf / "out", "--format", "maildir")


def test_a_damaged_message_is_told_and_the_rest_goes_out(office, shelf):  # noqa: F811
    filled(office, shelf)
    store = office.data / "store.db"
    subprocess.run(["sqlite3", store, "UPDATE pieces SET octets = x'00' WHERE id = (SELECT min(id) FROM pieces)"],
                   check=True) if shutil.which("sqlite3") else damage(store)
    office.give_to_account(store)
    for format in ("mbox", "eml", "maildir"):
        result = office.command("mail", "export", ANI, shelf / format, "--format", format)
        assert result.returncode == 1 and b"7 messages exported" in result.stdout, result
        assert b"message 1 lacks octets" in result.stderr or b"message 1 is damaged" in result.stderr
        again = office.command("mail", "export", ANI, shelf / format, "--format", format)
        assert again.returncode == 1 and b"0 messages exported" in again.stdout and b"7 there already, 1 left out" in again.stdout
        assert again.stderr == result.stderr
    box = mailbox.mbox(shelf / "mbox/Inbox.mbox")
    assert len(box) == 5 and b"Subject: surat 2" in box.get_bytes(0)
    office.start()
    office.deliver(letter(50))
    office.stop()
    result = office.command("mail", "export", ANI, shelf / "mbox")
    assert b"Inbox.mbox is there already, and not what the folder Inbox holds today" in result.stderr
    assert b"2 there already, 7 left out" in result.stdout


def damage(store):
    with sqlite3.connect(store) as base:
        base.execute("UPDATE pieces SET octets = x'00' WHERE id = (SELECT min(id) FROM pieces)")
    base.close()


@pytest.mark.parametrize("format", ["mbox", "maildir", "eml"])
def test_an_interrupted_export_leaves_nothing_half(office, shelf, format):  # noqa: F811
    many(shelf, 2000, 20_000)
    office.run("mail", "import", ANI, shelf / "M")
    asked = begun(office, "mail", "export", ANI, shelf / "out", "--format", format)
    wait_until(lambda: len(list((shelf / "out").rglob("*"))) > (4 if format == "mbox" else 70) or
               list((shelf / "out").rglob("*.part")), "some files")
    asked.send_signal(signal.SIGINT)
    out, err = asked.communicate(timeout=60)
    assert asked.returncode == 1 and b"interrupted: what has been exported stays" in err
    assert not list((shelf / "out").rglob("*.part"))
    done = int(out.split()[0])
    said = export(office, shelf / "out", "--format", format)
    assert said.startswith(f"{2000 - done} messages exported")
    assert done == 0 or f"{done} there already" in said
    assert len(json.loads((shelf / "out/uidl.json").read_text())) == 2000
