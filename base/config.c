/* office.ini. One row a key says everything about it; reading, writing and the
 * papers go by the rows.
 *
 * inih as packaged cuts long lines, joins an indented line to the key above,
 * goes on in the old section after a broken header and tells only the first
 * bad line. So it gets its lines from next_line(), which hands it nothing it
 * could take amiss and finds out what it did not understand. */
#include "base/config_values.h"
#include "base/text.h"
#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Debian's inih can be set at run time; where the names are missing, a line is
 * at most as long as that inih was built for. */
extern bool ini_allow_multiline __attribute__((weak));
extern int ini_max_line __attribute__((weak));
#define LONGEST_LINE 2048 /* octets */

/* ---- the table ---- */

#define IN(member)                                                                                 \
	.offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)

/* clang-format off */
static const struct config_row rows[] = {
	{{"office", "hostname", NULL, "in greetings, Received: and the certificate"},
		config_take_hostname, IN(hostname)},
	{{"office", "domains", NULL, "mail to these is ours; several separated by blanks"},
		config_take_domains, IN(domains)},
	{{"office", "data", "/var/lib/officemail", "the store lives here"},
		config_take_path, IN(data), .least = 1},
	{{"office", "user", "officemail", "the account to drop to when started as root"},
		config_take_account, IN(user)},
	{{"office", "postmaster", NULL, "gets postmaster@ and abuse@ of every domain"},
		config_take_address, IN(postmaster)},
	{{"office", "language", "en", "or id: what people read (bounces, notices, -ERR texts)"},
		config_take_choice, IN(language), .words = "en id"},

	{{"tls", "certificate", "", "PEM, chain included; RSA or EC; empty: DATA/tls/cert.pem"},
		config_take_path, IN(tls_certificate)},
	{{"tls", "key", "", "its private key, PEM; empty: DATA/tls/key.pem"},
		config_take_path, IN(tls_key)},

	{{"smtpd", "listen", "25", "host:port, [v6]:port or port; several separated by blanks; empty: off"},
		config_take_listeners, IN(smtpd_listen)},
	{{"smtpd", "lmtp", "", "path of a unix socket (0660), or host:port"},
		config_take_lmtp, IN(smtpd_lmtp)},
	{{"smtpd", "max_message", "100M", "0: only the disk limits it"},
		config_take_size, IN(max_message)},
	{{"smtpd", "max_recipients", "100", "of one message"},
		config_take_number, IN(max_recipients), .least = 1},
	{{"smtpd", "trusted", "", "addresses and networks of printers and other devices that may submit without AUTH or TLS"},
		config_take_networks, IN(trusted)},

	{{"submission", "listen", "587", "STARTTLS"},
		config_take_listeners, IN(submission_listen)},
	{{"submission", "listen_tls", "465", "TLS from the first byte"},
		config_take_listeners, IN(submission_listen_tls)},
	{{"submission", "require_tls", "yes", "no AUTH before TLS"},
		config_take_yes_no, IN(submission_require_tls)},
	{{"submission", "per_hour", "500", "recipients an hour for one user; beyond it mail is held and the postmaster told"},
		config_take_number, IN(per_hour)},

	{{"pop3d", "listen", "110", "STLS"},
		config_take_listeners, IN(pop3d_listen)},
	{{"pop3d", "listen_tls", "995", "TLS from the first byte"},
		config_take_listeners, IN(pop3d_listen_tls)},
	{{"pop3d", "require_tls", "yes", "no USER/PASS/AUTH before TLS"},
		config_take_yes_no, IN(pop3d_require_tls)},
	{{"pop3d", "idle_timeout", "10m", "never less (RFC 1939)"},
		config_take_duration, IN(idle_timeout), .least = 600},
	{{"pop3d", "exclusive", "no", "yes: a second session on the same mailbox gets [IN-USE]"},
		config_take_yes_no, IN(exclusive)},

	{{"store", "sync", "full", "full: on disk before 250 or +OK; normal: survives a crash of the program only"},
		config_take_choice, IN(sync), .words = "full normal"},
	{{"store", "keep_deleted", "14d", "how long `mail restore` can bring back"},
		config_take_kept, IN(keep_deleted)},
	{{"store", "quota", "0", "for users without one of their own"},
		config_take_size, IN(quota)},
	{{"store", "reserve", "64M", "free disk space below which mail is deferred (452)"},
		config_take_size, IN(reserve)},

	{{"relay", "smarthost", "", "host:port; empty: straight to the MX"},
		config_take_server, IN(smarthost)},
	{{"relay", "tls", "auto", "auto, starttls, implicit (465), none; auto verifies the smarthost's certificate"},
		config_take_choice, IN(relay_tls), .words = "auto starttls implicit none"},
	{{"relay", "user", "", "the login at the smarthost"},
		config_take_text, IN(relay_user)},
	{{"relay", "password_file", "", "a file with its password on the first line, mode 0600"},
		config_take_path, IN(relay_password_file)},
	{{"relay", "max_age", "5d", "how long to go on trying"},
		config_take_duration, IN(max_age), .least = 1},

	{{"dkim", "selector", "office", "signs what the office sends; key in DATA/dkim/, made by init"},
		config_take_label, IN(dkim_selector)},

	{{"filter", "milter", "", "inet:address:port (rspamd: inet:127.0.0.1:11332) or unix:path; several separated by blanks"},
		config_take_milters, IN(milter)},
	{{"filter", "on_failure", "tempfail", "what becomes of mail while one does not answer; or accept"},
		config_take_choice, IN(on_failure), .words = "tempfail accept"},
	{{"filter", "junk_header", "X-Spam: Yes", "added by one of our milters: the message is filed in Junk"},
		config_take_header, IN(junk_header)},

	{{"limits", "connections", "500", "at a time"},
		config_take_number, IN(connections)},
	{{"limits", "connections_per_ip", "100", "from one IPv4 address or IPv6 /64"},
		config_take_number, IN(connections_per_ip)},
	{{"limits", "auth_failures", "10", "distinct wrong passwords from one address in 15m; then only known right ones get in"},
		config_take_number, IN(auth_failures)},
};

