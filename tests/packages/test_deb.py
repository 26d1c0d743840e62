"""The Debian package: what is in it, that lintian has nothing to say, that it installs, serves under
the restrictions of its unit, and goes again; the filter of fail2ban on the server's own lines."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from test_cross import EMULATORS

TREE = Path(__file__).resolve().parents[2]
BUILD = TREE / "build"

CONTENTS = """
    etc/fail2ban/filter.d/officemail.conf etc/fail2ban/jail.d/officemail.conf
    lib/systemd/system/officemail.service usr/lib/sysusers.d/officemail.conf usr/lib/tmpfiles.d/officemail.conf
    usr/sbin/officemail usr/share/man/man5/office.ini.5.gz usr/share/man/man8/officemail.8.gz
    usr/share/bash-completion/completions/officemail
    usr/share/doc/officemail/README.md.gz usr/share/doc/officemail/SECURITY.md.gz
    usr/share/doc/officemail/changelog.gz usr/share/doc/officemail/copyright
    usr/share/doc/officemail/examples/certbot-hook usr/share/doc/officemail/examples/office.ini
""".split() + [f"usr/share/doc/officemail/docs/{page.relative_to(TREE / 'tools/docs')}"
             for page in (TREE / "tools/docs").rglob("*.md")]
LIBRARIES = ["libbearssl0", "libc6", "libcrypt1", "libgmp10", "libhogweed6", "libinih1", "libseccomp2",
             "libsqlite3-0", "libxxhash0"]
MACHINES = {"amd64": "Advanced Micro Devices X86-64", "arm64": "AArch64", "armhf": "ARM"}


def run(*words, **kind):
    done = subprocess.run([str(word) for word in words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=600, cwd=TREE, **kind)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def package():
    """Builds the one for an architecture; lintian's findings fail it."""
    built = {}

    def build(arch):
        if arch not in built:
            run("tools/deb/build", arch)
            [built[arch]] = (BUILD / "deb" / arch).glob("*.deb")
        return built[arch]

    return build


@pytest.mark.parametrize("arch", MACHINES)
def test_a_package_holds_what_it_should_for_its_machine(package, tmp_path, arch):
    deb = package(arch)
    run("dpkg", "-x", deb, tmp_path)
    files = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()]
    assert sorted(files) == sorted(CONTENTS)
    assert run("dpkg", "-f", deb, "Architecture").strip() == arch
    depends = run("dpkg", "-f", deb, "Depends")
    assert [name for name in LIBRARIES if not re.search(rf"\b{re.escape(name)}( \(|,|$)", depends)] == []
    header = run("readelf", "-h", tmp_path / "usr/sbin/officemail")
    assert re.search(r"Machine: +(.*)", header)[1] == MACHINES[arch]
    if arch == "amd64":
        assert "unsealed" not in run(tmp_path / "usr/sbin/officemail", "--version")
    else:
        assert_filters_can_be_built(arch, tmp_path)


