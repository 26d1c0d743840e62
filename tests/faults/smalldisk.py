"""A real file system of a few megabytes for an office to stand on, and
something that fills it up."""

import ctypes
import os
import subprocess
import tempfile

MB = 1 << 20
MNT_DETACH = 2
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, options=""):
    if libc.mount(source.encode(), str(target).encode(), kind.encode(), 0, options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {kind}: {os.strerror(ctypes.get_errno())}")


class Tmpfs:
    """In memory. `inodes` is a limit of its own."""
    def __init__(self, place, size, inodes=0):
        mount("none", place, "tmpfs", f"size={size},mode=755" + (f",nr_inodes={inodes}" if inodes else ""))

    def release(self):
        pass


class Ext4:
    """In a file, with a journal and delayed allocation."""
    def __init__(self, place, size):
        handle, self.image = tempfile.mkstemp(prefix="om-ext4-", dir="/tmp")
        os.truncate(handle, size)
        os.close(handle)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-F", self.image], check=True)
        subprocess.run(["mount", "-o", "loop", self.image, place], check=True)

    def release(self):
        os.unlink(self.image)


class Disk:
    """The office's data directory on a file system of its own."""
    def __init__(self, office, kind, size, **options):
        self.office = office
        self.place = office.dir / "disk"
        self.place.mkdir()
        self.kind = kind(self.place, size, **options)
        self.hog = self.place / "hog"
        self.hog.touch()
        subprocess.run(["cp", "-a", office.data, self.place / "data"], check=True)
        office.data = self.place / "data"
        office.set("office", "data", office.data)

    def free(self):
        told = os.statvfs(self.place)
        return told.f_bavail * told.f_frsize

    def fill(self, leave=0):
        """Something that is not mail takes all but `leave` octets; 0: the last
        one, too, which on a real disk takes more than one try."""
        for _ in range(3):
            with open(self.hog, "ab", buffering=0) as hog:
                chunk = 256 * 1024
                while chunk:
                    chunk = min(chunk, max(0, self.free() - leave)) if leave else chunk
                    if not chunk:
                        break
                    try:
                        hog.write(bytes(chunk))
                    except OSError:
                        chunk //= 2
                os.fsync(hog.fileno())
        return self.free()

    def clear(self):
        """Lets go of it."""
        os.truncate(self.hog, 0)
        os.sync()

    def unmount(self):
        libc.umount2(str(self.place).encode(), MNT_DETACH)
        self.kind.release()
