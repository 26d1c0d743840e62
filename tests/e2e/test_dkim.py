"""Signatures, verified by an implementation that is not ours: dkimpy. `sign.c` signs as a
delivery does."""

import subprocess
from pathlib import Path

import dkim
import pytest

SIGN = Path("build/tests/e2e/sign").resolve()
KEY = Path(__file__).resolve().parents[1] / "unit/data/rsa.key"
OURS = "kantor.example cabang.example"
FROM = b"From: Ani <ani@kantor.example>\r\n"
PLAIN = FROM + b"To: pak@luar.example\r\nSubject: laporan\r\nDate: Mon, 02 Mar 2026 10:00:00 +0700\r\n"


def sign(message, span=65536, key=KEY, domains=OURS):
    """The message with its signature in front."""
    result = subprocess.run([SIGN, key, domains, "office", str(span)], input=message, capture_output=True)
    assert result.returncode == 0, result.stderr
    return result.stdout + message


def record(key=KEY):
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], capture_output=True, check=True).stdout
    return b"v=DKIM1; k=rsa; p=" + b"".join(public.splitlines()[1:-1])


RECORD = record()


def verifies(message, txt=RECORD):
    asked = []

    def answer(name, timeout=5):
        asked.append(name)
        return txt
    good = dkim.verify(message, dnsfunc=answer)
    return good and asked == [b"office._domainkey.kantor.example."]


