"""Mail that goes straight to the servers that DNS names: which of them, and when it comes back."""

from leaving import letter, queue, reports, submit, wait_empty, wait_settled
from office import wait_until
from servers import Server, Silent


def mail_to(office, domain):
    office.start()
    submit(office, f"pak@{domain}")


def takes(outside, name, answers=(), **records):
    """A server of that name on port 25."""
    return Server(outside.host(name, **records)[1], answers)


def arrived(server):
    [octets] = wait_until(lambda: server.letters, f"a letter at {server.address}")
    assert octets.endswith(b".titik\r\nharga\r\n")
    return octets


# ---- which one

def test_the_best_host_gets_it(office, outside):
    domain = outside.domain()
    outside.records(domain, MX=[(20, f"b.{domain}"), (10, f"a.{domain}")])
    with takes(outside, f"a.{domain}") as best, takes(outside, f"b.{domain}") as other:
        mail_to(office, domain)
        arrived(best)
        assert other.connections == 0
        wait_empty(office)


def test_without_MX_the_domain_itself_gets_it(office, outside):
    domain = outside.domain()
    with takes(outside, domain) as server:
        mail_to(office, domain)
        arrived(server)


HOSTS_THAT_WILL_NOT = {
    "it does not want to": {"CONNECT": b"554 5.3.2 not today\r\n"},
    "it is busy": {"CONNECT": b"421 4.3.2 too many connections\r\n"},
    "it hangs up": {"CONNECT": None},
    "it hangs up behind EHLO": {"EHLO": None},
    "it talks nonsense": {"CONNECT": b"SSH-2.0-OpenSSH_9.2\r\n"},
}


def pytest_generate_tests(metafunc):
    if "will_not" in metafunc.fixturenames:
        metafunc.parametrize("will_not", HOSTS_THAT_WILL_NOT.values(), ids=HOSTS_THAT_WILL_NOT)


def test_the_next_one_gets_it_when(office, outside, will_not):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"a.{domain}"), (20, f"b.{domain}")])
    with takes(outside, f"a.{domain}", will_not) as first, takes(outside, f"b.{domain}") as other:
        mail_to(office, domain)
        arrived(other)
        wait_empty(office)
        assert first.connections == 1 and first.letters == []


def test_the_next_one_gets_it_when_it_is_down(office, outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"a.{domain}"), (20, f"b.{domain}")])
    outside.host(f"a.{domain}")
    with takes(outside, f"b.{domain}") as other:
        mail_to(office, domain)
        arrived(other)


def test_IPv6_alone_will_do(office, outside):
    domain, address = outside.domain(), outside.address6()
    outside.records(domain, AAAA=address)
    with Server(address) as server:
        mail_to(office, domain)
        arrived(server)


def test_IPv4_is_tried_soon_where_IPv6_leads_nowhere(office, outside):
    domain, dead = outside.domain(), outside.address6()
    _, address = outside.host(f"mx.{domain}")
    outside.records(f"mx.{domain}", A=address, AAAA=dead)
    outside.records(domain, MX=[(10, f"mx.{domain}")])
    with Silent(dead, deaf=True), Server(address) as server:
        mail_to(office, domain)
        arrived(server)


# ---- TLS that nobody can verify

def test_a_handshake_that_breaks_is_done_without_on_the_same_host(office, outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"a.{domain}"), (20, f"b.{domain}")])
    offers = {"EHLO": b"250-mx\r\n250 STARTTLS\r\n", "STARTTLS": lambda wire: wire.write(b"220 go\r\n") and wire.read(5) and b"\x15\3\3\0\2\2\x28"}
    with takes(outside, f"a.{domain}", offers) as best, takes(outside, f"b.{domain}") as other:
        mail_to(office, domain)
        arrived(best)
        assert (best.connections, other.connections) == (2, 0)
    office.wait_log(f"tls-given-up to={domain} .*TLS")


def test_who_puts_words_in_front_of_the_handshake_gets_nothing(office, outside):
    domain = outside.domain()
    with takes(outside, domain, {"EHLO": b"250-mx\r\n250 STARTTLS\r\n", "STARTTLS": b"220 go\r\n250 2.0.0 really\r\n"}) as server:
        mail_to(office, domain)
        [waiting] = wait_settled(office)
        assert "in the clear behind the server's yes to STARTTLS" in waiting["last_reply"]
        assert server.letters == []


