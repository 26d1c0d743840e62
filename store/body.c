/* Bodies in pieces: the rows of `bodies` and `pieces`.
 *
 * A piece is found by its number alone (body * 2^20 + n), so that one b-tree
 * holds them in the order in which they are read, and no second index is
 * written. A number given to a body that was rolled back is not given again by
 * the same process: whoever still has it cannot touch another's. */
#include "store/body.h"
#include "base/digest.h"
#include "store/db.h"
#include <assert.h>
#include <string.h>

#define PIECES_MAX (INT64_C(1) << 20) /* a body: 256 GB */
#define LEAST_WORK 16384              /* octets that freeing a small body is counted as */
#define BIG_PIECE  16384              /* octets that are read without a copy */
#define BEFORE_BIG 14                 /* what stands before them in their row */
#define FREE_NOW   4                  /* pieces: what a refusal may free by itself */

static int64_t piece_id(int64_t body_id, int64_t n)
{
	return body_id * PIECES_MAX + n;
}

/* ---- writing ---- */

static int new_body_id(struct store *store, int64_t *id, struct err *e)
{
	int64_t highest = 0;
	if (db_number(store,
		    SQL("SELECT max(coalesce((SELECT max(id) FROM bodies), 0),"
			" (SELECT value FROM meta WHERE name = 'highest_body'))"),
		    &highest, e) < 0)
		return -1;
	if (store->highest_body < highest)
		store->highest_body = highest;
	*id = ++store->highest_body;
	return 0;
}

/* The row of a body that stays unfinished over several transactions. */
static int start_arriving(struct store *store, struct body_writer *writer, struct err *e)
{
	if (new_body_id(store, &writer->body_id, e) < 0)
		return -1;
	writer->arriving = true;
	struct query q =
		db_query(store, SQL("INSERT INTO bodies (id, arriving, arrived) VALUES (?, 1, ?)"));
	db_bind_int(&q, writer->body_id);
	db_bind_int(&q, store_now(store));
	return db_run(&q, e);
}

static int store_piece(struct store *store, struct body_writer *writer, int64_t n,
	struct slice octets, struct err *e)
{
	if (n >= PIECES_MAX)
		return err_set(e, ERR_TOO_BIG, "a message cannot be larger than 256 GB");
	struct query q = db_query(store,
		SQL("INSERT INTO pieces (id, checksum, octets) SELECT ?1, ?2, ?3 WHERE ?4 = 0"
		    " OR EXISTS (SELECT 1 FROM bodies WHERE id = ?5 AND arriving = 1)"));
	db_bind_int(&q, piece_id(writer->body_id, n));
	db_bind_int(&q, (int64_t)digest_checksum(octets.at, octets.len));
	db_bind_blob(&q, octets);
	db_bind_int(&q, writer->arriving);
	db_bind_int(&q, writer->body_id);
	if (db_run(&q, e) < 0)
		return -1;
	if (db_changes(store) == 0)
		return err_set(e, ERR_GONE, "an earlier part of the message was not stored");
	writer->pieces++;
	store->has_passed |= writer->arriving;
	return 0;
}

/* What the rules will want to see of a message that is not kept in memory. */
static struct slice header_of(struct slice piece)
{
	const char *end = memmem(piece.at, piece.len, "\r\n\r\n", 4);
	return end ? (struct slice){piece.at, (size_t)(end - piece.at) + 4} : piece;
}

int body_append(struct store *store, struct body_writer *writer, struct slice octets, struct err *e)
{
	if (octets.len == 0)
		return 0;
	if (writer->size == 0) {
		bool whole = octets.len < BODY_PIECE;
		buf_add_slice(&writer->header, whole ? octets : header_of(octets));
		writer->size = octets.len;
		if (whole)
			return 0;
		if (start_arriving(store, writer, e) < 0)
			return -1;
	} else {
		assert(writer->arriving); /* behind a piece that was not full comes nothing */
		writer->size += octets.len;
	}
	return store_piece(store, writer, writer->pieces, octets, e);
}

/* Leaves the place of the first piece free. */
static int start_headless(struct store *store, struct body_writer *writer, struct err *e)
{
	if (writer->headless)
		return 0;
	if (start_arriving(store, writer, e) < 0)
		return -1;
	writer->headless = true;
	writer->pieces = 1;
	return 0;
}

int body_append_behind(
	struct store *store, struct body_writer *writer, struct slice octets, struct err *e)
{
	if (start_headless(store, writer, e) < 0)
		return -1;
	writer->size += octets.len;
	return store_piece(store, writer, writer->pieces, octets, e);
}

