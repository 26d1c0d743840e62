"""Backup and restore, ended before each call that changes the disk in its turn:
what there is afterwards is whole, the old or the new, and doing it again works."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from letters import letter

SHIM = Path(__file__).resolve().parents[2] / "build/tests/shims/end.so"


def cut(office, n, writes, *arguments):
    """Runs a command up to its nth call; whether it was ended there."""
    environment = {**os.environ, "LD_PRELOAD": str(SHIM), "END_AT": str(n)}
    if writes:
        environment["END_AT_WRITES"] = "1"
    result = subprocess.run([office.binary, "-c", office.ini, *arguments], env=environment, capture_output=True,
                            timeout=60)
    assert result.returncode in (0, -signal.SIGKILL), result.stderr.decode()
    return result.returncode != 0


def everything(office):
    return sorted((mail["uidl"], mail["size"]) for mail in office.mails())


@pytest.fixture
def furnished(office):
    """A backup of one message, and a store of two whose log the server's death has left."""
    assert SHIM.exists(), f"{SHIM} is not there: make shims"
    if office.sanitized:
        pytest.skip("a sanitizer wants to be loaded before the shim")
    office.start()
    office.deliver(letter(1))
    office.run("backup", office.dir / "b")
    old = everything(office)
    office.deliver(letter(2))
    new = everything(office)
    office.kill()
    subprocess.run(["cp", "-a", office.data, office.dir / "as-it-was"], check=True)
    return office, old, new


def put_back(office):
    subprocess.run(["rm", "-rf", office.data], check=True)
    subprocess.run(["cp", "-a", office.dir / "as-it-was", office.data], check=True)


@pytest.mark.parametrize("log", ["with its log", "beyond reading"])
def test_a_restore_that_is_cut_off_leaves_the_old_store_or_the_new(furnished, full, log):
    office, backed_up, before = furnished
    if log == "beyond reading":
        (office.dir / "as-it-was/store.db").write_bytes(b"\0" * 50_000)
    old = new = n = 0
    while True:
        n += 1
        put_back(office)
        ended = cut(office, n, full, "restore", office.dir / "b")
        there = office.command("mail", "list", "ani@kantor.example")
        if not ended:
            break
        if log == "beyond reading" and there.returncode != 0:
            assert b"damaged" in there.stderr, f"call {n}: neither store: {there.stderr.decode()}"
            old += 1
        else:
            found = everything(office)
            assert found in (before, backed_up), f"call {n}: neither store"
            old += found == before
            new += found == backed_up
            office.run("check")
        office.run("restore", office.dir / "b")
        assert everything(office) == backed_up, f"call {n}: the second time"
        kept = [path for path in office.data.glob("store.db.replaced-*") if path.name[-1] == "Z" or path.name[-2] == "-"]
        assert kept, f"call {n}: the old store is gone"
    print(f"{n - 1} instants of restore ({log}): {old} the old store, {new} the new")
    assert old > 5 and new > 0
    assert everything(office) == backed_up


def test_a_backup_that_is_cut_off_leaves_the_one_of_yesterday(furnished, full):
    office, *_ = furnished
    file = office.dir / "b"
    yesterday = file.read_bytes()
    n = new = 0
    while True:
        n += 1
        file.write_bytes(yesterday)
        if not cut(office, n, full, "backup", file):
            break
        if file.read_bytes() != yesterday:
            new += 1
        assert sorted(path.name for path in office.dir.glob("b*")) in (["b"], ["b", "b.part"]), f"call {n}"
        office.run("restore", file)  # whichever it is, it is whole
        put_back(office)
        office.run("backup", file)
        assert not (office.dir / "b.part").exists()
    print(f"{n - 1} instants of backup: {n - 1 - new} the old file, {new} the new")
    assert n > 3 and new > 0
