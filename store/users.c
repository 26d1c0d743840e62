/* Users as rows: found by address or login, added, renamed, removed.
 *
 * A removed user stays as a row until the purge has taken the last of the mail,
 * so that adding the address again brings it back. Every statement here but
 * the reviving one looks past removed rows. */
#include "store/users.h"
#include "store/addresses.h"
#include "store/db.h"
#include "store/folders.h"
#include "store/senders.h"
#include <string.h>

#define USER_COLUMNS                                                                               \
	"SELECT id, address, hash, enabled, quota, last_login,"                                    \
	" (SELECT sum(size) FROM folders WHERE user_id = users.id),"                               \
	" (SELECT sum(messages) FROM folders WHERE user_id = users.id), devices, viewed FROM "     \
	"users "

/* Takes the row of a query that begins with USER_COLUMNS, and ends it. */
static int take_user(struct query *q, struct user *user, struct err *e)
{
	int found = db_next(q, e);
	if (found == 1) {
		memset(user, 0, sizeof(*user));
		user->id = db_int(q, 0);
		db_copy_text(q, 1, user->address, sizeof(user->address));
		db_copy_text(q, 2, user->hash, sizeof(user->hash));
		user->enabled = db_int(q, 3);
		user->quota = db_is_null(q, 4) ? QUOTA_DEFAULT : db_int(q, 4);
		user->last_login = db_int(q, 5);
		user->used = db_int(q, 6);
		user->messages = db_int(q, 7);
		user->devices = db_int(q, 8);
		user->viewed = db_int(q, 9);
	}
	db_end(q);
	return found;
}

int users_find(struct store *store, struct slice text, struct user *user, struct err *e)
{
	struct address address;
	struct err malformed;
	if (address_read(&address, text, &malformed) < 0)
		return 0;
	struct query q = db_query(store, SQL(USER_COLUMNS "WHERE address = ? AND removed IS NULL"));
	db_bind_text(&q, slice_of(address.text));
	return take_user(&q, user, e);
}

int users_find_id(struct store *store, int64_t id, struct user *user, struct err *e)
{
	struct query q = db_query(store, SQL(USER_COLUMNS "WHERE id = ? AND removed IS NULL"));
	db_bind_int(&q, id);
	return take_user(&q, user, e);
}

/* The one user with this local part; 0 where there are several. */
static int find_local(struct store *store, struct slice local, struct user *user, struct err *e)
{
	struct address folded;
	int64_t id = 0;
	int rows = 0, found;
	if (!address_join(&folded, local, SLICE("-")))
		return 0;
	struct query q = db_query(
		store, SQL("SELECT id FROM users WHERE local = ? AND removed IS NULL LIMIT 2"));
	db_bind_text(&q, address_local(&folded));
	while ((found = db_next(&q, e)) == 1) {
		id = db_int(&q, 0);
		rows++;
	}
	db_end(&q);
	if (found < 0)
		return -1;
	return rows == 1 ? users_find_id(store, id, user, e) : 0;
}

static int find_name(struct store *store, struct slice name, struct user *user, struct err *e)
{
	if (slice_find(name, '@') < name.len)
		return users_find(store, name, user, e);
	return find_local(store, name, user, e);
}

/* "name+folder@domain", "name@domain+folder" and "name+folder", after "name"
 * as it is: a "+" may belong to the name. */
int users_find_login(struct store *store, struct slice login, struct user *user,
	struct slice *folder, struct err *e)
{
	struct buf name = {0};
	struct slice rest = login;
	size_t plus = slice_find(login, '+');
	size_t at = slice_find(login, '@');
	int found = find_name(store, login, user, e);
	*folder = (struct slice){NULL, 0};
	if (found != 0 || plus == login.len)
		return found;
	buf_add_slice(&name, slice_cut(&rest, '+'));
	if (plus < at && at < login.len) {
		*folder = slice_cut(&rest, '@');
		buf_add_slice(&name, slice_from(login, at));
	} else {
		*folder = rest;
	}
	found = find_name(store, buf_slice(&name), user, e);
	buf_free(&name);
	return found;
}

/* One statement a user: none is open while `each` takes its time. */
int users_each(struct store *store, int (*each)(const struct user *user, void *arg), void *arg,
	struct err *e)
{
	struct user user = {0};
	int found;
	do {
		struct user last = user;
		struct query q = db_query(store,
			SQL(USER_COLUMNS
				"WHERE address > ? AND removed IS NULL ORDER BY address LIMIT 1"));
		db_bind_text(&q, slice_of(last.address));
		found = take_user(&q, &user, e);
	} while (found == 1 && each(&user, arg) == 0);
	return found < 0 ? -1 : 0;
}

