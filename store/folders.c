/* Folders as rows. */
#include "store/folders.h"
#include "base/text.h"
#include "store/db.h"
#include "store/events.h"
#include "store/ranges.h"
#include "store/rules.h"
#include <string.h>

#define FOLDER_COLUMNS "SELECT id, user_id, name, public, messages, size FROM folders "

static bool is_name(struct slice name)
{
	if (name.len == 0 || name.len >= FOLDER_NAME_MAX || slice_trim(name).len != name.len)
		return false;
	for (struct slice rest = name; rest.len;) {
		uint32_t code;
		size_t len = text_utf8(rest, &code);
		if (len == 0 || text_is_control(code) || strchr("@/+", rest.at[0]))
			return false;
		rest = slice_from(rest, len);
	}
	return true;
}

static int take_folder(struct query *q, struct folder *folder, struct err *e)
{
	int found = db_next(q, e);
	if (found == 1) {
		memset(folder, 0, sizeof(*folder));
		folder->id = db_int(q, 0);
		folder->user_id = db_int(q, 1);
		db_copy_text(q, 2, folder->name, sizeof(folder->name));
		folder->is_public = db_int(q, 3);
		folder->messages = db_int(q, 4);
		folder->size = db_int(q, 5);
	}
	db_end(q);
	return found;
}

int folders_find(struct store *store, int64_t user_id, struct slice name, struct folder *folder,
	struct err *e)
{
	if (!is_name(name))
		return 0;
	struct query q = db_query(store, SQL(FOLDER_COLUMNS "WHERE user_id = ? AND name = ?"));
	db_bind_int(&q, user_id);
	db_bind_text(&q, name);
	return take_folder(&q, folder, e);
}

/* One statement a folder: none is open while `each` takes its time. */
int folders_each(struct store *store, int64_t user_id,
	int (*each)(const struct folder *folder, void *arg), void *arg, struct err *e)
{
	struct folder folder = {0};
	int found;
	do {
		struct folder last = folder;
		struct query q = db_query(store,
			SQL(FOLDER_COLUMNS "WHERE user_id = ? AND name > ? ORDER BY name LIMIT 1"));
		db_bind_int(&q, user_id);
		db_bind_text(&q, slice_of(last.name));
		found = take_folder(&q, &folder, e);
	} while (found == 1 && each(&folder, arg) == 0);
	return found < 0 ? -1 : 0;
}

int folders_add(
	struct store *store, int64_t user_id, struct slice name, bool is_public, struct err *e)
{
	struct folder folder;
	int found;
	if (!is_name(name))
		return err_set(e, ERR_INPUT,
			"a folder's name is 1 to 64 octets of letters, digits and signs, without @ "
			"/ +");
	found = folders_find(store, user_id, name, &folder, e);
	if (found == 1)
		return err_set(e, ERR_EXISTS, "there is a folder %s already: choose another name",
			folder.name);
	if (found < 0)
		return -1;
	struct query q = db_query(
		store, SQL("INSERT INTO folders (user_id, name, public) VALUES (?, ?, ?)"));
	db_bind_int(&q, user_id);
	db_bind_text(&q, name);
	db_bind_int(&q, is_public);
	return db_run(&q, e);
}

static int find_id(struct store *store, int64_t id, struct folder *folder, struct err *e)
{
	struct query q = db_query(store, SQL(FOLDER_COLUMNS "WHERE id = ?"));
	db_bind_int(&q, id);
	return take_folder(&q, folder, e);
}

static bool is_fixed(const struct folder *folder)
{
	struct slice name = slice_of(folder->name);
	return slice_equal_nocase(name, SLICE(FOLDER_INBOX)) ||
	       slice_equal_nocase(name, SLICE(FOLDER_JUNK));
}

/* As many as go in one step. */
static int note_moves(
	struct store *store, const struct folder *from, const struct folder *to, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT id FROM entries WHERE folder_id = ? ORDER BY id LIMIT ?"));
	struct buf detail = {0};
	struct ranges ids = {0};
	int found;
	db_bind_int(&q, from->id);
	db_bind_int(&q, FOLDERS_STEP);
	while ((found = db_next(&q, e)) == 1)
		ranges_add(&ids, db_int(&q, 0), FOLDERS_STEP * EVENTS_ID_MOST);
	if (found == 0 && ids.text.len > 0) {
		events_add_word(&detail, "from", slice_of(from->name));
		events_add_word(&detail, "to", slice_of(to->name));
		events_add_word(&detail, "entries", buf_slice(&ids.text));
		found = events_add(store, EVENT_MOVED, from->user_id, 0, buf_slice(&detail), e);
	}
	ranges_free(&ids);
	buf_free(&detail);
	return found;
}

int folders_remove(struct store *store, int64_t folder_id, struct err *e)
{
	struct folder folder = {0}, inbox = {0};
	int found = find_id(store, folder_id, &folder, e);
	if (found == 0)
		return err_set(e, ERR_MISSING, "there is no such folder any more");
	if (found < 0)
		return -1;
	if (is_fixed(&folder))
		return err_set(
			e, ERR_INPUT, "every user has %s: it cannot be removed", folder.name);
	found = folders_find(store, folder.user_id, SLICE(FOLDER_INBOX), &inbox, e);
	if (found == 0)
		return err_set(e, ERR_DAMAGED, "the user of folder %s has no Inbox", folder.name);
	if (found < 0 || rules_forget_folder(store, folder.user_id, folder_id, e) < 0 ||
		note_moves(store, &folder, &inbox, e) < 0)
		return -1;
	struct query move = db_query(
		store, SQL("UPDATE entries SET folder_id = ? WHERE id IN"
			   " (SELECT id FROM entries WHERE folder_id = ? ORDER BY id LIMIT ?)"));
	db_bind_int(&move, inbox.id);
	db_bind_int(&move, folder_id);
	db_bind_int(&move, FOLDERS_STEP);
	if (db_run(&move, e) < 0)
		return -1;
	if (db_changes(store) == FOLDERS_STEP)
		return 1;
	struct query remove = db_query(store, SQL("DELETE FROM folders WHERE id = ?"));
	db_bind_int(&remove, folder_id);
	return db_run(&remove, e);
}
