"""Who holds a secret, and for how long: looked for in the memory of every process."""

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import sys

import pytest

import certificates
from hostile import Smtp
from letters import letter
from memory import forms_of_key, forms_of_password, holds
from office import wait_until

PASSWORD = "Kucing-Belang-Tiga-7391-Melompati-Pagar-Bambu-5528"
NAME = "ani@kantor.example"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the memory of another process")


@pytest.fixture
def plain(office):
    if office.sanitized:
        pytest.skip("the sanitizer keeps freed memory and its own copies")
    return office


def holders(office, needles):
    """{process: what of it} for all processes of the server."""
    found = {}
    for pid in office.pids():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            what = holds(pid, needles)
            if what:
                found[f"{open(f'/proc/{pid}/comm').read().strip()} {pid}"] = sorted(what)
    return found


# ---- the private key


def own_pair(office):
    """Made by serve itself, in the same run."""
    shutil.rmtree(office.data / "tls")
    return office.data / "tls" / "key.pem"


def given_pair(office, kind):
    certificates.self_signed(office.dir, kind)
    certificates.use(office)
    return office.dir / "key.pem"


@pytest.mark.parametrize("pair", ["made at the start", "rsa", "ec"])
def test_the_keys_role_holds_the_private_key_and_nobody_else(plain, pair):
    path = own_pair(plain) if pair == "made at the start" else given_pair(plain, pair)
    plain.start()
    needles = forms_of_key(path)
    open_sessions = [plain.connect("pop3s"), plain.connect("pop3"), plain.connect("smtp"), plain.connect("lmtp")]
    for wire in open_sessions:
        wire.line()
    half = plain.connect("pop3s", raw=True)  # its session waits for the handshake
    encrypted = Smtp(plain)
    assert encrypted.ask(b"STARTTLS").code == 220
    encrypted.wire.start_tls()
    (keys, ) = plain.named("keys")
    found = holders(plain, needles)
    assert {name for name in found if name != f"keys {keys}"} == set(), found
    assert found[f"keys {keys}"], "it is there where it has to be"
    half.close()


@pytest.mark.parametrize("made", ["made at the start", "there already"])
def test_the_keys_role_holds_the_key_that_signs_mail_and_nobody_else(plain, made):
    path = plain.data / "dkim/office.pem"
    if made == "made at the start":
        path.unlink()
    plain.start()
    wires = [plain.connect("pop3s"), plain.connect("smtp")]
    for wire in wires:
        wire.line()
    found = holders(plain, forms_of_key(path))
    assert [name.split()[0] for name in found] == ["keys"], found


def test_a_renewed_key_leaves_nothing_in_the_master(plain):
    given_pair(plain, "ec")
    plain.start()
    old = forms_of_key(plain.dir / "key.pem")
    given_pair(plain, "rsa")
    new = forms_of_key(plain.dir / "key.pem")
    plain.hang_up()
    plain.wait_log("certificate ")
    assert set(name.split()[0] for name in holders(plain, {**old, **new})) == {"keys"}


# ---- passwords


def set_password(office):
    office.run("user", "passwd", NAME, "--password-stdin", stdin=PASSWORD + "\n")


def sasl(password):
    return base64.b64encode(f"\0{NAME}\0{password}".encode()).decode()


def by_pass(wire, password):
    wire.command(f"USER {NAME}")
    wire.send(f"PASS {password}\r\n".encode())


def by_plain(wire, password):
    wire.send(f"AUTH PLAIN {sasl(password)}\r\n".encode())


def by_plain_in_two_steps(wire, password):
    assert wire.command("AUTH PLAIN") == "+ "
    wire.send(f"{sasl(password)}\r\n".encode())


def by_login(wire, password):
    assert wire.command("AUTH LOGIN").startswith("334")
    assert wire.command(base64.b64encode(NAME.encode()).decode()).startswith("334")
    wire.send(base64.b64encode(password.encode()) + b"\r\n")


WAYS = [
    *((service, way) for service in ("pop3", "pop3s") for way in (by_pass, by_plain, by_plain_in_two_steps)),
    ("submissions", by_plain),
    ("submissions", by_login),
]


def needles_of(password):
    line = sasl(password)
    login = base64.b64encode(password.encode())
    return {**forms_of_password(password), "SASL PLAIN": line[30:60].encode(), "SASL LOGIN": login[12:36]}


@pytest.mark.parametrize("service, way", WAYS, ids=lambda part: part if isinstance(part, str) else part.__name__)
def test_a_password_is_gone_from_every_process_once_it_is_answered(plain, service, way):
    set_password(plain)
    plain.start()
    plain.deliver(letter(1))
    wrong = PASSWORD.swapcase()
    wire = plain.connect(service)
    wire.line()
    is_pop3 = service.startswith("pop3")
    if not is_pop3:
        wire.send(b"EHLO penguji.example\r\n")
        assert wire.reply()[0] == 250
    for password, answer in ((wrong, (b"-ERR", b"535")), (PASSWORD, (b"+OK", b"235"))):
        (session, ) = plain.named("pop3" if is_pop3 else "submission")
        (directory, *_) = plain.named("directory")
        needles = needles_of(password)
        os.kill(directory, signal.SIGSTOP)
        try:
            way(wire, password)
            # It is being looked at, and so it is there: this is how it looks where it is.
            wait_until(lambda: holds(session, needles), "the password in the session that asks")
        finally:
            os.kill(directory, signal.SIGCONT)
        assert wire.line().startswith(answer)
        # A role answers, and wipes behind the answer.
        left = {}
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not left.update(new=holders(plain, needles)) and not left["new"], "gone", 3)
        assert left["new"] == {}
    assert wire.command("QUIT").startswith("+OK" if is_pop3 else "221")


def test_a_password_in_clear_where_none_is_taken_is_not_kept_either(plain):
    plain.set("pop3d", "require_tls", "yes")
    plain.start()
    wire = plain.connect("pop3")
    wire.line()
    assert wire.command(f"USER {NAME}").startswith("-ERR")
    assert wire.command(f"PASS {PASSWORD}").startswith("-ERR")
    assert wire.command("NOOP").startswith("-ERR")
    assert holders(plain, needles_of(PASSWORD)) == {}


# ---- the kernel's part


LOOK = """
import sys
for pid in sys.argv[1:]:
    for name in ("mem", "environ", "maps"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(1)
        except PermissionError:
            continue
        sys.exit(f"{pid} {name}")
"""


def test_no_process_can_be_looked_into_by_the_account_it_runs_under(plain):
    plain.start()
    wires = [plain.login(), plain.connect("smtp"), plain.connect("pop3s")]
    pids = [str(pid) for pid in plain.pids()]
    assert len(pids) == 1 + 6 + len(wires)
    looked = subprocess.run([sys.executable, "-c", LOOK, *pids], user="nobody", capture_output=True, text=True)
    assert looked.returncode == 0, looked.stderr
    own = subprocess.Popen(["sleep", "60"], user="nobody")  # what can be looked into shows so
    try:
        looked = subprocess.run([sys.executable, "-c", LOOK, str(own.pid)], user="nobody", capture_output=True)
        assert looked.returncode == 1
    finally:
        own.kill()
        own.wait()
