"""Turns what the tree holds already into the first inputs of the targets: the
dialogues, office.ini, the certificates of the units."""

import base64
import re
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/outside")]

import milter as said  # noqa: E402
from resolver import ANSWER, TRUNCATED, message, question, record  # noqa: E402

ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[rnt0\\])")
BASE64 = re.compile(r"\$\{base64:([^}]*)\}")
PLAIN = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
LONGEST = 4096
DATA = ROOT / "tests/unit/data"


def unescape(text):
    return ESCAPE.sub(lambda m: PLAIN.get(m[1]) or chr(int(m[1][1:], 16)), text)


def fill(text):
    """Values of which the text itself says what they are; the others stay."""
    return BASE64.sub(lambda m: base64.b64encode(unescape(m[1]).encode()).decode(), text)


def spoken(path):
    """What the client of a dialogue says, on all its connections, as octets."""
    said = []
    for line in path.read_text(encoding="utf-8").splitlines():
        step, _, text = line.strip().partition(" ")
        text = fill(text)
        if step == ">":
            said.append(text + "\r\n")
        elif step == ">>":
            said.append(unescape(text))
        elif step.startswith(">*"):
            count = int(step[2:]) if step[2:].isdigit() else 1
            said.append((text + "\r\n") * min(count, 30))
        elif step == "login":
            said.append(f"USER {text}\r\nPASS rahasia-{text}\r\n")
    return "".join(said).encode("utf-8", "replace")[:LONGEST]


def dialogues(*services):
    for service in services:
        for path in sorted((ROOT / "tests/dialogs" / service).glob("*.dialog")):
            octets = spoken(path)
            if octets:
                yield path.stem, octets


def lines(verb, *services):
    """The arguments of a command, each once."""
    pattern = re.compile(rb"^(?:%s)[ \t]+(.*?)\r?$" % verb, re.IGNORECASE | re.MULTILINE)
    found = {text for _, octets in dialogues(*services) for text in pattern.findall(octets)}
    return enumerate(sorted(found))


def bodies():
    for name, octets in dialogues("smtp", "lmtp"):
        for n, body in enumerate(re.findall(rb"^DATA\r\n(.*?\r\n\.\r\n)", octets, re.DOTALL | re.MULTILINE)):
            yield f"{name}-{n}", body


def der(*command):
    return subprocess.run(["openssl", *command, "-outform", "der"], cwd=DATA, capture_output=True, check=False).stdout


def credentials():
    for path in sorted([*DATA.glob("*.pem"), *DATA.glob("*.key")]):
        yield path.name, b"\0" + path.read_bytes()
        if path.suffix == ".pem":
            yield f"{path.name}.der", b"\1" + der("x509", "-in", path.name)
        elif path.stem not in ("locked", "ed25519"):
            yield f"{path.name}.der", b"\2" + der("pkcs8", "-topk8", "-nocrypt", "-in", path.name)
    yield "sec1", b"\3" + der("ec", "-in", "ec256_sec1.key")
    yield "pkcs1", b"\4" + der("rsa", "-in", "rsa_pkcs1.key", "-traditional")


def headers():
    """The first octets of messages, to the blank line."""
    for name, body in bodies():
        yield name, body.partition(b"\r\n\r\n")[0]
    yield "words", b"Subject: =?UTF-8?Q?caf=C3=A9?=\r\n =?iso-8859-1?B?Y2Fm6Q==?=\r\nX-Spam: yes\r\n"


def letters():
    """Messages of somebody whose mail is signed, behind the span in which they come."""
    for name, body in bodies():
        yield name, b"\x40" + re.sub(rb"(?im)^From:.*", b"From: ani@kantor.example\r", body)
    yield "blanks", (b"\0subject :\t a\r\n \r\n\tb \r\nFROM:\r\n =?utf-8?q?Ani?=\r\n <ani@cabang.example>\r\n\r\n"
                     b"\r\n \t\r\n c \t d\t\r\n\r\n \r\n")
    yield "many", b"\x07From: ani@kantor.example\r\n" + b"To: a\r\n" * 6 + b"List-Id: l\r\nSender:\r\n\r\n.\r\n"


