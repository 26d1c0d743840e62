"""The disk is full: a real small file system, in memory and ext4 in a file,
which something that is not mail fills up."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from channels import Delivery
from hostile import ANI, BUDI, Pop3, Smtp, answered, deliver, taken
from letters import without_trace
from office import PASSWORDS, wait_until
from smalldisk import MB, Disk, Ext4, Tmpfs
from test_outbox import send
from wire import WireError

INSIDE = "OFFICEMAIL_MOUNTS"  # set where this runs again, in a namespace that may mount
NAMESPACE = ["unshare", "--user", "--mount", "--map-current-user", "--keep-caps"]
mounting = pytest.mark.skipif(os.geteuid() != 0 and INSIDE not in os.environ,
                              reason="mounts: runs again in a namespace, from test_as_a_plain_user")
BALLAST = 8 * MB


def pytest_generate_tests(metafunc):
    full = metafunc.config.getoption("--full")
    ext4 = pytest.param(Ext4, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root attaches loop files"))
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", [Tmpfs, ext4] if full else [Tmpfs])
    if "reserve" in metafunc.fixturenames:
        metafunc.parametrize("reserve", ["16M", "0"] if full else ["16M"])


@pytest.mark.skipif(os.geteuid() == 0 or INSIDE in os.environ, reason="for a plain user; root mounts by itself")
def test_as_a_plain_user(full):
    if subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("this kernel grants plain users no namespaces: root can try it")
    again = subprocess.run(
        [*NAMESPACE, sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__,
         *(["--full"] if full else [])],
        env={**os.environ, INSIDE: "1"}, capture_output=True, timeout=3600)
    assert again.returncode == 0, again.stdout.decode()


@pytest.fixture
def place(office):
    """Puts the office on a disk of its own."""
    disks = []

    def make(kind, size, **options):
        disks.append(Disk(office, kind, size, **options))
        return disks[-1]

    yield make
    try:
        office.stop()
    finally:
        for disk in disks:
            disk.unmount()


# ---- what a client sees


def letter(name, size=200):
    return b"Subject: %s\r\n\r\n" % name.encode() + b"0123456789abcdef\r\n" * (size // 18)


def asked(office, recipient=ANI, parameters=b""):
    """What RCPT is answered, in a session that goes on."""
    session = Smtp(office)
    answered(session.ask(b"MAIL FROM:<pak@luar.example>" + parameters), "250")
    told = session.ask(b"RCPT TO:<%s>" % recipient)
    session.leave()
    return f"{told.code} {told.status}"


DEFERRED, TAKEN = "452 4.3.1", "250 2.1.5"


def subjects(office, name="ani"):
    return [re.search(rb"^Subject: (.*)\r$", octets, re.M)[1].decode() for octets in office.fetch(name)]


def delete(office, name, number=1):
    session = Pop3(office, name)
    session.ok(b"DELE %d" % number)
    told = session.ask(b"QUIT")
    session.wire.close()
    return told


def kept(office, name="ani"):
    """Subjects are not listed: the numbers of deleted messages, oldest first."""
    rows = json.loads(office.run("mail", "list", f"{name}@kantor.example", "--deleted", "--json"))
    return [row["id"] for row in rows]


def ballast(office):
    octets = (office.data / "ballast").read_bytes()
    return len(octets), hashlib.sha256(octets).hexdigest()


def whole(office):
    return wait_until(lambda: (office.data / "ballast").exists() and ballast(office)[0] == BALLAST and ballast(office),
                      "a whole ballast")


def taken_back(office):
    """Soon after it was given up, at the latest; returns what is in it."""
    return wait_until(lambda: ballast(office)[0] > 6 * MB and ballast(office), "the ballast taken back")[1]


# ---- from the reserve on


@mounting
def test_mail_is_deferred_from_the_reserve_on(office, place, kind):
    disk = place(kind, 96 * MB)
    office.set("store", "reserve", "32M")
    office.start()
    whole(office)
    disk.fill(leave=40 * MB)
    assert asked(office) == TAKEN
    assert asked(office, parameters=b" SIZE=%d" % (20 * MB)) == DEFERRED, "it would not fit"
    disk.fill(leave=31 * MB)
    assert asked(office) == DEFERRED
    assert asked(office, b"nobody@kantor.example").startswith("550 5.1.1"), "there is no use in coming again"
    assert asked(office) == DEFERRED
    disk.clear()
    assert asked(office) == TAKEN, "it need not be waited for"
    deliver(office, letter("after"))
    assert len([line for line in office.lines if "no-room-for-mail" in line]) == 1, "once, not once a recipient"
    assert len([line for line in office.lines if "room-for-mail data" in line]) == 1


@mounting
def test_a_message_that_runs_into_the_full_disk_leaves_nothing(office, place, kind):
    disk = place(kind, 64 * MB)
    office.allow("commit-failed|housekeeping-failed|checkpoint-failed")
    office.set("store", "reserve", "32M")
    office.start()
    whole(office)
    before = disk.free()
    for full in ["by itself", "by another"]:
        session = Smtp(office)
        session.begin()
        answered(session.ask(b"DATA"), "354")
        part = letter(full, 4 * MB)
        session.send(part)
        if full == "by another":
            disk.fill()
        for _ in range(10 if full == "by itself" else 1):
            session.send(part)
        session.send(b".\r\n")
        answered(session.read(), "452 4.3.1")
        session.leave()
        disk.clear()
        wait_until(lambda: disk.free() > before - 2 * MB, "its octets given back")
        deliver(office, letter("small one"))
    assert subjects(office) == ["small one"] * 2
    office.run("check")


# ---- at the last octet


@mounting
def test_what_has_left_is_known_at_the_last_octet(office, place, kind):
    """Nothing leaves twice because that it has left could not be written."""
    disk = place(kind, 64 * MB)
    office.allow("commit-failed|housekeeping-failed|checkpoint-failed|no-transaction")
    office.set("store", "reserve", "16M")
    office.start()
    for pid in office.named("relay"):
        os.kill(pid, signal.SIGSTOP)
    whole(office)
    for n in range(20):
        send(office, f"pak{n}@luar.example")
    delivery = Delivery(office)
    sender, first = delivery.next()
    disk.fill()
    gone = list(first)
    while job := delivery.next(0, "250 Ok"):
        gone += job[1]
    assert sorted(gone) == sorted(f"pak{n}@luar.example" for n in range(20))
    assert office.json("queue", "list") == []
    disk.clear()
    office.run("check")


@mounting
def test_reading_and_deleting_go_on_at_the_last_octet(office, place, kind):
    disk = place(kind, 64 * MB)
    office.allow("commit-failed|housekeeping-failed|checkpoint-failed")
    office.set("store", "reserve", "16M")
    office.start()
    for name in ["ani", "budi", "citra"]:
        for n in range(4):
            deliver(office, letter(f"{name} {n}", 300_000 if n == 3 else 2000), f"{name}@kantor.example".encode())
    noises = {whole(office)[1]}
    office.restart()  # the log is empty: nothing in it can be written over
    wait_until(lambda: disk.fill() == 0, "not an octet left")

    for name in ["ani", "budi", "citra"]:
        assert subjects(office, name) == [f"{name} {n}" for n in range(4)]
        assert delete(office, name).startswith(b"+OK"), "the ballast makes room for it"
        noises.add(taken_back(office))
        disk.fill()
    assert len(noises) > 1, "it was given up, and made anew"

    first = office.json("mail", "list", "ani@kantor.example")[0]["id"]
    office.run("mail", "remove", "ani@kantor.example", first)
    assert asked(office) == DEFERRED
    told = office.command("check")
    assert told.returncode == 1 and b"mail is deferred" in told.stdout, told.stdout
    office.restart()  # stops and starts without an octet, too
    disk.fill()
    assert subjects(office) == ["ani 2", "ani 3"]
    assert delete(office, "ani").startswith(b"+OK")
    assert asked(office) == DEFERRED

    disk.clear()
    assert asked(office) == TAKEN
    deliver(office, letter("after"), b"citra@kantor.example")
    assert subjects(office, "citra") == ["citra 1", "citra 2", "citra 3", "after"]
    assert subjects(office, "ani") == ["ani 3"] and subjects(office, "budi") == ["budi 1", "budi 2", "budi 3"]
    office.wait_log("disk-has-room")
    whole(office)
    office.run("check")


@mounting
def test_it_starts_and_stops_without_an_octet_and_the_tools_say_why_not(office, place, kind):
    disk = place(kind, 64 * MB)
    office.allow("commit-failed|housekeeping-failed|checkpoint-failed|has gone|no-writer")
    office.set("store", "reserve", "16M")
    office.start()
    deliver(office, letter("first"))
    whole(office)
    disk.fill()
    office.kill()
    disk.fill()
    office.start()
    assert subjects(office) == ["first"]
    office.stop()
    disk.fill()
    office.run("mail", "remove", "ani@kantor.example", office.json("mail", "list", "ani@kantor.example")[0]["id"])
    disk.fill()
    os.truncate(office.data / "ballast", 0)
    wait_until(lambda: disk.fill() == 0, "neither ballast nor room")
    for command in ["mail list ani@kantor.example", "user add dewi@kantor.example --generate", "status"]:
        told = office.command(*command.split())
        assert told.returncode == 1, told.stdout
        assert re.search(rb"disk of .* is full: delete what is not mail", told.stderr), told.stderr
    status, told = office.fails_to_start()
    assert status == 1 and re.search("disk of .* is full: delete what is not mail", told), told
    disk.clear()
    office.start()
    deliver(office, letter("second"))
    assert subjects(office) == ["second"]


# ---- what gives way


@mounting
def test_kept_deletions_give_way_the_oldest_first(office, place, kind, reserve):
    disk = place(kind, 128 * MB)
    office.allow("commit-failed|housekeeping-failed|checkpoint-failed")
    office.set("store", "reserve", reserve)
    office.start()
    whole(office)
    for n in range(40):
        deliver(office, letter(str(n), MB))
    deliver(office, letter("stays"))
    watching = Pop3(office, "ani")  # lists them all
    for _ in range(4):
        session = Pop3(office, "ani")
        for n in range(1, 11):
            session.ok(b"DELE %d" % n)
        session.ok(b"QUIT")
        session.wire.close()
    all_kept = kept(office)
    assert len(all_kept) == 40

    disk.fill(leave=6 * MB)
    assert asked(office) == TAKEN, "there is what can give way"
    deliver(office, letter("in time"))
    left = kept(office)
    assert 0 < len(left) < 40 and left == all_kept[-len(left):], "the oldest, and no more than had to"
    assert b"[SYS/TEMP] this message has been removed" in watching.err(b"RETR 1")
    assert watching.block(b"RETR 41")[-1] == letter("stays").split(b"\r\n")[-2], "and the session goes on"
    watching.leave()

    taken_back(office)
    disk.fill()
    deliver(office, letter("at the last octet"))
    left, before = kept(office), left
    assert len(left) < len(before) and left == before[len(before) - len(left):]

    # What would not be enough is not lost for nothing.
    while asked(office) == TAKEN:
        deliver(office, letter("one more"))
        taken_back(office)
        disk.fill()
    disk.clear()
    deliver(office, letter("too small", MB))
    session = Pop3(office, "ani")
    session.ok(b"DELE %d" % int(session.ok(b"STAT").split()[1]))
    session.ok(b"QUIT")
    session.wire.close()
    whole(office)
    left = kept(office)
    disk.fill()
    assert asked(office) == DEFERRED and left and kept(office) == left
    disk.clear()
    deliver(office, letter("after"))
    assert kept(office) == left
    there = subjects(office)
    assert there[:3] == ["stays", "in time", "at the last octet"] and there[-1] == "after"
    office.run("check")


@mounting
def test_without_an_inode_mail_goes_on(office, place):
    disk = place(Tmpfs, 64 * MB, inodes=200)
    office.set("store", "reserve", "8M")
    office.start()
    whole(office)
    made = []
    try:
        while True:
            made.append(disk.place / f"hog-{len(made)}")
            made[-1].touch()
    except OSError:
        made.pop()
    deliver(office, letter("first", MB))
    assert subjects(office) == ["first"]
    assert delete(office, "ani").startswith(b"+OK")
    office.stop()
    for path in made:
        path.unlink()
    office.start()
    assert taken(office) == []


# ---- under load


def is_deferred(office):
    """At RCPT, or, where something might have given way and could not, at the end."""
    session = Smtp(office)
    answered(session.ask(b"MAIL FROM:<pak@luar.example>"), "250")
    code = session.ask(b"RCPT TO:<%s>" % BUDI).code
    if code == 250:
        code = session.data(b"Subject: is there room?\r\n\r\n.\r\n").code
    session.leave()
    return code == 452


def worker(work, stop, complaints):
    while not stop.is_set():
        try:
            work()
        except (OSError, WireError):
            continue
        except AssertionError as complaint:
            if not re.search(r"\[SYS/TEMP\]|\b4[25]\d\b", str(complaint)):
                complaints.append(complaint)


@mounting
def test_nothing_acknowledged_is_lost_while_the_disk_fills_and_empties(office, place, kind, full):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    disk = place(kind, 96 * MB)
    office.allow("commit-failed|housekeeping-failed|checkpoint-failed|delete-failed|no-ballast")
    office.set("store", "reserve", "8M")
    office.start()
    sent, accepted, wanted, deleted, lock = {}, set(), set(), set(), threading.Lock()

    def sending(chance):
        with lock:
            number = len(sent) + 1
            sent[number] = letter(str(number), chance.choice([100, 3000, 3000, 60_000, 300_000]))
        deliver(office, sent[number])
        accepted.add(number)

    def fetching(chance):
        session = Pop3(office, "ani")
        count = int(session.ok(b"STAT").split()[1])
        doomed = set()
        for n in range(1, min(count, 8) + 1):
            octets = b"\r\n".join(session.block(b"RETR %d" % n)) + b"\r\n"
            number = int(re.search(rb"^Subject: (\d+)\r$", octets, re.M)[1])
            assert number not in deleted, f"{number} was deleted, and is back"
            assert without_trace(octets) == sent[number], f"{number} has changed"
            if chance.random() < 0.7:
                session.ok(b"DELE %d" % n)
                doomed.add(number)
        wanted.update(doomed)
        if session.ask(b"QUIT").startswith(b"+OK"):
            deleted.update(doomed)
        session.wire.close()

    stop, complaints, threads = threading.Event(), [], []
    for n, work in enumerate([sending] * 3 + [fetching]):
        chance = random.Random(seed + n)
        threads.append(threading.Thread(
            target=worker, args=(lambda work=work, chance=chance: work(chance), stop, complaints)))
    for thread in threads:
        thread.start()
    chance, rounds, deferred = random.Random(seed), 60 if full else 3, 0
    try:
        for _ in range(rounds):
            done = len(accepted)
            wait_until(lambda: len(accepted) > done + 5, "mail taken")
            disk.fill(leave=chance.choice([0, 0, 2 * MB, 12 * MB]))
            wait_until(lambda: disk.fill() < 12 * MB and is_deferred(office), "mail deferred")
            deferred += 1
            disk.clear()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not complaints, complaints[0]
    office.restart()
    there = set(map(int, subjects(office)))
    print(f"{deferred} times full, {len(sent)} sent, {len(accepted)} accepted, {len(deleted)} deleted, {len(there)} there")
    assert not accepted - wanted - there, "acknowledged and lost"
    assert not deleted & there, "deleted and back"
    assert len(accepted) > rounds and deleted
    office.run("check")
