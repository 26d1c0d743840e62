/* Devices as rows, and what of a mailbox each login has hidden from itself.
 *
 * A row of hidden is there only as long as its message is filed and its login can
 * come back. What is due leaves in the transaction that makes it due, but where only
 * time did so: devices_settle_step() goes through all of them, again and again. */
#include "store/devices.h"
#include "store/db.h"
#include "store/mail.h"
#include "store/password.h"
#include "store/requests.h"
#include <stdlib.h>
#include <string.h>

#define DAY (24 * 3600)

#define DEVICE_COLUMNS "SELECT id, name, hash, last_login, viewed FROM devices "

/* What the clock says, where the purge would believe it, else the latest time that it
 * has: a clock that has jumped ahead would end all views at once. */
static int find_now(struct store *store, int64_t *now, struct err *e)
{
	int64_t latest = 0;
	if (mail_latest_time(store, &latest, e) < 0)
		return -1;
	*now = store_now(store);
	if (latest && (*now < latest || *now - latest > DAY))
		*now = latest;
	return 0;
}

/* Who has looked at his mailbox since then counts. */
static int64_t begin_of_counting(int64_t now)
{
	return now > DEVICE_COUNTS ? now - DEVICE_COUNTS : 0;
}

int64_t devices_counts_until(struct store *store, int64_t viewed)
{
	int64_t now;
	struct err e;
	if (find_now(store, &now, &e) < 0 || viewed <= begin_of_counting(now))
		return 0;
	return viewed + DEVICE_COUNTS;
}

/* ---- finding ---- */

static void take_row(struct query *q, struct device *device)
{
	memset(device, 0, sizeof(*device));
	device->id = db_int(q, 0);
	db_copy_text(q, 1, device->name, sizeof(device->name));
	db_copy_text(q, 2, device->hash, sizeof(device->hash));
	device->last_login = db_int(q, 3);
	device->viewed = db_int(q, 4);
}

int devices_load(
	struct store *store, int64_t user_id, struct device **devices, size_t *count, struct err *e)
{
	struct query q = db_query(
		store, SQL(DEVICE_COLUMNS "WHERE user_id = ? AND hash <> '' ORDER BY name"));
	int found;
	*devices = NULL;
	*count = 0;
	db_bind_int(&q, user_id);
	while ((found = db_next(&q, e)) == 1) {
		*devices = must_realloc(*devices, (*count + 1) * sizeof(**devices));
		take_row(&q, &(*devices)[(*count)++]);
	}
	if (found < 0) {
		devices_free(*devices, *count);
		*devices = NULL;
		*count = 0;
	}
	return found;
}

void devices_free(struct device *devices, size_t count)
{
	if (devices)
		wipe(devices, count * sizeof(*devices));
	free(devices);
}

static int take_device(struct query *q, struct device *device, struct err *e)
{
	int found = db_next(q, e);
	if (found == 1)
		take_row(q, device);
	db_end(q);
	return found;
}

int devices_find(struct store *store, int64_t user_id, struct slice name, struct device *device,
	struct err *e)
{
	struct query q = db_query(store, SQL(DEVICE_COLUMNS "WHERE user_id = ? AND name = ?"));
	db_bind_int(&q, user_id);
	db_bind_text(&q, name);
	return take_device(&q, device, e);
}

int devices_find_id(struct store *store, int64_t id, struct device *device, struct err *e)
{
	struct query q = db_query(store, SQL(DEVICE_COLUMNS "WHERE id = ?"));
	db_bind_int(&q, id);
	return take_device(&q, device, e);
}

int devices_check(struct store *store, int64_t id, struct err *e)
{
	struct device device;
	if (id == 0)
		return 0;
	int found = devices_find_id(store, id, &device, e);
	if (found == 0 || (found == 1 && !device.hash[0]))
		return err_set(e, ERR_MISSING, "the device has been removed");
	return found < 0 ? -1 : 0;
}

/* ---- adding ---- */

