"""Thunderbird itself, as it comes with Debian, fetching from officemail.

What it does here (version 153): over STLS it asks for nothing in the clear but
STLS; then CAPA, AUTH PLAIN without an initial response, STAT, LIST, UIDL, RETR
one by one (DELE one by one where nothing is left on the server), QUIT, whose
answer it awaits for three seconds.
"""

import re
from pathlib import Path

import pytest

from office import PASSWORDS, PORTS
from thunderbird import Account, Thunderbird

ARTEFACTS = Path(__file__).resolve().parents[2] / "build" / "artifacts"

MESSAGES = {
    "Plain words":
    b"Subject: Plain words\r\nFrom: Pak <pak@luar.example>\r\n\r\nSelamat pagi.\r\n",
    "Titik-titik":
    b"Subject: Titik-titik\r\nFrom: pak@luar.example\r\n\r\n.\r\n..\r\n.dot\r\n\r\n.\r\n",
    "Surat – café":
    b"Subject: =?utf-8?Q?Surat_=E2=80=93_caf=C3=A9?=\r\nFrom: pak@luar.example\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nTerima kasih, caf\xc3\xa9.\r\n",
    "A picture":
    b"Subject: A picture\r\nFrom: pak@luar.example\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
    b"iVBORw0KGgoAAAANSUhEUgAA" * 3 + b"\r\n" * 2,
    "A big one":
    b"Subject: A big one\r\nFrom: pak@luar.example\r\n\r\n" +
    b"0123456789 abcdefghijklmnopqrstuvwxyz.\r\n" * 40_000,
}


@pytest.fixture(scope="module")
def served(workshop):
    """An office as people have it: no password before TLS."""
    office = workshop.office()
    office.set("pop3d", "require_tls", "yes")
    office.start()
    yield office
    office.close()


@pytest.fixture(scope="module")
def accounts(served):
    return {
        "tls": Account("ani@kantor.example", PASSWORDS["ani"], served.address, PORTS["pop3s"], "tls"),
        "starttls": Account("budi@kantor.example", PASSWORDS["budi"], served.address, PORTS["pop3"],
                            "starttls"),
    }


@pytest.fixture(scope="module")
def thunderbird(accounts):
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with Thunderbird(list(accounts.values()), ARTEFACTS / "thunderbird.log") as program:
        yield program


def arrived(thunderbird, account):
    """Subject and body of what is in the Inbox; Thunderbird keeps lines ended by LF."""
    return {
        subject: re.split(rb"\r?\n\r?\n", octets, maxsplit=1)[1].replace(b"\r\n", b"\n")
        for subject, octets in thunderbird.messages(account)
    }


def bodies(messages):
    return {
        subject: octets.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
        for subject, octets in messages.items()
    }


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_thunderbird_fetches_what_is_new_and_deletes_when_told(served, thunderbird, accounts, security):
    account = accounts[security]
    for octets in MESSAGES.values():
        served.deliver(octets, to=account.address)

    # Left on the server: all of it comes, once.
    thunderbird.get_messages(account)
    assert arrived(thunderbird, account) == bodies(MESSAGES)
    assert len(served.mails(account.address)) == len(MESSAGES)
    thunderbird.get_messages(account)
    assert len(thunderbird.messages(account)) == len(MESSAGES)

    # What comes in between is all that the next visit fetches.
    news = {"News": b"Subject: News\r\nFrom: pak@luar.example\r\n\r\nBaru.\r\n"}
    served.deliver(news["News"], to=account.address)
    thunderbird.get_messages(account)
    assert arrived(thunderbird, account) == bodies(MESSAGES | news)
    assert len(thunderbird.messages(account)) == len(MESSAGES) + 1
    thunderbird.show(account, "Surat – café")
    (ARTEFACTS / "thunderbird.png").write_bytes(thunderbird.screenshot())

    # No longer left there: the server's copies go, ours stay.
    thunderbird.set_leave_on_server(account, False)
    thunderbird.get_messages(account)
    assert served.mails(account.address) == []
    assert arrived(thunderbird, account) == bodies(MESSAGES | news)
    served.deliver(MESSAGES["Plain words"], to=account.address)
    thunderbird.get_messages(account)
    assert served.mails(account.address) == []
    assert len(thunderbird.messages(account)) == len(MESSAGES) + 2
