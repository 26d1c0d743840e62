"""Import and export, killed at each change and sync, and with the power cut there: what is there afterwards is
whole, and doing it again brings the rest, and nothing twice."""

import json
import os
import signal
import subprocess

import pytest

from letters import letter, stored_form
from power import Recorder, cut
from test_port import dovecot, maildir
from test_tools_users import ANI

COUNTED = "wtcdlrub"  # what RECORDER_DIE counts
LETTERS = [letter(n, "From\r\n" * n) for n in range(80)] + [letter(80, "x" * 998 + "\r\n" * 300_000), letter(81)]


def everything(office):
    """All that is the same each time: those of Lama had no UIDL, and get a new one."""
    return sorted((mail["folder"], mail["folder"] != "Lama" and mail["uidl"], mail["size"], mail["received"])
                  for mail in office.mails())


def content(place):
    """What an export has made, by file; unfinished files and lists apart."""
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*")
            if path.is_file() and path.suffix != ".part" and path.name not in ("uidl.json", "dovecot-uidlist")}


class Moving:
    """An office, the command, and what it comes to."""

    def __init__(self, office, tmp_path, options):
        self.office = office
        maildir(tmp_path / "M", LETTERS, dovecot)
        maildir(tmp_path / "M/.Lama", LETTERS[:3])
        self.place = office.dir / "out"
        self.words = ["mail", "import", ANI, tmp_path / "M"]
        if options is not None:
            office.run(*self.words)
            self.words = ["mail", "export", ANI, self.place, *options]
        self.template = office.dir.with_suffix(".old")
        subprocess.run(["cp", "-a", office.dir, self.template], check=True)
        office.run(*self.words)
        self.mails, self.content = everything(office), content(self.place)
        assert len(self.mails) == len(LETTERS) + 3
        self.uidls = self.listed_uidls()
        self.again()

    def listed_uidls(self):
        """By what a new export would have them known."""
        side = self.place / "uidl.json"
        rows = json.loads(side.read_text()) if side.exists() else []
        return sorted((row["file"], row.get("message"), row["uidl"], row["sum"]) for row in rows)

    def again(self):
        subprocess.run(["rm", "-rf", self.office.dir], check=True)
        subprocess.run(["cp", "-a", self.template, self.office.dir], check=True)

    def record(self):
        recorder = Recorder(self.office.dir, self.office.workshop.root / f"recording-{self.office.dir.name}")
        with recorder.over(self.office):
            self.office.run(*self.words)
            recorder.mark(done=True)
        return recorder

    def look(self, marks=()):
        if marks:  # it had said that it was done
            assert everything(self.office) == self.mails and content(self.place) == self.content
        assert set(everything(self.office)) <= set(self.mails)
        for path, octets in content(self.place).items():
            assert octets == self.content[path], f"{path} is half there"
        self.office.run(*self.words)
        assert everything(self.office) == self.mails, "not all, or some of it twice"
        assert content(self.place) == self.content
        assert self.listed_uidls() == self.uidls
        assert not list(self.place.rglob("*.part"))
        self.office.run("check")
        assert "0 messages" in self.office.run(*self.words)


@pytest.fixture(params=[None, (), ("--format", "maildir"), ("--format", "eml")], ids=["import", "mbox", "maildir", "eml"])
def moving(request, office, tmp_path):
    if office.sanitized:
        pytest.skip("a sanitizer wants to be loaded before the recorder")
    place = Moving(office, tmp_path, request.param)
    yield place
    subprocess.run(["rm", "-rf", place.template], check=True)


def test_killed_at_each_change_and_sync_it_can_be_done_again(moving, chance, full):
    recorder = moving.record()
    changes = [record.kind for record in recorder.records if record.kind in COUNTED]
    hard = [n for n, kind in enumerate(changes, 1) if kind != "w"]  # syncs, and changes of names
    places = range(1, len(changes) + 1) if full else chance.sample(hard, min(len(hard), 6))
    print(f"{moving.words[1]}: killed at {len(places)} of {len(changes)} places")
    for n in places:
        moving.again()
        environment = {**os.environ, **recorder.environment(RECORDER_DIE=str(n))}
        ended = subprocess.run([moving.office.workshop.dynamic, "-c", moving.office.ini, *map(str, moving.words)],
                               env=environment, capture_output=True, timeout=60)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        moving.look()


def test_cut_off_its_power_it_can_be_done_again(moving, chance, full):
    recorder = moving.record()
    every = range(len(recorder.records) + 1)
    instants = [*every] if full else [every[-1], *chance.sample(every, 6)]
    print(f"{moving.words[1]}: cut at {len(instants)} instants of {len(every)}")
    wrong = cut(recorder, instants, chance, moving.look)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:5])


def test_what_a_killed_import_left_of_a_big_message_goes(served, tmp_path):
    """Also while the server runs, which has begun before."""
    (tmp_path / "big.eml").write_bytes(LETTERS[80])
    recorder = Recorder(served.dir, served.workshop.root / "recording-big")
    with recorder.over(served):
        served.run("mail", "import", ANI, tmp_path / "big.eml")
    syncs = [n for n, record in enumerate((r for r in recorder.records if r.kind in COUNTED), 1) if record.kind == "b"]
    served.run("mail", "remove", ANI, str(served.mails()[0]["id"]))
    (tmp_path / "big.eml").write_bytes(LETTERS[80] + b"y\r\n")
    environment = {**os.environ, **recorder.environment(RECORDER_DIE=str(syncs[2]))}
    words = [served.workshop.dynamic, "-c", served.ini, "mail", "import", ANI, tmp_path / "big.eml"]
    assert subprocess.run([str(word) for word in words], env=environment, capture_output=True).returncode == -signal.SIGKILL
    assert served.run("mail", "import", ANI, tmp_path / "big.eml").startswith("1 message imported")
    assert served.fetch() == [stored_form(LETTERS[80] + b"y\r\n")]
    served.run("check")
