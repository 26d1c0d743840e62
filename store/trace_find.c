/* Which messages an address or an id means. Each place where they can stand is read from
 * the newest on until it has given as many as are asked for; the newest of all stay. */
#include "base/text.h"
#include "store/db.h"
#include "store/events.h"
#include "store/ranges.h"
#include "store/trace.h"
#include <stdlib.h>
#include <string.h>

struct search {
	struct store *store;
	const struct config *config;
	size_t most;          /* and one more, to know that there are more */
	struct buf what;      /* folded */
	struct buf bracketed; /* as a Message-ID has it */
	bool is_address;
	struct trace_key *keys;
	size_t count, cap;
};

/* ---- what has been found ---- */

static bool is_same(const struct trace_key *a, const struct trace_key *b)
{
	if (*a->queue_id && *b->queue_id)
		return strcmp(a->queue_id, b->queue_id) == 0;
	if (a->body_id || b->body_id)
		return a->body_id == b->body_id;
	return !*a->queue_id && !*b->queue_id && a->entry_id == b->entry_id;
}

/* True: it was not there. */
static bool add(struct search *search, const struct trace_key *key)
{
	for (size_t i = 0; i < search->count; i++) {
		struct trace_key *there = &search->keys[i];
		if (!is_same(there, key))
			continue;
		if (!there->body_id) {
			there->body_id = key->body_id;
			there->at = key->at;
		}
		if (there->user_id != key->user_id)
			there->user_id = 0;
		return false;
	}
	if (search->count == search->cap) {
		search->cap = search->cap ? search->cap * 2 : 32;
		search->keys = must_realloc(search->keys, search->cap * sizeof(*search->keys));
	}
	search->keys[search->count++] = *key;
	return true;
}

/* Rows of a body's id, its arrival, its queue id, and perhaps more that `fits`. */
static int add_bodies(struct search *search, struct query *q, int64_t user_id,
	bool (*fits)(struct search *search, struct query *q), struct err *e)
{
	size_t fresh = 0;
	int found = 1;
	while (fresh <= search->most && (found = db_next(q, e)) == 1) {
		struct trace_key key = {
			.body_id = db_int(q, 0), .at = db_int(q, 1), .user_id = user_id};
		db_copy_text(q, 2, key.queue_id, sizeof(key.queue_id));
		if (!fits || fits(search, q))
			fresh += add(search, &key);
	}
	db_end(q);
	return found < 0 ? -1 : 0;
}

/* ---- by what stands in the message, and how it came ---- */

