"""POP3 under hostile input: numbers, NULs and controls, sizes, SASL, names that
are SQL or paths, guessing, other protocols, and what reaches the log."""

import base64
import re

import pytest

from hostile import Pop3, deliver, open_house, take, taken
from office import PASSWORDS

MESSAGES = [
    b"Subject: one\r\n\r\n" + b"line\r\n" * 10, b"Subject: two\r\n\r\n.\r\n..\r\n", b"Subject: three\r\n"
]


@pytest.fixture(scope="module")
def office(workshop):
    yield from open_house(workshop)


@pytest.fixture(scope="module")
def full(office):
    """The office with three messages for citra, whom nobody lets delete them."""
    take(office, "citra")
    for message in MESSAGES:
        deliver(office, message, b"citra@kantor.example")
    return office


def status(session):
    return session.ok(b"STAT").split()[1:3]


# ---- numbers

NO_NUMBERS = [
    b"0", b"4", b"-1", b"+1", b"1a", b"a", b"1.0", b"0x1", b"1e0", b"4294967297", b"4294967296",
    b"18446744073709551617", b"18446744073709551616", b"2147483649", b"65537", b"257", b"9" * 11, b"9" * 200,
    b"00000000001", b"1,2", b"1-3", b"*", b"%d", b"%n", b"1;2", b"\xd9\xa1", b"\xef\xbc\x91",
    b"'1'", b"1 OR 1=1", b"1\x0b", b"1\xa0", b"(1)", b"NaN", b"0 1"
]


@pytest.mark.parametrize("verb", [b"LIST", b"UIDL", b"RETR", b"DELE", b"TOP"], ids=bytes.decode)
@pytest.mark.parametrize("number", NO_NUMBERS, ids=lambda number: repr(number[:24]))
def test_what_is_no_message_number_is_an_error(full, verb, number):
    session = Pop3(full, "citra")
    before = status(session)
    session.err(verb + b" " + number + (b" 0" if verb == b"TOP" else b""))
    session.in_step()
    assert status(session) == before
    session.ok(b"RSET")
    session.leave()


@pytest.mark.parametrize("verb", [b"LIST", b"UIDL", b"RETR", b"DELE", b"TOP"], ids=bytes.decode)
def test_a_number_of_400_nines_is_an_error(full, verb):
    session = Pop3(full, "citra")
    session.err(verb + b" " + b"9" * 400)
    session.leave()


@pytest.mark.parametrize("command", [
    b"RETR", b"DELE", b"TOP", b"TOP 1", b"RETR 1 1", b"DELE 1 2", b"LIST 1 2", b"UIDL 1 x", b"TOP 1 2 3",
    b"STAT 1", b"QUIT now", b"RSET 1", b"NOOP 1", b"TOP 1 -1", b"TOP 1 +1", b"TOP 1 x", b"TOP 1 1a",
    b"TOP 1 0x1", b"TOP -1 1", b"CAPA x", b"STLS x"
], ids=repr)
def test_a_wrong_number_of_arguments_or_lines_is_an_error(full, command):
    session = Pop3(full, "citra")
    session.err(command)
    assert status(session)[0] == b"3"
    session.leave()


@pytest.mark.parametrize(
    "count",
    [b"10", b"4294967295", b"4294967296", b"9999999999", b"99999999999", b"18446744073709551617", b"9" * 100],
    ids=lambda count: count[:24].decode())
def test_a_count_of_lines_beyond_all_is_the_whole_message(full, count):
    session = Pop3(full, "citra")
    assert session.block(b"TOP 1 " + count) == session.block(b"RETR 1")
    session.leave()


def test_a_deleted_message_is_no_message(full):
    session = Pop3(full, "citra")
    session.ok(b"DELE 2")
    for command in (b"DELE 2", b"RETR 2", b"LIST 2", b"UIDL 2", b"TOP 2 0"):
        session.err(command)
    assert len(session.block(b"LIST")) == len(session.block(b"UIDL")) == 2
    session.ok(b"RSET")
    session.leave()


# ---- NULs, controls, sizes


@pytest.mark.parametrize("octet", [b"\0", b"\r", b"\r1", b"\0\0"], ids=repr)
@pytest.mark.parametrize("command", [
    b"NOOP%s", b"DELE 1%s", b"DELE %s1", b"%sDELE 1", b"RETR 1%s", b"STAT%s", b"RSET%s", b"QUIT%s", b"LIST%s",
    b"TOP 1%s0"
], ids=repr)
def test_a_nul_or_bare_cr_in_a_command_does_nothing(full, command, octet):
    session = Pop3(full, "citra")
    session.err(command % octet)
    assert status(session)[0] == b"3"
    session.leave()


