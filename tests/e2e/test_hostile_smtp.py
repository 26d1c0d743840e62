"""SMTP and LMTP under hostile input: false ends, NULs and CRs, sizes, headers,
harvesting, other protocols, impatient clients, and what reaches the log."""

import re

import pytest

from hostile import (ANI, OUTSIDE, Smtp, answered, deliver, open_house, take, taken, undotted)
from letters import stored_form
from office import HOSTNAME


@pytest.fixture(scope="module")
def office(workshop):
    yield from open_house(workshop, [("smtpd", "max_message", "24M")])


SERVICES = ["smtp", "lmtp"]

# ---- the end of DATA: only CRLF.CRLF, as octets on the wire

FALSE_ENDS = [
    b"x\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n",
    b"\n.\r", b"\r.\n", b"\n\n.\n\n", b"\r\n\n.\n", b"\r\n.\n\r\n", b"\r\n..\r\n", b"\r\n .\r\n",
    b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n.\x0b\r\n", b"\r\n.\x0c\r\n", b"\r\n.\x85\r\n", b"\r\n.\xe2\x80\xa8",
    b"\r\n\xef\xbb\xbf.\r\n", b"\n\r.\r\n", b"\n\r.\n\r", b"\r\r.\r\r", b"\r\n.\r.\r\n", b"=0D=0A.=0D=0A",
    b"\\r\\n.\\r\\n", b"%0d%0a.%0d%0a", b"\x1a", b"\x04",
]
BEHIND = (b"MAIL FROM:<jahat@luar.example>\r\nRCPT TO:<budi@kantor.example>\r\nDATA\r\n"
          b"Subject: smuggled\r\n\r\nevil")


# What makes a header ani's and whole, so that submission adds nothing.
WHOLE = {"submissions": b"From: %s\r\nDate: d\r\nMessage-ID: <m>\r\n" % ANI}


@pytest.mark.parametrize("pace", ["in one piece", "an octet at a time"])
@pytest.mark.parametrize("service", [*SERVICES, "submissions"])
@pytest.mark.parametrize("false_end", FALSE_ENDS, ids=repr)
def test_what_follows_a_false_end_is_body(office, service, false_end, pace):
    wire = WHOLE.get(service, b"") + b"Subject: mine\r\n\r\nfirst" + false_end + BEHIND + b"\r\n"
    session = Smtp(office, service)
    session.begin()
    assert session.ask(b"DATA").code == 354
    if pace == "in one piece":
        session.send(wire + b".\r\n")
    else:
        cut = wire.index(false_end) + len(false_end) + 8
        for octet in wire[:cut]:
            session.send(bytes([octet]))
        session.send(wire[cut:] + b".\r\n")
    assert session.read().code == 250
    session.leave()
    assert taken(office) == [stored_form(undotted(wire))]
    assert taken(office, "budi") == []


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("octets", [
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\0", b"a\0b", b"\r\n\0\r\n", b"\r\0\n.\r\0\n", b"\0" * 5000, b"\n\0.\n"
], ids=lambda octets: repr(octets[:12]))
def test_a_nul_in_a_message_refuses_it_at_its_real_end(office, service, octets):
    session = Smtp(office, service)
    session.begin()
    answered(session.data(b"Subject: nul\r\n\r\n" + octets + BEHIND + b"\r\n.\r\n"), "550 5.6.0")
    session.leave()
    assert taken(office) == [] and taken(office, "budi") == []


def test_a_nul_in_the_header_refuses_the_message_too(office):
    session = Smtp(office)
    session.begin()
    answered(session.data(b"Subject: a\0b\r\n\r\n\r\n.\r\n"), "550 5.6.0")
    session.leave()
    assert taken(office) == []


def test_a_body_that_is_only_the_dot_is_an_empty_message(office):
    session = Smtp(office)
    session.begin()
    assert session.data(b".\r\n").code == 250
    session.leave()
    assert taken(office) == [b"\r\n"]


