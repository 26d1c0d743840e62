/* Clients that come back again and again for the same message: what an antivirus, a bad
 * line or a full disk at the other end looks like from here. They are found in the events
 * of the last day. */
#ifndef STORE_STUCK_H
#define STORE_STUCK_H

#include "store/users.h"

#define STUCK_DEVICE_MAX 72 /* octets of a device's name in an event, and a NUL */
/* So many sessions of one login within a day: that end within the same message, or that
 * begin with fetching the same one and end without QUIT, which would delete it. */
#define STUCK_CUTS  3
#define STUCK_LOOPS 5

struct stuck {
	int64_t user_id, entry_id;
	char user[ADDRESS_MAX];
	char device[STUCK_DEVICE_MAX]; /* empty: the own password */
	uint64_t size;                 /* octets of the message */
	int64_t sessions, last;        /* how many, and when the last one ended */
	bool breaks_off;               /* within the message; else it is fetched each time */
	bool told;                     /* in the log, within the day */
};
/* Calls `each` until it returns non-zero. A client that has got through since, and a
 * message that has gone, are none. */
int stuck_each(struct store *store, int (*each)(const struct stuck *stuck, void *arg), void *arg,
	struct err *e);

/* ---- for the writer ---- */

/* The detail of a session's event: is there something to look for? */
void stuck_suspect(struct slice detail);
/* Where there is, once a minute at most: logs who is stuck and has not been told of within
 * the day, and leaves an event of it. Not in a transaction. */
int stuck_look(struct store *store, struct err *e);

#endif
