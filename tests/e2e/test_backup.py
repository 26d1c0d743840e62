"""`officemail backup` and `restore`: what gets a name is whole, and what had it
stays until then."""

import fcntl
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import termios
from contextlib import closing, contextmanager

import pytest

from letters import letter, without_trace
from office import serving_account, wait_until
from test_terminal import terminal  # noqa: F401
from test_tools_users import ANI, refused

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try this")


@pytest.fixture
def shelf(office):
    """A directory for backups, of whoever runs the commands alone."""
    place = office.dir / "shelf"
    place.mkdir(mode=0o700)
    return place


@pytest.fixture
def served(office):
    office.start()
    return office


def give(office, count, start=0):
    for number in range(start, start + count):
        office.deliver(letter(number))


def everything(office):
    return [(mail["uidl"], mail["folder"], mail["size"]) for mail in office.mails()]


def aside(office):
    return sorted(office.data.glob("store.db.replaced-*"))


@contextmanager
def opened(path):
    with closing(sqlite3.connect(path)) as store:
        yield store
        store.commit()


def wrong_octets(office):
    """Of the first message."""
    with opened(office.data / "store.db") as store:
        store.execute("UPDATE pieces SET octets = zeroblob(length(octets)) WHERE id = (SELECT min(id) FROM pieces)")


# ---- backup


def test_a_backup_is_one_plain_database_for_its_owner_alone(served, shelf):
    give(served, 3)
    file = shelf / "office.db"
    assert served.run("backup", file) == ""
    assert os.listdir(shelf) == ["office.db"]
    told = file.stat()
    assert stat.S_IMODE(told.st_mode) == 0o600 and told.st_uid == os.geteuid()
    with opened(file) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("delete", )
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok", )
        assert store.execute("SELECT count(*) FROM entries").fetchone() == (3, )
        assert store.execute("PRAGMA user_version").fetchone() != (0, )
    assert os.listdir(shelf) == ["office.db"]


def test_it_holds_what_was_acknowledged_before_it_began_and_keeps_the_uidls(served, neighbour, shelf):
    give(served, 3)
    served.deliver(letter(3, "x" * 700_000))
    served.run("backup", shelf / "b")
    before = everything(served)
    give(served, 1, 4)
    said = neighbour.run("restore", shelf / "b")
    assert str(aside(neighbour)[0]) in said
    assert everything(neighbour) == before
    neighbour.start()
    assert [without_trace(message) for message in neighbour.fetch()] == [
        letter(0), letter(1), letter(2), letter(3, "x" * 700_000)]
    neighbour.run("check")
    assert neighbour.can_log_in()


def test_the_same_name_every_night_works_and_status_knows_when(office, shelf):
    assert office.json("status")["last_backup"] is None
    file = shelf / "office.db"
    office.run("backup", file)
    first = file.stat().st_ino
    office.start()
    give(office, 1)
    office.run("backup", file)
    assert file.stat().st_ino != first and os.listdir(shelf) == ["office.db"]
    assert office.json("status")["last_backup"].startswith("20")
    with opened(file) as store:
        assert store.execute("SELECT count(*) FROM entries").fetchone() == (1, )


def test_nothing_is_replaced_that_is_no_backup(office, shelf):
    (shelf / "letter.txt").write_text("Kepada Yth. Ani")
    (shelf / "directory").mkdir()
    (shelf / "link").symlink_to(office.data / "store.db")
    os.mkfifo(shelf / "pipe")
    (shelf / "logged.db-wal").write_text("another's")
    os.link(office.data / "store.db", shelf / "same")
    before = sorted(os.listdir(shelf))
    for name, words in (("letter.txt", "no backup"), ("directory", "directory"), ("link", "plain file"),
                        ("pipe", "plain file"), ("logged.db", "another database"), ("same", "store itself"),
                        ("nowhere/b", "nowhere/ is not there: make it")):
        assert words in refused(office, "backup", shelf / name)
    assert "is not there" in refused(office, "restore", shelf / "nowhere/b")
    assert sorted(os.listdir(shelf)) == before
    assert (shelf / "letter.txt").read_text() == "Kepada Yth. Ani"
    refused(office, "backup", status=2)
    office.run("check")


