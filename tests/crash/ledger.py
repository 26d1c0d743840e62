"""The ledger of a load: what it did and what it was told, on disk before it goes
on; and what must then be true of the store.

One file a process, a line an event; a letter is a number, from which its octets
follow, a box the local part of a mailbox, or a whole address outside; of such a one
the name says what becomes of it there, see outside():

    sent LETTER BOX,...        about to hand it over, for the first and only time
    yes LETTER BOX,...         acknowledged for these
    no LETTER CODE             refused
    cut LETTER                 about to send a part of it, and never its end
    quit SESSION BOX LETTER,.. about to say QUIT with these marked
    done SESSION               that was answered +OK
    fault WORDS                what must never be, seen on the way

And what the smarthost writes, and who kills what sends to it; moments are seconds:

    took LETTER BOX,... CONNECTION SINCE AT
                               about to acknowledge it; the office holds it since then or later
    settled CONNECTION         it went on: the office has written down that the last one left
    struck BEFORE BEHIND       what was on its way then may come again
"""

import hashlib
import os
import re
from collections import Counter

PIECE = 256 * 1024  # a message of the server's in more than one of these takes several requests
DOTTED_LINES = b".\r\n..two\r\n.\r\n"
STRANGER = "pak@luar.example"
STAMP = b"Date: Mon, 23 Nov 2026 10:00:00 +0700\r\nMessage-ID: <satu@pc.lan>\r\n"  # nothing is to be mended
KINDS = TAKEN, PUT_OFF, REFUSED = ["terima", "nanti", "tolak"]  # "nanti": at first


class Ledger:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *lines):
        """Returns when they are on disk."""
        os.write(self.fd, "".join(line + "\n" for line in lines).encode("ascii", "backslashreplace"))
        os.fdatasync(self.fd)


def outside(kind, number, which=0):
    """An address for this letter alone."""
    return f"{kind}-{number}-{which}@luar.example"


def kind_of(address):
    return address.split("-")[0]


