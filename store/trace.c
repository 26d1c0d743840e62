/* The lives of messages: what bodies, entries and the outbox say of each, and one walk
 * through all events, from the first to the last.
 *
 * A session's event is written when the next commit comes, up to a second behind its
 * end: it says when that was, and what was deleted knows its own time. */
#include "base/header.h"
#include "base/text.h"
#include "store/db.h"
#include "store/events.h"
#include "store/ranges.h"
#include "store/trace_parts.h"
#include <stdlib.h>
#include <string.h>

#define DIGITS 18

char *trace_keep(struct slice text)
{
	char *kept = must_alloc(text.len + 1);
	if (text.len > 0)
		memcpy(kept, text.at, text.len);
	return kept;
}

static char *keep_word(struct slice detail, const char *key)
{
	struct slice word = events_word(detail, key);
	return word.len > 0 ? trace_keep(word) : NULL;
}

static struct trace_event *add_event(struct trace_life *life, enum trace_kind kind, int64_t at)
{
	if (life->count == life->cap) {
		life->cap = life->cap ? life->cap * 2 : 8;
		life->events = must_realloc(life->events, life->cap * sizeof(*life->events));
	}
	struct trace_event *event = &life->events[life->count++];
	*event = (struct trace_event){.kind = kind, .at = at, .until = at, .count = 1};
	return event;
}

struct trace_event *trace_add_event(
	struct reading *reading, const struct copy *copy, enum trace_kind kind, int64_t at)
{
	struct trace_event *event = add_event(&reading->lives[copy->life], kind, at);
	event->message = copy->id;
	event->user = trace_keep(slice_of(copy->user));
	event->size = copy->size;
	return event;
}

/* ---- how it came ---- */

/* "from CLIENT (PEER) by HOST (officemail) with PROTOCOL id ID for <RECIPIENT> tls SUITE;"
 * as smtpd writes it, in which "from", "for" and "tls" may be missing. */
static void read_received(struct trace_life *life, struct slice text)
{
	struct slice word = slice_cut(&text, ' ');
	if (slice_equal(word, SLICE("from"))) {
		life->client = trace_keep(slice_cut(&text, ' '));
		slice_cut(&text, ' ');
		word = slice_cut(&text, ' ');
	}
	for (int i = 0; i < 2; i++) /* HOST (officemail) */
		slice_cut(&text, ' ');
	if (!slice_equal(word, SLICE("by")) || !slice_equal(slice_cut(&text, ' '), SLICE("with")))
		return;
	life->protocol = trace_keep(slice_cut(&text, ' '));
	for (int i = 0; i < 2; i++) /* id ID */
		slice_cut(&text, ' ');
	if (slice_has_prefix(text, SLICE("for <"))) {
		text = slice_from(text, strlen("for <"));
		life->recipient = trace_keep(slice_cut(&text, '>'));
		text = slice_trim(text);
	}
	if (slice_has_prefix(text, SLICE("tls "))) {
		text = slice_from(text, strlen("tls "));
		life->suite = trace_keep(slice_cut(&text, ';'));
	}
}

static void take_received(struct trace_life *life, struct slice prefix)
{
	struct header_field field;
	struct buf text = {0};
	if (life->client || life->protocol || !header_find(prefix, "Received", &field))
		return;
	header_add_decoded(&text, field.body); /* unfolded */
	read_received(life, buf_slice(&text));
	buf_free(&text);
}

static struct trace_life *find_life(struct reading *reading, int64_t body_id)
{
	for (size_t i = 0; i < reading->count; i++)
		if (reading->lives[i].key.body_id == body_id)
			return &reading->lives[i];
	return NULL;
}

