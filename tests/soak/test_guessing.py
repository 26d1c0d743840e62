"""Guessing at passwords: what counts, who is let in all the same, who learns
what from words and times, and who waits for whom.

make soak guesses for longer, and judges times; the short form judges none."""

import os
import signal
import statistics
import time

import pytest

from hostile import Pop3
from house import STAFF, GoodClients, House, addresses, fetch, flooded, sessions
from office import PASSWORDS, wait_until
from test_floods import judge, tell
from wire import Wire, WireError

GUESSERS = 40
P95_MS = 1000
PLACE, OTHER = "127.204.0.1", "127.204.0.2"
WRONG, LATER = b"-ERR [AUTH]", b"-ERR [SYS/TEMP]"


def guess(office, source, *pairs):
    """The answers to these logins, on as many connections as it takes."""
    answers = []
    for user, password in pairs:
        session = Pop3(office, source=source)
        answers.append(session.login(user, password))
        session.wire.close()
    return answers


def ani(*passwords):
    return [("ani@kantor.example", password) for password in passwords]


def add_user(office, name):
    """With a hash as the tools make them; the ones of every office here are cheap."""
    office.run("user", "add", f"{name}@kantor.example", "--password-stdin", stdin=f"sandi-{name}\n")


# ---- what counts


def test_distinct_wrong_pairs_count_and_a_repeated_one_once(office):
    office.set("limits", "auth_failures", 3)
    office.start()
    told = guess(office, PLACE, *ani(*["lama"] * 12, "tebak", "tebak"))
    assert all(answer.startswith(WRONG) for answer in told), told
    (told,) = guess(office, PLACE, ("nobody@kantor.example", "tebak"))  # another pair: the third
    assert told.startswith(WRONG)
    told = guess(office, PLACE, *ani("lama", PASSWORDS["ani"]))
    assert all(answer.startswith(LATER) for answer in told), told
    told = guess(office, OTHER, *ani("lama", PASSWORDS["ani"]))  # each address counts for itself
    assert told[0].startswith(WRONG) and told[1].startswith(b"+OK"), told
    (told,) = guess(office, PLACE, *ani(PASSWORDS["ani"]))  # right, and seen to be
    assert told.startswith(b"+OK"), told
    (told,) = guess(office, PLACE, ("budi@kantor.example", PASSWORDS["budi"]))
    assert told.startswith(LATER), told


def test_it_makes_no_difference_in_words_what_was_wrong(office):
    office.set("limits", "auth_failures", 0)
    office.start()
    office.run("user", "disable", "citra@kantor.example")
    told = guess(office, PLACE, *ani("tebak"), ("siapa@kantor.example", "tebak"), ("siapa", "tebak"),
                 ("ani@luar.example", "tebak"), ("citra@kantor.example", "tebak"),
                 ("citra@kantor.example", PASSWORDS["citra"]))
    assert len(set(told)) == 1 and told[0].startswith(WRONG), told


# ---- who is known


def is_known(office, source):
    """Strangers have taken all they may; is there a place left for this one?"""
    held = []
    try:
        for stranger in addresses(12, 205):
            held.append(Wire(office.place("smtp"), stranger))
            if held[-1].line().startswith(b"421"):
                break
        else:
            raise AssertionError("twelve strangers were let in where eight may be")
        wire = Wire(office.place("smtp"), source)
        held.append(wire)
        return wire.line().startswith(b"220")
    finally:
        for wire in held:
            wire.close()
        wait_until(lambda: not sessions(office), "they have gone")


def test_known_addresses_stay_known(office):
    """Over a restart of the directory and of the server, whatever is kept of the rest."""
    office.set("limits", "connections", 10)
    office.set("store", "keep_deleted", "1h")
    office.start()
    assert not is_known(office, STAFF)
    Pop3(office, "ani", source=STAFF).leave()
    assert is_known(office, STAFF)
    office.allow("role-died|hashing-failed|helper|session-not-begun")
    seen = len(office.lines)
    os.kill(office.named("directory")[0], signal.SIGKILL)
    office.wait_log("role-died.*directory", seen)
    wait_until(lambda: _logs_in(office), "the directory is back")
    assert is_known(office, STAFF) and not is_known(office, PLACE)
    office.restart()
    assert is_known(office, STAFF) and not is_known(office, PLACE)