@pytest.mark.parametrize("cut", [
    b"", b"Subject: half\r\n", b"Subject: half\r\n\r\nbody", b"Subject: half\r\n\r\n\r\n.",
    b"Subject: half\r\n\r\n\r\n.\r"
], ids=repr)
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_connection_lost_before_the_end_stores_nothing(office, cut, how):
    session = Smtp(office)
    session.begin()
    assert session.ask(b"DATA").code == 354
    session.send(cut)
    if how == "fin":
        session.wire.finish_sending()
        while not session.wire.at_end():
            assert session.read().code >= 400
        session.wire.close()
    else:
        session.wire.reset()
    assert taken(office) == []


@pytest.mark.parametrize("separator", [b"\r\n", b"\n", b"\r\n\r\n"], ids=repr)
def test_a_thousand_stuffed_dots_come_back_as_sent(office, separator):
    body = b"Subject: dots\r\n\r\n" + separator.join([b".." * n for n in range(1000)]) + b"\r\n"
    session = Smtp(office)
    session.begin()
    assert session.data(body + b".\r\n").code == 250
    session.leave()
    assert taken(office) == [stored_form(undotted(body))]


# ---- NULs, CRs and other controls in commands

COMMANDS = [
    b"NOOP%s", b"NOOP a%sb", b"EHLO a%sb", b"HELO a%sb", b"MAIL FROM:<a%sb@luar.example>", b"RSET%s",
    b"VRFY a%sb", b"QUIT%s", b"%sNOOP", b"DATA%s", b"MAIL FROM:<a@luar.example> SIZE=1%s", b"STARTTLS%s",
    b"BDAT 5%s LAST"
]


@pytest.mark.parametrize("octet", [b"\0", b"\r", b"\rX: 1", b"\0\0\0"], ids=repr)
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_nul_or_a_bare_cr_in_a_command_refuses_it_whole(office, command, octet):
    session = Smtp(office)
    answered(session.ask(command % octet), "500", "501")
    session.leave()


@pytest.mark.parametrize("recipient", [
    b"ani\0@kantor.example", b"ani@kantor.example\0", b"ani@kantor.example\0@luar.example",
    b"\0ani@kantor.example", b"ani\r@kantor.example", b"ani@kantor.example\r",
    b"ani@kantor.example>\rX-Injected: <1", b"a\x01b@kantor.example", b"ani\t@kantor.example",
    b"ani @kantor.example", b"ani@kantor.example\x7f", b"ani@kantor.example\x1b[2J"
], ids=repr)
def test_a_recipient_with_controls_is_no_recipient(office, recipient):
    session = Smtp(office)
    assert session.ask(b"MAIL FROM:<pak@luar.example>").code == 250
    answered(session.ask(b"RCPT TO:<%s>" % recipient), "500", "501", "550", "553", "555")
    assert session.ask(b"DATA").code >= 500
    session.leave()
    assert taken(office) == []


@pytest.mark.parametrize("sender", [
    b"a\rX-Injected: 1@luar.example", b"a@luar.example>\rX-Injected: <1", b"a\0@luar.example",
    b"a\x01@luar.example", b"a@luar.example\x7f"
], ids=repr)
def test_a_sender_with_controls_reaches_no_header(office, sender):
    session = Smtp(office)
    answered(session.ask(b"MAIL FROM:<%s>" % sender), "500", "501", "553", "555")
    session.leave()


