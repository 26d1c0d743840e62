"""Addresses: never a relay, never a pattern, never a path, never a program."""

import re
import sqlite3

import pytest

from hostile import Smtp, answered, deliver, open_house, take, taken


@pytest.fixture(scope="module")
def office(workshop):
    yield from open_house(workshop)


# ---- never a relay. v is a stranger's victim, out.example is not ours.

RELAY = [
    b"v@out.example", b"v%out.example@kantor.example", b'"v@out.example"@kantor.example',
    b"@kantor.example:v@out.example", b"@kantor.example,@out.example:v@out.example",
    b"v@out.example@kantor.example", b"v@kantor.example@out.example", b"out.example!v",
    b"out.example!v@kantor.example", b"kantor.example!v@out.example", b"v@out.example\\@kantor.example",
    b"v@kantor.example.out.example", b"v@xkantor.example", b"ani@xkantor.example", b"ani@kantor.examplex",
    b"ani@kantor", b"ani@example", b"ani@.kantor.example", b"ani@kantor..example", b"ani@kantor.example..",
    b"ani@mail.kantor.example", b'"v@out.example"', b'"v%out.example"', b"v", b"ani", b"v@[127.0.0.1]",
    b"ani@[127.0.0.1]", b"ani@[IPv6:::1]", b"ani@127.0.0.1", b"ani@localhost", b"ani@", b"@kantor.example",
    b"@", b"ani@kantor.example,v@out.example", b"ani@kantor.example;v@out.example",
    b"v@out.example(ani@kantor.example)", b"ani@kantor.example v@out.example", b"<ani@kantor.example",
    b"ani@kantor.example>", b"<v@out.example>", b"ani@kantor.example><v@out.example",
    b"v:out.example@kantor.example", b"v@out.example%kantor.example",
    b"v%out.example%kantor.example@kantor.example", b"!out.example!v@kantor.example", b'"ani"@out.example',
    b'"ani@kantor.example"@out.example', b'ani"@kantor.example', b'"ani@kantor.example',
    b'"\\"@kantor.example', b"ani@@kantor.example", b"ani @kantor.example", b"ani@ kantor.example",
    b"ani@kantor .example", b" ani@kantor.example", b"..ani@kantor.example", b".ani@kantor.example",
    b"ani.@kantor.example", b"a..ni@kantor.example", b"ani@-kantor.example",
    b"ani@kantor.example/out.example", b"ani@kantor.example?out.example", b"ani@kantor.example#",
    b"ani@kantor.example:25", b"ani@kantor_example", b"ani@%kantor.example", b"ani@*", b"ani@*.example",
    b"*@kantor.example", b"ani@kantor.exampl\\e", b"ani@KANTOR", b"ani@\tkantor.example",
    b"ani@xn--kantor.example", b"postmaster@out.example", b"abuse@out.example", b"postmaster%out.example",
    b"mailto:ani@kantor.example", b"smtp:v@out.example", b"/o=x/cn=v@out.example",
    b"IMCEASMTP-v+40out+2Eexample@kantor.example", b"v=out.example@kantor.example",
    b"v#out.example@kantor.example", b"v+out.example@xkantor.example", b"", b" ",
    b"a" * 65 + b"@kantor.example", b"a@" + b"b" * 256 + b".kantor.example", b"a" * 400,
]


@pytest.mark.parametrize("sender", [b"pak@luar.example", b"ani@kantor.example", b""],
                         ids=["from a stranger", "as one of us", "from nobody"])
@pytest.mark.parametrize("recipient", RELAY, ids=lambda recipient: repr(recipient[:44]))
def test_nothing_is_taken_for_another_domain_or_nobody(office, recipient, sender):
    session = Smtp(office)
    assert session.ask(b"MAIL FROM:<%s>" % sender).code == 250
    answered(session.ask(b"RCPT TO:<%s>" % recipient), "550 5.7.1", "550 5.1.1", "550 5.1.2", "501 5.1.3",
            "501 5.5.2", "501 5.5.4", "555")
    answered(session.ask(b"DATA"), "503", "554")
    session.leave()


@pytest.mark.parametrize("recipient,expected", [(b"v@out.example", "550 5.7.1"),
                                                (b"v@kantor.example.out.example", "550 5.7.1"),
                                                (b"ani@xkantor.example", "550 5.7.1"),
                                                (b"ani@mail.kantor.example", "550 5.7.1"),
                                                (b"v%out.example@kantor.example", "550 5.1.1"),
                                                (b"out.example!v@kantor.example", "550 5.1.1"),
                                                (b"tiada@kantor.example", "550 5.1.1"),
                                                (b"v@out.example@kantor.example", "501 5.1.3"),
                                                (b"@kantor.example:v@out.example", "501 5.1.3"),
                                                (b'"v@out.example"', "501 5.1.3")],
                         ids=repr)
