"""The world outside of an office, for one test: domains and addresses of its own. Only
inside of enter.py."""

import json
import os
import random
import secrets
import shutil
import socket
import ssl
import tempfile
from pathlib import Path

import pytest

from certificates import ALGORITHMS, openssl
from enter import ADDRESSES_6, PUBLIC_6, found_authority
from office import Claim


class Claim6:
    """The same as a Claim, of the few addresses there are of IPv6."""

    def __init__(self, addresses):
        for self.address in random.sample(addresses, len(addresses)):
            self.sock = socket.socket(socket.AF_INET6)
            try:
                self.sock.bind((self.address, 2000))
                return
            except OSError:
                self.sock.close()
        raise AssertionError("all addresses of IPv6 are taken")

    def release(self):
        self.sock.close()


class Certificate:
    """cert.pem and key.pem in a folder: for these names, signed by the authority inside, or (`own`)
    by itself, or (`stranger`) by another one; `days` below 0: it has expired."""

    def __init__(self, folder, names, authority, days=30, own=False, stranger=False, kind="rsa"):
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        request, extension = folder / "request.pem", folder / "extension"
        extension.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n")
        openssl("req", "-newkey", *ALGORITHMS[kind], "-nodes", "-subj", "/CN=server", "-keyout", self.key, "-out", request)
        if stranger:
            authority = folder
            found_authority(folder)
        signer = ["-signkey", self.key] if own else ["-CA", authority / "authority.pem", "-CAkey",
                                                     authority / "authority.key", "-set_serial", secrets.randbits(60)]
        openssl("x509", "-req", "-in", request, "-out", self.certificate, "-extfile", extension, "-days", days, *signer)

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class World:
    def __init__(self):
        assert "OUTSIDE" in os.environ, "this needs a network of its own: run pytest tests/outside by itself"
        self.place = Path(os.environ["OUTSIDE"])
        self.mark = secrets.token_hex(4)
        self.claims = []
        self.names = []
        self.folders = []

    def domain(self, name="luar"):
        """A name under which nobody else has any."""
        return f"{name}-{self.mark}.example"

    def address(self):
        """An address of 127.0.0.0/8, with all its ports, that nobody else uses."""
        self.claims.append(Claim())
        return self.claims[-1].address

    def address6(self, public=False):
        self.claims.append(Claim6(PUBLIC_6 if public else ADDRESSES_6))
        return self.claims[-1].address

    def host(self, name, **records):
        """A host of that name with an address of its own: (name, address)."""
        address = self.address()
        self.records(name, A=address, **records)
        return name, address

    def certificate(self, *names, **how):
        self.folders.append(Path(tempfile.mkdtemp(prefix="om-certificate-", dir="/tmp")))
        return Certificate(self.folders[-1], names, self.place, **how)

    def records(self, name, moods=None, **records):
        """From now on DNS says this of the name: MX=[(10, "mx.luar.example")], A=["127.1.2.3"],
        TXT=["..."]; moods={"MX": "servfail"}: see resolver.py. Nothing: it exists, and that is all."""
        said = {kind: [value] if isinstance(value, str) else value for kind, value in records.items()}
        new = self.place / f"{name}.new"
        new.write_text(json.dumps({**said, "moods": moods or {}}))
        new.rename(self.place / f"{name}.zone")
        self.names.append(name)

    def forget(self, name):
        """From now on it does not exist."""
        (self.place / f"{name}.zone").unlink()

    def asked(self, name):
        """What the resolver was asked about it: ["udp MX", ...]."""
        lines = (line.rsplit(" ", 1) for line in (self.place / "asked").read_text().splitlines())
        return [question for question, about in lines if about == name]

    def close(self):
        for claim in self.claims:
            claim.release()
        for name in set(self.names):
            (self.place / f"{name}.zone").unlink(missing_ok=True)
        for folder in self.folders:
            shutil.rmtree(folder)


@pytest.fixture
def outside():
    world = World()
    yield world
    world.close()
