"""`dns`: what it prints goes into a zone as it is, and says what this office does."""

import re
import shutil
import subprocess

import dns.rdatatype
import dns.zone
import pytest

from office import HOSTNAME, PORTS, serving_account

# What a zone has before our lines come in.
ZONE = """$ORIGIN %s.
$TTL 3600
@ IN SOA ns.luar.example. admin.luar.example. 1 7200 3600 1209600 3600
@ IN NS ns.luar.example.
mail IN A 192.0.2.1
"""


def listen_for_all(office):
    for section, key, port in (("smtpd", "listen", 25), ("submission", "listen", 587), ("submission", "listen_tls", 465),
                               ("pop3d", "listen", 110), ("pop3d", "listen_tls", 995)):
        office.set(section, key, port)


def lines_for(said, domain):
    """Those a zone of that name takes: what a person pastes there."""
    return "".join(part for part in re.split(r"(?<=\n)(?=\S)", said) if part.startswith(";") or
                   part.split()[0].endswith(domain + "."))


def zone_of(office, domain="kantor.example"):
    return dns.zone.from_text(ZONE % domain + lines_for(office.run("dns"), domain), origin=domain + ".", relativize=False)


def find(zone, name, kind):
    """The values, strings of a TXT joined."""
    name = dns.name.from_text(name + ".")
    return [b"".join(data.strings).decode() if kind == "TXT" else data.to_text()
            for data in zone.get_rdataset(name, kind) or ()]


@pytest.mark.parametrize("domain", ["kantor.example", "cabang.example"])
def test_each_domain_has_its_records(office, domain):
    listen_for_all(office)
    zone = zone_of(office, domain)
    assert find(zone, domain, "MX") == [f"10 {HOSTNAME}."]
    assert find(zone, domain, "TXT") == ["v=spf1 mx ~all"]
    assert find(zone, f"_dmarc.{domain}", "TXT") == [f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"]
    for service, port in (("submissions", 465), ("submission", 587), ("pop3s", 995), ("pop3", 110)):
        assert find(zone, f"_{service}._tcp.{domain}", "SRV") == [f"0 1 {port} {HOSTNAME}."]


@pytest.mark.parametrize("domain", ["kantor.example", "cabang.example"])
def test_bind_takes_them(office, domain, tmp_path):
    listen_for_all(office)
    zone = tmp_path / "zone"
    zone.write_text(ZONE % domain + lines_for(office.run("dns"), domain))
    tool = shutil.which("named-checkzone", path="/usr/bin:/usr/sbin")
    result = subprocess.run([tool, "-i", "local", domain, zone], capture_output=True, text=True)
    assert result.returncode == 0 and "OK" in result.stdout, result.stdout + result.stderr


def test_the_key_published_is_that_of_the_file(office):
    key = office.data / "dkim/office.pem"
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], capture_output=True, check=True, text=True).stdout
    [value] = find(zone_of(office), "office._domainkey.kantor.example", "TXT")
    assert value == "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])


@pytest.mark.parametrize("bits", [1024, 4096])
def test_a_key_of_another_server_is_published_too(office, bits):
    key = office.data / "dkim/office.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, str(bits)], capture_output=True, check=True)
    office.give_to_account(key)
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], capture_output=True, check=True, text=True).stdout
    [value] = find(zone_of(office), "office._domainkey.kantor.example", "TXT")
    assert value.endswith("; p=" + "".join(public.splitlines()[1:-1]))


def test_a_new_selector_has_its_key_made_before_anything_is_signed(office):
    before = (office.data / "dkim/office.pem").read_bytes()
    office.set("dkim", "selector", "202611")
    first = office.run("dns")
    assert "202611._domainkey.kantor.example." in first
    assert office.run("dns") == first
    key = office.data / "dkim/202611.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.owner() == (serving_account() or key.owner())
    assert (office.data / "dkim/office.pem").read_bytes() == before


def test_behind_a_smarthost_it_says_that_its_provider_knows_more(office):
    office.set("relay", "smarthost", "smtp.penyedia.example:587")
    said = office.run("dns")
    assert "; Mail leaves through smtp.penyedia.example" in said
    assert find(zone_of(office), "kantor.example", "TXT") == ["v=spf1 mx ~all"]


def test_an_office_for_this_box_alone_offers_nothing_to_others(office):
    for section, key in (("smtpd", "listen"), ("submission", "listen"), ("submission", "listen_tls"), ("pop3d", "listen"),
                         ("pop3d", "listen_tls")):
        office.set(section, key, f"127.0.0.1:{PORTS['smtp']}" if key == "listen" and section == "smtpd" else "")
    said = office.run("dns")
    assert " SRV " not in said
    assert "; Other servers come to port 25" in said


def test_a_key_that_cannot_be_published_is_said(office):
    key = office.data / "dkim/office.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True)
    office.give_to_account(key)
    result = office.command("dns")
    assert result.returncode == 1 and result.stdout == b""
    assert b"office.pem is no RSA key" in result.stderr