# ---- back, or later

def comes_back(office, domain, *words):
    mail_to(office, domain)
    [report] = reports(office)
    assert f"pak@{domain}".encode() in report and b"Action: failed" in report
    for word in words:
        assert word.encode() in report, report.decode()
    wait_empty(office)


def test_a_domain_that_takes_no_mail_says_so_at_once(office, outside):
    domain = outside.domain()
    outside.records(domain, MX=[(0, ".")], A="192.0.2.1")
    comes_back(office, domain, "Status: 5.1.10", "takes no mail")


def test_a_domain_that_does_not_exist_does_so_at_once(office, outside):
    domain = outside.domain()
    comes_back(office, domain, "Status: 5.1.2", "there is no domain", "Check the spelling of the address")


def test_a_domain_that_leads_back_to_us_does_so_at_once(office, outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, "mail.kantor.example")])
    comes_back(office, domain, "Status: 5.4.6")


def test_our_own_address_is_us_under_any_name(office, outside):
    domain = outside.domain()
    office.set("smtpd", "listen", f"{office.address}:25")
    outside.records(domain, A=office.address)
    comes_back(office, domain, "Status: 5.4.6")


def test_a_domain_that_DNS_does_not_tell_of_now_waits(office, outside):
    domain = outside.domain()
    outside.records(domain, moods={"*": "servfail"})
    mail_to(office, domain)
    [waiting] = wait_settled(office)
    assert domain in waiting["last_reply"]
    assert office.fetch() == []


def test_a_domain_of_which_nobody_answers_waits_and_each_host_is_named(office, outside):
    domain = outside.domain()
    outside.records(domain, MX=[(10, f"a.{domain}"), (20, f"b.{domain}")])
    for name in "ab":
        outside.host(f"{name}.{domain}")
    mail_to(office, domain)
    [waiting] = wait_settled(office)
    for name in "ab":
        assert f"{name}.{domain} [127." in waiting["last_reply"]
    assert waiting["last_reply"].count("Connection refused") == 2
    assert office.fetch() == []


# ---- many domains

def test_each_domain_gets_its_own_copy_and_knows_of_no_other(office, outside):
    first, second = outside.domain("satu"), outside.domain("dua")
    office.start()
    with takes(outside, first) as one, takes(outside, second) as two:
        submit(office, f"a@{first}", f"b@{second}", f"c@{first}", message=letter("a@x"))
        arrived(one)
        arrived(two)
        wait_empty(office)


def test_a_domain_that_never_answers_keeps_nobody_waiting(office, outside):
    dead, living = outside.domain("mati"), outside.domain("hidup")
    _, address = outside.host(dead)
    office.start()
    with Silent(address) as silent, takes(outside, living) as server:
        submit(office, f"pak@{dead}")
        wait_until(lambda: silent.held, "a connection")
        submit(office, f"pak@{living}")
        arrived(server)
        [waiting] = [row for row in queue(office) if row["recipient"] == f"pak@{dead}"]
        assert not waiting["last_reply"]


def many_dead(outside, address, count=70):
    domains = [f"{n}.{outside.domain('mati')}" for n in range(count)]
    for domain in domains:
        outside.records(domain, A=address)
    return [f"pak@{domain}" for domain in domains]


def test_seventy_domains_that_never_speak_keep_nobody_waiting(office, outside):
    living, address = outside.domain("hidup"), outside.address()
    office.start()
    with Silent(address) as silent, takes(outside, living) as server:
        submit(office, *many_dead(outside, address))
        wait_until(lambda: len(silent.held) >= 20, "connections")
        submit(office, f"pak@{living}")
        arrived(server)


def test_seventy_domains_that_cannot_be_reached_keep_nobody_waiting(office, outside):
    living, address = outside.domain("hidup"), outside.address()
    office.start()
    with Silent(address, deaf=True), takes(outside, living) as server:
        submit(office, *many_dead(outside, address))
        wait_until(lambda: len(office.named("delivery")) >= 60, "deliveries")
        submit(office, f"pak@{living}")
        arrived(server)
