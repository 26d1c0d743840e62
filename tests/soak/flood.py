"""Too much of everything, as a program of its own: holds connections from many
loopback addresses, or makes them by the hundred a second, or guesses passwords.

    flood.py KIND

The first line on stdin is JSON: ports {"smtp": [host, port], ...}, addresses, count (of connections to
hold, or of guessers), rate (connects a second), octets_every (s), login
[user, password]. Other lines: "report" is answered
with one line of JSON; "stop" ends all activity and keeps what is open; end of
file ends it.
"""

import errno
import itertools
import json
import os
import select
import socket
import sys
import time

TALK = b"EHLO penuh.example\r\n" * 20000  # some 4 MB of answers, if somebody took them
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20)
LETTER = b"EHLO penuh.example\r\nMAIL FROM:<x@luar.example>\r\nRCPT TO:<ani@kantor.example>\r\nDATA\r\n"


class Held:
    """A connection and what it says next."""
    def __init__(self, flood, address, service):
        self.flood, self.address, self.service = flood, address, service
        self.sock = socket.socket()
        if flood.kind in ("unread", "talk"):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.sock.bind((address, 0))
        self.sock.setblocking(False)
        self.began = time.monotonic()
        self.admitted = False
        self.out = b""
        self.script = None  # of lines to send, each when something has come
        self.next_octet = None  # when
        self.error = self.sock.connect_ex(tuple(flood.ports[service]))

    def send(self):
        try:
            self.out = self.out[self.sock.send(self.out[:65536]):]
        except BlockingIOError:
            pass
        except OSError:
            self.out = b""


