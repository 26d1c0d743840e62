#!/usr/bin/python3
"""Looks for inputs that break a target, two targets at a time, and says what came
of it. `make fuzz` builds the targets and calls this.

Each begins with what tests/fuzz/corpus keeps and with the dialogues as seeds,
and goes on with what earlier runs left in build/fuzzer/corpus. A finding is
left in build/fuzzer/findings, and the run fails. --keep puts the smallest set
that reaches as far into tests/fuzz/corpus."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import corpus  # noqa: E402
import seeds  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build/fuzzer"
AT_ONCE = 2
LONGEST_INPUT = 4096
KEPT_MOST = 300_000  # octets of a kept corpus


class Target:
    def __init__(self, name, scratch):
        self.name = name
        self.program = BUILT / "tests/fuzz" / name
        self.corpus = BUILT / "corpus" / name
        self.findings = BUILT / "findings" / name
        self.log = BUILT / "logs" / f"{name}.log"
        self.scratch = scratch
        for folder in (self.corpus, self.findings, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)

    def command(self, *options):
        words = [self.program, "-close_fd_mask=3", f"-max_len={LONGEST_INPUT}", "-timeout=120", "-rss_limit_mb=2048",
                 f"-artifact_prefix={self.findings}/"]
        dictionary = ROOT / "tests/fuzz" / f"{self.name}.dict"
        if dictionary.exists():
            words.append(f"-dict={dictionary}")
        source = ROOT / "tests/fuzz" / f"{self.name}.c"
        if '"tests/fuzz/role.h"' in source.read_text():
            words.append("-detect_leaks=0")  # what a role keeps from one input to the next is no leak
        return [str(word) for word in (*words, *options)]

    def call(self, options, log):
        """Runs it to its end; what it cost in seconds of processor time."""
        environment = dict(os.environ, TMPDIR=self.scratch)
        process = subprocess.Popen(self.command(*options), stdout=log, stderr=log, cwd=ROOT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime

    def fuzz(self, seconds):
        corpus.unpack(self.name, self.corpus)
        seeds.write(self.name, self.corpus)
        begun = set(self.findings.iterdir())
        with open(self.log, "w", encoding="utf-8", errors="replace") as log:
            cpu = self.call([f"-max_total_time={seconds}", "-print_final_stats=1", "-reload=0", self.corpus], log)
        text = self.log.read_text(encoding="utf-8", errors="replace")
        edges = [int(n) for n in re.findall(r"cov: (\d+)", text)]
        runs = [int(n) for n in re.findall(r"^#(\d+)", text, re.MULTILINE)]
        return {"target": self.name, "cpu": cpu, "runs": max(runs, default=0), "edges": max(edges, default=0),
                "findings": sorted(p.name for p in set(self.findings.iterdir()) - begun)}

    def keep(self):
        """The smallest part of the corpus that reaches as far, small inputs first."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as smallest:
            with open(self.log, "a", encoding="utf-8") as log:
                self.call(["-merge=1", smallest, self.corpus], log)
            return corpus.pack(self.name, Path(smallest), KEPT_MOST)


def main():
    names = sorted(p.stem for p in (ROOT / "tests/fuzz").glob("*.c") if p.stem != "replay")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="into tests/fuzz/corpus")
    parser.add_argument("--seconds", type=int, default=3600, help="for each target (3600); 0: only --keep")
    parser.add_argument("targets", metavar="TARGET", nargs="*", choices=[[], *names], default=[])
    options = parser.parse_args()
    memory = Path("/dev/shm")
    scratch = tempfile.mkdtemp(prefix="officemail-fuzz-", dir=memory if memory.is_dir() else None)
    broken = False

    def work(name):
        target = Target(name, scratch)
        result = target.fuzz(options.seconds) if options.seconds > 0 else None
        return result, target.keep() if options.keep else None

    try:
        print("target          cpu s       runs  edges  findings", flush=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for result, kept in pool.map(work, options.targets or names):
                if result:
                    print(f"{result['target']:14}{result['cpu']:7.0f}{result['runs']:11}{result['edges']:7}  "
                          f"{' '.join(result['findings']) or 'none'}", flush=True)
                    broken = broken or bool(result["findings"])
                if kept:
                    print(f"    kept: {kept}", flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return broken


if __name__ == "__main__":
    started = time.monotonic()
    failed = main()
    print(f"{time.monotonic() - started:.0f} s in all")
    sys.exit(failed)
