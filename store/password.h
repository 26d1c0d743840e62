/* Password hashes: crypt(3) of libxcrypt; new ones are yescrypt ($y$). */
#ifndef STORE_PASSWORD_H
#define STORE_PASSWORD_H

#include "store/users.h"

#define PASSWORD_MAX 511 /* octets: what crypt(3) takes */

/* Hashes for storing. ERR_INPUT for an empty password, one over PASSWORD_MAX,
 * or one with a NUL or control character. About 11 ms and 16 MB. */
int password_hash(struct slice password, char hash[HASH_MAX], struct err *e);
/* The same with the setting (cost and salt) of a hash that is not old; of "": with one
 * of its own. */
int password_hash_like(struct slice password, const char *like, char hash[HASH_MAX], struct err *e);
/* Are both ours, and of one setting? Then one computation compares with both. */
bool password_is_alike(const char *hash, const char *other);
/* Which of these hashes is the password's? Its index; -1: none. Costs one hash for all
 * that are alike, and with none at all (no such user) as much as one. Without the memory
 * for a hash the process ends. */
int password_find(struct slice password, const char *const *hashes, size_t count);
/* Is it the password of `hash`? NULL: no such user. */
bool password_matches(struct slice password, const char *hash);
/* A whole "$...$" string that crypt(3) here can check, within 3 s and 256 MB: for
 * --hash-stdin. Costs one hash of its kind, in a process of its own. */
bool password_hash_is_known(const char *hash);
/* Not made by us: to be replaced at the next right login. */
bool password_hash_is_old(const char *hash);
/* A generated password: 16 letters and digits without look-alikes, in groups
 * of four. */
#define PASSWORD_GENERATED_MAX 20
void password_generate(char text[PASSWORD_GENERATED_MAX]);

#endif
