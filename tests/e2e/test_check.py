"""`check`: each thing that can be wrong, said in a sentence with the mend; and
`status`."""

import os
import re
import socket
import sqlite3
import subprocess

import pytest

import certificates
from letters import letter
from office import HOSTNAME, PORTS


def findings(office):
    """What check has to say; it must find something."""
    result = office.command("check")
    assert result.returncode == 1, result
    said = result.stdout.decode() + result.stderr.decode()
    assert "to mend" in result.stderr.decode() or "office.ini" in result.stderr.decode(), said
    return said


def assert_found(office, *words):
    said = findings(office)
    for word in words:
        assert str(word) in said, f"{word!r} is not in: {said}"


def test_a_sound_office_has_nothing_wrong_whether_it_serves_or_not(office):
    assert office.run("check") == f"{office.ini}: nothing is wrong\n"
    office.start()
    assert office.run("check") == f"{office.ini}: nothing is wrong\n"


def test_faults_of_office_ini_are_told_with_their_line(office):
    office.ini.write_text(office.ini.read_text() + "[nonsense]\n")
    line = office.ini.read_text().count("\n")
    assert_found(office, f"office.ini:{line}: unknown section")


def test_a_port_held_by_another_program_is_named(office):
    with socket.create_server((office.address, PORTS["pop3"])):
        assert_found(office, f"{office.address}:{PORTS['pop3']} is in use by another program")


def test_the_wrong_key_for_the_certificate(office):
    certificates.self_signed(office.dir, "ec")
    key = (office.dir / "key.pem").read_bytes()
    certificates.self_signed(office.dir, "ec")
    (office.dir / "key.pem").write_bytes(key)
    certificates.use(office)
    assert_found(office, "key.pem is not the key of", "cert.pem")


def test_a_key_that_every_account_can_read(office):
    (office.data / "tls/key.pem").chmod(0o644)
    assert_found(office, "key.pem can be read by every account", "chmod o=")


def test_a_certificate_that_names_another_host(office):
    office.set("office", "hostname", "pos.kantor.example")
    assert_found(office, "cert.pem does not name pos.kantor.example")


def test_an_expired_certificate(office):
    certificates.request(office.dir, "old", "ec", HOSTNAME)
    certificates.openssl("x509", "-req", "-in", office.dir / "old.pem", "-signkey", office.dir / "old.key", "-days", "-1",
                         "-out", office.dir / "old.signed")
    os.rename(office.dir / "old.signed", office.dir / "old.pem")
    certificates.put_in_place(office.dir, office.dir / "old.pem", office.dir / "old.key")
    certificates.use(office)
    assert_found(office, "cert.pem expired at 20")


def test_a_certificate_that_is_none(office):
    (office.data / "tls/cert.pem").write_text("nothing\n")
    assert_found(office, "cert.pem")


def test_a_missing_key(office):
    (office.data / "tls/key.pem").unlink()
    assert_found(office, "key.pem: No such file")


def test_a_data_directory_open_to_others(office):
    office.data.chmod(0o750)
    assert_found(office, "is open to other accounts", f"chmod 700 {office.data}")


def test_a_data_directory_that_is_a_link_or_is_not_there(office):
    real = office.dir / "elsewhere"
    office.data.rename(real)
    assert_found(office, "No such file", "init")
    office.data.symlink_to(real)
    assert_found(office, "is no directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_data_directory_of_another_account(office):
    os.chown(office.data, 0, 0)
    assert_found(office, "belongs to another account", "chown")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another account")
def test_who_may_not_look_is_told_so_and_nothing_else(office):
    office.data.chmod(0o700)
    result = subprocess.run([office.binary, "-c", office.ini, "check"], user=12345, group=12345, extra_groups=[],
                            capture_output=True, cwd="/")
    assert result.returncode == 1 and result.stdout == b""
    assert b"is another account's: run this as root" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its account")
def test_an_account_that_is_not_there(office):
    office.set("office", "user", "no-such-account")
    assert_found(office, 'no account "no-such-account"', "adduser")


def test_one_flipped_bit_in_a_message(office):
    office.start()
    office.deliver(letter(1))
    office.stop()
    with sqlite3.connect(office.data / "store.db") as store:
        store.execute("UPDATE pieces SET octets = CAST(x'00' || substr(octets, 2) AS BLOB)")
    for path in office.data.glob("store.db*"):
        office.give_to_account(path)
    assert_found(office, "ani@kantor.example")


def test_users_and_aliases_of_a_domain_that_is_ours_no_longer(office):
    office.set("office", "domains", "kantor.example lama.example")
    office.run("user", "add", "tuti@lama.example", "--generate")
    office.run("alias", "add", "info@lama.example", "tuti@lama.example")
    office.set("office", "domains", "kantor.example")
    assert_found(office, "user tuti@lama.example", "alias info@lama.example")


def test_a_postmaster_who_is_nobody(office):
    office.set("office", "postmaster", "hantu@kantor.example")
    assert_found(office, "postmaster hantu@kantor.example is nobody here")


def test_an_office_without_users(office):
    for user in office.json("user", "list"):
        office.run("user", "remove", user["address"], "--yes")
    assert_found(office, "there are no users", "user add")


def test_status_tells_the_figures_to_people_and_programs(served):
    served.deliver(letter(1))
    served.deliver(letter(2))
    pop = served.login()
    status = served.json("status")
    users = served.json("user", "list")
    assert status["users"] == len(users)
    assert status["messages"] == sum(user["messages"] for user in users)
    assert status["size"] == sum(user["used"] for user in users)
    assert status["delivered_day"] == sum(status["delivered_by_hour"]) >= 2
    assert status["server_pid"] == served.process.pid
    assert status["sessions"] == 1
    assert status["disk_free"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status["certificate_expires"])
    said = served.run("status")
    for words in ("users", "delivered by hour", "certificate expires", str(served.process.pid)):
        assert words in said
    assert pop.command("QUIT").startswith("+OK")
    served.stop()
    status = served.json("status")
    assert status["server_pid"] is None and status["sessions"] is None
