"""Nonsense by grammar: streams of tokens that mean something to a mail server,
in an order that means nothing, cut into pieces and broken off anywhere. No
answer is checked; the server must live, leak nothing and serve on."""

import random

from hostile import Pop3, deliver, open_house, taken

ROUNDS = 800

TOKENS = [
    b"EHLO ", b"HELO x", b"LHLO x", b"MAIL FROM:", b"RCPT TO:", b"<ani@kantor.example>", b"<>", b"<a@b.c>",
    b" SIZE=", b" BODY=8BITMIME", b"DATA", b"BDAT ", b" LAST", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b".",
    b"\r\n.\r\n", b"\0", b"STARTTLS", b"STLS", b"RSET", b"NOOP", b"QUIT", b"VRFY x", b"EXPN", b"HELP",
    b"USER ani@kantor.example", b"PASS rahasia-ani", b"AUTH PLAIN ", b"AUTH LOGIN", b"*",
    b"AGFuaUBrYW50b3IuZXhhbXBsZQByYWhhc2lhLWFuaQ==", b"CAPA", b"LIST ", b"UIDL ", b"RETR ", b"TOP ",
    b"DELE ", b"STAT", b"1", b"2", b"0", b"-1", b"4294967297", b"99999999999999999999", b" ", b"\t",
    b"Subject: x", b"Received: by mail.kantor.example\r\n", b":", b"@", b'"', b"\\", b"(", b"[", b"]",
    b"x" * 300, b"y" * 3000, b"\xff\xfe", b"%n", b"GET / HTTP/1.1",
]
BEGINNINGS = [
    b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<ani@kantor.example>\r\n",
    b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ani@kantor.example>\r\n",
    b"USER ani@kantor.example\r\nPASS rahasia-ani\r\n",
    b"", b"",
]


def nonsense(chance):
    stream = chance.choice(BEGINNINGS) + chance.choice([b"", b"", b"DATA\r\n"])
    for _ in range(chance.randrange(1, 60)):
        kind = chance.random()
        if kind < 0.9:
            stream += chance.choice(TOKENS)
        elif kind < 0.97:
            stream += chance.randbytes(chance.randrange(1, 40))
        else:
            stream += chance.choice(TOKENS) * chance.randrange(1, 2000)
    return stream + chance.choice([b"", b"\r\n.\r\nQUIT\r\n"])


def send_in_pieces(chance, wire, stream):
    longest = chance.choice([400, len(stream)])
    while stream:
        size = chance.randrange(1, longest + 1)
        wire.send(stream[:size])
        stream = stream[size:]


def speak(office, chance):
    wire = office.connect(chance.choice(["smtp", "lmtp", "pop3", "pop3s"]))
    send_in_pieces(chance, wire, nonsense(chance))
    if chance.random() < 0.5:
        wire.reset()
        return
    try:
        wire.finish_sending()
    except OSError:
        pass  # the server has hung up already
    while not wire.at_end():
        wire.received.clear()
    wire.close()


def test_nonsense_does_no_harm(workshop):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for office in open_house(workshop, [("smtpd", "max_message", 100_000)]):
        for _ in range(ROUNDS):
            speak(office, chance)
        taken(office)
        deliver(office, b"Subject: sense\r\n\r\n")
        assert taken(office) == [b"Subject: sense\r\n\r\n"]
        Pop3(office).leave()
