"""What the server refuses to start on: one sentence with the mend, exit 1."""

import os
import shutil
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
    for line in (5, 6, 9, 13, 14, 15):
        assert f"office.ini:{line}:" in said, said
    assert "office.ini:10:" in said or "office.ini:11:" in said, said
    for line in (1, 2, 3, 4, 7, 8, 12):
        assert f"office.ini:{line}:" not in said, said


def test_a_missing_office_ini_is_told(refused):
    refused.ini.unlink()
    assert_refused(refused, "office.ini")


def test_a_port_in_use_is_named(refused):
    with socket.create_server((refused.address, 2110)):
        assert_refused(refused, "2110", "in use")


def test_an_unreadable_key_is_named(refused):
    certificates.self_signed(refused.dir, "ec")
    certificates.use(refused)
    (refused.dir / "key.pem").write_text("not a key\n")
    assert_refused(refused, "key.pem")


def test_a_missing_certificate_is_named(refused):
    certificates.self_signed(refused.dir, "ec")
    certificates.use(refused)
    (refused.dir / "cert.pem").unlink()
    assert_refused(refused, "cert.pem")


def test_a_key_that_others_can_read_is_refused(refused):
    certificates.self_signed(refused.dir, "ec")
    certificates.use(refused)
    (refused.dir / "key.pem").chmod(0o644)
    assert_refused(refused, "key.pem")


def test_a_key_of_another_certificate_is_refused(refused):
    certificates.self_signed(refused.dir, "ec")
    shutil.copy(refused.dir / "cert.pem", refused.dir / "old.pem")
    certificates.self_signed(refused.dir, "ec")
    certificates.use(refused)
    os.rename(refused.dir / "old.pem", refused.dir / "cert.pem")
    assert_refused(refused, "pem")


def test_a_data_directory_open_to_others_is_refused_with_the_mend(refused):
    refused.data.chmod(0o777)
    assert_refused(refused, refused.data, "chmod")


def test_a_data_directory_that_is_a_symlink_is_refused(refused):
    refused.data.rename(refused.dir / "elsewhere")
    refused.data.symlink_to(refused.dir / "elsewhere")
    assert_refused(refused, refused.data)


def test_a_store_open_to_others_is_refused_with_the_mend(refused):
    (refused.data / "store.db").chmod(0o644)
    assert_refused(refused, "store.db", "chmod")


def test_a_missing_data_directory_is_refused(refused):
    shutil.rmtree(refused.data)
    assert_refused(refused, refused.data)


def test_a_store_of_a_newer_version_is_refused(refused):
    store = sqlite3.connect(refused.data / "store.db")
    store.execute("PRAGMA user_version = 999")
    store.commit()
    store.close()
    for path in refused.data.glob("store.db*"):
        refused.give_to_account(path)
        path.chmod(0o600)
    assert_refused(refused, "store.db", "newer")


def test_a_store_that_cannot_be_opened_is_refused(refused):
    for path in refused.data.glob("store.db-*"):
        path.unlink()
    (refused.data / "store.db").write_bytes(b"\x5a" * 65536)
    assert_refused(refused, "store.db")


def test_a_wrong_command_line_is_usage_and_exit_2(office):
    for arguments in ((), ("nonsense",), ("user",), ("user", "add"), ("serve", "more"), ("--nonsense",),
                      ("mail", "show", "ani@kantor.example")):
        result = office.command(*arguments)
        assert result.returncode == 2, arguments
        assert b"usage" in result.stderr.lower(), arguments
