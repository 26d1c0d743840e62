"""What comes before, inside and instead of a TLS handshake."""

import select
import socket
import ssl
import struct
import subprocess

import pytest

from hostile import Pop3, Smtp, answered, deliver, open_house, take, taken
from office import PASSWORDS, PORTS
from wire import client_context


@pytest.fixture(scope="module")
def office(workshop):
    yield from open_house(workshop, [("pop3d", "require_tls", "no")])


@pytest.fixture(scope="module")
def strict(workshop):
    """The same with require_tls, as offices have it."""
    office = workshop.office()
    office.set("pop3d", "require_tls", "yes")
    office.start()
    yield office
    office.close()


def over_tls(session, line):
    """STARTTLS or STLS and the handshake, on a session in the clear."""
    reply = session.ask(line)
    assert str(reply).startswith("220") if isinstance(session, Smtp) else reply.startswith(b"+OK")
    session.wire.start_tls()
    return session


def smtp_tls(office):
    session = over_tls(Smtp(office), b"STARTTLS")
    assert session.ask(b"EHLO penguji.example").code == 250
    return session


# ---- octets before the handshake


@pytest.mark.parametrize("behind", [
    b"NOOP\r\n", b"N", b"\r\n", b"\0", b"RSET\r\nEHLO x\r\n",
    b"MAIL FROM:<a@luar.example>\r\nRCPT TO:<ani@kantor.example>\r\nDATA\r\n",
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"a" * 190, b"STARTTLS\r\n", b"x" * 100_000
], ids=lambda behind: repr(behind[:16]))
def test_octets_behind_starttls_are_554_and_the_end(office, behind):
    session = Smtp(office)
    session.send(b"STARTTLS\r\n" + behind)
    answered(session.read(), "554")
    session.closed()


@pytest.mark.parametrize("behind", [
    b"CAPA\r\n", b"C", b"\r\n", b"USER ani\r\nPASS x\r\n", b"STLS\r\n",
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"a" * 190, b"x" * 100_000
], ids=lambda behind: repr(behind[:16]))
def test_octets_behind_stls_are_an_error_and_the_end(office, behind):
    session = Pop3(office)
    session.send(b"STLS\r\n" + behind)
    assert session.read().startswith(b"-ERR")
    session.closed()


# ---- what the handshake forgets


@pytest.mark.parametrize("command", [b"MAIL FROM:<a@luar.example>", b"RCPT TO:<ani@kantor.example>", b"DATA"],
                         ids=repr)
def test_after_starttls_the_ehlo_is_forgotten(office, command):
    session = over_tls(Smtp(office), b"STARTTLS")
    answered(session.ask(command), "503")
    session.leave()


def test_starttls_is_refused_in_a_transaction(office):
    session = Smtp(office)
    session.begin()
    answered(session.ask(b"STARTTLS"), "503")
    session.leave()
    assert taken(office) == []


def test_after_stls_the_user_is_forgotten(office):
    session = Pop3(office)
    session.ok(b"USER ani@kantor.example")
    over_tls(session, b"STLS")
    session.err(b"PASS " + PASSWORDS["ani"].encode())
    session.leave()


@pytest.mark.parametrize("again", ["smtp", "pop3", "pop3s"])
def test_tls_within_tls_is_answered(office, again):
    if again == "smtp":
        session = smtp_tls(office)
        assert "STARTTLS" not in session.ask(b"EHLO again").text
        answered(session.ask(b"STARTTLS"), "503", "502", "454", "500")
    else:
        session = Pop3(office, service=again)
        if again == "pop3":
            over_tls(session, b"STLS")
        assert b"STLS" not in session.block(b"CAPA")
        session.err(b"STLS")
    session.leave()


def test_stls_behind_the_login_is_answered(office):
    session = Pop3(office, "ani")
    session.err(b"STLS")
    session.leave()


@pytest.mark.parametrize("argument", [b"x", b"NOOP", b"TLS1.2"], ids=repr)
def test_starttls_takes_no_argument(office, argument):
    session = Smtp(office)
    answered(session.ask(b"STARTTLS " + argument), "501")
    session.leave()


