"""A disk that loses its power: what tests/shims/recorder.c wrote down of a run,
and a directory rebuilt from it as a cut at any instant could have left it.

What holds is what POSIX promises and no more. A file's octets, size and rights
are there once a sync of the file that began after they were changed has ended;
a name is there, or gone, once a sync of its directory has. Everything else may
be there or not, in any mixture: see Node.survivors and Directory.survivors."""

import contextlib
import json
import os
import socket
import struct
import subprocess
from pathlib import Path

SHIM = Path("build/tests/shims/recorder.so").resolve()
RECORD = struct.Struct("=IIIIQQIIII")
MARK = ord("m")
SECTOR = 512
LOSSES = ["none of it", "all of it", "a prefix", "a subset", "torn"]


class Record:
    """One line of the log; `length` and `first` are the C struct's."""
    __slots__ = ("kind", "pid", "inode", "number", "mode", "uid", "gid", "first", "second")

    def __init__(self, log, at):
        (length, kind, self.pid, first, self.inode, self.number, self.mode, self.uid, self.gid,
         _) = RECORD.unpack_from(log, at)
        at += RECORD.size
        self.kind = chr(kind)
        self.first = log[at:at + first]
        self.second = log[at + first:at - RECORD.size + length]


class Recorder:
    """Lays the shim over what is started, and takes marks."""
    def __init__(self, root, log):
        assert SHIM.exists(), "make shims"
        self.root, self.log = Path(os.path.realpath(root)), log
        Path(log).unlink(missing_ok=True)
        self.fd = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self.image = Image(self.root)

    def environment(self, **more):
        """For the processes to record."""
        return {"LD_PRELOAD": str(SHIM), "RECORDER_LOG": str(self.log), "RECORDER_ROOT": str(self.root), **more}

    @contextlib.contextmanager
    def over(self, office, **more):
        """Records what the office's processes do meanwhile."""
        office.environment = self.environment(**more)
        try:
            yield
        finally:
            office.environment = {}
            self.end()

    def mark(self, **what):
        """Says in the log that something has happened by now."""
        octets = json.dumps(what).encode()
        os.write(self.fd, RECORD.pack(RECORD.size + len(octets), MARK, 0, len(octets), 0, 0, 0, 0, 0, 0) + octets)

    def inodes_of(self, path, records=None):
        """Of the files that bore this name, when the recording began or later."""
        whole = os.fsencode(self.root / path)
        found = {record.inode for record in records or self.records if record.kind == "c" and record.first == whole}
        return found | self.image.inodes_of(Path(path))

    def beginnings_of(self, path, records):
        """How often these records have written the first octets of the files of this name."""
        files = self.inodes_of(path, records)
        return sum(record.kind == "w" and record.inode in files and record.number == 0 for record in records)

    def so_far(self):
        """What has been recorded, and where in the log it ends."""
        log = Path(self.log).read_bytes()
        found, at = [], 0
        while at + RECORD.size <= len(log) and at + RECORD.unpack_from(log, at)[0] <= len(log):
            found.append(Record(log, at))
            at += RECORD.unpack_from(log, at)[0]
        return found, at

    def end(self):
        """No process records any more: its records are there to be cut."""
        os.close(self.fd)
        self.records, end = self.so_far()
        assert end == os.path.getsize(self.log)


class Image:
    """A directory as it is now: what a recording begins with, all of it on disk."""
    def __init__(self, root):
        self.root = root
        self.inodes = {}
        self.top = self.take(root)

    def take(self, path):
        status = path.lstat()
        if path.is_dir():
            node = Directory(status)
            node.names = {child.name: self.take(child) for child in path.iterdir()}
        elif path.is_file():
            node = File(status, path.read_bytes())
        else:
            node = Socket(status)
        self.inodes[status.st_ino] = node
        return node

    def inodes_of(self, path):
        node = self.top
        for name in path.parts:
            node = node.names.get(name) if node else None
        return {inode for inode, known in self.inodes.items() if known is node}


