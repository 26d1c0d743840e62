/* What the office writes is filed: to whom a report or a notice goes. Each is a step of
 * its own in the caller's transaction: one that cannot be filed goes to the postmaster,
 * and if he cannot have it either, that is logged, and all the rest stands.
 * -1: the transaction is lost as a whole. */
#ifndef STORE_REPORTS_H
#define STORE_REPORTS_H

#include "store/bounce.h"
#include "store/deliver.h"

/* To the sender, where his address is one of ours; where that is nobody's, or it lies
 * outside, to the user himself (0: there is none), to whom it was granted. Never to the
 * null sender. */
int reports_tell_sender(struct store *store, const struct config *config, enum bounce_kind kind,
	const struct bounce *bounce, int64_t user_id, struct err *e);
/* Mail of `who` begins to be held: to the postmaster. */
int reports_tell_held(struct store *store, const struct config *config, const struct delivery *held,
	struct err *e);
/* What was forwarded cannot be delivered to its one recipient: to the postmaster, once an
 * hour for a target. */
int reports_tell_forward_failed(struct store *store, const struct config *config,
	const struct bounce *bounce, struct err *e);

#endif
