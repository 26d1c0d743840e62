/* POP3's view of a folder: the list as it is at login, and deletion at QUIT. */
#ifndef STORE_MAILDROP_H
#define STORE_MAILDROP_H

#include "store/deliver.h"
#include "store/folders.h"

struct maildrop_item {
	int64_t id;    /* of the mailbox entry */
	uint64_t size; /* octets RETR sends: prefix and body */
	uint32_t uidl; /* offset of a C string in maildrop->uidls */
};

struct maildrop {                    /* set to zero: empty */
	struct maildrop_item *items; /* in order of arrival */
	size_t count, cap;
	struct buf uidls;
	uint64_t size; /* of all items */
};

/* Room for so many items in all, and their UIDLs with a NUL each: a session
 * that lists a big mailbox holds no octet too many. */
void maildrop_reserve(struct maildrop *maildrop, size_t count, size_t uidl_octets);
void maildrop_add(struct maildrop *maildrop, int64_t id, uint64_t size, struct slice uidl);
const char *maildrop_uidl(const struct maildrop *maildrop, size_t index);
void maildrop_free(struct maildrop *maildrop);

/* Lists a folder; one read, one order. */
int maildrop_list(struct store *store, int64_t folder_id, struct maildrop *maildrop, struct err *e);
/* The same as one login of a user with devices sees it. */
int maildrop_list_view(struct store *store, int64_t folder_id, int64_t device_id,
	struct maildrop *maildrop, struct err *e);
/* Marks entries of this user's folder deleted, in the caller's transaction. One that
 * another has deleted, purged or moved meanwhile is no error; one that never was this
 * user's is ERR_DENIED. */
int maildrop_delete(struct store *store, int64_t user_id, int64_t folder_id, const int64_t *ids,
	size_t count, struct err *e);
/* The same for one login alone, where the user has devices, else for all. 1: what of it is
 * due leaves with maildrop_settle(), in the same transaction. ERR_MISSING: the device has
 * been removed. */
int maildrop_delete_view(struct store *store, int64_t user_id, int64_t folder_id, int64_t device_id,
	const int64_t *ids, size_t count, struct err *e);
int maildrop_settle(struct store *store, const int64_t *ids, size_t count, struct err *e);

#endif
