/* Messages as the tools see them: listed, found, moved, filed again.
 *
 * One that is filed again gets a new entry, and the entry of before says in the
 * place of its UIDL what it became: "as 4711". No UIDL holds a blank (RFC 1939,
 * 7), and nobody asks for it any more: sessions have it from their login. */
#include "store/mail.h"
#include "base/digest.h"
#include "store/db.h"
#include "store/devices.h"
#include "store/events.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAS_FILED_AGAIN "instr(e.uidl, ' ')"

/* The numbers first, so that no statement stays open while the caller writes
 * to a terminal; 8 octets a message. */
static int find_ids(struct store *store, int64_t user_id, int64_t folder_id, bool deleted,
	struct buf *ids, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT e.id FROM folders f JOIN entries e ON e.folder_id = f.id"
		    " WHERE f.user_id = ?1 AND ?2 IN (0, f.id) AND (e.deleted IS NOT NULL) = ?3"
		    " AND NOT " WAS_FILED_AGAIN " ORDER BY e.id"));
	db_bind_int(&q, user_id);
	db_bind_int(&q, folder_id);
	db_bind_int(&q, deleted);
	int found;
	while ((found = db_next(&q, e)) == 1) {
		int64_t id = db_int(&q, 0);
		buf_add(ids, &id, sizeof(id));
	}
	return found;
}

int mail_find(struct store *store, int64_t user_id, int64_t id, struct mail *mail, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT e.id, f.id, f.name, e.uidl, e.size, e.received, e.deleted,"
		    " CASE WHEN " WAS_FILED_AGAIN " THEN CAST(substr(e.uidl, 4) AS INTEGER) END,"
		    " CASE b.header_from WHEN '' THEN b.sender ELSE b.header_from END"
		    " FROM entries e JOIN folders f ON f.id = e.folder_id"
		    " LEFT JOIN bodies b ON b.id = e.body_id WHERE e.id = ? AND f.user_id = ?"));
	db_bind_int(&q, id);
	db_bind_int(&q, user_id);
	int found = db_next(&q, e);
	if (found != 1)
		return found;
	memset(mail, 0, sizeof(*mail));
	mail->id = db_int(&q, 0);
	mail->folder_id = db_int(&q, 1);
	db_copy_text(&q, 2, mail->folder, sizeof(mail->folder));
	db_copy_text(&q, 3, mail->uidl, sizeof(mail->uidl));
	mail->size = (uint64_t)db_int(&q, 4);
	mail->received = db_int(&q, 5);
	mail->deleted = db_int(&q, 6);
	mail->became = db_int(&q, 7);
	db_copy_text(&q, 8, mail->from, sizeof(mail->from));
	db_end(&q);
	return 1;
}

int mail_each(struct store *store, int64_t user_id, int64_t folder_id, bool deleted,
	int (*each)(const struct mail *mail, void *arg), void *arg, struct err *e)
{
	struct buf ids = {0};
	int result = find_ids(store, user_id, folder_id, deleted, &ids, e);
	for (size_t at = 0; result == 0 && at < ids.len; at += sizeof(int64_t)) {
		struct mail mail;
		int64_t id;
		memcpy(&id, ids.at + at, sizeof(id));
		int found = mail_find(store, user_id, id, &mail, e);
		if (found < 0)
			result = -1;
		/* Gone or changed sides meanwhile: not what was asked for. */
		if (found == 1 && (mail.deleted != 0) == deleted && each(&mail, arg))
			break;
	}
	buf_free(&ids);
	return result;
}

/* Where it is, and where it will be. Nothing to note: it is there already. */
static int note_move(
	struct store *store, int64_t user_id, int64_t id, int64_t folder_id, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT old.name, new.name FROM entries e"
		    " JOIN folders old ON old.id = e.folder_id JOIN folders new ON new.id = ?"
		    " WHERE e.id = ? AND old.id <> new.id"));
	struct buf detail = {0};
	db_bind_int(&q, folder_id);
	db_bind_int(&q, id);
	int found = db_next(&q, e);
	if (found == 1) {
		events_add_word(&detail, "from", db_text(&q, 0));
		events_add_word(&detail, "to", db_text(&q, 1));
	}
	db_end(&q);
	if (found == 1)
		found = events_add(store, EVENT_MOVED, user_id, id, buf_slice(&detail), e);
	buf_free(&detail);
	return found;
}

