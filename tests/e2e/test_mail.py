"""Mail in by SMTP, mail out by POP3."""

import hashlib
import smtplib

import pytest

from letters import letter, stored_form, without_trace
from office import PORTS

MB = 1024 * 1024


def send(office, message, to="ani@kantor.example"):
    with smtplib.SMTP(office.address, PORTS["smtp"]) as smtp:
        smtp.sendmail("pak@luar.example", [to], message)


def test_two_letters_come_in_and_go_out_as_they_were(served):
    send(served, letter(1))
    send(served, letter(2, "a line\r\n.\r\n..\r\n.dots"))
    assert [without_trace(message) for message in served.fetch()] == [
        letter(1), letter(2, "a line\r\n.\r\n..\r\n.dots")]


def test_a_fetched_and_deleted_letter_is_gone_and_the_other_users_copy_is_not(served):
    served.deliver(letter(1), ["ani@kantor.example", "budi@kantor.example"])
    assert len(served.fetch(delete=True)) == 1
    assert served.fetch() == []
    assert len(served.fetch("budi")) == 1


def test_letters_outlive_a_restart_under_the_same_uidl(served):
    for number in range(3):
        served.deliver(letter(number))
    before = served.login()
    before.send(b"UIDL\r\n")
    before.line()
    uidls = before.block()
    before.close()
    served.restart()
    after = served.login()
    after.send(b"UIDL\r\n")
    after.line()
    assert after.block() == uidls
    after.close()


def test_a_full_mailbox_is_refused_at_rcpt_and_takes_mail_again_when_emptied(served):
    served.run("user", "quota", "budi@kantor.example", "4K")
    body = "\r\n".join(["x" * 70] * 40)
    send(served, letter(1, body), "budi@kantor.example")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        send(served, letter(2, body), "budi@kantor.example")
    code, text = refusal.value.recipients["budi@kantor.example"]
    assert (code, text[:5]) == (452, b"4.2.2")
    served.fetch("budi", delete=True)
    send(served, letter(3, body), "budi@kantor.example")
    assert len(served.fetch("budi")) == 1


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
def test_a_letter_of_60_MB_passes_and_no_process_grows_with_it(served, service):
    served.deliver(letter(1))
    reader = served.login(service=service)
    reader.command("RETR 1")
    before = served.high_water()
    reader.close()
    line = b"." + b"0123456789" * 7 + b"\r\n"
    wire = served.connect("smtp")
    wire.line()
    wire.send(b"EHLO laptop\r\n")
    wire.reply()
    for command, code in ((b"MAIL FROM:<pak@luar.example>", 250), (b"RCPT TO:<ani@kantor.example>", 250),
                          (b"DATA", 354)):
        wire.send(command + b"\r\n")
        assert wire.reply()[0] == code
    head, piece, sent = letter(2), line * 1024, hashlib.sha256()
    sent.update(head)
    wire.send(head)
    for _ in range(60 * MB // len(piece) + 1):
        wire.send(piece.replace(b"\r\n.", b"\r\n..").replace(b".", b"..", 1))
        sent.update(piece)
    while_sending = served.high_water()
    wire.send(b".\r\n")
    assert wire.reply()[0] == 250
    pop = served.login(service=service)
    size = int(pop.command("LIST 2").split()[2])
    assert size > 60 * MB
    assert pop.command("RETR 2").startswith("+OK")
    first, got, octets, trace = pop.line() + b"\r\n", hashlib.sha256(), 0, b""
    while first != b".\r\n":
        text = first[1:] if first.startswith(b".") else first
        octets += len(text)
        if trace is not None and (text.startswith((b"Return-Path", b"Delivered-To", b"Received", b" ", b"\t"))):
            trace += text
        else:
            if trace is not None:
                without_trace(trace + text)
                trace = None
            got.update(text)
        first = pop.line() + b"\r\n"
    while_fetching = served.high_water()
    assert octets == size
    assert got.digest() == sent.digest()
    most = max(while_sending, while_fetching)
    assert most < before + 12 * MB, f"{most / MB:.1f} MB, {before / MB:.1f} MB before"


def test_the_repairs_of_the_stored_form_are_made_and_no_others(served):
    wire = served.connect("smtp")
    wire.line()
    sent = b"Subject: campur\r\nX-Bare: a\nX-CR: b\rc\r\n\r\nsatu\ndua\r\rtiga\r\r\n\xff\x80 empat"
    wire.send(b"EHLO laptop\r\n")
    wire.reply()
    for command in (b"MAIL FROM:<>", b"RCPT TO:<ani@kantor.example>", b"DATA"):
        wire.send(command + b"\r\n")
        assert wire.reply()[0] in (250, 354)
    wire.send(sent + b"\r\n.\r\n")
    assert wire.reply()[0] == 250
    (message,) = served.fetch()
    assert without_trace(message) == stored_form(sent)
