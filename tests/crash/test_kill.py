"""kill -9 of random processes under mixed load, against a ledger: nothing
acknowledged is lost, nothing deleted comes back, nothing comes twice."""

import os
import random
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from hostile import Pop3, Smtp, answered
from letters import stored_form, without_trace
from wire import WireError

SECONDS = 12  # of load; how much happens in them is not judged
SENDERS, READERS = 4, 3
NAMES = ["ani", "budi", "citra"]


class Ledger:
    """What clients were told. A letter or deletion without its answer may have
    happened or not; both are right."""
    def __init__(self):
        self.lock = threading.Lock()
        self.sent = {}  # id: (owner, octets)
        self.accepted = set()
        self.asked_to_delete, self.deleted = set(), set()

    def note(self, kind, *ids):
        with self.lock:
            getattr(self, kind).update(ids)


def letter(number, chance):
    size = chance.choice([0, 10, 200, 3000, 60_000, 700_000])
    return b"Subject: %d\r\n\r\n" % number + b"".join(b"%d.%d\r\n" % (number, n) for n in range(size // 10))


def number_of(octets):
    return int(re.search(rb"^Subject: (\d+)\r$", octets, re.M).group(1))


def send(office, ledger, chance, number):
    name, octets = chance.choice(NAMES), letter(number, chance)
    with ledger.lock:
        ledger.sent[number] = (name, octets)
    session = Smtp(office, chance.choice(["smtp", "lmtp"]))
    session.begin(b"%s@kantor.example" % name.encode())
    if chance.random() < 0.5:
        reply = session.data(octets + b".\r\n")
    else:
        half = len(octets) // 2
        session.send(b"BDAT %d\r\n" % half + octets[:half])
        answered(session.read(), "250")
        session.send(b"BDAT %d LAST\r\n" % (len(octets) - half) + octets[half:])
        reply = session.read()
    answered(reply, "250")
    ledger.note("accepted", number)
    session.wire.close()


def fetch(office, ledger, chance):
    """Reads some letters, deletes some of these, and says QUIT or hangs up."""
    with ledger.lock:
        gone = set(ledger.deleted)  # what goes later, this session may still see
    session = Pop3(office, chance.choice(NAMES), chance.choice(["pop3", "pop3s"]))
    count = int(session.ok(b"STAT").split()[1])
    chosen = chance.sample(range(1, count + 1), min(count, 5))
    doomed = []
    for n in chosen:
        octets = b"\r\n".join(session.block(b"RETR %d" % n)) + b"\r\n"
        number = number_of(octets)
        with ledger.lock:
            assert number not in gone, f"{number} was deleted, and is back"
            assert without_trace(octets) == stored_form(ledger.sent[number][1]), f"{number} has changed"
        if chance.random() < 0.6:
            session.ok(b"DELE %d" % n)
            doomed.append(number)
    if chance.random() < 0.8:
        ledger.note("asked_to_delete", *doomed)
        if session.ask(b"QUIT").startswith(b"+OK"):
            ledger.note("deleted", *doomed)
    session.wire.close()


def worker(work, up, stop, complaints):
    """Does it again and again; a connection that broke is what this is about."""
    while not stop.is_set():
        up.wait()
        try:
            work()
        except (OSError, WireError):
            continue
        except AssertionError as complaint:
            # A temporary refusal while a role restarts is an answer too.
            if not re.search(r"\[SYS/TEMP\]|\b4\d\d\b|421", str(complaint)):
                complaints.append(complaint)
        except Exception as complaint:
            complaints.append(complaint)


def kill_one(office, chance):
    """A session mostly, a role at times: these come back more slowly each time."""
    sessions, others = [], []
    for pid in office.pids():
        if pid != office.process.pid:
            (sessions if name_of(pid) in ("smtp", "lmtp", "pop3") else others).append(pid)
    victim = chance.choice(sessions if sessions and chance.random() < 0.7 else others)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.mark.parametrize("victims", ["roles and sessions", "the whole server"])
def test_nothing_acknowledged_is_lost_and_nothing_deleted_returns(office, victims):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    office.allow("^<3>")  # roles that die say so, and what could not be done
    office.set("limits", "connections_per_ip", 0)
    office.start()
    ledger, up, stop, complaints = Ledger(), threading.Event(), threading.Event(), []
    up.set()
    numbers = iter(range(1, 1 << 40))
    claim = threading.Lock()

    def sending(own):
        with claim:
            number = next(numbers)
        send(office, ledger, own, number)

    def fetching(own):
        fetch(office, ledger, own)

    threads = []
    for n, work in enumerate([sending] * SENDERS + [fetching] * READERS):
        own = random.Random(seed + n)
        threads.append(
            threading.Thread(target=worker,
                             args=(lambda work=work, own=own: work(own), up, stop, complaints)))
    for thread in threads:
        thread.start()
    kills = 0
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            done = len(ledger.accepted)
            wait_for_some(ledger, done + chance.randrange(1, 8), end)
            if victims == "the whole server":
                up.clear()
                office.kill()
                office.start()
                up.set()
            else:
                kill_one(office, chance)
            kills += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not complaints, complaints[0]
    office.restart()

    there = {}
    for name in NAMES:
        session = Pop3(office, name)
        for n in range(1, int(session.ok(b"STAT").split()[1]) + 1):
            octets = b"\r\n".join(session.block(b"RETR %d" % n)) + b"\r\n"
            number = number_of(octets)
            assert number not in there, f"{number} is there twice"
            there[number] = name
            assert ledger.sent[number][0] == name
            assert without_trace(octets) == stored_form(ledger.sent[number][1]), f"{number} has changed"
        session.leave()
    print(
        f"{kills} kills, {len(ledger.sent)} sent, {len(ledger.accepted)} accepted, {len(ledger.deleted)} deleted, {len(there)} there"
    )
    lost = ledger.accepted - ledger.asked_to_delete - there.keys()
    assert not lost, f"acknowledged and lost: {sorted(lost)}"
    back = ledger.deleted & there.keys()
    assert not back, f"deleted and back: {sorted(back)}"
    assert kills > 3 and ledger.accepted and ledger.deleted
    office.run("check")


def wait_for_some(ledger, count, end):
    """Until so many letters are accepted: kills come in the middle of work."""
    while len(ledger.accepted) < count and time.monotonic() < end:
        time.sleep(0.005)  # between two looks
