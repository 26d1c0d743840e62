/* What a POP3 session deletes at QUIT, as it comes to the writer on one channel. */
#ifndef STORE_DELETION_H
#define STORE_DELETION_H

#include "store/requests.h"

struct deletion { /* set to zero: nothing */
	struct buf ids;
	struct ticket ticket;
	bool hides; /* from one login of several, and for good what is due */
};

/* Adds the entries of a REQUEST_DELETE or REQUEST_DELETE_MORE. ERR_INPUT, ERR_DENIED. */
int deletion_add(struct deletion *deletion, const struct frame *frame,
	const unsigned char ticket_key[DIGEST_SIZE], struct err *e);
/* A step of the round's transaction: all of them, or none. ERR_DENIED; ERR_MISSING: the
 * device has been removed. */
int deletion_carry_out(struct deletion *deletion, struct store *store,
	const unsigned char ticket_key[DIGEST_SIZE], struct err *e);
/* Behind it, in the same transaction, once the logins are written that have been told of:
 * who has a list in hand holds what stands in it. */
int deletion_settle(const struct deletion *deletion, struct store *store, struct err *e);
void deletion_free(struct deletion *deletion);

#endif
