"""An office to test: a directory of its own, a loopback address of its own,
and the real binary serving it."""

import functools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from wire import PATIENCE, Wire, WireError

HOSTNAME = "mail.kantor.example"
DOMAINS = "kantor.example cabang.example"
PORTS = {"smtp": 2525, "submission": 2587, "submissions": 2465, "pop3": 2110, "pop3s": 2995}
TLS_FIRST = ("pop3s", "submissions")
CLAIM_PORT = 2000
NOBODY = 1  # no port that anything listens on

# yescrypt at its cheapest, so that a login costs a millisecond here.
HASHES = {
    "ani": "$y$j75$kantorexample.an$dhr6WWbNOZTxEToGPFbYOQzEZtl3JKg04Fwhl03VYS6",
    "budi": "$y$j75$kantorexample.bu$aDPzuIp8Ucb7Cr.YkzfCqx0UO9IOD9hnxcuMpdSs3IB",
    "citra": "$y$j75$kantorexample.ci$nTD8pa9KQizDx7wpXb2rpVGaPZEly21rLzhHprR0kx6",
}
PASSWORDS = {name: f"rahasia-{name}" for name in HASHES}

SETTING_UP = [
    "alias add info@kantor.example budi@kantor.example",
    "alias add semua@kantor.example ani@kantor.example budi@kantor.example citra@kantor.example",
    "alias add penjualan@kantor.example info@kantor.example ani@kantor.example",
    "alias add @cabang.example citra@kantor.example",
    "folder add ani@kantor.example Proyek --public",
    "folder add ani@kantor.example Pribadi",
]

# Sanitizers, Valgrind and assertions speak without a priority.
ALARM = re.compile(r"^<[0-3]>|Sanitizer|runtime error:|^==\d+== |Assertion .* failed")

# What the server writes of its own: `event key=value key="a sentence"`, printable ASCII with
# anything else as \xNN, behind a priority. Of its start it speaks to a person.
LOG_LINE = re.compile(
    r'<[3-6]>[a-z0-9]+(?:-[a-z0-9]+)*(?: [a-z_]+=(?:[!#-\[\]-~]|\\x[0-9a-f]{2})*(?= |$)'
    r'| [a-z_]+="(?:[ !#-\[\]-~]|\\x[0-9a-f]{2})*")+')
SPOKEN = re.compile(r"officemail: [ -~]+|office\.ini:\d+: |\S*/office\.ini(:\d+)?: ")


def serving_account():
    """The account that `[office] user` names here: None without root."""
    return "nobody" if os.geteuid() == 0 else None


