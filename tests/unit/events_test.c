/* store/events.h: words of details, what is noted and by whom, what is counted and forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/events.h"
#include "tests/unit/letters.h"
#include "tests/unit/office.h"

#define START 1800000000
#define HOUR  3600
#define DAY   (24 * HOUR)
#define WEEKS (14 * DAY)

#define ALL_ENTRIES SQL("SELECT count(*) FROM entries /* scans entries */")
#define ALL_EVENTS  SQL("SELECT count(*) FROM events /* scans events */")

static void assert_word(const char *detail, const char *key, const char *value)
{
	struct slice word = events_word(slice_of(detail), key);
	assert_true(slice_equal(word, slice_of(value)));
}

static void a_detail_s_words_are_found_by_their_keys(void **state)
{
	static const char detail[] = "id=A to= xid=B empty= to=C reply=250 id=D ok";
	(void)state;
	assert_word(detail, "id", "A");
	assert_word(detail, "xid", "B");
	assert_word(detail, "to", "");
	assert_word(detail, "reply", "250 id=D ok");
	assert_word(detail, "host", "");
	assert_word(detail, "ok", "");
	assert_word("reply=x to=y", "to", "");
	assert_word("", "id", "");
}

static void a_word_holds_no_blank_and_nothing_else_that_ends_it(void **state)
{
	struct buf detail = {0};
	(void)state;
	events_add_word(&detail, "message", SLICE("<1@x> reply=250\r\n\xff"));
	events_add_word(&detail, "empty", SLICE(""));
	assert_string_equal(buf_text(&detail), "message=<1@x>\\x20reply=250\\x0d\\x0a\\xff empty=");
	buf_free(&detail);
}

/* The one event of a kind. */
static void assert_event(
	struct test_office *office, const char *kind, const char *user, const char *detail)
{
	struct query q = db_query(
		office->store, SQL("SELECT count(*), min(detail), min(entry_id) FROM events"
				   " WHERE kind = ? AND user_id = ? /* scans events */"));
	db_bind_text(&q, slice_of(kind));
	db_bind_int(&q, get_user(office, user).id);
	assert_int_equal(db_next(&q, &office->e), 1);
	assert_int_equal(db_int(&q, 0), 1);
	assert_true(slice_equal(db_text(&q, 1), slice_of(detail)));
	db_end(&q);
}

static void erase(struct test_office *office, const char *user, int64_t id)
{
	assert_int_equal(
		WRITE(office, maildrop_delete(office->store, get_user(office, user).id,
				      folder_id(office, user, "Inbox"), &id, 1, &office->e)),
		0);
}

static void purge(struct test_office *office, int64_t keep_deleted)
{
	while (WRITE(office,
		       mail_purge_step(office->store, keep_deleted, true, 1 << 20, &office->e)) > 0)
		continue;
}

static void what_goes_before_its_time_is_noted_for_each_user(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	for (int i = 0; i < 6; i++)
		post(office, i % 3 == 2 ? "budi@kantor.example" : "ani@kantor.example", LETTER);
	for (int64_t id = 1; id <= 5; id++)
		erase(office, id == 3 ? "budi@kantor.example" : "ani@kantor.example", id);
	purge(office, WEEKS);
	assert_int_equal(number(office, ALL_ENTRIES), 1);
	assert_event(office, EVENT_PURGED, "ani@kantor.example", "entries=1-2,4-5");
	assert_event(office, EVENT_PURGED, "budi@kantor.example", "entries=3");
}

static void what_goes_at_its_time_is_not_noted(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	erase(office, "ani@kantor.example", 1);
	store_set_clock(office->store, START + HOUR + 1);
	office->store->monotonic_ms = (HOUR + 1) * 1000;
	purge(office, HOUR);
	assert_int_equal(number(office, ALL_ENTRIES), 0);
	assert_int_equal(number(office, ALL_EVENTS), 0);
}

static void a_move_says_from_where_to_where(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	int64_t ani = get_user(office, "ani@kantor.example").id;
	int64_t inbox = folder_id(office, "ani@kantor.example", "Inbox");
	WRITE(office, folders_add(office->store, ani, SLICE("Proyek 1"), false, &office->e));
	int64_t folder = folder_id(office, "ani@kantor.example", "Proyek 1");
	WRITE(office, mail_move(office->store, ani, 1, inbox, &office->e)); /* is there */
	WRITE(office, mail_move(office->store, ani, 1, folder, &office->e));
	assert_event(office, EVENT_MOVED, "ani@kantor.example", "from=Inbox to=Proyek\\x201");
}

static void a_folder_s_end_moves_all_of_it(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	int64_t ani = get_user(office, "ani@kantor.example").id;
	WRITE(office, folders_add(office->store, ani, SLICE("Proyek"), true, &office->e));
	for (int i = 0; i < 3; i++)
		post(office, "ani+Proyek@kantor.example", LETTER);
	WRITE(office, folders_remove(office->store,
			      folder_id(office, "ani@kantor.example", "Proyek"), &office->e));
	assert_event(office, EVENT_MOVED, "ani@kantor.example", "from=Proyek to=Inbox entries=1-3");
}

static void the_day_is_counted_by_the_hour(void **state)
{
	struct test_office *office = *state;
	struct event_totals totals;
	add_user(office, "ani@kantor.example");
	store_set_clock(office->store, START - 25 * HOUR);
	post(office, "ani@kantor.example", LETTER);
	store_set_clock(office->store, START - HOUR);
	post(office, "ani@kantor.example", LETTER);
	WRITE(office,
		events_add(office->store, "login", 1, 0, SLICE("from=203.0.113.5"), &office->e));
	WRITE(office, events_add(office->store, "session", 1, 0, SLICE("seconds=3"), &office->e));
	store_set_clock(office->store, START);
	post(office, "ani@kantor.example", LETTER);
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(events_totals(office->store, &totals, &office->e), 0);
	assert_int_equal(totals.delivered[23], 2);
	assert_int_equal(totals.delivered[22], 1);
	assert_int_equal(totals.delivered[0], 0);
	assert_int_equal(totals.delivered_size[22], strlen(LETTER));
	assert_int_equal(totals.logins_day, 1);
}

static void old_events_are_forgotten_in_steps(void **state)
{
	struct test_office *office = *state;
	store_begin(office->store, &office->e);
	for (int i = 0; i < 1500; i++)
		events_add(office->store, "login", 1, 0, SLICE(""), &office->e);
	store_commit(office->store, &office->e);
	store_set_clock(office->store, START + DAY);
	WRITE(office, events_add(office->store, "login", 1, 0, SLICE(""), &office->e));
	assert_int_equal(WRITE(office, events_forget_step(office->store, HOUR, &office->e)), 1);
	assert_int_equal(WRITE(office, events_forget_step(office->store, HOUR, &office->e)), 0);
	assert_int_equal(number(office, ALL_EVENTS), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_detail_s_words_are_found_by_their_keys),
		cmocka_unit_test(a_word_holds_no_blank_and_nothing_else_that_ends_it),
		OFFICE_TEST(what_goes_before_its_time_is_noted_for_each_user),
		OFFICE_TEST(what_goes_at_its_time_is_not_noted),
		OFFICE_TEST(a_move_says_from_where_to_where),
		OFFICE_TEST(a_folder_s_end_moves_all_of_it),
		OFFICE_TEST(the_day_is_counted_by_the_hour),
		OFFICE_TEST(old_events_are_forgotten_in_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