/* In the order of the rows, with what office.ini says beside the header. */
static const struct {
	const char *name, *help;
} sections[] = {
	{"office", ""},
	{"tls", "without these: a self-signed certificate, made when absent"},
	{"smtpd", "mail from the world"},
	{"submission", "mail from staff: AUTH required"},
	{"pop3d", ""},
	{"store", "sizes: octets, or with K, M, G; 0: no limit. Durations: 30s, 10m, 12h, 14d"},
	{"relay", "mail to the outside"},
	{"dkim", ""},
	{"filter", "asked about all mail that comes and is sent"},
	{"limits", "0: no limit"},
};
/* clang-format on */

#define ROWS     (sizeof(rows) / sizeof(rows[0]))
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

const struct config_key *config_key_at(size_t n)
{
	return n < ROWS ? &rows[n].key : NULL;
}

/* ---- reading ---- */

static unsigned lines_read[ROWS]; /* of the file that was read last: see config_line() */

struct reading {
	FILE *in;
	struct config *config;
	struct buf *faults;
	char *line; /* getline()'s */
	size_t line_cap;
	int failure;          /* errno of the line that could not be read */
	struct slice current; /* of it, what inih was handed */
	unsigned number;
	bool skipping;       /* behind a header that was none: its keys are not looked at */
	bool expected;       /* the last line handed to inih should call take_key() */
	unsigned seen[ROWS]; /* the line each key stands on; 0: not there */
};

__attribute__((format(printf, 3, 4))) static void fault(
	struct reading *reading, unsigned line, const char *format, ...)
{
	char text[sizeof(((struct err *)0)->text)];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_add_text(reading->faults, reading->config->file);
	if (line > 0)
		buf_printf(reading->faults, ":%u", line);
	buf_printf(reading->faults, ": %s\n", text);
}

