"""The server's life: start, signals, deaths, and what they leave."""

import contextlib
import os
import re
import select
import signal
import socket
import ssl
import threading
import time

import pytest

import certificates
from letters import letter, without_trace
from office import dotted, wait_until
from wire import PATIENCE, WireError

ROLES = ("directory", "writer", "keys", "relay")


def ehlo(office):
    wire = office.connect("smtp")
    wire.line()
    wire.send(b"EHLO laptop\r\n")
    _, texts = wire.reply()
    wire.command("QUIT")
    wire.close()
    return texts


def serves(office):
    """A letter goes in, and out in clear and over TLS."""
    before = len(office.mails("citra@kantor.example"))
    office.deliver(letter(9), "citra@kantor.example")
    for service in ("pop3", "pop3s"):
        wire = office.login("citra", service)
        assert wire.command("STAT").startswith(f"+OK {before + 1} ")
        assert wire.command(f"RETR {before + 1}").startswith("+OK")
        wire.block()
        assert wire.command("QUIT").startswith("+OK")
    return True


def test_sigterm_ends_idle_and_busy_sessions_and_keeps_what_was_acknowledged(served):
    served.deliver(letter(1))
    pop = served.login()
    pop.command("DELE 1")
    smtp = served.connect("smtp")
    smtp.line()
    smtp.send(b"EHLO laptop\r\n")
    smtp.reply()
    for command in (b"MAIL FROM:<>", b"RCPT TO:<ani@kantor.example>", b"DATA"):
        smtp.send(command + b"\r\n")
        smtp.reply()
    smtp.send(b"Subject: half a letter\r\n")
    served.stop()
    served.start()
    assert [without_trace(message) for message in served.fetch()] == [letter(1)]


def test_sigint_ends_it_as_sigterm_does(served):
    served.process.send_signal(signal.SIGINT)
    assert served.ended() == 0


def test_sighup_takes_new_settings_without_ending_sessions(served):
    pop = served.login()
    served.set("smtpd", "max_message", 123456)
    served.hang_up()
    wait_until(lambda: b"SIZE 123456" in ehlo(served), "the new size is announced")
    assert pop.command("NOOP").startswith("+OK")


def test_listeners_of_a_reloaded_file_wait_for_the_next_start_and_it_says_so(served):
    served.set("pop3d", "listen_tls", "")
    served.hang_up()
    served.wait_log("reload-in-part .*listeners")
    served.wait_log("reloaded ")
    assert served.connect("pop3s").line().startswith(b"+OK")


def test_settings_that_come_together_with_a_message_are_taken(served):
    """The writer finds both when it wakes."""
    wire = served.connect("lmtp")
    wire.send(b"LHLO penguji.example\r\nMAIL FROM:<>\r\nRCPT TO:<ani@kantor.example>\r\nDATA\r\n")
    assert [wire.reply()[0] for _ in range(5)] == [220, 250, 250, 250, 354]
    [writer] = served.named("writer")
    os.kill(writer, signal.SIGSTOP)
    wire.send(dotted(letter()))
    served.set("store", "sync", "normal")
    served.hang_up()
    served.wait_log("reloaded")
    os.kill(writer, signal.SIGCONT)
    assert wire.reply()[0] == 250


def test_sighup_with_a_faulty_file_keeps_the_old_settings_and_says_so(served):
    served.allow(r"office\.ini")
    before = ehlo(served)
    served.set("smtpd", "max_message", "a lot")
    line = served.ini.read_text().splitlines().index("max_message = a lot") + 1
    served.hang_up()
    served.wait_log(rf"reload-refused reason=\".*/office\.ini:{line}: \[smtpd\] max_message: ")
    assert ehlo(served) == before


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_is_killed_comes_back_and_serves(served, role):
    served.allow("role-died")
    before = served.named(role)
    os.kill(before[0], signal.SIGKILL)
    served.wait_log(f"role-died role={role}")
    wait_until(lambda: served.named(role) and not set(served.named(role)) & set(before), f"a new {role}")
    assert serves(served)


