"""`officemail mail restore` and `mail again`: what was deleted, and what a client
has lost, under new UIDLs."""

import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from letters import letter, without_trace
from office import wait_until
from test_tools_users import ANI, BUDI, SITI, refused, user


def letters(office, count, to=ANI):
    for number in range(count):
        office.deliver(letter(number), to)
    return office.mails(to)


def deleted(office, address=ANI):
    return office.json("mail", "list", address, "--deleted")


def uidls(wire):
    wire.send(b"UIDL\r\n")
    assert wire.line().startswith(b"+OK")
    return [line.split()[1].decode() for line in wire.block()]


def retrieved(wire, number):
    assert wire.command(f"RETR {number}").startswith("+OK")
    return b"".join(line + b"\r\n" for line in wire.block())


def delete_all(office, name="ani"):
    return [without_trace(message) for message in office.fetch(name, delete=True)]


@pytest.mark.parametrize("serving", [True, False], ids=["while it serves", "while it does not"])
def test_what_a_client_deleted_is_a_new_message_and_otherwise_the_same(served, serving):
    before = letters(served, 3)
    octets = delete_all(served)
    if not serving:
        served.stop()
    assert served.run("mail", "restore", ANI) == "3 messages restored\n"
    after = served.mails()
    assert [{**mail, "id": 0, "uidl": ""} for mail in after] == [{**mail, "id": 0, "uidl": ""} for mail in before]
    assert not {mail["uidl"] for mail in after} & {mail["uidl"] for mail in before}
    assert not {mail["id"] for mail in after} & {mail["id"] for mail in before}
    assert deleted(served) == []
    assert served.run("mail", "restore", ANI) == "0 messages restored\n"
    if not serving:
        served.start()
    assert delete_all(served) == octets
    served.run("check")


def test_the_ids_named_come_back_and_no_other(served):
    first, second, third = (mail["id"] for mail in letters(served, 3))
    delete_all(served)
    assert served.run("mail", "restore", ANI, third, first, first) == "2 messages restored\n"
    assert [without_trace(message) for message in served.fetch()] == [letter(2), letter(0)]
    assert [mail["id"] for mail in deleted(served)] == [second]


def test_one_wrong_id_is_named_and_nothing_is_done(served):
    gone, here = (mail["id"] for mail in letters(served, 2))
    other = letters(served, 1, BUDI)[0]["id"]
    served.run("mail", "remove", ANI, gone)
    before = served.mails(), deleted(served)
    for command, wrong, right, words in (
        ("restore", here, gone, "is not deleted"), ("restore", other, gone, "no message"),
        ("restore", 4711, gone, "no message"), ("again", gone, here, "is deleted"), ("again", 0, here, "no message")):
        said = refused(served, "mail", command, ANI, right, wrong)
        assert words in said and str(wrong) in said
    assert (served.mails(), deleted(served)) == before
    served.run("mail", "restore", ANI, gone)
    back = served.mails()[-1]["id"]
    for command in ("restore", "again"):
        assert f"as {back}" in refused(served, "mail", command, ANI, gone)


@pytest.mark.parametrize("command", ["restore", "again"])
def test_a_duration_is_read_as_in_office_ini(served, command):
    letters(served, 2)
    if command == "restore":
        delete_all(served)
    for wrong in ("x", "1", "1w", "-1d", "1.5h", ""):
        refused(served, "mail", command, ANI, f"--since={wrong}", status=2)
    refused(served, "mail", command, ANI, "--since=1d", "1", status=2)
    refused(served, "mail", command, ANI, "x", status=2)
    refused(served, "mail", command, SITI)
    done = {"restore": "restored", "again": "offered again"}[command]
    assert served.run("mail", command, ANI, "--since", "14d") == f"2 messages {done}\n"


def test_a_session_that_is_open_sees_neither(served):
    letters(served, 3)
    session = served.login()
    before = uidls(session), session.command("STAT")
    other = served.login()
    for number in (1, 2):
        other.command(f"DELE {number}")
    other.command("QUIT")
    served.run("mail", "restore", ANI)
    third = served.mails()[0]["id"]  # still there: what was restored stands behind it
    served.run("mail", "again", ANI, third)
    assert (uidls(session), session.command("STAT")) == before
    for number in (1, 2, 3):
        assert without_trace(retrieved(session, number)) == letter(number - 1)
        assert session.command(f"DELE {number}").startswith("+OK")
    assert session.command("QUIT").startswith("+OK")  # what it deletes is what it saw
    wire = served.login()
    assert len(uidls(wire)) == 3 and not set(uidls(wire)) & set(before[0])
    assert [without_trace(retrieved(wire, number)) for number in (1, 2, 3)] == [letter(0), letter(1), letter(2)]
    wire.command("QUIT")


