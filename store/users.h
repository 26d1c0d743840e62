/* Users: an address, a password hash, a quota, and a mailbox. */
#ifndef STORE_USERS_H
#define STORE_USERS_H

#include "store/store.h"

#define ADDRESS_MAX   321  /* 64 + "@" + 255 + NUL */
#define HASH_MAX      384  /* CRYPT_OUTPUT_SIZE of libxcrypt */
#define QUOTA_DEFAULT (-1) /* use [store] quota */

struct user {
	int64_t id;
	char address[ADDRESS_MAX]; /* ASCII-folded */
	char hash[HASH_MAX];       /* crypt(3) string */
	bool enabled;
	int64_t quota; /* octets; 0: no limit; QUOTA_DEFAULT */
	int64_t used;  /* octets offered to POP3: what the quota counts */
	int64_t messages;
	int64_t last_login; /* Unix seconds; 0: never. By whichever password */
	int64_t devices;    /* how many there are (store/devices.h) */
	int64_t viewed;     /* when the own password last opened the mailbox, while there are any */
};

/* All need a transaction but the finding ones. Addresses are folded here; an
 * address whose domain is not ours (config) is ERR_INPUT. */

/* Adds a user with Inbox and Junk. One removed within keep_deleted comes back
 * with the mail that is still restorable. ERR_EXISTS: user or alias there. */
int users_add(struct store *store, const struct config *config, struct slice address,
	const char *hash, int64_t quota, struct err *e);
/* Would users_add() take the address? */
int users_check_new(
	struct store *store, const struct config *config, struct slice address, struct err *e);
int users_set_hash(struct store *store, int64_t user_id, const char *hash, struct err *e);
int users_set_enabled(struct store *store, int64_t user_id, bool enabled, struct err *e);
int users_set_quota(struct store *store, int64_t user_id, int64_t quota, struct err *e);
int users_set_last_login(struct store *store, int64_t user_id, int64_t when, struct err *e);
/* The old address stays as an alias of the new one; who may send as it may as the
 * new one, too. */
int users_rename(struct store *store, const struct config *config, int64_t user_id,
	struct slice address, struct err *e);
/* The mail becomes "deleted now", at most USERS_STEP messages a call: 1 there is
 * more, commit and call again. The last call (0) ends the account: aliases that
 * led here alone go, and grants. Left half-way, the user is still there. */
#define USERS_STEP 500
int users_remove(struct store *store, int64_t user_id, struct err *e);

/* By whole address. 1 found. */
int users_find(struct store *store, struct slice address, struct user *user, struct err *e);
int users_find_id(struct store *store, int64_t id, struct user *user, struct err *e);
/* By what a client types: address or local part (where only one account has
 * it), "+FOLDER" before the "@" or at the end. *folder borrows from `login`,
 * empty without one. 1 found. */
int users_find_login(struct store *store, struct slice login, struct user *user,
	struct slice *folder, struct err *e);
/* Calls `each` in order of address until it returns non-zero. */
int users_each(struct store *store, int (*each)(const struct user *user, void *arg), void *arg,
	struct err *e);
/* In octets, the user's own or that of [store]; 0: no limit. */
uint64_t users_quota(const struct user *user, const struct config *config);
/* Octets still free under the user's quota; UINT64_MAX without one. */
uint64_t users_room(const struct user *user, const struct config *config);

#endif
