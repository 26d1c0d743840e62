/* What is filed is counted when its transaction is committed, and told of then. Where one
 * does not fit, the transaction ends in front of it. */
#include "tools/port_batch.h"
#include "base/digest.h"
#include "base/text.h"
#include "store/room.h"
#include "tools/terminal.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PENDING_MOST 128          /* messages gathered */
#define WAITING_MOST (512 * 1024) /* octets of them */
#define LONGEST_MS   20           /* of a transaction, before its commit */
#define TRIES        3

struct port_pending {
	struct import_message message; /* its uidl lies in texts */
	size_t uidl, place;            /* where */
	struct body_writer body;
	enum import_uidl what;
};

/* The writer of a running server gets its turn. */
static void give_way(void)
{
	static const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
	nanosleep(&pause, NULL);
}

/* ---- room ---- */

static int no_room(const struct user *user, uint64_t size, uint64_t room, struct err *e)
{
	char wants[TEXT_SIZE_MAX], left[TEXT_SIZE_MAX];
	return err_set(e, ERR_QUOTA,
		"the quota of %s leaves %s, and the next message takes %s: raise it with "
		"`officemail user quota`, then import again, and it goes on from there",
		user->address, text_of_size(left, room), text_of_size(wants, size));
}

/* In a transaction: how much mail may still come, by the quota; 0 on the disk: ERR_SPACE. */
static int find_room(struct port_batch *batch, uint64_t size, uint64_t *room, struct err *e)
{
	struct store *store = batch->office->store;
	const struct config *config = &batch->office->config;
	int found = users_find_id(store, batch->user->id, batch->user, e);
	if (found <= 0)
		return found < 0 ? -1
				 : err_set(e, ERR_MISSING,
					   "%s has been removed meanwhile: see `officemail user "
					   "list`",
					   batch->user->address);
	*room = users_room(batch->user, config);
	int space = room_for_mail(store, config, size, e);
	if (space < 0)
		return -1;
	return space ? 0
		     : err_set(e, ERR_SPACE,
			       "less than [store] reserve would be free on the disk of %s: make "
			       "room, then import again, and it goes on from there",
			       config->data);
}

/* ---- small ones ---- */

static const char *text_at(const struct port_batch *batch, size_t at)
{
	return batch->texts.at + at;
}

/* Files pending messages from *at on, as many as fit into the time of one transaction.
 * What does not fit into the quota ends it: *full, and *e says so. */
static int file_some(struct port_batch *batch, size_t *at, bool *full, struct err *e)
{
	int64_t end_ms = text_monotonic_ms() + LONGEST_MS;
	uint64_t room = 0;
	if (find_room(batch, batch->waiting, &room, e) < 0)
		return -1;
	while (*at < batch->count && text_monotonic_ms() < end_ms) {
		struct port_pending *next = &batch->pending[*at];
		uint64_t size = next->message.size;
		*full = size > room;
		if (*full) {
			no_room(batch->user, size, room, e);
			return 0;
		}
		next->message.uidl.at = text_at(batch, next->uidl);
		if (import_file(batch->known, batch->office->store, &next->message, &next->body,
			    &next->what, e) < 0)
			return -1;
		room -= size;
		++*at;
	}
	return 0;
}

static void count_filed(struct port_batch *batch, const struct import_message *message,
	const char *place, enum import_uidl what)
{
	batch->filed++;
	batch->size += message->size;
	batch->without_uidl += what == IMPORT_NONE;
	if (what == IMPORT_TAKEN || what == IMPORT_INVALID)
		batch->renamed(place, message->uidl, what, batch->arg);
}

int port_batch_flush(struct port_batch *batch, struct err *e)
{
	struct store *store = batch->office->store;
	size_t at = 0;
	bool full = false;
	int failed = 0;
	while (at < batch->count && !failed && !full) {
		size_t from = at;
		failed = store_begin(store, e);
		if (!failed)
			failed = file_some(batch, &at, &full, e);
		struct err ignored;
		if (!failed)
			failed = store_commit(store, full ? &ignored : e);
		if (failed)
			store_rollback(store);
		for (size_t i = from; i < at && !failed; i++)
			count_filed(batch, &batch->pending[i].message,
				text_at(batch, batch->pending[i].place), batch->pending[i].what);
		give_way();
	}
	for (size_t i = 0; i < batch->count; i++)
		body_writer_free(&batch->pending[i].body);
	batch->count = 0;
	batch->waiting = 0;
	buf_clear(&batch->texts);
	return failed || full ? -1 : 0;
}

static size_t add_text(struct buf *texts, struct slice text)
{
	size_t at = texts->len;
	buf_add_slice(texts, text);
	buf_add_char(texts, '\0');
	return at;
}

