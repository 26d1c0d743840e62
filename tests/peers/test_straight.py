"""Mail that goes straight to the servers that DNS names, on port 25."""

import re
from contextlib import ExitStack

import dkim
import pytest

from leaving import letter, public_key, queue, reports, submit, wait_empty, wait_settled
from office import wait_until
from receivers import OpenSmtpd, PostfixReceiver, own_part
from unpacked import IS_ROOT

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root can start Postfix and OpenSMTPD")
KINDS = {"Postfix": PostfixReceiver, "OpenSMTPD": OpenSmtpd}


@pytest.fixture
def mx(outside):
    """Runs the server of a domain."""
    with ExitStack() as running:
        def run(kind, domain, name=None, preference=10, **more):
            name, address = outside.host(name or f"mx.{domain}")
            outside.records(domain, MX=[(preference, name)])
            boxes = [f"{who}@{domain}" for who in ("pak", "bu")]
            return running.enter_context(kind(name, address, outside.certificate(name, own=True), boxes, **more))
        yield run


MESSAGES = {
    "plain": b"Selamat pagi.\r\n",
    "dots": b".\r\n..\r\n.x\r\n\r\n.\r\n",
    "eight bits": "Terima kasih – café.\r\n".encode() + b"\xff\xfe\x80\r\n",
    "no body": b"",
    "a megabyte": b"0123456789 abcdefghijklmnopqrstuvwxyz.\r\n" * 28_000,
    "long lines": b"y" * 900 + b"\r\n" + b"z" * 990 + b"\r\n",
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_was_written_arrives_octet_for_octet_and_signed(office, outside, mx, kind):
    domain = outside.domain()
    server = mx(kind, domain)
    office.start()
    name, key = public_key(office)
    sent = {letter(f"pak@{domain}", body, subject.replace(" ", "-")) for subject, body in MESSAGES.items()}
    for message in sent:
        submit(office, f"pak@{domain}", message=message)
    arrived = server.wait(len(sent))
    for whole in map(own_part, arrived):
        front, _, rest = whole.partition(b"From: ")
        assert re.fullmatch(rb"DKIM-Signature: (.*\r\n)(\s.*\r\n)+Received: by mail\.kantor\.example (.*\r\n)(\s.*\r\n)*", front)
        assert b"From: " + rest in sent
        assert dkim.verify(whole, dnsfunc=lambda asked, **_: key.encode() if asked.decode().rstrip(".") == name else b"")
        assert not dkim.verify(whole.replace(b"penawaran", b"x").replace(b"Ani", b"Budi"), dnsfunc=lambda *_, **__: key.encode())
    assert len(arrived) == len(sent)
    wait_empty(office)


def test_it_goes_under_TLS_whoever_the_certificate_is_of(office, outside, mx):
    domain = outside.domain()
    server = mx(PostfixReceiver, domain)
    office.start()
    submit(office, f"pak@{domain}")
    [arrived] = server.wait()
    assert b"using TLSv1.2 with cipher" in arrived and b"ESMTPS" in arrived


def test_a_handshake_that_breaks_is_done_without_and_logged(office, outside, mx):
    """OpenSMTPD's does."""
    domain = outside.domain()
    server = mx(OpenSmtpd, domain)
    office.start()
    submit(office, f"pak@{domain}")
    [arrived] = server.wait()
    on_the_way = arrived[:arrived.index(b"DKIM-Signature:")]  # not how Ani handed it in
    assert b"with ESMTP " in on_the_way and b"TLS" not in on_the_way
    office.wait_log(f"tls-given-up to={domain} .*TLS")
    wait_empty(office)


def test_one_without_TLS_gets_it_too(office, outside, mx):
    domain = outside.domain()
    server = mx(PostfixReceiver, domain, settings={"smtpd_tls_security_level": "none"})
    office.start()
    submit(office, f"pak@{domain}")
    [arrived] = server.wait()
    assert b"with ESMTP id" in arrived


def test_who_is_unknown_there_comes_back_in_its_words(office, outside, mx):
    domain = outside.domain()
    server = mx(PostfixReceiver, domain)
    office.start()
    submit(office, f"salah@{domain}", f"pak@{domain}")
    server.wait()
    [report] = reports(office)
    assert b"User unknown in virtual mailbox table" in report and b"Action: failed" in report
    assert b"Status: 5.1.1" in report and f"dns; mx.{domain}".encode() in report
    wait_empty(office)


# ---- what senders want to hear (RFC 3461)

@pytest.fixture
def telling(office, outside, mx):
    """The server of a domain that takes mail for bu@, finds out that there is none, and tells us: (domain, server)."""
    office.start()
    domain = outside.domain()
    # No such mailbox, though it was taken at RCPT.
    server = mx(PostfixReceiver, domain, back=office, settings={
        "smtpd_reject_unlisted_recipient": "no", "virtual_mailbox_maps": f"inline:{{ {{ pak@{domain} = box/ }} }}"})
    return domain, server


def test_success_is_told_by_who_delivers_with_what_the_sender_called_it(office, telling):
    domain, server = telling
    submit(office, f"pak@{domain}", mail=["ENVID=surat+2B7", "RET=HDRS"],
           rcpt=["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;kepala@{domain}"])
    server.wait()
    [report] = reports(office)
    assert b"Action: delivered" in report and b"Original-Envelope-Id: surat+7" in report.replace(b"surat+2B7", b"surat+7")
    assert f"Original-Recipient: rfc822;kepala@{domain}".encode() in report
    assert b"Reporting-MTA: dns; mx." in report, "Postfix tells, and not we: we have passed the wish on"


@pytest.mark.parametrize("ret, whole", [("FULL", True), ("HDRS", False)])
def test_what_comes_back_is_as_much_as_was_asked_for(office, telling, ret, whole):
    domain, _ = telling
    submit(office, f"bu@{domain}", mail=[f"RET={ret}"], rcpt=["NOTIFY=FAILURE"])
    [report] = reports(office)
    assert b"Action: failed" in report and b"Reporting-MTA: dns; mx." in report
    assert (b"\r\nharga\r\n" in report) == whole


def test_who_never_wants_to_hear_hears_nothing(office, telling):
    domain, server = telling
    submit(office, f"bu@{domain}", rcpt=["NOTIFY=NEVER"])
    wait_until(lambda: "unknown user" in server.said() and ": removed" in server.said(), "Postfix giving up")
    assert office.fetch() == []


def test_a_server_that_cannot_tell_leaves_it_to_us(office, outside, mx):
    domain = outside.domain()
    server = mx(PostfixReceiver, domain, settings={"smtpd_discard_ehlo_keywords": "dsn"})
    office.start()
    submit(office, f"pak@{domain}", mail=["ENVID=surat"], rcpt=["NOTIFY=SUCCESS"])
    server.wait()
    [report] = reports(office)
    assert b"Action: relayed" in report and b"Reporting-MTA: dns; mail.kantor.example" in report
    assert b"Original-Envelope-Id: surat" in report
