"""Other people's mail servers, unpacked and never installed.

Debian's packages are downloaded once into build/peers and unpacked there; each
server gets its configuration, its queue and its mail in a directory of its own.
They look for accounts of their own, which libnss-wrapper shows them without a
line in /etc/passwd.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from office import wait_until

UNPACKED = Path(__file__).resolve().parents[2] / "build" / "peers"
PACKAGES = ["postfix", "exim4-daemon-light", "opensmtpd", "dovecot-core", "dovecot-pop3d"]

# Who owns a server's queue; a plain user's server stays that user.
IS_ROOT = os.geteuid() == 0
UID, GID = (64000, 64000) if IS_ROOT else (os.geteuid(), os.getegid())


def unpack(package):
    """The package's root directory."""
    root = UNPACKED / package
    if not root.exists():
        UNPACKED.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=UNPACKED) as work:
            os.chmod(work, 0o755)
            download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
            subprocess.run(download, cwd=work, check=True, stdout=subprocess.DEVNULL)
            [archive] = Path(work).glob("*.deb")
            subprocess.run(["dpkg", "-x", archive, Path(work) / "root"], check=True)
            subprocess.run(["chmod", "-R", "ug-s", Path(work) / "root"], check=True)
            (Path(work) / "root").rename(root)
    return root


class Unpacked:
    """A mail server of a package. `with` runs it."""

    accounts = []  # names that it looks for: users, each with a group of the same name
    groups = []  # and groups
    ground = "/tmp"  # where its directory is made

    def __init__(self, *places):
        self.places = places  # (address, port) on which it answers
        self.home = None
        self.process = None
        self.environment = {}

    def __enter__(self):
        self.home = Path(tempfile.mkdtemp(prefix="peer-", dir=self.ground))
        self.home.chmod(0o755)
        try:
            accounts = self._accounts()
            command, more = self.prepare()
            self.environment = {**accounts, **more}
            with open(self.home / "output", "wb") as output:
                self.process = subprocess.Popen(
                    [str(word) for word in command], env=self.environment, cwd=self.home,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
            for place in self.places:
                wait_until(lambda: self._answers(place), f"{type(self).__name__} listening on {place}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self.process.pid, number)
                    self.process.wait(10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
        shutil.rmtree(self.home, ignore_errors=True)

    def _accounts(self):
        """What libnss-wrapper reads, and the environment that makes it do so."""
        users, groups = self.home / "passwd", self.home / "group"
        users.write_text(Path("/etc/passwd").read_text() + "".join(
            f"{name}:x:{UID + n}:{GID + n}::/:/bin/false\n" for n, name in enumerate(self.accounts)))
        groups.write_text(Path("/etc/group").read_text() + "".join(
            f"{name}:x:{GID + n}:\n" for n, name in enumerate(self.accounts + self.groups)))
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C",
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": str(users),
            "NSS_WRAPPER_GROUP": str(groups),
        }

    def prepare(self):
        """Writes the configuration; the command to run and its own environment."""
        raise NotImplementedError

    def _answers(self, place):
        assert self.process.poll() is None, self.said()
        try:
            with socket.create_connection(place, timeout=10) as probe:
                return place[1] == 465 or probe.recv(3) in (b"220", b"+OK")
        except OSError:
            return False

    def said(self):
        """What it wrote, for a test that fails."""
        return "\n".join(f"--- {path.name}\n" + path.read_text(errors="replace")
                         for path in sorted(self.home.rglob("*"))
                         if path.is_file() and (path.name == "output" or "log" in path.name))
