#!/usr/bin/python3
"""Follows a page on a box of its own: box.py PAGE, inside of tests/outside/enter.py, as root.

The box is this system seen through an overlay whose upper layer is in memory, so that this one stays
as it is; it has a network with no way out, the address 203.0.113.25, and a DNS that says what a story
says (stories.py: what is there before, what is typed in, what must be so afterwards). The commands are those of
the page; of outside programs those in stand-ins/ are not the real ones."""

import contextlib
import ctypes
import ipaddress
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parent / "outside")]

from page import DOCS, TREE, blocks  # noqa: E402

ADDRESS, ADDRESS_6, PROVIDER = "203.0.113.25", "2001:db8:25::25", "198.51.100.25"
STAND_INS = "/opt/stand-ins"
PATIENCE = 120
SETTINGS = Path("/etc/officemail/office.ini")
UNDER_ENTER = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt")


class Box:
    def __init__(self, binary):
        self.binary, self.cwd, self.said = binary, "/root", ""
        self.outside = Path(os.environ["OUTSIDE"])

    # ---- the system

    def lay_over(self):
        """From here on / is the overlay; nothing can have been changed before."""
        laid = {path: Path(path).read_bytes() for path in UNDER_ENTER}
        before, place = os.stat("/"), "/mnt"
        self.must("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
        for name in ("upper", "work", "root"):
            os.mkdir(f"{place}/{name}", 0o755)
        root = f"{place}/root"
        self.must("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={place}/upper,workdir={place}/work", root)
        self.must("mount", "-t", "proc", "proc", f"{root}/proc")
        self.must("mount", "--rbind", "/dev", f"{root}/dev")
        self.must("mount", "--bind", self.outside, f"{root}{self.outside}")
        os.chroot(root)
        os.chdir("/")
        assert os.stat("/").st_dev != before.st_dev
        self.must("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        self.must("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", "/root")
        for path, octets in laid.items():
            Path(path).unlink(missing_ok=True)  # resolv.conf may be a link
            Path(path).write_bytes(octets)
        authority = self.outside / "authority.pem"
        name = self.must("openssl", "x509", "-hash", "-noout", "-in", authority).strip()
        shutil.copy(authority, f"/etc/ssl/certs/{name}.0")
        self.join_the_world()
        shutil.copytree(HERE / "stand-ins", STAND_INS)
        Path("/run/stand-ins").mkdir()
        os.environ.update(PATH=f"{STAND_INS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root",
                          LC_ALL="C.UTF-8", TREE=str(TREE), BINARY=str(self.binary), USER="root", LOGNAME="root")
        for name in ("OFFICEMAIL", "OFFICEMAIL_CONFIG"):
            os.environ.pop(name, None)

    def join_the_world(self):
        """A second network behind a wire, in which others live."""
        for line in f"""netns add world
                link add toworld type veth peer name tobox netns world
                address add {ADDRESS}/32 dev toworld
                address add {ADDRESS_6}/128 dev lo
                link set toworld up
                route add {PROVIDER}/32 dev toworld
                -n world address add {PROVIDER}/32 dev tobox
                -n world link set tobox up
                -n world link set lo up
                -n world route add {ADDRESS}/32 dev tobox""".splitlines():
            self.must("ip", *line.split())

    @contextlib.contextmanager
    def elsewhere(self):
        """What is started within lives in that network, and looks for its way there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net") as here, open("/run/netns/world") as there:
            assert libc.setns(there.fileno(), 0) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(here.fileno(), 0) == 0, os.strerror(ctypes.get_errno())

    def records(self, name, **records):
        said = {kind: [value] if isinstance(value, str) else value for kind, value in records.items()}
        (self.outside / f"{name}.zone").write_text(json.dumps(said))

    def publish(self):
        """What the office's domain says in DNS, by `officemail dns` itself."""
        zone = re.sub(r"\(\s*([^()]*?)\)", lambda text: " ".join(text[1].split("\n")), self.sh("officemail dns"))
        found = {}
        for name, kind, value in re.findall(r"^(\S+?)\.?\s+(?:\d+\s+)?IN\s+(MX|TXT|SRV|CNAME)\s+(.+)$", zone, re.M):
            if kind == "TXT":
                value = "".join(re.findall(r'"([^"]*)"', value))
            elif kind == "CNAME":
                value = value.rstrip(".")
            else:
                *numbers, host = value.split()
                value = [*map(int, numbers), host.rstrip(".")]
            found.setdefault(name, {}).setdefault(kind, []).append(value)
        own = found.setdefault("mail.kantor.example", {})
        own.update(A=[ADDRESS], AAAA=[ADDRESS_6])
        for name, records in found.items():
            self.records(name, **records)

    def own_name(self):
        self.records("mail.kantor.example", A=ADDRESS, AAAA=ADDRESS_6)
        for address in (ADDRESS, ADDRESS_6):
            self.records(ipaddress.ip_address(address).reverse_pointer, PTR="mail.kantor.example")

    def installed(self):
        """An office as the page about the first set-up leaves it: the package's files, ani, and the server."""
        self.sh("cd $TREE && make deb >/dev/null && apt install ./build/deb/*/officemail_*.deb")
        self.own_name()
        said = self.sh("officemail init --domain kantor.example --hostname mail.kantor.example --user ani@kantor.example")
        self.password = re.search(r"password:\s*(\S+)", said)[1]
        self.sh("systemctl start officemail")

    # ---- doing things

    @staticmethod
    def must(*words, **kind):
        done = subprocess.run([str(word) for word in words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE, **kind)
        assert done.returncode == 0, f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}"
        return done.stdout

    def sh(self, text, stdin=""):
        """Runs commands as the page's, elsewhere; they must succeed."""
        return self.must("bash", "-e", "-o", "pipefail", "-c", text, input=stdin)

    def run(self, block, typed):
        """Runs a block on a terminal. typed: pairs of what is waited for and what is typed then."""
        script = ["bash", "-e", "-o", "pipefail", "-c", block.text + "\npwd >/run/stand-ins/cwd\n"]
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.cwd)
            os.execvp(script[0], script)
        said, turns = b"", list(typed)
        while True:
            if turns and turns[0][0].encode() in said:
                os.write(terminal, turns.pop(0)[1].encode())
            assert select.select([terminal], [], [], PATIENCE)[0], f"it says no more: {said!r}"
            try:
                said += os.read(terminal, 65536)
            except OSError:  # nobody has it open any more
                break
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)
        said = said.decode().replace("\r\n", "\n")
        print(said, end="", flush=True)
        assert not turns, f"it never asked {turns[0][0]!r}"
        assert status == 0, f"exit {status}"
        self.cwd = Path("/run/stand-ins/cwd").read_text().strip()
        self.said += said

    def set(self, text):
        """Brings lines of an ini block into office.ini: a key stands there once, in its section."""
        lines, section = SETTINGS.read_text().splitlines(), None
        for wanted in text.splitlines():
            if header := re.match(r"\[(\w+)\]", wanted):
                section = header[1]
            elif key := re.match(r"(\w+)\s*=", wanted):
                assert section, "an ini block begins with a section"
                at = lines.index(next(line for line in lines if line.startswith(f"[{section}]")))
                end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith("[")), len(lines))
                [where] = [n for n in range(at + 1, end) if re.match(rf"{key[1]}\s*=", lines[n])]
                lines[where] = wanted
            else:
                assert not wanted.strip() or wanted.startswith(";"), wanted
        SETTINGS.write_text("\n".join(lines) + "\n")

    def expect(self, text):
        at = 0
        for wanted in filter(str.strip, text.splitlines()):
            pattern = ".*".join(re.escape(part) for part in re.sub(r"\s+", " ", wanted).strip().split("…"))
            found = re.search(rf"^ ?{pattern}$", re.sub(r"[ \t]+", " ", self.said)[at:], re.M)
            assert found, f"nothing here says {wanted!r} (any more)"
            at += found.end()
        self.said = ""


