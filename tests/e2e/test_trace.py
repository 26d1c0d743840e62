"""`officemail trace`: the life of a message, each kind of event that can be in it, and what
sessions tell for it."""

import re
import smtplib
import socket
import sqlite3
from contextlib import closing

import pytest

from leaving import letter as leaving_letter
from leaving import submit, wait_empty
from letters import letter, split_trace
from office import PASSWORDS, PORTS, wait_until
from remote import Remote
from test_tools_users import ANI, BUDI, refused
from wire import client_context

PAK = "pak@luar.example"


def trace(office, what, *more):
    return office.json("trace", what, *more)


def told(office):
    """The store when all that sessions told has been written: it is when the server has ended."""
    office.stop()
    return office


def events(life, *kinds):
    return [event for event in life["events"] if not kinds or event["event"] in kinds]


def kinds(life):
    """But for what lies there now."""
    return [event["event"] for event in life["events"] if event["event"] != "unfetched"]


def details(office, kind="session"):
    with closing(sqlite3.connect(office.data / "store.db")) as store:
        rows = store.execute("SELECT detail FROM events WHERE kind = ? ORDER BY id", [kind])
        return [detail for detail, in rows]


def break_off(office, number=1, octets=0, name="ani", source=None, command="RETR {}"):
    """Goes amid an answer, after so many octets of the answer, and takes hardly more: else it might have all of it."""
    wire = office.login(name, source=source)
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    wire.send(command.format(number).encode() + b"\r\n")
    wire.sock.settimeout(30)
    taken = wire.sock.recv(3)
    while len(taken) < octets:
        taken += wire.sock.recv(4096)
    assert taken.startswith(b"+OK")
    wire.reset()


def sessions(office, count):
    """Waits for so many ends in the log: a client that went is heard of when the server notices."""
    wait_until(lambda: office.log_text().count("session service=pop3") >= count, f"{count} sessions at their end")


# ---- arrival


def test_it_says_from_whom_over_what_and_where_to(served):
    with smtplib.SMTP(served.address, PORTS["smtp"], local_hostname="mx.luar.example") as smtp:
        smtp.starttls(context=client_context())
        smtp.sendmail(PAK, ["ani+Proyek@kantor.example"], letter(1))
    (life,) = trace(served, "<1@luar.example>")
    assert re.fullmatch(r"[0-9A-Za-z]{12}", life["id"])
    assert (life["message_id"], life["sender"], life["from"]) == ("<1@luar.example>", PAK, f"Pak Tani <{PAK}>")
    assert (life["peer"], life["client"], life["protocol"]) == ("127.0.0.1", "mx.luar.example", "ESMTPS")
    assert re.fullmatch(r"TLS_ECDHE_[A-Z0-9_]+", life["tls"]) and life["size"] == len(letter(1))
    assert life["recipient"] == "ani+Proyek@kantor.example"
    arrived, filed, unfetched = life["events"]
    assert arrived == {"at": life["arrived"], "event": "arrived"}
    (mail,) = served.mails()
    assert filed == {"at": mail["received"], "event": "filed", "user": ANI, "message": mail["id"], "folder": "Proyek",
                     "why": "tag"}
    assert unfetched == {"at": None, "event": "unfetched", "user": ANI, "message": mail["id"], "folder": "Proyek"}
    said = served.run("trace", "1@luar.example")
    assert said.startswith(f"Message <1@luar.example>, id {life['id']}, ")
    assert f"arrived from 127.0.0.1, which called itself mx.luar.example, over ESMTPS with {life['tls']}" in said
    assert f"filed in Proyek of {ANI} as message {mail['id']}, which the address named" in said


def test_the_cipher_suite_stands_in_the_field(served):
    with smtplib.SMTP(served.address, PORTS["smtp"]) as smtp:
        smtp.sendmail(PAK, [ANI], letter(1))
        smtp.starttls(context=client_context())
        suite = smtp.sock.cipher()[0]
        smtp.sendmail(PAK, [ANI], letter(2))
    clear, hidden = (split_trace(message)[0].received for message in served.fetch())
    assert b" tls " not in clear and re.search(rb"\stls TLS_ECDHE_[A-Z0-9_]+;", hidden)
    assert suite.split("-")[-1] in re.search(rb"tls (\S+);", hidden)[1].decode()
    assert [life["tls"] is None for life in trace(served, ANI)] == [True, False]