def assert_filters_can_be_built(arch, root):
    """For a machine with other system calls. qemu-user cannot load them, which is what the master
    finds once they are built."""
    program = [EMULATORS[arch], "-L", BUILD / "sysroot" / arch, root / "usr/sbin/officemail"]
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)  # for the account that serves
        run(*program, "init", "--domain", "kantor.example", "--dir", place)
        refused = subprocess.run([*program, "-c", place + "/office.ini", "serve"], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "this kernel has no system call filters" in refused.stderr, refused.stderr


def test_setup_brings_all_that_the_package_is_built_with(tmp_path):
    """On a box that has nothing: what dpkg-buildpackage asks for beside the compiler, too."""
    for name, does in {"dpkg-query": "exit 1", "id": "echo 1000", "sudo": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    asked = subprocess.run([TREE / "tools/setup", "build", "deb"], text=True, capture_output=True,
                           env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, stdin=subprocess.DEVNULL)
    assert asked.returncode == 1
    brought = asked.stdout.partition("missing packages:")[2].split()
    control = (TREE / "tools/deb/control").read_text()
    wanted = re.search(r"Build-Depends: (.*?)\nStandards", control, re.S)[1]
    wanted = {re.split(r"[ (]", name.strip().replace("debhelper-compat", "debhelper"))[0] for name in wanted.split(",")}
    assert {"build-essential"} | wanted <= set(brought)


def test_make_install_brings_the_same_set_below_its_prefix(tmp_path):
    run("make", "install", f"DESTDIR={tmp_path}")
    found = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()]
    papers = r"/docs/|/(README.md.gz|SECURITY.md.gz|changelog.gz|copyright)$"
    expected = ["usr/local/" + re.sub("^usr/|[.]gz$", "", path) for path in CONTENTS if not re.search(papers, path)]
    assert sorted(found) == sorted(expected)
    unit = (tmp_path / "usr/local/lib/systemd/system/officemail.service").read_text()
    assert "ExecStart=/usr/local/sbin/officemail " in unit


def test_the_unit_is_as_hard_as_it_was():
    run("systemd-analyze", "security", "--offline=true", "--threshold=26", "tools/deb/officemail.service")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can install a package")
def test_it_installs_serves_under_the_units_restrictions_and_is_purged(package):
    """installed.py: over a file system of its own; a system call that the unit refuses is death."""
    assert "installed, used and purged" in run("/usr/bin/python3", "-B", "tests/packages/installed.py", package("amd64"))


# ---- fail2ban ----

@pytest.fixture(scope="module")
def fail2ban():
    """Unpacked, never installed: what asks its fail2ban-regex."""
    place = BUILD / "fail2ban"
    if not (place / "etc").exists():
        place.mkdir(parents=True, exist_ok=True)
        run("sh", "-c", f"cd {place} && apt-get -q -o APT::Sandbox::User=root download fail2ban && dpkg -x fail2ban_*.deb .")
    shutil.copy(TREE / "tools/deb/fail2ban/filter.conf", place / "etc/fail2ban/filter.d/officemail.conf")
    shutil.copy(TREE / "tools/deb/fail2ban/jail.conf", place / "etc/fail2ban/jail.d/officemail.conf")
    (place / "etc/fail2ban/jail.d/defaults-debian.conf").unlink(missing_ok=True)  # sshd's, which wants its log
    (place / "etc/fail2ban/jail.d/officemail.local").write_text("[officemail]\nenabled = true\n")
    environment = {**os.environ, "PYTHONPATH": str(place / "usr/lib/python3/dist-packages"), "LC_ALL": "C.UTF-8"}

    def ask(program, *words):
        return run("/usr/bin/python3", "-B", place / "usr/bin" / program, "-c", place / "etc/fail2ban", *words,
                   env=environment)

    return ask


HOSTILE = ["ani", "nobody@kantor.example", "x from=203.0.113.9", 'x" from=203.0.113.9', "a=b from=203.0.113.9",
           "x' user=y from=203.0.113.9", "\x01\x7f\\", "\udcff" * 3, "x" * 200]


def test_fail2ban_finds_each_wrong_password_and_nobody_else(office, fail2ban, tmp_path):
    office.set("limits", "auth_failures", 0)
    office.start()
    tried = 0
    for name in HOSTILE:
        client = office.connect("pop3")
        client.line()
        client.send(b"USER " + name.encode("utf-8", "surrogateescape") + b"\r\n")
        if client.line().startswith(b"+OK"):
            tried += client.command("PASS wrong-" + str(tried)).startswith("-ERR")
    smtp = office.connect("submissions")
    smtp.line()
    smtp.send(b"EHLO x\r\n")
    smtp.reply()
    assert smtp.command("AUTH PLAIN AHh5egB3cm9uZw==").startswith("535")
    office.login("ani").command("QUIT")  # nobody to ban
    office.wait_log("auth-failed service=submission")
    office.wait_log("session service=pop3 user=ani")
    lines = [re.sub("^<[0-7]>", "", line) for line in office.log_text().splitlines()]
    log = tmp_path / "log"
    log.write_text("".join(f"Nov 23 18:00:00 mail officemail[123]: {line}\n" for line in lines))
    failed = [line for line in lines if line.startswith("auth-failed ")]
    assert len(failed) == tried + 1 and tried > 4
    assert fail2ban("fail2ban-regex", "-o", "ip", log, "officemail").split() == ["127.0.0.1"] * len(failed)


def test_fail2ban_takes_the_jail_when_it_is_turned_on(fail2ban):
    said = fail2ban("fail2ban-client", "-d")
    assert "['add', 'officemail', 'systemd']" in said and "_SYSTEMD_UNIT=officemail.service" in said
    assert "['start', 'officemail']" in said


# ---- what is installed beside the program ----

def test_bash_finds_the_completion_where_it_is_installed(workshop):
    offered = run("bash", "--norc", "-c", 'PATH=$1:$PATH; . tools/deb/bash-completion && complete -p officemail',
                  "bash", workshop.root)
    assert offered == "complete -F _officemail officemail\n"


def test_the_hook_of_certbot_copies_the_pair_of_our_host_and_no_other(tmp_path):
    lineage, office = tmp_path / "live", tmp_path / "office.ini"
    lineage.mkdir()
    (lineage / "fullchain.pem").write_text("chain\n")
    (lineage / "privkey.pem").write_text("key\n")
    office.write_text(f"[office]\nhostname   = mail.kantor.example ; a host\n[tls]\n"
                      f"certificate = {tmp_path}/cert.pem ; PEM\nkey         = {tmp_path}/key.pem\n"
                      f"[dkim]\nselector = key\n")
    environment = {**os.environ, "OFFICEMAIL_CONFIG": str(office), "RENEWED_LINEAGE": str(lineage)}
    run("tools/deb/certbot-hook", env={**environment, "RENEWED_DOMAINS": "www.kantor.example kantor.example"})
    assert not (tmp_path / "key.pem").exists()
    for names in ("kantor.example mail.kantor.example", "*.kantor.example"):
        run("tools/deb/certbot-hook", env={**environment, "RENEWED_DOMAINS": names})
        assert (tmp_path / "cert.pem").read_text() == "chain\n"
        assert (tmp_path / "key.pem").read_text() == "key\n"
        assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
        (tmp_path / "key.pem").unlink()
    office.write_text("[office]\nhostname = mail.kantor.example\n[tls]\ncertificate =\nkey =\n")
    refused = subprocess.run(["tools/deb/certbot-hook"], cwd=TREE, capture_output=True, text=True,
                             env={**environment, "RENEWED_DOMAINS": "mail.kantor.example"})
    assert refused.returncode == 1 and "name certificate and key in [tls]" in refused.stderr