@pytest.mark.parametrize("name", [
    b"x y", b"\xff\xfe", b"<x>", b"x;rm -rf", b"(((((", b"x\x01\x02", b"a" * 400, b"[127.0.0.1]",
    b"x\tby mail.kantor.example", b"x) by mail.kantor.example (", b"\"", b"\\", b"%s%s%n"
], ids=lambda name: repr(name[:20]))
def test_any_ehlo_is_safe_in_received(office, name):
    wire = office.connect("smtp")
    assert wire.reply()[0] == 220
    wire.send(b"EHLO " + name + b"\r\n")
    code, _ = wire.reply()
    if code != 250:
        assert code in (500, 501)
        wire.send(b"QUIT\r\n")
        assert wire.reply()[0] == 221
        return
    for line, answer in ((b"MAIL FROM:<>", 250), (b"RCPT TO:<ani@kantor.example>", 250), (b"DATA", 354),
                         (b"Subject: ehlo\r\n\r\n.", 250), (b"QUIT", 221)):
        wire.send(line + b"\r\n")
        assert wire.reply()[0] == answer
    [(trace, message)] = take(office)
    assert message == b"Subject: ehlo\r\n\r\n"
    assert re.fullmatch(rb"[ -~\t\r\n]*", trace.received), trace.received
    # Its own words stay within one field: what is folded begins with a blank.
    assert all(line[:1] in (b" ", b"\t") for line in trace.received.split(b"\r\n")[1:-1])
    assert len(re.findall(rb"\bby mail\.kantor\.example\b", trace.received)) >= 1


# ---- sizes and numbers

LONG_COMMANDS = {
    "65536 octets of NOOP": b"NOOP " + b"x" * 65531,
    "an EHLO of 3,000": b"EHLO " + b"x" * 3000,
    "2,100 octets of one address": b"MAIL FROM:<" + b"a" * 2100 + b"@luar.example>",
    "5,000 source routes":
    b"RCPT TO:<" + b",".join(b"@r%d.example" % n for n in range(5000)) + b":ani@kantor.example>",
    "10,001 backslashes": b'MAIL FROM:<"' + b"\\" * 10001 + b'"@luar.example>',
    "12,289 octets of AUTH": b"AUTH PLAIN " + b"A" * 12278,
    "a verb of 5,000": b"X" * 5000,
    "5,000 blanks": b"NOOP" + b" " * 5000,
    "a thousand parameters": b"MAIL FROM:<a@luar.example>" + b" SIZE=1" * 1000,
}


@pytest.mark.parametrize("command", LONG_COMMANDS.values(), ids=LONG_COMMANDS)
def test_a_line_past_the_limit_is_500_and_the_session_goes_on(office, command):
    session = Smtp(office)
    answered(session.ask(command), "500")
    session.in_step()
    session.begin()
    session.leave()


def memory_allowance(office):
    """Octets by which a hostile session may exceed another; sanitizers keep what is freed."""
    return 300_000_000 if office.sanitized else 6_000_000


def test_ten_megabytes_without_a_line_end_are_refused_in_flat_memory(office):
    session = Smtp(office)
    before = office.high_water()
    session.send(b"x" * 10_000_000)
    answered(session.read(), "500")
    session.send(b"\r\n")
    session.in_step()
    assert office.high_water() - before < memory_allowance(office)
    session.leave()


@pytest.mark.parametrize("body", [
    b"y" * 10_000_000, b"a: b\r\n" * 300_000, b"\r\n" * 3_000_000, b"\r" * 3_000_000, b"\n" * 3_000_000,
    b"Subject: x\r\n " + b" \r\n " * 300_000, b"..\r\n" * 300_000
], ids=lambda body: f"{len(body)} octets like {body[:8]!r}")
def test_a_message_of_any_shape_is_stored_in_flat_memory(office, body):
    before = office.high_water()
    session = Smtp(office)
    session.begin()
    assert session.data(b"Subject: big\r\n" + body + b"\r\n.\r\n").code == 250
    # Pieces of 256 kB are what may lie about, a few of them in each process.
    assert office.high_water() - before < memory_allowance(office)
    session.leave()
    assert taken(office) == [stored_form(undotted(b"Subject: big\r\n" + body + b"\r\n"))]