static int read_bodies(struct reading *reading, struct err *e)
{
	struct query q = db_query(reading->store,
		SQL("SELECT id, arrived, size, queue_id, sender, peer, header_from, message_id"
		    " FROM bodies WHERE id IN (SELECT value FROM json_each(?))"
		    " /* scans json_each */"));
	int found;
	db_bind_text(&q, buf_slice(&reading->body_ids));
	while ((found = db_next(&q, e)) == 1) {
		struct trace_life *life = find_life(reading, db_int(&q, 0));
		if (!life || life->known)
			continue;
		life->known = true;
		life->arrived = db_int(&q, 1);
		life->size = (uint64_t)db_int(&q, 2);
		db_copy_text(&q, 3, life->key.queue_id, sizeof(life->key.queue_id));
		life->sender = trace_keep(db_text(&q, 4));
		life->peer = trace_keep(db_text(&q, 5));
		life->header_from = trace_keep(db_text(&q, 6));
		life->message_id = trace_keep(db_text(&q, 7));
	}
	return found;
}

/* ---- copies in mailboxes ---- */

static void take_copy(struct reading *reading, struct query *q, struct trace_life *life)
{
	if (reading->copy_count == reading->copy_cap) {
		reading->copy_cap = reading->copy_cap ? reading->copy_cap * 2 : 16;
		reading->copies =
			must_realloc(reading->copies, reading->copy_cap * sizeof(*reading->copies));
	}
	struct copy *copy = &reading->copies[reading->copy_count++];
	*copy = (struct copy){.life = (size_t)(life - reading->lives),
		.id = db_int(q, 1),
		.user_id = db_int(q, 2),
		.folder_id = db_int(q, 3),
		.user = trace_keep(db_text(q, 4)),
		.folder = trace_keep(db_text(q, 5)),
		.removed_user = db_int(q, 6),
		.size = (uint64_t)db_int(q, 7),
		.received = db_int(q, 8),
		.deleted = db_int(q, 9),
		.became = db_int(q, 10)};
	buf_add_slice(&copy->prefix, db_blob(q, 11));
	copy->first_folder = trace_keep(slice_of(copy->folder));
	take_received(life, buf_slice(&copy->prefix));
}

static struct copy *find_copy(struct reading *reading, int64_t id)
{
	for (size_t i = 0; i < reading->copy_count; i++)
		if (reading->copies[i].id == id)
			return &reading->copies[i];
	return NULL;
}

static int read_entries(struct reading *reading, struct err *e)
{
	struct query q = db_query(reading->store,
		SQL("SELECT e.body_id, e.id, u.id, f.id, u.address, f.name, coalesce(u.removed, 0),"
		    " e.size, e.received, coalesce(e.deleted, 0),"
		    " CASE WHEN instr(e.uidl, ' ') THEN CAST(substr(e.uidl, 4) AS INTEGER) END,"
		    " e.prefix FROM entries e JOIN folders f ON f.id = e.folder_id"
		    " JOIN users u ON u.id = f.user_id"
		    " WHERE e.body_id IN (SELECT value FROM json_each(?)) ORDER BY e.id"
		    " /* scans e, json_each: no index is worth its page a delivery */"));
	int found;
	db_bind_text(&q, buf_slice(&reading->body_ids));
	while ((found = db_next(&q, e)) == 1) {
		struct trace_life *life = find_life(reading, db_int(&q, 0));
		int64_t only = life ? life->key.user_id : 0;
		if (life && (!only || only == db_int(&q, 2)))
			take_copy(reading, &q, life);
	}
	for (size_t i = 0; found == 0 && i < reading->copy_count; i++) {
		struct copy *became = find_copy(reading, reading->copies[i].became);
		if (became)
			became->is_again = true;
	}
	return found;
}

