/* Who may send as whom: an address belongs to those who get its mail, whether
 * it is their own, one with a tag, or an alias or list that leads to them; and to
 * whom it has been granted: a colleague's, whose letters somebody writes, one that
 * nobody reads, or one's own elsewhere. Who has not logged in and is trusted, a
 * printer or a program of this box, may send as any address of our domains, whether
 * somebody has it or not. (RFC 6409, 6.1) */
#ifndef STORE_SENDERS_H
#define STORE_SENDERS_H

#include "store/addresses.h"

struct submitter {
	int64_t user_id;     /* who has logged in */
	bool trusted;        /* nobody has, and need not */
	const char *account; /* trusted, of this box: ACCOUNT@hostname is his, too; or NULL */
};

/* May he send as `address`? ERR_DENIED; also a user who has been disabled since his
 * login. */
int senders_may(struct store *store, const struct config *config, const struct submitter *who,
	struct slice address, struct err *e);

/* May he send a message with this envelope sender (empty: the null sender,
 * which is everybody's) and this header, with its blank line? All of its authors
 * must be he.
 * ERR_DENIED. */
int senders_check(struct store *store, const struct config *config, const struct submitter *who,
	struct slice sender, struct slice header, struct err *e);

/* ---- grants, exact addresses; compared in ASCII lower case, also outside, where
 * nobody has two that differ in case alone ---- */

/* ERR_INPUT no address. One that is granted already is no error. */
int senders_grant(struct store *store, int64_t user_id, struct slice address, struct err *e);
/* ERR_MISSING: it is not granted. */
int senders_revoke(struct store *store, int64_t user_id, struct slice address, struct err *e);
/* Calls `each` in order of address; it must not touch the store. */
int senders_each_grant(struct store *store, int64_t user_id,
	void (*each)(struct slice address, void *arg), void *arg, struct err *e);
/* For users.c: a user moves from one address to another, and who may send as the
 * old one may as the new one, too. */
int senders_follow_user(
	struct store *store, const struct address *from, const struct address *to, struct err *e);
/* A user goes: nothing is granted to him any more, and nobody his address. */
int senders_forget_user(struct store *store, int64_t user_id, struct slice address, struct err *e);

/* Is it one Received field, and nothing beside it? That stands in front of the header. */
bool senders_is_trace(struct slice text);

#endif
