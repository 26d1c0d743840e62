"""Other people's mail servers, unpacked and never installed.

Debian's packages are downloaded once into build/peers and unpacked there; each
peer gets its configuration, its queue and its port in a directory of its own.
They look for accounts of their own, which libnss-wrapper shows them without a
line in /etc/passwd.
"""

import os
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
from pathlib import Path

from office import wait_until

UNPACKED = Path(__file__).resolve().parents[2] / "build" / "peers"
PORT = 2600  # on the loopback address of the office that it delivers to

# Who owns a peer's queue; a plain user's peer stays that user.
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


class Peer:
    """A mail server that takes anything and passes it to one place. `with` runs it."""

    account, group = None, None  # names that it looks for

    def __init__(self, office):
        self.office = office
        self.place = (office.address, PORT)
        self.home = None
        self.process = None

    def __enter__(self):
        self.home = Path(tempfile.mkdtemp(prefix="peer-", dir="/tmp"))
        self.home.chmod(0o755)
        shutil.chown(self.office.lmtp, group=GID)  # as an admin lets a mail server at the socket
        try:
            environment = self._accounts()
            command, more = self.prepare()
            with open(self.home / "output", "wb") as output:
                self.process = subprocess.Popen(
                    [str(word) for word in command], env={**environment, **more}, cwd=self.home,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
            wait_until(self._answers, f"{type(self).__name__} listening on {self.place}")
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
        users.write_text(Path("/etc/passwd").read_text() + f"{self.account}:x:{UID}:{GID}::/:/bin/false\n")
        groups.write_text(Path("/etc/group").read_text() + f"{self.account}:x:{GID}:\n{self.group}:x:{GID + 1}:\n")
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

    def _answers(self):
        assert self.process.poll() is None, self.said()
        try:
            with socket.create_connection(self.place, timeout=10) as probe:
                return probe.recv(3) == b"220"
        except OSError:
            return False

    def said(self):
        """What it wrote, for a test that fails."""
        return "\n".join(f"--- {path.name}\n" + path.read_text(errors="replace")
                         for path in sorted(self.home.rglob("*"))
                         if path.is_file() and (path.name == "output" or "log" in path.name))

    def take(self, message, recipients, sender="pak@luar.example"):
        """Hands it a message, as a mail program of its own would."""
        with smtplib.SMTP(*self.place, timeout=60) as session:
            assert session.sendmail(sender, recipients, message) == {}


class Postfix(Peer):
    """Postfix, smtp(8) or lmtp(8) as the delivering side. Nobody but root can start it."""

    account, group = "peer", "peerdrop"

    def __init__(self, office, transport, tls="may"):
        super().__init__(office)
        self.transport, self.tls = transport, tls

    def prepare(self):
        root = unpack("postfix")
        libraries, daemons = root / "usr/lib/postfix", root / "usr/lib/postfix/sbin"
        queue = self.home / "queue"
        for name in ("active bounce corrupt defer deferred flush hold incoming maildrop pid private public "
                     "saved trace").split():
            (queue / name).mkdir(parents=True)
            shutil.chown(queue / name, "root" if name == "pid" else UID)
        (self.home / "data").mkdir()
        shutil.chown(self.home / "data", UID)
        settings = {
            "compatibility_level": "3.6",
            "myhostname": "peer.luar.example",
            "mydestination": "",
            "alias_maps": "",
            "local_recipient_maps": "",
            "queue_directory": queue,
            "data_directory": self.home / "data",
            "command_directory": root / "usr/sbin",
            "daemon_directory": daemons,
            "shlib_directory": libraries,
            "meta_directory": root / "etc/postfix",
            "mail_owner": self.account,
            "setgid_group": self.group,
            "default_privs": "nobody",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "default_transport": self.transport,
            "smtp_tls_security_level": self.tls,
            "smtp_dns_support_level": "disabled",
            "lmtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "message_size_limit": "0",
            "bounce_queue_lifetime": "0",
            "maillog_file": self.home / "log",
            "maillog_file_prefixes": "/tmp",
            "import_environment": "LANG=C LD_LIBRARY_PATH LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP "
                                  "MAIL_CONFIG",
        }
        (self.home / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (self.home / "master.cf").write_text(f"""
{self.office.address}:{PORT} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")
        return ([daemons / "master", "-c", self.home, "-d"],
                {"LD_LIBRARY_PATH": str(libraries), "MAIL_CONFIG": str(self.home)})


class Exim(Peer):
    """Exim, which sends BDAT where CHUNKING is offered."""

    account, group = "Debian-exim", "peerdrop"

    def __init__(self, office, chunking=True, tls=True):
        super().__init__(office)
        self.chunking, self.tls = chunking, tls

    def prepare(self):
        program = unpack("exim4-daemon-light") / "usr/sbin/exim4"
        host, port = self.office.place("smtp")
        spool = self.home / "spool"
        spool.mkdir()
        shutil.chown(spool, UID, GID)
        (self.home / "configure").write_text(f"""
primary_hostname = peer.luar.example
spool_directory = {spool}
log_file_path = {spool}/log-%s
exim_path = {program}
keep_environment = ^LD_PRELOAD : ^NSS_WRAPPER
daemon_smtp_ports = {PORT}
local_interfaces = {self.office.address}
pid_file_path =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_queue_per_connection = 0
deliver_drop_privilege = true
message_size_limit = 0
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
everything:
  driver = manualroute
  route_list = * {host}
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = {port}
  allow_localhost
  tls_verify_certificates =
  tls_try_verify_hosts =
  hosts_try_chunking = {"*" if self.chunking else ""}
  hosts_avoid_tls = {"" if self.tls else "*"}
begin retry
* * F,1h,10m
""")
        return [program, "-C", self.home / "configure", "-bdf", "-q1h"], {}
