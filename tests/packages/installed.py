#!/usr/bin/python3
"""Installs a package and lives with it: installed.py DEB.

As root, in namespaces of its own, over a file system of its own: everything below / is seen through
an overlay whose upper layer is in memory, so this system stays as it is. What an admin does:
dpkg -i, init, the server as its unit has it run, mail in and out on the usual ports, backup,
check, a newer package, dpkg --remove, the package again, and dpkg --purge."""

import fcntl
import json
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSIDE = "INSTALLED_INSIDE"
UNIT = "/lib/systemd/system/officemail.service"
USER = "ani@kantor.example"


def enter(deb):
    os.environ[INSIDE] = "yes"
    os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private",
                          sys.executable, "-B", __file__, deb])


def lay_over():
    """From here on / is the overlay; nothing can have been changed before."""
    outside = os.stat("/")
    place = "/mnt"
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
    for name in ("upper", "work", "root"):
        os.mkdir(f"{place}/{name}", 0o755)
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={place}/upper,workdir={place}/work",
        f"{place}/root")
    run("mount", "-t", "proc", "proc", f"{place}/root/proc")
    run("mount", "--rbind", "/dev", f"{place}/root/dev")
    os.chroot(f"{place}/root")
    os.chdir("/")
    assert os.stat("/").st_dev != outside.st_dev
    os.makedirs("/dev/shm", exist_ok=True)


def run(*words, **kind):
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, **kind)
    assert done.returncode == 0, f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 1))


class Manager:
    """What systemd is to the server: confines it, hears how it is, ends it."""

    def __init__(self):
        os.makedirs("/run/manager", exist_ok=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("/run/manager/notify")
        self.sock.settimeout(60)

    def start(self, unit):
        command = re.search(r"^ExecStart=(.*)$", Path(unit).read_text(), re.M)[1].split()
        self.process = subprocess.Popen(["unshare", "--mount", sys.executable, "-B", str(HERE / "confine.py"), unit, *command],
                                        env={**os.environ, "NOTIFY_SOCKET": "/run/manager/notify"})
        self.hear("READY=1")

    def hear(self, state):
        heard = self.sock.recv(4096).decode()
        assert heard == state, heard

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.hear("STOPPING=1")
        assert self.process.wait(60) == 0

    def restart(self):
        """The manager of what runs from now on."""
        if self.process.poll() is None:
            self.stop()
        os.remove("/run/manager/notify")
        manager = Manager()
        manager.start(UNIT)
        return manager


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def try_to_relay():
    """There is no outside: the delivery asks DNS and the smarthost in vain, and says so."""
    run("/usr/sbin/officemail", "sendmail", "-f", USER, "x@elsewhere.example", input="Subject: out\n\nto the world\n")
    deadline = time.monotonic() + 60
    while not any(item["attempts"] for item in json.loads(run("officemail", "queue", "list", "--json"))):
        assert time.monotonic() < deadline, "no delivery was tried"
        time.sleep(0.1)


def use(password):
    with smtplib.SMTP("127.0.0.1", 25, timeout=60) as smtp:
        smtp.sendmail("x@elsewhere.example", [USER], "Subject: one\r\n\r\nfrom the world\r\n")
    with smtplib.LMTP("/run/officemail/lmtp", timeout=60) as lmtp:
        lmtp.sendmail("x@elsewhere.example", [USER], "Subject: by LMTP\r\n\r\nfrom another program\r\n")
    with smtplib.SMTP_SSL("127.0.0.1", 465, timeout=60, context=unverified()) as smtp:
        smtp.login(USER, password)
        smtp.sendmail(USER, [USER], f"From: {USER}\r\nSubject: two\r\n\r\nfrom staff\r\n")
    run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "/usr/sbin/officemail", "sendmail", USER,
        input="Subject: three\n\nfrom a program of the box\n")
    pop = poplib.POP3_SSL("127.0.0.1", 995, timeout=60, context=unverified())
    pop.user(USER)
    pop.pass_(password)
    subjects = [line for n in range(1, 6) for line in pop.retr(n)[1] if line.startswith(b"Subject: ")]
    assert subjects[1:] == [b"Subject: one", b"Subject: by LMTP", b"Subject: two", b"Subject: three"], subjects
    for n in (1, 2):
        pop.dele(n)
    pop.quit()
    assert count(password) == 3


def count(password):
    pop = poplib.POP3_SSL("127.0.0.1", 995, timeout=60, context=unverified())
    pop.user(USER)
    pop.pass_(password)
    messages = pop.stat()[0]
    pop.quit()
    return messages


