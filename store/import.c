/* What there is already is kept in memory, about a hundred octets a message: found by its
 * UIDL, in a table, or by folder and size, in an order. What is filed joins the table, and
 * not the order: it stands for the message that it was made of. */
#include "store/import.h"
#include "base/digest.h"
#include "base/header.h"
#include "store/db.h"
#include "store/deliver.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct item {
	int64_t id; /* 0: filed by this import */
	int64_t folder_id;
	uint64_t size, sum;
	uint32_t uidl, next; /* where its text begins; the next of its slot, counted from 1 */
	uint8_t uidl_len;
	bool deleted, taken, expected, has_sum;
};

struct import_known {
	struct item *items;
	size_t count, cap, before; /* the first of them, `before`, were there */
	struct buf uidls;
	uint32_t *slots; /* by the UIDL; 0: empty */
	size_t slot_count;
	size_t *by_size; /* those of before, by folder, size and id */
};

/* ---- one at a time ---- */

int import_lock(int *fd, const char *data, struct err *e)
{
	/* The directory itself: the files in it are SQLite's to lock. */
	*fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return err_set_errno(e, "%s", data);
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	int failed = errno == EWOULDBLOCK
			     ? err_set(e, ERR_IN_USE,
				       "another import is under way: wait until it has ended")
			     : err_set_errno(e, "%s cannot be locked", data);
	close(*fd);
	*fd = -1;
	return failed;
}

int import_mark(struct store *store, const struct body_writer *body, struct err *e)
{
	return db_run_with(store,
		SQL("UPDATE bodies SET peer = '" IMPORT_PEER "' WHERE id = ? AND arriving = 1"),
		body->body_id, e);
}

int import_clear(struct store *store, struct err *e)
{
	struct query q = db_query(store, SQL("UPDATE bodies SET arriving = 0 WHERE refs = 0"
					     " AND arriving = 1 AND peer = '" IMPORT_PEER "'"));
	return db_run(&q, e);
}

/* ---- what is known ---- */

static struct slice uidl_of(const struct import_known *known, const struct item *item)
{
	return (struct slice){known->uidls.at + item->uidl, item->uidl_len};
}

static uint32_t *slot_of(const struct import_known *known, struct slice uidl)
{
	uint64_t hash = digest_checksum(uidl.at, uidl.len);
	return &known->slots[hash % known->slot_count];
}

static void link_item(struct import_known *known, size_t n)
{
	struct item *item = &known->items[n];
	uint32_t *slot = slot_of(known, uidl_of(known, item));
	item->next = *slot;
	*slot = (uint32_t)n + 1;
}

static void make_slots(struct import_known *known, size_t count)
{
	free(known->slots);
	known->slot_count = count;
	known->slots = must_alloc(count * sizeof(*known->slots));
	for (size_t i = 0; i < known->count; i++)
		link_item(known, i);
}

static void add_item(struct import_known *known, const struct item *item, struct slice uidl)
{
	if (known->count == known->cap) {
		known->cap = known->cap ? known->cap * 2 : 256;
		known->items = must_realloc(known->items, known->cap * sizeof(*known->items));
		make_slots(known, known->cap * 2);
	}
	struct item *added = &known->items[known->count];
	*added = *item;
	added->uidl = (uint32_t)known->uidls.len;
	added->uidl_len = (uint8_t)uidl.len;
	buf_add_slice(&known->uidls, uidl);
	link_item(known, known->count++);
}

static const struct item *sorted_items;

static int compare_by_size(const void *a, const void *b)
{
	const struct item *one = &sorted_items[*(const size_t *)a];
	const struct item *other = &sorted_items[*(const size_t *)b];
	if (one->folder_id != other->folder_id)
		return one->folder_id < other->folder_id ? -1 : 1;
	if (one->size != other->size)
		return one->size < other->size ? -1 : 1;
	return one->id < other->id ? -1 : one->id > other->id;
}

static void sort_by_size(struct import_known *known)
{
	known->before = known->count;
	known->by_size = must_alloc((known->before + 1) * sizeof(*known->by_size));
	for (size_t i = 0; i < known->before; i++)
		known->by_size[i] = i;
	sorted_items = known->items;
	qsort(known->by_size, known->before, sizeof(*known->by_size), compare_by_size);
}

