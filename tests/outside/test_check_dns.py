"""`check --dns`: what should stand in DNS, and what check says where it does not."""

import ipaddress
import random
import re

import pytest

from mistakes import OF_THE_BOX, has_in_order


def free_of_the_box(lines):
    return [line for line in lines if not any(word in line for word in OF_THE_BOX)]


class Published:
    """An office under names of its own, all of whose records are right."""

    def __init__(self, office, outside):
        self.office, self.outside = office, outside
        self.domain = outside.domain("kantor")
        self.host = f"mail.{self.domain}"
        self.address = f"198.{random.choice([18, 19])}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        self.address6 = outside.address6(public=True)
        office.set("office", "domains", f"kantor.example cabang.example {self.domain}")
        office.run("user", "rename", "ani@kantor.example", f"ani@{self.domain}")
        for address in ("budi@kantor.example", "citra@kantor.example"):
            office.run("user", "rename", address, address.replace("kantor.example", self.domain))
        for alias in office.json("alias", "list"):
            office.run("alias", "remove", alias["alias"])
        office.set("office", "domains", self.domain)
        office.set("office", "hostname", self.host)
        office.set("office", "postmaster", f"ani@{self.domain}")
        office.set("relay", "smarthost", "")
        here = outside.address6()  # an address that others reach, but no other test
        for section, key, port in (("smtpd", "listen", 25), ("submission", "listen_tls", 465), ("pop3d", "listen_tls", 995)):
            office.set(section, key, f"[{here}]:{port}")
        for name in ("cert.pem", "key.pem"):
            (office.data / "tls" / name).unlink()
        office.start()  # makes the pair for that name
        office.stop()
        self.key = re.search(r"p=[^ ]*", "".join(re.findall(r'"([^"]*)"', office.run("dns").split("_domainkey")[1]
                                                              .split(")")[0])))[0]
        self.all()

    def set(self, name, **records):
        self.outside.records(name, **records)

    def all(self):
        domain, host = self.domain, self.host
        self.set(domain, MX=[(10, host)], TXT=["lain", "v=spf1 mx ~all"])
        self.set(host, A=self.address, AAAA=self.address6, TXT="v=spf1 a ~all")
        for address in (self.address, self.address6):
            self.set(ipaddress.ip_address(address).reverse_pointer, PTR=host)
        self.set(f"office._domainkey.{domain}", TXT="v=DKIM1; k=rsa; " + self.key)
        self.set(f"_dmarc.{domain}", TXT="v=DMARC1; p=none")
        self.set(f"_submissions._tcp.{domain}", SRV=[(0, 1, 465, host)])
        self.set(f"_submission._tcp.{domain}", SRV=[(0, 1, 587, host)])
        self.set(f"_pop3s._tcp.{domain}", SRV=[(0, 1, 995, host)])
        self.set(f"_pop3._tcp.{domain}", SRV=[(0, 1, 110, host)])
        self.set(f"autoconfig.{domain}", CNAME=host)

    def check(self):
        result = self.office.command("check", "--dns")
        lines = (result.stdout + result.stderr).decode().splitlines()
        return result.returncode, free_of_the_box(lines)

    def finds(self, *words, warns=False):
        status, lines = self.check()
        words = [word.format(**vars(self)) for word in words]
        said = [line for line in lines if has_in_order(line, words)]
        assert len(said) == 1, f"{words} is not in:\n" + "\n".join(lines)
        assert said[0].startswith("warning: ") == warns
        assert status == (0 if warns else 1)


@pytest.fixture
def published(outside, office):  # in this order: the office ends before its address is given up
    return Published(office, outside)


def test_what_is_right_is_right(published):
    assert published.check() == (0, [f"{published.office.ini}: nothing is wrong"])


def test_what_dns_prints_is_what_check_wants(published):
    """Line by line from the zone file of `dns` into the resolver."""
    said = re.sub(r"\(\s*((?:\"[^\"]*\"\s*)+)\)", lambda strings: strings[1].replace('" \n', '').replace("\n", ""),
                  published.office.run("dns"))
    for line in said.splitlines():
        if line.startswith(";") or not line:
            continue
        name, _, kind, *data = line.split(None, 3)
        name = name.rstrip(".")
        value = data[0].strip()
        if kind == "MX":
            published.set(name, MX=[(int(value.split()[0]), value.split()[1].rstrip("."))], TXT="v=spf1 mx ~all")
        elif kind == "TXT" and name not in (published.domain, published.host):
            published.set(name, TXT="".join(re.findall(r'"([^"]*)"', value)))
    assert published.check()[0] == 0


def test_without_dns_it_asks_nobody(published):
    published.outside.forget(published.domain)
    before = len(published.outside.asked(published.domain))
    assert published.office.command("check").returncode == 0
    assert len(published.outside.asked(published.domain)) == before


