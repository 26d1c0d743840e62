"""The clients people have: each sends or fetches, in clear and over TLS."""

import mailbox
import poplib
import smtplib
import subprocess
from urllib.parse import quote

import pytest

from letters import letter, without_trace
from office import PASSWORDS, PORTS, serving_account, wait_until
from wire import PATIENCE, client_context

ANI, PASSWORD = "ani@kantor.example", PASSWORDS["ani"]
LETTERS = [letter(1, "satu\r\n.\r\n..titik\r\nFrom sini"), letter(2, "dua")]
OUTSIDE = "pak@luar.example"


def home_of(office):
    """Where clients keep their things; theirs, not root's."""
    home = office.dir / "home"
    if not home.exists():
        home.mkdir()
        office.give_to_account(home)
    return home


def run(office, *words, stdin=b"", status=0):
    """Runs a client as an ordinary account, in a home of its own."""
    home = home_of(office)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    account = serving_account()
    ordinary = {"user": account, "group": "nogroup", "extra_groups": []} if account else {}
    result = subprocess.run([str(word) for word in words], input=stdin, capture_output=True,
                            env=environment, cwd=home, timeout=2 * PATIENCE, **ordinary)
    assert result.returncode == status, (result.stdout + result.stderr).decode(errors="replace")
    return result.stdout


def private_file(office, name, text):
    path = home_of(office) / name
    path.write_text(text)
    path.chmod(0o600)
    office.give_to_account(path)
    return path


@pytest.fixture
def full(served):
    """Ani has two letters."""
    for message in LETTERS:
        served.deliver(message)
    return served


def assert_taken(office, *messages):
    """Ani's mailbox holds these, as sent."""
    assert [without_trace(message) for message in office.fetch()] == list(messages)


def with_lf(message):
    return message.replace(b"\r\n", b"\n")


def assert_kept(found, wanted=LETTERS):
    """A client's own mailbox holds these letters; it may add lines to the header."""
    assert len(found) == len(wanted)
    bodies = sorted(with_lf(bytes(message)).partition(b"\n\n")[2].strip() for message in found)
    assert bodies == sorted(with_lf(message).partition(b"\n\n")[2].strip() for message in wanted)


def maildir(office):
    """A client's home and an empty Maildir in it."""
    home = home_of(office)
    for name in ("", "new", "cur", "tmp"):
        (home / "maildir" / name).mkdir()
        office.give_to_account(home / "maildir" / name)
    return home, mailbox.Maildir(home / "maildir")


# ---- curl

POP3_WAYS = {
    "clear": ("pop3", ()),
    "stls": ("pop3", ("--ssl-reqd", "--insecure")),
    "tls": ("pop3s", ("--insecure",)),
}


@pytest.mark.parametrize("way", POP3_WAYS)
def test_curl_lists_fetches_and_deletes(full, way):
    service, options = POP3_WAYS[way]
    url = f"{service}://{full.address}:{PORTS[service]}/"
    curl = ["curl", "-sS", *options, "-u", f"{ANI}:{PASSWORD}"]
    assert run(full, *curl, url).count(b"\r\n") == 2
    for number, message in enumerate(LETTERS, 1):
        assert without_trace(run(full, *curl, f"{url}{number}")) == message
    assert b"Subject: surat 1" in run(full, *curl, "-X", "TOP 1 0", url)
    run(full, *curl, "-l", "-X", "DELE 1", "-I", url)
    assert_taken(full, LETTERS[1])


def test_curl_logs_in_by_sasl_plain(full):
    url = f"pop3s://{full.address}:{PORTS['pop3s']}/1"
    got = run(full, "curl", "-sS", "-k", "--login-options", "AUTH=PLAIN", "-u", f"{ANI}:{PASSWORD}", url)
    assert without_trace(got) == LETTERS[0]


@pytest.mark.parametrize("options", [(), ("--ssl-reqd", "--insecure")], ids=["clear", "starttls"])
def test_curl_sends(served, options):
    run(served, "curl", "-sS", *options, f"smtp://{served.address}:{PORTS['smtp']}/laptop", "--mail-from",
        OUTSIDE, "--mail-rcpt", ANI, "-T", "-", stdin=LETTERS[0])
    assert_taken(served, LETTERS[0])


# ---- fetchers

FETCH_WAYS = ["clear", "stls", "tls"]