@pytest.mark.parametrize("folder, why, rule", [
    ("Inbox", "inbox", None), ("Pribadi", "rule", "Subject: surat 1"), ("Junk", "rule", "Subject: surat 1")])
def test_the_rule_that_filed_it_is_named(served, folder, why, rule):
    if rule:
        served.run("rule", "add", ANI, "Subject", "surat 1", folder)
    served.deliver(letter(1))
    (filed,) = events(trace(served, ANI)[0], "filed")
    assert (filed["folder"], filed["why"], filed.get("rule")) == (folder, why, rule)
    if rule:
        assert f"by the rule {rule}" in served.run("trace", ANI)
        served.run("rule", "remove", ANI, 1)  # nobody can tell any more
        (filed,) = events(trace(served, ANI)[0], "filed")
        assert filed["why"] == ("filter" if folder == "Junk" else None) and "rule" not in filed


def test_what_the_office_writes_and_its_users_send_is_told_apart(served):
    submit(served, BUDI, message=leaving_letter(BUDI, subject="rapat"))
    sent = trace(served, "rapat@pc-ani.lan")[0]
    assert sent["protocol"] == "ESMTPSA" and sent["client"] is None and sent["peer"] == "127.0.0.1"
    assert "sent by a user who had logged in from 127.0.0.1" in served.run("trace", sent["id"])


def test_what_lies_where_nobody_looks_is_told_with_who_sees_it(served):
    served.run("rule", "add", ANI, "Subject", "surat 1", "Junk")
    for number in (1, 2):
        served.deliver(letter(number))
    junk, inbox = (f"message {mail['id']} lies in {mail['folder']} of {ANI}, and no session that has ended fetched it"
                   for mail in sorted(served.mails(), key=lambda mail: mail["id"]))
    said = served.run("trace", ANI)
    assert f"{junk}; who logs in as {ANI} does not see it, but as ani+Junk@kantor.example\n" in said
    assert f"{inbox}\n" in said
    served.fetch()
    told(served)
    assert "fetched it" not in served.run("trace", "2@luar.example")
    assert [len(events(life, "unfetched")) for life in trace(served, ANI)] == [1, 0]


def test_what_was_brought_in_is_told_apart(served):
    path = served.dir / "surat.eml"
    path.write_bytes(letter(1).replace(b"\r\n", b"\n"))
    served.run("mail", "import", ANI, path)
    (life,) = trace(served, "<1@luar.example>")
    assert kinds(life) == ["arrived", "filed"] and life["peer"] == "import"
    said = served.run("trace", ANI)
    assert "brought in by `mail import`" in said and "Sender <>" not in said and f"filed in Inbox of {ANI}" in said


# ---- fetching and deleting


def test_a_message_s_life_from_arrival_to_its_second_deletion(served):
    for number in (1, 2):
        served.deliver(letter(number))
    first, second = (mail["id"] for mail in served.mails())
    wire = served.login(source="127.0.0.5")
    wire.command("RETR 1"), wire.block()
    wire.command("QUIT")
    served.fetch(delete=True)
    served.run("mail", "restore", ANI, first)
    back = served.mails()[0]["id"]
    served.run("mail", "move", ANI, back, "Pribadi")
    served.run("mail", "again", ANI, back)
    once_more = served.mails()[0]["id"]
    served.run("mail", "remove", ANI, once_more)
    life, other = trace(told(served), ANI)
    assert kinds(life) == ["arrived", "filed", "fetched", "fetched", "deleted", "restored", "moved", "offered_again",
                           "deleted"]
    size = served.json("mail", "list", ANI, "--deleted")[0]["size"]
    fetched = {"event": "fetched", "user": ANI, "message": first, "device": None, "octets": size, "size": size,
               "complete": True, "times": 1}
    for event, source in zip(events(life, "fetched"), ("127.0.0.5", "127.0.0.1")):
        assert {**event, "at": 0, "until": 0} == {**fetched, "at": 0, "from": source, "until": 0}
    by_session, by_hand = events(life, "deleted")
    assert {**by_session, "at": 0} == {"at": 0, "event": "deleted", "user": ANI, "message": first, "device": None,
                                       "from": "127.0.0.1", "by": "session", "for_all": True, "restorable_until": None}
    assert by_hand["by"] == "administrator" and by_hand["message"] == once_more
    (restored,), (again,) = events(life, "restored"), events(life, "offered_again")
    assert (restored["was"], restored["message"]) == (first, back)
    assert (again["was"], again["message"]) == (back, once_more)
    (moved,) = events(life, "moved")
    assert (moved["message"], moved["folder"], moved["to"]) == (back, "Inbox", "Pribadi")
    assert kinds(other) == ["arrived", "filed", "fetched", "deleted"]
    said = served.run("trace", "2@luar.example")
    assert f"`officemail mail restore {ANI} {second}` brings it back until " in said


