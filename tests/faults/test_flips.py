"""Bits that flip in the store: never wrong octets, never a server that does not
serve, and nothing that `check` does not find or mail does not feel."""

import random
import re
import sqlite3

import pytest

from hostile import Pop3, Smtp
from letters import without_trace
from office import PASSWORDS, wait_until
from wire import WireError

PAGE = 4096
USERS = ["ani", "budi", "citra"]
KNOWN = ("message-damaged|retrieve-failed|login-failed|housekeeping-failed|stuck-clients-unknown"
         "|checkpoint-failed|commit-failed|store-not-opened|delete-failed|no-transaction|no-writer|has gone")

# What has no checksum and is in no index: the octets that a client gets do not depend on it.
UNCHECKED = {
    "users": {"hash", "quota", "created", "last_login", "enabled"},
    "bodies": {"arrived", "queue_id", "sender", "peer", "header_from", "message_id"},
    "entries": {"received"},
    "folders": {"public"},
    "meta": {"name", "value"},
    "events": {"id", "at", "kind", "user_id", "entry_id", "detail"},
    "aliases": {"alias", "target"},
}


def letter(name, n, size):
    return b"Subject: %s %d\r\n\r\n" % (name.encode(), n) + b"".join(
        b"%s.%d.%d\r\n" % (name.encode(), n, line) for line in range(size // 14))


def dump(path):
    """Every value of every table, by table, row and column, read from a store that
    has no log; None where SQLite cannot read it through."""
    rows = {}
    store = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    store.text_factory = bytes
    try:
        for (table, ) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            table = table.decode()
            columns = [row[1].decode() for row in store.execute(f"PRAGMA table_info({table})")]
            for number, row in enumerate(store.execute(f"SELECT * FROM {table} NOT INDEXED")):
                rows.update({(table, number, column): value for column, value in zip(columns, row)})
        return rows
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    finally:
        store.close()


class House:
    """An office with mail for three, some of it deleted and kept, and what everybody
    has to get."""
    def __init__(self, office):
        self.office, self.letters = office, {}
        office.allow(KNOWN)
        office.start()
        for name in USERS:
            for n in range(8):
                office.deliver(letter(name, n, [300, 2000, 20_000, 700_000][n % 4]), f"{name}@kantor.example")
        for name in USERS:
            session = Pop3(office, name)
            session.ok(b"DELE 2")
            session.ok(b"QUIT")
            session.wire.close()
            session = Pop3(office, name)
            for number, uidl in (line.split() for line in session.block(b"UIDL")):
                self.letters[name, uidl] = b"\r\n".join(session.block(b"RETR " + number)) + b"\r\n"
            session.leave()
        office.stop()
        self.store = office.data / "store.db"
        self.pristine = self.store.read_bytes()
        self.rows = dump(self.store)

    def put(self, octets):
        for name in ["store.db-wal", "store.db-shm"]:
            (self.office.data / name).unlink(missing_ok=True)
        with open(self.store, "r+b") as store:
            store.write(octets)
            store.truncate()

    def find(self, name, big):
        return next((uidl, stored) for (whose, uidl), stored in self.letters.items()
                    if whose == name and (len(stored) > 500_000) == big)

    def starts(self):
        """Whether it serves; else it has said why not."""
        office, seen = self.office, len(self.office.lines)
        office.spawn()
        wait_until(lambda: any("officemail: ready" in line for line in office.lines[seen:])
                   or office.process.poll() is not None, "ready, or its end")
        if office.process.poll() is None:
            return True
        office.ended()
        said = "\n".join(office.lines[seen:])
        assert re.search("damaged|not a database|malformed|newer", said), said
        return False

    def read_all(self, but=()):
        """Whatever is given out is right; returns what was not given."""
        missing = set(self.letters)
        for name in USERS:
            try:
                missing -= self.read(name, but)
            except WireError:
                pass  # an end in place of an answer says that something is wrong, too
        return missing

    def read(self, name, but=()):
        """What this user gets; `but`: letters of which more than these may be there."""
        own = {stored: uidl for (whose, uidl), stored in self.letters.items() if whose == name}
        session, got = Pop3(self.office), set()
        if not session.login(f"{name}@kantor.example", PASSWORDS[name]).startswith(b"+OK"):
            return got
        for n in range(1, int(session.ok(b"STAT").split()[1]) + 1):
            size, uidl = (int(session.ok(b"LIST %d" % n).split()[2]), session.ok(b"UIDL %d" % n).split()[2])
            told = session.ask(b"TOP %d 1" % n)
            if told.startswith(b"+OK"):
                top = b"\r\n".join(session.wire.block())
                assert any(stored.startswith(top) for stored in own) or but, f"TOP of no letter: {top[:200]!r}"
            told = session.ask(b"RETR %d" % n)
            if not told.startswith(b"+OK"):
                assert told.startswith(b"-ERR [SYS/"), told
                continue
            stored = b"\r\n".join(session.wire.block()) + b"\r\n"
            if without_trace(stored) in but:
                continue
            assert stored in own and len(stored) == size, f"no letter of {name}: {stored[:300]!r}"
            got.add((name, own[stored]))
            assert self.letters.get((name, uidl), stored) == stored, "another letter under this UIDL"
        session.leave()
        return got


@pytest.fixture
def house(office):
    return House(office)


def flipped(octets, *bits):
    octets = bytearray(octets)
    for bit in bits:
        octets[bit // 8] ^= 1 << bit % 8
    return bytes(octets)


# ---- one message


@pytest.mark.parametrize("where", ["body", "prefix", "later piece"])
def test_a_damaged_message_is_refused_and_told_once(house, where):
    office = house.office
    uidl, stored = house.find("ani", big=where == "later piece")
    mark = {"body": without_trace(stored)[:40],
            "prefix": re.search(rb"id (\S{12})", stored)[1],
            "later piece": stored[400_000:400_040]}[where]
    places = [match.start() for match in re.finditer(re.escape(mark), house.pristine)]
    house.put(flipped(house.pristine, *(place * 8 + 1 for place in places)))
    office.start()
    for _ in range(3):
        session = Pop3(office, "ani")
        number = next(n for n, one in (line.split() for line in session.block(b"UIDL")) if one == uidl)
        for _ in range(2):
            assert session.ask(b"RETR " + number).startswith(b"-ERR [SYS/PERM]")
        assert session.ask(b"TOP %s 0" % number).startswith(b"-ERR [SYS/PERM]"), "known by now"
        session.leave()
        assert house.read_all() == {("ani", uidl)}, "the others are served"
    told = [line for line in office.lines if "damaged" in line]
    assert len(told) == 1 and "user=ani@kantor.example message=" in told[0], told
    entry = re.search(r"message=(\d+)", told[0])[1]
    check = office.command("check")
    assert check.returncode == 1
    assert f"ani@kantor.example, folder Inbox, message {entry}: ".encode() in check.stdout, check.stdout
    office.run("mail", "remove", "ani@kantor.example", entry)  # as that sentence says
    assert Pop3(office, "ani").ok(b"STAT").split()[1] == b"6"


@pytest.mark.parametrize("where", ["index", "row", "both"])
def test_a_damaged_uidl_is_never_told(house, where):
    """It stands in the row and in the index that the list is read from."""
    office = house.office
    uidl, _ = house.find("ani", big=False)
    places = [match.start() for match in re.finditer(re.escape(uidl), house.pristine)]
    kinds = {"index": (2, 10), "row": (5, 13), "both": (2, 5, 10, 13)}[where]  # of pages (SQLite's file format, 1.6)
    hit = [place for place in places if house.pristine[place // PAGE * PAGE] in kinds]
    store = sqlite3.connect(f"file:{house.store}?immutable=1", uri=True)
    entry, = store.execute("SELECT id FROM entries WHERE uidl = ?", (uidl.decode(), )).fetchone()
    store.close()
    house.put(flipped(house.pristine, *(place * 8 + 7 for place in hit)))
    office.start()
    assert office.command("check").returncode == 1
    if where != "both":
        assert house.read_all() == set()
        return
    for _ in range(2):
        assert Pop3(office).login("ani@kantor.example", PASSWORDS["ani"]).startswith(b"-ERR [SYS/PERM]")
    [told] = [line for line in office.lines if "login-failed" in line]
    assert f"message {entry} has a damaged UIDL: restore it from a backup, or remove it" in told
    said = office.command("check").stdout.decode()
    assert f"ani@kantor.example, folder Inbox, message {entry}: its UIDL is damaged" in said
    office.run("mail", "remove", "ani@kantor.example", str(entry))
    assert house.read_all() == {("ani", uidl)}


def test_a_message_that_is_partly_out_ends_the_connection(house):
    """Of TOP no more than the first piece is read before the answer."""
    uidl, stored = house.find("ani", big=True)
    house.put(flipped(house.pristine, house.pristine.index(stored[400_000:400_040]) * 8 + 1))
    house.office.start()
    session = Pop3(house.office, "ani")
    number = next(n for n, one in (line.split() for line in session.block(b"UIDL")) if one == uidl)
    session.ok(b"TOP %s 100000" % number)
    rest = session.wire.rest()
    assert session.wire.ended and not rest.endswith(b"\r\n.\r\n") and stored.startswith(rest)


# ---- anywhere


def places(octets, chance):
    """Bits without end: anywhere, and again and again in what leads to the rest: pages of
    tables and indexes, their heads, the head of the file and the schema."""
    trees = [page * PAGE for page in range(1, len(octets) // PAGE) if octets[page * PAGE] in (2, 5, 10, 13)]
    while True:
        where = chance.randrange(4)
        if where == 0:
            yield chance.randrange(len(octets) * 8)
        elif where == 1:
            yield chance.choice(trees) * 8 + chance.randrange(PAGE * 8)
        elif where == 2:
            yield chance.choice(trees) * 8 + chance.randrange(48 * 8)
        else:
            yield chance.randrange(3 * PAGE * 8)


def try_flip(house, bit):
    """Returns in a few words what it was."""
    office = house.office
    house.put(flipped(house.pristine, bit))
    now = dump(house.store)
    seen, served = len(office.lines), house.starts()
    check = office.command("check")
    assert check.returncode in (0, 1), f"check ended with {check.returncode}: {check.stderr}"
    if not served:
        assert check.returncode == 1
        return "refused to start"
    missing = house.read_all()
    session = Smtp(office)
    session.ask(b"MAIL FROM:<pak@luar.example>")
    code = session.ask(b"RCPT TO:<budi@kantor.example>").code
    new = letter("new", bit, 300)
    if code == 250:
        code = session.data(new + b".\r\n").code
    assert code in (250, 451, 452, 550, 421), code
    session.wire.close()
    assert missing >= house.read_all(but=[new]) or check.returncode, "as before"
    assert not [line for line in office.lines[seen:] if "died" in line], "every role and session lives"
    office.stop()
    if check.returncode:
        return "found by check, letters refused" if missing else "found by check"
    assert not missing, f"{missing} not given, and check found nothing"
    assert now is not None, "SQLite cannot read it, and check found nothing"
    differ = {(key[0], key[2]) for key in now.keys() | house.rows.keys() if now.get(key) != house.rows.get(key)}
    beyond = {(table, column) for table, column in differ if column not in UNCHECKED.get(table, ())}
    assert not beyond, f"{beyond} differ, and check found nothing"
    return "in a value without a checksum" if differ else "in unused space"


def test_flips_anywhere(house, full):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    tally = {}
    for bit, _ in zip(places(house.pristine, random.Random(seed)), range(300 if full else 10)):
        print(f"bit {bit}: page {bit // 8 // PAGE + 1}, octet {bit // 8 % PAGE}", end=": ")
        what = try_flip(house, bit)
        print(what)
        tally[what] = tally.get(what, 0) + 1
    print("; ".join(f"{count} {what}" for what, count in sorted(tally.items())))


# ---- the log


def test_flips_in_the_log(house, full):
    """SQLite compares its sums only when it is opened anew; while the server runs, ours
    are what stands between them and a client."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    office, chance = house.office, random.Random(seed)
    for n in range(60 if full else 3):
        house.put(house.pristine)
        office.start()
        reader = sqlite3.connect(f"file:{house.store}?mode=ro", uri=True)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entries").fetchone()  # while it reads, the log stays
        new = letter("ani", 100 + n, 3000)
        office.deliver(new, "ani@kantor.example")
        log = office.data / "store.db-wal"
        octets = log.read_bytes()
        with open(log, "r+b") as file:
            file.write(flipped(octets, *(chance.randrange(32 * 8, len(octets) * 8) for _ in range(3))))
        house.read_all(but=[new])
        reader.close()
        office.kill()
        if house.starts():
            house.read_all(but=[new])
            office.stop()
