"""Mixed load on an office, from a process of its own: `load.py JSON`, what for
see test_kill.py. A sender hands each letter over once, whatever comes of it; a
reader owns its boxes, reads, marks, and says QUIT or hangs up. Both write what
they do and are told to a ledger before they go on. One of the staff logs in and writes
to colleagues and to the world."""

import base64
import json
import mmap
import os
import random
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from ledger import KINDS, Ledger, STRANGER, is_letter, letter, number_of, outside  # noqa: E402
from letters import without_trace  # noqa: E402
from wire import Wire, WireError, client_context  # noqa: E402

DOMAIN = "kantor.example"
TLS_FIRST = ("pop3s", "submissions")
LETTERS_A_WORKER = 10_000_000
TLS = client_context()


class Progress:
    """Counters that all processes of a load see: the letters that each got
    acknowledged; slot 0 is the word to stop."""
    def __init__(self, path, slots=None):
        if slots:
            Path(path).write_bytes(bytes(8 * slots))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, slot):
        return struct.unpack_from("q", self.map, 8 * slot)[0]

    def add(self, slot, count=1):
        struct.pack_into("q", self.map, 8 * slot, self[slot] + count)

    def total(self):
        return sum(self[slot] for slot in range(1, len(self.map) // 8))


class Ended(Exception):
    """The server will not go on with this session; the load may, with another."""


class Worker:
    def __init__(self, index, kind, seed, dir, address, ports, lmtp, boxes, password, author=STRANGER):
        self.index, self.boxes, self.password, self.author = index, boxes, password, author
        self.places = {service: (address, port) for service, port in ports.items()} | {"lmtp": lmtp}
        self.chance = random.Random(seed * 1000 + index)
        self.progress = Progress(f"{dir}/progress")
        self.ledger = Ledger(f"{dir}/{index}.ledger")
        self.number = index * LETTERS_A_WORKER
        self.turn = {"sender": self.send, "staff": self.submit, "reader": self.read}[kind]
        self.known = {}  # UIDL: letter
        self.gone = set()  # UIDLs whose deletion was acknowledged
        self.doubtful = {}  # session: UIDLs whose deletion got no answer
        self.spared = {}  # box: UIDLs that were marked and hung up on
        self.sessions = 0

    def run(self):
        parent = os.getppid()  # whose death is an order to stop, too
        while not self.progress[0] and os.getppid() == parent:
            try:
                self.turn()
            except (Ended, OSError):
                time.sleep(0.003)  # nobody listens, or a role is away: another try
            except WireError as error:
                if "nothing came for" in str(error):
                    self.ledger.write(f"fault {self.index}: {error}")
            except Exception as error:
                self.ledger.write(f"fault {self.index}: {error!r}")

    def connect(self, service):
        wire = Wire(self.places[service])
        if service in TLS_FIRST:
            wire.start_tls(TLS)
        return wire

    def fault(self, words):
        self.ledger.write(f"fault {words}")
        raise Ended

    # ---- SMTP and LMTP

    def send(self):
        chance = self.chance
        lmtp, tls = chance.random() < 0.3, chance.random() < 0.1
        wire = self.connect("lmtp" if lmtp else "smtp")
        try:
            self.expect(wire, 220)
            self.hello(wire, lmtp)
            if tls and not lmtp:
                self.begin_tls(wire)
            self.send_some(wire, lmtp)
        finally:
            wire.close()

    def submit(self):
        """From one of the staff, mostly to the world."""
        service = self.chance.choice(["submission", "submissions"])
        wire = self.connect(service)
        try:
            self.expect(wire, 220)
            self.hello(wire)
            if service == "submission":
                self.begin_tls(wire)
            login = f"\0{self.author}\0{self.password}".encode()
            wire.send(b"AUTH PLAIN %s\r\n" % base64.b64encode(login))
            self.expect(wire, 235)
            self.send_some(wire)
        finally:
            wire.close()

    def begin_tls(self, wire):
        wire.send(b"STARTTLS\r\n")
        self.expect(wire, 220)
        wire.start_tls(TLS)
        self.hello(wire)

    def send_some(self, wire, lmtp=False):
        chance = self.chance
        chunks = chance.random() < 0.4
        letters = [self.next_letter() for _ in range(chance.choice([1, 1, 3, 8, 20]))]
        if chance.random() < 0.04:
            self.cut_off(wire, chunks)
        elif chunks:
            self.send_chunks(wire, lmtp, letters)
        else:
            self.send_data(wire, lmtp, letters)
        if chance.random() < 0.5:
            wire.send(b"QUIT\r\n")
            self.expect(wire, 221)

    @staticmethod
    def hello(wire, lmtp=False):
        wire.send((b"LHLO" if lmtp else b"EHLO") + b" penguji.example\r\n")
        Worker.expect(wire, 250)

    @staticmethod
    def expect(wire, wanted):
        code, _ = wire.reply()
        if code != wanted:
            raise Ended  # 421 or 45x: a role is away; the letter was not handed over yet

    def next_letter(self):
        self.number += 1
        if self.author == STRANGER:
            boxes = self.chance.sample(self.boxes, 3 if self.chance.random() < 0.1 else 1)
        else:
            boxes = self.chance.sample(self.boxes, self.chance.choice([0, 0, 1, 2]))
            boxes += [outside(kind, self.number, which)
                      for which, kind in enumerate(self.chance.choices(KINDS, [8, 1, 1], k=self.chance.choice([1, 1, 3])))]
        return self.number, boxes, letter(self.number, self.author)

    def envelope(self, boxes):
        addresses = (box if "@" in box else f"{box}@{DOMAIN}" for box in boxes)
        return b"".join([b"MAIL FROM:<%s>\r\n" % self.author.encode(),
                         *(b"RCPT TO:<%s>\r\n" % address.encode() for address in addresses)])

    @staticmethod
    def sent(number, boxes):
        return f"sent {number} {','.join(boxes)}"

    def take_verdict(self, wire, lmtp, number, boxes):
        """The answer to a letter's end, one for each box under LMTP."""
        lines, codes = [], []
        for group in ([[box] for box in boxes] if lmtp else [boxes]):
            try:
                code, texts = wire.reply()
            except WireError:
                self.note(lines)
                raise
            codes.append(code)
            lines.append(f"yes {number} {','.join(group)}" if code == 250 else f"no {number} {code}")
            if code != 250 and not 400 <= code < 500:
                lines.append(f"fault {number} was answered {code} {texts}")
        self.note(lines)
        if 421 in codes:
            raise Ended

    def note(self, lines):
        if lines:
            self.ledger.write(*lines)
            self.progress.add(self.index, any(line.startswith("yes") for line in lines))

    def send_data(self, wire, lmtp, letters):
        """The next envelope and DATA travel behind each letter's end."""
        begins = [self.envelope(boxes) + b"DATA\r\n" for _, boxes, _ in letters] + [b""]
        wire.send(begins[0])
        self.expect_envelope(wire, letters[0][1])
        self.ledger.write(self.sent(*letters[0][:2]))
        for at, (number, boxes, octets) in enumerate(letters):
            wire.send(octets.replace(b"\r\n.", b"\r\n..") + b".\r\n" + begins[at + 1])
            following = letters[at + 1][:2] if at + 1 < len(letters) else None
            self.take_verdict(wire, lmtp, number, boxes)
            if following:
                self.expect_envelope(wire, following[1])
                self.ledger.write(self.sent(*following))

    def expect_envelope(self, wire, boxes):
        for _ in range(1 + len(boxes)):
            self.expect(wire, 250)
        self.expect(wire, 354)

    def send_chunks(self, wire, lmtp, letters):
        """All of them in one go: whatever is answered, they have been sent."""
        self.ledger.write(*(self.sent(number, boxes) for number, boxes, _ in letters))
        wire.send(b"".join(self.envelope(boxes) + b"".join(self.chunked(octets, at % 2))
                           for at, (_, boxes, octets) in enumerate(letters)))
        for at, (number, boxes, _) in enumerate(letters):
            for _ in range(1 + len(boxes) + at % 2):
                self.expect(wire, 250)
            self.take_verdict(wire, lmtp, number, boxes)

    @staticmethod
    def chunked(octets, cuts):
        half = len(octets) // 2 if cuts else 0
        if half:
            yield b"BDAT %d\r\n" % half + octets[:half]
        yield b"BDAT %d LAST\r\n" % (len(octets) - half) + octets[half:]

    def cut_off(self, wire, chunks):
        """A letter whose end is never sent."""
        number, boxes, octets = self.next_letter()
        self.ledger.write(f"cut {number}")
        some = octets[:self.chance.randrange(1, len(octets))]
        if chunks:
            wire.send(self.envelope(boxes) + b"BDAT %d LAST\r\n" % len(octets) + some)
        else:
            wire.send(self.envelope(boxes) + b"DATA\r\n")
            self.expect_envelope(wire, boxes)
            wire.send(some.replace(b"\r\n.", b"\r\n.."))
        wire.reset()
        raise Ended

    # ---- POP3

    def read(self):
        box = self.chance.choice(self.boxes)
        wire = self.log_in(box)
        try:
            listed = self.list(wire, box)
            marked = self.fetch_and_mark(wire, box, listed)
            self.leave(wire, box, marked)
        finally:
            wire.close()

    def line(self, wire, wanted=b"+OK"):
        line = wire.line()
        if line is None or line.startswith(b"-ERR [SYS/TEMP]"):
            raise Ended
        if not line.startswith(wanted):
            self.fault(f"POP3 answered {line!r}")
        return line

    def log_in(self, box):
        service = self.chance.choice(["pop3", "pop3", "pop3s"])
        wire = self.connect(service)
        self.line(wire)
        if service == "pop3" and self.chance.random() < 0.1:
            wire.send(b"STLS\r\n")
            self.line(wire)
            wire.start_tls(TLS)
        wire.send(b"USER %s@%s\r\nPASS %s\r\n" % (box.encode(), DOMAIN.encode(), self.password.encode()))
        self.line(wire)
        self.line(wire)
        return wire

    def list(self, wire, box):
        """The UIDLs by number, and what they tell of the deletions so far."""
        wire.send(b"UIDL\r\n")
        self.line(wire)
        listed = [line.split()[1] for line in wire.block()]
        here = set(listed)
        if self.gone & here:
            self.fault(f"{box}: {self.gone & here} deleted and back")
        if self.spared.pop(box, set()) - here:
            self.fault(f"{box}: deleted without a QUIT")
        for session, uidls in self.doubtful.items():
            if len({uidl in here for uidl in uidls}) > 1 and session.endswith(box):
                self.fault(f"{session}: half a QUIT")
        return listed

    def fetch_and_mark(self, wire, box, listed):
        """Reads some, compares their octets, marks most of these. Returns UIDLs.
        What was once marked and got no answer is never marked again."""
        doubtful = set().union(*self.doubtful.values())
        free = [at for at, uidl in enumerate(listed) if uidl not in doubtful]
        chosen = self.chance.sample(free, min(len(free), self.chance.choice([5, 40])))
        wire.send(b"".join(b"RETR %d\r\n" % (at + 1) for at in chosen))
        for at in chosen:
            self.line(wire)
            octets = b"\r\n".join([*wire.block(), b""])
            number = number_of(octets)
            if not is_letter(without_trace(octets)) or b"\r\nDelivered-To: %s@" % box.encode() not in octets:
                self.fault(f"{number} has changed")
            if self.known.setdefault(listed[at], number) != number:
                self.fault(f"{number} has the UIDL of {self.known[listed[at]]}")
        marked = [at for at in chosen if self.chance.random() < 0.85]
        wire.send(b"".join(b"DELE %d\r\n" % (at + 1) for at in marked))
        for _ in marked:
            self.line(wire)
        return {listed[at] for at in marked}

    def leave(self, wire, box, marked):
        way = self.chance.choices(["quit", "unheard", "hang up", "reset", "rset"], [70, 8, 10, 6, 6])[0]
        if way in ("hang up", "reset", "rset"):
            self.spared[box] = marked
        if way == "reset":
            wire.reset()
        elif way == "rset":
            wire.send(b"RSET\r\nQUIT\r\n")
            self.line(wire)
            self.line(wire)
        elif way != "hang up" and marked:
            self.quit(wire, box, marked, heard=way == "quit")

    def quit(self, wire, box, marked, heard):
        self.sessions += 1
        session = f"{self.index}-{self.sessions}-{box}"
        self.ledger.write(f"quit {session} {box} {','.join(str(self.known[uidl]) for uidl in marked)}")
        self.doubtful[session] = marked
        wire.send(b"QUIT\r\n")
        if not heard:
            return
        self.line(wire)  # -ERR: some or none, says RFC 1939; all or none, say we
        self.ledger.write(f"done {session}")
        self.gone |= self.doubtful.pop(session)


if __name__ == "__main__":
    Worker(**json.loads(sys.argv[1])).run()
