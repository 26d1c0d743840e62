"""Which hosts take mail for a domain: what smtpd/mx asks DNS, and makes of what it hears."""

import subprocess
from pathlib import Path

import pytest

FIND = Path("build/tests/outside/find").resolve()
HOSTNAME = "mail.kantor.example"
LISTEN = "127.0.0.2:25"


def run(*words):
    said = subprocess.run([FIND, *words], capture_output=True, timeout=60, check=False)
    assert said.stderr == b""
    return said.returncode, said.stdout.decode().splitlines()


def find(domain, hostname=HOSTNAME, listen=LISTEN):
    """["mx1.luar.example 127.1.2.3", ...]"""
    status, lines = run(domain, hostname, listen)
    assert status == 0, lines
    assert all(line.endswith(" 25") for line in lines)
    return [line.removesuffix(" 25") for line in lines]


def why_not(domain, hostname=HOSTNAME, listen=LISTEN):
    """"missing 5.1.2": the kind of error and its code; the sentence names the domain."""
    status, [line] = run(domain, hostname, listen)
    assert status == 1, line
    kind, code, sentence = line.split(" ", 2)
    assert domain in sentence
    return f"{kind} {code}"


# ---- the hosts

def test_hosts_come_by_preference_each_with_its_addresses(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(20, f"b.{domain}"), (5, f"a.{domain}"), (30, f"c.{domain}")], A="192.0.2.99")
    outside.records(f"a.{domain}", A="192.0.2.1")
    outside.records(f"b.{domain}", A="192.0.2.2")
    outside.records(f"c.{domain}", AAAA="2001:db8::3")
    assert find(domain) == [f"a.{domain} 192.0.2.1", f"b.{domain} 192.0.2.2", f"c.{domain} 2001:db8::3"]
    assert outside.asked(domain) == ["udp MX"]


def test_hosts_of_one_preference_come_in_any_order(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"{n}.{domain}") for n in range(3)] + [(20, f"x.{domain}")])
    for n in range(3):
        outside.records(f"{n}.{domain}", A=f"192.0.2.{n + 1}")
    outside.records(f"x.{domain}", A="192.0.2.9")
    orders = set()
    for _ in range(200):
        found = find(domain)
        assert sorted(found[:3]) == [f"{n}.{domain} 192.0.2.{n + 1}" for n in range(3)]
        assert found[3:] == [f"x.{domain} 192.0.2.9"]
        orders.add(tuple(found))
        if len(orders) == 6:
            return
    raise AssertionError(f"only {len(orders)} of 6 orders in 200 times")


def test_the_families_of_a_host_come_by_turns(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"mx.{domain}")])
    outside.records(f"mx.{domain}", A=["192.0.2.1", "192.0.2.2", "192.0.2.3"], AAAA=["2001:db8::1", "2001:db8::2"])
    families = ["6" if ":" in line else "4" for line in find(domain)]
    assert "".join(families) in ("46464", "64644")


def test_there_are_sixteen_addresses_at_most_and_of_each_host_some(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(n, f"{n}.{domain}") for n in range(3)])
    for n in range(3):
        outside.records(f"{n}.{domain}", A=[f"192.0.2.{100 * (n == 2) + 40 * n + i}" for i in range(1, 40)])
    found = find(domain)
    assert len(found) == 15
    assert [sum(line.startswith(f"{n}.") for line in found) for n in range(3)] == [5, 5, 5]


def test_an_address_that_two_hosts_have_is_there_once(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"a.{domain}"), (20, f"b.{domain}")])
    outside.records(f"a.{domain}", A="192.0.2.1", AAAA="::ffff:192.0.2.1")
    outside.records(f"b.{domain}", A="192.0.2.1")
    assert find(domain) == [f"a.{domain} 192.0.2.1"]


def test_addresses_that_no_server_can_have_are_left_out(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"mx.{domain}")])
    outside.records(f"mx.{domain}", A=["0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1"],
                    AAAA=["::", "ff02::1", "fe80::1", "::ffff:0.0.0.0"])
    assert find(domain) == [f"mx.{domain} 192.0.2.1"]


