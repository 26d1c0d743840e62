"""A resolver that answers what files say, and misbehaves as they say.

    resolver.py ADDRESS DIRECTORY

DIRECTORY/NAME.zone, JSON, holds the records of a name, by type: {"MX": [[10, "mx.luar.example"]],
"A": ["127.1.2.3"], "AAAA": [...], "TXT": [...], "CNAME": ["lain.example"], "PTR": ["mail.luar.example"],
"SRV": [[0, 1, 995, "mail.luar.example"]]}. It is read for each
question. A name without a file does not exist. "moods", by type or "*": what happens instead.

    servfail, refused   that code
    silent              nothing
    truncated           so much that UDP does not hold it; by TCP all of it
    hung                the same, and TCP is taken and stays silent
    cut                 an answer that ends in the middle of a record
    raw HEX             these octets behind the number of the question

Each question is a line of DIRECTORY/asked: "udp MX luar.example". It ends with its standard input."""

import json
import os
import socket
import struct
import sys
import threading
from pathlib import Path

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}
ANSWER, TRUNCATED = 0x8180, 0x0200
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
CNAMES_MOST = 8


def name_on_wire(name):
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def data_on_wire(kind, value):
    if kind == "MX":
        return struct.pack(">H", value[0]) + name_on_wire(value[1])
    if kind in ("CNAME", "PTR"):
        return name_on_wire(value)
    if kind == "SRV":
        return struct.pack(">3H", *value[:3]) + name_on_wire(value[3])
    if kind == "TXT":
        text = value.encode()
        return b"".join(bytes([len(part)]) + part for part in (text[i:i + 255] for i in range(0, len(text), 255)))
    return socket.inet_pton(socket.AF_INET6 if kind == "AAAA" else socket.AF_INET, value)


def record(name, kind, value):
    data = data_on_wire(kind, value)
    return name_on_wire(name) + struct.pack(">HHIH", TYPES[kind], 1, 60, len(data)) + data


def question(name, kind):
    return name_on_wire(name) + struct.pack(">HH", TYPES[kind], 1)


def message(number, flags, asked, records=()):
    return struct.pack(">6H", number, flags, 1, len(records), 0, 0) + asked + b"".join(records)


def read_question(octets):
    """Number, name and type of a question, and its octets."""
    labels, at = [], 12
    while octets[at]:
        labels.append(octets[at + 1:at + 1 + octets[at]].decode("latin-1").lower())
        at += 1 + octets[at]
    [number] = struct.unpack_from(">H", octets)
    [kind] = struct.unpack_from(">H", octets, at + 1)
    return number, ".".join(labels), NAMES.get(kind, str(kind)), octets[12:at + 5]


class Resolver:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.asked = os.open(self.directory / "asked", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def zone(self, name):
        """What is said of a name; None: it does not exist."""
        try:
            return json.loads((self.directory / f"{name}.zone").read_text())
        except (OSError, ValueError):
            return None

    def collect(self, name, kind):
        """The records, behind the CNAMEs that lead to them, and a code."""
        found = []
        for _ in range(CNAMES_MOST):
            zone = self.zone(name)
            if zone is None:
                return found, NXDOMAIN
            if kind != "CNAME" and "CNAME" in zone:
                found.append(record(name, "CNAME", zone["CNAME"][0]))
                name = zone["CNAME"][0]
                continue
            return found + [record(name, kind, value) for value in zone.get(kind, [])], 0
        return found, SERVFAIL

    def answer(self, octets, over):
        """Octets, or None for none."""
        number, name, kind, asked = read_question(octets)
        os.write(self.asked, f"{over} {kind} {name}\n".encode())
        moods = (self.zone(name) or {}).get("moods", {})
        mood, _, more = moods.get(kind, moods.get("*", "")).partition(" ")
        if mood == "silent" or mood == "hung" and over == "tcp":
            return None
        if mood in ("truncated", "hung") and over == "udp":
            return message(number, ANSWER | TRUNCATED, asked)
        if mood in ("servfail", "refused"):
            return message(number, ANSWER | (SERVFAIL if mood == "servfail" else REFUSED), asked)
        if mood == "raw":
            return struct.pack(">H", number) + bytes.fromhex(more)
        records, code = self.collect(name, kind)
        whole = message(number, ANSWER | code, asked, records)
        return whole[:-3] if mood == "cut" else whole

    def serve_udp(self, sock):
        while True:
            octets, sender = sock.recvfrom(4096)
            answer = self.answer(octets, "udp")
            if answer is not None:
                sock.sendto(answer, sender)

    def serve_tcp(self, listener):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=self.serve_one, args=(sock,), daemon=True).start()

    def serve_one(self, sock):
        with sock, sock.makefile("rb") as stream:
            while len(head := stream.read(2)) == 2:
                answer = self.answer(stream.read(struct.unpack(">H", head)[0]), "tcp")
                if answer is not None:
                    sock.sendall(struct.pack(">H", len(answer)) + answer)


def main(address, directory):
    resolver = Resolver(directory)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, 53))
    tcp = socket.create_server((address, 53))
    threading.Thread(target=resolver.serve_udp, args=(udp,), daemon=True).start()
    threading.Thread(target=resolver.serve_tcp, args=(tcp,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
