"""kill -9 of every kind of process, and SIGTERM, at random instants under mixed
load, against a ledger: nothing acknowledged is lost, nothing comes twice but what was
on its way out, no deletion is undone or half done, and service is back within a
second."""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from ledger import Account, Ledger, is_letter, letter, number_of
from letters import split_trace
from load import Progress
from office import HASHES, PASSWORDS, PORTS, Claim, wait_until
from wire import PATIENCE, Wire, WireError

LOAD, SMARTHOST = (Path(__file__).with_name(name) for name in ["load.py", "smarthost.py"])
SLOW = 0.03  # seconds at most that the smarthost takes to answer
PASSWORD = PASSWORDS["ani"]
BACK_WITHIN = 10  # seconds: a bound for a crowded box; the figure that counts is printed
PIECES = 1 << 20  # ids of pieces for one body: store/schema.sql

# What a server says of error level when its own processes are killed, and nothing
# else. A session that the directory let in just before it heard of the writer's
# death has a ticket of the old writer's; one that then opens the store may find the
# log's index half written.
DEATHS = "|".join([
    "role-died", "session-died", "hashing-failed", "session-not-begun", "no-writer", "login-failed", "delete-failed",
    "has gone", "waits to be mended by the next writer",
    'channel-refused role=writer reason="the ticket is not one of ours"',
    "delivery-died", "delivery-broken", "delivery-not-begun", "message-not-sent",
])
# With whom a delivery dies, or what it has to tell.
REPEATING = ["a delivery", "the relay", "the writer", "the master", "all at once"]