def test_without_MX_mail_goes_to_the_domain_s_own_address(outside):
    domain = outside.domain()
    outside.records(domain, A="192.0.2.1")
    assert find(domain) == [f"{domain} 192.0.2.1"]
    assert outside.asked(domain)[0] == "udp MX"


def test_CNAMEs_of_a_domain_and_of_a_host_are_followed(outside):
    domain, other = outside.domain(), outside.domain("lain")
    outside.records(domain, CNAME=other)
    outside.records(other, MX=[(10, f"mx.{domain}")])
    outside.records(f"mx.{domain}", CNAME=f"mx.{other}")
    outside.records(f"mx.{other}", A="192.0.2.1")
    assert find(domain) == [f"mx.{domain} 192.0.2.1"]


def test_a_CNAME_to_a_name_without_MX_leads_to_its_address(outside):
    domain, other = outside.domain(), outside.domain("lain")
    outside.records(domain, CNAME=other)
    outside.records(other, A="192.0.2.1")
    assert find(domain) == [f"{domain} 192.0.2.1"]


def test_an_answer_too_long_for_UDP_is_fetched_by_TCP(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(n, f"mx{n}.{domain}") for n in range(200)], moods={"MX": "truncated"})
    outside.records(f"mx0.{domain}", A="192.0.2.1")
    assert find(domain) == [f"mx0.{domain} 192.0.2.1"]
    assert outside.asked(domain) == ["udp MX", "tcp MX"]


def test_a_host_that_DNS_knows_nothing_of_now_is_stepped_over(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"a.{domain}"), (20, f"b.{domain}"), (30, f"c.{domain}")])
    outside.records(f"a.{domain}", moods={"*": "servfail"})
    outside.records(f"c.{domain}", A="192.0.2.3")
    assert find(domain) == [f"c.{domain} 192.0.2.3"]


def test_no_name_is_looked_for_in_the_search_domain(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, "mx")])
    outside.records(f"{domain}.cari.example", A="192.0.2.1", MX=[(10, f"mx.{domain}")])
    outside.records(f"mx.{domain}", A="192.0.2.1")
    assert why_not(domain) == "missing 5.4.4"
    assert why_not(f"no-{domain}") == "missing 5.1.2"
    assert outside.asked(f"no-{domain}.cari.example") == []


# ---- those that take none

def test_a_domain_that_is_not_there_is_refused_for_good(outside):
    assert why_not(outside.domain()) == "missing 5.1.2"


def test_a_CNAME_to_nowhere_is_no_domain(outside):
    domain = outside.domain()
    outside.records(domain, CNAME=outside.domain("lain"))
    assert why_not(domain) == "missing 5.1.2"


def test_a_null_MX_is_believed_whatever_address_there_is(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(0, ".")], A="192.0.2.1")
    assert why_not(domain) == "missing 5.1.10"


def test_a_domain_without_a_host_is_refused_for_good(outside):
    domain = outside.domain()
    outside.records(domain)
    assert why_not(domain) == "missing 5.4.4"
    outside.records(domain, MX=[(10, f"mx.{domain}")], A="192.0.2.1")
    assert why_not(domain) == "missing 5.4.4"
    outside.records(f"mx.{domain}", A="0.0.0.0")
    assert why_not(domain) == "missing 5.4.4"
    outside.records(domain, MX=[(10, "192.0.2.1"), (20, "127.1"), (30, "0x7f000001")])
    assert why_not(domain) == "missing 5.4.4"


# ---- not now

@pytest.mark.parametrize("mood", ["servfail", "refused", "silent", "cut", "raw 00", "raw " + "ff" * 600])
def test_a_domain_that_DNS_does_not_tell_of_waits(outside, mood):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"mx.{domain}")], A="192.0.2.1", moods={"MX": mood})
    assert why_not(domain) == "later 4.4.3"


