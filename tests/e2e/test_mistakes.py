"""`check`, mistake by mistake: each is made, and its sentence seen, with the mend. A row of
the table is a mistake; what only some boxes can be made to suffer (a file system in memory, a
plain user's rights) says so by `needs`."""

import os
import socket
import sqlite3
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

import certificates
from letters import letter
from office import HOSTNAME, PORTS

AS_ROOT = os.geteuid() == 0
SHIM = Path(__file__).resolve().parents[2] / "build/tests/shims/disguise.so"
CLOCK = SHIM.with_name("clock.so")
DAY = 86400

# What a box may be warned of that has nothing to do with the office.
OF_THE_BOX = ("the clock is set by nobody", "lies in memory (tmpfs)", "are left on the disk", "built without its seal",
              "megabytes of memory", "lies on FUSE")

Mistake = namedtuple("Mistake", "make words warns needs", defaults=(False, True))
TABLE = {}


def mistake(*words, warns=False, needs=True):
    """Registers what makes a mistake; `words` are in one line that check says, in this order."""
    def register(make):
        assert make.__name__ not in TABLE
        TABLE[make.__name__] = Mistake(make, words, warns, needs)
        return make
    return register


def lines_of(office):
    result = office.command("check")
    return result.returncode, (result.stdout + result.stderr).decode().splitlines()


def has_in_order(line, words):
    at = 0
    for word in words:
        at = line.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True


# ---- office.ini

def change(office, old, new):
    text = office.ini.read_text()
    assert old in text
    office.ini.write_text(text.replace(old, new, 1))


@mistake("office.ini:", "unknown section", "[smtp]")
def a_section_that_is_none(office):
    change(office, "[smtpd]", "[smtp]")


@mistake("office.ini:", '[smtpd] has no key "lisen"', "[smtpd] listen may be meant")
def a_key_that_is_misspelt(office):
    change(office, "[smtpd]\nlisten", "[smtpd]\nlisen")


@mistake("office.ini:", '[smtpd] has no key "per_hour"', "[submission] per_hour may be meant")
def a_key_in_the_wrong_section(office):
    change(office, "[smtpd]\n", "[smtpd]\nper_hour = 10\n")


@mistake("office.ini:", "stands on line", "already")
def a_key_that_stands_twice(office):
    change(office, "hostname =", "hostname = mail.lain.example\nhostname =")


@mistake("office.ini:", "[store] reserve", '"64 MB" is not a size')
def a_value_that_is_none(office):
    office.set("store", "reserve", "64 MB")


@mistake("office.ini:", "[office] hostname is missing")
def a_line_that_is_missing(office):
    change(office, f"hostname = {HOSTNAME}\n", "")


@mistake("office.ini:", "[office] domains", "an empty value")
def no_domain(office):
    office.set("office", "domains", "")


@mistake("office.ini:", "[office] postmaster", "in none of the domains")
def a_postmaster_elsewhere(office):
    office.set("office", "postmaster", "ani@lain.example")


@mistake("office.ini:", "without its key")
def a_certificate_without_its_key(office):
    office.set("tls", "certificate", office.ini)


@mistake("office.ini:", "nowhere.pem is not there")
def a_file_that_is_not_there(office):
    office.set("tls", "certificate", "/nowhere.pem")
    office.set("tls", "key", office.ini)


@mistake("can be written by every account", "chmod o-w")
def settings_that_everybody_can_write(office):
    office.ini.chmod(0o666)


# ---- names

@mistake("office.ini:2: [office] hostname: localhost", "give the one that the world knows")
def a_host_called_localhost(office):
    office.set("office", "hostname", "localhost")


@mistake("[office] hostname: surat is no full name", "give it with its domain")
def a_host_without_a_domain(office):
    office.set("office", "hostname", "surat")