def test_what_came_over_the_wire_half_was_not_fetched(served):
    served.deliver(letter(1, "x" * 900 + "\r\n" + "y\r\n" * 3_000_000))
    served.deliver(letter(2))
    big = served.mails()[0]
    break_off(served, 1, 100_000)
    sessions(served, 1)
    wire = served.login()
    wire.command("RETR 2"), wire.block()
    wire.finish_sending()  # it has all of it, and says no QUIT
    assert wire.at_end()
    life, small = trace(told(served), ANI)
    (cut,) = events(life, "broken_off", "fetched")
    assert 100_000 - 1000 <= cut["octets"] < cut["size"] == big["size"] and cut["complete"] is False
    (sent,) = events(small, "broken_off", "fetched")
    assert sent["event"] == "broken_off" and sent["octets"] == sent["size"] and sent["complete"] is False
    said = served.run("trace", ANI)
    assert re.search(rf"broken off on its way to {ANI} from 127.0.0.1 with the account's own password: the connection ended after "
                     rf"{cut['octets']} of {big['size']} octets", said)
    assert "whether they arrived nobody said" in said
    assert "quit=no cut=" in served.wait_log("session service=pop3 .*retrieved=0")


def test_a_client_that_goes_on_has_what_it_was_sent(served):
    for number in range(5):
        served.deliver(letter(number))
    first, *_ = ids = [mail["id"] for mail in served.mails()]
    wire = served.login()
    for number in (1, 2, 4):
        wire.command(f"RETR {number}"), wire.block()
    wire.command("NOOP")
    wire.reset()
    told(served)
    (detail,) = details(served)
    assert re.fullmatch(rf"from=127\.0\.0\.1 ended=\d+ retrieved=3 octets=\d+ deleted=0 quit=no"
                        rf" fetched={first}-{first + 1},{first + 3}", detail)
    assert [len(events(life, "fetched")) for life in trace(served, ANI)] == [1, 1, 0, 1, 0]
    assert ids


def test_a_poll_that_fetches_nothing_tells_nothing(served):
    served.deliver(letter(1))
    for ending in ("QUIT", None):
        wire = served.login()
        for command in ("STAT", "UIDL 1", "LIST 1", "NOOP"):
            wire.command(command)
        wire.command("TOP 1 0"), wire.block()
        wire.command("DELE 1"), wire.command("RSET")
        if ending:
            wire.command(ending)
        wire.close()
    told(served)
    assert details(served) == []
    assert kinds(trace(served, ANI)[0]) == ["arrived", "filed"]


def test_lists_that_are_too_long_stand_in_several_events(served):
    """Every other message is budi's: each number of ani's stands alone."""
    count = 1200
    for number in range(count):
        served.deliver(letter(number), [ANI, BUDI])
    ids = [mail["id"] for mail in served.mails()]
    served.fetch(delete=True)
    told(served)
    found = details(served)
    assert len(found) > 2 and all(len(detail) <= 3500 for detail in found)
    for key in ("fetched", "removed"):
        listed = [int(number) for detail in found for part in re.findall(rf" {key}=(\S+)", detail)
                  for number in part.split(",")]
        assert listed == ids, key
    assert [detail for detail in found if "retrieved=" in detail] == found[:1]
    lives = trace(served, ANI, "--last", "1000")
    assert len(lives) == 1000 and all(kinds(life) == ["arrived", "filed", "fetched", "deleted"] for life in lives)