def frames(target):
    """Right steps: see the target."""
    if target == "writer":
        yield "files", b"\0\0\0\0\3\0\3\10Subj\r\n\r\n\4\0x\10\0"
        yield "deletes", b"\0\0\3\0\5\0\0\2\0\1\0\1\2\0\6\1\1\2\5\1\1\1\3\7\0\0\3yes"
        yield "forges", b"\0\0\3\0\5\0\2\1\2\0\0\2\0\5\0\7\1\0\0\1\3\0\2\1\26\0"
        yield "views", b"\0\0\3\0\5\0\11\2\2\3\5\0\13\1\2\5\0\1\1\2\5\0\13\2\2\3\5\0\1\1\3"
        yield "anothers-device", b"\0\0\3\0\5\0\10\1\0\0\1\3\0\6\1\11\1\2\5\1\13\1\3"
        yield "submits", b"\0\0\2\0\10\0\0\1\2\44From: ani@kantor.example\r\n\r\n\0\0\3"
        yield "behind", b"\0\0\0\0\12\0a\12\0b\14\0\0\14\0\1\13\0\16Subject: x\r\n\r\n\3\0\3\6isi\r\n\r"
        yield "submits-behind", b"\0\0\2\0\12\0a\13\0\34From: ani@kantor.example\r\n\r\n\10\0\0\1\1\0\14\0\0\11\0"
        yield "out-of-order", b"\0\0\0\0\0\1\0\0\12\0a\14\1\0\4\1b\14\0\377\0\2\0\0\13\2\1x\12\2c"
    elif target == "directory":
        yield "logs-in", b"\0\0\3\0\3\0\0\0\5\0\7\0\0\1\2\0\3\1\4\0\5\1"
        yield "device", b"\0\0\3\0\3\0\4\5\5\0\0\1\3\1\3\1\5\5\0\2\2\0\3\2\4\5\6\2\22budi@kantor.example"
        yield "resolves", b"\0\0\0\0\4\0\22ani@kantor.example\4\0\12postmaster\4\0\5x@y.z"
    elif target == "keys":
        yield "signs", b"\2\1\0\0\40" + bytes(range(32)) + b"\1\0\0\40" + bytes(32)
        yield "refuses", b"\0\1\0\44\40" + bytes(range(32))
        yield "asks", b"\1\0\5other"
        yield "mail", b"\x80\xfe\1\40" + bytes(range(32)) + b"\xfe\0\40" + bytes(32) + b"\xfe\1\37" + bytes(31)
        yield "no-mail", b"\3\xfe\1\40" + bytes(32)
        yield "no-handshake", b"\x80\1\0\0\40" + bytes(range(32))


def reports():
    fields = (b"ani@kantor.example", b"QQ+2B1", b"budi@far.example", b"rfc822;budi+2Bx@far.example", b"5.1.1",
              b"mx.far.example", b"550 5.1.1 <budi@far.example>: Recipient address rejected: User unknown",
              b"Message-ID: <1@x>\r\nSubject: =?UTF-8?Q?caf=C3=A9?=\r\n\r\nisi\r\n")
    for what in range(128):
        if what & 15 < 7:
            yield what, bytes([what]) + b"\xfe".join(fields)
    yield "long", b"\x20" + b"\xfe".join([b"x" * 600, *fields[1:6], b"y " * 400, b"z" * 1200])


def servers():
    """What a server says to a client: an octet of flags, one for the length of packets."""
    hello = b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250-SIZE %s\r\n250 8BITMIME\r\n"
    taken = b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 who?\r\n452 4.2.2 full\r\n354 go\r\n250 2.0.0 taken\r\n"
    refused = b"250 ok\r\n550-5.1.1 who\r\n550 5.1.1 is that?\r\n" * 2 + b"450 4.2.0 later\r\n354 go\r\n554 nobody\r\n"
    bye = b"221 bye\r\n"
    yield "sends", b"\0\377" + hello % b"1000" + taken * 2 + bye
    yield "refuses", b"\0\377" + hello % b"" + refused + taken + bye
    yield "small", b"\0\377" + hello % b"1" + bye
    yield "breaks", b"\2\377" + hello % b"" + taken
    yield "plain", b"\1\377220 mx\r\n250-mx\r\n250 AUTH PLAIN LOGIN\r\n235 2.7.0 welcome\r\n" + b"250 ok\r\n" * 4 + b"354 go\r\n421 bye\r\n"
    yield "login", b"\1\377220 mx\r\n250-mx\r\n250 AUTH LOGIN\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n535 5.7.8 no\r\n"
    yield "helo", b"\0\377220 mx\r\n500 what?\r\n250 mx\r\n" + b"250 ok\r\n" * 4 + b"354 go\r\n250 ok\r\n550 not you\r\n250 reset\r\n"
    for tls in (4, 8, 12):
        yield f"tls-{tls}", bytes([tls]) + b"\377220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n\26\3\3\0\2\2\50"
        yield f"injects-{tls}", bytes([tls]) + b"\377220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\n250 x\r\n"
    yield "refuses-tls", b"\4\377220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 4.7.0 no\r\n" + taken


