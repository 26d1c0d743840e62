/* Filing a message. The order in which rows are written saves pages: entries
 * first, then what leaves, then the body's row with the number of them. */
#include "store/deliver.h"
#include "base/digest.h"
#include "base/header.h"
#include "base/log.h"
#include "store/bounce.h"
#include "store/db.h"
#include "store/forwards.h"
#include "store/notices.h"
#include "store/outbox.h"
#include "store/rules.h"
#include <stdlib.h>
#include <string.h>

void deliver_make_queue_id(char queue_id[QUEUE_ID_LENGTH + 1])
{
	digest_random_text(queue_id, QUEUE_ID_LENGTH);
	for (size_t i = 0; i < QUEUE_ID_LENGTH; i++)
		if (queue_id[i] == '-' || queue_id[i] == '_')
			queue_id[i] = '0';
}

#define UIDLS_AT_ONCE 16

struct copy {
	int64_t user_id, folder_id;
};

/* One delivery under way. */
struct filing {
	struct store *store;
	const struct config *config;
	const struct delivery *delivery;
	struct body_writer *body;
	struct copy *copies; /* who has got it: each mailbox once */
	size_t count, cap;
	/* Who is outside: each address once; these are ours to free. */
	struct envelope_recipient *outside;
	size_t outside_count, outside_cap;
	char letters[UIDLS_AT_ONCE * UIDL_NEW_LENGTH + 1]; /* random ones, for UIDLs */
	size_t letters_left;
	int64_t last_entry; /* the highest there is, if this has just made it; else 0 */
	bool settled;       /* the body has its id */
	bool first_held;
	struct buf prefix;
};

/* Where he has got it; 0: he has not. */
static int64_t folder_of(const struct filing *filing, int64_t user_id)
{
	for (size_t i = 0; i < filing->count; i++)
		if (filing->copies[i].user_id == user_id)
			return filing->copies[i].folder_id;
	return 0;
}

/* Junk by our own milter's word; then user+NAME; then rules; then Inbox. */
static int find_folder(
	struct filing *filing, const struct destination *to, int64_t *folder_id, struct err *e)
{
	struct store *store = filing->store;
	bool junk = filing->delivery->junk;
	if (!junk && to->folder_id) {
		*folder_id = to->folder_id;
		return 0;
	}
	if (!junk) {
		int found = rules_match(
			store, to->user.id, buf_slice(&filing->body->header), folder_id, e);
		if (found)
			return found < 0 ? -1 : 0;
	}
	struct folder folder;
	const char *name = junk ? FOLDER_JUNK : FOLDER_INBOX;
	int found = folders_find(store, to->user.id, slice_of(name), &folder, e);
	if (found == 0)
		return err_set(e, ERR_DAMAGED, "user %s has no folder %s: `officemail check`",
			to->user.address, name);
	*folder_id = folder.id;
	return found < 0 ? -1 : 0;
}

/* As many as there are recipients in one call of the kernel. */
bool deliver_can_be_uidl(struct slice uidl)
{
	for (size_t i = 0; i < uidl.len; i++)
		if (uidl.at[i] < '!' || uidl.at[i] > '~')
			return false;
	return uidl.len > 0 && uidl.len < UIDL_MAX;
}

static struct slice next_uidl(struct filing *filing)
{
	if (filing->letters_left == 0) {
		size_t wanted = filing->delivery->recipient_count;
		wanted = wanted > filing->count ? wanted - filing->count : 1;
		wanted = wanted < UIDLS_AT_ONCE ? wanted : UIDLS_AT_ONCE;
		filing->letters_left = wanted * UIDL_NEW_LENGTH;
		digest_random_text(filing->letters, filing->letters_left);
	}
	filing->letters_left -= UIDL_NEW_LENGTH;
	return (struct slice){filing->letters + filing->letters_left, UIDL_NEW_LENGTH};
}

