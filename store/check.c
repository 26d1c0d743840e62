/* Looking at everything: what SQLite can check, and what only we know - the
 * octets, the counters, what belongs to what. Each look is one statement whose
 * rows are the sentences to tell. Nothing is changed. One read transaction sees
 * one moment; the telling comes after it, so that a slow terminal does not hold
 * the log. */
#include "store/db.h"
#include "store/mail.h"
#include <string.h>

#define WHOSE                                                                                      \
	" JOIN folders f ON f.id = e.folder_id JOIN users u ON u.id = f.user_id"                   \
	" /* scans everything */"
#define MESSAGE(fault)                                                                             \
	"format('%s, folder %s, message %d: " fault ": restore it from a backup, or remove it:"    \
	" officemail mail remove %s %d', u.address, f.name, e.id, u.address, e.id)"

/* The same of a message on its way out. */
#define OUTGOING(fault)                                                                            \
	"format('outgoing message %s of <%s>: " fault ": restore it from a backup, or remove it:"  \
	" officemail queue remove %s', o.queue_id, o.sender, o.queue_id)"
#define ALL " /* scans everything */"
/* Of a yescrypt hash: up to its last $. */
#define SETTING(hash) "rtrim(" hash ", replace(" hash ", '$', ''))"

struct looking {
	struct store *store;
	struct buf sentences; /* a NUL behind each */
	bool failed;          /* sticky: it could not look */
	struct err *e;
};

static void look(struct looking *looking, const struct statement *statement)
{
	struct query q = db_query(looking->store, statement);
	int got = looking->failed ? 0 : db_next(&q, looking->e);
	for (; got == 1; got = db_next(&q, looking->e)) {
		buf_add_slice(&looking->sentences, db_text(&q, 0));
		buf_add_char(&looking->sentences, '\0');
	}
	if (got < 0 && looking->e->kind == ERR_DAMAGED) /* that is what was looked for */
		buf_add(&looking->sentences, looking->e->text, strlen(looking->e->text) + 1);
	else
		looking->failed |= got < 0;
	db_end(&q);
}

