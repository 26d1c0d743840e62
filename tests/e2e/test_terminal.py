"""What the tools ask a person, on a terminal and without one."""

import os
import pty
import select
import signal
import subprocess
import termios

import pytest

PATIENCE = 60


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, office, *arguments):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.seen = b""
        self.process = subprocess.Popen(
            [office.binary, "-c", office.ini, *arguments], stdin=slave, stdout=subprocess.PIPE, stderr=slave,
            start_new_session=True)

    def wait_for(self, words):
        while words not in self.seen:
            ready, _, _ = select.select([self.master], [], [], PATIENCE)
            assert ready, f"{words!r} never came: {self.seen!r}"
            self.seen += os.read(self.master, 1000)
        self.seen = self.seen.split(words, 1)[1]

    def type(self, text):
        os.write(self.master, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def end(self):
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 1000)
        return status

    def close(self):
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def terminal(office):
    opened = []

    def run(*arguments):
        opened.append(Terminal(office, *arguments))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


def test_a_password_is_asked_for_twice_and_not_echoed(served, terminal):
    asked = terminal("user", "add", "siti@kantor.example")
    for question in (b"New password: ", b"The same again: "):
        asked.wait_for(question)
        assert not asked.echoes()
        asked.type("rahasia siti\n")
    assert asked.end() == 0
    assert b"rahasia" not in asked.seen
    assert served.can_log_in("siti", "rahasia siti")


def test_two_passwords_that_differ_change_nothing(office, terminal):
    asked = terminal("user", "add", "siti@kantor.example")
    asked.wait_for(b"New password: ")
    asked.type("rahasia satu\n")
    asked.wait_for(b"The same again: ")
    asked.type("rahasia dua\n")
    assert asked.end() == 1
    assert b"differ" in asked.seen
    assert office.command("user", "show", "siti@kantor.example").returncode == 1


def test_an_interrupted_question_leaves_a_terminal_that_echoes(office, terminal):
    asked = terminal("user", "passwd", "ani@kantor.example")
    asked.wait_for(b"New password: ")
    assert not asked.echoes()
    asked.process.send_signal(signal.SIGINT)
    assert asked.end() == 1
    assert b"interrupted" in asked.seen
    assert asked.echoes()


def test_removing_asks_and_takes_silence_for_no(office, terminal):
    asked = terminal("user", "remove", "budi@kantor.example")
    asked.wait_for(b"[y/N] ")
    asked.type("\n")
    assert asked.end() == 1
    assert b"nothing was changed" in asked.seen
    assert office.command("user", "show", "budi@kantor.example").returncode == 0
    asked = terminal("user", "remove", "budi@kantor.example")
    asked.wait_for(b"[y/N] ")
    asked.type("y\n")
    assert asked.end() == 0
    assert office.command("user", "show", "budi@kantor.example").returncode == 1


@pytest.mark.parametrize("arguments, way_out", [
    (["user", "add", "baru@kantor.example"], "--password-stdin"),
    (["user", "passwd", "ani@kantor.example"], "--password-stdin"),
    (["user", "remove", "ani@kantor.example"], "--yes"),
])
def test_without_a_terminal_it_says_which_option_to_give(office, arguments, way_out):
    result = office.command(*arguments)
    assert result.returncode == 1
    assert way_out in result.stderr.decode()