static int add_entry(
	struct filing *filing, const struct destination *to, int64_t folder_id, struct err *e)
{
	struct buf *prefix = &filing->prefix;
	buf_clear(prefix);
	buf_add_text(prefix, "Return-Path: <");
	buf_add_slice(prefix, filing->delivery->sender);
	buf_add_text(prefix, ">\r\nDelivered-To: ");
	buf_add_text(prefix, to->user.address);
	buf_add_text(prefix, "\r\n");
	buf_add_slice(prefix, filing->delivery->received);

	struct query q = db_query(filing->store,
		SQL("INSERT INTO entries"
		    " (id, folder_id, body_id, size, uidl, received, checksum, prefix)"
		    " VALUES (CASE ?1 WHEN 0 THEN " NEXT_ENTRY_ID " ELSE ?1 + 1 END,"
		    " ?, ?, ?, ?, ?, ?, ?)"));
	db_bind_int(&q, filing->last_entry);
	db_bind_int(&q, folder_id);
	db_bind_int(&q, filing->body->body_id);
	db_bind_int(&q, (int64_t)(prefix->len + filing->body->size));
	db_bind_text(&q, next_uidl(filing));
	db_bind_int(&q, store_now(filing->store));
	db_bind_int(&q, (int64_t)digest_checksum(prefix->at, prefix->len));
	db_bind_blob(&q, buf_slice(prefix));
	int failed = db_run(&q, e);
	filing->last_entry = failed ? 0 : db_last_id(filing->store);
	return failed;
}

/* Before the first that refers to the body. */
static int settle(struct filing *filing, struct err *e)
{
	if (filing->settled)
		return 0;
	filing->settled = true;
	return body_settle(filing->store, filing->body, e);
}

static int file_copy(struct filing *filing, const struct destination *to, struct err *e)
{
	int64_t folder_id = 0;
	if (folder_of(filing, to->user.id))
		return 0;
	if (settle(filing, e) < 0 || find_folder(filing, to, &folder_id, e) < 0 ||
		add_entry(filing, to, folder_id, e) < 0)
		return -1;
	if (filing->count == filing->cap) {
		filing->cap = filing->cap ? filing->cap * 2 : 8;
		filing->copies =
			must_realloc(filing->copies, filing->cap * sizeof(*filing->copies));
	}
	filing->copies[filing->count++] = (struct copy){to->user.id, folder_id};
	return 0;
}

/* Local parts outside may differ by case alone. */
static bool is_same_outside(struct slice a, struct slice b)
{
	size_t local = slice_find(a, '@');
	return slice_equal_nocase(a, b) && memcmp(a.at, b.at, local) == 0;
}

/* False: it is there already. */
static bool add_outside(
	struct filing *filing, struct slice address, const struct envelope_recipient *wishes)
{
	struct buf copy = {0};
	for (size_t i = 0; i < filing->outside_count; i++)
		if (is_same_outside(filing->outside[i].address, address))
			return false;
	if (filing->outside_count == filing->outside_cap) {
		filing->outside_cap = filing->outside_cap ? filing->outside_cap * 2 : 8;
		filing->outside = must_realloc(
			filing->outside, filing->outside_cap * sizeof(*filing->outside));
	}
	buf_add_slice(&copy, address);
	filing->outside[filing->outside_count++] = (struct envelope_recipient){
		.address = buf_slice(&copy), .notify = wishes->notify, .orcpt = wishes->orcpt};
	return true;
}

/* Nobody of ours: it goes out, if it can. */
static enum err_kind take_outside(
	struct filing *filing, const struct envelope_recipient *recipient, struct err *e)
{
	struct address address;
	if (filing->delivery->way_out == OUT_NONE)
		return ERR_DENIED;
	if (addresses_check_outside(&address, recipient->address, e) < 0)
		return e->kind;
	add_outside(filing, recipient->address, recipient);
	return ERR_NONE;
}

/* Is `alias` a user's own address, who lets it go outside too, and has a rule of his just
 * filed it in his Junk? */