int import_known_read(
	struct import_known **known, struct store *store, int64_t user_id, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT e.id, e.folder_id, e.size, e.uidl, e.deleted IS NOT NULL"
		    " FROM folders f JOIN entries e ON e.folder_id = f.id WHERE f.user_id = ?"));
	int found;
	*known = must_alloc(sizeof(**known));
	db_bind_int(&q, user_id);
	while ((found = db_next(&q, e)) == 1) {
		const struct item item = {.id = db_int(&q, 0),
			.folder_id = db_int(&q, 1),
			.size = (uint64_t)db_int(&q, 2),
			.deleted = db_int(&q, 4)};
		add_item(*known, &item, db_text(&q, 3));
	}
	if (found < 0) {
		import_known_free(*known);
		*known = NULL;
		return -1;
	}
	if (!(*known)->slots)
		make_slots(*known, 512);
	sort_by_size(*known);
	return 0;
}

void import_known_free(struct import_known *known)
{
	if (!known)
		return;
	free(known->items);
	free(known->slots);
	free(known->by_size);
	buf_free(&known->uidls);
	free(known);
}

static struct item *next_with(struct import_known *known, struct slice uidl, uint32_t n)
{
	for (; n; n = known->items[n - 1].next)
		if (slice_equal(uidl_of(known, &known->items[n - 1]), uidl))
			return &known->items[n - 1];
	return NULL;
}

void import_expect(struct import_known *known, struct slice uidl)
{
	struct item *item = next_with(known, uidl, *slot_of(known, uidl));
	for (; item; item = next_with(known, uidl, item->next))
		item->expected = true;
}

/* ---- is it there ---- */

/* The octets as POP3 sends them, prefix and body. */
static int read_sum(struct store *store, struct item *item, struct err *e)
{
	struct body_reader reader = {0};
	struct slice octets;
	struct digest_sum *sum = digest_sum_begin();
	int failed = body_open(&reader, store, 0, item->id, e);
	while (!failed && (failed = body_next(&reader, &octets, e)) == 0 && octets.len > 0)
		digest_sum_add(sum, octets.at, octets.len);
	item->sum = digest_sum_end(sum);
	item->has_sum = !failed;
	body_close(&reader);
	return failed;
}

/* Is it this message? What is damaged or has been purged meanwhile is not. */
static int is_it(
	struct store *store, struct item *item, const struct import_message *message, struct err *e)
{
	if (item->taken || item->id == 0 || item->size != message->size)
		return 0;
	if (!item->has_sum && read_sum(store, item, e) < 0) {
		if (e->kind != ERR_MISSING && e->kind != ERR_DAMAGED)
			return -1;
		item->taken = true;
		return 0;
	}
	return item->sum == message->sum;
}

static int find_by_uidl(struct import_known *known, struct store *store,
	const struct import_message *message, struct item **found, struct err *e)
{
	struct item *item = next_with(known, message->uidl, *slot_of(known, message->uidl));
	for (; item; item = next_with(known, message->uidl, item->next)) {
		int same = is_it(store, item, message, e);
		*found = item;
		if (same)
			return same;
	}
	return 0;
}

static bool goes_before(const struct item *item, const struct import_message *message)
{
	if (item->folder_id != message->folder_id)
		return item->folder_id < message->folder_id;
	return item->size < message->size;
}

