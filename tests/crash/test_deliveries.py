"""A death costs what was on its way and no more: what else waits to leave does not wait
for it. Under load: test_kill.py."""

import os
import signal
import smtplib
import threading
import time

import pytest

from office import PASSWORDS, PORTS, wait_until
from remote import Remote
from wire import PATIENCE, client_context

USER = "ani@kantor.example"
LETTERS = 6


class Waiting(Remote):
    """Before it takes the first letter it waits, and is not quick with the others."""
    def __init__(self):
        self.asked, self.goes_on = threading.Event(), threading.Event()
        super().__init__()
        self.answers["DATA"] = self.wait_once

    def wait_once(self, *_):
        if not self.asked.is_set():
            self.asked.set()
            self.goes_on.wait(PATIENCE)
        else:
            time.sleep(0.1)


@pytest.fixture
def remote():
    with Waiting() as remote:
        yield remote
        remote.goes_on.set()


@pytest.fixture
def sending(office, remote):
    """The first of some letters is on its way."""
    office.set("relay", "smarthost", remote.place)
    office.set("relay", "tls", "none")
    office.start()
    with smtplib.SMTP(office.address, PORTS["submission"]) as smtp:
        smtp.starttls(context=client_context())
        smtp.login("ani", PASSWORDS["ani"])
        for n in range(LETTERS):
            smtp.sendmail(USER, [f"pak{n}@luar.example"], f"From: {USER}\r\nSubject: {n}\r\n\r\nisi\r\n")
    assert remote.asked.wait(PATIENCE)
    return office


def waiting(office):
    return office.json("queue", "list")


def is_listening(office):
    try:
        office.connect("submission").close()
        return True
    except OSError:
        return False


def has_left(remote):
    return sorted(letter.recipients[0] for letter in remote.letters)


def all_but_one_leave(office, remote):
    (late, ) = wait_until(lambda: len(waiting(office)) == 1 and waiting(office), "all but one gone")
    assert late["attempts"] == 1, late
    assert set(has_left(remote)) >= {f"pak{n}@luar.example" for n in range(LETTERS)} - {late["recipient"]}


def test_a_delivery_that_dies_puts_off_its_own_letter_alone(sending, remote):
    sending.allow("delivery-died")
    os.kill(sending.named("delivery")[0], signal.SIGKILL)
    remote.goes_on.set()
    all_but_one_leave(sending, remote)


def test_so_does_one_that_the_keys_have_left(sending, remote):
    sending.allow("delivery-|message-not-sent|role-died|has gone")
    os.kill(sending.named("keys")[0], signal.SIGKILL)
    sending.wait_log("role-died")
    remote.goes_on.set()
    all_but_one_leave(sending, remote)


def test_a_writer_that_dies_lets_all_go_on_at_once(sending, remote):
    sending.allow("delivery-|role-died|has gone|no-writer")
    os.kill(sending.named("writer")[0], signal.SIGKILL)
    sending.wait_log("role-died")
    remote.goes_on.set()
    wait_until(lambda: not waiting(sending), "an empty outbox")
    assert len(remote.letters) == LETTERS + 1, "the one on its way came twice"


def test_a_server_that_stops_hears_what_becomes_of_a_letter_on_its_way(sending, remote):
    sending.process.terminate()
    wait_until(lambda: not is_listening(sending), "the stop begun")
    remote.goes_on.set()
    assert sending.ended() == 0
    assert 0 < len(remote.letters) < LETTERS, "no more are begun"
    sending.start()
    wait_until(lambda: not waiting(sending), "an empty outbox")
    assert has_left(remote) == [f"pak{n}@luar.example" for n in range(LETTERS)], "each once"
