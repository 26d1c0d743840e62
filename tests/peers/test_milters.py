"""[filter] with the filters that offices have."""

import pytest

from hostile import ANI, Smtp, answered
from letters import letter, without_trace
from milters import VIRUS, Clamd, ClamavMilter, Opendkim, Rspamd
from test_dkim import KEY, verifies

BUDI = b"budi@kantor.example"
# rspamd's own test letters: https://rspamd.com/doc/gtube_patterns.html
GTUBE = "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
REFUSED, JUNK, SUBJECT = "X" + GTUBE, "Y" + GTUBE, "Z" + GTUBE


@pytest.fixture(scope="module")
def clamd():
    with Clamd() as running:
        yield running


def filtered(office, *filters):
    office.set("filter", "milter", " ".join(one.milter for one in filters))
    office.start()
    assert "[filter]" not in (office.command("check").stdout + office.command("check").stderr).decode()


def send(office, octets, recipient=ANI, service="smtp"):
    session = Smtp(office, service)
    session.begin(recipient)
    reply = session.data(octets + b".\r\n")
    session.leave()
    return reply


def folders(office, address="ani@kantor.example"):
    return [mail["folder"] for mail in office.mails(address)]


def test_clamav_quarantines_what_is_infected_and_marks_what_is_clean(office, clamd):
    with ClamavMilter(clamd) as filter:
        filtered(office, filter)
        answered(send(office, letter(1)), "250")
        answered(send(office, letter(2, VIRUS)), "250")
        answered(send(office, letter(3, "x" * 76 + "\r\n" + ("y" * 76 + "\r\n") * 20000 + VIRUS)), "250")
        assert folders(office) == ["Inbox", "Junk", "Junk"]
        clean, = office.fetch("ani")
        assert b"\r\nX-Virus-Status: Clean\r\n" in without_trace(clean)
        own = b"From: ani@kantor.example\r\nSubject: x\r\n\r\n" + VIRUS.encode() + b"\r\n"
        answered(send(office, own, b"pak@luar.example", "submissions"), "550 5.7.1")


def test_clamav_rejects_where_it_is_told_to(office, clamd):
    with ClamavMilter(clamd, "Reject") as filter:
        filtered(office, filter)
        answered(send(office, letter(1, VIRUS)), "550 5.7.1")
        answered(send(office, letter(2)), "250")
        assert folders(office) == ["Inbox"]


def test_rspamd_refuses_marks_and_changes(office):
    with Rspamd() as filter:
        filtered(office, filter)
        for body, code in ((REFUSED, "554 5.7.1"), (JUNK, "250"), (SUBJECT, "250"), ("isi", "250")):
            answered(send(office, letter(1, body)), code)
        office.wait_log('message-refused .* reply=554 status=5.7.1 .* reason="Gtube pattern"')
        assert folders(office) == ["Junk", "Inbox", "Inbox"]
        changed, plain = (without_trace(message) for message in office.fetch("ani"))
        assert b"\r\nSubject: *** SPAM *** surat 1\r\n" in changed and plain == letter(1)
        answered(send(office, b"X-Spam: Yes\r\n" + letter(2)), "250")  # a stranger's word
        assert folders(office)[-1] == "Inbox"


def test_opendkim_signs_what_staff_send_and_a_second_filter_sees_it(office, clamd):
    own = b"From: ani@kantor.example\r\nTo: budi@kantor.example\r\nSubject: x\r\n\r\nisi\r\n"
    with Opendkim(KEY) as signer, ClamavMilter(clamd) as filter:
        filtered(office, filter, signer)
        answered(send(office, own, BUDI, "submissions"), "250")
        message, = office.fetch("budi")
        assert verifies(without_trace(message)) and b"X-Virus-Status: Clean" in message
        answered(send(office, own), "250")  # and not what strangers send
        assert b"DKIM-Signature" not in office.fetch("ani")[0]