int mail_move(struct store *store, int64_t user_id, int64_t id, int64_t folder_id, struct err *e)
{
	if (note_move(store, user_id, id, folder_id, e) < 0)
		return -1;
	struct query q = db_query(
		store, SQL("UPDATE entries SET folder_id = ?1 WHERE id = ?2"
			   " AND folder_id IN (SELECT id FROM folders WHERE user_id = ?3)"
			   " AND EXISTS (SELECT 1 FROM folders WHERE id = ?1 AND user_id = ?3)"));
	db_bind_int(&q, folder_id);
	db_bind_int(&q, id);
	db_bind_int(&q, user_id);
	if (db_run(&q, e) < 0)
		return -1;
	if (db_changes(store) == 0)
		return err_set(e, ERR_MISSING,
			"there is no message %lld: `officemail mail list` shows their numbers",
			(long long)id);
	return 0;
}

/* ---- filed again ---- */

int mail_list_again(struct store *store, int64_t user_id, bool deleted, int64_t since,
	struct buf *ids, uint64_t *size, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT e.id, e.size FROM folders f JOIN entries e ON e.folder_id = f.id"
			   " WHERE f.user_id = ? AND (e.deleted IS NOT NULL) = ?"
			   " AND coalesce(e.deleted, e.received) >= ? AND NOT " WAS_FILED_AGAIN
			   " ORDER BY e.id"));
	db_bind_int(&q, user_id);
	db_bind_int(&q, deleted);
	db_bind_int(&q, since);
	int found;
	*size = 0;
	while ((found = db_next(&q, e)) == 1) {
		int64_t id = db_int(&q, 0);
		buf_add(ids, &id, sizeof(id));
		*size += (uint64_t)db_int(&q, 1);
	}
	return found;
}

static int copy_entry(struct store *store, int64_t user_id, int64_t id, bool deleted,
	const char *uidl, struct err *e)
{
	struct query q = db_query(store,
		SQL("INSERT INTO entries"
		    " (id, folder_id, body_id, size, uidl, received, checksum, prefix)"
		    " SELECT " NEXT_ENTRY_ID ", e.folder_id, e.body_id, e.size, ?, e.received,"
		    " e.checksum, e.prefix FROM entries e JOIN folders f ON f.id = e.folder_id"
		    " WHERE e.id = ? AND f.user_id = ? AND (e.deleted IS NOT NULL) = ?"
		    " AND NOT " WAS_FILED_AGAIN));
	db_bind_text(&q, slice_of(uidl));
	db_bind_int(&q, id);
	db_bind_int(&q, user_id);
	db_bind_int(&q, deleted);
	if (db_run(&q, e) < 0)
		return -1;
	return db_changes(store) == 1;
}

/* Deleted when it was: the hour for sessions that list it has begun then. */
static int retire_entry(struct store *store, int64_t id, int64_t became, struct err *e)
{
	struct query q = db_query(
		store, SQL("UPDATE entries SET uidl = format('as %d', ?),"
			   " deleted = coalesce(deleted, " DELETION_TIME("?") ") WHERE id = ?"));
	db_bind_int(&q, became);
	db_bind_int(&q, store_now(store));
	db_bind_int(&q, id);
	return db_run(&q, e);
}

/* Nobody hides it any more. */
static int forget_hidden(struct store *store, int64_t id, struct err *e)
{
	char ids[32];
	snprintf(ids, sizeof(ids), "[%lld]", (long long)id);
	return devices_forget(store, slice_of(ids), e);
}

static int note_again(struct store *store, int64_t user_id, int64_t id, int64_t became,
	bool deleted, const char *uidl, struct err *e)
{
	struct buf detail = {0};
	buf_printf(&detail, "was=%lld uidl=%s", (long long)id, uidl);
	int result = events_add(store, deleted ? EVENT_RESTORED : EVENT_AGAIN, user_id, became,
		buf_slice(&detail), e);
	buf_free(&detail);
	return result;
}

int mail_again(struct store *store, int64_t user_id, int64_t id, bool deleted, struct err *e)
{
	char uidl[UIDL_NEW_LENGTH + 1];
	digest_random_text(uidl, UIDL_NEW_LENGTH);
	int copied = copy_entry(store, user_id, id, deleted, uidl, e);
	int64_t became = db_last_id(store);
	if (copied != 1)
		return copied;
	if (retire_entry(store, id, became, e) < 0 || forget_hidden(store, id, e) < 0 ||
		note_again(store, user_id, id, became, deleted, uidl, e) < 0)
		return -1;
	return 1;
}