class Campaign:
    def __init__(self, office, seed, senders, readers, boxes, staff=0):
        self.office, self.chance = office, random.Random(seed)
        self.boxes = [f"kotak{number:02}" for number in range(boxes)]
        self.staff = [f"staf{number:02}" for number in range(staff)]
        for box in self.boxes + self.staff:
            office.run("user", "add", f"{box}@kantor.example", "--hash-stdin", stdin=HASHES["ani"] + "\n")
        self.dir = office.dir / "ledgers"
        self.dir.mkdir()
        self.workers = senders + readers + staff
        self.progress = Progress(self.dir / "progress", 2 + self.workers)
        self.probes = Ledger(self.dir / "0.ledger")
        self.probed = 0
        self.load = []
        self.kinds = [{"kind": "sender", "boxes": self.boxes}] * senders
        self.kinds += [{"kind": "reader", "boxes": self.boxes[at::readers]} for at in range(readers)]
        self.kinds += [{"kind": "staff", "boxes": self.boxes, "author": f"{name}@kantor.example"} for name in self.staff]
        self.smarthost = self.claim = None
        if staff:
            self.begin_smarthost()
        self.seed = seed
        self.since = 0  # when a process was killed
        self.back = {}  # victim: seconds until it served again
        self.outlived = []  # seconds that a killed master's children lived on
        self.changed = []  # (letter, box) whose octets are others at the end

    # ---- the load

    def begin_smarthost(self):
        self.claim = Claim()
        what = {"path": str(self.dir / "smarthost.ledger"), "address": self.claim.address, "slow": SLOW}
        self.smarthost = subprocess.Popen([sys.executable, "-B", SMARTHOST, json.dumps(what)], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.smarthost.stdout.readline() == "ready\n"
        self.office.set("relay", "smarthost", f"{self.claim.address}:2525")
        self.office.set("relay", "tls", "none")
        self.office.set("submission", "per_hour", 0)

    def begin(self):
        for index, kind in enumerate(self.kinds, 1):
            what = {"index": index, "seed": self.seed, "dir": str(self.dir), "address": self.office.address, "ports": PORTS,
                    "lmtp": str(self.office.lmtp), "password": PASSWORD, **kind}
            self.load.append(subprocess.Popen([sys.executable, "-B", LOAD, json.dumps(what)]))

    def end(self):
        self.progress.add(0)
        for worker in self.load:
            assert worker.wait(2 * PATIENCE) == 0, "the load itself failed"

    def abort(self):
        for worker in self.load:
            if worker.poll() is None:
                worker.kill()
                worker.wait()

    def let_leave(self):
        """Everything, until the outbox is empty. Returns what cannot."""
        fewest, deadline = None, 0
        while True:
            self.office.run("queue", "retry")
            left = [row["recipient"] for row in self.office.json("queue", "list")]
            if fewest is None or len(left) < fewest:
                fewest, deadline = len(left), time.monotonic() + 3 * PATIENCE
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.05)

    def end_smarthost(self):
        if self.smarthost:
            self.smarthost.communicate()
            self.claim.release()

    def wait_for(self, count):
        wait_until(lambda: self.progress.total() >= count or any(worker.poll() for worker in self.load),
                   f"{count} letters acknowledged; there are {self.progress.total()}")

    # ---- is it there?

    def probe(self, since):
        """Until a letter is filed and a login over TLS succeeds: all roles have
        a part in it. Returns the seconds since `since`."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.file_one()
                self.log_in(self.boxes[0], "pop3s").close()
                return time.monotonic() - since
            except (OSError, WireError):
                assert time.monotonic() < deadline, "it does not serve again:\n" + "\n".join(self.office.lines[-30:])
                time.sleep(0.001)  # nobody listens, or a role is away: another try

    def file_one(self):
        wire = Wire(self.office.place("lmtp"))
        try:
            self.expect(wire, b"LHLO penguji.example", 220, 250)
            box = self.chance.choice(self.boxes)
            self.expect(wire, b"MAIL FROM:<>", 250)
            self.expect(wire, b"RCPT TO:<%s@kantor.example>" % box.encode(), 250)
            self.expect(wire, b"DATA", 354)
            self.probed += 1
            self.probes.write(f"sent {self.probed} {box}")
            self.expect(wire, letter(self.probed).replace(b"\r\n.", b"\r\n..") + b".", 250)
            self.probes.write(f"yes {self.probed} {box}")
        finally:
            wire.close()

    @staticmethod
    def expect(wire, line, *wanted):
        wire.send(line + b"\r\n")
        for code in wanted:
            got, texts = wire.reply()
            if got != code:
                raise WireError(f"{got} {texts}")

    def log_in(self, box, service="pop3"):
        wire = self.office.connect(service)
        wire.send(b"USER %s@kantor.example\r\nPASS %s\r\n" % (box.encode(), PASSWORD.encode()))
        for _ in range(3):
            line = wire.line()
            if line is None or not line.startswith(b"+OK"):
                raise WireError(f"no login: {line!r}")
        return wire

    # ---- the victims

    def kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself

    def kill_role(self, name, which=slice(1)):
        found = wait_until(lambda: self.office.named(name)[which], f"a {name}")
        self.kill(self.chance.choice(found))

    def kill_session(self, *names):
        """Returns when; there may be none for a while."""
        found = wait_until(lambda: [pid for name in names for pid in self.office.named(name)], "a session")
        self.since = time.monotonic()
        self.kill(self.chance.choice(found))
        return self.since

    def end_master(self, end):
        """Starts anew at once, while the kernel may still end the last one's children."""
        office = self.office
        before = processes_of(office)
        assert office.process.pid in before
        end(before)
        status = office.process.wait(PATIENCE)
        died = time.monotonic()
        office.process = None  # the log of the old ends when its children have
        since = time.monotonic()
        office.spawn()
        started = started_at(office.process.pid)
        wait_until(lambda: not any(pid in before and before[pid] == at or at < started
                                   for pid, at in processes_of(office).items()), "no process outlives its master")
        self.outlived.append(time.monotonic() - died)
        return status, since

    def kill_master(self):
        _, since = self.end_master(lambda before: self.office.process.kill())
        return since

    def kill_all(self):
        def end(before):
            pids = list(before)
            self.chance.shuffle(pids)
            for pid in pids:
                self.kill(pid)
        _, since = self.end_master(end)
        return since

    def stop_master(self):
        status, since = self.end_master(lambda before: self.office.process.terminate())
        assert status == 0, f"SIGTERM: status {status}"
        return since

    def strike(self, victim):
        """Kills it; returns from when on service is due."""
        now = self.since = time.monotonic()
        due = VICTIMS[victim](self) or now
        if victim in REPEATING:
            self.probes.write(f"struck {self.since} {time.monotonic()}")
        return due

    def run(self, kills, letters):
        """As many of each kind, mixed; sometimes the next falls before the last
        has been mended."""
        order = [list(VICTIMS)[number % len(VICTIMS)] for number in range(kills)]
        self.chance.shuffle(order)
        share = letters / kills
        for number, victim in enumerate(order, 1):
            least = number * share
            self.wait_for(max(least, self.progress.total() + self.chance.randrange(int(share))))
            time.sleep(self.chance.random() * 0.004)  # an instant that no answer chose
            since = self.strike(victim)
            hurried = self.chance.random() < 0.1 and victim not in ("the master", "all at once", "SIGTERM")
            if hurried and victim in self.back:  # each kind is measured once at least
                continue
            self.back.setdefault(victim, []).append(self.probe(since))
            self.office.run("queue", "retry")  # a delivery's death puts all off for minutes
        self.wait_for(letters)

    # ---- what is there

    def fetch(self, box):
        """The octets of all that POP3 lists of a mailbox."""
        wire = self.log_in(box)
        count = int(wire.command("STAT").split()[1])
        for start in range(1, count + 1, 50):
            batch = range(start, min(start + 50, count + 1))
            wire.send(b"".join(b"RETR %d\r\n" % number for number in batch))
            for _ in batch:
                assert wire.line().startswith(b"+OK")
                yield b"\r\n".join([*wire.block(), b""])
        wire.close()

    def shown(self):
        """(letter, box) of all that POP3 lists, their octets compared."""
        return [(self.compared(octets, box), box) for box in self.boxes for octets in self.fetch(box)]

    def reported(self):
        """(letter, address) of what the staff has been told is undeliverable."""
        found = []
        for name in self.staff:
            for octets in self.fetch(name):
                addresses = re.findall(rb"^Final-Recipient: rfc822; (\S+)\r\nAction: failed\r$", octets, re.M)
                assert addresses, octets
                found += [(int(address.split(b"-")[1]), address.decode()) for address in addresses]
        return found

    def compared(self, octets, box):
        trace, rest = split_trace(octets)
        number = number_of(rest)
        if not is_letter(rest) or trace.delivered_to.decode().split("@")[0] != box:
            self.changed.append((number, box))
        return number

    def hidden(self):
        """The same of all that is marked deleted, from the file itself."""
        store = sqlite3.connect(f"file:{self.office.data}/store.db?mode=ro", uri=True)
        found = []
        for box, prefix, body in store.execute(
                "SELECT local, prefix, body_id FROM entries JOIN folders ON folders.id = folder_id"
                " JOIN users ON users.id = user_id WHERE deleted IS NOT NULL"):
            pieces = store.execute("SELECT octets FROM pieces WHERE id BETWEEN ? AND ? ORDER BY id",
                                   (body * PIECES, body * PIECES + PIECES - 1))
            found.append((self.compared(prefix + b"".join(octets for octets, in pieces), box), box))
        store.close()
        return found


