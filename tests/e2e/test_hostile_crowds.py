"""Too many at the door: what is refused at accept, who still gets in, and how
soon those who say nothing must make room."""

import select
import socket
from pathlib import Path

import pytest

from hostile import taken
from office import PASSWORDS, wait_until
from wire import Wire


@pytest.fixture
def serving(office):
    """Starts the office with limits of its own."""
    def start(**limits):
        for key, value in limits.items():
            office.set("limits", key, value)
        office.start()
        return office

    return start


def knock(office, service, source):
    """A connection and the first octets that come on it."""
    wire = Wire(office.place(service), source)
    if service == "pop3s":
        return wire, b""
    return wire, wire.line()


def log_in(office, source):
    wire, _ = knock(office, "pop3", source)
    wire.command("USER ani@kantor.example")
    assert wire.command(f"PASS {PASSWORDS['ani']}").startswith("+OK")
    assert wire.command("QUIT").startswith("+OK")
    assert wire.at_end()


def sessions(office):
    """The processes that serve somebody."""
    return [pid for pid in office.pids() if name_of(pid) in ("smtp", "pop3")]


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""  # it has just ended


BUSY = {"smtp": b"421 4.3.2 ", "pop3": b"-ERR [SYS/TEMP] "}


@pytest.mark.parametrize("service", BUSY)
def test_one_address_gets_no_more_than_its_connections(serving, service):
    office = serving(connections_per_ip=5)
    held = [knock(office, service, "127.9.1.1") for _ in range(5)]
    assert not any(told.startswith(BUSY[service]) for _, told in held)
    refused, told = knock(office, service, "127.9.1.1")
    assert told.startswith(BUSY[service]) and refused.at_end()
    _, told = knock(office, service, "127.9.1.2")
    assert not told.startswith(BUSY[service])
    for wire, _ in held:
        wire.close()
    office.deliver(b"Subject: after\r\n\r\n")
    assert taken(office) == [b"Subject: after\r\n\r\n"]


def test_on_the_tls_port_the_refused_are_closed_without_a_word(serving):
    office = serving(connections_per_ip=2)
    held = [knock(office, "pop3s", "127.9.1.1") for _ in range(2)]
    for wire, _ in held:
        wire.start_tls()
        assert wire.line().startswith(b"+OK")
    wire, _ = knock(office, "pop3s", "127.9.1.1")
    assert wire.at_end()


def test_strangers_fill_four_fifths_and_a_known_address_still_gets_in(serving):
    office = serving(connections=10, connections_per_ip=0)
    log_in(office, "127.9.2.1")
    held, n = [], 0
    while True:
        n += 1
        wire, told = knock(office, "smtp", f"127.9.3.{n}")
        held.append(wire)
        if told.startswith(b"421"):
            break
        assert n <= 8, "a ninth stranger was let in"
    assert n == 9
    wire, told = knock(office, "smtp", "127.9.2.1")
    assert told.startswith(b"220")
    log_in(office, "127.9.2.1")


def test_the_share_of_one_stranger_is_an_eighth_of_what_is_left(serving):
    office = serving(connections=100, connections_per_ip=0)
    held = [knock(office, "smtp", "127.9.4.1") for _ in range(30)]
    let_in = sum(told.startswith(b"220") for _, told in held)
    assert let_in == 10  # an eighth of the eighty that strangers may have
    _, told = knock(office, "smtp", "127.9.4.2")
    assert told.startswith(b"220")


def test_slots_come_back_as_clients_go(serving):
    office = serving(connections=20, connections_per_ip=0)
    log_in(office, "127.0.0.1")
    wait_until(lambda: not sessions(office), "the login's session has ended")
    for _ in range(3):
        held = [socket.create_connection(office.place("smtp"), timeout=60) for _ in range(60)]
        told = [sock.recv(200)[:3] for sock in held]
        assert told.count(b"220") == 18 and told.count(b"421") == 42  # the last tenth is not for one
        for sock in held:
            sock.close()
        wait_until(lambda: not sessions(office), "their sessions have ended")
    office.deliver(b"Subject: after\r\n\r\n")
    assert taken(office) == [b"Subject: after\r\n\r\n"]


def test_in_a_crowd_who_says_nothing_for_ten_seconds_must_go(serving):
    """All in one test, since each waits the ten seconds. Those who came before it
    was one must go too: without a crowd they had minutes."""
    office = serving(connections=20, connections_per_ip=0)
    staff = office.login("budi", source="127.0.0.1")
    held = {}
    for moment in ("before", "in it"):  # the first nine and the staff are half of them
        for service, words in {
                "smtp": (b"", b"EHLO x\r\nNOOP\r\n", b"EHL"),
                "pop3": (b"", b"CAPA\r\n", b"USER ani@kantor.example\r\n")
        }.items():
            for octets in words:
                wire, _ = knock(office, service, "127.0.0.1")
                wire.send(octets)
                held[wire.sock] = f"{service} after {octets}, {moment}"
        for _ in range(3 if moment == "before" else 0):
            held[knock(office, "smtp", "127.0.0.1")[0].sock] = "smtp, before"
    office.deliver(b"Subject: meanwhile\r\n\r\n")
    assert taken(office) == [b"Subject: meanwhile\r\n\r\n"]
    while held:
        ready, _, _ = select.select(list(held), [], [], 60)
        assert ready, f"still there after a minute: {list(held.values())}"
        for sock in ready:
            if not sock.recv(4096):
                del held[sock]
    assert staff.command("NOOP").startswith("+OK")
