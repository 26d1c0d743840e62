"""The servers that are compared: officemail as built here, and the peers unpacked from Debian's
packages. Each keeps its data on the disk and syncs it as it does by default, on an address of its own.

Mailboxes are NAMEn: u for what is sent, p (100 messages of 4 kB), b (10 of 1 MB), d (to be
drained), h (one of 50,000), y (as p, the password hashed with yescrypt at its default cost), m (empty)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parent / "peers")]

from office import dynamic_twin  # noqa: E402
from postfix import Postfix as PostfixUnpacked  # noqa: E402
from unpacked import GID, IS_ROOT, UID, Unpacked, unpack  # noqa: E402

ROOT = HERE.parents[1]
BOXES = {"u": 20, "p": 20, "b": 10, "d": 20, "h": 1, "y": 20, "m": 100}
NAMES = [f"{name}{n}" for name, count in BOXES.items() for n in range(1, count + 1)]
DOMAIN = "kantor.example"
# Of "rahasia".
CHEAP, DEAR = ("$y$j75$kantorexample.ba$h2QEdSqvSnRHyIGcv.PivGScquOHIaeO3R2ECsVHlr8",
               "$y$j9T$kantorexample.ba$Rh.RhgB6WXb8zc8I/BS6blEPCMOKsPaaS1m5VMrmZO8")
CHEAP_MD5 = "$1$kantor$WWJD5DQguAtVQWDDBvPwh1"
SLOW, INETD = ROOT / "build/tests/shims/slow.so", ROOT / "build/tests/bench/inetd"


def is_dear(name):
    return name.startswith("y")


class Server(Unpacked):
    ground = "/var/tmp"  # a disk, where /tmp may be memory
    address = None
    smtp = pop3 = pop3s = lmtp = None  # ports
    starttls = False
    slow = False  # syncs take 5 ms longer
    packages = []

    def __init__(self):
        ports = [port for port in (self.smtp, self.pop3, self.lmtp) if port]
        super().__init__(*((self.address, port) for port in ports))
        self.filled = []  # what fill() was called for

    @property
    def name(self):
        return type(self).__name__

    def prepare(self):
        command, environment = self.furnish()
        if self.slow:
            before = environment.get("LD_PRELOAD", self.environment_of_accounts.get("LD_PRELOAD", ""))
            environment = {**environment, "LD_PRELOAD": f"{SLOW}:{before}".rstrip(":"), "SLOW_MS": "5"}
        return [sys.executable, "-B", HERE / "tree.py", *command], environment

    def _accounts(self):
        self.environment_of_accounts = super()._accounts()
        return self.environment_of_accounts

    def furnish(self):
        """Writes the configuration; the command to run, and its environment."""
        raise NotImplementedError

    def fill(self, load, name, count, size):
        """Puts `count` messages into each of the mailboxes `name`."""
        raise NotImplementedError

    def certificate(self):
        """One of the kind that `officemail init` makes."""
        pem, key = self.home / "cert.pem", self.home / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "30", "-subj", "/CN=peer", "-keyout", key, "-out", pem], check=True, capture_output=True)
        return pem, key


class Laid(Server):
    """A server whose paths are built in: it runs where its package and its own accounts lie over /usr and
    /etc, in a mount namespace of its own."""

    users = []  # (name, uid, password hash)
    SCRIPT = """set -e
