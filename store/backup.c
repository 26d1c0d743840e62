/* Copying a store that is in use. One read transaction holds one moment, and all
 * pages of it are copied under it: SQLite begins a copy anew at each commit of
 * another process where there is none.
 *
 * The file to write was named on a command line, and perhaps only root can open
 * it, so SQLite gets a descriptor, under a path that leads nowhere else. */
#include "store/backup.h"
#include "base/text.h"
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STEP_PAGES 256                /* between two looks at the disk */
#define SYNC_STEP  (16 * 1024 * 1024) /* octets that may wait to be written */
#define LOG_ALLOWS (16 * 1024 * 1024) /* how much the log grows before that matters */

/* ---- SQLite on a descriptor ---- */

static int copy_fd = -1;

static int open_copy(const char *path, int flags, int mode)
{
	if (strcmp(path, COPY_PATH) == 0)
		return fcntl(copy_fd, F_DUPFD_CLOEXEC, 3);
	return open(path, flags, mode);
}

void copy_set_descriptor(int fd)
{
	sqlite3_initialize();
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)open_copy);
	copy_fd = fd;
}

/* The file to fill. It has no name worth a journal until it is whole, and file
 * systems that lock badly are where backups lie. */
static int open_target(sqlite3 **target, int fd)
{
	copy_set_descriptor(fd);
	int code = sqlite3_open_v2("file:" COPY_PATH "?vfs=unix-none", target,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE, NULL);
	if (code != SQLITE_OK)
		return code;
	return sqlite3_exec(*target,
		"PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -512;",
		NULL, NULL, NULL);
}

/* The copy says that it has a log, as its original does: opened by anybody, it
 * would get one beside it (SQLite's file format, offsets 18 and 19). */
static int forget_log(int fd)
{
	static const char plain[2] = {1, 1};
	return pwrite(fd, plain, sizeof(plain), 18) == sizeof(plain) ? 0 : -1;
}

/* ---- room ---- */

struct copying {
	struct store *store;
	int fd;
	const struct backup *backup;
	uint64_t all, synced;
	off_t log_before;
};

