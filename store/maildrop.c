/* POP3's view of a folder. The list comes out of one index, without a look at
 * the entries themselves; deleting only marks, or with devices hides. */
#include "store/maildrop.h"
#include "store/db.h"
#include "store/devices.h"
#include <stdlib.h>
#include <string.h>

static void grow_items(struct maildrop *maildrop, size_t cap)
{
	maildrop->items = must_realloc(maildrop->items, cap * sizeof(*maildrop->items));
	maildrop->cap = cap;
}

void maildrop_reserve(struct maildrop *maildrop, size_t count, size_t uidl_octets)
{
	if (count > maildrop->cap)
		grow_items(maildrop, count);
	if (uidl_octets > maildrop->uidls.len)
		buf_reserve(&maildrop->uidls, uidl_octets - maildrop->uidls.len);
}

void maildrop_add(struct maildrop *maildrop, int64_t id, uint64_t size, struct slice uidl)
{
	if (maildrop->count == maildrop->cap)
		grow_items(maildrop, maildrop->cap ? maildrop->cap * 2 : 64);
	maildrop->items[maildrop->count++] = (struct maildrop_item){
		.id = id, .size = size, .uidl = (uint32_t)maildrop->uidls.len};
	maildrop->size += size;
	buf_add_slice(&maildrop->uidls, uidl);
	buf_add_char(&maildrop->uidls, '\0');
}

const char *maildrop_uidl(const struct maildrop *maildrop, size_t index)
{
	return maildrop->uidls.at + maildrop->items[index].uidl;
}

void maildrop_free(struct maildrop *maildrop)
{
	free(maildrop->items);
	buf_free(&maildrop->uidls);
	memset(maildrop, 0, sizeof(*maildrop));
}

static int uidl_is_damaged(struct query *q, struct err *e)
{
	int64_t id = db_int(q, 0);
	db_end(q);
	return err_set(e, ERR_DAMAGED,
		"message %lld has a damaged UIDL: restore it from a backup, or remove it",
		(long long)id);
}

static int take_list(struct query *q, struct maildrop *maildrop, struct err *e)
{
	int found;
	while ((found = db_next(q, e)) == 1) {
		if (!deliver_can_be_uidl(db_text(q, 2)))
			return uidl_is_damaged(q, e);
		maildrop_add(maildrop, db_int(q, 0), (uint64_t)db_int(q, 1), db_text(q, 2));
	}
	return found;
}

static int list_by(struct store *store, const struct statement *statement, int64_t folder_id,
	struct maildrop *maildrop, struct err *e)
{
	struct query q = db_query(store, statement);
	db_bind_int(&q, folder_id);
	return take_list(&q, maildrop, e);
}

int maildrop_list(struct store *store, int64_t folder_id, struct maildrop *maildrop, struct err *e)
{
	int done = list_by(store,
		SQL("SELECT id, size, uidl FROM entries WHERE folder_id = ? AND deleted IS NULL"
		    " ORDER BY id"),
		folder_id, maildrop, e);
	if (done == 0 || e->kind != ERR_DAMAGED)
		return done;
	/* The index is damaged: the rows may not be. */
	maildrop_free(maildrop);
	return list_by(store,
		SQL("SELECT id, size, uidl FROM entries NOT INDEXED WHERE folder_id = ?"
		    " AND deleted IS NULL ORDER BY id /* scans entries: all there is */"),
		folder_id, maildrop, e);
}

static int list_view_by(struct store *store, const struct statement *statement, int64_t folder_id,
	int64_t device_id, struct maildrop *maildrop, struct err *e)
{
	struct query q = db_query(store, statement);
	db_bind_int(&q, folder_id);
	db_bind_int(&q, device_id);
	return take_list(&q, maildrop, e);
}

#define HIDDEN " EXISTS (SELECT 1 FROM hidden WHERE entry_id = entries.id AND device_id = ?) "

int maildrop_list_view(struct store *store, int64_t folder_id, int64_t device_id,
	struct maildrop *maildrop, struct err *e)
{
	int done = list_view_by(store,
		SQL("SELECT id, size, uidl FROM entries WHERE folder_id = ? AND deleted IS NULL"
		    " AND NOT" HIDDEN "ORDER BY id"),
		folder_id, device_id, maildrop, e);
	if (done == 0 || e->kind != ERR_DAMAGED)
		return done;
	maildrop_free(maildrop);
	return list_view_by(store,
		SQL("SELECT id, size, uidl FROM entries NOT INDEXED WHERE folder_id = ?"
		    " AND deleted IS NULL AND NOT" HIDDEN
		    "ORDER BY id /* scans entries: all there is */"),
		folder_id, device_id, maildrop, e);
}