def wait_until(condition, what, patience=PATIENCE):
    """Polls, for the few things that announce themselves in no other way."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s for this in vain: {what}")
        time.sleep(0.01)


def is_static(binary):
    told = subprocess.run(["readelf", "-lW", binary], capture_output=True, text=True).stdout
    return "LOAD" in told and "INTERP" not in told


def dynamic_twin(binary):
    """The same objects, so linked that libraries can be laid before libc (LD_PRELOAD): what
    ships is linked with none, and would run on without a word."""
    twin = binary.parent / "build/dynamic" / binary.name if is_static(binary) else binary
    assert os.access(twin, os.X_OK) and not is_static(twin), f"{twin} is not there: make shims"
    return twin


def asan(office):
    """What a server with the sanitizer wants, for a library to be laid under it."""
    return {"ASAN_OPTIONS": "verify_asan_link_order=0"} if office.sanitized else {}


class Claim:
    """An address of 127/8 that no other test is using: held by a bound socket,
    so that the same ports can be used everywhere without a race."""

    def __init__(self):
        chance = random.SystemRandom()
        while True:
            self.address = f"127.{chance.randint(64, 127)}.{chance.randint(0, 255)}.{chance.randint(1, 254)}"
            self.sock = socket.socket()
            try:
                self.sock.bind((self.address, CLAIM_PORT))
                return
            except OSError:
                self.sock.close()

    def release(self):
        self.sock.close()


class Workshop:
    """What all offices of a test run share: the directory they stand in, a copy
    of the binary, and the furnished office they are copied from."""

    def __init__(self):
        given = Path(os.environ.get("OFFICEMAIL", "./officemail")).resolve()
        assert os.access(given, os.X_OK), f"{given} is not there: make it, or set OFFICEMAIL"
        self.root = Path(tempfile.mkdtemp(prefix="om-", dir="/tmp"))
        self.root.chmod(0o755)
        self.binary = self.root / "officemail"
        shutil.copy(given, self.binary)
        self.binary.chmod(0o755)
        self.given = given
        what = self.binary.read_bytes()
        self.sanitized = b"__asan_init" in what or b"UNDER_VALGRIND" in what  # memory and time are not the program's own
        self.count = 0
        self.template = Office(self, copy=False)
        self.template.furnish()

    def office(self):
        return Office(self)

    @functools.cached_property
    def dynamic(self):
        """The binary that shims (tests/shims) can be laid under."""
        copy = self.root / "officemail-dynamic"
        shutil.copy(dynamic_twin(self.given), copy)
        copy.chmod(0o755)
        return copy

    def remove(self):
        self.template.claim.release()
        shutil.rmtree(self.root, ignore_errors=True)


class Office:
    def __init__(self, workshop, copy=True):
        self.workshop = workshop
        self.shipped, self.sanitized = workshop.binary, workshop.sanitized
        workshop.count += 1
        self.dir = workshop.root / str(workshop.count)
        self.data = self.dir / "data"
        self.ini = self.dir / "office.ini"
        self.lmtp = self.dir / "lmtp"
        self.claim = Claim()
        self.address = self.claim.address
        self.process = None
        self.lines = []
        self.news = threading.Condition()
        self.reading = threading.Event()  # cleared: nobody takes the log
        self.reading.set()
        self.cuts_lines = False  # the test has writes of the log fall short
        self.allowed = []  # log lines of error level that the test announced
        self.environment = {}  # what the server and the commands find in theirs, beside ours
        self.settings = {
            "office": {
                "hostname": HOSTNAME,
                "domains": DOMAINS,
                "data": str(self.data),
                "postmaster": "ani@kantor.example",
            },
            "tls": {},
            "smtpd": {"listen": f"{self.address}:{PORTS['smtp']}", "lmtp": str(self.lmtp)},
            "submission": {
                "listen": f"{self.address}:{PORTS['submission']}",
                "listen_tls": f"{self.address}:{PORTS['submissions']}",
            },
            "pop3d": {
                "listen": f"{self.address}:{PORTS['pop3']}",
                "listen_tls": f"{self.address}:{PORTS['pop3s']}",
                "require_tls": "no",
            },
            "store": {},
            "relay": {},
            "limits": {},
        }
        if "OUTSIDE" not in os.environ:  # what leaves waits: no test asks the DNS of this box
            self.settings["relay"]["smarthost"] = f"{self.address}:{NOBODY}"
        if serving_account():
            self.settings["office"]["user"] = serving_account()
        if copy:
            subprocess.run(["cp", "-a", workshop.template.dir, self.dir], check=True)
            self.write_ini()

    @property
    def binary(self):
        return self.workshop.dynamic if "LD_PRELOAD" in self.environment else self.shipped

    # ---- setting up

    def set(self, section, key, value):
        self.settings.setdefault(section, {})[key] = str(value)
        self.write_ini()

    def write_ini(self):
        with open(self.ini, "w") as ini:
            for section, keys in self.settings.items():
                ini.write(f"[{section}]\n")
                for key, value in keys.items():
                    ini.write(f"{key} = {value}\n")

    @staticmethod
    def give_to_account(path):
        """As root, hands a file to the account that serves."""
        if serving_account():
            shutil.chown(path, serving_account())

    def furnish(self):
        self.dir.mkdir(mode=0o755)
        self.data.mkdir(mode=0o700)
        self.give_to_account(self.data)
        self.write_ini()
        for name, hashed in HASHES.items():
            self.run("user", "add", f"{name}@kantor.example", "--hash-stdin", stdin=hashed + "\n")
        for line in SETTING_UP:
            self.run(*line.split())
        self.start()  # makes the certificate
        self.stop()

    # ---- commands

    def command(self, *arguments, stdin="", config=True):
        """Runs `officemail ARGUMENT...` and returns what came of it."""
        words = [self.binary, *(["-c", self.ini] if config else []), *arguments]
        return subprocess.run(
            [str(word) for word in words], input=stdin.encode(), capture_output=True, timeout=300,
            cwd=self.dir.parent, env={**os.environ, **self.environment},
        )

    def run(self, *arguments, stdin="", config=True):
        """The same, and it must succeed; returns what it printed."""
        result = self.command(*arguments, stdin=stdin, config=config)
        assert result.returncode == 0, (
            f"officemail {' '.join(map(str, arguments))}: exit {result.returncode}\n"
            f"{result.stdout.decode(errors='replace')}{result.stderr.decode(errors='replace')}"
        )
        return result.stdout.decode()

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json"))

    # ---- the server

    def spawn(self, **popen):
        """Starts `serve` without waiting for it."""
        assert self.process is None
        # Freed memory that the sanitizer holds back is not the server's.
        environment = {"ASAN_OPTIONS": "quarantine_size_mb=1", **os.environ, "JOURNAL_STREAM": "8:1",
                       **self.environment}
        self.process = subprocess.Popen(
            [self.binary, "-c", self.ini, "serve"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, cwd=self.dir, **popen,
        )
        self.reader = threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True)
        self.reader.start()

    def start(self, **popen):
        seen = len(self.lines)
        self.spawn(**popen)
        with self.news:
            ready = self.news.wait_for(
                lambda: any("officemail: ready" in line for line in self.lines[seen:])
                or self.process.poll() is not None and not self.reader.is_alive(),
                PATIENCE,
            )
        if not ready or not any("officemail: ready" in line for line in self.lines[seen:]):
            self.process.kill()
            self.ended()
            raise AssertionError("the server did not get ready:\n" + "\n".join(self.lines[seen:]))
        mapped = Path(f"/proc/{self.process.pid}/maps").read_text() if "LD_PRELOAD" in self.environment else ""
        for shim in self.environment.get("LD_PRELOAD", "").split(":"):
            assert shim in mapped, f"{shim} is not laid under the server"

    def stop(self):
        """SIGTERM, the end of every process, and a quiet log."""
        if self.process is None:
            return
        pids = self.pids()
        self.process.send_signal(signal.SIGTERM)
        status = self.ended()
        assert status == 0, f"the server ended with status {status}:\n{self.log_text()}"
        wait_until(lambda: not any(self.is_alive(pid) for pid in pids), "no process left behind")

    def restart(self):
        self.stop()
        self.start()

    def kill(self):
        """SIGKILL to the master; returns when all its processes are gone."""
        pids = self.pids()
        self.allow("no-writer|has gone|helper|session-not-begun")  # some see others go before they go themselves
        self.process.kill()
        self.ended()
        wait_until(lambda: not any(self.is_alive(pid) for pid in pids), "all children gone")

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def fails_to_start(self):
        """Runs `serve` to its own end and returns the exit status and what it said."""
        seen = len(self.lines)
        self.spawn()
        try:
            status = self.ended()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.ended()
            raise AssertionError("the server serves:\n" + self.log_text())
        return status, "\n".join(re.sub(r"^<\d>", "", line) for line in self.lines[seen:])

    def ended(self):
        """Waits for its end; returns the exit status."""
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stderr.close()
        self.process = None
        return status

    def pids(self):
        """The master and everything below it, parents first."""
        found, queue = [], [self.process.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            try:
                queue += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except OSError:
                pass  # it has just ended
        return found

    def named(self, name):
        """The processes of a role or service: they bear its name. A role stands
        before its helpers."""
        found = []
        for pid in self.pids()[1:]:
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    found.append(pid)
            except OSError:
                pass
        return found

    def high_water(self):
        """The most memory that any of its processes has held, in octets."""
        most = 0
        for pid in self.pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue  # it has just ended
            mark = re.search(r"VmHWM:\s+(\d+) kB", status)  # one that is ending has none
            most = max(most, int(mark[1]) * 1024 if mark else 0)
        return most

    @staticmethod
    def is_alive(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False

    # ---- the log

    def _read_log(self, pipe):
        for octets in iter(pipe.readline, b""):
            self.reading.wait()
            with self.news:
                self.lines.append(octets.decode("latin-1").rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.news.notify_all()

    def wait_log(self, pattern, since=0):
        """The first line from `since` on in which the pattern is found."""
        with self.news:
            found = self.news.wait_for(
                lambda: next((line for line in self.lines[since:] if re.search(pattern, line)), None),
                PATIENCE,
            )
        assert found, f"the log never said {pattern!r}:\n{self.log_text()}"
        return found

    def allow(self, pattern):
        """Announces log lines of error level, which otherwise fail the test."""
        self.allowed.append(pattern)

    def alarms(self):
        return [
            line for line in self.lines
            if ALARM.search(line) and not any(re.search(known, line) for known in self.allowed)
        ]

    def unreadable(self):
        """Lines of the log that are not as every line is to be, and as scripts read them."""
        alien = r"^intruder |Sanitizer|runtime error:|^==\d+== |^ *#\d"
        libc_dies = r"|Assertion|^Unexpected error\.$"
        return [line for line in self.lines if not LOG_LINE.fullmatch(line) and not SPOKEN.match(line)
                and not re.search(alien + libc_dies, line)]

    def log_text(self):
        return "\n".join(self.lines)

    # ---- the wire

    def place(self, service):
        """Where a service listens."""
        sockets = {"lmtp": self.lmtp, "local": self.dir / "run" / "submit"}
        return str(sockets[service]) if service in sockets else (self.address, PORTS[service])

    def connect(self, service, source=None, raw=False):
        """A connection; on pop3s and submissions with the handshake done unless `raw`."""
        wire = Wire(self.place(service), source)
        if service in TLS_FIRST and not raw:
            wire.start_tls()
        return wire

    def deliver(self, message, to="ani@kantor.example", sender="pak@luar.example"):
        """Files a message by LMTP. message: octets, with CRLF."""
        recipients = [to] if isinstance(to, str) else to
        wire = self.connect("lmtp")
        self._expect(wire, 220)
        wire.send(b"LHLO penguji.example\r\n")
        self._expect(wire, 250)
        for line in [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{address}>" for address in recipients)]:
            wire.send(line.encode() + b"\r\n")
            self._expect(wire, 250)
        wire.send(b"DATA\r\n")
        self._expect(wire, 354)
        wire.send(dotted(message))
        for _ in recipients:
            self._expect(wire, 250)
        wire.send(b"QUIT\r\n")
        self._expect(wire, 221)
        wire.close()

    @staticmethod
    def _expect(wire, wanted):
        code, texts = wire.reply()
        if code != wanted:
            raise WireError(f"wanted {wanted}, got {code} {texts}")

    def login(self, name="ani", service="pop3", source=None):
        """A POP3 connection in the transaction state."""
        wire = self.connect(service, source)
        for answer in [wire.line().decode(), wire.command(f"USER {name}@kantor.example"),
                       wire.command(f"PASS {PASSWORDS[name]}")]:
            if not answer.startswith("+OK"):
                raise WireError(answer)
        return wire

    def can_log_in(self, user="ani@kantor.example", password=PASSWORDS["ani"]):
        wire = self.connect("pop3")
        try:
            wire.line()
            return wire.command(f"USER {user}").startswith("+OK") and wire.command(f"PASS {password}").startswith("+OK")
        except WireError:
            return False  # a role of the session has died
        finally:
            wire.close()

    def fetch(self, name="ani", delete=False):
        """The messages of a mailbox as RETR sends them, each of the size that LIST tells."""
        wire = self.login(name)
        messages = []
        for number in range(1, int(wire.command("STAT").split()[1]) + 1):
            size = int(wire.command(f"LIST {number}").split()[2])
            assert wire.command(f"RETR {number}").startswith("+OK")
            messages.append(b"".join(line + b"\r\n" for line in wire.block()))
            assert len(messages[-1]) == size
            assert not delete or wire.command(f"DELE {number}").startswith("+OK")
        assert wire.command("QUIT").startswith("+OK")
        assert wire.at_end(), f"behind the last answer: {wire.pending()!r}"
        wire.close()
        return messages

    def mails(self, address="ani@kantor.example"):
        return self.json("mail", "list", address)

    def close(self):
        """The end of a test: the server ended, and nothing alarming in the log."""
        try:
            self.stop()
        finally:
            if self.process is not None:
                self.process.kill()
                self.ended()
            self.claim.release()
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not self.alarms(), "the log has errors that the test did not announce:\n" + self.log_text()
        if not self.sanitized and not self.cuts_lines:
            assert not self.unreadable(), f"no lines of a log: {self.unreadable()}"


def dotted(message):
    """A message as DATA wants it: dots doubled, the end added."""
    if message and not message.endswith(b"\r\n"):
        message += b"\r\n"
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
