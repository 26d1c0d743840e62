"""What can be wrong with certificate and keys, the box and the data directory."""

import os
import subprocess

import certificates
from mistakes import AS_ROOT, DAY, SHIM, at_time, change_store, mistake
from office import HOSTNAME, asan


# ---- certificate and keys

def signed(office, order=("leaf", "middle")):
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


# ---- the box

def disguised(office, **as_what):
    office.environment = {"LD_PRELOAD": str(SHIM), **as_what, **asan(office)}




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