static void fault_line(struct reading *reading, const char *what, struct slice line)
{
	struct buf shown = {0};
	text_add_escaped(&shown, (struct slice){line.at, line.len < 80 ? line.len : 80});
	fault(reading, reading->number, "%s: %s", what, buf_text(&shown));
	buf_free(&shown);
}

static bool is_section(struct slice name)
{
	for (size_t i = 0; i < SECTIONS; i++)
		if (slice_equal(name, slice_of(sections[i].name)))
			return true;
	return false;
}

/* "[name]", and behind it nothing but a comment. */
static bool header_is_good(struct reading *reading, struct slice line)
{
	struct slice rest = slice_from(line, 1);
	size_t end = slice_find(rest, ']');
	struct slice name = {rest.at, end};
	struct slice behind = slice_from(rest, end + 1);
	bool comment = behind.len > 1 && (behind.at[0] == ' ' || behind.at[0] == '\t') &&
		       slice_trim(behind).at[0] == ';';
	if (end == rest.len || (behind.len > 0 && !comment))
		fault_line(reading, "a section header is [name], nothing else", line);
	else if (!is_section(name))
		fault_line(reading,
			"unknown section (its keys are not looked at; see office.ini(5))", line);
	else
		return true;
	return false;
}

/* True if inih is to see the line. */
static bool line_is_good(struct reading *reading, struct slice line, size_t limit)
{
	bool header = line.at[0] == '[';
	if (header)
		reading->skipping = true;
	if (line.len > limit) {
		fault(reading, reading->number, "longer than %zu octets: make it shorter", limit);
		return false;
	}
	for (size_t i = 0; i < line.len; i++) {
		if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 127) {
			fault_line(
				reading, "a control character in the line, to be taken out", line);
			return false;
		}
	}
	if (header) {
		reading->skipping = !header_is_good(reading, line);
		return !reading->skipping;
	}
	return !reading->skipping;
}

/* inih's reader: the next line that is neither empty, comment nor faulty,
 * without leading blanks. */
static char *next_line(char *out, int size, void *stream)
{
	struct reading *reading = stream;
	size_t limit = (size_t)size - 2;
	ssize_t len;
	for (;;) {
		if (reading->expected)
			fault_line(reading, "a line is `key = value`, and this is none",
				reading->current);
		reading->expected = false;
		if ((len = getline(&reading->line, &reading->line_cap, reading->in)) < 0) {
			reading->failure = feof(reading->in) ? 0 : errno;
			return NULL;
		}
		reading->number++;

		struct slice line = {reading->line, (size_t)len};
		if (reading->number == 1 && slice_has_prefix(line, SLICE("\xEF\xBB\xBF")))
			line = slice_from(line, 3);
		if (line.len > 0 && line.at[line.len - 1] == '\n')
			line.len--;
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		line = slice_trim(line);
		if (line.len == 0 || line.at[0] == ';' || line.at[0] == '#')
			continue;
		if (!line_is_good(reading, line, limit))
			continue;
		reading->expected = line.at[0] != '[';
		reading->current = line;
		memcpy(out, line.at, line.len);
		memcpy(out + line.len, "\n", 2);
		return out;
	}
}

#define MISSPELT 2 /* letters that are wrong, missing or too many */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many letters are to be changed, taken out or put in (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t len = strlen(b);
	if (len >= sizeof(row) / sizeof(row[0]))
		return UINT_MAX;
	for (unsigned i = 0; i <= len; i++)
		row[i] = i;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned before = row[0];
		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			unsigned change = before + (a[i - 1] != b[j - 1]);
			before = row[j];
			row[j] = least(change, least(row[j - 1], row[j]) + 1);
		}
	}
	return row[len];
}

