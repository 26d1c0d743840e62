"""What can be wrong with office.ini, and with what its words lead to."""

import os
import socket

from mistakes import AS_ROOT, free_port, mistake
from office import HOSTNAME, PORTS


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
