"""A hostile server as the one that takes our mail: what it says never loses a letter, never
doubles one, and comes as printable ASCII on one line wherever people read it."""

import re
from email import message_from_bytes

import pytest

from leaving import letter, reports, submit, wait_empty, wait_settled
from office import wait_until
from servers import Server

@pytest.fixture
def mx(office, outside):
    """Runs the server of a domain: (address there, server)."""
    servers = []

    def run(answers, domain=None):
        domain = domain or outside.domain()
        servers.append(Server(outside.host(domain)[1], answers))
        return f"pak@{domain}", servers[-1]

    yield run
    for server in servers:
        server.__exit__()


@pytest.fixture(autouse=True)
def what_is_logged_is_printable(office):
    yield
    for line in office.lines:
        assert re.fullmatch(r"[ -~]+", line), f"not printable ASCII: {line!r}"


def in_pieces(octets, count):
    """So many times the same, without having it all at hand."""
    def say(wire):
        for _ in range(count):
            wire.write(octets)
        return b""
    return say


def slowly(octets):
    def say(wire):
        for n in range(len(octets)):
            wire.write(octets[n:n + 1])
        return b""
    return say


def half(octets):
    def say(wire):
        wire.write(octets)
        raise ConnectionError("hung up")
    return say


DIRT = b"a\rX-Injected: 1\0\x1b[2J\x7f\xc3\xbc%n" + b"x" * 300

# What comes instead of the answer to each step, and is none: the letter waits.
NONE = {
    "200,000 lines": lambda code: in_pieces(code + b"-x\r\n", 200_000),
    "a line of 10 MB": lambda code: in_pieces(code + b"x" * 10_000, 1000),
    "a line of 10 MB that would be good": lambda code: in_pieces(code + b" " + b"x" * 10_000, 1000),
    "a code that is none": lambda code: b"999 hi\r\n",
    "a code of the wrong class": lambda code: b"199 hi\r\n",
    "two codes": lambda code: code + b"-a\r\n550 b\r\n",
    "a short code": lambda code: code[:2] + b" hi\r\n",
    "a long code": lambda code: code + b"0 hi\r\n",
    "a code with a NUL": lambda code: code[:2] + b"\0 hi\r\n",
    "an empty line": lambda code: b"\r\n",
    "nothing at all": lambda code: None,
    "half a line": lambda code: half(code + b" hal"),
    "another protocol": lambda code: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a closing": lambda code: b"421 4.3.2 " + DIRT + b"\r\n",
}
STEPS = {"CONNECT": b"220", "EHLO": b"250", "MAIL": b"250", "RCPT": b"250", "DATA": b"354", ".": b"250"}


def test_a_letter_waits_where_the_answer_is_none(office, outside, mx):
    """Each kind at each step, of a server each: every letter stays, and at last is there, once."""
    kinds = [(what, step) for what in NONE for step in STEPS]
    places = [mx({step: NONE[what](STEPS[step])}, f"{n}.{outside.domain()}") for n, (what, step) in enumerate(kinds)]
    office.start()
    submit(office, *(address for address, _ in places))
    rows = wait_settled(office, len(places))
    assert {row["recipient"] for row in rows} == {address for address, _ in places}, "none has left, none is lost"
    for row in rows:
        assert re.fullmatch(r"[ -~]{1,512}", row["last_reply"]), row
    for (_, step), (_, server) in zip(kinds, places):
        if step == ".":  # it has the message, and nobody knows what it thinks of it
            server.letters.clear()
        assert server.letters == []
        server.answers = {}
    office.run("queue", "retry")
    wait_empty(office, patience=60)
    assert [len(server.letters) for _, server in places] == [1] * len(places), kinds
    assert office.fetch() == []


STRANGE = {
    "without a text": {step: code + b"\r\n" for step, code in STEPS.items()},
    "with dirt in it": {step: code + b" " + DIRT + b"\r\n" for step, code in STEPS.items()},
    "of a hundred lines": {step: (code + b"-x\r\n") * 99 + code + b" x\r\n" for step, code in STEPS.items()},
    "with a code of its own": {"CONNECT": b"220 x\r\n", "EHLO": b"259 x\r\n", "MAIL": b"299 x\r\n", "RCPT": b"251 x\r\n", ".": b"252 x\r\n"},
    "octet by octet": {step: slowly(code + b" wait\r\n") for step, code in STEPS.items()},
}


@pytest.mark.parametrize("answers", STRANGE.values(), ids=STRANGE)
def test_a_letter_leaves_where_the_answer_is_strange_and_good(office, mx, answers):
    address, server = mx(answers)
    office.start()
    submit(office, address)
    wait_empty(office)
    assert len(server.letters) == 1
    assert office.fetch() == []


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "."])
def test_a_refusal_comes_back_without_its_dirt(office, mx, step):
    address, server = mx({step: b"550-5.7.1 first\r\n550 5.7.1 " + DIRT + b"\r\n"})
    office.start()
    submit(office, address)
    [report] = reports(office)
    assert b"\r\nX-Injected" not in report and rb"\x1b[2J" in report.replace(b"\r\n ", b"")
    status = message_from_bytes(report).get_payload(1).get_payload(1)
    assert status["Status"] == "5.7.1" and "550" in status["Diagnostic-Code"]
    wait_empty(office)
    assert server.letters == []


def test_a_server_that_takes_one_octet_gets_nothing(office, mx):
    address, server = mx({"EHLO": b"250-mx\r\n250 SIZE 1\r\n"})
    office.start()
    submit(office, address)
    [report] = reports(office)
    assert b"Status: 5.3.4" in report and b"1 octets" in report
    assert server.letters == []


@pytest.mark.parametrize("size", [b"0", b"", b"-1", b"99999999999999999999999999", b"1x", b"\0"])
def test_a_size_that_says_nothing_is_none(office, mx, size):
    address, server = mx({"EHLO": b"250-mx\r\n250 SIZE " + size + b"\r\n"})
    office.start()
    submit(office, address)
    wait_empty(office)
    assert len(server.letters) == 1


def test_what_was_in_flight_may_come_twice_and_nothing_else(office, mx):
    """The connection is lost behind the dot of the second of three."""
    dots = []

    def dot(_):
        dots.append(1)
        if len(dots) == 2:
            raise ConnectionResetError("behind the dot")
        return b"250 2.0.0 ok\r\n"

    address, server = mx({".": dot})
    office.start()
    for n in range(3):
        submit(office, address, message=letter(subject=f"surat-{n}"))
    wait_until(lambda: len(dots) >= 2 and not office.named("delivery"), "the end of the connection")
    office.run("queue", "retry")
    wait_empty(office)
    assert len(dots) == 4
    subjects = [re.search(rb"Subject: (\S+)", octets)[1] for octets in server.letters]
    assert sorted(subjects) == [b"surat-0", b"surat-1", b"surat-2"]


def test_memory_stays_flat_whatever_it_says(office, mx):
    address, _ = mx({"CONNECT": in_pieces(b"220-" + b"x" * 2000 + b"\r\n", 20_000)})
    office.start()
    submit(office, address)
    wait_settled(office, 1)
    if not office.sanitized:
        assert office.high_water() < 64 << 20