/* One that was purged before its time: its number is all there is. */
static int add_purged(struct reading *reading, struct err *e)
{
	for (size_t i = 0; i < reading->count; i++) {
		const struct trace_key *key = &reading->lives[i].key;
		if (key->body_id || *key->queue_id)
			continue;
		struct query q = db_query(reading->store,
			SQL("SELECT ?1, ?2, id, 0, address, '', coalesce(removed, 0), 0, 0, 0, 0,"
			    " x'' FROM users WHERE id = ?3"));
		db_bind_int(&q, 0);
		db_bind_int(&q, key->entry_id);
		db_bind_int(&q, key->user_id);
		int found = db_next(&q, e);
		if (found == 1) {
			take_copy(reading, &q, &reading->lives[i]);
			reading->copies[reading->copy_count - 1].is_again = true;
			reading->copies[reading->copy_count - 1].purged = true;
		}
		db_end(&q);
		if (found < 0)
			return -1;
	}
	return 0;
}

/* ---- events ---- */

static bool is_alike(const struct trace_event *event, const struct copy *copy, enum trace_kind kind,
	struct slice device, struct slice from)
{
	return event->kind == kind && event->message == copy->id &&
	       slice_equal(slice_of(event->device), device) &&
	       slice_equal(slice_of(event->from), from);
}

/* The same again and again is one event, that counts. */
static void note_fetch(struct reading *reading, const struct copy *copy, enum trace_kind kind,
	int64_t at, uint64_t octets, struct slice detail)
{
	struct trace_life *life = &reading->lives[copy->life];
	struct slice device = events_word(detail, "device"), from = events_word(detail, "from");
	struct trace_event *event;
	if (life->count > 0 && is_alike(&life->events[life->count - 1], copy, kind, device, from)) {
		event = &life->events[life->count - 1];
		event->count++;
		event->until = at;
	} else {
		event = trace_add_event(reading, copy, kind, at);
		event->device = keep_word(detail, "device");
		event->from = keep_word(detail, "from");
	}
	event->octets = octets;
}

static void note_deletion(struct reading *reading, struct copy *copy, int64_t at, enum trace_by by,
	struct slice detail)
{
	int64_t keep_deleted = reading->config->keep_deleted;
	struct trace_event *event = trace_add_event(reading, copy, TRACE_DELETED, at);
	event->by = by;
	event->device = keep_word(detail, "device");
	event->from = keep_word(detail, "from");
	event->for_one = by == TRACE_BY_SESSION && !copy->deleted && !copy->purged;
	if (copy->deleted && !copy->became && !copy->purged)
		event->gone = copy->deleted + keep_deleted;
	copy->explained = true;
}

static void take_session(
	struct reading *reading, struct copy *copy, int64_t at, struct slice detail)
{
	struct slice cut = events_word(detail, "cut");
	struct slice id = slice_cut(&cut, ':');
	uint64_t octets, ended;
	bool removed = ranges_hold(events_word(detail, "removed"), copy->id);
	if (text_to_number(events_word(detail, "ended"), DIGITS, &ended) && (int64_t)ended < at)
		at = (int64_t)ended;
	if (removed && copy->deleted && copy->deleted < at)
		at = copy->deleted;
	if (ranges_hold(events_word(detail, "fetched"), copy->id))
		note_fetch(reading, copy, TRACE_FETCHED, at, copy->size, detail);
	if (ranges_hold(id, copy->id) && text_to_number(cut, DIGITS, &octets))
		note_fetch(reading, copy, TRACE_CUT, at, octets, detail);
	if (removed)
		note_deletion(reading, copy, at, TRACE_BY_SESSION, detail);
	copy->fetched |=
		ranges_hold(events_word(detail, "fetched"), copy->id) || ranges_hold(id, copy->id);
}

static void take_move(struct reading *reading, struct copy *copy, int64_t at, struct slice detail)
{
	struct trace_event *event = trace_add_event(reading, copy, TRACE_MOVED, at);
	bool first = true;
	const struct trace_life *life = &reading->lives[copy->life];
	for (size_t i = 0; i + 1 < life->count; i++)
		first &= life->events[i].kind != TRACE_MOVED || life->events[i].message != copy->id;
	event->folder = keep_word(detail, "from");
	event->to = keep_word(detail, "to");
	if (first && event->folder) {
		free(copy->first_folder);
		copy->first_folder = trace_keep(slice_of(event->folder));
	}
}