/* The first in the order that does not go before it. */
static size_t first_of_size(const struct import_known *known, const struct import_message *message)
{
	size_t low = 0, high = known->before;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (goes_before(&known->items[known->by_size[middle]], message))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int find_by_octets(struct import_known *known, struct store *store,
	const struct import_message *message, struct item **found, struct err *e)
{
	for (size_t i = first_of_size(known, message); i < known->before; i++) {
		struct item *item = &known->items[known->by_size[i]];
		if (item->folder_id != message->folder_id || item->size != message->size)
			break;
		int same = item->expected ? 0 : is_it(store, item, message, e);
		*found = item;
		if (same)
			return same;
	}
	return 0;
}

int import_find(struct import_known *known, struct store *store,
	const struct import_message *message, bool *deleted, struct err *e)
{
	struct item *item = NULL;
	int found = 0;
	if (message->uidl.len > 0)
		found = find_by_uidl(known, store, message, &item, e);
	if (found == 0)
		found = find_by_octets(known, store, message, &item, e);
	if (found != 1)
		return found;
	item->taken = true;
	*deleted = item->deleted;
	return 1;
}

/* ---- filing ---- */

static enum import_uidl judge_uidl(struct import_known *known, struct slice uidl)
{
	if (uidl.len == 0)
		return IMPORT_NONE;
	if (!deliver_can_be_uidl(uidl))
		return IMPORT_INVALID;
	return next_with(known, uidl, *slot_of(known, uidl)) ? IMPORT_TAKEN : IMPORT_KEPT;
}

static int add_entry(struct store *store, const struct import_message *message, int64_t body_id,
	struct slice uidl, struct err *e)
{
	struct query q = db_query(
		store, SQL("INSERT INTO entries"
			   " (id, folder_id, body_id, size, uidl, received, checksum, prefix)"
			   " VALUES (" NEXT_ENTRY_ID ", ?, ?, ?, ?, ?, ?, x'')"));
	db_bind_int(&q, message->folder_id);
	db_bind_int(&q, body_id);
	db_bind_int(&q, (int64_t)message->size);
	db_bind_text(&q, uidl);
	db_bind_int(&q, message->received);
	db_bind_int(&q, (int64_t)digest_checksum("", 0));
	return db_run(&q, e);
}

/* Whom the old server's delivery had it from. */
static void add_sender(struct buf *out, struct slice header)
{
	deliver_add_field(out, header, "Return-Path", 320);
	if (out->len >= 2 && out->at[0] == '<' && out->at[out->len - 1] == '>') {
		out->len--;
		buf_drop(out, 1);
	}
}

/* As deliver() writes it, but that there is no queue id, and the peer is nobody. */
static int write_body(struct store *store, const struct body_writer *body, struct err *e)
{
	struct slice header = buf_slice(&body->header);
	struct buf from = {0}, message_id = {0}, sender = {0};
	deliver_add_field(&from, header, "From", 250);
	deliver_add_field(&message_id, header, "Message-ID", 250);
	add_sender(&sender, header);
	struct query q = db_query(
		store, SQL("INSERT INTO bodies (id, size, refs, arrived, sender, peer, header_from,"
			   " message_id) VALUES (?, ?, 1, ?, ?, '" IMPORT_PEER "', ?, ?)"
			   " ON CONFLICT (id) DO UPDATE SET size = excluded.size, arriving = 0,"
			   " arrived = excluded.arrived, sender = excluded.sender,"
			   " peer = excluded.peer, header_from = excluded.header_from,"
			   " message_id = excluded.message_id WHERE arriving = 1"));
	db_bind_int(&q, body->body_id);
	db_bind_int(&q, (int64_t)body->size);
	db_bind_int(&q, store_now(store));
	db_bind_text(&q, buf_slice(&sender));
	db_bind_text(&q, buf_slice(&from));
	db_bind_text(&q, buf_slice(&message_id));
	int failed = db_run(&q, e);
	buf_free(&from);
	buf_free(&message_id);
	buf_free(&sender);
	if (!failed && db_changes(store) == 0)
		return err_set(e, ERR_GONE, "an earlier part of the message was not stored");
	return failed;
}

int import_file(struct import_known *known, struct store *store,
	const struct import_message *message, struct body_writer *body, enum import_uidl *uidl,
	struct err *e)
{
	char fresh[UIDL_NEW_LENGTH + 1];
	struct slice name = message->uidl;
	const struct item item = {.folder_id = message->folder_id, .size = message->size};
	*uidl = judge_uidl(known, message->uidl);
	if (*uidl != IMPORT_KEPT) {
		digest_random_text(fresh, UIDL_NEW_LENGTH);
		name = slice_of(fresh);
	}
	if (body_settle(store, body, e) < 0 ||
		add_entry(store, message, body->body_id, name, e) < 0 ||
		write_body(store, body, e) < 0)
		return -1;
	add_item(known, &item, name);
	body_writer_free(body);
	return 0;
}
