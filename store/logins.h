/* What the directory remembers of logins, in memory: passwords found right,
 * wrong ones an address has tried. Passwords stand here only as digests under a
 * key that dies with the process. */
#ifndef STORE_LOGINS_H
#define STORE_LOGINS_H

#include "base/digest.h"
#include "base/peers.h"
#include "store/users.h"

/* A password with the hash it is held against, and by whom. Bound to the stored
 * hash: a changed password is a new pair. */
struct login_pair {
	unsigned char digest[DIGEST_SIZE];
};
/* `hash` NULL: no such user; the pair is then bound to the name. */
void login_pair_of(
	struct login_pair *pair, struct slice name, const char *hash, struct slice password);

/* Was this pair found right: in the last LOGIN_FRESH_MS (no need to hash
 * again), or in the last days (let in past the limit)? */
#define LOGIN_FRESH_MS    (15 * 60 * 1000)
#define LOGIN_REMEMBER_MS (7LL * 24 * 3600 * 1000)
bool logins_is_fresh(const struct login_pair *pair, int64_t now_ms);
bool logins_is_remembered(const struct login_pair *pair, int64_t now_ms);
void logins_found_right(const struct login_pair *pair, int64_t now_ms);

/* Distinct wrong pairs from `source` in the last LOGIN_WRONG_MS; repeated ones
 * count once. */
#define LOGIN_WRONG_MS (15 * 60 * 1000)
void logins_found_wrong(const struct login_pair *pair, const struct peer *source, int64_t now_ms);
uint64_t logins_count_wrong(const struct peer *source, int64_t now_ms);

#endif
