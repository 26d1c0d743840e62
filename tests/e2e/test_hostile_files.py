"""Files that are not as they must be, and secrets that must not get out."""

import base64
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from hostile import Pop3, deliver, taken
from office import HASHES, PASSWORDS

SOMEBODY_ELSE = 12345  # an account that is neither root's nor the server's


def stranger(path):
    os.chown(path, SOMEBODY_ELSE, SOMEBODY_ELSE, follow_symlinks=False)


def swap_for_link(path):
    """In its place a symbolic link to itself, moved aside."""
    aside = path.with_name(path.name + ".aside")
    path.rename(aside)
    path.symlink_to(aside)


def key(office):
    return office.data / "tls" / "key.pem"


def spoilt_store(office, make):
    """Something else in the place of the store's file."""
    (office.data / "store.db").unlink()
    make(office.data / "store.db")


def another_key(office):
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key(office)], check=True)


def fault(what, spoil, *words, marks=()):
    return pytest.param(spoil, words, id=what, marks=marks)


ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
TOOLS_TOO = [
    fault("the data directory is a symbolic link", lambda office: swap_for_link(office.data), "data is a symbolic link"),
    fault("the data directory is not there", lambda office: office.data.rename(office.dir / "gone"), "data", "init"),
    fault("the data directory can be read by others", lambda office: office.data.chmod(0o755), "data", "chmod 0700"),
    fault("the store is a symbolic link", lambda office: swap_for_link(office.data / "store.db"),
          "store.db is a symbolic link"),
    fault("the store can be read by others", lambda office: (office.data / "store.db").chmod(0o644), "store.db",
          "chmod 0600"),
    fault("the store is no database", lambda office: (office.data / "store.db").write_bytes(b"no database\n" * 1000),
          "store.db", "backup"),
]
SERVE_ALONE = [
    fault("the store is not there", lambda office: (office.data / "store.db").unlink(), "store.db does not exist",
          "restore FILE"),
    fault("the data directory can be written by others", lambda office: office.data.chmod(0o707), "data", "chmod 0700"),
    fault("the data directory is a file", lambda office: (shutil.rmtree(office.data), office.data.write_text("x")),
          "data", "a plain directory"),
    fault("the store is a directory", lambda office: spoilt_store(office, Path.mkdir), "store.db", "a plain file"),
    fault("the store is a fifo", lambda office: spoilt_store(office, lambda path: os.mkfifo(path, 0o600)), "store.db",
          "a plain file"),
    fault("the key can be read by everyone", lambda office: key(office).chmod(0o644), "key.pem", "chmod 0600"),
    fault("the key can be written by everyone", lambda office: key(office).chmod(0o622), "key.pem", "chmod 0600"),
    fault("the key is not a key", lambda office: key(office).write_text("no key\n"), "key.pem", "no private key"),
    fault("the key is empty", lambda office: key(office).write_text(""), "key.pem", "no private key"),
    fault("the key is another's", another_key, "key.pem is not the key of"),
    fault("the certificate is not one", lambda office: (office.data / "tls/cert.pem").write_text("no certificate\n"),
          "cert.pem: no certificate"),
    fault("the data directory is somebody else's", lambda office: stranger(office.data), "data belongs to",
          marks=ONLY_ROOT),
    fault("the store is somebody else's", lambda office: stranger(office.data / "store.db"), "store.db belongs to",
          marks=ONLY_ROOT),
]


@pytest.mark.parametrize("spoil,words", TOOLS_TOO + SERVE_ALONE)
def test_a_server_with_such_files_does_not_start_and_says_which(office, spoil, words):
    office.allow(".*")
    spoil(office)
    status, said = office.fails_to_start()
    said = re.sub(r"(?m)^starting .*\n", "", said)
    assert status == 1, said
    assert all(word in said for word in words), said
    assert len(said.strip().splitlines()) == 1, said
    assert "ready" not in said


