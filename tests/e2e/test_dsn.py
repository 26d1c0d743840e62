"""What staff want to hear of a message: said to us, kept, and passed on. (RFC 3461)"""

import pytest

from hostile import Smtp, answered
from office import wait_until
from remote import Remote, Speaker

WISHES = b"RET=FULL ENVID=QQ+2B314159", b"NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Pak+2Btani@jauh.example"
PAK = b"pak@luar.example"


def send(office, *recipients, mail=WISHES[0], rcpt=WISHES[1]):
    session = Smtp(office, "submissions")
    answered(session.ask(b"MAIL FROM:<ani@kantor.example> " + mail), "250")
    for recipient in recipients:
        answered(session.ask(b"RCPT TO:<%s> %s" % (recipient, rcpt)), "250")
    answered(session.data(b"From: ani@kantor.example\r\nSubject: rapat\r\n\r\nisi\r\n.\r\n"), "250")
    session.leave()


def to_smarthost(office, place):
    office.set("relay", "smarthost", place)
    office.set("relay", "tls", "none")
    office.start()


class Taker:
    """Takes everything, and says that it reports itself."""
    def __init__(self):
        self.lines = []

    def __call__(self, wire, _):
        wire.write(b"220 jauh\r\n")
        for line in iter(wire.readline, b""):
            self.lines.append(line.rstrip(b"\r\n"))
            if line.startswith(b"EHLO"):
                wire.write(b"250-jauh\r\n250 DSN\r\n")
            elif line.startswith(b"DATA"):
                wire.write(b"354 ya\r\n")
                while wire.readline() != b".\r\n":
                    pass
                wire.write(b"250 2.0.0 ok\r\n")
            else:
                wire.write(b"250 2.0.0 ok\r\n")

    def said(self, verb):
        return [line for line in self.lines if line.startswith(verb)]


def is_empty(office):
    return not office.json("queue", "list")


def test_a_server_that_reports_gets_the_wishes_and_we_say_nothing(office):
    taker = Taker()
    with Speaker(taker) as server:
        to_smarthost(office, server.place)
        send(office, PAK)
        wait_until(lambda: is_empty(office), "an empty queue")
    (mail, ), (rcpt, ) = taker.said(b"MAIL"), taker.said(b"RCPT")
    assert all(wish in mail.split() for wish in WISHES[0].split())
    assert all(wish in rcpt.split() for wish in WISHES[1].split())
    assert office.fetch("ani") == []


def test_where_nobody_else_reports_we_say_that_it_was_handed_on(office):
    with Remote() as remote:
        to_smarthost(office, remote.place)
        send(office, PAK, b"budi@kantor.example")
        remote.wait()
        reports = wait_until(lambda: len(found := office.fetch("ani")) == 2 and found, "two reports")
        delivered, relayed = sorted(reports, key=lambda report: b"Action: relayed" in report)
        assert b"Action: delivered" in delivered and b"budi@kantor.example" in delivered
        assert b"Action: relayed" in relayed and PAK in relayed
        for report in reports:
            assert b"Original-Envelope-Id: QQ+314159" in report
            assert b"Original-Recipient: rfc822;Pak+tani@jauh.example" in report


@pytest.mark.parametrize("notify, told", [(b"NEVER", 0), (b"SUCCESS", 0), (b"DELAY", 0), (b"FAILURE", 1), (None, 1)])
def test_of_a_failure_hears_who_wants_to(office, notify, told):
    with Remote() as remote:
        remote.answers["RCPT"] = "550 5.1.1 nobody"
        to_smarthost(office, remote.place)
        send(office, PAK, mail=b"", rcpt=b"NOTIFY=" + notify if notify else b"")
        wait_until(lambda: is_empty(office), "an empty queue")
    assert len(office.fetch("ani")) == told
