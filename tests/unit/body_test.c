/* store/body.h: what is written comes out, what is abandoned goes, what is
 * damaged is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/letters.h"
#include "tests/unit/office.h"

#define ALL_PIECES SQL("SELECT count(*) FROM pieces /* scans pieces */")
#define ALL_BODIES SQL("SELECT count(*) FROM bodies /* scans bodies */")

static void a_message_of_any_size_comes_out_as_it_went_in(void **state)
{
	struct test_office *office = *state;
	static const size_t sizes[] = {1, 16383, 16384, BODY_PIECE - 1, BODY_PIECE, BODY_PIECE + 1,
		2 * BODY_PIECE, 5 * BODY_PIECE + 333};
	add_user(office, "ani@kantor.example");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf in = {0}, out = {0};
		struct letter letter = letter_to("ani@kantor.example");
		fill(&in, sizes[i]);
		assert_int_equal(post_letter(office, &letter, buf_slice(&in)), 0);
		read_nth(office, "ani@kantor.example", "Inbox", i, &out);
		buf_drop(&out, out.len - in.len);
		assert_true(slice_equal(buf_slice(&in), buf_slice(&out)));
		buf_free(&in);
		buf_free(&out);
	}
	assert_sound(office);
}

static void a_body_may_arrive_over_several_transactions(void **state)
{
	struct test_office *office = *state;
	struct buf in = {0}, out = {0};
	struct letter letter = letter_to("ani@kantor.example");
	add_user(office, "ani@kantor.example");
	fill(&in, 3 * BODY_PIECE + 5);
	for (size_t at = 0; at < 3 * BODY_PIECE; at += BODY_PIECE)
		assert_int_equal(
			WRITE(office, body_append(office->store, &letter.body,
					      (struct slice){in.at + at, BODY_PIECE}, &office->e)),
			0);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 0);
	assert_int_equal(post_letter(office, &letter, SLICE("12345")), 0);
	read_nth(office, "ani@kantor.example", "Inbox", 0, &out);
	assert_int_equal(out.len, strlen("Return-Path: <budi@far.example>\r\n"
					 "Delivered-To: ani@kantor.example\r\n" RECEIVED) +
					  in.len);
	buf_free(&in);
	buf_free(&out);
	assert_sound(office);
}

