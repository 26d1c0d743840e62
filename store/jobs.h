/* What relay and deliveries ask of the writer, and the frames of it: what is due,
 * a message with those who wait for it, and what became of them. */
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include "store/requests.h"

#define JOB_RECIPIENTS_MOST 100 /* one with more comes as several jobs */
#define JOB_DESTINATIONS    256 /* told at a time: more than are tried at a time */
#define JOB_DOMAIN_MAX      256 /* octets of a host's or a domain's name, and a NUL */
#define JOB_REPLY_MAX       513
#define JOB_STATUS_MAX      12

struct job_recipient {
	int64_t id;
	char address[ADDRESS_MAX];
	unsigned notify;       /* NOTIFY_ bits */
	char orcpt[ORCPT_MAX]; /* as it came, or empty */
};

/* A message for one destination. Set to zero it is none, and job_free() takes it. */
struct job {
	int64_t outgoing_id; /* for body_open_outgoing() */
	uint64_t size;       /* octets, as they leave but for signature and dots */
	char sender[ADDRESS_MAX];
	char queue_id[QUEUE_ID_LENGTH + 1];
	char envid[ENVID_MAX]; /* as it came, or empty */
	enum dsn_return ret;
	bool sign; /* it is the office's own, not forwarded */
	struct job_recipient *recipients;
	size_t count;
};
void job_free(struct job *job);

enum job_outcome {
	JOB_DONE,   /* the other server has it */
	JOB_LATER,  /* tried again after a while */
	JOB_FAILED, /* for good */
};
struct job_result {
	int64_t recipient_id;
	enum job_outcome outcome;
	bool dsn_passed_on;          /* that server reports, where reports are wanted */
	char host[JOB_DOMAIN_MAX];   /* who said so; empty: nobody was reached */
	char reply[JOB_REPLY_MAX];   /* its words, or ours; what is not printable is lost */
	char status[JOB_STATUS_MAX]; /* "4.4.2", or empty */
};

/* What is due, and when to ask again: after `wait_ms` milliseconds, or when
 * job_hear_due_anew() says so, whichever comes first. */
struct job_due {
	uint64_t wait_ms;                                    /* UINT64_MAX: the outbox is empty */
	char destinations[JOB_DESTINATIONS][JOB_DOMAIN_MAX]; /* the longest due first */
	size_t count;
};

/* ---- for the relay ---- */

/* With a smarthost all destinations are one, the empty name. */
int job_due(struct channel *writer, struct job_due *due, struct err *e);
/* When there is something to read between two questions: reads it without blocking.
 * 1: mail has come, ask what is due; 0: it was nothing; -1 the writer has gone. */
int job_hear_due_anew(struct channel *writer, struct err *e);

/* ---- for relay and deliveries ---- */

/* Nobody could be reached at this destination: all that is due there gets this result. */
int job_unreachable(struct channel *writer, const char *destination, bool permanent,
	const char *status, const char *host, const char *words, struct err *e);

/* ---- for a delivery ---- */

/* Where it goes. Said once, before anybody there is heard: from then on the writer gives
 * it no mail for others, and believes nothing of theirs. Nothing is answered. */
int job_begin(struct channel *writer, const char *destination, struct err *e);
/* The next message for the destination, and what became of the one before: `results`
 * one for each recipient of `done`, both NULL the first time. *next is overwritten; NULL:
 * the connection is over, no other is wanted.
 * 1 there is one, 0 there is none left. Where the store cannot take the results now
 * (no room, an error of the disk) this asks again for some minutes. */
int job_next(struct channel *writer, const struct job *done, const struct job_result *results,
	struct job *next, struct err *e);

/* ---- for the writer ---- */

void job_pack(struct buf *answer, const struct job *job);
void job_due_pack(struct buf *answer, const struct job_due *due);

/* At most JOB_RECIPIENTS_MOST results. ERR_INPUT. */
struct job_report {
	char destination[JOB_DOMAIN_MAX]; /* that cannot be reached */
	bool wants_next;
	struct job_result results[JOB_RECIPIENTS_MOST];
	size_t count;
};
int job_begin_read(const struct frame *frame, char destination[JOB_DOMAIN_MAX], struct err *e);
int job_next_read(const struct frame *frame, struct job_report *report, struct err *e);
/* One result, for all: its recipient_id is 0. */
int job_unreachable_read(const struct frame *frame, struct job_report *report, struct err *e);

#endif
