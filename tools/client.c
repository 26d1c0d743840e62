/* `officemail client`: what a person or a mail program has to be told to fetch
 * and to send, read off the listeners that office.ini names. */
#include "base/buf.h"
#include "base/digest.h"
#include "base/syntax.h"
#include "store/devices.h"
#include "tools/people.h"
#include <stdio.h>
#include <string.h>

/* Where a program connects for one of the two services. */
struct server {
	char host[CONFIG_NAME_MAX];
	uint16_t port; /* 0: it is not served */
	bool starttls; /* else TLS from the first octet */
};

struct settings {
	const char *address;
	struct slice domain; /* of the address */
	struct server incoming, outgoing;
	bool self_signed;
	const char *devices; /* names, by commas; empty: there are none */
};

static void take_listener(struct server *server, const struct config *config, struct slice word)
{
	struct slice host;
	if (!syntax_split_listener(word, &host, &server->port))
		return;
	/* An office that listens for this box alone is reached as this box. */
	snprintf(server->host, sizeof(server->host), "%s",
		syntax_is_loopback(word) ? "localhost" : config->hostname);
}

/* A listener that others reach goes before one for this box alone; false: none. */
static bool choose_listener(const char *list, struct slice *chosen)
{
	struct slice word;
	if (!config_word(list, 0, chosen))
		return false;
	for (size_t n = 1; syntax_is_loopback(*chosen) && config_word(list, n, &word); n++)
		*chosen = word;
	return true;
}

/* TLS from the first octet before STARTTLS (RFC 8314, 3); 0 where neither is served. */
static void find_server(struct server *server, const struct config *config, const char *tls_first,
	const char *starttls)
{
	struct slice word;
	*server = (struct server){0};
	if (choose_listener(tls_first, &word)) {
		take_listener(server, config, word);
	} else if (choose_listener(starttls, &word)) {
		take_listener(server, config, word);
		server->starttls = true;
	}
}

/* ---- for people ---- */

static const char *security(const struct server *server, const char *tls, const char *starttls)
{
	return server->starttls ? starttls : tls;
}

static void print_thunderbird_fields(const struct server *server, const char *address)
{
	printf("Hostname: %s\n"
	       "                      Port: %u\n"
	       "                      Connection security: %s\n"
	       "                      Authentication method: Normal password\n"
	       "                      Username: %s\n",
		server->host, server->port, security(server, "SSL/TLS", "STARTTLS"), address);
}

/* As its versions 115 and 128 have it. */
static void print_thunderbird(const struct settings *s)
{
	fputs("Thunderbird: menu > New Account > Existing Email (newer: Add Account > Email), "
	      "type\n"
	      "your name, the address and the password, then \"Configure manually\"\n\n"
	      "    Incoming server   Protocol: POP3 (IMAP stands there)\n"
	      "                      ",
		stdout);
	print_thunderbird_fields(&s->incoming, s->address);
	fputs("    Outgoing server   ", stdout);
	print_thunderbird_fields(&s->outgoing, s->address);
	puts("    then              Re-test > Done\n");
	if (s->self_signed)
		puts("    It asks about the certificate when it first fetches (\"Confirm Security\n"
		     "    Exception\"). The first sending fails and asks again: confirm, then Send "
		     "again.\n");
	puts("    Mail stays on the server for 14 days; to change that: Account Settings >\n"
	     "    Server Settings > \"Leave messages on server\".\n");
}

static void print_outlook(const struct settings *s)
{
	printf("Outlook (classic): File > Add Account, type the address, \"Advanced options\" >\n"
	       "\"Let me set up my account manually\" > Connect > POP\n\n"
	       "    Incoming mail     Server: %s  Port: %u\n"
	       "                      %s\n"
	       "    Outgoing mail     Server: %s  Port: %u\n"
	       "                      Encryption method: %s\n"
	       "    both              \"Require logon using Secure Password Authentication\": off\n"
	       "    then              Next > the password of %s > Connect\n\n"
	       "    See that the ports still stand once encryption is chosen: Outlook may change "
	       "them.\n\n"
	       "    Where all is asked on one page (\"POP and IMAP Account Settings\"; also "
	       "Control\n"
	       "    Panel > Mail): Account Type POP3, User Name %s, and under\n"
	       "    More Settings > Outgoing Server \"My outgoing server (SMTP) requires\n"
	       "    authentication\" with \"Use same settings as my incoming mail server\". "
	       "Ports,\n"
	       "    encryption and \"Leave a copy of messages on the server\" are under "
	       "Advanced.\n\n",
		s->incoming.host, s->incoming.port,
		security(&s->incoming,
			"\"This server requires an encrypted connection (SSL/TLS)\": on",
			"(Outlook fetches with SSL/TLS alone: give [pop3d] a listen_tls)"),
		s->outgoing.host, s->outgoing.port, security(&s->outgoing, "SSL/TLS", "STARTTLS"),
		s->address, s->address);
	if (s->self_signed)
		puts("    Outlook asks about the certificate each time it starts, until Windows "
		     "trusts it:\n"
		     "    View Certificate > Install Certificate > \"Place all certificates in the "
		     "following\n"
		     "    store\" > Trusted Root Certification Authorities.\n");
}