def test_what_was_removed_begins_a_new_event_where_one_is_full(served):
    for number in range(900):
        served.deliver(letter(number), [ANI, BUDI])
    wire = served.login()
    wire.send("\r\n".join(f"RETR {n}" for n in range(1, 901)).encode() + b"\r\n")
    for _ in range(900):
        wire.block()
    wire.command("QUIT")
    told(served)
    most = details(served)[0].split(" fetched=")[1].count(",") + 1  # so many have room
    for count in range(most - 3, most + 2):
        served.start()
        wire = served.login()
        wire.send("\r\n".join(f"RETR {n}" for n in range(1, count + 1)).encode() + b"\r\n")
        for _ in range(count):
            wire.block()
        for number in (890, 880, 870):
            wire.command(f"DELE {number}")
        wire.command("QUIT")
        told(served)
    assert [len(detail) for detail in details(served) if len(detail) > 3500] == []


def test_what_a_session_did_is_told_while_the_server_runs(served):
    served.deliver(letter(1))
    served.fetch()
    wait_until(lambda: events(trace(served, ANI)[0], "fetched"), "the fetch in the message's life")
    wait_until(lambda: served.json("user", "show", ANI)["last_login"], "the login")


def test_a_whole_message_by_top_is_fetched_and_a_preview_is_not(served):
    letters = [letter(1, "satu\r\ndua\r\n"), letter(2, "x" * 70 + "\r\n" + "y\r\n" * 200_000)]
    lines = [message.partition(b"\r\n\r\n")[2].count(b"\r\n") for message in letters]
    for message in letters:
        served.deliver(message)
    asked = {"127.0.0.1": [0, 0], "127.0.0.2": [count - 1 for count in lines], "127.0.0.5": lines}
    for source, counts in asked.items():
        wire = served.login(source=source)
        for number, count in enumerate(counts, 1):
            wire.command(f"TOP {number} {count}"), wire.block()
        wire.command("QUIT")
    for life in trace(told(served), ANI):
        (fetched,) = events(life, "fetched", "broken_off")
        assert (fetched["complete"], fetched["octets"], fetched["from"], fetched["times"]) == (
            True, fetched["size"], "127.0.0.5", 1)


def test_the_same_fetch_again_and_again_is_one_event_that_counts(served):
    served.deliver(letter(1))
    for _ in range(4):
        served.fetch()
    (life,) = trace(told(served), ANI)
    (fetched,) = events(life, "fetched")
    assert fetched["times"] == 4 and "4 times until " in served.run("trace", ANI)


def test_each_sees_the_own_copy_and_the_message_all_of_them(served):
    served.deliver(letter(1), [ANI, BUDI])
    served.fetch("ani", delete=True)
    served.fetch("budi")
    told(served)
    for address, wanted in ((ANI, ["fetched", "deleted"]), (BUDI, ["fetched"])):
        (life,) = trace(served, address)
        assert kinds(life) == ["arrived", "filed", *wanted]
        assert {event["user"] for event in life["events"] if "user" in event} == {address}
    (life,) = trace(served, PAK)
    assert sorted(kinds(life)) == sorted(["arrived", "filed", "filed", "fetched", "deleted", "fetched"])


def test_a_user_who_was_removed_and_a_folder_are_told(served):
    served.deliver(letter(1), BUDI)
    served.run("folder", "add", BUDI, "Arsip")
    (mail,) = served.mails(BUDI)
    served.run("mail", "move", BUDI, mail["id"], "arsip")
    served.run("folder", "remove", BUDI, "Arsip")
    served.run("user", "remove", BUDI, "--yes")
    (life,) = trace(served, BUDI)
    assert kinds(life) == ["arrived", "filed", "moved", "moved", "deleted"]
    assert [(moved["folder"], moved["to"]) for moved in events(life, "moved")] == [("Inbox", "Arsip"), ("Arsip", "Inbox")]
    assert events(life, "deleted")[0]["by"] == "removal of the user"


