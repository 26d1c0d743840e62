"""The frames that sessions and roles exchange, written by hand: what an owned session can
send. Numbers come from the headers."""

import re
import socket
import struct
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
    return channel, body[:64], ids
