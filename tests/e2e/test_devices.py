"""Devices: several passwords for one mailbox, each with a view of its own; over the wire,
in the orders in which people use them."""

import base64
import itertools
import os
import re
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from letters import letter, without_trace
from office import PASSWORDS, wait_until
from test_tools_users import ANI, BUDI, SITI, refused, user
from wire import WireError


def password(device):
    return PASSWORDS["ani"] if device is None else f"rahasia-{device}"


def add(office, *devices, address=ANI):
    for device in devices:
        office.run("device", "add", address, device, "--password-stdin", stdin=password(device) + "\n")


def log_in(office, device=None, name=ANI, service="pop3"):
    wire = office.connect(service)
    for answer in [wire.line().decode(), wire.command(f"USER {name}"), wire.command(f"PASS {password(device)}")]:
        assert answer.startswith("+OK"), answer
    return wire


def uidls(wire):
    wire.send(b"UIDL\r\n")
    assert wire.line().startswith(b"+OK")
    return [line.split()[1].decode() for line in wire.block()]


def view(office, device=None, **options):
    """What one of them has in its list: the letters' numbers, and their UIDLs."""
    wire = log_in(office, device, **options)
    found = uidls(wire)
    assert wire.command("QUIT").startswith("+OK")
    wire.close()
    return found


def delete(office, device, *which):
    """Deletes these UIDLs, as a client does; all without any."""
    wire = log_in(office, device)
    there = uidls(wire)
    for uidl in which or there:
        assert wire.command(f"DELE {there.index(uidl) + 1}").startswith("+OK")
    assert wire.command("QUIT").startswith("+OK")
    wire.close()


def letters(office, count):
    for number in range(count):
        office.deliver(letter(number))
    return [mail["uidl"] for mail in office.mails()]


def rows(office, sql, *values, write=False):
    with closing(sqlite3.connect(office.data / "store.db")) as store:
        found = store.execute(sql, values).fetchall()
        if write:
            store.commit()
        return found


def sound(office):
    """Nothing to mend, and what a quota counts is what is there."""
    office.run("check")
    mails = office.mails()
    assert user(office, ANI)["messages"] == len(mails)
    assert user(office, ANI)["used"] == sum(mail["size"] for mail in mails)


# ---- views


@pytest.mark.parametrize("order", itertools.permutations([None, "pc", "hp"]), ids=str)
def test_a_message_leaves_when_the_last_of_them_deletes_it(served, order):
    add(served, "pc", "hp")
    for device in order:
        assert view(served, device) == []
    first, second = letters(served, 2)
    for n, device in enumerate(order):
        assert view(served, device) == [first, second]
        delete(served, device, first)
        assert view(served, device) == [second]
        assert len(served.mails()) == (2 if n < 2 else 1)
        sound(served)
    assert [mail["uidl"] for mail in served.json("mail", "list", ANI, "--deleted")] == [first]
    assert rows(served, "SELECT * FROM hidden") == []


def test_a_pc_that_deletes_does_not_rob_a_phone_that_never_does(served):
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    for day in range(3):
        served.deliver(letter(day))
        wire = log_in(served, "pc")
        assert without_trace(served_message(wire)) == letter(day)
        wire.command("DELE 1")
        wire.command("QUIT")
        wire.close()
        assert view(served, "pc") == []
        assert len(view(served, "hp")) == day + 1
    assert len(served.mails()) == 3
    sound(served)


def served_message(wire):
    assert wire.command("RETR 1").startswith("+OK")
    return b"".join(line + b"\r\n" for line in wire.block())


def test_without_quit_and_after_rset_nothing_is_hidden(served):
    add(served, "pc", "hp")
    uidl, = letters(served, 1)
    for device in ("hp", "pc"):
        view(served, device)
    wire = log_in(served, "pc")
    wire.command("DELE 1")
    wire.close()
    wire = log_in(served, "pc")
    wire.command("DELE 1")
    wire.command("RSET")
    wire.command("QUIT")
    assert view(served, "pc") == [uidl]


