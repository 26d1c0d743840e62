"""[filter]: what milters hear of mail, and what becomes of it by their word."""

import contextlib
import re

import dkim
import pytest

import milter as said
from hostile import Smtp, answered, deliver
from letters import letter, stored_form, without_trace
from milter import Milter
from office import PASSWORDS, wait_until
from remote import Remote

ANI, BUDI, CITRA = (f"{name}@kantor.example" for name in ("ani", "budi", "citra"))
LETTER = (b"From: Pak Tani <pak@luar.example>\r\nTo: ani@kantor.example\r\nSubject: satu\r\n dua\r\n"
          b"X-Twice: a\r\nX-Twice:  b\r\n\r\nisi\r\n.titik\r\n")


@contextlib.contextmanager
def filtered(office, *milters, **settings):
    with contextlib.ExitStack() as stack:
        for milter in milters:
            stack.enter_context(milter)
        office.set("filter", "milter", " ".join(milter.place for milter in milters))
        for key, value in settings.items():
            office.set("filter", key, value)
        office.start()
        yield milters[0]


def send(office, octets=LETTER, *recipients, service="smtp"):
    """The answer to the end of the message."""
    session = Smtp(office, service)
    session.begin(*(to.encode() for to in recipients or (ANI,)))
    reply = session.data(octets + b".\r\n") if not octets.startswith(b".") else None
    session.leave()
    return reply


def stuffed(octets):
    return octets.replace(b"\r\n.", b"\r\n..")


def folders(office, address=ANI):
    return [mail["folder"] for mail in office.mails(address)]


def got(office, name="ani"):
    message, = office.fetch(name)
    return without_trace(message)


# ---- what they hear


def test_a_milter_hears_the_whole_of_it(office):
    with filtered(office, Milter()) as milter:
        answered(send(office, stuffed(LETTER)), "250")
        assert got(office) == LETTER
        talk, = milter.talks
        message, = talk.messages
        assert milter.offers == [(6, said.OFFERED, 0x1FF7FF)]
        assert talk.connected.startswith(b"unknown\0" b"4\0\0" + b"127.") or talk.connected.startswith(b"localhost\0")
        assert talk.steps.startswith("OCHMRTLNBE") and message.whole
        assert message.sender[0].startswith("<") and message.recipients == [f"<{ANI}>"]
        assert message.headers == [("From", "Pak Tani <pak@luar.example>"), ("To", ANI), ("Subject", "satu\n dua"),
                                   ("X-Twice", "a"), ("X-Twice", " b")]
        assert message.body == b"isi\r\n.titik\r\n"
        assert message.macros["j"] == "mail.kantor.example" and message.macros["{rcpt_addr}"] == ANI
        assert message.macros["{daemon_name}"] == "smtp"
        [line] = [line for line in office.lines if " message id=" in line or "> message id=" in line or
                  re.search(r"\bmessage id=", line)]
        assert message.macros["i"] in line


def test_what_is_known_of_staff_is_told(office):
    with filtered(office, Milter()) as milter:
        session = Smtp(office, "submissions")
        session.begin(BUDI.encode())
        answered(session.data(b"From: ani@kantor.example\r\nBcc: citra@kantor.example\r\n\r\nisi\r\n.\r\n"), "250")
        session.leave()
        message, = milter.messages
        assert message.macros["{auth_authen}"] == ANI and message.macros["{auth_type}"] == "PLAIN"
        assert message.macros["{tls_version}"] == "TLSv1.2" and message.macros["{cipher}"].startswith("TLS_ECDHE_")
        assert message.macros["{mail_addr}"] == ANI
        # It hears what is to leave: without Bcc, with what was missing.
        assert [name for name, _ in message.headers] == ["From", "Date", "Message-ID"]


def test_each_message_of_a_session_is_one_of_its_own(office):
    with filtered(office, Milter(R=[said.ACCEPT])) as milter:
        session = Smtp(office)
        session.begin(ANI.encode())  # which is accepted for good
        answered(session.data(letter(1) + b".\r\n"), "250")
        session.begin(ANI.encode())
        answered(session.ask(b"RSET"), "250")
        session.begin(ANI.encode())
        answered(session.ask(b"EHLO lain.example"), "250")
        session.begin(BUDI.encode())
        session.send(b"BDAT 21\r\nSubject: dua\r\n\r\nisi\r\n")
        answered(session.read(), "250")
        answered(session.ask(b"BDAT 0 LAST"), "250")
        session.leave()
        talk, = milter.talks
        wait_until(lambda: talk.ended, "the milter's goodbye")
        assert talk.steps == "OCHMRMRAMRAHMRTLNBEQ"
        assert talk.hello == "lain.example" and [m.whole for m in talk.messages] == [False, False, False, True]
        assert len(office.fetch("ani")) == len(office.fetch("budi")) == 1


