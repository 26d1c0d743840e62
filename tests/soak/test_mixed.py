"""All of it at once, for long: deliveries, fetches and deletions against a ledger,
people's commands, reloads, backups, floods in between, on a clock that runs
sixty times as fast, so that what was deleted is purged again and again.
Nothing grows without bound, and nothing acknowledged is lost.

SOAK_MINUTES (10) says how long make soak does so."""

import itertools
import os
import random
import sqlite3
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "crash"))

from house import House, addresses, flooded, megabytes, memory, quiet  # noqa: E402
from ledger import Account  # noqa: E402
from office import wait_until  # noqa: E402
from test_kill import Campaign  # noqa: E402

SHIM = Path(__file__).resolve().parents[2] / "build/tests/shims/hurried.so"
PLACES, FLOODERS = 60, 12
LOG_MOST = 64 << 20  # of store.db-wal: from there on it begins anew (store/README.md)
FLOODS = [("idle", {}), ("talk", {}), ("hello", {}), ("data", {"octets_every": 1}), ("connects", {"rate": 200}),
          ("guess", {})]


def hurry(office, by=60):
    assert SHIM.exists(), f"{SHIM} is not there: make shims"
    office.environment.update(LD_PRELOAD=str(SHIM), HURRIED_SINCE=str(int(time.time())), HURRIED_BY=str(by))


def pages(office):
    """Of the store: all, and those that are free."""
    store = sqlite3.connect(f"file:{office.data}/store.db?mode=ro", uri=True)
    try:
        return [store.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count")]
    finally:
        store.close()


class Growth:
    """Looks at what could grow, and keeps what it saw."""
    def __init__(self, office):
        self.office, self.seen = office, []

    def look(self):
        roles = memory(self.office, sessions=False)
        log = (self.office.data / "store.db-wal").stat().st_size
        self.seen.append((roles, log, pages(self.office)[0] * 4096))

    def thirds(self, what):
        """The most of it in the second third of the time, and in the last."""
        third = len(self.seen) // 3
        return [max(seen[what] for seen in part) for part in (self.seen[third:-third], self.seen[-third:])]


def use_tools(office, n):
    """What people do, while all goes on."""
    user = f"tamu{n}@kantor.example"
    office.run("user", "add", user, "--password-stdin", stdin="sandi-tamu\n")
    office.run("user", "passwd", user, "--password-stdin", stdin="sandi-lain\n")
    office.run("alias", "add", f"semua{n}@kantor.example", user, "ani@kantor.example")
    office.run("status")
    if n % 3 == 0:
        copy = office.dir / "copy"
        office.run("backup", copy)
        copy.unlink()
    office.run("alias", "remove", f"semua{n}@kantor.example")
    office.run("user", "remove", user, "--yes")
    office.set("limits", "connections", PLACES + n % 2)
    office.hang_up()


def soak(office, campaign, growth, chance, seconds):
    end = time.monotonic() + seconds
    for n in itertools.count(1):
        use_tools(office, n)
        growth.look()
        kind, words = FLOODS[n % len(FLOODS)]
        with flooded(office, kind, addresses(20, 207), count=FLOODERS, **words) as flood:
            since = campaign.progress.total()
            campaign.wait_for(since + 20)
            time.sleep(chance.random() * min(5, seconds / 4))
            growth.look()
            flood.stop()
        growth.look()
        if time.monotonic() > end:
            return n


def purged(office):
    """Is all gone that was deleted long enough ago, and its room given back?"""
    store = sqlite3.connect(f"file:{office.data}/store.db?mode=ro", uri=True)
    try:
        kept = store.execute("SELECT count(*) FROM entries WHERE deleted IS NOT NULL").fetchone()[0]
        loose = store.execute("SELECT count(*) FROM bodies WHERE refs = 0").fetchone()[0]
    finally:
        store.close()
    total, free = pages(office)
    return kept + loose == 0 and free <= total / 4 + 256


def test_nothing_grows_and_nothing_is_lost_while_everything_goes_on(office, full):
    seconds = 60 * float(os.environ.get("SOAK_MINUTES", 10)) if full else 4
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"\nseed {seed}")
    hurry(office)
    office.set("store", "keep_deleted", "1h")
    office.set("limits", "connections", PLACES)
    office.set("limits", "connections_per_ip", 0)
    campaign = Campaign(office, seed, senders=2, readers=2, boxes=8)
    office.start()
    house, growth = House(office), Growth(office)
    campaign.begin()
    try:
        rounds = soak(office, campaign, growth, random.Random(seed), seconds)
        campaign.end()
    finally:
        campaign.abort()
    quiet(office)
    if full:
        wait_until(lambda: purged(office), "what was deleted has been purged", 300)
    house.is_as_before()
    total, free = pages(office)
    memories, logs, stores = (growth.thirds(what) for what in range(3))
    print(f"{rounds} rounds: memory of master and roles {' then '.join(map(megabytes, memories))} MB,"
          f" log {' then '.join(map(megabytes, logs))} MB, store {' then '.join(map(megabytes, stores))} MB,"
          f" at the end {megabytes(total * 4096)} MB, {megabytes(free * 4096)} MB of them free")
    shown = campaign.shown()
    office.stop()
    office.run("check")
    hidden = campaign.hidden()
    account = Account(campaign.dir.glob("*.ledger"))
    print(account.told(shown, hidden))
    broken = account.verdict(shown, hidden)
    # What a QUIT took, answered or not, may have been purged by now.
    asked = {(number, box) for box, numbers in account.quits.values() for number in numbers}
    broken["acknowledged and lost"] = [copy for copy in broken["acknowledged and lost"] if copy not in asked]
    assert not any(broken.values()), {promise: found[:20] for promise, found in broken.items() if found}
    assert max(logs) < LOG_MOST + (16 << 20)
    if full:
        assert memories[1] < 1.25 * memories[0] + (2 << 20), memories
        assert stores[1] < 1.5 * stores[0] + (8 << 20), stores
