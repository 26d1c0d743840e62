"""Mail that staff send to the outside, and what waits to leave."""

import re
import smtplib

from office import PASSWORDS, PORTS, wait_until
from wire import client_context

USER = "ani@kantor.example"


def letter(to="pak@luar.example", body=b".titik\r\nharga\r\n", subject="penawaran"):
    return (f"From: Ani <{USER}>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0700\r\n"
            f"Message-ID: <{subject}@pc-ani.lan>\r\n\r\n").encode() + body


def submit(office, *recipients, message=None, mail=(), rcpt=()):
    """By ani, on port 587."""
    with smtplib.SMTP(office.address, PORTS["submission"], timeout=60) as smtp:
        smtp.starttls(context=client_context())
        smtp.login("ani", PASSWORDS["ani"])
        smtp.sendmail(USER, recipients, message or letter(recipients[0]), mail, rcpt)


def queue(office):
    return office.json("queue", "list")


def wait_settled(office, count=1, attempts=1):
    """The queue, when so many recipients have been tried so often in vain, and no attempt is under way."""
    def settled():
        done = [row for row in queue(office) if row["attempts"] >= attempts and row["last_reply"]]
        return done if len(done) >= count and not office.named("delivery") else None
    return wait_until(settled, f"{count} recipients tried {attempts} times")


def wait_empty(office, **patience):
    wait_until(lambda: not queue(office), "an empty queue", **patience)


def reports(office, count=1, name="ani"):
    """What has come to a mailbox; printable ASCII, as everything that another server said must be."""
    found = wait_until(lambda: len(office.mails(f"{name}@kantor.example")) >= count and office.fetch(name),
                       f"{count} reports for {name}")
    for report in found:
        assert re.fullmatch(rb"[\t\r\n -~]*", report), report
    return found


def public_key(office):
    """What `dns` prints for the key that signs: (name, text)."""
    record = re.search(r"(\S+\._domainkey\.\S+?)\.?\s.*?\((.*?)\)", office.run("dns"), re.S)
    return record[1], "".join(re.findall(r'"([^"]*)"', record[2]))