def test_each_kind_of_refusal_says_what_it_is(office, recipient, expected):
    session = Smtp(office)
    assert session.ask(b"MAIL FROM:<pak@luar.example>").code == 250
    answered(session.ask(b"RCPT TO:<%s>" % recipient), expected)
    session.leave()


@pytest.mark.parametrize("line", [
    b"RCPT TO:", b"RCPT TO", b"RCPT", b"RCPT TO ani@kantor.example", b"RCPT FROM:<ani@kantor.example>",
    b"RCPT TO:<ani@kantor.example>x", b"RCPT TO:<ani@kantor.example>,<v@out.example>",
    b"RCPT TO:<ani@kantor.example> <v@out.example>", b"RCPT TO:<ani@kantor.example",
    b"RCPT TO:ani@kantor.example>", b"RCPT TO:<<ani@kantor.example>>", b"RCPT TO:<>",
    b"RCPT TO:Ani <v@out.example>", b"RCPT TO:\"<ani@kantor.example>\"",
    b"RCPT TO:<v@out.example>\tORCPT=rfc822;ani@kantor.example", b"RCPT TO:v@out.example",
    b"RCPT TO:<v@out.example>ani@kantor.example", b"RCPT TO:(ani@kantor.example)<v@out.example>"
], ids=repr)
def test_a_rcpt_of_the_wrong_shape_takes_nobody(office, line):
    session = Smtp(office)
    assert session.ask(b"MAIL FROM:<pak@luar.example>").code == 250
    answered(session.ask(line), "500", "501", "550 5.7.1", "550 5.1.1", "555")
    answered(session.ask(b"DATA"), "503", "554")
    session.leave()


@pytest.mark.parametrize("line", [
    b"MAIL FROM:", b"MAIL FROM", b"MAIL", b"MAIL a@luar.example", b"MAIL TO:<a@luar.example>",
    b"MAIL FROM:<a@luar.example>x", b"MAIL FROM:<a@luar.example", b"MAIL FROM:<<a@luar.example>>",
    b"MAIL FROM:<a@luar.example><b@luar.example>", b"MAIL FROM:<a@luar.example>,<b@luar.example>",
    b"MAIL FROM:<@luar.example>", b"MAIL FROM:<a@>", b"MAIL FROM:<a@@luar.example>",
    b"MAIL FROM:<a@luar..example>", b"MAIL FROM:<a b@luar.example>", b"MAIL FROM:<\"a@luar.example>",
    b"MAIL FROM:<a@b@c.example>"
], ids=repr)
def test_a_mail_of_the_wrong_shape_begins_nothing(office, line):
    session = Smtp(office)
    answered(session.ask(line), "500", "501", "553", "555")
    answered(session.ask(b"RCPT TO:<ani@kantor.example>"), "503")
    session.leave()


# ---- what is taken

TAKEN = [(b"ani@kantor.example", "ani"), (b"ANI@KANTOR.EXAMPLE", "ani"), (b"aNi@kAnTor.eXample", "ani"),
         (b"ani+apa@kantor.example", "ani"), (b"ani+@kantor.example", "ani"),
         (b"ani+../budi@kantor.example", "ani"), (b"ani+budi@kantor.example", "ani"),
         (b"ani+%@kantor.example", "ani"), (b"ani+'--@kantor.example", "ani"),
         (b"ani+a+b@kantor.example", "ani"), (b"ani+" + b"x" * 60 + b"@kantor.example", "ani"),
         (b"ani+INBOX@kantor.example", "ani"), (b"ani+*@kantor.example", "ani"),
         (b"ani+/etc/passwd@kantor.example", "ani"), (b"ani+|id@kantor.example", "ani"),
         (b"budi+ani@kantor.example", "budi"), (b"info@kantor.example", "budi"),
         (b"INFO@kantor.example", "budi"), (b"siapa@cabang.example", "citra"),
         (b"ani@cabang.example", "citra"), (b"%@cabang.example", "citra"), (b"postmaster", "ani"),
         (b"PostMaster", "ani"), (b"postmaster@kantor.example", "ani"), (b"abuse@kantor.example", "ani"),
         (b"Abuse@Kantor.Example", "ani"), ]


