"""Servers that mail leaves to: one that behaves (aiosmtpd), and does what a test
tells it; and one that says octets."""

import socket
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from office import Claim, wait_until

PORT = 2525


class Letter:
    def __init__(self, envelope, session):
        self.sender, self.recipients = envelope.mail_from, list(envelope.rcpt_tos)
        self.options = list(envelope.mail_options)
        self.recipient_options = list(getattr(envelope, "recipient_options", []))
        self.octets = envelope.original_content
        self.peer, self.tls, self.login = session.peer, session.ssl is not None, session.auth_data


class Remote:
    """Takes mail, unless `answers` says otherwise: a dict from "MAIL", "RCPT", "DATA" to
    an answer, a list of answers of which each is given once, or a function of the
    session and the envelope. None: as usual."""

    def __init__(self, address=None, port=PORT, auth=None, tls=None, extensions=(), **settings):
        self.claim = None if address else Claim()
        self.address = address or self.claim.address
        self.port = port
        self.letters, self.sessions, self.logins, self.answers = [], 0, [], {}
        self.auth, self.tls, self.extensions, self.settings = auth, tls, extensions, settings
        self.controller = None
        self.start()

    def start(self):
        more = dict(self.settings)
        if self.tls:
            more["tls_context"] = self.tls
        if self.auth:
            more.update(authenticator=self._authenticate, auth_require_tls=bool(self.tls), auth_required=True)
        remote = self

        class Server(SMTP):
            def _create_session(self):
                remote.sessions += 1
                return super()._create_session()

        class Listener(Controller):
            def factory(self):
                return Server(self.handler, decode_data=False, **more)

        self.controller = Listener(self, hostname=self.address, port=self.port, ready_timeout=30)
        self.controller.start()
        self.sessions = 0  # it has tried itself

    def stop(self):
        if self.controller:
            self.controller.stop()
        self.controller = None

    def close(self):
        self.stop()
        if self.claim:
            self.claim.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def place(self):
        return f"{self.address}:{self.port}"

    def wait(self, count=1, **patience):
        wait_until(lambda: len(self.letters) >= count, f"{count} letters at {self.place}", **patience)
        return self.letters

    # ---- what aiosmtpd asks

    def _authenticate(self, server, session, envelope, mechanism, data):
        login = (data.login.decode(), data.password.decode())
        self.logins.append((mechanism, *login))
        return AuthResult(success=login == self.auth, auth_data=login[0], handled=False)

    def _answer(self, what, session, envelope):
        answer = self.answers.get(what)
        if callable(answer):
            return answer(session, envelope)
        if isinstance(answer, list):
            return answer.pop(0) if answer else None
        return answer

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return [*responses[:-1], *(f"250-{word}" for word in self.extensions), responses[-1]]

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = self._answer("MAIL", session, envelope)
        if answer is None or answer.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 2.1.0 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        envelope.asked = address
        answer = self._answer("RCPT", session, envelope)
        if answer is None or answer.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.recipient_options = [*getattr(envelope, "recipient_options", []), options]
        return answer or "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        answer = self._answer("DATA", session, envelope)
        if answer is None or answer.startswith("2"):
            self.letters.append(Letter(envelope, session))
        return answer or "250 2.0.0 taken"


class Speaker:
    """Runs `talk(file, connection number)` for each connection, in a thread."""

    def __init__(self, talk, port=PORT):
        self.claim = Claim()
        self.address, self.port, self.talk, self.count = self.claim.address, port, talk, 0
        self.listener = socket.create_server((self.address, port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._talk, args=(connection, self.count), daemon=True).start()

    def _talk(self, connection, number):
        with connection, connection.makefile("rwb", buffering=0) as wire:
            try:
                self.talk(wire, number)
            except OSError:
                pass

    @property
    def place(self):
        return f"{self.address}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.claim.release()