def test_what_a_crash_left_is_taken_away_and_what_another_writes_is_not(office, shelf):
    part = shelf / "b.part"
    part.write_bytes(b"half of it")
    with open(part) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another backup" in refused(office, "backup", shelf / "b")
    assert part.read_bytes() == b"half of it"
    office.run("backup", shelf / "b")
    assert os.listdir(shelf) == ["b"]
    part.symlink_to("/etc/passwd")
    refused(office, "backup", shelf / "b")
    assert part.is_symlink()


def test_a_damaged_store_leaves_the_good_backup_and_is_told(office, shelf):
    office.start()
    give(office, 2)
    office.run("backup", shelf / "b")
    good = (shelf / "b").read_bytes()
    give(office, 1, 2)
    office.stop()
    wrong_octets(office)
    for _ in range(2):
        result = office.command("backup", shelf / "b")
        said = result.stderr.decode().splitlines()
        assert result.returncode == 1 and len(said) == 2
        assert ANI in said[0] and "message 1" in said[0] and "b.damaged" in said[1]
        assert sorted(os.listdir(shelf)) == ["b", "b.damaged"]
    assert (shelf / "b").read_bytes() == good
    with opened(shelf / "b.damaged") as store:
        assert store.execute("SELECT count(*) FROM entries").fetchone() == (3, )
    assert "damaged" in office.command("restore", shelf / "b.damaged").stderr.decode()
    assert len(office.mails()) == 3 and not aside(office)
    office.run("restore", shelf / "b")
    office.run("check")


@root_only
def test_a_full_disk_leaves_nothing_half(office, shelf):
    office.start()
    office.deliver(letter(1, "x" * 3_000_000))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "officemail-test", shelf], check=True)
    try:
        office.run("backup", shelf / "b")
        assert "needs" in refused(office, "backup", shelf / "c")  # seen before it begins
        (shelf / "b").unlink()
        assert office.mails()  # the server goes on
    finally:
        subprocess.run(["umount", shelf], check=True)
    office.set("store", "reserve", "1000000G")
    assert "reserve" in refused(office, "backup", shelf / "c")  # on the store's own disk
    assert os.listdir(shelf) == []


@root_only
def test_root_backs_up_where_the_offices_account_has_no_rights(served, shelf):
    """And what is restored is the account's own."""
    give(served, 1)
    assert served.data.stat().st_uid != 0 and stat.S_IMODE(shelf.stat().st_mode) == 0o700
    served.run("backup", shelf / "b")
    assert (shelf / "b").stat().st_uid == 0
    served.stop()
    served.run("restore", shelf / "b")
    for file in served.data.glob("store.db*"):
        assert file.owner() == serving_account() and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_interrupted_backup_leaves_nothing(office, shelf, terminal):  # noqa: F811
    office.start()
    office.deliver(letter(1, "x" * 5_000_000))
    asked = terminal("backup", str(shelf / "b"))
    termios.tcflow(asked.slave, termios.TCOOFF)  # it waits where it first shows how far it is
    wait_until((shelf / "b.part").exists, "its beginning")
    asked.process.send_signal(signal.SIGTERM)
    termios.tcflow(asked.slave, termios.TCOON)
    assert asked.end() == 1
    assert b"interrupted" in asked.seen
    assert os.listdir(shelf) == []


def test_on_a_terminal_it_says_what_the_file_holds(office, shelf, terminal):  # noqa: F811
    asked = terminal("backup", str(shelf / "b"))
    asked.wait_for(b"copying")
    asked.wait_for(b"verifying")
    asked.wait_for(b"hashes of all passwords")
    assert asked.end() == 0


# ---- restore


def test_a_store_in_use_is_not_replaced(served, shelf):
    served.run("backup", shelf / "b")
    said = refused(served, "restore", shelf / "b")
    assert str(served.process.pid) in said
    served.stop()
    with opened(served.data / "store.db") as other:  # Litestream, or somebody looking
        other.execute("SELECT * FROM meta").fetchall()
        assert "another program" in refused(served, "restore", shelf / "b")
    assert not aside(served) and not (served.data / "restoring").exists()
    served.run("restore", shelf / "b")


