/* Aliases as rows: an address and the addresses it leads to; `@domain` is a
 * catch-all, `@domain @other` makes a whole domain another's alias. Where they
 * lead is told by addresses.h. */
#ifndef STORE_ALIASES_H
#define STORE_ALIASES_H

#include "store/address.h"

/* ---- for the tools ---- */

struct alias {
	const char *alias;
	const char *const *targets;
	size_t count;
};

/* Adds targets to an alias, which begins with its first one; those it has
 * already are no error. At a user's address the user must be among the targets:
 * he always gets his mail, the others a copy. ERR_EXISTS a user has that
 * address and is no target, or a catch-all would become a domain alias; ERR_LOOP
 * it would lead back to itself; ERR_INPUT a target of ours that leads to
 * nobody; ERR_DENIED one outside for which no mail can leave. Needs a transaction; roll
 * back on an error. */
int aliases_add(struct store *store, const struct config *config, struct slice alias,
	const struct slice *targets, size_t count, struct err *e);
/* Without targets: all of it. ERR_MISSING. Roll back on an error. */
int aliases_remove(struct store *store, struct slice alias, const struct slice *targets,
	size_t count, struct err *e);
/* Calls `each` in order of address until it returns non-zero. */
int aliases_each(struct store *store, int (*each)(const struct alias *alias, void *arg), void *arg,
	struct err *e);

/* ---- inside store/ ---- */

/* Is there an alias of that name? 1 found. */
int aliases_exist(struct store *store, const struct address *alias, struct err *e);
/* Calls `each` for every target; it must not touch the store. 1 there was one. */
int aliases_targets(struct store *store, const struct address *alias,
	void (*each)(struct slice target, void *arg), void *arg, struct err *e);
/* A user moves from one address to another: aliases that led there follow, and
 * the old address becomes one. ERR_EXISTS: an alias of the new address that
 * does not lead to this user alone. */
int aliases_follow_user(
	struct store *store, const struct address *from, const struct address *to, struct err *e);
/* A user goes: so do the aliases that led there alone. */
int aliases_forget_user(struct store *store, struct slice address, struct err *e);

#endif