mount -t overlay overlay -o lowerdir=%(usr)s:/usr /usr
mount -t overlay overlay -o lowerdir=%(home)s/etc:/etc /etc
%(more)s
exec "$@"
"""

    def _accounts(self):
        etc = self.home / "etc"
        (etc / "pam.d").mkdir(parents=True)
        lines = {"passwd": "{0}:x:{1}:{1}::/:/bin/sh\n", "group": "{0}:x:{1}:\n", "shadow": "{0}:{2}:19000:0:99999:7:::\n"}
        for name, line in lines.items():
            (etc / name).write_text(Path("/etc", name).read_text() + "".join(line.format(*user) for user in self.users))
        (etc / "pam.d" / self.packages[0].split("-")[0]).write_text(
            "auth required pam_unix.so\naccount required pam_unix.so\n")
        self.environment_of_accounts = {"PATH": os.environ["PATH"], "LANG": "C"}
        return self.environment_of_accounts

    def laid(self, command, more=""):
        usr = ":".join(f"{unpack(package)}/usr" for package in self.packages)
        script = self.SCRIPT % {"usr": usr, "home": self.home, "more": more}
        return ["unshare", "--mount", "sh", "-c", script, "sh", *command]


class officemail(Server):
    address, smtp, pop3, pop3s, starttls = "127.0.0.11", 2525, 2110, 2995, True
    settings = {}  # beside the defaults: (section, key): value

    def furnish(self):
        data, ini, binary = self.home / "data", self.home / "office.ini", self.home / "officemail"
        given = Path(os.environ.get("OFFICEMAIL", ROOT / "officemail")).resolve()
        shutil.copy(dynamic_twin(given) if self.slow else given, binary)
        data.mkdir(mode=0o700)
        account = "nobody" if IS_ROOT else None
        if account:
            shutil.chown(data, account)
        values = {
            ("office", "hostname"): "mail.kantor.example", ("office", "domains"): DOMAIN, ("office", "data"): data,
            ("office", "postmaster"): f"u1@{DOMAIN}",
            ("smtpd", "listen"): f"{self.address}:{self.smtp}", ("submission", "listen"): "", ("submission", "listen_tls"): "",
            ("pop3d", "listen"): f"{self.address}:{self.pop3}", ("pop3d", "listen_tls"): f"{self.address}:{self.pop3s}",
            ("pop3d", "require_tls"): "no", ("relay", "smarthost"): f"{self.address}:1", **self.settings,
            **({("office", "user"): account} if account else {}),
        }
        sections = {}
        for (section, key), value in values.items():
            sections.setdefault(section, []).append(f"{key} = {value}\n")
        ini.write_text("".join(f"[{section}]\n" + "".join(lines) for section, lines in sections.items()))
        for name in NAMES:
            self.add_user(name)
        return [binary, "-c", ini, "serve"], {"LD_PRELOAD": ""}

    def add_user(self, name):
        words = [self.home / "officemail", "-c", self.home / "office.ini", "user", "add", f"{name}@{DOMAIN}", "--hash-stdin"]
        hashed = DEAR if is_dear(name) else CHEAP
        subprocess.run(words, input=hashed.encode() + b"\n", check=True, stdout=subprocess.DEVNULL)

    def fill(self, load, name, count, size):
        load(self, "send", u=name, b=BOXES[name], n=count * BOXES[name], s=size)


def letter(size):
    """Of about that size, with LF; as the generator's."""
    head = ("From: pak@luar.example\nTo: u1@kantor.example\nSubject: laporan bulanan\n"
            "Date: Mon, 23 Nov 2026 07:00:00 +0000\n\n")
    return (head + ("x" * 61 + "\n") * ((size - len(head)) // 63)).encode()


class Postfix(Server, PostfixUnpacked):
    address, smtp, starttls = "127.0.0.12", 2525, True
    packages = ["postfix"]

    def settings(self):
        pem, key = self.certificate()
        (self.home / "mail").mkdir()
        shutil.chown(self.home / "mail", UID, GID)
        boxes = ", ".join(f"{{ {name}@{DOMAIN} = {name}/ }}" for name in NAMES)
        return {
            "virtual_mailbox_domains": DOMAIN, "virtual_mailbox_limit": 0, "virtual_mailbox_base": self.home / "mail",
            "virtual_mailbox_maps": f"inline:{{ {boxes} }}", "virtual_uid_maps": f"static:{UID}",
            "virtual_gid_maps": f"static:{GID}", "mynetworks": "", "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": pem, "smtpd_tls_key_file": key,
            "in_flow_delay": 0,  # it would slow down who sends faster than mailboxes are written
            "maillog_file_prefixes": "/var/tmp", "smtpd_client_connection_count_limit": 0,
            "import_environment": "LANG=C LD_LIBRARY_PATH LD_PRELOAD SLOW_MS NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP MAIL_CONFIG",
        }

    def furnish(self):
        return PostfixUnpacked.prepare(self)


class OpenSMTPD(Laid):
    address, smtp = "127.0.0.13", 25
    packages = ["opensmtpd"]
    users = [("opensmtpd", UID, "*"), ("opensmtpq", UID + 1, "*"), ("box", UID + 2, "*")]
    MORE = """mkdir -p %(home)s/spool/smtpd %(home)s/lib/opensmtpd/empty %(home)s/run
for place in spool lib; do mount --bind %(home)s/$place /var/$place; done
mount --bind %(home)s/run /run
chmod 711 /var/spool/smtpd
cd /var/spool/smtpd
mkdir -m 770 offline; mkdir -m 700 purge; chgrp opensmtpq offline; chown opensmtpq purge"""

    def furnish(self):
        (self.home / "mail").mkdir()
        shutil.chown(self.home / "mail", UID + 2, UID + 2)
        (self.home / "smtpd.conf").write_text(
            "table boxes { " + ", ".join(f'"{name}@{DOMAIN}" = "box"' for name in NAMES) + " }\n"
            "smtp max-message-size 1G\n"
            f'listen on {self.address} port {self.smtp}\n'
            f'action "box" maildir "{self.home}/mail/%{{dest.user}}" user box virtual <boxes>\n'
            f'match from any for domain "{DOMAIN}" action "box"\n')
        return self.laid(["smtpd", "-d", "-f", self.home / "smtpd.conf"], self.MORE % {"home": self.home}), {}


class Exim(Laid):
    address, smtp, starttls = "127.0.0.14", 2525, True
    packages = ["exim4-daemon-light"]
    users = [("Debian-exim", UID, "*")]

    def furnish(self):
        pem, key = self.certificate()
        shutil.chown(key, UID)
        for place in ("spool", "mail"):
            (self.home / place).mkdir()
            shutil.chown(self.home / place, UID, GID)
        (self.home / "configure").write_text(f"""
primary_hostname = peer.{DOMAIN}
spool_directory = {self.home}/spool
log_file_path = {self.home}/spool/log-%s
keep_environment =
daemon_smtp_ports = {self.smtp}
local_interfaces = {self.address}
pid_file_path =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
message_size_limit = 0
tls_advertise_hosts = *
tls_certificate = {pem}
tls_privatekey = {key}
acl_smtp_rcpt = accept domains = {DOMAIN}
acl_smtp_data = accept
begin routers
boxes:
  driver = accept
  domains = {DOMAIN}
  transport = box
begin transports
box:
  driver = appendfile
  maildir_format
  create_directory
  directory = {self.home}/mail/${{local_part_data}}
  user = {UID}
  group = {GID}
begin retry
* * F,1h,10m
""".replace("  domains = ", "  local_parts = " + " : ".join(NAMES) + "\n  domains = ", 1))
        return self.laid(["exim4", "-C", self.home / "configure", "-bdf", "-q1h"]), {}


class Dovecot(Laid):
    """As Debian has it, but for where things lie."""

    address, pop3, pop3s, lmtp = "127.0.0.15", 2110, 2995, 2524
    packages = ["dovecot-core", "dovecot-pop3d", "dovecot-lmtpd"]
    users = [("dovecot", UID, "*"), ("dovenull", UID + 1, "*"), ("box", UID + 2, "*")]
    stored = 0
    logins = """
passdb {{
  driver = passwd-file
  args = username_format=%n {users}
}}
"""
    tuning = ""

    def furnish(self):
        pem, key = self.certificate()
        (self.home / "mail").mkdir()
        shutil.chown(self.home / "mail", UID + 2, UID + 2)
        (self.home / "users").write_text("".join(
            f"{name}:{'{CRYPT}' + DEAR if is_dear(name) else '{PLAIN}rahasia'}\n"
            for name in NAMES if name not in [user for user, *_ in self.users]))
        (self.home / "users").chmod(0o644)
        (self.home / "dovecot.conf").write_text(f"""
protocols = pop3 lmtp
listen = {self.address}
base_dir = {self.home}/run
state_dir = {self.home}/state
log_path = {self.home}/log
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{pem}
ssl_key = <{key}
mail_location = maildir:{self.home}/mail/%n
auth_username_format = %n
{self.logins.format(users=self.home / "users")}
userdb {{
  driver = static
  args = uid={UID + 2} gid={UID + 2} home={self.home}/mail/%n
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = {self.pop3s}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {self.lmtp}
  }}
}}
mail_max_userip_connections = 0
import_environment = LD_PRELOAD SLOW_MS TZ
{self.tuning}
""")
        return self.laid(["dovecot", "-F", "-c", self.home / "dovecot.conf"]), {}

    def fill(self, load, name, count, size):
        octets = letter(size)
        for n in range(1, BOXES[name] + 1):
            box = self.home / "mail" / f"{name}{n}"
            new = box / "new"
            for place in (new, box / "cur", box / "tmp"):
                place.mkdir(parents=True, exist_ok=True)
                shutil.chown(place, UID + 2, UID + 2)
            shutil.chown(box, UID + 2, UID + 2)
            for _ in range(count):
                self.stored += 1
                path = new / f"1795000000.M{self.stored}P1.peer,S={len(octets)},W={len(octets) + octets.count(10)}"
                path.write_bytes(octets)
                os.chown(path, UID + 2, UID + 2)


class DovecotTuned(Dovecot):
    """Processes that serve again and again, logins remembered, no flags kept. What is remembered of a hash in a
    file would be hashed again, what PAM was asked is not: it is asked about the dear ones."""

    address = "127.0.0.16"
    users = [*Dovecot.users, *((name, UID + 3 + n, DEAR) for n, name in enumerate(filter(is_dear, NAMES)))]
    logins = Dovecot.logins + """
passdb {{
  driver = pam
  args = cache_key=%u dovecot
}}
"""
    tuning = """
auth_cache_size = 10M
pop3_no_flag_updates = yes
service pop3-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 1000
}
service pop3 {
  service_count = 1000
  process_min_avail = 10
}
service lmtp {
  process_min_avail = 10
}
"""


class popa3d(Laid):
    """Under an inetd; passwords by PAM, mailboxes in /var/mail."""

    address, pop3 = "127.0.0.17", 2110
    packages = ["popa3d"]
    users = [("popa3d", UID, "*"),
             *((name, UID + 1 + n, DEAR if is_dear(name) else CHEAP_MD5) for n, name in enumerate(NAMES))]

    def furnish(self):
        (self.home / "mail").mkdir()
        (self.home / "lib/popa3d").mkdir(parents=True)
        more = "mount --bind %s/mail /var/mail\nmount --bind %s/lib /var/lib" % (self.home, self.home)
        return self.laid([INETD, self.address, self.pop3, "/usr/sbin/popa3d"], more), {}

    def fill(self, load, name, count, size):
        octets = b"From pak@luar.example  Mon Nov 23 07:00:00 2026\n" + letter(size) + b"\n"
        for n in range(1, BOXES[name] + 1):
            path = self.home / "mail" / f"{name}{n}"
            with open(path, "ab") as box:
                for _ in range(count):
                    box.write(octets)
            path.chmod(0o600)
            os.chown(path, UID + 1 + NAMES.index(f"{name}{n}"), UID + 1 + NAMES.index(f"{name}{n}"))


EVERYBODY = [officemail, Postfix, OpenSMTPD, Exim, Dovecot, DovecotTuned, popa3d]
