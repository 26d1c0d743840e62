/* Events: a row each, newest last, so that both ends are found without an
 * index. */
#include "store/events.h"
#include "base/text.h"
#include "store/db.h"
#include "store/import.h"
#include <string.h>

#define HOUR 3600
#define DAY  (24 * HOUR)
#define STEP 1000

int events_add(struct store *store, const char *kind, int64_t user_id, int64_t entry_id,
	struct slice detail, struct err *e)
{
	struct query q = db_query(store, SQL("INSERT INTO events (at, kind, user_id, entry_id, "
					     "detail) VALUES (?, ?, ?, ?, ?)"));
	db_bind_int(&q, store_now(store));
	db_bind_text(&q, slice_of(kind));
	db_bind_int(&q, user_id);
	db_bind_int(&q, entry_id);
	db_bind_text(&q, detail);
	return db_run(&q, e);
}

void events_add_word(struct buf *detail, const char *key, struct slice value)
{
	buf_printf(detail, "%s%s=", detail->len > 0 ? " " : "", key);
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] == ' ')
			buf_add_text(detail, "\\x20");
		else
			text_add_escaped(detail, (struct slice){value.at + i, 1});
	}
}

struct slice events_word(struct slice detail, const char *key)
{
	while (detail.len > 0) {
		struct slice rest = detail, word = slice_cut(&detail, ' ');
		struct slice name = slice_cut(&word, '=');
		bool last = slice_equal(name, SLICE("reply"));
		if (slice_equal(name, slice_of(key)))
			return last ? slice_from(rest, name.len + 1) : word;
		if (last)
			break;
	}
	return SLICE("");
}

static int count_deliveries(
	struct store *store, int64_t now, struct event_totals *totals, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT arrived, size, peer = '" IMPORT_PEER "' FROM bodies"
			   " WHERE arriving = 0 ORDER BY id DESC"
			   " /* scans bodies: from the newest, until one is older than a day */"));
	int found;
	while ((found = db_next(&q, e)) == 1) {
		int64_t hours = now / HOUR - db_int(&q, 0) / HOUR;
		if (hours >= 24)
			break;
		if (db_int(&q, 2))
			continue; /* no delivery of this day */
		if (hours < 0)
			hours = 0; /* the clock was ahead */
		totals->delivered[23 - hours]++;
		totals->delivered_size[23 - hours] += db_int(&q, 1);
	}
	db_end(&q);
	return found < 0 ? -1 : 0;
}

static int count_logins(
	struct store *store, int64_t now, struct event_totals *totals, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT at, kind = 'login' FROM events ORDER BY id DESC"
			   " /* scans events: from the newest, until one is older than a day */"));
	int found;
	while ((found = db_next(&q, e)) == 1 && now - db_int(&q, 0) < DAY)
		totals->logins_day += db_int(&q, 1);
	db_end(&q);
	return found < 0 ? -1 : 0;
}

int events_totals(struct store *store, struct event_totals *totals, struct err *e)
{
	int64_t now = store_now(store);
	memset(totals, 0, sizeof(*totals));
	if (count_deliveries(store, now, totals, e) < 0)
		return -1;
	return count_logins(store, now, totals, e);
}

int events_forget_step(struct store *store, int64_t seconds, struct err *e)
{
	struct query q = db_query(store, SQL("DELETE FROM events WHERE at < ? AND id IN"
					     " (SELECT id FROM events ORDER BY id LIMIT ?)"
					     " /* scans events: the oldest, a step of them */"));
	db_bind_int(&q, store_now(store) - seconds);
	db_bind_int(&q, STEP);
	if (db_run(&q, e) < 0)
		return -1;
	return db_changes(store) == STEP;
}
