"""What an owned session can ask the roles of the running server: refused, told in one line,
and the role goes on to serve others."""

import array
import os
import signal
import socket

import pytest

from channels import SERVICES, Channel, TICKET, TYPES, delivery, frame, hello, log_in, number, text
from letters import letter
from test_life import serves

SMTP, LMTP, SUBMISSION, POP3 = "SERVICE_SMTP", "SERVICE_LMTP", "SERVICE_SUBMISSION", "SERVICE_POP3"
DIRECTORY, TRUSTED, LOCAL = "SERVICE_DIRECTORY", "SERVICE_TRUSTED", "SERVICE_LOCAL"
DELIVERY, RELAY = "SERVICE_DELIVERY", "SERVICE_RELAY"
ANI, BUDI = "ani@kantor.example", "budi@kantor.example"
NO_TICKET = bytes(TICKET)


@pytest.fixture(scope="module")
def house(workshop):
    office = workshop.office()
    office.allow("channel-refused")
    office.start()
    pids = {role: office.named(role)[0] for role in ("writer", "directory", "keys")}
    yield office
    assert pids == {role: office.named(role)[0] for role in pids}, "a role has died"
    assert serves(office)
    office.close()


def sent_away(house, role, channel, since, reason=""):
    """The channel ends without an answer, and one line says why."""
    assert channel.is_ended()
    channel.close()
    house.wait_log(f"channel-refused role={role} .*{reason}", since)
    told = [line for line in house.lines[since:] if "channel-refused" in line]
    assert len(told) == 1, told
    assert len(told[0]) < 300


def sign(digest, key_id=bytes(32), hash_id=4):
    return frame("REQUEST_SIGN", key_id + number(hash_id) + text(digest))


def delete(ticket, *ids, kind="REQUEST_DELETE"):
    return frame(kind, ticket + text(b"".join(number(one) for one in ids)))


# ---- what a service may not, and frames that are none

UNASKED = [
    ("writer", POP3, "REQUEST_PIECE REQUEST_DELIVER REQUEST_SUBMIT REQUEST_FORGET REQUEST_TICKET_KEY "
                     "REQUEST_LOGGED_IN REQUEST_NEW_HASH REQUEST_LOGIN REQUEST_SIGN"),
    ("writer", SMTP, "REQUEST_SUBMIT REQUEST_DELETE REQUEST_DELETE_MORE REQUEST_EVENT REQUEST_TICKET_KEY "
                     "REQUEST_LOGGED_IN REQUEST_NEW_HASH REQUEST_RESOLVE"),
    ("writer", LMTP, "REQUEST_SUBMIT REQUEST_DELETE REQUEST_EVENT REQUEST_TICKET_KEY"),
    ("writer", SUBMISSION, "REQUEST_DELIVER REQUEST_DELETE REQUEST_DELETE_MORE REQUEST_EVENT REQUEST_TICKET_KEY"),
    ("writer", TRUSTED, "REQUEST_DELETE REQUEST_DELETE_MORE REQUEST_EVENT REQUEST_TICKET_KEY REQUEST_LOGGED_IN"),
    ("writer", LOCAL, "REQUEST_SUBMIT REQUEST_DELETE REQUEST_DELETE_MORE REQUEST_EVENT REQUEST_TICKET_KEY"),
    ("directory", TRUSTED, "REQUEST_STORE_FILES REQUEST_TELL_DAMAGE REQUEST_SIGN REQUEST_TICKET_KEY"),
    ("directory", LOCAL, "REQUEST_LOGIN REQUEST_STORE_FILES REQUEST_TELL_DAMAGE REQUEST_TICKET_KEY"),
    ("directory", SMTP, "REQUEST_LOGIN REQUEST_STORE_FILES REQUEST_MAY_SEND REQUEST_TELL_DAMAGE REQUEST_DELETE REQUEST_TICKET_KEY"),
    ("directory", LMTP, "REQUEST_LOGIN REQUEST_STORE_FILES REQUEST_MAY_SEND"),
    ("directory", SUBMISSION, "REQUEST_STORE_FILES REQUEST_MAY_SEND REQUEST_TELL_DAMAGE REQUEST_SIGN"),
    ("directory", POP3, "REQUEST_RESOLVE REQUEST_MAY_SEND REQUEST_STORE_FILES REQUEST_TELL_DAMAGE REQUEST_DELIVER"),
    ("keys", POP3, "REQUEST_LOGIN REQUEST_DELIVER MASTER_KEY_FILE MASTER_KEY_TAKEN"),
    ("keys", SMTP, "REQUEST_TICKET_KEY MASTER_KEY_FILE REQUEST_SIGN_DKIM"),
    ("keys", LMTP, "REQUEST_SIGN_DKIM"),
    ("keys", SUBMISSION, "REQUEST_SIGN_DKIM"),
    ("keys", POP3, "REQUEST_SIGN_DKIM"),
    ("keys", DIRECTORY, "REQUEST_SIGN_DKIM"),
    ("keys", RELAY, "REQUEST_SIGN_DKIM"),
    ("keys", DELIVERY, "REQUEST_SIGN REQUEST_TICKET_KEY MASTER_DKIM_KEY MASTER_DKIM_TAKEN"),
]


