"""Would a server that breaks a promise be caught? Faults are planted in a copy of
the sources, and that server goes through what test_kill.py puts ours through."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from test_kill import run_campaign

SOURCES = Path(__file__).resolve().parent.parent.parent
PARTS = ("Makefile", "base", "store", "pop3d", "smtpd", "tools")

# What the verdict must say, the file, and in it what stands there and what instead.
FAULTS = {
    "an answer before the commit": ("acknowledged and lost", "store/writer.c", {
        "\tstruct err e;\n\tif (store_in_transaction(writer.store) && commit_round(&e) < 0) {":
        "\tstruct err e;\n\tfor (size_t i = 0; i < writer.pending_count; i++)\n\t\tanswer(&writer.pending[i]);\n"
        "\twriter.pending_count = 0;\n\tif (store_in_transaction(writer.store) && commit_round(&e) < 0) {",
    }),
    "one message in a hundred filed twice": ("there twice", "store/deliver.c", {
        "\tif (folder_of(filing, to->user.id))\n":
        "\tif (filing->body->body_id % 100 != 0 && folder_of(filing, to->user.id))\n",
        "\t\tfailed = file_copy(filing, &to.at[i], e);\n":
        "\t\tfailed = file_copy(filing, &to.at[i], e) || file_copy(filing, &to.at[i], e);\n",
    }),
    "a QUIT in two halves": ("halves of a QUIT", "pop3d/messages.c", {
        "\tint done = request_delete(&session->visitor->writer, &session->login.ticket, ids, count, e);\n":
        "\tstruct channel *writer = &session->visitor->writer;\n\tsize_t half = count / 2;\n"
        "\tint done = request_delete(writer, &session->login.ticket, ids, half, e);\n\tif (done == 0)\n"
        "\t\tdone = request_delete(writer, &session->login.ticket, ids + half, count - half, e);\n",
    }),
    "one result in twenty not written down": ("left again behind its result", "store/settle.c", {
        "\t\tif (fates[i].outcome != JOB_LATER &&\n":
        "\t\tif (fates[i].outcome != JOB_LATER && (fates[i].outcome != JOB_DONE || fates[i].id % 20) &&\n",
    }),
    "some recipients acknowledged and not put in the outbox": ("acknowledged and lost", "store/outbox.c", {
        "\tfor (size_t i = 0; i < count; i++)\n\t\tif (add_recipient(":
        "\tfor (size_t i = count > 1 && outgoing_id % 10 == 0; i < count; i++)\n\t\tif (add_recipient(",
    }),
    "an attempt that a dead writer leaves behind for ever": ("still in the outbox", "store/outbox.c", {
        '" WHERE state = \'trying\'"': '" WHERE state = \'gone\'"',
    }),
    "one refusal in five that nobody hears of": ("acknowledged and lost", "store/settle.c", {
        "\treturn fate->outcome == JOB_FAILED &&\n": "\treturn fate->outcome == JOB_FAILED && fate->id % 5 &&\n",
    }),
}


def plant(fault, where):
    """Copies the sources there, with the fault in them."""
    _, name, places = FAULTS[fault]
    for part in PARTS:
        copy = shutil.copytree if (SOURCES / part).is_dir() else shutil.copy
        copy(SOURCES / part, where / part)
    text = (where / name).read_text()
    for place, instead in places.items():
        assert text.count(place) == 1, f"{name} has changed: plant the fault anew"
        text = text.replace(place, instead)
    (where / name).write_text(text)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(office, full, fault, tmp_path):
    """The short form only sees that it could be planted."""
    plant(fault, tmp_path)
    if not full:
        return
    subprocess.run(["make", "-s", "-j2", "BUILD=build", "all"], cwd=tmp_path, check=True, timeout=600,
                   env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")})
    office.shipped = shutil.copy(tmp_path / "officemail", office.workshop.root / "planted")
    office.allow(".")
    broken = run_campaign(office, 110, 4000, senders=2, readers=2, staff=1, boxes=8)
    print(f"{fault}: {({promise: len(found) for promise, found in broken.items()})}")
    assert FAULTS[fault][0] in broken
