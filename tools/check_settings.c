/* Settings that can be read, and are a mistake all the same. */
#include "base/syntax.h"
#include "base/text.h"
#include "tools/check.h"
#include "tools/records.h"
#include <arpa/inet.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names ---- */

static bool is_or_ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), tail = strlen(end);
	return len >= tail && strcmp(name + len - tail, end) == 0 &&
	       (len == tail || name[len - tail - 1] == '.');
}

static void check_hostname(const struct config *config, struct findings *findings)
{
	static const char *const private[] = {
		"local", "localdomain", "lan", "home", "internal", "intranet", "home.arpa"};
	const char *name = config->hostname;
	if (is_or_ends_with(name, "localhost")) {
		finding_in(findings, config, "office", "hostname",
			"%s is every box's name for itself: give the one that the world knows this "
			"box by, like mail.kantor.example",
			name);
		return;
	}
	if (!strchr(name, '.'))
		finding_in(findings, config, "office", "hostname",
			"%s is no full name, and other servers refuse mail from one that greets "
			"so: give it with its domain, like %s.kantor.example",
			name, name);
	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
		if (strchr(name, '.') && is_or_ends_with(name, private[i]))
			warning_in(findings, config, "office", "hostname",
				"%s is known in this house alone, and many servers refuse mail "
				"from it: give a name that DNS knows, unless all mail leaves by a "
				"smarthost",
				name);
}

/* "mail.kantor.example" where people have addresses at kantor.example. */
static bool is_a_host(const struct config *config, struct slice domain)
{
	static const char *const labels[] = {"mail", "smtp", "mx", "pop", "pop3", "imap", "www"};
	struct slice parent = domain;
	struct slice label = slice_cut(&parent, '.');
	bool likely = slice_equal_nocase(domain, slice_of(config->hostname));
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		likely |= slice_equal(label, slice_of(labels[i]));
	return likely && slice_find(parent, '.') < parent.len && !config_has_domain(config, parent);
}

static void check_domains(const struct config *config, struct findings *findings)
{
	struct slice word, other;
	for (size_t n = 0; config_word(config->domains, n, &word); n++) {
		int len = (int)word.len;
		if (slice_find(word, '.') == word.len)
			finding_in(findings, config, "office", "domains",
				"%.*s has no dot, so nobody outside can write to it: give the "
				"whole domain, like %.*s.example",
				len, word.at, len, word.at);
		else if (is_a_host(config, word))
			warning_in(findings, config, "office", "domains",
				"%.*s is the name of a host, and addresses here end in it: if "
				"people are called ani@%.*s, write that instead",
				len, word.at, len - (int)slice_find(word, '.') - 1,
				word.at + slice_find(word, '.') + 1);
		for (size_t i = 0; i < n && config_word(config->domains, i, &other); i++)
			if (slice_equal(word, other))
				warning_in(findings, config, "office", "domains",
					"%.*s stands there twice: take one away", len, word.at);
	}
}

/* ---- who may come in ---- */

static bool is_public(struct slice listener)
{
	struct slice host;
	uint16_t port;
	return syntax_split_listener(listener, &host, &port) && !syntax_is_loopback(listener);
}

static bool has_public(const char *list)
{
	struct slice word;
	for (size_t n = 0; config_word(list, n, &word); n++)
		if (is_public(word))
			return true;
	return false;
}

static void check_clear(const struct config *config, struct findings *findings)
{
	if (!config->submission_require_tls && has_public(config->submission_listen))
		warning_in(findings, config, "submission", "require_tls",
			"passwords cross the network as everybody can read them: set it to yes");
	if (!config->pop3d_require_tls && has_public(config->pop3d_listen))
		warning_in(findings, config, "pop3d", "require_tls",
			"passwords cross the network as everybody can read them: set it to yes");
}

/* Wider than a branch office is. */
static bool is_wide_and_public(struct slice network)
{
	size_t slash = slice_find(network, '/');
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char address[16];
	uint64_t bits;
	if (slash == network.len || slash >= sizeof(text) ||
		!text_to_number(slice_from(network, slash + 1), 3, &bits))
		return false;
	memcpy(text, network.at, slash);
	if (inet_pton(AF_INET, text, address) == 1)
		return bits < 24 && !records_is_private(AF_INET, address);
	return inet_pton(AF_INET6, text, address) == 1 && bits < 48 &&
	       !records_is_private(AF_INET6, address);
}

static void check_open_doors(const struct config *config, struct findings *findings)
{
	struct slice word;
	for (size_t n = 0; config_word(config->trusted, n, &word); n++)
		if (is_wide_and_public(word))
			finding_in(findings, config, "smtpd", "trusted",
				"all of %.*s may send through this server without a password, and "
				"these are addresses of strangers: name the devices' own",
				(int)word.len, word.at);
	if (config->smtpd_lmtp[0] != '/' && has_public(config->smtpd_lmtp))
		warning_in(findings, config, "smtpd", "lmtp",
			"%s is open to the network, and LMTP asks for no password: name the path "
			"of a socket, or 127.0.0.1 and a port",
			config->smtpd_lmtp);
	if (config->auth_failures == 0)
		warning_in(findings, config, "limits", "auth_failures",
			"0 lets strangers try passwords without end: 10 is the default");
	if (config->per_hour == 0)
		warning_in(findings, config, "submission", "per_hour",
			"0 lets whoever has stolen one password send without end: 500 is the "
			"default");
	if (strcmp(config->user, "root") == 0)
		finding_in(findings, config, "office", "user",
			"root must not serve strangers, and the server does not start so: name an "
			"account of its own, like officemail");
}

