"""`init`: from nothing to an office that serves."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from office import HOSTNAME, PORTS, Office
from wire import WireError

USER = "wati@kantor.example"


@pytest.fixture
def bare(workshop):
    """An office whose directory is not there yet."""
    place = Office(workshop, copy=False)
    yield place
    place.close()


def init(office):
    return office.run("init", "--domain", "kantor.example", "--hostname", HOSTNAME, "--user", USER, "--dir",
                      office.dir, config=False)


def move_to_own_address(office):
    """init writes the usual ports; here each office has an address of its own."""
    places = {"smtpd.listen": "smtp", "pop3d.listen": "pop3", "pop3d.listen_tls": "pop3s"}
    lines, section = [], ""
    for line in office.ini.read_text().splitlines():
        header = re.match(r"\[(\w+)\]", line)
        section = header[1] if header else section
        key = re.match(r"(listen\w*)\s*=", line)
        if key:
            service = places.get(f"{section}.{key[1]}")
            line = f"{key[1]} = " + (f"{office.address}:{PORTS[service]}" if service else "")
        lines.append(line)
    office.ini.write_text("\n".join(lines) + "\n")


def test_a_new_office_serves_its_first_user_who_has_a_letter(bare):
    said = init(bare)
    password = re.search(r"password:\s*(\S+)", said)[1]
    assert bare.data.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in bare.data.iterdir()} == {0}
    move_to_own_address(bare)
    bare.start()
    pop = bare.connect("pop3s")
    pop.line()
    assert pop.command(f"USER {USER}").startswith("+OK")
    assert pop.command(f"PASS {password}").startswith("+OK")
    assert pop.command("RETR 1").startswith("+OK")
    assert any(line.startswith(b"Subject: ") for line in pop.block())
    assert pop.command("QUIT").startswith("+OK")


def test_a_second_run_changes_nothing_and_says_so(bare):
    init(bare)
    before = {path: path.read_bytes() for path in bare.dir.rglob("*")
              if path.is_file() and not path.name.startswith("store.db")}
    users = bare.json("user", "list")
    said = init(bare)
    assert "nothing was changed" in said
    assert "password" not in said
    after = {path: path.read_bytes() for path in bare.dir.rglob("*")
             if path.is_file() and not path.name.startswith("store.db")}
    assert after == before
    assert bare.json("user", "list") == users


def test_it_overwrites_no_office_ini(bare):
    bare.dir.mkdir()
    bare.data.mkdir(mode=0o700)
    bare.give_to_account(bare.data)
    bare.write_ini()
    before = bare.ini.read_text()
    init(bare)
    assert bare.ini.read_text() == before
    bare.start()
    with pytest.raises(WireError):
        bare.login("ani")


def test_a_data_directory_is_made_with_those_above_it_and_is_the_servers_alone(bare):
    bare.dir.mkdir(mode=0o755)
    bare.set("office", "data", f"{bare.dir}/some/where//")
    bare.run("init", "--domain", "kantor.example")
    made = (bare.dir / "some/where").stat()
    assert made.st_mode & 0o777 == 0o700
    assert made.st_uid == (bare.dir / "some/where/store.db").stat().st_uid


def test_a_directory_where_none_can_be_made_is_said(bare):
    result = bare.command("init", "--domain", "kantor.example", "--dir", "/proc/office", config=False)
    assert result.returncode == 1
    assert "cannot make the directory /proc/office" in result.stderr.decode()


def test_a_wrong_domain_or_user_is_usage(bare):
    for arguments in (["--domain", "not a domain"], ["--domain", "kantor.example", "--user", "ani@elsewhere.example"],
                      []):
        result = bare.command("init", *arguments, "--dir", bare.dir, config=False)
        assert result.returncode == 2
        assert not bare.dir.exists()


def test_the_ports_of_a_demo_are_those_that_the_papers_bring_to_a_pc(bare):
    """A demo is set up without root's rights."""
    bare.dir.mkdir()
    bare.give_to_account(bare.dir)
    who = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    subprocess.run([*who, bare.binary, "init", "--domain", "kantor.example", "--hostname", "localhost", "--user", USER,
                    "--dir", bare.dir], check=True, capture_output=True, cwd="/")
    ports = sorted(re.findall(r"^listen_tls += 127.0.0.1:(\d+)", bare.ini.read_text(), re.M))
    assert len(ports) == 2
    tree = Path(__file__).resolve().parents[2]
    for paper in ("README.md", "tools/docs/id/README.md", "tools/demo"):
        told = re.findall(r"-L (\d+):localhost:(\d+)", (tree / paper).read_text())
        assert sorted(told) == [(port, port) for port in ports], paper