def test_who_reads_mail_meets_no_milter(office):
    with filtered(office, Milter()) as milter:
        office.login("ani").close()
        office.can_log_in()
        assert milter.talks == []


def test_steps_that_it_declines_are_not_sent_and_silent_ones_not_waited_for(office):
    quiet = said.SILENT_HEADERS | said.SILENT_BODY | 0x3F000 | 0x40000
    with filtered(office, Milter(steps=quiet | said.BLANKS, E=said.adds("X-Seen", " yes") + said.CONTINUE)) as milter, \
            Milter(steps=0x37F, R=said.REJECT) as deaf:
        office.set("filter", "milter", f"{milter.place} {deaf.place}")
        office.hang_up()
        office.wait_log("reloaded")
        milter.answers.update(dict.fromkeys("CHMRTN", b""))
        answered(send(office, stuffed(LETTER)), "250")
        assert got(office) == LETTER.replace(b"\r\n\r\n", b"\r\nX-Seen: yes\r\n\r\n", 1)
        message, = milter.messages
        assert message.headers[2:] == [("Subject", " satu\n dua"), ("X-Twice", " a"), ("X-Twice", "  b")]
        assert message.body == b"isi\r\n.titik\r\n" and deaf.talks[0].steps.startswith("OE")


# ---- what they say

ANSWERS = {
    "reject": (said.REJECT, "550 5.7.1"),
    "later": (said.TEMPFAIL, "451 4.7.1"),
    "words": (said.says("554 5.6.9 tidak 100%%"), "554 5.6.9"),
    "lines": (said.says("451-4.2.9 satu\r\n451 4.2.9 dua"), "451 4.2.9"),
    "closing": (said.says("421 4.3.2 bye"), "451 4.3.2"),
    "no words": (said.says("599x"), "550 5.7.1"),
}


@pytest.mark.parametrize("step", "CHMRTLNBE")
@pytest.mark.parametrize("what", ANSWERS)
def test_a_refusal_is_the_clients_at_the_step_it_is_of(office, step, what):
    answer, wanted = ANSWERS[what]
    with filtered(office, Milter(**{step: answer})):
        session = Smtp(office)
        if step in "CHM":
            for _ in range(2 if step != "M" else 1):
                answered(session.ask(b"MAIL FROM:<pak@luar.example>"), wanted)
        elif step == "R":
            answered(session.ask(b"MAIL FROM:<pak@luar.example>"), "250")
            answered(session.ask(b"RCPT TO:<ani@kantor.example>"), wanted)
        elif step == "T":
            session.begin(ANI.encode())
            answered(session.ask(b"DATA"), wanted)
            session.begin(ANI.encode())
            session.send(b"BDAT 21 LAST\r\nSubject: dua\r\n\r\nisi\r\n")
            answered(session.read(), wanted)
        else:
            session.begin(ANI.encode())
            answered(session.data(letter(1) + b".\r\n"), wanted)
        session.leave()
        assert office.mails() == []
        office.wait_log("filtered .* verdict=" + ("refused" if wanted[0] == "5" else "put-off"))


def test_its_words_reach_the_client(office):
    with filtered(office, Milter(R=[said.says("550-5.7.1 Anda\x1b[2J\r\n550 5.7.1 100%% ditolak"), said.CONTINUE])):
        session = Smtp(office)
        answered(session.ask(b"MAIL FROM:<pak@luar.example>"), "250")
        assert session.ask(b"RCPT TO:<ani@kantor.example>").text == "5.7.1 Anda\\x1b[2J\n5.7.1 100% ditolak"
        office.wait_log(r'recipient-refused .* to=ani@kantor.example .* reason="Anda\\x5cx1b\[2J 100% ditolak"')
        answered(session.ask(b"RCPT TO:<budi@kantor.example>"), "250")
        answered(session.data(letter(1) + b".\r\n"), "250")
        session.leave()
        assert office.mails() == [] and len(office.mails(BUDI)) == 1


LOGGED = {"M": "sender-refused", "R": "recipient-refused", "T": "message-refused", "E": "message-refused"}