@pytest.mark.parametrize("mood", ["servfail", "refused", "silent"])
@pytest.mark.parametrize("kind", ["A", "*"])
def test_a_domain_whose_only_host_DNS_does_not_tell_of_waits(outside, kind, mood):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"mx.{domain}")])
    outside.records(f"mx.{domain}", A="192.0.2.1", moods={kind: mood})
    assert why_not(domain) == "later 4.4.3"


def test_a_resolver_that_hangs_is_given_up(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"mx.{domain}")], moods={"*": "hung"})
    assert why_not(domain) == "later 4.4.3"
    assert outside.asked(domain) == ["udp MX", "tcp MX"]


# ---- ourselves

def test_a_domain_whose_best_host_is_ours_by_name_is_a_loop(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, HOSTNAME.upper()), (20, f"b.{domain}")])
    outside.records(f"b.{domain}", A="192.0.2.2")
    assert why_not(domain) == "loop 5.4.6"
    assert outside.asked(f"b.{domain}") == []


def test_a_domain_whose_best_host_has_our_address_is_a_loop(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"a.{domain}"), (20, f"b.{domain}")])
    outside.records(f"a.{domain}", A=["192.0.2.1", "127.0.0.2"])
    outside.records(f"b.{domain}", A="192.0.2.2")
    assert why_not(domain) == "loop 5.4.6"
    assert why_not(domain, listen="25") == "loop 5.4.6"
    assert len(find(domain, listen="127.0.0.2:2525")) == 3
    assert len(find(domain, listen="127.0.0.3:25")) == 3


def test_a_domain_without_MX_at_our_address_is_a_loop(outside):
    domain = outside.domain()
    outside.records(domain, A="127.0.0.2")
    assert why_not(domain) == "loop 5.4.6"


def test_hosts_as_good_as_ourselves_and_worse_are_no_way(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(5, f"a.{domain}"), (10, f"b.{domain}"), (10, HOSTNAME), (10, f"c.{domain}"),
                                (20, f"d.{domain}")])
    for n, name in enumerate("abcd"):
        outside.records(f"{name}.{domain}", A=f"192.0.2.{n + 1}")
    for _ in range(10):
        assert find(domain) == [f"a.{domain} 192.0.2.1"]


def test_mail_waits_for_a_better_host_than_ourselves(outside):
    domain = outside.domain()
    outside.records(domain, MX=[(5, f"a.{domain}"), (10, HOSTNAME)])
    outside.records(f"a.{domain}", moods={"*": "servfail"})
    assert why_not(domain) == "later 4.4.3"
    outside.records(domain, MX=[(10, f"a.{domain}"), (10, HOSTNAME)])
    assert why_not(domain) == "loop 5.4.6"


# ---- a smarthost

def test_a_smarthost_is_found_by_its_address_alone(outside):
    host = outside.domain("pintar")
    outside.records(host, A="192.0.2.1", MX=[(10, "192.0.2.2")])
    assert run("--smarthost", f"{host}:587") == (0, [f"{host} 192.0.2.1 587"])
    assert "udp MX" not in outside.asked(host)


def test_a_smarthost_may_stand_in_etc_hosts_or_the_search_domain(outside):
    status, lines = run("--smarthost", "localhost:25")
    assert status == 0 and "localhost 127.0.0.1 25" in lines
    short = f"pintar-{outside.mark}"
    outside.records(f"{short}.cari.example", A="192.0.2.1")
    assert run("--smarthost", f"{short}:25") == (0, [f"{short} 192.0.2.1 25"])


@pytest.mark.parametrize("mood, code", [("servfail", "4.4.3"), (None, "4.4.4")])
def test_mail_waits_for_a_smarthost_whatever_is_wrong(outside, mood, code):
    host = outside.domain("pintar")
    if mood:
        outside.records(host, moods={"*": mood})
    status, [line] = run("--smarthost", f"{host}:25")
    assert (status, line.split()[:2]) == (1, ["later", code])
