"""What a POP3 session says when something behind it is not as it should be."""

import os
import signal
import sqlite3
from pathlib import Path

import pytest

from office import asan, wait_until

PIECE = 256 * 1024
DAWDLING = Path(__file__).resolve().parents[2] / "build/tests/shims/dawdling.so"


def letter(text, size=0):
    message = bytearray(f"From: pak@luar.example\r\nSubject: {text}\r\n\r\n".encode())
    while len(message) < size:
        message += b"%08d " % len(message) + b"isi " * 15 + b"\r\n"
    return bytes(message)


def change_store(office, sql, *values):
    """Does to the store what no part of officemail would."""
    db = sqlite3.connect(office.data / "store.db", timeout=30, isolation_level=None)
    db.execute(sql, values)
    assert db.total_changes > 0, f"changed nothing: {sql}"
    db.close()


def flip_in_piece(office, number):
    """Changes an octet in the middle of piece `number` of the last message."""
    change_store(
        office,
        "UPDATE pieces SET octets = cast(substr(octets, 1, 1000) || x'00' || substr(octets, 1002) AS BLOB)"
        " WHERE id = (SELECT max(id) FROM bodies) * 1048576 + ?", number)


def retrieve(wire, number):
    """The message, or the refusal."""
    answer = wire.command(f"RETR {number}")
    return b"".join(line + b"\r\n" for line in wire.block()) if answer.startswith("+OK") else answer


def test_a_damaged_message_is_refused_and_the_session_goes_on(served):
    served.allow("message-damaged")
    served.deliver(letter("utuh"))
    served.deliver(letter("rusak", 3000))
    flip_in_piece(served, 0)
    wire = served.login()
    assert retrieve(wire, 2).startswith("-ERR [SYS/PERM]")
    assert retrieve(wire, 1).endswith(letter("utuh"))
    assert retrieve(wire, 2).startswith("-ERR [SYS/PERM]")
    assert wire.command("TOP 2 0").startswith("-ERR [SYS/PERM]")
    assert wire.command("QUIT").startswith("+OK")
    served.stop()
    assert sum("message-damaged" in line for line in served.lines) == 1, "it is logged once"


def test_damage_in_a_later_piece_ends_the_connection_after_the_good_octets(served):
    served.allow("message-damaged")
    message = letter("rusak di tengah", 3 * PIECE)
    served.deliver(message)
    flip_in_piece(served, 1)
    assert retrieve(served.login(), 1).startswith("-ERR [SYS/PERM]"), "RETR reads it through before the answer"
    assert served.login().command("TOP 1 99999999").startswith("-ERR [SYS/PERM]"), "it asks for all, as RETR"
    wire = served.login()
    wire.send(b"TOP 1 99999\r\nDELE 1\r\nQUIT\r\n")
    assert wire.line().startswith(b"+OK")
    received = wire.rest()
    wire.close()
    start = received.index(message[:30])
    assert received[start:] == message[:PIECE], "the first piece, and nothing else"
    assert len(served.mails()) == 1, "what could not be read has not been deleted"
    served.stop()


def test_a_message_purged_meanwhile_is_refused_and_the_session_goes_on(served):
    for text in ("satu", "dua"):
        served.deliver(letter(text))
    wire = served.login()
    change_store(served, "DELETE FROM entries WHERE id = (SELECT min(id) FROM entries)")
    assert retrieve(wire, 1).startswith("-ERR [SYS/TEMP]")
    assert retrieve(wire, 2).endswith(letter("dua"))
    assert wire.command("QUIT").startswith("+OK")


def test_a_list_is_of_no_moment_before_it_was_asked_for(office):
    """The next session of a client that is quick comes while the directory has not yet done
    with those that came together with the one before."""
    office.environment.update(LD_PRELOAD=str(DAWDLING), DAWDLING_MS="300", **asan(office))
    office.start()
    for n in range(5):
        office.deliver(letter(f"surat {n}"))
        wire = office.login()
        assert wire.command("STAT").startswith("+OK 1 ")
        assert wire.command("DELE 1").startswith("+OK")
        assert wire.command("QUIT").startswith("+OK")
        assert office.login().command("STAT") == "+OK 0 0", f"round {n}: deleted and back"


def test_a_session_whose_writer_died_goes_on_to_read_and_deletes_nothing(served):
    served.allow("role-died|login-failed|channel-refused|delete-failed")
    served.deliver(letter("satu"))
    served.deliver(letter("dua"))
    wire = served.login()
    assert wire.command("DELE 1").startswith("+OK")
    os.kill(served.named("writer")[0], signal.SIGKILL)
    served.wait_log("role-died role=writer")
    assert retrieve(wire, 2).endswith(letter("dua"))
    assert wire.command("QUIT").startswith("-ERR [SYS/TEMP]")
    assert wire.at_end()
    wait_until(lambda: len(served.mails()) == 2, "the message is still there")
    wait_until(lambda: served.can_log_in(), "the next session works")


@pytest.mark.parametrize("service", ("pop3", "pop3s"))
def test_a_crowded_server_waits_ten_seconds_for_a_login(office, service):
    office.set("limits", "connections", 4)
    office.start()
    others = [office.login("budi") for _ in range(2)]
    wire = office.connect(service)
    wire.line()
    wire.send(b"CAP")
    assert wire.line().startswith(b"-ERR [SYS/TEMP]")
    assert wire.at_end()
    assert all(other.command("NOOP").startswith("+OK") for other in others)


def test_fifty_thousand_messages_are_listed_and_deleted_in_one_session(served):
    count = 50000
    served.deliver(letter("satu dari sangat banyak"))
    change_store(
        served,
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO entries (folder_id, body_id, size, uidl, received, checksum, prefix)"
        " SELECT folder_id, body_id, size, 'u' || i, received, checksum, prefix FROM entries, n",
        count)
    wire = served.login()
    for command in (b"LIST\r\n", b"UIDL\r\n"):
        wire.send(command)
        assert wire.line().startswith(b"+OK")
        assert len(wire.block()) == count
    wire.send(b"".join(b"DELE %d\r\n" % number for number in range(1, count + 1)) + b"QUIT\r\n")
    assert all(wire.line().startswith(b"+OK") for _ in range(count + 1))
    assert wire.at_end()
    assert served.login().command("STAT") == "+OK 0 0"
