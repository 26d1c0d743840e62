"""What the other tests of this folder build on: see enter.py."""

import socket
import ssl
from pathlib import Path

import pytest

from enter import AUTHORITIES, NAMESERVER


def test_there_is_no_way_out(outside):
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    with pytest.raises(OSError, match="unreachable"):
        socket.create_connection(("192.0.2.1", 25), timeout=10)


def test_names_are_what_a_test_says(outside):
    assert NAMESERVER in Path("/etc/resolv.conf").read_text()
    domain = outside.domain()
    with pytest.raises(socket.gaierror):
        socket.gethostbyname(domain)
    outside.records(domain, A="127.1.2.3")
    assert socket.gethostbyname(domain) == "127.1.2.3"
    outside.forget(domain)
    with pytest.raises(socket.gaierror):
        socket.gethostbyname(domain)


def test_an_office_and_an_outside_server_have_port_25_each(outside, office):
    office.set("smtpd", "listen", f"{office.address}:25")
    office.start()
    with socket.create_connection((office.address, 25)) as sock:
        assert sock.recv(1000).startswith(b"220 ")
    with socket.create_server((outside.address(), 25)):
        pass


def test_addresses_of_both_families_answer(outside):
    for address in (outside.address(), outside.address6(), "::1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.create_server((address, 25), family=family), socket.create_connection((address, 25), timeout=10):
            pass


@pytest.mark.parametrize("how, why", [({}, None), ({"days": -1}, "expired"), ({"own": True}, "self-signed")])
def test_one_authority_is_believed_in(outside, how, why):
    name = outside.domain("pintar")
    server, client = outside.certificate(name, **how).context(), ssl.create_default_context(cafile=AUTHORITIES)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    talks = [client.wrap_bio(to_client, to_server, server_hostname=name),
             server.wrap_bio(to_server, to_client, server_side=True)]

    def shake():
        for talk in talks * 4:
            try:
                talk.do_handshake()
            except ssl.SSLWantReadError:
                pass

    if why is None:
        shake()
        assert talks[0].getpeercert()["subjectAltName"] == (("DNS", name), )
    else:
        with pytest.raises(ssl.SSLCertVerificationError, match=why):
            shake()