def test_recipients_past_the_limit_get_452_and_the_others_their_mail(office):
    session = Smtp(office)
    assert session.ask(b"MAIL FROM:<pak@luar.example>").code == 250
    codes = [session.ask(b"RCPT TO:<ani+%d@kantor.example>" % n) for n in range(1100)]
    assert all(reply.code == 250 for reply in codes[:100])
    for reply in codes[100:]:
        answered(reply, "452 4.5.3")
    assert session.data(b"Subject: many\r\n\r\n.\r\n").code == 250
    session.leave()
    assert taken(office) == [b"Subject: many\r\n\r\n"]


@pytest.mark.parametrize("size", [
    b"18446744073709551616", b"18446744073709551615", b"99999999999999999999999", b"9" * 300, b"25165825",
    b"1099511627776"
], ids=lambda size: size[:24].decode())
def test_a_declared_size_that_cannot_be_is_refused_at_mail(office, size):
    session = Smtp(office)
    answered(session.ask(b"MAIL FROM:<a@luar.example> SIZE=%s" % size), "552", "501", "500")
    session.leave()


@pytest.mark.parametrize("parameter", [
    b"SIZE=-1", b"SIZE=+1", b"SIZE=0x10", b"SIZE=1a", b"SIZE=", b"SIZE", b"SIZE=1,000", b"SIZE= 1",
    b"SIZE=1 SIZE=2", b"BODY=", b"BODY=16BIT", b"BODY", b"BODY=BINARYMIME", b"=", b"=1", b"SIZE=1=1", b"FOO",
    b"FOO=bar", b"SMTPUTF8", b"AUTH=<>", b"RET=FULL", b"ENVID=1", b"<b@luar.example>", b"%n%n",
    b"SI\xc5\xbdE=1"
], ids=repr)
def test_a_parameter_that_is_wrong_or_was_not_offered_is_answered(office, parameter):
    session = Smtp(office)
    answered(session.ask(b"MAIL FROM:<a@luar.example> " + parameter), "501", "504", "555", "500", "553")
    session.leave()


@pytest.mark.parametrize(
    "parameter",
    [b"NOTIFY=NEVER", b"ORCPT=rfc822;ani@kantor.example", b"FOO", b"SIZE=1", b"<budi@kantor.example>"],
    ids=repr)
def test_a_parameter_of_rcpt_is_answered(office, parameter):
    session = Smtp(office)
    assert session.ask(b"MAIL FROM:<a@luar.example>").code == 250
    answered(session.ask(b"RCPT TO:<ani@kantor.example> " + parameter), "501", "555")
    assert session.ask(b"DATA").code >= 500
    session.leave()


