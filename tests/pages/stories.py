"""What each page needs: what is there before, what its reader types in, what the world does between its
blocks, and what must be so at the end."""

import contextlib
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from box import ADDRESS, PATIENCE, PROVIDER, Box
from milter import CONTINUE, REJECT, Milter, adds, says
from remote import Remote
from world import Certificate

ANI, BUDI = "ani@kantor.example", "budi@kantor.example"


@dataclass
class Story:
    before: object
    after: object
    typed: dict = field(default_factory=dict)  # words of a block: what is typed into it, behind which words of its own
    then: dict = field(default_factory=dict)  # words of a block: what happens behind it


def keep_password(box):
    box.password = re.search(r"password:\s*(\S+)", box.said)[1]


def until(condition, what, wake=None):
    deadline, nudge = time.monotonic() + PATIENCE, time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, f"in vain: {what}"
        if wake and time.monotonic() > nudge:
            nudge += 20
            wake()
        time.sleep(0.1)
    return found


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def mailbox(user, password, context=None, delete=False):
    """The subjects that a mail program finds, by UIDL."""
    pop = poplib.POP3_SSL("mail.kantor.example", 995, timeout=60, context=context or ssl.create_default_context())
    pop.user(user)
    pop.pass_(password)
    found = {}
    for line in pop.uidl()[1]:
        number, uidl = line.decode().split()
        subjects = [text for text in pop.top(int(number), 0)[1] if text.lower().startswith(b"subject:")]
        found[uidl] = subjects[0].split(b":", 1)[1].strip().decode() if subjects else ""
        if delete:
            pop.dele(int(number))
    pop.quit()
    return found


def arrives(subject, to=ANI):
    with smtplib.SMTP(ADDRESS, 25, timeout=60) as smtp:
        smtp.sendmail("pak@luar.example", [to], f"From: pak@luar.example\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nx\r\n".encode())


def send(user, password, to, subject="hello"):
    with smtplib.SMTP_SSL("mail.kantor.example", 465, timeout=60, context=unverified()) as smtp:
        smtp.login(user, password)
        smtp.sendmail(user, [to], f"From: {user}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nx\r\n")


def certificate(box, name, **how):
    place = Path(f"/run/stand-ins/{name}")
    place.mkdir()
    return Certificate(place, [name], box.outside, **how)


def a_provider(box, password):
    """The smarthost of the pages: wants this password, under a certificate that is believed."""
    box.records("smtp.provider.example", A=PROVIDER)
    tls = certificate(box, "smtp.provider.example").context()
    with box.elsewhere():
        return Remote(PROVIDER, 587, auth=("kantor", password), tls=tls)


def elsewhere(box):
    """The server of a domain that mail goes to."""
    box.records("elsewhere.example", MX=[[10, "mx.elsewhere.example"]])
    box.records("mx.elsewhere.example", A=PROVIDER)
    with box.elsewhere():
        return Remote(PROVIDER, 25)


# ---- the first set-up

def a_bare_box(box):
    box.own_name()
    elsewhere(box)


def follow_dns(box):
    box.publish()


def a_mail_program_sends_and_fetches(box):
    assert "hello" in mailbox(ANI, box.password, unverified()).values()
    send(BUDI, "rahasia-budi", ANI, "from Budi")
    assert "from Budi" in mailbox(ANI, box.password, unverified(), delete=True).values()
    assert not mailbox(ANI, box.password, unverified())


# ---- Let's Encrypt

def the_certificate_is_believed(box):
    mailbox(ANI, box.password)


# ---- a smarthost

def before_the_smarthost(box):
    box.installed()
    box.smarthost = a_provider(box, "rahasia-provider")


def mail_has_left(box):
    letters = box.smarthost.wait(1)
    assert letters[0].tls and letters[0].login == "kantor" and letters[0].recipients == ["you@elsewhere.example"]
    assert b"DKIM-Signature:" in letters[0].octets


# ---- backups

def before_the_backups(box):
    box.installed()
    Path("/mnt/backup").mkdir(parents=True)
    box.must("mount", "-t", "tmpfs", "tmpfs", "/mnt/backup")
    Path("/usr/sbin/sendmail").unlink(missing_ok=True)
    arrives("kept")


def the_night_comes(box):
    """cron runs what stands there, as cron reads it."""
    line = Path("/etc/cron.d/officemail").read_text().splitlines()[1]
    box.sh(re.match(r"(?:\S+ ){5}root (.*)", line)[1].replace("\\%", "%"))
    assert list(Path("/mnt/backup/officemail").glob("day-[1-7].db"))


