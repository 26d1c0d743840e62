/* What happened, for `trace` and `status`: kept as long as deletions are. */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "store/store.h"

/* `kind` is an EVENT_ word; entry_id 0 where there is none; detail: `key=value`
 * words with a blank between. In the caller's transaction. */
int events_add(struct store *store, const char *kind, int64_t user_id, int64_t entry_id,
	struct slice detail, struct err *e);

/* A word, with blanks and whatever is not printable as \xNN; where something is there
 * already, behind a blank. */
void events_add_word(struct buf *detail, const char *key, struct slice value);
/* The value of a word, up to the next blank; that of "reply" to the end. Empty: it has
 * none, or there is no such word. */
struct slice events_word(struct slice detail, const char *key);

/* What a POP3 session did: `from=ADDRESS ended=TIME retrieved=N octets=N deleted=N`, then `quit=no`
 * where it ended in another way, `cut=ID:OCTETS` where it ended within or right behind a
 * message of which so many octets had been sent, `fetched=IDS` and `removed=IDS`, lists as
 * in ranges.h; what does not fit stands in further ones, with `from`, `ended` and lists alone. */
#define EVENT_SESSION "session"
/* A user's login from an address: detail `from=ADDRESS`. */
#define EVENT_LOGIN "login"
/* A message was filed once more, deleted before or not: entry_id is what it has now;
 * detail `was=ID uidl=UIDL`, its id before and its UIDL now. */
#define EVENT_RESTORED "restored"
#define EVENT_AGAIN    "again"
/* An administrator moved it: detail `from=FOLDER to=FOLDER`; deleted it: no detail. With
 * entry_id 0 a folder's end did it, and the word `entries` lists which. */
#define EVENT_MOVED   "moved"
#define EVENT_REMOVED "removed"
/* The disk was full: deleted messages went for good before their time, `entries=IDS`. */
#define EVENT_PURGED   "purged"
#define EVENTS_ID_MOST 20 /* octets of a message's number in such a list */

/* What became of a recipient outside: detail `id=QUEUEID to=ADDRESS host=HOST
 * message=MESSAGE-ID queued=TIME size=OCTETS sender=ADDRESS peer=ADDRESS reply=...`, which
 * is the last word and may hold blanks. */
#define EVENT_RELAYED       "relayed"
#define EVENT_DEFERRED      "deferred"
#define EVENT_UNDELIVERABLE "undeliverable"
/* An administrator took it out of the queue: the same up to `to`, and `message`. */
#define EVENT_DROPPED "dropped"

/* A client that comes back again and again for the same message was told of: entry_id is
 * the message, detail `sessions=N`; see stuck.h. */
#define EVENT_STUCK "stuck"

struct event_totals {
	int64_t delivered[24], delivered_size[24]; /* by hour, the last is the current one */
	int64_t logins_day;
};
/* The last day's, up to now. */
int events_totals(struct store *store, struct event_totals *totals, struct err *e);
/* Forgets those older than `seconds`, at most 1,000; 1: there is more. */
int events_forget_step(struct store *store, int64_t seconds, struct err *e);

#endif