static int is_junk_of_his(
	struct filing *filing, const struct destinations *to, const char *alias, struct err *e)
{
	struct folder junk;
	const struct user *user = NULL;
	for (size_t i = 0; i < to->count && !user; i++)
		if (strcmp(to->at[i].user.address, alias) == 0)
			user = &to->at[i].user;
	if (!user)
		return 0;
	int found = folders_find(filing->store, user->id, SLICE(FOLDER_JUNK), &junk, e);
	return found == 1 ? folder_of(filing, user->id) == junk.id : found;
}

/* To whom an alias leads outside. What staff sent goes there as the rest of it does. */
static int forward(struct filing *filing, const struct destinations *all, const struct forward *to,
	const struct envelope_recipient *recipient, struct err *e)
{
	const struct delivery *delivery = filing->delivery;
	int junk = is_junk_of_his(filing, all, to->alias, e);
	if (junk != 0)
		return junk < 0 ? -1 : 0;
	if (!add_outside(filing, slice_of(to->target), recipient) || delivery->way_out != OUT_NONE)
		return 0;
	if (settle(filing, e) < 0)
		return -1;
	log_event(LOG_INFO, "forwarded", log_text("id", delivery->queue_id),
		log_text("alias", to->alias), log_text("to", to->target));
	return outbox_forward(filing->store, delivery, filing->body, to, e);
}

/* What was forwarded has come back: that is for the postmaster, not for its sender, who
 * knows nothing of the target. */
static int take_returned(struct filing *filing, const char *target, struct err *e)
{
	const struct delivery *delivery = filing->delivery;
	const struct bounce_recipient recipient = {.address = slice_of(target)};
	const struct bounce bounce = {.now = store_now(filing->store),
		.sender = delivery->sender,
		.queue_id = delivery->queue_id,
		.arrived = store_now(filing->store),
		.recipients = &recipient,
		.count = 1,
		.original = buf_slice(&filing->body->header),
		.original_is_whole = filing->body->size == filing->body->header.len};
	struct buf notice = {0};
	int tell = delivery->junk ? 0 : forwards_tell(filing->store, slice_of(target), e);
	if (tell < 0)
		return -1;
	log_event(LOG_NOTICE, "forward-came-back", log_text("id", delivery->queue_id),
		log_text("to", target), log_slice("sender", delivery->sender),
		log_text("told", tell ? "yes" : "no"));
	if (!tell)
		return 0;
	bounce_forward_came_back(&notice, filing->config, &bounce);
	filing->last_entry = 0; /* the notice's is higher */
	int done = notices_file(
		filing->store, filing->config, NOTICES_POSTMASTER, buf_slice(&notice), e);
	buf_free(&notice);
	return done < 0 ? -1 : 0;
}

/* Junk stays here: in the postmaster's Junk, where an alias leads outside alone. */
static int find_destinations(
	struct filing *filing, struct slice address, struct destinations *to, struct err *e)
{
	if (addresses_resolve(filing->store, filing->config, address, to, e) < 0)
		return -1;
	if (!filing->delivery->junk || to->forward_count == 0)
		return 0;
	if (to->count == 0 &&
		addresses_resolve(filing->store, filing->config, NOTICES_POSTMASTER, to, e) < 0)
		return -1;
	to->forward_count = 0;
	return 0;
}

/* A list is refused only when every member is full; else the full ones get
 * their copy too. What is under way may overshoot: full is who was full. */
static int file_for(struct filing *filing, const struct envelope_recipient *recipient,
	enum err_kind *result, struct err *e)
{
	struct destinations to = {0};
	if (find_destinations(filing, recipient->address, &to, e) < 0) {
		destinations_free(&to);
		*result = e->kind == ERR_DENIED ? take_outside(filing, recipient, e) : e->kind;
		return *result == ERR_NONE || addresses_is_refusal(e->kind) ? 0 : -1;
	}
	bool room = to.count == 0;
	for (size_t i = 0; i < to.count && !room; i++)
		room = folder_of(filing, to.at[i].user.id) ||
		       users_room(&to.at[i].user, filing->config) > 0;
	*result = room ? ERR_NONE : ERR_QUOTA;
	int failed = 0;
	for (size_t i = 0; room && i < to.count && !failed; i++)
		failed = file_copy(filing, &to.at[i], e);
	for (size_t i = 0; room && i < to.forward_count && !failed; i++)
		failed = forward(filing, &to, &to.forwards[i], recipient, e);
	if (to.returned[0] && !failed)
		failed = take_returned(filing, to.returned, e);
	destinations_free(&to);
	return failed ? -1 : 0;
}

