"""What the office writes about mail on its way out, as programs of others read it:
Python's parser in its strict policy, Perl's MIME::Parser, and two that mailing lists
use to understand bounces, flufl.bounce and Mail::DeliveryStatus::BounceParser."""

import email.policy
import os
import subprocess
from email import message_from_bytes
from pathlib import Path

import pytest
from flufl.bounce import all_failures

BOUNCE = Path("build/tests/e2e/bounce").resolve()
NOW = 1772420400

ORIGINAL = b"".join(line + b"\r\n" for line in [
    b"Received: from x by mail.kantor.example; Mon, 02 Mar 2026 09:00:00 +0700",
    b"From: Ani <ani@kantor.example>",
    b"To: budi@far.example",
    b"Subject: Offer =?utf-8?Q?caf=C3=A9?=",
    b"Message-ID: <1@kantor.example>",
    b"MIME-Version: 1.0",
    b'Content-Type: multipart/mixed; boundary="=_"',
    b"",
    b"--=_",
    b"",
    b"Dear Budi,",
    b"--=_--",
    b"--",
    b"",
])
LONG = b"From: x\r\nSubject: " + b"s" * 3000 + b"\r\n\r\n" + b"l" * 5000 + b"\r\n"
EIGHT = b"From: x\r\nSubject: caf\xe9\r\n\r\ncaf\xe9\r\n"
HOSTILE = {
    "lines": b'550 5.1.1 no\r\n\r\n--=_x\r\nAction: delivered\n\x00\x1b[2J<b>\xff "; \\' + b"A" * 3000,
    "line ends": b"\r\n" * 200,
    "one word": b"x" * 5000,
    "blanks": b" " * 300 + b"x" + b" " * 300,
    "NUL": b"\x00",
    "lines in xtext": b"a+0D+0AAction:+20delivered+0D+0A+0D+0AFinal-Recipient:+20x+00",
    "all octets": bytes(range(256)),
}

BUDI = {
    "address": "budi@far.example",
    "status": "5.1.1",
    "host": "mx.far.example",
    "reply": "550 5.1.1 <budi@far.example>: Recipient address rejected: User unknown",
    "attempted": NOW - 60
}
DOWN = {**BUDI, "status": "4.4.1", "reply": "connection refused", "host": ""}
TAKEN = {**BUDI, "status": "2.0.0", "reply": "250 2.0.0 Ok: queued as 4ABC"}
REPORTS = [("failed", BUDI, "failed", "5.1.1"), ("delayed", DOWN, "delayed", "4.4.1"),
           ("delivered", {
               "address": "budi@far.example"
           }, "delivered", "2.0.0"), ("relayed", TAKEN, "relayed", "2.0.0")]
NOTICES = ["held", "forward-failed", "came-back"]
both_languages = pytest.mark.parametrize("language", ["en", "id"])


def write(kind, *recipients, **about):
    """The octets of a report or notice about these recipients."""
    about = {
        "kind": kind,
        "sender": "ani@kantor.example",
        "arrived": NOW - 3600,
        "until": NOW + 86400,
        "original": ORIGINAL,
        "whole": 1,
        **about
    }
    pairs = [pair for pair in about.items() if pair[1] != ""]
    for recipient in recipients:
        pairs += [("recipient", ""), *recipient.items()]
    lines = [f"{key} {(value if isinstance(value, bytes) else str(value).encode()).hex()}\n" for key, value in pairs]
    assert BOUNCE.exists(), "make shims"
    done = subprocess.run([BOUNCE], input="".join(lines).encode(), capture_output=True, timeout=60, check=True,
                          env={**os.environ, "TZ": "Asia/Jakarta"})
    assert done.stderr == b""
    return done.stdout


def read(octets):
    """The same, parsed; any defect is an exception."""
    return message_from_bytes(octets, policy=email.policy.strict)


def parts_of(octets):
    """The parts as octets, cut by hand: header and body of each."""
    boundary = read(octets).get_boundary().encode()
    body = octets.split(b"\r\n\r\n", 1)[1]
    first, *parts, last = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert (first, last) == (b"", b"--\r\n")
    assert all(part.startswith(b"\r\n") for part in parts)
    return [tuple(part[2:].split(b"\r\n\r\n", 1)) for part in parts]


def fields_of(octets):
    """The blocks of the machine's part: what stands in it, in order."""
    status = read(octets).get_payload(1)
    assert status.get_content_type() == "message/delivery-status"
    return [{name: str(value) for name, value in block.items()} for block in status.get_payload()]


