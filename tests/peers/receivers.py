"""Mail servers that take our mail: as the MX of a domain, or as a smarthost that wants a login. What
they have taken lies in a Maildir of theirs."""

import base64
import os
import re
import shutil
import socket
import threading

from office import wait_until
from postfix import Postfix
from unpacked import GID, UID, Unpacked, unpack

LOGIN = ("kantor", "rahasia smarthost")


class Receiver(Unpacked):
    """Takes mail for `mailboxes`. What is not for one of them goes to `back`, an office."""

    ports = (25, )

    def __init__(self, name, address, certificate, mailboxes=("pak@luar.example", ), back=None, settings=None):
        super().__init__(*((address, port) for port in self.ports))
        self.name, self.address, self.certificate = name, address, certificate
        self.mailboxes, self.back, self.more = mailboxes, back, settings or {}

    @property
    def domains(self):
        return {mailbox.split("@")[1] for mailbox in self.mailboxes}

    def letters(self):
        """What lies in the Maildir, as it was on the wire."""
        box = self.home / "mail" / "box" / "new"
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in sorted(box.iterdir())] if box.exists() else []

    def wait(self, count=1):
        try:
            return wait_until(lambda: len(self.letters()) >= count and self.letters(), f"{count} letters at {self.name}")
        except AssertionError:
            print(self.said())
            raise


def own_part(letter):
    """Without what the receiver itself has put in front."""
    fields = re.compile(rb"(?:(?:Return-Path|Delivered-To|X-Original-To):.*\r\n|Received: from (?:.*\r\n)(?:[ \t].*\r\n)*)*")
    return letter[fields.match(letter).end():]


class Doorkeeper:
    """Knows who may log in, and is asked by Postfix in the words of Dovecot's authentication protocol."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        os.chmod(path, 0o666)
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection, ), daemon=True).start()

    @staticmethod
    def _talk(connection):
        with connection, connection.makefile("rw") as talk:
            talk.write("VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t" + "0" * 32 + "\nDONE\n")
            talk.flush()
            for line in talk:
                words = line.rstrip("\n").split("\t")
                if words[0] == "AUTH":
                    response = next(word[5:] for word in words if word.startswith("resp="))
                    good = base64.b64decode(response).decode().split("\0")[1:] == list(LOGIN)
                    talk.write(f"{'OK' if good else 'FAIL'}\t{words[1]}\tuser={LOGIN[0]}\n")
                    talk.flush()

    def close(self):
        self.listener.close()


class PostfixReceiver(Receiver, Postfix):
    """On 587 and 465 it takes everything, of who logs in."""

    ports = (25, 587, 465)
    doorkeeper = None

    def settings(self):
        (self.home / "mail").mkdir()
        shutil.chown(self.home / "mail", UID, GID)
        self.doorkeeper = Doorkeeper(self.home / "doorkeeper")
        boxes = ", ".join(f"{{ {mailbox} = box/ }}" for mailbox in self.mailboxes)
        return {
            "myhostname": self.name,
            "virtual_mailbox_domains": " ".join(self.domains),
            "virtual_mailbox_limit": "0",
            "virtual_mailbox_base": self.home / "mail",
            "virtual_mailbox_maps": f"inline:{{ {boxes} }}",
            "virtual_uid_maps": f"static:{UID}",
            "virtual_gid_maps": f"static:{GID}",
            "mynetworks": "",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_cert_file": self.certificate.certificate,
            "smtpd_tls_key_file": self.certificate.key,
            "smtpd_tls_auth_only": "yes",
            "smtpd_tls_received_header": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"unix:{self.home}/doorkeeper",
            "default_transport": "smtp:[%s]:%d" % self.back.place("smtp") if self.back else "error:5.1.2 nowhere",
            **self.more,
        }

    def listeners(self):
        more = {25: "", 587: " -o smtpd_sasl_auth_enable=yes -o smtpd_tls_security_level=encrypt",
                465: " -o smtpd_sasl_auth_enable=yes -o smtpd_tls_wrappermode=yes"}
        return "".join(f"{self.address}:{port} inet n - n - - smtpd{more[port]}\n" for port in self.ports)

    def __exit__(self, *how):
        super().__exit__(*how)
        if self.doorkeeper:
            self.doorkeeper.close()


class OpenSmtpd(Receiver):
    """Its paths are built in: it runs where others lie over them. Debian 12's offers STARTTLS and breaks in
    every handshake (OpenSSL 3 does not find the key that another of its processes holds): there are such
    servers. Who comes from this box may send everywhere through it."""

    accounts = ["opensmtpd", "opensmtpq", "box"]
    OVER = "/var/spool /var/lib /run"  # where it wants folders of its own
    SCRIPT = """set -e
for place in %(over)s; do mount -t tmpfs -o mode=755 tmpfs $place; done
mount --bind %(root)s/usr/libexec /usr/libexec
mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty
chmod 711 /var/spool/smtpd
cd /var/spool/smtpd
mkdir -m 770 offline; mkdir -m 700 purge; chgrp %(queue_group)d offline; chown %(queue)d purge
exec "$@"
"""

    def prepare(self):
        root = unpack("opensmtpd")
        (self.home / "mail").mkdir()
        shutil.chown(self.home / "mail", UID + 2, GID + 2)
        self.certificate.key.chmod(0o600)
        lines = [
            f'pki kantor cert "{self.certificate.certificate}"', f'pki kantor key "{self.certificate.key}"',
            "table boxes { " + ", ".join(f'"{mailbox}" = "box"' for mailbox in self.mailboxes) + " }",
            "table domains { " + ", ".join(f'"{domain}"' for domain in self.domains) + " }",
            f'listen on {self.address} port 25 tls pki kantor hostname "{self.name}"',
            f'action "box" maildir "{self.home}/mail/box" user box virtual <boxes>',
            'match from any for domain <domains> action "box"',
        ]
        if self.back:
            lines += ['action "back" relay host "smtp+notls://%s:%d"' % self.back.place("smtp"),
                      'match from any for any action "back"']
        (self.home / "smtpd.conf").write_text("\n".join(lines) + "\n")
        script = self.SCRIPT % {"over": self.OVER, "root": root, "queue": UID + 1, "queue_group": GID + 1}
        return ["unshare", "--mount", "sh", "-c", script, "sh", root / "usr/sbin/smtpd", "-d", "-f",
                self.home / "smtpd.conf"], {}
