/* What keeps the store's files in order: the server's lock, the log, free
 * pages, the ballast. */
#include "base/digest.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define WAL_PASSIVE (4 * 1024 * 1024)
#define WAL_RESTART (64 * 1024 * 1024)
#define LOG_ROOM    (16 * 1024 * 1024) /* what log and file may grow between checkpoints */
#define SHRINK_ROOM (1024 * 1024)
#define GOING_MS    5000 /* for what a killed server left behind to end */
#define GOING_LOOK  10
#define SPARE       (512 * 1024) /* octets of a full disk that the ballast leaves to others */

/* ---- one server a store ---- */

static int open_lock(const char *data, int flags)
{
	char path[CONFIG_PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/lock", data);
	return open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* errno of an open_lock() that failed, as a sentence. */
static int refused_lock(const char *data, struct err *e)
{
	if (errno == EACCES)
		return err_set(e, ERR_DENIED,
			"%s is another account's: run this as root, or as its owner", data);
	return err_set_errno(e, "%s/lock", data);
}

static int lock_failed(const char *data, struct err *e)
{
	return err_set_errno(e, "%s/lock", data);
}

/* In whose name it is held; 0: in nobody's. */
static int find_holder(int fd, const char *data, int64_t *server, struct err *e)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_GETLK, &lock) < 0)
		return lock_failed(data, e);
	*server = lock.l_type == F_UNLCK ? 0 : lock.l_start;
	return 0;
}

/* A server that was killed a moment ago: the kernel is about to end its roles. */
static bool is_going(int64_t server)
{
	return server == 0 || (kill((pid_t)server, 0) < 0 && errno == ESRCH);
}

static int take_lock(int fd, const char *data, pid_t server, struct err *e)
{
	int64_t deadline = text_monotonic_ms() + GOING_MS, holder = 0;
	/* From the octet on that is the server's pid: whoever finds it held can name
	 * the server, and not one of its processes. */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = server};
	while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (errno != EACCES && errno != EAGAIN)
			return lock_failed(data, e);
		if (find_holder(fd, data, &holder, e) < 0)
			return -1;
		if (!is_going(holder) || text_monotonic_ms() >= deadline)
			return err_set(e, ERR_IN_USE,
				"%s is served by process %lld: stop that one first", data,
				(long long)holder);
		poll(NULL, 0, GOING_LOOK);
	}
	return 0;
}

int store_lock(int *fd, const char *data, pid_t server, struct err *e)
{
	*fd = open_lock(data, O_RDWR | O_CREAT);
	if (*fd < 0)
		return refused_lock(data, e);
	if (take_lock(*fd, data, server, e) == 0)
		return 0;
	close(*fd);
	*fd = -1;
	return -1;
}

int store_server(const char *data, int64_t *pid, struct err *e)
{
	*pid = 0;
	int fd = open_lock(data, O_RDWR);
	if (fd < 0)
		return errno == ENOENT ? 0 : refused_lock(data, e);
	int done = find_holder(fd, data, pid, e);
	if (*pid == getpid())
		*pid = 0;
	close(fd);
	return done;
}

/* ---- room on the disk ---- */

int store_disk_space(const struct store *store, uint64_t *octets, struct err *e)
{
	struct statvfs fs;
	if (statvfs(store->data, &fs))
		return err_set_errno(e, "%s", store->data);
	*octets = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

static int free_pages(struct store *store, int64_t *unused, int64_t *all, struct err *e)
{
	if (db_number(store, SQL("PRAGMA freelist_count"), unused, e) < 0)
		return -1;
	return db_number(store, SQL("PRAGMA page_count"), all, e);
}

int store_unused_space(struct store *store, uint64_t *octets, struct err *e)
{
	int64_t unused = 0, all = 0;
	if (free_pages(store, &unused, &all, e) < 0)
		return -1;
	*octets = (uint64_t)unused * STORE_PAGE;
	return 0;
}

int store_free_space(struct store *store, uint64_t *octets, struct err *e)
{
	uint64_t unused = 0;
	if (store_disk_space(store, octets, e) < 0 || store_unused_space(store, &unused, e) < 0)
		return -1;
	/* Free pages are of no use when the log that leads to them has no room. */
	if (*octets >= LOG_ROOM)
		*octets += unused;
	return 0;
}

void store_rest(struct store *store)
{
	if (store->db)
		sqlite3_db_release_memory(store->db);
	memory_give_back();
}

/* The log as others see it: a command may have written to it, too. */
static bool log_is_empty(const struct store *store)
{
	char path[CONFIG_PATH_MAX + 16];
	struct stat st;
	snprintf(path, sizeof(path), "%s/store.db-wal", store->data);
	return stat(path, &st) || st.st_size == 0;
}

/* Where the index of the log, which its users share, keeps how many frames have
 * been moved to the file; its lock for moving (sqlite.org/walformat.html). */
#define INDEX_REGION 32768
#define INDEX_MOVED  96
#define LOCK_MOVING  1

/* The file is synced only when all of the log has been moved; what was moved
 * before, while somebody was reading, is counted already. A sync that fails loses
 * both (the kernel forgets what it could not write), and SQLite would move only the
 * later part again, and then write over the log. So everything is moved again. */
static void forget_moved(struct store *store)
{
	sqlite3_file *file = NULL;
	volatile void *region = NULL;
	store->moved_in_vain = true;
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
			SQLITE_OK ||
		!file->pMethods || file->pMethods->iVersion < 2)
		return;
	const sqlite3_io_methods *call = file->pMethods;
	const int exclusive = SQLITE_SHM_EXCLUSIVE;
	if (call->xShmMap(file, 0, INDEX_REGION, 0, &region) != SQLITE_OK || !region ||
		call->xShmLock(file, LOCK_MOVING, 1, SQLITE_SHM_LOCK | exclusive) != SQLITE_OK)
		return;
	*(volatile uint32_t *)((volatile char *)region + INDEX_MOVED) = 0;
	call->xShmBarrier(file);
	call->xShmLock(file, LOCK_MOVING, 1, SQLITE_SHM_UNLOCK | exclusive);
	store->moved_in_vain = false;
}