def test_a_server_does_not_start_while_one_restores(office, shelf):
    office.run("backup", shelf / "b")
    with open(office.data / "lock", "r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert "stop that one first" in refused(office, "restore", shelf / "b")


@pytest.mark.parametrize("fault", ["newer", "foreign", "text", "empty", "short", "damaged"])
def test_what_is_no_sound_backup_changes_nothing(office, shelf, fault):
    office.start()
    give(office, 2)
    file = shelf / "b"
    office.run("backup", file)
    office.stop()
    before, list_before = everything(office), sorted(os.listdir(office.data))
    if fault == "newer":
        with opened(file) as store:
            store.execute("PRAGMA user_version = 999")
    elif fault == "foreign":
        file.unlink()
        with opened(file) as store:
            store.executescript("CREATE TABLE bookmarks (url); PRAGMA user_version = 1")
    elif fault == "damaged":
        with opened(file) as store:
            store.execute("UPDATE folders SET messages = 77")
    else:
        file.write_bytes({"text": b"SQLite format 4" * 100, "empty": b"",
                          "short": file.read_bytes()[:-30_000]}[fault])
    result = office.command("restore", file)
    assert result.returncode == 1 and result.stdout == b"" and b"officemail: " in result.stderr
    assert str(file) in result.stderr.decode().splitlines()[-1]
    assert everything(office) == before and sorted(os.listdir(office.data)) == list_before
    office.run("check")


def test_the_store_before_is_kept_and_can_be_restored_in_its_turn(served, shelf):
    give(served, 2)
    served.run("backup", shelf / "b")
    backed_up = everything(served)
    give(served, 2, 2)
    newer = everything(served)
    served.kill()  # its log lies there
    assert (served.data / "store.db-wal").stat().st_size > 0
    served.run("restore", shelf / "b")
    assert everything(served) == backed_up
    kept = aside(served)
    assert len(kept) == 1
    served.run("restore", kept[0])
    assert everything(served) == newer and len(aside(served)) == 2
    served.start()
    give(served, 1, 9)
    served.run("check")


def test_a_copy_made_by_other_hands_is_restored_with_its_log(served, neighbour, shelf):
    give(served, 3)
    served.kill()
    for end in ("", "-wal"):
        shutil.copy(served.data / f"store.db{end}", shelf / f"copy.db{end}")
    neighbour.run("restore", shelf / "copy.db")
    assert everything(neighbour) == everything(served)
    assert (shelf / "copy.db-wal").stat().st_size > 0


def test_it_works_without_a_store_and_on_one_beyond_reading(served, shelf):
    give(served, 2)
    served.run("backup", shelf / "b")
    before = everything(served)
    give(served, 1, 2)
    served.kill()
    log = (served.data / "store.db-wal").read_bytes()
    (served.data / "store.db").write_bytes(b"\0" * 100_000)
    served.run("restore", shelf / "b")
    assert everything(served) == before
    kept = {path.name.split("Z", 1)[1]: path for path in aside(served)}
    assert kept[""].read_bytes() == b"\0" * 100_000
    assert kept["-wal"].read_bytes() == log
    for path in served.data.glob("store.db*"):
        path.unlink()
    assert served.run("restore", shelf / "b") == f"{shelf / 'b'} is the store now\n"
    assert everything(served) == before
    served.start()
    give(served, 1, 3)
    served.run("check")


def test_one_who_had_the_old_store_open_cannot_write_beside_the_new(office, shelf):
    """Its log would be read into the new one."""
    office.run("backup", shelf / "b")
    with closing(sqlite3.connect(office.data / "store.db")) as late:  # opened, and nothing asked yet
        office.run("restore", shelf / "b")
        for words in ("PRAGMA journal_mode = wal", "UPDATE users SET enabled = 0"):
            with pytest.raises(sqlite3.OperationalError, match="readonly|locked|moved"):
                late.execute(words)
        assert not list(office.data.glob("store.db-*"))
    office.run("check")
