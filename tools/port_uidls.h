/* Which UIDL an old server gave to which message: the lists that servers keep beside a
 * Maildir, and our own, uidl.json. Pure. */
#ifndef TOOLS_PORT_UIDLS_H
#define TOOLS_PORT_UIDLS_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

struct uidl_row {
	size_t file, file_len; /* in table->text: see uidls_key() */
	size_t uidl, uidl_len; /* of length 0: the list knows of none */
	uint64_t place;        /* in an mbox: the number of the message; 0: a file of its own */
	uint64_t order;        /* in which the old server listed them */
	/* Of uidl.json, for what may have changed since; has_sum: there. */
	bool has_sum;
	uint64_t size, sum; /* of the stored form */
	int64_t received;   /* Unix seconds; 0: not said */
};

struct uidl_table { /* set to zero: empty */
	struct uidl_row *rows;
	size_t count, cap;
	struct buf text;
	bool sorted;
};

void uidls_free(struct uidl_table *table);

/* Each adds the rows of a list. ERR_DAMAGED: it is none; lines that are none are left out,
 * as the servers do, but a uidl.json is read as a whole or not at all. */

/* dovecot-uidlist, version 1 or 3: a row's P field, else `format`, which is what
 * pop3_uidl_format says ("%08Xu%08Xv" if dovecot.conf does not), with the variables %u
 * (UID), %v (UIDVALIDITY), %f (file) and %g (GUID); uidls_check_format() has taken it. */
#define UIDLS_DOVECOT_FORMAT "%08Xu%08Xv"
/* ERR_INPUT: it has another variable, or none that tells messages apart. */
int uidls_check_format(const char *format, struct err *e);
int uidls_read_dovecot(
	struct uidl_table *table, struct slice list, const char *format, struct err *e);
/* courierpop3dsizelist, version 2 or 3. */
int uidls_read_courier(struct uidl_table *table, struct slice list, struct err *e);
/* uidl.json: an array of objects with the keys file, message (of an mbox), uidl, size, sum,
 * received; others are stepped over. */
int uidls_read_json(struct uidl_table *table, struct slice list, struct err *e);
/* A row of it, as it stands in a file: the caller writes "[", rows with a comma between, "]". */
struct uidl_line {
	struct slice file, uidl;
	uint64_t place, size, sum;
	int64_t received;
};
void uidls_add_json(struct buf *out, const struct uidl_line *line);

/* Of the message in a file (path below where the list lies), in an mbox the one at `place`
 * from 1 on; NULL: the list has none. */
const struct uidl_row *uidls_find(struct uidl_table *table, struct slice file, uint64_t place);
struct slice uidls_uidl(const struct uidl_table *table, const struct uidl_row *row);
struct slice uidls_file(const struct uidl_table *table, const struct uidl_row *row);

/* Adds the name under which a message's file is known, wherever a server has moved it
 * within a Maildir: without "cur/" or "new/", without flags (":2,S"). */
void uidls_key(struct buf *out, struct slice file);

#endif
