/* One message on its way from a file into the store: its octets as they lie there, and the
 * stored form that the server would have made of them (base/dot.h; a blank line to one that
 * ends inside its header). */
#ifndef TOOLS_PORT_MESSAGE_H
#define TOOLS_PORT_MESSAGE_H

#include "base/dot.h"
#include "base/err.h"
#include "smtpd/trace.h"
#include "tools/port_mbox.h"
#include <sys/stat.h>

struct port_range {
	int fd;
	uint64_t from, to; /* octets of the file */
	bool quoted;       /* they stand in an mbox */
	/* The file when it was opened, by which a change of it is seen; NULL: nobody looks. */
	const struct stat *was;
};
/* Has somebody written to the file since? */
bool port_range_has_changed(const struct port_range *range);

/* Octet by octet, however long: nothing is kept but what is given out. */
struct port_reader { /* private */
	struct port_range range;
	struct mbox_lines lines;
	struct dot_reader dot;
	struct trace_scan scan;
	struct buf plain, stored;
	bool ended;
};
void port_reader_start(struct port_reader *reader, const struct port_range *range);
/* The next octets of the stored form, valid until the next call; empty at the end.
 * ERR_INPUT: a NUL, or the file has changed meanwhile. */
int port_reader_next(struct port_reader *reader, struct slice *octets, struct err *e);
void port_reader_free(struct port_reader *reader);

/* What is known of it once it has been read through. */
struct port_message { /* set to zero: none */
	uint64_t size, sum;
	struct buf octets; /* all of it where it is smaller than a piece; else its header */
	bool whole;        /* it is */
};
/* Replaces *message. ERR_INPUT: it can be no message, and why. */
int port_message_read(struct port_message *message, const struct port_range *range, struct err *e);
void port_message_free(struct port_message *message);

#endif