/* ---- listeners ---- */

struct place {
	const char *section, *key, *list;
};
#define PLACES 6

static void list_places(const struct config *config, struct place places[PLACES])
{
	const struct place all[PLACES] = {{"smtpd", "listen", config->smtpd_listen},
		{"smtpd", "lmtp", config->smtpd_lmtp[0] == '/' ? "" : config->smtpd_lmtp},
		{"submission", "listen", config->submission_listen},
		{"submission", "listen_tls", config->submission_listen_tls},
		{"pop3d", "listen", config->pop3d_listen},
		{"pop3d", "listen_tls", config->pop3d_listen_tls}};
	memcpy(places, all, sizeof(all));
}

static bool overlap(struct slice a, struct slice b)
{
	struct slice host_a, host_b;
	uint16_t port_a, port_b;
	return syntax_split_listener(a, &host_a, &port_a) &&
	       syntax_split_listener(b, &host_b, &port_b) && port_a == port_b &&
	       (host_a.len == 0 || host_b.len == 0 || slice_equal_nocase(host_a, host_b));
}

/* The same word among the words before it, in this list or another. */
static const struct place *find_earlier(
	const struct place places[PLACES], size_t list, size_t nth, struct slice word)
{
	struct slice other;
	for (size_t i = 0; i <= list; i++)
		for (size_t n = 0; (i < list || n < nth) && config_word(places[i].list, n, &other);
			n++)
			if (overlap(word, other))
				return &places[i];
	return NULL;
}

static void check_listeners(const struct config *config, struct findings *findings)
{
	struct place places[PLACES];
	struct slice word;
	bool any = config->smtpd_lmtp[0] == '/';
	list_places(config, places);
	for (size_t i = 0; i < PLACES; i++) {
		for (size_t n = 0; config_word(places[i].list, n, &word); n++) {
			const struct place *earlier = find_earlier(places, i, n, word);
			any = true;
			if (earlier)
				finding_in(findings, config, places[i].section, places[i].key,
					"%.*s is taken by [%s] %s already: give one of them "
					"another port",
					(int)word.len, word.at, earlier->section, earlier->key);
		}
	}
	if (!any)
		finding_in(findings, config, "smtpd", "listen",
			"nothing listens anywhere, so there is nothing to serve: give a port at "
			"least here and under [pop3d]");
	else if (!*config->pop3d_listen && !*config->pop3d_listen_tls)
		warning_in(findings, config, "pop3d", "listen_tls",
			"nobody can fetch mail while both listeners are off: 995 is the default");
	unsigned port = records_public_port(config->smtpd_listen);
	if (port != 0 && port != 25)
		warning_in(findings, config, "smtpd", "listen",
			"other servers bring mail to port 25 and no other: add it, unless a router "
			"passes 25 on to %u",
			port);
}

/* ---- mail to the outside ---- */

static void check_relay(const struct config *config, struct findings *findings)
{
	struct slice host = {0};
	uint16_t port;
	if (!*config->smarthost) {
		if (*config->relay_user)
			warning_in(findings, config, "relay", "user",
				"the login is for a smarthost, and none is named: add smarthost, "
				"or take it away");
		return;
	}
	if (syntax_split_listener(slice_of(config->smarthost), &host, &port) &&
		slice_equal_nocase(host, slice_of(config->hostname)))
		finding_in(findings, config, "relay", "smarthost",
			"%s is this server itself: name your provider's, or none, and mail goes "
			"straight to where it belongs",
			config->smarthost);
	if (*config->relay_password_file && !*config->relay_user)
		warning_in(findings, config, "relay", "password_file",
			"the password is not used without [relay] user: add it, or take this away");
	if (*config->relay_user && config->relay_tls == RELAY_TLS_NONE)
		warning_in(findings, config, "relay", "tls",
			"the password goes to %s as everybody on the way can read it: set it to "
			"auto",
			config->smarthost);
}

static void check_file_rights(const struct config *config, struct findings *findings)
{
	struct stat what;
	if (stat(config->file, &what) == 0 && what.st_mode & S_IWOTH)
		finding(findings,
			"%s can be written by every account of this box, which decides so where "
			"mail goes: `chmod o-w %s`",
			config->file, config->file);
}

void check_settings(const struct config *config, struct findings *findings)
{
	check_file_rights(config, findings);
	check_hostname(config, findings);
	check_domains(config, findings);
	check_listeners(config, findings);
	check_clear(config, findings);
	check_open_doors(config, findings);
	check_relay(config, findings);
}
