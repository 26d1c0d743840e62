"""A server and everything below it: what it has used of the processors, what it holds of memory.

    tree.py COMMAND...

runs a server whose orphans stay in its tree: what a process that nobody waits for has used is
counted here when it ends. (It is lost where a parent ignores SIGCHLD: Exim's does while it takes mail,
so that deliveries of it that end before their parent cost nothing in these figures.)"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
TICK = os.sysconf("SC_CLK_TCK")


def pids(root):
    """Everything below `root`, which is this program."""
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                below = list(map(int, (task / "children").read_text().split()))
                found += below
                queue += below
        except OSError:
            pass  # it has just ended
    return found


def times(pid):
    """Seconds of the process itself, and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    own, waited = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
    return own / TICK, waited / TICK


def cpu(root):
    total = times(root)[1]
    for pid in pids(root):
        try:
            total += sum(times(pid))
        except OSError:
            pass
    return total


def wait_quiet(root, still=0.3, patience=60):
    """Until it has done all that is behind an answer, such as delivery from a queue. Returns cpu()."""
    before, deadline = cpu(root), time.monotonic() + patience
    while True:
        time.sleep(still)
        now = cpu(root)
        if now - before <= 1 / TICK or time.monotonic() > deadline:
            return now
        before = now


def pss(root):
    """Octets, each shared page in parts."""
    total = 0
    for pid in pids(root):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def end(number, _):
    """To all that is below; what then does not end is killed."""
    for pid in pids(os.getpid()):
        try:
            os.kill(pid, signal.SIGTERM if number == signal.SIGTERM else signal.SIGKILL)
        except ProcessLookupError:
            pass
    signal.alarm(5)


def tend(command):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end)
    os.posix_spawnp(command[0], command, os.environ)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    tend(sys.argv[1:])
