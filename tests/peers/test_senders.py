"""Mail that other servers deliver to officemail, each in its own manner. For a
plain user that is Exim alone: Postfix can be started by root only."""

import re

import pytest

from hostile import open_house, take
from letters import stored_form
from office import wait_until
from senders import Exim, PostfixSender
from unpacked import IS_ROOT


@pytest.fixture(scope="module")
def office(workshop):
    yield from open_house(workshop, [("smtpd", "max_message", "4M")])


PEERS = {
    "Exim with BDAT over STARTTLS": lambda office: Exim(office),
    "Exim with BDAT in the clear": lambda office: Exim(office, tls=False),
    "Exim with DATA": lambda office: Exim(office, chunking=False),
}
if IS_ROOT:
    PEERS |= {
        "Postfix over SMTP with STARTTLS": lambda office: PostfixSender(office, over_smtp(office), "encrypt"),
        "Postfix over SMTP in the clear": lambda office: PostfixSender(office, over_smtp(office), "none"),
        "Postfix over LMTP on a socket": lambda office: PostfixSender(office, f"lmtp:unix:{office.lmtp}"),
    }


def over_smtp(office):
    return "smtp:[%s]:%d" % office.place("smtp")


@pytest.fixture(scope="module", params=PEERS.values(), ids=PEERS)
def peer(office, request):
    with request.param(office) as running:
        yield running


def head(subject):
    return (
        b"From: pak@luar.example\r\nTo: ani@kantor.example\r\nSubject: %s\r\nDate: Mon, 23 Nov 2026 07:00:00 +0000\r\n"
        b"Message-ID: <%s@luar.example>\r\n\r\n" % (subject, subject))


MESSAGES = {
    "plain": head(b"plain") + b"Selamat pagi.\r\n",
    "dots": head(b"dots") + b".\r\n..\r\n.x\r\n\r\n.\r\n",
    "eight bits": head(b"eight") + "Terima kasih – café.\r\n".encode() + b"\xff\xfe\x80\r\n",
    "no body": head(b"nobody"),
    "half a megabyte": head(b"big") + b"0123456789 abcdefghijklmnopqrstuvwxyz.\r\n" * 14_000,
    "long lines": head(b"long") + b"y" * 900 + b"\r\n" + b"z" * 990 + b"\r\n",
}


def arrives(peer, office, count, name="ani"):
    """Waits until so many messages are there, and takes them."""
    try:
        wait_until(lambda: len(office.mails(f"{name}@kantor.example")) >= count,
                   f"{count} messages for {name}")
    except AssertionError:
        print(peer.said())
        raise
    return [message for _, message in take(office, name)]


def own_fields(message):
    """Without the Received: fields that the peer put in front."""
    lines = message.split(b"\r\n")
    while lines and (lines[0].startswith(b"Received:") or lines[0][:1] in (b" ", b"\t")):
        lines.pop(0)
    return b"\r\n".join(lines)


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_arrives_as_it_was_sent(office, peer, message):
    peer.take(message, ["ani@kantor.example"])
    [stored] = arrives(peer, office, 1)
    assert own_fields(stored) == stored_form(message)


def test_many_at_once_all_arrive_once(office, peer):
    for n in range(30):
        peer.take(head(b"n%d" % n) + b"text\r\n" * n, ["ani@kantor.example"])
    stored = arrives(peer, office, 30)
    assert sorted(own_fields(message)
                  for message in stored) == sorted(head(b"n%d" % n) + b"text\r\n" * n for n in range(30))


def test_exim_sends_by_bdat_and_both_under_tls_where_they_are_meant_to(office, peer, request):
    name = request.node.callspec.id
    peer.take(head(b"how"), ["ani@kantor.example"])
    wait_until(lambda: len(office.mails()) == 1, "a message for ani")
    [(trace, _)] = take(office)
    assert (b"with ESMTPS " in trace.received) == ("STARTTLS" in name or name == "Exim with DATA")
    if "Exim" in name:  # K in its log: the chunking was used
        wait_until(lambda: " Completed" in peer.said(), "Exim's log")
        assert bool(re.search(r"=> ani@.* K ", peer.said())) == ("BDAT" in name)


def test_several_recipients_get_a_copy_each_and_an_unknown_one_stops_nobody(office, peer):
    peer.take(head(b"list"),
              ["ani@kantor.example", "budi@kantor.example", "tiada@kantor.example", "info@kantor.example"],
              sender="")
    for name in ("ani", "budi"):
        assert [own_fields(message) for message in arrives(peer, office, 1, name)] == [head(b"list")]


def test_what_is_too_big_is_refused_for_good_and_what_follows_arrives(office, peer):
    peer.take(head(b"fat") + (b"x" * 76 + b"\r\n") * 60_000, ["ani@kantor.example"], sender="")
    peer.take(head(b"thin"), ["ani@kantor.example"])
    assert [own_fields(message) for message in arrives(peer, office, 1)] == [head(b"thin")]
