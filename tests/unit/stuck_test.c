/* store/stuck.h: who is stuck at which message, by the sessions of a day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/events.h"
#include "store/stuck.h"
#include "tests/unit/letters.h"
#include "tests/unit/office.h"

#define START 1800000000
#define HOUR  3600
#define ANI   "ani@kantor.example"
#define BUDI  "budi@kantor.example"
#define WHOLE "100000" /* octets: more than a letter has */

static int with_mail(void **state)
{
	if (office_setup(state) < 0)
		return -1;
	struct test_office *office = *state;
	add_user(office, ANI);
	add_user(office, BUDI);
	for (int i = 0; i < 4; i++)
		post(office, i < 3 ? ANI : BUDI, LETTER);
	return 0;
}

#define MAIL_TEST(promise) cmocka_unit_test_setup_teardown(promise, with_mail, office_teardown)

static void tell(struct test_office *office, const char *user, const char *words)
{
	struct buf detail = {0};
	buf_printf(&detail, "from=192.0.2.1 ended=1 retrieved=1 octets=9 deleted=0%s", words);
	WRITE(office, events_add(office->store, EVENT_SESSION, get_user(office, user).id, 0,
			      buf_slice(&detail), &office->e));
	buf_free(&detail);
}

struct seen {
	int count;
	struct stuck last;
};

static int see(const struct stuck *stuck, void *arg)
{
	struct seen *seen = arg;
	seen->count++;
	seen->last = *stuck;
	return 0;
}

static struct seen look(struct test_office *office)
{
	struct seen seen = {0};
	assert_int_equal(stuck_each(office->store, see, &seen, &office->e), 0);
	return seen;
}

static void three_sessions_that_end_within_a_message_are_a_stuck_client(void **state)
{
	struct test_office *office = *state;
	tell(office, ANI, " quit=no cut=2:10");
	tell(office, ANI, " quit=no cut=2:12 fetched=1");
	assert_int_equal(look(office).count, 0);
	store_set_clock(office->store, START + HOUR);
	tell(office, ANI, " quit=no cut=2:0");
	struct seen seen = look(office);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.last.user, ANI);
	assert_string_equal(seen.last.device, "");
	assert_int_equal(seen.last.entry_id, 2);
	assert_int_equal(seen.last.sessions, 3);
	assert_int_equal(seen.last.last, START + HOUR);
	assert_true(seen.last.breaks_off);
	assert_false(seen.last.told);
	assert_true(seen.last.size > strlen(LETTER));
}

static void other_messages_other_users_and_other_devices_are_counted_apart(void **state)
{
	struct test_office *office = *state;
	for (int i = 0; i < 2; i++) {
		tell(office, ANI, " quit=no cut=1:10");
		tell(office, ANI, " quit=no cut=2:10");
		tell(office, ANI, " device=tablet quit=no cut=1:10");
		tell(office, BUDI, " quit=no cut=4:10");
	}
	assert_int_equal(look(office).count, 0);
	tell(office, ANI, " device=tablet quit=no cut=1:10");
	struct seen seen = look(office);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.last.device, "tablet");
	tell(office, BUDI, " quit=no cut=1:10"); /* not his: his session would not be believed */
	assert_int_equal(look(office).count, 1);
}

static void five_sessions_that_begin_with_the_same_and_never_quit_are_one(void **state)
{
	struct test_office *office = *state;
	for (int i = 0; i < 4; i++)
		tell(office, ANI,
			i % 2 ? " quit=no fetched=1-2" : " quit=no cut=2:" WHOLE " fetched=1");
	assert_int_equal(look(office).count, 0);
	tell(office, ANI, " quit=no cut=3:" WHOLE " fetched=1-2");
	struct seen seen = look(office);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.last.entry_id, 1);
	assert_int_equal(seen.last.sessions, 5);
	assert_false(seen.last.breaks_off);
}

static void new_mail_each_time_is_no_stuck_client(void **state)
{
	struct test_office *office = *state;
	for (int i = 0; i < 4; i++) {
		tell(office, ANI, " quit=no cut=1:" WHOLE);
		tell(office, ANI, " quit=no cut=2:" WHOLE);
		tell(office, ANI, " quit=no fetched=3");
	}
	assert_int_equal(look(office).count, 0);
}

static void who_has_got_it_with_quit_is_not_stuck(void **state)
{
	struct test_office *office = *state;
	for (int i = 0; i < 3; i++)
		tell(office, ANI, " quit=no cut=2:10");
	tell(office, ANI, " device=tablet fetched=2");
	tell(office, BUDI, " fetched=2");
	tell(office, ANI, " fetched=1,3");
	assert_int_equal(look(office).count, 1);
	tell(office, ANI, " fetched=1-3");
	assert_int_equal(look(office).count, 0);
}

static void what_is_a_day_old_is_forgotten(void **state)
{
	struct test_office *office = *state;
	for (int i = 0; i < 3; i++) {
		store_set_clock(office->store, START + i * 10 * HOUR);
		tell(office, ANI, " quit=no cut=2:10");
	}
	assert_int_equal(look(office).count, 1);
	store_set_clock(office->store, START + 25 * HOUR);
	assert_int_equal(look(office).count, 0);
}

static void a_message_that_has_gone_holds_nobody_up(void **state)
{
	struct test_office *office = *state;
	const int64_t id = 2;
	for (int i = 0; i < 3; i++)
		tell(office, ANI, " quit=no cut=2:10");
	WRITE(office, maildrop_delete(office->store, get_user(office, ANI).id,
			      folder_id(office, ANI, "Inbox"), &id, 1, &office->e));
	assert_int_equal(look(office).count, 0);
}

/* The writer's look, which waits for suspicion. */
static void it_is_told_of_once_a_day(void **state)
{
	struct test_office *office = *state;
	for (int i = 0; i < 3; i++)
		tell(office, ANI, " quit=no cut=2:10");
	assert_int_equal(stuck_look(office->store, &office->e), 0);
	assert_true(look(office).last.told);
	assert_int_equal(number(office, SQL("SELECT count(*) FROM events WHERE kind = 'stuck'"
					    " AND detail = 'sessions=3' /* scans events */")),
		1);
	tell(office, ANI, " quit=no cut=2:10");
	assert_true(look(office).last.told);
	assert_int_equal(look(office).last.sessions, 4);
}

static void whatever_stands_in_an_event_is_read_without_harm(void **state)
{
	static const char *const words[] = {" quit=no cut=", " quit=no cut=x:y", " quit=no cut=1",
		" quit=no cut=1:", " quit=no cut=:5", " quit=no cut=99999999999999999999:1",
		" quit=no fetched=,", " quit=no fetched=-", " quit=no fetched=5-1",
		" quit=no device= cut=777:1", " quit= cut=1:1", " quit=no"};
	struct test_office *office = *state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (int n = 0; n < 6; n++)
			tell(office, ANI, words[i]);
	assert_int_equal(look(office).count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MAIL_TEST(three_sessions_that_end_within_a_message_are_a_stuck_client),
		MAIL_TEST(other_messages_other_users_and_other_devices_are_counted_apart),
		MAIL_TEST(five_sessions_that_begin_with_the_same_and_never_quit_are_one),
		MAIL_TEST(new_mail_each_time_is_no_stuck_client),
		MAIL_TEST(who_has_got_it_with_quit_is_not_stuck),
		MAIL_TEST(what_is_a_day_old_is_forgotten),
		MAIL_TEST(a_message_that_has_gone_holds_nobody_up),
		MAIL_TEST(it_is_told_of_once_a_day),
		MAIL_TEST(whatever_stands_in_an_event_is_read_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
