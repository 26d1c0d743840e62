/* office.ini in memory: read, checked as a whole, and flat, so that it can be
 * sent to every role as one frame.
 *
 * Each key is one row of a table in config.c: section, name, type, offset,
 * default, one line of help; office.ini, its manual page and the table are
 * compared by a test. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>
#include <stdio.h>

#define CONFIG_PATH_MAX 1024
#define CONFIG_LIST_MAX 2048 /* blank-separated words */
#define CONFIG_NAME_MAX 321  /* an address: 64 + @ + 255 + NUL */

enum config_language { LANGUAGE_EN, LANGUAGE_ID };
enum config_sync { SYNC_FULL, SYNC_NORMAL };
enum config_relay_tls { RELAY_TLS_AUTO, RELAY_TLS_STARTTLS, RELAY_TLS_IMPLICIT, RELAY_TLS_NONE };
#define CONFIG_FILTERS_MOST 4
enum config_on_failure { FILTER_TEMPFAIL, FILTER_ACCEPT };

struct config {
	char file[CONFIG_PATH_MAX]; /* where it was read from */

	char hostname[CONFIG_NAME_MAX];
	char domains[CONFIG_LIST_MAX]; /* ASCII-folded */
	char data[CONFIG_PATH_MAX];
	char user[CONFIG_NAME_MAX];
	char postmaster[CONFIG_NAME_MAX];
	int language; /* enum config_language */

	char tls_certificate[CONFIG_PATH_MAX]; /* empty: DATA/tls/cert.pem */
	char tls_key[CONFIG_PATH_MAX];

	char smtpd_listen[CONFIG_LIST_MAX];
	char smtpd_lmtp[CONFIG_LIST_MAX];
	uint64_t max_message; /* octets; 0: no limit */
	uint64_t max_recipients;
	char trusted[CONFIG_LIST_MAX];

	char submission_listen[CONFIG_LIST_MAX];
	char submission_listen_tls[CONFIG_LIST_MAX];
	bool submission_require_tls;
	uint64_t per_hour;

	char pop3d_listen[CONFIG_LIST_MAX];
	char pop3d_listen_tls[CONFIG_LIST_MAX];
	bool pop3d_require_tls;
	int64_t idle_timeout; /* seconds, never under 600 */
	bool exclusive;

	int sync;             /* enum config_sync */
	int64_t keep_deleted; /* seconds, never under an hour */
	uint64_t quota;       /* octets; 0: no limit */
	uint64_t reserve;     /* octets */

	char smarthost[CONFIG_NAME_MAX];
	int relay_tls; /* enum config_relay_tls */
	char relay_user[CONFIG_NAME_MAX];
	char relay_password_file[CONFIG_PATH_MAX];
	int64_t max_age; /* seconds */

	char dkim_selector[CONFIG_NAME_MAX];

	char milter[CONFIG_LIST_MAX]; /* CONFIG_FILTERS_MOST at most */
	int on_failure;               /* enum config_on_failure */
	char junk_header[CONFIG_NAME_MAX];

	uint64_t connections; /* 0: no limit */
	uint64_t connections_per_ip;
	uint64_t auth_failures;
};

/* Reads `path`. Every fault is one line "PATH:LINE: what is wrong and how to
 * mend it" added to *faults (a missing key has no LINE). Returns 0, or
 * -1 if there was a fault; *config is then not to be used. */
int config_read(struct config *config, const char *path, struct buf *faults);

/* The line that a key stands on in the file that config_read() has read last; 0: it
 * does not stand there. */
unsigned config_line(const char *section, const char *name);

/* The path to read: `given` if not NULL, else $OFFICEMAIL_CONFIG,
 * ./office.ini, /etc/officemail/office.ini, the first that exists; NULL if
 * none does. */
const char *config_find(const char *given);

/* The n-th word of a blank-separated list; false past the last. */
bool config_word(const char *list, size_t n, struct slice *word);
/* Is `domain` one of ours (ASCII case-blind, compared as a whole)? */
bool config_has_domain(const struct config *config, struct slice domain);

/* Writes a commented office.ini with every key and its default; `value`
 * answers what to write instead for a key, or NULL. */
void config_write(FILE *out, const char *(*value)(const char *section, const char *key, void *arg),
	void *arg);

/* The rows, for the test that compares the papers with the table; NULL past
 * the last. */
struct config_key {
	const char *section, *name, *fallback, *help;
};
const struct config_key *config_key_at(size_t n);

#endif
