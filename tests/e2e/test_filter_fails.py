"""Milters that are not there, that die, and that have to hear what is big: what becomes of mail."""

import contextlib
import hashlib
import sqlite3

import pytest

import milter as said
from hostile import Smtp, answered
from letters import letter, without_trace
from milter import Milter
from office import wait_until
from test_filter import ANI, BUDI, filtered, got, send
from test_hostile_smtp import memory_allowance

MB = 1024 * 1024
POLICIES = {"tempfail": "451 4.3.0", "accept": "250"}


def bodies(office):
    with contextlib.closing(sqlite3.connect(f"file:{office.data}/store.db?mode=ro", uri=True)) as store:
        return store.execute("SELECT (SELECT count(*) FROM bodies), (SELECT count(*) FROM pieces)").fetchone()


def failures(office):
    return [line for line in office.lines if "filter-failed" in line]


@pytest.mark.parametrize("on_failure", POLICIES)
@pytest.mark.parametrize("where", ["inet:127.0.0.1:1", "inet:[::1]:1", "unix:/nowhere/there.sock", "unix:/" + "x" * 107])
def test_one_that_is_not_there(office, where, on_failure):
    office.set("filter", "milter", where)
    office.set("filter", "on_failure", on_failure)
    office.allow("filter-failed")
    office.start()
    for _ in range(3):
        session = Smtp(office)
        for n in range(2):
            answered(session.ask(b"MAIL FROM:<pak@luar.example>"), POLICIES[on_failure])
            if on_failure == "accept":
                answered(session.ask(b"RCPT TO:<ani@kantor.example>"), "250")
                answered(session.data(letter(n) + b".\r\n"), "250")
        session.leave()
    assert len(office.mails()) == (6 if on_failure == "accept" else 0)
    assert len(failures(office)) == 1, "once a minute, whatever comes"
    assert where[:30] in failures(office)[0]
    assert ('mail="taken without it"' if on_failure == "accept" else 'mail="put off"') in failures(office)[0]


NONSENSE = {"dies": said.DIES, "nonsense": b"HTTP/1.1 400 Bad Request\r\n\r\n", "empty": b"\0\0\0\0",
            "not offered": said.packet(b"+", b"<x@luar.example>\0"), "early": said.adds("X-A", "b")}


@pytest.mark.parametrize("on_failure", POLICIES)
@pytest.mark.parametrize("step", "OCHMRTLNBE")
@pytest.mark.parametrize("what", NONSENSE)
def test_one_that_fails_at_a_step(office, step, what, on_failure):
    if (what, step) == ("early", "E"):
        step = "N"
    office.allow("filter-failed")
    with filtered(office, Milter(**{step: NONSENSE[what]}), on_failure=on_failure) as milter:
        session = Smtp(office)
        reply = session.ask(b"MAIL FROM:<pak@luar.example>")
        if reply.code == 250:
            reply = session.ask(b"RCPT TO:<ani@kantor.example>")
        if reply.code == 250:
            session.send(b"DATA\r\n")
            reply = session.read()
        if reply.code == 354:
            session.send(letter(1) + b".\r\n")
            reply = session.read()
        answered(reply, POLICIES[on_failure])
        answered(session.ask(b"RSET"), "250")
        # It is gone for the session, and there for the next.
        answered(session.ask(b"MAIL FROM:<pak@luar.example>"), POLICIES[on_failure])
        session.leave()
        milter.answers.clear()
        answered(send(office, letter(2), BUDI), "250")
        assert got(office, "budi") == letter(2) and milter.messages[-1].whole
        assert len(office.mails()) == (on_failure == "accept") and len(failures(office)) == 1


def test_one_that_refuses_is_believed_though_another_has_failed(office):
    office.allow("filter-failed")
    with filtered(office, Milter(M=said.DIES), Milter(E=said.REJECT), on_failure="accept"):
        answered(send(office, letter(1)), "550 5.7.1")


def test_a_body_that_is_half_replaced_is_put_off_in_any_case(office):
    office.allow("filter-failed")
    with filtered(office, Milter(E=[said.replaces(b"x" * 60000) + said.packet(b"+", b"a\0"),
                                    said.adds("X-A", "b") + said.packet(b"+", b"a\0")]), on_failure="accept"):
        answered(send(office, letter(1, "y" * 500000)), "451 4.3.0")
        answered(send(office, letter(1, "y" * 500000)), "250")
        assert got(office) == letter(1, "y" * 500000)  # and of what it added nothing
        wait_until(lambda: bodies(office) == (1, 3), "what was for nothing is freed")


def test_so_is_one_whose_new_body_cannot_be_kept_from_its_first_octets_on(office):
    office.allow("filter-failed")
    with filtered(office, Milter(E=[said.replaces(b"a NUL: \0.\r\n") + said.CONTINUE]), on_failure="accept"):
        answered(send(office, letter(1)), "451 4.3.0")
        answered(send(office, letter(1)), "250")
        assert got(office) == letter(1) and len(office.mails()) == 1


