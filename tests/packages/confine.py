#!/usr/bin/python3
"""Runs a command as systemd runs it that obeys a unit: confine.py UNIT COMMAND...

As root, in a mount namespace of its own. What is told apart here from what systemd does: a
system call outside the unit's list is death, not EPERM, so that nothing of the command can do
without in silence. A setting of the unit that nobody here knows is an error."""

import os
import subprocess
import sys
from pathlib import Path

# What needs no deed here: it says when to start, restart or stop, or there are no such things here.
OF_THE_MANAGER = """Type ExecStart ExecReload Restart RestartSec KillMode OOMPolicy LimitNOFILE
    PrivateIPC PrivateMounts ProtectClock ProtectControlGroups ProtectHostname ProtectKernelLogs ProtectKernelModules
    SystemCallErrorNumber""".split()
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
NEW_NAMESPACES = [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]
EXECUTABLE, WRITABLE = 4, 2


def settings_of(unit):
    """Of [Service]: a list for each key."""
    found, section = {}, ""
    for line in open(unit):
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and line[0] != "#":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def mount(*words):
    subprocess.run(["mount", "-n", *words], check=True)


def make_room(settings):
    """The file system as ProtectSystem=strict and its like show it."""
    runtime = ["/run/" + name for name in " ".join(settings.pop("RuntimeDirectory")).split()]
    for path in runtime:
        os.makedirs(path, 0o755, exist_ok=True)
    writable = " ".join(settings.pop("ReadWritePaths")).split() + runtime
    for path in writable:
        place = path.lstrip("-")
        if os.path.exists(place):
            mount("--bind", place, place)
    assert settings.pop("ProtectSystem") == ["strict"]
    mount("-o", "remount,bind,ro", "/")
    for key, places in {"PrivateTmp": ["/tmp", "/var/tmp"], "ProtectHome": ["/home", "/root"]}.items():
        assert settings.pop(key) == ["yes"]
        for place in places:
            mount("-t", "tmpfs", "-o", "mode=1777" if key == "PrivateTmp" else "mode=000,ro", "tmpfs", place)
    assert settings.pop("PrivateDevices") == ["yes"]
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/mnt")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        open(f"/mnt/{name}", "w").close()
        mount("--bind", f"/dev/{name}", f"/mnt/{name}")
    mount("--move", "/mnt", "/dev")
    assert settings.pop("ProtectProc") == ["invisible"] and settings.pop("ProcSubset") == ["pid"]
    mount("-t", "proc", "-o", "hidepid=invisible,subset=pid", "proc", "/proc")
    assert settings.pop("ProtectKernelTunables") == ["yes"]  # there are none under /proc now


def calls_of(names):
    """The system calls behind names and @sets."""
    found = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        listed = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True)
        members = [line.strip() for line in listed.stdout.splitlines()[1:]]
        found |= calls_of(line for line in members if line and line[0] != "#")
    return found


def allowed_calls(lists):
    allowed = set()
    for words in lists:
        if words.startswith("~"):
            allowed -= calls_of(words[1:].split())
        else:
            allowed |= calls_of(words.split())
    return allowed


def rule(program, action, call, *conditions):
    try:
        program.add_rule(action, call, *conditions)
    except RuntimeError:
        pass  # no call of this machine


def filters(settings):
    """As systemd does it, a filter for each setting; every one must agree."""
    from seccomp import ALLOW, EQ, ERRNO, GE, KILL_PROCESS, MASKED_EQ, Arg, SyscallFilter

    calls = SyscallFilter(KILL_PROCESS)
    assert settings.pop("SystemCallArchitectures") == ["native"]
    for call in sorted(allowed_calls(settings.pop("SystemCallFilter"))):
        rule(calls, ALLOW, call)
    yield calls

    uses = SyscallFilter(ALLOW)
    assert settings.pop("MemoryDenyWriteExecute") == ["yes"]
    rule(uses, KILL_PROCESS, "mmap", Arg(2, MASKED_EQ, EXECUTABLE | WRITABLE, EXECUTABLE | WRITABLE))
    for call in ("mprotect", "pkey_mprotect"):
        rule(uses, KILL_PROCESS, call, Arg(2, MASKED_EQ, EXECUTABLE, EXECUTABLE))
    families = " ".join(settings.pop("RestrictAddressFamilies")).split()
    for family in set(range(46)) - {FAMILIES[name] for name in families}:
        rule(uses, ERRNO(97), "socket", Arg(0, EQ, family))  # EAFNOSUPPORT, which libc asks for and takes
    rule(uses, ERRNO(97), "socket", Arg(0, GE, 46))
    assert settings.pop("RestrictNamespaces") == ["yes"]
    for flag in NEW_NAMESPACES:
        rule(uses, KILL_PROCESS, "clone", Arg(0, MASKED_EQ, flag, flag))
    rule(uses, ERRNO(38), "clone3")  # ENOSYS, and libc takes clone
    assert settings.pop("RestrictSUIDSGID") == ["yes"]
    for call, argument in {"chmod": 1, "fchmod": 1, "fchmodat": 2, "mknod": 1, "mkdir": 1, "mkdirat": 2}.items():
        for bit in (0o4000, 0o2000):
            rule(uses, KILL_PROCESS, call, Arg(argument, MASKED_EQ, bit, bit))
    assert settings.pop("RestrictRealtime") == ["yes"] and settings.pop("LockPersonality") == ["yes"]
    for call in ("sched_setscheduler", "sched_setparam", "sched_setattr", "personality"):
        rule(uses, KILL_PROCESS, call)
    yield uses


def main(unit, command):
    settings = settings_of(unit)
    if os.environ.pop("CONFINED", None) is None:
        rights = " ".join(settings["CapabilityBoundingSet"]).split()
        assert settings["NoNewPrivileges"] == ["yes"]
        myself = Path(__file__).read_text()  # it may lie where there is nothing to be seen afterwards
        make_room(settings)
        bounding = ",".join(["-all", *("+" + right.removeprefix("CAP_").lower() for right in rights)])
        os.environ["CONFINED"] = "yes"
        os.execvp("setpriv", ["setpriv", f"--bounding-set={bounding}", "--inh-caps=-all", "--no-new-privs",
                              sys.executable, "-B", "-c", myself, unit, *command])
    for key in ("CapabilityBoundingSet", "NoNewPrivileges", "RuntimeDirectory", "ReadWritePaths", "ProtectSystem",
                "PrivateTmp", "ProtectHome", "PrivateDevices", "ProtectProc", "ProcSubset", "ProtectKernelTunables"):
        settings.pop(key)
    programs = list(filters(settings))
    os.umask(int(settings.pop("UMask")[0], 8))
    unknown = set(settings) - set(OF_THE_MANAGER)
    assert not unknown, f"nobody here knows {unknown}"
    for program in reversed(programs):
        program.load()
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