int port_batch_add(struct port_batch *batch, const struct import_message *message,
	const char *place, struct slice octets, struct err *e)
{
	if (!batch->pending)
		batch->pending = must_alloc(PENDING_MOST * sizeof(*batch->pending));
	struct port_pending *next = &batch->pending[batch->count];
	*next = (struct port_pending){.message = *message};
	next->uidl = add_text(&batch->texts, message->uidl);
	next->place = add_text(&batch->texts, slice_of(place));
	/* Less than a piece is kept in memory, and needs no transaction. */
	if (body_append(batch->office->store, &next->body, octets, e) < 0)
		return -1;
	batch->count++;
	batch->waiting += octets.len;
	if (batch->count < PENDING_MOST && batch->waiting < WAITING_MOST)
		return 0;
	return port_batch_flush(batch, e);
}

/* ---- big ones ---- */

struct big {
	struct port_batch *batch;
	const struct import_message *message;
	struct port_reader reader;
	struct digest_sum *sum;
	struct body_writer body;
	struct buf piece; /* octets read and not yet stored */
	bool ended;       /* that is all there are */
};

/* A whole piece, or the last. */
static int fill_piece(struct big *big, struct err *e)
{
	struct slice octets;
	while (!big->ended && big->piece.len < BODY_PIECE) {
		if (port_reader_next(&big->reader, &octets, e) < 0)
			return -1;
		digest_sum_add(big->sum, octets.at, octets.len);
		buf_add_slice(&big->piece, octets);
		big->ended = octets.len == 0;
	}
	return 0;
}

static int check_same(struct big *big, struct err *e)
{
	uint64_t sum = digest_sum_end(big->sum);
	big->sum = NULL;
	if (sum == big->message->sum && big->body.size == big->message->size)
		return 0;
	return err_set(e, ERR_INPUT, "has changed while it was read");
}

/* In a transaction: the next piece; with the last one the message is there. */
static int store_piece(struct big *big, enum import_uidl *what, struct err *e)
{
	struct store *store = big->batch->office->store;
	size_t len = big->piece.len < BODY_PIECE ? big->piece.len : BODY_PIECE;
	bool first = big->body.body_id == 0, last = big->ended && len == big->piece.len;
	uint64_t room = 0;
	if (find_room(big->batch, len, &room, e) < 0)
		return -1;
	if (big->message->size > room)
		return no_room(big->batch->user, big->message->size, room, e);
	if (body_append(store, &big->body, (struct slice){big->piece.at, len}, e) < 0 ||
		(first && import_mark(store, &big->body, e) < 0))
		return -1;
	buf_drop(&big->piece, len);
	if (!last)
		return 0;
	if (check_same(big, e) < 0)
		return -1;
	return import_file(big->batch->known, store, big->message, &big->body, what, e) < 0 ? -1
											    : 1;
}

/* 1: it is filed, 0: there are more pieces. */
static int take_step(struct big *big, enum import_uidl *what, struct err *e)
{
	struct store *store = big->batch->office->store;
	if (terminal_was_interrupted())
		return err_set(e, ERR_INTERRUPTED, "interrupted");
	if (fill_piece(big, e) < 0 || store_begin(store, e) < 0)
		return -1;
	int result = store_piece(big, what, e);
	if (result < 0)
		store_rollback(store);
	else if (store_commit(store, e) < 0)
		result = -1;
	give_way();
	return result;
}

/* What is left of it is loose: the purge frees it. */
static void abandon(struct big *big)
{
	struct store *store = big->batch->office->store;
	struct err ignored;
	if (big->body.body_id && store_begin(store, &ignored) == 0) {
		if (body_abandon(store, &big->body, &ignored) == 0)
			store_commit(store, &ignored);
		else
			store_rollback(store);
	}
	body_writer_free(&big->body);
}

static int try_big(struct port_batch *batch, const struct import_message *message,
	const struct port_range *range, enum import_uidl *what, struct err *e)
{
	struct big big = {.batch = batch, .message = message, .sum = digest_sum_begin()};
	int result;
	port_reader_start(&big.reader, range);
	while ((result = take_step(&big, what, e)) == 0)
		;
	if (result < 0)
		abandon(&big);
	digest_sum_end(big.sum);
	port_reader_free(&big.reader);
	buf_free(&big.piece);
	return result;
}

int port_batch_add_big(struct port_batch *batch, const struct import_message *message,
	const char *place, const struct port_range *range, struct err *e)
{
	enum import_uidl what = IMPORT_NONE;
	int result = port_batch_flush(batch, e);
	/* A server that starts frees what nobody has finished, this one among it. */
	for (int i = 0; result == 0 && i < TRIES; i++) {
		result = try_big(batch, message, range, &what, e);
		if (result < 0 && e->kind == ERR_GONE && i + 1 < TRIES)
			result = 0;
	}
	if (result < 0)
		return -1;
	count_filed(batch, message, place, what);
	return 0;
}

void port_batch_free(struct port_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		body_writer_free(&batch->pending[i].body);
	free(batch->pending);
	buf_free(&batch->texts);
}
