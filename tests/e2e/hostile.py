"""What the tests of hostile input share: one running office a module, and
sessions that know whether they are still in step."""

import base64
import re
from typing import NamedTuple

from letters import split_trace
from office import PASSWORDS
from wire import WireError

ANI = b"ani@kantor.example"
BUDI = b"budi@kantor.example"
OUTSIDE = b"pak@luar.example"


def open_house(workshop, settings=()):
    """A furnished office for many tests of hostile input; whatever they did, it
    serves at the end. To be used as `yield from`, in a fixture of a module."""
    office = workshop.office()
    # Guessing has its own tests; here every wrong password is looked at.
    for section, key, value in (("limits", "auth_failures", 0), *settings):
        office.set(section, key, value)
    try:
        office.start()
        take(office)
        yield office
        deliver(office, b"Subject: still here\r\n\r\n")
        assert [body for _, body in take(office)] == [b"Subject: still here\r\n\r\n"]
        for line in office.lines:
            assert re.fullmatch(r"[ -~]+", line), f"not printable ASCII: {line!r}"
    finally:
        office.close()


# ---- SMTP


class Reply(NamedTuple):
    code: int
    status: str  # the enhanced status code, or empty
    text: str

    def __str__(self):
        return f"{self.code} {self.status} {self.text}"


class Smtp:
    """A session of SMTP (or LMTP), past its EHLO; on submissions ani's, past her login."""
    def __init__(self, office, service="smtp", hello=None, source=None):
        self.wire = office.connect(service, source)
        self.hello = hello or (b"LHLO penguji.example" if service == "lmtp" else b"EHLO penguji.example")
        answered(self.read(), "220")
        answered(self.ask(self.hello), "250")
        self.sender = OUTSIDE
        if service == "submissions":
            self.sender = ANI
            answered(self.ask(b"AUTH PLAIN " + base64.b64encode(b"\0%s\0%s" % (ANI, PASSWORDS["ani"].encode()))), "235")

    def read(self):
        code, lines = self.wire.reply()
        text = b"\n".join(lines).decode("ascii")  # a reply is ASCII, whatever came in
        assert re.fullmatch(r"[ -~\n]*", text), f"not printable: {text!r}"
        status = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)", text)
        return Reply(code, status.group() if status else "", text)

    def send(self, octets):
        self.wire.send(octets)

    def ask(self, line):
        self.send(line + b"\r\n")
        return self.read()

    def begin(self, *recipients, sender=None):
        """MAIL and RCPT, all taken."""
        answered(self.ask(b"MAIL FROM:<%s>" % (sender if sender is not None else self.sender)), "250")
        for recipient in recipients or (ANI, ):
            answered(self.ask(b"RCPT TO:<%s>" % recipient), "250")

    def data(self, octets):
        """DATA and what stands behind 354, its end included."""
        answered(self.ask(b"DATA"), "354")
        self.send(octets)
        return self.read()

    def in_step(self):
        """The next command gets its own answer: 252 comes for VRFY alone."""
        answered(self.ask(b"VRFY ani"), "252")

    def leave(self):
        """Still in step, and nothing behind the answer to QUIT."""
        self.in_step()
        answered(self.ask(b"QUIT"), "221")
        assert self.wire.at_end(), f"behind 221: {self.wire.pending()!r}"
        self.wire.close()

    def closed(self):
        """The server has hung up and says no more."""
        assert self.wire.at_end(), f"before the end: {self.wire.pending()!r}"
        self.wire.close()


def answered(reply, *expected):
    """Is it one of these, written as "550 5.7.1" or "501"?"""
    told = f"{reply.code} {reply.status}"
    assert any(told == one or told.startswith(one + " ") for one in expected), f"got {reply}"


def deliver(office, octets, *recipients, service="smtp"):
    """Files a message over the wire. octets: undotted, ending in CRLF."""
    session = Smtp(office, service)
    session.begin(*recipients)
    answered(session.data(re.sub(rb"(?m)^\.", b"..", octets) + b".\r\n"), "250")
    session.leave()


# ---- POP3


class Pop3:
    """A session of POP3, greeted; as `name` where one is given, else not logged in."""
    def __init__(self, office, name=None, service="pop3", source=None):
        self.wire = office.connect(service, source)
        greeting = self.read()
        assert greeting.startswith(b"+OK"), greeting
        if name:
            told = self.login(f"{name}@kantor.example", PASSWORDS[name])
            assert told.startswith(b"+OK"), told

    def login(self, user, password):
        """USER and PASS; the answer to the second, or to the first where that was no yes."""
        told = self.ask(b"USER %s" % _octets(user))
        return self.ask(b"PASS %s" % _octets(password)) if told.startswith(b"+OK") else told

    def send(self, octets):
        self.wire.send(octets)

    def read(self):
        line = self.wire.line()
        if line is None:
            raise WireError("the connection ended in place of an answer")
        assert re.fullmatch(rb"(\+OK|-ERR|\+)( [ -~]*)?", line), f"no answer of POP3: {line!r}"
        return line

    def ask(self, line):
        self.send(line + b"\r\n")
        return self.read()

    def ok(self, line):
        told = self.ask(line)
        assert told.startswith(b"+OK"), f"{line!r}: {told!r}"
        return told

    def err(self, line):
        told = self.ask(line)
        assert told.startswith(b"-ERR"), f"{line!r}: {told!r}"
        return told

    def block(self, line):
        self.ok(line)
        return self.wire.block()

    def in_step(self):
        """CAPA is legal everywhere, and its answer is like no other."""
        words = self.block(b"CAPA")
        assert b"UIDL" in words and b"TOP" in words, f"out of step: {words}"

    def leave(self):
        self.in_step()
        self.ok(b"QUIT")
        assert self.wire.at_end(), f"behind the last answer: {self.wire.pending()!r}"
        self.wire.close()

    def closed(self):
        assert self.wire.at_end(), f"before the end: {self.wire.pending()!r}"
        self.wire.close()


def _octets(text):
    return text if isinstance(text, bytes) else text.encode()


def take(office, name="ani"):
    """Fetches and deletes a mailbox: (trace, message as it was sent) of each."""
    return [split_trace(message) for message in office.fetch(name, delete=True)]


def taken(office, name="ani"):
    """The messages alone."""
    return [message for _, message in take(office, name)]


def undotted(wire):
    """The octets behind 354 with the dots taken off that stand for themselves."""
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in wire.split(b"\r\n"))
