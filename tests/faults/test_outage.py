"""A smarthost that is away for an hour, or does not want to just now: of simulated time."""

import pytest

from leaving import letter, queue, submit, wait_empty, wait_settled
from office import Claim, wait_until
from servers import Server
from test_clock import Clock

PORT = 2525
PATIENCE = 40  # a clock that jumps is noticed within ten seconds


class Hours(Clock):
    past = 0

    def pass_by(self, minutes):
        self.past += minutes * 60
        self.jump(self.past)


@pytest.fixture
def clock(office):
    return Hours(office)


@pytest.fixture
def smarthost(office):
    """Its address, where nobody is yet."""
    claim = Claim()
    office.set("relay", "smarthost", f"{claim.address}:{PORT}")
    office.set("relay", "tls", "none")
    office.start()
    yield claim.address
    claim.release()


def send(office, count, first=0):
    for n in range(first, first + count):
        submit(office, "pak@luar.example", message=letter(subject=f"surat-{n}"))


def subjects(server):
    return sorted(octets.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for octets in server.letters)


def test_an_hour_without_it_costs_an_hour_and_no_letter(office, clock, smarthost):
    send(office, 3)
    wait_settled(office, 3)
    for attempts, minutes in ((2, 3), (3, 7), (4, 14), (5, 36)):
        clock.pass_by(minutes)
        rows = wait_settled(office, 3, attempts)
        assert [row["attempts"] for row in rows] == [attempts] * 3, "seldom enough"
        assert all("Connection refused" in row["last_reply"] for row in rows)
    send(office, 2, first=3)
    with Server(smarthost, port=PORT) as server:
        clock.pass_by(60)
        wait_empty(office, patience=PATIENCE)
        assert subjects(server) == [f"surat-{n}" for n in range(5)]
    assert office.fetch() == [], "nobody is told of what took an hour"


WILL_NOT_NOW = {
    "greylists": {"RCPT": b"451 4.7.1 greylisted, come back\r\n"},
    "says 421 in the middle": {"RCPT": b"421 4.3.2 shutting down\r\n"},
    "hangs up in the middle": {"DATA": None},
    "has no room": {".": b"452 4.3.1 no room\r\n"},
    "wants no sender": {"MAIL": b"450 4.1.0 not now\r\n"},
    "does not know who we are": {"MAIL": b"530 5.7.0 authentication required\r\n"},
}


@pytest.mark.parametrize("answers", WILL_NOT_NOW.values(), ids=WILL_NOT_NOW)
def test_all_of_it_arrives_once_though_it(office, clock, smarthost, answers):
    with Server(smarthost, port=PORT, answers=answers) as server:
        send(office, 3)
        wait_settled(office, 3)
        assert server.letters == []
        server.answers = {}
        clock.pass_by(3)
        wait_empty(office, patience=PATIENCE)
        assert subjects(server) == ["surat-0", "surat-1", "surat-2"]
    assert office.fetch() == []


def test_after_421_between_two_letters_the_other_ones_follow(office, clock, smarthost):
    calls = []

    def mail(_):
        calls.append(1)
        return b"421 4.3.2 enough for now\r\n" if len(calls) == 3 else b"250 ok\r\n"

    with Server(smarthost, port=PORT, answers={"MAIL": mail}) as server:
        send(office, 6)
        wait_until(lambda: len(calls) >= 3 and not office.named("delivery"), "the 421")
        clock.pass_by(3)
        wait_empty(office, patience=PATIENCE)
        assert subjects(server) == [f"surat-{n}" for n in range(6)]
