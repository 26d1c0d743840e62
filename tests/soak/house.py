"""What the soak tests share: a flood at the door, the client that behaves well,
and what the server's processes hold meanwhile."""

import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from hostile import Smtp, answered
from office import PASSWORDS, PORTS, wait_until
from wire import WireError

FLOOD = Path(__file__).with_name("flood.py")
STAFF = "127.201.0.1"  # somebody logged in from there before
CACHES = 6 << 20
ROLES = ("writer", "directory", "keys")


def addresses(count, net):
    """So many sources of 127/8 that no office of the tests listens at."""
    return [f"127.{net}.{n // 250}.{n % 250 + 1}" for n in range(count)]


class Flood:
    def __init__(self, office, kind, sources, **words):
        words |= {"addresses": sources, "ports": {s: [office.address, port] for s, port in PORTS.items()}}
        self.process = subprocess.Popen(
            [sys.executable, "-B", FLOOD, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps(words) + "\n")

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def report(self):
        return self.ask("report")

    def stop(self):
        """It does nothing any more, and lets go of nothing."""
        return self.ask("stop")

    def leave(self):
        self.process.stdin.close()
        self.process.wait(30)

    def kill(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def flooded(office, kind, sources, **words):
    flood = Flood(office, kind, sources, **words)
    try:
        yield flood
    finally:
        flood.kill()


# ---- the client that behaves well


def letter(octets=2000):
    return b"Subject: biasa\r\n\r\n" + b"baris yang biasa saja, dan tidak panjang.\r\n" * (octets // 42)


def deliver(office, source, to=b"budi@kantor.example", octets=letter()):
    session = Smtp(office, source=source)
    session.begin(to)
    answered(session.data(octets + b".\r\n"), "250")
    answered(session.ask(b"QUIT"), "221")
    session.wire.close()


def fetch(office, source, name="citra", password=None):
    """Login, the list, the first message, QUIT."""
    wire = office.connect("pop3", source)
    said = [wire.line().decode(), wire.command(f"USER {name}@kantor.example"),
            wire.command(f"PASS {password or PASSWORDS[name]}"), wire.command("STAT"), wire.command("RETR 1")]
    for line in said:
        if not line.startswith("+OK"):
            raise WireError(line)
    wire.block()
    assert wire.command("QUIT").startswith("+OK")
    wire.close()


class Times:
    """How long each thing took, and which were refused."""
    def __init__(self):
        self.seconds, self.refused = {}, []

    def take(self, what, work):
        began = time.monotonic()
        try:
            work()
        except (WireError, AssertionError, OSError) as refusal:
            self.refused.append(f"{what}: {refusal}")
        else:
            self.seconds.setdefault(what, []).append(time.monotonic() - began)

    def p95(self, what):
        ordered = sorted(self.seconds[what])
        return ordered[int(len(ordered) * 0.95)]

    def row(self, what):
        if what not in self.seconds:
            return "-"
        ordered = sorted(self.seconds[what])
        return "/".join(f"{1000 * at:.0f}" for at in (ordered[len(ordered) // 2], self.p95(what), ordered[-1]))


class GoodClients:
    """Staff at their own address, and mail from addresses nobody has seen."""
    def __init__(self, office):
        self.office, self.times = office, Times()
        self.strangers = itertools.cycle(addresses(20000, 202))

    def start_anew(self):
        self.times = Times()
        return self.times

    def once(self):
        self.times.take("staff POP3", lambda: fetch(self.office, STAFF))
        self.times.take("staff SMTP", lambda: deliver(self.office, STAFF))
        self.times.take("stranger SMTP", lambda: deliver(self.office, next(self.strangers)))


# ---- what the processes hold


def memory(office, sessions=True):
    """Octets of all processes together, or of master and roles alone: shared pages
    once (PSS) as root; a plain user may not see that of sealed ones, and counts what
    is not shared."""
    total = 0
    for pid in office.pids() if sessions else residents(office):
        with contextlib.suppress(OSError):
            if os.geteuid() == 0:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) * 1024
            else:
                found = re.search(r"^RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)
                total += int(found[1]) * 1024 if found else 0
    return total


def descriptors(office):
    """Of the master and the roles, the least of some looks: a role closes a session's
    channel a moment after that has ended. None where only root may count them."""
    if os.geteuid() != 0:
        return None
    looks = []
    for _ in range(20):
        looks.append(sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in residents(office)))
        time.sleep(0.01)  # between two looks
    return min(looks)


def residents(office):
    """The processes that stay: the master and the roles."""
    return [office.process.pid] + [pid for role in ROLES for pid in office.named(role)]


def sessions(office):
    return [pid for service in ("smtp", "lmtp", "pop3", "submission") for pid in office.named(service)]


def quiet(office, patience=30):
    wait_until(lambda: not sessions(office), "nobody is served any more", patience)


class House:
    """What was held when nothing was asked of the server, and the most since."""
    def __init__(self, office):
        self.office = office
        deliver(office, STAFF)
        quiet(office)
        self.memory, self.descriptors = memory(office), descriptors(office)
        self.peak, self.looked, self.most_served = self.memory, 0, 0

    def look(self, every=2.0):
        if time.monotonic() - self.looked > every:
            self.peak = max(self.peak, memory(self.office))
            self.most_served = max(self.most_served, len(sessions(self.office)))
            self.looked = time.monotonic()

    def is_as_before(self):
        """All sessions gone, and no more held than before, but what the writer and the
        directory may keep in their caches. One descriptor may be missing: an end of the
        pipe that tells of a crowd, for a minute behind it."""
        deliver(self.office, STAFF)
        quiet(self.office)
        if self.descriptors:
            wait_until(lambda: 0 <= self.descriptors - descriptors(self.office) <= 1,
                       f"{self.descriptors} descriptors, or one less")
        now = memory(self.office)
        assert now <= self.memory + CACHES, f"{now >> 10} kB are held, {self.memory >> 10} kB before"


def megabytes(octets):
    return f"{octets / 1048576:.1f}"
