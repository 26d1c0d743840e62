"""What the tests of crashes share."""

import random

import pytest


@pytest.fixture
def chance():
    """Chance, of a seed that a failed test shows."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)
