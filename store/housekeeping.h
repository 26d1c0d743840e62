/* What the writer does between requests: purging, giving back, making room. */
#ifndef STORE_HOUSEKEEPING_H
#define STORE_HOUSEKEEPING_H

#include "store/store.h"

/* Not in a transaction, for mail that found no room: lets free pages and kept
 * deletions give way, the oldest first, for some seconds at the most. ERR_SPACE:
 * there is still none; what is left to do, housekeeping_step() goes on with. */
int housekeeping_make_room(struct store *store, const struct config *config, struct err *e);
/* Not in a transaction: store_checkpoint(), and a failure told once. */
void housekeeping_checkpoint(struct store *store, bool idle);
/* Not in a transaction, whenever the role is idle: the next small step, if it is due.
 * Returns the milliseconds to wait for the one after it. */
int housekeeping_step(struct store *store, const struct config *config);
/* There is something to do that does not wait for the next step's time. */
void housekeeping_soon(void);
/* A commit failed: told once, until there is room again or the reason is another. */
void housekeeping_note_failure(const char *event, const struct err *why);

#endif
