/* Messages as the tools see them. */
#ifndef STORE_MAIL_H
#define STORE_MAIL_H

#include "store/maildrop.h"

struct mail {
	int64_t id, folder_id;
	char folder[FOLDER_NAME_MAX];
	char uidl[UIDL_MAX];
	uint64_t size;
	int64_t received; /* Unix seconds */
	int64_t deleted;  /* 0: still offered */
	int64_t became;   /* the id under which it was filed again; 0: it was not */
	char from[256];   /* the From: field, decoded, cut; else the envelope sender */
};

/* Calls `each` for the messages of a folder (0: of every one), deleted ones or the
 * others, in order of arrival, until it returns non-zero. What was filed again is
 * not among the deleted. */
int mail_each(struct store *store, int64_t user_id, int64_t folder_id, bool deleted,
	int (*each)(const struct mail *mail, void *arg), void *arg, struct err *e);
/* A message of this user's, deleted or not, filed again or not. 1 found. */
int mail_find(struct store *store, int64_t user_id, int64_t id, struct mail *mail, struct err *e);
/* In a transaction. UIDLs stay, and what is deleted stays deleted. ERR_MISSING:
 * message or folder are none of this user's. */
int mail_move(struct store *store, int64_t user_id, int64_t id, int64_t folder_id, struct err *e);

/* ---- undelete, and offer once more ---- */

/* What mail_again() can file: deleted messages, deleted at `since` or later, or the
 * others, arrived then or later. Adds their ids (int64_t each) in order of arrival;
 * *size is the octets of all of them. */
int mail_list_again(struct store *store, int64_t user_id, bool deleted, int64_t since,
	struct buf *ids, uint64_t *size, struct err *e);
/* In a transaction. Files a message (of the deleted ones, or of the others) once more
 * in its folder, under a new id and UIDL: for clients a new message. The entry of
 * before is deleted and stays until the purge, for sessions that list it. 1 done;
 * 0: it is not there, changed sides, or was filed again already. */
int mail_again(struct store *store, int64_t user_id, int64_t id, bool deleted, struct err *e);

/* ---- upkeep ---- */

/* Purges, in small steps, what was deleted longer than keep_deleted (at least
 * an hour) ago, and frees bodies nobody refers to; at most `octets` of bodies a
 * step. 1: there is more to do. `disk_full` takes the oldest deletions whatever
 * their age. Honours the clock's rule (DESIGN.md, "Deletion only marks"). */
int mail_purge_step(
	struct store *store, int64_t keep_deleted, bool disk_full, uint64_t octets, struct err *e);

/* May what is old be judged by this clock? 1 yes; 0: it is behind the latest time seen, or
 * a day ahead, and has not run steadily for an hour. In a transaction. */
int mail_trust_clock(struct store *store, int64_t now, struct err *e);

/* The latest time that the store has seen, to the hour; 0: none yet. */
int mail_latest_time(struct store *store, int64_t *latest, struct err *e);

/* One finding of mail_check(): a sentence with user, folder, message, mend. */
typedef void (*mail_finding_fn)(const char *sentence, void *arg);
/* Integrity of the file, checksums of every piece, counters counted again,
 * references. Returns the number of findings, -1 when it could not look. */
int mail_check(struct store *store, mail_finding_fn finding, void *arg, struct err *e);

#endif
