"""What the servers hold of memory: PSS over all processes of each, started anew."""

import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager

import tree

MIB = 1024 * 1024
BIG = 100_000_000
GOALS = {"at rest": "3", "100 idle logins": "20", "100 idle logins over TLS": "25",
         "taking 100 MB": "+2", "serving 100 MB": "+2"}


class Watch:
    """The most that was held meanwhile, beyond what was held before."""

    def __init__(self, root):
        self.root, self.before = root, tree.pss(root)
        self.most = self.before
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self):
        while not self.over.wait(0.01):
            self.most = max(self.most, tree.pss(self.root))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def grown(self):
        return self.most - self.before


@contextmanager
def idle(program, server, port, *options):
    """A hundred customers who have logged in, each from an address and to a mailbox of its own."""
    words = [program, "-c", "100", "-b", "100", "-u", "m", *options, "idle", f"{server.address}:{port}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as customers:
        yield customers.stdout.readline() == b"ready\n"
        customers.stdin.close()


def held_by_idle(program, server, port, *options):
    with idle(program, server, port, *options) as ready:
        tree.wait_quiet(server.process.pid)
        return f"{tree.pss(server.process.pid) / MIB:.1f}" if ready else "(refused)"


def grown_by(server, work):
    tree.wait_quiet(server.process.pid)
    try:
        with Watch(server.process.pid) as watch:
            work()
    except RuntimeError as why:
        return f"({why})"
    return f"+{watch.grown / MIB:.1f}"


def weigh(program, load, server):
    found = {}
    tree.wait_quiet(server.process.pid)
    found["at rest"] = f"{tree.pss(server.process.pid) / MIB:.1f}"
    if server.pop3:
        found["100 idle logins"] = held_by_idle(program, server, server.pop3)
    if server.pop3s:
        found["100 idle logins over TLS"] = held_by_idle(program, server, server.pop3s, "-t", "tls")
    if server.smtp or server.lmtp:
        found["taking 100 MB"] = grown_by(server, lambda: load(server, "send", u="u", b=1, c=1, n=1, s=BIG))
    if server.pop3:
        server.fill(load, "h", 1, BIG)
        found["serving 100 MB"] = grown_by(server, lambda: load(server, "fetch", u="h", b=1, c=1, n=1))
    return found


def print_table(kinds, program, load, started):
    print("\n| memory, MiB | " + " | ".join(GOALS) + " |")
    print("|---" * (len(GOALS) + 1) + "|")
    print("| to reach | " + " | ".join(GOALS.values()) + " |")
    for kind in kinds:
        with ExitStack() as stack:
            for server in started(stack, [kind]):
                print(f"    memory of {server.name}", file=sys.stderr)
                found = weigh(program, load, server)
                print(f"| {server.name} | " + " | ".join(found.get(what, "") for what in GOALS) + " |", flush=True)