int body_add_head(
	struct store *store, struct body_writer *writer, struct slice header, struct err *e)
{
	if (start_headless(store, writer, e) < 0)
		return -1;
	buf_add_slice(&writer->header, header_of(header));
	writer->size += header.len;
	int64_t pieces = writer->pieces;
	int done = store_piece(store, writer, 0, header, e);
	writer->pieces = pieces;
	return done;
}

int body_reread(struct store *store, const struct body_writer *writer, uint64_t n, struct buf *out,
	struct err *e)
{
	struct query q = db_query(store, SQL("SELECT checksum, octets FROM pieces WHERE id = ?"));
	if (n >= PIECES_MAX - 1)
		return err_set(e, ERR_GONE, "a message has no so many pieces");
	db_bind_int(&q, piece_id(writer->body_id, (int64_t)n + 1));
	int found = db_next(&q, e);
	struct slice octets = found == 1 ? db_blob(&q, 1) : SLICE("");
	bool whole =
		found == 1 && digest_checksum(octets.at, octets.len) == (uint64_t)db_int(&q, 0);
	if (whole)
		buf_add_slice(out, octets);
	db_end(&q);
	if (found < 0)
		return -1;
	return whole ? 0 : err_set(e, ERR_GONE, "an earlier part of the message was not stored");
}

/* Is every piece of it there? */
static int check_whole(struct store *store, const struct body_writer *writer, struct err *e)
{
	struct query q = db_query(store, SQL("SELECT coalesce(sum(length(octets)), 0) FROM pieces "
					     "WHERE id >= ? AND id < ?"));
	db_bind_int(&q, piece_id(writer->body_id, 0));
	db_bind_int(&q, piece_id(writer->body_id + 1, 0));
	int found = db_next(&q, e);
	bool whole = found == 1 && (uint64_t)db_int(&q, 0) == writer->size;
	db_end(&q);
	if (found == 1 && !whole)
		return err_set(e, ERR_GONE, "a part of the message was not stored");
	return found == 1 ? 0 : -1;
}

int body_settle(struct store *store, struct body_writer *writer, struct err *e)
{
	if (writer->arriving)
		return check_whole(store, writer, e);
	if (new_body_id(store, &writer->body_id, e) < 0)
		return -1;
	return writer->size ? store_piece(store, writer, 0, buf_slice(&writer->header), e) : 0;
}

void body_writer_free(struct body_writer *writer)
{
	buf_free(&writer->header);
	memset(writer, 0, sizeof(*writer));
}

/* ---- freeing ---- */

/* Pieces of a body from its first one on, at most `count`. 1: some may be
 * left. */
static int free_pieces(struct store *store, int64_t body_id, int64_t count, struct err *e)
{
	int64_t end = piece_id(body_id + 1, 0);
	struct query first = db_query(
		store, SQL("SELECT id FROM pieces WHERE id >= ? AND id < ? ORDER BY id LIMIT 1"));
	db_bind_int(&first, piece_id(body_id, 0));
	db_bind_int(&first, end);
	int found = db_next(&first, e);
	int64_t from = found == 1 ? db_int(&first, 0) : end;
	db_end(&first);
	if (found != 1)
		return found;

	int64_t to = count < end - from ? from + count : end;
	struct query q = db_query(store, SQL("DELETE FROM pieces WHERE id >= ? AND id < ?"));
	db_bind_int(&q, from);
	db_bind_int(&q, to);
	if (db_run(&q, e) < 0)
		return -1;
	return db_changes(store) == count;
}

static int free_row(struct store *store, int64_t body_id, struct err *e)
{
	struct query q = db_query(store, SQL("DELETE FROM bodies WHERE id = ?"));
	db_bind_int(&q, body_id);
	return db_run(&q, e);
}

int body_abandon(struct store *store, struct body_writer *writer, struct err *e)
{
	int64_t id = writer->body_id;
	body_writer_free(writer);
	if (!id)
		return 0; /* what there was of it was in memory */
	struct query q = db_query(
		store, SQL("UPDATE bodies SET arriving = 0 WHERE id = ? AND arriving = 1"));
	db_bind_int(&q, id);
	if (db_run(&q, e) < 0)
		return -1;
	if (db_changes(store) == 0)
		return 0;
	int more = free_pieces(store, id, FREE_NOW + 1, e);
	if (more)
		return more < 0 ? -1 : 0;
	return free_row(store, id, e);
}

int body_abandon_all(struct store *store, struct err *e)
{
	struct query q = db_query(
		store, SQL("UPDATE bodies SET arriving = 0 WHERE refs = 0 AND arriving = 1"));
	return db_run(&q, e);
}

