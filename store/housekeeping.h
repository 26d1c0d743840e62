/* What the writer does between requests: purging, giving back, making room. */
#ifndef STORE_HOUSEKEEPING_H
#define STORE_HOUSEKEEPING_H

#include "store/store.h"

/* In a transaction: is there more room than [store] reserve? Purges kept
 * deletions, oldest first, before it says no: ERR_SPACE. */
int housekeeping_has_space(struct store *store, const struct config *config, struct err *e);
/* Outside of one: store_checkpoint(), and a failure told once a minute. */
void housekeeping_checkpoint(struct store *store, bool idle);
/* Outside of one: the next small step of what is due. Returns the milliseconds
 * to wait for the one after it. */
int housekeeping_step(struct store *store, const struct config *config);

#endif
