/* A message counts as fetched when the client goes on behind it: what the kernel has taken
 * may still be on its way when the client has gone. A TOP that gave all of it is as good as
 * RETR: fetchmail fetches so. Marks cost nothing before the first message, and a session
 * that fetched and removed nothing tells the store nothing. */
#include "pop3d/deeds.h"
#include "base/log.h"
#include "pop3d/messages.h"
#include "store/ranges.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DETAIL_MOST 3500 /* octets of an event */

void deeds_begin_sending(struct session *session, size_t index, bool all)
{
	if (session->visitor->conn.output != CONN_OPEN)
		return; /* it was lost within an earlier one */
	if (all)
		session->deeds.under_way = index + 1;
	session->deeds.sent_before = session->visitor->conn.octets_out;
}

void deeds_end_retrieval(struct session *session, size_t index)
{
	if (session->visitor->conn.output != CONN_OPEN)
		return;
	session->deeds.under_way = index + 1;
	session->deeds.retrieved++;
	session->deeds.octets += session->login.maildrop.items[index].size;
}

void deeds_hear(struct session *session)
{
	size_t under_way = session->deeds.under_way;
	if (under_way == 0 || session->visitor->conn.output != CONN_OPEN)
		return;
	messages_mark(session, &session->deeds.fetched, under_way - 1);
	session->deeds.under_way = 0;
}

/* Octets of it that have gone to the client, as far as the kernel took them. */
static uint64_t count_sent(const struct session *session, const struct maildrop_item *item)
{
	uint64_t before = session->deeds.sent_before;
	uint64_t now = session->visitor->conn.octets_out;
	uint64_t sent = now > before ? now - before : 0;
	return sent < item->size ? sent : item->size;
}

/* ---- to the store ---- */

/* The event that is being written, and how many there may still be. */
struct telling {
	struct session *session;
	struct buf detail;
	unsigned left;
	time_t ended; /* the event is written later */
};

static void begin_detail(struct telling *telling)
{
	buf_clear(&telling->detail);
	buf_printf(&telling->detail, "from=%s ended=%lld", telling->session->visitor->peer,
		(long long)telling->ended);
	if (*telling->session->login.device)
		buf_printf(&telling->detail, " device=%s", telling->session->login.device);
}

static void send_detail(struct telling *telling)
{
	struct session *session = telling->session;
	if (telling->left == 0)
		return;
	telling->left--;
	request_event(
		&session->visitor->writer, &session->login.ticket, buf_slice(&telling->detail));
}

static void add_word(struct telling *telling, const char *key, struct ranges *numbers)
{
	buf_printf(&telling->detail, " %s=", key);
	buf_add_slice(&telling->detail, buf_slice(&numbers->text));
	ranges_clear(numbers);
}

/* The entries of the messages marked, in as many events as they need. */
static void add_marked(struct telling *telling, const char *key, const unsigned char *marks)
{
	const struct maildrop *maildrop = &telling->session->login.maildrop;
	size_t word = strlen(key) + strlen(" =");
	struct ranges numbers = {0};
	for (size_t i = 0; marks && i < maildrop->count; i++) {
		if (!messages_are_marked(marks, i))
			continue;
		int64_t id = maildrop->items[i].id;
		size_t taken = word + telling->detail.len;
		if (ranges_add(&numbers, id, taken < DETAIL_MOST ? DETAIL_MOST - taken : 0))
			continue;
		if (numbers.text.len > 0)
			add_word(telling, key, &numbers);
		send_detail(telling);
		begin_detail(telling);
		ranges_add(&numbers, id, DETAIL_MOST);
	}
	if (numbers.text.len > 0)
		add_word(telling, key, &numbers);
	ranges_free(&numbers);
}

static void tell_store(struct session *session, const struct maildrop_item *cut)
{
	struct telling telling = {.session = session, .left = EVENTS_MOST, .ended = time(NULL)};
	begin_detail(&telling);
	buf_printf(&telling.detail, " retrieved=%zu octets=%" PRIu64 " deleted=%zu",
		session->deeds.retrieved, session->deeds.octets, session->deeds.removed);
	if (!session->deeds.quit)
		buf_add_text(&telling.detail, " quit=no");
	if (cut)
		buf_printf(&telling.detail, " cut=%" PRId64 ":%" PRIu64, cut->id,
			count_sent(session, cut));
	add_marked(&telling, "fetched", session->deeds.fetched);
	if (session->deeds.removed > 0)
		add_marked(&telling, "removed", session->deleted);
	send_detail(&telling);
	buf_free(&telling.detail);
}

/* ---- at the end ---- */

void deeds_tell(struct session *session)
{
	const struct maildrop_item *cut = NULL;
	if (session->deeds.under_way > 0)
		cut = &session->login.maildrop.items[session->deeds.under_way - 1];
	/* A poll that found nothing new leaves nothing to be written. First the store: the
	 * server may end as soon as the line is seen, and the session with it. */
	if (session->deeds.retrieved > 0 || session->deeds.removed > 0 || cut)
		tell_store(session, cut);
	log_event(LOG_INFO, "session", log_text("service", session->visitor->service),
		log_text("user", session->login.user), log_text("from", session->visitor->peer),
		log_number("retrieved", (int64_t)session->deeds.retrieved),
		log_number("octets", (int64_t)session->deeds.octets),
		log_number("deleted", (int64_t)session->deeds.removed),
		log_if("device", session->login.device),
		log_if("quit", session->deeds.quit ? "" : "no"),
		log_number(cut ? "cut" : NULL, cut ? cut->id : 0));
}

void deeds_free(struct session *session)
{
	free(session->deeds.fetched);
}