@pytest.mark.parametrize("way", FETCH_WAYS)
def test_fetchmail_fetches_what_is_new_and_deletes_when_told(full, way):
    service = "pop3s" if way == "tls" else "pop3"
    tls = {"clear": "sslproto ''", "stls": "sslproto tls1.2+ no sslcertck", "tls": "ssl no sslcertck"}[way]
    rc = private_file(full, "fetchmailrc", (
        f"poll {full.address} protocol POP3 port {PORTS[service]} uidl\n"
        f'  user "{ANI}" password "{PASSWORD}" {tls} mda "cat >> {home_of(full)}/mbox"\n'))
    fetchmail = ["fetchmail", "-f", rc, "--nosyslog", "-i", "fetchids"]
    run(full, *fetchmail, "--keep")
    run(full, *fetchmail, "--keep", status=1)  # nothing new
    text = (home_of(full) / "mbox").read_bytes()
    assert text.count(b"Subject: surat") == 2
    assert b"\nsatu\n.\n..titik\n" in text
    full.wait_log("session service=pop3s? .*retrieved=2 .*deleted=0")  # by TOP n 99999999
    for mail in full.mails():
        wait_until(lambda: f"fetched by {ANI} from 127.0.0.1" in full.run("trace", mail["id"]), "the fetch")
    run(full, *fetchmail, "--nokeep", "--all")
    assert_taken(full)


@pytest.mark.parametrize("way", FETCH_WAYS)
def test_mpop_fetches_what_is_new_and_deletes_when_told(full, way):
    service = "pop3s" if way == "tls" else "pop3"
    home, kept = maildir(full)
    rc = private_file(full, "mpoprc", (
        f"account office\nhost {full.address}\nport {PORTS[service]}\nuser {ANI}\npassword {PASSWORD}\n"
        f"auth user\ntls {'off' if way == 'clear' else 'on'}\n"
        f"tls_starttls {'on' if way == 'stls' else 'off'}\ntls_certcheck off\n"
        f"delivery maildir {home}/maildir\nuidls_file {home}/uidls\n"))
    run(full, "mpop", "-C", rc, "-q", "--keep=on", "office")
    run(full, "mpop", "-C", rc, "-q", "--keep=on", "office")
    assert_kept([kept.get_bytes(key) for key in kept.keys()])
    run(full, "mpop", "-C", rc, "-q", "--keep=off", "office")
    assert_taken(full)


@pytest.mark.parametrize("way", ["clear", "tls"])
def test_getmail_fetches_what_is_new_and_deletes_when_told(full, way):
    kind = "SimplePOP3SSLRetriever" if way == "tls" else "SimplePOP3Retriever"
    service = "pop3s" if way == "tls" else "pop3"
    home, kept = maildir(full)

    def getmail(delete):
        private_file(full, "getmailrc", (
            f"[retriever]\ntype = {kind}\nserver = {full.address}\nport = {PORTS[service]}\n"
            f"username = {ANI}\npassword = {PASSWORD}\n"
            f"[destination]\ntype = Maildir\npath = {home}/maildir/\n"
            f"[options]\nread_all = false\ndelete = {delete}\ndelivered_to = false\nreceived = false\n"))
        run(full, "getmail", "--getmaildir", home, "--rcfile", "getmailrc")

    getmail("false")
    getmail("false")
    assert_kept([kept.get_bytes(key) for key in kept.keys()])
    getmail("true")
    assert_taken(full)


def test_s_nail_reads_a_mailbox(full):
    url = f"pop3s://{quote(ANI, safe='')}:{PASSWORD}@{full.address}:{PORTS['pop3s']}"
    shown = run(full, "s-nail", "-:/", "-S", "v15-compat=yes", "-S", "tls-verify=ignore", "-S", "pop3-auth=plain",
                "-R", "-f", url, stdin=b"type 1\nexit\n")
    assert b"Subject: surat 1" in shown
    assert b"satu" in shown


# ---- senders

SEND_WAYS = ["clear", "starttls"]


@pytest.mark.parametrize("way", SEND_WAYS)
def test_msmtp_sends(served, way):
    tls = "on" if way == "starttls" else "off"
    run(served, "msmtp", "-C", "/dev/null", f"--host={served.address}", f"--port={PORTS['smtp']}",
        f"--from={OUTSIDE}", "--auth=off", "--set-date-header=off", f"--tls={tls}", "--tls-starttls=on", "--tls-certcheck=off", ANI,
        stdin=with_lf(LETTERS[0]))
    assert_taken(served, LETTERS[0])


@pytest.mark.parametrize("way", [*SEND_WAYS, "pipelined", "lmtp"])
def test_swaks_sends(served, way):
    place = (["--protocol", "LMTP", "--socket", served.lmtp] if way == "lmtp"
             else ["--server", served.address, "--port", PORTS["smtp"]])
    options = {"starttls": ["--tls"], "pipelined": ["--pipeline"]}.get(way, [])
    letter_file = private_file(served, "letter", with_lf(LETTERS[1]).decode())
    run(served, "swaks", *place, *options, "--helo", "laptop", "--from", OUTSIDE, "--to", ANI, "--data",
        f"@{letter_file}")
    (message,) = [without_trace(message) for message in served.fetch()]
    assert message.rstrip() == LETTERS[1].rstrip()  # swaks ends every letter with a line of its own


