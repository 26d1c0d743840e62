/* Filing what the office writes itself (bounce.h): reports, and notices to the postmaster. */
#ifndef STORE_NOTICES_H
#define STORE_NOTICES_H

#include "store/deliver.h"

/* Files `message`, whole and in stored form, for `recipient`, an address of ours, under the
 * null sender, so that nothing ever answers it. 1: it is there; 0: he is nobody any more,
 * or the mailbox is full, and the log says so. Needs a transaction. */
int notices_file(struct store *store, const struct config *config, struct slice recipient,
	struct slice message, struct err *e);
#define NOTICES_POSTMASTER SLICE("postmaster") /* as a recipient */

#endif
