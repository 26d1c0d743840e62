"""`officemail user`, while the server runs and while it does not."""

import re

import pytest

from letters import letter
from office import wait_until

ANI, BUDI, SITI = (f"{name}@kantor.example" for name in ("ani", "budi", "siti"))


def refused(office, *arguments, status=1, stdin=""):
    """The command fails with that status and one line on stderr (a usage behind it at 2)."""
    result = office.command(*arguments, stdin=stdin)
    words = result.stderr.decode()
    assert result.returncode == status, words
    assert result.stdout == b""
    assert words.startswith("officemail: ") and len(words.splitlines()) == status
    return words


def user(office, address):
    return office.json("user", "show", address)


def test_a_list_has_the_promised_keys_in_order_of_address(office):
    people = office.json("user", "list")
    assert [one["address"] for one in people] == sorted(one["address"] for one in people)
    for one in people:
        assert list(one) == ["address", "enabled", "quota", "used", "messages", "last_login"]
    assert user(office, ANI) == next(one for one in people if one["address"] == ANI) | {"allow_from": [], "devices": []}


def test_sizes_are_octets_in_json_and_the_last_login_is_told(served):
    assert user(served, ANI)["last_login"] is None
    served.login().command("QUIT")
    last_login = wait_until(lambda: user(served, ANI)["last_login"], "the login")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", last_login)
    served.deliver(letter(1))
    mails = served.mails()
    assert user(served, ANI)["messages"] == len(mails)
    assert user(served, ANI)["used"] == sum(mail["size"] for mail in mails)


def test_a_generated_password_is_printed_alone_and_opens_the_mailbox(served):
    password = served.run("user", "add", SITI, "--generate")
    assert re.fullmatch(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}\n", password)
    assert served.can_log_in(SITI, password.strip())


def test_a_new_password_ends_the_old_one(served):
    served.run("user", "add", SITI, "--password-stdin", stdin="rahasia satu\n")
    assert served.can_log_in(SITI, "rahasia satu")
    served.run("user", "passwd", SITI, "--password-stdin", stdin="rahasia dua\r\n")
    assert served.can_log_in(SITI, "rahasia dua")
    assert not served.can_log_in(SITI, "rahasia satu")


def test_a_hash_of_the_old_server_keeps_its_password(served):
    served.run("user", "add", SITI, "--hash-stdin",
               stdin="$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n")
    assert served.can_log_in(SITI, "Hello world!")
    assert served.can_log_in(SITI, "Hello world!")  # with the better hash made of it


