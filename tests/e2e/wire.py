"""A connection to the server, octet for octet: what a careful client sees."""

import contextlib
import select
import socket
import ssl
import struct
import time

PATIENCE = 30  # seconds until a test gives up waiting; no test depends on it otherwise


class WireError(AssertionError):
    pass


def client_context():
    """TLS as a client that trusts whatever certificate it is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    """Lines and octets both ways. Sending never blocks for ever: what the
    server says meanwhile is read and kept."""

    patience = PATIENCE  # where a server is expected to be silent, a test sets less

    def __init__(self, address, source=None):
        """address: a path, or (host, port); source: the address to come from."""
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(self.patience)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(address)
        self.sock.setblocking(False)
        self.received = bytearray()
        self.ended = False  # no octet will come any more
        self.broken = False  # the server takes no octet any more

    def start_tls(self, context=None):
        if self.received:
            raise WireError(f"octets before the handshake: {bytes(self.received)!r}")
        self.sock.settimeout(self.patience)
        self.sock = (context or client_context()).wrap_socket(
            self.sock, server_hostname="mail.kantor.example", suppress_ragged_eofs=False
        )
        self.sock.setblocking(False)

    def send(self, octets):
        rest = memoryview(octets)
        deadline = time.monotonic() + self.patience
        while rest and not self.broken:
            try:
                rest = rest[self.sock.send(rest[:65536]) :]
                deadline = time.monotonic() + self.patience
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._wait(deadline, write=True)
                self._take()
            except OSError:
                self.broken = True

    def line(self):
        """The next line without its CRLF; None at the end."""
        end = self._until(lambda: self.received.find(b"\n") + 1)
        if not end:
            if self.received:
                raise WireError(f"the last line has no end: {bytes(self.received)!r}")
            return None
        line = bytes(self.received[:end])
        del self.received[:end]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise WireError(f"a line must end in CRLF, and hold no other CR: {line!r}")
        return line[:-2]

    def octets(self, count):
        """The next `count` octets."""
        if not self._until(lambda: len(self.received) >= count):
            raise WireError(f"wanted {count} octets, got {len(self.received)}")
        octets = bytes(self.received[:count])
        del self.received[:count]
        return octets

    def block(self):
        """The lines until ".", unstuffed."""
        lines = []
        while True:
            line = self.line()
            if line is None:
                raise WireError("the connection ended before the line with the dot")
            if line == b".":
                return lines
            lines.append(line[1:] if line.startswith(b".") else line)

    def reply(self):
        """A whole SMTP reply: its code and the texts of its lines."""
        code, texts = None, []
        while True:
            line = self.line()
            if line is None:
                raise WireError("the connection ended before the end of the reply")
            if not line[:3].isdigit() or line[3:4] not in (b"-", b" ") or len(line) > 510:
                raise WireError(f"not a line of an SMTP reply: {line!r}")
            if code not in (None, line[:3]):
                raise WireError(f"two codes in one reply: {code!r} and {line!r}")
            code = line[:3]
            texts.append(line[4:])
            if line[3:4] == b" ":
                return int(code), texts

    def command(self, text):
        """Sends a line and reads the line of the answer, as text."""
        self.send(text.encode() + b"\r\n")
        line = self.line()
        if line is None:
            raise WireError(f"no answer to {text!r}: the connection ended")
        return line.decode()

    def rest(self):
        """All that comes before the end."""
        self._until(lambda: False)
        return bytes(self.received)

    def at_end(self):
        """Waits for the end; True if nothing came before it."""
        self._until(lambda: bool(self.received))
        return self.ended and not self.received

    def pending(self):
        """What has arrived and nobody has asked for."""
        if not self.ended and self.sock.fileno() >= 0:
            self._take()
        return bytes(self.received)

    def finish_sending(self):
        with contextlib.suppress(OSError):  # the server may have ended it already
            self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        """Ends as a PC does that is switched off: RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _until(self, condition):
        deadline = time.monotonic() + self.patience
        while True:
            found = condition()
            if found or self.ended:
                return found
            size = len(self.received)
            self._take()
            if len(self.received) > size:
                deadline = time.monotonic() + self.patience
            elif not self.ended:
                self._wait(deadline)

    def _take(self):
        try:
            while True:
                octets = self.sock.recv(262144)
                if not octets:
                    self.ended = True
                    return
                self.received += octets
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:  # reset, or an end without close_notify
            self.ended = True

    def _wait(self, deadline, write=False):
        left = deadline - time.monotonic()
        if left <= 0:
            raise WireError(f"nothing came for {self.patience} s; pending: {bytes(self.received)!r}")
        select.select([self.sock], [self.sock] if write else [], [], left)
