"""`officemail client`: what it says is read as programs read it, and logs in."""

import plistlib
import poplib
import re
import smtplib
from xml.etree import ElementTree

import pytest

import certificates
from office import PASSWORDS, PORTS
from wire import client_context

ANI = "ani@kantor.example"


def test_thunderbirds_file_leads_to_a_login_and_a_letter(served):
    root = ElementTree.fromstring(served.run("client", ANI, "--format", "autoconfig"))
    assert root.tag == "clientConfig" and root.get("version") == "1.1"
    provider = root.find("emailProvider")
    assert provider.get("id") == provider.findtext("domain") == "kantor.example"
    incoming, outgoing = provider.find("incomingServer"), provider.find("outgoingServer")
    assert incoming.get("type") == "pop3" and outgoing.get("type") == "smtp"
    for server in (incoming, outgoing):
        assert server.findtext("socketType") == "SSL"
        assert server.findtext("hostname") == "localhost"  # the listeners are this box's alone
    user = outgoing.findtext("username").replace("%EMAILADDRESS%", ANI)
    with smtplib.SMTP_SSL(served.address, int(outgoing.findtext("port")), context=client_context()) as smtp:
        smtp.login(user, PASSWORDS["ani"])
        smtp.sendmail(ANI, ANI, "From: ani@kantor.example\r\n\r\nisi\r\n")
    pop = poplib.POP3_SSL(served.address, int(incoming.findtext("port")), context=client_context())
    pop.user(user)
    pop.pass_(PASSWORDS["ani"])
    assert pop.stat()[0] == 1
    pop.quit()


def test_apples_profile_says_the_same(served):
    profile = plistlib.loads(served.run("client", ANI, "--format", "mobileconfig").encode())
    (account, ) = profile["PayloadContent"]
    assert profile["PayloadType"] == "Configuration"
    assert account["PayloadType"] == "com.apple.mail.managed"
    assert account["EmailAccountType"] == "EmailTypePOP"
    assert account["EmailAddress"] == ANI
    assert (account["IncomingMailServerPortNumber"], account["OutgoingMailServerPortNumber"]) == (PORTS["pop3s"], PORTS["submissions"])
    assert account["IncomingMailServerUsername"] == account["OutgoingMailServerUsername"] == ANI
    assert account["IncomingMailServerUseSSL"] is account["OutgoingMailServerUseSSL"] is True
    identities = [profile["PayloadUUID"], account["PayloadUUID"]]
    assert len(set(identities)) == 2
    assert all(re.fullmatch(r"[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}", one) for one in identities)
    again = plistlib.loads(served.run("client", ANI, "--format", "mobileconfig").encode())
    other = plistlib.loads(served.run("client", "budi@kantor.example", "--format", "mobileconfig").encode())
    assert again == profile
    assert other["PayloadUUID"] != profile["PayloadUUID"]


def fields(text, program):
    """What the lines of a program's part say, from "Hostname: x" on, in order."""
    part = text.partition(f"{program}")[2].partition("\n\n")[2].partition("\n\n")[0]
    return re.findall(r"  ([A-Z]\w*(?: \w+)*): (\S+)", part)


def test_people_are_told_what_to_type_field_by_field(office):
    office.set("pop3d", "listen_tls", "995")
    office.set("submission", "listen_tls", "465")
    text = office.run("client", ANI)
    host = "mail.kantor.example"
    same = [("Authentication method", "Normal"), ("Username", ANI)]
    assert fields(text, "Thunderbird") == [
        ("Protocol", "POP3"), ("Hostname", host), ("Port", "995"), ("Connection security", "SSL/TLS"), *same,
        ("Hostname", host), ("Port", "465"), ("Connection security", "SSL/TLS"), *same]
    assert fields(text, "Outlook") == [
        ("Server", host), ("Port", "995"), ("Server", host), ("Port", "465"), ("Encryption method", "SSL/TLS")]
    assert '"This server requires an encrypted connection (SSL/TLS)": on' in text
    assert all(len(line) <= 90 for line in text.splitlines())


def test_people_are_told_of_a_certificate_only_where_programs_ask(office):
    questions = ["It asks about the certificate", "Outlook asks about the certificate", "self-signed"]
    assert all(question in office.run("client", ANI) for question in questions)
    certificates.chain(office.dir, "ec")
    certificates.use(office)
    assert not any(question in office.run("client", ANI) for question in questions)


def test_a_listener_for_this_box_alone_is_not_what_others_are_told(office):
    office.set("pop3d", "listen_tls", "127.0.0.1:2995 0.0.0.0:995")
    told = fields(office.run("client", ANI), "Thunderbird")
    assert told[1:3] == [("Hostname", "mail.kantor.example"), ("Port", "995")]


@pytest.mark.parametrize("format", ["text", "autoconfig", "mobileconfig"])
def test_where_tls_from_the_first_octet_is_off_it_is_starttls(office, format):
    for section in ("pop3d", "submission"):
        office.set(section, "listen_tls", "")
    text = office.run("client", ANI, "--format", format)
    assert str(PORTS["pop3"]) in text and str(PORTS["submission"]) in text
    assert format == "mobileconfig" or "STARTTLS" in text


def test_an_address_is_escaped_for_xml(office):
    office.run("user", "add", "o'neil&co@kantor.example", "--generate")
    profile = plistlib.loads(office.run("client", "o'neil&co@kantor.example", "--format", "mobileconfig").encode())
    assert profile["PayloadContent"][0]["EmailAddress"] == "o'neil&co@kantor.example"


@pytest.mark.parametrize("arguments, status, says", [
    (["tidakada@kantor.example"], 1, "there is no user"),
    ([ANI, "--format", "pdf"], 2, "pdf is none of text|autoconfig|mobileconfig"),
    ([], 2, "usage"),
])
def test_what_cannot_be_told_is_said(office, arguments, status, says):
    result = office.command("client", *arguments)
    assert result.returncode == status
    assert says in result.stderr.decode()


@pytest.mark.parametrize("section, says", [("submission", "sending is not served"), ("pop3d", "fetching is not served")])
def test_an_office_without_listeners_says_which(office, section, says):
    office.set(section, "listen", "")
    office.set(section, "listen_tls", "")
    result = office.command("client", ANI)
    assert result.returncode == 1 and says in result.stderr.decode()
