"""`officemail backup` while mail comes in at 500 messages a second: the copy holds
all that was acknowledged before it began, and passes check where it is restored."""

import re
import subprocess
import threading
import time
from pathlib import Path

from hostile import Pop3, Smtp, answered
from office import wait_until

RATE, SENDERS = 500, 8  # messages a second, by so many sessions
NAMES = ["ani", "budi", "citra"]


class Load:
    """Sends numbered letters at RATE, and notes when each was asked for and acknowledged."""

    def __init__(self, office):
        self.office = office
        self.lock = threading.Lock()
        self.next, self.answered, self.complaints = 0, {}, []
        self.stopping = threading.Event()
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.send_all) for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def send_all(self):
        try:
            session = Smtp(self.office)
            while not self.stopping.is_set():
                with self.lock:
                    number, self.next = self.next, self.next + 1
                early = self.began + number / RATE - time.monotonic()
                if early > 0:
                    time.sleep(early)  # the pace, not a wait for something
                begun = time.monotonic()
                session.begin(b"%s@kantor.example" % NAMES[number % 3].encode())
                answered(session.data(letter(number) + b".\r\n"), "250")
                self.answered[number] = (begun, time.monotonic())
            session.leave()
        except Exception as complaint:
            self.complaints.append(complaint)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.complaints, self.complaints[0]

    def told(self, begin, end):
        """Rate, and the p50 and p99 of the answers in a stretch of time, as words."""
        spans = sorted(end_ - begun for begun, end_ in self.answered.values() if begin <= end_ < end)
        if not spans:
            return "nothing"
        return (f"{len(spans) / (end - begin):.0f} messages/s, p50 {spans[len(spans) // 2] * 1000:.0f} ms,"
                f" p99 {spans[len(spans) * 99 // 100] * 1000:.0f} ms")


def letter(number):
    return b"Subject: %d\r\n\r\n" % number + b"isi surat yang biasa saja\r\n" * (number * 7 % 150)


def pss(pid):
    try:
        found = re.search(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def back_up(office, file):
    """Runs `backup`; how long it took, its most PSS (kB) and the longest log (octets) meanwhile."""
    begun, most, log = time.monotonic(), 0, 0
    process = subprocess.Popen([office.binary, "-c", office.ini, "backup", file], stderr=subprocess.PIPE)
    while process.poll() is None:
        most = max(most, pss(process.pid))
        log = max(log, (office.data / "store.db-wal").stat().st_size)
        time.sleep(0.005)  # between two looks
    assert process.returncode == 0, process.stderr.read().decode()
    process.stderr.close()
    return time.monotonic() - begun, most, log


def numbers(office):
    found = []
    for name in NAMES:
        session = Pop3(office, name)
        for n in range(1, int(session.ok(b"STAT").split()[1]) + 1):
            subject = re.search(rb"^Subject: (\d+|big)$", b"\n".join(session.block(b"TOP %d 0" % n)), re.M)
            found.append(subject[1])
        session.leave()
    return [int(number) for number in found if number != b"big"]


def test_a_backup_under_load_holds_what_was_acknowledged_before(office, neighbour, full):
    office.set("limits", "connections_per_ip", 0)
    office.start()
    for _ in range(1000 if full else 20):  # megabytes, so that there is something to copy
        office.deliver(b"Subject: big\r\n\r\n" + (b"y" * 998 + b"\r\n") * 1000, "budi@kantor.example")
    load = Load(office)
    try:
        wait_until(lambda: len(load.answered) >= (15_000 if full else 500) or load.complaints, "some load", 600)
        before = set(load.answered)
        begun = time.monotonic()
        took, most, log = back_up(office, office.dir / "b")
        ended = time.monotonic()
        already = len(load.answered)
        wait_until(lambda: len(load.answered) >= already + (3000 if full else 200) or load.complaints, "more of it", 600)
    finally:
        load.stop()
    print(f"{(office.dir / 'b').stat().st_size >> 20} MB in {took:.1f} s, PSS at most {most} kB, log at most {log >> 20} MB")
    print(f"before: {load.told(load.began, begun)}")
    print(f"during: {load.told(begun, ended)}")
    print(f"after:  {load.told(ended, time.monotonic())}")
    neighbour.run("restore", office.dir / "b")
    neighbour.run("check")
    neighbour.start()
    there = numbers(neighbour)
    assert len(set(there)) == len(there), "twice in the copy"
    assert before <= set(there), f"acknowledged before it began, and not in it: {sorted(before - set(there))[:9]}"
    assert set(there) <= set(range(load.next))
    print(f"{len(before)} acknowledged before it began, {len(there)} in the copy, {len(load.answered)} in all")
    assert len(numbers(office)) == len(load.answered)
    office.run("check")
