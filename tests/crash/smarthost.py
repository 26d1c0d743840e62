"""The smarthost that mail leaves through while processes are killed and power is cut;
`smarthost.py JSON` is one in a process of its own, with a ledger. What becomes of a
recipient follows from his address: see outside() in ledger.py."""

import asyncio
import json
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from ledger import PUT_OFF, REFUSED, is_letter, kind_of, number_of  # noqa: E402
from remote import Remote  # noqa: E402


class Smarthost(Remote):
    """Calls took(session, recipients, octets) before it acknowledges a letter, and
    settled(session) when that connection goes on: the office has then written down that
    the letter left, and may never send it again. slow: as many seconds some letters take."""
    def __init__(self, took, settled, address=None, slow=0):
        self.took, self.settled, self.slow = took, settled, slow
        self.chance = random.Random()
        self.put_off = set()
        super().__init__(address)
        self.answers["RCPT"] = self.answer_recipient

    def answer_recipient(self, _, envelope):
        kind = kind_of(envelope.asked)
        if kind == REFUSED:
            return "550 5.1.1 nobody of that name"
        if kind == PUT_OFF and envelope.asked not in self.put_off:
            self.put_off.add(envelope.asked)
            return "451 4.7.1 come again"
        return None

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.took = False
        session.began = session.free_since = time.monotonic()
        return await super().handle_EHLO(server, session, envelope, hostname, responses)

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.go_on(session)
        return await super().handle_MAIL(server, session, envelope, address, options)

    async def handle_QUIT(self, server, session, envelope):
        self.go_on(session)
        return "221 2.0.0 bye"

    def go_on(self, session):
        if session.took:
            self.settled(session)
        session.took = False

    async def handle_DATA(self, server, session, envelope):
        await self.dawdle()
        self.took(session, envelope.rcpt_tos, envelope.original_content)
        session.took, session.free_since = True, time.monotonic()
        await self.dawdle()
        return "250 2.0.0 taken"

    async def dawdle(self):
        if self.slow and self.chance.random() < 0.3:
            await asyncio.sleep(self.chance.random() * self.slow)


class Bookkeeper:
    """Writes a smarthost's ledger."""
    def __init__(self, path):
        self.ledger = open(path, "a", buffering=1)

    def took(self, session, recipients, octets):
        body = octets[octets.index(b"\r\nSubject: ") + 2:]
        number = number_of(octets)
        if not is_letter(body):
            self.ledger.write(f"fault the smarthost got another {number}\n")
        self.ledger.write(f"took {number} {','.join(recipients)} {id_of(session)} {session.free_since} {time.monotonic()}\n")

    def settled(self, session):
        self.ledger.write(f"settled {id_of(session)}\n")


def id_of(session):
    return f"{session.peer[0]}:{session.peer[1]}-{session.began}"


def serve(path, address, slow):
    """Until nobody is at the other end of stdin."""
    keeper = Bookkeeper(path)
    with Smarthost(keeper.took, keeper.settled, address, slow):
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve(**json.loads(sys.argv[1]))
