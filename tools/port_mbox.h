/* mbox, as its mboxrd kind has it: each message behind a line "From sender date", each line
 * of it that begins with any number of ">" and "From " quoted by one ">" more, and a blank
 * line behind it. So any octets come back as they were. Pure. */
#ifndef TOOLS_PORT_MBOX_H
#define TOOLS_PORT_MBOX_H

#include "base/buf.h"
#include <stdint.h>

/* ---- where messages begin ---- */

#define MBOX_LINE_MOST 1000 /* octets of a line that can be one between messages */

struct mbox_scan { /* set to zero: at the first octet of the file */
	/* Of the line found last: */
	uint64_t line_begin, line_end; /* where it stands in the file, its end included */
	uint64_t text_end; /* where the message in front of it ends: before a blank line */
	int64_t received;  /* its date, Unix seconds */
	/* From here on private. */
	uint64_t at;    /* octets taken */
	uint64_t blank; /* octets of the blank line that `at` stands behind; 0: of none */
	char line[MBOX_LINE_MOST];
	size_t line_len; /* of the line under way */
	bool too_long;
};

/* Takes octets of the file; returns how many: all, or up to and with the end of a line
 * that stands between messages (*found). */
size_t mbox_scan(struct mbox_scan *scan, struct slice octets, bool *found);
/* At the end of the file: where the last message ends. */
uint64_t mbox_scan_end(struct mbox_scan *scan);

/* Is it such a line (without its LF), and of when? One without a date as ctime(3) has it
 * is text: many programs leave "From " unquoted. */
bool mbox_is_from_line(struct slice line, int64_t *received);

/* ---- the octets of a message ---- */

struct mbox_lines {       /* set to zero: at the first octet of a message */
	unsigned state;   /* private */
	bool held;        /* private: a ">" has not been given out yet */
	unsigned matched; /* private: octets of "From " */
};
/* Adds the octets to *out, unquoted or quoted; some of the last may be held back. */
void mbox_unquote(struct mbox_lines *lines, struct slice octets, struct buf *out);
void mbox_quote(struct mbox_lines *lines, struct slice octets, struct buf *out);
/* Behind the last of them: what was held back. */
void mbox_lines_end(struct mbox_lines *lines, struct buf *out);

/* "From sender Mon Nov 23 07:00:00 2026" and LF; the date is UTC. What cannot stand in
 * the line is left out of the sender; MAILER-DAEMON if nothing is left. */
void mbox_add_from_line(struct buf *out, struct slice sender, int64_t received);

#endif
