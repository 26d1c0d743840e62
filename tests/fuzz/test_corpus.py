"""What the fuzz targets have seen before, and their first inputs, once more: on
the ordinary build in make test, with sanitizers in make test-more."""

import os
import subprocess
from pathlib import Path

import corpus
import pytest
import seeds

TARGETS = sorted(path.stem for path in corpus.HERE.glob("*.c") if path.stem != "replay")
BUILT = Path(os.environ.get("OFFICEMAIL", "officemail")).resolve().parent


def program(target):
    """Beside the binary that is tested; the ordinary one stands outside of build/."""
    for folder in (BUILT / "tests/fuzz", BUILT / "build/tests/fuzz"):
        if (folder / target).exists():
            return folder / target
    raise AssertionError(f"{target} is not built: make targets")


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_known_breaks_a_target(target, tmp_path):
    inputs, place = tmp_path / "inputs", tmp_path / "place"
    inputs.mkdir()
    place.mkdir()
    assert corpus.unpack(target, inputs) > 0, "nothing is kept of this target"
    seeds.write(target, inputs)
    count = len(list(inputs.iterdir()))
    ran = subprocess.run([program(target), inputs], cwd=corpus.HERE.parents[1], capture_output=True, timeout=300,
                         env=dict(os.environ, TMPDIR=str(place)), check=False)
    said = ran.stdout.decode(errors="replace").splitlines()
    assert ran.returncode == 0, f"{said[-1:]} broke it:\n{ran.stderr.decode(errors='replace')[-4000:]}"
    assert said[-1] == f"{count} inputs"