@pytest.mark.parametrize("words", ["550 5.7.1 pengirim ini \"tidak\" dikenal", "451 4.2.9 satu\r\n"])
@pytest.mark.parametrize("step", LOGGED)
def test_why_it_refuses_stands_in_the_log(office, step, words):
    with filtered(office, Milter(**{step: said.says(words)})) as milter:
        session = Smtp(office)
        for line in (b"MAIL FROM:<pak@luar.example>", b"RCPT TO:<ani@kantor.example>", b"DATA", letter(1) + b"."):
            reply = session.ask(line)
            if reply.code not in (250, 354):
                break
        answered(reply, words[:9])
        session.leave()
        code, status, reason = words.strip().split(" ", 2)
        reason = re.escape(reason.replace('"', r"\x22"))
        told = f'reply={code} status={status} .*reason="{reason}"$'
        office.wait_log(f"{LOGGED[step]} service=smtp sender=pak@luar.example .*{told}")
        office.wait_log(f"filtered id=.* milter={milter.place} .* {told}")


def test_words_of_any_length_fit_in_the_log(office):
    long = "\r\n".join(f"550{'-' if n < 7 else ' '}5.7.1 {n}" + "\\" * 400 for n in range(8))
    with filtered(office, Milter(E=said.says(long))):
        answered(send(office), "550 5.7.1")
        for event in ("filtered", "message-refused"):
            line = office.wait_log(event + r' .* reason="0(\\x5c)+\.\.\."$')
            assert len(line) < 4096


def test_one_that_refuses_the_client_says_the_same_to_each_message(office):
    other = Milter(C=said.says("554 5.7.9 bukan dari sana"))
    with filtered(office, Milter(), other):
        session = Smtp(office)
        for _ in range(3):
            reply = session.ask(b"MAIL FROM:<pak@luar.example>")
            assert (reply.code, reply.text) == (554, "5.7.9 bukan dari sana")
        session.leave()


@pytest.mark.parametrize("step", "MRTLNBE")
def test_what_is_discarded_is_answered_as_taken_and_is_nowhere(office, step):
    with filtered(office, Milter(**{step: [said.DISCARD]})) as milter:
        session = Smtp(office)
        for n in range(2):
            session.begin(ANI.encode())
            answered(session.data(letter(n) + b".\r\n"), "250")
        session.leave()
        assert [mail["folder"] for mail in office.mails()] == ["Inbox"] and len(milter.messages) == 2
        office.wait_log("filtered .* verdict=discarded")


@pytest.mark.parametrize("step", "CH")
def test_a_client_whose_mail_is_discarded_stays_one(office, step):
    with filtered(office, Milter(**{step: [said.DISCARD]})):
        session = Smtp(office)
        for n in range(2):
            session.begin(ANI.encode())
            answered(session.data(letter(n) + b".\r\n"), "250")
        session.leave()
        assert office.mails() == []


@pytest.mark.parametrize("step", "CHMRTLNBE")
def test_what_is_accepted_is_asked_about_no_more(office, step):
    with filtered(office, Milter(**{step: said.ACCEPT})) as milter:
        answered(send(office, letter(1)), "250")
        assert got(office) == letter(1)
        steps = milter.talks[0].steps
        assert steps.startswith("OCHMRTLNBE"[:1 + "CHMRTLNBE".index(step) + 1]) and steps.count(step) == 1
        assert not set("CHMRTLNBE"["CHMRTLNBE".index(step) + 1:]) & set(steps)


