"""Mail that leaves: through a smarthost, here on a loopback address of its own."""

import base64
import re
import smtplib
import time

import dkim
import pytest

from office import PASSWORDS, PORTS, wait_until
from remote import Remote, Speaker
from wire import client_context

OUTSIDE = "pak@luar.example"
USER = "ani@kantor.example"
LETTER = (b"From: Ani <ani@kantor.example>\r\nTo: pak@luar.example\r\nSubject: penawaran\r\n"
          b"Date: Mon, 23 Nov 2026 10:00:00 +0700\r\nMessage-ID: <dua@pc-ani.lan>\r\n\r\n.titik\r\nharga\r\n")


@pytest.fixture
def remote():
    with Remote() as remote:
        yield remote


def to_smarthost(office, remote, **more):
    for key, value in {"smarthost": remote.place, "tls": "none", **more}.items():
        office.set("relay", key, value)
    office.start()
    return office


@pytest.fixture
def sending(office, remote):
    return to_smarthost(office, remote)


def submit(office, *recipients, message=LETTER, sender=USER, mail=(), rcpt=()):
    with smtplib.SMTP(office.address, PORTS["submission"]) as smtp:
        smtp.starttls(context=client_context())
        smtp.login("ani", PASSWORDS["ani"])
        smtp.sendmail(sender, recipients or [OUTSIDE], message, mail, rcpt)


def queue(office):
    return office.json("queue", "list")


def wait_empty(office):
    wait_until(lambda: not queue(office), "an empty queue")


# ---- what leaves


def test_a_letter_leaves_as_it_was_written_behind_its_trace(sending, remote):
    submit(sending, OUTSIDE)
    (letter, ) = remote.wait()
    assert (letter.sender, letter.recipients) == (USER, [OUTSIDE])
    assert letter.octets.endswith(LETTER)
    front = letter.octets[:-len(LETTER)].decode()
    assert re.fullmatch(r"DKIM-Signature: (.*\r\n)(\s.*\r\n)+Received: by mail\.kantor\.example (.*\r\n)(\s.*\r\n)*", front), front
    assert sending.address not in front
    wait_empty(sending)


def test_colleagues_get_theirs_at_once_and_the_world_its_copy(sending, remote):
    submit(sending, OUTSIDE, "budi@kantor.example", "bu@jauh.example")
    assert len(sending.fetch("budi")) == 1
    (letter, ) = remote.wait()
    assert letter.recipients == [OUTSIDE, "bu@jauh.example"]


def test_a_big_letter_is_whole(sending, remote):
    body = b"".join(b".%08d\r\n" % n for n in range(300_000))
    submit(sending, OUTSIDE, message=LETTER + body)
    (letter, ) = remote.wait()
    assert letter.octets.endswith(LETTER + body)


def test_what_is_signed_is_genuine(sending, remote):
    submit(sending, OUTSIDE)
    (letter, ) = remote.wait()
    record = re.search(r'office\._domainkey\.kantor\.example\.?\s.*?\((.*?)\)', sending.run("dns"), re.S)
    text = "".join(re.findall(r'"([^"]*)"', record[1])).encode()
    assert dkim.verify(letter.octets, dnsfunc=lambda *_, **__: text)
    assert not dkim.verify(letter.octets.replace(b"harga", b"harta"), dnsfunc=lambda *_, **__: text)


def test_many_letters_leave_on_few_connections(sending, remote):
    with smtplib.SMTP(sending.address, PORTS["submission"]) as smtp:
        smtp.starttls(context=client_context())
        smtp.login("ani", PASSWORDS["ani"])
        for _ in range(50):
            smtp.sendmail(USER, [OUTSIDE], LETTER)
    remote.wait(50)
    wait_empty(sending)
    assert len(remote.letters) == 50
    assert remote.sessions <= 40


# ---- what does not


def test_who_is_refused_comes_back_to_the_sender(sending, remote):
    remote.answers["RCPT"] = lambda _, envelope: None if envelope.asked == OUTSIDE else "550 5.1.1 nobody here of that name"
    submit(sending, OUTSIDE, "salah@luar.example")
    (letter, ) = remote.wait()
    assert letter.recipients == [OUTSIDE]
    (report, ) = wait_until(lambda: sending.fetch("ani"), "a report")
    assert b"salah@luar.example" in report and b"nobody here of that name" in report
    assert b"Return-Path: <>\r\n" in report and b"Action: failed" in report and b"pak@luar.example" not in report.split(b"rfc822-headers")[0]
    assert queue(sending) == []


def test_who_is_put_off_is_tried_again(sending, remote):
    remote.answers["RCPT"] = ["451 4.7.1 greylisted, come back"]
    submit(sending, OUTSIDE)
    (waiting, ) = wait_until(lambda: [row for row in queue(sending) if row["last_reply"]], "an attempt")
    assert "greylisted" in waiting["last_reply"] and waiting["recipient"] == OUTSIDE
    assert not remote.letters
    sending.run("queue", "retry")
    remote.wait(patience=30)
    wait_empty(sending)
    assert sending.fetch("ani") == []


def test_a_smarthost_that_is_away_is_waited_for(sending, remote):
    remote.stop()
    submit(sending, OUTSIDE)
    (waiting, ) = wait_until(lambda: [row for row in queue(sending) if row["last_reply"]], "an attempt")
    assert "refused" in waiting["last_reply"].lower()
    remote.start()
    sending.run("queue", "retry")
    (letter, ) = remote.wait(patience=30)
    assert letter.octets.endswith(LETTER)


