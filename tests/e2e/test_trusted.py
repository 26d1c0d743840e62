"""Those who submit without a login: addresses that [smtpd] trusted names, and programs of
this box, on run/submit."""

import base64
import os
import pwd
import re
import sqlite3
import subprocess
import sys

import pytest

from office import wait_until

ACCOUNT = pwd.getpwuid(os.geteuid()).pw_name
LETTER = b"From: mesin@kantor.example\r\nSubject: pindaian\r\n\r\nx\r\n"


def greeted(wire):
    assert wire.reply()[0] == 220
    wire.send(b"EHLO here\r\n")
    assert wire.reply()[0] == 250
    return wire


def said(wire, line):
    wire.send(line.encode() + b"\r\n")
    return wire.reply()[0]


@pytest.mark.parametrize("service", ["smtp", "submission", "submissions"])
def test_a_trusted_address_submits_on_every_listener(office, service):
    office.set("smtpd", "trusted", "127.0.0.9/32")
    office.start()
    with_login, without = (250, 530) if service != "smtp" else (250, 250)
    trusted = greeted(office.connect(service, "127.0.0.9"))
    assert said(trusted, "MAIL FROM:<mesin@kantor.example>") == with_login
    assert said(trusted, "RCPT TO:<budi@kantor.example>") == 250
    assert said(trusted, "DATA") == 354
    trusted.send(LETTER + b".\r\n")
    assert trusted.reply()[0] == 250
    trusted.close()
    other = greeted(office.connect(service, "127.0.0.8"))
    assert said(other, "MAIL FROM:<mesin@kantor.example>") == without
    other.close()
    (message,) = office.fetch("budi")
    assert b"\r\nMessage-ID: <" in message and b"127.0.0.9" not in message


def test_trust_is_given_and_taken_by_sighup(office):
    office.start()
    for trusted, wanted in (("127.0.0.1", 250), ("", 530)):
        office.set("smtpd", "trusted", trusted)
        since = len(office.lines)
        office.hang_up()
        office.wait_log("reloaded file=", since)
        wire = greeted(office.connect("submission"))
        assert said(wire, "MAIL FROM:<mesin@kantor.example>") == wanted
        wire.close()


def test_the_socket_is_everybody_s_and_its_directory_is_not(served):
    run = served.dir / "run"
    assert run.stat().st_mode & 0o7777 == 0o755
    assert (run / "submit").stat().st_mode & 0o777 == 0o666
    assert run.stat().st_uid == os.geteuid()


def test_a_socket_that_was_left_behind_is_replaced(office):
    office.start()
    office.kill()
    assert (office.dir / "run" / "submit").is_socket()
    office.start()
    assert greeted(office.connect("local"))


def test_where_others_may_write_there_is_no_socket_and_all_else_is_served(office):
    (office.dir / "run" / "submit").unlink()
    (office.dir / "run").chmod(0o777)
    office.start()
    office.wait_log(r"no-sendmail .*others may write in .*/run: chmod 755 ")
    assert not (office.dir / "run" / "submit").exists()
    assert greeted(office.connect("smtp"))
    checked = office.command("check")
    assert checked.returncode == 1 and b"programs of this box cannot send" in checked.stdout


def test_what_is_no_directory_is_no_place_for_the_socket(office):
    (office.dir / "run").rename(office.dir / "walk")
    (office.dir / "run").symlink_to(office.dir / "walk")
    office.start()
    office.wait_log("no-sendmail ")
    assert greeted(office.connect("smtp"))


def test_a_path_longer_than_a_socket_s_address_does(office):
    deep = office.dir / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    office.ini = deep / "office.ini"
    office.write_ini()
    office.start()
    assert (deep / "run" / "submit").is_socket()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another account")
def test_each_account_is_known_by_its_socket(served):
    since = len(served.lines)
    told = subprocess.run(
        [sys.executable, "-c", """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(int(sys.argv[2]))
wire = socket.socket(socket.AF_UNIX); wire.connect(sys.argv[1]); wire.settimeout(30)
lines = wire.makefile("rb")
def say(text):
    wire.sendall(text.encode() + b"\\r\\n")
    while True:
        line = lines.readline()
        if line[3:4] != b"-":
            return print(line[:3].decode())
lines.readline()
say("EHLO here")
for name in sys.argv[3:]:
    say(f"MAIL FROM:<{name}@mail.kantor.example>"); say("RSET")
say("MAIL FROM:<>"); say("RCPT TO:<ani@kantor.example>"); say("DATA")
say("From: x@kantor.example\\r\\n\\r\\nx\\r\\n.")
""", str(served.place("local")), "4000000", "uid-4000000", "root", "nobody"],
        capture_output=True, text=True, check=True).stdout.split()
    assert told == ["250", "250", "250", "550", "250", "550", "250", "250", "250", "354", "250"]
    served.wait_log("service=local .*from=unix:uid-4000000", since)


