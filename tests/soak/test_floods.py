"""Strangers hold all the places they can get, or come by the hundred a second:
who behaves well is served meanwhile, nobody holds more than his share, and
afterwards all is as before.

make soak waits for the server's own times (10 s before login, 30 s a command,
60 s in all, in a crowd) and judges how long the good clients took; the short
form does not measure time."""

import time

import pytest

from house import STAFF, GoodClients, House, addresses, fetch, flooded, letter, megabytes, sessions
from office import PASSWORDS, wait_until

LONG = {"connections": 500, "sources": 20, "seconds": 70, "alone": 5}
SHORT = {"connections": 60, "sources": 10, "seconds": 0.5, "alone": 0}
HELD = {  # kind: what else the flood is told
    "idle": {},
    "octet": {"octets_every": 60},
    "hello": {},
    "data": {"octets_every": 5},
    "talk": {},
    "unread": {"login": ["ani@kantor.example", PASSWORDS["ani"]]},
}
P95_MS, P95_GUESSED_MS = 250, 1000
GONE_SECONDS = 60


def furnish(office, connections):
    """An office with a long letter for who will not read it, and staff known
    at their address."""
    office.set("limits", "connections", connections)
    office.set("store", "sync", "full")
    office.start()
    office.deliver(letter(8_000_000), "ani@kantor.example")
    office.deliver(letter(4000), "citra@kantor.example")
    fetch(office, STAFF)


def serve_well(office, house, seconds):
    """The good clients' rounds for so long, and one at least; the pauses are what keeps
    this from being a flood of its own."""
    clients = GoodClients(office)
    end = time.monotonic() + seconds
    while True:
        clients.once()
        house.look()
        if time.monotonic() > end:
            return clients.times
        time.sleep(0.05)


def tell(kind, figures, alone, times, house, gone):
    """A row of figures; `alone` are the times of the same clients before."""
    print(f"\n| {kind} | held {figures['most_held']}, from one {figures['most_from_one']} |"
          f" let in {figures['admitted']}, refused {figures['refused']} | p50/p95/max ms: "
          + ", ".join(f"{what} {times.row(what)} (alone {alone.row(what)})" for what in times.seconds)
          + f" | refused of these {len(times.refused)} {times.refused[:2]} | sessions {house.most_served} | MB {megabytes(house.memory)}, peak {megabytes(house.peak)}"
          f" | gone after {gone} |", flush=True)


def holds(flood, most):
    figures = flood.report()
    return figures if figures["held"] >= most else None


def share(connections, kind):
    """What one address may hold."""
    if kind == "unread":  # with a stolen password: it is a known one
        return min(100, connections)
    return (connections - connections // 5) // 8


def judge(times, full, most_ms, but="nobody"):
    refused = [refusal for refusal in times.refused if not refusal.startswith(but)]
    assert not refused, refused[:3]
    for what in times.seconds:
        assert not full or times.p95(what) * 1000 < most_ms, f"{what}: {times.row(what)} ms"


@pytest.mark.parametrize("kind", HELD)
def test_who_behaves_well_is_served_while_others_hold_what_they_get(office, full, kind):
    size = LONG if full else SHORT
    furnish(office, size["connections"])
    house = House(office)
    alone = serve_well(office, house, size["alone"])
    with flooded(office, kind, addresses(size["sources"], 203), count=size["connections"], **HELD[kind]) as flood:
        most = size["connections"] * (0.8 if kind == "unread" else 0.4)
        full_house = wait_until(lambda: holds(flood, most), "the flood holds what it can")
        times = serve_well(office, house, size["seconds"])
        house.look(0)
        figures = flood.stop()
        if kind in ("talk", "unread"):  # later these count some that the server has let go of
            figures |= {what: full_house[what] for what in ("most_held", "most_from_one")}
        began = time.monotonic()
        if full:  # they say nothing any more and hang up never: only the server's times end them
            wait_until(lambda: not sessions(office), "all are gone", 2 * GONE_SECONDS)
        else:
            flood.leave()
        wait_until(lambda: not sessions(office), "all are gone")
        gone = time.monotonic() - began
    tell(kind, figures, alone, times, house, f"{gone:.1f} s" if full else "they hung up")
    assert figures["most_from_one"] <= share(size["connections"], kind)
    assert 0 < house.most_served < size["connections"]
    # Who has a password takes the strangers' places too; staff get in.
    judge(times, full, P95_MS, but="stranger" if kind == "unread" else "nobody")
    assert not full or gone < GONE_SECONDS
    house.is_as_before()


def test_who_behaves_well_is_served_while_others_come_by_the_hundred_a_second(office, full):
    size = LONG if full else SHORT
    furnish(office, size["connections"])
    house = House(office)
    alone = serve_well(office, house, size["alone"])
    with flooded(office, "connects", addresses(size["sources"], 203), rate=500) as flood:
        wait_until(lambda: flood.report()["admitted"] > 50, "they come")
        began, before = time.monotonic(), flood.report()
        times = serve_well(office, house, size["seconds"])
        house.look(0)
        figures, seconds = flood.stop(), time.monotonic() - began
        began = time.monotonic()
        wait_until(lambda: not sessions(office), "all are gone", GONE_SECONDS)
        gone = time.monotonic() - began
    tell(f"connects, {(figures['connects'] - before['connects']) / seconds:.0f} a second", figures, alone, times,
         house, f"{gone:.1f} s")
    assert not full or figures["connects"] - before["connects"] > 450 * seconds
    judge(times, full, P95_MS)
    house.is_as_before()
