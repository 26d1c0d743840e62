/* The store: one SQLite file, DATA/store.db, and who may do what with it.
 *
 * A handle belongs to one process and never crosses a fork. The modules beside
 * this one (users, addresses, folders, ...) are its verbs. Writing ones need a
 * transaction: store_begin() ... store_commit(). README.md lists every state on
 * disk and each step between. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

struct store;

enum store_role {
	STORE_READER, /* the directory, tools that list: SQLite may not write */
	STORE_WRITER, /* the writer role: migrates, checkpoints, big cache */
	STORE_TOOL,   /* a command that writes: opens what is there, creates what is not */
};

/* Opens DATA/store.db (`data` is the directory). WRITER and TOOL create it
 * (0600) and bring an old schema forward, after copying it aside. Errors:
 * ERR_MISSING no directory or (READER) no store; ERR_DENIED files of the wrong
 * owner or mode, a symlink; ERR_NEWER; ERR_DAMAGED; each with its mend. */
int store_open(struct store **store, const char *data, enum store_role role, enum config_sync sync,
	struct err *e);
/* Are the directory and the files in it ours alone? The errors of store_open(),
 * for one that has something to do before. */
int store_check_files(const char *data, struct err *e);
/* For a sealed session: reads through three descriptors (store.db, -wal, -shm)
 * that the directory sent; opens no file. Takes them over, closes them never. */
int store_open_handed(struct store **store, const int fds[3], struct err *e);
void store_close(struct store *store);
/* From the next commit on. */
int store_set_sync(struct store *store, enum config_sync sync, struct err *e);

/* The three descriptors to hand to sessions, opened read-only once and kept as
 * long as the process (closing one would drop SQLite's locks). Call before
 * store_open() in the directory's process. */
int store_files_open(int fds[3], const char *data, struct err *e);

/* One transaction for writing: BEGIN IMMEDIATE; waits up to 5 s for another
 * process's. commit is durable under SYNC_FULL. After a failed commit the
 * transaction is rolled back, and after a failed sync the handle has been
 * reopened: go on with it. Rolling back without a transaction is harmless. */
int store_begin(struct store *store, struct err *e);
int store_commit(struct store *store, struct err *e);
void store_rollback(struct store *store);
bool store_in_transaction(const struct store *store); /* false: SQLite rolled all back */
/* One moment of the store for what is read until store_rollback(). */
int store_begin_reading(struct store *store, struct err *e);
/* A step inside that can be undone by itself. */
int store_savepoint(struct store *store, struct err *e);
int store_release(struct store *store, struct err *e);
void store_undo(struct store *store); /* back to the savepoint, and release it */

/* Unix seconds; tests set their own (0: the real clock again). */
int64_t store_now(const struct store *store);
void store_set_clock(struct store *store, int64_t unix_seconds);

/* Free octets on the file system. */
int store_disk_space(const struct store *store, uint64_t *octets, struct err *e);
/* Free octets within the file. */
int store_unused_space(struct store *store, uint64_t *octets, struct err *e);
/* Free octets for mail: both; the latter count only while the disk has room for
 * the log. */
int store_free_space(struct store *store, uint64_t *octets, struct err *e);

/* One server a store: takes DATA/lock in the name of the process `server`, for as
 * long as *fd is open here or in any process forked from here. ERR_IN_USE says in
 * whose name it is held; one that has died is given 5 s for its children to end. */
int store_lock(int *fd, const char *data, pid_t server, struct err *e);
/* In whose name it is held: *pid, 0 if in nobody's (or in this process's). */
int store_server(const char *data, int64_t *pid, struct err *e);

/* ---- housekeeping of the writer (upkeep.c) ---- */

/* Moves the log's pages to the file when it has grown, all of them when idle,
 * and then rests; gives way where somebody reads. After a failed sync the handle has
 * been reopened, and all that is in the log is moved again. Not in a transaction. */
int store_checkpoint(struct store *store, bool idle, struct err *e);
/* Gives the memory of SQLite's page cache back, until the next use. */
void store_rest(struct store *store);
/* Gives freed pages back in small steps, where they are many or the disk is
 * short; 1 there is more to do. Not in a transaction. Needs a little room itself. */
int store_shrink_step(struct store *store, struct err *e);
/* DATA/ballast: octets given up when a commit finds the disk full, so that
 * deleting goes on. False: there were none, and there is no more room than before. */
#define STORE_BALLAST (8 * 1024 * 1024)
bool store_ballast_drop(struct store *store);
/* Makes it where there is ample room, and takes back what was given up as soon
 * as there is any. 1: it is not whole yet. */
int store_ballast_make(struct store *store, struct err *e);

#define STORE_SCHEMA_VERSION 3

#endif
