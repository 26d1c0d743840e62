"""Deletion when the client is gone before its answer: `DELE … QUIT` and at once
a reset, as of a PC that is switched off behind the last click."""

import socket

import pytest

from hostile import Pop3, deliver, open_house, taken
from office import PASSWORDS, wait_until

ROUNDS = 24


@pytest.fixture(scope="module")
def office(workshop):
    yield from open_house(workshop)


def greeted(office, way):
    session = Pop3(office, service="pop3s" if way == "tls" else "pop3")
    if way == "stls":
        session.ok(b"STLS")
        session.wire.start_tls()
    return session


def send_and_reset(session, octets):
    """One write, then RST: no close_notify, no FIN, nothing read."""
    session.send(octets)
    raw = session.wire.sock
    session.wire.sock = socket.socket(fileno=raw.detach())
    session.wire.reset()


def is_empty(office):
    session = Pop3(office, "ani")
    told = session.ok(b"STAT")
    session.leave()
    return told == b"+OK 0 0"


LOGIN = b"USER ani@kantor.example\r\nPASS " + PASSWORDS["ani"].encode() + b"\r\n"


@pytest.mark.parametrize("before", [b"", LOGIN], ids=["logged in", "login and all in one write"])
@pytest.mark.parametrize("way", ["clear", "stls", "tls"])
def test_pipelined_dele_and_quit_delete_though_the_client_is_gone(office, way, before):
    for n in range(ROUNDS):
        for part in (1, 2, 3):
            deliver(office, b"Subject: round %d.%d\r\n\r\n" % (n, part) + b"x" * 78 * n + b"\r\n")
        session = greeted(office, way)
        if not before:
            assert session.login("ani@kantor.example", PASSWORDS["ani"]).startswith(b"+OK")
        send_and_reset(session, before + b"DELE 1\r\nDELE 2\r\nDELE 3\r\nQUIT\r\n")
        wait_until(lambda: is_empty(office), "three deletions")


@pytest.mark.parametrize("way", ["clear", "stls", "tls"])
def test_answers_nobody_reads_do_not_undo_the_deletion(office, way):
    """RETR of more than any buffer holds stands between DELE and QUIT."""
    for _ in range(3):
        deliver(office, b"Subject: big\r\n\r\n" + (b"y" * 76 + b"\r\n") * 40_000)
        deliver(office, b"Subject: small\r\n\r\n")
        session = greeted(office, way)
        assert session.login("ani@kantor.example", PASSWORDS["ani"]).startswith(b"+OK")
        send_and_reset(session, b"DELE 2\r\nRETR 1\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
        wait_until(lambda: is_empty(office), "two deletions")


@pytest.mark.parametrize("way", ["clear", "stls", "tls"])
@pytest.mark.parametrize("ending", [b"", b"QUIT", b"QUIT\r", b"RSET\r\nQUIT\r\n", b"NOOP\r\n"], ids=repr)
def test_a_reset_without_quit_deletes_nothing(office, way, ending):
    deliver(office, b"Subject: kept\r\n\r\n")
    session = greeted(office, way)
    assert session.login("ani@kantor.example", PASSWORDS["ani"]).startswith(b"+OK")
    seen = len(office.lines)
    send_and_reset(session, b"DELE 1\r\n" + ending)
    office.wait_log("pop3", since=seen)  # the session has ended
    assert taken(office) == [b"Subject: kept\r\n\r\n"]