@pytest.mark.parametrize("on_failure", POLICIES)
def test_one_killed_amid_a_big_message_loses_nothing_and_files_nothing_twice(office, on_failure):
    big = letter(1, ("x" * 70 + "\r\n") * 20000)
    office.allow("filter-failed")
    with filtered(office, Milter(), on_failure=on_failure) as milter:
        session = Smtp(office)
        session.begin(ANI.encode())
        answered(session.ask(b"DATA"), "354")
        half = len(big) // 2
        session.send(big[:half])
        wait_until(lambda: len(milter.messages[0].body) > MB // 2, "half of it heard")
        milter.stop()
        session.send(big[half:] + b".\r\n")
        answered(session.read(), POLICIES[on_failure])
        session.leave()
        if on_failure == "tempfail":
            assert office.mails() == []
            wait_until(lambda: bodies(office) == (0, 0), "nothing left of it")
            milter.start()
            answered(send(office, big), "250")
        assert got(office) == big and bodies(office)[0] == 1


def files(office):
    return {str(path.relative_to(office.dir)) for path in office.dir.rglob("*")}


@pytest.mark.parametrize("size", [10, 300_000])
@pytest.mark.parametrize("step", "TLNBE")
def test_a_server_that_is_killed_while_one_thinks_has_taken_nothing(office, step, size):
    octets = letter(1, ("x" * 70 + "\r\n") * (size // 72))
    with filtered(office, Milter(**{step: said.HANGS})) as milter:
        before = files(office)
        session = Smtp(office)
        session.begin(ANI.encode(), BUDI.encode())
        session.send(b"DATA\r\n")
        if step != "T":
            answered(session.read(), "354")
            session.send(octets + b".\r\n")
        wait_until(lambda: milter.talks and milter.talks[0].steps.endswith(step), "the milter thinks")
        office.kill()
        assert session.wire.pending() == b""
        milter.released.set()
        milter.answers.clear()
        office.start()
        assert office.mails() == office.mails(BUDI) == office.json("queue", "list") == []
        wait_until(lambda: bodies(office) == (0, 0), "nothing left of it")
        assert files(office) == before
        answered(send(office, octets, ANI, BUDI), "250")
        assert got(office) == got(office, "budi") == octets and milter.messages[-1].whole
        office.stop()
        office.run("check")


@pytest.mark.parametrize("on_failure", POLICIES)
def test_one_that_takes_the_connection_and_is_silent(office, on_failure):
    office.allow("filter-failed")
    with filtered(office, Milter(O=said.HANGS), on_failure=on_failure) as milter:
        sessions = [Smtp(office), Smtp(office, "lmtp")]
        for session in sessions:
            session.send(b"MAIL FROM:<pak@luar.example>\r\n")
        for session in sessions:
            answered(session.read(), POLICIES[on_failure])
            if on_failure == "accept":
                answered(session.ask(b"RCPT TO:<ani@kantor.example>"), "250")
                answered(session.data(letter(1) + b".\r\n"), "250")
            session.leave()
        assert [talk.steps for talk in milter.talks] == ["O"] * 2
        line, = failures(office)
        assert 'reason="it does not answer"' in line and milter.place in line
        assert [without_trace(message) for message in office.fetch()] == [letter(1)] * (2 * (on_failure == "accept"))


def test_while_one_session_waits_for_an_answer_others_are_served(office):
    office.allow("filter-failed")
    with filtered(office, Milter(E=[said.HANGS])) as milter:
        waiting = Smtp(office)
        waiting.begin(ANI.encode())
        answered(waiting.ask(b"DATA"), "354")
        waiting.send(letter(1) + b".\r\n")
        wait_until(lambda: milter.talks[0].steps.endswith("E"), "the milter is asked")
        for service in ("smtp", "lmtp", "submissions"):
            answered(send(office, letter(2).replace(b"pak@luar", b"ani@kantor"), BUDI, service=service), "250")
        assert len(office.fetch("budi")) == 3 and office.mails() == [] and not waiting.wire.received
        milter.stop()
        answered(waiting.read(), "451 4.3.0")
        waiting.leave()
        assert office.mails() == []


@pytest.mark.parametrize("count", [1, 2])
def test_100_MB_pass_in_flat_memory(office, count):
    office.set("smtpd", "max_message", 0)
    milters = [Milter(keeps=False, E=said.adds(f"X-{n}", "a") + said.CONTINUE) for n in range(count)]
    with filtered(office, *milters):
        answered(send(office, letter(1)), "250")
        before = office.high_water()
        session = Smtp(office)
        session.begin(ANI.encode())
        answered(session.ask(b"DATA"), "354")
        piece, sent = b"0123456789" * 7 + b"\r\n", hashlib.sha256(letter(2))
        session.send(letter(2))
        for _ in range(100 * MB // (len(piece) * 1024) + 1):
            session.send(piece * 1024)
            sent.update(piece * 1024)
        session.send(b".\r\n")
        while_sending = office.high_water()
        answered(session.read(), "250")
        most = max(while_sending, office.high_water())
        session.leave()
        assert most - before < max(12 * MB, memory_allowance(office)), f"{most / MB:.1f} MB, {before / MB:.1f} MB before"
        octets = office.command("mail", "show", ANI, "2").stdout
        header, body = without_trace(octets).split(b"\r\n\r\n", 1)
        assert header.endswith(b"".join(b"\r\nX-%d: a" % n for n in range(count)))
        for n in range(count):
            header = header.replace(b"\r\nX-%d: a" % n, b"")
        assert hashlib.sha256(header + b"\r\n\r\n" + body).digest() == sent.digest()
