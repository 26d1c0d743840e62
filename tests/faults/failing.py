"""The server with calls of libc that fail on demand: tests/shims/failing.c."""

import ctypes
import errno
import mmap
import os
from pathlib import Path

SHIMS = Path(__file__).resolve().parents[2] / "build" / "tests" / "shims"
SHORT = 0  # no error: the call does less than it was asked for

CALLS, KINDS, NAME_SIZE = 19, 9, 16


class _Page(ctypes.Structure):
    """The twin of struct page."""

    _fields_ = [
        ("armed", ctypes.c_uint), ("which", ctypes.c_uint32), ("kinds", ctypes.c_uint32),
        ("nth", ctypes.c_uint32), ("steady", ctypes.c_uint32), ("error", ctypes.c_int32),
        ("inode", ctypes.c_uint64), ("count", ctypes.c_uint), ("failed", ctypes.c_uint),
        ("failed_in", ctypes.c_uint), ("made", ctypes.c_uint * CALLS * KINDS),
        ("calls", ctypes.c_char * NAME_SIZE * CALLS), ("names", ctypes.c_char * NAME_SIZE * KINDS),
    ]  # yapf: disable


def word(error):
    return errno.errorcode[error] if error else "short"


class Failing:
    """Lays the shim under the processes of an office that are started from now on."""
    def __init__(self, office):
        shim = SHIMS / "failing.so"
        assert shim.exists(), f"{shim} is not there: make shims"
        path = office.dir / "failing"
        path.write_bytes(bytes(mmap.PAGESIZE * (1 + ctypes.sizeof(_Page) // mmap.PAGESIZE)))
        self.file = open(path, "r+b")
        self.page = _Page.from_buffer(mmap.mmap(self.file.fileno(), 0))
        self.environment = {"LD_PRELOAD": str(shim), "FAILING_PAGE": str(path)}
        office.environment.update(self.environment)
        office.run("help")  # under the shim, which writes the names down

    def _names(self, which):
        return [name.value.decode() for name in getattr(self.page, which)]

    def arm(self, calls, nth, error, for_ever=False, kinds=None, file=None):
        """From now on the n-th of these calls (a name, or several) fails, over all processes of these kinds.

        for_ever: and all that come behind it, until disarm(). With EINTR every
        other one: that is what a storm of signals does. file: of its octets alone."""
        page, names = self.page, self._names("names")
        assert not page.armed and nth > 0
        calls = [calls] if isinstance(calls, str) else calls
        page.which = sum(1 << self._names("calls").index(call) for call in calls)
        page.kinds = sum(1 << names.index(kind) for kind in (kinds or names))
        page.nth, page.error = nth, error
        page.steady = (2 if error == errno.EINTR else 1) if for_ever else 0
        page.inode = os.stat(file).st_ino if file else 0
        page.count = page.failed = page.failed_in = 0
        page.armed = 1

    def disarm(self):
        self.page.armed = 0

    @property
    def failed(self):
        """How many calls have failed since it was armed."""
        return self.page.failed

    def failed_in(self):
        """In which kinds of processes."""
        return [name for n, name in enumerate(self._names("names")) if self.page.failed_in >> n & 1]

    def made(self, call):
        """How many of these calls there have been in all."""
        n = self._names("calls").index(call)
        return sum(self.page.made[kind][n] for kind in range(KINDS))

    def close(self):
        self.file.close()