def test_a_device_counts_from_its_first_fetch_and_sees_what_is_there(served):
    add(served, "pc", "hp")
    first, second, third = letters(served, 3)
    delete(served, "pc", first)  # nobody else has ever looked
    assert len(served.mails()) == 2
    assert view(served, "hp") == [second, third]
    delete(served, "pc", second)
    assert len(served.mails()) == 2
    add(served, "tablet")
    assert view(served, "tablet") == [second, third]
    delete(served, "hp", second)
    assert len(served.mails()) == 2
    delete(served, "tablet", second)
    assert [mail["uidl"] for mail in served.mails()] == [third]
    sound(served)


def test_who_logs_in_for_the_first_time_while_another_deletes_is_robbed_of_nothing(served):
    add(served, "pc", "hp")
    uidl, = letters(served, 1)
    deleting = log_in(served, "pc")
    deleting.command("DELE 1")
    looking = log_in(served, "hp")  # its login is not written yet
    assert deleting.command("QUIT").startswith("+OK")
    looking.close()
    assert view(served, "hp") == [uidl] and view(served, "pc") == []


def test_who_used_the_password_before_the_first_device_holds_the_mail(served):
    assert view(served) == []
    served.restart()  # it is written
    add(served, "pc")
    uidl, = letters(served, 1)
    delete(served, "pc")
    assert view(served) == [uidl]
    delete(served, None)
    assert served.mails() == []


def test_removing_a_device_lets_go_what_it_alone_held(served):
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    first, second = letters(served, 2)
    delete(served, "pc", first)
    assert len(served.mails()) == 2
    session = log_in(served, "hp")
    served.run("device", "remove", ANI, "HP")
    assert [mail["uidl"] for mail in served.mails()] == [second]
    assert not served.can_log_in(ANI, password("hp"))
    assert [device["name"] for device in served.json("device", "list", ANI)] == ["pc"]
    # A session of it that is open still reads, and deletes for nobody.
    served.allow("delete-failed .*the device has been removed")
    assert session.command("RETR 2").startswith("+OK")
    session.block()
    session.command("DELE 2")
    assert session.command("QUIT").startswith("-ERR [SYS/TEMP]")
    session.close()
    assert view(served, "pc") == [second]
    assert served.run("mail", "restore", ANI) == "1 message restored\n"
    assert len(view(served, "pc")) == 2
    sound(served)


def test_the_last_device_gone_it_is_plain_pop3_again(served):
    add(served, "pc")
    for device in ("pc", None):
        view(served, device)
    first, second = letters(served, 2)
    delete(served, None, first)
    assert len(served.mails()) == 2
    served.run("device", "remove", ANI, "pc")
    assert view(served) == [second]
    assert len(served.mails()) == 1
    delete(served, None)
    assert served.mails() == []
    assert rows(served, "SELECT * FROM hidden") == [] and rows(served, "SELECT * FROM devices") == []
    sound(served)


def test_an_open_session_keeps_its_list(served):
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    before = letters(served, 2)
    session = log_in(served, "hp")
    delete(served, "pc")
    delete(served, "hp")
    assert served.mails() == []
    assert uidls(session) == before
    assert without_trace(served_message(session)) == letter(0)
    session.command("DELE 1")
    assert session.command("QUIT").startswith("+OK")
    session.close()


def test_folders_have_views_too_and_what_is_moved_stays_deleted(served):
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    first, second = letters(served, 2)
    delete(served, "pc", first)
    for mail in served.mails():
        served.run("mail", "move", ANI, str(mail["id"]), "Proyek")
    assert view(served, "pc", name="ani+Proyek@kantor.example") == [second]
    assert view(served, "hp", name="ani+Proyek@kantor.example") == [first, second]


