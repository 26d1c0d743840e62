"""A sync that fails: what was to be synced is not acknowledged, the store is opened
anew, and no power cut behind it takes anything that was acknowledged - although
the kernel forgets what it could not write (tests/shims/forgetting.c)."""

import contextlib
import errno
import os
import random
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from customer import BIG, Customer
from failing import Failing
from office import wait_until

MANY = 8  # letters in one commit
TIMES = 5  # a fault that goes on: so many letters and deletions are refused
MUCH = 5_000_000  # octets: after so many more the log is moved to the file
SHIMS = {"forgets all": {}, "forgets half": {"FORGETTING_HALF": "1"}}


class Bench:
    """A running office whose syncs can be made to fail, and the disk under it."""
    def __init__(self, office, workshop):
        self.office, self.workshop = office, workshop
        office.allow("^<3>(commit|checkpoint|housekeeping|delete)-failed")
        seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"seed {seed}")
        self.failing = Failing(office)
        self.customer = Customer(office, random.Random(seed))
        self.store, self.log = office.data / "store.db", office.data / "store.db-wal"
        self.disk = office.dir / "disk"

    def forget(self, environment):
        """Lays a disk under the store that forgets what could not be synced."""
        self.disk.mkdir(mode=0o700)
        shutil.copy(self.store, self.disk)
        self.office.give_to_account(self.disk)
        self.office.give_to_account(self.disk / "store.db")
        shim = Path(self.failing.environment["LD_PRELOAD"]).with_name("forgetting.so")
        self.office.environment.update(environment, FORGETTING_DIR=str(self.disk),
                                       LD_PRELOAD=f"{shim}:{self.failing.environment['LD_PRELOAD']}")

    def act(self, action, *arguments):
        assert self.customer.act(action, *arguments), f"not served: {action} {arguments}"

    def refused(self, action, *arguments):
        seen = self.failing.failed
        assert not self.customer.act(action, *arguments), f"acknowledged without a sync: {action} {arguments}"
        assert self.failing.failed > seen, f"refused, and no sync has failed: {action} {arguments}"

    def cut_power(self):
        """What a server finds that starts behind it holds everything acknowledged."""
        place = self.workshop.office()
        try:
            for name in ("store.db", "store.db-wal", "store.db-shm"):
                (place.data / name).unlink(missing_ok=True)
                if (self.disk / name).exists():
                    shutil.copy(self.disk / name, place.data)
                    place.give_to_account(place.data / name)
            place.run("check")
            place.start()
            behind = Customer(place, self.customer.chance)
            for kept in ("sent", "taken", "asked", "deleted"):
                setattr(behind, kept, type(getattr(behind, kept))(getattr(self.customer, kept)))
            behind.verify()
            place.stop()
        finally:
            place.close()


@pytest.fixture
def bench(office, workshop):
    return Bench(office, workshop)


def descriptors(pid, path):
    """Those a process has of a file; None where only root may look."""
    if os.geteuid() != 0:
        return None
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(f"/proc/{pid}/fd/{fd}") == str(path):
                found.add(int(fd))
    return found


def test_a_commit_that_is_not_synced_is_not_acknowledged_and_the_store_is_opened_anew(bench):
    bench.office.start()
    writer = bench.office.named("writer")[0]
    bench.act(bench.customer.send, "smtp", 300, 3000)
    log = bench.log.stat().st_ino
    before = descriptors(writer, bench.store)
    for error in (errno.EIO, errno.ENOSPC, errno.EIO):
        bench.failing.arm("fdatasync", 1, error, file=bench.log)
        bench.refused(bench.customer.send, "smtp", 3000)
        bench.failing.disarm()
        bench.office.wait_log("commit-failed")
        bench.act(bench.customer.fetch, "pop3")
        bench.act(bench.customer.send, "lmtp", BIG)
    # One that SQLite cannot close yet, since it would drop its locks, it uses the next time.
    after = descriptors(writer, bench.store)
    assert before is None or after - before and len(after) <= len(before) + 1, f"{before}, {after}"
    assert bench.log.stat().st_ino == log, "the log went with the last connection"
    assert bench.office.named("writer") == [writer]
    bench.customer.verify()


