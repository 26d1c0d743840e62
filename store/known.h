/* Known addresses: the sources from which somebody logged in during the last
 * thirty days, kept over a restart. They outlive the events, which go with
 * what was deleted. */
#ifndef STORE_KNOWN_H
#define STORE_KNOWN_H

#include "base/peers.h"
#include "store/store.h"

/* Somebody has logged in from `source` now; in the caller's transaction. Of more than
 * PEERS_KNOWN_MAX the oldest are forgotten. */
int known_note(struct store *store, const struct peer *source, struct err *e);
/* Calls `each` for those that count, with how long ago it was, in seconds. */
int known_each(struct store *store,
	void (*each)(const struct peer *source, int64_t seconds, void *arg), void *arg,
	struct err *e);

#endif