def test_a_person_deletes_for_all_and_is_told_who_has(served):
    add(served, "pc", "hp")
    for device in ("pc", "hp", None):
        view(served, device)
    letters(served, 3)
    first, second, _ = served.mails()
    assert first["deleted_by"] == []
    delete(served, "pc", first["uidl"], second["uidl"])
    delete(served, None, first["uidl"])
    assert [mail["deleted_by"] for mail in served.mails()] == [["own password", "pc"], ["pc"], []]
    assert "own password, pc" in served.run("mail", "list", ANI)
    served.run("mail", "remove", ANI, str(first["id"]))
    assert view(served, "hp") == [mail["uidl"] for mail in served.mails()]
    assert len(served.mails()) == 2
    sound(served)


def test_under_exclusive_a_view_is(office):
    office.set("pop3d", "exclusive", "yes")
    office.start()
    add(office, "pc", "hp")
    sessions = [log_in(office, device) for device in ("pc", "hp", None)]
    for device in ("pc", "hp", None):
        wire = office.connect("pop3")
        wire.line()
        wire.command(f"USER {ANI}")
        assert wire.command(f"PASS {password(device)}").startswith("-ERR [IN-USE]")
        wire.close()
    other = log_in(office, "pc", name="ani+Proyek")  # another folder
    for wire in [*sessions, other]:
        wire.command("QUIT")
        wire.close()


# ---- passwords


def submission(office, device):
    wire = office.connect("submissions")
    wire.reply()
    wire.send(b"EHLO x\r\n")
    wire.reply()
    wire.send(b"AUTH PLAIN " + base64.b64encode(f"\0{ANI}\0{password(device)}".encode()) + b"\r\n")
    assert wire.reply()[0] == 235
    return wire


def test_a_device_opens_pop3_and_submission_and_is_named(served):
    add(served, "pc")
    for service in ("pop3", "pop3s"):
        view(served, "pc", service=service)
    served.wait_log(rf"session service=pop3 user={ANI} .*device=pc")
    wire = submission(served, "pc")
    send(wire, BUDI)
    assert wire.reply()[0] == 250
    served.run("device", "remove", ANI, "pc")
    send(wire, BUDI)
    assert wire.reply()[0] in (421, 451)
    wire.close()
    served.allow("channel-refused .*the device has been removed")
    assert len(served.mails(BUDI)) == 1


def send(wire, to):
    for line, wanted in [(f"MAIL FROM:<{ANI}>", 250), (f"RCPT TO:<{to}>", 250), ("DATA", 354)]:
        wire.send(line.encode() + b"\r\n")
        assert wire.reply()[0] == wanted
    wire.send(f"From: {ANI}\r\n\r\nisi\r\n.\r\n".encode())


def test_a_device_that_sends_alone_holds_nothing(served):
    add(served, "printer", "pc")
    submission(served, "printer").close()
    letters(served, 1)
    delete(served, "pc")
    assert served.mails() == []
    used = {device["name"]: device for device in served.json("device", "list", ANI)}
    assert used["printer"]["last_login"] and used["printer"]["counts_until"] is None
    assert used["pc"]["counts_until"]


def test_a_generated_password_is_printed_and_opens_the_mailbox(served):
    made = served.run("device", "add", ANI, "pc", "--generate")
    assert re.fullmatch(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}\n", made)
    assert served.can_log_in(ANI, made.strip())
    assert served.can_log_in()  # the own one still does
    assert not served.can_log_in(BUDI, made.strip())


def test_all_passwords_are_of_one_setting_and_changes_keep_it(served):
    def settings():
        found = rows(served, "SELECT hash FROM users WHERE address = ? UNION ALL"
                     " SELECT d.hash FROM devices d JOIN users u ON u.id = user_id WHERE address = ?", ANI, ANI)
        return {hashed.rsplit("$", 1)[0] for hashed, in found}

    add(served, "pc", "hp")
    assert len(settings()) == 1
    served.run("user", "passwd", ANI, "--password-stdin", stdin="baru\n")
    assert len(settings()) == 1
    assert served.can_log_in(ANI, "baru") and not served.can_log_in()
    assert served.can_log_in(ANI, password("pc"))
    said = refused(served, "user", "passwd", ANI, "--password-stdin", stdin=password("pc") + "\n")
    assert "pc already" in said
    for stdin in ("baru\n", password("hp") + "\n"):
        assert "already" in refused(served, "device", "add", ANI, "x", "--password-stdin", stdin=stdin)
    served.run("check")