def test_a_body_of_which_it_has_enough_is_sent_no_further(office):
    with filtered(office, Milter(B=said.SKIPS)) as milter:
        big = letter(1, "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 10000)
        answered(send(office, big), "250")
        assert got(office) == big and len(milter.messages[0].body) == 65535 and milter.messages[0].whole


# ---- what they change


def changed(office, *packets, octets=LETTER, steps=said.SKIP):
    with filtered(office, Milter(E=b"".join(packets) + said.CONTINUE, steps=steps)):
        answered(send(office, stuffed(octets)), "250")
        return got(office)


def test_headers_are_added_inserted_changed_and_taken_away(office):
    assert changed(
        office, said.adds("X-Last", "akhir\n lagi"), said.inserts(0, "X-First", "awal"), said.inserts(3, "X-Third", "3"),
        said.inserts(99, "X-Far", "jauh"), said.changes(1, "subject", "diganti"), said.changes(2, "X-Twice", ""),
        said.changes(1, "X-New", "baru"), said.changes(7, "To", ""), said.PROGRESS,
    ) == (b"X-First: awal\r\nFrom: Pak Tani <pak@luar.example>\r\nX-Third: 3\r\nTo: ani@kantor.example\r\n"
          b"subject: diganti\r\nX-Twice: a\r\nX-Last: akhir\r\n lagi\r\nX-Far: jauh\r\nX-New: baru\r\n\r\n"
          b"isi\r\n.titik\r\n")


def test_no_value_ends_its_field(office):
    assert changed(office, said.adds("X-A", "a\nBcc: x@y\r\n\r\nb\n\n \n\tc\rd\n"), octets=b"Subject: x\r\n\r\nisi\r\n") == (
        b"Subject: x\r\nX-A: a\r\n\tBcc: x@y\r\n\tb\r\n\tc d\r\n\r\nisi\r\n")


def test_a_header_that_is_none_is_body_to_milters_and_kept(office):
    octets = b"Subject: x\r\nbukan header\r\nX-B: y\r\n\r\nisi\r\n"
    with filtered(office, Milter(E=said.adds("X-A", "a") + said.CONTINUE)) as milter:
        answered(send(office, octets), "250")
        assert got(office) == octets.replace(b"bukan", b"X-A: a\r\nbukan")
        message, = milter.messages
        assert message.headers == [("Subject", "x")] and message.body == octets[12:]


@pytest.mark.parametrize("size", [100, 200_000, 262_144, 1_000_000])
def test_a_new_body_takes_the_place_of_the_old_one(office, size):
    new = b"baris\nbaru\r\n.titik\r\n" + b"z" * 70000
    wanted = b"baris\r\nbaru\r\n.titik\r\n" + b"z" * 70000
    chunks = [new[at:at + 65535] for at in range(0, len(new), 65535)]
    octets = letter(1, "y" * size)
    assert changed(office, *map(said.replaces, chunks * 5), octets=octets) == octets.split(b"\r\n\r\n")[0] + \
        b"\r\n\r\n" + wanted * 5 + b"\r\n"


SIZES = [0, 10, 255_000, 261_900, 262_144, 262_145, 524_288, 1_500_000]


@pytest.mark.parametrize("size", SIZES)
def test_several_hear_one_after_the_other_what_those_before_have_made_of_it(office, size):
    octets = letter(1, "ab\r\n" * (size // 4))
    first = Milter(E=said.changes(1, "Subject", "satu") + said.adds("X-One", "1") + said.CONTINUE)
    second = Milter(E=said.changes(1, "X-One", "") + said.inserts(0, "X-Two", "2") + said.CONTINUE)
    third = Milter(office.dir / "third", E=said.adds("X-Three", "3") + said.CONTINUE)
    with filtered(office, first, second, third):
        answered(send(office, octets), "250")
        header, body = octets.split(b"\r\n\r\n", 1)
        header = header.replace(b"surat 1", b"satu")
        assert got(office) == b"X-Two: 2\r\n" + header + b"\r\nX-Three: 3\r\n\r\n" + body
        names = [[name for name, _ in milter.messages[0].headers] for milter in (first, second, third)]
        own = ["From", "To", "Subject", "Message-ID"]
        assert names == [own, own + ["X-One"], ["X-Two"] + own]
        assert [milter.messages[0].body == body for milter in (first, second, third)] == [True] * 3


def test_a_header_of_any_size_that_may_be_is_kept(office):
    for n, size in enumerate((200_000, 255_000)):
        octets = b"Subject: x\r\n" + b"X-Long: " + b"y" * size + b"\r\n\r\n" + b"isi\r\n" * 20000
        with Milter(E=said.inserts(0, "X-A", "a") + said.CONTINUE, steps=0x20) as milter:
            office.set("filter", "milter", milter.place)
            office.start() if n == 0 else office.restart()
            answered(send(office, octets), "250")
            assert got_last(office) == b"X-A: a\r\n" + octets
            answered(send(office, b"X-Long: " + b"y" * 262_000 + b"\r\n\r\n"), "552 5.3.4")


def got_last(office):
    return without_trace(office.fetch("ani")[-1])


def lines(size):
    """So many octets."""
    count, rest = divmod(size - 2, 80)
    return (b"x" * 78 + b"\r\n") * count + b"y" * rest + b"\r\n"


def in_packets(octets):
    return b"".join(said.replaces(octets[at:at + 65535]) for at in range(0, len(octets), 65535))


@pytest.mark.parametrize("most", [10_000, 262_144, 600_000])
@pytest.mark.parametrize("service", ["smtp", "submissions"])
def test_a_message_of_the_most_octets_may_grow(office, most, service):
    head = b"From: ani@kantor.example\r\nDate: Mon, 02 Mar 2026 10:00:00 +0700\r\nMessage-ID: <1@kantor.example>"
    body = lines(most - len(head) - 4)
    footer = body + b"-- \r\n" + b"z" * 990 + b"\r\n"
    octets = head + b"\r\n\r\n" + body
    office.set("smtpd", "max_message", most)
    longer = said.adds("X-A", "a" * 900) + said.CONTINUE
    with filtered(office, Milter(E=[longer, in_packets(footer) + longer])) as milter:
        for wanted in (body, footer):
            answered(send(office, octets, service=service), "250")
            assert got_last(office) == head + b"\r\nX-A: " + b"a" * 900 + b"\r\n\r\n" + wanted
        answered(send(office, octets[:-2] + b"z\r\n", service=service), "552 5.3.4")
        assert [message.whole for message in milter.messages] == [True, True, False]


GROWS = 262_144  # by that much, with the last line end


@pytest.mark.parametrize("most", [1_000, 100_000, 262_144, 1_000_000])
@pytest.mark.parametrize("on_failure", ["tempfail", "accept"])
def test_one_that_makes_it_bigger_than_that_has_failed(office, most, on_failure):
    office.allow("filter-failed")
    office.set("smtpd", "max_message", most)
    head = b"Subject: x\r\n\r\n"
    octets, fits = head + b"isi\r\n", lines(most + GROWS - 3 - len(head))
    answers = [in_packets(new) + said.CONTINUE for new in (fits, b"z" + fits, b"z" * 65535 + fits)]
    with filtered(office, Milter(E=[*answers, said.CONTINUE]), on_failure=on_failure):
        answered(send(office, octets), "250")
        assert got(office) == head + fits
        for _ in range(2):
            answered(send(office, octets), "451 4.3.0")
        office.wait_log(r'filter-failed .* mail="put off" reason="it makes a message that is too big: more than \[smtpd\] max_message')
        answered(send(office, octets), "250")
        assert len(office.mails()) == 2 and got_last(office) == octets


# ---- what leaves

NEW_BODIES = {"as it was": None, "a new one": b"baru\r\n", "no line end": b"tanpa akhir", "blanks": b"a \t b  \n\n \n\n",
              "a big one": b"baris yang baru \r\n" * 20000}


@pytest.mark.parametrize("size", [10, 262_000, 1_000_000])
@pytest.mark.parametrize("what", NEW_BODIES)
def test_what_leaves_is_signed_as_the_filter_left_it(office, what, size):
    new = NEW_BODIES[what] or b""
    changes = b"".join((said.inserts(0, "X-First", "awal"), said.changes(1, "Subject", "diganti \n  dua"), said.changes(1, "Cc", ""),
                        said.adds("Reply-To", "budi@kantor.example"), said.inserts(1, "To", "ibu@luar.example"),
                        in_packets(new), said.CONTINUE))
    own = (b"From: ani@kantor.example\r\nTo: pak@luar.example\r\nCc: citra@kantor.example\r\nSubject: laporan\r\n\r\n"
           + b"0123456789 \r\n" * (size // 13))
    with Remote() as remote:
        office.set("relay", "smarthost", remote.place)
        office.set("relay", "tls", "none")
        with filtered(office, Milter(E=changes)):
            answered(send(office, own, "pak@luar.example", service="submissions"), "250")
            gone, = remote.wait()
        key, = re.findall(r'office\._domainkey\.kantor\.example\.?\s.*?\((.*?)\)', office.run("dns"), re.S)
        record = "".join(re.findall(r'"([^"]*)"', key)).encode()
        header, body = gone.octets.split(b"\r\n\r\n", 1)
        assert header.count(b"DKIM-Signature:") == 1 and b"\r\nX-First: awal\r\n" in header
        assert b"\r\nSubject: diganti \r\n  dua\r\n" in header and b"citra" not in header
        assert body == (stored_form(b"\r\n" + new)[2:] if new else own.split(b"\r\n\r\n", 1)[1])
        assert dkim.verify(gone.octets, dnsfunc=lambda *_, **__: record)
        for before, behind in ((b"diganti", b"dipakai"), (b"Reply-To: budi", b"Reply-To: dubi"), (b"To: ibu", b"To: abu")):
            assert not dkim.verify(gone.octets.replace(before, behind, 1), dnsfunc=lambda *_, **__: record)


# ---- junk

JUNK = said.adds("X-Spam", "yes") + said.CONTINUE


def test_what_our_own_milter_calls_junk_is_filed_so_before_all_else(office):
    office.run("rule", "add", ANI, "Subject", "surat", "Pribadi")
    with filtered(office, Milter(E=[JUNK, JUNK, said.quarantines("virus") + said.CONTINUE, said.adds("X-Spam", "no") + said.CONTINUE,
                                    JUNK])):
        for to in (ANI, "ani+Proyek@kantor.example", ANI, ANI, BUDI):
            answered(send(office, letter(1), to), "250")
        assert folders(office) == ["Junk", "Junk", "Junk", "Pribadi"] and folders(office, BUDI) == ["Junk"]
        office.wait_log('filtered .* verdict=quarantined .* reason="virus"')


def test_a_stranger_files_nothing_in_junk(office):
    forged = b"X-Spam: Yes\r\n" + letter(1)
    with filtered(office, Milter(E=[said.CONTINUE, said.adds("X-Other", "Yes") + said.CONTINUE, said.changes(1, "X-Spam", "Yes") + said.CONTINUE])):
        for _ in range(3):
            answered(send(office, forged), "250")
        assert folders(office) == ["Inbox", "Inbox", "Junk"]


def test_without_a_junk_header_none_is_junk(office):
    with filtered(office, Milter(E=JUNK), junk_header=""):
        answered(send(office), "250")
        assert folders(office) == ["Inbox"]


def test_one_milter_takes_back_what_another_said(office):
    with filtered(office, Milter(E=JUNK), Milter(E=said.changes(1, "X-Spam", "") + said.CONTINUE)):
        answered(send(office), "250")
        assert folders(office) == ["Inbox"]


def test_junk_leaves_by_no_alias(office):
    with Remote() as remote:
        office.set("relay", "smarthost", remote.place)
        office.set("relay", "tls", "none")
        office.run("alias", "add", "toko@kantor.example", "pak@luar.example")
        office.run("alias", "add", "salinan@kantor.example", BUDI, "pak@luar.example")
        with filtered(office, Milter(E=[JUNK, JUNK])):
            for to in ("toko@kantor.example", "salinan@kantor.example", "toko@kantor.example"):
                answered(send(office, letter(1), to), "250")
            remote.wait()
            assert len(remote.letters) == 1
            assert folders(office) == folders(office, BUDI) == ["Junk"]  # the postmaster is ani


def test_junk_of_staff_does_not_leave(office):
    own = b"From: ani@kantor.example\r\nSubject: x\r\n\r\nisi\r\n"
    with filtered(office, Milter(E=JUNK)):
        answered(send(office, own, BUDI, "pak@luar.example", service="submissions"), "550 5.7.1")
        assert office.mails(BUDI) == [] and office.json("queue", "list") == []
        answered(send(office, own, BUDI, service="submissions"), "250")
        assert folders(office, BUDI) == ["Junk"]
        office.wait_log("junk-not-sent")


def test_a_milter_cannot_give_staff_another_name(office):
    own = b"From: ani@kantor.example\r\nSubject: x\r\n\r\nisi\r\n"
    with filtered(office, Milter(E=said.changes(1, "From", "budi@kantor.example") + said.CONTINUE)):
        answered(send(office, own, BUDI, service="submissions"), "550 5.7.1")
        assert office.mails(BUDI) == []


def test_lmtp_answers_for_each(office):
    with filtered(office, Milter(E=[said.REJECT, JUNK])):
        session = Smtp(office, "lmtp")
        for code in ("550 5.7.1", "250"):
            session.begin(ANI.encode(), BUDI.encode())
            answered(session.data(letter(1) + b".\r\n"), code)
            answered(session.read(), code)
        session.leave()
        assert folders(office) == folders(office, BUDI) == ["Junk"]


def test_programs_of_this_box_are_filtered_too(office):
    with filtered(office, Milter(E=said.adds("X-Seen", "ya") + said.CONTINUE)) as milter:
        office.run("sendmail", "-f", ANI, BUDI, stdin="Subject: x\nFrom: ani@kantor.example\n\nisi\n")
        assert b"\r\nX-Seen: ya\r\n" in got(office, "budi")
        assert milter.talks[0].connected == b"localhost\0004\0\000127.0.0.1\0"