/* -1: nothing, or not all, is known to be in the file. */
static int checkpoint_failed(struct store *store, int code, struct err *e)
{
	struct err ignored; /* the next store_begin() tries again, and tells */
	db_error(store, code, e);
	err_prefix(e, "the log stays: ");
	if (code != SQLITE_IOERR)
		return -1;
	forget_moved(store);
	(void)db_reopen(store, &ignored);
	return -1;
}

int store_checkpoint(struct store *store, bool idle, struct err *e)
{
	int64_t grown = (int64_t)(store->wal_pages - store->wal_tried) * STORE_PAGE;
	int64_t size = (int64_t)store->wal_pages * STORE_PAGE;
	int mode = SQLITE_CHECKPOINT_TRUNCATE;
	if (!store->db || (idle && log_is_empty(store)))
		return 0;
	if (!idle) {
		/* While somebody's long read holds the log: again only after as much. */
		if (grown < WAL_PASSIVE)
			return 0;
		mode = size > WAL_RESTART ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
	}
	if (store->moved_in_vain)
		forget_moved(store);
	if (store->moved_in_vain)
		return 0; /* somebody else is moving it */
	int in_log = 0, moved = 0;
	sqlite3_busy_timeout(store->db, 0); /* it gives way */
	db_read_ahead(true);
	int code = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_log, &moved);
	db_read_ahead(false);
	sqlite3_busy_timeout(store->db, STORE_BUSY_WAIT_MS);
	if (idle)
		store_rest(store);
	store->wal_tried = store->wal_pages;
	if (code == SQLITE_OK && in_log == moved)
		store->wal_pages = store->wal_tried = 0; /* the next commit starts it anew */
	code &= 0xff;
	if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return 0;
	return checkpoint_failed(store, code, e);
}

/* Past a quarter of the file, free pages go back; all of them when the disk is
 * short, as long as there is room for the log of a step, which is nearly as long
 * as what it frees. */
static int worth_shrinking(struct store *store, bool *is_short, struct err *e)
{
	uint64_t room = 0;
	int64_t unused = 0, all = 0;
	if (store_disk_space(store, &room, e) < 0 || free_pages(store, &unused, &all, e) < 0)
		return -1;
	*is_short = room < 2 * LOG_ROOM;
	return room >= SHRINK_ROOM && (*is_short ? unused > 0 : unused * 4 > all);
}

int store_shrink_step(struct store *store, struct err *e)
{
	bool is_short = false;
	int worth = worth_shrinking(store, &is_short, e), got;
	if (worth != 1)
		return worth;
	struct query q = db_query(store, SQL("PRAGMA incremental_vacuum(64)"));
	while ((got = db_next(&q, e)) == 1)
		;
	if (got < 0)
		return -1;
	/* The file becomes shorter when the log is emptied. */
	if (is_short && store_checkpoint(store, true, e) < 0)
		return -1;
	return worth_shrinking(store, &is_short, e);
}

/* ---- the ballast ---- */

static int open_ballast(const char *data, int flags)
{
	char path[CONFIG_PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/ballast", data);
	return open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

bool ballast_give_up(const char *data)
{
	struct stat st;
	int fd = open_ballast(data, O_WRONLY);
	bool some = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && ftruncate(fd, 0) == 0;
	if (fd >= 0)
		close(fd);
	return some;
}

bool store_ballast_drop(struct store *store)
{
	bool some = ballast_give_up(store->data);
	/* With this room the log gets into the file, and begins anew. */
	struct err ignored; /* the log that could not be emptied is tried again at the next rest */
	if (some)
		(void)store_checkpoint(store, true, &ignored);
	return some;
}

/* Octets that no file system stores as a hole or compresses. A crash leaves it
 * short, and the next call goes on. */
static int fill_ballast(int fd, off_t size, off_t end)
{
	unsigned char noise[64 * 1024];
	while (size < end) {
		size_t len =
			end - size < (off_t)sizeof(noise) ? (size_t)(end - size) : sizeof(noise);
		digest_random(noise, len);
		ssize_t written = pwrite(fd, noise, len, size);
		if (written < 0)
			break;
		size += written;
	}
	bool well = size == end && fsync(fd) == 0;
	return well || errno == ENOSPC || errno == EDQUOT ? 0 : -1; /* full: more another time */
}

int store_ballast_make(struct store *store, struct err *e)
{
	uint64_t room = 0;
	struct stat st = {.st_size = 0};
	if (store_disk_space(store, &room, e) < 0)
		return -1;
	bool ample = room > 2 * STORE_BALLAST;
	int fd = open_ballast(store->data, ample ? O_WRONLY | O_CREAT : O_WRONLY);
	if (fd < 0 && errno == ENOENT && !ample)
		return 0;
	int failed = fd < 0 || fstat(fd, &st);
	/* A file that is short was given up, or left so by a crash: it is ours to
	 * take back. Another one waits until there is ample room. */
	if (!failed && st.st_size < STORE_BALLAST && room > SPARE) {
		off_t end = st.st_size + (off_t)(room - SPARE);
		failed = fill_ballast(fd, st.st_size, end < STORE_BALLAST ? end : STORE_BALLAST) ||
			 fstat(fd, &st);
	}
	if (failed)
		err_set_errno(e, "%s/ballast", store->data);
	if (fd >= 0)
		close(fd);
	return failed ? -1 : st.st_size < STORE_BALLAST;
}
