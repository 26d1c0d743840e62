"""Power cuts: a run is recorded, and the disk rebuilt as a cut at many an
instant could have left it. The server starts on it, `check` is clean, nothing
acknowledged is missing and nothing deleted is back; what is to leave leaves, and
nothing leaves again whose leaving was written down."""

import contextlib
import re
import sqlite3
import subprocess

import pytest

from office import Office
from power import SHIM, Disk, Recorder, choose_instants, cut
from power_load import Load, Promises, letter, serving
from power_staff import Staff
from test_init import USER, init, move_to_own_address

LETTERS = 40


@pytest.fixture
def staff(office, chance):
    with contextlib.closing(Staff(office, chance)) as staff:
        yield staff


def record(office, chance, staff, **more):
    """A recorded run of the server under its load, with a second start in it;
    returns the recording, and what its cuts are judged by."""
    office.set("limits", "connections_per_ip", 0)
    ballast(office).unlink()  # it is made in the recording
    recorder = Recorder(office.dir, office.workshop.root / "recording")
    load = Load(office, recorder, chance.randrange(1 << 32), LETTERS, staff=staff)
    staff.tell = recorder.mark
    with recorder.over(office, **more):
        office.start()
        load.run(lambda: is_worth_cutting(recorder, recorder.so_far()[0]))
        recorder.mark(restarted=True)
        office.restart()
        load.read("ani", load.chance)
        office.stop()
    end = next(n for n, record in enumerate(recorder.records) if record.kind == "m" and b"restarted" in record.first)
    assert is_worth_cutting(recorder, recorder.records[:end]), "no checkpoint in this run, or little has left"
    return recorder, load


def is_worth_cutting(recorder, records):
    """All of the log was moved to the file, and the next commit wrote over its beginning;
    and some mail has left."""
    settled = sum(b"settled" in record.first for record in records if record.kind == "m")
    return recorder.beginnings_of("data/store.db-wal", records) > 1 and settled > 5


def ballast(office):
    return office.data / "ballast"


def come_back(office, load):
    """What is looked at behind a cut, as cut() wants it."""
    def look(marks):
        staff = load.staff
        if staff:
            staff.hear_late()
        with serving(office):
            there = Promises(marks, load.octets).verify(office)
            if staff:
                staff.verify(marks, there)
        office.run("check")
        assert ballast(office).stat().st_size == 8 << 20
    return look


def assert_whole(wrong, instants):
    assert not wrong, f"{len(wrong)} of {len(instants)}:\n" + "\n".join(wrong[:5])


def test_the_recorder_knows_every_call_by_which_a_file_changes(workshop):
    """What the binary takes from libc, and what the shim puts before it."""
    def symbols(path, wanted):
        told = subprocess.run(["nm", "-D", path], check=True, capture_output=True, text=True).stdout
        return {line.split()[-1].split("@")[0] for line in told.splitlines() if line.split()[-2] in wanted}

    changing = re.compile(r"_*(p?write(v|v2)?|f?truncate|(posix_)?fallocate|open(at)?|creat|rename(at2?)?|unlink(at)?|"
                          r"remove|rmdir|(sym)?link(at)?|mk(dir|fifo|nod|stemp|dtemp)(at)?|f(data)?sync|sync(fs)?|"
                          r"sync_file_range|msync|[fl]?chown(at)?|f?chmod(at)?|copy_file_range|sendfile|splice)(64)?(_2|_chk)?")
    taken = {name for name in symbols(workshop.dynamic, "U") if changing.fullmatch(name)}
    assert {"pwrite64", "fdatasync", "rename"} <= taken
    assert not taken - symbols(SHIM, "T")


def test_a_power_cut_loses_nothing_that_was_acknowledged(workshop, chance, full):
    for _ in range(10 if full else 1):
        with contextlib.closing(workshop.office()) as office, contextlib.closing(Staff(office, chance)) as staff:
            recorder, load = record(office, chance, staff)
            instants = choose_instants(recorder, 50 if full else 25, chance)
            assert_whole(cut(recorder, instants, chance, come_back(office, load)), instants)


def test_a_second_cut_while_it_comes_back_loses_nothing_either(office, chance, full, staff):
    recorder, load = record(office, chance, staff)
    for instant in sorted(choose_instants(recorder, 10 if full else 2, chance)):
        disk = Disk(recorder)
        disk.play(instant)
        disk.rebuild(chance)
        again = Recorder(office.dir, office.workshop.root / "again")
        staff.tell = again.mark
        with again.over(office), serving(office):
            pass
        look = come_back(office, load)
        instants = [chance.randint(0, len(again.records)) for _ in range(5)]
        assert_whole(cut(again, instants, chance, lambda marks: look(disk.marks + marks)), instants)


