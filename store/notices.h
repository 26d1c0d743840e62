/* Filing what the office writes itself (bounce.h): reports, and notices to the postmaster. */
#ifndef STORE_NOTICES_H
#define STORE_NOTICES_H

#include "store/deliver.h"

/* Files `message`, whole and in stored form, for `recipient`, an address of ours, under the
 * null sender, so that nothing ever answers it. Where it is nobody's any more, or the
 * mailbox is full, the log says so and that is all. Needs a transaction. */
int notices_file(struct store *store, const struct config *config, struct slice recipient,
	struct slice message, struct err *e);
#define NOTICES_POSTMASTER SLICE("postmaster") /* as a recipient */

#endif