@mistake("[office] hostname: surat.local is known in this house alone", warns=True)
def a_host_of_the_house_alone(office):
    office.set("office", "hostname", "surat.local")
    (office.data / "tls/cert.pem").unlink()
    (office.data / "tls/key.pem").unlink()
    office.start()
    office.stop()


@mistake("[office] domains: kantor has no dot")
def a_domain_without_a_dot(office):
    office.set("office", "domains", "kantor.example cabang.example kantor")


@mistake("[office] domains: mail.lain.example is the name of a host", "ani@lain.example", warns=True)
def a_host_among_the_domains(office):
    office.set("office", "domains", "kantor.example cabang.example mail.lain.example")
    office.run("alias", "add", "@mail.lain.example", "@kantor.example")


@mistake("[office] domains: cabang.example stands there twice", warns=True)
def a_domain_twice(office):
    office.set("office", "domains", "kantor.example cabang.example cabang.example")


@mistake("[office] domains: nobody has an address at kantro.example", warns=True)
def a_domain_that_is_misspelt(office):
    office.set("office", "domains", "kantor.example cabang.example kantro.example")


# ---- ports

@mistake("in use by", f"(process {os.getpid()})", f"systemctl status {os.getpid()}")
def a_port_that_another_holds(office):
    office.held = socket.create_server((office.address, PORTS["pop3"]))


@mistake("127.9.9.9:2525 is taken by [smtpd] listen already")
def a_port_that_stands_twice(office):
    office.set("smtpd", "listen", "127.9.9.9:2525")
    office.set("submission", "listen", "127.9.9.9:2525")


@mistake("192.0.2.7:2525: this box has no such address")
def an_address_that_is_not_ours(office):
    office.set("smtpd", "listen", "192.0.2.7:2525")


@mistake(":25 may not be opened by this account", needs=not AS_ROOT)
def a_port_for_root_alone(office):
    office.set("smtpd", "listen", f"{office.address}:25")


@mistake("nothing listens anywhere")
def no_port_at_all(office):
    for section, key in (("smtpd", "listen"), ("smtpd", "lmtp"), ("submission", "listen"), ("submission", "listen_tls"),
                         ("pop3d", "listen"), ("pop3d", "listen_tls")):
        office.set(section, key, "")


@mistake("nobody can fetch mail", warns=True)
def no_port_for_fetching(office):
    office.set("pop3d", "listen", "")
    office.set("pop3d", "listen_tls", "")


@mistake("[smtpd] lmtp: the directory /nowhere is not there", "mkdir /nowhere")
def a_socket_in_no_directory(office):
    office.set("smtpd", "lmtp", "/nowhere/lmtp")


@mistake("[smtpd] lmtp:", "is there and no socket", "take it away")
def a_file_in_the_place_of_a_socket(office):
    office.lmtp.unlink(missing_ok=True)
    office.lmtp.write_text("")


@mistake("[smtpd] lmtp: 0.0.0.0:", "LMTP asks for no password", warns=True)
def mail_without_a_password_from_the_network(office):
    office.set("smtpd", "lmtp", f"0.0.0.0:{free_port()}")


def free_port():
    with socket.create_server(("", 0)) as sock:
        return sock.getsockname()[1]


@mistake("others may write in", "run", "chmod 755")
def a_directory_of_the_socket_for_all(office):
    (office.dir / "run").mkdir(exist_ok=True)
    (office.dir / "run").chmod(0o777)


@mistake("programs of this box cannot send", "no-sendmail")
def a_server_without_its_socket(office):
    office.start()
    (office.dir / "run" / "submit").unlink()


# ---- who may come in

@mistake("[pop3d] require_tls: passwords cross the network", warns=True)
def passwords_in_clear(office):
    office.set("pop3d", "listen", f"0.0.0.0:{free_port()}")


@mistake("[smtpd] listen: other servers bring mail to port 25", warns=True)
def another_port_for_the_world(office):
    office.set("smtpd", "listen", f"0.0.0.0:{free_port()}")


