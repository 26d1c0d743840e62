"""What each process may do, as the kernel tells it."""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from leaving import submit
from letters import letter
from office import PATIENCE, wait_until
from remote import Speaker
from test_life import ROLES, serves

EXECUTORS = {"system", "popen", "execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe",
             "fexecve", "posix_spawn", "posix_spawnp", "__execve", "__posix_spawn", "__libc_system"}


def status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def roles_of(office):
    return [pid for role in ROLES for pid in office.named(role)]


def assert_sealed(pid):
    facts = status(pid)
    assert facts["Seccomp"].strip() == "2", facts["Name"]
    assert facts["NoNewPrivs"].strip() == "1"
    assert int(facts["CapEff"], 16) == 0
    assert re.search(r"Max core file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text())


def test_at_rest_there_are_the_master_the_roles_and_two_password_helpers(served):
    assert len(served.pids()) == 1 + len(ROLES) + 2
    assert [len(served.named(role)) for role in ROLES] == [3, 1, 1, 1]  # the helpers are the directory's


@pytest.mark.parametrize("service", ["pop3", "pop3s", "smtp", "lmtp"])
def test_a_session_is_sealed_before_and_after_login(served, service):
    served.deliver(letter(1))
    wait_until(lambda: not served.named("lmtp"), "the delivery's session has ended")
    wire = served.connect(service)
    wire.line()
    (session,) = set(served.pids()) - {served.process.pid} - set(roles_of(served))
    assert_sealed(session)
    if service.startswith("pop3"):
        wire.command("USER ani@kantor.example")
        wire.command("PASS rahasia-ani")
        wire.command("RETR 1")
        wire.block()
        assert_sealed(session)


def held(pid):
    """What the descriptors of a process are, but the standard ones."""
    links = {int(fd.name): os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    return sorted(re.sub(r":\[\d+\]| \(deleted\)", "", text) for fd, text in links.items() if fd > 2)


sees_descriptors = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root sees the descriptors of a process that cannot be traced")


@sees_descriptors
def test_a_session_holds_its_connection_three_channels_and_pipes_to_be_woken_and_to_wake(served):
    """Its lifeline and the crowd's; the ropes of three bells."""
    wire = served.connect("pop3s")
    wire.line()
    (session,) = set(served.pids()) - {served.process.pid} - set(roles_of(served))
    assert held(session) == [*5 * ["pipe"], *4 * ["socket"]]


@sees_descriptors
def test_no_process_but_the_master_holds_the_key_s_file_open(served):
    for pid in served.pids():
        if pid != served.process.pid:
            assert not [what for what in held(pid) if what.endswith(".pem")], pid


STORE = ["store.db", "store.db-shm", "store.db-wal"]
HOLDS = {
    # The master's channel, the listeners, the bell; the directory's own channel, and the relay's; epoll.
    "writer": [["anon_inode:[eventpoll]", "lock", "pipe", "run", *5 * ["socket"], *STORE]],
    # Its own store, and the descriptors that it hands out; the writer, and two helpers.
    "directory": [["anon_inode:[eventpoll]", "lock", "pipe", "run", *6 * ["socket"], *sorted(2 * STORE)], ["socket"], ["socket"]],
    "keys": [["anon_inode:[eventpoll]", "lock", "pipe", "socket", "socket", "socket"]],
    # The master's channel, the listener, the writer; the ends of deliveries.
    "relay": [["anon_inode:[eventpoll]", "anon_inode:[signalfd]", "lock", "run", "socket", "socket", "socket"]],
}


@sees_descriptors
@pytest.mark.parametrize("role", HOLDS)
def test_a_role_holds_these_descriptors_and_no_other(served, role):
    def found():
        return [[what.rsplit("/", 1)[-1] if what.startswith("/") else what for what in held(pid)]
                for pid in served.named(role)]
    wait_until(lambda: [sorted(what) for what in found()] == [sorted(what) for what in HOLDS[role]] or None,
               f"{found()}")


@sees_descriptors
def test_a_delivery_is_sealed_before_it_hears_a_word_and_gets_the_store_behind_the_login(office):
    """Its connection and three channels; neither the password's file nor the authorities'."""
    office.set("relay", "tls", "none")
    office.set("relay", "password_file", office.dir / "smarthost")
    (office.dir / "smarthost").write_text("rahasia\n")
    (office.dir / "smarthost").chmod(0o600)
    speaks, ends = threading.Event(), threading.Event()

    def talk(wire, _):
        assert speaks.wait(PATIENCE)
        wire.write(b"220 relay\r\n")
        assert wire.readline().startswith(b"EHLO")
        wire.write(b"250 relay\r\n")
        assert wire.readline().startswith(b"MAIL")
        ends.wait(PATIENCE)

    def sealed():
        pids = office.named("delivery")
        return pids[0] if pids and status(pids[0])["Seccomp"].strip() == "2" else None

    with Speaker(talk) as smarthost:
        office.set("relay", "smarthost", smarthost.place)
        office.start()
        submit(office, "pak@luar.example")
        delivery = wait_until(sealed, "a sealed delivery")
        assert_sealed(delivery)
        assert held(delivery) == ["socket"] * 4
        speaks.set()
        wait_until(lambda: len(held(delivery)) > 4, "the store")
        assert sorted(what.rsplit("/", 1)[-1] for what in held(delivery)) == sorted(["socket"] * 4 + STORE)
        ends.set()


@sees_descriptors
def test_after_a_login_the_store_s_three_files_come_along_and_can_only_be_read(served):
    served.deliver(letter(1))
    wait_until(lambda: not served.named("lmtp"), "the delivery's session has ended")
    wire = served.login()
    (session,) = served.named("pop3")
    before = held(session)
    wire.command("RETR 1")
    wire.block()
    added = [fd for fd in Path(f"/proc/{session}/fd").iterdir() if "/store.db" in os.readlink(fd)]
    assert sorted(held(session)) == sorted(before + [os.readlink(fd) for fd in added])
    assert sorted(Path(os.readlink(fd)).name for fd in added) == STORE
    for fd in added:
        flags = re.search(r"flags:\s+(\d+)", Path(f"/proc/{session}/fdinfo/{fd.name}").read_text())[1]
        assert int(flags, 8) & os.O_ACCMODE == os.O_RDONLY


def test_the_master_keeps_four_capabilities_and_its_children_none(served):
    """SETUID, SETGID, KILL, DAC_READ_SEARCH, where it was started as root."""
    wire = served.connect("smtp")
    wire.line()
    kept = 0xE4 if os.geteuid() == 0 else 0
    assert int(status(served.process.pid)["CapEff"], 16) == int(status(served.process.pid)["CapPrm"], 16) == kept
    for pid in served.pids()[1:]:
        facts = status(pid)
        assert [int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [0] * 4, facts["Name"]
        if os.geteuid() == 0:
            assert int(facts["CapBnd"], 16) == kept and facts["Groups"].strip() == ""


@sees_descriptors
def test_the_password_helpers_hold_one_channel_and_no_store(served):
    directory, *helpers = served.named("directory")
    for helper in helpers:
        wait_until(lambda: status(helper)["Seccomp"].strip() == "2", "a sealed process")
        assert held(helper) == ["socket"]
    assert any(what.endswith("/store.db") for what in held(directory))


def test_every_role_is_sealed_but_the_relay_which_forks_and_hears_nobody(served):
    (relay,) = served.named("relay")
    assert status(relay)["Seccomp"].strip() == "0"
    for pid in set(roles_of(served)) - {relay}:
        # The directory does not wait for its helpers: they ask for nothing.
        wait_until(lambda: status(pid)["Seccomp"].strip() == "2", "a sealed process")
        assert_sealed(pid)


def test_no_child_of_a_root_master_is_root_and_a_plain_users_server_stays_his(served):
    wire = served.login()
    for pid in served.pids()[1:]:
        uids = set(map(int, status(pid)["Uid"].split()))
        assert uids == ({65534} if os.geteuid() == 0 else {os.geteuid()})
    wire.command("QUIT")


def test_it_serves_as_a_plain_user(office):
    """Also when the tests run as root: then everything is done as another account."""
    if os.geteuid() != 0:
        office.start()
    else:
        for path in (office.dir, *office.dir.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")
        office.start(user="nobody", group="nogroup", extra_groups=[])
    assert serves(office)


def test_the_binary_has_no_way_to_run_a_program(workshop):
    """Libc's functions that do are not in it: nobody can be made to call them."""
    symbols = subprocess.run(["nm", workshop.binary], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in symbols.splitlines()}
    assert "fork" in names, "nm shows what it should"
    assert not names & EXECUTORS
