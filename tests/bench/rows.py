"""What is measured, and what is to be reached: a row of the table each."""

from dataclasses import dataclass, field
from typing import Callable

MTAS = ("Postfix", "OpenSMTPD", "Exim", "Dovecot", "DovecotTuned")  # Dovecot by LMTP
DOVECOTS = ("Dovecot", "DovecotTuned")
POLLED, BIG = ("p", 100, 4096), ("b", 10, 1048576)
MB = 1_000_000
UNITS = {
    "messages/s": lambda counted: counted["messages"] / counted["seconds"],
    "sessions/s": lambda counted: counted["sessions"] / counted["seconds"],
    "MB/s": lambda counted: counted["octets"] / MB / counted["seconds"],
    "s": lambda counted: counted["session_p50"] / 1000,
}


@dataclass
class Row:
    key: str
    title: str
    work: str  # of the generator
    options: dict
    unit: str
    goal: str  # in words
    goals: list = field(default_factory=list)  # (ratio, peers): to the best of these
    cpu_goal: float = 0  # milliseconds of one
    of_loopback: float = 0  # part of what the loopback can carry
    weigh: float = 0  # octets of memory that it may take
    less: bool = False  # the fewer the better
    port: str = ""  # of the server, where it is not the usual one
    once: tuple = ()  # mailboxes that are filled before the first turn: NAME, messages each, octets
    fill: tuple = ()  # before each turn
    slow: bool = False  # on a disk whose syncs take 5 ms longer
    needs: Callable = lambda server: True

    def __post_init__(self):
        if self.work != "send":  # popa3d would wait for acknowledgements that are delayed
            self.options["a"] = True

    def can(self, server):
        has = server.smtp or server.lmtp if self.work == "send" else server.pop3
        return bool(has and (not self.port or getattr(server, self.port)) and self.needs(server))

    def rate(self, counted):
        if self.unit == "mailboxes/s":
            return self.options["r"] * UNITS["messages/s"](counted)
        return UNITS[self.unit](counted)

    def done(self, counted):
        """How many of what CPU time is told of."""
        return counted["messages" if self.work == "send" or self.unit == "messages/s" else "sessions"]


def best_of(ratio, peers):
    return [(ratio, peers)]


ROWS = [
    Row("smtp-1x50", "SMTP, 1 session, 50 messages a connection", "send", dict(c=1, m=50), "messages/s",
        "5 × the best peer", best_of(5, MTAS)),
    Row("smtp-10x1", "SMTP, 10 sessions, 1 message a connection", "send", dict(m=1), "messages/s",
        "4 ×", best_of(4, MTAS)),
    Row("smtp-10x20", "SMTP, 10 sessions, 20 a connection", "send", dict(m=20), "messages/s",
        "10 ×, at most 0.15 ms CPU each", best_of(10, MTAS), cpu_goal=0.15),
    Row("smtp-100k", "SMTP, 10 sessions, 20 of 100 kB a connection", "send", dict(m=20, s=102400), "messages/s",
        "3 ×", best_of(3, MTAS)),
    Row("smtp-20boxes", "SMTP, 20 kB to 20 mailboxes", "send", dict(m=20, s=20480, r=20), "mailboxes/s",
        "5 ×", best_of(5, MTAS)),
    Row("smtp-starttls", "SMTP, STARTTLS, 10 sessions, 1 message a connection", "send", dict(m=1, t="starttls"),
        "messages/s", "3 ×", best_of(3, MTAS), needs=lambda server: server.starttls),
    Row("smtp-slow", "SMTP, 10 sessions, 20 a connection, 5 ms more a sync", "send", dict(m=20), "messages/s",
        "2.5 ×", best_of(2.5, MTAS), slow=True),
    Row("pop3-poll", "POP3 poll: login, STAT, UIDL of 100, QUIT", "poll", dict(u="p"), "sessions/s",
        "2 × tuned; at most 0.5 ms CPU", [(2, ("DovecotTuned",))], cpu_goal=0.5, once=POLLED),
    Row("pop3-yescrypt", "the same with yescrypt passwords, seen before", "poll", dict(u="y"), "sessions/s",
        "2 × tuned", [(2, ("DovecotTuned",))], once=("y", 100, 4096)),
    Row("pop3-fetch", "POP3 fetch, 100 messages of 4 kB", "fetch", dict(u="p"), "messages/s",
        "2 × popa3d", [(2, ("popa3d",))], once=POLLED),
    Row("pop3-fetch-1M", "POP3 fetch, 1 MB messages", "fetch", dict(u="b", b=10), "MB/s",
        "1.5 × popa3d, 80 % of loopback", [(1.5, ("popa3d",))], of_loopback=0.8, once=BIG),
    Row("pop3-drain", "POP3 drain: RETR and DELE of 20, QUIT", "drain", dict(u="d", m=20, d=120), "messages/s",
        "3 × tuned", [(3, ("DovecotTuned",))], fill=("d", 200, 4096)),
    Row("pop3s-poll", "POP3S poll", "poll", dict(u="p", t="tls"), "sessions/s",
        "1.3 × tuned", [(1.3, ("DovecotTuned",))], port="pop3s", once=POLLED),
    Row("pop3s-fetch-1M", "POP3S fetch, 1 MB messages", "fetch", dict(u="b", b=10, t="tls"), "MB/s",
        "1.5 × tuned", [(1.5, ("DovecotTuned",))], port="pop3s", once=BIG),
    Row("pop3-50000", "mailbox of 50,000: login, STAT, UIDL, QUIT", "poll", dict(u="h", c=1, b=1, n=5), "s",
        "half of popa3d; under 8 MiB", [(0.5, ("popa3d",))], less=True, weigh=8 * 1024 * 1024, once=("h", 50000, 1024)),
]
