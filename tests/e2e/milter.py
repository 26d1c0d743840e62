"""A milter that does what a test tells it, and remembers what it heard. Apart from the
server's own code: packets are taken apart and made anew here."""

import socket
import struct
import threading

from office import Claim, wait_until

PORT = 2600
ADD, REPLACE_BODY, CHANGE, QUARANTINE = 1, 2, 0x10, 0x20
OFFERED = ADD | REPLACE_BODY | CHANGE | QUARANTINE
NO_BODY, SILENT_HEADERS, SKIP, SILENT_BODY, BLANKS = 0x10, 0x80, 0x400, 0x80000, 0x100000

HANGS, DIES = object(), object()  # answers that are none


def packet(what, body=b""):
    return struct.pack("!I", len(body) + 1) + what + body


def pair(name, value):
    return name.encode() + b"\0" + value.encode() + b"\0"


CONTINUE, ACCEPT, REJECT = packet(b"c"), packet(b"a"), packet(b"r")
TEMPFAIL, DISCARD, SKIPS, PROGRESS = packet(b"t"), packet(b"d"), packet(b"s"), packet(b"p")


def says(words):
    return packet(b"y", words.encode() + b"\0")


def adds(name, value):
    return packet(b"h", pair(name, value))


def inserts(index, name, value):
    return packet(b"i", struct.pack("!I", index) + pair(name, value))


def changes(index, name, value):
    return packet(b"m", struct.pack("!I", index) + pair(name, value))


def replaces(octets):
    return packet(b"b", octets)


def quarantines(why):
    return packet(b"q", why.encode() + b"\0")


class Message:
    def __init__(self, sender):
        self.sender, self.recipients, self.headers, self.body, self.whole = sender, [], [], b"", False
        self.macros = {}


class Talk:
    """One connection."""

    def __init__(self, milter, sock):
        self.milter, self.sock = milter, sock
        self.steps, self.messages, self.macros = "", [], {}
        self.connected = self.hello = None
        self.ended = False

    def read(self, size):
        octets = b""
        while len(octets) < size:
            more = self.sock.recv(size - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def run(self):
        try:
            while True:
                size, = struct.unpack("!I", self.read(4))
                assert 0 < size <= 65536
                body = self.read(size)
                if not self.hear(body[:1].decode(), body[1:]):
                    break
        except (EOFError, OSError):
            pass
        finally:
            self.ended = True
            self.sock.close()

    def hear(self, step, body):
        self.steps += step if step != "D" and self.steps[-1:] + step not in ("BB", "LL") else ""
        if step == "O":
            version, actions, steps = struct.unpack("!III", body)
            self.milter.offers.append((version, actions, steps))
            return self.say(step, packet(b"O", struct.pack("!III", *self.milter.terms)))
        if step == "D":
            words = body[1:].decode("latin-1").split("\0")
            self.macros.update(zip(words[::2], words[1::2]))
            return True
        if step == "Q":
            return False
        message = self.messages[-1] if self.messages else None
        words = body.decode("latin-1").split("\0")[:-1]
        if step == "C":
            self.connected = body
        elif step == "H":
            self.hello = words[0]
        elif step == "M":
            self.messages.append(Message(words))
        elif step == "R":
            message.recipients.append(words[0])
        elif step == "L":
            message.headers.append(tuple(words))
        elif step == "B":
            if self.milter.keeps:
                message.body += body
        elif step == "E" and message:
            message.macros, message.whole = dict(self.macros), True
        if step == "A" or step == "L" and self.milter.terms[2] & SILENT_HEADERS \
                or step == "B" and self.milter.terms[2] & SILENT_BODY:
            return True
        return self.say(step, CONTINUE)

    def say(self, step, usual):
        answer = self.milter.answers.get(step, usual)
        if callable(answer):
            answer = answer(self)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else usual
        if answer is HANGS:
            self.milter.released.wait(120)
            return False
        if answer is DIES:
            return False
        self.sock.sendall(answer)
        return True


class Milter:
    """answers: a dict from a step ("C", "H", "M", "R", "T", "L", "N", "B", "E"; "O" for its terms) to
    what is answered, a list of answers of which each is given once, or a function of the Talk."""

    def __init__(self, path=None, steps=SKIP, version=6, actions=OFFERED, keeps=True, **answers):
        self.claim, self.path, self.keeps = Claim(), path, keeps
        self.terms, self.answers = (version, actions, steps), answers
        self.talks, self.offers, self.released = [], [], threading.Event()
        self.listener = None
        self.start()

    @property
    def place(self):
        return f"unix:{self.path}" if self.path else f"inet:{self.claim.address}:{PORT}"

    def start(self):
        if self.path:
            self.path.unlink(missing_ok=True)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(self.path))
            self.path.chmod(0o666)
        else:
            self.listener = socket.create_server((self.claim.address, PORT), backlog=128)
        if not self.path:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.listen(128)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            talk = Talk(self, sock)
            self.talks.append(talk)
            threading.Thread(target=talk.run, daemon=True).start()

    def stop(self):
        """No more connections, and those that are there end."""
        self.released.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for talk in self.talks:
            try:
                talk.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        wait_until(lambda: all(talk.ended for talk in self.talks), "a milter's end")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.claim.release()

    @property
    def messages(self):
        return [message for talk in self.talks for message in talk.messages]