def test_a_server_that_resets_behind_the_last_dot_may_get_it_twice(office):
    seen = []

    def talk(wire, number):
        wire.write(b"220 x ESMTP\r\n")
        for line in iter(wire.readline, b""):
            if line.upper().startswith(b"DATA"):
                wire.write(b"354 go\r\n")
                for body in iter(wire.readline, b".\r\n"):
                    pass
                seen.append(number)
                if number == 1:
                    return
                wire.write(b"250 ok\r\n")
            else:
                wire.write(b"250 ok\r\n")

    with Speaker(talk) as speaker:
        to_smarthost(office, speaker)
        submit(office, OUTSIDE)
        wait_until(lambda: [row for row in queue(office) if row["last_reply"]], "an attempt")
        office.run("queue", "retry")
        wait_until(lambda: not queue(office), "an empty queue", patience=30)
    assert seen == [1, 2]


def test_a_smarthost_that_takes_one_connection_at_a_time_gets_all_of_it(office):
    """Who is not let in beside another puts nothing off."""
    open_ones, turned_away, letters = [], [], []

    def talk(wire, number):
        if open_ones:
            turned_away.append(number)
            wire.write(b"421 4.7.0 too many connections from you\r\n")
            return
        open_ones.append(number)
        try:
            wire.write(b"220 x ESMTP\r\n")
            for line in iter(wire.readline, b""):
                if line.upper().startswith(b"DATA"):
                    wire.write(b"354 go\r\n")
                    for body in iter(wire.readline, b".\r\n"):
                        pass
                    letters.append(number)
                    time.sleep(0.2)
                wire.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")
        finally:
            open_ones.clear()

    with Speaker(talk) as speaker:
        to_smarthost(office, speaker)
        with smtplib.SMTP(office.address, PORTS["submission"]) as smtp:
            smtp.starttls(context=client_context())
            smtp.login("ani", PASSWORDS["ani"])
            for _ in range(20):
                smtp.sendmail(USER, [OUTSIDE], LETTER)
        wait_until(lambda: not queue(office), "an empty queue", patience=30)
    assert len(letters) == 20 and len(turned_away) == 1


def test_after_a_restart_what_waits_still_leaves(sending, remote):
    remote.stop()
    submit(sending, OUTSIDE)
    sending.kill()
    sending.start()
    remote.start()
    sending.run("queue", "retry")
    remote.wait(patience=30)


# ---- relay test


def test_one_conversation_is_shown_and_nothing_sent(sending, remote):
    shown = sending.run("relay", "test", OUTSIDE)
    assert f"> RCPT TO:<{OUTSIDE}>" in shown and "< 250 2.1.5 ok" in shown and f"would take mail for {OUTSIDE}" in shown
    assert remote.sessions == 1 and not remote.letters


def test_a_refusal_is_shown_in_the_servers_words(sending, remote):
    remote.answers["RCPT"] = "550 5.1.1 nobody here of that name"
    result = sending.command("relay", "test", OUTSIDE)
    assert result.returncode == 1
    assert f"refuses {OUTSIDE}: 550 5.1.1 nobody here of that name" in result.stderr.decode()


def test_the_password_is_not_shown(office):
    password = office.dir / "smarthost"
    password.write_text("sangat rahasia\n")
    password.chmod(0o600)
    with Remote(auth=("kantor", "sangat rahasia")) as remote:
        to_smarthost(office, remote, user="kantor", password_file=password)
        shown = office.run("relay", "test", OUTSIDE)
        assert remote.logins == [("PLAIN", "kantor", "sangat rahasia")]
    assert "> AUTH PLAIN ***" in shown
    for secret in ("rahasia", base64.b64encode(b"\0kantor\0sangat rahasia").decode()):
        assert secret not in shown


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_password_that_others_can_read_is_refused(office, remote, mode):
    password = office.dir / "smarthost"
    password.write_text("sangat rahasia\n")
    password.chmod(mode)
    office.allow("password-refused|smarthost-not-usable")
    to_smarthost(office, remote, user="kantor", password_file=password)
    office.wait_log(f"password-refused .*chmod.0600.{password}")
    submit(office, OUTSIDE)
    (waiting, ) = wait_until(lambda: [row for row in queue(office) if row["last_reply"]], "an attempt")
    assert f"chmod 600 {password}" in waiting["last_reply"]
    result = office.command("relay", "test", OUTSIDE)
    assert (result.returncode, f"chmod 600 {password}" in result.stderr.decode()) == (1, True), result.stderr
    assert remote.sessions == 0


def test_check_looks_at_the_smarthost_s_login(office):
    password = office.dir / "smarthost"
    password.write_text("rahasia\n")
    password.chmod(0o600)
    office.set("relay", "smarthost", "relay.example:587")
    office.set("relay", "user", "kantor")
    for path, mode, mend in [("", 0o600, "without password_file"), (password, 0o640, f"chmod 600 {password}"),
                             (password, 0o600, None)]:
        office.set("relay", "password_file", path)
        password.chmod(mode)
        result = office.command("check")
        found = result.stdout.decode() + result.stderr.decode()
        assert (mend in found) if mend else "smarthost" not in found and "password" not in found, found


# ---- a backup put back


def test_what_waited_in_a_backup_is_held_since_it_may_have_left(sending, remote):
    remote.stop()
    submit(sending, OUTSIDE, "bu@jauh.example")
    copy = sending.dir / "copy.db"
    sending.run("backup", copy)
    remote.start()
    sending.run("queue", "retry")
    remote.wait(patience=30)
    wait_empty(sending)
    sending.stop()
    told = sending.run("restore", copy)
    assert "2 recipients" in told and "queue retry" in told
    sending.start()
    assert [row["recipient"] for row in queue(sending)] == [OUTSIDE, "bu@jauh.example"]
    assert sending.json("status")["queue_held"] == 2 and len(remote.letters) == 1
