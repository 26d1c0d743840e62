"""The seal from inside: processes of the real server that are owned by what they read
(tests/shims/intruder.c), and what comes of all they try."""

import os
import re
import socket
import struct
from pathlib import Path

import pytest

from hostile import Smtp, answered
from letters import letter
from office import wait_until
from test_life import serves

SHIM = Path(__file__).resolve().parents[2] / "build/tests/shims/intruder.so"
SOURCE = SHIM.parents[3] / "tests/shims/intruder.c"
ATTEMPTS = re.findall(r'^\t\{"(\w+)", SYS_', SOURCE.read_text(), re.MULTILINE)

# What roles that keep the store may: their files, and to reach each other.
STORE_ROLES_MAY = {
    "open", "open_key", "open_parent", "create", "openat2", "by_handle", "stat", "unlink", "rename", "link",
    "symlink", "mkdir", "chmod", "truncate", "ftruncate", "chdir", "socket_unix", "socketpair", "connect", "bind",
    "listen", "accept", "pipe", "memfd", "eventfd", "inotify", "dup", "set_flags", "seek", "pidfd", "setuid",
    "setgid", "be_dumpable", "outlive", "seccomp", "shared_memory", "message_queue",
}
SANITIZERS_MAY = {"be_dumpable", "outlive"}
SANITIZED_STORE_ROLES_MAY = {"fork", "clone3", "trace"}


@pytest.fixture
def owned(office):
    """An office whose processes do what they read."""
    office.environment = {
        "LD_PRELOAD": str(SHIM),
        "INTRUDER_KEY": str(office.data / "tls" / "key.pem"),
        **({"ASAN_OPTIONS": "quarantine_size_mb=1:verify_asan_link_order=0"} if office.sanitized else {}),
    }
    office.deadly = "deadly" in office.run("--version", config=False)
    office.start()
    return office


def results(office, process, since):
    """{attempt: what came of it}, when all have been tried."""
    office.wait_log(f"intruder in={process} has tried", since)
    return dict(re.findall(rf"intruder in={process} try=(\w+) result=(\w+)", "\n".join(office.lines[since:])))


def refused(office, seal):
    """What a process behind that seal is refused by it."""
    may = set(SANITIZERS_MAY) if office.sanitized else set()
    if seal == "role":
        may |= {"accept"}
    if seal == "store":
        may |= STORE_ROLES_MAY | (SANITIZED_STORE_ROLES_MAY if office.sanitized else set())
    return set(ATTEMPTS) - may


# ---- sessions, at each stage


class Stage:
    """A session of `service`, and how words of a stranger's get into it."""

    def __init__(self, office, service):
        self.office, self.service = office, service
        self.wire = office.connect(service)
        self.wire.line()

    def say(self, attempt):
        self.wire.send(f"NOOP intrude-{self.service}-{attempt}.\r\n".encode())

    def close(self):
        self.wire.close()


class BeforeHello(Stage):
    def __init__(self, office):
        super().__init__(office, "smtp")


class InTheMessage(Stage):
    def __init__(self, office):
        self.service = "smtp"
        session = Smtp(office)
        session.begin()
        answered(session.ask(b"DATA"), "354")
        self.wire = session.wire


class BehindTls(Stage):
    """Behind TLS the words are not on the wire: they come before the hello."""
    def __init__(self, office):
        super().__init__(office, "submission")


class OnTheUnixSocket(Stage):
    def __init__(self, office):
        super().__init__(office, "lmtp")


class OfThisBox(Stage):
    def __init__(self, office):
        super().__init__(office, "local")


class BeforeLogin(Stage):
    def __init__(self, office):
        super().__init__(office, "pop3")


class AfterLogin(Stage):
    """With the store open."""
    def __init__(self, office):
        self.service, self.wire = "pop3", office.login()
        assert self.wire.command("RETR 1").startswith("+OK")
        self.wire.block()


STAGES = [BeforeHello, InTheMessage, BehindTls, OnTheUnixSocket, OfThisBox, BeforeLogin, AfterLogin]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_a_session_that_is_owned_reaches_nothing(owned, stage):
    owned.deliver(letter(1))
    wanted = refused(owned, "session")
    if owned.deadly:
        owned.allow("session-died")
        # Death is told once: each try takes a session of its own.
        for attempt in sorted(wanted if stage is BeforeHello else {"open_key", "socket", "exec", "trace", "kill"}):
            since = len(owned.lines)
            session = stage(owned)
            session.say(attempt)
            owned.wait_log("session-died signal=31 ", since)
            session.close()
            assert not [line for line in owned.lines[since:] if "result=" in line]
    else:
        since = len(owned.lines)
        session = stage(owned)
        session.say("all")
        found = results(owned, session.service, since)
        assert {name: found[name] for name in wanted} == dict.fromkeys(wanted, "EPERM")
        session.close()
    assert serves(owned)


# ---- roles


def say_to_role(office, role, words):
    """As root, or as the account: nobody else reaches a role's socket."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(office.data / "run" / role))
        channel.sendall(struct.pack("=IHH", len(words), 16, 0) + words)
        channel.settimeout(30)
        try:
            assert channel.recv(1) == b""  # no hello: the channel is ended
        except ConnectionResetError:
            pass


@pytest.mark.parametrize("role, seal", [("keys", "role"), ("writer", "store"), ("directory", "store")])
def test_a_role_that_is_owned_reaches_what_is_its_own_and_no_more(owned, role, seal):
    wanted = refused(owned, seal)
    owned.allow("channel-refused")
    (pid, *_) = owned.named(role)
    since = len(owned.lines)
    if owned.deadly:
        owned.allow("role-died|helper|no-writer|has gone|session-not-begun|not there")
        say_to_role(owned, role, f"intrude-{role}-exec.".encode())
        owned.wait_log(f"role-died role={role} signal=31", since)
        wait_until(lambda: serves(owned), "the role is back")
        return
    say_to_role(owned, role, f"intrude-{role}-all.".encode())
    found = results(owned, role, since)
    assert {name: found[name] for name in wanted} == dict.fromkeys(wanted, "EPERM")
    if seal == "store":
        assert found["open"] == "done", "what is not refused goes on to be done"
        assert owned.sanitized or os.geteuid() != 0 or found["open_parent"] == "EACCES"
    assert owned.named(role)[0] == pid
    assert serves(owned)


def test_a_password_helper_that_is_owned_reaches_nothing(owned):
    wanted = refused(owned, "session")
    wire = owned.connect("pop3")
    wire.line()
    wire.command("USER ani@kantor.example")
    since = len(owned.lines)
    if owned.deadly:
        owned.allow("role-died|hashing-failed|helper|has gone|not there")
        wire.send(b"PASS intrude-helper-open.\r\n")
        owned.wait_log("role-died role=directory", since)
        wait_until(lambda: serves(owned), "the directory is back, and its helpers")
        return
    wire.send(b"PASS intrude-helper-all.\r\n")
    found = results(owned, "helper", since)
    assert {name: found[name] for name in wanted} == dict.fromkeys(wanted, "EPERM")
    assert wire.line().startswith(b"-ERR")
    assert serves(owned)
