"""The ledger of a load: what it did and what it was told, on disk before it goes
on; and what must then be true of the store.

One file a process, a line an event; a letter is a number, from which its octets
follow, a box the local part of a mailbox:

    sent LETTER BOX,...        about to hand it over, for the first and only time
    yes LETTER BOX,...         acknowledged for these
    no LETTER CODE             refused
    cut LETTER                 about to send a part of it, and never its end
    quit SESSION BOX LETTER,.. about to say QUIT with these marked
    done SESSION               that was answered +OK
    fault WORDS                what must never be, seen on the way
"""

import hashlib
import os
import re
from collections import Counter

PIECE = 256 * 1024  # a message of the server's in more than one of these takes several requests
DOTTED_LINES = b".\r\n..two\r\n.\r\n"


class Ledger:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *lines):
        """Returns when they are on disk."""
        os.write(self.fd, "".join(line + "\n" for line in lines).encode("ascii", "backslashreplace"))
        os.fdatasync(self.fd)


def letter(number):
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
    return b"Subject: %d\r\nFrom: pak@luar.example\r\n\r\n%s%s\r\n" % (number, DOTTED_LINES, lines)


def number_of(octets):
    """The letter's number, of its octets as RETR or the store has them."""
    return int(re.search(rb"^Subject: (\d+)\r$", octets, re.M)[1])


class Account:
    """All ledgers of a load, read back."""
    def __init__(self, paths):
        self.sent = {}  # letter: its boxes
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

    def _fault(self, *words):
        self.faults.append(" ".join(words))

    def copies(self):
        """Every (letter, box) that was handed over."""
        return {(number, box) for number, boxes in self.sent.items() for box in boxes}

    def verdict(self, shown, hidden):
        """Each promise, and what breaks it. shown: (letter, box) of every message
        that POP3 lists; hidden: of every message that is marked deleted."""
        here, away = Counter(shown), Counter(hidden)
        both, handed_over = here + away, self.copies()
        asked, torn = set(), []
        for session, (box, numbers) in self.quits.items():
            copies = [(number, box) for number in numbers]
            asked.update(copies)
            if len({copy in here for copy in copies}) > 1:
                torn.append(session)
        done = {(number, self.quits[session][0]) for session in self.done for number in self.quits[session][1]}
        return {
            "acknowledged and lost": sorted(self.yes - both.keys() | self.yes & away.keys() - asked),
            "there twice": sorted(copy for copy, count in both.items() if count > 1),
            "deleted and back": sorted(done & here.keys()),
            "deleted by nobody": sorted(away.keys() - asked),
            "halves of a QUIT": sorted(torn),
            "never sent to its end": sorted(copy for copy in both if copy[0] in self.cut),
            "from nowhere": sorted(copy for copy in both if copy not in handed_over and copy[0] not in self.cut),
            "seen on the way": self.faults,
        }

    def told(self, shown, hidden):
        """The figures of a run, in words."""
        shown = set(shown)
        there = shown | set(hidden)
        unanswered = self.copies() - self.yes
        open_quits = [self.quits[session] for session in self.quits.keys() - self.done]
        carried_out = sum((numbers[0], box) not in shown for box, numbers in open_quits)
        return (f"{len(self.sent)} letters handed over for {len(self.copies())} mailboxes, {len(self.yes)} acknowledged; "
                f"{len(unanswered)} without a yes ({len(self.refused)} letters refused), of which {len(unanswered & there)} "
                f"are there; {len(self.cut)} cut off; {len(self.done)} QUITs acknowledged with "
                f"{sum(len(self.quits[session][1]) for session in self.done)} deletions, {len(open_quits)} not, of which "
                f"{carried_out} were carried out; {len(shown)} left")
