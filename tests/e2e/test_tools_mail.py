"""`officemail mail`: list, show, remove, move."""

import re

from letters import letter, without_trace
from test_tools_users import ANI, BUDI, refused


def test_a_list_has_the_promised_keys_in_order_of_arrival(served):
    for number in range(3):
        served.deliver(letter(number))
    mails = served.mails()
    for mail in mails:
        assert list(mail) == ["id", "uidl", "folder", "size", "received", "from", "deleted"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", mail["received"])
        assert mail["folder"] == "Inbox" and mail["deleted"] is None and "pak@luar.example" in mail["from"]
    assert [mail["id"] for mail in mails] == sorted(mail["id"] for mail in mails)
    assert len({mail["uidl"] for mail in mails}) == 3
    assert served.json("mail", "list", ANI, "--folder", "Proyek") == []


def test_a_message_is_shown_octet_for_octet_also_without_the_server(served):
    message = letter(1, "\r\n.\r\n\xe9" + "x" * 700_000)
    served.deliver(message)
    mail = served.mails()[0]
    served.stop()
    result = served.command("mail", "show", ANI, str(mail["id"]))
    assert result.returncode == 0 and len(result.stdout) == mail["size"]
    assert without_trace(result.stdout) == message


def test_a_removed_message_is_gone_for_clients_and_listed_as_deleted(served):
    for number in range(3):
        served.deliver(letter(number))
    first, second, third = served.mails()
    session = served.login()
    served.run("mail", "remove", ANI, str(first["id"]), str(third["id"]))
    assert session.command("STAT").split()[1] == "3"  # what was there at login
    session.command("QUIT")
    session = served.login()
    assert session.command("STAT").split()[1] == "1"
    session.command("QUIT")
    assert [mail["id"] for mail in served.mails()] == [second["id"]]
    deleted = served.json("mail", "list", ANI, "--deleted")
    assert [mail["id"] for mail in deleted] == [first["id"], third["id"]]
    assert all(re.fullmatch(r"[-0-9T:]+Z", mail["deleted"]) for mail in deleted)
    served.run("mail", "remove", ANI, str(first["id"]))  # again: what was wanted is so


def test_a_moved_message_keeps_its_uidl_and_is_served_there(served):
    served.deliver(letter(1))
    before = served.mails()[0]
    served.run("mail", "move", ANI, str(before["id"]), "proyek")
    after = served.mails()[0]
    assert after == {**before, "folder": "Proyek"}
    assert served.json("mail", "list", ANI, "--folder", "proyek") == [after]
    session = served.connect("pop3")
    session.line()
    session.command("USER ani+proyek@kantor.example")
    assert session.command("PASS rahasia-ani").startswith("+OK")
    session.send(b"UIDL\r\n")
    session.line()
    assert after["uidl"].encode() in b"".join(session.block())
    session.command("QUIT")


def test_one_wrong_id_and_nothing_is_changed(served):
    served.deliver(letter(1))
    served.deliver(letter(2), BUDI)
    mine, other = served.mails()[0]["id"], served.mails(BUDI)[0]["id"]
    for words in (["mail", "remove", ANI, mine, other], ["mail", "move", ANI, mine, other, "Proyek"],
                  ["mail", "move", ANI, mine, "Nonsense"], ["mail", "show", ANI, other],
                  ["mail", "list", ANI, "--folder", "Nonsense"], ["mail", "list", "nobody@kantor.example"]):
        refused(served, *words)
    assert [mail["folder"] for mail in served.mails()] == ["Inbox"]
    assert len(served.mails(BUDI)) == 1


def test_an_id_that_is_none_is_a_wrong_command_line(office):
    for text in ("x", "-1", "1x", "", "99999999999999999999"):
        refused(office, "mail", "show", "--", ANI, text, status=2)
        refused(office, "mail", "remove", "--", ANI, text, status=2)
    refused(office, "mail", "move", ANI, "1", status=2)


def test_what_is_deleted_is_moved_nowhere_and_it_is_said_what_to_do(served):
    for number in range(2):
        served.deliver(letter(number))
    gone, here = (str(mail["id"]) for mail in served.mails())
    served.run("mail", "remove", ANI, gone)
    said = refused(served, "mail", "move", ANI, here, gone, "Proyek")
    assert f"message {gone} of {ANI} is deleted: `officemail mail restore {ANI} {gone}` brings it back" in said
    served.run("mail", "restore", ANI, gone)
    [back] = [mail["id"] for mail in served.mails() if str(mail["id"]) != here]
    said = refused(served, "mail", "move", ANI, gone, "Proyek")
    assert f"message {gone} of {ANI} was filed again as {back}: give that number" in said
    assert [mail["folder"] for mail in served.mails()] == ["Inbox", "Inbox"]


def test_many_messages_are_removed_in_one_go(served):
    wire = served.connect("lmtp")
    wire.line()
    wire.send(b"LHLO penguji.example\r\n")
    wire.reply()
    for number in range(450):
        wire.send(b"MAIL FROM:<>\r\nRCPT TO:<ani@kantor.example>\r\nDATA\r\n")
        assert [wire.reply()[0] for _ in range(3)] == [250, 250, 354]
        wire.send(letter(number) + b".\r\n")
        assert wire.reply()[0] == 250
    wire.send(b"QUIT\r\n")
    wire.reply()
    wire.close()
    served.run("mail", "remove", ANI, *[str(mail["id"]) for mail in served.mails()])
    assert served.mails() == []
