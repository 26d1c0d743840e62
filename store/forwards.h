/* What aliases send outside leaves under a sender of its own, TOKEN@domain of ours: the
 * sender's domain has not to name this server (RFC 7208, 2.4; RFC 5321, 3.9.1), and what
 * comes back is known. A target has one token for good: reports come late. */
#ifndef STORE_FORWARDS_H
#define STORE_FORWARDS_H

#include "store/address.h"

#define FORWARD_TOKEN_MAX 32 /* octets with NUL */

/* The token of a target (an address as the store compares it), made at its first use.
 * Needs a transaction. */
int forwards_token(
	struct store *store, struct slice target, char token[FORWARD_TOKEN_MAX], struct err *e);
/* Whose token is this local part, in whatever case? 1 found. */
int forwards_find(struct store *store, struct slice local, char target[ADDRESS_MAX], struct err *e);
/* Is it time to tell the postmaster of a target again? 1 yes, and it is noted that he is
 * told now: at most once an hour. Needs a transaction. */
int forwards_tell(struct store *store, struct slice target, struct err *e);

#endif