def _logs_in(office):
    try:
        Pop3(office, "budi", source=STAFF).leave()
        return True
    except (WireError, AssertionError):
        return False


# ---- times


def sample(office, user, n):
    """Seconds until a wrong password is refused."""
    session = Pop3(office, source=PLACE)
    session.ok(b"USER " + user)
    began = time.monotonic()
    assert session.ask(b"PASS salah-%d" % n).startswith(WRONG)
    seconds = time.monotonic() - began
    session.wire.close()
    return seconds


def compare(office, one, other, rounds):
    """Median times, and how far from even it is which of the two took longer, in standard deviations."""
    pairs = []
    for n in range(rounds):
        order = (one, other) if n % 2 else (other, one)
        took = {user: sample(office, user, n) for user in order}
        pairs.append((took[one], took[other]))
    longer = sum(a > b for a, b in pairs)
    return (statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
            abs(longer - rounds / 2) / (rounds**0.5 / 2))


def test_it_makes_no_difference_in_time_whether_there_is_such_a_user(office, full):
    office.set("limits", "auth_failures", 0)
    add_user(office, "dewi")
    office.start()
    rounds = 400 if full else 5
    there, nobody, sigmas = compare(office, b"dewi@kantor.example", b"siapa@kantor.example", rounds)
    print(f"\nmedian of {rounds}: user {1000 * there:.2f} ms, nobody {1000 * nobody:.2f} ms, {sigmas:.1f} sigma")
    # What such a test would see: a hash that costs less than ours, as one of an old server may.
    cheap, nobody, seen = compare(office, b"budi@kantor.example", b"siapa@kantor.example", rounds)
    print(f"of a cheap hash: {1000 * cheap:.2f} ms, nobody {1000 * nobody:.2f} ms, {seen:.1f} sigma")
    assert not full or (seen > 4 and sigmas < 4)


# ---- who waits for whom


def log_in_first(office, source, name):
    """With a password that nobody has found right before: it is hashed."""
    session = Pop3(office, source=source)
    told = session.login(f"{name}@kantor.example", f"sandi-{name}")
    if not told.startswith(b"+OK"):
        raise WireError(told)
    session.leave()


@pytest.mark.parametrize("where", ["from ever new addresses", "from forty addresses"])
def test_who_has_the_right_password_does_not_wait_for_those_who_guess(office, full, where):
    count = 60 if full else 3
    names = [f"staf{n}" for n in range(2 * count)]
    for name in names:
        add_user(office, name)
    office.start()
    office.deliver(b"Subject: satu\r\n\r\n", "citra@kantor.example")
    fetch(office, STAFF)
    house, clients = House(office), GoodClients(office)
    clients.once()
    alone, times = clients.times, clients.start_anew()
    sources = addresses(20000 if "new" in where else GUESSERS, 206)
    with flooded(office, "guess", sources, count=GUESSERS) as flood:
        wait_until(lambda: sum(flood.report()[what] for what in ("looked_at", "not_looked_at")) > GUESSERS, "they guess")
        began, before = time.monotonic(), flood.report()
        for known, stranger in zip(names[::2], names[1::2]):
            clients.once()
            times.take("staff first login", lambda: log_in_first(office, STAFF, known))
            times.take("stranger first login", lambda: log_in_first(office, next(clients.strangers), stranger))
            house.look()
        seconds, figures = time.monotonic() - began, flood.stop()
    rates = [f"{(figures[what] - before[what]) / seconds:.0f}" for what in ("looked_at", "not_looked_at")]
    tell(f"{GUESSERS} guessers {where}: {rates[0]} guesses a second hashed, {rates[1]} not", figures, alone,
         times, house, "they hung up")
    assert figures["let_in"] == 0
    # A stranger's right password is one among the guesses: it waits its turn.
    judge(times, full, P95_MS)
    house.is_as_before()