/* `pieces` of the body before its header, and the rest; rules see the header alone. */
static void assert_headless(struct test_office *office, size_t pieces, const char *rest, size_t n)
{
	static const char header[] = "Subject: late\r\n\r\n";
	struct buf in = {0}, out = {0}, again = {0};
	struct letter letter = letter_to("ani@kantor.example");
	buf_add_text(&in, header);
	for (size_t i = 0; i < pieces; i++) {
		struct buf piece = {0};
		fill(&piece, BODY_PIECE);
		piece.at[0] = (char)('a' + i);
		assert_int_equal(WRITE(office, body_append_behind(office->store, &letter.body,
						       buf_slice(&piece), &office->e)),
			0);
		buf_add_slice(&in, buf_slice(&piece));
		buf_clear(&again);
		assert_int_equal(
			body_reread(office->store, &letter.body, i, &again, &office->e), 0);
		assert_true(slice_equal(buf_slice(&again), buf_slice(&piece)));
		buf_free(&piece);
	}
	assert_int_equal(body_reread(office->store, &letter.body, pieces, &again, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_GONE);
	assert_int_equal(WRITE(office, body_add_head(office->store, &letter.body, SLICE(header),
					       &office->e)),
		0);
	buf_add_text(&in, rest);
	assert_int_equal(post_letter(office, &letter, slice_of(rest)), 0);
	read_nth(office, "ani@kantor.example", "Inbox", n, &out);
	buf_drop(&out, out.len - in.len);
	assert_true(slice_equal(buf_slice(&in), buf_slice(&out)));
	buf_free(&in);
	buf_free(&out);
	buf_free(&again);
}

static void the_header_may_come_last(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	assert_headless(office, 0, "12345", 0);
	assert_headless(office, 1, "12345", 1);
	assert_headless(office, 3, "", 2);
	assert_headless(office, 3, "1", 3);
	assert_sound(office);
}

static void two_bodies_may_arrive_at_once(void **state)
{
	struct test_office *office = *state;
	struct letter a = letter_to("ani@kantor.example"), b = a;
	struct buf first = {0}, second = {0}, out = {0};
	add_user(office, "ani@kantor.example");
	buf_add_text(&first, "first");
	fill(&first, BODY_PIECE);
	buf_add_text(&second, "second");
	fill(&second, BODY_PIECE);
	for (int i = 0; i < 2; i++) {
		WRITE(office, body_append(office->store, &a.body, buf_slice(&first), &office->e));
		WRITE(office, body_append(office->store, &b.body, buf_slice(&second), &office->e));
	}
	assert_int_equal(post_letter(office, &b, SLICE("end of second")), 0);
	assert_int_equal(post_letter(office, &a, SLICE("end of first")), 0);
	read_nth(office, "ani@kantor.example", "Inbox", 0, &out);
	assert_null(memmem(out.at, out.len, "first", 5));
	assert_non_null(strstr(buf_text(&out), "end of second"));
	buf_free(&first);
	buf_free(&second);
	buf_free(&out);
	assert_sound(office);
}

static void an_abandoned_body_leaves_nothing(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to(NULL);
	struct buf in = {0};
	fill(&in, 2 * BODY_PIECE);
	assert_int_equal(WRITE(office, append_all(office, &letter.body, buf_slice(&in))), 0);
	assert_int_equal(number(office, ALL_PIECES), 2);
	assert_int_equal(WRITE(office, body_abandon(office->store, &letter.body, &office->e)), 0);
	assert_int_equal(number(office, ALL_PIECES), 0);
	assert_int_equal(number(office, ALL_BODIES), 0);
	buf_free(&in);
}

static void a_big_abandoned_body_is_freed_step_by_step(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to(NULL);
	struct buf in = {0};
	int steps = 0, more;
	fill(&in, 12 * BODY_PIECE);
	assert_int_equal(WRITE(office, append_all(office, &letter.body, buf_slice(&in))), 0);
	assert_int_equal(WRITE(office, body_abandon(office->store, &letter.body, &office->e)), 0);
	assert_true(number(office, ALL_PIECES) > 0);
	do
		more = WRITE(office, body_free_step(office->store, 2 * BODY_PIECE, &office->e));
	while (more == 1 && ++steps < 20);
	assert_int_equal(more, 0);
	assert_true(steps > 1);
	assert_int_equal(number(office, ALL_PIECES), 0);
	assert_int_equal(number(office, ALL_BODIES), 0);
	buf_free(&in);
}

static void a_body_whose_writer_died_is_freed_at_the_next_start(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to(NULL);
	struct buf in = {0};
	fill(&in, BODY_PIECE);
	assert_int_equal(WRITE(office, append_all(office, &letter.body, buf_slice(&in))), 0);
	body_writer_free(&letter.body);
	assert_int_equal(WRITE(office, body_free_step(office->store, 1 << 20, &office->e)), 0);
	assert_int_equal(number(office, ALL_PIECES), 1);
	assert_int_equal(WRITE(office, body_abandon_all(office->store, &office->e)), 0);
	assert_int_equal(WRITE(office, body_free_step(office->store, 1 << 20, &office->e)), 0);
	assert_int_equal(number(office, ALL_PIECES), 0);
	buf_free(&in);
}

static void a_body_whose_beginning_was_rolled_back_cannot_go_on(void **state)
{
	struct test_office *office = *state;
	struct letter lost = letter_to("ani@kantor.example"), other = lost;
	struct buf in = {0};
	add_user(office, "ani@kantor.example");
	fill(&in, BODY_PIECE);
	store_begin(office->store, &office->e);
	assert_int_equal(append_all(office, &lost.body, buf_slice(&in)), 0);
	store_rollback(office->store);
	assert_int_equal(WRITE(office, append_all(office, &other.body, buf_slice(&in))), 0);
	assert_int_not_equal(lost.body.body_id, other.body.body_id);
	REFUSED(office, ERR_GONE, append_all(office, &lost.body, buf_slice(&in)));
	assert_int_equal(WRITE(office, body_abandon(office->store, &lost.body, &office->e)), 0);
	assert_int_equal(post_letter(office, &other, SLICE("end")), 0);
	assert_sound(office);
	buf_free(&in);
}

static void a_body_that_lacks_a_piece_is_not_filed(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("ani@kantor.example");
	struct buf in = {0};
	add_user(office, "ani@kantor.example");
	fill(&in, BODY_PIECE);
	assert_int_equal(WRITE(office, append_all(office, &letter.body, buf_slice(&in))), 0);
	store_begin(office->store, &office->e);
	assert_int_equal(append_all(office, &letter.body, buf_slice(&in)), 0);
	store_rollback(office->store);
	REFUSED(office, ERR_GONE, file_letter(office, &letter, SLICE("end")));
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 0);
	buf_free(&in);
}

