"""Real messages go in by SMTP and come out by POP3, octet for octet in the
stored form that INTERFACE.md promises, worked out here apart from the server."""

import re

import pytest

import gather
from letters import stored_form, without_trace
from office import dotted

ENOUGH = 300


@pytest.fixture(scope="module")
def packages():
    gather.fetch()
    return {package: gather.read(package) for package in gather.SOURCES}


def send(wire, octets):
    """The final code for one message."""
    for command, wanted in ((b"MAIL FROM:<pak@luar.example>", 250), (b"RCPT TO:<ani@kantor.example>", 250),
                            (b"DATA", 354)):
        wire.send(command + b"\r\n")
        assert wire.reply()[0] == wanted
    wire.send(dotted(octets))
    code, texts = wire.reply()
    return code, texts[0]


def send_all(office, samples, form):
    """Sends them; returns those that are to be found in the mailbox."""
    wire = office.connect("smtp")
    wire.line()
    wire.send(b"EHLO penguji.example\r\n")
    wire.reply()
    filed = []
    for sample in samples:
        octets = form(sample.octets)
        if not octets.endswith(b"\r\n"):
            octets += b"\r\n"  # DATA ends in CRLF.CRLF and cannot end otherwise
        code, text = send(wire, octets)
        if b"\0" in octets:
            assert (code, text[:5]) == (550, b"5.6.0"), sample.name
        else:
            assert code == 250, (sample.name, code, text)
            filed.append((sample.name, stored_form(octets)))
    wire.command("QUIT")
    return filed


def with_crlf(octets):
    return re.sub(rb"\r?\n", b"\r\n", octets)


def as_it_stands(octets):
    return octets


def test_there_are_several_hundred(packages):
    assert sum(map(len, packages.values())) >= ENOUGH
    assert all(packages.values()), {package: len(samples) for package, samples in packages.items()}


@pytest.mark.parametrize("form", [with_crlf, as_it_stands], ids=["with-crlf", "as-it-stands"])
@pytest.mark.parametrize("package", gather.SOURCES)
def test_each_comes_out_as_the_stored_form_of_what_went_in(served, packages, package, form):
    filed = send_all(served, packages[package], form)
    got = served.fetch(delete=True)
    assert len(got) == len(filed)
    wrong = [name for (name, wanted), message in zip(filed, got) if without_trace(message) != wanted]
    assert not wrong


def test_one_with_a_nul_is_refused_and_the_next_is_taken(served, packages):
    first, second = packages["notmuch"][:2]
    spoilt = first._replace(octets=first.octets + b"a\0b\n")
    filed = send_all(served, [spoilt, second], with_crlf)
    assert [name for name, _ in filed] == [second.name]
    (message,) = served.fetch(delete=True)
    assert without_trace(message) == filed[0][1]