def test_a_body_over_the_limit_is_read_to_its_end_and_answered(office):
    session = Smtp(office)
    session.begin()
    answered(
        session.data(b"Subject: fat\r\n\r\n" + b"z" * 78 * (24 << 20 // 78) +
                     (b"z" * 78 + b"\r\n") * 330_000 + b".\r\n"), "552 5.3.4")
    session.begin()
    assert session.data(b"Subject: thin\r\n\r\n.\r\n").code == 250
    session.leave()
    assert taken(office) == [b"Subject: thin\r\n\r\n"]


# ---- headers


@pytest.mark.parametrize("message", [
    b"no colon\r\n\r\nbody\r\n", b" folded first\r\nSubject: x\r\n\r\n", b"\tfolded first\r\n\r\n",
    b": no name\r\n\r\n", b"Subject : blank\r\n\r\n", b"\r\nno header\r\n", b"From nobody Mon Jan 1\r\n\r\n",
    b">From x\r\n\r\n", b"Subject: \xff\xfe\x80\r\n\r\n\xc3\x28\r\n", b"A:\r\nA:\r\nA:\r\n\r\n",
    b"\r\n\r\n\r\n", b"Return-Path: <fake@luar.example>\r\nDelivered-To: budi@kantor.example\r\n\r\n",
    b"X-UIDL: 1\r\nStatus: RO\r\n\r\n", b"Subject: =?utf-8?B?////?=\r\n\r\n",
    b"Content-Length: 3\r\n\r\nabcdef\r\n",
    b"Content-Type: multipart/mixed; boundary=\"" + b"b" * 70000 + b"\"\r\n\r\n"
], ids=lambda message: repr(message[:30]))
def test_a_strange_header_is_stored_as_it_is(office, message):
    deliver(office, message)
    assert taken(office) == [message]


def received(count, by=b"relay%d.luar.example", name=b"Received", fold=b" "):
    return b"".join(name + b": from a.example" + fold + b"by " + (by % n if b"%d" in by else by) + b";" +
                    fold + b"Mon, 23 Nov 2026 07:00:00 +0000\r\n" for n in range(count))


OURS = HOSTNAME.encode()


@pytest.mark.parametrize("header", [
    received(100),
    received(99),
    received(10, OURS), b"Delivered-To: ani@kantor.example\r\n" * 50,
    received(30, b"mail.kantor.example.luar.example"),
    received(30, b"xmail.kantor.example"), b"X-Received: by mail.kantor.example\r\n" * 200,
    b"\r\n" + received(200, OURS)
],
                         ids=[
                             "100 hops", "99 hops", "10 times us", "50 Delivered-To",
                             "a host that begins like us", "a host that ends like us", "X-Received",
                             "Received in the body"
                         ])
def test_a_message_that_has_come_far_is_no_loop(office, header):
    deliver(office, header + b"Subject: far\r\n\r\n")
    assert taken(office) == [header + b"Subject: far\r\n\r\n"]


@pytest.mark.parametrize("header", [
    received(101),
    received(120),
    received(5000),
    received(101, name=b"RECEIVED"),
    received(101, name=b"received"),
    received(11, OURS),
    received(11, OURS.upper()),
    received(11, OURS, fold=b"\r\n\t"),
    received(40, OURS, name=b"rEceived"),
    received(11, OURS, fold=b"\t")
],
                         ids=[
                             "101 hops", "120 hops", "5000 hops", "RECEIVED", "received", "11 times us",
                             "us in capitals", "us in a folded line", "40 times us", "us behind a tab"
                         ])
def test_a_message_that_goes_in_circles_is_answered(office, header):
    session = Smtp(office)
    session.begin()
    answered(session.data(header + b"Subject: loop\r\n\r\n.\r\n"), "554 5.4.6")
    session.leave()
    assert taken(office) == []


# ---- harvesting


@pytest.mark.parametrize("who", [
    b"ani", b"nobody", b"ani@kantor.example", b"<ani@kantor.example>", b"postmaster", b"%", b"root", b"\xff",
    b"semua@kantor.example", b"x" * 400
], ids=lambda who: repr(who[:24]))
def test_vrfy_tells_nothing(office, who):
    session = Smtp(office)
    reply, other = session.ask(b"VRFY " + who), session.ask(b"VRFY someone.else@kantor.example")
    assert reply == other and reply.code == 252
    session.leave()


@pytest.mark.parametrize("command", [
    b"EXPN semua", b"EXPN semua@kantor.example", b"TURN", b"ETRN kantor.example", b"SEND FROM:<a@b>",
    b"SOML FROM:<a@b>", b"XCLIENT ADDR=10.0.0.1", b"XFORWARD NAME=x", b"DEBUG", b"WIZ", b"ONEX", b"ATRN",
    b"SITE EXEC", b"\xff\xff", b"", b" ", b" NOOP", b"MAILFROM:<a@b>", b"NOOPX", b"\tNOOP"
], ids=repr)
def test_a_command_that_is_not_ours_is_500_or_502(office, command):
    session = Smtp(office)
    answered(session.ask(command), "500", "502")
    session.leave()


def test_the_twentieth_wrong_recipient_is_the_last(office):
    session = Smtp(office)
    assert session.ask(b"MAIL FROM:<pak@luar.example>").code == 250
    for n in range(300):
        reply = session.ask(b"RCPT TO:<tebakan%d@kantor.example>" % n)
        if reply.code == 421:
            break
        answered(reply, "550 5.1.1")
    assert reply.code == 421 and 19 <= n <= 21
    session.closed()


def test_wrong_recipients_are_counted_over_the_whole_session(office):
    session = Smtp(office)
    told = []
    for n in range(30):
        session.send(b"MAIL FROM:<>\r\nRCPT TO:<tebakan%d@kantor.example>\r\nRSET\r\n" % n)
        told.append(session.read().code)
        if told[-1] == 421:
            break
        told.append(session.read().code)
        if told[-1] == 421:
            break
        assert session.read().code == 250
    assert told[-1] == 421
    session.closed()


# ---- other protocols, impatient clients

OTHER = [
    b"POST / HTTP/1.1\r\nHost: mail.kantor.example\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"Host: mail.kantor.example\r\n", b"get / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 200 + b"\r\n", b"\x16\x03\x03\x00\x50\x01\n"
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("hello", OTHER, ids=lambda hello: repr(hello[:16]))
def test_another_protocol_is_told_off_once_and_closed(office, service, hello):
    wire = office.connect(service)
    assert wire.reply()[0] == 220
    greeting = b"LHLO x\r\n" if service == "lmtp" else b"EHLO x\r\n"
    wire.send(
        hello + greeting +
        b"MAIL FROM:<a@luar.example>\r\nRCPT TO:<ani@kantor.example>\r\nDATA\r\nSubject: cross\r\n\r\n.\r\n")
    code, _ = wire.reply()
    assert 400 <= code < 600
    assert wire.at_end(), wire.pending()
    assert taken(office) == []


def test_another_protocol_in_the_middle_of_a_session_is_closed_too(office):
    session = Smtp(office)
    session.begin()
    assert session.ask(b"GET / HTTP/1.1").code >= 400
    session.closed()


def test_a_client_that_talks_first_is_greeted_first(office):
    wire = office.connect("smtp")
    wire.send(b"EHLO early.example\r\nNOOP\r\nQUIT\r\n")
    assert [wire.reply()[0] for _ in range(4)] == [220, 250, 250, 221]
    assert wire.at_end()


def test_a_whole_session_in_one_write_runs_in_order(office):
    session = Smtp(office)
    session.send(
        b"MAIL FROM:<pak@luar.example>\r\nRCPT TO:<ani@kantor.example>\r\nRCPT TO:<tiada@kantor.example>\r\nDATA\r\n"
        b"Subject: piped\r\n\r\n..\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\nNOOP\r\n")
    assert [session.read().code for _ in range(8)] == [250, 250, 550, 354, 250, 250, 250, 221]
    assert session.wire.at_end(), session.wire.pending()
    assert taken(office) == [b"Subject: piped\r\n\r\n.\r\n"]


def test_a_body_pipelined_behind_a_refused_data_is_never_stored(office):
    session = Smtp(office)
    session.send(
        b"MAIL FROM:<pak@luar.example>\r\nRCPT TO:<tiada@kantor.example>\r\nDATA\r\nSubject: lost\r\n.\r\nVRFY x\r\n"
    )
    codes = [session.read().code for _ in range(6)]
    assert codes[:2] == [250, 550] and codes[-1] == 252
    assert all(code >= 500 for code in codes[2:5])
    session.leave()
    assert taken(office) == []


@pytest.mark.parametrize("commands",
                         [(b"DATA", ), (b"RCPT TO:<ani@kantor.example>", ), (b"BDAT 0 LAST", ),
                          (b"MAIL FROM:<>", b"DATA"), (b"MAIL FROM:<>", b"MAIL FROM:<>"),
                          (b"MAIL FROM:<>", b"RCPT TO:<ani@kantor.example>", b"MAIL FROM:<>"),
                          (b"MAIL FROM:<>", b"RCPT TO:<ani@kantor.example>", b"RSET", b"DATA"),
                          (b"MAIL FROM:<>", b"RCPT TO:<ani@kantor.example>", b"EHLO again", b"DATA")],
                         ids=repr)
def test_a_command_out_of_its_order_is_503(office, commands):
    session = Smtp(office)
    for command in commands[:-1]:
        assert session.ask(command).code == 250
    answered(session.ask(commands[-1]), "503", "554")
    session.leave()
    assert taken(office) == []


@pytest.mark.parametrize("command", [b"MAIL FROM:<a@luar.example>", b"RCPT TO:<ani@kantor.example>", b"DATA"],
                         ids=repr)
def test_before_ehlo_no_mail(office, command):
    wire = office.connect("smtp")
    assert wire.reply()[0] == 220
    wire.send(command + b"\r\nQUIT\r\n")
    assert [wire.reply()[0], wire.reply()[0]] == [503, 221]
    assert wire.at_end()


def test_a_session_of_mistakes_ends(office):
    session = Smtp(office)
    session.send(b"FOO\r\n" * 1000)
    codes = [session.read().code]
    while codes[-1] != 421:
        assert codes[-1] in (500, 502)
        codes.append(session.read().code)
    session.closed()


# ---- the log

FORGED = [
    b"x\x1b[2J%n", b"%s%s%s%n", b"x\xc2\x9b31m", b"a=b c=d", b"x from=6.6.6.6", b"\"quoted\"", b"back\\slash",
    b"\x7f\x08\x08", b"\xff\xfe", b"auth-failed service=pop3 user=root from=6.6.6.6", b"x" * 480
]


@pytest.mark.parametrize("text", FORGED, ids=lambda text: repr(text[:24]))
@pytest.mark.parametrize(
    "command",
    [b"EHLO %s", b"MAIL FROM:<%s@luar.example>", b"RCPT TO:<%s@kantor.example>", b"VRFY %s", b"%s"],
    ids=repr)
def test_strangers_words_forge_no_log_line(office, command, text):
    seen = len(office.lines)
    session = Smtp(office)
    if command.startswith(b"RCPT"):
        session.ask(b"MAIL FROM:<pak@luar.example>")
    session.ask(command.replace(b"%s", text))
    session.ask(b"RSET")
    session.leave()
    deliver(office, b"Subject: marker\r\n\r\n")
    assert taken(office) == [b"Subject: marker\r\n\r\n"]
    for line in office.lines[seen:]:
        event = re.sub(r"^<\d>|(?<= from=)(\S+) reason=\"[^\"]*\"$", r"\1", line)
        assert not event.startswith(("auth-failed", "x", "a=b", "%s")), line
        assert "from=6.6.6.6" not in line.split(), line
        for field in event.split(" ")[1:]:
            assert re.fullmatch(r"[a-z_-]+=[!-~]*", field) and '"' not in field, line
        assert len(line) <= 4096


@pytest.mark.parametrize("sender", [
    b"", OUTSIDE, ANI, b"MAILER-DAEMON@kantor.example", b"postmaster", b"a@[127.0.0.1]",
    b"tiada@kantor.example"
], ids=repr)
def test_an_unknown_recipient_is_refused_at_once_and_nobody_gets_a_bounce(office, sender):
    session = Smtp(office)
    reply = session.ask(b"MAIL FROM:<%s>" % sender)
    if reply.code == 250:
        answered(session.ask(b"RCPT TO:<tiada@kantor.example>"), "550 5.1.1")
    else:
        answered(reply, "501", "550", "553")
    session.leave()
    for name in ("ani", "budi", "citra"):
        assert taken(office, name) == []
