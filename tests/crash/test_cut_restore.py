"""Restore and backup, killed at each change and sync, and with the power cut there:
what is there afterwards is whole, the old or the new, and doing it again works."""

import os
import signal
import subprocess

import pytest

from letters import letter
from power import Recorder, cut
from test_tools_users import ANI

COUNTED = "wtcdlrub"  # what RECORDER_DIE counts


def everything(office):
    return sorted((mail["uidl"], mail["size"]) for mail in office.mails())


class Restoring:
    """A backup of one message, and a store of two whose log the server's death has left."""

    def __init__(self, office, damaged):
        self.office, self.damaged, self.file = office, damaged, office.dir / "b"
        office.start()
        office.deliver(letter(1))
        office.run("backup", self.file)
        self.after = everything(office)
        office.deliver(letter(2))
        self.before = everything(office)
        office.kill()
        if damaged:
            (office.data / "store.db").write_bytes(b"\0" * 50_000)
        self.yesterday = self.file.read_bytes()
        self.template = office.dir.with_suffix(".old")
        subprocess.run(["cp", "-a", office.dir, self.template], check=True)

    def again(self):
        subprocess.run(["rm", "-rf", self.office.dir], check=True)
        subprocess.run(["cp", "-a", self.template, self.office.dir], check=True)

    def record(self, command):
        recorder = Recorder(self.office.dir, self.office.workshop.root / f"recording-{self.office.dir.name}")
        with recorder.over(self.office):
            self.office.run(command, self.file)
            recorder.mark(done=True)
        return recorder

    def look_at_store(self, marks=()):
        """The one or the other, whole; and the way to the new one open."""
        there = self.office.command("mail", "list", ANI)
        if self.damaged and not marks and there.returncode != 0:
            assert b"damaged" in there.stderr, there.stderr.decode()
        else:
            found = everything(self.office)
            assert found == self.after or found == self.before and not marks, "neither store"
            self.office.run("check")
        self.office.run("restore", self.file)
        assert everything(self.office) == self.after
        kept = [path for path in self.office.data.glob("store.db.replaced-*") if "-wal" not in path.name]
        assert kept, "the old store is gone"

    def look_at_file(self, marks=()):
        """The one of yesterday, or that of today; and the next one can be made."""
        assert not marks or self.file.read_bytes() != self.yesterday
        expected = [self.after] if self.file.read_bytes() == self.yesterday else [self.before]
        assert everything(self.office) == self.before
        self.office.run("backup", self.file.with_name("c"))
        self.office.run("restore", self.file)
        assert everything(self.office) in expected
        self.office.run("backup", self.file)
        assert not self.file.with_name("b.part").exists()


@pytest.fixture(params=["restore", "restore over a store beyond reading", "backup"])
def restoring(request, office):
    if office.sanitized:
        pytest.skip("a sanitizer wants to be loaded before the recorder")
    place = Restoring(office, "beyond" in request.param)
    place.command = request.param.split()[0]
    place.look = place.look_at_file if place.command == "backup" else place.look_at_store
    yield place
    subprocess.run(["rm", "-rf", place.template], check=True)


def test_killed_at_each_change_and_sync_it_is_old_or_new(restoring, chance, full):
    recorder = restoring.record(restoring.command)
    changes = [record.kind for record in recorder.records if record.kind in COUNTED]
    hard = [n for n, kind in enumerate(changes, 1) if kind != "w"]  # syncs, and changes of names
    places = range(1, len(changes) + 1) if full else chance.sample(hard, min(len(hard), 10))
    print(f"{restoring.command}: killed at {len(places)} of {len(changes)} places")
    for n in places:
        restoring.again()
        environment = {**os.environ, **recorder.environment(RECORDER_DIE=str(n))}
        ended = subprocess.run([restoring.office.workshop.dynamic, "-c", restoring.office.ini, restoring.command,
                                restoring.file], env=environment, capture_output=True, timeout=60)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        restoring.look()


def test_cut_off_its_power_it_is_old_or_new(restoring, chance, full):
    restoring.again()
    recorder = restoring.record(restoring.command)
    every = range(len(recorder.records) + 1)
    instants = [*every] * 4 if full else [every[-1], *chance.sample(every, 8)]
    print(f"{restoring.command}: cut at {len(instants)} instants of {len(every)}")
    wrong = cut(recorder, instants, chance, restoring.look)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:5])
