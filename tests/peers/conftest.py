"""Other people's mail servers, and us. They are fetched first; then the tests run where the outside is,
see ../outside/enter.py."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from enter import go_inside_for  # noqa: E402
from milters import FILTERS  # noqa: E402
from unpacked import PACKAGES, unpack  # noqa: E402
from world import outside  # noqa: E402, F401


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if "OUTSIDE" not in os.environ:
        for package in PACKAGES + FILTERS:
            unpack(package)
    go_inside_for(config, HERE)
