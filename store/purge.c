/* What was deleted long enough ago goes for good: entries, then bodies that
 * nobody refers to, then users of whom nothing is left.
 *
 * The purge is the one thing here that a wrong clock could make destroy mail.
 * It keeps the latest time it has seen; a clock behind it, or more than a day
 * ahead, is believed only when it has run steadily for an hour. */
#include "store/db.h"
#include "store/events.h"
#include "store/mail.h"
#include "store/ranges.h"

#define HOUR         3600
#define DAY          (24 * HOUR)
#define KEEP_LEAST   HOUR
#define CLOCK_JITTER 60  /* seconds between two clocks that both run steadily */
#define ENTRIES_STEP 200 /* keeps a step's transaction short */

/* How long, in seconds, the two clocks have agreed. */
static int64_t steady_seconds(struct store *store, int64_t now)
{
	int64_t ms = db_monotonic_ms(store);
	int64_t drift = (now - store->steady_since) - (ms - store->steady_since_ms) / 1000;
	if (!store->steady_since || drift > CLOCK_JITTER || drift < -CLOCK_JITTER) {
		store->steady_since = now;
		store->steady_since_ms = ms;
	}
	return (ms - store->steady_since_ms) / 1000;
}

int mail_latest_time(struct store *store, int64_t *latest, struct err *e)
{
	*latest = 0;
	return db_number(
		store, SQL("SELECT value FROM meta WHERE name = 'latest_time'"), latest, e);
}

int mail_trust_clock(struct store *store, int64_t now, struct err *e)
{
	int64_t latest;
	if (mail_latest_time(store, &latest, e) < 0)
		return -1;
	bool odd = latest && (now < latest || now - latest > DAY);
	if (steady_seconds(store, now) < HOUR && odd)
		return 0;
	if (latest && now >= latest && now - latest < HOUR)
		return 1; /* kept to the hour: a purge that finds nothing writes nothing */
	struct query q =
		db_query(store, SQL("UPDATE meta SET value = ? WHERE name = 'latest_time'"));
	db_bind_int(&q, now);
	return db_run(&q, e) ? -1 : 1;
}

/* How many of the oldest deletions a step takes: about `octets` of them, so that
 * a full disk costs no more than it must. */
static int count_step(
	struct store *store, int64_t until, uint64_t octets, int64_t *count, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT size FROM entries WHERE deleted IS NOT NULL AND deleted <= ?"
			   " ORDER BY deleted LIMIT ?"));
	uint64_t sum = 0;
	int found = 0;
	db_bind_int(&q, until);
	db_bind_int(&q, ENTRIES_STEP);
	for (*count = 0; sum < octets && (found = db_next(&q, e)) == 1; ++*count)
		sum += (uint64_t)db_int(&q, 0);
	db_end(&q);
	return found < 0 ? -1 : 0;
}

static int note_purge(struct store *store, int64_t user_id, struct ranges *ids, struct err *e)
{
	struct buf detail = {0};
	events_add_word(&detail, "entries", buf_slice(&ids->text));
	int done = events_add(store, EVENT_PURGED, user_id, 0, buf_slice(&detail), e);
	ranges_clear(ids);
	buf_free(&detail);
	return done;
}

/* Of the oldest `count` deletions those that are younger than `until`: what goes before its
 * time is noted, an event a user. */
static int note_early(struct store *store, int64_t until, int64_t count, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT f.user_id, e.id FROM entries e JOIN folders f ON f.id = e.folder_id"
		    " WHERE e.id IN (SELECT id FROM entries WHERE deleted IS NOT NULL"
		    " ORDER BY deleted LIMIT ?) AND e.deleted > ? ORDER BY f.user_id, e.id"));
	struct ranges ids = {0};
	int64_t user_id = 0;
	int found;
	db_bind_int(&q, count);
	db_bind_int(&q, until);
	while ((found = db_next(&q, e)) == 1) {
		if (ids.text.len > 0 && db_int(&q, 0) != user_id &&
			note_purge(store, user_id, &ids, e) < 0) {
			found = -1;
			break;
		}
		user_id = db_int(&q, 0);
		ranges_add(&ids, db_int(&q, 1), ENTRIES_STEP * EVENTS_ID_MOST);
	}
	db_end(&q);
	if (found == 0 && ids.text.len > 0)
		found = note_purge(store, user_id, &ids, e);
	ranges_free(&ids);
	return found;
}

/* Entries deleted at `until` or earlier, or of a full disk all, the oldest first. 1: there
 * may be more. */
static int purge_entries(
	struct store *store, int64_t until, bool disk_full, uint64_t octets, struct err *e)
{
	int64_t count;
	int64_t due = until;
	if (disk_full)
		until = INT64_MAX;
	if (count_step(store, until, octets, &count, e) < 0)
		return -1;
	if (count == 0)
		return 0;
	if (disk_full && note_early(store, due, count, e) < 0)
		return -1;
	struct query q = db_query(store,
		SQL("DELETE FROM entries WHERE id IN (SELECT id FROM entries"
		    " WHERE deleted IS NOT NULL AND deleted <= ? ORDER BY deleted LIMIT ?)"));
	db_bind_int(&q, until);
	db_bind_int(&q, count);
	return db_run(&q, e) < 0 ? -1 : 1;
}

/* A user removed before `until`, once no message is left. 1: there was one. */
static int purge_user(struct store *store, int64_t until, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT id FROM users WHERE removed IS NOT NULL AND removed <= ?"
			   " AND NOT EXISTS (SELECT 1 FROM folders JOIN entries"
			   " ON folder_id = folders.id WHERE user_id = users.id) LIMIT 1"));
	db_bind_int(&q, until);
	int found = db_next(&q, e);
	int64_t id = found == 1 ? db_int(&q, 0) : 0;
	db_end(&q);
	if (found != 1)
		return found;
	if (db_run_with(store, SQL("DELETE FROM rules WHERE user_id = ?"), id, e) < 0 ||
		db_run_with(store, SQL("DELETE FROM folders WHERE user_id = ?"), id, e) < 0 ||
		db_run_with(store, SQL("DELETE FROM users WHERE id = ?"), id, e) < 0)
		return -1;
	return 1;
}

int mail_purge_step(
	struct store *store, int64_t keep_deleted, bool disk_full, uint64_t octets, struct err *e)
{
	int64_t now = store_now(store);
	/* Bodies first: what a refusal or a crash left is free at any time. */
	int more = body_free_step(store, octets, e);
	if (more)
		return more;
	int trusted = mail_trust_clock(store, now, e);
	if (trusted < 0)
		return -1;
	if (!trusted && !disk_full)
		return 0;
	int64_t until = now - (keep_deleted > KEEP_LEAST ? keep_deleted : KEEP_LEAST);
	more = purge_entries(store, until, disk_full, octets, e);
	if (more == 0 && trusted)
		more = purge_user(store, until, e);
	if (more == 0 && trusted)
		more = events_forget_step(store, keep_deleted, e);
	if (more < 0)
		return -1;
	/* What has just lost its last entry is the next step's work. */
	int loose = body_free_step(store, octets, e);
	return loose < 0 ? -1 : more || loose;
}
