/* The log and the file, as the writer writes them. SQLite hands over each page of a commit
 * in two writes, and at a checkpoint each page in one, of which the file system makes as
 * many journeys: thirty for one small message, twenty-five for 100 kB that are moved. Here
 * they are put together, and go out in one.
 *
 * Nobody looks at a page of the log before it is synced: where each commit is, SQLite names
 * its pages in the log's index behind the sync. Where none is (sync = normal) nothing is
 * kept back. Nobody looks for a page in the file before the index says that it has been
 * moved, and SQLite announces that it is about to. */
#include "base/log.h"
#include "store/db.h"
#include <stdlib.h>
#include <string.h>

#define KEPT_MOST (64 * 1024)

/* Where the index that the log's users share keeps what the next commit goes behind, and how
 * far a checkpoint moves (sqlite.org/walformat.html). */
#define INDEX_REGION 32768
#define INDEX_LAST   16
#define INDEX_AIM    128
#define INDEX_WRITES 0 /* the lock of who adds to the log */

struct kept_file {
	sqlite3_file base;
	sqlite3_int64 from; /* where `kept` belongs */
	int len;
	bool is_log;
	bool moving; /* of the file: it is kept back for a checkpoint */
	bool writes; /* it holds the lock of who adds to the log */
	bool stops;  /* it took that lock so that nobody adds before SQLite is told of `failed` */
	int failed;  /* what SQLite has not been told yet */
		     /* the unix VFS's own file lies behind */
};

/* A process writes one log. */
static char kept[KEPT_MOST];
static struct kept_file *newest_log;
static bool keeps;
static sqlite3_vfs *unix_vfs;

static sqlite3_file *real(sqlite3_file *file)
{
	return (sqlite3_file *)((struct kept_file *)(void *)file + 1);
}

/* What could not be written is dropped: the error ends the transaction that it was of, or
 * the checkpoint. */
static int let_go(sqlite3_file *file)
{
	struct kept_file *mine = (void *)file;
	int len = mine->len;
	mine->len = 0;
	return len ? real(file)->pMethods->xWrite(real(file), kept, len, mine->from) : SQLITE_OK;
}

static int kept_close(sqlite3_file *file)
{
	(void)let_go(file); /* of no commit: that would have synced it */
	if (newest_log == (void *)file)
		newest_log = NULL;
	return real(file)->pMethods->xClose(real(file));
}

static int kept_read(sqlite3_file *file, void *octets, int len, sqlite3_int64 from)
{
	int code = let_go(file);
	return code ? code : real(file)->pMethods->xRead(real(file), octets, len, from);
}

static int kept_write(sqlite3_file *file, const void *octets, int len, sqlite3_int64 from)
{
	struct kept_file *mine = (void *)file;
	int code = SQLITE_OK;
	bool is_kept =
		(mine->is_log ? keeps && newest_log == mine : mine->moving) && len <= KEPT_MOST;
	bool follows = from == mine->from + mine->len && len <= KEPT_MOST - mine->len;
	if (!is_kept || !follows)
		code = let_go(file);
	if (code)
		return code;
	if (!is_kept)
		return real(file)->pMethods->xWrite(real(file), octets, len, from);
	if (mine->len == 0)
		mine->from = from;
	memcpy(kept + mine->len, octets, (size_t)len);
	mine->len += len;
	return SQLITE_OK;
}

static int kept_index_lock(sqlite3_file *file, int from, int count, int flags)
{
	struct kept_file *mine = (void *)file;
	int code = real(file)->pMethods->xShmLock(real(file), from, count, flags);
	if (from == INDEX_WRITES && code == SQLITE_OK)
		mine->writes = flags & SQLITE_SHM_LOCK;
	return code;
}

static int kept_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct kept_file *mine = (void *)file;
	int code = let_go(file);
	if (!code)
		code = mine->failed;
	mine->failed = SQLITE_OK;
	if (mine->stops)
		(void)kept_index_lock(
			file, INDEX_WRITES, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
	mine->stops = false;
	return code ? code : real(file)->pMethods->xTruncate(real(file), size);
}

static int kept_sync(sqlite3_file *file, int flags)
{
	int code = let_go(file);
	return code ? code : real(file)->pMethods->xSync(real(file), flags);
}

static int kept_size(sqlite3_file *file, sqlite3_int64 *size)
{
	int code = let_go(file);
	return code ? code : real(file)->pMethods->xFileSize(real(file), size);
}

static int kept_lock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xLock(real(file), level);
}

static int kept_unlock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xUnlock(real(file), level);
}

