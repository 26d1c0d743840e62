"""Letters to send, and what the server must make of them, worked out apart
from it (INTERFACE.md, "The stored message")."""

import re
from typing import NamedTuple


class Trace(NamedTuple):
    """The three fields that delivery puts in front."""

    return_path: bytes
    delivered_to: bytes
    received: bytes


def letter(number=1, body="isi"):
    return (
        f"From: Pak Tani <pak@luar.example>\r\nTo: ani@kantor.example\r\n"
        f"Subject: surat {number}\r\nMessage-ID: <{number}@luar.example>\r\n\r\n{body}\r\n"
    ).encode()


def stored_form(octets):
    """What is kept of these octets (with no NUL) once they were sent."""
    octets = re.sub(rb"\r*\n", lambda end: b" " * (len(end[0]) - 2) + b"\r\n", octets)
    octets = re.sub(rb"\r(?!\n)", b" ", octets)
    if octets and not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    if not octets.startswith(b"\r\n") and b"\r\n\r\n" not in octets:
        octets += b"\r\n"
    return octets


def split_trace(retrieved):
    """A message as POP3 gave it: its Trace, and the rest."""
    fields = re.match(rb"Return-Path: (<.*>)\r\nDelivered-To: (.*)\r\nReceived: ((?:.*\r\n)(?:[ \t].*\r\n)*)",
                      retrieved)
    assert fields, f"no trace lines in front: {retrieved[:300]!r}"
    # The message's own first line may be a folded one: ours ends at the date.
    end = re.search(rb";\s+.*[+-]\d{4}\r\n", fields[3])
    assert end, f"a Received: without its date: {fields[3]!r}"
    cut = fields.start(3) + end.end()
    return Trace(fields[1], fields[2], retrieved[fields.start(3):cut]), retrieved[cut:]


def without_trace(retrieved):
    return split_trace(retrieved)[1]
