"""Views of a mailbox under a wall clock that goes on by weeks, or jumps by years: which
devices count, until when, and that nobody's does end at once."""

import time

import pytest

from office import wait_until
from test_clock import Clock
from test_devices import ANI, add, delete, letters, rows, sound, view

DAY = 24 * 3600


@pytest.fixture
def clock(office):
    return Clock(office)


def steady(office, clock, seconds):
    """The clock is so much later, and the purge has believed it: as if the server had
    been off for as long, and then up for an hour."""
    office.stop()
    clock.jump(seconds)
    rows(office, "UPDATE meta SET value = ? WHERE name = 'latest_time'", int(time.time()) + seconds, write=True)
    office.start()


def warned(office):
    return [told.split()[0] for told in office.json("status")["warnings"] if "has not fetched for" in told]


def test_unused_for_60_days_it_stops_holding_mail_and_status_warns_a_week_before(office, clock):
    office.set("store", "keep_deleted", "365d")
    office.start()
    add(office, "pc", "hp")
    for device in ("pc", "hp"):
        view(office, device)
    first, second = letters(office, 2)
    delete(office, "pc", first)
    office.restart()
    assert warned(office) == []
    steady(office, clock, 54 * DAY)
    assert warned(office) == ["hp", "pc"]
    assert f"hp has not fetched for {ANI} since 20" in office.run("status")
    view(office, "pc")
    office.restart()
    assert warned(office) == ["hp"]
    assert len(office.mails()) == 2
    steady(office, clock, 61 * DAY)
    wait_until(lambda: len(office.mails()) == 1, "what only hp held leaves")
    office.wait_log("held-by-nobody messages=1")
    assert [mail["uidl"] for mail in office.json("mail", "list", ANI, "--deleted")] == [first]
    delete(office, "pc", second)
    assert office.mails() == []
    assert view(office, "hp") == []  # it counts again, from now on
    third = letters(office, 1)
    delete(office, "pc")
    assert view(office, "hp") == third
    sound(office)


@pytest.mark.parametrize("seconds", [10 * 365 * DAY, -20 * 365 * DAY], ids=["ahead", "back"])
def test_a_clock_that_jumps_ends_no_view(office, clock, seconds):
    office.start()
    add(office, "pc", "hp")
    for device in ("pc", "hp"):
        view(office, device)
    first, second = letters(office, 2)
    delete(office, "pc", first)
    office.restart()
    clock.jump(seconds)
    office.restart()
    assert len(office.mails()) == 2
    delete(office, "pc", second)
    view(office, "pc")
    clock.jump(0)
    office.restart()
    assert view(office, "hp") == [first, second] and view(office, "pc") == []