def a_store_is_lost(box):
    """Between the page's two restores: mail that came later goes, the keys go."""
    assert "later" not in mailbox(ANI, box.password, unverified()).values()
    assert "kept" in mailbox(ANI, box.password, unverified()).values()
    shutil.rmtree("/var/lib/officemail/dkim")


def a_replica(box):
    """Litestream's calls, by its source: two tables, a lasting read transaction, the log copied behind a write
    lock, its checkpoints; mail comes in and is fetched all the while."""
    store, here = Path("/var/lib/officemail/store.db"), "/root/replica.db"
    own = sqlite3.connect(store, isolation_level=None, timeout=1)
    reader = sqlite3.connect(store, isolation_level=None, timeout=1)
    own.execute("PRAGMA wal_autocheckpoint = 0")
    own.execute("CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")
    own.execute("CREATE TABLE IF NOT EXISTS _litestream_lock (id INTEGER)")
    for n, mode in enumerate(["PASSIVE", "RESTART", "PASSIVE", "TRUNCATE"] * 3):
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(1) FROM _litestream_seq").fetchall()
        arrives(f"replica {n}")
        own.execute("BEGIN IMMEDIATE")
        own.execute("INSERT INTO _litestream_lock (id) VALUES (1)")
        log = Path(f"{store}-wal").read_bytes()
        assert len(log) > 32
        own.execute("ROLLBACK")
        reader.execute("ROLLBACK")
        assert own.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0] == 0
        own.execute("INSERT INTO _litestream_seq VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET seq = seq + 1")
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(1) FROM _litestream_seq").fetchall()
    own.execute("PRAGMA wal_checkpoint(PASSIVE)")
    shutil.copy(store, here)  # a snapshot, under its lasting read transaction
    shutil.copy(f"{store}-wal", f"{here}-wal")
    reader.execute("ROLLBACK")
    own.close()
    reader.close()
    with contextlib.closing(sqlite3.connect(here)) as copy:
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    box.sh("officemail check")
    found = set(mailbox(ANI, box.password, unverified()).values())
    assert {f"replica {n}" for n in range(12)} <= found
    box.sh(f"systemctl stop officemail && officemail restore {here} && systemctl start officemail && officemail check")
    assert set(mailbox(ANI, box.password, unverified()).values()) == found


# ---- from a provider's mailboxes

