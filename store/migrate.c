/* The schema, and how an old store comes forward: numbered steps, one
 * transaction for all of them, a copy made first. */
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

const char *const db_migrations[STORE_SCHEMA_VERSION] = {""
#include "schema.inc"
	,
	""
#include "schema-2.inc"
	,
	""
#include "schema-3.inc"
};

int db_sync_path(const char *path, int flags, struct err *e)
{
	int fd = open(path, flags | O_CLOEXEC);
	int failed = fd < 0 || fsync(fd);
	if (failed)
		err_set_errno(e, "%s", path);
	if (fd >= 0)
		close(fd);
	return failed ? -1 : 0;
}

/* One database copied into another, by name. SQLite refuses the connection that
 * has begun to write as source: another one sees the same, since nothing has
 * been committed. */
static int copy_database(const char *from, const char *to)
{
	sqlite3 *source = NULL, *target = NULL;
	int code = sqlite3_open_v2(from, &source, SQLITE_OPEN_READONLY, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_open_v2(to, &target, SQLITE_OPEN_READWRITE, NULL);
	sqlite3_backup *backup =
		code == SQLITE_OK ? sqlite3_backup_init(target, "main", source, "main") : NULL;
	if (backup) {
		sqlite3_backup_step(backup, -1);
		code = sqlite3_backup_finish(backup);
	} else if (code == SQLITE_OK) {
		code = sqlite3_errcode(target);
	}
	sqlite3_close(source);
	sqlite3_close(target);
	return code;
}

/* Copies the store as it is to DATA/store.db.version-N, which stands there only
 * when it is whole. */
static int copy_aside(struct store *store, int version, struct err *e)
{
	char to[STORE_PATH_MAX + 24], partial[STORE_PATH_MAX + 32];
	snprintf(to, sizeof(to), "%s.version-%d", store->file, version);
	snprintf(partial, sizeof(partial), "%s.part", to);
	unlink(partial);
	int fd = open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(e, "%s", partial);
	close(fd);
	int code = copy_database(store->file, partial);
	if (code != SQLITE_OK)
		db_error(store, code, e);
	if (code != SQLITE_OK || db_sync_path(partial, O_RDONLY, e) < 0) {
		unlink(partial);
		return err_prefix(e, "copying the store aside: ");
	}
	if (rename(partial, to))
		return err_set_errno(e, "%s", to);
	return db_sync_path(store->data, O_RDONLY | O_DIRECTORY, e);
}

/* The file's version. One with tables but none of ours is somebody else's. */
static int find_version(struct store *store, int64_t *version, struct err *e)
{
	int64_t tables;
	if (db_number(store, SQL("PRAGMA user_version"), version, e) < 0 ||
		db_number(store,
			SQL("SELECT count(*) FROM sqlite_master /* scans sqlite_master */"),
			&tables, e) < 0)
		return -1;
	if (*version == 0 && tables > 0)
		return err_set(e, ERR_DAMAGED,
			"%s is no store of officemail: move it away, or restore a backup",
			store->file);
	return 0;
}

static int take_steps(
	struct store *store, const char *const *steps, int64_t from, int to, struct err *e)
{
	if (from > 0 && copy_aside(store, (int)from, e) < 0)
		return -1;
	for (int64_t version = from; version < to; version++)
		if (db_script(store, steps[version], e) < 0)
			return err_prefix(
				e, "bringing the store forward to version %d: ", (int)version + 1);
	char number[40];
	snprintf(number, sizeof(number), "PRAGMA user_version = %d", to);
	return db_script(store, number, e);
}

int db_migrate(struct store *store, const char *const *steps, int count, struct err *e)
{
	int64_t version;
	if (find_version(store, &version, e) < 0)
		return -1;
	if (version > count)
		return err_set(e, ERR_NEWER,
			"%s was written by a newer officemail (version %d, this one knows %d): "
			"install that one",
			store->file, (int)version, count);
	if (version == count)
		return 0;
	if (store->role == STORE_READER)
		return err_set(e, version ? ERR_IN_USE : ERR_MISSING,
			version ? "%s is of an older version: start the server once, it "
				  "brings it forward"
				: "%s is empty: `officemail init` makes a store",
			store->file);

	/* Another process may have been quicker: look again, now that none can
	 * write. */
	if (store_begin(store, e) < 0)
		return -1;
	if (find_version(store, &version, e) < 0 ||
		(version < count && take_steps(store, steps, version, count, e) < 0)) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, e);
}