/* It stands in log lines and events, as one word. */
static bool is_name(struct slice name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	for (size_t i = 0; i < name.len; i++)
		if (!memchr(allowed, name.at[i], sizeof(allowed) - 1))
			return false;
	return name.len > 0 && name.len < DEVICE_NAME_MAX && name.at[0] != '-';
}

int devices_setting(
	struct store *store, const struct user *user, char like[HASH_MAX], struct err *e)
{
	struct device *devices;
	size_t count;
	if (devices_load(store, user->id, &devices, &count, e) < 0)
		return -1;
	const char *first = count > 0 ? devices[0].hash : user->hash;
	snprintf(like, HASH_MAX, "%s", password_hash_is_old(first) ? "" : first);
	devices_free(devices, count);
	return 0;
}

int devices_check_password(
	struct store *store, const struct user *user, const char *hash, struct err *e)
{
	struct device *devices;
	size_t count;
	int result = devices_load(store, user->id, &devices, &count, e);
	for (size_t i = 0; i < count && result == 0; i++)
		if (strcmp(devices[i].hash, hash) == 0)
			result = err_set(e, ERR_EXISTS,
				"this is the password of %s already: give another one",
				devices[i].name);
	devices_free(devices, count);
	return result;
}

static int check_new(struct store *store, const struct user *user, struct slice name,
	const char *hash, struct err *e)
{
	struct device device;
	char like[HASH_MAX];
	if (!is_name(name))
		return err_set(e, ERR_INPUT,
			"a device's name is 1 to 64 letters, digits, dots, dashes and underscores");
	int found = devices_find(store, user->id, name, &device, e);
	if (found == 1)
		return err_set(e, ERR_EXISTS,
			device.hash[0] ? "there is a device %s already"
				       : "%s is being removed: `officemail device remove` first",
			device.name);
	if (found < 0 || devices_setting(store, user, like, e) < 0)
		return -1;
	if (like[0] && !password_is_alike(like, hash))
		return err_set(e, ERR_EXISTS,
			"the password of %s has just been changed: try it once more",
			user->address);
	if (strcmp(user->hash, hash) == 0)
		return err_set(e, ERR_EXISTS,
			"this is the password of %s already: give another one", user->address);
	return devices_check_password(store, user, hash, e);
}

int devices_add(struct store *store, const struct user *user, struct slice name, const char *hash,
	struct err *e)
{
	if (check_new(store, user, name, hash, e) < 0)
		return -1;
	if (user->devices >= DEVICES_MAX)
		return err_set(e, ERR_LIMITED,
			"%s has %d devices, which is the most: remove one that is not used",
			user->address, DEVICES_MAX);
	/* Whatever has logged in before did so with the own password. */
	if (db_run_with(store,
		    SQL("UPDATE users SET viewed = last_login WHERE id = ? AND devices = 0"),
		    user->id, e) < 0)
		return -1;
	struct query q = db_query(store,
		SQL("INSERT INTO devices (user_id, name, hash, created) VALUES (?, ?, ?, ?)"));
	db_bind_int(&q, user->id);
	db_bind_text(&q, name);
	db_bind_text(&q, slice_of(hash));
	db_bind_int(&q, store_now(store));
	return db_run(&q, e);
}

/* ---- logins ---- */

bool devices_is_due(int64_t now, int64_t last)
{
	return now < last || now - last >= LAST_LOGIN_STEP;
}

static int set_viewed(struct store *store, int64_t user_id, int64_t when, struct err *e)
{
	struct query q = db_query(store, SQL("UPDATE users SET viewed = ? WHERE id = ?"));
	db_bind_int(&q, when);
	db_bind_int(&q, user_id);
	return db_run(&q, e);
}

static int note_device(struct store *store, const struct device *device, int64_t now,
	int64_t viewed, struct err *e)
{
	struct query q =
		db_query(store, SQL("UPDATE devices SET last_login = ?, viewed = ? WHERE id = ?"));
	db_bind_int(&q, now);
	db_bind_int(&q, viewed);
	db_bind_int(&q, device->id);
	return db_run(&q, e);
}

