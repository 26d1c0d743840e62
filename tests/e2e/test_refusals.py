"""What the server refuses to start on: one sentence with the mend, exit 1. What
is wrong with its files is in test_hostile_files."""

import socket
import sqlite3

import pytest

import certificates


@pytest.fixture
def refused(office):
    office.allow(".")
    return office


def assert_refused(office, *words):
    status, said = office.fails_to_start()
    assert status == 1
    for word in words:
        assert str(word) in said, f"{word!r} is not in: {said}"


def test_every_fault_of_office_ini_is_told_with_its_line_and_nothing_is_started(refused):
    refused.ini.write_text(
        "[office]\n"
        "hostname = mail.kantor.example\n"
        "domains = kantor.example\n"
        f"data = {refused.data}\n"
        "hostname = twice.example\n"
        "colour = green\n"
        "[smtpd]\n"
        f"listen = {refused.address}:2525\n"
        "max_message = lots\n"
        "[nonsense]\n"
        "key = value\n"
        "[pop3d]\n"
        "exclusive = perhaps\n"
        "idle_timeout = 5 fortnights\n"
        "a line that says nothing\n"
    )
    status, said = refused.fails_to_start()
    assert status == 1
    for line in (5, 6, 9, 10, 13, 14, 15):
        assert f"office.ini:{line}:" in said, said
    for line in (1, 2, 3, 4, 7, 8, 11, 12):
        assert f"office.ini:{line}:" not in said, said


def test_a_missing_office_ini_is_told(refused):
    refused.ini.unlink()
    assert_refused(refused, "office.ini")


def test_a_port_in_use_is_named(refused):
    with socket.create_server((refused.address, 2110)):
        assert_refused(refused, "2110", "in use")


def test_a_missing_certificate_is_named(refused):
    certificates.self_signed(refused.dir, "ec")
    certificates.use(refused)
    (refused.dir / "cert.pem").unlink()
    assert_refused(refused, "cert.pem")


def test_a_store_of_a_newer_version_is_refused(refused):
    store = sqlite3.connect(refused.data / "store.db")
    store.execute("PRAGMA user_version = 999")
    store.commit()
    store.close()
    for path in refused.data.glob("store.db*"):
        refused.give_to_account(path)
        path.chmod(0o600)
    assert_refused(refused, "store.db", "newer")
