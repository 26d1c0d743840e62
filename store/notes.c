/* What nobody waits for: events, last logins, better hashes. Both ends of the
 * frames, as in requests.c. */
#include "store/events.h"
#include "store/known.h"
#include "store/password.h"
#include "store/requests.h"
#include "store/stuck.h"
#include "store/users.h"
#include <string.h>

void request_event(struct channel *writer, const struct ticket *ticket, struct slice detail)
{
	struct buf body = {0};
	struct err e;
	pack_ticket(&body, ticket);
	pack_slice(&body, detail);
	/* A session whose writer has gone is told at its next request. */
	channel_send_buf(writer, REQUEST_EVENT, &body, &e);
	buf_free(&body);
}

void request_logged_in(
	struct channel *writer, int64_t user_id, int64_t device_id, bool views, const char *peer)
{
	struct buf body = {0};
	struct err e;
	pack_number(&body, (uint64_t)user_id);
	pack_number(&body, (uint64_t)device_id);
	pack_number(&body, views);
	pack_text(&body, peer);
	channel_send_buf(writer, REQUEST_LOGGED_IN, &body, &e);
	buf_free(&body);
}

void request_new_hash(
	struct channel *writer, int64_t user_id, const char *old_hash, const char *hash)
{
	struct buf body = {0};
	struct err e;
	pack_number(&body, (uint64_t)user_id);
	pack_text(&body, old_hash);
	pack_text(&body, hash);
	channel_send_buf(writer, REQUEST_NEW_HASH, &body, &e);
	buf_wipe(&body);
}

int request_event_read(const struct frame *frame, const unsigned char ticket_key[DIGEST_SIZE],
	int64_t now, struct ticket *ticket, struct slice *detail, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	unpack_ticket(&in, ticket);
	*detail = unpack_slice(&in);
	return unpack_end(&in, e) < 0 ? -1 : ticket_check(ticket, ticket_key, SERVICE_POP3, now, e);
}

static int note_event(struct store *store, const struct frame *frame,
	const unsigned char key[DIGEST_SIZE], struct err *e)
{
	struct ticket ticket;
	struct slice detail;
	if (request_event_read(frame, key, ticket_now(), &ticket, &detail, e) < 0)
		return -1;
	stuck_suspect(detail);
	return events_add(store, EVENT_SESSION, ticket.user_id, 0, detail, e);
}

static int note_login(struct store *store, const struct frame *frame, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	struct user user;
	struct peer source;
	char peer[PEER_TEXT_MAX];
	struct buf detail = {0};
	struct device device = {0};
	int64_t id = (int64_t)unpack_number(&in);
	int64_t device_id = (int64_t)unpack_number(&in);
	bool views = unpack_number(&in) != 0;
	unpack_text(&in, peer, sizeof(peer));
	if (unpack_end(&in, e) < 0)
		return -1;
	int found = users_find_id(store, id, &user, e);
	if (found <= 0 || (device_id && devices_find_id(store, device_id, &device, e) < 0))
		return found <= 0 ? found : -1;
	buf_printf(&detail, "from=%s%s%s", peer, *device.name ? " device=" : "", device.name);
	int done = events_add(store, EVENT_LOGIN, id, 0, buf_slice(&detail), e);
	buf_free(&detail);
	if (done == 0 && peer_parse(&source, peer))
		done = known_note(store, &source, e);
	return done < 0 ? -1 : devices_logged_in(store, &user, device_id, views, e);
}

static int note_hash(struct store *store, const struct frame *frame, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	struct user user;
	char old_hash[HASH_MAX], hash[HASH_MAX];
	int64_t id = (int64_t)unpack_number(&in);
	unpack_text(&in, old_hash, sizeof(old_hash));
	unpack_text(&in, hash, sizeof(hash));
	if (unpack_end(&in, e) < 0)
		return -1;
	int found = users_find_id(store, id, &user, e);
	/* A password changed meanwhile stays changed. */
	if (found <= 0 || strcmp(user.hash, old_hash) != 0)
		return found < 0 ? -1 : 0;
	/* Devices that have come meanwhile are of another setting: the next login makes
	 * a hash that is like theirs. */
	char like[HASH_MAX];
	if (user.devices > 0 && devices_setting(store, &user, like, e) < 0)
		return -1;
	if (user.devices > 0 && !password_is_alike(like, hash))
		return 0;
	return users_set_hash(store, id, hash, e);
}

int request_note(struct store *store, const struct frame *frame,
	const unsigned char ticket_key[DIGEST_SIZE], struct err *e)
{
	switch (frame->type) {
	case REQUEST_EVENT:
		return note_event(store, frame, ticket_key, e);
	case REQUEST_LOGGED_IN:
		return note_login(store, frame, e);
	default:
		return note_hash(store, frame, e);
	}
}