/* The key that was meant: misspelt, else of another section; NULL if nobody can tell. */
static const struct config_key *find_meant(const char *section, const char *name)
{
	const struct config_key *elsewhere = NULL, *nearest = NULL;
	unsigned best = MISSPELT + 1;
	for (size_t i = 0; i < ROWS; i++) {
		const struct config_key *key = &rows[i].key;
		unsigned far = distance(name, key->name);
		if (strcmp(key->section, section) == 0 && far < best) {
			nearest = key;
			best = far;
		}
		if (far == 0)
			elsewhere = key;
	}
	return nearest ? nearest : elsewhere;
}

static void fault_key(struct reading *reading, const char *section, const char *name)
{
	const struct config_key *meant = find_meant(section, name);
	struct buf shown = {0};
	text_add_escaped(&shown, slice_of(name));
	fault(reading, reading->number, "[%s] has no key \"%s\"%s%s%s%s%s; see office.ini(5)",
		section, buf_text(&shown), meant ? ": [" : "", meant ? meant->section : "",
		meant ? "] " : "", meant ? meant->name : "", meant ? " may be meant" : "");
	buf_free(&shown);
}

/* inih's handler. */
static int take_key(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *reading = arg;
	const struct config_row *row = NULL;
	reading->expected = false;
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].key.section, section) == 0 &&
			strcmp(rows[i].key.name, name) == 0)
			row = &rows[i];
	if (!row && !*section) {
		fault(reading, reading->number,
			"stands before the first [section]: put it under the one it belongs to");
		return 1;
	}
	if (!row) {
		fault_key(reading, section, name);
		return 1;
	}
	unsigned *seen = &reading->seen[row - rows];
	if (*seen > 0) {
		fault(reading, reading->number, "[%s] %s stands on line %u already; remove one",
			section, name, *seen);
		return 1;
	}
	*seen = reading->number;
	struct err e;
	if (row->take(row, (char *)reading->config + row->offset, slice_of(value), &e) < 0)
		fault(reading, reading->number, "[%s] %s: %s", section, name, e.text);
	return 1;
}

static void take_fallbacks(struct reading *reading)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct config_row *row = &rows[i];
		struct err e;
		if (reading->seen[i] > 0)
			continue;
		if (!row->key.fallback) {
			fault(reading, 0, "[%s] %s is missing: add it (%s)", row->key.section,
				row->key.name, row->key.help);
			continue;
		}
		int taken = row->take(row, (char *)reading->config + row->offset,
			slice_of(row->key.fallback), &e);
		assert(taken == 0);
	}
}

static unsigned line_of(const struct reading *reading, const void *field)
{
	size_t offset = (size_t)((const char *)field - (const char *)reading->config);
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].offset == offset)
			return reading->seen[i];
	return 0;
}

/* A file that is named must be there; whether it can be read is told by who
 * opens it, who may have other rights. */
