"""Real messages, signed as if they left the office: an implementation that is not ours
verifies each that it can read."""

import re

import dkim
import pytest

import gather
from letters import stored_form
from test_dkim import sign, verifies

ENOUGH = 900


@pytest.fixture(scope="module")
def samples():
    gather.fetch()
    return [sample for package in gather.SOURCES for sample in gather.read(package)]


def from_us(octets):
    """The stored form, with an author of ours in the place of its own; one begins with a folded line."""
    header, end, body = stored_form(octets).partition(b"\r\n\r\n")
    header = re.sub(rb"(?im)^(from[ \t]*:)", rb"X-\1", header)
    return b"From: ani@kantor.example\r\nX-Sample: yes\r\n" + header + end + body


def is_read_by_dkimpy(message):
    try:
        dkim.rfc822_parse(message)
        return True
    except dkim.MessageFormatError:
        return False


def test_each_verifies(samples):
    messages = {sample.name: from_us(sample.octets) for sample in samples if b"\0" not in sample.octets}
    readable = {name: message for name, message in messages.items() if is_read_by_dkimpy(message)}
    assert len(readable) > ENOUGH
    assert [name for name, message in readable.items() if not verifies(sign(message, 4096))] == []
