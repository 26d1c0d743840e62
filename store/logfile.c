/* The log as the writer writes it. SQLite hands over each page of a commit in two
 * writes, of which the file system makes two journeys: thirty for one small message.
 * Here they are put together until the log is synced, and go out in one.
 *
 * Nobody looks at a page before that: where each commit is synced, SQLite names its pages
 * in the log's index behind the sync. Where none is (sync = normal) nothing is kept back. */
#include "store/db.h"
#include <string.h>

#define KEPT_MOST (64 * 1024)

struct log_file {
	sqlite3_file base;
	sqlite3_int64 from; /* where `kept` belongs */
	int len;
	/* the unix VFS's own file lies behind */
};

/* A process writes one log. */
static char kept[KEPT_MOST];
static struct log_file *keeper;
static bool keeps;
static sqlite3_vfs *unix_vfs;

static sqlite3_file *real(sqlite3_file *file)
{
	return (sqlite3_file *)((struct log_file *)(void *)file + 1);
}

/* What could not be written is dropped: the error ends the transaction that it was of. */
static int let_go(sqlite3_file *file)
{
	struct log_file *log = (void *)file;
	int len = log->len;
	log->len = 0;
	return len ? real(file)->pMethods->xWrite(real(file), kept, len, log->from) : SQLITE_OK;
}

static int log_close(sqlite3_file *file)
{
	(void)let_go(file); /* of no commit: that would have synced it */
	if (keeper == (void *)file)
		keeper = NULL;
	return real(file)->pMethods->xClose(real(file));
}

static int log_read(sqlite3_file *file, void *octets, int len, sqlite3_int64 from)
{
	int code = let_go(file);
	return code ? code : real(file)->pMethods->xRead(real(file), octets, len, from);
}

static int log_write(sqlite3_file *file, const void *octets, int len, sqlite3_int64 from)
{
	struct log_file *log = (void *)file;
	int code = SQLITE_OK;
	bool kept_too = keeps && keeper == log && len <= KEPT_MOST;
	bool follows = from == log->from + log->len && len <= KEPT_MOST - log->len;
	if (!kept_too || !follows)
		code = let_go(file);
	if (code)
		return code;
	if (!kept_too)
		return real(file)->pMethods->xWrite(real(file), octets, len, from);
	if (log->len == 0)
		log->from = from;
	memcpy(kept + log->len, octets, (size_t)len);
	log->len += len;
	return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int code = let_go(file);
	return code ? code : real(file)->pMethods->xTruncate(real(file), size);
}

static int log_sync(sqlite3_file *file, int flags)
{
	int code = let_go(file);
	return code ? code : real(file)->pMethods->xSync(real(file), flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
	int code = let_go(file);
	return code ? code : real(file)->pMethods->xFileSize(real(file), size);
}

static int log_lock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xLock(real(file), level);
}

static int log_unlock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xUnlock(real(file), level);
}

static int log_is_reserved(sqlite3_file *file, int *is_reserved)
{
	return real(file)->pMethods->xCheckReservedLock(real(file), is_reserved);
}

static int log_control(sqlite3_file *file, int what, void *arg)
{
	return real(file)->pMethods->xFileControl(real(file), what, arg);
}

static int log_sector_size(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int log_characteristics(sqlite3_file *file)
{
	return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static const sqlite3_io_methods log_methods = {.iVersion = 1,
	.xClose = log_close,
	.xRead = log_read,
	.xWrite = log_write,
	.xTruncate = log_truncate,
	.xSync = log_sync,
	.xFileSize = log_size,
	.xLock = log_lock,
	.xUnlock = log_unlock,
	.xCheckReservedLock = log_is_reserved,
	.xFileControl = log_control,
	.xSectorSize = log_sector_size,
	.xDeviceCharacteristics = log_characteristics};

/* Any other file is the unix VFS's alone. */
static int log_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *got)
{
	struct log_file *log = (void *)file;
	(void)vfs;
	if (!(flags & SQLITE_OPEN_WAL))
		return unix_vfs->xOpen(unix_vfs, name, file, flags, got);
	*log = (struct log_file){0};
	int code = unix_vfs->xOpen(unix_vfs, name, real(file), flags, got);
	if (real(file)->pMethods) /* even where it failed it may want to be closed */
		log->base.pMethods = &log_methods;
	if (keeper)
		(void)let_go(&keeper->base);
	keeper = log;
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
		vfs.szOsFile += (int)sizeof(struct log_file);
		vfs.xOpen = log_open;
		sqlite3_vfs_register(&vfs, 0);
	}
	return vfs.zName;
}

void db_log_keep(bool until_synced)
{
	keeps = until_synced;
}
