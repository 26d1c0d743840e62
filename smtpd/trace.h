/* Received: the field we add, and the ones a message already has. Pure.
 * (RFC 5321, 4.4; RFC 3848 for the words behind "with", RFC 8314, 4.3 for "tls";
 * RFC 5321, 6.3 for loops) */
#ifndef SMTPD_TRACE_H
#define SMTPD_TRACE_H

#include "base/buf.h"
#include <stdint.h>

struct trace {
	struct slice client; /* what it called itself; any octets */
	const char *peer;    /* its address as text; "unix"; NULL: of staff, whose
			      * places are nobody else's business */
	const char *hostname;
	const char *protocol; /* "ESMTPS" */
	const char *suite;    /* the connection's cipher suite; NULL: in the clear */
	const char *queue_id;
	struct slice recipient; /* empty where there are several: none may learn of others */
	int64_t when;           /* Unix seconds */
};

/* Adds the whole field with its CRLF. Lines stay under 78 octets where the
 * names allow it and under 998 always; no octet of `client` can be mistaken
 * for anything but a part of its name. */
void trace_add_received(struct buf *out, const struct trace *trace);

/* Counts Received: fields while a header streams by, in memory that does not
 * grow. */
#define TRACE_FIELD_MAX 1024 /* octets of a field that are looked at */

struct trace_scan {
	const char *hostname;
	unsigned received, ours; /* of all; of those that say `by` our hostname */
	bool header_ended;       /* the blank line has gone by */
	bool inside_line;
	char field[TRACE_FIELD_MAX];
	size_t len;
};

void trace_scan_start(struct trace_scan *scan, const char *hostname);
/* Takes the next octets of a message in its stored form (every line ends with
 * CRLF). */
void trace_scan(struct trace_scan *scan, struct slice octets);
/* Goes the message in circles, by what the header (so far, or whole) says? */
bool trace_scan_is_loop(const struct trace_scan *scan);

#endif
