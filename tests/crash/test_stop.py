"""SIGTERM: what is under way comes to its end, who waits is told, and nothing
that was acknowledged is missing afterwards. Under load: test_kill.py."""

from hostile import Pop3, Smtp, answered
from letters import letter, stored_form, without_trace


def test_who_waits_is_told_and_a_letter_under_way_comes_to_its_end(served):
    served.deliver(letter(1))
    idle, busy, chunks, reader = Smtp(served), Smtp(served), Smtp(served, "lmtp"), Pop3(served, "ani")
    reader.ok(b"DELE 1")
    busy.begin()
    answered(busy.ask(b"DATA"), "354")
    busy.send(b"Subject: half of it before, half of it behind\r\n")
    chunks.begin()
    chunks.send(b"BDAT 40 LAST\r\nSubject: forty octets!\r\n")

    served.process.terminate()
    answered(idle.read(), "421 4.3.2")
    idle.closed()
    assert reader.read().startswith(b"-ERR [SYS/TEMP]")
    reader.closed()
    for session, rest in ((busy, b"\r\nbehind\r\n.\r\n"), (chunks, b"\r\nall octets are")):
        session.send(rest)
        answered(session.read(), "250")
        answered(session.read(), "421 4.3.2")
        session.closed()
    assert served.ended() == 0

    served.start()
    there = [without_trace(message) for message in served.fetch()]
    assert there[0] == letter(1), "marked, and no QUIT came"
    assert sorted(there[1:]) == sorted(map(stored_form, (
        b"Subject: half of it before, half of it behind\r\n\r\nbehind\r\n",
        b"Subject: forty octets!\r\n\r\nall octets are")))
