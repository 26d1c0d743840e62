"""The tests of this folder run in a network of their own, see enter.py: pytest, asked for this
folder alone, goes there by itself."""

import os
import sys
from pathlib import Path

import pytest

from world import World

HERE = Path(__file__).resolve().parent


def is_here(argument):
    path = Path(argument.split("::")[0])
    return path.exists() and HERE in (path.resolve(), *path.resolve().parents)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if "OUTSIDE" in os.environ or not all(map(is_here, config.args)):
        return
    config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
    enter = [sys.executable, "-B", str(HERE / "enter.py")]
    os.execv(enter[0], [*enter, sys.executable, "-B", "-m", "pytest", *map(str, config.invocation_params.args)])


@pytest.fixture
def outside():
    world = World()
    yield world
    world.close()
