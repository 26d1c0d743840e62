"""Postfix, without an installation. Nobody but root can start it."""

import shutil

from unpacked import UID, Unpacked, unpack

SERVICES = """
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
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace"


class Postfix(Unpacked):
    accounts, groups = ["peer"], ["peerdrop"]

    def settings(self):
        """Its own lines of main.cf."""
        return {}

    def listeners(self):
        """Its own lines of master.cf."""
        return "".join(f"{address}:{port} inet n - n - - smtpd\n" for address, port in self.places)

    def prepare(self):
        root = unpack("postfix")
        libraries, daemons = root / "usr/lib/postfix", root / "usr/lib/postfix/sbin"
        queue = self.home / "queue"
        for name in QUEUES.split():
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
            "mail_owner": self.accounts[0],
            "setgid_group": self.groups[0],
            "default_privs": "nobody",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtp_dns_support_level": "disabled",
            "lmtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "message_size_limit": "0",
            "bounce_queue_lifetime": "0",
            "maillog_file": self.home / "log",
            "maillog_file_prefixes": "/tmp",
            "import_environment": "LANG=C LD_LIBRARY_PATH LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP "
                                  "MAIL_CONFIG",
            **self.settings(),
        }
        (self.home / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (self.home / "master.cf").write_text(self.listeners() + SERVICES)
        return ([daemons / "master", "-c", self.home, "-d"],
                {"LD_LIBRARY_PATH": str(libraries), "MAIL_CONFIG": str(self.home)})
