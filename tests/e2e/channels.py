"""The frames that sessions and roles exchange, written by hand: what an owned session can
send. Numbers come from the headers."""

import re
import socket
import struct
import time
from pathlib import Path

from office import PASSWORDS
from wire import PATIENCE

HEADER = (Path(__file__).resolve().parents[2] / "store/requests.h").read_text()


def numbers(name, first):
    """The constants of an enum."""
    words = re.search(rf"enum {name} \{{(.*?)\}};", re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S), re.S)[1]
    return {word: first + at for at, word in enumerate(re.findall(r"^\s*(\w+)", words, re.M))}


TYPES = numbers("request", 16)
SERVICES = numbers("service_kind", 0)
TICKET = 72  # octets


def number(value):
    return struct.pack("=Q", value & (2**64 - 1))


def text(octets):
    octets = octets.encode() if isinstance(octets, str) else octets
    return number(len(octets)) + octets


def frame(kind, body=b"", fds=0):
    return struct.pack("=IHH", len(body), TYPES.get(kind, kind), fds) + body


def hello(service, peer=None):
    peer = peer or ("unix:www-data" if service == "SERVICE_LOCAL" else "203.0.113.5")
    return frame("REQUEST_HELLO", number(SERVICES.get(service, service)) + text(peer))


def delivery(sender, recipient, message, ticket=b"", received="Received: by us\r\n"):
    return frame("REQUEST_SUBMIT" if ticket else "REQUEST_DELIVER",
                 ticket + text(sender) + number(1) + text(recipient) + number(0) + text("")
                 + text("") + number(0) + text(received)
                 + text("ABCDEFGHIJKL") + text("203.0.113.5") + number(0) + text(message))


class Channel:
    """To a role, past its hello where a service is named."""
    def __init__(self, office, role, service=None):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(office.data / "run" / role))
        if service:
            self.send(hello(service))

    def send(self, octets):
        try:
            self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the role has had enough before the end

    def octets(self, count):
        got = b""
        while len(got) < count:
            more = self.sock.recv(count - len(got))
            if not more:
                raise EOFError
            got += more
        return got

    def answer(self):
        """(type, body)"""
        length, kind, _ = struct.unpack("=IHH", self.octets(8))
        return kind, self.octets(length)

    def is_ended(self):
        """The role hangs up; True if nothing came before."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()


def log_in(office, name="ani", service="SERVICE_POP3"):
    """A right login: the channel, the ticket, the ids of the messages."""
    channel = Channel(office, "directory", service)
    channel.send(frame("REQUEST_LOGIN", text(f"{name}@kantor.example") + text(PASSWORDS[name])))
    ids = []
    while True:
        kind, body = channel.answer()
        if kind != TYPES["ANSWER_LIST"]:
            break
        at = 16
        while at < len(body):
            ids.append(struct.unpack_from("=Q", body, at)[0])
            at += 24 + struct.unpack_from("=Q", body, at + 16)[0]
    assert kind == TYPES["ANSWER_OK"], body
    return channel, body[:TICKET], ids


# ---- mail on its way out: the relay and a delivery


class Reader:
    """The fields of a frame."""
    def __init__(self, body):
        self.rest = body

    def number(self):
        value, self.rest = struct.unpack("=Q", self.rest[:8])[0], self.rest[8:]
        return value

    def text(self):
        length = self.number()
        value, self.rest = self.rest[:length], self.rest[length:]
        return value.decode()


class Delivery(Channel):
    """One that has connected to a server; with a smarthost the destination is empty."""
    def __init__(self, office, destination=""):
        super().__init__(office, "writer", "SERVICE_DELIVERY")
        self.send(frame("REQUEST_DESTINATION", text(destination)))
        self.held = []

    def next(self, outcome=None, reply="", host="mx.luar.example", status="", wanted=True):
        """The next job's sender and recipients, None if there is none; `outcome` is 0 for what
        the server has taken, 1 for later, 2 for never."""
        results = b"".join(number(recipient) + number(outcome) + number(0) + text(host) + text(reply) + text(status)
                           for recipient in self.held)
        for _ in range(100):  # a store that cannot take it now is asked again
            self.send(frame("REQUEST_NEXT", number(wanted) + number(len(self.held)) + results))
            kind, body = self.answer()
            if kind == TYPES["ANSWER_OK"]:
                break
            time.sleep(0.1)
        assert kind == TYPES["ANSWER_OK"], body
        self.held = []
        if not body:
            return None
        job = Reader(body)
        job.number(), job.number()
        sender = job.text()
        job.text(), job.text(), job.number(), job.number()
        recipients = []
        for _ in range(job.number()):
            self.held.append(job.number())
            recipients.append(job.text())
            job.number(), job.text()
        assert job.rest == b""
        return sender, recipients


class Relay(Channel):
    def __init__(self, office):
        super().__init__(office, "writer", "SERVICE_RELAY")

    def due(self):
        self.send(frame("REQUEST_DUE"))
        kind, body = self.answer()
        while kind == TYPES["ANSWER_DUE_ANEW"]:
            kind, body = self.answer()
        due = Reader(body)
        assert due.number() in (*range(10001), 2**64 - 1)
        return [due.text() for _ in range(due.number())]
