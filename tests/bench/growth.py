#!/usr/bin/python3
"""officemail with ever more: messages in the store, users, octets a message. Everything should stay flat
but what one message takes by its size; see README.md.

    tests/bench/growth.py [--messages 10,1000,1000000] [--users 10,1000] [--sizes 1024,...,1073741824] [--seconds S]
"""

import argparse
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import tree  # noqa: E402
import weights  # noqa: E402
from contestants import officemail  # noqa: E402
from run import LOAD, go_inside, load, started  # noqa: E402


class Grown(officemail):
    """Takes messages of any size."""

    settings = {("smtpd", "max_message"): "0"}


def cpu_of_one(server, work, what, **options):
    before = tree.wait_quiet(server.process.pid)
    counted = load(server, work, **options)
    return counted, 1000 * (tree.wait_quiet(server.process.pid) - before) / counted[what]


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def show_work(server, words, seconds):
    sent, cpu_sent = cpu_of_one(server, "send", "messages", m=20, d=seconds)
    polled, cpu_polled = cpu_of_one(server, "poll", "sessions", u="p", d=seconds)
    row(*words, f"{sent['messages'] / sent['seconds']:,.0f} ({cpu_sent:.2f} ms)",
        f"{polled['sessions'] / polled['seconds']:,.0f} ({cpu_polled:.2f} ms)",
        f"{tree.pss(server.process.pid) / weights.MIB:.1f}")


def with_messages(server, counts, seconds):
    """The mailboxes that are polled hold 10 each all the while; the others hold the mass."""
    server.fill(load, "p", 10, 4096)
    filled = 0
    for count in counts:
        load(server, "send", u="m", b=100, n=max(1, count - filled), m=1000)
        filled = count
        show_work(server, (f"{count:,} messages", ""), seconds)


def with_users(server, counts, seconds):
    server.fill(load, "p", 10, 4096)
    added = 0
    for count in counts:
        for number in range(added, count):
            server.add_user(f"more{number}")
        added = count
        show_work(server, ("", f"{count:,} users more"), seconds)


def with_sizes(server, sizes):
    """In, and out again: each octet compared."""
    print("\n| octets | in, MB/s | memory, MiB | out, MB/s | memory, MiB |\n|---|---|---|---|---|")
    for size in sizes:
        n = max(1, min(200, 100_000_000 // size))
        with weights.Watch(server.process.pid) as taking:
            sent = load(server, "send", u="h", b=1, c=1, n=n, s=size)
        with weights.Watch(server.process.pid) as serving:
            drained = load(server, "drain", u="h", b=1, c=1, n=1, s=size, x=True)
        row(f"{size:,}", f"{sent['octets'] / 1e6 / sent['seconds']:,.1f}", f"+{taking.grown / weights.MIB:.1f}",
            f"{drained['octets'] / 1e6 / drained['seconds']:,.1f}", f"+{serving.grown / weights.MIB:.1f}")


def beside_a_big_one(server, size):
    """Small messages, one at a time, while a big one comes in."""
    alone = load(server, "send", c=1, m=20, d=2)
    words = [LOAD, "-c", "1", "-u", "h", "-b", "1", "-n", "1", "-s", str(size), "send", f"{server.address}:{server.smtp}"]
    times = []
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as big:
        while big.poll() is None:
            times.append(load(server, "send", c=1, m=20, d=1))
    p50, p99 = (max(turn[what] for turn in times) for what in ("message_p50", "message_p99"))
    print(f"\nSmall messages while one of {size:,} octets comes in: p50 {p50:.1f} ms, p99 {p99:.1f} ms in the worst second "
          f"(to reach: 50); alone {alone['message_p50']:.1f} and {alone['message_p99']:.1f} ms.")


def numbers(text):
    return [int(word) for word in text.split(",")]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=numbers, default=[10, 1000, 1_000_000])
    options.add_argument("--users", type=numbers, default=[10, 1000])
    options.add_argument("--sizes", type=numbers, default=[1 << 10, 1 << 20, 100 << 20, 1 << 30])
    options.add_argument("--seconds", type=float, default=3)
    options = options.parse_args()
    go_inside()
    print("| in the store | users | SMTP, 10 sessions, 20 a connection, messages/s | POP3 poll of 10, sessions/s | memory, MiB |")
    print("|---" * 5 + "|")
    for work, counts in ((with_messages, options.messages), (with_users, options.users)):
        with ExitStack() as stack:
            for server in started(stack, [Grown]):
                work(server, counts, options.seconds)
    with ExitStack() as stack:
        for server in started(stack, [Grown]):
            with_sizes(server, options.sizes)
            beside_a_big_one(server, options.sizes[-1])


if __name__ == "__main__":
    main()