def test_what_went_before_its_time_is_told(served):
    """The purge that a full disk forces: the store says of which messages."""
    for number in (1, 2):
        served.deliver(letter(number))
    served.fetch(delete=True)
    ids = [mail["id"] for mail in served.json("mail", "list", ANI, "--deleted")]
    told(served)
    with closing(sqlite3.connect(served.data / "store.db")) as store:
        store.execute("INSERT INTO events (at, kind, user_id, entry_id, detail) SELECT max(at), 'purged', user_id, 0, ?"
                      " FROM events WHERE kind = 'session'", [f"entries={ids[0]}-{ids[1]}"])
        store.execute("DELETE FROM entries"), store.execute("DELETE FROM bodies")
        store.commit()
    lives = trace(served, ANI)
    assert [(life["id"], kinds(life)) for life in lives] == [(None, ["fetched", "deleted", "purged"])] * 2
    assert [events(life, "purged")[0]["message"] for life in lives] == ids
    assert "went for good before its time, since the disk was full" in served.run("trace", ANI)
    assert "the disk was full at" in refused(served, "trace", "1@luar.example")


# ---- leaving


@pytest.fixture
def sending(office):
    with Remote() as remote:
        office.set("relay", "smarthost", remote.place)
        office.set("relay", "tls", "none")
        office.remote = remote
        office.start()
        yield office


def test_what_left_is_told_with_the_other_server_s_words(sending):
    sending.remote.answers["RCPT"] = ["451 4.7.1 sebentar lagi"]
    submit(sending, PAK)
    wait_until(lambda: sending.json("queue", "list")[0]["last_reply"], "the first attempt")
    (life,) = trace(sending, PAK)
    assert kinds(life) == ["arrived", "deferred", "waiting"]
    (waiting,) = events(life, "waiting")
    assert waiting["recipient"] == PAK and waiting["attempts"] == 1 and waiting["at"] is None
    assert waiting["next_try"] == sending.json("queue", "list")[0]["next_try"]
    assert "451 4.7.1 sebentar lagi" in waiting["reply"] and waiting["host"]
    assert re.search(rf"now +waiting to leave for {PAK}, tried 1 time, next at ", sending.run("trace", ANI))
    sending.run("queue", "retry")
    wait_empty(sending)
    for what in (PAK, ANI, life["id"], "<penawaran@pc-ani.lan>", "penawaran@pc-ani.lan"):
        (gone,) = trace(sending, what)  # its octets are no more
        assert kinds(gone) == ["arrived", "deferred", "relayed"], what
        assert (gone["id"], gone["arrived"], gone["sender"], gone["message_id"], gone["peer"]) == (
            life["id"], life["arrived"], ANI, "<penawaran@pc-ani.lan>", "127.0.0.1")
    relayed = events(gone, "relayed")[0]
    assert (relayed["recipient"], relayed["reply"]) == (PAK, "250 2.0.0 taken")
    assert f'delivered to {PAK}: {sending.remote.address} said "250 2.0.0 taken"' in sending.run("trace", PAK)


def test_a_refusal_for_good_and_its_report(sending):
    sending.remote.answers["RCPT"] = "550 5.1.1 tidak ada"
    submit(sending, PAK)
    wait_empty(sending)
    (life,) = trace(sending, PAK)
    assert kinds(life) == ["arrived", "undeliverable"]
    assert "550 5.1.1 tidak ada" in events(life, "undeliverable")[0]["reply"]
    assert f"could not be delivered to {PAK}: " in sending.run("trace", PAK)
    sent, report = trace(sending, ANI)
    assert sent == life and report["sender"] == "" and report["peer"] == ""
    assert kinds(report) == ["arrived", "filed"] and "written by this server" in sending.run("trace", ANI)


def test_what_is_held_or_taken_out_is_told(office):
    office.set("submission", "per_hour", "1")
    office.start()
    submit(office, PAK, "bu@luar.example")
    life, _ = trace(office, ANI)  # and the notice for the postmaster
    assert [event["recipient"] for event in events(life, "held")] == ["bu@luar.example"]
    assert "`officemail queue retry` lets it go" in office.run("trace", ANI)
    office.run("queue", "remove", life["id"])
    (gone,) = trace(office, "bu@luar.example")
    assert gone["id"] == life["id"]
    assert [event["recipient"] for event in events(gone, "dropped")] == [PAK, "bu@luar.example"]
    assert "taken out of the queue by an administrator" in office.run("trace", life["id"])


