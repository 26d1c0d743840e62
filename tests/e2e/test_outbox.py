"""Mail for the outside, from the submission to what becomes of it: the real server but for its
relay, in the place of which the test takes messages and tells results."""

import os
import signal
import smtplib

import pytest

from channels import TYPES, Delivery, Relay
from office import PASSWORDS, PORTS, wait_until
from wire import client_context

ANI, PAK, BU = "ani@kantor.example", "Pak@luar.example", "bu@lain.example"


@pytest.fixture
def outbox(office):
    """Its own relay sleeps; each domain is a destination."""
    office.set("relay", "smarthost", "")
    office.start()
    relays = office.named("relay")
    for pid in relays:
        os.kill(pid, signal.SIGSTOP)
    yield office
    for pid in relays:
        if office.is_alive(pid):
            os.kill(pid, signal.SIGCONT)


def send(office, *recipients, name="ani", text="isi", mail_options=(), rcpt_options=()):
    with smtplib.SMTP(office.address, PORTS["submission"]) as smtp:
        smtp.starttls(context=client_context())
        address = f"{name}@kantor.example"
        smtp.login(address, PASSWORDS[name])
        refused = smtp.sendmail(address, recipients, f"From: {address}\r\nSubject: penawaran\r\n\r\n{text}\r\n",
                                mail_options, rcpt_options)
    assert refused == {}


def queue(office):
    return office.json("queue", "list")


def test_what_leaves_is_queued_taken_and_gone(outbox):
    relay = Relay(outbox)
    assert relay.due() == []
    send(outbox, PAK, BU, "budi@kantor.example")
    assert len(outbox.fetch("budi")) == 1
    rows = queue(outbox)
    assert [(row["sender"], row["recipient"], row["attempts"], row["last_reply"]) for row in rows] == [
        (ANI, PAK, 0, None), (ANI, BU, 0, None)]
    assert sorted(relay.due()) == ["lain.example", "luar.example"]
    delivery = Delivery(outbox, "luar.example")
    assert delivery.next() == (ANI, [PAK])
    assert relay.due() == ["lain.example"]
    assert delivery.next(0, "250 2.0.0 Ok: queued as 42") is None
    outbox.wait_log(rf"relayed id={rows[0]['id']} to=Pak@luar.example host=mx.luar.example reply=")
    assert [row["recipient"] for row in queue(outbox)] == [BU]
    everything = Delivery(outbox)
    assert everything.next() == (ANI, [BU])
    assert everything.next(0, "250 Ok") is None
    assert queue(outbox) == []
    assert outbox.fetch("ani") == []
    outbox.run("check")


def test_a_refusal_comes_to_the_sender_in_words(outbox):
    send(outbox, PAK)
    delivery = Delivery(outbox)
    delivery.next()
    assert delivery.next(2, "550 5.1.1 No such user here", status="5.1.1") is None
    (bounce,) = outbox.fetch("ani")
    assert b"Return-Path: <>" in bounce and b"550 5.1.1 No such user here" in bounce
    assert b"Action: failed" in bounce and b"Subject: penawaran" in bounce
    assert queue(outbox) == []


def test_a_refusal_for_now_waits_with_the_servers_words(outbox):
    send(outbox, PAK)
    delivery = Delivery(outbox)
    delivery.next()
    assert delivery.next(1, "451 4.7.1 Greylisted, come back", status="4.7.1") is None
    (row,) = queue(outbox)
    assert row["attempts"] == 1 and row["last_reply"] == "451 4.7.1 Greylisted, come back" and row["next_try"]
    shown = outbox.json("queue", "show", row["id"])
    assert shown["submitted_by"] == ANI and shown["recipients"] == [PAK] and shown["last_hosts"] == ["mx.luar.example"]
    assert shown["next_tries"] == [row["next_try"] for row in outbox.json("queue", "list")] and shown["next_tries"][0].endswith("Z")
    assert "Greylisted" in outbox.run("queue", "show", row["id"])
    assert outbox.run("queue", "retry") == "1 recipient due now\n"
    assert Relay(outbox).due() == ["luar.example"]


