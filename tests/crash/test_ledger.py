"""The ledger's verdict finds each broken promise: planted ones, one at a time."""

import pytest

from ledger import Account, Ledger, is_letter, letter, number_of, outside

LINES = ["sent 1 a", "yes 1 a", "sent 2 a,b", "yes 2 a,b", "sent 3 a", "no 3 421", "sent 4 a", "yes 4 a", "sent 5 a",
         "yes 5 a", "sent 6 b", "cut 7", "quit s a 4,5", "done s"]
SHOWN = [(1, "a"), (2, "a"), (2, "b"), (6, "b")]
HIDDEN = [(4, "a"), (5, "a")]

# One colleague, one whom the smarthost takes and one whom it does not.
TAKEN, REFUSED = outside("terima", 8), outside("tolak", 8, 1)
SENT, YES = f"sent 8 a,{TAKEN},{REFUSED}", f"yes 8 a,{TAKEN},{REFUSED}"
TOOK = f"took 8 {TAKEN} c1 10.0 10.5"
REPORTED = [(8, REFUSED)]


def broken(tmp_path, lines, shown, hidden, reported=()):
    (tmp_path / "ledger").unlink(missing_ok=True)
    ledger = Ledger(tmp_path / "ledger")
    ledger.write(*lines)
    verdict = Account([tmp_path / "ledger"]).verdict(shown, hidden, reported)
    return {promise: found for promise, found in verdict.items() if found}


def test_what_may_be_is_no_fault(tmp_path):
    assert broken(tmp_path, LINES, SHOWN, HIDDEN) == {}
    assert broken(tmp_path, LINES, SHOWN[:-1], HIDDEN) == {}, "what got no answer need not be there"


@pytest.mark.parametrize("promise, lines, shown, hidden", [
    ("acknowledged and lost", LINES, SHOWN[1:], HIDDEN),
    ("acknowledged and lost", LINES, SHOWN, HIDDEN[1:]),
    ("there twice", LINES, SHOWN + [(1, "a")], HIDDEN),
    ("there twice", LINES, SHOWN, HIDDEN + [(4, "a")]),
    ("there twice", LINES, SHOWN + [(6, "b")], HIDDEN),
    ("halves of a QUIT", LINES[:-1], SHOWN + [(4, "a")], HIDDEN[1:]),
    ("never sent to its end", LINES, SHOWN + [(7, "a")], HIDDEN),
    ("from nowhere", LINES, SHOWN + [(1, "b")], HIDDEN),
    ("seen on the way", LINES + ["fault letter 9 has changed"], SHOWN, HIDDEN),
])
def test_a_broken_promise_is_named(tmp_path, promise, lines, shown, hidden):
    assert list(broken(tmp_path, lines, shown, hidden)) == [promise]


def test_half_a_letter_is_named_whether_it_was_acknowledged_or_not(tmp_path):
    assert "halves of a letter" in broken(tmp_path, LINES, [(1, "a"), (2, "a"), (6, "b")], HIDDEN)
    assert list(broken(tmp_path, [SENT, TOOK], [], [], REPORTED)) == ["halves of a letter"]
    assert list(broken(tmp_path, [SENT, TOOK], [(8, "a")], [])) == ["halves of a letter"]


def test_what_may_become_of_mail_for_the_outside_is_no_fault(tmp_path):
    assert broken(tmp_path, [SENT, YES, TOOK, "settled c1"], [(8, "a")], [], REPORTED) == {}
    assert broken(tmp_path, [SENT], [], []) == {}, "without a yes it need not leave"
    again = f"took 8 {TAKEN} c2 12.0 12.5"
    assert broken(tmp_path, [SENT, YES, TOOK, "struck 11.0 11.1", again, "settled c2"], [(8, "a")], [], REPORTED) == {}


@pytest.mark.parametrize("promise, lines, reported", [
    ("acknowledged and lost", [SENT, YES], REPORTED),
    ("acknowledged and lost", [SENT, YES, TOOK], []),
    ("left again behind its result", [SENT, YES, TOOK, "settled c1", "struck 11 11.1", f"took 8 {TAKEN} c2 12 12.5"], REPORTED),
    ("left twice for nothing", [SENT, YES, TOOK, f"took 8 {TAKEN} c2 12 12.5"], REPORTED),
    ("left twice for nothing", [SENT, YES, TOOK, f"took 8 {TAKEN} c2 12 12.5", "struck 9 9.9", "struck 13 13.1"], REPORTED),
    ("reported twice", [SENT, YES, TOOK], REPORTED * 2),
    ("otherwise than its name says", [SENT, YES, f"took 8 {TAKEN},{REFUSED} c1 10 10.5"], []),
    ("from nowhere", [SENT, YES, TOOK, "took 9 terima-9-0@luar.example c2 12 12.5"], REPORTED),
    ("never sent to its end", [SENT, YES, TOOK, "cut 7", "took 7 terima-7-0@luar.example c2 12 12.5"], REPORTED),
])
def test_a_broken_promise_of_the_outbox_is_named(tmp_path, promise, lines, reported):
    assert promise in broken(tmp_path, lines, [(8, "a")], [], reported)


def test_a_deletion_undone_and_one_that_nobody_asked_for_are_named(tmp_path):
    assert "deleted and back" in broken(tmp_path, LINES, SHOWN + HIDDEN, [])
    assert "deleted by nobody" in broken(tmp_path, LINES, SHOWN[1:], HIDDEN + [(1, "a")])


def test_letters_are_their_numbers_and_some_have_several_pieces():
    sizes = sorted(len(letter(number)) for number in range(400))
    assert number_of(letter(77)) == 77 and is_letter(letter(77)) and is_letter(letter(77, "ani@kantor.example"))
    assert not is_letter(letter(77) + b"x")
    assert sizes[0] < 500 and sizes[-1] > 256 * 1024
