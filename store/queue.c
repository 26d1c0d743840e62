/* The outbox as people see it. A message goes by its queue id, as in the log. */
#include "store/db.h"
#include "store/events.h"
#include "store/outbox.h"

int outbox_each(struct store *store, struct slice queue_id,
	int (*each)(const struct outbox_item *item, void *arg), void *arg, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT o.queue_id, o.sender, r.address, b.header_from,"
			   " coalesce((SELECT address FROM users WHERE id = o.user_id),"
			   " substr(o.who, 1 + instr(o.who, ' '))), o.size,"
			   " o.queued, r.attempts, CASE r.state WHEN 'waiting' THEN r.next_try END,"
			   " r.state = 'held', r.last_host, r.last_reply"
			   " FROM outgoing o JOIN recipients r ON r.outgoing_id = o.id"
			   " LEFT JOIN bodies b ON b.id = o.body_id"
			   " WHERE ?1 IN ('', o.queue_id) ORDER BY o.id, r.id /* scans o */"));
	int found;
	db_bind_text(&q, queue_id);
	while ((found = db_next(&q, e)) == 1) {
		const struct outbox_item item = {.queue_id = db_text(&q, 0),
			.sender = db_text(&q, 1),
			.recipient = db_text(&q, 2),
			.header_from = db_text(&q, 3),
			.who = db_text(&q, 4),
			.size = (uint64_t)db_int(&q, 5),
			.queued = db_int(&q, 6),
			.attempts = db_int(&q, 7),
			.next_try = db_int(&q, 8),
			.held = db_int(&q, 9) != 0,
			.last_host = db_text(&q, 10),
			.last_reply = db_text(&q, 11)};
		if (each(&item, arg))
			break;
	}
	db_end(&q);
	return found < 0 ? -1 : 0;
}

int64_t outbox_retry(struct store *store, struct slice queue_id, struct err *e)
{
	struct query q = db_query(
		store, SQL("UPDATE recipients SET state = 'waiting', next_try = ?1"
			   " WHERE state IN ('waiting', 'held') AND (?2 = '' OR outgoing_id IN"
			   " (SELECT id FROM outgoing WHERE queue_id = ?2 /* scans outgoing */))"));
	db_bind_int(&q, store_now(store));
	db_bind_text(&q, queue_id);
	return db_run(&q, e) < 0 ? -1 : db_changes(store);
}

int64_t outbox_hold(struct store *store, struct err *e)
{
	struct query q = db_query(store,
		SQL("UPDATE recipients SET state = 'held' WHERE state IN ('waiting', 'trying')"));
	return db_run(&q, e) < 0 ? -1 : db_changes(store);
}

static int note_removal(struct store *store, struct slice queue_id, struct err *e)
{
	struct query q = db_query(store,
		SQL("INSERT INTO events (at, kind, user_id, entry_id, detail)"
		    " SELECT ?, ?, o.user_id, 0, format('id=%s to=%s message=%s', o.queue_id,"
		    " replace(r.address, ' ', '\\x20'),"
		    " replace(coalesce(b.message_id, ''), ' ', '\\x20'))"
		    " FROM outgoing o JOIN recipients r ON r.outgoing_id = o.id"
		    " LEFT JOIN bodies b ON b.id = o.body_id"
		    " WHERE o.queue_id = ? ORDER BY r.id /* scans o */"));
	db_bind_int(&q, store_now(store));
	db_bind_text(&q, SLICE(EVENT_DROPPED));
	db_bind_text(&q, queue_id);
	return db_run(&q, e);
}

int64_t outbox_remove(struct store *store, struct slice queue_id, struct err *e)
{
	if (note_removal(store, queue_id, e) < 0)
		return -1;
	struct query q = db_query(
		store, SQL("DELETE FROM recipients WHERE outgoing_id IN"
			   " (SELECT id FROM outgoing WHERE queue_id = ? /* scans outgoing */)"));
	db_bind_text(&q, queue_id);
	return db_run(&q, e) < 0 ? -1 : db_changes(store);
}

int outbox_count(struct store *store, struct outbox_totals *totals, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT (SELECT count(*) FROM outgoing), (SELECT min(queued) FROM outgoing),"
		    " count(*), coalesce(sum(state = 'held'), 0) FROM recipients"
		    " /* scans everything: few rows */"));
	int found = db_next(&q, e);
	if (found == 1)
		*totals = (struct outbox_totals){.messages = db_int(&q, 0),
			.oldest = db_int(&q, 1),
			.recipients = db_int(&q, 2),
			.held = db_int(&q, 3)};
	db_end(&q);
	return found < 0 ? -1 : 0;
}
