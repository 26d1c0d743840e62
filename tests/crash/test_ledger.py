"""The ledger's verdict finds each broken promise: planted ones, one at a time."""

import pytest

from ledger import Account, Ledger, letter, number_of

LINES = ["sent 1 a", "yes 1 a", "sent 2 a,b", "yes 2 a,b", "sent 3 a", "no 3 421", "sent 4 a", "yes 4 a", "sent 5 a",
         "yes 5 a", "sent 6 b", "cut 7", "quit s a 4,5", "done s"]
SHOWN = [(1, "a"), (2, "a"), (2, "b"), (6, "b")]
HIDDEN = [(4, "a"), (5, "a")]


def broken(tmp_path, lines, shown, hidden):
    ledger = Ledger(tmp_path / "ledger")
    ledger.write(*lines)
    return {promise: found for promise, found in Account([tmp_path / "ledger"]).verdict(shown, hidden).items() if found}


def test_what_may_be_is_no_fault(tmp_path):
    assert broken(tmp_path, LINES, SHOWN, HIDDEN) == {}
    assert broken(tmp_path, LINES, SHOWN[:-1], HIDDEN) == {}, "what got no answer need not be there"


@pytest.mark.parametrize("promise, lines, shown, hidden", [
    ("acknowledged and lost", LINES, SHOWN[1:], HIDDEN),
    ("acknowledged and lost", LINES, [(1, "a"), (2, "a"), (6, "b")], HIDDEN),
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


def test_a_deletion_undone_and_one_that_nobody_asked_for_are_named(tmp_path):
    assert "deleted and back" in broken(tmp_path, LINES, SHOWN + HIDDEN, [])
    assert "deleted by nobody" in broken(tmp_path, LINES, SHOWN[1:], HIDDEN + [(1, "a")])


def test_letters_are_their_numbers_and_some_have_several_pieces():
    sizes = sorted(len(letter(number)) for number in range(400))
    assert number_of(letter(77)) == 77 and letter(77) == letter(77)
    assert sizes[0] < 500 and sizes[-1] > 256 * 1024