static void take_again(struct reading *reading, struct copy *copy, enum trace_kind kind, int64_t at,
	struct slice detail)
{
	struct trace_event *event = trace_add_event(reading, copy, kind, at);
	uint64_t was;
	copy->is_again = true;
	if (!text_to_number(events_word(detail, "was"), DIGITS, &was))
		return;
	event->was = (int64_t)was;
	struct copy *before = find_copy(reading, event->was);
	if (before && kind == TRACE_AGAIN)
		before->explained = true; /* what was offered again was not deleted by anybody */
}

static void take_event_of_copy(struct reading *reading, struct copy *copy, struct slice kind,
	int64_t at, struct slice detail)
{
	if (slice_equal(kind, SLICE(EVENT_SESSION))) {
		take_session(reading, copy, at, detail);
	} else if (slice_equal(kind, SLICE(EVENT_MOVED))) {
		take_move(reading, copy, at, detail);
	} else if (slice_equal(kind, SLICE(EVENT_REMOVED))) {
		note_deletion(reading, copy, at, TRACE_BY_TOOL, detail);
	} else if (slice_equal(kind, SLICE(EVENT_RESTORED))) {
		take_again(reading, copy, TRACE_RESTORED, at, detail);
	} else if (slice_equal(kind, SLICE(EVENT_AGAIN))) {
		take_again(reading, copy, TRACE_AGAIN, at, detail);
	} else if (slice_equal(kind, SLICE(EVENT_PURGED))) {
		copy->purged = true;
		trace_add_event(reading, copy, TRACE_PURGED, at);
	} else if (slice_equal(kind, SLICE(EVENT_STUCK))) {
		uint64_t sessions = 0;
		struct trace_event *event = trace_add_event(reading, copy, TRACE_STUCK, at);
		event->device = keep_word(detail, "device");
		if (text_to_number(events_word(detail, "sessions"), DIGITS, &sessions))
			event->count = (int64_t)sessions;
	}
}

/* What events tell of a message that is no more. */
static void take_arrival(struct trace_life *life, struct slice detail)
{
	uint64_t number;
	if (life->known)
		return;
	life->known = true;
	life->message_id = keep_word(detail, "message");
	life->sender = keep_word(detail, "sender");
	life->peer = keep_word(detail, "peer");
	if (text_to_number(events_word(detail, "queued"), DIGITS, &number))
		life->arrived = (int64_t)number;
	if (text_to_number(events_word(detail, "size"), DIGITS, &number))
		life->size = number;
}

static bool take_fate(struct reading *reading, struct slice kind, int64_t at, struct slice detail)
{
	static const struct {
		const char *word;
		enum trace_kind kind;
	} fates[] = {{EVENT_RELAYED, TRACE_RELAYED}, {EVENT_DEFERRED, TRACE_DEFERRED},
		{EVENT_UNDELIVERABLE, TRACE_UNDELIVERABLE}, {EVENT_DROPPED, TRACE_DROPPED}};
	size_t n = 0;
	while (n < sizeof(fates) / sizeof(fates[0]) && !slice_equal(kind, slice_of(fates[n].word)))
		n++;
	if (n == sizeof(fates) / sizeof(fates[0]))
		return false;
	struct slice id = events_word(detail, "id");
	for (size_t i = 0; i < reading->count; i++) {
		struct trace_life *life = &reading->lives[i];
		if (!slice_equal(slice_of(life->key.queue_id), id))
			continue;
		struct trace_event *event = add_event(life, fates[n].kind, at);
		event->to = keep_word(detail, "to");
		event->host = keep_word(detail, "host");
		event->reply = keep_word(detail, "reply");
		take_arrival(life, detail);
	}
	return true;
}

