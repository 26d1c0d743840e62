"""An office whose calls fail on demand, its customer, and what must hold
of every fault, whatever it is."""

import os
import random
import re
from collections import defaultdict

from customer import Customer
from failing import Failing, word
from office import wait_until

CONVERSATIONS = 60  # until a call that few make has been made n times, or is given up
LINES = 6  # of log: what one action of a client may leave
DEATHS = 4  # of roles, after which one comes back late
SILENCE = 0.5  # seconds: as long as a customer waits for an office that is known to fail
PATIENCE = 30


class Stand:
    def __init__(self, office, seed):
        print(f"seed {seed}")
        self.office, self.seed = office, seed
        office.allow("^<3>")  # that something failed is told
        self.failing = Failing(office)
        self.chance = random.Random(seed)
        self.customer = Customer(office, self.chance)
        self.broken = None  # by this case: what comes behind it would be judged by a wrong ledger
        self.cases, self.unreached = defaultdict(int), defaultdict(int)
        self.slowest, self.most_lines = defaultdict(float), defaultdict(int)
        office.start()
        self.settle()

    def settle(self):
        """What the processes hold when nobody has done anything to them yet."""
        self.pid = self.office.process.pid
        self.customer.wait_for_service()
        self.held = {pid: count for pid in self.lasting() if (count := descriptors(pid))}

    def lasting(self):
        return [self.pid, *(pid for role in ("writer", "directory", "keys") for pid in self.office.named(role))]

    def case(self, call, nth, error, for_ever, kinds=None, file=None):
        """One fault, from its beginning to its end and to what it has left."""
        assert not self.broken, f"not tried: the mailbox is amiss since {self.broken}"
        self.broken = f"{call} {word(error)} n={nth}"
        try:
            self._case(call, nth, error, for_ever, kinds, file)
        except BaseException:
            print("--- the server's log\n" + "\n".join(self.office.lines[-100:]))
            raise
        self.broken = None

    def _case(self, call, nth, error, for_ever, kinds, file):
        name = f"{call} {word(error)} n={nth} {'for ever' if for_ever else 'once'}, seed {self.seed}"
        customer, failing = self.customer, self.failing
        lines, actions = len(self.office.lines), customer.actions
        failing.arm(call, nth, error, for_ever, kinds, file)
        try:
            self.suffer(call, for_ever)
        except AssertionError as wrong:
            raise AssertionError(f"{name}: {wrong}") from wrong
        finally:
            failing.disarm()
        self.cases[call] += 1
        self.unreached[call] += not failing.failed
        self.recover(name, call)
        self.count_lines(name, call, lines, customer.actions - actions)
        self.rest()

    def suffer(self, call, for_ever):
        """Conversations until the call has failed, and where it goes on failing one more."""
        failing, customer = self.failing, self.customer
        customer.patience, customer.silent = SILENCE, 0
        for _ in range(CONVERSATIONS):
            failed, made = failing.failed, failing.made(call)
            for action in customer.conversation():
                customer.act(*action)
                if customer.silent or failing.failed and not for_ever:
                    return
            if failed or failing.made(call) == made:
                return

    def recover(self, name, call):
        """The fault has ended: everything is served again, and nothing is amiss."""
        self.customer.patience = PATIENCE
        try:
            took = self.customer.wait_for_service()
            self.customer.verify()
        except AssertionError as wrong:
            raise AssertionError(f"{name}, after its end: {wrong}") from wrong
        self.slowest[call] = max(self.slowest[call], took)
        process = self.office.process
        assert process.poll() is None and process.pid == self.pid, f"{name}: the master has died"

    def count_lines(self, name, call, before, actions):
        lines = len(self.office.lines) - before
        assert lines <= LINES * actions + 10, f"{name}: {lines} lines of log for {actions} actions"
        self.most_lines[call] = max(self.most_lines[call], lines)

    def rest(self):
        """A role that has died often comes back late: no case is to pay for those before it."""
        if sum("role-died" in line for line in self.office.lines) >= DEATHS:
            self.restart()

    def restart(self):
        self.office.restart()
        self.office.lines.clear()
        self.settle()

    def check_descriptors(self):
        """No fault has left one open. (SQLite keeps one of a store that was opened anew, and its log's.)"""
        for pid, count in self.held.items():
            wait_until(lambda: descriptors(pid) <= count + 2, f"process {pid} to hold {count} descriptors again")

    def report(self, call):
        self.check_descriptors()
        print(f"{call}: {self.cases[call]} cases, {self.unreached[call]} not reached, service back after at most "
              f"{self.slowest[call]:.2f} s, at most {self.most_lines[call]} lines of log")


def descriptors(pid):
    """How many are open there; 0 where it has ended, or only root may look."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except (PermissionError, FileNotFoundError):
        return 0


def serve(workshop, seed):
    """A stand for the tests of a module; to be used as `yield from`, in a fixture."""
    office = workshop.office()
    office.cuts_lines = True  # one that falls short is of the log as well
    try:
        stand = Stand(office, seed)
        yield stand
        assert not any(re.search("Sanitizer|Assertion", line) for line in office.lines)
    finally:
        office.close()
