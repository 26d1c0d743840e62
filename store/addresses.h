/* Where an address leads: users, aliases, lists, user+tag, catch-all, domain
 * aliases, postmaster and abuse of every domain, bare <postmaster>.
 * Precedence: user, alias, user+tag, catch-all (INTERFACE.md). */
#ifndef STORE_ADDRESSES_H
#define STORE_ADDRESSES_H

#include "store/users.h"

struct destination {
	struct user user;
	int64_t folder_id; /* public folder of user+NAME; 0: rules decide */
};

struct destinations { /* each mailbox once; set to zero before the first use */
	struct destination *at;
	size_t count, cap;
};

/* Is it an address we could hold at all: one unquoted "@", local part and
 * domain within their lengths, printable ASCII? ERR_INPUT says what is wrong. */
int addresses_check(struct slice address, struct err *e);

/* Adds every mailbox that `address` leads to. Errors: ERR_DENIED not our
 * domain; ERR_MISSING nobody; ERR_LOOP an alias in circles that leads nowhere
 * else. On an error *out is as it was. */
int addresses_resolve(struct store *store, const struct config *config, struct slice address,
	struct destinations *out, struct err *e);
void destinations_free(struct destinations *destinations);

/* As a RCPT is judged: resolves, then asks whether a message of `size` octets
 * (0: not said) finds room. ERR_QUOTA only when every mailbox is full. */
int addresses_accept(struct store *store, const struct config *config, struct slice address,
	uint64_t size, struct err *e);

/* ---- aliases, for the tools ---- */

struct alias {
	const char *alias;
	const char *const *targets;
	size_t count;
};

/* ERR_LOOP, ERR_EXISTS (a user has that address), ERR_INPUT (a target that
 * does not exist, or lies outside: forwarding is not built yet). `alias` may
 * be "@domain" (catch-all; with target "@other": domain alias). */
int aliases_add(struct store *store, const struct config *config, struct slice alias,
	const struct slice *targets, size_t count, struct err *e);
/* Without targets: all of it. ERR_MISSING. */
int aliases_remove(struct store *store, struct slice alias, const struct slice *targets,
	size_t count, struct err *e);
int aliases_each(struct store *store, int (*each)(const struct alias *alias, void *arg), void *arg,
	struct err *e);

#endif
