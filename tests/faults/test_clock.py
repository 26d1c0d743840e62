"""The wall clock jumps by years, both ways, while the server runs (tests/shims/clock.c);
the monotonic one goes on as it does."""

import sqlite3
import struct
from pathlib import Path

import pytest

from hostile import ANI, BUDI, Pop3, Smtp, answered, deliver, take

SHIM = Path(__file__).resolve().parents[2] / "build" / "tests" / "shims" / "clock.so"
YEAR = 365 * 24 * 3600
JUMPS = {"ahead": 10 * YEAR, "back": -20 * YEAR}


class Clock:
    def __init__(self, office):
        assert SHIM.exists(), f"{SHIM} is not there: make shims"
        self.path = office.dir / "clock"
        self.path.write_bytes(struct.pack("q", 0))
        self.path.chmod(0o644)
        office.environment.update(LD_PRELOAD=str(SHIM), CLOCK_OFFSET=str(self.path))

    def jump(self, seconds):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("q", seconds))


@pytest.fixture
def clock(office):
    return Clock(office)


def kept(office, name="ani"):
    return [row["id"] for row in office.json("mail", "list", f"{name}@kantor.example", "--deleted")]


def delete_one(office, name="ani"):
    session = Pop3(office, name)
    session.ok(b"DELE 1")
    session.ok(b"QUIT")
    session.wire.close()


def test_the_shim_is_believed(office, clock):
    """Else none of this proves anything: what is filed bears the year it tells."""
    office.start()
    clock.jump(JUMPS["ahead"])
    deliver(office, b"Subject: later\r\n\r\n")
    year = int(office.json("mail", "list", "ani@kantor.example")[0]["received"][:4])
    clock.jump(JUMPS["back"])
    deliver(office, b"Subject: earlier\r\n\r\n")
    assert year - int(office.json("mail", "list", "ani@kantor.example")[1]["received"][:4]) in (29, 30, 31)


@pytest.mark.parametrize("where", JUMPS)
def test_sessions_stay_and_what_they_do_is_done(office, clock, where):
    office.set("limits", "auth_failures", "3")
    office.start()
    for n in range(3):
        deliver(office, b"Subject: %d\r\n\r\n" % n)
    greeted, filling = Pop3(office), Smtp(office)
    reading, resetting = Pop3(office, "ani"), Pop3(office, "ani")
    filling.begin(ANI)
    reading.ok(b"DELE 1")
    guesses = [Pop3(office).login("budi@kantor.example", f"wrong {n}") for n in range(3)]
    assert all(b"[AUTH]" in told for told in guesses)

    clock.jump(JUMPS[where])
    assert b"[SYS/TEMP]" in Pop3(office).login("budi@kantor.example", "one more"), "guesses are counted on"
    assert len(reading.block(b"RETR 2")) > 3
    reading.ok(b"QUIT")
    assert greeted.login("ani@kantor.example", "rahasia-ani").startswith(b"+OK")
    assert greeted.ok(b"STAT").split()[1] == b"2", "what was deleted across the jump is deleted"
    greeted.leave()
    answered(filling.data(b"Subject: across\r\n\r\n.\r\n"), "250")
    filling.leave()
    clock.jump(0)
    resetting.in_step()
    resetting.ok(b"DELE 2")
    resetting.ok(b"QUIT")
    assert len(take(office)) == 2


@pytest.mark.parametrize("where", JUMPS)
@pytest.mark.parametrize("restarted", [False, True])
def test_nothing_is_purged_early(office, clock, where, restarted):
    office.set("store", "keep_deleted", "1h")
    office.start()
    for n in range(4):
        deliver(office, b"Subject: %d\r\n\r\n" % n)
        deliver(office, b"Subject: %d\r\n\r\n" % n, BUDI)
    delete_one(office)
    office.run("user", "remove", "citra@kantor.example", "--yes")
    office.restart()  # housekeeping at once: the hour is noted
    happened = rows_of(office, "SELECT count(*) FROM events")[0][0]
    assert happened
    before = kept(office)
    assert len(before) == 1

    clock.jump(JUMPS[where])
    if restarted:
        office.restart()
    delete_one(office)
    office.run("mail", "remove", "ani@kantor.example", office.json("mail", "list", "ani@kantor.example")[0]["id"])
    office.run("user", "remove", "budi@kantor.example", "--yes")
    office.restart()
    assert len(kept(office)) == 3, "deleted before and behind the jump, and kept"
    clock.jump(0)
    office.restart()
    deliver(office, b"Subject: back in time\r\n\r\n")
    assert len(kept(office)) == 3
    assert len(take(office)) == 2
    office.restart()
    assert len(kept(office)) == 5
    rows = rows_of(office, "SELECT count(*) FROM users WHERE removed IS NOT NULL")
    assert rows == [(2, )], "removed users may still come back"
    assert rows_of(office, "SELECT count(*) FROM events")[0][0] > happened, "what happened is still known"
    office.run("check")


def rows_of(office, sql):
    store = sqlite3.connect(f"file:{office.data}/store.db?mode=ro", uri=True)
    try:
        return store.execute(sql).fetchall()
    finally:
        store.close()


def log_in_from(office, source):
    wire = office.login("ani", source=source)
    assert wire.command("QUIT").startswith("+OK")
    wire.close()


def test_who_is_known_stays_known(office, clock):
    office.start()
    log_in_from(office, "127.0.0.21")
    office.restart()
    for seconds in JUMPS.values():
        clock.jump(seconds)
        log_in_from(office, "127.0.0.22")
        office.restart()
    clock.jump(0)
    log_in_from(office, "127.0.0.23")
    office.stop()
    known = {row[0].removeprefix("::ffff:") for row in rows_of(office, "SELECT substr(name, 7) FROM meta WHERE name LIKE 'known %'")}
    assert {f"127.0.0.{n}" for n in (21, 22, 23)} <= known


def test_a_certificate_is_renewed_and_shown_whatever_the_year(office, clock):
    office.start()
    for seconds in JUMPS.values():
        clock.jump(seconds)
        session = Pop3(office, "ani", "pop3s")
        session.leave()
    clock.jump(JUMPS["ahead"])
    told = office.command("check")
    assert told.returncode == 1 and b"expired at" in told.stdout
