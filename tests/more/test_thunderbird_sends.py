"""Thunderbird itself, writing to colleagues and to the world.

What it does here (version 153): EHLO [127.0.0.1], STARTTLS where told and EHLO
again; AUTH PLAIN with an initial response, and LOGIN when that is refused; MAIL
with BODY=8BITMIME and SIZE, RCPT one by one, DATA; the next message within five
seconds on the same connection. At the first recipient refused it hangs up.
"""

import re
from email import message_from_bytes, policy

import pytest

from office import PASSWORDS, PORTS, wait_until
from remote import Remote
from test_thunderbird import ARTEFACTS
from thunderbird import Account, Thunderbird

SUBJECT = "Grüße – laporan für Budi"
HTML = "<p>Sehr <b>schön</b>: 1&nbsp;000 Stück.<br>.</p>"


@pytest.fixture(scope="module")
def smarthost():
    with Remote() as remote:
        yield remote


@pytest.fixture(scope="module")
def served(workshop, smarthost):
    office = workshop.office()
    office.set("relay", "smarthost", smarthost.place)
    office.set("relay", "tls", "none")
    office.start()
    yield office
    office.close()


def account(office, name, security, password=None):
    incoming, outgoing = {"tls": ("pop3s", "submissions"), "starttls": ("pop3", "submission")}[security]
    return Account(f"{name}@kantor.example", password or PASSWORDS[name], office.address, PORTS[incoming], security,
                   PORTS[outgoing])


@pytest.fixture(scope="module")
def ani(served):
    return account(served, "ani", "tls")


@pytest.fixture(scope="module")
def budi(served):
    return account(served, "budi", "starttls")


@pytest.fixture(scope="module")
def citra(served):
    """She has mistyped her password."""
    return account(served, "citra", "tls", "salah")


@pytest.fixture(scope="module")
def thunderbird(ani, budi, citra):
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with Thunderbird([ani, budi, citra], ARTEFACTS / "thunderbird-sends.log") as program:
        yield program


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "Laporan März.pdf"
    path.write_bytes(b"%PDF-1.7\r\n.\r\n" + bytes(range(256)) * 2000)
    return path


def is_what_was_written(octets, sender, report):
    message = message_from_bytes(octets, policy=policy.default)
    assert message["Subject"] == SUBJECT
    assert message["From"].addresses[0].addr_spec == sender
    assert "Bcc" not in message
    assert "Stück" in message.get_body(["html"]).get_content()
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == report.name
    assert attached.get_content() == report.read_bytes()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_letter_with_an_attachment_reaches_a_colleague_and_one_who_is_hidden(
        served, thunderbird, ani, budi, citra, report, security):
    writer, reader = (ani, budi) if security == "tls" else (budi, ani)
    thunderbird.write(writer, SUBJECT, HTML, to=f"Kawan <{reader.address}>", bcc=citra.address, attachment=report)
    thunderbird.press_send()
    thunderbird.await_sent()

    thunderbird.get_messages(reader)
    ((_, octets),) = thunderbird.messages(reader)
    is_what_was_written(octets, writer.address, report)
    assert citra.address.encode() not in octets
    (hidden,) = served.fetch("citra", delete=True)
    is_what_was_written(hidden, writer.address, report)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_letter_leaves_the_office_and_who_wants_to_know_is_told(
        served, smarthost, thunderbird, ani, budi, citra, report, security):
    writer = ani if security == "tls" else budi
    before = len(thunderbird.messages(writer))
    smarthost.letters.clear()
    thunderbird.write(writer, SUBJECT, HTML, to="Pak Tani <pak@luar.example>", bcc=citra.address, attachment=report,
                      notify=True)
    thunderbird.press_send()
    thunderbird.await_sent()

    (letter,) = smarthost.wait()
    assert (letter.sender, letter.recipients) == (writer.address, ["pak@luar.example"])
    is_what_was_written(letter.octets, writer.address, report)
    assert citra.address.encode() not in letter.octets
    (hidden,) = served.fetch("citra", delete=True)
    is_what_was_written(hidden, writer.address, report)

    wait_until(lambda: not served.json("queue", "list"), "an empty queue")
    thunderbird.get_messages(writer)
    told = [re.findall(rb"^Final-Recipient: rfc822; ?(.*)\r?\nAction: (.*?)\r?$", octets, re.M)
            for _, octets in thunderbird.messages(writer)[before:]]
    assert told == [[(citra.address.encode(), b"delivered")], [(b"pak@luar.example", b"relayed")]]


def test_a_wrong_password_is_asked_for_anew(served, thunderbird, citra):
    thunderbird.write(citra, "Kata sandi", "<p>isi</p>", to=citra.address)
    thunderbird.press_send()
    assert f"with username {citra.address} failed" in thunderbird.await_dialog()
    assert served.fetch("citra") == []
    thunderbird.answer("extra1")  # Enter New Password
    assert citra.address in thunderbird.await_dialog()
    thunderbird.answer("accept", PASSWORDS["citra"])
    thunderbird.await_sent()
    (message,) = served.fetch("citra", delete=True)
    assert b"\r\nSubject: Kata sandi\r\n" in message


def test_a_self_signed_certificate_is_asked_about_and_the_letter_goes_then(served, thunderbird, ani, citra):
    """As `officemail client` tells people."""
    thunderbird.forget_certificate(ani)
    thunderbird.write(ani, "Sertifikat", "<p>isi</p>", to=citra.address)
    thunderbird.press_send()
    assert "self-signed" in thunderbird.await_dialog()
    thunderbird.answer("accept")
    thunderbird.confirm_exception()
    assert served.fetch("citra") == []
    thunderbird.press_send()
    thunderbird.await_sent()
    (message,) = served.fetch("citra", delete=True)
    assert b"\r\nSubject: Sertifikat\r\n" in message


def test_who_mistypes_an_address_is_told_and_nobody_gets_it(served, thunderbird, ani, citra):
    thunderbird.write(ani, "Salah alamat", "<p>isi</p>", to=f"{citra.address}, tidakada@kantor.example")
    thunderbird.press_send()
    assert "tidakada@kantor.example" in thunderbird.await_dialog()
    thunderbird.answer("accept")
    thunderbird.throw_away()
    assert served.fetch("citra") == []