SHAPES = {
    "an ordinary one": PLAIN + b"\r\nSelamat pagi,\r\n\r\nterlampir laporan.\r\n",
    "no body": PLAIN + b"\r\n",
    "one empty line": PLAIN + b"\r\n\r\n",
    "empty lines alone": PLAIN + b"\r\n" + b"\r\n" * 70000,
    "blank lines alone": PLAIN + b"\r\n" + b" \t\r\n" * 1000,
    "empty lines in front and behind": PLAIN + b"\r\n\r\n\r\nx\r\n\r\n\r\n",
    "blanks everywhere": PLAIN + b"\r\n \t a \t b\t\r\n\t\r\n  \r\nc   \r\n \r\n",
    "dots": PLAIN + b"\r\n.\r\n..\r\n.x\r\n",
    "eight bits, controls": PLAIN + b"\r\n" + bytes(c for c in range(1, 256) if c not in b"\r\n") + b"\r\n",
    "a long line": PLAIN + b"\r\n" + b"x " * 500000 + b"\r\n",
    "a line of blanks": PLAIN + b"\r\n" + b" \t" * 500000 + b"\r\nx\r\n",
    "From alone": FROM + b"\r\nx\r\n",
    "folds and blanks": b"SUBJECT:\t \tlaporan\r\n \t bulan  \r\n\tini \t\r\n" + FROM + b"\r\nx\r\n",
    "fields without value": FROM + b"To:\r\nCc: \r\nSubject:\t\r\n \t\r\n\r\nx\r\n",
    "folds that hold blanks alone": FROM + b"Subject: a\r\n \r\n\t\r\n b\r\n\r\nx\r\n",
    "a From of folds": b"From:\r\n =?utf-8?Q?Ani?=\r\n\t<ani@kantor.example>\r\n (a\r\n comment)\r\n\r\nx\r\n",
    "several authors": b"From: x@luar.example, ani@kantor.example\r\n\r\nx\r\n",
    "octets past 126": FROM.replace(b"Ani", "Añi".encode()) + "Subject: pagi ☀\r\n\r\nx\r\n".encode(),
    "fields that stand twice": PLAIN + b"Subject: lain\r\nTo: a@b.example\r\nReceived: a\r\nReceived: b\r\n\r\nx\r\n",
    "ten of one name": FROM + b"".join(b"To: %d@luar.example\r\n" % n for n in range(10)) + b"\r\nx\r\n",
    "a trace in front": b"Received: by mail.kantor.example\r\n\tid X; Mon, 2 Mar 2026\r\n" + PLAIN + b"\r\nx\r\n",
    "a large header": PLAIN + b"X-Long: " + b"y" * 90000 + b"\r\nReferences:" + b"\r\n <a@b.example>" * 5000 + b"\r\n\r\nx\r\n",
    "every field there is": PLAIN + b"".join(
        name + b": " + name + b"\r\n" for name in (
            b"Reply-To Cc Message-ID In-Reply-To References MIME-Version Content-Type Content-Transfer-Encoding "
            b"Content-Disposition Content-Language Sender Resent-From Resent-Sender Resent-To Resent-Cc Resent-Date "
            b"Resent-Message-ID List-Id List-Help List-Subscribe List-Unsubscribe List-Unsubscribe-Post List-Post "
            b"List-Owner List-Archive X-Mailer Received Return-Path").split()) + b"\r\nx\r\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_message_of_any_shape_verifies(shape):
    assert verifies(sign(SHAPES[shape]))


@pytest.mark.parametrize("span", [1, 2, 3, 100])
@pytest.mark.parametrize("shape", ["an ordinary one", "blanks everywhere", "no body", "folds and blanks"])
def test_it_may_come_in_spans_of_any_size(shape, span):
    assert verifies(sign(SHAPES[shape], span))


SIGNED = sign(SHAPES["an ordinary one"])
ON_THE_WAY = {
    "a trace in front": b"Received: from x by y; z\r\n" + SIGNED,
    "another field below": SIGNED.replace(b"\r\n\r\n", b"\r\nX-Spam: No\r\n\r\n", 1),
    "subject folded": SIGNED.replace(b"Subject: laporan", b"subject:\r\n\tlaporan \t"),
    "blanks at line ends": SIGNED.replace(b"laporan.\r\n", b"laporan. \t\r\n"),
    "lines at the end": SIGNED + b"\r\n \r\n",
    "our field folded anew": SIGNED.replace(b"; t=", b";\r\n  t=").replace(b";\r\n\ts=", b"; s="),
}
TAMPERED = {
    "another author": SIGNED.replace(b"From: Ani <ani@", b"From: Ani <budi@"),
    "a second author": b"From: x@luar.example\r\n" + SIGNED,
    "a second author below": SIGNED.replace(b"Date:", b"From: x@luar.example\r\nDate:"),
    "a second subject": b"Subject: segera bayar\r\n" + SIGNED,
    "a second recipient": b"To: x@luar.example\r\n" + SIGNED,
    "another subject": SIGNED.replace(b"laporan\r\n", b"tagihan\r\n"),
    "no date": SIGNED.replace(b"Date: Mon, 02 Mar 2026 10:00:00 +0700\r\n", b""),
    "text behind": SIGNED + b"x\r\n",
    "text in front": SIGNED.replace(b"\r\n\r\n", b"\r\n\r\nx\r\n", 1),
    "a blank in a word": SIGNED.replace(b"laporan.", b"lapor an."),
    "another day": SIGNED.replace(b"; t=", b"; t=1"),
}


@pytest.mark.parametrize("what", ON_THE_WAY)
def test_what_servers_on_the_way_do_breaks_nothing(what):
    assert ON_THE_WAY[what] != SIGNED
    assert verifies(ON_THE_WAY[what])


@pytest.mark.parametrize("what", TAMPERED)
def test_what_changes_a_letter_is_found_out(what):
    assert TAMPERED[what] != SIGNED
    assert not verifies(TAMPERED[what])


@pytest.mark.parametrize("author", [b"x@luar.example", b"x@sub.kantor.example", b"x@kantor.example.luar.example", b""])
def test_a_message_of_another_domain_is_not_signed(author):
    message = b"From: " + author + b"\r\n\r\nFrom: ani@kantor.example\r\n"
    assert sign(message) == message


def test_lines_of_the_field_are_short():
    for shape in SHAPES.values():
        field, _, _ = sign(shape).partition(b"\r\n" + shape)
        assert field.startswith(b"DKIM-Signature: ")
        assert all(len(line) < 78 for line in field.split(b"\r\n"))
