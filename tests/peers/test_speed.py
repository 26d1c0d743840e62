"""How fast a queue leaves through one smarthost on the loopback, here and with Postfix: figures for
tests/README.md, printed. The server that takes it is smtp-sink(1)."""

import os
import re
import smtplib
import subprocess
import time

import pytest

from leaving import USER, letter, queue, wait_empty
from office import PASSWORDS, PORTS, wait_until
from senders import PostfixSender
from unpacked import IS_ROOT, unpack
from wire import client_context

SINK = 2700


class Sink:
    """Takes mail, counts it, and keeps none of it."""

    def __init__(self, address):
        root = unpack("postfix")
        environment = {**os.environ, "LD_LIBRARY_PATH": str(root / "usr/lib/postfix")}
        user = ["-u", "nobody"] if IS_ROOT else []
        self.process = subprocess.Popen([root / "usr/sbin/smtp-sink", *user, "-c", f"{address}:{SINK}", "100"], env=environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def counted(self):
        """(connections, messages): when all is over."""
        self.process.terminate()
        said = self.process.communicate()[0].decode()
        last = re.findall(r"sess=(\d+) quit=\d+ mesg=(\d+)", said)[-1]
        return int(last[0]), int(last[1])


def fill(place, count, login=None, message=letter(body=b"0123456789 abcdefghijklmnopqrstuvwxyz.\r\n" * 100)):
    with smtplib.SMTP(*place, timeout=60) as smtp:
        if login:
            smtp.starttls(context=client_context())
            smtp.login(*login)
        for _ in range(count):
            smtp.sendmail(USER, ["pak@luar.example"], message)


def watch(leave, left, count):
    """Seconds from the command to the first letter, and from there to the last one."""
    began = time.monotonic()
    leave()
    wait_until(left, "the first letter")
    first = time.monotonic()
    wait_until(lambda: left() >= count, "all letters", patience=300)
    return first - began, time.monotonic() - first


def tell(who, count, times, counted):
    print(f"\n{who}: {count} letters of 4 kB in {times[1]:.2f} s ({count / times[1]:.0f}/s), the first after "
          f"{times[0]:.1f} s, on {counted[0]} connections")
    assert counted[1] == count


@pytest.fixture
def count(full):
    return 1000 if full else 100


def test_a_queue_leaves_the_office(office, count):
    office.set("relay", "smarthost", f"{office.address}:{SINK}")
    office.set("relay", "tls", "none")
    office.set("submission", "per_hour", 0)
    office.start()
    fill((office.address, PORTS["submission"]), count, ("ani", PASSWORDS["ani"]))
    wait_until(lambda: all(row["last_reply"] for row in queue(office)) and not office.named("delivery"), "all tried in vain")
    with Sink(office.address) as sink:
        times = watch(lambda: office.run("queue", "retry"), lambda: sum("relayed id=" in line for line in office.lines), count)
        wait_empty(office)
        wait_until(lambda: not office.named("delivery"), "the end of all deliveries")
        tell("officemail", count, times, sink.counted())


@pytest.mark.skipif(not IS_ROOT, reason="only root can start Postfix")
def test_a_queue_leaves_Postfix(office, count):
    with PostfixSender(office, f"smtp:[{office.address}]:{SINK}", "none") as peer:
        fill(peer.places[0], count)
        log = peer.home / "log"
        wait_until(lambda: log.read_text().count("status=deferred") >= count, "all tried in vain", patience=120)
        with Sink(office.address) as sink:
            flush = [unpack("postfix") / "usr/sbin/postqueue", "-c", peer.home, "-f"]
            times = watch(lambda: subprocess.run(flush, env=peer.environment, check=True),
                          lambda: log.read_text().count("status=sent"), count)
            tell("Postfix", count, times, sink.counted())
