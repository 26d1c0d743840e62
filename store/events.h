/* What happened, for `trace` and `status`: kept as long as deletions are. */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "store/store.h"

/* `kind` is an EVENT_ word; entry_id 0 where there is none; detail: `key=value`
 * words. In the caller's transaction. */
int events_add(struct store *store, const char *kind, int64_t user_id, int64_t entry_id,
	struct slice detail, struct err *e);

/* What a session did: the detail is its own words. */
#define EVENT_SESSION "session"
/* A user's login from an address: detail `from=ADDRESS`. */
#define EVENT_LOGIN "login"
/* A message was filed once more, deleted before or not: entry_id is what it has now;
 * detail `was=ID uidl=UIDL`, its id before and its UIDL now. */
#define EVENT_RESTORED "restored"
#define EVENT_AGAIN    "again"

/* What became of a recipient outside: detail `id=QUEUEID to=ADDRESS host=HOST
 * message=MESSAGE-ID reply=...`, which is the last word and may hold blanks. */
#define EVENT_RELAYED       "relayed"
#define EVENT_DEFERRED      "deferred"
#define EVENT_UNDELIVERABLE "undeliverable"

struct event_totals {
	int64_t delivered[24], delivered_size[24]; /* by hour, the last is the current one */
	int64_t logins_day;
};
/* The last day's, up to now. */
int events_totals(struct store *store, struct event_totals *totals, struct err *e);
/* Forgets those older than `seconds`, at most 1,000; 1: there is more. */
int events_forget_step(struct store *store, int64_t seconds, struct err *e);

#endif
