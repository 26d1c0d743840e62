"""Views and devices behind a power cut: what a login has been told is deleted stays hidden
from it, no other login's view shrinks, and what all have deleted, and nothing else, has left."""

import itertools

from ledger import number_of
from power import Recorder, choose_instants, cut
from power_load import Pop3, fetch, letter, serving
from test_tools_users import ANI

PASSWORDS = {"own": "rahasia-ani", "pc": "rahasia-pc", "hp": "rahasia-hp"}
LETTERS = 12


def delete(office, name, uidl):
    session = Pop3(office)
    assert session.login(ANI, PASSWORDS[name]).startswith(b"+OK")
    there = dict(reversed(line.split()) for line in session.block(b"UIDL"))
    session.ok(b"DELE " + there[uidl])
    session.ok(b"QUIT")
    session.wire.close()


def view(office, name):
    return {number_of(octets) for _, octets in fetch(office, "ani", PASSWORDS[name])}


def test_what_one_has_deleted_stays_hidden_and_leaves_with_the_last(office, chance, full):
    with serving(office):
        for name in ("pc", "hp"):
            office.run("device", "add", ANI, name, "--password-stdin", stdin=PASSWORDS[name] + "\n")
        for n in range(LETTERS):
            office.deliver(letter(n, 1000))
        for name in PASSWORDS:
            uidls = {number_of(octets): uidl.encode() for uidl, octets in fetch(office, "ani", PASSWORDS[name])}
    # hp leaves the last ones alone, until it is removed.
    steps = [(name, n) for name, n in itertools.product(PASSWORDS, range(LETTERS)) if name != "hp" or n < LETTERS - 4]
    chance.shuffle(steps)
    recorder = Recorder(office.dir, office.workshop.root / "recording")
    with recorder.over(office), serving(office):
        for step, (name, n) in enumerate(steps):
            delete(office, name, uidls[n])
            recorder.mark(deleted=step)
        office.run("device", "remove", ANI, "hp")
        recorder.mark(deleted=len(steps))

    def look(marks):
        done = len(marks)
        sure = {(name, n) for name, n in steps[:done]}
        perhaps = {(name, n) for name, n in steps[:done + 1]}
        with serving(office):
            there = {number_of(office.run("mail", "show", ANI, row["id"]).encode()) for row in office.mails()}
            logins = [name for name in PASSWORDS if office.can_log_in(ANI, PASSWORDS[name])]
            assert "hp" in logins or done >= len(steps)
            for name in logins:
                seen = view(office, name)
                assert seen <= there and not any((name, n) in sure for n in seen), f"{name} sees what it has deleted"
                assert all((name, n) in perhaps for n in there - seen), f"{name} has lost something"
            if done == len(steps):
                office.command("device", "remove", ANI, "hp")  # perhaps the rest of it
                there = {number_of(office.run("mail", "show", ANI, row["id"]).encode()) for row in office.mails()}
                logins = [name for name in logins if name != "hp"]
            for n in range(LETTERS):
                assert n in there or all((name, n) in perhaps for name in logins), f"{n} has left too early"
                assert n not in there or not all((name, n) in sure for name in logins), f"{n} is held by nobody"
        office.run("check")

    instants = choose_instants(recorder, 100 if full else 8, chance)
    wrong = cut(recorder, [*instants, len(recorder.records)], chance, look)
    assert not wrong, "\n".join(wrong[:5])