def test_one_account_does_not_take_all_places(office):
    """An eighth of them; clients from elsewhere find theirs."""
    office.set("limits", "connections", 40)
    office.start()
    held = []
    for _ in range(5):
        held.append(greeted(office.connect("local")))
    refused = office.connect("local")
    assert refused.reply()[0] == 421
    office.wait_log("turned-away service=local from=unix:uid-")
    assert greeted(office.connect("smtp"))
    held.pop().close()

    def admitted():
        wire = office.connect("local")
        code = wire.reply()[0]
        wire.close()
        return code == 220
    wait_until(admitted, "a place that was given back is there again")
    for wire in held:
        wire.close()


def test_trace_and_log_name_who_it_was(served):
    since = len(served.lines)
    wire = greeted(served.connect("local"))
    for line, code in (("MAIL FROM:<web@kantor.example>", 250), ("RCPT TO:<ani>", 250), ("DATA", 354)):
        assert said(wire, line) == code
    wire.send(LETTER + b".\r\n")
    assert wire.reply()[0] == 250
    wire.close()
    line = served.wait_log("message id=.* service=local ", since)
    assert re.search(r" from=unix:\w+", line)


# ---- what leaves the office


def close_the_way_out(office):
    """What leaves waits before a smarthost that is never there."""
    office.set("relay", "smarthost", f"{office.address}:9")
    office.set("relay", "tls", "none")


def outgoing(office):
    """(who is counted, recipient, state) of what waits."""
    with sqlite3.connect(f"file:{office.data}/store.db?mode=ro", uri=True) as store:
        return store.execute("SELECT who, address, replace(state, 'trying', 'waiting') FROM recipients"
                             " JOIN outgoing ON outgoing.id = outgoing_id ORDER BY recipients.id").fetchall()


def send(wire, *recipients):
    for line, code in (("MAIL FROM:<mesin@kantor.example>", 250), *((f"RCPT TO:<{to}>", 250) for to in recipients), ("DATA", 354)):
        assert said(wire, line) == code
    wire.send(LETTER + b".\r\n")
    assert wire.reply()[0] == 250


@pytest.mark.parametrize("service, who", [("smtp", "peer 127.0.0.1"), ("submission", "peer 127.0.0.1"), ("local", f"login {ACCOUNT}")])
def test_mail_for_the_outside_is_taken_and_counted(office, service, who):
    """Beyond per_hour it is held, and the postmaster told once; colleagues are no matter of it."""
    office.set("smtpd", "trusted", "127.0.0.1")
    office.set("submission", "per_hour", "2")
    close_the_way_out(office)
    office.start()
    wire = greeted(office.connect(service))
    send(wire, "pak@luar.example", "bu@luar.example", "budi@kantor.example")
    assert outgoing(office) == [(who, "pak@luar.example", "waiting"), (who, "bu@luar.example", "waiting")]
    send(wire, "lagi@luar.example")
    send(wire, "lain@luar.example", "citra@kantor.example")
    assert outgoing(office)[2:] == [(who, "lagi@luar.example", "held"), (who, "lain@luar.example", "held")]
    wire.close()
    assert [len(office.fetch(name)) for name in ("ani", "budi", "citra")] == [1, 1, 1]


def test_each_address_and_account_has_its_own_hour(office):
    office.set("smtpd", "trusted", "127.0.0.0/24")
    office.set("submission", "per_hour", "1")
    close_the_way_out(office)
    office.start()
    for wire in (office.connect("smtp", "127.0.0.7"), office.connect("smtp", "127.0.0.8"), office.connect("local")):
        send(greeted(wire), "pak@luar.example")
        wire.close()
    assert outgoing(office) == [(who, "pak@luar.example", "waiting")
                                for who in ("peer 127.0.0.7", "peer 127.0.0.8", f"login {ACCOUNT}")]


def test_a_user_of_a_trusted_address_is_counted_himself(office):
    office.set("smtpd", "trusted", "127.0.0.1")
    office.set("submission", "require_tls", "no")
    close_the_way_out(office)
    office.start()
    wire = greeted(office.connect("submission"))
    word = base64.b64encode(b"\0ani@kantor.example\0rahasia-ani").decode()
    assert said(wire, f"AUTH PLAIN {word}") == 235
    for line, code in (("MAIL FROM:<ani@kantor.example>", 250), ("RCPT TO:<pak@luar.example>", 250), ("DATA", 354)):
        assert said(wire, line) == code
    wire.send(b"From: ani@kantor.example\r\n\r\nx\r\n.\r\n")
    assert wire.reply()[0] == 250
    ((who, _, _),) = outgoing(office)
    assert who.startswith("user ")


def test_lmtp_from_a_trusted_address_leads_nowhere_outside(office):
    office.set("smtpd", "trusted", "127.0.0.1")
    office.start()
    wire = office.connect("lmtp")
    wire.reply()
    for line, code in (("LHLO here", 250), ("MAIL FROM:<ani@kantor.example>", 250), ("RCPT TO:<pak@luar.example>", 550)):
        assert said(wire, line) == code
