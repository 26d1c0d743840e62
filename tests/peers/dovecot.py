"""Dovecot as Debian has it, serving POP3 from Maildirs: the server that an office moves from, and where it may
move to. For root alone: what is built into it looks for its files in /usr."""

import os
import shutil

from unpacked import UID, Unpacked, unpack

BOX = UID + 2  # who owns the mail
ACCOUNTS = [("dovecot", UID), ("dovenull", UID + 1), ("box", BOX)]
SCRIPT = """set -e
mount -t overlay overlay -o lowerdir=%(usr)s:/usr /usr
mount --bind %(home)s/passwd /etc/passwd
mount --bind %(home)s/group /etc/group
exec "$@"
"""


class Dovecot(Unpacked):
    """Serves ani's Maildir at `mail`/ani under her address and password."""

    def __init__(self, address, port, password, settings=""):
        super().__init__((address, port))
        self.address, self.port, self.password, self.settings = address, port, password, settings

    def _accounts(self):
        for name, line in (("passwd", "{0}:x:{1}:{1}::/:/bin/false\n"), ("group", "{0}:x:{1}:\n")):
            with open(f"/etc/{name}") as known:
                (self.home / name).write_text(known.read() + "".join(line.format(*account) for account in ACCOUNTS))
        return {"PATH": os.environ["PATH"], "LANG": "C"}

    @property
    def maildir(self):
        return self.home / "mail" / "ani"

    def own(self):
        """All of it is Dovecot's to use."""
        for path in [self.home / "mail", *(self.home / "mail").rglob("*")]:
            os.chown(path, BOX, BOX)

    def prepare(self):
        (self.home / "mail").mkdir()
        self.own()
        (self.home / "users").write_text(f"ani:{{PLAIN}}{self.password}\n")
        (self.home / "dovecot.conf").write_text(f"""
protocols = pop3
listen = {self.address}
base_dir = {self.home}/run
state_dir = {self.home}/state
log_path = {self.home}/log
disable_plaintext_auth = no
ssl = no
mail_location = maildir:{self.home}/mail/%n
auth_username_format = %n
passdb {{
  driver = passwd-file
  args = username_format=%n {self.home}/users
}}
userdb {{
  driver = static
  args = uid={BOX} gid={BOX} home={self.home}/mail/%n
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.port}
  }}
}}
{self.settings}
""")
        (self.home / "users").chmod(0o644)
        usr = ":".join(f"{unpack(package)}/usr" for package in ("dovecot-core", "dovecot-pop3d"))
        script = SCRIPT % {"usr": usr, "home": self.home}
        return ["unshare", "--mount", "sh", "-c", script, "sh", "dovecot", "-F", "-c", self.home / "dovecot.conf"], {}

    def take(self, maildir):
        """Puts a Maildir in the place of ani's."""
        shutil.rmtree(self.maildir, ignore_errors=True)
        shutil.copytree(maildir, self.maildir)
        self.own()
