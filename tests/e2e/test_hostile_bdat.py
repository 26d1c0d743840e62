"""BDAT (RFC 3030) under hostile input: a refused chunk is swallowed to the
octet, a length that is none ends the session, and nothing is stored unless
LAST arrived whole."""

import pytest

from hostile import Smtp, answered, open_house, taken
from letters import stored_form

LIMIT = 1 << 20


@pytest.fixture(scope="module")
def office(workshop):
    yield from open_house(workshop, [("smtpd", "max_message", LIMIT)])


SERVICES = ["smtp", "lmtp"]
COMMANDS = b"MAIL FROM:<jahat@luar.example>\r\nRCPT TO:<budi@kantor.example>\r\nQUIT\r\n"


def chunk(octets, last=False):
    return b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets


def test_chunking_is_announced(office):
    session = Smtp(office)
    assert "CHUNKING" in session.ask(b"EHLO again").text
    session.leave()


MESSAGES = {
    "lines": [b"Subject: a\r\n\r\nbody\r\n"],
    "a bare LF": [b"Subject: a\n\nbody\nmore\n"],
    "a bare CR": [b"Subject: a\r\n\r\nbo\rdy\r\r\n"],
    "a lone dot": [b"Subject: a\r\n\r\n.\r\nMAIL FROM:<>\r\n.\r\n"],
    "dots are not unstuffed": [b"Subject: a\r\n\r\n..\r\n...x\r\n"],
    "a CRLF split between chunks": [b"Subject: a\r", b"\n\r\nbody\r", b"\n"],
    "CRLF . CRLF split between chunks": [b"Subject: a\r\n\r\n\r\n", b".", b"\r", b"\n", b"QUIT\r\n"],
    "CR at the end of a chunk, text behind": [b"Subject: a\r\n\r\nx\r", b"y\r\n"],
    "CR at the very end": [b"Subject: a\r\n\r\nx\r"],
    "no line end at the end": [b"Subject: a\r\n\r\nx"],
    "no body": [b"Subject: a\r\n"],
    "an empty chunk in the middle": [b"Subject: a\r\n\r\n", b"", b"x\r\n"],
    "an empty first chunk": [b"", b"Subject: a\r\n\r\n"],
    "commands in the chunk": [COMMANDS],
    "an octet a chunk": [bytes([octet]) for octet in b"Subject: a\r\n\r\n.\r\nb\n\r\n"],
    "nothing at all": [b""],
}


@pytest.mark.parametrize("final", ["LAST with the rest", "BDAT 0 LAST"])
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("chunks", MESSAGES.values(), ids=MESSAGES)
def test_the_octets_of_the_chunks_are_the_message(office, service, chunks, final):
    session = Smtp(office, service)
    session.begin()
    if final == "BDAT 0 LAST":
        chunks = [*chunks, b""]
    for octets in chunks[:-1]:
        session.send(chunk(octets))
        assert session.read().code == 250
    session.send(chunk(chunks[-1], last=True))
    assert session.read().code == 250
    session.leave()
    assert taken(office) == [stored_form(b"".join(chunks))]
    assert taken(office, "budi") == []


def test_chunks_may_all_be_pipelined_in_one_write(office):
    session = Smtp(office)
    session.send(b"MAIL FROM:<a@luar.example>\r\nRCPT TO:<ani@kantor.example>\r\n" +
                 chunk(b"Subject: p\r\n") + chunk(b"\r\nQUIT\r\n") + chunk(b".\r\n", last=True) +
                 b"VRFY x\r\n")
    assert [session.read().code for _ in range(6)] == [250, 250, 250, 250, 250, 252]
    session.leave()
    assert taken(office) == [b"Subject: p\r\n\r\nQUIT\r\n.\r\n"]


NO_LENGTHS = [
    b"", b" ", b"-1", b"+5", b"0x10", b"1a", b"a", b"18446744073709551617 LAST", b"18446744073709551616",
    b"99999999999999999999999 LAST", b"9" * 400, b"1e3", b"1.5", b"1,000", b"LAST", b"-1 LAST", b"\xd9\xa3",
    b"0b1", b"' OR 1=1", b"5LAST"
]


@pytest.mark.parametrize("in_transaction", [True, False], ids=["in a transaction", "without MAIL"])
@pytest.mark.parametrize("length", NO_LENGTHS, ids=lambda length: repr(length[:30]))
def test_a_length_that_is_none_is_501_and_the_end(office, length, in_transaction):
    session = Smtp(office)
    if in_transaction:
        session.begin()
    session.send(b"BDAT " + length + b"\r\n" + COMMANDS)
    answered(session.read(), "501", "421")
    session.closed()
    assert taken(office) == [] and taken(office, "budi") == []


@pytest.mark.parametrize("rest", [b" FIRST", b" LAST LAST", b" LASTX", b" 5", b" LAST=1"], ids=repr)
def test_a_word_that_is_not_last_is_501_and_never_stores(office, rest):
    session = Smtp(office)
    session.begin()
    session.send(b"BDAT 6%s\r\nA: b\r\n" % rest)
    answered(session.read(), "501")
    session.send(b"VRFY x\r\n")  # the length was clear: it may go on, in step, or end
    assert session.wire.at_end() or session.read().code == 252
    assert taken(office) == []


def test_last_in_small_letters_is_last(office):
    session = Smtp(office)
    session.begin()
    session.send(b"bdat 6 last\r\nA: b\r\n")
    assert session.read().code == 250
    session.leave()
    assert taken(office) == [b"A: b\r\n\r\n"]


