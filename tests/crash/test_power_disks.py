"""Power cuts of real file systems: ext4 and xfs in a loop file, shut down under
load by the ioctl that throws away what is not on disk, the journal's last
entries included. Only root can mount one."""

import contextlib
import ctypes
import fcntl
import os
import struct
import subprocess
import threading

import pytest

from office import wait_until
from power_load import HUGE, Load, Promises, serving

SHUT_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
NO_LOG_FLUSH = 2
NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
SYSTEMS = {  # and how they are mounted
    "ext4": ["loop", "loop,data=writeback"],
    "xfs": ["loop"],
}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")


@pytest.fixture(scope="module", autouse=True)
def own_mounts():
    """What is mounted from here on is seen by this process and its children
    alone, and goes with them, however they end."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_MOUNTS) != 0:
        pytest.fail(f"no mounts of our own: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


class Marks:
    """Takes the marks of a Load, in the order of their coming."""
    def __init__(self):
        self.taken, self.lock = [], threading.Lock()

    def mark(self, **what):
        with self.lock:
            self.taken.append(what)


class Disk:
    """A file system of its own under an office's directory."""
    def __init__(self, office, kind, options):
        self.place, self.options = office.dir, options
        self.image = office.dir.with_suffix(".image")
        with open(self.image, "wb") as image:
            image.truncate(512 << 20)  # xfs wants 300 MB; the file has holes
        subprocess.run(["mkfs." + kind, "-q", self.image], check=True)
        furniture = office.dir.with_suffix(".furniture")
        os.rename(office.dir, furniture)
        self.place.mkdir(mode=0o755)
        self.mount()
        subprocess.run(["cp", "-a", f"{furniture}/.", self.place], check=True)
        self.sync()

    def mount(self):
        subprocess.run(["mount", "-o", self.options, self.image, self.place], check=True)

    def unmount(self):
        subprocess.run(["umount", self.place], check=True)

    def sync(self):
        subprocess.run(["sync", "-f", self.place], check=True)

    def cut(self):
        directory = os.open(self.place, os.O_RDONLY)
        fcntl.ioctl(directory, SHUT_DOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(directory)


def run_and_cut(office, disk, chance, most, huge):
    """Load, until the power goes in the midst of it; returns what was promised."""
    marks = Marks()
    load = Load(office, marks, chance.randrange(1 << 32), 300, huge)
    wanted = chance.randrange(5, most)
    office.start()
    work = threading.Thread(target=load.run_until_cut)
    work.start()
    try:
        wait_until(lambda: sum("accepted" in mark for mark in marks.taken) > wanted or not work.is_alive(),
                   "letters accepted", patience=300)
        disk.cut()
    finally:
        office.allow("^<[0-3]>")  # it has lost its disk
        load.over.set()
        office.kill()
        work.join()
    return marks.taken, load


def cut_once(workshop, chance, kind, options, sync="full", most=80, huge=HUGE):
    """What is wrong with an office that comes back, or None."""
    with contextlib.closing(workshop.office()) as office, contextlib.ExitStack() as stack:
        office.set("store", "sync", sync)
        office.set("limits", "connections_per_ip", 0)
        disk = Disk(office, kind, options)
        stack.callback(lambda: subprocess.run(["umount", disk.place]))
        marks, load = run_and_cut(office, disk, chance, most, huge)
        disk.unmount()
        disk.mount()
        try:
            with serving(office):
                Promises(marks, load.octets).verify(office)
            office.run("check")
        except AssertionError as complaint:
            return str(complaint)
        print(f"{kind}, {options}: {sum('accepted' in mark for mark in marks)} accepted, "
              f"{sum(len(mark.get('deleted', [])) for mark in marks)} deleted")
    return None


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_real_cut_loses_nothing_that_was_acknowledged(workshop, chance, full, kind):
    for n in range(10 if full else 1):
        options = SYSTEMS[kind][n % len(SYSTEMS[kind])]
        assert cut_once(workshop, chance, kind, options) is None


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_real_cut_loses_what_was_not_synced(workshop, chance, kind):
    """So the cut is one. (With little mail: a checkpoint syncs what was before it.)"""
    wrong = cut_once(workshop, chance, kind, "loop", sync="normal", most=20, huge=0)
    assert wrong and "acknowledged and lost" in wrong