def before_the_provider(box):
    """A provider whose POP3 is another office of ours, with mail in two mailboxes."""
    box.installed()
    box.records("pop.provider.example", A=PROVIDER)
    pair = certificate(box, "pop.provider.example")
    Path("/run/stand-ins/units").mkdir()
    hook = Path("/run/stand-ins/units/fetchmail")
    hook.write_text("#!/bin/sh\n[ $1 = disable ] && set -- stop\nexec /etc/init.d/fetchmail $1 </dev/null >>/var/log/stand-ins.log 2>&1\n")
    hook.chmod(0o755)
    place = Path("/var/tmp/provider")
    box.sh(f"officemail init --dir {place} --domain provider.example --user ani@provider.example")
    settings = (place / "office.ini").read_text()
    for section, key, value in (("tls", "certificate", pair.certificate), ("tls", "key", pair.key), ("smtpd", "lmtp", place / "lmtp")):
        settings = re.sub(rf"(?ms)(^\[{section}\].*?^{key} *=)[^\n]*", rf"\1 {value}", settings, count=1)
    (place / "office.ini").write_text(settings)
    run = f"officemail -c {place}/office.ini"
    box.sh(f"{run} user passwd ani@provider.example --password-stdin", "di-sana-ani\n")
    box.sh(f"{run} user add budi@provider.example --password-stdin", "di-sana-budi\n")
    with box.elsewhere():
        subprocess.Popen(["officemail", "-c", place / "office.ini", "serve"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((place / "lmtp").exists, "the provider")
    with smtplib.LMTP(str(place / "lmtp"), timeout=60) as lmtp:
        for name in ("ani", "budi"):
            lmtp.sendmail("pak@luar.example", [f"{name}@provider.example"], f"Subject: for {name}\r\n\r\nx\r\n".encode())
    box.provider = run


def passwords_are_put_in(box):
    settings = Path("/etc/fetchmailrc")
    settings.write_text(settings.read_text().replace("PASSWORD-OF-ANI", "di-sana-ani").replace("PASSWORD-OF-BUDI", "di-sana-budi"))


def fetchmail_has_been_there(box):
    """A look that fails (it does not wait for long) is followed by another in 300 seconds, or when it is woken."""
    def wake():
        os.kill(int(Path("/run/fetchmail/fetchmail.pid").read_text().split()[0]), signal.SIGUSR1)

    for name in ("ani", "budi"):
        until(lambda: "pak@luar.example" in box.sh(f"officemail mail list {name}@kantor.example"), f"what fetchmail brings for {name}", wake)
    if " no keep" in Path("/etc/fetchmailrc").read_text():
        until(lambda: "pak@luar.example" not in box.sh(f"{box.provider} mail list ani@provider.example"), "the provider's mailbox empty", wake)
    else:
        assert "pak@luar.example" in box.sh(f"{box.provider} mail list ani@provider.example")


def nothing_came_twice(box):
    assert box.sh("officemail mail list ani@kantor.example").count("pak@luar.example") == 1


# ---- questions, mail programs

def people(box):
    box.installed()
    box.publish()
    for name in ("budi", "citra"):
        box.sh(f"officemail user add {name}@kantor.example --password-stdin", f"rahasia-{name}\n")
    box.sh("officemail rule add ani@kantor.example Subject gratis Junk")
    arrives("one")
    arrives("gratis")
    assert "one" in mailbox(ANI, box.password, unverified(), delete=True).values()
    arrives("again", BUDI)


# ---- from other servers

OLD_HASHES = {"ani": "$6$", "budi": "$2b$", "citra": "$5$"}


def maildir(place, subjects, uidlist=True):
    """As Dovecot leaves one: its UIDs, and the UIDLs that follow from them by %08Xu%08Xv."""
    (place / "cur").mkdir(parents=True)
    (place / "new").mkdir()
    (place / "tmp").mkdir()
    names = [f"17900000{n:02}.M1P1.old" for n in range(len(subjects))]
    for name, subject in zip(names, subjects):
        (place / "cur" / f"{name}:2,S").write_text(f"From: pak@luar.example\nSubject: {subject}\n\nx\n")
    if uidlist:
        (place / "dovecot-uidlist").write_text("3 V1700000000 N99 G00\n" + "".join(
            f"{n + 7} :{name}\n" for n, name in enumerate(names)))


def before_dovecot(box):
    box.installed()
    lines = []
    for name, kind in OLD_HASHES.items():
        hashed = box.sh(f"""python3 -W ignore -c 'import crypt; print(crypt.crypt("lama-{name}", crypt.mksalt(crypt.METHOD_{
            dict(zip(OLD_HASHES.values(), ("SHA512", "BLOWFISH", "SHA256")))[kind]})))'""").strip()
        assert hashed.startswith(kind)
        scheme = {"$6$": "SHA512-CRYPT", "$2b$": "BLF-CRYPT", "$5$": "CRYPT"}[kind]
        lines.append(f"{name}@kantor.example:{{{scheme}}}{hashed}:5000:5000::/var/vmail/kantor.example/{name}::\n")
        maildir(Path(f"/root/vmail/kantor.example/{name}/Maildir"), [f"{name} one", f"{name} two"])
    maildir(Path("/root/vmail/kantor.example/ani/Maildir/.Proyek"), ["in a folder"])
    Path("/root/users").write_text("# by hand\n" + "".join(lines))


def all_came_along(box):
    for name in OLD_HASHES:
        found = mailbox(f"{name}@kantor.example", f"lama-{name}", unverified())
        assert found == {"000000076553f100": f"{name} one", "000000086553f100": f"{name} two"}, found
    assert list(mailbox("ani+Proyek@kantor.example", "lama-ani", unverified()).values()) == ["in a folder"]
    arrives("from the branch", "budi@cabang.example")
    assert "from the branch" in mailbox(BUDI, "lama-budi", unverified()).values()


def before_hmailserver(box):
    box.installed()
    maildir(Path("/root/hmail/budi"), ["budi one"], uidlist=False)
    maildir(Path("/root/hmail/budi/.Proyek"), ["in a folder"], uidlist=False)
    for n in range(3):
        place = Path(f"/root/Data/kantor.example/citra/{n}A")
        place.mkdir(parents=True)
        (place / f"{{{n}AB0-17}}.eml").write_bytes(f"From: pak@luar.example\r\nSubject: citra {n}\r\n\r\nx\r\n".encode())


def they_read_on(box):
    passwords = dict(line.split() for line in Path("/root/passwords").read_text().splitlines())
    assert list(mailbox(BUDI, passwords[BUDI], unverified()).values()) == ["budi one"]
    assert sorted(mailbox("citra@kantor.example", passwords["citra@kantor.example"], unverified()).values()) == [
        "citra 0", "citra 1", "citra 2"]


# ---- filters

class FilterOfDebian(Milter):
    """Where the package listens, and what it says to the words that all such programs know. Started by its unit."""

    def __init__(self, name, place, judge):
        self.where = place
        super().__init__(path=place if isinstance(place, Path) else None, E=judge)
        hook = Path(f"/run/stand-ins/units/{name}")
        hook.write_text("#!/bin/sh\n")
        hook.chmod(0o755)

    def start(self):
        if not self.path:
            self.claim.release()
            self.listener = socket.create_server(self.where, backlog=128)
            threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        else:
            super().start()


def rspamd(talk):
    message = talk.messages[-1]
    if b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL" in message.body:
        return says("554 5.7.1 Gtube pattern")
    junk = ("Subject", "gratis") in message.headers
    return (adds("X-Spam", "Yes") if junk else b"") + CONTINUE


def clamav(talk):
    return REJECT if b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE" in talk.messages[-1].body else CONTINUE


def before_filters(box):
    box.installed()
    Path("/run/stand-ins/units").mkdir()
    Path("/etc/rspamd/local.d").mkdir(parents=True)
    Path("/etc/clamav").mkdir(exist_ok=True)
    Path("/run/clamav").mkdir()
    Path("/etc/clamav/clamav-milter.conf").write_text("MilterSocket /var/run/clamav/clamav-milter.ctl\nOnInfected Quarantine\n")
    for name in ("redis-server", "clamav-daemon", "clamav-freshclam"):
        hook = Path(f"/run/stand-ins/units/{name}")
        hook.write_text("#!/bin/sh\n")
        hook.chmod(0o755)
    box.filters = [FilterOfDebian("rspamd", ("127.0.0.1", 11332), rspamd),
                   FilterOfDebian("clamav-milter", Path("/run/clamav/clamav-milter.ctl"), clamav)]


def something_doubtful_comes(box):
    arrives("gratis")


def junk_was_brought_back(box):
    assert "OnInfected Reject" in Path("/etc/clamav/clamav-milter.conf").read_text()
    assert "gratis" in mailbox(ANI, box.password, unverified()).values()
    box.filters[0].stop()
    arrives("unfiltered")
    assert "unfiltered" in mailbox(ANI, box.password, unverified()).values()


# ---- the README

def a_clone(box):
    a_bare_box(box)
    box.sh("cd /root && git clone ./officemail")
    box.cwd = "/root/officemail"
    Path("/usr/sbin/sendmail").unlink(missing_ok=True)


def nobody_has_it_twice(box):
    box.sh("systemctl reload officemail && officemail check")
    assert box.sh("officemail mail list ani@kantor.example").count("\n") == 2


STORIES = {
    "raspberry-pi.md": Story(
        a_bare_box, a_mail_program_sends_and_fetches,
        typed={"user add budi@": [("New password: ", "rahasia-budi\n"), ("The same again: ", "rahasia-budi\n")]},
        then={"officemail init": keep_password, "officemail dns": follow_dns},
    ),
    "lets-encrypt.md": Story(Box.installed, the_certificate_is_believed,
                             typed={"cat >/etc/letsencrypt/dns.ini": [("", "dns_rfc2136_server = 127.0.0.53\n\x04")]}),
    "smarthost.md": Story(before_the_smarthost, mail_has_left,
                          typed={"cat >/etc/officemail/smarthost": [("", "rahasia-provider\n\x04")]}),
    "backups.md": Story(before_the_backups, a_replica,
                        then={"/etc/cron.d/officemail": the_night_comes, "rm -r /var/tmp/drill": lambda box: arrives("later"),
                              "officemail queue list": a_store_is_lost}),
    "from-a-provider.md": Story(before_the_provider, nothing_came_twice,
                                then={"cat >/etc/fetchmailrc": passwords_are_put_in, "restart fetchmail": fetchmail_has_been_there}),
    "mail-programs.md": Story(people, lambda box: send(BUDI, "rahasia-budi", ANI)),
    "questions.md": Story(people, lambda box: None),
    "from-dovecot.md": Story(before_dovecot, all_came_along),
    "from-hmailserver.md": Story(before_hmailserver, they_read_on),
    "filters.md": Story(before_filters, junk_was_brought_back, then={"EICAR": something_doubtful_comes}),
    "README.md": Story(a_clone, nobody_has_it_twice),
}
