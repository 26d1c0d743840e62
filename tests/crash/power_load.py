"""Mixed work on an office whose disk is being recorded, every answer marked in
the recording; and what must be true of an office that has lost its power."""

import contextlib
import itertools
import random
import threading

from hostile import Pop3, Smtp, answered
from ledger import number_of
from letters import stored_form, without_trace
from office import HASHES, PASSWORDS
from wire import WireError

NAMES = list(PASSWORDS)
ADDRESS = "%s@kantor.example"
HUGE = 2_500_000  # two of them make the log long enough for a checkpoint
MORE = 300_000
SIZES = [0, 80, 200, 200, 3000, 3000, 3000, 60_000, 300_000]


def letter(number, size):
    lines = ((b"%d.%d" % (number, n)).ljust(78, b".") + b"\r\n" for n in range(size // 80))
    return b"Subject: %d\r\n\r\n" % number + b"".join(lines)


class Act:
    """A command of the administrator: its words, what it reads, and how to see
    whether it has been done."""
    def __init__(self, words, stdin, is_done):
        self.words, self.stdin, self.is_done = words.split(), stdin, is_done


def password_is_new(office):
    new = office.can_log_in("citra@kantor.example", "baru-citra")
    assert new != office.can_log_in("citra@kantor.example", PASSWORDS["citra"]), "one of both passwords is right"
    return new


ACTS = [
    Act("user add dewi@kantor.example --hash-stdin", HASHES["ani"] + "\n",
        lambda office: office.can_log_in("dewi@kantor.example", PASSWORDS["ani"])),
    Act("user passwd citra@kantor.example --password-stdin", "baru-citra\n", password_is_new),
    Act("alias add gudang@kantor.example budi@kantor.example", "",
        lambda office: any(row["alias"] == "gudang@kantor.example" for row in office.json("alias", "list"))),
    Act("alias remove penjualan@kantor.example", "",
        lambda office: not any(row["alias"] == "penjualan@kantor.example" for row in office.json("alias", "list"))),
    Act("folder add budi@kantor.example Arsip", "",
        lambda office: any(row["name"] == "Arsip" for row in office.json("folder", "list", "budi@kantor.example"))),
    Act("device add budi@kantor.example pc --password-stdin", "rahasia-pc\n",
        lambda office: office.can_log_in("budi@kantor.example", "rahasia-pc")),
]


class Load:
    """Some clients at once, and an administrator. A letter is sent once."""
    def __init__(self, office, recorder, seed, letters, huge=HUGE, staff=None):
        self.office, self.recorder, self.staff = office, recorder, staff
        chance = self.chance = random.Random(seed)
        self.plan = [(n, chance.choice(NAMES), letter(n, huge if n % 20 == 9 else chance.choice(SIZES)))
                     for n in range(letters)]
        self.octets = {n: stored_form(octets) for n, _, octets in self.plan}
        if staff:
            self.octets.update(staff.letters)
        self.further = itertools.count(letters)
        self.numbers = {}  # UIDL: letter
        self.complaints = []
        self.over = threading.Event()

    def run_until_cut(self):
        """The same, and the server goes in the midst of it."""
        with contextlib.suppress(Exception):
            self.run()

    def run(self, enough=lambda: True):
        """All of the plan, and then more until it is enough."""
        senders = [threading.Thread(target=self.guard, args=(lambda part=self.plan[k::3]: self.send_on(part, enough), ))
                   for k in range(3)]
        for thread in senders:
            thread.start()
        others = [threading.Thread(target=self.guard, args=(lambda name=name: self.read_while(name, senders), ))
                  for name in NAMES]
        others.append(threading.Thread(target=self.guard, args=(self.administer, )))
        if self.staff:
            others.append(threading.Thread(target=self.guard, args=(lambda: self.staff.write(NAMES, self.recorder.mark), )))
        for thread in others:
            thread.start()
        for thread in senders + others:
            thread.join()
        assert not self.complaints, self.complaints[0]

    def guard(self, work):
        try:
            work()
        except Exception as complaint:
            self.complaints.append(complaint)
            self.over.set()

    def send_all(self, plan):
        own = random.Random(plan[0][0])
        for number, name, octets in plan:
            if self.over.is_set():
                return
            session = Smtp(self.office, own.choice(["smtp", "lmtp"]))
            session.begin(b"%s@kantor.example" % name.encode())
            if own.random() < 0.1:  # it begins to send, and is never heard of again
                session.send(b"BDAT 400000\r\n" + bytes([65]) * 300_000)
                session.wire.close()
                continue
            self.recorder.mark(sent=number, name=name)
            answered(session.data(octets + b".\r\n"), "250")
            self.recorder.mark(accepted=number)
            session.wire.close()

    def send_on(self, plan, enough):
        self.send_all(plan)
        own = random.Random(plan[-1][0])
        for _ in range(100):
            if enough():
                return
            number = next(self.further)
            more = letter(number, MORE)
            self.octets[number] = stored_form(more)
            self.send_all([(number, own.choice(NAMES), more)])

    def read_while(self, name, senders):
        own = random.Random(name)
        while any(thread.is_alive() for thread in senders) and not self.over.is_set():
            self.read(name, own)

    def read(self, name, own):
        session = Pop3(self.office, None)
        if not session.login(ADDRESS % name, PASSWORDS[name]).startswith(b"+OK"):
            session.login(ADDRESS % name, "baru-" + name)
        seen = [line.split() for line in session.block(b"UIDL")]
        doomed = []
        for n, uidl in own.sample(seen, min(len(seen), 4)):
            octets = b"\r\n".join(session.block(b"RETR %s" % n)) + b"\r\n"
            number = number_of(octets)
            self.numbers[uidl.decode()] = number
            self.recorder.mark(seen=number, uidl=uidl.decode())
            if own.random() < 0.6:
                session.ok(b"DELE %s" % n)
                doomed.append(number)
        if own.random() < 0.8:
            self.recorder.mark(asking=doomed)
            session.ok(b"QUIT")
            self.recorder.mark(deleted=doomed)
        session.wire.close()

    def administer(self):
        for n, act in enumerate(ACTS):
            self.recorder.mark(began=n)
            self.office.run(*act.words, stdin=act.stdin)
            self.recorder.mark(done=n)
            self.remove_one()

    def remove_one(self):
        """`mail remove` of a letter that somebody has seen."""
        for row in self.office.mails():
            number = self.numbers.get(row["uidl"])
            if number is not None:
                self.recorder.mark(asking=[number])
                result = self.office.command("mail", "remove", "ani@kantor.example", str(row["id"]))
                if result.returncode == 0:  # a client may have been quicker
                    self.recorder.mark(deleted=[number])
                return


class Promises:
    """What clients had been told by the time of the cut."""
    def __init__(self, marks, octets):
        self.octets = octets
        self.owner, self.uidl = {}, {}
        self.away = set()  # what has no copy here
        self.accepted, self.deleted, self.asked = set(), set(), []
        self.began, self.done = set(), set()
        for mark in marks:
            if "sent" in mark:
                self.owner[mark["sent"]] = mark["name"]
                if mark["name"] is None:
                    self.away.add(mark["sent"])
            elif "uidl" in mark:
                self.uidl[mark["seen"]] = mark["uidl"]
            elif "asking" in mark:
                self.asked.append(set(mark["asking"]))
            elif "deleted" in mark:
                self.deleted.update(mark["deleted"])
            else:
                for kind in mark.keys() & {"accepted", "began", "done"}:
                    getattr(self, kind).add(mark[kind])

    def verify(self, office):
        """Looks through POP3 at everything, in an office that serves. Returns the
        letters that are or were there."""
        there = {}
        for name in NAMES:
            for uidl, octets in fetch(office, name):
                number = number_of(octets)
                assert number not in there, f"{number} is there twice"
                assert self.owner.get(number) == name, f"{number} is at {name}'s"
                assert without_trace(octets) == self.octets[number], f"{number} has changed"
                assert self.uidl.get(number, uidl) == uidl, f"{number} has another UIDL"
                there[number] = uidl
        asked = set().union(*self.asked)
        lost = self.accepted - self.away - asked - there.keys()
        assert not lost, f"acknowledged and lost: {sorted(lost)}"
        back = self.deleted & there.keys()
        assert not back, f"deleted and back: {sorted(back)}"
        for doomed in self.asked:
            others = [other for other in self.asked if other is not doomed]
            gone = doomed - there.keys() - set().union(*others)
            assert not gone or not doomed & there.keys(), f"half of a QUIT: {sorted(doomed)}"
        for n, act in enumerate(ACTS):
            if n in self.done or n not in self.began:
                assert act.is_done(office) == (n in self.done), f"{' '.join(act.words)}: done is {n in self.done}"
            else:
                act.is_done(office)  # either, but not a mixture
        return there.keys() | asked


def fetch(office, name, password=None):
    """(UIDL, octets) of all of somebody's letters."""
    session = Pop3(office)
    told = session.login(ADDRESS % name, password or PASSWORDS[name])
    if not told.startswith(b"+OK"):
        told = session.login(ADDRESS % name, "baru-" + name)
    if not told.startswith(b"+OK"):
        raise WireError(told.decode())
    for line in session.block(b"UIDL"):
        n, uidl = line.split()
        yield uidl.decode(), b"\r\n".join(session.block(b"RETR %s" % n)) + b"\r\n"
    session.ok(b"QUIT")
    session.wire.close()


@contextlib.contextmanager
def serving(office):
    """The server runs meanwhile, and is gone afterwards, whatever came of it."""
    try:
        office.start()
        yield
        office.stop()
    finally:
        if office.process is not None:
            office.kill()
