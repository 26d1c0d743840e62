"""`check`, mistake by mistake (mistakes.py): each is made, and its sentence seen, with the mend."""

import pytest

# Their rows are TABLE.
import mistakes_of_box  # noqa: F401
import mistakes_of_settings  # noqa: F401
import mistakes_of_store  # noqa: F401
from mistakes import OF_THE_BOX, TABLE, has_in_order


def lines_of(office):
    result = office.command("check")
    return result.returncode, (result.stdout + result.stderr).decode().splitlines()


def test_there_are_thirty_at_least():
    assert len([row for row in TABLE.values() if not row.warns]) >= 30
    assert len(TABLE) > 80


@pytest.mark.parametrize("name", TABLE)
def test_check_explains(office, name):
    row = TABLE[name]
    if not row.needs:
        pytest.skip("not as this account")
    row.make(office)
    status, lines = lines_of(office)
    said = [line for line in lines if has_in_order(line, row.words)]
    assert said, f"{row.words} is not in:\n" + "\n".join(lines)
    assert all(line.startswith("warning: ") == row.warns for line in said), lines
    others = [line for line in lines if line not in said and not any(word in line for word in OF_THE_BOX)]
    if row.warns:
        assert status == 0 and others == [f"{office.ini}: nothing is wrong"], lines
    else:
        assert status == 1 and lines[-1].startswith(("officemail: ", str(office.ini))), lines
    if hasattr(office, "held"):
        office.held.close()