RIGHT = PASSWORDS["ani"].encode()


@pytest.mark.parametrize("lines", [(b"USER ani\0@kantor.example", ), (b"USER ani@kantor.example\0", ),
                                   (b"USER ani@kantor.example", b"PASS " + RIGHT + b"\0"),
                                   (b"USER ani@kantor.example", b"PASS " + RIGHT + b"\0x"),
                                   (b"USER ani@kantor.example", b"PASS \0" + RIGHT),
                                   (b"USER ani@kantor.example", b"PASS " + RIGHT + b"\r"),
                                   (b"USER ani@kantor.example", b"PASS " + RIGHT + b" "),
                                   (b"USER ani@kantor.example", b"PASS  " + RIGHT),
                                   (b"USER ani@kantor.example", b"PASS"),
                                   (b"USER ani@kantor.example", b"PASS "),
                                   (b"USER ani@kantor.example", b"PASS " + RIGHT.upper()),
                                   (b"USER ani@kantor.example", b"PASS " + RIGHT[:-1]),
                                   (b"USER ani@kantor.example", b"PASS " + b"x" * 240),
                                   (b"USER ani@kantor.example", b"PASS " + b"x" * 5000), (b"USER", ),
                                   (b"USER ", ), (b"USER " + b"a" * 300, ), (b"PASS " + RIGHT, ),
                                   (b"USER ani@kantor.example", b"QUIT\0"),
                                   (b"USER ani@kantor.example", b"NOOP"),
                                   (b"APOP ani@kantor.example c4c9334bac560ecc979e58001b3e22fb", ),
                                   (b"STAT", ), (b"LIST", ), (b"RETR 1", ), (b"DELE 1", ), (b"UIDL", ),
                                   (b"XTND XMIT", ), (b"LANG", ), (b"UTF8", )],
                         ids=lambda lines: repr(lines[-1][:32]))
def test_what_is_no_login_lets_nobody_in(office, lines):
    session = Pop3(office)
    for line in lines[:-1]:
        session.ok(line)
    session.err(lines[-1])
    session.err(b"STAT")
    session.leave()


@pytest.mark.parametrize(
    "line",
    [b"x" * 256, b"x" * 4000, b"NOOP" + b" " * 300, b"RETR " + b"1" * 65536, b"STAT " * 100, b"\xff" * 3000],
    ids=lambda line: f"{len(line)} octets like {line[:5]!r}")
def test_a_line_past_255_octets_is_an_error_and_the_session_goes_on(full, line):
    session = Pop3(full, "citra")
    session.err(line)
    assert status(session)[0] == b"3"
    session.leave()


def test_ten_megabytes_without_a_line_end_are_one_error_and_the_session_goes_on(office):
    session = Pop3(office)
    session.send(b"x" * 10_000_000)
    assert session.read().startswith(b"-ERR")
    session.send(b"\r\n")
    session.leave()


@pytest.mark.parametrize("line", [
    b"", b" ", b"\x01", b"\xff\xfe\xfd", b"%s%n", b"RETR1", b" NOOP", b"\tNOOP", b"STLS1", b"HELP", b"XYZZY"
], ids=repr)
def test_a_line_that_is_no_command_is_an_error(full, line):
    session = Pop3(full, "citra")
    session.err(line)
    assert status(session)[0] == b"3"
    session.leave()


def test_a_session_of_mistakes_ends(office):
    session = Pop3(office)
    session.send(b"FOO\r\n" * 1000)
    while not session.wire.at_end():
        assert session.read().startswith(b"-ERR")


# ---- SASL


def plain(user, password, authority=b""):
    return base64.b64encode(authority + b"\0" + user + b"\0" + password)


RESPONSES = {
    "no base64": b"!!!!",
    "base64 without its end": plain(b"ani@kantor.example", RIGHT)[:-1] + b"!",
    "nothing": b"",
    "no NUL": base64.b64encode(b"ani"),
    "one NUL": base64.b64encode(b"\0ani@kantor.example"),
    "three NULs": base64.b64encode(b"\0ani@kantor.example\0" + RIGHT + b"\0"),
    "NUL in the password": base64.b64encode(b"\0ani@kantor.example\0" + RIGHT + b"\0x"),
    "no user": plain(b"", RIGHT),
    "no password": plain(b"ani@kantor.example", b""),
    "another's authority": plain(b"ani@kantor.example", RIGHT, b"budi@kantor.example"),
    "only NULs": base64.b64encode(b"\0" * 300),
    "LF in the user": plain(b"ani@kantor.example\n", RIGHT),
    "wrong password": plain(b"ani@kantor.example", b"salah"),
    "a user of 9,000": plain(b"a" * 9000, b"x"),
    "past 12,288": b"A" * 12292,
    "64 kB": b"A" * 65536,
    "cancelled": b"*",
    "a lone =": b"=",
    "padding in the middle": b"AGFu=aQBy",
    "blanks": b"  ",
    "a NUL on the wire": b"AGF\0uaQ==",
}