/* clang-format off */
static void look_at_all(struct looking *looking)
{
	look(looking, SQL("SELECT format('store.db is damaged: %s: stop the server, and restore a backup',"
		" integrity_check) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"
		" /* scans everything */"));
	look(looking, SQL("SELECT format('row %d of %s belongs to nothing in %s: restore a backup',"
		" rowid, \"table\", parent) FROM pragma_foreign_key_check"
		" /* scans everything */"));

	/* octets */
	look(looking, SQL("WITH damaged AS (SELECT DISTINCT id >> 20 AS body_id FROM pieces"
		" WHERE checksum <> octets_checksum(octets))"
		" SELECT " MESSAGE("its octets are not what was written")
		" FROM damaged CROSS JOIN entries e ON e.body_id = damaged.body_id" WHOSE));
	look(looking, SQL("SELECT " OUTGOING("its octets are not what was written")
		" FROM outgoing o WHERE EXISTS (SELECT 1 FROM pieces WHERE id >= o.body_id << 20"
		" AND id < (o.body_id + 1) << 20 AND checksum <> octets_checksum(octets))" ALL));
	look(looking, SQL("WITH short AS (SELECT id AS body_id FROM bodies WHERE refs > 0 AND size <>"
		" (SELECT coalesce(sum(length(octets)), 0) FROM pieces"
		" WHERE id >= bodies.id << 20 AND id < (bodies.id + 1) << 20))"
		" SELECT " MESSAGE("octets of it are missing")
		" FROM short CROSS JOIN entries e ON e.body_id = short.body_id" WHOSE));
	look(looking, SQL("SELECT " OUTGOING("octets of it are missing")
		" FROM outgoing o JOIN bodies b ON b.id = o.body_id WHERE b.size <>"
		" (SELECT coalesce(sum(length(octets)), 0) FROM pieces"
		" WHERE id >= b.id << 20 AND id < (b.id + 1) << 20)" ALL));
	look(looking, SQL("SELECT " MESSAGE("the fields in front of it are not what was written")
		" FROM entries e" WHOSE " WHERE e.checksum <> octets_checksum(e.prefix)"));
	look(looking, SQL("SELECT " OUTGOING("the field in front of it is not what was written")
		" FROM outgoing o WHERE o.checksum <> octets_checksum(o.prefix)" ALL));
	look(looking, SQL("SELECT " MESSAGE("it has lost its octets")
		" FROM entries e" WHOSE
		" WHERE NOT EXISTS (SELECT 1 FROM bodies WHERE id = e.body_id)"));
	look(looking, SQL("SELECT " OUTGOING("it has lost its octets") " FROM outgoing o"
		" WHERE NOT EXISTS (SELECT 1 FROM bodies WHERE id = o.body_id)" ALL));
	look(looking, SQL("SELECT " MESSAGE("its size is wrong")
		" FROM entries e" WHOSE
		" JOIN bodies b ON b.id = e.body_id WHERE e.size <> b.size + length(prefix)"));
	look(looking, SQL("SELECT " MESSAGE("its UIDL is damaged")
		" FROM entries e" WHOSE " WHERE e.deleted IS NULL AND (e.uidl GLOB '*[^!-~]*'"
		" OR length(e.uidl) <> length(CAST(e.uidl AS BLOB)))"));
	look(looking, SQL("SELECT " OUTGOING("its size is wrong")
		" FROM outgoing o JOIN bodies b ON b.id = o.body_id"
		" WHERE o.size <> b.size + length(prefix)" ALL));
	look(looking, SQL("SELECT " OUTGOING("nobody waits for it") " FROM outgoing o"
		" WHERE NOT EXISTS (SELECT 1 FROM recipients WHERE outgoing_id = o.id)" ALL));
	look(looking, SQL("SELECT format('octets of no message (body %d): no mail is hit, they only take"
		" room', body_id) FROM (SELECT DISTINCT id >> 20 AS body_id FROM pieces)"
		" WHERE NOT EXISTS (SELECT 1 FROM bodies WHERE id = body_id)"
		" /* scans everything */"));

	/* counters */
	look(looking, SQL("SELECT format('%s, folder %s: counts %d messages and %d octets, holds %d and %d:"
		" the quota is judged by the wrong ones: restore a backup',"
		" u.address, f.name, f.messages, f.size, count(e.id), coalesce(sum(e.size), 0))"
		" FROM folders f JOIN users u ON u.id = f.user_id LEFT JOIN entries e"
		" ON e.folder_id = f.id AND e.deleted IS NULL GROUP BY f.id"
		" HAVING f.messages <> count(e.id) OR f.size <> coalesce(sum(e.size), 0)"
		" /* scans everything */"));
	look(looking, SQL("SELECT format('body %d: counts %d messages, belongs to %d: restore a backup',"
		" b.id, b.refs, coalesce(n, 0)) FROM bodies b LEFT JOIN (SELECT body_id,"
		" count(*) AS n FROM (SELECT body_id FROM entries UNION ALL SELECT body_id FROM outgoing)"
		" GROUP BY body_id) ON body_id = b.id"
		" WHERE b.refs <> coalesce(n, 0) /* scans everything */"));

	/* devices and views */
	look(looking, SQL("SELECT format('%s: counts %d devices, has %d: restore a backup', u.address,"
		" u.devices, count(d.id)) FROM users u LEFT JOIN devices d ON d.user_id = u.id"
		" GROUP BY u.id HAVING u.devices <> count(d.id) /* scans everything */"));
	look(looking, SQL("SELECT format('%s, device %s: is being removed: officemail device remove %s %s',"
		" u.address, d.name, u.address, d.name) FROM devices d JOIN users u ON u.id = d.user_id"
		" WHERE d.hash = '' /* scans everything */"));
	look(looking, SQL("SELECT format('%s, device %s: its hash is of another setting than that of %s:"
		" each login costs one more: remove it, and add it again', u.address, d.name, o.name)"
		" FROM devices d JOIN devices o ON o.id = (SELECT min(id) FROM devices"
		" WHERE user_id = d.user_id AND hash <> '') JOIN users u ON u.id = d.user_id"
		" WHERE d.hash <> '' AND " SETTING("d.hash") " <> " SETTING("o.hash") ALL));
	look(looking, SQL("SELECT format('%s: the password has a hash of another setting than those of the"
		" devices: each login costs one more: officemail user passwd %s', address, address)"
		" FROM users WHERE devices > 0 AND hash LIKE '$y$%' AND EXISTS (SELECT 1 FROM devices d"
		" WHERE user_id = users.id AND d.hash <> ''"
		" AND " SETTING("d.hash") " <> " SETTING("users.hash") ")" ALL));
	look(looking, SQL("SELECT format('what a login has hidden of message %d, which is not there (%d):"
		" no mail is hit, the server takes it away within an hour', entry_id, count(*))"
		" FROM hidden WHERE NOT EXISTS (SELECT 1 FROM entries WHERE id = entry_id"
		" AND deleted IS NULL) GROUP BY entry_id /* scans everything */"));
	look(looking, SQL("SELECT " MESSAGE("it is hidden from a device that is none of this user''s")
		" FROM hidden h JOIN entries e ON e.id = h.entry_id" WHOSE
		" WHERE h.device_id <> 0 AND NOT EXISTS"
		" (SELECT 1 FROM devices WHERE id = h.device_id AND user_id = u.id)"));

	/* what every user has */
	look(looking, SQL("SELECT format('%s has no folder %s: officemail folder add %s %s',"
		" u.address, column1, u.address, column1)"
		" FROM users u JOIN (VALUES ('Inbox'), ('Junk'))"
		" WHERE u.removed IS NULL AND NOT EXISTS (SELECT 1 FROM folders"
		" WHERE user_id = u.id AND name = column1) /* scans everything */"));
}
/* clang-format on */

int mail_check(struct store *store, mail_finding_fn finding, void *arg, struct err *e)
{
	struct looking looking = {.store = store, .e = e};
	const struct buf *sentences = &looking.sentences;
	int count = 0;
	struct query begin = db_query(store, SQL("BEGIN"));
	if (db_run(&begin, e) < 0)
		return -1;
	look_at_all(&looking);
	store_rollback(store);
	for (size_t at = 0; !looking.failed && at < sentences->len;
		at += strlen(sentences->at + at) + 1) {
		finding(sentences->at + at, arg);
		count++;
	}
	buf_free(&looking.sentences);
	return looking.failed ? -1 : count;
}
