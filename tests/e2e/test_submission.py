"""Mail of staff: the programs that send it, and what it may be. (RFC 6409)"""

import os
import signal
import smtplib
from urllib.parse import quote

import pytest

from hostile import ANI, Smtp, answered
from letters import stored_form, without_trace
from office import HOSTNAME, PASSWORDS, PORTS, wait_until
from test_clients import private_file, run, with_lf
from wire import client_context

BUDI = "budi@kantor.example"
PIECE = 256 * 1024
LIMIT = 1024 * 1024
USER, PASSWORD = "ani@kantor.example", PASSWORDS["ani"]
LETTER = (b"From: Ani <ani@kantor.example>\r\nTo: budi@kantor.example\r\nSubject: rapat\r\n"
          b"Date: Mon, 23 Nov 2026 10:00:00 +0700\r\nMessage-ID: <satu@pc-ani.lan>\r\n\r\njam dua\r\n")


def budis(office):
    return [without_trace(message) for message in office.fetch("budi")]


# ---- programs


WAYS = {"starttls": "submission", "tls": "submissions"}


@pytest.mark.parametrize("way", WAYS)
def test_curl_submits(served, way):
    letter = private_file(served, "letter", LETTER.decode())
    scheme = {"starttls": "smtp", "tls": "smtps"}[way]
    run(served, "curl", "-sS", f"{scheme}://{served.address}:{PORTS[WAYS[way]]}/laptop", "--ssl-reqd", "--insecure",
        "--user", f"{USER}:{PASSWORD}", "--mail-from", USER, "--mail-rcpt", BUDI, "-T", letter)
    assert budis(served) == [LETTER]


@pytest.mark.parametrize("mechanism", ["plain", "login"])
@pytest.mark.parametrize("way", WAYS)
def test_msmtp_submits(served, way, mechanism):
    port = PORTS[WAYS[way]]
    rc = private_file(served, "msmtprc", (
        f"account office\nhost {served.address}\nport {port}\nuser {USER}\npassword {PASSWORD}\nauth {mechanism}\n"
        f"from {USER}\ntls on\ntls_certcheck off\ntls_starttls {'on' if way == 'starttls' else 'off'}\n"
        "set_date_header off\n"))
    run(served, "msmtp", "-C", rc, "-a", "office", BUDI, stdin=with_lf(LETTER))
    assert budis(served) == [LETTER]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("way", WAYS)
def test_swaks_submits(served, way, mechanism):
    letter = private_file(served, "letter", with_lf(LETTER).decode())
    run(served, "swaks", "--server", served.address, "--port", PORTS[WAYS[way]],
        {"starttls": "--tls", "tls": "--tls-on-connect"}[way], "--auth", mechanism,
        "--auth-user", USER, "--auth-password", PASSWORD, "--helo", "laptop", "--from", USER, "--to", BUDI,
        "--data", f"@{letter}")
    assert [message.rstrip() for message in budis(served)] == [LETTER.rstrip()]


@pytest.mark.parametrize("mechanism", ["plain", "login"])
@pytest.mark.parametrize("way", WAYS)
def test_s_nail_submits(served, way, mechanism):
    scheme, tls = {"starttls": ("submission", ["-S", "smtp-use-starttls"]), "tls": ("smtps", [])}[way]
    run(served, "s-nail", "-:/", "-S", "v15-compat=yes", "-S", "sendwait", "-S", "tls-verify=ignore", *tls,
        "-S", f"mta={scheme}://{quote(USER, safe='')}:{PASSWORD}@{served.address}:{PORTS[WAYS[way]]}",
        "-S", f"smtp-auth={mechanism}", "-S", "hostname=laptop.example", "-r", USER, "-s", "dari s-nail",
        "-b", "citra@kantor.example", BUDI, stdin=b"halo\n")
    for name in ("budi", "citra"):
        (message,) = served.fetch(name)
        header, _, body = message.partition(b"\r\n\r\n")
        assert b"\r\nSubject: dari s-nail\r\n" in header and b"citra" not in header.partition(b"\r\nFrom: ")[2]
        assert body == b"halo\r\n"


def smtplib_session(office, way):
    if way == "tls":
        return smtplib.SMTP_SSL(office.address, PORTS["submissions"], context=client_context())
    smtp = smtplib.SMTP(office.address, PORTS["submission"])
    smtp.ehlo()
    assert not smtp.has_extn("auth")
    smtp.starttls(context=client_context())
    return smtp


@pytest.mark.parametrize("initial_response", [True, False], ids=["at once", "when asked"])
@pytest.mark.parametrize("mechanism", ["plain", "login"])
@pytest.mark.parametrize("way", WAYS)
def test_smtplib_submits_what_a_mail_program_left_unfinished(served, way, mechanism, initial_response):
    with smtplib_session(served, way) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = USER, PASSWORD
        smtp.auth(mechanism, getattr(smtp, f"auth_{mechanism}"), initial_response_ok=initial_response)
        smtp.sendmail(USER, [BUDI, "citra@kantor.example"], b"From: ani@kantor.example\r\nBcc: citra@kantor.example\r\n\r\nisi\r\n")
    for name in ("budi", "citra"):
        (message,) = served.fetch(name)
        header = without_trace(message).split(b"\r\n\r\n")[0]
        assert b"Bcc" not in header and b"\r\nDate: " in header
        assert f"@{HOSTNAME}>".encode() in header
        assert served.address.encode() not in header and b"127.0.0.1" not in message


# ---- messages