@mistake("[smtpd] trusted: all of 93.0.0.0/8 may send", "name the devices' own")
def a_network_of_strangers(office):
    office.set("smtpd", "trusted", "192.168.1.0/24 93.0.0.0/8")


@mistake("[limits] auth_failures: 0 lets strangers try passwords", warns=True)
def guesses_without_end(office):
    office.set("limits", "auth_failures", 0)


@mistake("[submission] per_hour: 0 lets whoever", warns=True)
def mail_without_end(office):
    office.set("submission", "per_hour", 0)


@mistake("[office] user: root must not serve strangers", needs=AS_ROOT)
def root_as_the_account(office):
    office.set("office", "user", "root")


@mistake("[office] user: there is no account", "adduser", needs=AS_ROOT)
def an_account_that_is_not_there(office):
    office.set("office", "user", "no-such-account")


@mistake("[limits] connections: 999999999 connections take as many open files", "LimitNOFILE")
def more_connections_than_files(office):
    office.set("limits", "connections", 999999999)


# ---- certificate and keys

def signed(office, *, days=20, order=("leaf", "middle"), subject=HOSTNAME):
    """A certificate of an authority below a root."""
    certificates.chain(office.dir, "ec")
    folder = office.dir
    files = {"leaf": folder / "leaf.pem", "middle": folder / "middle.pem", "root": folder / "root.pem"}
    (folder / "cert.pem").write_text("".join(files[name].read_text() for name in order))
    certificates.use(office)


def own(office, *options):
    """A self-signed one, made with these."""
    certificates.request(office.dir, "new", "ec", HOSTNAME)
    certificates.openssl("x509", "-req", "-in", office.dir / "new.pem", "-signkey", office.dir / "new.key", "-out",
                         office.dir / "new.crt", *options)
    certificates.put_in_place(office.dir, office.dir / "new.crt", office.dir / "new.key")
    certificates.use(office)


@mistake("cert.pem expired at 20", "certbot renew")
def a_certificate_that_has_expired(office):
    own(office, "-days", "-1")


@mistake("cert.pem expires in", "days", "certbot renew", warns=True)
def a_certificate_that_expires_soon(office):
    own(office, "-days", "5")


@mistake("cert.pem is not valid before 20")
def a_certificate_of_tomorrow(office):
    at_time(office, -400 * DAY)


@mistake("cert.pem does not name pos.kantor.example", "mend [office] hostname")
def a_certificate_of_another_host(office):
    office.set("office", "hostname", "pos.kantor.example")


@mistake("cert.pem holds the server's certificate alone", "fullchain.pem")
def a_chain_that_is_missing(office):
    signed(office, order=("leaf", ))


@mistake("cert.pem is in the wrong order", f"the certificate of {HOSTNAME} must stand first")
def a_chain_that_begins_with_its_end(office):
    signed(office, order=("middle", "leaf"))


@mistake("cert.pem:", "in disorder", "behind it each one that signed")
def a_chain_in_disorder(office):
    signed(office, order=("leaf", "root", "middle"))


@mistake("cert.pem leads to no authority that this box knows", warns=True)
def a_chain_of_an_own_authority(office):
    signed(office)


@mistake("cert.pem: no certificate in it")
def a_certificate_that_is_none(office):
    (office.data / "tls/cert.pem").write_text("nothing\n")


@mistake("key.pem is not the key of", "cert.pem", "put the two that belong together")
def a_key_of_another_certificate(office):
    certificates.self_signed(office.dir, "ec")
    key = (office.dir / "key.pem").read_bytes()
    certificates.self_signed(office.dir, "ec")
    (office.dir / "key.pem").write_bytes(key)
    certificates.use(office)


@mistake("key.pem can be read by every account", "chmod o=")
def a_key_that_everybody_can_read(office):
    (office.data / "tls/key.pem").chmod(0o644)


