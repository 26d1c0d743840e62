/* Mail that is to leave the office: a row for each message, one for each recipient that
 * waits for it. README.md says what each state means and what a crash leaves. Writing
 * verbs need a transaction; times are the store's clock. */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include "store/jobs.h"

/* For deliver(): a message, whose body is settled, for recipients outside, each once.
 * Recipients past [submission] per_hour are held. Returns 1 if these are the first of
 * delivery->who that are: the postmaster wants to know. */
int outbox_add(struct store *store, const struct config *config, const struct delivery *delivery,
	const struct body_writer *body, const struct envelope_recipient *recipients, size_t count,
	struct err *e);
/* The same for mail of the world that an alias sends to a target outside: it leaves under
 * the target's token, at a domain of ours, or with the null sender if it came so. */
int outbox_forward(struct store *store, const struct delivery *delivery,
	const struct body_writer *body, const struct forward *forward, struct err *e);
/* How many recipients outside `who` has sent to within the last hour. */
int outbox_count_hour(struct store *store, const char *who, uint64_t *count, struct err *e);

/* ---- for the writer ---- */

/* How many messages were put in on this handle. */
int64_t outbox_added(const struct store *store);

/* At its start: what was being tried when it ended is due at once. */
int outbox_begin(struct store *store, struct err *e);
/* What is due. Needs no transaction. */
int outbox_due(
	struct store *store, const struct config *config, struct job_due *due, struct err *e);
/* Takes the message that has been due for the longest at a destination (the empty one:
 * anywhere), for all recipients there that are due, or JOB_RECIPIENTS_MOST of them:
 * their attempt begins. 1 there was one; job_free() it in any case. */
int outbox_take(struct store *store, const char *destination, struct job *job, struct err *e);
/* Takes the results of recipients of one message whose attempt had begun; others are
 * left alone. Files the reports and notices that their sender and the postmaster are
 * to get, and logs. Who fails for now waits, two minutes at first and then ever longer,
 * up to four hours; past [relay] max_age he has failed. */
int outbox_settle(struct store *store, const struct config *config, int64_t outgoing_id,
	const struct job_result *results, size_t count, struct err *e);
/* Nobody could be reached at a destination: takes what is due there, about a
 * hundred recipients, with this result for everybody. 1: there is more. */
int outbox_unreachable(struct store *store, const struct config *config, const char *destination,
	const struct job_result *result, struct err *e);

/* ---- for people ---- */

struct outbox_item { /* a recipient; text is valid during the call */
	struct slice queue_id, sender, recipient, header_from;
	struct slice who; /* submitted it: a user's address, a device's, a local account */
	uint64_t size;
	int64_t queued;
	int64_t attempts;
	int64_t next_try; /* 0: it is being tried, or held */
	bool held;
	struct slice last_host, last_reply; /* who said what; empty: there was none */
};
/* Calls `each` for all recipients, those of a message in a row (queue_id empty: of every
 * message), the oldest message first, until it returns non-zero. */
int outbox_each(struct store *store, struct slice queue_id,
	int (*each)(const struct outbox_item *item, void *arg), void *arg, struct err *e);
/* They are due now, also if they were held. Returns how many, or -1. */
int64_t outbox_retry(struct store *store, struct slice queue_id, struct err *e);
/* All that waits is held until somebody looks at it. Returns how many there are, or -1. */
int64_t outbox_hold(struct store *store, struct err *e);
/* They are not tried any more, and nobody is told. Returns how many, or -1. */
int64_t outbox_remove(struct store *store, struct slice queue_id, struct err *e);

struct outbox_totals {
	int64_t messages, recipients, held;
	int64_t oldest; /* when the oldest was queued; 0: there is none */
};
int outbox_count(struct store *store, struct outbox_totals *totals, struct err *e);

#endif