# ---- the host

def test_a_host_without_an_address(published):
    published.set(published.host)
    published.finds("DNS knows no address of {host}", "publish `{host}. IN A ADDRESS`")


def test_a_host_that_leads_nowhere_outside(published):
    published.set(published.host, A="192.168.1.2", AAAA=published.address6, TXT="v=spf1 a ~all")
    published.finds("{host} leads to 192.168.1.2, an address that nobody outside reaches")


def test_a_host_that_leads_to_another_box(published):
    published.set(published.host, A=published.address, AAAA="2001:db8:2::9", TXT="v=spf1 a ~all")
    published.finds("{host} leads to 2001:db8:2::9, and this box is 2001:db8:1::", "publish `{host}. IN AAAA 2001:db8:1::")


def test_an_address_of_the_box_that_is_not_published(published):
    published.set(published.host, A=published.address, TXT="v=spf1 a ~all")
    published.finds("mail may leave from 2001:db8:1::", "publish `{host}. IN AAAA", warns=True)


@pytest.mark.parametrize("which", ["address", "address6"])
def test_an_address_without_a_name(published, which):
    address = getattr(published, which)
    reverse = ipaddress.ip_address(address).reverse_pointer
    published.outside.forget(reverse)
    published.finds(f"{address} has no name (PTR)", f"write `{reverse}. IN PTR {{host}}.`")
    published.set(reverse, PTR="pool-7.penyedia.example")
    published.finds(f"{address} is called pool-7.penyedia.example (PTR) and not {{host}}", f"`{reverse}. IN PTR {{host}}.`")


def test_behind_a_smarthost_nobody_sees_our_addresses(published):
    published.office.set("relay", "smarthost", "smtp.penyedia.example:25")
    published.office.set("relay", "tls", "none")
    published.outside.forget(ipaddress.ip_address(published.address).reverse_pointer)
    published.finds("names this server, and mail leaves through smtp.penyedia.example", "in front of ~all", warns=True)
    published.set(published.domain, MX=[(10, published.host)], TXT="v=spf1 mx include:penyedia.example ~all")
    assert published.check()[0] == 0


# ---- mail to us

MX = {
    "none": ({}, "{domain} has no MX record"),
    "null": ({"MX": [(0, ".")]}, "{domain} says that it takes no mail"),
    "elsewhere": ({"MX": [(10, "mx.lama.example")]}, "mail for {domain} goes to mx.lama.example, and not here"),
}


@pytest.mark.parametrize("what", MX)
def test_mail_that_goes_elsewhere(published, what):
    records, words = MX[what]
    published.set(published.domain, TXT=f"v=spf1 ip4:{published.address} ip6:{published.address6} ~all", **records)
    published.finds(words, "publish `{domain}. IN MX 10 {host}.`")


def test_mail_that_goes_elsewhere_first(published):
    published.set(published.domain, MX=[(5, "mx.lama.example"), (10, published.host)], TXT="v=spf1 a:" + published.host)
    published.finds("goes to mx.lama.example first", "a smaller number", warns=True)


def test_another_name_for_this_box_is_this_box(published):
    other = f"mx.{published.domain}"
    published.set(other, A=published.address)
    published.set(published.domain, MX=[(10, other)], TXT=f"v=spf1 a:{published.host} -all")
    assert published.check()[0] == 0


# ---- mail from us

SPF = {
    "v=spf1 -all": "does not name this server ({address}: fail)",
    "v=spf1 a:mail.lama.example ~all": "does not name this server ({address}: softfail)",
    "v=spf1 ip4:198.18.0.0/15 ~all": "does not name this server ({address6}: softfail)",
    "v=spf1 ip4:198.18.0.0/15 ip6:2001:db8:1::/64 -all": None,
    "v=spf1 a:{host} -all": None,
    "v=spf1 a:{host}/24//48 -all": None,
    "v=spf1 include:{domain}.spf.example -all": None,
    "v=spf1 redirect={domain}.spf.example": None,
    "v=spf1 exists:%{{i}}.spf.example -all": None,  # nobody can tell here
    "v=spf1 include:tiada.example -all": "cannot be used",
    "v=spf1 ip4:kantor.example -all": "cannot be used",
    "v=spf1 mxx -all": "cannot be used",
    "v=spf1": "does not name this server ({address}: neutral)",
}


@pytest.mark.parametrize("record", SPF)
def test_spf(published, record):
    published.set(f"{published.domain}.spf.example", TXT=f"v=spf1 ip4:{published.address} ip6:{published.address6} -all")
    published.set(published.domain, MX=[(10, published.host)],
                  TXT=record.format(domain=published.domain, host=published.host))
    if SPF[record]:
        published.finds("SPF record of {domain} " + SPF[record], 'IN TXT "v=spf1 mx ~all"')
    else:
        assert published.check()[0] == 0
    if "spf.example" not in record:
        published.outside.forget(f"{published.domain}.spf.example")
        published.outside.names.remove(f"{published.domain}.spf.example")