@mistake("key.pem:", "locked with a passphrase", "openssl pkey")
def a_key_behind_a_passphrase(office):
    certificates.self_signed(office.dir, "ec")
    certificates.openssl("pkey", "-in", office.dir / "key.pem", "-aes256", "-passout", "pass:rahasia", "-out",
                         office.dir / "key.locked")
    os.rename(office.dir / "key.locked", office.dir / "key.pem")
    certificates.use(office)


@mistake("key.pem: No such file")
def a_key_that_is_missing(office):
    (office.data / "tls/key.pem").unlink()


@mistake("office.pem: No such file", "officemail dns")
def a_signing_key_that_is_missing(office):
    (office.data / "dkim/office.pem").unlink()


@mistake("office.pem is open to other accounts", "chmod 600")
def a_signing_key_that_others_can_read(office):
    (office.data / "dkim/office.pem").chmod(0o644)


@mistake("office.pem cannot sign mail, which takes RSA")
def a_signing_key_of_another_kind(office):
    key = office.data / "dkim/office.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True)
    office.give_to_account(key)


# ---- the filter

@mistake("[filter] milter: the mail filter at inet:127.0.0.1:1 cannot be asked (Connection refused), and mail is put off",
         "start it, or mend the address")
def a_filter_that_does_not_run(office):
    office.set("filter", "milter", "inet:127.0.0.1:1")


@mistake("the mail filter at unix:/nowhere/milter.sock cannot be asked (No such file", "mail is taken unfiltered")
def a_filter_whose_socket_is_not_there(office):
    office.set("filter", "milter", "unix:/nowhere/milter.sock")
    office.set("filter", "on_failure", "accept")


# ---- the smarthost

def smarthost(office, text="rahasia\n", mode=0o600):
    password = office.dir / "password"
    password.write_text(text)
    password.chmod(mode)
    office.set("relay", "smarthost", "relay.example:587")
    office.set("relay", "user", "kantor")
    office.set("relay", "password_file", password)


@mistake("can be read by other accounts", "chmod 600")
def a_password_that_others_can_read(office):
    smarthost(office, mode=0o640)


@mistake("password", "nothing in its first line")
def a_password_that_is_empty(office):
    smarthost(office, "\n")


@mistake("[relay] user without password_file")
def a_login_without_a_password(office):
    smarthost(office)
    office.set("relay", "password_file", "")


@mistake("[relay] password_file: the password is not used without [relay] user", warns=True)
def a_password_without_a_login(office):
    smarthost(office)
    office.set("relay", "user", "")


@mistake("[relay] tls: the password goes to relay.example:587 as everybody", warns=True)
def a_password_without_TLS(office):
    smarthost(office)
    office.set("relay", "tls", "none")


@mistake("[relay] user: the login is for a smarthost, and none is named", warns=True)
def a_login_without_a_smarthost(office):
    smarthost(office)
    office.set("relay", "smarthost", "")


@mistake(f"[relay] smarthost: {HOSTNAME}:25 is this server itself")
def a_smarthost_that_is_ourselves(office):
    office.set("relay", "smarthost", f"{HOSTNAME}:25")


# ---- the box

def disguised(office, **as_what):
    office.environment = {"LD_PRELOAD": str(SHIM), **as_what, **asan(office)}


def asan(office):
    return {"ASAN_OPTIONS": "verify_asan_link_order=0"} if office.sanitized else {}


def at_time(office, seconds):
    """From now on the clock is wrong by so many."""
    offset = office.dir / "offset"
    offset.write_bytes(seconds.to_bytes(8, "little", signed=True))
    offset.chmod(0o644)
    office.environment = {"LD_PRELOAD": str(CLOCK), "CLOCK_OFFSET": str(offset), **asan(office)}


@mistake("the clock says 20", "timedatectl set-ntp true", "go wrong")
def a_clock_that_has_stopped(office):
    at_time(office, -20 * 365 * DAY)