HASHES = ("$y$j75$kantorexample.an$dhr6WWbNOZTxEToGPFbYOQzEZtl3JKg04Fwhl03VYS6",
          "$5$rounds=1000$kantor$eAos37pDVGrspM8QXGRhf/.XdlcmyDMqWyAK.j2lD/4")


def answers():
    """What DNS says of the MX of luar.example."""
    asked = question("luar.example", "MX")
    hosts = [record("luar.example", "MX", (10 * (n % 3), f"mx{n}.luar.example")) for n in range(20)]
    short = b"\xc0\x0c\0\x0f\0\1\0\0\0\x3c"  # the owner is the name of the question
    yield "hosts", message(1, ANSWER, asked, hosts)
    yield "null", message(1, ANSWER, asked, [record("luar.example", "MX", (0, "."))])
    yield "alias", message(1, ANSWER, asked, [record("luar.example", "CNAME", "lain.example"),
                                              record("lain.example", "MX", (5, "mx.lain.example"))])
    yield "address", message(1, ANSWER, asked, [record("luar.example", "MX", (5, "192.0.2.1"))])
    yield "pointers", message(1, ANSWER, asked, [short + b"\0\7\0\5\2mx\xc0\x0c"])
    yield "to-itself", message(1, ANSWER, asked, [short + b"\0\4\0\5\xc0\x2c"])
    yield "cut", message(1, ANSWER | TRUNCATED, asked, hosts[:1])
    yield "failed", message(1, ANSWER | 2, asked)


def mboxes():
    line = b"From a Mon Nov 23 07:00:00 2026\n"
    yield "two", b"\x10\x03\x40" + line + b"A: b\n\nFrom me\n>From you\n\n" + line + b"C: d\r\n\r\ne\r\n\r\n"
    yield "garbage", b"\x01\x01\x01x\n\n" + line + line + b"\n\r" + line[:-1]
    yield "zones", b"\0\0\0From - Mon Nov 23 07:00:00 +0700 2026\nx\nFrom b  Tue Dec  1 07:00 2026 -0330\r\ny"
    for name, body in bodies():
        yield name, b"\x20\x07\x99" + line + re.sub(rb"(?m)^(>*From )", rb">\1", body.removesuffix(b".\r\n")) + b"\r\n" + line


def uidlists():
    yield "dovecot", b"\0%08Xu%08Xv\x003 V1800000000 N9 Gab\n5 W9 Pown :one,S=5:2,S\n7 Gcd :two\nx\n"
    yield "dovecot-1", b"\0%g-%f-%XUu-%Lv%%\x001 7 9\n3 one\n"
    yield "courier", b"\1/3 9 77\none:2,S 100 1:77:0\ntwo 5 2:0:1\nthr ee+ 7 0:0:0\n"
    yield "json", (b'\2[\n{"file": "Inbox.mbox", "message": 1, "uidl": "a\\u00e9\\ud83d\\ude00", "size": 5, '
                   b'"sum": "0123456789abcdef", "received": "2026-03-02T03:00:00Z"},\n{"file": "x/cur/1.M2:2,", "n": null}\n]\n')
    yield "name", b"\3&AMk-t&AOk- &- co/&2D3eAA-"
    yield "name-8", "\3Été & 台北".encode()