static void check_file(struct reading *reading, const char *path)
{
	if (*path && access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		fault(reading, line_of(reading, path),
			"%s is not there: put the file there, or mend the path", path);
}

/* What no value can say by itself. */
static void check_whole(struct reading *reading)
{
	const struct config *config = reading->config;
	struct slice domain = slice_of(config->postmaster);
	slice_cut(&domain, '@');
	if (config->domains[0] && domain.len > 0 && !config_has_domain(config, domain))
		fault(reading, line_of(reading, config->postmaster),
			"[office] postmaster: %s is in none of the domains (%s): name an address "
			"in one",
			config->postmaster, config->domains);
	if (config->tls_certificate[0] && !config->tls_key[0])
		fault(reading, line_of(reading, config->tls_certificate),
			"[tls] certificate without its key: give both or neither");
	if (config->tls_key[0] && !config->tls_certificate[0])
		fault(reading, line_of(reading, config->tls_key),
			"[tls] key without its certificate: give both or neither");
	check_file(reading, config->tls_certificate);
	check_file(reading, config->tls_key);
	check_file(reading, config->relay_password_file);
}

/* Why the file cannot be read, and what to do. */
static void fault_file(struct reading *reading, int code)
{
	fault(reading, 0, "%s%s", strerror(code),
		code == ENOENT    ? "; `officemail init` writes one"
		: code == EACCES  ? "; run this as root, or as the office's account"
		: code == EISDIR  ? "; name the office.ini in it"
		: code == ENOTDIR ? "; a part of the path is a file: mend it"
				  : "");
}

int config_read(struct config *config, const char *path, struct buf *faults)
{
	size_t before = faults->len;
	struct reading reading = {.config = config, .faults = faults};
	memset(config, 0, sizeof(*config));
	snprintf(config->file, sizeof(config->file), "%s", path);

	reading.in = fopen(path, "re");
	if (!reading.in) {
		fault_file(&reading, errno);
		return -1;
	}
	if (&ini_allow_multiline)
		ini_allow_multiline = false;
	if (&ini_max_line)
		ini_max_line = LONGEST_LINE + 2;
	if (ini_parse_stream(next_line, &reading, take_key, &reading) < 0)
		reading.failure = ENOMEM; /* of inih itself */
	/* What has not been read is not missing. */
	if (reading.failure) {
		fault_file(&reading, reading.failure);
	} else {
		take_fallbacks(&reading);
		check_whole(&reading);
	}
	fclose(reading.in);
	free(reading.line);
	memcpy(lines_read, reading.seen, sizeof(lines_read));
	return faults->len > before ? -1 : 0;
}

unsigned config_line(const char *section, const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].key.section, section) == 0 &&
			strcmp(rows[i].key.name, name) == 0)
			return lines_read[i];
	return 0;
}

const char *config_find(const char *given)
{
	const char *const places[] = {
		getenv("OFFICEMAIL_CONFIG"), "./office.ini", "/etc/officemail/office.ini"};
	if (given)
		return given;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i] && *places[i] && access(places[i], F_OK) == 0)
			return places[i];
	return NULL;
}

bool config_word(const char *list, size_t n, struct slice *word)
{
	for (;; n--) {
		list += strspn(list, " \t");
		size_t len = strcspn(list, " \t");
		if (len == 0)
			return false;
		if (n == 0) {
			*word = (struct slice){list, len};
			return true;
		}
		list += len;
	}
}

bool config_has_domain(const struct config *config, struct slice domain)
{
	struct slice ours;
	for (size_t n = 0; config_word(config->domains, n, &ours); n++)
		if (slice_equal_nocase(ours, domain))
			return true;
	return false;
}

/* ---- writing ---- */

static const char *value_to_write(const struct config_row *row,
	const char *(*value)(const char *section, const char *key, void *arg), void *arg)
{
	const char *given = value ? value(row->key.section, row->key.name, arg) : NULL;
	return given ? given : row->key.fallback ? row->key.fallback : "";
}

void config_write(
	FILE *out, const char *(*value)(const char *section, const char *key, void *arg), void *arg)
{
	fprintf(out,
		"; The settings of officemail; office.ini(5) says more. A comment begins with\n"
		"; a semicolon at the start of a line or behind a blank.\n");
	for (size_t s = 0; s < SECTIONS; s++) {
		int name_width = 0, value_width = 0;
		for (size_t i = 0; i < ROWS; i++) {
			if (strcmp(rows[i].key.section, sections[s].name) != 0)
				continue;
			int name = (int)strlen(rows[i].key.name);
			int text = (int)strlen(value_to_write(&rows[i], value, arg));
			name_width = name > name_width ? name : name_width;
			value_width = text > value_width ? text : value_width;
		}
		fprintf(out, "\n[%s]%s%s\n", sections[s].name, *sections[s].help ? " ; " : "",
			sections[s].help);
		for (size_t i = 0; i < ROWS; i++)
			if (strcmp(rows[i].key.section, sections[s].name) == 0)
				fprintf(out, "%-*s = %-*s ; %s\n", name_width, rows[i].key.name,
					value_width, value_to_write(&rows[i], value, arg),
					rows[i].key.help);
	}
}
