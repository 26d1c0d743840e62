#!/usr/bin/python3
"""Runs a command in a network of its own:

    tests/outside/enter.py COMMAND...

There are a loopback and no other interface; every port from 1 on may be bound; resolver.py
answers at 127.0.0.53:53, and resolv.conf and hosts lead nowhere else. One authority is believed
in, which signs what world.py wants it to. $OUTSIDE names the directory that the resolver reads
(world.py writes there), and where the authority's key is.

Root stays root; an ordinary user stays the same user, too, in a user namespace within the one
in which he may do all that. So an office runs inside as it does outside."""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMESERVER = "127.0.0.53"
HOSTS = f"127.0.0.1 localhost {socket.gethostname()}\n::1 localhost\n"
# No longer than a test likes to wait for a resolver that is silent.
RESOLV_CONF = f"nameserver {NAMESERVER}\noptions timeout:1 attempts:1\nsearch cari.example\n"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
ADDRESSES_6 = [f"fd00::{n:x}" for n in range(1, 65)]  # beside ::1
PUBLIC_6 = [f"2001:db8:1::{n:x}" for n in range(1, 65)]  # what the world can know this box by
# Beside IPv6's, 127.0.0.1 alone would count as no IPv4 for getaddrinfo's AI_ADDRCONFIG, which fetchmail asks for.
ADDRESS_4 = "127.0.0.2"
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1


def enter(command):
    rights = "--mount --net" if os.geteuid() == 0 else "--map-root-user --mount --net"
    os.execvp("unshare", ["unshare", *rights.split(), "--", sys.executable, "-B", __file__, "--inside",
                          str(os.geteuid()), str(os.getegid()), *command])


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def add_addresses():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFADDR, struct.pack("16sHxx4s8x", b"lo:1", socket.AF_INET, socket.inet_aton(ADDRESS_4)))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        for address in ADDRESSES_6 + PUBLIC_6:
            fcntl.ioctl(sock, SIOCSIFADDR,
                        struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, address), 128, socket.if_nametoindex("lo")))


def found_authority(place):
    """Its certificate; the key is what tests sign with."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=authority",
                    "-keyout", place / "authority.key", "-out", place / "authority.pem"],
                   check=True, capture_output=True)
    return (place / "authority.pem").read_text()


def lay_over(place, text, at):
    """Shows `text` where the file `at` was."""
    (place / at.name).write_text(text)
    subprocess.run(["mount", "--bind", place / at.name, at.resolve()], check=True)


def name_services():
    """Names of hosts come from files and DNS alone."""
    now = Path("/etc/nsswitch.conf").read_text().splitlines()
    return "".join(f"{line}\n" for line in now if not line.startswith("hosts:")) + "hosts: files dns\n"


def furnish(place):
    raise_loopback()
    add_addresses()
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    lay_over(place, RESOLV_CONF, Path("/etc/resolv.conf"))
    lay_over(place, HOSTS, Path("/etc/hosts"))
    lay_over(place, name_services(), Path("/etc/nsswitch.conf"))
    lay_over(place, found_authority(place), AUTHORITIES)


def go_inside_for(config, folder):
    """Begins this run of pytest again, inside, if it is about tests of this folder alone."""
    paths = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    if "OUTSIDE" in os.environ or not all(path.exists() and folder in (path, *path.parents) for path in paths):
        return
    config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
    os.execv(sys.executable, [sys.executable, "-B", __file__, sys.executable, "-B", "-m", "pytest",
                              *map(str, config.invocation_params.args)])


def inside(uid, gid, command):
    place = Path(tempfile.mkdtemp(prefix="om-outside-", dir="/tmp"))
    try:
        furnish(place)
        resolver = subprocess.Popen([sys.executable, "-B", HERE / "resolver.py", NAMESERVER, place],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert resolver.stdout.readline() == b"ready\n"
        as_before = [] if uid == "0" else ["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--"]
        status = subprocess.call([*as_before, *command], env={**os.environ, "OUTSIDE": str(place)})
        resolver.stdin.close()  # it ends
        resolver.wait()
        return status if status >= 0 else 128 - status
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(inside(*sys.argv[2:4], sys.argv[4:]))
    enter(sys.argv[1:])
