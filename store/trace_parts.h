/* Inside store/'s trace files only. */
#ifndef STORE_TRACE_PARTS_H
#define STORE_TRACE_PARTS_H

#include "store/trace.h"

/* A mailbox entry of one of the messages. */
struct copy {
	size_t life;
	int64_t id, user_id, folder_id, received, deleted, became, removed_user;
	uint64_t size;
	char *user, *folder, *first_folder; /* where it is, where it was filed */
	struct buf prefix;
	bool is_again;  /* it is an older one, filed once more */
	bool explained; /* its deletion */
	bool purged;
	bool fetched; /* by somebody, or some of it */
};

struct reading {
	struct store *store;
	const struct config *config;
	struct trace_life *lives;
	size_t count;
	struct copy *copies;
	size_t copy_count, copy_cap;
	struct buf body_ids; /* "[1,2]" */
};

/* A copy of it, as a C string. */
char *trace_keep(struct slice text);
struct trace_event *trace_add_event(
	struct reading *reading, const struct copy *copy, enum trace_kind kind, int64_t at);
/* Where it was filed, and why, as far as that can still be told. */
int trace_add_filing(struct reading *reading, const struct copy *copy, struct err *e);

#endif
