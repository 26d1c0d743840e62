/* Opening the store, its transactions and its clock. What is on disk, and what
 * a crash leaves, is in README.md. */
#include "store/store.h"
#include "base/text.h"
#include "store/backup.h"
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* SQLite's page cache, KiB: the writer keeps the indexes of every mailbox in
 * it, a session that streams bodies needs next to none. */
static const int cache_kib[] = {[STORE_READER] = 2048, [STORE_WRITER] = 2048, [STORE_TOOL] = 4096};
#define HANDED_CACHE_KIB 48
#define TOOL_ROOM        (1024 * 1024)
#define TOOL_WAL_PAGES   (64 * 1024 * 1024 / STORE_PAGE)

/* ---- what is on disk ---- */

/* Mail is nobody else's business: ours, 0600 or 0700, no symlink. */
static int check_ours(const char *path, const struct stat *st, mode_t kind, struct err *e)
{
	if ((st->st_mode & S_IFMT) != kind)
		return err_set(e, ERR_DENIED, "%s is %s: put a plain %s there", path,
			S_ISLNK(st->st_mode) ? "a symbolic link" : "something else",
			kind == S_IFDIR ? "directory" : "file");
	if (st->st_uid != geteuid())
		return err_set(e, ERR_DENIED,
			"%s belongs to account %u, and this runs as %u: run it as root or as "
			"its owner, or chown it",
			path, (unsigned)st->st_uid, (unsigned)geteuid());
	if (st->st_mode & 077)
		return err_set(e, ERR_DENIED, "%s can be read or written by others: chmod %s it",
			path, kind == S_IFDIR ? "0700" : "0600");
	return 0;
}