int body_free_step(struct store *store, uint64_t octets, struct err *e)
{
	int64_t left = (int64_t)octets;
	while (left > 0) {
		struct query q = db_query(
			store, SQL("SELECT id, size FROM bodies"
				   " WHERE refs = 0 AND arriving = 0 ORDER BY id LIMIT 1"));
		int found = db_next(&q, e);
		if (found != 1)
			return found;
		int64_t id = db_int(&q, 0), size = db_int(&q, 1);
		db_end(&q);
		int more = free_pieces(store, id, 1 + left / BODY_PIECE, e);
		if (more)
			return more;
		if (free_row(store, id, e) < 0)
			return -1;
		left -= size > LEAST_WORK ? size : LEAST_WORK;
	}
	return 1;
}

/* ---- reading ---- */

static int removed(const struct body_reader *reader, struct err *e)
{
	return err_set(e, ERR_MISSING,
		reader->leaves ? "outgoing message %lld waits no more"
			       : "message %lld has been removed",
		(long long)reader->id);
}

static int damaged(const struct body_reader *reader, const char *how, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "%smessage %lld %s: restore it from a backup, or remove it",
		reader->leaves ? "outgoing " : "", (long long)reader->id, how);
}

/* Ends the row that names it: body_id, size, checksum, prefix, and where its first
 * piece is a small one, often its only one, that piece's checksum and octets. */
static int open_row(struct body_reader *reader, struct query *q, bool is_theirs, struct err *e)
{
	reader->body_id = db_int(q, 0);
	reader->size = (uint64_t)db_int(q, 1);
	uint64_t checksum = (uint64_t)db_int(q, 2);
	buf_add_slice(&reader->octets, db_blob(q, 3));
	reader->ready = reader->read = reader->octets.len;
	reader->first_checksum = (uint64_t)db_int(q, 4);
	buf_add_slice(&reader->octets, db_blob(q, 5));
	db_end(q);
	if (is_theirs && digest_checksum(reader->octets.at, reader->ready) == checksum)
		return 0;
	damaged(reader, "is damaged", e);
	body_close(reader);
	return -1;
}

static void begin(struct body_reader *reader, struct store *store, int64_t id, bool leaves)
{
	*reader = (struct body_reader){
		.store = store, .id = id, .leaves = leaves, .octets = reader->octets};
	buf_clear(&reader->octets);
}

int body_open(struct body_reader *reader, struct store *store, int64_t user_id, int64_t entry_id,
	struct err *e)
{
	begin(reader, store, entry_id, false);
	struct query q = db_query(
		store, SQL("SELECT body_id, e.size, e.checksum, prefix, p.checksum,"
			   " CASE WHEN length(octets) < ?2 THEN octets END, user_id FROM entries e"
			   " LEFT JOIN folders f ON f.id = folder_id"
			   " LEFT JOIN pieces p ON p.id = body_id * 1048576 WHERE e.id = ?1"));
	db_bind_int(&q, entry_id);
	db_bind_int(&q, BIG_PIECE);
	int found = db_next(&q, e);
	if (found != 1)
		return found < 0 ? -1 : removed(reader, e);
	return open_row(reader, &q, user_id == 0 || db_int(&q, 6) == user_id, e);
}

int body_open_outgoing(
	struct body_reader *reader, struct store *store, int64_t outgoing_id, struct err *e)
{
	begin(reader, store, outgoing_id, true);
	struct query q = db_query(
		store, SQL("SELECT body_id, size, o.checksum, prefix, p.checksum,"
			   " CASE WHEN length(octets) < ?2 THEN octets END FROM outgoing o"
			   " LEFT JOIN pieces p ON p.id = body_id * 1048576 WHERE o.id = ?1"));
	db_bind_int(&q, outgoing_id);
	db_bind_int(&q, BIG_PIECE);
	int found = db_next(&q, e);
	if (found != 1)
		return found < 0 ? -1 : removed(reader, e);
	return open_row(reader, &q, true, e);
}

/* A piece is not there: was the message purged, or is it damaged? */
static int piece_missing(struct body_reader *reader, struct err *e)
{
	struct query q =
		db_query(reader->store, reader->leaves ? SQL("SELECT 1 FROM outgoing WHERE id = ?")
						       : SQL("SELECT 1 FROM entries WHERE id = ?"));
	db_bind_int(&q, reader->id);
	int found = db_next(&q, e);
	db_end(&q);
	if (found < 0)
		return -1;
	return found ? damaged(reader, "lacks octets", e) : removed(reader, e);
}