/* An entry of this user, whatever has become of it: that another has deleted,
 * purged or moved it meanwhile is fine; that he never had it is not. */
static int check_entry(struct store *store, int64_t user_id, int64_t id, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT coalesce((SELECT user_id FROM entries"
			   " JOIN folders ON folders.id = folder_id WHERE entries.id = ?1),"
			   " CASE WHEN ?1 BETWEEN 1 AND"
			   " max((SELECT coalesce(max(id), 0) FROM entries), value)"
			   " THEN ?2 END) FROM meta WHERE name = 'highest_entry'"));
	db_bind_int(&q, id);
	db_bind_int(&q, user_id);
	int found = db_next(&q, e);
	bool fine = found == 1 && db_int(&q, 0) == user_id;
	db_end(&q);
	if (found < 0 || fine)
		return found < 0 ? -1 : 0;
	return err_set(e, ERR_DENIED, "message %lld is not this user's", (long long)id);
}

/* And how many devices the user has. */
static int check_folder(
	struct store *store, int64_t user_id, int64_t folder_id, int64_t *devices, struct err *e)
{
	struct query q = db_query(store, SQL("SELECT devices FROM folders f JOIN users u"
					     " ON u.id = f.user_id WHERE f.id = ? AND u.id = ?"));
	db_bind_int(&q, folder_id);
	db_bind_int(&q, user_id);
	int found = db_next(&q, e);
	if (found == 1)
		*devices = db_int(&q, 0);
	db_end(&q);
	if (found == 0)
		return err_set(
			e, ERR_DENIED, "folder %lld is not this user's", (long long)folder_id);
	return found < 0 ? -1 : 0;
}

static int mark_deleted(struct store *store, int64_t folder_id, struct slice ids, struct err *e)
{
	struct query q = db_query(store,
		SQL("UPDATE entries SET deleted = " DELETION_TIME(
			"?") " WHERE id IN (SELECT value FROM json_each(?)) AND folder_id = ?"
			     " AND deleted IS NULL /* scans json_each: all the ids asked for */"));
	db_bind_int(&q, store_now(store));
	db_bind_text(&q, ids);
	db_bind_int(&q, folder_id);
	return db_run(&q, e);
}

/* One statement for all of them: inside a savepoint SQLite walks all that was changed
 * before at the end of each, and thousands would take minutes. */
static void list_ids(struct buf *list, const int64_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(list, "%c%lld", i == 0 ? '[' : ',', (long long)ids[i]);
	buf_add_text(list, count == 0 ? "[]" : "]");
}

/* Those that were not found are looked at one by one. */
static int check_rest(
	struct store *store, int64_t user_id, const int64_t *ids, size_t count, struct err *e)
{
	int done = 0;
	bool all_marked = db_changes(store) == (int64_t)count;
	for (size_t i = 0; i < count && done == 0 && !all_marked; i++)
		done = check_entry(store, user_id, ids[i], e);
	return done;
}

int maildrop_delete(struct store *store, int64_t user_id, int64_t folder_id, const int64_t *ids,
	size_t count, struct err *e)
{
	struct buf list = {0};
	int64_t devices = 0;
	if (check_folder(store, user_id, folder_id, &devices, e) < 0)
		return -1;
	list_ids(&list, ids, count);
	int done = mark_deleted(store, folder_id, buf_slice(&list), e);
	if (done == 0)
		done = check_rest(store, user_id, ids, count, e);
	if (done == 0 && devices > 0)
		done = devices_forget(store, buf_slice(&list), e);
	buf_free(&list);
	return done;
}

int maildrop_delete_view(struct store *store, int64_t user_id, int64_t folder_id, int64_t device_id,
	const int64_t *ids, size_t count, struct err *e)
{
	struct buf list = {0};
	int64_t devices = 0;
	if (devices_check(store, device_id, e) < 0 ||
		check_folder(store, user_id, folder_id, &devices, e) < 0)
		return -1;
	list_ids(&list, ids, count);
	int done = devices > 0 ? devices_hide(store, folder_id, device_id, buf_slice(&list), e)
			       : mark_deleted(store, folder_id, buf_slice(&list), e);
	if (done == 0)
		done = check_rest(store, user_id, ids, count, e);
	buf_free(&list);
	return done < 0 ? -1 : devices > 0;
}

int maildrop_settle(struct store *store, const int64_t *ids, size_t count, struct err *e)
{
	struct buf list = {0};
	list_ids(&list, ids, count);
	int done = devices_settle(store, buf_slice(&list), e);
	buf_free(&list);
	return done;
}
