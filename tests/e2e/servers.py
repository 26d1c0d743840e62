"""Servers out there that do not do as they should."""

import socket
import threading

PORT = 25


def letters_of(wire, answers):
    """Holds a conversation over `wire`, with an answer for each verb where there is one in `answers`
    ("CONNECT", "EHLO", ..., and "." for the end of a message): octets, None to hang up, or a function
    of the wire that returns what is still to be said. Yields each message that is answered with a yes,
    before it is: who has heard that may look for it."""
    usual = {"CONNECT": b"220 mx ESMTP\r\n", "DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}

    def choose(verb):
        what = answers.get(verb, usual.get(verb, b"250 2.0.0 ok\r\n"))
        if what is None:
            raise ConnectionError("hung up")
        return what(wire) or b"" if callable(what) else what

    def answer(verb):
        what = choose(verb)
        wire.write(what)
        return what

    answer("CONNECT")
    for line in iter(wire.readline, b""):
        verb = line[:4].decode("latin-1").upper().strip()
        said = answer({"STAR": "STARTTLS"}.get(verb, verb))
        if verb == "DATA" and said[:1] not in (b"4", b"5"):
            message = read_message(wire)
            said = choose(".")
            if said[:1] not in (b"4", b"5"):
                yield message
            wire.write(said)
        if verb == "QUIT":
            return


def read_message(wire):
    lines = [b"\r\n"]
    while lines[-1] != b".\r\n":
        lines.append(wire.readline())
        if not lines[-1].endswith(b"\n"):
            raise ConnectionError("half a message")
    return b"".join(lines[:-1]).replace(b"\r\n.", b"\r\n")[2:]


class Server:
    """Speaks like that on port 25, with `answers`, which may change."""

    def __init__(self, address, answers=None, port=PORT):
        self.address, self.port = address, port
        self.answers = answers or {}
        self.letters, self.connections = [], 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family, backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection, ), daemon=True).start()

    def _talk(self, connection):
        with connection, connection.makefile("rwb", buffering=0) as wire:
            try:
                for letter in letters_of(wire, self.answers):
                    self.letters.append(letter)
            except (OSError, ValueError):  # it has hung up, or a function has
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class Silent:
    """Takes connections and says nothing for ever; `deaf`: does not even take them."""

    def __init__(self, address, deaf=False, port=PORT):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family, backlog=0 if deaf else 256)
        self.held = []
        if deaf:  # its queue is full from here on
            for _ in range(4):
                self.held.append(socket.socket(family))
                self.held[-1].setblocking(False)
                self.held[-1].connect_ex((address, port))
        else:
            threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self.held.append(self.listener.accept()[0])
            except OSError:
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for sock in self.held:
            sock.close()