@pytest.mark.parametrize("role, service, kind", [
    (role, service, kind) for role, service, kinds in UNASKED for kind in kinds.split()])
def test_what_a_service_may_not_ask_ends_its_channel(house, role, service, kind):
    since = len(house.lines)
    channel = Channel(house, role, service)
    channel.send(frame(kind))
    sent_away(house, role, channel, since)


NONE = {
    "the role's own words": frame(1),
    "settings": frame(2, bytes(4096)),
    "an error": frame(3),
    "an answer": frame("ANSWER_OK"),
    "an unknown type": frame(65535),
    "4 GB": b"\xff\xff\xff\xff\x14\x00\x00\x00",
    "one octet too long": b"\x01\x00\x10\x00\x14\x00\x00\x00",
    "descriptors that did not come": frame("REQUEST_RESOLVE", fds=4),
    "more descriptors than there can be": frame("REQUEST_RESOLVE", fds=65535),
    "hello again": hello(POP3),
    "hello of another": hello(DIRECTORY),
}


@pytest.mark.parametrize("role, service", [("writer", SMTP), ("directory", POP3), ("keys", POP3)])
@pytest.mark.parametrize("what", NONE)
def test_a_frame_that_is_none_ends_its_channel(house, role, service, what):
    since = len(house.lines)
    channel = Channel(house, role, service)
    channel.send(NONE[what])
    sent_away(house, role, channel, since)