/* Is the event about it? */
static bool concerns(const struct copy *copy, struct slice kind, int64_t user_id, int64_t entry_id,
	struct slice detail)
{
	if (user_id != copy->user_id)
		return false;
	if (slice_equal(kind, SLICE(EVENT_SESSION)))
		return true;
	return entry_id ? entry_id == copy->id
			: ranges_hold(events_word(detail, "entries"), copy->id);
}

static int read_events(struct reading *reading, struct err *e)
{
	struct query q = db_query(reading->store,
		SQL("SELECT at, kind, user_id, entry_id, detail FROM events"
		    " WHERE kind <> '" EVENT_LOGIN "' ORDER BY id /* scans events */"));
	int found;
	while ((found = db_next(&q, e)) == 1) {
		struct slice kind = db_text(&q, 1), detail = db_text(&q, 4);
		if (take_fate(reading, kind, db_int(&q, 0), detail))
			continue;
		for (size_t i = 0; i < reading->copy_count; i++)
			if (concerns(&reading->copies[i], kind, db_int(&q, 2), db_int(&q, 3),
				    detail))
				take_event_of_copy(
					reading, &reading->copies[i], kind, db_int(&q, 0), detail);
	}
	return found;
}

/* ---- what nothing tells ---- */

/* What no event tells: a client's deletion that was not noted, or the user's removal. */
static void explain_deletion(struct reading *reading, struct copy *copy)
{
	if (!copy->deleted || copy->explained)
		return;
	note_deletion(reading, copy, copy->deleted,
		copy->removed_user ? TRACE_BY_REMOVAL : TRACE_BY_NOBODY, SLICE(""));
}

/* What lies there untouched. Of an older one nobody knows: who fetched it is forgotten. */
static void add_unfetched(struct reading *reading, const struct copy *copy)
{
	int64_t known_since = store_now(reading->store) - reading->config->keep_deleted;
	if (copy->fetched || copy->deleted || copy->removed_user || copy->received < known_since)
		return;
	trace_add_event(reading, copy, TRACE_UNFETCHED, INT64_MAX)->folder =
		trace_keep(slice_of(copy->folder));
}

/* ---- what waits to leave ---- */

static int read_outgoing(struct reading *reading, struct err *e)
{
	struct query q = db_query(reading->store,
		SQL("SELECT o.body_id, r.state, r.address, r.attempts, r.next_try, r.last_host,"
		    " r.last_reply, o.prefix FROM outgoing o"
		    " JOIN recipients r ON r.outgoing_id = o.id"
		    " WHERE o.body_id IN (SELECT value FROM json_each(?)) ORDER BY r.id"
		    " /* scans o, json_each */"));
	int found;
	db_bind_text(&q, buf_slice(&reading->body_ids));
	while ((found = db_next(&q, e)) == 1) {
		struct trace_life *life = find_life(reading, db_int(&q, 0));
		struct slice state = db_text(&q, 1);
		if (!life)
			continue;
		enum trace_kind kind = slice_equal(state, SLICE("held"))     ? TRACE_HELD
				       : slice_equal(state, SLICE("trying")) ? TRACE_TRYING
									     : TRACE_WAITING;
		struct trace_event *event = add_event(life, kind, INT64_MAX);
		event->to = trace_keep(db_text(&q, 2));
		event->count = db_int(&q, 3);
		event->next_try = kind == TRACE_WAITING ? db_int(&q, 4) : 0;
		event->host = db_text(&q, 5).len > 0 ? trace_keep(db_text(&q, 5)) : NULL;
		event->reply = db_text(&q, 6).len > 0 ? trace_keep(db_text(&q, 6)) : NULL;
		take_received(life, db_blob(&q, 7));
	}
	return found;
}

/* ---- all together ---- */

/* Within a second: the message before its copies, the older copy before the one that it
 * became, its beginning before what was done to it, its end last. */
