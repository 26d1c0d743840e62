"""Mail that leaves through another server, which wants a login over TLS."""

from contextlib import ExitStack

import pytest

from leaving import letter, public_key, queue, reports, submit, wait_empty, wait_settled
from receivers import LOGIN, OpenSmtpd, PostfixReceiver, own_part
from unpacked import IS_ROOT

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root can start Postfix and OpenSMTPD")


def use(office, name, port, **more):
    """Makes it the office's smarthost."""
    password = office.dir / "smarthost.password"
    password.write_text(more.pop("password", LOGIN[1]) + "\n")
    password.chmod(0o600)
    office.give_to_account(password)
    for key, value in {"smarthost": f"{name}:{port}", "user": LOGIN[0], "password_file": password, **more}.items():
        office.set("relay", key, value)
    office.start()


@pytest.fixture
def server(outside):
    """Runs one with a certificate as given."""
    with ExitStack() as running:
        def run(names=None, kind=PostfixReceiver, back=None, **how):
            name, address = outside.host(outside.domain("pintar"))
            return running.enter_context(kind(name, address, outside.certificate(*(names or [name]), **how), back=back))
        yield run


@pytest.mark.parametrize("port, tls", [(587, "auto"), (587, "starttls"), (465, "auto"), (465, "implicit")])
def test_it_gets_what_was_written(office, server, port, tls):
    smarthost = server()
    use(office, smarthost.name, port, tls=tls)
    submit(office, "pak@luar.example")
    [arrived] = smarthost.wait()
    assert own_part(arrived).endswith(letter())
    wait_empty(office)


FAULTS = {
    "signed by a stranger": (dict(stranger=True), "nobody known has signed the certificate"),
    "signed by itself": (dict(own=True), "the certificate is self-signed"),
    "another name": (dict(names=["lain.example"]), "for another name"),
    "expired": (dict(days=-1), "expired"),
}


@pytest.mark.parametrize("port", [587, 465])
@pytest.mark.parametrize("how, words", FAULTS.values(), ids=FAULTS)
def test_nothing_is_sent_to_one_whose_certificate_is_not_believed(office, server, port, how, words):
    smarthost = server(**how)
    use(office, smarthost.name, port)
    submit(office, "pak@luar.example")
    [waiting] = wait_settled(office)
    assert smarthost.letters() == []
    assert words in waiting["last_reply"] and smarthost.name in waiting["last_reply"]
    assert "sasl_username" not in smarthost.said()


def test_nothing_is_sent_after_a_wrong_password(office, server):
    smarthost = server()
    use(office, smarthost.name, 587, password="salah")
    submit(office, "pak@luar.example")
    [waiting] = wait_settled(office)
    assert smarthost.letters() == []
    assert waiting["last_reply"].startswith("535") and "password_file" in waiting["last_reply"]
    assert office.fetch() == [], "a password of ours that is wrong returns nobody's mail"


def test_OpenSMTPD_in_the_clear_gets_it_too(office, server):
    smarthost = server(kind=OpenSmtpd)
    use(office, smarthost.name, 25, user="", password_file="", tls="none")
    submit(office, "pak@luar.example")
    [arrived] = smarthost.wait()
    assert own_part(arrived).endswith(letter())


@pytest.mark.parametrize("tls", ["auto", "starttls"])
def test_a_handshake_that_breaks_is_not_done_without(office, server, tls):
    """OpenSMTPD's does."""
    smarthost = server(kind=OpenSmtpd)
    use(office, smarthost.name, 25, user="", password_file="", tls=tls)
    submit(office, "pak@luar.example")
    [waiting] = wait_settled(office)
    assert waiting["last_reply"].startswith(f"TLS with {smarthost.name}: ")
    assert smarthost.letters() == []
