/* Inside store/ only: SQLite, and how its statements are written.
 *
 * SQL stands beside its binds, is prepared once per handle and kept:
 *
 *	struct query q = db_query(store, SQL("SELECT id, size FROM folders WHERE user_id = ?"));
 *	db_bind_int(&q, user_id);
 *	int found = db_next(&q, e);
 *	if (found == 1)
 *		*size = db_int(&q, 1);
 *	db_end(&q);
 *	return found;
 *
 * A query is failed for good by its first failure (prepare or bind), which the
 * next db_next() or db_run() tells. A statement serves one query at a time:
 * end it before the same line can run again. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "store/store.h"
#include <sqlite3.h>

/* One SQL text. All of them lie in one section of the program, side by side:
 * a handle keeps what it prepared by their number, and a test runs each through
 * EXPLAIN QUERY PLAN. One that scans a table says so in a comment, "scans T". Not
 * among the values an array begins with: clang would leave the section away. */
struct statement {
	const char *sql;
};
#define SQL(text)                                                                                  \
	({                                                                                         \
		static const struct statement statement_                                           \
			__attribute__((section("statements"), used)) = {text};                     \
		&statement_;                                                                       \
	})
/* The n-th SQL text linked into this program; NULL past the last. */
const char *db_statement_at(size_t n);

/* ---- SQL that several modules speak ---- */

/* Of a new row of entries: numbers are never given again. */
#define NEXT_ENTRY_ID                                                                              \
	"1 + max(coalesce((SELECT max(id) FROM entries), 0),"                                      \
	" (SELECT value FROM meta WHERE name = 'highest_entry'))"
/* What is deleted at `now`: never earlier than the latest time seen, or a clock that
 * has lost its time would make the purge take it at once. */
#define DELETION_TIME(now) "max(" now ", (SELECT value FROM meta WHERE name = 'latest_time'))"

struct query {
	struct store *store;
	sqlite3_stmt *statement;
	int bound;  /* parameters so far */
	int failed; /* SQLite's code of the first failure */
};

struct query db_query(struct store *store, const struct statement *statement);
/* Each binds the next "?". Text and blobs are borrowed: they must live until
 * db_end() or db_run(). */
void db_bind_int(struct query *query, int64_t number);
void db_bind_text(struct query *query, struct slice text);
void db_bind_blob(struct query *query, struct slice octets);
void db_bind_null(struct query *query);

/* The next row: 1, 0 past the last, -1. After 0 and -1 the query has ended. */
int db_next(struct query *query, struct err *e);
/* The blob `column`, the last one, in the row `id` of `table`, appended to *octets. SQLite
 * makes no copy of its own. 1 found. */
struct blob {
	const char *table, *column;
	int64_t id;
	size_t len;
	/* 0, or, of one of some pages, how many octets of the row stand before it, its header
	 * among them. Most of the blob is then read past SQLite, from the file as it is: who
	 * asks for that compares a checksum, and where it does not fit he reads again without. */
	size_t before;
};
int db_read_blob(struct store *store, const struct blob *blob, struct buf *octets, struct err *e);
/* Columns of the row, from 0. Slices are valid until the next db_next() or
 * db_end(). */
int64_t db_int(struct query *query, int column);
bool db_is_null(struct query *query, int column);
struct slice db_text(struct query *query, int column);
struct slice db_blob(struct query *query, int column);
/* Copies a text of less than `size` octets; a longer one is cut. */
void db_copy_text(struct query *query, int column, char *text, size_t size);
/* Ends the query; harmless when it has ended. */
void db_end(struct query *query);

/* Runs a statement that returns no row, and ends it. A violated constraint is
 * ERR_EXISTS. */
int db_run(struct query *query, struct err *e);
/* The same for a statement with one parameter, a number. */
int db_run_with(
	struct store *store, const struct statement *statement, int64_t number, struct err *e);
/* After db_run(): rows it changed (triggers' not counted); id of the row it
 * inserted. */
int64_t db_changes(const struct store *store);
int64_t db_last_id(const struct store *store);