def follow(page, story, box):
    for block in blocks(page):
        print(f"\n--- {page.name}:{block.line} {block.kind}{' (not run)' * bool(block.not_run)}\n{block.text}---", flush=True)
        if block.not_run:
            continue
        try:
            if block.kind == "sh":
                box.run(block, next((turns for start, turns in story.typed.items() if start in block.text), []))
                for start, deed in story.then.items():
                    if start in block.text:
                        deed(box)
            elif block.kind == "ini":
                box.set(block.text)
            else:
                box.expect(block.text)
        except (AssertionError, subprocess.TimeoutExpired) as wrong:
            log = Path("/var/log/stand-ins.log")
            raise SystemExit(f"{page.name}:{block.line}: {wrong}\n{log.read_text()[-3000:] if log.exists() else ''}")
    for start in [*story.typed, *story.then]:
        assert any(start in block.text for block in blocks(page)), f"no block of {page.name} has {start!r}"


def main(name):
    if os.getpid() != 1:
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
                              sys.executable, "-B", __file__, name])
    from stories import STORIES
    box = Box(os.environ["OFFICEMAIL"])
    box.lay_over()
    story = STORIES[name]
    story.before(box)
    follow(TREE / name if name.startswith("README") else DOCS / name, story, box)
    story.after(box)
    print("followed to its end", flush=True)
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != "1":
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGKILL)
    os._exit(0)  # threads of servers that play the world


if __name__ == "__main__":
    main(sys.argv[1])
