"""A real Thunderbird in a profile of its own, on a display of its own.

The profile is made for its errand: accounts as the wizard would leave them, no
updates, no telemetry, and all but 127.0.0.0/8 behind a proxy that is not there.
"""

import base64
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from marionette import Marionette

START_TIMEOUT = 60  # seconds, on a box with other things to do
NEVER = 2**31 - 1

SOCKET_TYPE = {"starttls": 2, "tls": 3}

PREFERENCES = {
    # Marionette on a port of its choice, which it writes into the profile.
    "marionette.port": 0,
    # Nothing leaves the box: a proxy that refuses for all but ourselves.
    "network.proxy.type": 1,
    "network.proxy.socks": "127.0.0.1",
    "network.proxy.socks_port": 9,
    "network.proxy.socks_remote_dns": True,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.0/8",
    "network.manage-offline-status": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "offline.autoDetect": False,
    # No first run, no news, no reports.
    "mail.spotlight.firstRunDone": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.winsearch.firstRunDone": True,
    "mail.chat.enabled": False,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "mail.inappnotifications.enabled": False,
    "app.donation.eoy.version.viewed": NEVER,
    "app.update.enabled": False,
    "app.update.auto": False,
    "app.normandy.enabled": False,
    "extensions.update.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.blocklist.enabled": False,
    "services.settings.server": "data:,",
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "datareporting.healthreport.uploadEnabled": False,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "data:,",
    "toolkit.startup.max_resumed_crashes": -1,
    "calendar.integration.notify": False,
    "security.OCSP.enabled": 0,
    # Mail is fetched when the test says so, and plainly: no junk training, no
    # compacting question, no sound.
    "mail.biff.show_alert": False,
    "mail.biff.play_sound": False,
    "mail.prompt_purge_threshhold": False,
    "mail.server.default.check_new_mail": False,
    "mail.server.default.login_at_startup": False,
    "mailnews.database.global.indexer.enabled": False,
    # Local Folders, as every profile has them.
    "mail.account.account1.server": "server1",
    "mail.server.server1.type": "none",
    "mail.server.server1.hostname": "Local Folders",
    "mail.server.server1.name": "Local Folders",
    "mail.server.server1.userName": "nobody",
    "mail.server.server1.directory-rel": "[ProfD]Mail/Local Folders",
    "mail.accountmanager.localfoldersserver": "server1",
}


class Account:
    """A POP3 account that leaves mail on the server; `security` is tls or starttls.
    It sends through port `outgoing` of the same host, secured the same way."""
    def __init__(self, address, password, host, port, security, outgoing=None):
        self.address, self.password = address, password
        self.host, self.port, self.security, self.outgoing = host, port, security, outgoing


def account_preferences(number, account):
    name, server, identity = f"account{number}", f"server{number}", f"id{number}"
    return {
        f"mail.account.{name}.server": server,
        f"mail.account.{name}.identities": identity,
        f"mail.identity.{identity}.fullName": account.address.partition("@")[0].title(),
        f"mail.identity.{identity}.useremail": account.address,
        f"mail.identity.{identity}.valid": True,
        f"mail.server.{server}.type": "pop3",
        f"mail.server.{server}.name": account.address,
        f"mail.server.{server}.hostname": account.host,
        f"mail.server.{server}.port": account.port,
        f"mail.server.{server}.userName": account.address,
        f"mail.server.{server}.socketType": SOCKET_TYPE[account.security],
        f"mail.server.{server}.authMethod": 3,  # normal password
        f"mail.server.{server}.leave_on_server": True,
        f"mail.server.{server}.delete_by_age_from_server": False,
        f"mail.server.{server}.delete_mail_left_on_server": True,
        f"mail.server.{server}.download_on_biff": False,
        f"mail.server.{server}.login_at_startup": False,
        f"mail.server.{server}.check_new_mail": False,
        f"mail.server.{server}.directory-rel": f"[ProfD]Mail/pop{number}",
    } | (outgoing_preferences(number, account) if account.outgoing else {})