static int kept_is_reserved(sqlite3_file *file, int *is_reserved)
{
	return real(file)->pMethods->xCheckReservedLock(real(file), is_reserved);
}

static int kept_sector_size(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int kept_characteristics(sqlite3_file *file)
{
	return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int kept_index_map(sqlite3_file *file, int region, int size, int extends, void volatile **at)
{
	return real(file)->pMethods->xShmMap(real(file), region, size, extends, at);
}

static void kept_index_barrier(sqlite3_file *file)
{
	real(file)->pMethods->xShmBarrier(real(file));
}

static int kept_index_unmap(sqlite3_file *file, int deletes)
{
	return real(file)->pMethods->xShmUnmap(real(file), deletes);
}

/* ---- a checkpoint ---- */

/* Does it move all of the log, as far as others have not added to it since? */
static bool moves_all(sqlite3_file *file)
{
	volatile void *region = NULL;
	if (kept_index_map(file, 0, INDEX_REGION, 0, &region) != SQLITE_OK || !region)
		return false;
	const volatile char *at = region;
	return *(const volatile uint32_t *)(at + INDEX_LAST) ==
	       *(const volatile uint32_t *)(at + INDEX_AIM);
}

/* Only where all of the log is moved SQLite asks for more behind the last page, and can be
 * told that this could not be written. */
static void begin_moving(sqlite3_file *file)
{
	struct kept_file *mine = (void *)file;
	mine->failed = SQLITE_OK;
	mine->moving = !(newest_log && newest_log->len) && moves_all(file);
}

/* Until SQLite has asked: what it is not told of it would call moved. */
static bool keep_others_from_adding(sqlite3_file *file)
{
	struct kept_file *mine = (void *)file;
	int flags = SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE;
	if (!mine->writes)
		mine->stops = kept_index_lock(file, INDEX_WRITES, 1, flags) == SQLITE_OK;
	return mine->writes && moves_all(file);
}

static void end_moving(sqlite3_file *file)
{
	struct kept_file *mine = (void *)file;
	mine->failed = let_go(file);
	mine->moving = false;
	if (mine->failed == SQLITE_OK || keep_others_from_adding(file))
		return;
	/* A command is adding to the log, and it would be so. */
	log_event(LOG_ERROR, "checkpoint-failed", log_reason(sqlite3_errstr(mine->failed)));
	exit(1);
}

static int kept_control(sqlite3_file *file, int what, void *arg)
{
	if (what == SQLITE_FCNTL_CKPT_START)
		begin_moving(file);
	else if (what == SQLITE_FCNTL_CKPT_DONE)
		end_moving(file);
	return real(file)->pMethods->xFileControl(real(file), what, arg);
}

static const sqlite3_io_methods kept_methods = {.iVersion = 2,
	.xClose = kept_close,
	.xRead = kept_read,
	.xWrite = kept_write,
	.xTruncate = kept_truncate,
	.xSync = kept_sync,
	.xFileSize = kept_size,
	.xLock = kept_lock,
	.xUnlock = kept_unlock,
	.xCheckReservedLock = kept_is_reserved,
	.xFileControl = kept_control,
	.xSectorSize = kept_sector_size,
	.xDeviceCharacteristics = kept_characteristics,
	.xShmMap = kept_index_map,
	.xShmLock = kept_index_lock,
	.xShmBarrier = kept_index_barrier,
	.xShmUnmap = kept_index_unmap};

/* Any other file is the unix VFS's alone. */
static int kept_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *got)
{
	struct kept_file *mine = (void *)file;
	(void)vfs;
	if (!(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)))
		return unix_vfs->xOpen(unix_vfs, name, file, flags, got);
	*mine = (struct kept_file){.is_log = flags & SQLITE_OPEN_WAL};
	int code = unix_vfs->xOpen(unix_vfs, name, real(file), flags, got);
	if (real(file)->pMethods) /* even where it failed it may want to be closed */
		mine->base.pMethods = &kept_methods;
	if (mine->is_log && newest_log)
		(void)let_go(&newest_log->base);
	if (mine->is_log && mine->base.pMethods) /* else nobody closes it */
		newest_log = mine;
	return code;
}

const char *db_log_vfs(void)
{
	static sqlite3_vfs vfs;
	if (!unix_vfs) {
		sqlite3_initialize();
		unix_vfs = sqlite3_vfs_find("unix");
		vfs = *unix_vfs;
		vfs.zName = "officemail";
		vfs.szOsFile += (int)sizeof(struct kept_file);
		vfs.xOpen = kept_open;
		sqlite3_vfs_register(&vfs, 0);
	}
	return vfs.zName;
}

void db_log_keep(bool until_synced)
{
	keeps = until_synced;
}
