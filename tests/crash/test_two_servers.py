"""Two servers on one store: one serves, the other names it and ends, whatever
the instant at which they meet."""

import os
import re
import signal

import pytest

from office import wait_until
from test_life import serves

ANY_ERROR = "^<3>"


@pytest.fixture
def twins(office, neighbour):
    """Two offices with one store, each with its own settings and listeners."""
    neighbour.set("office", "data", office.data)
    for twin in (office, neighbour):
        twin.allow(ANY_ERROR)
    return office, neighbour


def said_since(office, seen):
    return "\n".join(office.lines[seen:])


def settle(office, seen):
    """Whether it serves; else it has ended by itself."""
    wait_until(lambda: "officemail: ready" in said_since(office, seen)
               or office.process.poll() is not None and not office.reader.is_alive(),
               "it serves, or has ended")
    return "officemail: ready" in said_since(office, seen)


def race(twins):
    """Starts both at one instant. Returns the one that serves."""
    seen = [len(twin.lines) for twin in twins]
    for twin in twins:
        twin.spawn()
    up = [settle(twin, since) for twin, since in zip(twins, seen)]
    assert sum(up) == 1, [said_since(*pair) for pair in zip(twins, seen)]
    winner, loser = twins if up[0] else twins[::-1]
    said = said_since(loser, seen[up.index(False)])
    assert loser.ended() == 1
    assert f"is served by process {winner.process.pid}: stop that one first" in said, said
    return winner


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_of_two_that_start_at_one_instant_one_serves_and_is_named_by_the_other(twins, full, end):
    """After SIGKILL the next two start while the kernel still ends the roles of the last."""
    rounds = 100 if full else 4
    won = [0, 0]
    for _ in range(rounds):
        winner = race(twins)
        won[twins.index(winner)] += 1
        assert serves(winner)
        winner.process.send_signal(signal.Signals[end])
        winner.process.wait()
        winner.process = None  # its log ends when the last of its children has
    print(f"{rounds} races behind {end}: the first started won {won[0]}, the second {won[1]}")


def test_a_server_whose_writer_dies_holds_its_store_meanwhile(twins):
    first, second = twins
    first.start()
    for _ in range(4):
        os.kill(wait_until(lambda: first.named("writer"), "a writer")[0], signal.SIGKILL)
        status, said = second.fails_to_start()
        assert status == 1
        assert re.search(f"is served by process {first.process.pid}:", said), said
    wait_until(lambda: first.named("writer") and first.can_log_in(), "a login succeeds")
    assert serves(first)