@pytest.mark.parametrize("initial", [True, False], ids=["initial response", "asked for"])
@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
def test_a_sasl_response_that_is_wrong_lets_nobody_in(office, response, initial):
    session = Pop3(office)
    if initial:
        told = session.ask(b"AUTH PLAIN " + response)
        if told.startswith(b"+ "):  # "AUTH PLAIN " with nothing behind asks
            told = session.ask(b"*")
    else:
        assert session.ask(b"AUTH PLAIN").startswith(b"+ ")
        told = session.ask(response)
    assert told.startswith(b"-ERR"), told
    session.err(b"STAT")
    session.leave()


@pytest.mark.parametrize("answers",
                         [(b"*", ), (b"!!", ), (b"", ), (b"A" * 13000, ),
                          (base64.b64encode(b"ani@kantor.example"), b"*"),
                          (base64.b64encode(b"ani@kantor.example"), b""),
                          (base64.b64encode(b"ani@kantor.example"), b"A" * 13000),
                          (base64.b64encode(b"ani\0@kantor.example"), base64.b64encode(RIGHT)),
                          (base64.b64encode(b"ani@kantor.example"), base64.b64encode(RIGHT + b"\0"))],
                         ids=lambda answers: repr(answers[-1][:20]))
def test_a_login_exchange_that_goes_wrong_lets_nobody_in(office, answers):
    session = Pop3(office)
    told = session.ask(b"AUTH LOGIN")
    for answer in answers:
        assert told.startswith(b"+ "), told
        told = session.ask(answer)
        if told.startswith(b"-ERR"):
            break
    assert told.startswith(b"-ERR"), told
    session.err(b"STAT")
    session.leave()


@pytest.mark.parametrize("mechanism", [
    b"CRAM-MD5", b"NTLM", b"XOAUTH2", b"GSSAPI", b"ANONYMOUS", b"EXTERNAL", b"PLAINX", b"PLAI", b"-", b"\xff",
    b"%n", b"A" * 200
], ids=lambda mechanism: repr(mechanism[:12]))
def test_a_mechanism_we_do_not_have_is_an_error(office, mechanism):
    session = Pop3(office)
    session.err(b"AUTH " + mechanism)
    session.err(b"STAT")
    session.leave()


def test_the_limits_of_a_sasl_line_are_kept_from_both_sides(office):
    session = Pop3(office)
    filled = b"ani@kantor.example\0" + b"p" * (9216 - 20)
    response = base64.b64encode(b"\0" + filled)
    assert len(response) == 12288
    assert session.ask(b"AUTH PLAIN").startswith(b"+ ")
    assert b"[AUTH]" in session.ask(response)  # it was looked at
    session.leave()


# ---- names: SQL, patterns, paths

NO_USERS = [
    b"%", b"%@kantor.example", b"_ni@kantor.example", b"an_@kantor.example", b"a%@kantor.example",
    b"*@kantor.example", b"?ni@kantor.example", b"' OR 1=1 --", b"' OR '1'='1", b"ani@kantor.example' --",
    b"ani@kantor.example\"", b"ani@kantor.example;", b"x'--", b"\" OR \"\"=\"", b"1", b"0", b"NULL",
    b"ani@kantor.example'; DROP TABLE users; --", b"ani'||'@kantor.example", b"ani@kantor_example",
    b"ani@KANTOR%", b"[a]ni@kantor.example", b"ani@kantor.example\\", b"ani@", b"@kantor.example", b"@",
    b"ani@kantor.example@kantor.example", b"ani@luar.example", b"an", b"anii", b"info@kantor.example",
    b"semua@kantor.example", b"x@cabang.example", b"ani@cabang.example", b"root", b"/etc/passwd", b"../ani",
    b"|id", b"ani@kantor.example ", b"<ani@kantor.example>", b"\xef\xbd\x81ni@kantor.example",
    b"ani@kantor.e\xc5\xbfample", b"\xe2\x84\xaa@kantor.example"
]


