/* Mail from elsewhere: filed octet for octet as the old server had it, under the UIDL that
 * its clients know it by.
 *
 * What a mailbox holds is read once, at the beginning of an import, so that each message
 * that is there already is known: by its UIDL and its octets, or by its octets within its
 * folder. Each of those there stands for one message of an import: two of the same octets
 * stay two. What a client has deleted since is there, too, until the purge. */
#ifndef STORE_IMPORT_H
#define STORE_IMPORT_H

#include "store/body.h"

/* In bodies.peer: nobody handed it over. */
#define IMPORT_PEER "import"

/* One import at a time in a store: *fd is open as long as it lasts. ERR_IN_USE. */
int import_lock(int *fd, const char *data, struct err *e);
/* In a transaction: what an import that was killed left of a big message is for the
 * purge. */
int import_clear(struct store *store, struct err *e);

struct import_known;
int import_known_read(
	struct import_known **known, struct store *store, int64_t user_id, struct err *e);
void import_known_free(struct import_known *known);
/* A message under this UIDL is going to come: what bears it is not taken for another
 * of the same octets. */
void import_expect(struct import_known *known, struct slice uidl);

struct import_message {
	int64_t folder_id;
	struct slice uidl;  /* of the old server; empty: it is not known */
	int64_t received;   /* Unix seconds */
	uint64_t size, sum; /* of the stored form; sum: digest_checksum() of all of it */
};

/* Is it there already? Not in a transaction: it reads what could be it. 1: it is, and
 * that one stands for no other from now on; *deleted: a client has deleted it. */
int import_find(struct import_known *known, struct store *store,
	const struct import_message *message, bool *deleted, struct err *e);

enum import_uidl {
	IMPORT_KEPT,    /* it has the UIDL it had */
	IMPORT_NONE,    /* it had none: a new one */
	IMPORT_INVALID, /* it had one that POP3 does not allow (RFC 1939, 7): a new one */
	IMPORT_TAKEN,   /* another message of the mailbox has it: a new one */
};
/* In a transaction: files what `body` holds (all of it appended before). *body is ready
 * for the next message. */
int import_file(struct import_known *known, struct store *store,
	const struct import_message *message, struct body_writer *body, enum import_uidl *uidl,
	struct err *e);
/* In the transaction of the first piece of a big message, so that import_clear() knows it. */
int import_mark(struct store *store, const struct body_writer *body, struct err *e);

#endif