class Node:
    """A file, directory or socket: what is on disk of it, and what was changed
    since, oldest first."""
    def __init__(self, status):
        self.rights = (status.st_mode & 0o7777, status.st_uid, status.st_gid)
        self.changes = []  # (number of the record, what)
        self.new_rights = []

    def sync(self, until, rights=True):
        """Everything changed before record `until` is on disk."""
        if rights:
            for number, those in self.new_rights:
                if number < until:
                    self.rights = those
            self.new_rights = [pair for pair in self.new_rights if pair[0] >= until]
        for number, what in self.changes:
            if number < until:
                self.apply(what)
        self.changes = [pair for pair in self.changes if pair[0] >= until]

    def survivors(self, chance, loss):
        """Those of the changes that the cut spares."""
        changes = [what for _, what in self.changes]
        if loss == "none of it":
            return []
        if loss == "a prefix":
            return changes[:chance.randint(0, len(changes))]
        if loss in ("a subset", "torn"):
            return [what for what in changes if chance.random() < 0.5]
        return changes

    def give_rights(self, path, chance):
        mode, uid, gid = chance.choice([self.rights] + [those for _, those in self.new_rights])
        if os.geteuid() == 0:
            os.lchown(path, uid, gid)
        os.chmod(path, mode)


class File(Node):
    def __init__(self, status, octets=b""):
        super().__init__(status)
        self.octets = bytearray(octets)

    def apply(self, what):
        put(self.octets, *what)

    def rebuild(self, path, chance, loss):
        octets = bytearray(self.octets)
        kept = self.survivors(chance, loss)
        if loss == "torn":
            kept = [part for what in kept for part in torn(what, chance)]
        for what in kept:
            put(octets, *what)
        # The size may have reached the disk without the octets, which are then
        # zeros, or what has lain there before.
        size = max([at + len(data) for _, (at, data) in self.changes if data is not None], default=0)
        if loss in ("a subset", "torn") and size > len(octets) and chance.random() < 0.5:
            missing = size - len(octets)
            octets += chance.randbytes(missing) if chance.random() < 0.5 else bytes(missing)
        path.write_bytes(octets)
        self.give_rights(path, chance)


def put(octets, at, data):
    """A write, or with no data a new size."""
    if data is None:
        del octets[at:]
    end = at + len(data or b"")
    if len(octets) < end:
        octets.extend(bytes(end - len(octets)))
    octets[at:end] = data or b""


