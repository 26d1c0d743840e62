/* A message on its way from the wire to the writer: DATA and BDAT. */
#ifndef SMTPD_DATA_H
#define SMTPD_DATA_H

#include "base/dot.h"
#include "smtpd/reply.h"
#include "smtpd/trace.h"

struct session;

struct message { /* set to zero: none under way */
	bool started;
	struct dot_reader reader;
	struct trace_scan scan;
	bool mended;        /* submission: its header has been looked at, and is the user's */
	struct buf octets;  /* stored form, not yet with the writer */
	uint64_t sent;      /* octets the writer has as pieces */
	enum reply verdict; /* REPLY_NONE while it is wanted; else what its end is answered with */
	uint64_t received;  /* octets from the wire */
	uint64_t size;      /* octets in the stored form, nothing added: max_message is theirs */
	int64_t begun;      /* text_monotonic_ms of its first octet, or of its refusal */

	/* Where a milter hears it: `octets` are the body's alone, once `parted`, and the
	 * header goes to the writer last. */
	bool parted;
	size_t heard; /* octets of `octets` that the first milter has got */
};

/* Handlers of the command table. */
int data_run(void *session, struct slice argument);
int data_run_chunk(void *session, struct slice argument);

/* Lets go of a message under way, at the writer's too. */
void data_forget(struct session *session);

/* For the milters, of a message that is parted. The next octets of a new body, in the place of
 * all there is with `first`; -1: it cannot be kept, and the message is not to be taken. */
int data_replace_body(struct session *session, struct slice octets, bool first, struct err *e);
void data_end_replaced(struct session *session);
/* -1: with a header of so many octets it is more than the writer takes, which is max_message
 * and a BODY_PIECE. ERR_GONE. */
int data_check_size(const struct session *session, size_t header, struct err *e);
/* The writer has lost it; the reply for that. */
enum reply data_lost(struct session *session, const struct err *e);

#endif
