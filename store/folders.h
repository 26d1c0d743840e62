/* Folders of a user: Inbox, Junk, and own ones. Names are rows, not paths:
 * 1 to 64 octets of printable ASCII or UTF-8 without "@", "/", "+" or
 * controls; compared ASCII case-blind. */
#ifndef STORE_FOLDERS_H
#define STORE_FOLDERS_H

#include "store/store.h"

#define FOLDER_NAME_MAX 65
#define FOLDER_INBOX    "Inbox"
#define FOLDER_JUNK     "Junk"

struct folder {
	int64_t id, user_id;
	char name[FOLDER_NAME_MAX];
	bool is_public;         /* user+NAME@domain files here */
	int64_t messages, size; /* octets */
};

/* In a transaction. ERR_INPUT: that is no name; ERR_EXISTS: there is one in some
 * spelling. */
int folders_add(
	struct store *store, int64_t user_id, struct slice name, bool is_public, struct err *e);
/* Its mail moves to Inbox, at most FOLDERS_STEP messages a call: 1 there is
 * more, commit and call again; rules that file there go with the first call, the
 * folder with the last (0). Inbox and Junk cannot be removed (ERR_INPUT). */
#define FOLDERS_STEP 500
int folders_remove(struct store *store, int64_t folder_id, struct err *e);
/* 1 found; what can be no folder's name is not found. */
int folders_find(struct store *store, int64_t user_id, struct slice name, struct folder *folder,
	struct err *e);
/* Calls `each` in order of name until it returns non-zero. */
int folders_each(struct store *store, int64_t user_id,
	int (*each)(const struct folder *folder, void *arg), void *arg, struct err *e);

#endif