def outgoing_preferences(number, account):
    server = f"smtp{number}"
    return {
        f"mail.identity.id{number}.smtpServer": server,
        f"mail.smtpserver.{server}.type": "smtp",
        f"mail.smtpserver.{server}.hostname": account.host,
        f"mail.smtpserver.{server}.port": account.outgoing,
        f"mail.smtpserver.{server}.username": account.address,
        f"mail.smtpserver.{server}.try_ssl": SOCKET_TYPE[account.security],
        f"mail.smtpserver.{server}.authMethod": 3,  # normal password
    }


def preference_line(name, value):
    text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    if text is None:
        text = str(value) if isinstance(value, int) else '"%s"' % value
    return f'user_pref("{name}", {text});\n'


def certificate_of(account):
    """The certificate that the account's server shows, as DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((account.host, account.port), timeout=START_TIMEOUT) as plain:
        if account.security == "starttls":
            stream = plain.makefile("rb")
            assert stream.readline().startswith(b"+OK")
            plain.sendall(b"STLS\r\n")
            assert stream.readline().startswith(b"+OK")
        with context.wrap_socket(plain) as secure:
            return secure.getpeercert(binary_form=True)


class Thunderbird:
    """Started by `with`; gone, with its display and profile, behind it."""
    def __init__(self, accounts, log_path):
        self.accounts = accounts
        self.log_path = log_path
        self.processes = []
        self.marionette = None
        self.home = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        self.home = Path(tempfile.mkdtemp(prefix="thunderbird-"))
        self.profile = self.home / "profile"
        self.profile.mkdir()
        numbered = list(enumerate(self.accounts, start=2))
        preferences = dict(PREFERENCES)
        for number, account in numbered:
            preferences.update(account_preferences(number, account))
        names = ",".join(f"account{number}" for number, _ in numbered)
        preferences["mail.accountmanager.accounts"] = names + ",account1"
        preferences["mail.accountmanager.defaultaccount"] = "account2"
        preferences["mail.smtpservers"] = ",".join(f"smtp{number}" for number, account in numbered if account.outgoing)
        with open(self.profile / "user.js", "w", encoding="utf-8") as file:
            file.writelines(preference_line(*item) for item in preferences.items())

        display = self._start_display()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home),
            "DISPLAY": display,
            "LANG": "C.UTF-8",
            "MOZ_CRASHREPORTER_DISABLE": "1",
            "MOZ_DISABLE_CONTENT_SANDBOX": "1",  # a container has no user namespaces
            "NO_AT_BRIDGE": "1",
        }
        with open(self.log_path, "wb") as log:
            program = self._spawn([
                "thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile",
                str(self.profile)
            ],
                                  env=environment,
                                  stdout=log,
                                  stderr=log)
        self.marionette = Marionette(self._marionette_port(program), START_TIMEOUT)
        self._await_window()
        for account in self.accounts:
            self._remember_password(account, "mailbox")
            certificate = certificate_of(account)
            self._trust(account.host, account.port, certificate)
            if account.outgoing:
                self._remember_password(account, "smtp")
                self._trust(account.host, account.outgoing, certificate)

    def _spawn(self, command, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def _start_display(self):
        """Xvfb on a free display number, which it writes once it serves."""
        reader, writer = os.pipe()
        self._spawn(["Xvfb", "-displayfd",
                     str(writer), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
                    pass_fds=[writer],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader, "rb") as told:
            ready, _, _ = select.select([told], [], [], START_TIMEOUT)
            number = told.readline().strip() if ready else b""
        assert number, "Xvfb did not start"
        return ":" + number.decode()

    def _marionette_port(self, program):
        path = self.profile / "MarionetteActivePort"
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            text = path.read_text() if path.exists() else ""
            if text.strip():
                return int(text)
            assert program.poll() is None, f"thunderbird ended with {program.returncode}"
            time.sleep(0.05)  # between two looks; the deadline decides
        raise AssertionError("thunderbird did not open its Marionette port")

    def _await_window(self):
        """Until the three panes stand and the accounts are known."""
        self.run("""
            await wait("no main window", () => {
              const main = Services.wm.getMostRecentWindow("mail:3pane");
              return main?.document.readyState == "complete" &&
                main.document.getElementById("tabmail")?.currentAbout3Pane?.folderTree?.rowCount > 0;
            });
            """)

    def _remember_password(self, account, scheme):
        self.run(
            """
            const [origin, user, password] = args;
            const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
            login.init(origin, null, origin, user, password, "", "");
            await Services.logins.addLoginAsync(login);
            """, f"{scheme}://{account.host}", account.address, account.password)

    def _trust(self, host, port, der):
        """What a person does with "Confirm Security Exception"."""
        self.run(
            """
            const [host, port, der] = args;
            const db = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
            const overrides = Cc["@mozilla.org/security/certoverride;1"]
              .getService(Ci.nsICertOverrideService);
            overrides.rememberValidityOverride(
              host, port, {}, db.constructX509FromBase64(der), false);
            """, host, port,
            base64.b64encode(der).decode())

    def __exit__(self, *_):
        if self.marionette:
            self.marionette.close()
        for process in reversed(self.processes):
            try:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            except ProcessLookupError:
                process.wait()
        if self.home:
            shutil.rmtree(self.home, ignore_errors=True)

    # What a person does.

    def run(self, script, *arguments):
        prelude = """
            const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
            const { NetUtil } = ChromeUtils.importESModule("resource://gre/modules/NetUtil.sys.mjs");
            const { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
            const serverOf = user =>
              MailServices.accounts.accounts.map(account => account.incomingServer).find(server => server.username == user);
            const wait = async (complaint, holds) => {
              const deadline = Date.now() + 25000;
              while (!holds()) {
                if (Date.now() > deadline) throw new Error(complaint);
                await new Promise(resolve => setTimeout(resolve, 50));
              }
            };
            const inboxOf = user => serverOf(user).rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
            const dialogs = () => [...Services.wm.getEnumerator(null)].filter(window =>
              window.location.href.endsWith("/commonDialog.xhtml") && window.document.readyState == "complete");
            const textOf = dialog => dialog.document.getElementById("infoBody").textContent;
            """
        return self.marionette.run(prelude + script, *arguments)

    def get_messages(self, account):
        """"Get Messages"; comes back when Thunderbird says that it is through."""
        status = self.run(
            """
            const [user] = args;
            const main = Services.wm.getMostRecentWindow("mail:3pane");
            return new Promise(resolve => MailServices.pop3.GetNewMail(
              main.msgWindow,
              { QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
                OnStartRunningUrl() {},
                OnStopRunningUrl(url, status) { resolve(status); } },
              inboxOf(user), serverOf(user)));
            """, account.address)
        assert status == 0, f"Thunderbird reports failure {status & 0xffffffff:#x}"

    def set_leave_on_server(self, account, leave):
        self.run(
            "serverOf(args[0]).QueryInterface(Ci.nsIPop3IncomingServer).leaveMessagesOnServer = args[1];",
            account.address, leave)

    def messages(self, account):
        """(subject, octets) of every message in the account's Inbox."""
        found = self.run(
            """
            const inbox = inboxOf(args[0]);
            return Array.from(inbox.messages, header => {
              const stream = inbox.getMsgInputStream(header, {});
              const octets = NetUtil.readInputStreamToString(stream, header.messageSize || stream.available());
              stream.close();
              return [header.mime2DecodedSubject, btoa(octets)];
            });
            """, account.address)
        return [(subject, base64.b64decode(octets)) for subject, octets in found]

    def show(self, account, subject):
        """Opens the Inbox and a message in it; back when the message is on the screen."""
        self.run(
            """
            const [user, subject] = args;
            const main = Services.wm.getMostRecentWindow("mail:3pane");
            const pane = main.document.getElementById("tabmail").currentAbout3Pane;
            const inbox = inboxOf(user);
            pane.displayFolder(inbox.URI);
            await wait("the list is not shown", () =>
              pane.gFolder == inbox && pane.gDBView?.rowCount == inbox.getTotalMessages(false));
            const rows = Array.from({ length: pane.gDBView.rowCount }, (_, row) => row);
            pane.threadTree.selectedIndex =
              rows.find(row => pane.gDBView.getMsgHdrAt(row).mime2DecodedSubject == subject);
            await wait("the message is not shown", () =>
              pane.messageBrowser.contentWindow.msgLoaded &&
              pane.messageBrowser.contentDocument.getElementById("expandedsubjectBox")?.textContent.includes(subject));
            """, account.address, subject)

    def write(self, account, subject, html, to, bcc=None, attachment=None, notify=False):
        """A new message, filled in as a person does; `attachment` is a path, `notify` the
        tick at Options > Delivery Status Notification."""
        self.run(
            """
            const [user, subject, html, to, bcc, attachment, notify] = args;
            const create = (name, type) => Cc[`@mozilla.org/messengercompose/${name};1`].createInstance(type);
            const params = create("composeparams", Ci.nsIMsgComposeParams);
            params.type = Ci.nsIMsgCompType.New;
            params.format = Ci.nsIMsgCompFormat.HTML;
            params.identity = MailServices.accounts.allIdentities.find(identity => identity.email == user);
            params.composeFields = create("composefields", Ci.nsIMsgCompFields);
            MailServices.compose.OpenComposeWindowWithParams(null, params);
            let window;
            await wait("no window to write in", () => {
              window = Services.wm.getMostRecentWindow("msgcompose");
              return window?.gMsgCompose?.editor && window.getBrowser().contentDocument.querySelector("body > p");
            });
            const type = (id, text) => {
              const input = window.document.getElementById(id);
              input.focus();
              input.value = text;
              input.dispatchEvent(new window.Event("input", { bubbles: true }));
            };
            type("toAddrInput", to);
            if (bcc) {
              window.showAndFocusAddressRow("addressRowBcc");
              type("bccAddrInput", bcc);
            }
            type("msgSubject", subject);
            window.focusMsgBody();
            window.GetCurrentEditor().QueryInterface(Ci.nsIHTMLEditor).insertHTML(html);
            if (attachment) {
              const file = create("attachment", Ci.nsIMsgAttachment);
              file.url = PathUtils.toFileURI(attachment);
              file.name = PathUtils.filename(attachment);
              await window.AddAttachments([file]);
            }
            if (notify) window.document.getElementById("dsnMenu").click();
            """, account.address, subject, html, to, bcc,
            str(attachment) if attachment else None, notify)

    def press_send(self):
        self.run("""
            const window = Services.wm.getMostRecentWindow("msgcompose");
            const button = window.document.getElementById("button-send");
            await wait("Send is grey", () => !button.disabled);
            button.click();
            """)

    def await_sent(self):
        """The window in which it was written closes once it is sent."""
        self.run("""
            try {
              await wait("", () => !Services.wm.getMostRecentWindow("msgcompose"));
            } catch (error) {
              throw new Error("not sent: " + dialogs().map(textOf).join());
            }
            """)

    def forget_certificate(self, account):
        """As if it had never sent."""
        self.run(
            """
            const [host, port] = args;
            Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService)
              .clearValidityOverride(host, port, {});
            for (const server of MailServices.outgoingServer.servers) server.closeCachedConnections();
            """, account.host, account.outgoing)

    def confirm_exception(self):
        """"Confirm Security Exception", once the certificate has been looked at."""
        self.run("""
            const find = () => [...Services.wm.getEnumerator(null)].find(window =>
              window.location.href.endsWith("/exceptionDialog.xhtml") && window.document.readyState == "complete");
            const button = () => find()?.document.querySelector("dialog")?.getButton?.("extra1");
            await wait("no question about a certificate", () => button() && !button().disabled);
            const window = find();
            button().click();
            await wait("the question stays", () => window.closed);
            """)

    def throw_away(self):
        """Closes the window without the question whether to keep what is in it."""
        self.run("""
            const window = Services.wm.getMostRecentWindow("msgcompose");
            window.SetContentAndBodyAsUnmodified();
            window.close();
            await wait("the window stays", () => window.closed);
            """)

    def await_dialog(self):
        """What the dialog that comes says."""
        return self.run("""
            await wait("no dialog", () => dialogs().length);
            return textOf(dialogs()[0]);
            """)

    def answer(self, button, text=None):
        """Presses a button of the dialog: accept, cancel or extra1, with `text` as the password."""
        self.run(
            """
            const [button, text] = args;
            const [dialog] = dialogs();
            if (text) dialog.document.getElementById("password1Textbox").value = text;
            dialog.document.querySelector("dialog").getButton(button).click();
            await wait("the dialog stays", () => dialog.closed);
            """, button, text)

    def screenshot(self):
        return self.marionette.screenshot()