static bool is_of_address(char c)
{
	return c && (strchr("@.+-_=", c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'));
}

/* Does the address stand in the text, and not as the end or the beginning of another? */
static bool holds_address(struct slice text, struct slice address)
{
	for (size_t at = 0; at + address.len <= text.len; at++) {
		char before = at > 0 ? text.at[at - 1] : '\0';
		char behind = at + address.len < text.len ? text.at[at + address.len] : '\0';
		if (memcmp(text.at + at, address.at, address.len) == 0 && !is_of_address(before) &&
			!is_of_address(behind))
			return true;
	}
	return false;
}

/* The fourth column is the From field, where it is that alone which holds it. */
static bool fits_header(struct search *search, struct query *q)
{
	return db_is_null(q, 3) || holds_address(db_text(q, 3), buf_slice(&search->what));
}

static int find_bodies(struct search *search, struct slice what, struct err *e)
{
	struct query q = db_query(search->store,
		SQL("SELECT id, arrived, queue_id, CASE WHEN message_id = ?1 OR instr(message_id, "
		    "?2)"
		    " OR queue_id = ?1 OR lower(sender) = ?3 THEN NULL ELSE lower(header_from) END"
		    " FROM bodies WHERE arriving = 0 AND (message_id = ?1 OR instr(message_id, ?2) "
		    "OR queue_id = ?1"
		    " OR ?4 AND (lower(sender) = ?3 OR instr(lower(header_from), ?3)))"
		    " ORDER BY id DESC /* scans bodies: nothing else is so small */"));
	db_bind_text(&q, what);
	db_bind_text(&q, buf_slice(&search->bracketed));
	db_bind_text(&q, buf_slice(&search->what));
	db_bind_int(&q, search->is_address);
	return add_bodies(search, &q, 0, fits_header, e);
}

/* Mail on its way out, by to whom it goes. */
static int find_outgoing(struct search *search, struct err *e)
{
	struct query q = db_query(search->store,
		SQL("SELECT DISTINCT o.body_id, o.queued, o.queue_id FROM outgoing o"
		    " JOIN recipients r ON r.outgoing_id = o.id WHERE lower(r.address) = ?"
		    " ORDER BY o.id DESC /* scans o, r */"));
	db_bind_text(&q, buf_slice(&search->what));
	return add_bodies(search, &q, 0, NULL, e);
}

/* Mail that has left, or came to nothing: events tell of each recipient. */
static int find_events(struct search *search, struct slice what, struct err *e)
{
	struct query q = db_query(search->store,
		SQL("SELECT at, detail FROM events WHERE kind IN ('" EVENT_RELAYED
		    "', '" EVENT_DEFERRED "', '" EVENT_UNDELIVERABLE "', '" EVENT_DROPPED "')"
		    " ORDER BY id DESC /* scans events */"));
	size_t fresh = 0;
	int found = 1;
	while (fresh <= search->most && (found = db_next(&q, e)) == 1) {
		struct slice detail = db_text(&q, 1), id = events_word(detail, "id");
		struct slice message = events_word(detail, "message");
		struct slice to = events_word(detail, "to"), from = events_word(detail, "sender");
		struct slice address = buf_slice(&search->what);
		struct trace_key key = {.at = db_int(&q, 0)};
		uint64_t queued;
		bool fits = slice_equal(id, what) || slice_equal(message, what) ||
			    slice_equal(message, buf_slice(&search->bracketed)) ||
			    (search->is_address && (slice_equal_nocase(to, address) ||
							   slice_equal_nocase(from, address)));
		if (!fits || id.len != QUEUE_ID_LENGTH)
			continue;
		memcpy(key.queue_id, id.at, id.len);
		if (text_to_number(events_word(detail, "queued"), 18, &queued))
			key.at = (int64_t)queued;
		fresh += add(search, &key);
	}
	db_end(&q);
	return found < 0 ? -1 : 0;
}

/* ---- by mailbox ---- */

static int find_entries(struct search *search, int64_t user_id, struct err *e)
{
	struct query q = db_query(search->store,
		SQL("SELECT e.body_id, b.arrived, b.queue_id FROM folders f"
		    " JOIN entries e ON e.folder_id = f.id JOIN bodies b ON b.id = e.body_id"
		    " WHERE f.user_id = ? ORDER BY e.id DESC"));
	db_bind_int(&q, user_id);
	return add_bodies(search, &q, user_id, NULL, e);
}

/* What went before its time: nothing of it is left but its number. */
static int find_purged(struct search *search, int64_t user_id, struct err *e)
{
	struct query q = db_query(
		search->store, SQL("SELECT at, detail FROM events WHERE kind = '" EVENT_PURGED "'"
				   " AND user_id = ? ORDER BY id DESC /* scans events */"));
	size_t fresh = 0;
	int found = 1;
	db_bind_int(&q, user_id);
	while (fresh <= search->most && (found = db_next(&q, e)) == 1) {
		struct slice list = events_word(db_text(&q, 1), "entries");
		int64_t first, last;
		while (ranges_next(&list, &first, &last))
			for (int64_t id = last; id >= first && fresh <= search->most; id--)
				fresh += add(search, &(struct trace_key){.at = db_int(&q, 0),
							     .entry_id = id,
							     .user_id = user_id});
	}
	db_end(&q);
	return found < 0 ? -1 : 0;
}

/* By its number, as `mail list` and the log have it. */
static int find_number(struct search *search, int64_t number, struct err *e)
{
	struct query q = db_query(search->store,
		SQL("SELECT e.body_id, b.arrived, b.queue_id, f.user_id FROM entries e"
		    " JOIN folders f ON f.id = e.folder_id JOIN bodies b ON b.id = e.body_id"
		    " WHERE e.id = ?"));
	struct trace_key key = {0};
	db_bind_int(&q, number);
	int found = db_next(&q, e);
	if (found == 1) {
		key.body_id = db_int(&q, 0);
		key.at = db_int(&q, 1);
		db_copy_text(&q, 2, key.queue_id, sizeof(key.queue_id));
		key.user_id = db_int(&q, 3);
		add(search, &key);
	}
	db_end(&q);
	if (found != 0)
		return found;
	struct query purges =
		db_query(search->store, SQL("SELECT at, user_id, detail FROM events WHERE kind = "
					    "'" EVENT_PURGED "' /* scans events */"));
	while ((found = db_next(&purges, e)) == 1)
		if (ranges_hold(events_word(db_text(&purges, 2), "entries"), number))
			add(search, &(struct trace_key){.at = db_int(&purges, 0),
					    .entry_id = number,
					    .user_id = db_int(&purges, 1)});
	db_end(&purges);
	return found;
}

/* Whoever has that address, or had it: one who was removed, too. 1 there was one. */
static int find_mailboxes(struct search *search, struct err *e)
{
	struct query q = db_query(search->store,
		SQL("SELECT id FROM users WHERE address = ? ORDER BY id /* scans users */"));
	struct buf ids = {0};
	int found, done = 0;
	db_bind_text(&q, buf_slice(&search->what));
	while ((found = db_next(&q, e)) == 1) {
		int64_t id = db_int(&q, 0);
		buf_add(&ids, &id, sizeof(id));
	}
	for (size_t at = 0; found == 0 && done == 0 && at < ids.len; at += sizeof(int64_t)) {
		int64_t id;
		memcpy(&id, ids.at + at, sizeof(id));
		done = find_entries(search, id, e);
		if (done == 0)
			done = find_purged(search, id, e);
	}
	int result = done < 0 || found < 0 ? -1 : ids.len > 0;
	buf_free(&ids);
	return result;
}

/* An alias, a list, an address with a tag: delivery has noted it where it was the only
 * recipient. */
static int find_by_recipient(struct search *search, struct err *e)
{
	struct query q = db_query(search->store,
		SQL("SELECT e.body_id, b.arrived, b.queue_id FROM entries e"
		    " JOIN bodies b ON b.id = e.body_id"
		    " WHERE instr(lower(CAST(e.prefix AS TEXT)), ?) ORDER BY e.id DESC"
		    " /* scans e: no index is worth its page a delivery */"));
	struct buf pattern = {0};
	buf_printf(&pattern, "for <%.*s>", (int)search->what.len, search->what.at);
	db_bind_text(&q, buf_slice(&pattern));
	int done = add_bodies(search, &q, 0, NULL, e);
	buf_free(&pattern);
	return done;
}

/* ---- all together ---- */

/* An event may tell of a message that is still there, and was not found by it. */
static int find_its_body(struct search *search, struct trace_key *key, struct err *e)
{
	struct query q =
		db_query(search->store, SQL("SELECT id, arrived FROM bodies WHERE queue_id = ? AND"
					    " arriving = 0 LIMIT 1 /* scans bodies */"));
	db_bind_text(&q, slice_of(key->queue_id));
	int found = db_next(&q, e);
	if (found == 1) {
		key->body_id = db_int(&q, 0);
		key->at = db_int(&q, 1);
	}
	db_end(&q);
	return found < 0 ? -1 : 0;
}

static int find_all(struct search *search, struct slice what, struct err *e)
{
	struct address address;
	struct err no_address;
	uint64_t number;
	if (text_to_number(what, 18, &number) && find_number(search, (int64_t)number, e) < 0)
		return -1;
	if (find_bodies(search, what, e) < 0 || find_events(search, what, e) < 0)
		return -1;
	if (!search->is_address)
		return 0;
	if (find_outgoing(search, e) < 0)
		return -1;
	int found = find_mailboxes(search, e);
	if (found == 0 && addresses_read_ours(&address, search->config, buf_slice(&search->what),
				  &no_address) == 0)
		found = find_by_recipient(search, e);
	return found < 0 ? -1 : 0;
}

static int compare(const void *a, const void *b)
{
	const struct trace_key *one = a, *other = b;
	if (one->at != other->at)
		return one->at < other->at ? -1 : 1;
	if (one->body_id != other->body_id)
		return one->body_id < other->body_id ? -1 : 1;
	return one->entry_id < other->entry_id ? -1 : one->entry_id > other->entry_id;
}

int trace_find(struct store *store, const struct config *config, struct slice what, size_t most,
	struct buf *keys, struct err *e)
{
	struct search search = {.store = store, .config = config, .most = most};
	what = slice_trim(what);
	buf_add_slice(&search.what, what);
	text_fold(search.what.at, search.what.len);
	bool has_brackets = slice_has_prefix(what, SLICE("<"));
	buf_printf(&search.bracketed, has_brackets ? "%.*s" : "<%.*s>", (int)what.len, what.at);
	search.is_address = !has_brackets && slice_find(what, '@') < what.len;
	int done = what.len > 0 ? find_all(&search, what, e) : 0;
	size_t first = search.count > most ? search.count - most : 0;
	if (search.count > 0)
		qsort(search.keys, search.count, sizeof(*search.keys), compare);
	for (size_t i = first; done == 0 && i < search.count; i++) {
		struct trace_key *key = &search.keys[i];
		if (!key->body_id && *key->queue_id)
			done = find_its_body(&search, key, e);
		buf_add(keys, key, sizeof(*key));
	}
	free(search.keys);
	buf_free(&search.what);
	buf_free(&search.bracketed);
	return done < 0 ? -1 : first > 0;
}

int trace_last_early_purge(struct store *store, int64_t *at, struct err *e)
{
	*at = 0;
	return db_number(store,
		SQL("SELECT coalesce(max(at), 0) FROM events WHERE kind = '" EVENT_PURGED "'"
		    " /* scans events */"),
		at, e);
}
