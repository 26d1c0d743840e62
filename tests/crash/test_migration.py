"""An old store comes forward, killed at each of its writes and syncs, and with
the power cut there: it is as it was or as it should be, never between, and the
copy made of it before is whole or absent."""

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from ledger import number_of
from letters import stored_form, without_trace
from office import HASHES
from power import Recorder, cut
from power_load import fetch, letter, serving

MIGRATE = Path("build/tests/crash/migrate").resolve()
VERSION = int(re.search(r"STORE_SCHEMA_VERSION (\d+)", Path("store/store.h").read_text())[1])
OLD_STORES = sorted(Path(__file__).parent.glob("store-version-*.sql"))
COUNTED = "wtcdlrub"  # what RECORDER_DIE counts


def content(path):
    """Everything in a database, as text; it must be sound."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok", )]
        return [database.execute("PRAGMA user_version").fetchone(), *database.iterdump()]


class Old:
    """A store with a few letters, as it was and as it should be; ours, whoever we are."""
    def __init__(self, office):
        assert MIGRATE.exists(), "make shims"
        office.start()
        for n, size in enumerate([10, 3000, 40_000]):
            office.deliver(letter(n, size), "semua@kantor.example")
        office.fetch("budi", delete=True)
        office.stop()
        self.root, self.template = (office.dir.with_suffix(end) for end in (".migration", ".old"))
        self.data = self.root / "data"
        self.template.mkdir(mode=0o700)
        shutil.copyfile(office.data / "store.db", self.template / "store.db")
        (self.template / "store.db").chmod(0o600)
        self.before = content(self.template / "store.db")
        self.again()

    def again(self):
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(mode=0o700)
        shutil.copytree(self.template, self.data)

    def migrate(self, **environment):
        return subprocess.run([MIGRATE, self.data], env={**os.environ, **environment}, capture_output=True, timeout=60)

    def record(self):
        """The whole of it, undisturbed."""
        recorder = Recorder(self.root, self.root.with_suffix(".recording"))
        assert self.migrate(**recorder.environment()).returncode == 0
        recorder.mark(done=True)
        recorder.end()
        self.after = content(self.data / "store.db")
        assert self.before[0] == (VERSION, ) and self.after[0] == (VERSION + 2, )
        return recorder

    def look(self, done=False):
        """Old or new, and the way forward open."""
        seen = self.root.with_suffix(".seen")  # a look would tidy up
        shutil.rmtree(seen, ignore_errors=True)
        shutil.copytree(self.data, seen)
        now = content(seen / "store.db")
        assert now == self.after or now == self.before and not done, f"neither old nor new: version {now[0]}"
        copy = seen / f"store.db.version-{VERSION}"
        assert not copy.exists() or content(copy) == self.before
        assert copy.exists() or now == self.before, "the old store is gone, and there is no copy"
        result = self.migrate()
        assert result.returncode == 0 or now == self.after and b"newer" in result.stderr, result.stderr
        assert content(self.data / "store.db") == self.after
        assert content(self.data / copy.name) == self.before


@pytest.fixture
def old(office):
    return Old(office)


def test_killed_at_each_write_and_sync_it_is_old_or_new(old, full):
    recorder = old.record()
    changes = [record.kind for record in recorder.records if record.kind in COUNTED]
    syncs = [n for n, kind in enumerate(changes, 1) if kind == "b"]
    others = [n for n, kind in enumerate(changes, 1) if kind != "b"]
    places = syncs + (others if full else others[::len(others) // 20])
    print(f"{len(syncs)} syncs and {len(places) - len(syncs)} of {len(others)} other changes")
    assert len(syncs) > 5
    for n in places:
        old.again()
        assert old.migrate(**recorder.environment(RECORDER_DIE=str(n))).returncode == -9
        old.look()


def test_cut_off_its_power_it_is_old_or_new(old, chance, full):
    recorder = old.record()
    every = range(len(recorder.records) + 1)
    instants = [*every, *every] if full else [every[-1], *chance.sample(every, 50)]
    wrong = cut(recorder, instants, chance, lambda marks: old.look(done=bool(marks)))
    assert not wrong, "\n".join(wrong[:5])


@pytest.mark.parametrize("dump", OLD_STORES, ids=[path.stem for path in OLD_STORES])
def test_a_store_of_every_version_there_was_comes_forward(office, chance, full, dump):
    """Letters 0 to 3 are ani's, number 2 is deleted, from version 2 on one to the outside is
    held, and from version 3 on number 1 is hidden from one device of two; in the server, with
    the power cut."""
    version = int(dump.stem.split("-")[-1])
    for path in office.data.glob("store.db*"):
        path.unlink()
    with closing(sqlite3.connect(office.data / "store.db")) as database:
        database.executescript(f"PRAGMA auto_vacuum = incremental; PRAGMA journal_mode = wal; {dump.read_text()}"
                               f"PRAGMA user_version = {version};")
    office.give_to_account(office.data / "store.db")
    (office.data / "store.db").chmod(0o600)
    recorder = Recorder(office.dir, office.workshop.root / "recording")
    with recorder.over(office), serving(office):
        pass

    def look(_):
        with serving(office):
            letters = [octets for _, octets in fetch(office, "ani")]
            views = {name: [number_of(octets) for _, octets in fetch(office, "ani", f"rahasia-{name}")]
                     for name in ("hp", "pc") if version >= 3}
        assert [number_of(octets) for octets in letters] == [0, 1, 3]
        for octets in letters:
            assert without_trace(octets) == stored_form(letter(number_of(octets), 1000))
        waiting = [(row["recipient"], row["next_try"]) for row in office.json("queue", "list")]
        assert waiting == ([] if version == 1 else [("bu@luar.example", None)])
        assert views == ({} if version < 3 else {"hp": [0, 3], "pc": [0, 1, 3]})
        office.run("check")

    every = range(len(recorder.records) + 1)
    wrong = cut(recorder, [every[-1], *chance.choices(every, k=100 if full else 10)], chance, look)
    assert not wrong, "\n".join(wrong[:5])