@pytest.mark.parametrize("spoil,words", TOOLS_TOO)
def test_a_tool_refuses_such_files_too(office, spoil, words):
    spoil(office)
    result = office.command("user", "list")
    assert result.returncode == 1
    assert all(word in result.stderr.decode() for word in words), result


def test_files_are_the_servers_own_whatever_the_umask(office):
    office.start(umask=0)
    deliver(office, b"Subject: x\r\n\r\n" + b"y" * 600_000 + b"\r\n")
    Pop3(office, "ani").leave()
    for path in [office.data, *office.data.rglob("*")]:
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            assert status.st_mode & 0o077 == 0, path
        elif stat.S_ISREG(status.st_mode) and path.name != "cert.pem":
            assert status.st_mode & 0o177 == 0, path


# ---- secrets


@pytest.mark.parametrize("words", [("user", "add", "dewi@kantor.example", "rahasia"),
                                   ("user", "passwd", "ani@kantor.example", "rahasia"),
                                   ("user", "add", "dewi@kantor.example", "--password", "rahasia"),
                                   ("user", "add", "dewi@kantor.example", "--password=rahasia"),
                                   ("user", "passwd", "ani@kantor.example", "--password-stdin=rahasia"),
                                   ("user", "add", "dewi@kantor.example", "-p", "rahasia")],
                         ids=repr)
def test_a_password_is_not_taken_from_the_command_line(office, words):
    result = office.command(*words)
    assert result.returncode == 2
    assert [user["address"]
            for user in office.json("user", "list")] == [f"{name}@kantor.example" for name in sorted(HASHES)]


@pytest.mark.parametrize("words", [("user", "list"), ("user", "show", "ani@kantor.example"), ("status", ),
                                   ("alias", "list"), ("mail", "list", "ani@kantor.example"),
                                   ("folder", "list", "ani@kantor.example")],
                         ids=repr)
@pytest.mark.parametrize("json", [True, False], ids=["json", "table"])
def test_no_listing_shows_a_hash(office, words, json):
    shown = office.run(*words, *(["--json"] if json else []))
    assert "$y$" not in shown and not any(hashed.split("$")[-1] in shown for hashed in HASHES.values())


def test_the_log_holds_no_password_hash_subject_or_body(served):
    secrets = ["sandi-salah-sekali", PASSWORDS["ani"], PASSWORDS["budi"], "perihal-rahasia", "isi-rahasia"]
    encoded = [base64.b64encode(secret.encode()).decode().rstrip("=") for secret in secrets]
    deliver(served, b"Subject: perihal-rahasia\r\n\r\nisi-rahasia\r\n")
    Pop3(served, "budi").leave()
    assert Pop3(served).login("ani@kantor.example", "sandi-salah-sekali").startswith(b"-ERR")
    session = Pop3(served)
    session.err(b"AUTH PLAIN " + base64.b64encode(b"\0ani@kantor.example\0sandi-salah-sekali"))
    session.err(b"PASS sandi-salah-sekali")
    session.err(b"sandi-salah-sekali")
    session.err(b"USER ani@kantor.example " + b"sandi-salah-sekali" * 20)
    session.ask(b"AUTH LOGIN")
    session.ask(base64.b64encode(b"ani@kantor.example"))
    session.err(base64.b64encode(b"sandi-salah-sekali"))
    session.leave()
    assert len(taken(served)) == 1
    for name in HASHES.values():
        assert name not in served.log_text()
    told = [line for line in served.lines if any(secret in line for secret in [*secrets, *encoded])]
    assert not told, told


def test_no_process_of_the_server_leaves_a_core_or_can_be_traced(served):
    session = Pop3(served, "ani")
    pids = served.pids()
    assert len(pids) >= 5  # master, directory, writer, keys, a session
    for pid in pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), (pid, limits)
        account = int(re.search(r"Uid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))
        # What is not dumpable belongs to root in /proc; the leak detector has to trace itself.
        if account != 0 and not served.sanitized:
            assert os.stat(f"/proc/{pid}/environ").st_uid == 0, pid
    session.leave()