@mistake("the clock says 20", "and the store has seen 20", warns=True)
def a_clock_behind_the_store(office):
    change_store(office, "UPDATE meta SET value = unixepoch() + 864000 WHERE name = 'latest_time'")


@mistake("lies on NFS", "name a directory on a disk of this box")
def a_disk_of_another_box(office):
    disguised(office, DISGUISE_MAGIC="6969")


@mistake("lies on FAT", "no owner and no mode")
def a_disk_that_knows_no_owner(office):
    disguised(office, DISGUISE_MAGIC="4d44")


@mistake("lies in memory (tmpfs)", warns=True)
def a_disk_that_is_none(office):
    disguised(office, DISGUISE_MAGIC="1021994")


@mistake("is read-only", "mount -o remount,rw")
def a_disk_that_takes_nothing(office):
    disguised(office, DISGUISE_FLAGS="1")


@mistake("no room for one more file")
def a_disk_without_inodes(office):
    disguised(office, DISGUISE_INODES="0")


@mistake("[store] reserve: 97.7 TB are to stay free", "no mail is ever taken")
def a_reserve_that_no_disk_has(office):
    office.set("store", "reserve", "99999G")


@mistake("less than [store] reserve is free", "make it bigger")
def a_disk_that_is_too_full(office):
    told = os.statvfs(office.data)
    office.set("store", "reserve", f"{(told.f_bavail * told.f_frsize >> 30) + 1}G")


@mistake("runs a program that has been replaced", "systemctl restart officemail", warns=True, needs=AS_ROOT)
def a_program_of_before_an_upgrade(office):
    office.shipped = office.dir / "officemail"
    office.shipped.write_bytes(office.workshop.binary.read_bytes())
    office.shipped.chmod(0o755)
    office.start()
    upgraded = office.dir / "upgraded"
    upgraded.write_bytes(office.workshop.binary.read_bytes())
    upgraded.chmod(0o755)
    upgraded.rename(office.shipped)


# ---- the data directory

@mistake("[office] data:", "No such file", "officemail init")
def a_data_directory_that_is_not_there(office):
    office.data.rename(office.dir / "elsewhere")


@mistake("[office] data:", "is no directory (a link will not do)")
def a_data_directory_that_is_a_link(office):
    office.data.rename(office.dir / "elsewhere")
    office.data.symlink_to(office.dir / "elsewhere")


@mistake("is open to other accounts", "chmod 700")
def a_data_directory_for_all(office):
    office.data.chmod(0o750)


@mistake("belongs to another account", "chown -R", needs=AS_ROOT)
def a_data_directory_of_another_account(office):
    os.chown(office.data, 0, 0)


@mistake("cannot be reached", "may not pass", "chmod o+x", needs=AS_ROOT)
def a_data_directory_behind_a_closed_one(office):
    closed = office.dir / "closed"
    closed.mkdir(mode=0o700)
    os.rename(office.data, closed / "data")
    office.set("office", "data", closed / "data")


@mistake("store.db can be read or written by others", "chmod 0600")
def a_store_that_others_can_read(office):
    (office.data / "store.db").chmod(0o644)


@mistake("store.db belongs to account 0", "chown", needs=AS_ROOT)
def a_store_of_another_account(office):
    os.chown(office.data / "store.db", 0, 0)


@mistake("store.db does not exist", "officemail init")
def a_store_that_is_not_there(office):
    for path in office.data.glob("store.db*"):
        path.unlink()


@mistake("store.db", "not a database")
def a_store_that_is_something_else(office):
    (office.data / "store.db").write_bytes(b"Kepada Yth. Ani\n" * 1000)


@mistake("written by a newer officemail", "install that one")
def a_store_of_a_newer_program(office):
    change_store(office, "PRAGMA user_version = 99")


@mistake("data/run is open to others or not a directory of ours", "take it away")
def a_directory_of_the_roles_for_all(office):
    (office.data / "run").mkdir(exist_ok=True)
    (office.data / "run").chmod(0o755)