def queued():
    return [item["id"] for item in json.loads(run("officemail", "queue", "list", "--json"))]


# ---- what dpkg does ----

def install(deb):
    run("dpkg", "-i", deb, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def newer(deb):
    """The same with a higher version."""
    run("dpkg-deb", "-R", deb, "/tmp/newer")
    control = Path("/tmp/newer/DEBIAN/control")
    control.write_text(re.sub("^Version: .*$", r"\g<0>+newer", control.read_text(), flags=re.M))
    run("dpkg-deb", "--root-owner-group", "-b", "/tmp/newer", "/tmp/newer.deb")
    return "/tmp/newer.deb"


def play_systemctl():
    """From here on the package's scripts find a system that systemd runs; what they ask of it is noted."""
    os.makedirs("/run/systemd/system", exist_ok=True)
    Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)  # in a container it forbids to start anything
    place = Path(shutil.which("systemctl"))
    place.unlink()
    place.write_text('#!/bin/sh\necho "$*" >>/run/manager/asked\ncase $* in *is-enabled*) echo enabled ;; esac\n')
    place.chmod(0o755)


def asked():
    """The verbs about our unit since the last time."""
    noted = Path("/run/manager/asked")
    words = [line.split() for line in noted.read_text().splitlines()]
    noted.unlink()
    return [line[-2] for line in words if line[-1] == "officemail.service" and line[-2] in ("start", "stop", "restart")]


def upgrade_and_remove(deb, manager, password):
    messages, waiting = count(password), queued()
    assert messages and waiting
    play_systemctl()
    install(newer(deb))
    assert run("dpkg-query", "-W", "-f=${Version}", "officemail").endswith("+newer")
    assert asked() == ["restart"]
    assert count(password) == messages  # served by what ran before, until systemd restarts it
    manager = manager.restart()
    assert (count(password), queued()) == (messages, waiting)

    run("dpkg", "--remove", "officemail")
    assert asked() == ["stop"]
    manager.stop()
    assert not os.path.exists("/usr/sbin/officemail")
    assert os.path.exists("/etc/officemail/office.ini") and os.path.exists("/var/lib/officemail/store.db")
    install(deb)
    assert asked() == ["restart"]  # what a start is to an office that was there before
    manager = manager.restart()
    assert (count(password), queued()) == (messages, waiting)
    manager.stop()


def main(deb):
    raise_loopback()
    lay_over()
    before = {path: os.path.lexists(path) for path in ("/usr/sbin/sendmail", "/usr/lib/sendmail")}
    install(deb)
    assert {path: os.path.lexists(path) for path in before} == before
    assert "nologin" in run("getent", "passwd", "officemail")
    run("systemd-analyze", "verify", "--man=no", UNIT)
    data = Path("/var/lib/officemail")
    assert (data.owner(), oct(data.stat().st_mode & 0o777)) == ("officemail", "0o700")
    assert not os.path.exists("/etc/officemail/office.ini") and os.path.isdir("/etc/officemail")

    said = run("officemail", "init", "--domain", "kantor.example", "--user", USER)
    print(said)
    password = re.search(r"password:\s*(\S+)", said)[1]
    for word in ("officemail dns", "firewall", "certbot certonly --standalone -d mail.kantor.example",
                 "/etc/letsencrypt/live/mail.kantor.example/privkey.pem", "officemail check"):
        assert word in said, word
    assert "nothing was changed" in run("officemail", "init", "--domain", "kantor.example", "--user", USER)

    settings = Path("/etc/officemail/office.ini")
    settings.write_text(re.sub("^lmtp .*$", "lmtp = /run/officemail/lmtp", settings.read_text(), flags=re.M))
    manager = Manager()
    manager.start(UNIT)
    use(password)
    try_to_relay()
    manager.process.send_signal(signal.SIGHUP)
    manager.hear("RELOADING=1")
    manager.hear("READY=1")
    run("officemail", "user", "add", "budi@kantor.example", "--generate")
    run("officemail", "backup", "/var/backups/officemail.db")
    print(run("officemail", "check"))
    manager.stop()
    run("officemail", "restore", "/var/backups/officemail.db")
    upgrade_and_remove(deb, manager.restart(), password)

    said = run("dpkg", "--purge", "officemail")
    assert "is kept" in said
    assert not os.path.exists("/etc/officemail") and (data / "store.db").exists()
    print("installed, used and purged")


if __name__ == "__main__":
    main(sys.argv[1]) if os.environ.get(INSIDE) else enter(sys.argv[1])