@pytest.mark.parametrize("way", SEND_WAYS)
def test_s_nail_sends(served, way):
    tls = ["-S", "smtp-use-starttls", "-S", "tls-verify=ignore"] if way == "starttls" else []
    run(served, "s-nail", "-:/", "-S", "v15-compat=yes", "-S", "sendwait",
        "-S", f"mta=smtp://{served.address}:{PORTS['smtp']}", "-S", "smtp-auth=none",
        "-S", "hostname=laptop.example", *tls, "-r", OUTSIDE, "-s", "dari s-nail", ANI, stdin=b"halo\n")
    (message,) = served.fetch()
    assert b"Subject: dari s-nail\r\n" in message
    assert message.endswith(b"\r\n\r\nhalo\r\n")


# ---- libraries

@pytest.mark.parametrize("way", FETCH_WAYS)
def test_poplib_does_all_it_can(full, way):
    if way == "tls":
        pop = poplib.POP3_SSL(full.address, PORTS["pop3s"], context=client_context())
    else:
        pop = poplib.POP3(full.address, PORTS["pop3"])
    if way == "stls":
        assert "STLS" in pop.capa()
        pop.stls(client_context())
    assert "UIDL" in pop.capa() and "STLS" not in pop.capa() or way == "clear"
    pop.user(ANI)
    pop.pass_(PASSWORD)
    count, octets = pop.stat()
    assert count == 2
    assert octets == sum(int(line.split()[1]) for line in pop.list()[1])
    assert pop.uidl(1).split()[2] in pop.uidl()[1][0].split()
    for number, message in enumerate(LETTERS, 1):
        got = b"".join(line + b"\r\n" for line in pop.retr(number)[1])
        assert without_trace(got) == message
        assert len(got) == int(pop.list(number).split()[2])
    assert pop.top(1, 1)[1][-1] == b"satu"
    pop.dele(1)
    pop.dele(2)
    pop.rset()
    pop.noop()
    pop.dele(2)
    pop.quit()
    assert_taken(full, LETTERS[0])


@pytest.mark.parametrize("way", SEND_WAYS)
def test_smtplib_sends_several_letters_to_several_people(served, way):
    with smtplib.SMTP(served.address, PORTS["smtp"]) as smtp:
        smtp.ehlo("laptop.example")
        assert smtp.has_extn("size") and smtp.has_extn("8bitmime") and not smtp.has_extn("auth")
        if way == "starttls":
            smtp.starttls(context=client_context())
        for message in LETTERS:
            refused = smtp.sendmail(OUTSIDE, [ANI, "nobody@kantor.example", "budi@kantor.example"], message)
            assert list(refused) == ["nobody@kantor.example"]
        assert smtp.verify("ani")[0] == 252
    assert_taken(served, *LETTERS)
    assert len(served.fetch("budi")) == 2


NET_POP3 = r"""
use strict; use Net::POP3; use IO::Socket::SSL;
my ($way, $host, $port, $user, $password) = @ARGV;
my %tls = (SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE);
my $pop = Net::POP3->new($host, Port => $port, $way eq 'tls' ? (SSL => 1, %tls) : ()) or die "connect: $@";
$pop->starttls(%tls) or die $pop->message if $way eq 'stls';
my $count = $pop->login($user, $password);
defined $count or die $pop->message;
print "count $count\n";
my $uidl = $pop->uidl; print scalar(keys %$uidl), " uidls\n";
print @{$pop->get(1)};
$pop->delete(2) or die $pop->message;
$pop->quit;
"""

NET_SMTP = r"""
use strict; use Net::SMTP; use IO::Socket::SSL;
my ($way, $host, $port, $from, $to) = @ARGV;
my $smtp = Net::SMTP->new($host, Port => $port, Hello => 'laptop.example') or die "connect: $@";
if ($way eq 'starttls') { $smtp->starttls(SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE) or die $smtp->message; }
$smtp->mail($from) && $smtp->to($to) && $smtp->data && $smtp->datasend(<STDIN>) && $smtp->dataend or die $smtp->message;
$smtp->quit or die $smtp->message;
"""


@pytest.mark.parametrize("way", FETCH_WAYS)
def test_perls_net_pop3_fetches_and_deletes(full, way):
    port = PORTS["pop3s" if way == "tls" else "pop3"]
    got = run(full, "perl", "-e", NET_POP3, way, full.address, port, ANI, PASSWORD)
    head, message = got.split(b"2 uidls\n")
    assert head == b"count 2\n"
    assert with_lf(message).endswith(with_lf(LETTERS[0]))
    assert_taken(full, LETTERS[0])


@pytest.mark.parametrize("way", SEND_WAYS)
def test_perls_net_smtp_sends(served, way):
    run(served, "perl", "-e", NET_SMTP, way, served.address, PORTS["smtp"], OUTSIDE, ANI,
        stdin=with_lf(LETTERS[0]))
    assert_taken(served, LETTERS[0])