@mistake("restoring takes", "a restore that did not end", "rm -r", warns=True)
def what_a_restore_has_left(office):
    (office.data / "restoring").mkdir()


@mistake("store.db.replaced-20260101T000000Z takes", "the store of before a restore", warns=True)
def a_store_that_was_replaced(office):
    (office.data / "store.db.replaced-20260101T000000Z").write_bytes(bytes(100000))


@mistake("store.db.version-1 takes", "the store of before an upgrade", warns=True)
def a_store_of_before(office):
    (office.data / "store.db.version-1").write_bytes(bytes(100000))


# ---- what is stored

def change_store(office, *statements):
    """As a hand that knows SQL, and bypasses all that would keep it from this."""
    with sqlite3.connect(office.data / "store.db") as store:
        store.execute("PRAGMA foreign_keys = off")
        store.create_function("octets_checksum", 1, lambda octets: 0)
        for statement in statements:
            store.execute(statement)
    store.close()
    for path in office.data.glob("store.db*"):
        office.give_to_account(path)


def with_mail(office):
    office.start()
    office.deliver(letter(1))
    office.stop()


@mistake("message", "its octets are not what was written", "officemail mail remove ani@kantor.example")
def a_message_that_is_damaged(office):
    with_mail(office)
    change_store(office, "UPDATE pieces SET octets = CAST(x'00' || substr(octets, 2) AS BLOB)")


@mistake("message", "octets of it are missing", "restore it from a backup")
def a_message_that_is_cut(office):
    with_mail(office)
    change_store(office, "DELETE FROM pieces")


@mistake("message", "it has lost its octets")
def a_message_without_a_body(office):
    with_mail(office)
    change_store(office, "UPDATE bodies SET refs = 0", "DELETE FROM bodies")


@mistake("octets of no message", "they only take room")
def octets_of_no_message(office):
    change_store(office, "INSERT INTO pieces (id, checksum, octets) VALUES (77 << 20, 0, x'00')")


@mistake("folder Inbox: counts", "the quota is judged by the wrong ones")
def counters_that_are_off(office):
    change_store(office, "UPDATE folders SET messages = messages + 1 WHERE name = 'Inbox'")


@mistake("body", "counts 2 messages, belongs to 1")
def a_body_that_counts_wrong(office):
    with_mail(office)
    change_store(office, "UPDATE bodies SET refs = 2")


@mistake("has no folder Junk", "officemail folder add")
def a_user_without_a_folder(office):
    change_store(office, "DELETE FROM folders WHERE name = 'Junk'")


@mistake("belongs to nothing in users")
def a_folder_of_nobody(office):
    change_store(office, "UPDATE folders SET user_id = 4711 WHERE name = 'Proyek'")


# ---- people

@mistake("there are no users", "officemail user add")
def no_users(office):
    for user in office.json("user", "list"):
        office.run("user", "remove", user["address"], "--yes")


@mistake("there are no users, and the office listens to the world")
def no_users_and_an_open_port(office):
    no_users(office)
    office.set("smtpd", "listen", f"0.0.0.0:{free_port()}")


@mistake("user tuti@lama.example: the domain is not among [office] domains")
def a_user_of_another_domain(office):
    office.set("office", "domains", "kantor.example cabang.example lama.example")
    office.run("user", "add", "tuti@lama.example", "--generate")
    office.set("office", "domains", "kantor.example cabang.example")


@mistake("alias info@lama.example: the domain is not among [office] domains")
def an_alias_of_another_domain(office):
    office.set("office", "domains", "kantor.example cabang.example lama.example")
    office.run("alias", "add", "info@lama.example", "ani@kantor.example")
    office.set("office", "domains", "kantor.example cabang.example")


@mistake("alias hantu@kantor.example leads to tiada@kantor.example, where nobody is", "officemail alias remove")
def an_alias_to_nowhere(office):
    change_store(office, "INSERT INTO aliases VALUES ('hantu@kantor.example', 'tiada@kantor.example')")