class Flood:
    def __init__(self, kind, ports, addresses, count=0, rate=1000, octets_every=60, login=None):
        self.kind, self.ports, self.addresses, self.count, self.rate = kind, ports, addresses, count, rate
        self.octets_every, self.login = octets_every, login
        self.turn = itertools.count()
        self.epoll = select.epoll()
        self.held = {}
        self.per_address = {}
        self.refused_at = {}
        self.figures = dict(connects=0, admitted=0, refused=0, failed=0, held=0, most_held=0, most_from_one=0,
                            looked_at=0, not_looked_at=0, let_in=0)
        self.stopped = False
        self.next_connect = time.monotonic()

    # ---- opening and closing

    def services(self):
        return {"hello": ["pop3s"], "data": ["smtp"], "talk": ["smtp"], "unread": ["pop3"], "guess": ["pop3"],
                }.get(self.kind, ["smtp", "pop3"])

    def next_address(self, now):
        """One that was not refused a moment ago; None: all were."""
        if self.kind == "guess":
            return self.addresses[next(self.turn) % len(self.addresses)]
        for _ in self.addresses:
            address = self.addresses[next(self.turn) % len(self.addresses)]
            if now - self.refused_at.get(address, 0) > 0.5 or self.kind == "connects":
                return address
        return None

    def open_one(self, now):
        address = self.next_address(now)
        if address is None:
            return False
        services = self.services()
        held = Held(self, address, services[self.figures["connects"] % len(services)])
        self.figures["connects"] += 1
        if held.error not in (0, errno.EINPROGRESS):
            self.figures["failed"] += 1
            held.sock.close()
            return True
        self.held[held.sock.fileno()] = held
        self.epoll.register(held.sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP)
        return True

    def close(self, held):
        del self.held[held.sock.fileno()]
        self.epoll.unregister(held.sock)
        held.sock.close()
        if held.admitted:
            self.per_address[held.address] -= 1

    def admit(self, held):
        held.admitted = True
        self.figures["admitted"] += 1
        count = self.per_address[held.address] = self.per_address.get(held.address, 0) + 1
        self.figures["most_from_one"] = max(self.figures["most_from_one"], count)

    def refuse(self, held):
        self.figures["refused"] += 1
        self.refused_at[held.address] = time.monotonic()

    # ---- what a kind does

    def greet(self, held):
        """The server has taken us."""
        self.admit(held)
        if self.kind == "octet":
            held.out = b"E"
            held.next_octet = time.monotonic() + self.octets_every
        elif self.kind == "data":
            held.out = LETTER
            held.next_octet = time.monotonic() + 2
        elif self.kind == "talk":
            held.out = TALK
            held.next_octet = time.monotonic() + 2  # it tells whether the server still knows us
        elif self.kind == "unread":
            held.out = b"USER %s\r\nPASS %s\r\n" % tuple(word.encode() for word in self.login) + b"RETR 1\r\n" * 50
            held.next_octet = time.monotonic() + 2
        elif self.kind == "guess":
            held.script = self.guesses()
            held.out = next(held.script)

    def guesses(self):
        for n in range(5):
            yield b"USER ani@kantor.example\r\n"
            yield b"PASS tebak-%d\r\n" % next(self.turn)
        yield b"QUIT\r\n"

    def answered(self, held, octets):
        if octets.startswith(b"-ERR [AUTH]"):
            self.figures["looked_at"] += 1
        elif octets.startswith(b"-ERR [SYS/TEMP]"):
            self.figures["not_looked_at"] += 1
        elif b"messages" in octets:
            self.figures["let_in"] += 1
        following = next(held.script, None)
        if following is None:
            self.close(held)
            return
        held.out = following
        held.send()

    def heard(self, held):
        try:
            octets = held.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            if not held.admitted:
                self.refuse(held)
            self.close(held)
        elif held.admitted:
            if held.script:
                self.answered(held, octets)
        elif octets.startswith((b"220", b"+OK")):
            self.greet(held)
            if self.kind == "connects":
                self.close(held)
                return
            held.send()
            if self.kind in ("unread", "talk"):
                self.epoll.modify(held.sock, select.EPOLLOUT | select.EPOLLRDHUP if held.out else select.EPOLLRDHUP)
        # Else it is a refusal, and the end follows.

    def wake(self, held, events):
        if not held.admitted and held.service == "pop3s" and not held.out and events & select.EPOLLOUT:
            held.out = HALF_HELLO
            held.next_octet = time.monotonic() + 0.5  # still there then: it was taken
        if held.out and events & select.EPOLLOUT:
            held.send()
        reads = not (held.admitted and self.kind in ("unread", "talk"))
        if events & (select.EPOLLHUP | select.EPOLLERR) or (not reads and events & select.EPOLLRDHUP):
            if not held.admitted:
                self.refuse(held)
            self.close(held)
            return
        if reads and events & (select.EPOLLIN | select.EPOLLRDHUP):
            self.heard(held)
        if held.sock.fileno() in self.held:
            mask = (select.EPOLLIN if reads else 0) | select.EPOLLRDHUP | (select.EPOLLOUT if held.out else 0)
            self.epoll.modify(held.sock, mask)

    def tick(self, now):
        for held in list(self.held.values()):
            if held.next_octet is None or held.next_octet > now:
                continue
            if held.service == "pop3s" and not held.admitted:
                self.admit(held)
                held.next_octet = None
                continue
            held.out += b"x"
            held.send()
            held.next_octet = now + (2 if self.kind in ("talk", "unread") else self.octets_every)

    # ---- the loop

    def open_some(self, now):
        for _ in range(50):
            if self.stopped or now < self.next_connect:
                return
            if self.kind != "connects" and len(self.held) >= self.count:
                return
            if not self.open_one(now):
                return
            self.next_connect = max(self.next_connect + 1 / self.rate, now - 0.2)

    def report(self):
        self.figures["held"] = sum(held.admitted for held in self.held.values())
        print(json.dumps(self.figures), flush=True)

    def run(self):
        self.epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        next_tick = 0
        while True:
            now = time.monotonic()
            self.open_some(now)
            if now > next_tick and not self.stopped:
                self.tick(now)
                next_tick = now + 0.05
            for fd, events in self.epoll.poll(0.02, 256):
                if fd == sys.stdin.fileno():
                    line = os.read(fd, 100).strip()
                    if not line:
                        return
                    self.stopped |= line == b"stop"
                    self.report()
                elif fd in self.held:
                    self.wake(self.held[fd], events)
            count = sum(held.admitted for held in self.held.values()) if self.kind != "connects" else 0
            self.figures["most_held"] = max(self.figures["most_held"], count)


if __name__ == "__main__":
    Flood(sys.argv[1], **json.loads(sys.stdin.buffer.raw.readline())).run()
