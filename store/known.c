/* A row of `meta` each, "known ADDRESS" and when. Few and small: no table of
 * their own. */
#include "store/known.h"
#include "store/db.h"

#define KEPT_SECONDS (PEERS_KNOWN_MS / 1000)
#define ROWS         " name > 'known ' AND name < 'known!' " /* '!' follows the blank */

/* What a clock that was ahead wrote has happened by now, at the latest. */
static int forget_old(struct store *store, int64_t now, struct err *e)
{
	if (db_run_with(store, SQL("DELETE FROM meta WHERE" ROWS "AND value < ?"),
		    now - KEPT_SECONDS, e) < 0 ||
		db_run_with(store, SQL("UPDATE meta SET value = ?1 WHERE" ROWS "AND value > ?1"),
			now, e) < 0)
		return -1;
	struct query q =
		db_query(store, SQL("DELETE FROM meta WHERE name IN (SELECT name FROM meta"
				    " WHERE" ROWS "ORDER BY value DESC LIMIT -1 OFFSET ?)"));
	db_bind_int(&q, PEERS_KNOWN_MAX);
	return db_run(&q, e);
}

int known_note(struct store *store, const struct peer *source, struct err *e)
{
	char text[PEER_TEXT_MAX];
	int64_t now = store_now(store);
	peer_text(source, text);
	struct query q =
		db_query(store, SQL("INSERT INTO meta (name, value) VALUES ('known ' || ?, ?)"
				    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"));
	db_bind_text(&q, slice_of(text));
	db_bind_int(&q, now);
	return db_run(&q, e) < 0 ? -1 : forget_old(store, now, e);
}

int known_each(struct store *store,
	void (*each)(const struct peer *source, int64_t seconds, void *arg), void *arg,
	struct err *e)
{
	int64_t now = store_now(store);
	struct query q = db_query(
		store, SQL("SELECT substr(name, 7), value FROM meta WHERE" ROWS "AND value >= ?"));
	db_bind_int(&q, now - KEPT_SECONDS);
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
