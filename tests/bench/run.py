#!/usr/bin/python3
"""The benchmark: officemail and its peers, in turn; see README.md.

    tests/bench/run.py [--rounds N] [--seconds S] [--only ROW,...] [--servers NAME,...] [--json FILE]
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import traceback
from contextlib import ExitStack, nullcontext
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LOAD, LIMITS = ROOT / "build/tests/bench/load", ROOT / "build/tests/bench/limits"
sys.path.insert(0, str(HERE))

import tree  # noqa: E402
import weights  # noqa: E402
from contestants import EVERYBODY, IS_ROOT, Server, unpack  # noqa: E402
from rows import ROWS  # noqa: E402


class Failed(RuntimeError):
    """Of one server, at one piece of work: told in its place in the table."""


def load(server, work, port=None, **options):
    """Runs the generator; what it counted."""
    words = []
    for letter, value in options.items():
        words += [f"-{letter}"] if value is True else [f"-{letter}", str(value)]
    if not port:
        port = (server.smtp or server.lmtp) if work == "send" else server.pop3
    if port == server.lmtp:
        words.append("-l")
    result = subprocess.run([LOAD, *words, work, f"{server.address}:{port}"], capture_output=True, text=True)
    if result.returncode:
        raise Failed(result.stderr.strip() or f"the generator ended with {result.returncode}")
    return json.loads(result.stdout)


def measure(row, server, seconds):
    """One turn: what was done in a second, and the server's CPU for one of it in milliseconds."""
    if row.fill:
        server.fill(load, *row.fill)
    before = tree.wait_quiet(server.process.pid)
    options = dict(row.options)
    if not {"n", "d"} & set(options):
        options["d"] = seconds
    with weights.Watch(server.process.pid) if row.weigh and IS_ROOT else nullcontext() as watch:
        counted = load(server, row.work, getattr(server, row.port) if row.port else None, **options)
    if not row.done(counted):
        raise Failed("nothing was done in time")
    used = tree.wait_quiet(server.process.pid) - before
    return {"rate": row.rate(counted), "cpu": 1000 * used / row.done(counted), **counted,
            **({"grown": watch.grown} if watch else {})}


def warm_up(row, server):
    """Mailboxes read and logins seen before."""
    if row.once and row.once not in server.filled:
        server.fill(load, *row.once)
        server.filled.append(row.once)
    if not row.fill:
        how = dict(d=0.3) if row.work == "send" else dict(n=2)
        load(server, row.work, getattr(server, row.port) if row.port else None, **{**row.options, **how})


def run_row(row, servers, rounds, seconds):
    """{server: [turn, ...] or why there is none}"""
    found = {}
    able = [server for server in servers if row.can(server)]
    for server in able:
        try:
            warm_up(row, server)
        except Failed as why:
            found[server.name] = str(why)
    for number in range(rounds):
        for server in able:
            if isinstance(found.get(server.name), str):
                continue
            try:
                found.setdefault(server.name, []).append(measure(row, server, seconds))
            except Failed as why:
                found[server.name] = str(why)
            print(f"    {row.key} {number + 1}/{rounds} {server.name}: {brief(found[server.name])}", file=sys.stderr)
    return found


def brief(turns):
    return turns if isinstance(turns, str) else f"{turns[-1]['rate']:.6g}, {turns[-1]['cpu']:.3f} ms"


def middle(turns, what):
    return statistics.median(turn[what] for turn in turns)


def number_of(rate):
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def cell(turns):
    if turns is None:
        return ""
    if isinstance(turns, str):
        return f"({turns})"
    rates = [turn["rate"] for turn in turns]
    spread = (max(rates) - min(rates)) / 2 / middle(turns, "rate") * 100
    grown = f", +{middle(turns, 'grown') / weights.MIB:.1f} MiB" if "grown" in turns[0] else ""
    return f"{number_of(middle(turns, 'rate'))} ±{spread:.0f}% ({middle(turns, 'cpu'):.2f} ms{grown})"


