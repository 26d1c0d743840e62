"""Aliases that lead outside: what leaves, under which name, and what comes back."""

import contextlib
import sqlite3

import pytest

from hostile import Smtp, answered
from letters import letter

ANI, BUDI, PAK = "ani@kantor.example", "budi@kantor.example", "pak@luar.example"


@pytest.fixture
def closed(office):
    """Serving; what leaves stays on its way: nobody listens there."""
    office.set("relay", "smarthost", f"{office.address}:1")
    office.start()
    return office


def outgoing(office):
    """(kind, sender, recipient, queue id) of all that is on its way out."""
    with contextlib.closing(sqlite3.connect(f"file:{office.data}/store.db?mode=ro", uri=True)) as store:
        return store.execute("SELECT kind, sender, address, queue_id FROM outgoing JOIN recipients"
                             " ON outgoing_id = outgoing.id ORDER BY recipients.id").fetchall()


def test_mail_of_the_world_is_forwarded_and_what_comes_back_is_the_postmasters(closed):
    closed.run("alias", "add", "toko@kantor.example", PAK)
    closed.deliver(letter(1), "toko@kantor.example", sender="bu@jauh.example")
    closed.wait_log("forwarded id=.* alias=toko@kantor.example to=pak@luar.example")
    (kind, sender, recipient, queue_id), = outgoing(closed)
    assert (kind, recipient) == ("forwarded", PAK)
    token, domain = sender.split("@")
    assert domain == "kantor.example" and token not in ("bu", "toko")

    report = b"From: MAILER-DAEMON@luar.example\r\nSubject: penuh\r\n\r\n" + queue_id.encode() + b"\r\n"
    for back in (token.upper() + "@Kantor.Example", token + "@cabang.example"):
        session = Smtp(closed)
        session.begin(back.encode(), sender=b"")
        answered(session.data(report + b".\r\n"), "250")
        session.leave()
    closed.wait_log("forward-came-back .* to=pak@luar.example .* told=yes")
    closed.wait_log("forward-came-back .* to=pak@luar.example .* told=no")
    notice, = closed.fetch("ani")
    assert notice.startswith(b"Return-Path: <>\r\n") and PAK.encode() in notice and report in notice
    assert closed.fetch("budi") == [] and len(outgoing(closed)) == 1


def test_a_token_that_is_none_of_ours_is_nobody(served):
    session = Smtp(served)
    session.ask(b"MAIL FROM:<>")
    answered(session.ask(b"RCPT TO:<fwd-000000000000000000000000@kantor.example>"), "550 5.1.1")
    session.leave()


def test_what_staff_send_to_such_an_alias_stays_theirs(closed):
    closed.run("alias", "add", "toko@kantor.example", PAK, BUDI)
    session = Smtp(closed, "submissions")
    session.begin(b"toko@kantor.example")
    answered(session.data(b"From: ani@kantor.example\r\n\r\nisi\r\n.\r\n"), "250")
    session.leave()
    assert [row[:3] for row in outgoing(closed)] == [("sent", ANI, PAK)]
    assert len(closed.fetch("budi")) == 1


def test_a_report_of_success_is_of_mailboxes_alone(closed):
    """Of what leaves, the server that takes it says more."""
    closed.run("alias", "add", "toko@kantor.example", PAK)
    session = Smtp(closed, "submissions")
    answered(session.ask(b"MAIL FROM:<ani@kantor.example> RET=HDRS ENVID=QQ+2B1"), "250")
    for recipient in (b"toko@kantor.example", b"budi@kantor.example"):
        answered(session.ask(b"RCPT TO:<%s> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+2B1@jauh.example" % recipient), "250")
    answered(session.data(b"From: ani@kantor.example\r\n\r\nisi\r\n.\r\n"), "250")
    session.leave()
    report, = closed.fetch("ani")
    fields = report.lower()
    assert b"budi@kantor.example" in fields and b"toko@" not in fields and PAK.encode() not in fields
    assert b"\r\noriginal-envelope-id: qq+1\r\n" in fields
    assert b"\r\noriginal-recipient: rfc822;x+1@jauh.example\r\n" in fields