def test_what_is_offered_again_takes_no_room_and_leaves_no_double(served):
    before = letters(served, 2)
    used = user(served, ANI)["used"]
    assert served.run("mail", "again", ANI) == "2 messages offered again\n"
    after = served.mails()
    assert user(served, ANI)["used"] == used and len(after) == 2 and deleted(served) == []
    assert not {mail["uidl"] for mail in after} & {mail["uidl"] for mail in before}
    assert served.run("mail", "restore", ANI) == "0 messages restored\n"


def test_deleted_mail_takes_no_room_and_comes_back_only_where_there_is(served):
    first, second = letters(served, 2)
    delete_all(served)
    served.run("user", "quota", ANI, str(first["size"] + 10))
    assert user(served, ANI)["used"] == 0
    said = refused(served, "mail", "restore", ANI)
    assert "quota" in said and served.mails() == [] and len(deleted(served)) == 2
    served.run("mail", "restore", ANI, first["id"])
    refused(served, "mail", "restore", ANI, second["id"])
    served.run("mail", "again", ANI)
    served.run("user", "quota", ANI, "0")
    assert served.run("mail", "restore", ANI) == "1 message restored\n"


def test_mail_comes_back_to_its_folder_and_to_inbox_where_that_has_gone(served):
    first, second = (mail["id"] for mail in letters(served, 2))
    served.run("mail", "move", ANI, first, "Proyek")
    served.run("mail", "move", ANI, second, "Pribadi")
    served.run("mail", "remove", ANI, first, second)
    served.run("folder", "remove", ANI, "Pribadi")
    served.run("mail", "restore", ANI)
    assert [mail["folder"] for mail in served.mails()] == ["Proyek", "Inbox"]


def test_a_user_who_was_removed_gets_the_mail_back_after_coming_back(served):
    letters(served, 2, BUDI)
    served.run("user", "remove", BUDI, "--yes")
    refused(served, "mail", "restore", BUDI)
    served.run("user", "add", BUDI, "--password-stdin", stdin="rahasia-budi\n")
    assert served.mails(BUDI) == []
    assert served.run("mail", "restore", BUDI) == "2 messages restored\n"
    assert [without_trace(message) for message in served.fetch("budi")] == [letter(0), letter(1)]


def test_what_is_kept_is_kept_for_an_hour_at_least_and_so_is_who_deleted_it(office):
    office.set("store", "keep_deleted", "0")
    office.start()
    office.deliver(letter(1))
    (mail, ) = office.mails()
    office.run("mail", "remove", ANI, str(mail["id"]))
    for _ in range(2):
        office.restart()  # each start and each delivery looks for what is due
        office.deliver(letter(2))
    (gone, ) = office.json("mail", "list", ANI, "--deleted")
    hour_later = datetime.fromisoformat(gone["deleted"]) + timedelta(hours=1)
    said = office.run("trace", str(mail["id"]))
    assert "was deleted by an administrator" in said
    assert f"brings it back until {hour_later:%Y-%m-%dT%H:%M:%SZ}" in said
    told = office.command("user", "remove", BUDI, "--yes").stderr.decode()
    until = datetime.fromisoformat(re.search(r"kept until (\S+)", told)[1])
    assert until >= hour_later
    assert office.run("mail", "restore", ANI) == "1 message restored\n"


def test_what_was_purged_cannot_be_restored(office):
    office.set("store", "keep_deleted", "2h")
    office.start()
    first, second = (mail["id"] for mail in letters(office, 2))
    delete_all(office)
    office.stop()
    with closing(sqlite3.connect(office.data / "store.db")) as store:  # two hours pass for one of them
        store.execute("UPDATE entries SET deleted = deleted - 7200 WHERE id = ?", [first])
        store.commit()
    office.start()
    wait_until(lambda: len(deleted(office)) == 1, "the purge")
    assert f"no message {first}" in refused(office, "mail", "restore", ANI, second, first)
    assert office.run("mail", "restore", ANI) == "1 message restored\n"