OLD = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"  # of "Hello world!"


def test_a_password_of_the_old_server_takes_the_devices_setting(served):
    served.run("user", "add", SITI, "--hash-stdin", stdin=OLD + "\n")
    assert "in use" in refused(served, "device", "add", SITI, "pc", "--password-stdin", stdin="Hello world!\n")
    add(served, "pc", "hp", address=SITI)
    assert served.can_log_in(SITI, password("pc")) and not served.can_log_in(SITI, "Hello")
    assert rows(served, "SELECT hash FROM users WHERE address = ?", SITI) == [(OLD, )]
    assert served.can_log_in(SITI, "Hello world!")

    wait_until(lambda: rows(served, "SELECT hash FROM users WHERE address = ?", SITI) != [(OLD, )],
               "the better hash")
    hashes = [hashed for hashed, in rows(served, "SELECT hash FROM users WHERE address = ?1 UNION ALL"
                                         " SELECT hash FROM devices", SITI)]
    assert len({hashed.rsplit("$", 1)[0] for hashed in hashes}) == 1
    assert served.can_log_in(SITI, "Hello world!") and served.can_log_in(SITI, password("hp"))


def test_a_device_is_remembered_past_the_limit_and_forgotten_when_removed(office):
    office.set("limits", "auth_failures", "3")
    office.start()
    add(office, "pc", "hp")
    view(office, "pc")
    for n in range(4):
        assert not office.can_log_in(ANI, f"salah {n}")
    assert office.can_log_in(ANI, password("pc"))
    assert not office.can_log_in(ANI, password("hp"))  # right, and never seen before
    office.run("device", "remove", ANI, "pc")
    assert not office.can_log_in(ANI, password("pc"))


def test_a_disabled_user_s_devices_are_too(served):
    add(served, "pc")
    view(served, "pc")
    served.run("user", "disable", ANI)
    assert not served.can_log_in(ANI, password("pc"))
    served.wait_log("login-of-disabled .*device=pc")
    served.run("user", "enable", ANI)
    assert view(served, "pc") == []


# ---- the commands


def test_devices_are_listed_with_the_promised_keys(served):
    assert served.json("device", "list", ANI) == []
    add(served, "pc", "HP.2")
    one, two = served.json("device", "list", ANI)
    assert list(one) == ["name", "last_login", "counts_until"]
    assert (one["name"], two["name"]) == ("HP.2", "pc")
    assert one["last_login"] is None and one["counts_until"] is None
    view(served, "pc")
    wait_until(lambda: served.json("device", "list", ANI)[1]["last_login"], "the first login")
    one, two = served.json("device", "list", ANI)
    assert two["last_login"][:10] < two["counts_until"][:10]
    assert "never" in served.run("device", "list", ANI)
    assert user(served, ANI)["devices"] == ["HP.2", "pc"]
    assert "HP.2, pc" in served.run("user", "show", ANI)


def test_client_says_whose_password_is_typed(office):
    """And how another program is given one; what it says to run adds a device."""
    def told():
        return re.search(r"^officemail (device add .*)$", said := office.run("client", ANI), re.M)[1], said

    command, said = told()
    assert "what one deletes the others miss" in said
    office.run(*command.replace("NAME", "pc").split())
    command, said = told()
    assert "the device on which the program runs (pc)" in said
    office.run(*command.replace("NAME", "hp").split())
    assert "runs (hp, pc)" in told()[1]


@pytest.mark.parametrize("name", ["a b", "-x", "a/b", "a=b", "telepón", "x" * 65])
def test_a_name_that_is_none_is_refused(office, name):
    refused(office, "device", "add", "--generate", "--", ANI, name)


def test_what_is_not_there_is_named(office):
    add(office, "pc")
    assert "already" in refused(office, "device", "add", ANI, "PC", "--generate")
    assert "no device hp" in refused(office, "device", "remove", ANI, "hp")
    assert "no user" in refused(office, "device", "list", SITI)
    assert "no user" in refused(office, "device", "add", SITI, "pc", "--generate")
    add(office, *(f"d{n}" for n in range(19)))
    assert "the most" in refused(office, "device", "add", ANI, "one-more", "--generate")


