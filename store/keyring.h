/* The passwords that open an account: the user's own, and those of the devices. The
 * directory has them for as long as it judges a login. */
#ifndef STORE_KEYRING_H
#define STORE_KEYRING_H

#include "store/devices.h"
#include "store/logins.h"

#define KEYRING_MAX (1 + DEVICES_MAX)

struct keyring { /* set to zero: of nobody */
	const struct user *user;
	struct device *devices;
	size_t device_count;
	struct login_pair *pairs; /* with the password that is tried; the own one's first */
};

/* Of a user who stays where he is; id 0: there is none. */
int keyring_load(
	struct keyring *keyring, struct store *store, const struct user *user, struct err *e);
/* Forgets hashes and pairs. */
void keyring_free(struct keyring *keyring);

/* The own hash first; their count, 0 where there is no user. */
size_t keyring_hashes(const struct keyring *keyring, const char *hashes[KEYRING_MAX]);
/* `name` is how the client wrote it. */
void keyring_try(struct keyring *keyring, struct slice name, struct slice password);
/* Which one was found right lately; -1: none. */
int keyring_find_fresh(const struct keyring *keyring, int64_t now_ms);
/* Was one of them found right within days? */
bool keyring_is_remembered(const struct keyring *keyring, int64_t now_ms);
/* NULL for the own password, the first. */
const struct device *keyring_device(const struct keyring *keyring, int which);
/* Has this login, which has opened the mailbox where it `views`, something to be written of
 * it? What is known of the last one is kept to the hour. */
bool keyring_is_new_hour(
	const struct keyring *keyring, const struct device *device, bool views, int64_t now);

#endif
