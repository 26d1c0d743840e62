/* A backup in the place of the store. All that can go wrong is done in a directory
 * of its own, DATA/restoring, where it harms nobody; then the store is closed to
 * others, gets a second name, and the new one takes its place by one rename(2).
 *
 * A store's log lies beside it under its name: one left there would be read into
 * whatever bears that name next. So the old store is brought into one file first,
 * in a mode in which SQLite refuses to write to a file that has been renamed. */
#include "base/text.h"
#include "store/backup.h"
#include "store/db.h"
#include "store/mail.h"
#include "store/outbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define COPY_STEP   (1024 * 1024)
#define SAME_SECOND 100 /* stores replaced within one */
#define NEXT_STORE  "store.db.next"

static void name_directory(char path[STORE_PATH_MAX], const char *data)
{
	snprintf(path, STORE_PATH_MAX, "%s/restoring", data);
}

/* ---- made ready ---- */

void restore_clear(const char *data)
{
	char path[STORE_PATH_MAX];
	snprintf(path, sizeof(path), "%s/" NEXT_STORE, data);
	unlink(path);
	name_directory(path, data);
	DIR *directory = opendir(path);
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory));)
		unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	rmdir(path);
}

static int check_room(const char *data, uint64_t need, struct err *e)
{
	struct statvfs fs;
	char needed[TEXT_SIZE_MAX], room[TEXT_SIZE_MAX];
	if (statvfs(data, &fs))
		return err_set_errno(e, "%s", data);
	uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (left >= need)
		return 0;
	return err_set(e, ERR_SPACE,
		"the disk of %s has %s free, and the backup needs %s beside the store that is "
		"there: "
		"make room",
		data, text_of_size(room, left), text_of_size(needed, need));
}

static int copy_octets(int from, int to, uint64_t all, const struct backup *backup, struct err *e)
{
	struct buf octets = {0};
	uint64_t done = 0;
	int result = 0;
	buf_reserve(&octets, COPY_STEP);
	while (result == 0) {
		ssize_t got = read(from, octets.at, COPY_STEP);
		if (got < 0)
			result = err_set_errno(e, "%s", backup->name);
		if (got <= 0)
			break;
		for (ssize_t put = 0, n; put < got && result == 0; put += n)
			if ((n = write(to, octets.at + put, (size_t)(got - put))) < 0)
				result = err_set_errno(e, "the copy of %s", backup->name);
		done += (uint64_t)got;
		if (result == 0)
			result = backup->progress(done < all ? done : all, all, backup->arg, e);
	}
	buf_free(&octets);
	return result;
}

static int copy_file(int from, const char *directory, const char *name, const struct backup *backup,
	struct err *e)
{
	char path[STORE_PATH_MAX + 16];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (fstat(from, &st))
		return err_set_errno(e, "%s", backup->name);
	int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_set_errno(e, "%s", path);
	int result = check_room(directory, (uint64_t)st.st_size, e);
	if (result == 0)
		result = copy_octets(from, to, (uint64_t)st.st_size, backup, e);
	if (result == 0 && fsync(to))
		result = err_set_errno(e, "%s", path);
	close(to);
	return result;
}

/* A database of somebody else may bear a number, too. */
static int check_tables(struct store *store, const char *name, struct err *e)
{
	int64_t ours = 0;
	if (db_number(store,
		    SQL("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN"
			" ('meta', 'users', 'folders', 'entries', 'bodies', 'pieces')"
			" /* scans sqlite_master */"),
		    &ours, e) < 0)
		return -1;
	return ours == 6 ? 0
			 : err_set(e, ERR_INPUT,
				   "%s is no store of officemail: name a file that `officemail "
				   "backup` has written",
				   name);
}

