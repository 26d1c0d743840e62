/* Who may send as whom: an address belongs to those who get its mail, whether
 * it is their own, one with a tag, or an alias or list that leads to them.
 * (RFC 6409, 6.1) */
#ifndef STORE_SENDERS_H
#define STORE_SENDERS_H

#include "store/addresses.h"

/* May the user send as `address`? ERR_DENIED; also who has been disabled since his
 * login. */
int senders_may(struct store *store, const struct config *config, int64_t user_id,
	struct slice address, struct err *e);

/* May he send a message with this envelope sender (empty: the null sender,
 * which is everybody's) and this header, with its blank line? All of its authors
 * must be he.
 * ERR_DENIED. */
int senders_check(struct store *store, const struct config *config, int64_t user_id,
	struct slice sender, struct slice header, struct err *e);

/* Is it one Received field, and nothing beside it? That stands in front of the header. */
bool senders_is_trace(struct slice text);

#endif
