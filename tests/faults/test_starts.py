"""A call that fails while the server starts: it serves, or says why not and ends; and
when the fault is over the next start, or this one by itself, serves what was there."""

import contextlib
import os
import random
import re

from customer import Customer
from failing import Failing, word
from office import wait_until
from test_calls import ERRORS

SECONDS = 1.5  # with the fault; then it ends, and a start that goes on must come to its end
BALLAST = 8 << 20
NEAR = 8  # the n that the short form goes to
MOST = 60  # n: calls of a kind that a start makes
SHORT_FORM = ["fsync", "ftruncate", "open", "malloc"]  # the first two are made at a start alone


class Start:
    def __init__(self, office):
        seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"seed {seed}")
        office.allow("^<3>|nss_database")
        self.office, self.seed = office, seed
        self.chance = random.Random(seed)
        self.failing = Failing(office)
        self.customer = Customer(office, self.chance)
        self.outcomes = {"served": 0, "ended": 0, "served later": 0, "not reached": 0}

    def said(self, words):
        return any(words in line for line in self.office.lines)

    @staticmethod
    def wait(condition):
        """As long as the fault is to last at most."""
        with contextlib.suppress(AssertionError):
            wait_until(condition, "", SECONDS)

    def case(self, call, nth, error, for_ever):
        office = self.office
        name = f"{call} {word(error)} n={nth} {'for ever' if for_ever else 'once'}, seed {self.seed}"
        ballast = office.data / "ballast"
        ballast.unlink(missing_ok=True)  # it is made at a start, and synced
        office.lines.clear()
        self.failing.arm(call, nth, error, for_ever)
        office.spawn()
        self.wait(lambda: office.process.poll() is not None or self.said("officemail: ready"))
        if self.said("officemail: ready"):
            self.customer.patience = 0.5
            self.customer.act(self.customer.send, "smtp", 300)
            self.wait(lambda: self.failing.failed or ballast.exists() and ballast.stat().st_size == BALLAST)
        failed = self.failing.failed
        self.failing.disarm()
        self.customer.patience = 30
        try:
            self.judge(call, failed)
        except AssertionError as wrong:
            raise AssertionError(f"{name}: {wrong}") from wrong

    def judge(self, call, failed):
        office = self.office
        early = self.said("officemail: ready")
        wait_until(lambda: office.process.poll() is not None or self.said("officemail: ready"), "ready, or the end")
        outcome = "served" if early else "served later"
        if office.process.poll() is not None:
            outcome = "ended"
            status = office.ended()
            if status < 0:
                # By abort(). glibc itself dies where getpwnam(3) gets no memory, which is before "starting".
                assert call == "malloc" and (self.said("out of memory") or not self.said("starting")), f"{status}"
            else:
                assert status == 1, f"status {status}"
                assert any(re.match(r"officemail: \S|<3>|/.*office.ini", line) for line in office.lines), "why?"
            office.start()
        self.customer.wait_for_service()
        self.customer.verify()
        office.stop()
        self.outcomes[outcome if failed else "not reached"] += 1


def pytest_generate_tests(metafunc):
    metafunc.parametrize("call", ERRORS if metafunc.config.getoption("--full") else SHORT_FORM)


def test_a_start_amid_a_call_that_fails(office, full, call):
    start = Start(office)
    for error in ERRORS[call]:
        if full:
            for nth in [*range(1, 11), *sorted(start.chance.sample(range(11, MOST + 1), 5))]:
                for for_ever in (False, True):
                    start.case(call, nth, error, for_ever)
        else:
            start.case(call, start.chance.randint(1, NEAR), error, start.chance.random() < 0.5)
    print(f"{call}: {start.outcomes}")
