"""Aliases that lead outside: what leaves, under which name, and what comes back."""

import contextlib
import sqlite3

import pytest

from hostile import Smtp, answered
from letters import letter
from office import wait_until
from remote import Remote

ANI, BUDI, PAK = "ani@kantor.example", "budi@kantor.example", "pak@luar.example"


def outgoing(office):
    """(kind, sender, recipient, queue id) of all that is on its way out."""
    with contextlib.closing(sqlite3.connect(f"file:{office.data}/store.db?mode=ro", uri=True)) as store:
        return store.execute("SELECT kind, sender, address, queue_id FROM outgoing JOIN recipients"
                             " ON outgoing_id = outgoing.id ORDER BY recipients.id").fetchall()


def back(office, address, octets):
    """What another server sends to the sender that it was given."""
    session = Smtp(office)
    session.begin(address.encode(), sender=b"")
    answered(session.data(octets + b".\r\n"), "250")
    session.leave()


@pytest.fixture
def sending(office):
    with Remote() as remote:
        office.set("relay", "smarthost", remote.place)
        office.set("relay", "tls", "none")
        office.start()
        yield office, remote


def test_mail_of_the_world_is_forwarded_and_what_comes_back_is_the_postmasters(sending):
    office, remote = sending
    office.run("alias", "add", "toko@kantor.example", PAK)
    office.deliver(letter(1), "toko@kantor.example", sender="bu@jauh.example")
    forwarded, = remote.wait()
    assert forwarded.recipients == [PAK]
    assert forwarded.octets.startswith(b"Received: ") and forwarded.octets.endswith(letter(1))  # and is not signed
    token, domain = forwarded.sender.split("@")
    assert domain == "kantor.example" and token not in ("bu", "toko")

    report = b"From: MAILER-DAEMON@luar.example\r\nSubject: penuh\r\n\r\npenuh\r\n"
    back(office, token.upper() + "@Kantor.Example", report)
    back(office, token + "@cabang.example", report)
    office.wait_log("forward-came-back .* to=pak@luar.example .* told=yes")
    office.wait_log("forward-came-back .* to=pak@luar.example .* told=no")
    notice, = office.fetch("ani")
    assert notice.startswith(b"Return-Path: <>\r\n") and PAK.encode() in notice and report in notice
    assert office.fetch("budi") == [] and len(remote.letters) == 1


def test_a_copy_goes_out_and_a_target_that_refuses_is_the_postmasters_matter(sending):
    office, remote = sending
    office.run("alias", "add", BUDI, BUDI, PAK)
    remote.answers["RCPT"] = "550 5.1.1 tidak dikenal"
    for n in (1, 2):
        office.deliver(letter(n), BUDI, sender="bu@jauh.example")
    notice, = wait_until(lambda: office.fetch("ani"), "a notice")
    assert b"tidak dikenal" in notice and b"bu@jauh.example" in notice and letter(1) in notice
    assert len(office.fetch("budi")) == 2
    wait_until(lambda: not outgoing(office), "nothing on its way")
    assert len(office.fetch("ani")) == 1 and remote.letters == []


def test_a_null_sender_leaves_as_one(sending):
    office, remote = sending
    office.run("alias", "add", "toko@kantor.example", PAK)
    office.deliver(letter(1), "toko@kantor.example", sender="")
    forwarded, = remote.wait()
    assert (forwarded.sender, forwarded.recipients) == ("<>", [PAK])


def test_a_token_that_is_none_of_ours_is_nobody(served):
    session = Smtp(served)
    session.ask(b"MAIL FROM:<>")
    answered(session.ask(b"RCPT TO:<fwd-000000000000000000000000@kantor.example>"), "550 5.1.1")
    session.leave()


def test_what_staff_send_to_such_an_alias_stays_theirs(served):
    served.run("alias", "add", "toko@kantor.example", PAK, BUDI)
    session = Smtp(served, "submissions")
    session.begin(b"toko@kantor.example")
    answered(session.data(b"From: ani@kantor.example\r\n\r\nisi\r\n.\r\n"), "250")
    session.leave()
    assert [row[:3] for row in outgoing(served)] == [("sent", ANI, PAK)]
    assert len(served.fetch("budi")) == 1


def test_a_report_of_success_is_of_mailboxes_alone(served):
    """Of what leaves, the server that takes it says more."""
    served.run("alias", "add", "toko@kantor.example", PAK)
    session = Smtp(served, "submissions")
    answered(session.ask(b"MAIL FROM:<ani@kantor.example> RET=HDRS ENVID=QQ+2B1"), "250")
    for recipient in (b"toko@kantor.example", b"budi@kantor.example"):
        answered(session.ask(b"RCPT TO:<%s> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+2B1@jauh.example" % recipient), "250")
    answered(session.data(b"From: ani@kantor.example\r\n\r\nisi\r\n.\r\n"), "250")
    session.leave()
    report, = served.fetch("ani")
    fields = report.lower()
    assert b"budi@kantor.example" in fields and b"toko@" not in fields and PAK.encode() not in fields
    assert b"\r\noriginal-envelope-id: qq+1\r\n" in fields
    assert b"\r\noriginal-recipient: rfc822;x+1@jauh.example\r\n" in fields