@pytest.mark.parametrize("size", [262_000, 262_144, 262_300, 3_000_000])
def test_a_big_message_is_mended_and_otherwise_whole(served, size):
    body = b"".join(b"%09d\r\n" % n for n in range(size // 11))
    session = Smtp(served, "submissions")
    session.begin(b"budi@kantor.example")
    answered(session.data(b"Bcc: x@luar.example\r\n" + LETTER + body + b".\r\n"), "250")
    session.leave()
    assert budis(served) == [stored_form(LETTER + body)]


def test_a_header_longer_than_a_piece_is_refused_and_the_next_is_taken(served):
    session = Smtp(served, "submissions")
    session.begin(b"budi@kantor.example")
    answered(session.data(b"From: ani@kantor.example\r\n" + b"X-Long: %s\r\n" % (b"x" * 900) * 400 + b"\r\nisi\r\n.\r\n"), "552 5.3.4")
    session.begin(b"budi@kantor.example")
    answered(session.data(LETTER + b".\r\n"), "250")
    session.leave()
    assert budis(served) == [LETTER]


@pytest.mark.parametrize("missing", [0, 10, 60, 200])
def test_a_header_that_is_mended_past_a_piece_is_refused_too(served, missing):
    """Date and Message-ID come to it, and the writer sees no more of it than a piece."""
    session = Smtp(served, "submissions")
    session.begin(b"budi@kantor.example")
    header = b"From: ani@kantor.example\r\n" + b"X-Long: %s\r\n" % (b"x" * 90) * 2600
    header += b"X-Last: %s\r\n\r\n" % (b"x" * (PIECE - missing - len(header) - len(b"X-Last: \r\n\r\n")))
    assert len(header) == PIECE - missing
    answered(session.data(header + b"isi\r\n.\r\n"), "552 5.3.4")
    session.leave()


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1])
@pytest.mark.parametrize("way", ["DATA", "BDAT"])
def test_what_is_added_to_a_message_does_not_make_it_too_big(office, size, way):
    office.set("smtpd", "max_message", LIMIT)
    office.start()
    letter = b"From: ani@kantor.example\r\n\r\n"
    letter += b"%08d\r\n" % 0 * ((size - len(letter)) // 10 - 1)
    letter += b"x" * (size - len(letter) - 2) + b"\r\n"
    session = Smtp(office, "submissions")
    session.begin(b"budi@kantor.example")
    if way == "DATA":
        reply = session.data(letter + b".\r\n")
    else:
        half = size // 2
        session.send(b"BDAT %d\r\n" % half + letter[:half] + b"BDAT %d LAST\r\n" % (size - half) + letter[half:])
        answered(session.read(), "250")
        reply = session.read()
    answered(reply, "250" if size <= LIMIT else "552 5.3.4")
    session.leave()
    assert [message.split(b"\r\n\r\n", 1)[1] for message in budis(office)] == (
        [letter.split(b"\r\n\r\n", 1)[1]] if size <= LIMIT else [])


def test_a_right_to_an_address_ends_with_the_alias(served):
    session = Smtp(served, "submissions")
    session.begin(b"budi@kantor.example", sender=b"penjualan@kantor.example")
    session.ask(b"RSET")
    served.run("alias", "remove", "penjualan@kantor.example", "ani@kantor.example")
    answered(session.ask(b"MAIL FROM:<penjualan@kantor.example>"), "553 5.7.1")
    session.leave()


def test_who_was_allowed_to_sends_as_a_colleague_and_as_an_address_outside(served):
    session = Smtp(served, "submissions")
    answered(session.ask(b"MAIL FROM:<citra@kantor.example>"), "553 5.7.1")
    served.run("user", "allow-from", ANI.decode(), "citra@kantor.example", "Ani.Wijaya@luar.example")
    for other in (b"citra@kantor.example", b"ani.wijaya@Luar.example"):
        session.begin(b"budi@kantor.example", sender=other)
        answered(session.data(LETTER.replace(b"<ani@kantor.example>", b"<%s>" % other) + b".\r\n"), "250")
    served.run("user", "allow-from", ANI.decode(), "citra@kantor.example", "--remove")
    session.begin(b"budi@kantor.example")
    letter = LETTER.replace(b"<ani@kantor.example>", b"<citra@kantor.example>")
    answered(session.data(letter + b".\r\n"), "550 5.7.1")
    session.leave()
    assert len(budis(served)) == 2


def test_a_session_that_was_logged_in_files_nothing_once_the_writer_is_another(served):
    """The new writer does not believe the old one's tickets."""
    served.allow("role-died|login-failed")
    session = Smtp(served, "submissions")
    session.begin(b"budi@kantor.example")
    answered(session.data(LETTER + b".\r\n"), "250")  # so the writer has taken the session's channel
    session.begin(b"budi@kantor.example")
    (writer,) = served.named("writer")
    os.kill(writer, signal.SIGKILL)
    served.wait_log("role-died role=writer")
    assert session.ask(b"DATA").code == 421
    wait_until(served.can_log_in, "the writer is back")
    assert budis(served) == [LETTER]


def test_nobody_learns_where_staff_sit(served):
    session = Smtp(served, "submissions", hello=b"EHLO pc-ani.rumah.lan")
    session.begin(b"budi@kantor.example")
    answered(session.data(LETTER + b".\r\n"), "250")
    session.leave()
    (message,) = served.fetch("budi")
    assert b"pc-ani.rumah" not in message and b"127.0.0." not in message
    assert ANI in message
