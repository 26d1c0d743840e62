"""Letters to send, and what the server must make of them, worked out apart
from it (INTERFACE.md, "The stored message")."""

import re

TRACE = re.compile(
    rb"Return-Path: <[^\r\n]*>\r\nDelivered-To: [^\r\n]+\r\n"
    rb"Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*?[ \t][^\r\n]* [+-]\d{4}\r\n"
)


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


def without_trace(retrieved):
    """A message as POP3 gave it, without the lines that delivery put in front."""
    trace = TRACE.match(retrieved)
    assert trace, f"no trace lines in front: {retrieved[:300]!r}"
    return retrieved[trace.end():]