@pytest.mark.parametrize("liar", ["a disk whose syncs do nothing", "a server that syncs less"])
def test_a_lie_about_syncs_is_found_out(office, chance, liar, staff):
    """Or all of this proves nothing."""
    lies = {"RECORDER_LIE": "1"}
    if "server" in liar:
        lies = {}
        office.set("store", "sync", "normal")
    recorder, load = record(office, chance, staff, **lies)
    wrong = cut(recorder, choose_instants(recorder, 25, chance), chance, come_back(office, load), enough=3)
    print("\n".join(wrong))
    office.allow("^<3>")  # a disk that lies damages the store, too
    assert any(re.search("acknowledged and lost|deleted and back|done is True", complaint) for complaint in wrong)
    if "server" in liar:  # which is as whole as it was at some moment
        assert not any("damaged" in complaint for complaint in wrong)


def test_a_command_that_has_ended_is_on_disk(office, chance, full):
    """Without a server each begins a log of its own, and ends it."""
    recorder = Recorder(office.dir, office.workshop.root / "recording")
    load = Load(office, recorder, chance.randrange(1 << 32), 12)
    with recorder.over(office):
        with serving(office):
            load.send_all(load.plan)
            load.read("ani", chance)
        recorder.mark(stopped=True)
        load.administer()
    first = max(n for n, record in enumerate(recorder.records) if b"stopped" in record.first)
    instants = [n for n in choose_instants(recorder, 400 if full else 40, chance) if n > first]
    assert_whole(cut(recorder, instants, chance, come_back(office, load)), instants)


def test_a_backup_is_whole_and_a_restore_all_or_nothing(office, chance, full):
    copy = office.dir / "copy"
    with serving(office):
        for n in range(20):
            office.deliver(letter(n, 20_000))
        office.run("backup", copy)  # of yesterday
        office.fetch("ani", delete=True)
        office.deliver(letter(20, 20_000), ["ani@kantor.example", "budi@kantor.example"])
    copied = letters(office)
    recorder = Recorder(office.dir, office.workshop.root / "recording")
    with recorder.over(office):
        office.run("backup", copy)
        recorder.mark(done="backup")
        with serving(office):
            office.deliver(letter(21, 100))
        before = letters(office)
        recorder.mark(delivered=True)
        office.run("restore", copy)
        recorder.mark(done="restore")
    assert letters(office) == copied != before

    def look(marks):
        done = [mark["done"] for mark in marks if "done" in mark]
        with serving(office):
            pass
        office.run("check")
        now = letters(office)
        if "restore" in done:
            assert now == copied
            aside, = office.data.glob("store.db.replaced-*")
            with contextlib.closing(sqlite3.connect(aside)) as old:
                assert before <= {uidl for uidl, in old.execute("SELECT uidl FROM entries WHERE deleted IS NULL")}
        elif {"delivered": True} in marks:
            assert now in (before, copied)
        office.run("restore", copy)  # today's or yesterday's: one of them is whole
        assert letters(office) == copied or "backup" not in done
        office.run("check")

    instants = choose_instants(recorder, 300 if full else 12, chance)
    assert_whole(cut(recorder, instants, chance, look), instants)


def letters(office):
    """What lies in the store, by UIDL."""
    return {row["uidl"] for row in office.mails("ani@kantor.example") + office.mails("budi@kantor.example")}


def test_init_is_done_or_goes_on(workshop, chance, full):
    """Cut at any moment it can be run again; and what it has said holds."""
    office = Office(workshop, copy=False)
    home = workshop.root / "home"
    home.mkdir(mode=0o755)
    office.dir, office.data, office.ini = home / "office", home / "office/data", home / "office/office.ini"
    recorder = Recorder(home, workshop.root / "recording")
    with recorder.over(office):
        recorder.mark(said=init(office))

    def look(marks):
        told = marks[0]["said"] if marks else init(office)
        known = re.search(r"password:\s*(\S+)", told)  # or it had got as far as that, and was not heard
        password = known[1] if known else office.run("user", "passwd", USER, "--generate").split()[-1]
        move_to_own_address(office)
        with serving(office):
            wire = office.connect("pop3s")
            wire.line()
            for line in (f"USER {USER}", f"PASS {password}", "RETR 1"):
                assert wire.command(line).startswith("+OK"), line
            wire.close()
        office.run("check")

    every = range(len(recorder.records) + 1)
    instants = [*every, *every] if full else [every[-1]] * 3 + chance.sample(every, 15)
    assert_whole(cut(recorder, instants, chance, look), instants)
    office.close()