# ---- finding


def test_an_alias_is_found_by_what_came_for_it(served):
    served.deliver(letter(1), "info@kantor.example")
    served.deliver(letter(2), BUDI)
    assert [life["message_id"] for life in trace(served, "Info@Kantor.example")] == ["<1@luar.example>"]
    assert [life["message_id"] for life in trace(served, BUDI.upper())] == ["<1@luar.example>", "<2@luar.example>"]


def test_an_address_is_no_part_of_another(served):
    served.deliver(letter(1), sender="a@lain.example")
    for what in ("k@luar.example", "pak@luar.exam", "ak@luar.example", "lain.example", "pak@luar.example.com"):
        assert trace(served, what) == [], what
    assert len(trace(served, "PAK@luar.example")) == 1  # of the From field
    assert len(trace(served, "A@lain.example")) == 1


def test_the_newest_stay_and_it_is_said_that_there_are_more(served):
    for number in range(25):
        served.deliver(letter(number))
    result = served.command("trace", ANI, "--json")
    assert result.returncode == 0 and "--last N" in result.stderr.decode()
    assert [life["message_id"] for life in trace(served, ANI)] == [f"<{number}@luar.example>" for number in range(5, 25)]
    assert len(trace(served, ANI, "--last", "3")) == 3
    all_of_them = served.command("trace", ANI, "--last=25")
    assert all_of_them.returncode == 0 and all_of_them.stderr == b""
    assert all_of_them.stdout.decode().count("Message <") == 25
    for wrong in ("0", "x", "1001", "-1", ""):
        refused(served, "trace", ANI, f"--last={wrong}", status=2)


def test_nothing_is_said_to_be_nothing(served):
    assert trace(served, "siapa@luar.example") == []
    said = refused(served, "trace", "siapa@luar.example")
    assert "nothing is known of siapa@luar.example" in said and "`journalctl -u officemail -g refused`" in said


def test_a_message_is_found_by_its_number(served):
    served.deliver(letter(1), [ANI, BUDI])
    served.deliver(letter(2), BUDI)
    for mail in served.mails(BUDI):
        (life,) = trace(served, str(mail["id"]))
        (filed,) = events(life, "filed")
        assert (filed["user"], filed["message"]) == (BUDI, mail["id"])
    for wrong in ("999", "ani", "kantor.example", "999999999999999999999"):
        assert f"no message has the number or the id {wrong}: an address is written with its @domain" in refused(
            served, "trace", wrong)


def test_of_an_address_it_is_said_what_becomes_of_mail_for_it(served):
    def note(address):
        result = served.command("trace", address)
        said = result.stderr.decode()
        assert said.count("\n") == 1 and (result.returncode == 1) == ("nothing is known" in said)
        return said
    assert "nobody here has the address any@kantor.example: mail for it is refused (550); " in note("any@kantor.example")
    assert f"these: {ANI}, {BUDI}, citra@kantor.example; nothing is known" in note("semua@kantor.example")
    assert note(ANI).startswith(f"officemail: nothing is known of {ANI}: ")
    served.deliver(letter(1))
    assert served.command("trace", ANI).stderr == b""
    served.run("user", "quota", ANI, "1")
    assert f"{ANI} is full: mail for it is refused until there is room (452), see `officemail user quota`\n" in note(ANI)
    served.run("user", "quota", ANI, "0")
    served.run("user", "disable", ANI)
    assert f"the account {ANI} is disabled: its mail is kept, and nobody can fetch it" in note(ANI)
    assert len(trace(served, ANI)) == 1


