"""Signatures, verified by an implementation that is not ours: dkimpy. `sign.c` signs as a
delivery does. And the life of the key that signs."""

import os
import re
import signal
import subprocess
from pathlib import Path

import dkim
import pytest

from channels import Channel, TYPES, frame, text
from office import serving_account, wait_until

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


# ---- the key


def key_file(office, selector="office"):
    return office.data / f"dkim/{selector}.pem"


def key_of(office, selector="office"):
    """The public half, in hex, of the key that signs for a delivery; None: nothing signs."""
    digest = os.urandom(32)
    channel = Channel(office, "keys", "SERVICE_DELIVERY")
    channel.send(frame("REQUEST_SIGN_DKIM", text(selector) + digest))
    kind, signature = channel.answer()
    channel.close()
    if kind != TYPES["ANSWER_OK"]:
        return None
    for path in (office.data / "dkim").iterdir():
        if path.read_bytes() and is_signature(path, digest, signature):
            return path.stem
    return "unknown"


def is_signature(key, digest, signature):
    files = key.parents[2] / "digest", key.parents[2] / "signature"
    for path, octets in zip(files, (digest, signature)):
        path.write_bytes(octets)
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-inkey", key, "-in", files[0], "-sigfile", files[1],
                           "-pkeyopt", "digest:sha256"], capture_output=True).returncode == 0


def test_the_key_is_made_at_the_first_start_for_the_account_alone(office):
    key_file(office).unlink()
    key_file(office).parent.rmdir()
    office.start()
    assert key_file(office).stat().st_mode & 0o777 == 0o600
    assert key_file(office).parent.stat().st_mode & 0o777 == 0o700
    assert not serving_account() or {key_file(office).owner(), key_file(office).parent.owner()} == {serving_account()}
    made = key_file(office).read_bytes()
    assert key_of(office) == "office"
    office.restart()
    assert key_file(office).read_bytes() == made
    assert office.run("check").endswith("nothing is wrong\n")


def test_a_keys_role_that_has_died_signs_with_the_same_key(served):
    served.allow("died|has gone")
    [pid] = served.named("keys")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: served.named("keys") not in ([pid], []), "another one")
    assert key_of(served) == "office"


def test_a_new_selector_signs_from_sighup_on_if_its_key_is_there(served):
    served.allow("signing-key-refused")
    served.set("dkim", "selector", "baru")
    served.hang_up()
    served.wait_log("signing-key-refused .*baru.pem .*`officemail dns` makes it")
    assert (key_of(served), key_of(served, "baru")) == ("office", None)

    served.run("dns")
    since = len(served.lines)
    served.hang_up()
    served.wait_log("signing-key selector=baru", since)
    assert (key_of(served), key_of(served, "baru")) == ("office", "baru")
    served.stop()
    served.start()
    assert (key_of(served), key_of(served, "baru")) == (None, "baru")


def test_a_key_that_was_replaced_signs_from_sighup_on(served):
    served.run("dns")
    before = key_file(served).read_bytes()
    key_file(served).unlink()
    served.run("dns")
    assert key_file(served).read_bytes() != before
    assert key_of(served) == "unknown"
    served.hang_up()
    wait_until(lambda: key_of(served) == "office", "the new key signs")


BROKEN = {
    "open to others": (lambda key: key.chmod(0o640), "office.pem is open to other accounts: .*chmod 0?600"),
    "none": (lambda key: key.write_text("nothing\n"), "office.pem: no private key in it"),
    "of another kind": (lambda key: key.write_bytes((KEY.parent / "ec256.key").read_bytes()), "RSA"),
    "a link": (lambda key: key.rename(key.with_suffix(".x")).rename(key.with_suffix(".y")) and key.symlink_to(KEY),
               "office.pem.*Too many levels"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_it_does_not_start_on_a_key_that_cannot_sign_and_check_says_so(office, what):
    office.allow(".")  # roles that see others go
    spoil, words = BROKEN[what]
    spoil(key_file(office))
    status, said = office.fails_to_start()
    assert status == 1
    assert re.search(words, said), said
    result = office.command("check")
    assert result.returncode == 1
    assert re.search(words, result.stdout.decode()), result.stdout


def test_check_misses_a_key(office):
    key_file(office).unlink()
    assert b"office.pem: No such file" in office.command("check").stdout
