"""Reads and plays the dialogues of tests/dialogs; the format is described in
the README there."""

import base64
import os
import pwd
import re
import shlex
import time

from office import HOSTNAME, wait_until
from wire import PATIENCE, WireError

SERVICES = ("pop3", "pop3s", "smtp", "lmtp", "submission", "submissions", "local")
# Lines that belong to the step above them.
DETAILS = ("|", "|^", "|~", "|...", "has", "has^", "has~", "lacks", "lacks^", "lacks~", "lines",
           "octets", "in", "exit", "err~")
ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


class DialogError(AssertionError):
    """A dialogue that failed, or is not written right; says where."""


class Step:
    def __init__(self, path, number, word, text):
        self.place = f"{path}:{number}"
        self.word, self.text = word, text
        self.details = []

    def __str__(self):
        return f"{self.place}: {self.word} {self.text}"


def read(path):
    """The steps of a dialogue, and the first comment, which says what it stands for."""
    steps, title = [], None
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        line = line.lstrip()
        if not line:
            continue
        if line.startswith("#"):
            title = title or line.lstrip("# ")
            continue
        word, _, text = line.partition(" ")
        step = Step(path.name, number, word, text)
        if word not in DETAILS:
            steps.append(step)
        elif steps:
            steps[-1].details.append(step)
        else:
            raise DialogError(f"{step}: belongs to no step")
    if not title:
        raise DialogError(f"{path.name}: the first line is a comment with the RFC section or the client")
    return title, steps


def unescape(text):
    def one(match):
        if match[1]:
            return bytes([int(match[1], 16)])
        if match[2] not in ESCAPES:
            raise DialogError(f"unknown escape \\{match[2].decode()}")
        return ESCAPES[match[2]]

    return ESCAPE.sub(one, text.encode())