int devices_logged_in(
	struct store *store, const struct user *user, int64_t device_id, bool views, struct err *e)
{
	struct device device = {0};
	int64_t now = store_now(store), stamp; /* of the view: a clock gone back ends none */
	if (devices_is_due(now, user->last_login) &&
		users_set_last_login(store, user->id, now, e) < 0)
		return -1;
	if (user->devices == 0)
		return 0;
	if (find_now(store, &stamp, e) < 0)
		return -1;
	if (device_id == 0)
		return views && devices_is_due(stamp, user->viewed)
			       ? set_viewed(store, user->id, stamp, e)
			       : 0;
	int found = devices_find_id(store, device_id, &device, e);
	if (found <= 0 || !device.hash[0])
		return found < 0 ? -1 : 0;
	bool anew = views && devices_is_due(stamp, device.viewed);
	if (!anew && !devices_is_due(now, device.last_login))
		return 0;
	return note_device(store, &device, now, anew ? stamp : device.viewed, e);
}

/* ---- what is hidden ---- */

int devices_hide(
	struct store *store, int64_t folder_id, int64_t device_id, struct slice ids, struct err *e)
{
	struct query q = db_query(store,
		SQL("INSERT OR IGNORE INTO hidden (entry_id, device_id, at)"
		    " SELECT id, ?, ? FROM entries WHERE id IN (SELECT value FROM json_each(?))"
		    " AND folder_id = ? AND deleted IS NULL"
		    " /* scans json_each: all the ids asked for */"));
	db_bind_int(&q, device_id);
	db_bind_int(&q, store_now(store));
	db_bind_text(&q, ids);
	db_bind_int(&q, folder_id);
	return db_run(&q, e);
}

/* Rows of messages that have gone, and of devices that have. */
static int sweep(struct store *store, struct slice ids, struct err *e)
{
	struct query q = db_query(
		store, SQL("DELETE FROM hidden WHERE entry_id IN (SELECT value FROM json_each(?))"
			   " AND (NOT EXISTS (SELECT 1 FROM entries WHERE id = entry_id AND "
			   "deleted IS NULL)"
			   " OR (device_id <> 0 AND NOT EXISTS"
			   " (SELECT 1 FROM devices WHERE id = device_id AND hash <> '')))"
			   " /* scans json_each: all the ids asked for */"));
	db_bind_text(&q, ids);
	return db_run(&q, e);
}

#define DELETED_NOW DELETION_TIME("?1")

/* How many leave: *left. */
static int settle(struct store *store, struct slice ids, int64_t *left, struct err *e)
{
	int64_t now;
	if (find_now(store, &now, e) < 0)
		return -1;
	struct query q = db_query(store,
		SQL("UPDATE entries SET deleted = " DELETED_NOW
		    " WHERE id IN (SELECT value FROM json_each(?2)) AND deleted IS NULL"
		    " AND EXISTS (SELECT 1 FROM hidden WHERE entry_id = entries.id)"
		    " AND NOT EXISTS (SELECT 1 FROM folders f JOIN users u ON u.id = f.user_id"
		    " WHERE f.id = entries.folder_id AND u.viewed > ?3 AND NOT EXISTS"
		    " (SELECT 1 FROM hidden WHERE entry_id = entries.id AND device_id = 0))"
		    " AND NOT EXISTS (SELECT 1 FROM folders f"
		    " JOIN devices d ON d.user_id = f.user_id"
		    " WHERE f.id = entries.folder_id AND d.viewed > ?3 AND d.hash <> ''"
		    " AND NOT EXISTS"
		    " (SELECT 1 FROM hidden WHERE entry_id = entries.id AND device_id = d.id))"
		    " /* scans json_each: all the ids asked for */"));
	db_bind_int(&q, store_now(store));
	db_bind_text(&q, ids);
	db_bind_int(&q, begin_of_counting(now));
	if (db_run(&q, e) < 0)
		return -1;
	*left = db_changes(store);
	return sweep(store, ids, e);
}

int devices_settle(struct store *store, struct slice ids, struct err *e)
{
	int64_t left;
	return settle(store, ids, &left, e);
}

