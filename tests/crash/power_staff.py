"""Somebody of the staff who writes to the world while the disk is being recorded, the
smarthost that takes it, and what must be true of all that behind a power cut."""

import re
import smtplib
from collections import Counter

from ledger import KINDS, REFUSED, kind_of, letter, number_of, outside
from office import HASHES, PORTS, wait_until
from smarthost import Smarthost
from wire import client_context

NAME, PASSWORD = "staf", "rahasia-ani"
AUTHOR = f"{NAME}@kantor.example"
FIRST = 1_000_000  # the numbers of these letters
LETTERS = 25


class Staff:
    """What the smarthost has to tell goes to `tell`: marks of a recording, as long as there
    is one."""
    def __init__(self, office, chance):
        self.office, self.chance = office, chance
        self.letters = {number: letter(number, AUTHOR) for number in range(FIRST, FIRST + LETTERS)}
        self.tell = None
        self.late = []  # what it told behind the cut
        office.run("user", "add", AUTHOR, "--hash-stdin", stdin=HASHES["ani"] + "\n")
        self.smarthost = Smarthost(self.took, self.settled, slow=0.02)
        office.set("relay", "smarthost", self.smarthost.place)
        office.set("relay", "tls", "none")

    def close(self):
        self.smarthost.close()

    # ---- while it is recorded

    def write(self, names, mark):
        for number, octets in self.letters.items():
            name = self.chance.choice([None, *names])
            to = [outside(kind, number, n) for n, kind in enumerate(self.chance.choices(KINDS, [8, 1, 1], k=3))]
            with smtplib.SMTP(self.office.address, PORTS["submission"]) as smtp:
                smtp.starttls(context=client_context())
                smtp.login(AUTHOR, PASSWORD)
                mark(sent=number, name=name, to=to)
                assert not smtp.sendmail(AUTHOR, [*to, f"{name}@kantor.example"] if name else to, octets)
                mark(accepted=number)
            if number % 5 == 0:
                self.office.run("queue", "retry")

    def took(self, session, recipients, octets):
        session.holds = [(number_of(octets), address) for address in recipients]
        self.tell(took=session.holds)

    def settled(self, session):
        self.tell(settled=session.holds)

    # ---- behind the cut

    def hear_late(self):
        self.late = []
        self.tell = lambda **what: self.late.append(what)

    def verify(self, marks, there):
        """Lets all leave that is still to, in an office that serves; there: the numbers of
        the letters in everybody's mailbox, also of those that were deleted."""
        wait_until(self.is_empty, "an empty outbox")
        took, settled = (pairs_of(marks, word) for word in ["took", "settled"])
        late = Counter(pairs_of(self.late, "took"))
        assert not settled & late.keys(), f"left again behind its result: {sorted(settled & late.keys())}"
        told = Counter(self.reported())
        for count in (late, told):
            assert max(count.values(), default=0) < 2, f"twice: {count.most_common(3)}"
        gone = took | late.keys() | told.keys()
        assert all((kind_of(pair[1]) == REFUSED) == (pair in told) for pair in gone), "reported, or taken, and should not be"
        accepted = {mark["accepted"] for mark in marks if "accepted" in mark}
        for mark in marks:
            if "to" not in mark:
                continue
            number = mark["sent"]
            parts = [(number, address) in gone for address in mark["to"]]
            parts += [number in there] if mark["name"] else []
            assert all(parts) or number not in accepted, f"acknowledged and lost: part of {number}"
            assert len(set(parts)) == 1, f"half of {number}"

    def is_empty(self):
        self.office.run("queue", "retry")
        return not self.office.json("queue", "list")

    def reported(self):
        for row in self.office.mails(AUTHOR):
            text = self.office.run("mail", "show", AUTHOR, row["id"])
            for address in re.findall(r"^Final-Recipient: rfc822; (\S+)\r?$", text, re.M):
                yield int(address.split("-")[1]), address


def pairs_of(marks, word):
    return {tuple(pair) for mark in marks for pair in mark.get(word, [])}
