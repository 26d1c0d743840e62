/* The life of messages, put together from what is kept: bodies and entries, what waits to
 * leave, and events. As long as deletions are kept, so is it. */
#ifndef STORE_TRACE_H
#define STORE_TRACE_H

#include "store/deliver.h"

/* ---- which messages ---- */

/* One that was found: by its body while there is one, else by its queue id, else (purged
 * before its time) by its entry. */
struct trace_key {
	int64_t at; /* when it came, as far as is known */
	int64_t body_id, entry_id;
	char queue_id[QUEUE_ID_LENGTH + 1];
	int64_t user_id; /* whose copies alone are asked for; 0: everybody's */
};

/* Adds the newest `most` messages that `what` names, the oldest first: an address (whose
 * mailbox they are in, who sent them, to whom they were to go), a Message-ID with or
 * without its brackets, a queue id, or a message's number in its mailbox. 1: there are
 * more. */
int trace_find(struct store *store, const struct config *config, struct slice what, size_t most,
	struct buf *keys, struct err *e);
/* When deleted messages last went before their time; 0: none did. */
int trace_last_early_purge(struct store *store, int64_t *at, struct err *e);

/* ---- what became of them ---- */

enum trace_kind {
	TRACE_ARRIVED,
	TRACE_FILED,   /* user, message, folder, why */
	TRACE_MOVED,   /* user, message, folder, to */
	TRACE_FETCHED, /* user, message, device, from, octets: all of it */
	TRACE_CUT,     /* the same; of `size` octets: the session ended */
	TRACE_DELETED, /* user, message, by; of a session device, from */
	TRACE_RESTORED,
	TRACE_AGAIN,     /* user, message, was */
	TRACE_PURGED,    /* user, message: before its time */
	TRACE_STUCK,     /* user, message, device, count: it was told of */
	TRACE_UNFETCHED, /* user, message, folder: it is there, and no client has had any of it */
	TRACE_RELAYED,
	TRACE_DEFERRED,
	TRACE_UNDELIVERABLE, /* to, host, reply */
	TRACE_DROPPED,       /* to */
	TRACE_WAITING,
	TRACE_TRYING,
	TRACE_HELD, /* to, host, reply, count (attempts); of waiting next_try */
	TRACE_KINDS
};
enum trace_why { TRACE_BY_INBOX, TRACE_BY_TAG, TRACE_BY_RULE, TRACE_BY_FILTER, TRACE_UNKNOWN };
enum trace_by { TRACE_BY_SESSION, TRACE_BY_TOOL, TRACE_BY_REMOVAL, TRACE_BY_NOBODY };

struct trace_event {
	enum trace_kind kind;
	int64_t at;                           /* INT64_MAX: still to come */
	int64_t until;                        /* of the last of those alike */
	int64_t count;                        /* times in a row; attempts; sessions */
	int64_t message, was, next_try, gone; /* gone: a deletion can be undone until then */
	uint64_t octets, size;                /* of the last */
	enum trace_why why;                   /* of TRACE_FILED */
	enum trace_by by;                     /* of TRACE_DELETED */
	bool for_one;                         /* of that: for its login alone, and still there */
	char *user, *folder, *to, *rule;      /* owned; NULL: does not apply */
	char *device, *from;                  /* of a session; no device: the own password */
	char *host, *reply;                   /* who said what */
};

struct trace_life {
	struct trace_key key;
	bool known;      /* there is a body, or an event that tells the rest */
	int64_t arrived; /* 0: not known */
	uint64_t size;   /* octets, without what delivery puts in front */
	char *message_id, *sender, *header_from, *peer; /* owned; NULL: not known */
	/* Of the Received: field that delivery wrote; NULL: not known, or not said. */
	char *client, *protocol, *suite, *recipient;
	struct trace_event *events; /* the first one first */
	size_t count, cap;
};

/* Fills lives[i] for keys[i]; trace_free() them in any case. */
int trace_read(struct store *store, const struct config *config, const struct trace_key *keys,
	size_t count, struct trace_life *lives, struct err *e);
void trace_free(struct trace_life *lives, size_t count);

#endif