static int rank_of(enum trace_kind kind)
{
	switch (kind) {
	case TRACE_ARRIVED:
		return 0;
	case TRACE_FILED:
	case TRACE_RESTORED:
	case TRACE_AGAIN:
		return 1;
	case TRACE_DELETED:
		return 3;
	case TRACE_PURGED:
		return 4;
	default:
		return 2;
	}
}

/* What left the office is nobody's copy. */
static int64_t copy_of(const struct trace_event *event)
{
	return event->message || event->kind == TRACE_ARRIVED ? event->message : INT64_MAX;
}

static bool is_later(const struct trace_event *a, const struct trace_event *b)
{
	if (a->at != b->at)
		return a->at > b->at;
	if (copy_of(a) != copy_of(b))
		return copy_of(a) > copy_of(b);
	return rank_of(a->kind) > rank_of(b->kind);
}

/* What is alike stays as it was noted. */
static void sort_events(struct trace_life *life)
{
	for (size_t i = 1; i < life->count; i++) {
		struct trace_event event = life->events[i];
		size_t at = i;
		for (; at > 0 && is_later(&life->events[at - 1], &event); at--)
			life->events[at] = life->events[at - 1];
		life->events[at] = event;
	}
}

static int read_beginnings(struct reading *reading, struct err *e)
{
	for (size_t i = 0; i < reading->count; i++) {
		struct trace_life *life = &reading->lives[i];
		if (life->known && life->arrived)
			add_event(life, TRACE_ARRIVED, life->arrived)->size = life->size;
		for (size_t n = 0; n < reading->copy_count; n++)
			if (reading->copies[n].life == i && !reading->copies[n].is_again &&
				trace_add_filing(reading, &reading->copies[n], e) < 0)
				return -1;
	}
	return 0;
}

static int read_all(struct reading *reading, struct err *e)
{
	if (read_bodies(reading, e) < 0 || read_entries(reading, e) < 0 ||
		add_purged(reading, e) < 0 || read_events(reading, e) < 0 ||
		read_beginnings(reading, e) < 0 || read_outgoing(reading, e) < 0)
		return -1;
	for (size_t i = 0; i < reading->copy_count; i++) {
		explain_deletion(reading, &reading->copies[i]);
		add_unfetched(reading, &reading->copies[i]);
	}
	for (size_t i = 0; i < reading->count; i++)
		sort_events(&reading->lives[i]);
	return 0;
}

int trace_read(struct store *store, const struct config *config, const struct trace_key *keys,
	size_t count, struct trace_life *lives, struct err *e)
{
	struct reading reading = {.store = store, .config = config, .lives = lives, .count = count};
	buf_add_char(&reading.body_ids, '[');
	for (size_t i = 0; i < count; i++) {
		lives[i] = (struct trace_life){.key = keys[i]};
		if (keys[i].body_id)
			buf_printf(&reading.body_ids, "%s%lld", reading.body_ids.len > 1 ? "," : "",
				(long long)keys[i].body_id);
	}
	buf_add_char(&reading.body_ids, ']');
	int done = read_all(&reading, e);
	for (size_t i = 0; i < reading.copy_count; i++) {
		free(reading.copies[i].user);
		free(reading.copies[i].folder);
		free(reading.copies[i].first_folder);
		buf_free(&reading.copies[i].prefix);
	}
	free(reading.copies);
	buf_free(&reading.body_ids);
	return done;
}

void trace_free(struct trace_life *lives, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct trace_life *life = &lives[i];
		char *const texts[] = {life->message_id, life->sender, life->header_from,
			life->peer, life->client, life->protocol, life->suite, life->recipient};
		for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++)
			free(texts[n]);
		for (size_t n = 0; n < life->count; n++) {
			struct trace_event *event = &life->events[n];
			char *const words[] = {event->user, event->folder, event->to, event->rule,
				event->device, event->from, event->host, event->reply};
			for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
				free(words[k]);
		}
		free(life->events);
		*life = (struct trace_life){0};
	}
}
