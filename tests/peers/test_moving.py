"""Moving from Dovecot, and to it: clients that leave mail on the server have fetched all of it from the one, and
find nothing new on the other. Both are at one address, as when a server is replaced."""

import poplib
import shutil

import pytest

from dovecot import Dovecot
from letters import letter, stored_form
from office import PASSWORDS, PORTS
from test_clients import ANI, PASSWORD, home_of, maildir, private_file, run
from unpacked import IS_ROOT

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="Dovecot starts for root alone")

LETTERS = [letter(n, f"isi {n}\r\n.\r\n..\r\nFrom sini\r\n\r\n") for n in range(20)] + [
    letter(20, ("x" * 900 + "\r\n") * 3000), letter(21, "y\r\n" * 100_000),
    b"X-UIDL: of!another~server\r\nSubject: moved before\r\n\r\n", b"Subject: no body\r\n\r\n"]
NEW = letter(99, "yang baru")


def put(place, letters, first=0):
    """As deliveries by another program leave them."""
    for part in ("cur", "new", "tmp"):
        (place / part).mkdir(parents=True, exist_ok=True)
    for n, octets in enumerate(letters, first):
        (place / "new" / f"{1_790_000_000 + n}.M{n}P1.peer").write_bytes(octets.replace(b"\r\n", b"\n"))


def everything(office):
    """All messages there: their UIDLs and octets, in order."""
    pop3 = poplib.POP3(office.address, PORTS["pop3"], timeout=30)
    pop3.user(ANI)
    pop3.pass_(PASSWORD)
    uidls = [line.split()[1] for line in pop3.uidl()[1]]
    octets = [b"\r\n".join(pop3.retr(n + 1)[1]) + b"\r\n" for n in range(len(uidls))]
    sizes = [int(line.split()[1]) for line in pop3.list()[1]]
    pop3.quit()
    assert sizes == [len(text) for text in octets]
    return list(zip(uidls, octets))


class Mpop:
    def __init__(self, office):
        self.office = office
        home, self.kept = maildir(office)
        self.rc = private_file(office, "mpoprc", (
            f"account office\nhost {office.address}\nport {PORTS['pop3']}\nuser {ANI}\npassword {PASSWORD}\n"
            f"auth user\ntls off\ntls_starttls off\ndelivery maildir {home}/maildir\nuidls_file {home}/uidls\n"))

    def fetch(self):
        before = len(self.kept)
        run(self.office, "mpop", "-C", self.rc, "-q", "--keep=on", "office")
        return len(self.kept) - before


class Getmail:
    def __init__(self, office):
        self.office = office
        self.home, self.kept = maildir(office)
        private_file(office, "getmailrc", (
            f"[retriever]\ntype = SimplePOP3Retriever\nserver = {office.address}\nport = {PORTS['pop3']}\n"
            f"username = {ANI}\npassword = {PASSWORD}\n[destination]\ntype = Maildir\npath = {self.home}/maildir/\n"
            "[options]\nread_all = false\ndelete = false\n"))

    def fetch(self):
        before = len(self.kept)
        run(self.office, "getmail", "--getmaildir", self.home, "--rcfile", "getmailrc")
        return len(self.kept) - before


class Fetchmail:
    def __init__(self, office):
        self.office = office
        self.rc = private_file(office, "fetchmailrc", (
            f"poll {office.address} protocol POP3 port {PORTS['pop3']} uidl\n"
            f'  user "{ANI}" password "{PASSWORD}" sslproto \'\' mda "echo >> {home_of(office)}/count && cat > /dev/null"\n'))

    def fetch(self):
        count = home_of(self.office) / "count"
        before = count.stat().st_size if count.exists() else 0
        # 1: there was nothing new.
        fetchmail = 'fetchmail -f "$0" --nosyslog -i fetchids --keep || [ $? = 1 ]'
        run(self.office, "sh", "-c", fetchmail, self.rc)
        return (count.stat().st_size if count.exists() else 0) - before


@pytest.fixture(params=[Mpop, Getmail, Fetchmail])
def client(office, request):
    return request.param(office)


def dovecot(office, settings=""):
    return Dovecot(office.address, PORTS["pop3"], PASSWORDS["ani"], settings)


WAYS = {
    "default": ("", ()),
    "saved": ("pop3_save_uidl = yes\n", ()),
    "saved-other": ("pop3_save_uidl = yes\npop3_uidl_format = %v.%u\n", ()),
    "file": ("pop3_uidl_format = %f\n", ("--uidl-format", "%f")),
    "guid": ("pop3_uidl_format = %g\n", ("--uidl-format", "%g")),
    "upper": ("pop3_uidl_format = %08XUu-%08XUv\n", ("--uidl-format", "%08XUu-%08XUv")),
    "reused": ("pop3_reuse_xuidl = yes\n", ("--reuse-xuidl",)),
    "decimal": ("pop3_uidl_format = UID%u-%v\n", ("--uidl-format", "UID%u-%v")),
}


@pytest.mark.parametrize("settings, options", WAYS.values(), ids=WAYS)
def test_what_dovecot_served_is_served_under_the_same_names(office, tmp_path, settings, options):
    with dovecot(office, settings) as peer:
        put(peer.maildir, LETTERS)
        peer.own()
        before = everything(office)
        put(peer.maildir, [NEW], len(LETTERS))  # nobody has fetched it
        peer.own()
        shutil.copytree(peer.maildir, tmp_path / "Maildir")
    office.run("mail", "import", ANI, tmp_path / "Maildir", *options)
    office.start()
    after = everything(office)
    assert after[:-1] == before and after[-1][1] == NEW
    assert [octets for _, octets in before] == [stored_form(octets) for octets in LETTERS]


def test_a_client_that_leaves_mail_on_the_server_finds_nothing_new(office, client, tmp_path):
    with dovecot(office) as peer:
        put(peer.maildir, LETTERS)
        peer.own()
        assert client.fetch() == len(LETTERS)
        assert client.fetch() == 0
        shutil.copytree(peer.maildir, tmp_path / "Maildir")
    office.run("mail", "import", ANI, tmp_path / "Maildir")
    office.start()
    assert client.fetch() == 0
    office.deliver(NEW)
    assert client.fetch() == 1


@pytest.mark.parametrize("crlf", [(), ("--crlf",)], ids=["lf", "crlf"])
def test_the_way_to_dovecot_is_open(office, client, tmp_path, crlf):
    office.start()
    for text in LETTERS[:5] + LETTERS[-3:]:
        office.deliver(text)
    assert client.fetch() == 8
    before = everything(office)
    office.run("mail", "export", ANI, tmp_path / "Maildir", "--format", "maildir", *crlf)
    office.stop()
    with dovecot(office) as peer:
        peer.take(tmp_path / "Maildir")
        assert everything(office) == before
        assert client.fetch() == 0
        put(peer.maildir, [NEW])
        peer.own()
        assert client.fetch() == 1
