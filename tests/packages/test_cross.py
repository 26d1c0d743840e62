"""The binaries for other machines, run by qemu-user: a mailbox filled by SMTP and emptied by POP3,
backup, check and restore; beyond 2038, and beyond what an offset of 32 bits reaches."""

import datetime
import re
import smtplib
import sqlite3
import struct
import subprocess
import time
from pathlib import Path

import pytest

from office import Office, Workshop

TREE = Path(__file__).resolve().parents[2]
EMULATORS = {"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}


@pytest.fixture(scope="module", params=EMULATORS)
def foreign(request, tmp_path_factory):
    """A workshop whose binary is one of another machine."""
    arch = request.param
    subprocess.run(["tools/deb/cross", arch], cwd=TREE, check=True, stdout=subprocess.DEVNULL, timeout=600)
    runs = tmp_path_factory.mktemp("cross") / "officemail"
    built = TREE / "build/cross" / arch
    runs.write_text(f'#!/bin/sh\nexec {EMULATORS[arch]} -L {TREE}/build/sysroot/{arch} '
                    f'-E LD_PRELOAD={built}/tests/shims/clock.so {built}/officemail "$@"\n')
    runs.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OFFICEMAIL", str(runs))
        shop = Workshop()
    yield shop
    shop.remove()


@pytest.fixture
def abroad(foreign):
    place = Office(foreign)
    yield place
    place.close()


def test_a_box_of_another_kind_takes_keeps_and_hands_out_mail(abroad, tmp_path):
    assert "unsealed" in abroad.run("--version", config=False)
    abroad.start()
    octets = b"Subject: %d\r\n\r\n" + b"x" * 70 + b"\r\n"
    with smtplib.SMTP(abroad.address, 2525, timeout=60) as smtp:
        for n in range(3):
            smtp.sendmail("x@elsewhere.example", ["ani@kantor.example"], octets % n)
        smtp.sendmail("x@elsewhere.example", ["ani@kantor.example"], b"Subject: large\r\n\r\n" + b"y" * 70 + 20000 * b"\r\nzz")
    pop = abroad.login("ani", service="pop3s")
    assert pop.command("STAT").startswith("+OK 4 ")
    assert pop.command("RETR 1").startswith("+OK")
    assert b"Subject: 0" in pop.block()
    assert pop.command("RETR 4").startswith("+OK")
    assert pop.block().count(b"zz") == 20000
    assert pop.command("DELE 1").startswith("+OK")
    assert pop.command("QUIT").startswith("+OK")
    backup = abroad.dir.parent / "backup.db"
    abroad.run("backup", backup)
    assert "nothing is wrong" in abroad.run("check")
    assert len(abroad.json("mail", "list", "ani@kantor.example")) == 3
    abroad.run("mail", "restore", "ani@kantor.example")
    assert len(abroad.json("mail", "list", "ani@kantor.example")) == 4
    abroad.stop()
    abroad.run("restore", backup)
    assert len(abroad.json("mail", "list", "ani@kantor.example")) == 3


def test_it_is_2040_there(abroad):
    """In what is filed, and in what is read back when it is today again."""
    clock = abroad.dir / "clock"
    clock.write_bytes(struct.pack("q", int(datetime.datetime(2040, 7, 1, 12).timestamp() - time.time())))
    clock.chmod(0o644)
    abroad.environment["CLOCK_OFFSET"] = str(clock)
    abroad.start()
    abroad.deliver(b"Subject: later\r\n\r\n")
    [message] = abroad.fetch()
    assert re.search(rb"^Received: [^\0]*? Sun, 01 Jul 2040 \d\d:\d\d:\d\d ", message, re.M)
    abroad.stop()
    del abroad.environment["CLOCK_OFFSET"]
    assert [mail["received"][:10] for mail in abroad.mails()] == ["2040-07-01"]


def test_a_store_may_be_longer_than_32_bits_tell(abroad):
    """What is filed lies beyond 5 GiB of holes."""
    store = abroad.data / "store.db"
    with sqlite3.connect(store) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = 5 << 30
        pages = size // db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    with open(store, "r+b") as file:
        file.truncate(size)
        file.seek(28)
        file.write(struct.pack(">I", pages))
    abroad.start()
    message = b"Subject: far away\r\n\r\n" + b"x" * 70 + 1000000 * b"\r\n" + b"the end\r\n"
    abroad.deliver(message)
    [fetched] = abroad.fetch()
    assert fetched.endswith(message)
    abroad.stop()
    assert store.stat().st_size > size + len(message) / 2  # free pages come first
    assert abroad.mails()[0]["size"] == len(fetched)


def test_a_new_office_is_set_up_there(foreign):
    place = Office(foreign, copy=False)
    try:
        said = place.run("init", "--domain", "kantor.example", "--dir", place.dir, config=False)
        assert re.search(r"password:\s*\S+", said)
    finally:
        place.close()