static void one_wrong_octet_is_told_and_never_served(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	struct body_reader reader = {0};
	struct slice octets;
	struct buf in = {0};
	add_user(office, "ani@kantor.example");
	fill(&in, 2 * BODY_PIECE);
	struct letter letter = letter_to("ani@kantor.example");
	post_letter(office, &letter, buf_slice(&in));
	assert_int_equal(db_script(office->store,
				 "UPDATE pieces SET octets = CAST(replace(octets, '00004000', "
				 "'00004001') AS BLOB) WHERE id % 2 = 1",
				 &office->e),
		0);
	list(office, "ani@kantor.example", "Inbox", &maildrop);
	assert_int_equal(body_open(&reader, office->store, 0, maildrop.items[0].id, &office->e), 0);
	assert_int_equal(body_next(&reader, &octets, &office->e), 0); /* the prefix */
	assert_int_equal(body_next(&reader, &octets, &office->e), 0); /* the first piece */
	assert_int_equal(body_next(&reader, &octets, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	assert_int_equal(octets.len, 0);
	body_close(&reader);
	maildrop_free(&maildrop);
	buf_free(&in);
}

static void a_wrong_prefix_is_told(void **state)
{
	struct test_office *office = *state;
	struct body_reader reader = {0};
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(
		db_script(office->store, "UPDATE entries SET checksum = checksum + 1", &office->e),
		0);
	assert_int_equal(body_open(&reader, office->store, 0, 1, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
}

static void a_lost_piece_is_damage_and_a_purged_message_is_missing(void **state)
{
	struct test_office *office = *state;
	struct body_reader reader = {0};
	struct slice octets;
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(db_script(office->store, "DELETE FROM pieces", &office->e), 0);
	assert_int_equal(body_open(&reader, office->store, 0, 1, &office->e), 0);
	assert_int_equal(body_next(&reader, &octets, &office->e), 0);
	assert_int_equal(body_next(&reader, &octets, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	assert_int_equal(db_script(office->store, "DELETE FROM entries", &office->e), 0);
	assert_int_equal(body_next(&reader, &octets, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_MISSING);
	body_close(&reader);
	assert_int_equal(body_open(&reader, office->store, 0, 1, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_MISSING);
}

static void reading_holds_no_statement_between_two_pieces(void **state)
{
	struct test_office *office = *state;
	struct body_reader reader = {0};
	struct slice octets;
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(body_open(&reader, office->store, 0, 1, &office->e), 0);
	do {
		for (sqlite3_stmt *s = sqlite3_next_stmt(office->store->db, NULL); s;
			s = sqlite3_next_stmt(office->store->db, s))
			assert_false(sqlite3_stmt_busy(s));
		assert_int_equal(body_next(&reader, &octets, &office->e), 0);
	} while (octets.len);
	body_close(&reader);
}

/* Their pages lie here and there: where others lay before, in the log and in the
 * file. */
static void pieces_whose_pages_are_scattered_come_out_as_they_went_in(void **state)
{
	struct test_office *office = *state;
	struct buf in = {0}, out = {0};
	add_user(office, "ani@kantor.example");
	fill(&in, 3 * BODY_PIECE + 77);
	for (size_t i = 0; i < 6; i++) {
		struct letter letter = letter_to("ani@kantor.example");
		assert_int_equal(post_letter(office, &letter, buf_slice(&in)), 0);
	}
	assert_int_equal(store_checkpoint(office->store, true, &office->e), 0);
	assert_int_equal(db_script(office->store,
				 "DELETE FROM pieces WHERE id / 1048576 IN (1, 3) OR id % 3 = 0;"
				 "INSERT INTO pieces SELECT id + 1048576 * 100, checksum, octets"
				 " FROM pieces WHERE id / 1048576 = 2 AND id % 3 > 0",
				 &office->e),
		0);
	struct letter letter = letter_to("ani@kantor.example");
	assert_int_equal(post_letter(office, &letter, buf_slice(&in)), 0);
	for (int moved = 0; moved < 2; moved++) {
		buf_clear(&out);
		read_nth(office, "ani@kantor.example", "Inbox", 6, &out);
		buf_drop(&out, out.len - in.len);
		assert_true(slice_equal(buf_slice(&in), buf_slice(&out)));
		assert_int_equal(store_checkpoint(office->store, true, &office->e), 0);
	}
	buf_free(&in);
	buf_free(&out);
}

static void expect_letter(struct test_office *office, size_t nth, const struct buf *in)
{
	struct buf out = {0};
	read_nth(office, "ani@kantor.example", "Inbox", nth, &out);
	buf_drop(&out, out.len - in->len);
	assert_true(slice_equal(buf_slice(in), buf_slice(&out)));
	buf_free(&out);
}

/* SQLite writes only those pages of a row anew that have changed: of these the last one
 * stands in the log, and in the file as it was. */
static void what_the_log_has_is_not_read_from_the_file(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("ani@kantor.example");
	struct buf in = {0};
	add_user(office, "ani@kantor.example");
	fill(&in, BODY_PIECE);
	assert_int_equal(post_letter(office, &letter, buf_slice(&in)), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_checkpoint(office->store, true, &office->e), 0);
		store_rest(office->store);
		expect_letter(office, 0, &in);
		memcpy(in.at + in.len - 5, i ? "first" : "other", 5);
		assert_int_equal(db_script(office->store,
					 i ? "UPDATE pieces SET octets = CAST(substr(octets, 1,"
					     " length(octets) - 5) || 'first' AS BLOB)"
					   : "UPDATE pieces SET octets = CAST(substr(octets, 1,"
					     " length(octets) - 5) || 'other' AS BLOB)",
					 &office->e),
			0);
		assert_int_equal(
			db_script(office->store,
				"UPDATE pieces SET checksum = octets_checksum(octets)", &office->e),
			0);
		store_rest(office->store);
		expect_letter(office, 0, &in);
	}
	buf_free(&in);
}

/* What stands of a full piece in the table's page, behind the rest of its row. */
#define IN_TABLE 475

/* False: it is SQLite's to read. */
static bool is_read_past_sqlite(struct test_office *office, int64_t id, const struct buf *in)
{
	static char octets[BODY_PIECE];
	sqlite3_blob *blob;
	assert_int_equal(
		sqlite3_blob_open(office->store->db, "main", "pieces", "octets", id, 0, &blob), 0);
	db_read_ahead(true);
	assert_int_equal(sqlite3_blob_read(blob, octets, IN_TABLE + 1, 0), 0);
	bool done = db_read_chain(octets + IN_TABLE, in->len - IN_TABLE);
	db_read_ahead(false);
	sqlite3_blob_close(blob);
	if (done)
		assert_memory_equal(octets, in->at, in->len);
	return done;
}

static void a_piece_is_read_past_sqlite_where_its_pages_lie_together(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("ani@kantor.example");
	struct buf in = {0};
	add_user(office, "ani@kantor.example");
	fill(&in, BODY_PIECE);
	assert_int_equal(post_letter(office, &letter, buf_slice(&in)), 0);
	int64_t id = number(office, SQL("SELECT max(id) FROM pieces"));
	store_rest(office->store);
	assert_false(is_read_past_sqlite(office, id, &in)); /* in the log there is more between */
	assert_int_equal(store_checkpoint(office->store, true, &office->e), 0);
	store_rest(office->store);
	assert_true(is_read_past_sqlite(office, id, &in));
	assert_false(is_read_past_sqlite(office, id, &in)); /* SQLite keeps its first page */
	buf_free(&in);
}

#define LETTERS 40

/* The n-th letter, from 1 on: no other is like it. */
static void fill_nth(struct buf *in, int64_t n)
{
	buf_clear(in);
	fill(in, 20000 + (size_t)n * 12345);
	buf_printf(in, "letter %lld\r\n", (long long)n);
}

/* Of the letters the last three are there; the pages of the others are given away, and the
 * log is moved. */
static int write_letters(struct test_office *office)
{
	struct buf in = {0};
	int failed =
		store_open(&office->store, office->data, STORE_WRITER, SYNC_NORMAL, &office->e);
	for (int64_t n = 1; !failed && n <= LETTERS; n++) {
		struct letter letter = letter_to("ani@kantor.example");
		fill_nth(&in, n);
		failed =
			store_begin(office->store, &office->e) ||
			file_letter(office, &letter, buf_slice(&in)) ||
			db_script(office->store,
				"DELETE FROM entries WHERE id <= (SELECT max(id) FROM entries) - 3",
				&office->e) ||
			body_free_step(office->store, 1 << 20, &office->e) < 0 ||
			store_commit(office->store, &office->e) ||
			store_checkpoint(office->store, true, &office->e);
	}
	store_close(office->store);
	buf_free(&in);
	return failed;
}

/* 1: it is there, and right; 0: it is not there any more. */
static int read_letter(struct test_office *office, int64_t id)
{
	struct buf in = {0}, out = {0};
	int failed = read_entry(office->store, id, &out, &office->e);
	if (failed) {
		assert_int_equal(office->e.kind, ERR_MISSING);
	} else {
		fill_nth(&in, id);
		buf_drop(&out, out.len - in.len);
		assert_true(slice_equal(buf_slice(&in), buf_slice(&out)));
	}
	buf_free(&in);
	buf_free(&out);
	return !failed;
}

static void who_reads_beside_the_writer_gets_each_octet(void **state)
{
	struct test_office *office = *state;
	int status, read = 0;
	add_user(office, "ani@kantor.example");
	store_close(office->store); /* SQLite's locks do not cross a fork */
	pid_t writer = fork();
	if (writer == 0)
		_exit(write_letters(office) ? 1 : 0);
	assert_int_equal(
		store_open(&office->store, office->data, STORE_READER, SYNC_NORMAL, &office->e), 0);
	while (waitpid(writer, &status, WNOHANG) == 0) {
		int64_t last = number(office, SQL("SELECT coalesce(max(id), 0) FROM entries"));
		for (int64_t id = last; id > 0 && id > last - 3; id--)
			read += read_letter(office, id);
		store_rest(office->store);
	}
	assert_int_equal(status, 0);
	assert_true(read > 0);
	assert_int_equal(read_letter(office, LETTERS), 1);
}

/* As it came out, in all and with the first call. */
static size_t read_behind(
	struct test_office *office, struct body_reader *reader, uint64_t ahead, struct buf *out)
{
	struct slice octets;
	size_t first = 0;
	buf_clear(out);
	assert_int_equal(body_look_ahead(reader, ahead, &office->e), 0);
	do {
		assert_int_equal(body_next(reader, &octets, &office->e), 0);
		buf_add_slice(out, octets);
		first = first ? first : octets.len;
	} while (octets.len);
	return first;
}

static void what_was_looked_at_before_comes_out_whole(void **state)
{
	struct test_office *office = *state;
	struct body_reader reader = {0};
	struct buf in = {0}, out = {0};
	static const size_t sizes[] = {5, 20000, 4 * BODY_PIECE, 9 * BODY_PIECE + 5};
	add_user(office, "ani@kantor.example");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct letter letter = letter_to("ani@kantor.example");
		buf_clear(&in);
		fill(&in, sizes[i]);
		assert_int_equal(post_letter(office, &letter, buf_slice(&in)), 0);
		for (uint64_t ahead = 1; ahead < 64 * BODY_PIECE; ahead *= BODY_PIECE) {
			/* The same reader for all. */
			assert_int_equal(
				body_open(&reader, office->store, 0, (int64_t)i + 1, &office->e),
				0);
			size_t first = read_behind(office, &reader, ahead, &out);
			if (ahead >= BODY_PIECE && reader.size <= BODY_PIECE)
				assert_int_equal(first, reader.size);
			buf_drop(&out, out.len - in.len);
			assert_true(slice_equal(buf_slice(&in), buf_slice(&out)));
		}
	}
	body_close(&reader);
	buf_free(&in);
	buf_free(&out);
}

static void damage_behind_is_seen_by_who_looks_that_far(void **state)
{
	struct test_office *office = *state;
	struct body_reader reader = {0};
	struct slice octets;
	struct buf in = {0};
	add_user(office, "ani@kantor.example");
	static const size_t sizes[] = {3 * BODY_PIECE, 8 * BODY_PIECE};
	for (int i = 0; i < 2; i++) {
		struct letter letter = letter_to("ani@kantor.example");
		buf_clear(&in);
		fill(&in, sizes[i]);
		assert_int_equal(post_letter(office, &letter, buf_slice(&in)), 0);
		assert_int_equal(
			db_script(office->store,
				"UPDATE pieces SET checksum = checksum + 1 WHERE id % 1048576 = 2",
				&office->e),
			0);
		int64_t id = i + 1;
		assert_int_equal(body_open(&reader, office->store, 0, id, &office->e), 0);
		assert_int_equal(body_look_ahead(&reader, BODY_PIECE, &office->e), 0);
		assert_int_equal(body_next(&reader, &octets, &office->e), 0);
		assert_true(octets.len > 0);
		assert_int_equal(body_open(&reader, office->store, 0, id, &office->e), 0);
		assert_int_equal(body_look_ahead(&reader, reader.size, &office->e), -1);
		assert_int_equal(office->e.kind, ERR_DAMAGED);
	}
	body_close(&reader);
	buf_free(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_message_of_any_size_comes_out_as_it_went_in),
		OFFICE_TEST(a_body_may_arrive_over_several_transactions),
		OFFICE_TEST(the_header_may_come_last),
		OFFICE_TEST(two_bodies_may_arrive_at_once),
		OFFICE_TEST(an_abandoned_body_leaves_nothing),
		OFFICE_TEST(a_big_abandoned_body_is_freed_step_by_step),
		OFFICE_TEST(a_body_whose_writer_died_is_freed_at_the_next_start),
		OFFICE_TEST(a_body_whose_beginning_was_rolled_back_cannot_go_on),
		OFFICE_TEST(a_body_that_lacks_a_piece_is_not_filed),
		OFFICE_TEST(one_wrong_octet_is_told_and_never_served),
		OFFICE_TEST(a_wrong_prefix_is_told),
		OFFICE_TEST(a_lost_piece_is_damage_and_a_purged_message_is_missing),
		OFFICE_TEST(reading_holds_no_statement_between_two_pieces),
		OFFICE_TEST(pieces_whose_pages_are_scattered_come_out_as_they_went_in),
		OFFICE_TEST(what_the_log_has_is_not_read_from_the_file),
		OFFICE_TEST(a_piece_is_read_past_sqlite_where_its_pages_lie_together),
		OFFICE_TEST(who_reads_beside_the_writer_gets_each_octet),
		OFFICE_TEST(what_was_looked_at_before_comes_out_whole),
		OFFICE_TEST(damage_behind_is_seen_by_who_looks_that_far),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