/* Which password it is that the dialogs ask for. */
static void print_devices(const struct settings *s)
{
	if (*s->devices)
		printf("\nThe password is that of the device on which the program runs (%s),\n"
		       "each has its own; the user name is the same on all. One more:\n",
			s->devices);
	else
		puts("\nWhere more than one program fetches this mailbox, what one deletes the "
		     "others miss,\n"
		     "unless each has its own password, under the same user name:");
	printf("officemail device add %s NAME --generate\n", s->address);
}

static void print_text(const struct settings *s)
{
	print_thunderbird(s);
	print_outlook(s);
	printf("Any other program\n\n"
	       "    POP3 %s:%u with %s; SMTP %s:%u with %s;\n"
	       "    user name %s and the same password for both\n",
		s->incoming.host, s->incoming.port, security(&s->incoming, "TLS", "STLS"),
		s->outgoing.host, s->outgoing.port, security(&s->outgoing, "TLS", "STARTTLS"),
		s->address);
	print_devices(s);
	if (s->self_signed)
		puts("\nThe questions come because the certificate is self-signed; one from an "
		     "authority,\n"
		     "in [tls] of office.ini, ends them.");
}

/* ---- for programs ---- */

static void print_escaped(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '&')
			fputs("&amp;", stdout);
		else if (c == '<')
			fputs("&lt;", stdout);
		else if (c == '>')
			fputs("&gt;", stdout);
		else
			putchar(c);
	}
}

/* <name>text</name> */
static void print_element(int indent, const char *name, struct slice text)
{
	printf("%*s<%s>", indent, "", name);
	print_escaped(text);
	printf("</%s>\n", name);
}

static void print_autoconfig_server(
	const char *element, const char *type, const struct server *server, const char *user)
{
	char port[8];
	snprintf(port, sizeof(port), "%u", server->port);
	printf("    <%s type=\"%s\">\n", element, type);
	print_element(6, "hostname", slice_of(server->host));
	print_element(6, "port", slice_of(port));
	print_element(6, "socketType", slice_of(server->starttls ? "STARTTLS" : "SSL"));
	print_element(6, "authentication", SLICE("password-cleartext"));
	print_element(6, "username", slice_of(user));
	printf("    </%s>\n", element);
}

/* Mozilla's format, as Thunderbird, Evolution and K-9 read it. */
static void print_autoconfig(const struct settings *s)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n"
	      "  <emailProvider id=\"",
		stdout);
	print_escaped(s->domain);
	puts("\">");
	print_element(4, "domain", s->domain);
	print_element(4, "displayName", s->domain);
	print_autoconfig_server("incomingServer", "pop3", &s->incoming, "%EMAILADDRESS%");
	print_autoconfig_server("outgoingServer", "smtp", &s->outgoing, "%EMAILADDRESS%");
	puts("  </emailProvider>\n</clientConfig>");
}

static void print_key(int indent, const char *key, struct slice text)
{
	print_element(indent, "key", slice_of(key));
	print_element(indent, "string", text);
}

static void print_key_yes_no(int indent, const char *key, bool yes)
{
	print_element(indent, "key", slice_of(key));
	printf("%*s<%s/>\n", indent, "", yes ? "true" : "false");
}

/* The same for the same address each time, so that a second profile replaces
 * the first (RFC 9562, 5.8). */