def test_what_was_under_way_when_the_writer_died_is_due_at_once(outbox):
    send(outbox, PAK)
    send(outbox, BU)
    delivery = Delivery(outbox)
    first, second = delivery.next(), delivery.next(0, "250 Ok")
    assert sorted([first, second]) == [(ANI, [PAK]), (ANI, [BU])]
    (writer,) = outbox.named("writer")
    outbox.allow(r"role-ended|no-writer|writer")
    os.kill(writer, signal.SIGKILL)
    assert delivery.is_ended()
    wait_until(lambda: [pid for pid in outbox.named("writer") if pid != writer], "a new writer")
    after = Delivery(outbox)
    assert after.next() == second
    assert after.next(0, "250 Ok") is None
    assert queue(outbox) == []


def test_what_a_killed_delivery_held_waits(outbox):
    send(outbox, PAK)
    delivery = Delivery(outbox)
    delivery.next()
    delivery.close()
    wait_until(lambda: queue(outbox)[0]["last_reply"] == "the connection was lost", "it was given up")
    assert queue(outbox)[0]["attempts"] == 1
    assert Delivery(outbox).next() is None
    assert outbox.fetch("ani") == []


def test_the_relay_is_woken(outbox):
    relay = Relay(outbox)
    relay.due()
    send(outbox, PAK)
    assert relay.answer() == (TYPES["ANSWER_DUE_ANEW"], b"")
    assert relay.due() == ["luar.example"]


def test_past_per_hour_mail_is_held_until_somebody_lets_it_go(outbox):
    outbox.set("submission", "per_hour", "2")
    outbox.hang_up()
    send(outbox, PAK, BU, "tiga@luar.example")
    send(outbox, PAK)
    assert Delivery(outbox).next() == (ANI, [PAK, BU])
    assert [row["next_try"] for row in queue(outbox)][2:] == [None, None]
    assert outbox.run("queue", "list").count("held") == 2
    assert outbox.json("status")["queue_held"] == 2
    (notice,) = [message for message in outbox.fetch("ani") if b"queue retry" in message]
    assert b"ani@kantor.example" in notice
    assert outbox.run("queue", "retry", queue(outbox)[3]["id"]) == "1 recipient due now\n"
    assert Delivery(outbox).next() == (ANI, [PAK])


def test_what_is_removed_is_not_reported(outbox):
    send(outbox, PAK)
    send(outbox, BU)
    first, second = queue(outbox)
    assert outbox.run("queue", "remove", first["id"]) == "1 recipient removed\n"
    assert [row["recipient"] for row in queue(outbox)] == [BU]
    for command in ("show", "remove", "retry"):
        assert "queue list" in outbox.command("queue", command, first["id"]).stderr.decode()
    assert outbox.fetch("ani") == []
    outbox.run("check")


def test_all_that_an_hour_allows_leaves(outbox):
    for _ in range(100):
        send(outbox, *[f"n{n}@luar.example" for n in range(5)])
    delivery = Delivery(outbox)
    job, count = delivery.next(), 0
    while job:
        count += len(job[1])
        job = delivery.next(0, "250 Ok")
    assert count == 500 and queue(outbox) == []


@pytest.mark.parametrize("notify, subject", [("SUCCESS", "Delivered"), ("NEVER", None)])
def test_a_report_of_success_comes_where_it_was_asked_for(outbox, notify, subject):
    send(outbox, "budi@kantor.example", PAK, rcpt_options=[f"NOTIFY={notify}"])
    reports = [message for message in outbox.fetch("ani") if b"multipart/report" in message]
    assert len(reports) == (1 if subject else 0)
    delivery = Delivery(outbox)
    delivery.next()
    delivery.next(0, "250 Ok")
    assert len(outbox.fetch("ani")) == (2 if subject else 0)
