"""`check` on what is sound, and to whom it speaks (each mistake: test_mistakes); and `status`
with its warnings."""

import os
import re
import subprocess

import pytest

from letters import letter
from milter import HANGS, Milter
from mistakes import DAY, OF_THE_BOX, at_time, change_store
from mistakes_of_box import own


def test_a_sound_office_has_nothing_wrong_whether_it_serves_or_not(office):
    for serves in (False, True):
        if serves:
            office.start()
        said = office.run("check").splitlines()
        assert [line for line in said if not any(word in line for word in OF_THE_BOX)] == [f"{office.ini}: nothing is wrong"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another account")
def test_who_may_not_look_is_told_so_and_nothing_else(office):
    office.data.chmod(0o700)
    result = subprocess.run([office.binary, "-c", office.ini, "check"], user=12345, group=12345, extra_groups=[],
                            capture_output=True, cwd="/")
    assert result.returncode == 1 and result.stdout == b""
    assert b"is another account's: run this as root" in result.stderr


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
    assert [word for word in status["warnings"] if not any(known in word for known in OF_THE_BOX)] == []
    served.stop()
    status = served.json("status")
    assert status["server_pid"] is None and status["sessions"] is None
    assert status["warnings"][0].startswith("the server does not run")
    assert "\n- the server does not run" in served.run("status")


def warnings(office):
    return "\n".join(office.json("status")["warnings"])


def test_status_warns_in_words(office):
    own(office, "-days", "5")
    change_store(office, "INSERT INTO meta VALUES ('last_backup', unixepoch() - 864000)")
    office.start()
    office.deliver(letter(1))
    office.run("user", "quota", "ani@kantor.example", "100")
    told = os.statvfs(office.data)
    office.set("store", "reserve", f"{(told.f_bavail * told.f_frsize >> 30) + 1}G")
    said = warnings(office)
    for words in ("cert.pem expires in", "the last backup is 10 days old", "the mailbox of ani@kantor.example is full",
                  "less than [store] reserve is free"):
        assert words in said
    # Days left and the room on the disk are others a moment later.
    shown = re.sub(r"\d+", "N", office.run("status"))
    for line in said.splitlines():
        assert "- {}\n".format(re.sub(r"\d+", "N", line)) in shown


def test_status_warns_of_a_filter_that_is_down(office):
    with Milter() as milter, Milter(O=HANGS) as silent:
        office.set("filter", "milter", milter.place)
        assert "filter" not in warnings(office)
        office.set("filter", "milter", f"inet:127.0.0.1:1 {milter.place} {silent.place}")
        down, hangs = [words for words in office.json("status")["warnings"] if "filter" in words]
        assert "[filter] milter: the mail filter at inet:127.0.0.1:1 cannot be asked (Connection refused), and mail is put off" in down
        assert f"the mail filter at {silent.place} cannot be asked (it does not answer)" in hangs
        office.set("filter", "milter", "inet:127.0.0.1:1")
        office.set("filter", "on_failure", "accept")
        assert re.search(r"\n- \S+office.ini:\d+: \[filter\] milter: the mail filter at inet:127.0.0.1:1 .* mail is taken unfiltered: start it",
                         office.run("status"))


def test_status_warns_of_a_certificate_that_has_expired(office):
    at_time(office, 4 * 365 * DAY)
    assert "cert.pem expired at 20" in warnings(office)


def test_a_backup_that_was_put_back_is_the_last_one(office):
    office.run("backup", office.dir / "copy")
    os.utime(office.dir / "copy", (1_790_000_000, 1_790_000_000))
    office.run("restore", office.dir / "copy")
    assert office.json("status")["last_backup"] == "2026-09-21T14:13:20Z"


def test_a_backup_that_is_not_there_is_asked_for(office):
    result = office.command("restore", office.dir / "nothing")
    assert (result.returncode, result.stdout) == (1, b"")
    assert b"nothing is not there: name a file that `officemail backup` has written" in result.stderr