@pytest.mark.parametrize("recipient,owner",
                         TAKEN,
                         ids=lambda value: repr(value) if isinstance(value, bytes) else value)
def test_what_is_ours_reaches_its_one_mailbox(office, recipient, owner):
    deliver(office, b"Subject: ours\r\n\r\n", recipient)
    [(trace, message)] = take(office, owner)
    assert message == b"Subject: ours\r\n\r\n"
    assert all(taken(office, other) == [] for other in ("ani", "budi", "citra") if other != owner)


def test_a_mailbox_gets_one_copy_however_many_ways_lead_to_it(office):
    deliver(office, b"Subject: once\r\n\r\n", b"ani@kantor.example", b"semua@kantor.example",
            b"penjualan@kantor.example", b"ANI@kantor.example", b"ani+x@kantor.example",
            b"info@kantor.example", b"postmaster@kantor.example", b"a@cabang.example", b"b@cabang.example")
    assert [len(taken(office, name)) for name in ("ani", "budi", "citra")] == [1, 1, 1]


# ---- octets beyond ASCII, patterns, SQL, shells

BEYOND = [
    "ani@kantor。example", "ani@\u212Aantor.example", "\u212Aani@kantor.example", "ani\u200F@kantor.example",
    "\u202Eani@kantor.example", "ani＠kantor.example", "ａni@kantor.example", "ani@ｋantor.example",
    "äni@kantor.example", "ani@käntor.example", "ani@kantor.ex\u00ADample", "an\u0131@kantor.example",
    "an\u0456@kantor.example", "ani@kantor.example\u00A0", "ani+\U0001F4E7@kantor.example",
    "\u00B4ani@kantor.example", "ani\u2028@kantor.example", "\uFEFFani@kantor.example"
]
BROKEN = [
    b"ani\xff@kantor.example", b"\xc1\xa1ni@kantor.example", b"ani\xc0\xae@kantor.example",
    b"ani@kantor\xc0\xaeexample", b"ani@\xe0\x80\xafkantor.example", b"\x80@kantor.example",
    b"ani\xed\xa0\x80@kantor.example", b"ani@kantor.example\xf4\x90\x80\x80", b"an\xe9@kantor.example",
    b"ani@kantor.exampl\xe9", b"ani\xc3@kantor.example"
]


@pytest.mark.parametrize("command", [b"MAIL FROM:<%s>", b"RCPT TO:<%s>"], ids=["MAIL", "RCPT"])
@pytest.mark.parametrize("address", [text.encode() for text in BEYOND] + BROKEN, ids=repr)
def test_an_octet_beyond_ascii_in_an_address_is_553(office, command, address):
    session = Smtp(office)
    if command.startswith(b"RCPT"):
        assert session.ask(b"MAIL FROM:<pak@luar.example>").code == 250
    answered(session.ask(command % address), "553 5.6.7")
    session.leave()
    assert taken(office) == []


NO_MAILBOXES = [
    b"u_", b"_ni", b"an_", b"a%", b"%", b"*", b"?ni", b"' OR 1=1 --", b"'OR'1'='1", b"x'--", b"ani'--",
    b"ani';--", b"1", b"NULL", b"[a]ni", b"ani*", b"an?", b"a.n.i", b"|id", b"|/bin/sh", b"/etc/passwd",
    b"../../etc/passwd", b":include:/etc/passwd", b"`id`", b"$(id)", b";x;", b"&id", b"ani|id", b"ani;id",
    b"~root", b"-oQ/tmp", b"-f", b"\\ani", b"{ani,budi}", b"${IFS}", b"^ani", b"#ani", b"!ani",
    b"semua-request", b"owner-semua", b"root", b"nobody", b"postmaster'"
]


@pytest.mark.parametrize("quoted", [False, True], ids=["bare", "quoted"])
@pytest.mark.parametrize("local", NO_MAILBOXES, ids=repr)
def test_a_pattern_a_path_or_a_program_is_a_user_that_does_not_exist(office, local, quoted):
    session = Smtp(office)
    assert session.ask(b"MAIL FROM:<pak@luar.example>").code == 250
    if quoted:
        local = b'"' + local.replace(b"\\", b"\\\\") + b'"'
    answered(session.ask(b"RCPT TO:<%s@kantor.example>" % local), "550 5.1.1", "501 5.1.3")
    answered(session.ask(b"DATA"), "503", "554")
    session.leave()
    assert taken(office) == []


