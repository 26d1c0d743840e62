"""`officemail sendmail`, and the programs that call it by the name of sendmail."""

import os
import pwd
import sqlite3
import subprocess
import sys

import pytest

ACCOUNT = pwd.getpwuid(os.geteuid()).pw_name
HOSTNAME = "mail.kantor.example"
USAGE, DATAERR, NOUSER, TEMPFAIL, NOPERM = 64, 65, 67, 75, 77


@pytest.fixture
def sendmail(served):
    """Calls it by its name, with a message; returns (exit status, what it said)."""
    served.link = served.dir / "sendmail"
    served.link.symlink_to(served.binary)
    served.environment = {"OFFICEMAIL_CONFIG": str(served.ini)}

    def call(*arguments, message=b"Subject: satu\n\nhalo\n", **popen):
        message = message.encode() if isinstance(message, str) else message
        done = subprocess.run([str(served.link), *arguments], input=message, capture_output=True, timeout=60,
                              env={**os.environ, **served.environment}, **popen)
        assert done.stdout == b""
        return done.returncode, done.stderr.decode()
    return call


def header_of(message):
    """The fields behind our trace lines."""
    return message.split(b"\r\n\r\n")[0].decode().split("\r\n")


def test_a_message_goes_to_who_is_named(served, sendmail):
    assert sendmail("ani@kantor.example", "Budi <budi@kantor.example>, citra") == (0, "")
    for name in ("ani", "budi", "citra"):
        (message,) = served.fetch(name)
        fields = header_of(message)
        assert fields[0] == f"Return-Path: <{ACCOUNT}@{HOSTNAME}>"
        assert f"From: <{ACCOUNT}@{HOSTNAME}>" in fields
        assert any(field.startswith("Date: ") for field in fields)
        assert any(field.startswith("Message-ID: <") for field in fields)
        assert message.endswith(b"\r\n\r\nhalo\r\n")


