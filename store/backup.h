/* Backup: one moment of the store, copied into one file while it is used; and the
 * way back. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store/store.h"

/* How far it is, in octets. -1 stops it, and has filled *e. */
typedef int (*backup_progress_fn)(uint64_t done, uint64_t all, void *arg, struct err *e);

struct backup {
	const char *name; /* of the file, for sentences */
	uint64_t reserve; /* octets that the store's own disk must keep free */
	int64_t made;     /* for restore_prepare(): when it was, Unix seconds */
	backup_progress_fn progress;
	void *arg;
};

/* Copies the store into the empty file `fd`: all that was committed before, in one
 * file without a log, which any SQLite opens. Memory stays flat; the log of a
 * busy server grows meanwhile, and ERR_SPACE ends the copy where the disk would
 * become short by it. The caller syncs. */
int backup_copy(struct store *store, int fd, const struct backup *backup, struct err *e);
/* Opens such a file, for reading, through its descriptor; `name` is for sentences. */
int store_open_copy(struct store **store, int fd, const char *name, struct err *e);
/* When the last one was made; 0: never. The setter needs a transaction. */
int backup_get_time(struct store *store, int64_t *unix_seconds, struct err *e);
int backup_set_time(struct store *store, int64_t unix_seconds, struct err *e);
/* Since when there is something to lose: when the first user was made; 0: there is none. */
int backup_get_first(struct store *store, int64_t *unix_seconds, struct err *e);

/* ---- the way back (restore.c) ---- */

/* Makes ready in DATA/restoring what will be the store, out of `fd` and of the log
 * beside it (`log_fd`, -1 if there is none): whole, sound, brought forward; what waits
 * to leave for so many (*held) recipients is held, since it may have left meanwhile.
 * ERR_INPUT: it is no store; ERR_NEWER; ERR_DAMAGED, each finding being told first. */
int restore_prepare(const char *data, int fd, int log_fd, const struct backup *backup,
	void (*finding)(const char *sentence, void *arg), int64_t *held, struct err *e);
/* Puts it in the place of the store, which stays beside it as *aside (empty: there
 * was none). At any instant there is the one or the other, whole. Call with the
 * server's lock held. ERR_IN_USE: somebody has the store open. */
#define RESTORE_ASIDE_MAX (CONFIG_PATH_MAX + 96)
int restore_swap(const char *data, char aside[RESTORE_ASIDE_MAX], struct err *e);
/* Takes DATA/restoring away, wherever it was left. */
void restore_clear(const char *data);

#endif