@mistake("alias satu@kantor.example leads to dua@kantor.example, and from there in circles")
def aliases_in_circles(office):
    change_store(office, "INSERT INTO aliases VALUES ('satu@kantor.example', 'dua@kantor.example'),"
                 " ('dua@kantor.example', 'satu@kantor.example')")


@mistake("[office] postmaster: hantu@kantor.example is nobody here", "officemail user add")
def a_postmaster_who_is_nobody(office):
    office.set("office", "postmaster", "hantu@kantor.example")


@mistake("[office] postmaster: ani@kantor.example cannot log in", "officemail user enable", warns=True)
def a_postmaster_who_cannot_log_in(office):
    office.run("user", "disable", "ani@kantor.example")


@mistake("the mailbox of ani@kantor.example is full", "officemail user quota")
def a_mailbox_that_is_full(office):
    with_mail(office)
    office.run("user", "quota", "ani@kantor.example", "100")


@mistake("the mailbox of ani@kantor.example is nearly full", warns=True)
def a_mailbox_that_is_nearly_full(office):
    with_mail(office)
    used = next(user for user in office.json("user", "list") if user["address"] == "ani@kantor.example")["used"]
    office.run("user", "quota", "ani@kantor.example", str(used * 100 // 95))


@mistake("there has never been a backup", "officemail backup FILE", warns=True)
def no_backup(office):
    change_store(office, "UPDATE users SET created = created - 864000")


@mistake("the last backup is 10 days old", warns=True)
def an_old_backup(office):
    change_store(office, "INSERT INTO meta VALUES ('last_backup', unixepoch() - 864000)")


OF_NOTHING = 0x2D06800538D394C2  # XXH3 of no octets
OUTGOING = ("INSERT INTO bodies (id, arrived, queue_id) VALUES (99, 0, 'Q1')",
            "INSERT INTO outgoing (id, body_id, size, kind, user_id, who, sender, queue_id, queued, checksum, prefix)"
            f" VALUES (1, 99, 0, 'sent', 0, '', '', 'Q1', unixepoch() - 20000, {OF_NOTHING}, x'')")


@mistake("mail for 1 recipient is held", "queue retry ID", warns=True)
def mail_that_is_held(office):
    change_store(office, *OUTGOING, "INSERT INTO recipients (outgoing_id, address, domain, state, next_try)"
                 " VALUES (1, 'a@luar.example', 'luar.example', 'held', 0)")


@mistake("mail for 1 recipient waits to leave, the oldest since", "officemail queue list", warns=True)
def mail_that_waits_for_long(office):
    change_store(office, *OUTGOING, "INSERT INTO recipients (outgoing_id, address, domain, next_try)"
                 " VALUES (1, 'a@luar.example', 'luar.example', 0)")


@mistake("outgoing message Q1 of <>: nobody waits for it", "officemail queue remove Q1")
def mail_for_nobody(office):
    change_store(office, *OUTGOING)


# ---- each of them


def test_there_are_thirty_at_least():
    assert len([row for row in TABLE.values() if not row.warns]) >= 30
    assert len(TABLE) > 80


@pytest.mark.parametrize("name", TABLE)
def test_check_explains(office, name):
    row = TABLE[name]
    if not row.needs:
        pytest.skip("not as this account")
    row.make(office)
    status, lines = lines_of(office)
    said = [line for line in lines if has_in_order(line, row.words)]
    assert said, f"{row.words} is not in:\n" + "\n".join(lines)
    assert all(line.startswith("warning: ") == row.warns for line in said), lines
    others = [line for line in lines if line not in said and not any(word in line for word in OF_THE_BOX)]
    if row.warns:
        assert status == 0 and others == [f"{office.ini}: nothing is wrong"], lines
    else:
        assert status == 1 and lines[-1].startswith(("officemail: ", str(office.ini))), lines
    if hasattr(office, "held"):
        office.held.close()