def letter(number, author=STRANGER):
    """Its octets: small mostly, one in twenty of some dozens of kB, one in a
    hundred of several pieces."""
    digest = hashlib.sha256(b"%d" % number).digest()
    kind, size = digest[0], int.from_bytes(digest[1:4], "big")
    if kind < 3:
        size = PIECE + size % (3 * PIECE)
    elif kind < 16:
        size = 4000 + size % 60_000
    else:
        size %= 2000
    text = hashlib.shake_128(digest).hexdigest(size // 2 + 1).encode()
    lines = b"\r\n".join(text[at:at + 76] for at in range(0, len(text), 76))
    return b"Subject: %d\r\nFrom: %s\r\n%s\r\n%s%s\r\n" % (number, author.encode(), STAMP, DOTTED_LINES, lines)


def number_of(octets):
    """The letter's number, of its octets as RETR or the store has them."""
    return int(re.search(rb"^Subject: (\d+)\r$", octets, re.M)[1])


def author_of(octets):
    return re.search(rb"^From: (\S+)\r$", octets, re.M)[1].decode()


def is_letter(octets):
    """Whether these are a letter's, unchanged."""
    return octets == letter(number_of(octets), author_of(octets))


class Account:
    """All ledgers of a load, read back."""
    def __init__(self, paths):
        self.sent = {}  # letter: its boxes
        self.took = {}  # (letter, address): each time, as (connection, since, at)
        self.held = {}  # connection: what it took last
        self.settled, self.repeated = set(), set()  # repeated: although it was settled
        self.struck = []
        self.yes = set()  # (letter, box)
        self.refused, self.cut = set(), set()
        self.quits = {}  # session: (box, letters)
        self.done = set()
        self.faults = []
        for path in paths:
            with open(path) as lines:
                for line in lines:
                    word, rest = line.rstrip("\n").split(" ", 1)
                    getattr(self, "_" + word)(*rest.split(" "))

    def _sent(self, number, boxes):
        self.sent[int(number)] = boxes.split(",")

    def _yes(self, number, boxes):
        self.yes.update((int(number), box) for box in boxes.split(","))

    def _no(self, number, _code):
        self.refused.add(int(number))

    def _cut(self, number):
        self.cut.add(int(number))

    def _quit(self, session, box, numbers):
        self.quits[session] = (box, [int(number) for number in numbers.split(",")])

    def _done(self, session):
        self.done.add(session)

    def _took(self, number, addresses, connection, since, at):
        self.held[connection] = {(int(number), address) for address in addresses.split(",")}
        for copy in self.held[connection]:
            self.took.setdefault(copy, []).append((float(since), float(at)))
        self.repeated |= self.held[connection] & self.settled

    def _settled(self, connection):
        self.settled |= self.held.pop(connection)

    def _struck(self, before, behind):
        self.struck.append((float(before), float(behind)))

    def _fault(self, *words):
        self.faults.append(" ".join(words))

    def copies(self):
        """Every (letter, box) that was handed over."""
        return {(number, box) for number, boxes in self.sent.items() for box in boxes}

    def came_again(self):
        """(letter, address) of what the smarthost took more than once, and of these what
        was not on its way when something was killed."""
        again, for_nothing = set(), set()
        for copy, times in self.took.items():
            for (since, _), (_, at) in zip(times, times[1:]):
                again.add(copy)
                if not any(since <= behind and before <= at for before, behind in self.struck):
                    for_nothing.add(copy)
        return again, for_nothing

    def halves(self, there):
        """Letters that are there for some of their boxes and not for others."""
        return [number for number, boxes in self.sent.items() if len({(number, box) in there for box in boxes}) > 1]

    def verdict(self, shown, hidden, reported=()):
        """Each promise, and what breaks it. shown: (letter, box) of every message
        that POP3 lists; hidden: of every message that is marked deleted; reported:
        (letter, address) of every report that its author got."""
        here, away, told = Counter(shown), Counter(hidden), Counter(reported)
        both, handed_over = here + away, self.copies()
        there = both.keys() | self.took.keys() | told.keys()
        asked, torn = set(), []
        for session, (box, numbers) in self.quits.items():
            copies = [(number, box) for number in numbers]
            asked.update(copies)
            if len({copy in here for copy in copies}) > 1:
                torn.append(session)
        done = {(number, self.quits[session][0]) for session in self.done for number in self.quits[session][1]}
        return {
            "acknowledged and lost": sorted(self.yes - there | self.yes & away.keys() - asked),
            "there twice": sorted(copy for copy, count in both.items() if count > 1),
            "deleted and back": sorted(done & here.keys()),
            "deleted by nobody": sorted(away.keys() - asked),
            "halves of a QUIT": sorted(torn),
            "halves of a letter": sorted(self.halves(there)),
            "left again behind its result": sorted(self.repeated),
            "left twice for nothing": sorted(self.came_again()[1]),
            "reported twice": sorted(copy for copy, count in told.items() if count > 1),
            "never sent to its end": sorted(copy for copy in there if copy[0] in self.cut),
            "from nowhere": sorted(copy for copy in there if copy not in handed_over and copy[0] not in self.cut),
            "otherwise than its name says": sorted(copy for copy in there if "@" in copy[1]
                                                   and (copy in told) != (kind_of(copy[1]) == REFUSED)),
            "seen on the way": self.faults,
        }

    def told(self, shown, hidden, reported=()):
        """The figures of a run, in words."""
        shown = set(shown)
        there = shown | set(hidden) | self.took.keys() | set(reported)
        unanswered = self.copies() - self.yes
        open_quits = [self.quits[session] for session in self.quits.keys() - self.done]
        carried_out = sum((numbers[0], box) not in shown for box, numbers in open_quits)
        return (f"{len(self.sent)} letters handed over for {len(self.copies())} mailboxes, {len(self.yes)} acknowledged; "
                f"{len(unanswered)} without a yes ({len(self.refused)} letters refused), of which {len(unanswered & there)} "
                f"are there; {len(self.cut)} cut off; {len(self.done)} QUITs acknowledged with "
                f"{sum(len(self.quits[session][1]) for session in self.done)} deletions, {len(open_quits)} not, of which "
                f"{carried_out} were carried out; {len(shown)} left; {len(self.took)} went outside, {len(self.came_again()[0])} "
                f"of them twice; {len(reported)} reports")
