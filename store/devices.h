/* Devices: more passwords for a user's mailbox, each with a view of its own.
 *
 * What a login deletes is hidden from it, and leaves the mailbox (is deleted, as
 * POP3 without devices does it) when no login that counts is without that. A login
 * is a device, or the user's own password, whose device_id is 0; it counts from the
 * first time it opens the mailbox, until it has not for 60 days. Who has no devices
 * has no view, and none of this is looked at. */
#ifndef STORE_DEVICES_H
#define STORE_DEVICES_H

#include "store/users.h"

#define DEVICE_NAME_MAX 65 /* octets, with a NUL */
#define DEVICES_MAX     20 /* of a user */
#define DEVICE_COUNTS   (60LL * 86400)

struct device {
	int64_t id;
	char name[DEVICE_NAME_MAX];
	char hash[HASH_MAX];
	int64_t last_login; /* Unix seconds; 0: never. POP3 or submission */
	int64_t viewed;     /* by POP3 alone; to the hour, as the other */
};

/* In order of name; devices_free() them. Those that are being removed are not among
 * them. */
int devices_load(struct store *store, int64_t user_id, struct device **devices, size_t *count,
	struct err *e);
void devices_free(struct device *devices, size_t count);
/* By name, whatever its case; also one that is being removed: its hash is "". 1 found. */
int devices_find(struct store *store, int64_t user_id, struct slice name, struct device *device,
	struct err *e);
int devices_find_id(struct store *store, int64_t id, struct device *device, struct err *e);
/* For what it still asks: ERR_MISSING if it has been removed. 0 is the own password's. */
int devices_check(struct store *store, int64_t id, struct err *e);
/* Until when it counts; 0: it does not, now. */
int64_t devices_counts_until(struct store *store, int64_t viewed);

/* The hash whose setting a new password of this user takes, so that one computation
 * compares with all of them; "": it is free. */
int devices_setting(
	struct store *store, const struct user *user, char like[HASH_MAX], struct err *e);

/* All below in the caller's transaction. */

/* ERR_INPUT: no name of a device; ERR_EXISTS: the name, or the password, is taken, or the
 * setting of the hash is not devices_setting() any more; ERR_LIMITED. */
int devices_add(struct store *store, const struct user *user, struct slice name, const char *hash,
	struct err *e);
/* Before it becomes the user's own: ERR_EXISTS if it is a device's. */
int devices_check_password(
	struct store *store, const struct user *user, const char *hash, struct err *e);
/* At most DEVICES_STEP messages a call, from *at on, which is 0 at first: 1 there is
 * more, commit and call again. The first call ends its logins and lets it count no
 * more; the last one takes the row away. */
#define DEVICES_STEP 500
int devices_remove(struct store *store, int64_t device_id, int64_t *at, struct err *e);
/* Has an hour gone by since this was written? */
bool devices_is_due(int64_t now, int64_t last);
/* A login; `views`: it has opened the mailbox. device_id 0: by the own password. */
int devices_logged_in(
	struct store *store, const struct user *user, int64_t device_id, bool views, struct err *e);

/* ---- what is hidden ---- */

/* `ids`: the text of a JSON array of entries' numbers. Hides those in the folder that are
 * there from one login. */
int devices_hide(
	struct store *store, int64_t folder_id, int64_t device_id, struct slice ids, struct err *e);
/* Deletes those of them that are due. */
int devices_settle(struct store *store, struct slice ids, struct err *e);
/* They have been deleted for all: nobody hides them any more. */
int devices_forget(struct store *store, struct slice ids, struct err *e);

/* From whom this one is hidden: names in their order, "" for the own password. */
int devices_each_hiding(struct store *store, int64_t entry_id,
	void (*each)(struct slice name, void *arg), void *arg, struct err *e);
/* devices_settle() for all there is, DEVICES_STEP messages a call, from *at on: logins
 * cease to count. *left counts those that have left. 1 there is more. */
int devices_settle_step(struct store *store, int64_t *at, int64_t *left, struct err *e);

/* Those that count, and will no longer `seconds` from now if they are not used. The name of
 * the own password is "". */
struct device_stopping {
	char address[ADDRESS_MAX], name[DEVICE_NAME_MAX];
	int64_t until;
};
int devices_each_stopping(struct store *store, int64_t seconds,
	void (*each)(const struct device_stopping *stopping, void *arg), void *arg, struct err *e);

#endif