def test_a_commit_of_many_that_is_not_synced_is_acknowledged_to_none(bench):
    """They ride in one transaction: while the writer is stopped, all of them hand it their letters."""
    customer, failing = bench.customer, bench.failing
    bench.office.start()
    writer = bench.office.named("writer")[0]
    bench.act(customer.send, "smtp", 300)
    sessions = [customer.open_letter("smtp", 3000) for _ in range(MANY)]
    os.kill(writer, signal.SIGSTOP)
    asked = failing.made("sendmsg")
    for session in sessions:
        session.send(b".\r\n")
    wait_until(lambda: failing.made("sendmsg") >= asked + MANY, "every session has asked the writer")
    failing.arm("fdatasync", 1, errno.EIO, file=bench.log)
    os.kill(writer, signal.SIGCONT)
    codes = [session.read().code for session in sessions]
    assert codes == [451] * MANY and failing.failed == 1, f"{codes}, {failing.failed} syncs failed"
    failing.disarm()
    bench.act(customer.send, "smtp", 300)
    customer.verify()


def test_a_store_that_cannot_be_opened_anew_is_opened_when_it_can(bench):
    """The sync fails, and then every open() for a while."""
    customer, failing = bench.customer, bench.failing
    bench.office.allow("^<3>no-transaction")
    bench.office.start()
    writer = bench.office.named("writer")[0]
    bench.act(customer.send, "smtp", 300)
    sessions = [customer.open_letter("smtp", 3000) for _ in range(3)]
    log = bench.log.stat().st_ino
    failing.arm(["fdatasync", "open"], 1, errno.EIO, for_ever=True, kinds=["writer"])
    for session in sessions:
        session.send(b".\r\n")
        assert session.read().code == 451
    assert failing.failed > 3 and bench.log.stat().st_ino == log
    failing.disarm()
    print(f"service back after {customer.wait_for_service():.2f} s")
    customer.verify()
    assert bench.office.named("writer") == [writer]


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_as_long_as_syncs_fail_nothing_is_taken_and_then_all_is_again(bench, error):
    customer = bench.customer
    bench.office.start()
    bench.act(customer.send, "smtp", 300, 3000, 300)
    bench.failing.arm("fdatasync", 1, error, for_ever=True, file=bench.log)
    for _ in range(TIMES):
        bench.refused(customer.send, "smtp", 3000)
        bench.refused(customer.send, "lmtp", BIG)
        bench.refused(customer.fetch, "pop3")  # and nothing is deleted
    assert not customer.deleted
    lines = sum("commit-failed" in line for line in bench.office.lines)
    assert lines <= bench.failing.failed
    bench.failing.disarm()
    print(f"{bench.failing.failed} syncs failed, service back after {customer.wait_for_service():.2f} s")
    customer.verify()


@pytest.mark.parametrize("forgets", SHIMS)
def test_behind_commits_that_were_not_synced_no_power_cut_takes_what_was_acknowledged(bench, full, forgets):
    customer = bench.customer
    bench.forget(SHIMS[forgets])
    bench.office.start()
    bench.act(customer.send, "smtp", 300, 3000)
    for round_ in range(20 if full else 2):
        bench.failing.arm("fdatasync", customer.chance.randint(1, 3), errno.EIO, file=bench.log)
        while not bench.failing.failed:
            customer.act(customer.send, "smtp", customer.chance.choice([300, 3000, 20000]))
            customer.act(customer.send, "lmtp", BIG)
        bench.failing.disarm()
        bench.cut_power()
        bench.act(customer.send, "smtp", 300)  # over what the failed one has left in the log
        bench.act(customer.fetch, "pop3")
        bench.cut_power()
    customer.verify()


@pytest.mark.parametrize("forgets", SHIMS)
@pytest.mark.parametrize("reader", [False, True], ids=["alone", "beside a long reader"])
def test_behind_a_store_that_was_not_synced_no_power_cut_takes_what_was_acknowledged(bench, forgets, reader):
    """The log goes to the file in two parts, of which one comes before a failed sync and
    is as forgotten as the other; and then the log begins anew."""
    customer = bench.customer
    bench.forget(SHIMS[forgets])
    bench.office.start()
    bench.act(customer.send, "smtp", *[3000] * 20)
    if reader:
        held = sqlite3.connect(bench.store, isolation_level=None)
        held.execute("BEGIN")
        held.execute("SELECT count(*) FROM entries").fetchone()
        bench.act(customer.send, "smtp", MUCH)
        held.execute("ROLLBACK")
        held.close()
    bench.failing.arm("fdatasync", 1, errno.EIO, file=bench.store)
    bench.act(customer.send, "smtp", MUCH)
    wait_until(lambda: bench.failing.failed, "a sync of the store that fails")
    bench.failing.disarm()
    bench.cut_power()
    bench.act(customer.send, "smtp", MUCH)
    bench.act(customer.send, "smtp", 300)
    bench.act(customer.send, "smtp", 300)
    bench.cut_power()
    customer.verify()