VICTIMS = {
    "a session": lambda campaign: campaign.kill_session("smtp", "lmtp", "pop3"),
    "a submission": lambda campaign: campaign.kill_session("submission"),
    "a delivery": lambda campaign: campaign.kill_session("delivery"),
    "the relay": lambda campaign: campaign.kill_role("relay"),
    "the writer": lambda campaign: campaign.kill_role("writer"),
    "the directory": lambda campaign: campaign.kill_role("directory"),
    "a hashing helper": lambda campaign: campaign.kill_role("directory", slice(1, None)),
    "the keys": lambda campaign: campaign.kill_role("keys"),
    "the master": Campaign.kill_master,
    "all at once": Campaign.kill_all,
    "SIGTERM": Campaign.stop_master,
}


def started_at(pid):
    """In the kernel's ticks since the box's start: with it a pid names one process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])


def processes_of(office):
    """Every process that serves this office, whoever its parent is now: pid and start."""
    words, found = b"\0-c\0%s\0serve\0" % str(office.ini).encode(), {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and words in (entry / "cmdline").read_bytes():
                found[int(entry.name)] = started_at(entry.name)
        except OSError:
            continue  # it has just ended
    return found


def figures(times):
    times = sorted(times)
    return (f"{len(times)} times, p50 {1000 * times[len(times) // 2]:.0f} ms, p95 {1000 * times[len(times) * 19 // 20]:.0f} ms, "
            f"most {1000 * times[-1]:.0f} ms, over 1 s {sum(time > 1 for time in times)}")


def run_campaign(office, kills, letters, **load):
    """Prints the figures, and returns each promise that was broken, and by what."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"\nseed {seed}")
    office.allow(DEATHS)
    office.set("limits", "connections_per_ip", 0)
    campaign = Campaign(office, seed, **load)
    try:
        office.start()
        began = time.monotonic()
        campaign.begin()
        campaign.run(kills, letters)
        campaign.end()
        took = time.monotonic() - began
        office.restart()
        left = campaign.let_leave()
    finally:
        campaign.abort()
        campaign.end_smarthost()

    shown, reported = campaign.shown(), campaign.reported()
    office.stop()
    office.run("check")
    hidden = campaign.hidden()
    account = Account(campaign.dir.glob("*.ledger"))
    print(f"{kills} kills in {took:.0f} s: {account.told(shown, hidden, reported)}")
    for victim, times in campaign.back.items():
        print(f"served again behind the death of {victim}: {figures(times)}")
    print(f"the last of a dead master's processes gone: {figures(campaign.outlived)}")
    assert campaign.back.keys() == VICTIMS.keys() and account.done and account.cut
    assert max(max(times) for times in campaign.back.values()) < BACK_WITHIN
    found = account.verdict(shown, hidden, reported) | {"other octets": campaign.changed, "still in the outbox": left}
    return {promise: breaches[:20] for promise, breaches in found.items() if breaches}


def test_what_was_acknowledged_survives_the_death_of_any_process(office, full):
    if full:
        broken = run_campaign(office, 1000, 100_000, senders=3, readers=2, staff=2, boxes=24)
    else:
        broken = run_campaign(office, 22, 500, senders=2, readers=1, staff=1, boxes=6)
    assert not broken, broken