@pytest.mark.parametrize("sender", [
    b";x;", b";id;@luar.example", b'"|id"@luar.example', b"|id@luar.example", b"/etc/passwd@luar.example",
    b'":include:/etc/passwd"@luar.example', b"`id`@luar.example", b"$(id)@luar.example",
    b"-oQ/tmp@luar.example", b"%n%s@luar.example", b"a%b@luar.example", b"'--@luar.example",
    b'"a b"@luar.example', b'"a\\"b"@luar.example', b"a@[127.0.0.1]", b"a@[IPv6:::1]", b"#@[]",
    b"mailer-daemon@kantor.example", b"root", b"bounce+ani=kantor.example@luar.example",
    b"SRS0=xx=yy=luar.example=a@luar.example", b"a" * 64 + b"@luar.example"
], ids=repr)
def test_a_strange_sender_is_refused_or_mere_text(office, sender):
    session = Smtp(office)
    reply = session.ask(b"MAIL FROM:<%s>" % sender)
    if reply.code != 250:
        answered(reply, "501", "550", "553")
        session.leave()
        return
    assert session.ask(b"RCPT TO:<ani@kantor.example>").code == 250
    assert session.data(b"Subject: sender\r\n\r\n.\r\n").code == 250
    session.leave()
    [(trace, message)] = take(office)
    needless = re.fullmatch(rb'"([!#-\'*+\-/-9=?A-Z^-~.]+)"(@.*)', sender)  # quotes around plain characters
    written = b"".join(needless.groups()) if needless else sender
    assert (trace.return_path, message) == (b"<%s>" % written, b"Subject: sender\r\n\r\n")


# ---- loops of aliases


@pytest.mark.parametrize(
    "lines",
    [["loop1@kantor.example loop2@kantor.example", "loop2@kantor.example loop1@kantor.example"],
     ["self@kantor.example self@kantor.example"],
     [
         "a@kantor.example b@kantor.example", "b@kantor.example c@kantor.example",
         "c@kantor.example a@kantor.example"
     ], [
         "big@kantor.example ani@kantor.example big2@kantor.example", "big2@kantor.example big@kantor.example"
     ], ["SELF2@kantor.example self2@KANTOR.example"]],
    ids=repr)
def test_a_loop_is_refused_by_alias_add(office, lines):
    results = [office.command("alias", "add", *line.split()) for line in lines]
    assert results[-1].returncode == 1, results[-1]
    assert len(results[-1].stderr.strip().splitlines()) == 1
    for line, result in zip(lines, results):
        if result.returncode == 0:
            office.run("alias", "remove", line.split()[0])


@pytest.mark.parametrize("rows", [
    [("putar1", "putar2"), ("putar2", "putar1")],
    [("sendiri", "sendiri")],
    [(f"rantai{n}", f"rantai{(n + 1) % 40}") for n in range(40)],
], ids=["two", "itself", "forty in a ring"])
def test_a_loop_that_is_in_the_store_all_the_same_ends_and_is_refused(office, rows):
    whole = [(f"{alias}@kantor.example", f"{target}@kantor.example") for alias, target in rows]
    db = sqlite3.connect(office.data / "store.db", timeout=30)
    with db:
        db.executemany("INSERT INTO aliases (alias, target) VALUES (?, ?)", whole)
    session = Smtp(office)
    answered(session.ask(b"MAIL FROM:<pak@luar.example>"), "250")
    answered(session.ask(b"RCPT TO:<%s>" % whole[0][0].encode()), "550 5.4.6")
    session.leave()
    # With a way out of the ring its mail comes, once.
    with db:
        db.execute("INSERT INTO aliases (alias, target) VALUES (?, ?)", (whole[-1][0], "ani@kantor.example"))
    session = Smtp(office)
    answered(session.ask(b"MAIL FROM:<pak@luar.example>"), "250")
    answered(session.ask(b"RCPT TO:<%s>" % whole[0][0].encode()), "250")
    answered(session.data(b"Subject: ring\r\n\r\n.\r\n"), "250")
    session.leave()
    assert len(taken(office)) == 1
    with db:
        db.executemany("DELETE FROM aliases WHERE alias = ?", [row[:1] for row in whole])
    db.close()


def test_a_list_that_holds_itself_among_others_still_delivers_once(office):
    """A user that is its own alias target is a forward with copy, no loop."""
    office.run("alias", "add", "budi@kantor.example", "budi@kantor.example", "citra@kantor.example")
    deliver(office, b"Subject: copy\r\n\r\n", b"budi@kantor.example")
    assert len(taken(office, "budi")) == 1
    assert len(taken(office, "citra")) == 1
    office.run("alias", "remove", "budi@kantor.example")
