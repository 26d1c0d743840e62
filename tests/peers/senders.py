"""Mail servers that take anything and pass it to one office, each in its own manner."""

import shutil
import smtplib

from postfix import Postfix
from unpacked import GID, UID, Unpacked, unpack

PORT = 2600  # on the loopback address of the office that it delivers to


class Sender(Unpacked):
    def __init__(self, office):
        super().__init__((office.address, PORT))
        self.office = office

    def __enter__(self):
        shutil.chown(self.office.lmtp, group=GID)  # as an admin lets a mail server at the socket
        return super().__enter__()

    def take(self, message, recipients, sender="pak@luar.example"):
        """Hands it a message, as a mail program of its own would."""
        with smtplib.SMTP(*self.places[0], timeout=60) as session:
            assert session.sendmail(sender, recipients, message) == {}


class PostfixSender(Sender, Postfix):
    """smtp(8) or lmtp(8) as the delivering side."""

    def __init__(self, office, transport, tls="may"):
        super().__init__(office)
        self.transport, self.tls = transport, tls

    def settings(self):
        return {"default_transport": self.transport, "smtp_tls_security_level": self.tls}


class Exim(Sender):
    """Exim, which sends BDAT where CHUNKING is offered."""

    accounts = ["Debian-exim"]

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
