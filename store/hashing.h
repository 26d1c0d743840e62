/* The directory's two helpers: they compare a password with hashes, one at a
 * time each, and know nothing else. Forked before the store is opened, so that
 * a hundred logins at once cost no more memory than two, and no look-up waits
 * behind a hash.
 *
 * The queue takes known addresses first, and one waiting hash an address: who
 * guesses waits behind himself. */
#ifndef STORE_HASHING_H
#define STORE_HASHING_H

#include "base/peers.h"
#include "store/users.h"

/* Forks the helpers, each sealed, and watches them (role_watch). If one dies,
 * the process ends with an error, to be restarted. */
int hashing_begin(struct err *e);

#define HASHING_MOST 32 /* hashes of one question */

/* `which` of the hashes it was, -1: none. `new_hash`: one to keep in the place of the
 * first, or "". */
typedef void (*hashing_done_fn)(void *arg, int which, const char *new_hash);
/* Queues a question from `source`: password_find(). No hash at all: no such user; costs the
 * same, and is wrong. `done` is called in a later round of the role. */
void hashing_ask(const struct peer *source, struct slice password, const char *const *hashes,
	size_t count, hashing_done_fn done, void *arg);
/* Nobody waits for what was asked with `arg` any more. */
void hashing_forget(const void *arg);

#endif