int devices_forget(struct store *store, struct slice ids, struct err *e)
{
	struct query q = db_query(
		store, SQL("DELETE FROM hidden WHERE entry_id IN (SELECT value FROM json_each(?))"
			   " /* scans json_each: all the ids asked for */"));
	db_bind_text(&q, ids);
	return db_run(&q, e);
}

int devices_each_hiding(struct store *store, int64_t entry_id,
	void (*each)(struct slice name, void *arg), void *arg, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT coalesce(name, '') FROM hidden LEFT JOIN devices ON id = device_id"
		    " WHERE entry_id = ? ORDER BY 1"));
	int found;
	db_bind_int(&q, entry_id);
	while ((found = db_next(&q, e)) == 1)
		each(db_text(&q, 0), arg);
	return found;
}

/* The next entries that somebody hides, as JSON; *at is the last of them. 0: none. */
static int next_hidden(struct store *store, int64_t *at, struct buf *ids, struct err *e)
{
	struct query q =
		db_query(store, SQL("SELECT DISTINCT entry_id FROM hidden WHERE entry_id > ?"
				    " ORDER BY entry_id LIMIT ?"));
	int found, count = 0;
	db_bind_int(&q, *at);
	db_bind_int(&q, DEVICES_STEP);
	while ((found = db_next(&q, e)) == 1) {
		*at = db_int(&q, 0);
		buf_printf(ids, "%c%lld", count++ == 0 ? '[' : ',', (long long)*at);
	}
	buf_add_char(ids, ']');
	return found < 0 ? -1 : count > 0;
}

int devices_settle_step(struct store *store, int64_t *at, int64_t *left, struct err *e)
{
	struct buf ids = {0};
	int64_t some = 0;
	int more = next_hidden(store, at, &ids, e);
	if (more == 1 && settle(store, buf_slice(&ids), &some, e) < 0)
		more = -1;
	*left += some;
	buf_free(&ids);
	return more;
}

int devices_remove(struct store *store, int64_t device_id, int64_t *at, struct err *e)
{
	struct device device = {0};
	int64_t left = 0;
	int found = devices_find_id(store, device_id, &device, e);
	if (found == 0)
		return err_set(e, ERR_MISSING, "there is no such device any more");
	if (found < 0)
		return -1;
	if (device.hash[0])
		return db_run_with(store,
			       SQL("UPDATE devices SET hash = '', viewed = 0 WHERE id = ?"),
			       device_id, e) < 0
			       ? -1
			       : 1;
	int more = devices_settle_step(store, at, &left, e);
	if (more)
		return more;
	return db_run_with(store, SQL("DELETE FROM devices WHERE id = ?"), device_id, e);
}

/* ---- who will cease to count ---- */

int devices_each_stopping(struct store *store, int64_t seconds,
	void (*each)(const struct device_stopping *stopping, void *arg), void *arg, struct err *e)
{
	int64_t now;
	if (find_now(store, &now, e) < 0)
		return -1;
	struct query q = db_query(store,
		SQL("SELECT address, '' AS name, viewed FROM users WHERE devices > 0"
		    " AND removed IS NULL AND viewed > ?1 AND viewed <= ?2"
		    " UNION ALL SELECT u.address, d.name, d.viewed FROM devices d"
		    " JOIN users u ON u.id = d.user_id WHERE d.viewed > ?1 AND d.viewed <= ?2"
		    " ORDER BY 1, 2 /* scans everything: for a person who asks */"));
	int64_t from = begin_of_counting(now);
	int found;
	db_bind_int(&q, from);
	db_bind_int(&q, from + seconds);
	while ((found = db_next(&q, e)) == 1) {
		struct device_stopping stopping = {.until = db_int(&q, 2) + DEVICE_COUNTS};
		db_copy_text(&q, 0, stopping.address, sizeof(stopping.address));
		db_copy_text(&q, 1, stopping.name, sizeof(stopping.name));
		each(&stopping, arg);
	}
	return found;
}