@pytest.mark.parametrize("how", ["USER", "PLAIN"])
@pytest.mark.parametrize("name", NO_USERS, ids=repr)
def test_a_name_that_is_no_users_name_is_a_wrong_login(office, name, how):
    session = Pop3(office)
    if how == "USER":
        told = session.login(name, RIGHT)
    else:
        told = session.ask(b"AUTH PLAIN " + plain(name, RIGHT))
    assert told.startswith(b"-ERR"), told
    session.err(b"STAT")
    session.leave()


@pytest.mark.parametrize("name", [
    b"ani", b"ANI", b"Ani@Kantor.EXAMPLE", b"ani+", b"ani+@kantor.example", b"ani+Inbox@kantor.example",
    b"ani@kantor.example+Inbox"
], ids=repr)
def test_a_users_name_in_any_of_its_forms_is_a_login(office, name):
    session = Pop3(office)
    assert session.login(name, RIGHT).startswith(b"+OK")
    session.leave()


@pytest.mark.parametrize("folder", [
    b"../budi", b"../budi@kantor.example", b"/", b"..", b".", b"budi", b"%", b"_nbox", b"' OR 1=1 --", b"x" *
    200, b"Inbox/../Junk", b"+", b"++", b"+budi", b"Inbox\\", b"\xff", b"a/b", b"*", b"Inb*", b"1", b"-1"
], ids=lambda folder: repr(folder[:20]))
def test_a_folder_is_a_name_and_leads_to_nobody_else(office, folder):
    deliver(office, b"Subject: for budi\r\n\r\n", b"budi@kantor.example")
    for name in (b"ani+" + folder, b"ani+" + folder + b"@kantor.example", b"ani@kantor.example+" + folder):
        session = Pop3(office)
        told = session.login(name, RIGHT)
        if told.startswith(b"+OK"):
            assert status(session) == [b"0", b"0"]
        else:
            session.err(b"STAT")
        session.leave()
        assert Pop3(office).login(b"budi+" + folder, RIGHT).startswith(b"-ERR")
    assert taken(office, "budi") == [b"Subject: for budi\r\n\r\n"]


@pytest.mark.parametrize("name", [
    b"budi+ani", b"budi+ani@kantor.example", b"ani@kantor.example+budi@kantor.example",
    b"budi@kantor.example+ani@kantor.example"
], ids=repr)
def test_the_password_is_that_of_the_name_in_front_of_the_plus(office, name):
    owner = b"ani" if name.startswith(b"ani") else b"budi"
    other = PASSWORDS["budi" if owner == b"ani" else "ani"]
    assert Pop3(office).login(name, other).startswith(b"-ERR")


def test_a_name_that_holds_a_plus_is_looked_for_whole_first(office):
    office.run("user", "add", "ani+toko@kantor.example", "--password-stdin", stdin="rahasia-toko\n")
    deliver(office, b"Subject: toko\r\n\r\n", b"ani+toko@kantor.example")
    assert taken(office) == []
    session = Pop3(office)
    assert session.login(b"ani+toko@kantor.example", b"rahasia-toko").startswith(b"+OK")
    assert status(session)[0] == b"1"
    session.leave()
    assert Pop3(office).login(b"ani+toko@kantor.example", RIGHT).startswith(b"-ERR")


# ---- guessing


@pytest.fixture(scope="module")
def guarded(workshop):
    yield from open_house(workshop, [("limits", "auth_failures", 3)])


def attempt(office, user, password, source):
    wire = office.connect("pop3", source=source)
    assert wire.line().startswith(b"+OK")
    wire.send(b"USER " + user + b"\r\n")
    told = wire.line()
    if told.startswith(b"+OK"):
        wire.send(b"PASS " + password + b"\r\n")
        told = wire.line()
    wire.close()
    return told


def test_unknown_user_and_wrong_password_have_the_same_words(guarded):
    told = {
        attempt(guarded, user, b"salah", "127.9.0.1")
        for user in (b"ani@kantor.example", b"tiada@kantor.example")
    }
    assert len(told) == 1 and told.pop().startswith(b"-ERR [AUTH]")


def test_the_fourth_wrong_pair_is_not_looked_at_but_a_known_right_one_is(guarded):
    source = "127.9.0.2"
    assert attempt(guarded, b"ani@kantor.example", RIGHT, source).startswith(b"+OK")
    for n in range(3):
        assert attempt(guarded, b"ani@kantor.example", b"salah%d" % n, source).startswith(b"-ERR [AUTH]")
    assert attempt(guarded, b"ani@kantor.example", b"salah9", source).startswith(b"-ERR [SYS/TEMP]")
    assert attempt(guarded, b"budi@kantor.example", PASSWORDS["budi"].encode(),
                   source).startswith(b"-ERR [SYS/TEMP]")
    assert attempt(guarded, b"ani@kantor.example", RIGHT, source).startswith(b"+OK")
    assert attempt(guarded, b"budi@kantor.example", PASSWORDS["budi"].encode(),
                   "127.9.0.3").startswith(b"+OK")


