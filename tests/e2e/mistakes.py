"""What `check` explains: how a mistake is written down (a row of TABLE, made by the files
mistakes_of_*.py), and what several of them are made with. What only some boxes can be made to
suffer (a file system in memory, a plain user's rights) says so by `needs`."""

import os
import socket
import sqlite3
from collections import namedtuple
from pathlib import Path

from office import asan

AS_ROOT = os.geteuid() == 0
SHIM = Path(__file__).resolve().parents[2] / "build/tests/shims/disguise.so"
CLOCK = SHIM.with_name("clock.so")
DAY = 86400

# What a box may be warned of that has nothing to do with the office.
OF_THE_BOX = ("the clock is set by nobody", "lies in memory (tmpfs)", "are left on the disk", "built without its seal",
              "megabytes of memory", "lies on FUSE")

Mistake = namedtuple("Mistake", "make words warns needs", defaults=(False, True))
TABLE = {}


def mistake(*words, warns=False, needs=True):
    """Registers what makes a mistake; `words` are in one line that check says, in this order."""
    def register(make):
        assert make.__name__ not in TABLE
        TABLE[make.__name__] = Mistake(make, words, warns, needs)
        return make
    return register


def has_in_order(line, words):
    at = 0
    for word in words:
        at = line.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True


def free_port():
    with socket.create_server(("", 0)) as sock:
        return sock.getsockname()[1]


def at_time(office, seconds):
    """From now on the clock is wrong by so many."""
    offset = office.dir / "offset"
    offset.write_bytes(seconds.to_bytes(8, "little", signed=True))
    offset.chmod(0o644)
    office.environment = {"LD_PRELOAD": str(CLOCK), "CLOCK_OFFSET": str(offset), **asan(office)}


def change_store(office, *statements):
    """As a hand that knows SQL, and bypasses all that would keep it from this."""
    with sqlite3.connect(office.data / "store.db") as store:
        store.execute("PRAGMA foreign_keys = off")
        store.create_function("octets_checksum", 1, lambda octets: 0)
        for statement in statements:
            store.execute(statement)
    store.close()
    for path in office.data.glob("store.db*"):
        office.give_to_account(path)
