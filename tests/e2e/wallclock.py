"""A wall clock that is wrong (tests/shims/clock.c); the monotonic one goes on as it does."""

import struct
from pathlib import Path

SHIM = Path(__file__).resolve().parents[2] / "build" / "tests" / "shims" / "clock.so"


class Clock:
    def __init__(self, office):
        assert SHIM.exists(), f"{SHIM} is not there: make shims"
        self.path = office.dir / "clock"
        self.path.write_bytes(struct.pack("q", 0))
        self.path.chmod(0o644)
        office.environment.update(LD_PRELOAD=str(SHIM), CLOCK_OFFSET=str(self.path))

    def jump(self, seconds):
        """It tells the real time and so many seconds more."""
        with open(self.path, "r+b") as file:
            file.write(struct.pack("q", seconds))