def perl(script, octets):
    done = subprocess.run(["perl", "-e", script], input=octets, capture_output=True, timeout=60, check=True)
    return done.stdout.decode().splitlines()


def mime_tools(octets):
    """The type of it all, and of each part, as MIME::Parser has them."""
    return perl(
        """
        use MIME::Parser; my $parser = MIME::Parser->new;
        $parser->output_to_core(1); $parser->tmp_to_core(1); $parser->extract_nested_messages(0);
        binmode STDIN; my $entity = $parser->parse(\\*STDIN);
        die $parser->results->msgs if $parser->results->errors || $parser->results->warnings;
        print $entity->mime_type, "\\n"; print $_->mime_type, "\\n" for $entity->parts;""", octets)


def bounce_parser(octets):
    """What BounceParser makes of it: an address and a reason for each report. It
    wants line ends as a mailbox of Unix has them."""
    return perl(
        """
        use Mail::DeliveryStatus::BounceParser; undef $/; binmode STDIN;
        my $bounce = Mail::DeliveryStatus::BounceParser->new(<STDIN>);
        print join(" ", $_->get("email") // "", $_->get("std_reason") // ""), "\\n" for $bounce->reports;
        print "no bounce\\n" if !$bounce->is_bounce;""", octets.replace(b"\r\n", b"\n"))


def assert_sound(octets):
    """What is in front of the attached message, but for its subject in UTF-8: ASCII
    in lines of a length that all servers take."""
    ours = octets.split(b"Content-Type: text/rfc822-headers")[0].split(b"Content-Type: message/rfc822")[0]
    assert octets.endswith(b"\r\n")
    assert not {b"\r", b"\n"} & {bytes([octet]) for octet in ours.replace(b"\r\n", b"")}
    assert all(len(line) <= 998 for line in ours.split(b"\r\n"))
    assert all(octet == 9 or 32 <= octet < 127 for octet in ours.replace(b"\r\n", b"").replace("é".encode(), b""))


@both_languages
@pytest.mark.parametrize("kind,recipient,action,status", REPORTS, ids=[report[0] for report in REPORTS])
def test_a_report_has_the_three_parts_that_programs_know(language, kind, recipient, action, status):
    octets = write(kind, recipient, language=language)
    message = read(octets)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert str(message["To"]) == "ani@kantor.example"
    assert message["From"].addresses[0].addr_spec == "postmaster@kantor.example"
    assert "mail.kantor.example" in message["From"].addresses[0].display_name
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == "<1@kantor.example>"
    assert str(message["Subject"]).endswith(": Offer café")
    assert message["Date"].datetime.timestamp() == NOW
    assert message["Return-Path"] is None
    third = "message/rfc822" if kind == "failed" else "text/rfc822-headers"
    types = ["text/plain", "message/delivery-status", third]
    assert [part.get_content_type() for part in message.iter_parts()] == types
    assert mime_tools(octets) == ["multipart/report", *types]
    assert "budi@far.example" in message.get_payload(0).get_content()
    assert "Offer café" in message.get_payload(0).get_content()

    whole, one = fields_of(octets)
    assert whole["Reporting-MTA"] == "dns; mail.kantor.example"
    assert one["Final-Recipient"] == "rfc822; budi@far.example"
    assert (one["Action"], one["Status"]) == (action, status)
    assert ("Will-Retry-Until" in one) == (kind == "delayed")


@both_languages
def test_lists_understand_a_failure_and_a_delay(language):
    citra = {**BUDI, "address": "citra@far.example", "reply": "550 5.1.1 <citra@far.example>: User unknown"}
    failed = write("failed", BUDI, citra, language=language)
    delayed = write("delayed", DOWN, language=language)
    assert all_failures(message_from_bytes(failed)) == (set(), {b"budi@far.example", b"citra@far.example"})
    assert all_failures(message_from_bytes(delayed)) == ({b"budi@far.example"}, set())
    assert bounce_parser(delayed) == ["no bounce"]
    assert bounce_parser(failed) == ["budi@far.example user_unknown", "citra@far.example user_unknown"]
    for kind, recipient in [("delivered", {"address": "budi@far.example"}), ("relayed", TAKEN)]:
        done = write(kind, recipient, language=language)
        assert all_failures(message_from_bytes(done)) == (set(), set())
        assert bounce_parser(done) == ["no bounce"]