def test_the_same_wrong_pair_again_counts_once(guarded):
    source = "127.9.0.4"
    for _ in range(12):
        assert attempt(guarded, b"budi@kantor.example", b"lama", source).startswith(b"-ERR [AUTH]")
    assert attempt(guarded, b"citra@kantor.example", PASSWORDS["citra"].encode(), source).startswith(b"+OK")


def test_unknown_users_count_as_wrong_pairs(guarded):
    source = "127.9.0.5"
    for n in range(3):
        assert attempt(guarded, b"tebak%d@kantor.example" % n, b"x", source).startswith(b"-ERR [AUTH]")
    assert attempt(guarded, b"tebak9@kantor.example", b"x", source).startswith(b"-ERR [SYS/TEMP]")


# ---- other protocols and impatient clients


@pytest.mark.parametrize("hello", [
    b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"Host: x\r\n", b"get / HTTP/1.0\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 200 + b"\r\n"
], ids=lambda hello: repr(hello[:16]))
def test_another_protocol_is_told_off_once_and_closed(full, hello):
    session = Pop3(full)
    session.send(hello + b"USER citra@kantor.example\r\nPASS rahasia-citra\r\nDELE 1\r\nQUIT\r\n")
    assert session.read().startswith(b"-ERR")
    session.closed()
    session = Pop3(full, "citra")
    assert status(session)[0] == b"3"
    session.leave()


def test_a_client_that_talks_first_is_greeted_first_and_served_in_order(full):
    wire = full.connect("pop3")
    wire.send(
        b"USER citra@kantor.example\r\nPASS rahasia-citra\r\nSTAT\r\nUIDL 1\r\nDELE 9\r\nRSET\r\nQUIT\r\nDELE 1\r\n"
    )
    told = [wire.line()[:4].strip() for _ in range(8)]
    assert told == [b"+OK", b"+OK", b"+OK", b"+OK", b"+OK", b"-ERR", b"+OK", b"+OK"]
    assert wire.at_end(), wire.pending()


def test_deletions_without_quit_are_none(full):
    for ending in (b"", b"QUIT", b"QUIT\r", b"QUI"):
        session = Pop3(full, "citra")
        session.ok(b"DELE 1")
        session.ok(b"DELE 2")
        session.send(ending)
        session.wire.finish_sending()
        assert session.wire.at_end() or session.read().startswith(b"-ERR")
    session = Pop3(full, "citra")
    assert status(session)[0] == b"3"
    session.leave()


# ---- the log


@pytest.mark.parametrize("text", [
    b"x\x1b[2J%n", b"x\nauth-failed service=pop3 user=root from=6.6.6.6", b"x from=6.6.6.6", b"x\r\nx",
    b"\"q\"", b"\\x41", b"\x7f", b"\xff\xfe", b"%s%s%n", b"a=b c=d", b"u" * 3000,
    b"\xfe" * 3000
], ids=lambda text: repr(text[:24]))
def test_a_login_name_forges_no_log_line(office, text):
    seen = len(office.lines)
    session = Pop3(office)
    assert session.ask(b"AUTH PLAIN").startswith(b"+ ")
    session.err(plain(text, b"sandi-dicatat"))
    session.leave()
    office.wait_log(r"^(<\d>)?auth-failed service=pop3 user=\S+ from=127\.\S+$", since=seen)
    for line in office.lines[seen:]:
        event = re.sub(r"^<\d>", "", line)
        assert event.split(" ")[0] not in ("x", "u"), line
        assert "sandi-dicatat" not in line and "from=6.6.6.6" not in line.split(), line
        for field in event.split(" ")[1:]:
            assert re.fullmatch(r"[a-z_-]+=[!-~]*", field) and '"' not in field, line
        assert len(line) <= 4096


@pytest.mark.parametrize(
    "line", [b"USER x\x1b[2J%n", b"\x1b]0;owned\x07", b"RETR %n%n%n", b"X from=6.6.6.6", b"\xff\xfe"],
    ids=repr)
def test_commands_reach_the_log_escaped_or_not_at_all(office, line):
    session = Pop3(office)
    session.ask(line)
    session.leave()
    assert all(re.fullmatch(r"[ -~]*", told) and "from=6.6.6.6" not in told.split() for told in office.lines)