def test_what_was_refused_stands_in_the_log(office):
    office.set("smtpd", "max_message", "10K")
    office.start()
    with smtplib.SMTP(office.address, PORTS["smtp"]) as smtp:
        for to, octets in (("any@kantor.example", letter(1)), (ANI, letter(2, "x\0y\r\n")), (ANI, letter(3, "y\r\n" * 9000))):
            with pytest.raises(smtplib.SMTPException):
                smtp.sendmail(PAK, [to, "info@kantor.example"][:1 + (to == ANI)], octets)
        smtp.rset()
    office.stop()
    lines = [line for line in office.lines if "-refused" in line]
    begin = f"service=smtp sender={PAK}"
    assert lines == [
        f'<6>recipient-refused {begin} to=any@kantor.example reply=550 status=5.1.1 from=127.0.0.1'
        ' reason="Nobody here has this address"',
        f'<5>message-refused {begin} to={ANI},info@kantor.example reply=550 status=5.6.0 from=127.0.0.1'
        ' reason="A message must not hold a NUL"',
        f'<6>sender-refused {begin} reply=552 status=5.3.4 from=127.0.0.1'
        ' reason="The message is too big for this server"']


def test_what_strangers_wrote_reaches_neither_terminal_nor_parser(served):
    served.deliver(b"From: \x1b[2J\"x\" <pak@luar.example>\r\nMessage-ID: <\x1b]0;x\x07\"@luar.example>\r\n\r\nisi\r\n")
    said = served.run("trace", ANI)
    assert "\x1b" not in said and "\\x1b" in said
    assert trace(served, ANI)[0]["message_id"] == '<\x1b]0;x\x07"@luar.example>'


# ---- stuck


def stuck_lines(office):
    return [line for line in office.lines if "stuck-client" in line]


@pytest.mark.parametrize("command", ["RETR {}", "TOP {} 99999999"])
def test_a_client_that_breaks_off_three_times_is_told_of_once(office, command):
    office.set("limits", "connections_per_ip", "0")
    office.start()
    office.deliver(letter(1))
    office.deliver(letter(2, "y\r\n" * 3_000_000))
    big = office.mails()[1]
    for times in (1, 2):
        break_off(office, 2, command=command)
    sessions(office, 2)
    office.restart()
    assert stuck_lines(office) == []
    break_off(office, 2, command=command)
    sessions(office, 3)
    office.restart()  # it looks when it begins, and when it ends
    line = office.wait_log("stuck-client ")
    assert re.fullmatch(rf'<4>stuck-client user={ANI} message={big["id"]} size={big["size"]} sessions=3 reason="[^"]+"', line)
    break_off(office, 2, command=command)
    sessions(office, 4)
    office.restart()
    office.stop()
    assert len(stuck_lines(office)) == 1
    life = trace(office, "2@luar.example")[0]
    assert events(life, "broken_off")[0]["times"] >= 3
    (stuck,) = events(life, "stuck")
    assert stuck["message"] == big["id"] and stuck["device"] is None and stuck["sessions"] == 3
    assert f"the mail program of {ANI} is stuck at it, after 3 sessions" in office.run("trace", "2@luar.example")
    warned = [said for said in office.json("status")["warnings"] if "is stuck at message" in said]
    assert len(warned) == 1 and f"the mail program of {ANI} is stuck at message {big['id']} (" in warned[0]
    office.run("mail", "remove", ANI, big["id"])
    assert not [said for said in office.json("status")["warnings"] if "is stuck" in said]


@pytest.mark.parametrize("quits", [False, True])
def test_a_client_that_never_quits_is_told_of_at_the_fifth_time(office, quits):
    office.start()
    for number in (1, 2):
        office.deliver(letter(number))
    for _ in range(5):
        wire = office.login()
        for number in (1, 2):
            wire.command(f"RETR {number}"), wire.block()
            wire.command(f"DELE {number}")
        if quits:
            wire.command("RSET"), wire.command("QUIT")
        wire.close()
    sessions(office, 5)
    office.restart()
    office.stop()
    lines = stuck_lines(office)
    assert len(lines) == (0 if quits else 1)
    if not quits:
        assert f"message={office.mails()[0]['id']} " in lines[0] and "never says QUIT" in lines[0]


def test_a_client_that_got_through_is_stuck_no_more(office):
    office.start()
    office.deliver(letter(1, "y\r\n" * 2_000_000))
    for _ in range(3):
        break_off(office)
    sessions(office, 3)
    office.fetch()
    office.restart()
    office.stop()
    assert stuck_lines(office) == []