uint64_t users_quota(const struct user *user, const struct config *config)
{
	return user->quota == QUOTA_DEFAULT ? config->quota : (uint64_t)user->quota;
}

uint64_t users_room(const struct user *user, const struct config *config)
{
	uint64_t quota = users_quota(user, config);
	uint64_t used = (uint64_t)user->used;
	if (quota == 0)
		return UINT64_MAX;
	return used < quota ? quota - used : 0;
}

/* ---- writing ---- */

/* An address that a user can have and nobody has. */
static int read_free(struct address *address, struct store *store, const struct config *config,
	struct slice text, struct err *e)
{
	struct user user;
	int found;
	if (addresses_read_ours(address, config, text, e) < 0)
		return -1;
	found = users_find(store, slice_of(address->text), &user, e);
	if (found == 1)
		return err_set(e, ERR_EXISTS,
			"there is a user %s already: `officemail user list` shows who there is",
			address->text);
	return found;
}

/* The row of a user removed so recently that there may be mail to restore. */
static int find_removed(struct store *store, const struct config *config,
	const struct address *address, int64_t *id, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT id FROM users WHERE removed >= ? AND address = ? ORDER BY removed DESC"
		    " LIMIT 1"));
	int found;
	db_bind_int(&q, store_now(store) - config->keep_deleted);
	db_bind_text(&q, slice_of(address->text));
	found = db_next(&q, e);
	if (found == 1)
		*id = db_int(&q, 0);
	db_end(&q);
	return found;
}

static void bind_quota(struct query *q, int64_t quota)
{
	if (quota == QUOTA_DEFAULT)
		db_bind_null(q);
	else
		db_bind_int(q, quota);
}

static int revive(
	struct store *store, int64_t user_id, const char *hash, int64_t quota, struct err *e)
{
	struct query q = db_query(store, SQL("UPDATE users SET removed = NULL, enabled = 1, hash = "
					     "?, quota = ? WHERE id = ?"));
	db_bind_text(&q, slice_of(hash));
	bind_quota(&q, quota);
	db_bind_int(&q, user_id);
	return db_run(&q, e);
}

static int insert(struct store *store, const struct address *address, const char *hash,
	int64_t quota, struct err *e)
{
	struct query q = db_query(store, SQL("INSERT INTO users (address, local, hash, quota, "
					     "created) VALUES (?, ?, ?, ?, ?)"));
	int64_t id;
	db_bind_text(&q, slice_of(address->text));
	db_bind_text(&q, address_local(address));
	db_bind_text(&q, slice_of(hash));
	bind_quota(&q, quota);
	db_bind_int(&q, store_now(store));
	if (db_run(&q, e) < 0)
		return -1;
	id = db_last_id(store);
	if (folders_add(store, id, SLICE(FOLDER_INBOX), false, e) < 0)
		return -1;
	return folders_add(store, id, SLICE(FOLDER_JUNK), false, e);
}

/* One that is no alias either. */
static int read_new(struct address *address, struct store *store, const struct config *config,
	struct slice text, struct err *e)
{
	if (read_free(address, store, config, text, e) < 0)
		return -1;
	int found = aliases_exist(store, address, e);
	if (found == 1)
		return err_set(e, ERR_EXISTS, "%s is an alias: `officemail alias remove %s` first",
			address->text, address->text);
	return found;
}

int users_check_new(
	struct store *store, const struct config *config, struct slice text, struct err *e)
{
	struct address address;
	return read_new(&address, store, config, text, e);
}

int users_add(struct store *store, const struct config *config, struct slice text, const char *hash,
	int64_t quota, struct err *e)
{
	struct address address;
	int64_t id;
	if (read_new(&address, store, config, text, e) < 0)
		return -1;
	int found = find_removed(store, config, &address, &id, e);
	if (found < 0)
		return -1;
	if (found == 1)
		return revive(store, id, hash, quota, e);
	return insert(store, &address, hash, quota, e);
}

/* Runs an UPDATE of one user; one that is not there is ERR_MISSING. */
static int run_on_user(struct store *store, struct query *q, struct err *e)
{
	if (db_run(q, e) < 0)
		return -1;
	if (db_changes(store) == 0)
		return err_set(e, ERR_MISSING, "there is no such user any more");
	return 0;
}