def torn(what, chance):
    """What is left of a write: each sector as a whole or not at all, and one of
    them begun, or a mess."""
    at, data = what
    if data is None:
        return [what]
    parts = []
    spoilt = chance.randrange(-(-len(data) // SECTOR) or 1)
    for n in range(-(-len(data) // SECTOR)):
        sector = data[n * SECTOR:(n + 1) * SECTOR]
        if n == spoilt:
            rest = bytes(sector[:chance.randrange(len(sector))])
            mess = chance.randbytes(len(sector) - len(rest)) if chance.random() < 0.3 else b""
            parts.append((at + n * SECTOR, rest + mess))
        elif chance.random() < 0.5:
            parts.append((at + n * SECTOR, sector))
    return parts


class Directory(Node):
    def __init__(self, status):
        super().__init__(status)
        self.names = {}

    def apply(self, what):
        rename(self.names, *what)

    def now(self):
        """The names as the processes see them."""
        names = dict(self.names)
        for _, what in self.changes:
            rename(names, *what)
        return names

    def rebuild(self, path, chance, loss):
        path.mkdir(exist_ok=True)
        names = dict(self.names)
        for what in self.survivors(chance, loss):
            rename(names, *what)
        for name, node in names.items():
            if name.endswith("-shm"):  # shared memory, never synced: gone, or anything
                if chance.random() < 0.5:
                    continue
                node.octets[:] = chance.randbytes(len(node.octets))
            node.rebuild(path / name, chance, chance.choice(LOSSES))
        self.give_rights(path, chance)


def rename(names, gone, name, node):
    """One change of names: `gone` goes, `name` (or None) comes, both at once."""
    if gone is not None:
        names.pop(gone, None)
    if name is not None:
        names[name] = node


class Socket(Node):
    def rebuild(self, path, chance, loss):
        with socket.socket(socket.AF_UNIX) as sock:
            # Longer paths than an address can hold are reached by their directory.
            directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
            sock.bind(f"/proc/self/fd/{directory}/{path.name}")
            os.close(directory)
        self.give_rights(path, chance)


class Disk:
    """The run played again, record by record."""
    def __init__(self, recorder):
        self.root, self.top = recorder.image.root, recorder.image.top
        self.inodes = dict(recorder.image.inodes)
        self.records = recorder.records
        self.done = 0
        self.begun = {}  # (pid, inode): record in which its sync began
        self.marks = []

    def play(self, until):
        """Up to the record `until`, which has not happened yet."""
        while self.done < until:
            record = self.records[self.done]
            getattr(self, "_" + PLAYED[record.kind])(record)
            self.done += 1

    def rebuild(self, chance):
        """Puts in the place of the directory what the cut has left of it."""
        subprocess.run(["rm", "-rf", self.root], check=True)
        self.top.rebuild(self.root, chance, chance.choice(LOSSES))

    # ---- records

    def _parent(self, path):
        directory = self.top
        for name in path.parent.relative_to(self.root).parts:
            directory = directory.now()[name]
        return directory

    def _change_names(self, directory, *what):
        directory.changes.append((self.done, what))

    def _appear(self, record, node):
        path = Path(os.fsdecode(record.first))
        self.inodes[record.inode] = node
        self._change_names(self._parent(path), None, path.name, node)

    def _mark(self, record):
        self.marks.append(json.loads(record.first))

    def _write(self, record):
        node = self.inodes.get(record.inode)
        if node:
            node.changes.append((self.done, (record.number, record.first)))

    def _truncate(self, record):
        node = self.inodes.get(record.inode)
        if node:
            node.changes.append((self.done, (record.number, None)))

    def _attributes(self, record):
        node = self.inodes.get(record.inode)
        if node:
            node.new_rights.append((self.done, (record.mode & 0o7777, record.uid, record.gid)))

    def _create(self, record):
        self._appear(record, File(status_of(record)))

    def _directory(self, record):
        self._appear(record, Directory(status_of(record)))

    def _socket(self, record):
        self._appear(record, Socket(status_of(record)))

    def _link(self, record):
        path = Path(os.fsdecode(record.second))
        self._change_names(self._parent(path), None, path.name, self.inodes[record.inode])

    def _rename(self, record):
        old, new = (Path(os.fsdecode(path)) for path in (record.first, record.second))
        node = self.inodes[record.inode]
        if old.parent == new.parent:
            self._change_names(self._parent(new), old.name, new.name, node)
        else:  # two directories, and each is synced by itself
            self._change_names(self._parent(new), None, new.name, node)
            self._change_names(self._parent(old), old.name, None, None)

    def _unlink(self, record):
        path = Path(os.fsdecode(record.first))
        self._change_names(self._parent(path), path.name, None, None)

    def _sync_begun(self, record):
        self.begun[record.pid, record.inode] = self.done

    def _sync_done(self, record):
        begun = self.begun.pop((record.pid, record.inode))
        node = self.inodes.get(record.inode)
        if node:
            node.sync(begun, rights=record.kind == "s")

    def _all_synced(self, record):
        begun = self.begun.pop((record.pid, record.inode))
        for node in self.inodes.values():
            node.sync(begun)


class status_of:
    """A record's rights, as lstat(2) tells them."""
    def __init__(self, record):
        self.st_mode, self.st_uid, self.st_gid = record.mode, record.uid, record.gid


PLAYED = {
    "w": "write", "t": "truncate", "a": "attributes", "c": "create", "d": "directory", "k": "socket",
    "l": "link", "r": "rename", "u": "unlink", "b": "sync_begun", "s": "sync_done", "S": "sync_done",
    "f": "all_synced",
    "m": "mark",
}


def cut(recorder, instants, chance, come_back, enough=None):
    """Cuts a recording at each of these instants, and lets it come back:
    come_back(marks) raises where something is wrong. Returns these complaints,
    and stops when they are enough."""
    disk, wrong = Disk(recorder), []
    for instant in sorted(instants):
        disk.play(instant)
        disk.rebuild(chance)
        try:
            come_back(disk.marks)
        except Exception as complaint:
            wrong.append(f"cut at record {instant} of {len(recorder.records)}: {complaint}")
        if enough and len(wrong) >= enough:
            break
    return wrong


def choose_instants(recorder, count, chance):
    """Where it hurts: right behind an acknowledgement, among the writes before a
    sync, among those to the database itself (a checkpoint), at a change of names."""
    databases = recorder.inodes_of("data/store.db")
    kinds = {"acknowledged": [], "written": [], "checkpointed": [], "named": []}
    for n, record in enumerate(recorder.records, 1):
        if record.kind == "m" and any(word in record.first for word in (b"accepted", b"deleted", b"done", b"took", b"settled")):
            kinds["acknowledged"].append(n)
        elif record.kind in "wt" and record.inode in databases:
            kinds["checkpointed"].append(n)
        elif record.kind in "wtb":
            kinds["written"].append(n)
        elif record.kind in "cdlru":
            kinds["named"].append(n)
    weights = {"acknowledged": 4, "written": 3, "checkpointed": 2, "named": 1}
    print("to cut at:", {kind: len(those) for kind, those in kinds.items()})
    names = [name for name in weights if kinds[name]]
    return [chance.choice(kinds[name]) for name in chance.choices(names, [weights[name] for name in names], k=count)]
