"""The world outside of an office, for one test: domains and addresses of its own. Only
inside of enter.py."""

import json
import os
import secrets
from pathlib import Path

from office import Claim


class World:
    def __init__(self):
        assert "OUTSIDE" in os.environ, "this needs a network of its own: run pytest tests/outside by itself"
        self.place = Path(os.environ["OUTSIDE"])
        self.mark = secrets.token_hex(4)
        self.claims = []
        self.names = []

    def domain(self, name="luar"):
        """A name under which nobody else has any."""
        return f"{name}-{self.mark}.example"

    def address(self):
        """An address of 127.0.0.0/8, with all its ports, that nobody else uses."""
        self.claims.append(Claim())
        return self.claims[-1].address

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