# ---- users


def test_devices_follow_a_renamed_user_and_go_with_a_removed_one(served):
    served.set("office", "postmaster", BUDI)
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    first, second = letters(served, 2)
    delete(served, "pc", first)
    served.run("user", "rename", ANI, "ani.baru@kantor.example")
    assert view(served, "pc", name="ani.baru@kantor.example") == [second]
    served.run("user", "remove", "ani.baru@kantor.example", "--yes")
    assert not served.can_log_in("ani.baru@kantor.example", password("pc"))
    assert rows(served, "SELECT count(*) FROM devices") == rows(served, "SELECT count(*) FROM hidden") == [(0, )]
    served.run("user", "add", "ani.baru@kantor.example", "--password-stdin", stdin="baru\n")
    assert not served.can_log_in("ani.baru@kantor.example", password("pc"))
    assert served.run("mail", "restore", "ani.baru@kantor.example") == "2 messages restored\n"
    served.run("check")


def test_a_backup_holds_devices_and_views(served, neighbour):
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    first, second = letters(served, 2)
    delete(served, "pc", first)
    copy = served.dir / "copy"
    served.run("backup", copy)
    neighbour.run("restore", copy)
    neighbour.start()
    assert view(neighbour, "pc") == [second] and view(neighbour, "hp") == [first, second]
    delete(neighbour, "hp", first)
    assert [mail["uidl"] for mail in neighbour.mails()] == [second]
    sound(neighbour)


def test_trace_and_the_events_of_sessions_name_the_device(served):
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    letters(served, 1)
    wire = log_in(served, "pc")
    served_message(wire)
    wire.command("DELE 1")
    wire.command("QUIT")
    wire.close()

    def traced():
        served.restart()  # what sessions tell is written
        (life, ) = served.json("trace", ANI)
        return [(event["event"], event["device"], event.get("for_all")) for event in life["events"]
                if event["event"] in ("fetched", "deleted")]

    assert traced() == [("fetched", "pc", None), ("deleted", "pc", False)]
    assert "with the device pc; other devices still have it" in served.run("trace", ANI)
    delete(served, "hp")
    assert traced() == [("fetched", "pc", None), ("deleted", "pc", True), ("deleted", "hp", True)]
    said = served.run("trace", ANI)
    assert "other devices" not in said and "brings it back until" in said


# ---- deaths


def test_killed_behind_quit_what_was_hidden_is_hidden(served):
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    first, second = letters(served, 2)
    for device in ("pc", "hp"):
        delete(served, device, first)
        served.kill()
        served.start()
        assert view(served, device) == [second]
        sound(served)
    assert len(served.mails()) == 1


def test_a_writer_that_dies_leaves_all_of_a_quit_or_nothing(served):
    add(served, "pc", "hp")
    for device in ("pc", "hp"):
        view(served, device)
    letters(served, 20)
    served.allow("no-writer|has gone|not there|session-not-begun|delete-failed|role-died|role-not-told|login-failed|"
                 "channel-refused")
    for n in range(10):
        wire = log_in(served, "pc")
        there = uidls(wire)
        for number in range(1, len(there) + 1):
            wire.command(f"DELE {number}")
        wire.send(b"QUIT\r\n")
        seen = len(served.lines)
        time.sleep(n * 0.0005)  # anywhere between the asking and the answer
        os.kill(served.named("writer")[0], signal.SIGKILL)
        try:
            said = wire.line()
        except WireError:
            said = b""  # it may end without a word
        wire.close()
        served.wait_log("role=writer", seen)
        wait_until(lambda: served.can_log_in(ANI, password("pc")), "the next writer")
        left = view(served, "pc")
        assert left in (there, []) and (left == [] or not said.startswith(b"+OK"))
        assert len(view(served, "hp")) == 20
    sound(served)