static int check_files(const char *data, bool *exists, struct err *e)
{
	static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm"};
	struct stat st;
	if (lstat(data, &st))
		return err_set(e, errno == ENOENT ? ERR_MISSING : ERR_IO,
			"%s: %s: `officemail init` makes it, or mend [office] data", data,
			strerror(errno));
	if (check_ours(data, &st, S_IFDIR, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[CONFIG_PATH_MAX + 16];
		snprintf(path, sizeof(path), "%s/%s", data, names[i]);
		bool there = lstat(path, &st) == 0;
		if (!there && errno != ENOENT)
			return err_set_errno(e, "%s", path);
		if (there && check_ours(path, &st, S_IFREG, e) < 0)
			return -1;
		if (i == 0)
			*exists = there;
	}
	return 0;
}

int store_check_files(const char *data, struct err *e)
{
	bool exists;
	return check_files(data, &exists, e);
}

/* SQLite would make the file with the umask's mode; it gives -wal and -shm the
 * mode that the file has. */
static int create_file(const char *data, struct err *e)
{
	char path[CONFIG_PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/store.db", data);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : err_set_errno(e, "%s", path);
	close(fd);
	return 0;
}

int store_files_open(int fds[3], const char *data, struct err *e)
{
	static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm"};
	for (int i = 0; i < 3; i++)
		fds[i] = -1;
	for (int i = 0; i < 3; i++) {
		char path[CONFIG_PATH_MAX + 16];
		snprintf(path, sizeof(path), "%s/%s", data, names[i]);
		fds[i] = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fds[i] < 0) {
			err_set_errno(e, "%s", path);
			while (i-- > 0)
				close(fds[i]);
			return -1;
		}
	}
	return 0;
}

/* ---- the connection ---- */

/* Our processes have one thread each; set before SQLite's first use. */
static void configure_sqlite(void)
{
	static bool done;
	if (done)
		return;
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	/* Pages of the cache one by one, as they are needed: else the first of them
	 * brings twenty, and each of a hundred sessions needs eight. */
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
	db_observe_reads();
	done = true;
}

static int note_wal(void *arg, sqlite3 *db, const char *schema, int pages)
{
	(void)db, (void)schema;
	((struct store *)arg)->wal_pages = pages;
	return SQLITE_OK;
}

int db_number(
	struct store *store, const struct statement *statement, int64_t *number, struct err *e)
{
	struct query q = db_query(store, statement);
	int found = db_next(&q, e);
	if (found == 1)
		*number = db_int(&q, 0);
	db_end(&q);
	return found < 0 ? -1 : 0;
}

/* What Debian's build leaves badly for us, and what each role needs. */
static int set_pragmas(struct store *store, struct err *e)
{
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_busy_timeout(store->db, STORE_BUSY_WAIT_MS);
	char text[400];
	snprintf(text, sizeof(text),
		"PRAGMA secure_delete = off;" /* its default writes a log as long as what goes */
		"PRAGMA cache_size = -%d;"
		"PRAGMA cell_size_check = on;"
		"PRAGMA temp_store = memory;",
		store->handed ? HANDED_CACHE_KIB : cache_kib[store->role]);
	return db_script(store, text, e);
}

int store_set_sync(struct store *store, enum config_sync sync, struct err *e)
{
	store->sync = sync;
	if (store->role == STORE_WRITER)
		db_log_keep(sync == SYNC_FULL);
	return db_script(store,
		sync == SYNC_FULL ? "PRAGMA synchronous = full" : "PRAGMA synchronous = normal", e);
}

/* What a reader has no use for. The first two count for an empty file only, and
 * write to any other. */
static int set_writing_pragmas(struct store *store, struct err *e)
{
	char text[200];
	int64_t pages = 0;
	if (db_number(store, SQL("PRAGMA page_count"), &pages, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "PRAGMA page_size = %d; PRAGMA auto_vacuum = incremental;",
		STORE_PAGE);
	if (pages == 0 && db_script(store, text, e) < 0)
		return -1;
	if (db_script(store, "PRAGMA journal_mode = wal; PRAGMA foreign_keys = on;", e) < 0)
		return -1;
	return store_set_sync(store, store->sync, e);
}

/* While a server runs its writer checkpoints, so that no command holds up the
 * batch under way - unless one writes so much that the log would fill the disk.
 * A command without a server leaves the store in one file. */
static int set_checkpoints(struct store *store, struct err *e)
{
	int64_t server = 0;
	if (store->role == STORE_TOOL && store_server(store->data, &server, e) < 0)
		return -1;
	if (store->role == STORE_TOOL && server == 0)
		return 0;
	sqlite3_wal_autocheckpoint(store->db, store->role == STORE_TOOL ? TOOL_WAL_PAGES : 0);
	if (store->role == STORE_WRITER)
		sqlite3_wal_hook(store->db, note_wal, store);
	else
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return 0;
}

/* Opens the file and sets every pragma; brings nothing forward. */
static int open_file(struct store *store, struct err *e)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	configure_sqlite();
	flags |= store->role == STORE_READER ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	flags |= store->uri ? SQLITE_OPEN_URI : 0;
	int code = sqlite3_open_v2(store->uri ? store->uri : store->file, &store->db, flags,
		store->role == STORE_WRITER ? db_log_vfs() : NULL);
	if (code == SQLITE_OK)
		code = db_add_functions(store);
	if (code != SQLITE_OK)
		db_error(store, code, e);
	if (code != SQLITE_OK || set_pragmas(store, e) < 0 ||
		(store->role != STORE_READER && set_writing_pragmas(store, e) < 0) ||
		set_checkpoints(store, e) < 0) {
		db_forget_statements(store);
		sqlite3_close(store->db);
		store->db = NULL;
		return -1;
	}
	return 0;
}

static struct store *store_new(const char *data, enum store_role role, enum config_sync sync)
{
	struct store *store = must_alloc(sizeof(*store));
	store->role = role;
	store->sync = sync;
	snprintf(store->data, sizeof(store->data), "%s", data);
	snprintf(store->file, sizeof(store->file), "%s/store.db", data);
	return store;
}

static int finish_opening(struct store **store, struct store *opened, struct err *e)
{
	if (open_file(opened, e) < 0 ||
		db_migrate(opened, db_migrations, STORE_SCHEMA_VERSION, e) < 0) {
		store_close(opened);
		return -1;
	}
	*store = opened;
	return 0;
}

/* Only `restore` writes with a journal, and a crash amid that leaves it. Rolling it
 * back is writing: a reader has it done first. */
static int roll_back(const char *data, struct err *e)
{
	struct store *store = store_new(data, STORE_TOOL, SYNC_FULL);
	char journal[STORE_PATH_MAX + 16];
	snprintf(journal, sizeof(journal), "%s-journal", store->file);
	int result = access(journal, F_OK) ? 0 : open_file(store, e);
	store_close(store);
	return result;
}

int store_open(struct store **store, const char *data, enum store_role role, enum config_sync sync,
	struct err *e)
{
	bool exists = false;
	*store = NULL;
	if (strlen(data) >= CONFIG_PATH_MAX)
		return err_set(e, ERR_INPUT,
			"the path of the data directory is too long: name a shorter one in "
			"[office] data");
	if (check_files(data, &exists, e) < 0)
		return -1;
	if (!exists && role == STORE_READER)
		return err_set(e, ERR_MISSING,
			"%s/store.db does not exist: `officemail init` makes a store", data);
	if (role == STORE_READER && roll_back(data, e) < 0)
		return -1;
	if (!exists && create_file(data, e) < 0)
		return -1;
	int done = finish_opening(store, store_new(data, role, sync), e);
	/* The log's index needs room on the disk even to read. */
	if (done < 0 && e->kind == ERR_SPACE && ballast_give_up(data))
		done = finish_opening(store, store_new(data, role, sync), e);
	return done;
}

int store_open_handed(struct store **store, const int fds[3], struct err *e)
{
	*store = NULL;
	configure_sqlite();
	if (handed_take_over(fds, e) < 0)
		return -1;
	struct store *opened = store_new("", STORE_READER, SYNC_FULL);
	opened->handed = true;
	opened->uri = "file:" HANDED_PATH "?readonly_shm=1";
	return finish_opening(store, opened, e);
}

int store_open_copy(struct store **store, int fd, const char *name, struct err *e)
{
	struct store *opened = store_new("", STORE_READER, SYNC_FULL);
	*store = NULL;
	copy_set_descriptor(fd);
	opened->uri = "file:" COPY_PATH "?vfs=unix-none&immutable=1";
	snprintf(opened->file, sizeof(opened->file), "%s", name);
	return finish_opening(store, opened, e);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	db_forget_statements(store);
	sqlite3_close(store->db);
	free(store);
}

/* ---- transactions ---- */

/* After a failed sync nobody knows what the kernel still holds of the pages
 * SQLite believes written: a new connection reads them again. It is opened
 * before the old one goes, since the last one to close removes the log. */
int db_reopen(struct store *store, struct err *e)
{
	sqlite3 *old = store->db;
	db_forget_statements(store);
	store->db = NULL;
	int result = open_file(store, e);
	sqlite3_close_v2(old);
	return result;
}

/* *for_reading: a file of it could not be opened for writing, for want of a
 * descriptor or for an error of a moment; SQLite then opens it for reading, and
 * stays with that. */
static int begin_writing(struct store *store, bool *for_reading, struct err *e)
{
	*for_reading = sqlite3_db_readonly(store->db, "main") == 1;
	if (*for_reading)
		return db_error(store, SQLITE_READONLY, e);
	struct query q = db_query(store, SQL("BEGIN IMMEDIATE"));
	int begun = db_run(&q, e);
	*for_reading = (q.failed & 0xff) == SQLITE_READONLY;
	return begun;
}

/* The log's index that was opened for reading is shared by all connections of the
 * process: here the old one goes first. */
static int open_for_writing(struct store *store, struct err *e)
{
	db_forget_statements(store);
	sqlite3_close(store->db);
	store->db = NULL;
	return open_file(store, e);
}

int store_begin(struct store *store, struct err *e)
{
	uint64_t space;
	if (!store->db && db_reopen(store, e) < 0)
		return -1;
	/* A command has one try; the writer, who has others waiting, sees for himself. */
	if (store->role == STORE_TOOL && store_disk_space(store, &space, e) == 0 &&
		space < TOOL_ROOM)
		store_ballast_drop(store);
	bool for_reading;
	if (begin_writing(store, &for_reading, e) == 0)
		return 0;
	if (!for_reading || open_for_writing(store, e) < 0)
		return -1;
	return begin_writing(store, &for_reading, e);
}

/* The pages of a big message would fill the cache, and nobody asks for them again. */
static void forget_what_has_passed(struct store *store)
{
	if (store->has_passed)
		sqlite3_db_release_memory(store->db);
	store->has_passed = false;
}

int store_commit(struct store *store, struct err *e)
{
	struct query q = db_query(store, SQL("COMMIT"));
	if (db_run(&q, e) == 0) {
		forget_what_has_passed(store);
		return 0;
	}
	bool broken = (q.failed & 0xff) == SQLITE_IOERR;
	store_rollback(store);
	struct err ignored; /* the next store_begin() tries again, and tells */
	if (broken)
		(void)db_reopen(store, &ignored);
	return -1;
}

bool store_in_transaction(const struct store *store)
{
	return store->db && !sqlite3_get_autocommit(store->db);
}

void store_rollback(struct store *store)
{
	struct err ignored; /* what cannot be rolled back has been already */
	if (!store_in_transaction(store))
		return;
	struct query q = db_query(store, SQL("ROLLBACK"));
	(void)db_run(&q, &ignored);
}

int store_begin_reading(struct store *store, struct err *e)
{
	struct query q = db_query(store, SQL("BEGIN"));
	return db_run(&q, e);
}

int store_savepoint(struct store *store, struct err *e)
{
	struct query q = db_query(store, SQL("SAVEPOINT step"));
	return db_run(&q, e);
}

int store_release(struct store *store, struct err *e)
{
	struct query q = db_query(store, SQL("RELEASE step"));
	return db_run(&q, e);
}

void store_undo(struct store *store)
{
	struct err ignored;
	if (!store_in_transaction(store))
		return; /* SQLite has rolled all back */
	struct query q = db_query(store, SQL("ROLLBACK TO step"));
	(void)db_run(&q, &ignored);
	(void)store_release(store, &ignored);
}

/* ---- the clock ---- */

int64_t store_now(const struct store *store)
{
	return store->clock ? store->clock : (int64_t)time(NULL);
}

void store_set_clock(struct store *store, int64_t unix_seconds)
{
	store->clock = unix_seconds;
}

int64_t db_monotonic_ms(const struct store *store)
{
	return store->monotonic_ms ? store->monotonic_ms : text_monotonic_ms();
}