@pytest.mark.parametrize("records, words", [([], "has no SPF record"), (["v=spf1 mx ~all", "v=spf1 a ~all"], "cannot be used")])
def test_no_spf_and_two(published, records, words):
    published.set(published.domain, MX=[(10, published.host)], TXT=records)
    published.finds("{domain}", words, 'publish', '"v=spf1 mx ~all"')


def test_spf_that_calls_itself_ends(published):
    published.set(published.domain, MX=[(10, published.host)], TXT=f"v=spf1 include:{published.domain} -all")
    published.finds("SPF record of {domain} cannot be used")


def test_reports_are_judged_by_the_host_s_own(published):
    published.set(published.host, A=published.address, AAAA=published.address6)
    published.finds('{host} itself has no SPF record', '"v=spf1 a ~all"', warns=True)


DKIM = {
    "none": ([], "there is no DKIM record"),
    "another": (["v=DKIM1; k=rsa; p=MIIBIjANBgkq"], "holds another key"),
    "revoked": (["v=DKIM1; p="], "revokes the key"),
    "empty": (["v=DKIM1; k=rsa"], "holds no key"),
    "two": (["v=DKIM1; p=", "v=DKIM1; p=MII"], "more than one"),
}


@pytest.mark.parametrize("what", DKIM)
def test_dkim(published, what):
    records, words = DKIM[what]
    published.set(f"office._domainkey.{published.domain}", TXT=records)
    published.finds("office._domainkey.{domain}: ", words, "publish `office._domainkey.{domain}. IN TXT ( \"v=DKIM1; k=rsa; p=")


def test_a_key_published_with_blanks_is_the_same(published):
    key = published.key
    published.set(f"office._domainkey.{published.domain}", TXT=f"v=DKIM1 ; k=rsa ;p= {key[2:40]} {key[40:]} ; t=s")
    assert published.check()[0] == 0


DMARC = {
    "none": ([], "has no DMARC record"),
    "of no use": (["v=DMARC1; p=nothing"], "p= must be"),
    "without p": (["v=DMARC1"], "p= must be"),
    "two": (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "more than one"),
}


@pytest.mark.parametrize("what", DMARC)
def test_dmarc(published, what):
    records, words = DMARC[what]
    published.set(f"_dmarc.{published.domain}", TXT=records)
    published.finds("{domain}", words, "publish", "v=DMARC1; p=none")


# ---- mail programs

def test_a_service_that_is_elsewhere(published):
    published.set(f"_pop3s._tcp.{published.domain}", SRV=[(0, 1, 995, "pop.lama.example")])
    published.finds("_pop3s._tcp.{domain} leads mail programs to 0 1 995 pop.lama.example",
                    "publish `_pop3s._tcp.{domain}. IN SRV 0 1 995 {host}.`")


def test_a_service_that_is_not_published(published):
    published.outside.forget(f"_submissions._tcp.{published.domain}")
    published.outside.names.remove(f"_submissions._tcp.{published.domain}")
    published.finds("_submissions._tcp.{domain} is not there", "publish `_submissions._tcp.{domain}. IN SRV 0 1 465 {host}.`",
                    warns=True)


def test_autoconfig_that_is_not_there(published):
    published.outside.forget(f"autoconfig.{published.domain}")
    published.outside.names.remove(f"autoconfig.{published.domain}")
    published.finds("autoconfig.{domain} is not there", "IN CNAME WEB-SERVER.", warns=True)


# ---- DNS that does not answer, and that lies

def test_a_question_without_an_answer(published):
    published.outside.records(f"_dmarc.{published.domain}", moods={"TXT": "servfail"})
    published.finds("DNS does not answer about _dmarc.{domain}: ask again later")


def test_no_DNS_at_all(published):
    published.outside.records(published.host, moods={"*": "silent"})
    published.outside.records("example.com", moods={"*": "silent"})
    published.finds("DNS does not answer at all", "/etc/resolv.conf")


@pytest.mark.parametrize("mood", ["cut", "raw 00", "raw " + "ff" * 600, "refused"])
def test_nonsense_is_no_answer(published, mood):
    published.outside.records(f"office._domainkey.{published.domain}", moods={"TXT": mood})
    published.finds("DNS does not answer about office._domainkey.{domain}")


def test_what_strangers_write_is_shown_harmlessly(published):
    published.set(published.domain, MX=[(10, published.host)], TXT="v=spf1 \x1b[2J\n-all")
    status, lines = published.check()
    assert status == 1 and any(r"v=spf1 \x1b[2J\x0a-all" in line for line in lines), lines
