"""Certificates as an office has them, made with openssl."""

import os
import subprocess

from office import HOSTNAME

ALGORITHMS = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def request(folder, name, kind, subject, *options):
    openssl("req", "-newkey", *ALGORITHMS[kind], "-nodes", "-keyout", folder / f"{name}.key", "-out",
            folder / f"{name}.pem", "-subj", f"/CN={subject}", *options)
    (folder / f"{name}.key").chmod(0o600)


def put_in_place(folder, certificate, key):
    """Renames both to where office.ini looks, as a renewal does."""
    os.rename(certificate, folder / "cert.pem")
    os.rename(key, folder / "key.pem")


def self_signed(folder, kind):
    """cert.pem and key.pem in `folder`, new each time."""
    request(folder, "new", kind, HOSTNAME, "-x509", "-days", "30", "-addext",
            f"subjectAltName=DNS:{HOSTNAME}")
    put_in_place(folder, folder / "new.pem", folder / "new.key")


def chain(folder, kind):
    """The same, signed by an authority below a root; returns the root's certificate."""
    request(folder, "root", kind, "root", "-x509", "-days", "30")
    signer = "root"
    for name, subject, extension in (
        ("middle", "authority", "basicConstraints=critical,CA:TRUE"),
        ("leaf", HOSTNAME, f"subjectAltName=DNS:{HOSTNAME}"),
    ):
        request(folder, name, kind, subject)
        (folder / "extension").write_text(extension + "\n")
        openssl("x509", "-req", "-in", folder / f"{name}.pem", "-CA", folder / f"{signer}.pem", "-CAkey",
                folder / f"{signer}.key", "-CAcreateserial", "-days", "20", "-extfile", folder / "extension",
                "-out", folder / f"{name}.signed")
        os.rename(folder / f"{name}.signed", folder / f"{name}.pem")
        signer = name
    both = (folder / "leaf.pem").read_text() + (folder / "middle.pem").read_text()
    (folder / "both.pem").write_text(both)
    put_in_place(folder, folder / "both.pem", folder / "leaf.key")
    return folder / "root.pem"


def use(office):
    """Makes the office serve DIR/cert.pem with DIR/key.pem."""
    for name in ("cert.pem", "key.pem"):
        office.give_to_account(office.dir / name)
    office.set("tls", "certificate", office.dir / "cert.pem")
    office.set("tls", "key", office.dir / "key.pem")
