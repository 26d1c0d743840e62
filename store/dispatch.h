/* The writer's part in mail on its way out: what its steps do for relay and deliveries,
 * who of them holds what, and when the relay is to look anew. */
#ifndef STORE_DISPATCH_H
#define STORE_DISPATCH_H

#include "store/jobs.h"

/* Where a delivery goes, what it has been given and owes results for; kept for its
 * channel, NULL at first. */
struct errand;

/* In a transaction at the writer's start. */
int dispatch_begin(struct store *store, struct err *e);

/* ---- in a step of the round's transaction ---- */

/* deliver(), with the reports and notices that come of it at once. */
int dispatch_deliver(struct store *store, const struct config *config,
	const struct delivery *delivery, struct body_writer *body, enum err_kind *results,
	struct err *e);
/* REQUEST_NEXT. ERR_DENIED: results of what it does not hold, or it has not said where it
 * goes. */
int dispatch_next(struct store *store, const struct config *config, struct errand *errand,
	const struct frame *frame, struct buf *answer, struct err *e);
/* REQUEST_UNREACHABLE; of the relay: `errand` is NULL. ERR_DENIED: a delivery goes
 * elsewhere. */
int dispatch_unreachable(struct store *store, const struct config *config,
	const struct errand *errand, const struct frame *frame, struct buf *answer, struct err *e);

/* ---- at once ---- */

/* REQUEST_DESTINATION, once a channel. ERR_DENIED. */
int dispatch_set_out(struct errand **errand, const struct frame *frame, struct err *e);
/* REQUEST_DUE. That channel is the relay's from now on. */
void dispatch_due(struct store *store, const struct config *config, struct role_channel *relay);

/* ---- around the commit ---- */

/* Behind the commit, for a step that was asked for: with `done` the delivery has the
 * message that it took, else it still has the one before. */
void dispatch_stepped(struct errand *errand, bool done);
/* A channel has ended. What its delivery held is given up with the next commit. */
void dispatch_closed(const struct role_channel *channel, struct errand *errand);
/* Is there something to give up? Then the next commit is due soon. */
bool dispatch_has_lost(void);
/* In the transaction that is about to be committed: gives up what was lost. What cannot be
 * stays lost, and is tried again with the next commit. */
void dispatch_give_up(struct store *store, const struct config *config);
/* It has been committed. Wakes the relay where there is reason to. */
void dispatch_committed(void);

#endif