int users_set_hash(struct store *store, int64_t user_id, const char *hash, struct err *e)
{
	struct query q =
		db_query(store, SQL("UPDATE users SET hash = ? WHERE id = ? AND removed IS NULL"));
	db_bind_text(&q, slice_of(hash));
	db_bind_int(&q, user_id);
	return run_on_user(store, &q, e);
}

int users_set_enabled(struct store *store, int64_t user_id, bool enabled, struct err *e)
{
	struct query q = db_query(
		store, SQL("UPDATE users SET enabled = ? WHERE id = ? AND removed IS NULL"));
	db_bind_int(&q, enabled);
	db_bind_int(&q, user_id);
	return run_on_user(store, &q, e);
}

int users_set_quota(struct store *store, int64_t user_id, int64_t quota, struct err *e)
{
	struct query q =
		db_query(store, SQL("UPDATE users SET quota = ? WHERE id = ? AND removed IS NULL"));
	bind_quota(&q, quota);
	db_bind_int(&q, user_id);
	return run_on_user(store, &q, e);
}

int users_set_last_login(struct store *store, int64_t user_id, int64_t when, struct err *e)
{
	struct query q = db_query(
		store, SQL("UPDATE users SET last_login = ? WHERE id = ? AND removed IS NULL"));
	db_bind_int(&q, when);
	db_bind_int(&q, user_id);
	return run_on_user(store, &q, e);
}

static int set_address(
	struct store *store, int64_t user_id, const struct address *address, struct err *e)
{
	struct query q = db_query(store,
		SQL("UPDATE users SET address = ?, local = ? WHERE id = ? AND removed IS NULL"));
	db_bind_text(&q, slice_of(address->text));
	db_bind_text(&q, address_local(address));
	db_bind_int(&q, user_id);
	return run_on_user(store, &q, e);
}

int users_rename(struct store *store, const struct config *config, int64_t user_id,
	struct slice text, struct err *e)
{
	struct address from, to;
	struct user user;
	int found = users_find_id(store, user_id, &user, e);
	if (found == 0)
		return err_set(e, ERR_MISSING, "there is no such user any more");
	if (found < 0 || address_read(&from, slice_of(user.address), e) < 0 ||
		read_free(&to, store, config, text, e) < 0)
		return -1;
	if (aliases_follow_user(store, &from, &to, e) < 0 ||
		senders_follow_user(store, &from, &to, e) < 0)
		return -1;
	return set_address(store, user_id, &to, e);
}

#define NEXT_TO_GO                                                                                 \
	"(SELECT id FROM entries WHERE folder_id IN (SELECT id FROM folders WHERE user_id = ?1)"   \
	" AND deleted IS NULL LIMIT ?2)"

/* What of the messages that go next some login has hidden already. */
static int forget_hidden(struct store *store, int64_t user_id, struct err *e)
{
	struct query q = db_query(store, SQL("DELETE FROM hidden WHERE entry_id IN " NEXT_TO_GO));
	db_bind_int(&q, user_id);
	db_bind_int(&q, USERS_STEP);
	return db_run(&q, e);
}

int users_remove(struct store *store, int64_t user_id, struct err *e)
{
	struct user user = {0};
	int found = users_find_id(store, user_id, &user, e);
	if (found == 0)
		return err_set(e, ERR_MISSING, "there is no such user any more");
	if (found < 0 || (user.devices > 0 && forget_hidden(store, user_id, e) < 0))
		return -1;
	struct query mark = db_query(store, SQL("UPDATE entries SET deleted = " DELETION_TIME(
						    "?3") " WHERE id IN " NEXT_TO_GO));
	db_bind_int(&mark, user_id);
	db_bind_int(&mark, USERS_STEP);
	db_bind_int(&mark, store_now(store));
	if (db_run(&mark, e) < 0)
		return -1;
	if (db_changes(store) == USERS_STEP)
		return 1;
	if (aliases_forget_user(store, slice_of(user.address), e) < 0 ||
		senders_forget_user(store, user_id, slice_of(user.address), e) < 0 ||
		db_run_with(store, SQL("DELETE FROM devices WHERE user_id = ?"), user_id, e) < 0)
		return -1;
	struct query remove = db_query(store,
		SQL("UPDATE users SET removed = " DELETION_TIME("?1") ", hash = '' WHERE id = ?2"));
	db_bind_int(&remove, store_now(store));
	db_bind_int(&remove, user_id);
	return db_run(&remove, e);
}