static void print_identity(int indent, const struct settings *s, const char *of)
{
	unsigned char digest[DIGEST_SIZE];
	char uuid[40];
	struct buf name = {0};
	buf_printf(&name, "officemail %s %s", of, s->address);
	digest_sha256(digest, name.at, name.len);
	digest[6] = (digest[6] & 0x0F) | 0x80;
	digest[8] = (digest[8] & 0x3F) | 0x80;
	snprintf(uuid, sizeof(uuid),
		"%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X", digest[0],
		digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
		digest[8], digest[9], digest[10], digest[11], digest[12], digest[13], digest[14],
		digest[15]);
	print_key(indent, "PayloadUUID", slice_of(uuid));
	print_element(indent, "key", SLICE("PayloadVersion"));
	print_element(indent, "integer", SLICE("1"));
	buf_clear(&name);
	buf_printf(&name, "officemail.%s.%s", of, s->address);
	print_key(indent, "PayloadIdentifier", buf_slice(&name));
	buf_free(&name);
}

/* "IncomingMailServer" and the like. */
static void print_profile_server(const char *which, const struct server *server, const char *user)
{
	static const char *const words[] = {"HostName", "Username"};
	const char *const values[] = {server->host, user};
	char key[64], port[8];
	for (size_t i = 0; i < 2; i++) {
		snprintf(key, sizeof(key), "%sMailServer%s", which, words[i]);
		print_key(6, key, slice_of(values[i]));
	}
	snprintf(key, sizeof(key), "%sMailServerPortNumber", which);
	snprintf(port, sizeof(port), "%u", server->port);
	print_element(6, "key", slice_of(key));
	print_element(6, "integer", slice_of(port));
	snprintf(key, sizeof(key), "%sMailServerAuthentication", which);
	print_key(6, key, SLICE("EmailAuthPassword"));
	snprintf(key, sizeof(key), "%sMailServerUseSSL", which);
	print_key_yes_no(6, key, true);
}

/* Apple's configuration profile, payload com.apple.mail.managed. */
static void print_mobileconfig(const struct settings *s)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
	      "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
	      "<plist version=\"1.0\">\n  <dict>\n    <key>PayloadContent</key>\n"
	      "    <array><dict>\n",
		stdout);
	print_key(6, "PayloadType", SLICE("com.apple.mail.managed"));
	print_identity(6, s, "account");
	print_key(6, "PayloadDisplayName", slice_of(s->address));
	print_key(6, "EmailAccountType", SLICE("EmailTypePOP"));
	print_key(6, "EmailAddress", slice_of(s->address));
	print_key(6, "EmailAccountDescription", slice_of(s->address));
	print_profile_server("Incoming", &s->incoming, s->address);
	print_profile_server("Outgoing", &s->outgoing, s->address);
	print_key_yes_no(6, "OutgoingPasswordSameAsIncomingPassword", true);
	puts("    </dict></array>");
	print_key(4, "PayloadType", SLICE("Configuration"));
	print_identity(4, s, "profile");
	print_key(4, "PayloadDisplayName", s->domain);
	puts("  </dict>\n</plist>");
}

/* ---- the command ---- */

/* In the order of the usage. */
static void (*const formats[])(const struct settings *settings) = {
	print_text, print_autoconfig, print_mobileconfig};

static int gather(struct settings *s, const struct config *config, struct err *e)
{
	struct slice rest = slice_of(s->address);
	find_server(&s->incoming, config, config->pop3d_listen_tls, config->pop3d_listen);
	find_server(&s->outgoing, config, config->submission_listen_tls, config->submission_listen);
	slice_cut(&rest, '@');
	s->domain = rest;
	s->self_signed = !*config->tls_certificate;
	if (s->incoming.port == 0 || s->outgoing.port == 0)
		return err_set(e, ERR_MISSING,
			"%s is not served: [%s] in %s has no listener: give it one",
			s->incoming.port ? "sending" : "fetching",
			s->incoming.port ? "submission" : "pop3d", config->file);
	return 0;
}

static int list_devices(
	struct buf *names, struct store *store, const struct user *user, struct err *e)
{
	struct device *devices;
	size_t count;
	int result = devices_load(store, user->id, &devices, &count, e);
	for (size_t i = 0; i < count; i++)
		buf_printf(names, "%s%s", i > 0 ? ", " : "", devices[i].name);
	devices_free(devices, count);
	return result;
}

int command_client(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	struct settings settings = {.address = user.address};
	struct buf devices = {0};
	if (people_open(&office, &user, line, STORE_READER, e) < 0)
		return -1;
	int result = gather(&settings, &office.config, e);
	if (result == 0)
		result = list_devices(&devices, office.store, &user, e);
	office_close(&office);
	settings.devices = buf_text(&devices);
	if (result == 0)
		formats[command_choice(line, "--format")](&settings);
	buf_free(&devices);
	return result;
}
