"""Other people's mail filters: rspamd, ClamAV and OpenDKIM, of Debian's packages, with as
little configuration as an office needs."""

import os
import shutil
import socket

from office import Claim, wait_until
from unpacked import UNPACKED, Unpacked

LIBRARIES = ["libmilter1.0.1", "libclamav12", "libmspack0", "libluajit-5.1-2", "libhyperscan5", "libopendkim11",
             "libopendbx1", "libmemcached11", "libhashkit2", "liblua5.3-0", "libvbr2", "librbl1"]
FILTERS = ["rspamd", "clamav-milter", "clamav-daemon", "opendkim", *LIBRARIES]
PORT = 2700

VIRUS = "Kantor-Virus-Percobaan"


def libraries():
    """Where the linker finds what the packages depend on."""
    folders = [UNPACKED / package / "usr/lib/x86_64-linux-gnu" for package in LIBRARIES]
    folders += [UNPACKED / "libopendbx1/usr/lib", UNPACKED / "rspamd/usr/lib/rspamd"]
    return {"LD_LIBRARY_PATH": ":".join(str(folder) for folder in folders)}


class Filter(Unpacked):
    """One that listens at an address of its own."""

    def __init__(self):
        self.claim = Claim()
        super().__init__((self.claim.address, PORT))

    def __exit__(self, *_):
        super().__exit__()
        self.claim.release()

    @property
    def milter(self):
        return f"inet:{self.claim.address}:{PORT}"

    def _answers(self, place):
        assert self.process.poll() is None, self.said()
        try:
            socket.create_connection(place, timeout=10).close()
            return True
        except OSError:
            return False


class Clamd(Unpacked):
    """ClamAV's engine with one signature of our own: nothing is fetched."""

    def __init__(self):
        super().__init__()

    def prepare(self):
        database = self.home / "db"
        database.mkdir()
        (database / "own.ndb").write_text(f"Kantor.Percobaan:0:*:{VIRUS.encode().hex()}\n")
        self.socket = self.home / "clamd.sock"
        (self.home / "clamd.conf").write_text(
            f"Foreground yes\nLocalSocket {self.socket}\nDatabaseDirectory {database}\n"
            f"TemporaryDirectory {self.home}\n")
        return [UNPACKED / "clamav-daemon/usr/sbin/clamd", "-c", self.home / "clamd.conf"], libraries()

    def __enter__(self):
        super().__enter__()
        wait_until(lambda: self.process.poll() is not None or self.socket.exists(), "clamd's socket", 60)
        assert self.process.poll() is None, self.said()
        return self


class ClamavMilter(Filter):
    """OnInfected is Quarantine where nothing else is said."""

    def __init__(self, clamd, infected=None):
        super().__init__()
        self.clamd, self.infected = clamd, infected

    def prepare(self):
        (self.home / "milter.conf").write_text(
            f"Foreground yes\nMilterSocket inet:{PORT}@{self.claim.address}\nClamdSocket unix:{self.clamd.socket}\n"
            f"AddHeader Replace\nTemporaryDirectory {self.home}\n"
            + (f"OnInfected {self.infected}\n" if self.infected else ""))
        return [UNPACKED / "clamav-milter/usr/sbin/clamav-milter", "-c", self.home / "milter.conf"], libraries()


class Rspamd(Filter):
    """The packaged configuration; the proxy looks at mail itself, and what would ask the
    network is off."""

    asks = ["arc", "asn", "dkim", "dkim_signing", "dmarc", "emails", "fuzzy_check", "mid", "neural", "phishing", "rbl", "spf",
            "surbl", "url_redirector", "whitelist"]

    def prepare(self):
        root = UNPACKED / "rspamd"
        share, settings = root / "usr/share/rspamd", self.home / "etc"
        shutil.copytree(root / "etc/rspamd", settings)
        local = settings / "local.d"
        local.mkdir(exist_ok=True)
        (local / "worker-proxy.inc").write_text(
            f'bind_socket = "{self.claim.address}:{PORT}";\nmilter = yes;\n'
            'upstream "local" {\n  default = yes;\n  self_scan = yes;\n}\n')
        (local / "worker-normal.inc").write_text("enabled = false;\n")
        (local / "worker-controller.inc").write_text(f'bind_socket = "{self.claim.address}:{PORT + 1}";\n')
        (self.home / "tlds").write_text("example\n")
        (local / "options.inc").write_text(
            'dns {\n  nameserver = ["127.0.0.1:1"];\n  timeout = 0.1s;\n  retransmits = 1;\n}\n'
            f'enable_test_patterns = true;\nurl_tld = "{self.home / "tlds"}";\n')
        (local / "logging.inc").write_text('type = "console";\n')
        for module in self.asks:
            (local / f"{module}.conf").write_text("enabled = false;\n")
        places = {"CONFDIR": settings, "LOCAL_CONFDIR": settings, "SHAREDIR": share, "RULESDIR": share / "rules",
                  "LUALIBDIR": share / "lualib", "PLUGINSDIR": share / "plugins", "WWWDIR": share / "www",
                  "DBDIR": self.home, "RUNDIR": self.home, "LOGDIR": self.home}
        return [root / "usr/bin/rspamd", "-i", "-f", "-c", settings / "rspamd.conf",
                *(f"--var={name}={place}" for name, place in places.items())], libraries()


class Opendkim(Filter):
    """Signs what staff send: it knows them by {auth_type}."""

    def __init__(self, key):
        super().__init__()
        self.key = key

    def prepare(self):
        shutil.copy(self.key, self.home / "key")
        os.chmod(self.home / "key", 0o600)
        (self.home / "opendkim.conf").write_text(
            f"Socket inet:{PORT}@{self.claim.address}\nMode s\nDomain kantor.example\nSelector office\n"
            f"KeyFile {self.home / 'key'}\nBackground no\nSyslog no\nRequireSafeKeys no\nInternalHosts /dev/null\n")
        return [UNPACKED / "opendkim/usr/sbin/opendkim", "-f", "-x", self.home / "opendkim.conf"], libraries()