FIRST = {
    "no hello": frame("REQUEST_TICKET_KEY"),
    "no service": hello(len(SERVICES)),
    "an account that is none": hello(LOCAL, "unix:"),
    "no account": hello(LOCAL, "unix"),
    "an account from afar": hello(LOCAL, "203.0.113.5"),
    "an account of another service": hello(TRUSTED, "unix:root"),
    "service 2^32 + 3": hello(2**32 + 3),
    "from nowhere": hello(POP3, "nowhere"),
    "a long address": hello(POP3, "1" * 5000),
    "an empty one": frame("REQUEST_HELLO"),
    "too much of it": frame("REQUEST_HELLO", number(0) + text("unix") + b"x"),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("role", ["writer", "directory", "keys"])
@pytest.mark.parametrize("what", FIRST)
def test_who_does_not_begin_with_a_good_hello_is_sent_away(house, role, what):
    since = len(house.lines)
    channel = Channel(house, role)
    channel.send(FIRST[what])
    sent_away(house, role, channel, since)


FIELDS = {
    "a short piece": ("writer", SMTP, frame("REQUEST_PIECE", b"x" * 17)),
    "a piece and one": ("writer", SMTP, frame("REQUEST_PIECE", bytes(256 * 1024 + 1))),
    "no envelope": ("writer", SMTP, frame("REQUEST_DELIVER")),
    "lengths past the end": ("writer", SMTP, frame("REQUEST_DELIVER", b"\xff" * 64)),
    "2^61 recipients": ("writer", LMTP, frame("REQUEST_DELIVER", text("") + number(2**61))),
    "2,001 recipients": ("writer", LMTP, frame("REQUEST_DELIVER", text("") + number(2001) + text("x") * 2001)),
    "octets behind": ("writer", SMTP, frame("REQUEST_DELIVER", delivery("a@b.example", ANI, "x")[8:] + b"more")),
    "a queue id with a NUL": ("writer", SMTP, frame("REQUEST_DELIVER", text("") + number(0) + text("")
                                                  + text("ABC\0") + text("unix") + number(0) + text(""))),
    "half a ticket": ("writer", POP3, frame("REQUEST_DELETE", bytes(30))),
    "a login without a password": ("directory", POP3, frame("REQUEST_LOGIN", text(ANI))),
    "a login with more": ("directory", POP3, frame("REQUEST_LOGIN", text(ANI) + text("x") + b"more")),
    "no address": ("directory", SMTP, frame("REQUEST_RESOLVE")),
    "an address past the end": ("directory", SMTP, frame("REQUEST_RESOLVE", number(2**63) + number(0))),
    "no digest": ("keys", POP3, frame("REQUEST_SIGN")),
    "a digest of 65 octets": ("keys", POP3, sign(bytes(65))),
    "no digest of mail": ("keys", DELIVERY, frame("REQUEST_SIGN_DKIM", text("office"))),
    "a digest of 33 octets": ("keys", DELIVERY, frame("REQUEST_SIGN_DKIM", text("office") + bytes(33))),
    "a selector of 400 letters": ("keys", DELIVERY, frame("REQUEST_SIGN_DKIM", text("x" * 400) + bytes(32))),
    "a digest past the end": ("keys", POP3, frame("REQUEST_SIGN", bytes(32) + number(4) + number(2**64 - 1))),
}


@pytest.mark.parametrize("what", FIELDS)
def test_fields_that_do_not_fit_end_the_channel(house, what):
    role, service, octets = FIELDS[what]
    since = len(house.lines)
    channel = Channel(house, role, service)
    channel.send(octets)
    sent_away(house, role, channel, since)


@pytest.mark.parametrize("role", ["writer", "directory", "keys"])
def test_a_descriptor_is_never_taken(house, role):
    """Not even opened: closing a file that is under lock would end the lock."""
    since = len(house.lines)
    held = len(os.listdir(f"/proc/{house.named(role)[0]}/fd")) if os.geteuid() == 0 else None
    channel = Channel(house, role, POP3)
    fds = array.array("i", [0] * 4)
    channel.sock.sendmsg([frame("REQUEST_RESOLVE", fds=4)],
                         [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    sent_away(house, role, channel, since, "descriptors")
    assert held is None or len(os.listdir(f"/proc/{house.named(role)[0]}/fd")) == held


@pytest.mark.parametrize("role, service", [("writer", SMTP), ("directory", SMTP), ("keys", POP3)])
def test_half_a_frame_and_the_end_is_no_frame_and_no_news(house, role, service):
    since = len(house.lines)
    for octets in (b"", b"\x00", frame("REQUEST_RESOLVE", bytes(100))[:50], frame("REQUEST_PIECE", bytes(99999))[:-1]):
        channel = Channel(house, role, service)
        channel.send(octets)
        channel.sock.shutdown(socket.SHUT_WR)
        assert channel.is_ended()
        channel.close()
    assert not [line for line in house.lines[since:] if "refused" in line]


@pytest.mark.parametrize("role, service, question", [
    ("directory", SMTP, frame("REQUEST_RESOLVE", text("x" * 1000 + "@kantor.example") + number(0))),
    ("directory", POP3, frame("REQUEST_LOGIN", text("x") + text("y"))),
    ("writer", SMTP, delivery("a@b.example", "nobody@kantor.example", "x\r\n")),
    ("writer", POP3, delete(NO_TICKET)),
    ("keys", POP3, sign(bytes(32))),
])
def test_10_000_questions_without_reading_an_answer_are_one_line_in_the_log(house, role, service, question):
    since = len(house.lines)
    channel = Channel(house, role, service)
    channel.send(question * 10000)
    house.wait_log(f"channel-refused role={role}", since)
    channel.close()
    assert serves(house)
    assert len([line for line in house.lines[since:] if "channel-refused" in line]) == 1
    assert len([line for line in house.lines[since:] if "auth-failed" in line]) <= 5


# ---- tickets


@pytest.fixture
def mailboxes(house):
    """A letter for each of two, and what a login of theirs brings."""
    house.deliver(letter(1), [ANI, BUDI])
    found = {name: log_in(house, name) for name in ("ani", "budi")}
    yield found
    for channel, _, _ in found.values():
        channel.close()
    for name in ("ani", "budi"):
        house.fetch(name, delete=True)


def changed(ticket, at, octets=None):
    octets = octets or bytes([ticket[at] ^ 1])
    return ticket[:at] + octets + ticket[at + len(octets):]


FORGED = {
    "none": lambda hers, his: NO_TICKET,
    "of another service": lambda hers, his: changed(hers, 0),
    "of another account": lambda hers, his: changed(hers, 8, his[8:16]),
    "of another folder": lambda hers, his: changed(hers, 16, his[16:24]),
    "of a device": lambda hers, his: changed(hers, 24, number(1)),
    "with more time": lambda hers, his: changed(hers, 32, number(2**62)),
    "past its time": lambda hers, his: changed(hers, 32, number(1)),
    "with an octet of its MAC changed": lambda hers, his: changed(hers, TICKET - 1),
    "without its MAC": lambda hers, his: hers[:TICKET - 32] + bytes(32),
    "two halves": lambda hers, his: hers[:TICKET - 32] + his[TICKET - 32:],
}


@pytest.mark.parametrize("kind", ["REQUEST_DELETE", "REQUEST_DELETE_MORE", "REQUEST_EVENT"])
@pytest.mark.parametrize("what", FORGED)
def test_a_ticket_that_the_directory_did_not_make_does_nothing(house, mailboxes, what, kind):
    (_, hers, ids), (_, his, _) = mailboxes["ani"], mailboxes["budi"]
    ticket = FORGED[what](hers, his)
    since = len(house.lines)
    channel = Channel(house, "writer", POP3)
    channel.send(frame(kind, ticket + text("retrieved=1")) if kind == "REQUEST_EVENT" else
                 delete(ticket, *ids, kind=kind))
    sent_away(house, "writer", channel, since, "ticket")
    assert len(house.mails(ANI)) == len(ids)


def test_a_ticket_reaches_no_other_s_mail(house, mailboxes):
    (_, hers, own), (_, _, other) = mailboxes["ani"], mailboxes["budi"]
    for ids in (other, [*sorted([*own, *other])], [0], [2**62], [2**63], [2**64 - 1], own * 2):
        since = len(house.lines)
        channel = Channel(house, "writer", POP3)
        channel.send(delete(hers, *ids))
        sent_away(house, "writer", channel, since)
    assert (len(house.mails(ANI)), len(house.mails(BUDI))) == (len(own), len(other))


@pytest.mark.parametrize("service, kind", [(SUBMISSION, POP3), (POP3, SUBMISSION)])
def test_a_ticket_is_good_for_its_service_alone(house, mailboxes, service, kind):
    login, ticket, _ = log_in(house, "ani", service)
    since = len(house.lines)
    channel = Channel(house, "writer", kind)
    channel.send(delete(ticket, *mailboxes["ani"][2]) if kind == POP3 else
                 delivery(ANI, BUDI, f"From: {ANI}\r\n\r\nx\r\n", ticket))
    sent_away(house, "writer", channel, since, "another service")
    login.close()
    assert len(house.mails(ANI)) == len(mailboxes["ani"][2])


@pytest.mark.parametrize("sender, author", [(BUDI, ANI), (ANI, BUDI), ("", BUDI), ("x@luar.example", ANI)])
def test_a_submission_goes_out_under_its_user_s_name_alone(house, sender, author):
    login, ticket, _ = log_in(house, "ani", SUBMISSION)
    before = len(house.mails(BUDI))
    since = len(house.lines)
    channel = Channel(house, "writer", SUBMISSION)
    channel.send(delivery(sender, BUDI, f"From: {author}\r\n\r\nx\r\n", ticket))
    sent_away(house, "writer", channel, since)
    login.close()
    assert len(house.mails(BUDI)) == before


@pytest.mark.parametrize("service, sender, author", [
    (TRUSTED, "pak@luar.example", ANI), (TRUSTED, ANI, "pak@luar.example"), (TRUSTED, ANI, f"{ANI}, pak@luar.example"),
    (TRUSTED, "www-data@mail.kantor.example", ANI), (LOCAL, "pak@luar.example", ANI), (LOCAL, "", "pak@luar.example"),
    (LOCAL, "root@mail.kantor.example", ANI), (LOCAL, "www-data@mail.kantor.example", "root@mail.kantor.example")])
def test_who_is_trusted_sends_from_our_domains_alone(house, service, sender, author):
    before = len(house.mails(BUDI))
    since = len(house.lines)
    channel = Channel(house, "writer", service)
    channel.send(delivery(sender, BUDI, f"From: {author}\r\n\r\nx\r\n"))
    sent_away(house, "writer", channel, since, "no address of our domains")
    assert len(house.mails(BUDI)) == before


@pytest.mark.parametrize("service, sender, author", [
    (TRUSTED, "mesin@kantor.example", BUDI), (TRUSTED, "", "mesin@cabang.example"), (LOCAL, BUDI, ANI),
    (LOCAL, "www-data@mail.kantor.example", "www-data@mail.kantor.example")])
def test_who_is_trusted_sends_as_any_of_our_domains(house, service, sender, author):
    before = len(house.mails(BUDI))
    channel = Channel(house, "writer", service)
    channel.send(delivery(sender, BUDI, f"From: {author}\r\n\r\nx\r\n"))
    kind, body = channel.answer()
    assert (kind, body) == (TYPES["ANSWER_OK"], number(0))
    channel.close()
    assert len(house.mails(BUDI)) == before + 1


def test_who_is_trusted_puts_nothing_but_a_trace_in_front(house):
    since = len(house.lines)
    channel = Channel(house, "writer", LOCAL)
    channel.send(delivery(ANI, BUDI, f"From: {ANI}\r\n\r\nx\r\n", received="From: pak@luar.example\r\n"))
    sent_away(house, "writer", channel, since, "more than its trace")


def test_a_ticket_from_a_trusted_address_is_its_user_s(house):
    """Who logs in is himself, however much his address is trusted."""
    login, ticket, _ = log_in(house, "ani", TRUSTED)
    since = len(house.lines)
    channel = Channel(house, "writer", TRUSTED)
    channel.send(delivery(ANI, BUDI, f"From: {ANI}\r\n\r\nx\r\n", ticket))
    assert channel.answer() == (TYPES["ANSWER_OK"], number(0))
    channel.send(delivery(BUDI, ANI, f"From: {BUDI}\r\n\r\nx\r\n", ticket))
    sent_away(house, "writer", channel, since, "does not go to who sends")
    login.close()


@pytest.mark.parametrize("received", [
    f"From: {BUDI}\r\n", f"Received: by us\r\nFrom: {BUDI}\r\n", f"From {BUDI}\r\nReceived: by us\r\n", "",
    f"Received: by us\r\n\r\nFrom: {BUDI}\r\n", f"Received: by us\rFrom: {BUDI}\r\n", f"Received: by us\nFrom: {BUDI}\r\n",
    "Received: by us", f"Received: by us\r\nFrom: {BUDI}"])
def test_no_other_author_comes_in_with_the_trace(house, received):
    """What the writer puts in front of a submitted message is one Received field."""
    login, ticket, _ = log_in(house, "ani", SUBMISSION)
    before = len(house.mails(BUDI))
    since = len(house.lines)
    channel = Channel(house, "writer", SUBMISSION)
    channel.send(delivery(ANI, BUDI, f"From: {ANI}\r\n\r\nx\r\n", ticket, received))
    sent_away(house, "writer", channel, since)
    login.close()
    assert len(house.mails(BUDI)) == before


def test_mail_is_filed_for_addresses_alone(house):
    """A mailbox number, a folder's name or SQL are no address."""
    before = [len(house.mails(address)) for address in (ANI, BUDI)]
    for address in ("1", "Inbox", "' OR 1=1 --", "", "ani", "ani@", "@kantor.example", ANI + "\0", "x@luar.example"):
        channel = Channel(house, "writer", SMTP)
        channel.send(delivery("a@b.example", address, "x\r\n"))
        kind, body = channel.answer()
        assert kind == TYPES["ANSWER_OK"] and body != number(0), address
        channel.close()
    assert [len(house.mails(address)) for address in (ANI, BUDI)] == before


def test_the_list_of_a_mailbox_and_the_store_come_to_no_channel_but_the_login_s_own(house, mailboxes):
    channel, _, _ = mailboxes["ani"]
    since = len(house.lines)
    stranger = Channel(house, "directory", POP3)
    stranger.send(frame("REQUEST_STORE_FILES"))
    sent_away(house, "directory", stranger, since, "before a login")
    channel.send(frame("REQUEST_STORE_FILES"))
    _, fds, _, _ = socket.recv_fds(channel.sock, 8, 4)
    assert len(fds) == 3
    for fd in fds:
        with pytest.raises(OSError):
            os.write(fd, b"x")
        os.close(fd)
    since = len(house.lines)
    channel.send(frame("REQUEST_LOGIN", text(BUDI) + text("rahasia-budi")))
    sent_away(house, "directory", channel, since, "out of turn")


# ---- the key


def test_the_keys_role_signs_nothing_that_is_no_digest_of_a_handshake_s_and_once(house):
    since = len(house.lines)
    for octets in (sign(bytes(32)), sign(b"", hash_id=0), sign(bytes(31)), sign(bytes(20), hash_id=2)):
        channel = Channel(house, "keys", POP3)
        channel.send(octets)
        kind, _ = channel.answer()
        assert kind == 3, "an error"
        assert not [line for line in house.lines[since:] if "refused" in line]
        channel.send(octets)
        assert channel.is_ended()
        house.wait_log("channel-refused role=keys .*second signature", since)
        since = len(house.lines)
        channel.close()


def test_a_ticket_of_before_a_restart_is_worth_nothing(neighbour):
    neighbour.allow("channel-refused")
    neighbour.start()
    neighbour.deliver(letter(1))
    login, ticket, ids = log_in(neighbour)
    login.close()
    neighbour.restart()
    since = len(neighbour.lines)
    channel = Channel(neighbour, "writer", POP3)
    channel.send(delete(ticket, *ids))
    sent_away(neighbour, "writer", channel, since, "not one of ours")
    assert len(neighbour.mails(ANI)) == 1


def test_nobody_but_the_account_comes_to_the_roles_sockets(house):
    run = house.data / "run"
    assert run.stat().st_mode & 0o777 == 0o700
    for name in ("writer", "directory", "keys", "writer.waiting", "directory.waiting", "keys.waiting"):
        assert (run / name).stat().st_mode & 0o777 == 0o600


def test_who_dies_before_the_store_s_files_come_is_no_error(served):
    """The log of the fixture holds none."""
    channel, *_ = log_in(served)
    for pid in served.named("directory"):
        os.kill(pid, signal.SIGSTOP)
    channel.send(frame("REQUEST_STORE_FILES"))
    channel.sock.close()
    for pid in served.named("directory"):
        os.kill(pid, signal.SIGCONT)
    log_in(served, "budi")
