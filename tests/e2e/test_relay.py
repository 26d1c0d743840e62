"""Mail that leaves: through a smarthost, here on a loopback address of its own."""

import base64
import re
import smtplib

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


# ---- what does not


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


