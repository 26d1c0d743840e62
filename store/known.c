/* A row of `meta` each, "known ADDRESS" and when. Few and small: no table of
 * their own.
 *
 * A clock that is wrong for a while must not forget an office's own addresses: none
 * goes by its age alone, only by there being too many. */
#include "store/known.h"
#include "store/db.h"
#include "store/mail.h"

#define KEPT_SECONDS (PEERS_KNOWN_MS / 1000)
#define AHEAD        (24 * 3600) /* seconds; a row further ahead was written by a wrong clock */
#define ROWS         " name > 'known ' AND name < 'known!' " /* '!' follows the blank */

/* Never earlier than the purge has seen it (purge.c). */
static int find_now(struct store *store, int64_t *now, struct err *e)
{
	int64_t latest;
	if (mail_latest_time(store, &latest, e) < 0)
		return -1;
	*now = store_now(store);
	if (*now < latest)
		*now = latest;
	return 0;
}

int known_note(struct store *store, const struct peer *source, struct err *e)
{
	char text[PEER_TEXT_MAX];
	int64_t now;
	if (find_now(store, &now, e) < 0)
		return -1;
	peer_text(source, text);
	struct query q =
		db_query(store, SQL("INSERT INTO meta (name, value) VALUES ('known ' || ?, ?)"
				    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"));
	db_bind_text(&q, slice_of(text));
	db_bind_int(&q, now);
	if (db_run(&q, e) < 0)
		return -1;
	return db_run_with(store,
		SQL("DELETE FROM meta WHERE name IN (SELECT name FROM meta"
		    " WHERE" ROWS "ORDER BY value DESC LIMIT -1 OFFSET ?)"),
		PEERS_KNOWN_MAX, e);
}

int known_each(struct store *store,
	void (*each)(const struct peer *source, int64_t seconds, void *arg), void *arg,
	struct err *e)
{
	int64_t now;
	if (find_now(store, &now, e) < 0)
		return -1;
	struct query q = db_query(store, SQL("SELECT substr(name, 7), value FROM meta WHERE" ROWS
					     "AND value BETWEEN ? AND ?"));
	db_bind_int(&q, now - KEPT_SECONDS);
	db_bind_int(&q, now + AHEAD);
	int found;
	while ((found = db_next(&q, e)) == 1) {
		char text[PEER_TEXT_MAX];
		struct peer source;
		db_copy_text(&q, 0, text, sizeof(text));
		int64_t seconds = now - db_int(&q, 1);
		if (peer_parse(&source, text))
			each(&source, seconds > 0 ? seconds : 0, arg);
	}
	return found;
}