/* Closing has brought the log into the file, or the disk was full. */
static int check_whole(const char *directory, struct err *e)
{
	char path[STORE_PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/store.db-wal", directory);
	if (access(path, F_OK))
		return 0;
	return err_set(e, ERR_SPACE,
		"%s stays beside its file: make room on that disk, and try again", path);
}

/* What was to leave when the backup was made has probably left since. */
static int hold_outgoing(struct store *store, int64_t *held, struct err *e)
{
	return (*held = outbox_hold(store, e)) < 0 ? -1 : 0;
}

/* The copy was made before its own making could be noted in it. */
static int note_making(struct store *store, int64_t made, struct err *e)
{
	int64_t noted;
	if (backup_get_time(store, &noted, e) < 0)
		return -1;
	return made > noted ? backup_set_time(store, made, e) : 0;
}

static int bring_up_to_date(
	struct store *store, const struct backup *backup, int64_t *held, struct err *e)
{
	if (store_begin(store, e) == 0 && hold_outgoing(store, held, e) == 0 &&
		note_making(store, backup->made, e) == 0 && store_commit(store, e) == 0)
		return 0;
	store_rollback(store);
	return -1;
}

static int check_copy(const char *directory, const struct backup *backup,
	void (*finding)(const char *sentence, void *arg), int64_t *held, struct err *e)
{
	struct store *store;
	if (store_open(&store, directory, STORE_TOOL, SYNC_FULL, e) < 0)
		return err_prefix(e, "%s: ", backup->name);
	int result = check_tables(store, backup->name, e);
	if (result == 0)
		result = mail_check(store, finding, backup->arg, e);
	if (result > 0)
		result = err_set(e, ERR_DAMAGED,
			"%s is damaged, and nothing was changed: take an older backup",
			backup->name);
	if (result == 0)
		result = bring_up_to_date(store, backup, held, e);
	store_close(store);
	return result < 0 ? -1 : check_whole(directory, e);
}

int restore_prepare(const char *data, int fd, int log_fd, const struct backup *backup,
	void (*finding)(const char *sentence, void *arg), int64_t *held, struct err *e)
{
	char directory[STORE_PATH_MAX];
	name_directory(directory, data);
	restore_clear(data);
	if (mkdir(directory, 0700))
		return err_set_errno(e, "%s", directory);
	if (copy_file(fd, directory, "store.db", backup, e) < 0 ||
		(log_fd >= 0 && copy_file(log_fd, directory, "store.db-wal", backup, e) < 0))
		return -1;
	return check_copy(directory, backup, finding, held, e);
}

/* ---- put in its place ---- */

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Out of the mode with a log, which only one who is alone with it can do. */
static int bring_into_one_file(sqlite3 *db)
{
	sqlite3_stmt *statement;
	sqlite3_busy_timeout(db, STORE_BUSY_WAIT_MS);
	int code = run(db, "PRAGMA locking_mode = exclusive");
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(db, "PRAGMA journal_mode = delete", -1, &statement, NULL);
	if (code != SQLITE_OK)
		return code;
	bool done = sqlite3_step(statement) == SQLITE_ROW &&
		    strcmp((const char *)sqlite3_column_text(statement, 0), "delete") == 0;
	code = sqlite3_finalize(statement);
	if (code == SQLITE_OK && !done)
		code = SQLITE_BUSY;
	return code == SQLITE_OK ? run(db, "BEGIN EXCLUSIVE") : code;
}

/* Closes the store to all others, until *held is closed; *whole: it is one file
 * now. One too damaged for that can be used by nobody. */
static int close_store(const char *file, sqlite3 **held, bool *whole, struct err *e)
{
	int code = sqlite3_open_v2(file, held,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (code == SQLITE_OK)
		code = bring_into_one_file(*held);
	*whole = code == SQLITE_OK;
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return err_set(e, ERR_IN_USE,
			"%s is open in another program: end that one first, then try again", file);
	default:
		return 0;
	}
}

static const char *const beside[] = {"-wal", "-journal", "-shm"};
#define BESIDE_COUNT (sizeof(beside) / sizeof(beside[0]))

/* What lies beside a store that could not be brought into one file goes with it:
 * a name more, then the name less. */
static int take_along(const char *file, const char *aside, bool under_new_name, struct err *e)
{
	for (size_t i = 0; i < BESIDE_COUNT; i++) {
		char from[STORE_PATH_MAX + 16], to[RESTORE_ASIDE_MAX + 16];
		snprintf(from, sizeof(from), "%s%s", file, beside[i]);
		snprintf(to, sizeof(to), "%s%s", aside, beside[i]);
		if ((under_new_name ? link(from, to) : unlink(from)) && errno != ENOENT)
			return err_set_errno(e, "%s", to);
	}
	return 0;
}

/* A power cut may have left one of these, and not the store's own name. */
static bool has_something_beside(const char *aside)
{
	char path[RESTORE_ASIDE_MAX + 16];
	bool has = false;
	for (size_t i = 0; i < BESIDE_COUNT; i++) {
		snprintf(path, sizeof(path), "%s%s", aside, beside[i]);
		has = has || access(path, F_OK) == 0;
	}
	return has;
}

static void name_aside(char aside[RESTORE_ASIDE_MAX], const char *file, int n)
{
	char when[32];
	time_t now = time(NULL);
	struct tm utc;
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	int len = snprintf(aside, RESTORE_ASIDE_MAX, "%s.replaced-%s", file, when);
	if (n > 1)
		snprintf(aside + len, RESTORE_ASIDE_MAX - (size_t)len, "-%d", n);
}

/* The store there is gets its second name. */
static int keep_old(const char *data, const char *file, char aside[RESTORE_ASIDE_MAX], bool whole,
	struct err *e)
{
	int n = 0, failed;
	do {
		name_aside(aside, file, ++n);
		failed = has_something_beside(aside) ? EEXIST : link(file, aside) ? errno : 0;
	} while (failed == EEXIST && n < SAME_SECOND);
	errno = failed;
	if (failed && failed != ENOENT)
		return err_set_errno(e, "%s", aside);
	if (!whole && take_along(file, aside, true, e) < 0)
		return -1;
	if (db_sync_path(data, O_RDONLY | O_DIRECTORY, e) < 0)
		return -1;
	if (!whole && take_along(file, aside, false, e) < 0)
		return -1;
	return whole ? 0 : db_sync_path(data, O_RDONLY | O_DIRECTORY, e);
}

/* What was made ready, beside the store: a rename within one directory is one change
 * of it. */
static int bring_beside(const char *data, const char *next, struct err *e)
{
	char directory[STORE_PATH_MAX], ready[STORE_PATH_MAX + 16];
	name_directory(directory, data);
	snprintf(ready, sizeof(ready), "%s/store.db", directory);
	return link(ready, next) ? err_set_errno(e, "%s", next) : 0;
}

int restore_swap(const char *data, char aside[RESTORE_ASIDE_MAX], struct err *e)
{
	char file[STORE_PATH_MAX], next[STORE_PATH_MAX];
	sqlite3 *held = NULL;
	bool whole = false;
	snprintf(file, sizeof(file), "%s/store.db", data);
	snprintf(next, sizeof(next), "%s/" NEXT_STORE, data);
	bool there = access(file, F_OK) == 0;
	int result = there ? close_store(file, &held, &whole, e) : 0;
	if (result == 0)
		result = bring_beside(data, next, e);
	if (result == 0)
		result = keep_old(data, file, aside, whole, e);
	if (result == 0 && rename(next, file))
		result = err_set_errno(e, "%s", file);
	if (result == 0)
		result = db_sync_path(data, O_RDONLY | O_DIRECTORY, e);
	sqlite3_close(held);
	if (!there)
		*aside = '\0';
	return result;
}