static off_t log_size(const struct store *store)
{
	char path[STORE_PATH_MAX + 8];
	struct stat st;
	snprintf(path, sizeof(path), "%s-wal", store->file);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

static uint64_t free_on(const struct statvfs *fs)
{
	return (uint64_t)fs->f_bavail * fs->f_frsize;
}

/* Before the first octet: a disk that gets full by a copy of the store is full for
 * mail, too. */
static int check_room(const struct copying *copying, struct err *e)
{
	struct stat here, there;
	struct statvfs fs;
	char need[TEXT_SIZE_MAX], room[TEXT_SIZE_MAX];
	uint64_t wanted = copying->all;
	if (fstat(copying->fd, &there) || fstatvfs(copying->fd, &fs) ||
		stat(copying->store->data, &here))
		return err_set_errno(e, "%s", copying->backup->name);
	if (here.st_dev == there.st_dev)
		wanted += copying->backup->reserve;
	if (free_on(&fs) >= wanted)
		return 0;
	return err_set(e, ERR_SPACE,
		"%s: the disk has %s free, and a copy needs %s%s: make room there, or name a file "
		"on another disk",
		copying->backup->name, text_of_size(room, free_on(&fs)),
		text_of_size(need, copying->all),
		wanted > copying->all ? " beside [store] reserve" : "");
}

/* While this reads, the log keeps all that comes. */
static int check_log(const struct copying *copying, struct err *e)
{
	struct statvfs fs;
	if (log_size(copying->store) - copying->log_before < LOG_ALLOWS)
		return 0;
	if (statvfs(copying->store->data, &fs))
		return err_set_errno(e, "%s", copying->store->data);
	if (free_on(&fs) >= copying->backup->reserve)
		return 0;
	return err_set(e, ERR_SPACE,
		"the disk of %s is nearly full, and while it is copied the log takes more: mail "
		"goes before; make room there",
		copying->store->data);
}

/* ---- the copy ---- */

static int failed(const struct copying *copying, int code, sqlite3 *target, struct err *e)
{
	int unwritten = db_take_write_failure();
	int reason = unwritten ? unwritten : target ? sqlite3_system_errno(target) : 0;
	if ((code & 0xff) == SQLITE_FULL || reason == ENOSPC || reason == EDQUOT)
		return err_set(e, ERR_SPACE, "%s: the disk is full: make room there",
			copying->backup->name);
	errno = reason;
	return reason ? err_set_errno(e, "copying %s to %s: %s", copying->store->file,
				copying->backup->name, sqlite3_errstr(code))
		      : err_set(e, ERR_IO, "copying %s to %s: %s", copying->store->file,
				copying->backup->name, sqlite3_errstr(code));
}

/* Between two steps: written in small portions, so that the server's own syncs do
 * not wait behind all of it. */
static int between_steps(struct copying *copying, uint64_t done, struct err *e)
{
	if (done - copying->synced >= SYNC_STEP) {
		if (fdatasync(copying->fd))
			return err_set_errno(e, "%s", copying->backup->name);
		copying->synced = done;
	}
	if (check_log(copying, e) < 0)
		return -1;
	return copying->backup->progress(done, copying->all, copying->backup->arg, e);
}

static int copy_pages(
	struct copying *copying, sqlite3_backup *backup, sqlite3 *target, struct err *e)
{
	int code;
	do {
		code = sqlite3_backup_step(backup, STEP_PAGES);
		if (code != SQLITE_OK && code != SQLITE_DONE)
			return failed(copying, code, target, e);
		uint64_t left = (uint64_t)sqlite3_backup_remaining(backup) * STORE_PAGE;
		if (between_steps(copying, copying->all - left, e) < 0)
			return -1;
	} while (code != SQLITE_DONE);
	return 0;
}

static int copy_moment(struct copying *copying, struct err *e)
{
	sqlite3 *target = NULL;
	sqlite3_backup *backup = NULL;
	int result = -1;
	int code = open_target(&target, copying->fd);
	if (code == SQLITE_OK) {
		backup = sqlite3_backup_init(target, "main", copying->store->db, "main");
		code = backup ? SQLITE_OK : sqlite3_errcode(target);
	}
	if (code == SQLITE_OK)
		result = copy_pages(copying, backup, target, e);
	else
		failed(copying, code, target, e);
	code = sqlite3_backup_finish(backup);
	if (result == 0 && code != SQLITE_OK)
		result = failed(copying, code, target, e);
	if (sqlite3_close(target) != SQLITE_OK || (result == 0 && forget_log(copying->fd) < 0))
		result = err_set_errno(e, "%s", copying->backup->name);
	return result;
}

int backup_copy(struct store *store, int fd, const struct backup *backup, struct err *e)
{
	struct copying copying = {
		.store = store, .fd = fd, .backup = backup, .log_before = log_size(store)};
	int64_t pages = 0;
	struct query begin = db_query(store, SQL("BEGIN"));
	if (db_run(&begin, e) < 0)
		return -1;
	/* The first look is what holds the moment. */
	int result = db_number(store,
		SQL("SELECT count(*) FROM sqlite_master /* scans sqlite_master */"), &pages, e);
	if (result == 0)
		result = db_number(store, SQL("PRAGMA page_count"), &pages, e);
	copying.all = (uint64_t)pages * STORE_PAGE;
	if (result == 0)
		result = check_room(&copying, e);
	if (result == 0)
		result = copy_moment(&copying, e);
	store_rollback(store);
	return result;
}

/* ---- when ---- */

int backup_get_time(struct store *store, int64_t *unix_seconds, struct err *e)
{
	*unix_seconds = 0;
	return db_number(
		store, SQL("SELECT value FROM meta WHERE name = 'last_backup'"), unix_seconds, e);
}

int backup_set_time(struct store *store, int64_t unix_seconds, struct err *e)
{
	return db_run_with(store,
		SQL("INSERT INTO meta (name, value) VALUES ('last_backup', ?)"
		    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
		unix_seconds, e);
}

int backup_get_first(struct store *store, int64_t *unix_seconds, struct err *e)
{
	*unix_seconds = 0;
	return db_number(store,
		SQL("SELECT coalesce(min(created), 0) FROM users /* scans users */"), unix_seconds,
		e);
}
