"""The n-th call fails in the relay or in a delivery, once or for ever; and the store
cannot take what became of a letter. What was acknowledged leaves when the fault is
over, and the office serves by itself."""

import errno
import os
import random
import smtplib
import threading

import pytest

from failing import Failing, word
from office import PASSWORDS, PORTS, wait_until
from remote import Remote
from test_calls import ERRORS
from wire import PATIENCE, client_context

USER = "ani@kantor.example"
CALLS = ["fork", "socket", "open", "mmap", "malloc", "send", "recv", "sendmsg", "recvmsg", "pread", "poll", "epoll_wait"]
SECONDS = 2.5  # with a fault that goes on; one more delivery is sent after a second
NEAR = 6  # the n of the last n-th call
SHORT_FORM = 5


class Sender:
    """An office whose mail leaves through a server that holds it up where it is told to."""
    def __init__(self, office, remote):
        self.office, self.remote = office, remote
        self.count = 0
        office.allow("^<3>")  # that something failed is told
        office.set("relay", "smarthost", remote.place)
        office.set("relay", "tls", "none")
        office.set("submission", "per_hour", 0)
        self.failing = Failing(office)
        office.start()

    def send(self, letters):
        with smtplib.SMTP(self.office.address, PORTS["submission"]) as smtp:
            smtp.starttls(context=client_context())
            smtp.login("ani", PASSWORDS["ani"])
            for _ in range(letters):
                self.count += 1
                smtp.sendmail(USER, [f"pak{self.count}@luar.example"],
                              f"From: {USER}\r\nSubject: {self.count}\r\n\r\nisi\r\n")

    def is_empty(self):
        return not self.office.json("queue", "list")

    def has_let_go(self):
        """What the fault put off need not wait for minutes."""
        self.office.run("queue", "retry")
        return self.is_empty()

    def taken(self):
        return [letter.recipients[0] for letter in self.remote.letters]

    def all_leave(self):
        self.send(1)  # wakes the relay
        wait_until(self.has_let_go, "an empty outbox")
        missing = {f"pak{n + 1}@luar.example" for n in range(self.count)} - set(self.taken())
        assert not missing, f"acknowledged and lost: {missing}"


@pytest.fixture
def remote():
    with Remote() as remote:
        yield remote


@pytest.fixture
def sender(office, remote):
    return Sender(office, remote)


@pytest.mark.parametrize("kind", ["relay", "delivery"])
def test_a_call_that_fails_where_mail_leaves(sender, full, kind):
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    cases = [(call, chance.randint(1, NEAR), chance.choice(ERRORS[call]), chance.random() < 0.5)
             for call in chance.sample(CALLS, SHORT_FORM)]
    if full:
        cases = [(call, nth, error, for_ever) for call in CALLS for error in ERRORS[call]
                 for nth in range(1, NEAR + 1) for for_ever in (False, True)]
    reached = 0
    for call, nth, error, for_ever in cases:
        name = f"{call} {word(error)} n={nth} {'for ever' if for_ever else 'once'}, seed {seed}"
        failing, before = sender.failing, len(sender.office.lines)
        failing.arm(call, nth, error, for_ever, kinds=[kind])
        sender.send(3)
        try:
            wait_until(lambda: failing.failed and not for_ever or sender.is_empty(), "the fault", SECONDS)
        except AssertionError:
            pass
        failing.disarm()
        reached += failing.failed > 0
        try:
            sender.all_leave()
        except AssertionError as wrong:
            raise AssertionError(f"{name}: {wrong}") from wrong
        assert len(sender.office.lines) - before < 60, f"{name}: too many lines of log"
    print(f"{len(cases)} cases, {reached} reached")
    assert reached or not full
    sender.office.stop()
    sender.office.run("check")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=word)
@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_a_delivery_tells_again_what_the_store_could_not_take(sender, remote, call, error):
    asked, goes_on = threading.Event(), threading.Event()

    def hold_up(*_):
        asked.set()
        goes_on.wait(PATIENCE)

    remote.answers["DATA"] = hold_up
    sender.send(2)
    assert asked.wait(PATIENCE)
    sender.failing.arm(call, 1, error, for_ever=True, kinds=["writer"])
    goes_on.set()
    sender.office.wait_log("commit-failed")
    sender.failing.disarm()
    wait_until(sender.is_empty, "an empty outbox")
    assert sorted(sender.taken()) == ["pak1@luar.example", "pak2@luar.example"], "each once"
