"""What the other tests of this folder build on: see enter.py."""

import socket
from pathlib import Path

import pytest

from enter import NAMESERVER


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
