"""A customer of an office in which calls fail: sends letters, fetches and
deletes some, and holds the office to what it has acknowledged."""

import json
import re
import time

from hostile import Pop3, Smtp, answered
from letters import stored_form, without_trace
from office import wait_until
from wire import PATIENCE, WireError

ANI = b"ani@kantor.example"
BIG = 600_000  # octets: three pieces
CUT_OFF = re.compile(r"ended|nothing came|has no end|gone")  # a conversation that broke, not one that went wrong


class Unserved(Exception):
    """What was wanted did not come about, and nobody was told that it had."""


class Customer:
    def __init__(self, office, chance):
        self.office, self.chance = office, chance
        self.sent = {}  # id: what letter_of() makes a letter of
        self.taken, self.asked, self.deleted = set(), set(), set()  # asked: to be deleted, whatever came of it
        self.patience = PATIENCE
        self.actions = 0
        self.silent = 0  # actions in which an answer did not come in time

    # ---- one action each: Unserved where the office could not

    def act(self, action, *arguments):
        """False: it did not serve. An answer that is wrong is an AssertionError."""
        self.actions += 1
        try:
            action(*arguments)
            return True
        except Unserved:
            return False
        except OSError:
            return False
        except WireError as fault:
            if not CUT_OFF.search(str(fault)):
                raise
            self.silent += "nothing came" in str(fault)
            return False

    def _smtp(self, service):
        session = Smtp.__new__(Smtp)
        session.wire = self.office.connect(service)
        session.wire.patience = self.patience
        session.hello = b"LHLO penguji.example" if service == "lmtp" else b"EHLO penguji.example"
        reached(session.read(), "220")
        reached(session.ask(session.hello), "250")
        return session

    def letter(self, size):
        number = len(self.sent) + 1
        line = b"%d: " % number + bytes(self.chance.choices(b"abcdefghij .", k=min(size, 900))) + b"\r\n"
        self.sent[number] = (line, max(1, size // len(line)))
        return number

    def letter_of(self, number):
        line, count = self.sent[number]
        return b"Subject: %d\r\n\r\n" % number + line * count

    def _begin(self, session, size):
        """All of a letter but its last line, which is a dot; returns its number."""
        reached(session.ask(b"MAIL FROM:<pak@luar.example>"), "250")
        reached(session.ask(b"RCPT TO:<%s>" % ANI), "250")
        reached(session.ask(b"DATA"), "354")
        number = self.letter(size)
        session.send(self.letter_of(number))  # no line begins with a dot
        return number

    def open_letter(self, service, size):
        """The session of one that lacks that line."""
        session = self._smtp(service)
        self._begin(session, size)
        return session

    def send(self, service, *sizes):
        """A letter of each size, in one session."""
        session = self._smtp(service)
        try:
            for size in sizes:
                number = self._begin(session, size)
                session.send(b".\r\n")
                reached(session.read(), "250")
                self.taken.add(number)
            reached(session.ask(b"QUIT"), "221")
        finally:
            session.wire.close()

    def _pop3(self, service):
        session = Pop3.__new__(Pop3)
        session.wire = self.office.connect(service, raw=True)
        session.wire.patience = self.patience
        try:
            if service == "pop3s":
                session.wire.start_tls()
            wanted(session.read())
            wanted(session.ask(b"USER " + ANI))
            count = int(wanted(session.ask(b"PASS rahasia-ani")).split()[1])
            least, most = len(self.there()), len(self.sent.keys() - self.deleted)
            assert least <= count <= most, f"{count} messages at login, where {least} to {most} are there"
        except BaseException:
            session.wire.close()
            raise
        return session, count

    def there(self):
        """What must be in the mailbox."""
        return self.taken - self.asked - self.deleted

    def _retrieve(self, session, n):
        wanted(session.ask(b"RETR %d" % n))
        octets = b"\r\n".join(session.wire.block()) + b"\r\n"
        number = int(re.search(rb"^Subject: (\d+)\r$", octets, re.M).group(1))
        assert without_trace(octets) == stored_form(self.letter_of(number)), f"letter {number} has changed"
        assert number not in self.deleted, f"letter {number} was deleted, and is back"
        return number

    def _quit(self, session, doomed):
        self.asked |= doomed
        wanted(session.ask(b"QUIT"))
        self.deleted |= doomed

    def fetch(self, service):
        """Reads some letters, and deletes one."""
        session, count = self._pop3(service)
        try:
            doomed = set()
            for n in self.chance.sample(range(1, count + 1), min(count, 3)):
                number = self._retrieve(session, n)
                if not doomed:
                    wanted(session.ask(b"DELE %d" % n))
                    doomed = {number}
            self._quit(session, doomed)
        finally:
            session.wire.close()

    def look(self):
        """The mailbox as a command lists it."""
        listed = self._run("mail", "list", "ani@kantor.example", "--json")
        least, most = len(self.there()), len(self.sent.keys() - self.deleted)
        count = len(json.loads(listed))
        assert least <= count <= most, f"{count} listed, where {least} to {most} are there"

    def settle(self):
        """A command that writes."""
        self._run("user", "quota", "budi@kantor.example", "1G")

    def _run(self, *words):
        result = self.office.command(*words)
        told = result.stderr.decode()
        # Out of memory ends a process by abort(); nothing else does.
        assert result.returncode in (0, 1) or "out of memory" in told, f"{words}: {result}"
        if result.returncode != 0:
            assert told.strip(), f"{words}: no word of what was wrong"
            raise Unserved(told)
        return result.stdout

    def conversation(self):
        """Everything that people do, as actions to act()."""
        return [
            (self.send, "smtp", 300, 3000),
            (self.fetch, "pop3"),
            (self.send, "lmtp", BIG),
            (self.look, ),
            (self.fetch, "pop3s"),
            (self.settle, ),
        ]

    # ---- afterwards

    def wait_for_service(self):
        """Until everything is served again; how many seconds that took."""
        begun = time.monotonic()
        wait_until(
            lambda: all(self.act(*action) for action in [(self.send, "smtp", 50), (self.fetch, "pop3s"),
                                                         (self.look, )]), "service after the fault's end")
        return time.monotonic() - begun

    def verify(self):
        """The mailbox is what was acknowledged; empties it."""
        session, count = self._pop3("pop3")
        found = [self._retrieve(session, n) for n in range(1, count + 1)]
        assert len(set(found)) == len(found), f"there twice: {sorted(found)}"
        lost = self.there() - set(found)
        assert not lost, f"acknowledged and lost: {sorted(lost)}"
        self.deleted |= self.asked - set(found)
        self.taken |= set(found)
        for n in range(1, count + 1):
            wanted(session.ask(b"DELE %d" % n))
        self._quit(session, set(found))
        assert session.wire.at_end()
        session.wire.close()


def reached(reply, code):
    """A letter that is in order is taken, or wanted again later: never refused for good."""
    if 400 <= reply.code <= 499:
        raise Unserved(str(reply))
    answered(reply, code)


def wanted(told):
    """So is a client that asks for what is there."""
    if told.startswith(b"-ERR [SYS/TEMP]"):
        raise Unserved(told.decode())
    assert told.startswith(b"+OK"), f"a wrong answer: {told!r}"
    return told