@pytest.mark.parametrize("line", [  # as Dovecot's files have them
    "{CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    "{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    "{sha512-crypt}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    "{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuu7nFISH/8YdwlXD3lw69A4iBUf6fvWAW",
    "{MD5-CRYPT}$1$salt$wa8aFuC3rkp5bjoBIGTc41"])
def test_a_scheme_may_stand_in_front_of_a_hash(served, line):
    served.run("user", "add", SITI, "--hash-stdin", stdin=line + "\n")
    assert served.can_log_in(SITI, "Hello world!")


@pytest.mark.parametrize("line", ["", "\n", "secret\n", "$6$saltstring\n", "$6$salt$\n", "x" * 600, "{CRYPT}\n", "{PLAIN}secret\n",
                                  "{SSHA}SoB/78R3CyNMZbPyG8LmDpqOs7i5RAMv\n", "{CRYPT}{CRYPT}$1$salt$wa8aFuC3rkp5bjoBIGTc41\n"])
def test_what_is_no_hash_is_not_taken_for_one(office, line):
    refused(office, "user", "add", SITI, "--hash-stdin", stdin=line)
    assert office.command("user", "show", SITI).returncode == 1


@pytest.mark.parametrize("line", ["", "\n", "a\0b\n", "a\tb\n", "x" * 512 + "\n"])
def test_what_is_no_password_is_refused(office, line):
    refused(office, "user", "add", SITI, "--password-stdin", stdin=line)
    assert office.command("user", "show", SITI).returncode == 1


def test_a_disabled_user_cannot_log_in_and_loses_no_mail(served):
    served.run("user", "disable", BUDI)
    assert user(served, BUDI)["enabled"] is False
    assert not served.can_log_in(BUDI, "rahasia-budi")
    served.deliver(letter(1), BUDI)
    served.run("user", "enable", BUDI)
    assert served.can_log_in(BUDI, "rahasia-budi")
    assert len(served.mails(BUDI)) == 1


def test_a_quota_is_a_size(office):
    for text, octets in [("64M", 64 << 20), ("1K", 1024), ("2G", 2 << 30), ("700", 700), ("0", 0)]:
        office.run("user", "quota", BUDI, text)
        assert user(office, BUDI)["quota"] == octets
    office.set("store", "quota", "5M")
    assert user(office, ANI)["quota"] == 5 << 20
    office.run("user", "quota", BUDI, "default")
    assert user(office, BUDI)["quota"] == 5 << 20
    office.run("user", "add", SITI, "--generate", "--quota", "3M")
    assert user(office, SITI)["quota"] == 3 << 20


@pytest.mark.parametrize("text", ["", "x", "-1", "1T", "64 M", "1.5G", "18446744073709551616", "9223372036854775808"])
def test_a_quota_that_is_none_is_a_wrong_command_line(office, text):
    refused(office, "user", "quota", "--", BUDI, text, status=2)


def test_a_renamed_user_gets_mail_at_both_addresses_and_keeps_the_old(served):
    served.deliver(letter(1), BUDI)
    served.run("user", "rename", BUDI, "Budiman@kantor.example")
    served.deliver(letter(2), [BUDI])
    served.deliver(letter(3), ["budiman@kantor.example"])
    assert len(served.mails("budiman@kantor.example")) == 3
    assert served.can_log_in("budiman", "rahasia-budi")
    assert {"alias": BUDI, "targets": ["budiman@kantor.example"]} in served.json("alias", "list")
    refused(served, "user", "show", BUDI)


def test_what_a_user_may_send_as_is_shown_and_can_be_taken_back(office):
    office.run("user", "allow-from", ANI, "ani.wijaya@luar.example", BUDI.upper(), "noreply@kantor.example")
    assert user(office, ANI)["allow_from"] == ["ani.wijaya@luar.example", BUDI, "noreply@kantor.example"]
    assert f"ani.wijaya@luar.example, {BUDI}" in office.run("user", "show", ANI)
    office.run("user", "allow-from", ANI, BUDI, "--remove", "noreply@kantor.example")
    assert user(office, ANI)["allow_from"] == ["ani.wijaya@luar.example"]
    assert BUDI in refused(office, "user", "allow-from", "--remove", ANI, "ani.wijaya@luar.example", BUDI)
    assert user(office, ANI)["allow_from"] == ["ani.wijaya@luar.example"]  # all or nothing
    refused(office, "user", "allow-from", ANI, "luar.example")
    refused(office, "user", "allow-from", ANI, status=2)


def test_a_removed_user_is_gone_until_added_again_with_the_mail_deleted(served):
    for number in range(3):
        served.deliver(letter(number), BUDI)
    uidls = [mail["uidl"] for mail in served.mails(BUDI)]
    result = served.command("user", "remove", BUDI, "--yes")
    assert result.returncode == 0 and b"3 messages" in result.stderr
    assert not served.can_log_in(BUDI, "rahasia-budi")
    refused(served, "user", "show", BUDI)
    assert not any(BUDI in one["targets"] for one in served.json("alias", "list"))
    served.run("user", "add", BUDI, "--password-stdin", stdin="baru\n")
    assert served.can_log_in(BUDI, "baru")
    assert served.mails(BUDI) == []
    assert [mail["uidl"] for mail in served.json("mail", "list", BUDI, "--deleted")] == uidls


@pytest.mark.parametrize("address", [
    "siti", "siti@luar.example", "siti@xkantor.example", "siti@kantor.example.", "@kantor.example",
    "a b@kantor.example", '"a b"@kantor.example', "sití@kantor.example", "a@b@kantor.example", "x\ny@kantor.example"])
def test_an_address_no_user_can_have_is_refused(office, address):
    refused(office, "user", "add", address, "--generate")


def test_what_a_word_of_the_command_line_holds_does_not_drive_the_terminal(office):
    assert "\\x1b[31m" in refused(office, "user", "show", "\x1b[31mani@kantor.example")
    assert "NAME is empty" in refused(office, "folder", "add", ANI, "", status=2)


def test_an_address_that_is_none_is_named(office):
    assert "siti is no whole address" in refused(office, "alias", "add", "alle@kantor.example", ANI, "siti")


def test_an_address_that_is_taken_is_refused_with_the_mend(office):
    assert "already" in refused(office, "user", "add", "ANI@kantor.example", "--generate")
    assert "alias remove" in refused(office, "user", "add", "info@kantor.example", "--generate")
    refused(office, "user", "rename", ANI, BUDI)
    refused(office, "user", "rename", ANI, "info@kantor.example")


@pytest.mark.parametrize("words", [
    ["user", "passwd"], ["user", "show"], ["user", "enable"], ["user", "disable"]])
def test_a_user_who_is_not_there_is_named(office, words):
    tail = ["--generate"] if words[1] == "passwd" else []
    assert "nobody@kantor.example" in refused(office, *words, "nobody@kantor.example", *tail)
