"""`officemail alias`, `folder` and `rule`, and what they make of mail."""

import pytest

from letters import letter
from test_tools_users import ANI, BUDI, refused

CITRA = "citra@kantor.example"


def count(office, *addresses):
    return [len(office.mails(address)) for address in addresses]


def test_an_alias_leads_to_all_its_targets_as_soon_as_it_is_there(served):
    served.run("alias", "add", "toko@kantor.example", ANI, BUDI)
    served.deliver(letter(1), "Toko@Kantor.Example")
    assert count(served, ANI, BUDI) == [1, 1]
    served.run("alias", "remove", "toko@kantor.example", ANI)
    served.deliver(letter(2), "toko@kantor.example")
    assert count(served, ANI, BUDI) == [1, 2]


def test_an_alias_may_lead_outside_and_check_has_no_word_against_it(served):
    served.run("alias", "add", "toko@kantor.example", "Pak.Tani@Luar.example", BUDI)
    served.run("alias", "add", ANI, ANI, "ani@rumah.example")
    assert {"alias": "toko@kantor.example", "targets": [BUDI, "pak.tani@luar.example"]} in served.json("alias", "list")
    served.deliver(letter(1), "toko@kantor.example")
    served.deliver(letter(2), ANI)
    assert count(served, ANI, BUDI) == [1, 1]
    served.run("check")


def test_a_list_is_one_array_of_objects_in_order(office):
    listed = office.json("alias", "list")
    assert [one["alias"] for one in listed] == sorted(one["alias"] for one in listed)
    assert all(list(one) == ["alias", "targets"] for one in listed)
    assert {"alias": "info@kantor.example", "targets": [BUDI]} in listed


def test_a_copy_goes_to_others_and_the_user_keeps_the_mail(served):
    served.run("alias", "add", ANI, ANI, BUDI)
    served.deliver(letter(1), ANI)
    assert count(served, ANI, BUDI) == [1, 1]
    assert "name it among the targets" in refused(served, "alias", "add", CITRA, BUDI)


def test_a_whole_domain_is_an_alias_of_another(served):
    served.run("alias", "remove", "@cabang.example")
    served.run("alias", "add", "@cabang.example", "@kantor.example")
    served.deliver(letter(1), ["budi@cabang.example", "info@cabang.example"])
    assert count(served, BUDI) == [1]


def test_what_an_alias_cannot_be_is_said_in_one_line(office):
    office.run("alias", "add", "a@kantor.example", ANI)
    office.run("alias", "add", "b@kantor.example", "a@kantor.example")
    assert "itself" in refused(office, "alias", "add", "a@kantor.example", "b@kantor.example")
    assert "itself" in refused(office, "alias", "add", "c@kantor.example", "c@kantor.example")
    assert "no whole name" in refused(office, "alias", "add", "c@kantor.example", "x@localhost")
    assert "luar.example" in refused(office, "alias", "add", "@cabang.example", "@luar.example")
    assert "x@kantor.example" in refused(office, "alias", "add", "c@kantor.example", ANI, "x@kantor.example")
    refused(office, "alias", "add", "c@luar.example", ANI)
    refused(office, "alias", "remove", "c@kantor.example")
    refused(office, "alias", "remove", "a@kantor.example", BUDI)
    refused(office, "alias", "add", "c@kantor.example", status=2)
    assert not any(one["alias"] == "c@kantor.example" for one in office.json("alias", "list"))


def test_folders_are_listed_with_what_is_in_them(served):
    served.deliver(letter(1), "ani+proyek@kantor.example")
    served.deliver(letter(2), "ani+pribadi@kantor.example")  # not public
    size = {mail["folder"]: mail["size"] for mail in served.mails()}
    assert served.json("folder", "list", ANI) == [
        {"name": "Inbox", "messages": 1, "size": size["Inbox"], "public": False},
        {"name": "Junk", "messages": 0, "size": 0, "public": False},
        {"name": "Pribadi", "messages": 0, "size": 0, "public": False},
        {"name": "Proyek", "messages": 1, "size": size["Proyek"], "public": True},
    ]


def test_the_mail_of_a_removed_folder_is_in_inbox(served):
    served.deliver(letter(1), "ani+proyek@kantor.example")
    uidl = served.mails()[0]["uidl"]
    served.run("folder", "remove", ANI, "PROYEK")
    assert [(mail["uidl"], mail["folder"]) for mail in served.mails()] == [(uidl, "Inbox")]
    served.deliver(letter(2), "ani+proyek@kantor.example")
    assert [mail["folder"] for mail in served.mails()] == ["Inbox", "Inbox"]


@pytest.mark.parametrize("name", ["a/b", "../x", "a+b", "a@b", "x" * 65, "a\nb", "proyek", "inbox"])
def test_a_folder_that_cannot_be_is_refused(office, name):
    refused(office, "folder", "add", ANI, name)


def test_inbox_and_junk_cannot_be_removed(office):
    refused(office, "folder", "remove", ANI, "inbox")
    refused(office, "folder", "remove", ANI, "Junk")
    refused(office, "folder", "remove", ANI, "Nonsense")


def test_rules_file_mail_and_the_first_that_matches_wins(served):
    served.run("rule", "add", ANI, "Subject", "SURAT 1", "Proyek")
    served.run("rule", "add", ANI, "From", "pak tani", "Pribadi")
    assert served.json("rule", "list", ANI) == [
        {"n": 1, "header": "Subject", "pattern": "SURAT 1", "folder": "Proyek"},
        {"n": 2, "header": "From", "pattern": "pak tani", "folder": "Pribadi"},
    ]
    served.deliver(letter(1))
    served.deliver(letter(2))
    assert [mail["folder"] for mail in served.mails()] == ["Proyek", "Pribadi"]
    served.run("rule", "remove", ANI, "1")
    served.deliver(letter(1))
    assert served.mails()[-1]["folder"] == "Pribadi"
    assert [rule["n"] for rule in served.json("rule", "list", ANI)] == [1]


def test_a_rule_that_cannot_be_is_refused(office):
    refused(office, "rule", "add", ANI, "Sub ject", "x", "Proyek")
    refused(office, "rule", "add", ANI, "Subject", "", "Proyek", status=2)
    refused(office, "rule", "add", ANI, "Subject", "x", "Nonsense")
    refused(office, "rule", "remove", ANI, "1")
    refused(office, "rule", "remove", ANI, "one", status=2)
    refused(office, "rule", "add", ANI, "Subject", "x", status=2)
