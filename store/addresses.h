/* Where an address leads: users, aliases, lists, user+tag, catch-all, domain
 * aliases, postmaster and abuse of every domain, bare <postmaster>, outside, and back.
 *
 * Precedence: user, alias, user+tag, token of what is forwarded, catch-all. An alias at
 * a user's address adds others to the user. A tag goes along through aliases and domain
 * aliases, to targets that have none of their own and are ours. postmaster@ and abuse@
 * come before a catch-all; they lead to [office] postmaster, and where that is empty or
 * leads to no mailbox to the first user, too: that mail is never refused (RFC 5321,
 * 4.5.1), and somebody here reads it. Disabled users get their mail. */
#ifndef STORE_ADDRESSES_H
#define STORE_ADDRESSES_H

#include "store/aliases.h"

struct destination {
	struct user user;
	int64_t folder_id; /* public folder of user+NAME; 0: rules decide */
};

struct forward {
	char target[ADDRESS_MAX]; /* an alias's, outside */
	char alias[ADDRESS_MAX];  /* the address of ours that leads there, perhaps "@domain" */
};

struct destinations { /* each mailbox and target once; set to zero before the first use */
	struct destination *at;
	size_t count, cap;
	struct forward *forwards;
	size_t forward_count, forward_cap;
	/* It is a token (store/forwards.h): what has come back from this target. Then there
	 * is nothing else. */
	char returned[ADDRESS_MAX];
};

/* Reads an address that a user or an alias of this office can have: its domain
 * is ours, and it needs no quotes; else ERR_INPUT. */
int addresses_read_ours(
	struct address *address, const struct config *config, struct slice text, struct err *e);

/* Adds all that `address` leads to. Errors: ERR_INPUT no address; ERR_DENIED not our
 * domain; ERR_MISSING nobody; ERR_LOOP an alias in circles that leads nowhere else. On
 * an error *out is as it was. */
int addresses_resolve(struct store *store, const struct config *config, struct slice address,
	struct destinations *out, struct err *e);
/* Is an error of this kind one of those: the address's, and not the store's failure? */
bool addresses_is_refusal(enum err_kind kind);
void destinations_free(struct destinations *destinations);
/* For one that it has refused as not ours: can mail leave for it? Its domain has two
 * labels at least; *address is what it is. ERR_DENIED. */
int addresses_check_outside(struct address *address, struct slice text, struct err *e);
/* Does mail for `address` pass through the alias `by`? 1 yes, 0 no. */
int addresses_pass(struct store *store, const struct config *config, const struct address *address,
	const struct address *by, struct err *e);

/* As a RCPT is judged: resolves, then asks whether a message of `size` octets
 * (0: not said) finds room. ERR_QUOTA only when there are mailboxes, and all full. */
int addresses_accept(struct store *store, const struct config *config, struct slice address,
	uint64_t size, struct err *e);

#endif
