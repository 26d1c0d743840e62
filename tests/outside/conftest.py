"""The tests of this folder run in a network of their own, see enter.py: pytest, asked for this
folder alone, goes there by itself."""

from pathlib import Path

import pytest

from enter import go_inside_for
from world import outside  # noqa: F401


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    go_inside_for(config, Path(__file__).resolve().parent)
