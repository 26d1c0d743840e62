"""The load generator against officemail: it sends, polls, fetches and drains, and counts what came of it.
No time is judged."""

import json
import subprocess
from pathlib import Path

import pytest

from office import PORTS

LOAD = Path(__file__).resolve().parents[2] / "build/tests/bench/load"
HASH = "$y$j75$kantorexample.ba$h2QEdSqvSnRHyIGcv.PivGScquOHIaeO3R2ECsVHlr8"  # of "rahasia"


@pytest.fixture
def boxes(office):
    for name in ("u1", "u2"):
        office.run("user", "add", f"{name}@kantor.example", "--hash-stdin", stdin=HASH + "\n")
    office.start()
    return office


def load(office, work, service, *options):
    words = [LOAD, "-c", "2", "-b", "2", *options, work, f"{office.address}:{PORTS[service]}"]
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_what_was_sent_is_fetched_and_drained(boxes):
    sent = load(boxes, "send", "smtp", "-n", "30", "-m", "4", "-s", "2048")
    assert sent["messages"] == 30 and sent["octets"] == 30 * 2048
    assert load(boxes, "poll", "pop3", "-n", "3")["sessions"] == 6
    fetched = load(boxes, "fetch", "pop3", "-n", "1", "-s", "2048", "-x")
    assert fetched["messages"] == 30 and fetched["octets"] > 30 * 2048
    assert load(boxes, "drain", "pop3", "-d", "60", "-m", "10")["messages"] == 30
    assert boxes.mails("u1@kantor.example") == []


def test_it_speaks_TLS_and_to_many_at_a_time(boxes):
    sent = load(boxes, "send", "smtp", "-t", "starttls", "-n", "4", "-m", "1", "-r", "2")
    assert sent["messages"] == sent["sessions"] == 4
    assert load(boxes, "fetch", "pop3s", "-t", "tls", "-n", "1", "-x")["messages"] == 8
    assert load(boxes, "fetch", "pop3", "-t", "starttls", "-n", "1")["messages"] == 8


def test_other_octets_are_found_out(boxes):
    boxes.deliver(b"Subject: x\r\n\r\n" + b"y" * 4096 + b"\r\n", to="u1@kantor.example")
    with pytest.raises(AssertionError, match="other octets come out than went in"):
        load(boxes, "fetch", "pop3", "-n", "1", "-s", "4096", "-x")


def test_idle_customers_stay_until_they_are_let_go(boxes):
    words = [LOAD, "-c", "4", "-b", "2", "idle", f"{boxes.address}:{PORTS['pop3']}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as idle:
        assert idle.stdout.readline() == b"ready\n"
        assert len(boxes.named("pop3")) == 4
        idle.stdin.close()