/* Fills *e from an SQLite code, with SQLite's words behind; returns -1. */
int db_error(struct store *store, int code, struct err *e);

#define STORE_PAGE         4096
#define STORE_PATH_MAX     (CONFIG_PATH_MAX + 32)
#define STORE_BUSY_WAIT_MS 5000

struct store {
	sqlite3 *db;             /* NULL: lost, and not yet opened again */
	sqlite3_stmt **prepared; /* by the statement's number */
	enum store_role role;
	enum config_sync sync;
	bool handed;                /* reads through descriptors, opens nothing */
	const char *uri;            /* what SQLite opens in the place of `file`, or NULL */
	char data[CONFIG_PATH_MAX]; /* the directory; empty where there is none */
	char file[STORE_PATH_MAX];  /* the database, as sentences name it */
	bool has_passed;            /* a piece of a big message, since the last commit */
	int64_t highest_body;       /* handed out, be it in what was rolled back */
	int64_t queued;             /* messages put into the outbox, rolled back or not */
	int wal_pages;              /* in the log after the last commit */
	int wal_tried;              /* in the log when it was last tried */
	bool moved_in_vain;         /* the log counts frames as moved that may be lost */

	int64_t clock, monotonic_ms; /* a test's; 0: the real ones */
	/* The purge's trust in the clock (mail.c): since when, on both clocks,
	 * it has run steadily. */
	int64_t steady_since, steady_since_ms;
};

/* Milliseconds that only go forward, or a test's. */
int64_t db_monotonic_ms(const struct store *store);

/* Several statements without parameters or rows: pragmas, schemas. */
int db_script(struct store *store, const char *sql, struct err *e);
/* A statement's first column, for pragmas that tell a number. */
int db_number(
	struct store *store, const struct statement *statement, int64_t *number, struct err *e);
/* What our SQL calls that SQLite has not; returns SQLite's code. */
int db_add_functions(struct store *store);
/* Before the connection is closed. */
void db_forget_statements(struct store *store);
/* A new connection in place of one that has seen a failed sync; where it fails,
 * store_begin() tries again. Not in a transaction. */
int db_reopen(struct store *store, struct err *e);

/* Steps from one version of the schema to the next: steps[v] leads from v to
 * v + 1, the first from an empty file. */
extern const char *const db_migrations[STORE_SCHEMA_VERSION];
/* Brings the file forward to version `count`, in one transaction; an old store
 * is copied to DATA/store.db.version-N first. */
int db_migrate(struct store *store, const char *const *steps, int count, struct err *e);

/* Once in a process, before SQLite's first use: its reads and writes are observed (reading.c). */
void db_observe_reads(void);
/* Within a read transaction or a checkpoint, where much is read that lies together. */
void db_read_ahead(bool on);
/* The next `len` octets of a row, from the overflow page on that SQLite read last since
 * db_read_ahead(true), to their end. They may be of another moment, or of something else. False:
 * the pages do not lie together, or cannot be read. */
bool db_read_chain(char *octets, size_t len);
/* errno of a read (a write) that failed since the last time this was asked; 0: none has. */
int db_take_read_failure(void);
int db_take_write_failure(void);
/* The VFS of one who writes much to the log and moves it to the file (logfile.c), by name. */
const char *db_log_vfs(void);
/* May it keep back what is written until the log is synced? Only where each commit
 * syncs it. */
void db_log_keep(bool until_synced);
/* Empties DATA/ballast. False: there was nothing in it. */
bool ballast_give_up(const char *data);

/* fsync(2) of a file or directory, opened with `flags`. */
int db_sync_path(const char *path, int flags, struct err *e);

/* What SQLite opens under COPY_PATH is this descriptor from now on (backup.c). */
#define COPY_PATH "/officemail-copy/store.db"
void copy_set_descriptor(int fd);

/* Takes SQLite's system calls over, for this process and for good: what it
 * opens under HANDED_PATH are these descriptors (handed.c). ERR_GONE: the files
 * have been removed. */
#define HANDED_PATH "/store.db"
int handed_take_over(const int fds[3], struct err *e);

#endif