class Player:
    def __init__(self, office):
        self.office = office
        self.started = False
        self.wires = {}
        self.current = None
        self.values = {"hostname": HOSTNAME, "address": office.address, "account": pwd.getpwuid(os.geteuid()).pw_name}
        self.expected_faults = []

    def play(self, steps):
        try:
            self.play_steps(steps)
        finally:
            for wire in self.wires.values():
                wire.close()

    def play_steps(self, steps):
        for step in steps:
            try:
                self.step(step)
            except DialogError:
                raise
            except (AssertionError, OSError, ValueError, KeyError) as why:
                raise DialogError(f"{step}\n    {why}") from why
        for name, wire in self.wires.items():
            if wire.pending():
                raise DialogError(f"at the end, on {name}, unasked for: {wire.pending()[:500]!r}")
            wire.close()
        if self.started:
            for pattern in self.expected_faults:
                self.office.wait_log(pattern)
            self.office.stop()

    def step(self, step):
        word = step.word
        if word == ">":
            self.wire().send(self.fill(step.text).encode() + b"\r\n")
        elif word == ">>":
            self.wire().send(unescape(self.fill(step.text)))
        elif word.startswith(">*"):
            self.wire().send(unescape(self.fill(step.text)) * int(word[2:]))
        elif word in ("<", "<^", "<~"):
            line = self.wire().line()
            if line is None:
                raise WireError("the connection has ended")
            self.compare(word[1:], step.text, line.decode("utf-8", "backslashreplace"))
        elif word == "<.":
            self.check_block(step, self.wire().block())
        elif word == "<-":
            code, texts = self.wire().reply()
            if str(code) != self.fill(step.text).strip():
                raise WireError(f"got {code} {texts}")
            self.check_block(step, texts)
        else:
            action = getattr(self, "do_" + word.replace("$", "run"), None)
            if action is None:
                raise DialogError(f"{step}: there is no such step")
            action(step)

    # ---- steps

    def do_set(self, step):
        match = re.fullmatch(r"(\w+)\.(\w+) *= *(.*)", step.text)
        if not match or self.started:
            raise ValueError("wanted before the server starts: set SECTION.KEY = VALUE")
        self.office.set(match[1], match[2], self.fill(match[3]))

    def do_start(self, step):
        if not self.started:
            self.office.start()
            self.started = True

    def do_restart(self, step):
        self.office.restart()

    def do_mail(self, step):
        self.do_start(step)
        words = shlex.split(self.fill(step.text))
        to, options = words[0], dict(zip(words[1::2], words[2::2]))
        name, sender = options.pop("as", None), options.pop("from", "pak@luar.example")
        size, count = int(options.pop("size", 0)), int(options.pop("count", 1))
        if options or len(words) % 2 == 0:
            raise ValueError("wanted: mail ADDRESS [as NAME] [from SENDER] [size N] [count N]")
        text = "".join(self.fill(line.text) + "\r\n" for line in step.details)
        message = bytearray((text or "From: pak@luar.example\r\nSubject: uji\r\n\r\n").encode())
        while len(message) < size:
            message += b"x" * min(76, max(size - len(message) - 2, 0)) + b"\r\n"
        if size and len(message) != size:
            raise ValueError(f"a message of {size} octets cannot be made of this, {len(message)} can")
        mailbox = re.sub(r"\+[^@]*", "", to)
        before = {mail["id"] for mail in self.office.mails(mailbox)} if name else ()
        for _ in range(count):
            self.office.deliver(message, to, sender)
        if name:
            (mail,) = [mail for mail in self.office.mails(mailbox) if mail["id"] not in before]
            for key, value in mail.items():
                self.values[f"{name}.{key}"] = str(value)

    def do_connect(self, step):
        self.do_start(step)
        words = self.fill(step.text).split()
        service, options = words[0], words[1:]
        if service not in SERVICES:
            raise ValueError(f"no such service: {service}")
        name, source, raw = service, None, False
        while options:
            option = options.pop(0)
            if option == "as":
                name = options.pop(0)
            elif option == "from":
                source = options.pop(0)
            elif option == "raw":
                raw = True
            else:
                raise ValueError("wanted: connect SERVICE [as NAME] [from ADDRESS] [raw]")
        if name in self.wires:
            raise ValueError(f"{name} is still open")
        self.wires[name] = self.office.connect(service, source, raw)
        self.current = name

    def do_on(self, step):
        self.current = step.text.strip()
        self.wire()

    def do_tls(self, step):
        self.wire().start_tls()

    def do_eof(self, step):
        if not self.wire().at_end():
            raise WireError(f"not the end: {self.wire().pending()[:500]!r}")
        self.wires.pop(self.current).close()

    def do_close(self, step):
        wire = self.wires.pop(self.current)
        wire.close()

    def do_reset(self, step):
        self.wires.pop(self.current).reset()

    def do_gone(self, step):
        service = step.text.strip()
        wait_until(lambda: not self.office.named(service), f"no {service} session is left")

    def do_finish(self, step):
        self.wire().finish_sending()

    def do_login(self, step):
        """USER and PASS of one of the three."""
        name = step.text.strip()
        for command in (f"USER {name}@kantor.example", f"PASS rahasia-{name}"):
            answer = self.wire().command(command)
            if not answer.startswith("+OK"):
                raise WireError(f"{command}: {answer}")

    def do_run(self, step):
        self.check_command(step)

    def do_until(self, step):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.check_command(step)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def do_log(self, step):
        self.office.wait_log(self.fill(step.text))

    def do_fault(self, step):
        self.office.allow(step.text)
        self.expected_faults.append(step.text)

    # ---- comparing

    def check_command(self, step):
        words = shlex.split(self.fill(step.text))
        if words[0] != "officemail":
            raise ValueError("only officemail is run")
        given = "".join(self.fill(line.text) + "\n" for line in step.details if line.word == "in")
        status = next((int(line.text) for line in step.details if line.word == "exit"), 0)
        result = self.office.command(*words[1:], stdin=given)
        complaint = result.stderr.decode("utf-8", "backslashreplace")
        if result.returncode != status:
            raise AssertionError(f"exit {result.returncode}, not {status}: {result.stdout}\n{complaint}")
        for line in step.details:
            if line.word == "err~" and not re.search(self.fill(line.text), complaint):
                raise AssertionError(f"{line}\n    stderr: {complaint}")
        self.check_block(step, result.stdout.splitlines())

    def check_block(self, step, block):
        """Holds the details of a step against the lines it brought."""
        lines = [line.decode("utf-8", "backslashreplace") for line in block]
        shown = "\n".join(f"    {line[:200]}" for line in lines[:60])
        in_order = [detail for detail in step.details if detail.word.startswith("|")]
        if in_order:
            self.check_order(in_order, lines, shown)
        for detail in step.details:
            kind = detail.word.rstrip("^~")
            how = detail.word[len(kind):]
            if kind in ("has", "lacks"):
                if any(self.matches(how, detail.text, line) for line in lines) != (kind == "has"):
                    raise AssertionError(f"{detail}\n{shown}")
            elif kind == "lines" and len(lines) != self.number(detail.text):
                raise AssertionError(f"{detail}: there are {len(lines)}\n{shown}")
            elif kind == "octets" and sum(len(line) + 2 for line in block) != self.number(detail.text):
                raise AssertionError(f"{detail}: there are {sum(len(line) + 2 for line in block)}")

    def check_order(self, details, lines, shown):
        at, skipping = 0, False
        for detail in details:
            how = detail.word[1:]
            if how == "...":
                skipping = True
                continue
            while skipping and at < len(lines) and not self.matches(how, detail.text, lines[at]):
                at += 1
            if at >= len(lines):
                raise AssertionError(f"{detail}: not found\n{shown}")
            self.compare(how, detail.text, lines[at], detail)
            at, skipping = at + 1, False
        if at < len(lines) and not skipping:
            raise AssertionError(f"there is more: {lines[at][:200]!r}\n{shown}")

    def compare(self, how, wanted, line, detail=None):
        if not self.matches(how, wanted, line):
            where = f"{detail}\n    " if detail else ""
            raise AssertionError(f"{where}wanted {how} {self.fill(wanted)!r}\n    got {line[:1000]!r}")

    def matches(self, how, wanted, line):
        wanted = self.fill(wanted)
        if how == "^":
            return line.startswith(wanted)
        if how == "~":
            match = re.fullmatch(wanted, line)
            if match:
                self.values.update(match.groupdict())
            return bool(match)
        return line == wanted

    def fill(self, text):
        """Puts values in the place of ${NAME}, sums of ${A+B}, and ${base64:TEXT}."""

        def one(match):
            inner = match[1]
            if inner.startswith("base64:"):
                return base64.b64encode(unescape(inner[7:])).decode()
            if inner in self.values:
                return self.values[inner]
            if "+" in inner:
                return str(sum(int(self.values.get(part, part)) for part in inner.split("+")))
            raise ValueError(f"no value {inner}")

        return re.sub(r"\$\{([^{}]*)\}", one, text)

    def number(self, text):
        return int(self.fill(text))

    def wire(self):
        if self.current not in self.wires:
            raise ValueError("no connection: connect first")
        return self.wires[self.current]