# ---- before TLS, no password


@pytest.mark.parametrize(
    "command", [b"USER ani@kantor.example", b"AUTH PLAIN", b"AUTH PLAIN AGFuaQB4", b"AUTH LOGIN", b"PASS x"],
    ids=repr)
def test_before_tls_no_login_is_offered_nor_taken(strict, command):
    session = Pop3(strict)
    words = session.block(b"CAPA")
    assert b"STLS" in words and not any(word.startswith((b"USER", b"SASL")) for word in words)
    told = session.err(command)
    if not command.startswith(b"PASS"):
        assert b"[SYS/PERM]" in told
    over_tls(session, b"STLS")
    words = session.block(b"CAPA")
    assert b"USER" in words and any(word.startswith(b"SASL") and b"PLAIN" in word.split() for word in words)
    assert session.login("ani@kantor.example", PASSWORDS["ani"]).startswith(b"+OK")
    session.leave()


# ---- handshakes that are none

NO_HELLOS = [
    b"EHLO plain.example\r\n", b"\0" * 600, b"\x16\x03\x01\xff\xff" + b"a" * 70_000,
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", b"\x80\x2e\x01\x00\x02" + b"\0" * 50,
    b"\x15\x03\x01\x00\x02\x02\x28", b"\x17\x03\x03\x00\x05hello",
    b"\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00" + b"\1" * 41,
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"\xff" * 196, b"\x14\x03\x03\x00\x01\x01",
    b"GET / HTTP/1.1\r\n\r\n"
]


@pytest.mark.parametrize("where", ["pop3s", "stls", "starttls"])
@pytest.mark.parametrize("hello", NO_HELLOS, ids=lambda hello: repr(hello[:12]))
def test_what_is_no_client_hello_ends_the_connection(office, where, hello):
    wire = no_handshake(office, where)
    wire.send(hello)
    wire.finish_sending()
    while not wire.at_end():
        # An alert record at most: never a word of the protocol.
        record = wire.octets(5)
        assert record[0] in (0x15, 0x16), record
        wire.octets(int.from_bytes(record[3:5], "big"))
    wire.close()


def no_handshake(office, where):
    """A connection on which the next octet should be a ClientHello's first."""
    if where == "pop3s":
        return office.connect("pop3s", raw=True)
    session = Pop3(office) if where == "stls" else Smtp(office)
    session.ask(where.encode())
    return session.wire


def failing_context(kind):
    context = client_context()
    if kind == "TLS 1.1":
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    elif kind == "TLS 1.3 alone":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    elif kind == "no forward secrecy":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-GCM-SHA256:AES256-SHA:@SECLEVEL=0")
    elif kind == "no encryption":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("eNULL:@SECLEVEL=0")
    elif kind == "anonymous":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")
    else:
        context.load_default_certs()
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # that it is old is the point
@pytest.mark.parametrize("where", ["pop3s", "stls", "starttls"])
@pytest.mark.parametrize("kind", [
    "TLS 1.1", "TLS 1.3 alone", "no forward secrecy", "no encryption", "anonymous",
    "a client that does not trust us"
])
def test_a_handshake_that_cannot_be_fails_and_nothing_else_does(office, where, kind):
    wire = no_handshake(office, where)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        wire.start_tls(failing_context(kind))
    wire.close()
    deliver(office, b"Subject: after\r\n\r\n")
    assert taken(office) == [b"Subject: after\r\n\r\n"]


def test_tls_1_2_is_what_is_spoken(office):
    wire = office.connect("pop3s")
    assert wire.sock.version() == "TLSv1.2"
    assert wire.sock.cipher()[0].startswith("ECDHE-")
    wire.close()


@pytest.mark.parametrize("cipher", [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA"
])
def test_every_suite_that_is_offered_works(office, cipher):
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher + ":@SECLEVEL=0")
    wire = office.connect("pop3s", raw=True)
    wire.start_tls(context)
    assert wire.line().startswith(b"+OK")
    wire.close()