/* A big one is read without a copy of it in SQLite's memory: a client that
 * takes its time holds the piece, and nothing beside. `past`: most of it past SQLite.
 * 1, with its checksum, 0: there is none. */
static int fetch_piece(struct body_reader *reader, bool past, uint64_t *checksum, struct err *e)
{
	int64_t id = piece_id(reader->body_id, reader->next_piece);
	struct query q = db_query(reader->store,
		SQL("SELECT checksum, length(octets), CASE WHEN length(octets) < ?2 THEN octets END"
		    " FROM pieces WHERE id = ?1"));
	db_bind_int(&q, id);
	db_bind_int(&q, BIG_PIECE);
	int found = db_next(&q, e);
	if (found != 1)
		return found;
	*checksum = (uint64_t)db_int(&q, 0);
	size_t len = (size_t)db_int(&q, 1);
	if (len < BIG_PIECE)
		buf_add_slice(&reader->octets, db_blob(&q, 2));
	db_end(&q);
	if (len < BIG_PIECE || len > BODY_PIECE)
		return 1;
	const struct blob blob = {"pieces", "octets", id, len, past ? BEFORE_BIG : 0};
	return db_read_blob(reader->store, &blob, &reader->octets, e);
}

/* Is what was read behind what is ready the next piece? */
static bool is_whole(const struct body_reader *reader, uint64_t checksum)
{
	struct slice piece = slice_from(buf_slice(&reader->octets), reader->ready);
	return piece.len > 0 && piece.len <= reader->size - reader->read &&
	       digest_checksum(piece.at, piece.len) == checksum;
}

/* Adds the next piece to what is ready. In the file a page may be older than in the log, or
 * be another's by now: what was read past SQLite and does not fit is read again. */
static int read_piece(struct body_reader *reader, struct err *e)
{
	uint64_t checksum = reader->first_checksum;
	bool is_here = reader->octets.len > reader->ready;
	int found = is_here ? 1 : fetch_piece(reader, true, &checksum, e);
	bool whole = found == 1 && is_whole(reader, checksum);
	if (found == 1 && !whole && !is_here) {
		reader->octets.len = reader->ready;
		found = fetch_piece(reader, false, &checksum, e);
		whole = found == 1 && is_whole(reader, checksum);
	}
	if (!whole) {
		reader->octets.len = reader->ready;
		if (found < 0)
			return -1;
		return found ? damaged(reader, "is damaged", e) : piece_missing(reader, e);
	}
	reader->read += reader->octets.len - reader->ready;
	reader->ready = reader->octets.len;
	reader->next_piece++;
	return 0;
}

int body_next(struct body_reader *reader, struct slice *octets, struct err *e)
{
	*octets = (struct slice){0};
	if (reader->given == reader->size)
		return 0;
	if (reader->start == reader->octets.len) {
		reader->start = reader->ready = 0;
		buf_clear(&reader->octets);
	}
	if (reader->start == reader->ready && read_piece(reader, e) < 0)
		return -1;
	*octets = (struct slice){reader->octets.at + reader->start, reader->ready - reader->start};
	reader->start = reader->ready;
	reader->given += octets->len;
	return 0;
}

/* Reads, compares and forgets. */
static int pass_over(struct body_reader *reader, uint64_t octets, struct err *e)
{
	const struct body_reader here = *reader;
	int failed = 0;
	while (!failed && reader->read - here.read < octets && reader->read < reader->size) {
		failed = read_piece(reader, e);
		reader->octets.len = reader->ready = here.ready;
	}
	reader->read = here.read;
	reader->next_piece = here.next_piece;
	return failed;
}

/* Until so many are ready. */
static int read_to(struct body_reader *reader, uint64_t octets, struct err *e)
{
	int failed = 0;
	while (!failed && reader->ready - reader->start < octets)
		failed = read_piece(reader, e);
	return failed;
}

int body_look_ahead(struct body_reader *reader, uint64_t octets, struct err *e)
{
	uint64_t left = reader->size - reader->given;
	if (left > octets)
		left = octets;
	if (left > BODY_KEPT)
		return pass_over(reader, octets, e);
	if (reader->octets.len - reader->start >= left)
		return read_to(reader, left, e);

	/* One moment of the store for all its pieces. */
	buf_reserve(&reader->octets, left);
	int failed = store_begin_reading(reader->store, e) < 0 || read_to(reader, left, e);
	store_rollback(reader->store);
	return failed ? -1 : 0;
}

void body_close(struct body_reader *reader)
{
	buf_free(&reader->octets);
	memset(reader, 0, sizeof(*reader));
}