def judge(row, found, loopback):
    """What is compared with what, and whether the goal is reached."""
    ours = found.get("officemail")
    if not isinstance(ours, list):
        return "", "no"
    verdict, ratios = True, []
    for factor, names in row.goals:
        peers = {name: middle(found[name], "rate") for name in names if isinstance(found.get(name), list)}
        if not peers:
            return "nobody to compare with", "?"
        best = (min if row.less else max)(peers, key=peers.get)
        ratio = middle(ours, "rate") / peers[best]
        verdict &= ratio <= factor if row.less else ratio >= factor
        ratios.append(f"{ratio:.2f} × {best}")
    if row.of_loopback:
        ratios.append(f"{middle(ours, 'rate') / loopback:.0%} of loopback")
        verdict &= middle(ours, "rate") >= row.of_loopback * loopback
    if "grown" in ours[0]:
        verdict &= middle(ours, "grown") < row.weigh
    if row.cpu_goal:
        verdict &= middle(ours, "cpu") <= row.cpu_goal
    return ", ".join(ratios), "yes" if verdict else "no"


def print_table(results, names, loopback):
    print("\n| work | unit | goal | " + " | ".join(names) + " | ratio | reached |")
    print("|---" * (len(names) + 5) + "|")
    for row in ROWS:
        if row.key in results:
            found = results[row.key]
            cells = [cell(found.get(name)) for name in names]
            print("| " + " | ".join([row.title, row.unit, row.goal, *cells, *judge(row, found, loopback)]) + " |")
    print("\nMedians of the rounds, half of the distance between the worst and the best, and in brackets the server's "
          "CPU time for one message or session.", flush=True)


def machine():
    """Shows what the machine gives; the MB/s of its loopback."""
    with tempfile.TemporaryDirectory(dir=Server.ground) as place:
        shown = subprocess.run([LIMITS, place], check=True, capture_output=True, text=True).stdout
    print(shown, flush=True)
    return float(re.search(r"^loopback.*?([\d.]+) MB/s$", shown, re.M)[1])


def started(stack, kinds, **attributes):
    servers = []
    for kind in kinds:
        server = kind()
        for name, value in attributes.items():
            setattr(server, name, value)
        try:
            servers.append(stack.enter_context(server))
        except (AssertionError, OSError, subprocess.CalledProcessError):
            print(f"{server.name} does not start:\n{traceback.format_exc(limit=1)}", file=sys.stderr)
    return servers


def parse():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--only", default="")
    options.add_argument("--servers", default=",".join(kind.__name__ for kind in EVERYBODY))
    options.add_argument("--json", help="where all that was counted goes")
    return options.parse_args()


def go_inside():
    """Begins this program again in a network of its own, where every port is free; the peers are fetched before."""
    if "OUTSIDE" in os.environ:
        return
    if IS_ROOT:
        for kind in EVERYBODY:
            for package in kind.packages:
                unpack(package)
    enter = HERE.parent / "outside/enter.py"
    os.execv(sys.executable, [sys.executable, "-B", enter, sys.executable, "-B", *sys.argv])


def main():
    options = parse()
    go_inside()
    kinds = [kind for kind in EVERYBODY if kind.__name__ in options.servers.split(",")]
    if not IS_ROOT:
        kinds = [kind for kind in kinds if not kind.packages]
        print("only root can start the peers, and see the server's memory: officemail alone", file=sys.stderr)
    wanted = [row for row in ROWS if not options.only or row.key in options.only.split(",")]
    results, loopback = {}, machine()
    for slow in (False, True):
        rows = [row for row in wanted if row.slow == slow]
        if rows:
            with ExitStack() as stack:
                servers = started(stack, kinds, slow=slow)
                for row in rows:
                    results[row.key] = run_row(row, servers, options.rounds, options.seconds)
    print_table(results, [kind.__name__ for kind in kinds], loopback)
    if IS_ROOT and (not options.only or "memory" in options.only.split(",")):
        weights.print_table(kinds, LOAD, load, started)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