def test_a_role_that_dies_as_soon_as_it_is_up_is_started_more_and_more_slowly(served):
    served.allow("role-died")
    gaps = []
    for _ in range(7):
        (pid,) = served.named("keys")
        since = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: served.named("keys") not in ([], [pid]), "a new one")
        gaps.append(time.monotonic() - since)
    assert gaps[-1] > 0.3, gaps  # 10 ms, doubled five times at least
    assert serves(served)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_does_not_listen_holds_up_no_master_and_is_replaced(served, role):
    served.allow("role-not-told|role-died")
    frozen, *_ = served.named(role)
    os.kill(frozen, signal.SIGSTOP)
    for n in range(1, 100):
        served.hang_up()
        wait_until(lambda: served.log_text().count("reloaded file=") >= n, "the settings are taken")
        # Another one, that waits for its answer, may be the first to hear no more.
        if f"role-died role={role}" in served.log_text():
            break
    served.wait_log(f"role-died role={role}")
    wait_until(lambda: served.named(role) and frozen not in served.named(role), f"a new {role}")
    assert serves(served)


def test_the_directory_s_helpers_come_back_too(served):
    served.allow("helper|role-died")
    before = served.named("directory")
    for pid in before[1:]:
        with contextlib.suppress(ProcessLookupError):  # the one takes the other along
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: served.can_log_in(), "a login succeeds")


def test_a_login_that_the_directory_cannot_answer_is_temporary(served):
    served.allow("role-died")
    pop = served.connect("pop3")
    pop.line()
    pop.command("USER ani@kantor.example")
    pop.command("PASS salah")  # now the directory has taken the session's channel up
    pop.command("USER ani@kantor.example")
    (pid, *_) = served.named("directory")
    os.kill(pid, signal.SIGKILL)
    served.wait_log("role-died role=directory")
    assert pop.command("PASS rahasia-ani").startswith("-ERR [SYS/TEMP]")
    assert serves(served)


def test_a_letter_that_the_writer_cannot_take_is_temporary(served):
    served.allow("role-died|message-not-filed")
    wire = served.connect("smtp")
    wire.line()
    wire.send(b"EHLO laptop\r\n")
    wire.reply()

    def up_to_data():
        for command in (b"MAIL FROM:<>", b"RCPT TO:<ani@kantor.example>", b"DATA"):
            wire.send(command + b"\r\n")
            wire.reply()

    # The first is taken, so that this writer has the session's channel: one that still
    # waits at the socket is the next writer's.
    up_to_data()
    wire.send(letter(1) + b".\r\n")
    assert wire.reply()[0] == 250
    up_to_data()
    os.kill(served.named("writer")[0], signal.SIGKILL)
    served.wait_log("role-died role=writer")
    wire.send(letter(2) + b".\r\n")
    assert wire.reply()[0] in (421, 451)
    assert len(served.mails()) == 1
    assert serves(served)


def test_no_session_and_no_role_outlives_the_master_and_nothing_is_lost(served):
    served.deliver(letter(1))
    sessions = [served.login(), served.login("budi", "pop3s"), served.connect("smtp")]
    served.kill()
    for wire in sessions:
        wire.pending()
    served.start()
    assert [without_trace(message) for message in served.fetch()] == [letter(1)]


def test_what_was_acknowledged_is_there_after_kill_9_under_load(served):
    acknowledged, lock = set(), threading.Lock()

    def send_until_the_end(sender):
        for number in range(10000):
            mark = f"{sender}-{number}"
            try:
                served.deliver(letter(mark), ["ani@kantor.example", "budi@kantor.example"])
            except (WireError, OSError):
                return
            with lock:
                acknowledged.add(mark)

    for round_number in range(3):
        senders = [threading.Thread(target=send_until_the_end, args=(f"{round_number}{name}",))
                   for name in "abcd"]
        goal = len(acknowledged) + 40
        for thread in senders:
            thread.start()
        wait_until(lambda: len(acknowledged) >= goal, "forty letters taken")
        served.kill()
        for thread in senders:
            thread.join()
        served.start()
    for name in ("ani", "budi"):
        marks = [re.search(rb"Subject: surat (\S+)\r\n", message)[1].decode()
                 for message in served.fetch(name)]
        assert len(marks) == len(set(marks)), "none twice"
        assert acknowledged <= set(marks)
    served.stop()
    served.run("check")