void deliver_add_field(struct buf *out, struct slice header, const char *name, size_t most)
{
	struct header_field field;
	if (!header_find(header, name, &field))
		return;
	header_add_decoded(out, field.body);
	if (out->len > most) {
		out->len = most; /* at a letter's end, where it is UTF-8 */
		while (out->len && ((unsigned char)out->at[out->len] & 0xC0) == 0x80)
			out->len--;
	}
}

/* What staff send is one message for all outside. */
static int file_outside(struct filing *filing, struct err *e)
{
	if (filing->outside_count == 0 || filing->delivery->way_out == OUT_NONE)
		return 0;
	if (settle(filing, e) < 0)
		return -1;
	int added = outbox_add(filing->store, filing->config, filing->delivery, filing->body,
		filing->outside, filing->outside_count, e);
	filing->first_held = added > 0;
	return added < 0 ? -1 : 0;
}

/* Messages on their way out: one for all, or one a target. */
static size_t count_outgoing(const struct filing *filing)
{
	if (filing->delivery->way_out == OUT_NONE)
		return filing->outside_count;
	return filing->outside_count > 0;
}

static int write_body(struct filing *filing, struct err *e)
{
	const struct delivery *delivery = filing->delivery;
	struct slice header = buf_slice(&filing->body->header);
	struct buf from = {0}, message_id = {0};
	deliver_add_field(&from, header, "From", 250);
	deliver_add_field(&message_id, header, "Message-ID", 250);
	/* The triggers counted refs already where the row is there. */
	struct query q = db_query(filing->store,
		SQL("INSERT INTO bodies"
		    " (id, size, refs, arrived, queue_id, sender, peer, header_from, message_id)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
		    " ON CONFLICT (id) DO UPDATE SET size = excluded.size, arriving = 0,"
		    " arrived = excluded.arrived, queue_id = excluded.queue_id,"
		    " sender = excluded.sender, peer = excluded.peer,"
		    " header_from = excluded.header_from, message_id = excluded.message_id"
		    " WHERE arriving = 1"));
	db_bind_int(&q, filing->body->body_id);
	db_bind_int(&q, (int64_t)filing->body->size);
	db_bind_int(&q, (int64_t)(filing->count + count_outgoing(filing)));
	db_bind_int(&q, store_now(filing->store));
	db_bind_text(&q, slice_of(delivery->queue_id));
	db_bind_text(&q, delivery->sender);
	db_bind_text(&q, slice_of(delivery->peer));
	db_bind_text(&q, buf_slice(&from));
	db_bind_text(&q, buf_slice(&message_id));
	int failed = db_run(&q, e);
	buf_free(&from);
	buf_free(&message_id);
	if (!failed && db_changes(filing->store) == 0)
		return err_set(e, ERR_GONE, "an earlier part of the message was not stored");
	return failed;
}

int deliver(struct store *store, const struct config *config, const struct delivery *delivery,
	struct body_writer *body, enum err_kind *results, struct err *e)
{
	struct filing filing = {
		.store = store, .config = config, .delivery = delivery, .body = body};
	int failed = 0;
	for (size_t i = 0; i < delivery->recipient_count && !failed; i++)
		failed = file_for(&filing, &delivery->recipients[i], &results[i], e);
	if (!failed)
		failed = file_outside(&filing, e);
	if (!failed)
		failed = filing.settled ? write_body(&filing, e) : body_abandon(store, body, e);
	if (!failed)
		body_writer_free(body);
	for (size_t i = 0; i < filing.outside_count; i++)
		free((char *)filing.outside[i].address.at);
	free(filing.outside);
	free(filing.copies);
	buf_free(&filing.prefix);
	return failed ? -1 : filing.first_held;
}
