"""What each process may do, as the kernel tells it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from test_life import ROLES, role_pids, serves

EXECUTORS = {"system", "popen", "execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe",
             "fexecve", "posix_spawn", "posix_spawnp"}


def status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def test_at_rest_there_are_the_master_the_roles_and_two_password_helpers(served):
    assert len(role_pids(served)) == len(ROLES)
    assert len(served.pids()) == 1 + len(ROLES) + 2


@pytest.mark.parametrize("service", ["pop3", "pop3s", "smtp", "lmtp"])
def test_a_session_is_sealed_before_and_after_login(served, service):
    before = set(served.pids())
    wire = served.login(service=service) if service.startswith("pop3") else served.connect(service)
    if not service.startswith("pop3"):
        wire.line()
    (session,) = set(served.pids()) - before
    facts = status(session)
    assert facts["Seccomp"].strip() == "2"
    assert facts["NoNewPrivs"].strip() == "1"
    assert facts["CapEff"].strip("\t 0") == ""
    limits = Path(f"/proc/{session}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_every_role_is_sealed(served):
    for pid in served.pids()[1:]:
        facts = status(pid)
        assert facts["Seccomp"].strip() == "2", (pid, facts["Name"])
        assert facts["NoNewPrivs"].strip() == "1"
        assert facts["CapEff"].strip("\t 0") == ""


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
    symbols = subprocess.run(["nm", "-D", "--undefined-only", workshop.binary], check=True,
                             capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in symbols.splitlines()}
    assert "fork" in names, "nm shows what it should"
    assert not names & EXECUTORS
