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
};

/* Handlers of the command table. */
int data_run(void *session, struct slice argument);
int data_run_chunk(void *session, struct slice argument);

/* Lets go of a message under way, at the writer's too. */
void data_forget(struct session *session);

#endif