def test_deletions_acknowledged_before_kill_9_do_not_come_back(served):
    for number in range(4):
        served.deliver(letter(number))
    pop = served.login()
    for number in (1, 3):
        pop.command(f"DELE {number}")
    assert pop.command("QUIT").startswith("+OK")
    served.kill()
    served.start()
    assert [without_trace(message) for message in served.fetch()] == [letter(1), letter(3)]


def test_a_second_server_on_the_same_store_is_refused_with_the_pid_of_the_first(served, neighbour):
    neighbour.set("office", "data", served.data)
    neighbour.allow(".")
    status, said = neighbour.fails_to_start()
    assert status == 1
    assert f"is served by process {served.process.pid}:" in said
    assert serves(served)


def test_a_log_that_nobody_takes_holds_nobody_up_and_what_is_lost_is_told(served):
    served.reading.clear()
    for _ in range(60):  # more than a pipe holds
        wire = served.connect("smtp")
        wire.line()
        wire.send(b"EHLO laptop\r\nMAIL FROM:<>\r\n")
        wire.reply(), wire.reply()
        for number in range(15):
            wire.send(f"RCPT TO:<{'nobody' * 9}{number}@kantor.example>\r\n".encode())
            assert wire.reply()[0] == 550
    assert serves(served)
    served.reading.set()
    log = served.process.stderr
    wait_until(lambda: not select.select([log], [], [], 0)[0], "all that is in the pipe is taken")
    wire.send(b"RCPT TO:<nobody@kantor.example>\r\n")
    assert wire.reply()[0] == 550
    served.wait_log("log-lost lines=")


def test_it_tells_systemd_when_it_is_ready_reloading_and_stopping(office, monkeypatch):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.settimeout(PATIENCE)
    listener.bind(str(office.dir / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(office.dir / "notify"))
    office.start()
    assert "READY=1" in listener.recv(4096).decode().split("\n")
    office.hang_up()
    assert "RELOADING=1" in listener.recv(4096).decode().split("\n")
    assert "READY=1" in listener.recv(4096).decode().split("\n")
    office.stop()
    assert "STOPPING=1" in listener.recv(4096).decode().split("\n")
    listener.close()


def shown_certificate(office):
    wire = office.connect("pop3s")
    certificate = wire.sock.getpeercert(binary_form=True)
    wire.line()
    wire.command("QUIT")
    return certificate


def test_a_renewed_certificate_is_noticed_and_a_broken_pair_is_not_taken(office, neighbour):
    """By itself, within the minute in which the files are looked at again."""
    neighbour.allow("cert.pem")
    for place in (office, neighbour):
        certificates.self_signed(place.dir, "rsa")
        certificates.use(place)
        place.start()
    first, kept = shown_certificate(office), shown_certificate(neighbour)
    certificates.self_signed(office.dir, "ec")
    (neighbour.dir / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    wait_until(lambda: shown_certificate(office) != first, "the new certificate is shown", 90)
    wait_until(lambda: any("cert.pem" in line for line in neighbour.lines), "the broken one is told of", 90)
    assert shown_certificate(neighbour) == kept


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_chain_is_shown_whole_and_a_client_that_knows_the_root_trusts_it(office, kind):
    root = certificates.chain(office.dir, kind)
    certificates.use(office)
    office.start()
    wire = office.connect("pop3s", raw=True)
    wire.start_tls(ssl.create_default_context(cafile=root))
    assert wire.line().startswith(b"+OK")


def test_the_self_signed_certificate_is_trusted_by_a_client_that_was_given_it(served):
    wire = served.connect("pop3s", raw=True)
    wire.start_tls(ssl.create_default_context(cafile=served.data / "tls" / "cert.pem"))
    assert wire.line().startswith(b"+OK")