@pytest.mark.parametrize(
    "prelude",
    [[], [b"MAIL FROM:<a@luar.example>"], [b"MAIL FROM:<a@luar.example>", b"RCPT TO:<tiada@kantor.example>"],
     [b"MAIL FROM:<a@luar.example>", b"RCPT TO:<ani@kantor.example>", b"RSET"]],
    ids=repr)
@pytest.mark.parametrize("last", [True, False], ids=["LAST", "not LAST"])
@pytest.mark.parametrize("octets", [COMMANDS, b"\0" * 500, b"x" * 300_000, b".\r\n", b"", b"\r\n" * 40],
                         ids=lambda octets: repr(octets[:10]))
def test_a_chunk_without_a_transaction_is_swallowed_and_503(office, prelude, last, octets):
    session = Smtp(office)
    for command in prelude:
        session.ask(command)
    session.send(chunk(octets, last))
    answered(session.read(), "503", "554")
    session.leave()
    assert taken(office) == [] and taken(office, "budi") == []


@pytest.mark.parametrize("count", [1, 2, 20])
def test_a_message_over_the_limit_is_552_and_in_step(office, count):
    session = Smtp(office)
    session.begin()
    size = 2 * LIMIT // count
    replies = []
    for n in range(count):
        session.send(chunk(b"z" * size, last=n == count - 1))
        replies.append(session.read())
        if replies[-1].code == 421:
            session.closed()
            break
    else:
        answered(replies[-1], "552", "503", "554")
        assert any(reply.code == 552 for reply in replies)
        session.begin()
        session.leave()
    assert taken(office) == []


@pytest.mark.parametrize("length", [1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_an_announced_terabyte_is_refused_and_stores_nothing(office, length):
    session = Smtp(office)
    session.begin()
    session.send(b"BDAT %d LAST\r\n" % length + b"x" * 100_000)
    session.wire.finish_sending()
    while not session.wire.at_end():
        assert session.read().code >= 400
    assert taken(office) == []


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("sent", [
    b"BDAT 10 LAST\r\n", b"BDAT 10 LAST\r\nA: b\r\n\r\nx", b"BDAT 5\r\nA: b\r", b"BDAT 6\r\nA: b\r\n",
    b"BDAT 6\r\nA: b\r\nBDAT 9 LAST\r\n\r\n", b"BDAT 600000\r\n" + b"x" * 600_000,
    b"BDAT 6\r\nA: b\r\nBDAT 0 LAS"
], ids=lambda sent: repr(sent[:32]))
def test_a_connection_lost_before_last_is_whole_stores_nothing(office, sent, how):
    session = Smtp(office)
    session.begin()
    session.send(sent)
    if how == "fin":
        session.wire.finish_sending()
        while not session.wire.at_end():
            session.read()
        session.wire.close()
    else:
        session.wire.reset()
    assert taken(office) == []


@pytest.mark.parametrize("command,codes", [(b"DATA", ("503", )), (b"MAIL FROM:<>", ("503", )),
                                           (b"RCPT TO:<budi@kantor.example>", ("503", )),
                                           (b"VRFY x", ("252", )), (b"NOOP", ("250", ))],
                         ids=repr)
def test_between_chunks_only_what_belongs_there(office, command, codes):
    session = Smtp(office)
    session.begin()
    session.send(chunk(b"Subject: a\r\n"))
    assert session.read().code == 250
    answered(session.ask(command), *codes)
    session.send(chunk(b"\r\nend\r\n", last=True))
    assert session.read().code == 250
    session.leave()
    assert taken(office) == [b"Subject: a\r\n\r\nend\r\n"]
    assert taken(office, "budi") == []


@pytest.mark.parametrize("command", [b"RSET", b"EHLO again", b"QUIT"], ids=repr)
def test_what_ends_a_transaction_forgets_its_chunks(office, command):
    session = Smtp(office)
    session.begin()
    session.send(chunk(b"Subject: forgotten\r\n\r\n" + b"x" * 400_000))
    assert session.read().code == 250
    assert session.ask(command).code in (250, 221)
    if command != b"QUIT":
        session.begin()
        session.send(chunk(b"Subject: kept\r\n\r\n", last=True))
        assert session.read().code == 250
        session.leave()
        assert taken(office) == [b"Subject: kept\r\n\r\n"]
    assert taken(office) == []


@pytest.mark.parametrize(
    "chunks", [[b"A: \0\r\n"], [b"A: b\r\n\r\n", b"\0", b"x\r\n"], [b"A: b\r\n", b"\r\n\0"], [b"\0" * 5000]],
    ids=lambda c: repr(c)[:30])
def test_a_nul_in_a_chunk_refuses_the_message(office, chunks):
    session = Smtp(office)
    session.begin()
    replies = []
    for n, octets in enumerate(chunks):
        session.send(chunk(octets, last=n == len(chunks) - 1))
        replies.append(session.read())
    answered(next(reply for reply in replies if reply.code != 250), "550 5.6.0")
    assert replies[-1].code >= 500
    session.in_step()
    session.leave()
    assert taken(office) == []


@pytest.mark.parametrize("octets", [b"", b"x", COMMANDS], ids=repr)
def test_a_chunk_behind_last_is_503(office, octets):
    session = Smtp(office)
    session.begin()
    session.send(chunk(b"A: b\r\n\r\n", last=True))
    assert session.read().code == 250
    session.send(chunk(octets, last=True))
    answered(session.read(), "503")
    session.leave()
    assert taken(office) == [b"A: b\r\n\r\n"]
    assert taken(office, "budi") == []


def test_a_chunk_behind_data_is_503(office):
    session = Smtp(office)
    session.begin()
    assert session.data(b"A: b\r\n\r\n.\r\n").code == 250
    session.send(chunk(COMMANDS, last=True))
    answered(session.read(), "503")
    session.leave()
    assert taken(office) == [b"A: b\r\n\r\n"]