@pytest.mark.parametrize("where", [["-connect", "pop3s"], ["-connect", "pop3", "-starttls", "pop3"],
                                   ["-connect", "smtp", "-starttls", "smtp"]],
                         ids=lambda where: where[-1])
def test_a_client_may_not_renegotiate(office, where):
    """openssl's R asks for a new handshake; where none is granted it gives up."""
    words = [
        f"{office.address}:{PORTS[word]}" if previous == "-connect" else word
        for previous, word in zip([None, *where], where)
    ]
    client = subprocess.Popen(["openssl", "s_client", "-tls1_2", "-legacy_renegotiation", *words],
                              stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    told = b""
    # On pop3s the greeting comes behind all that openssl has to say of the handshake.
    while b"Verify return code" not in told or where[-1] == "pop3s" and b"+OK" not in told:
        line = client.stdout.readline()
        assert line, told
        told += line
    client.stdin.write(b"R\n")
    client.stdin.flush()
    rest, _ = client.communicate(timeout=60)
    assert b"RENEGOTIATING" in told + rest and b"no renegotiation" in told + rest, rest


@pytest.mark.parametrize("how", ["fin", "reset", "garbage", "truncated record"])
def test_a_tls_connection_that_ends_badly_deletes_nothing(office, how):
    deliver(office, b"Subject: kept\r\n\r\n")
    session = Pop3(office, "ani", service="pop3s")
    session.ok(b"DELE 1")
    raw = socket.socket(fileno=session.wire.sock.detach())
    if how == "garbage":
        raw.sendall(b"QUIT\r\n" * 10)
    elif how == "truncated record":
        raw.sendall(b"\x17\x03\x03\x40\x00" + b"x" * 100)
    if how == "reset":
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        raw.settimeout(60)
        try:
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass
        except OSError:
            pass  # the server was quicker to hang up
    raw.close()
    assert taken(office) == [b"Subject: kept\r\n\r\n"]


def test_a_body_over_tls_is_the_same_as_in_the_clear(office):
    body = b"Subject: tls\r\n\r\n" + b"".join(b"." * (n % 4) + b"%d" % n * (n % 60) + b"\r\n"
                                              for n in range(30_000))
    session = smtp_tls(office)
    session.begin()
    assert session.data(body.replace(b"\r\n.", b"\r\n..") + b".\r\n").code == 250
    session.leave()
    [(trace, message)] = take(office)
    assert message == body and b"ESMTPS" in trace.received


# ---- slow clients


def test_a_handshake_not_done_in_ten_seconds_is_closed(office):
    """All in one test, since each waits the ten seconds."""
    waiting = {}
    for where in ("pop3s", "stls", "starttls"):
        for name, octets in {
                "silence": b"",
                "half a ClientHello": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"a" * 60,
                "a record's head": b"\x16\x03"
        }.items():
            wire = no_handshake(office, where)
            wire.send(octets)
            waiting[wire.sock] = f"{name} on {where}"
    deliver(office, b"Subject: meanwhile\r\n\r\n")
    assert taken(office) == [b"Subject: meanwhile\r\n\r\n"]
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], 60)
        assert ready, f"still open after a minute: {list(waiting.values())}"
        for sock in ready:
            try:
                octets = sock.recv(4096)
            except ConnectionError:
                octets = b""
            if not octets:
                del waiting[sock]
                sock.close()
            else:
                assert octets[0] == 0x15, octets  # an alert, no word in the clear


def test_an_octet_now_and_then_does_not_stretch_the_ten_seconds(office):
    wire = office.connect("pop3s", raw=True)
    hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"a" * 190
    for octet in hello:
        wire.send(bytes([octet]))
        ready, _, _ = select.select([wire.sock], [], [], 0.2)  # 40 s if it were let
        if ready:
            break
    assert ready, "the whole slow hello was waited for"
    wire.close()