@both_languages
@pytest.mark.parametrize("kind", NOTICES)
def test_a_notice_goes_to_the_postmaster(language, kind):
    octets = write(kind, BUDI, language=language)
    message = read(octets)
    assert str(message["To"]) == "postmaster@kantor.example"
    assert message["Auto-Submitted"] == "auto-generated"
    types = mime_tools(octets)
    if kind == "held":
        assert types == ["text/plain"]
        assert "officemail queue retry" in message.get_content()
    else:
        assert types == ["multipart/mixed", "text/plain", "message/rfc822"]
        assert parts_of(octets)[1][1] == ORIGINAL


@pytest.mark.parametrize("kind", ["failed", "forward-failed", "came-back"])
@pytest.mark.parametrize("original,encoding", [(ORIGINAL, "7bit"), (EIGHT, "8bit"), (LONG, "binary")],
                         ids=["7bit", "8bit", "binary"])
def test_what_is_attached_keeps_its_octets_and_is_declared_for_what_it_is(kind, original, encoding):
    octets = write(kind, BUDI, original=original)
    header, body = parts_of(octets)[-1]
    assert body == original
    assert f"Content-Transfer-Encoding: {encoding}".encode() in header.split(b"\r\n")
    message = read(octets)
    assert message["Content-Transfer-Encoding"] in (encoding, "8bit")
    assert octets.count(message.get_boundary().encode()) == 2 + len(parts_of(octets))
    assert_sound(octets)


@pytest.mark.parametrize("original", [ORIGINAL, EIGHT, LONG], ids=["7bit", "8bit", "binary"])
def test_of_what_is_not_whole_the_header_alone_is_attached(original):
    octets = write("failed", BUDI, original=original, whole="")
    header, body = parts_of(octets)[-1]
    assert b"Content-Type: text/rfc822-headers" in header.split(b"\r\n")
    assert body == original.split(b"\r\n\r\n", 1)[0] + b"\r\n"


def test_nothing_is_attached_where_there_is_nothing():
    octets = write("failed", BUDI, original=b"")
    assert mime_tools(octets) == ["multipart/report", "text/plain", "message/delivery-status"]


@both_languages
@pytest.mark.parametrize("kind", [*(report[0] for report in REPORTS), *NOTICES])
@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_hostile_words_stay_words(language, kind, words):
    """Whatever a stranger sends, the fields, blocks and parts are those of a tame report."""
    recipient = {"address": words, "orcpt": b"rfc822;" + words, "status": words, "host": words, "reply": words}
    subject = b"Subject: " + words.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    original = subject + b"\r\nMessage-ID: <" + subject + b">\r\n\r\n"
    about = {"language": language, "sender": words, "envid": words, "original": original, "whole": ""}
    octets = write(kind, recipient, recipient, **about)
    assert_sound(octets)
    tame = read(write(kind, TAKEN, TAKEN, language=language))
    message = read(octets)
    assert set(message.keys()) | {"In-Reply-To", "References"} == set(tame.keys()) | {"In-Reply-To", "References"}
    if kind == "held":
        return
    assert len(list(message.iter_parts())) == len(list(tame.iter_parts()))
    if kind in NOTICES:
        return
    blocks = fields_of(octets)
    assert len(blocks) == 3
    assert set(blocks[0]) - {"Original-Envelope-Id"} == {"Reporting-MTA", "X-Officemail-Queue-Id", "Arrival-Date"}
    for block in blocks[1:]:
        always = {"Final-Recipient", "Action", "Status"}
        assert always <= set(block) <= always | {"Original-Recipient", "Remote-MTA", "Diagnostic-Code", "Will-Retry-Until"}
        assert block["Action"] == kind


@both_languages
def test_a_thousand_recipients_are_all_told(language):
    many = [{**BUDI, "address": f"user{n}@far.example", "reply": f"550 5.1.1 <user{n}> unknown"} for n in range(1000)]
    octets = write("failed", *many, language=language)
    assert_sound(octets)
    blocks = fields_of(octets)
    assert len(blocks) == 1001
    assert [block["Final-Recipient"] for block in blocks[1:]] == [f"rfc822; user{n}@far.example" for n in range(1000)]
    text = read(octets).get_payload(0).get_content()
    assert {f"  user{n}@far.example" for n in range(1000)} <= set(text.splitlines())
    assert len(all_failures(message_from_bytes(octets))[1]) == 1000


def test_envelope_id_and_original_recipient_come_back_in_clear():
    octets = write("failed", {**BUDI, "orcpt": "rfc822;budi+2Bshop+3D@far.example"}, envid="QQ+2B314+20x")
    whole, one = fields_of(octets)
    assert whole["Original-Envelope-Id"] == "QQ+314 x"
    assert one["Original-Recipient"] == "rfc822;budi+shop=@far.example"
