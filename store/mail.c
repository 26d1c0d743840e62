/* Messages as the tools see them: listed, found, moved. */
#include "store/mail.h"
#include "store/db.h"
#include <stdlib.h>
#include <string.h>

/* The numbers first, so that no statement stays open while the caller writes
 * to a terminal; 8 octets a message. */
static int find_ids(struct store *store, int64_t user_id, int64_t folder_id, bool deleted,
	struct buf *ids, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT e.id FROM folders f JOIN entries e ON e.folder_id = f.id"
		    " WHERE f.user_id = ?1 AND ?2 IN (0, f.id) AND (e.deleted IS NOT NULL) = ?3"
		    " ORDER BY e.id"));
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
	db_copy_text(&q, 7, mail->from, sizeof(mail->from));
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

int mail_move(struct store *store, int64_t user_id, int64_t id, int64_t folder_id, struct err *e)
{
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