def test_as_a_command_with_c(served):
    result = served.command("sendmail", "-i", "budi", stdin="Subject: x\n\n.\nhalo\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert served.fetch("budi")[0].endswith(b"\r\n\r\n.\r\nhalo\r\n")


def test_t_takes_recipients_from_the_header_and_tells_nobody_of_the_hidden(served, sendmail):
    message = (b"To: Ani (Kantor) <ani@kantor.example>,\n undisclosed-recipients:;\nCC: \"B, udi\" <budi@kantor.example>\n"
               b"Bcc: citra\nSubject: x\n\nTo: siapa@luar.example\n")
    assert sendmail("-t", message=message) == (0, "")
    for name in ("ani", "budi", "citra"):
        (got,) = served.fetch(name, delete=True)
        assert b"citra" not in got.lower().split(b"subject: x")[1] and b"\r\nBcc:" not in got
    assert sendmail("-t", "citra", message=b"To: ani@kantor.example\n\nx\n") == (0, "")
    assert [len(served.fetch(name)) for name in ("ani", "budi", "citra")] == [1, 0, 1]


@pytest.mark.parametrize("message, reason", [
    (b"Subject: x\n\nTo: ani@kantor.example\n", "names no recipient"), (b"", "names no recipient"),
    (b"To: undisclosed-recipients:;\n\nx\n", "names no recipient"), (b"To: ani <ani@kantor.example\n\nx\n", "field To holds")])
def test_a_header_without_good_recipients_is_65(served, sendmail, message, reason):
    status, told = sendmail("-t", message=message)
    assert status == DATAERR and reason in told
    assert served.fetch("ani") == []


@pytest.mark.parametrize("given, stored", [
    (b"halo\n", b"\r\n\r\nhalo\r\n"), (b"halo: dunia\nsemua\n", b"halo: dunia\r\n\r\nsemua\r\n".replace(b"halo", b"\r\nhalo", 1)[2:]),
    (b"", b"\r\n\r\n"), (b"From ani Mon Nov 23\nSubject: x\n\ny\n", b"\r\n\r\ny\r\n"),
    (b"A: b\r\n\r\nc\r\n.\r\nd\r\n", b"\r\n\r\nc\r\n"), (b"A: b\n\nsatu\n..\n.dua\n", b"\r\n\r\nsatu\r\n..\r\n.dua\r\n")])
def test_what_comes_becomes_a_message(served, sendmail, given, stored):
    assert sendmail("ani", message=given) == (0, "")
    (message,) = served.fetch("ani")
    assert message.split(b"\r\n\r\n", 1)[1] == stored.split(b"\r\n\r\n", 1)[1]
    assert b"From ani" not in message


@pytest.mark.parametrize("options", [["-i"], ["-oi"], ["-oem", "-i"]])
def test_a_dot_alone_is_text_where_it_is_told(served, sendmail, options):
    assert sendmail(*options, "ani", message=b"A: b\n\nsatu\n.\ndua\n") == (0, "")
    assert served.fetch("ani")[0].endswith(b"\r\n\r\nsatu\r\n.\r\ndua\r\n")


def test_f_is_the_sender_and_the_author_and_f_big_the_name(served, sendmail):
    assert sendmail("-f", "web@kantor.example", "-F", 'Toko "Kita"', "ani") == (0, "")
    assert sendmail("-fweb", "-F", "Tokō " * 20, "ani") == (0, "")
    assert sendmail("-r", "<>", "ani", message=b"From: Web <web@cabang.example>\n\nx\n") == (0, "")
    first, second, third = map(header_of, served.fetch("ani"))
    assert first[0] == "Return-Path: <web@kantor.example>"
    assert r'From: "Toko \"Kita\"" <web@kantor.example>' in first
    assert second[0] == "Return-Path: <web@kantor.example>"
    words = [field for field in second if "=?UTF-8?B?" in field]
    assert len(words) == 3 and all(len(field) < 78 for field in words)
    assert " <web@kantor.example>" in second
    assert sendmail("-f", "<>", "budi") == (0, "")
    assert f"From: <{ACCOUNT}@{HOSTNAME}>" in header_of(served.fetch("budi")[0])
    assert third[0] == "Return-Path: <>" and "From: Web <web@cabang.example>" in third


@pytest.mark.parametrize("arguments, message, status, reason", [
    (["tidakada"], None, NOUSER, "550 5.1.1"), (["-f", "pak@luar.example", "ani"], None, NOPERM, "550 5.7.1"),
    (["ani"], b"From: pak@luar.example\n\nx\n", NOPERM, "550 5.7.1"), (["ani"], b"From: a@kantor.example\nFrom: b@kantor.example\n\n", DATAERR, "550 5.6.0"),
    (["ani"], b"A: b\n\nc\0d\n", DATAERR, "550 5.6.0"), (["ani@"], None, NOUSER, "501 5.1.3"),
    ([], None, USAGE, "no recipient"), (["-bs"], None, USAGE, "-bs"), (["-bp"], None, USAGE, "-bp"), (["-Z", "ani"], None, USAGE, "-Z"),
    (["-N", "often", "ani"], None, USAGE, "often"), (["<ani"], None, USAGE, "<ani"), (["-f", "a <", "ani"], None, USAGE, "a <"),
    (["-f"], None, USAGE, "-f")])
def test_each_failure_has_its_status_and_its_reason(served, sendmail, arguments, message, status, reason):
    got, told = sendmail(*arguments, message=message or b"x\n")
    assert (got, reason in told) == (status, True), told
    assert ("usage: " in told) == (status == USAGE)
    assert served.fetch("ani") == []


@pytest.mark.parametrize("options", [
    ["-oem", "-odb", "-om"], ["-B", "8BITMIME"], ["-B8BITMIME", "-em"], ["-v", "-U", "-n", "-G", "-m"], ["-O", "DeliveryMode=b"], ["-bm"],
    ["-N", "failure,delay", "-R", "hdrs", "-V", "a b"], ["-N", "never", "-RFULL"], ["-h", "5"], ["-L", "tag"], ["-A", "c"], ["--"]])
def test_options_of_other_sendmails_do_no_harm(served, sendmail, options):
    assert sendmail(*options, "ani") == (0, "")
    assert len(served.fetch("ani")) == 1


def test_some_have_it_and_the_others_are_told_of(served, sendmail):
    status, told = sendmail("tidakada", "ani", "bukan@kantor.example")
    assert status == NOUSER
    assert told.splitlines() == ["officemail: tidakada: 550 5.1.1 Nobody here has this address",
                                 "officemail: bukan@kantor.example: 550 5.1.1 Nobody here has this address"]
    assert len(served.fetch("ani")) == 1


def test_where_one_may_be_tried_again_all_are(served, sendmail):
    served.run("user", "quota", "budi@kantor.example", "1")
    served.deliver(b"Subject: x\r\n\r\nx\r\n", "budi@kantor.example")
    status, told = sendmail("tidakada", "budi", "ani")
    assert status == TEMPFAIL
    assert "budi: 452 4.2.2" in told and "tidakada: 550 5.1.1" in told


def test_mail_for_accounts_of_the_box_goes_to_who_looks_after_it(served, sendmail):
    """Postmaster is ani; nobody of the office is called so."""
    assert sendmail("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root",
                    message=f"From: {ACCOUNT} (Cron Daemon)\nTo: root\nSubject: Cron\n\nkeluaran\n") == (0, "")
    (message,) = served.fetch("ani", delete=True)
    assert f"From: {ACCOUNT}@kantor.example (Cron Daemon)" in header_of(message)
    served.run("alias", "add", "root@kantor.example", "budi@kantor.example")
    assert sendmail("root") == (0, "")
    assert [len(served.fetch(name)) for name in ("ani", "budi")] == [0, 1]


def test_mail_for_the_world_leaves_with_what_was_asked_for(served, sendmail):
    """It waits before a smarthost that is never there."""
    served.set("relay", "smarthost", f"{served.address}:9")
    served.set("relay", "tls", "none")
    served.restart()
    assert sendmail("-t", "-N", "success,failure", "-R", "hdrs", "-V", "a b+c", "-f", "toko@kantor.example",
                    message=b"To: Pak <pak@luar.example>\nBcc: bu@luar.example\nSubject: x\n\nx\n") == (0, "")
    status, told = sendmail("pak@luar")
    assert status == NOUSER and told.startswith("officemail: pak@luar: 550 5.1.2 ")
    with sqlite3.connect(f"file:{served.data}/store.db?mode=ro", uri=True) as store:
        assert store.execute("SELECT address, notify, sender, who, envid, ret FROM recipients"
                             " JOIN outgoing ON outgoing.id = outgoing_id ORDER BY recipients.id").fetchall() == [
            (address, 2 | 4, "toko@kantor.example", f"login {ACCOUNT}", "a+20b+2Bc", 1)
            for address in ("pak@luar.example", "bu@luar.example")]


def test_server_down_is_75(office):
    result = office.command("sendmail", "ani", stdin="x\n")
    assert result.returncode == TEMPFAIL
    assert f"no server listens at {office.dir}/run/submit" in result.stderr.decode()
    office.start()
    office.kill()
    assert office.command("sendmail", "ani", stdin="x\n").returncode == TEMPFAIL


def test_a_server_that_is_busy_or_has_no_room_is_75(office):
    office.set("limits", "connections", 8)
    office.start()
    held = [office.connect("local")]
    held[0].reply()
    result = office.command("sendmail", "ani", stdin="x\n")
    assert result.returncode == TEMPFAIL and b"421 4.3.2" in result.stderr
    held[0].close()


def test_beside_no_office_ini_it_is_that_of_etc(served):
    """The current directory says nothing of where a message goes."""
    environment = {key: value for key, value in os.environ.items() if key != "OFFICEMAIL_CONFIG"}
    done = subprocess.run([served.binary, "sendmail", "ani"], input=b"x\n", capture_output=True, cwd=served.dir,
                          env=environment, timeout=60)
    if not os.path.exists("/run/officemail/submit"):
        assert done.returncode == TEMPFAIL
        assert b"/run/officemail/submit" in done.stderr


def test_more_recipients_than_a_message_may_have_are_all_served(office):
    office.set("smtpd", "max_recipients", 2)
    office.start()
    names = [f"citra+{n}@kantor.example" for n in range(3)]
    result = office.command("sendmail", "ani", "budi", *names, stdin="x\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert [len(office.fetch(name)) for name in ("ani", "budi")] == [1, 1]
    assert len(office.fetch("citra")) in (2, 3)


def test_a_long_message_arrives_whole_in_flat_memory(served, sendmail, tmp_path):
    lines = b"".join(b"%08d %s\n" % (n, b"x" * 90) for n in range(300000))
    program = ("import resource, subprocess, sys; "
               "code = subprocess.run(sys.argv[1:], stdin=open(%r)).returncode; "
               "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)" % str(tmp_path / "message"))
    (tmp_path / "message").write_bytes(b"To: budi\nSubject: panjang\n\n" + lines)
    done = subprocess.run([sys.executable, "-c", program, str(served.link), "-t"], capture_output=True, text=True,
                          env={**os.environ, **served.environment}, timeout=120)
    status, most = map(int, done.stdout.split())
    assert status == 0, done.stderr
    assert most < 20000 or served.sanitized
    (message,) = served.fetch("budi")
    assert message.split(b"\r\n\r\n", 1)[1] == lines.replace(b"\n", b"\r\n")


def test_too_long_a_message_is_refused_before_it_is_sent(office):
    office.set("smtpd", "max_message", "1M")
    office.start()
    result = office.command("sendmail", "ani", stdin="x" * 70 + "\n" + "y\n" * 1000000)
    assert result.returncode == DATAERR
    assert b"1048576" in result.stderr


def test_who_pipes_slowly_holds_no_connection(served, sendmail):
    """A job of cron's may write for hours."""
    piping = subprocess.Popen([str(served.link), "ani"], stdin=subprocess.PIPE,
                              env={**os.environ, **served.environment})
    piping.stdin.write(b"Subject: x\n\nmula")
    piping.stdin.flush()
    assert served.command("status").returncode == 0
    assert served.named("local") == []
    piping.communicate(b"i\n", timeout=60)
    assert piping.returncode == 0
    assert served.fetch("ani")[0].endswith(b"\r\n\r\nmulai\r\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another account")
def test_every_account_may_send_and_is_who_it_is(served, sendmail):
    served.ini.chmod(0o600)
    assert sendmail("ani", user="nobody", group="nogroup", extra_groups=[]) == (0, "")
    assert sendmail("-f", f"root@{HOSTNAME}", "ani", user="nobody", group="nogroup", extra_groups=[])[0] == NOPERM
    (message,) = served.fetch("ani")
    assert f"From: <nobody@{HOSTNAME}>" in header_of(message)
    served.wait_log("service=local .*from=unix:nobody")


# ---- the programs that call it


def run(served, *command, stdin=b"", **environment):
    done = subprocess.run([str(word) for word in command], input=stdin, capture_output=True, timeout=60, cwd=served.dir,
                          env={**os.environ, **served.environment, "HOME": str(served.dir), **environment})
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


def test_s_nail(served, sendmail):
    run(served, "s-nail", "-:/", "-Smta=" + str(served.link), "-Sv15-compat", "-s", "dari s-nail", "-r", "web@kantor.example",
        "ani@kantor.example", stdin=b"halo\n.\n")
    (message,) = served.fetch("ani")
    assert b"\r\nSubject: dari s-nail\r\n" in message and message.startswith(b"Return-Path: <web@kantor.example>\r\n")


def test_mutt(served, sendmail):
    run(served, "mutt", "-n", "-F", "/dev/null", "-e", f"set sendmail='{served.link} -oem -oi'", "-e", "set copy=no",
        "-e", "set from=web@kantor.example use_envelope_from=yes", "-s", "dari mutt", "-b", "citra@kantor.example",
        "--", "ani@kantor.example", stdin=b"halo\n.\nlagi\n")
    for name in ("ani", "citra"):
        (message,) = served.fetch(name)
        assert message.startswith(b"Return-Path: <web@kantor.example>\r\n")
        assert message.endswith(b"\r\n\r\nhalo\r\n.\r\nlagi\r\n")


def test_php(served, sendmail):
    """mail() of every web application; its sendmail_path as php.ini has it by default."""
    run(served, "php", "-d", f"sendmail_path={served.link} -t -i", "-r",
        "exit(mail('Ani <ani@kantor.example>', 'dari PHP', \"halo\\n.\\nlagi\\n\","
        " ['From' => 'Toko <toko@kantor.example>', 'Cc' => 'budi@kantor.example'], '-ftoko@kantor.example') ? 0 : 1);")
    for name in ("ani", "budi"):
        (message,) = served.fetch(name)
        assert message.startswith(b"Return-Path: <toko@kantor.example>\r\n")
        assert b"halo\r\n.\r\nlagi\r\n" in message


def test_python_s_way(served, sendmail):
    from email.message import EmailMessage
    letter = EmailMessage()
    letter["To"], letter["Subject"], letter["From"] = "ani@kantor.example", "dari Python é", "toko@kantor.example"
    letter.set_content("halo\n.\nlagi\n")
    assert sendmail("-t", "-oi", message=letter.as_bytes()) == (0, "")
    (message,) = served.fetch("ani")
    assert message.endswith(b"halo\r\n.\r\nlagi\r\n")
