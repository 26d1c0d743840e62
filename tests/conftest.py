"""The fixtures of all tests that run the binary; see tests/README.md."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "e2e"))

from office import Workshop  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true",
                     help="as long as the figures of tests/README.md want it; minutes to hours")


@pytest.fixture(scope="session")
def full(request):
    """Whether this is make crash, faults or soak, and not the short form of it in make test."""
    return request.config.getoption("--full")


@pytest.fixture(scope="session")
def workshop():
    shop = Workshop()
    yield shop
    shop.remove()


def opened(workshop, request):
    place = workshop.office()
    yield place
    if hasattr(request.node, "failed_call"):
        print("--- the server's log\n" + place.log_text())
    place.close()


@pytest.fixture
def office(workshop, request):
    """A furnished office; the test starts it."""
    yield from opened(workshop, request)


@pytest.fixture
def neighbour(workshop, request):
    """A second one."""
    yield from opened(workshop, request)


@pytest.fixture
def served(office):
    """A furnished office that serves."""
    office.start()
    return office


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.failed_call = True
