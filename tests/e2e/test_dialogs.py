"""Every file in tests/dialogs is a test."""

from pathlib import Path

import pytest

import dialog

HOME = Path(__file__).resolve().parent.parent / "dialogs"
FILES = sorted(HOME.glob("*/*.dialog"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(HOME)) for path in FILES])
def test_dialog(path, office):
    try:
        _, steps = dialog.read(path)
        dialog.Player(office).play(steps)
        return
    except dialog.DialogError as why:
        fault = str(why)
    pytest.fail(fault, pytrace=False)


def test_there_are_dialogues_for_each_service():
    for service in ("pop3", "smtp", "lmtp", "submission", "trusted", "local"):
        assert any(path.parent.name == service for path in FILES)