def seeds(target):
    if target == "dot":
        for name, body in bodies():
            yield name, b"\1\x40\0\7" + body
            yield f"{name}-bdat", b"\0\x40\0\7" + body
    elif target == "address":
        yield from lines(rb"MAIL|RCPT", "smtp", "lmtp")
    elif target == "params":
        for n, text in lines(rb"MAIL|RCPT", "smtp", "lmtp", "submission"):
            yield n, text.partition(b">")[2]
    elif target == "sasl":
        yield from lines(rb"AUTH", "pop3")
        yield "login", b"LOGIN\nYW5p\ncmFoYXNpYS1hbmk="
        yield "plain", b"PLAIN AGFuaUBrYW50b3IuZXhhbXBsZQByYWhhc2lhLWFuaQ=="
    elif target == "office_ini":
        yield "office.ini", (ROOT / "office.ini").read_bytes()
    elif target == "smtp_session":
        for n, (name, octets) in enumerate(dialogues("smtp")):
            yield name, bytes([n & 2, 7 * n & 255, n & 63, n & 15]) + octets
        for n, (name, octets) in enumerate(dialogues("lmtp")):
            yield f"lmtp-{name}", bytes([1, 7 * n & 255, n & 63, n & 15]) + octets
        for n, (name, octets) in enumerate(dialogues("submission")):
            yield f"submission-{name}", bytes([4, 7 * n & 255, n & 63, n & 15]) + octets
        yield "submits", (b"\4\0\0\0EHLO x\r\nAUTH PLAIN AGFuaQByYWhhc2lhLWFuaQ==\r\nMAIL FROM:<ani@kantor.example>\r\n"
                          b"RCPT TO:<budi@kantor.example>\r\nDATA\r\nFrom: ani@kantor.example\r\nBcc: x\r\n\r\nisi\r\n.\r\nQUIT\r\n")
    elif target == "pop3_session":
        for n, (name, octets) in enumerate(dialogues("pop3")):
            yield name, bytes([n & 2, 7 * n & 255, n & 63, n & 15]) + octets
    elif target == "port_mbox":
        yield from mboxes()
    elif target == "port_uidls":
        yield from uidlists()
    elif target == "client":
        yield from servers()
    elif target == "milter":
        yield from milters()
    elif target == "credentials":
        yield from credentials()
    elif target == "header":
        yield from headers()
    elif target == "dkim":
        yield from letters()
    elif target == "bounce":
        yield from reports()
    elif target == "mx":
        for name, octets in answers():
            yield name, b"\0" + octets
            yield f"{name}-behind", bytes([octets[7]]) + octets[30:]
    elif target == "password":
        yield from enumerate(text.encode() for text in HASHES)
    else:
        yield from frames(target)


def milters():
    """What the stand-in of the tests can say: each answer to each question, and all changes at once."""
    terms = [said.packet(b"O", struct.pack("!III", 6, 0x1FF, steps)) for steps in (0, said.SILENT_HEADERS | 0x7F000, 0x3FF)]
    verdicts = [said.CONTINUE, said.ACCEPT, said.REJECT, said.TEMPFAIL, said.DISCARD, said.SKIPS, said.PROGRESS * 9,
                said.says("550 5.7.1 no 100%%"), said.says("451-4.7.1 a\r\n451 4.7.1 b"), said.says("421 bye")]
    changes = [said.adds("X-A", "b\nc: d\r\n\r\n e"), said.inserts(0, "X-B", ""), said.inserts(9, "X-C", " x\n\ty"),
               said.changes(1, "subject", "new"), said.changes(2, "X-Spam", ""), said.replaces(b"a\0\n.\r"),
               said.quarantines("why"), said.packet(b"+", b"a@b\0")]
    for n, verdict in enumerate(verdicts):
        yield f"verdict-{n}", b"\0" + terms[n % 2] + verdict * 12
    for n, change in enumerate(changes):
        yield f"change-{n}", b"\3" + terms[n % 3] + change + said.CONTINUE * 4 + change + said.CONTINUE
    yield "all", b"\2" + terms[0] + b"".join(changes[:-1]) + said.PROGRESS + said.CONTINUE * 9
    yield "words", b"\x005.7.1 a\r\n"


def write(target, folder):
    for name, octets in seeds(target):
        (Path(folder) / f"seed-{name}").write_bytes(octets)


if __name__ == "__main__":
    target_, folder_ = sys.argv[1:]
    write(target_, Path(folder_))
