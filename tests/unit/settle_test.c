/* store/outbox.h, outbox_settle(): what becomes of recipients whose attempt has ended, and
 * who hears of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/letters_out.h"
#include "tests/unit/office.h"

/* Takes the next message, and gives all its recipients this result; how many. */
static size_t attempt(struct test_office *office, struct job_result result)
{
	struct job job;
	assert_int_equal(WRITE(office, outbox_take(office->store, "", &job, &office->e)), 1);
	size_t count = job.count;
	struct job_result *results = must_alloc(count * sizeof(*results));
	for (size_t i = 0; i < count; i++) {
		results[i] = result;
		results[i].recipient_id = job.recipients[i].id;
	}
	if (WRITE(office, outbox_settle(office->store, &office->config, job.outgoing_id, results,
				  count, &office->e)) < 0)
		fail_msg("%s", office->e.text);
	free(results);
	job_free(&job);
	return count;
}

static const struct job_result done = {.outcome = JOB_DONE,
	.host = "mx.far.example",
	.reply = "250 2.0.0 Ok: queued as 42",
	.status = "2.0.0"};
static const struct job_result refused = {.outcome = JOB_FAILED,
	.host = "mx.far.example",
	.reply = "550 5.1.1 No such user",
	.status = "5.1.1"};
static const struct job_result later = {.outcome = JOB_LATER,
	.host = "mx.far.example",
	.reply = "451 4.7.1 Greylisted",
	.status = "4.7.1"};

static int open_office(void **state)
{
	office_setup(state);
	struct test_office *office = *state;
	office->config.max_age = 5 * 24 * HOUR;
	strcpy(office->config.postmaster, "budi@kantor.example");
	add_user(office, ANI);
	add_user(office, "budi@kantor.example");
	return 0;
}

#define SETTLE_TEST(promise) cmocka_unit_test_setup_teardown(promise, open_office, office_teardown)

static int64_t mail_of(struct test_office *office, const char *address)
{
	return get_user(office, address).messages;
}

/* Is there such text in the n-th letter in somebody's Inbox? */
static bool says(struct test_office *office, const char *address, size_t n, const char *words)
{
	struct buf text = {0};
	read_nth(office, address, "Inbox", n, &text);
	bool found = strstr(buf_text(&text), words) != NULL;
	if (!found)
		print_message("%s\n", buf_text(&text));
	buf_free(&text);
	return found;
}

static void wait_for(struct test_office *office, int64_t attempts, int64_t least, int64_t most)
{
	struct query q = db_query(office->store,
		SQL("SELECT attempts, next_try, state FROM recipients /* scans recipients */"));
	assert_int_equal(db_next(&q, &office->e), 1);
	int64_t wait = db_int(&q, 1) - store_now(office->store);
	assert_int_equal(db_int(&q, 0), attempts);
	assert_true(wait >= least && wait <= most);
	assert_true(slice_equal(db_text(&q, 2), SLICE("waiting")));
	db_end(&q);
	store_set_clock(office->store, store_now(office->store) + wait);
}

/* ---- who has it, who cannot ---- */

static void who_has_it_goes_and_the_last_takes_the_message_along(void **state)
{
	struct test_office *office = *state;
	send_out(office, FAR, OTHER, NULL);
	attempt(office, done);
	assert_int_equal(number(office, ALL_RECIPIENTS), 0);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
	assert_int_equal(number(office, SQL("SELECT refs FROM bodies /* scans bodies */")), 0);
	assert_int_equal(mail_of(office, ANI), 0);
	assert_sound(office);
}

static void what_became_of_it_is_an_event(void **state)
{
	struct test_office *office = *state;
	send_out(office, FAR, NULL, NULL);
	attempt(office, done);
	struct query q = db_query(
		office->store, SQL("SELECT kind, user_id, detail FROM events /* scans events */"));
	assert_int_equal(db_next(&q, &office->e), 1);
	assert_true(slice_equal(db_text(&q, 0), SLICE("relayed")));
	assert_int_equal(db_int(&q, 1), 5);
	struct buf detail = {0};
	buf_printf(&detail,
		"id=ABCDEFGHIJKL to=" FAR " host=mx.far.example message=<1@far.example>"
		" queued=%lld size=%zu sender=" ANI " peer=203.0.113.5"
		" reply=250 2.0.0 Ok: queued as 42",
		(long long)store_now(office->store), strlen(LETTER));
	assert_true(slice_equal(db_text(&q, 2), buf_slice(&detail)));
	buf_free(&detail);
	db_end(&q);
}

static void results_of_others_are_left_alone(void **state)
{
	struct test_office *office = *state;
	struct job job;
	send_out(office, FAR, NULL, NULL);
	send_out(office, OTHER, NULL, NULL);
	assert_int_equal(WRITE(office, outbox_take(office->store, "", &job, &office->e)), 1);
	struct job_result results[2] = {done, done};
	results[0].recipient_id = job.recipients[0].id + 1; /* waits, and of another message */
	results[1].recipient_id = 4711;
	assert_int_equal(WRITE(office, outbox_settle(office->store, &office->config,
					       job.outgoing_id, results, 2, &office->e)),
		0);
	assert_int_equal(WRITE(office, outbox_settle(office->store, &office->config, 4711, results,
					       2, &office->e)),
		0);
	assert_int_equal(number(office, ALL_RECIPIENTS), 2);
	job_free(&job);
}

static void who_is_refused_goes_and_the_sender_hears_why(void **state)
{
	struct test_office *office = *state;
	send_out(office, FAR, NULL, NULL);
	attempt(office, refused);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
	assert_int_equal(mail_of(office, ANI), 1);
	assert_true(says(office, ANI, 0, "Return-Path: <>"));
	assert_true(says(office, ANI, 0, "550 5.1.1 No such user"));
	assert_true(says(office, ANI, 0, "Final-Recipient: rfc822; " FAR));
	assert_true(says(office, ANI, 0, "Message-ID: <1@far.example>"));
	assert_sound(office);
}

static void ret_full_brings_the_whole_message_back_if_it_is_not_big(void **state)
{
	struct test_office *office = *state;
	struct buf big = {0}, back = {0};
	struct letter letter = letter_out(FAR, NULL, NULL);
	send_out(office, FAR, NULL, NULL);
	attempt(office, refused);
	letter.delivery.ret = RETURN_FULL;
	post_letter(office, &letter, SLICE(LETTER));
	attempt(office, refused);
	assert_true(says(office, ANI, 1, "Good day."));
	read_nth(office, ANI, "Inbox", 0, &back);
	assert_null(strstr(buf_text(&back), "Good day."));
	buf_add_text(&big, LETTER);
	fill(&big, 1100 * 1024);
	letter = letter_out(FAR, NULL, NULL);
	letter.delivery.ret = RETURN_FULL;
	post_letter(office, &letter, buf_slice(&big));
	attempt(office, refused);
	buf_clear(&back);
	read_nth(office, ANI, "Inbox", 2, &back);
	assert_true(back.len < 10 * 1024);
	buf_free(&big);
	buf_free(&back);
	assert_sound(office);
}

static void nobody_hears_what_he_did_not_want_to(void **state)
{
	struct test_office *office = *state;
	static const unsigned silent[] = {NOTIFY_NEVER, NOTIFY_SUCCESS, NOTIFY_DELAY};
	for (size_t i = 0; i < 3; i++) {
		struct letter letter = letter_out(FAR, NULL, NULL);
		letter.recipients[0].notify = silent[i];
		post_letter(office, &letter, SLICE(LETTER));
		attempt(office, refused);
	}
	struct letter null = letter_out(FAR, NULL, NULL);
	null.delivery.sender = SLICE("");
	post_letter(office, &null, SLICE(LETTER));
	attempt(office, refused);
	assert_int_equal(mail_of(office, ANI), 0);
	assert_int_equal(mail_of(office, "budi@kantor.example"), 0);
}

static void who_asked_for_it_hears_that_it_was_handed_on(void **state)
{
	struct test_office *office = *state;
	struct job_result passed_on = done;
	struct letter letter = letter_out(FAR, NULL, NULL);
	passed_on.dsn_passed_on = true;
	letter.recipients[0].notify = NOTIFY_SUCCESS;
	post_letter(office, &letter, SLICE(LETTER));
	attempt(office, passed_on);
	assert_int_equal(mail_of(office, ANI), 0);
	post_letter(office, &letter, SLICE(LETTER));
	attempt(office, done);
	assert_int_equal(mail_of(office, ANI), 1);
	assert_true(says(office, ANI, 0, "Action: relayed"));
}

/* ---- to whom ---- */

static void who_sent_as_somebody_outside_or_nobody_hears_at_his_own_address(void **state)
{
	struct test_office *office = *state;
	static const char *const granted[] = {"ani@elsewhere.example", "noreply@kantor.example"};
	for (int64_t i = 0; i < 2; i++) {
		struct letter letter = letter_out(FAR, NULL, NULL);
		letter.delivery.sender = slice_of(granted[i]);
		letter.delivery.user_id = get_user(office, ANI).id;
		post_letter(office, &letter, SLICE(LETTER));
		attempt(office, refused);
		assert_int_equal(mail_of(office, ANI), i + 1);
		assert_int_equal(mail_of(office, "budi@kantor.example"), 0);
		assert_int_equal(number(office, ALL_OUTGOING), 0);
	}
}

static void a_report_that_its_sender_cannot_have_goes_to_the_postmaster(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_out(FAR, NULL, NULL);
	letter.delivery.sender = SLICE("printer@kantor.example");
	post_letter(office, &letter, SLICE(LETTER));
	attempt(office, refused);
	assert_int_equal(mail_of(office, "budi@kantor.example"), 1);
	WRITE(office, users_set_quota(office->store, get_user(office, ANI).id, 1, &office->e));
	post(office, ANI, LETTER);
	send_out(office, FAR, NULL, NULL);
	attempt(office, refused);
	assert_int_equal(mail_of(office, ANI), 1);
	assert_int_equal(mail_of(office, "budi@kantor.example"), 2);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
}

static void a_report_that_breaks_off_leaves_nothing_and_goes_to_the_postmaster(void **state)
{
	struct test_office *office = *state;
	send_out(office, FAR, NULL, NULL);
	assert_int_equal(db_script(office->store,
				 "DELETE FROM folders WHERE name = 'Inbox' AND user_id ="
				 " (SELECT id FROM users WHERE address = '" ANI "')",
				 &office->e),
		0);
	attempt(office, refused);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
	assert_int_equal(mail_of(office, "budi@kantor.example"), 1);
	assert_int_equal(
		number(office,
			SQL("SELECT count(*) FROM bodies WHERE refs > 0 /* scans bodies */")),
		1);
}

static void a_report_that_nobody_can_have_does_not_undo_the_rest(void **state)
{
	struct test_office *office = *state;
	office->config.quota = 1;
	post(office, ANI, LETTER);
	post(office, "budi@kantor.example", LETTER);
	send_out(office, FAR, NULL, NULL);
	attempt(office, refused);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
	assert_int_equal(mail_of(office, ANI), 1);
	assert_int_equal(mail_of(office, "budi@kantor.example"), 1);
	assert_sound(office);
}

static void what_is_damaged_is_told_of_without_its_octets(void **state)
{
	struct test_office *office = *state;
	send_out(office, FAR, NULL, NULL);
	assert_int_equal(db_script(office->store,
				 "UPDATE pieces SET octets = zeroblob(length(octets))", &office->e),
		0);
	attempt(office, refused);
	assert_int_equal(mail_of(office, ANI), 1);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
}

/* ---- who waits ---- */

static void waits_grow_from_two_minutes_to_four_hours(void **state)
{
	struct test_office *office = *state;
	static const int64_t waits[] = {120, 240, 480, 960, 1920, 3840, 7680, 14400, 14400, 14400};
	send_out(office, FAR, NULL, NULL);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		attempt(office, later);
		wait_for(office, (int64_t)i + 1, waits[i] * 80 / 100, waits[i] * 120 / 100);
	}
}

static void after_four_hours_its_sender_hears_once_that_it_waits(void **state)
{
	struct test_office *office = *state;
	send_out(office, FAR, OTHER, NULL);
	attempt(office, later);
	pass(office, 4 * HOUR - 1);
	attempt(office, later);
	assert_int_equal(mail_of(office, ANI), 0);
	pass(office, HOUR);
	attempt(office, later);
	assert_int_equal(mail_of(office, ANI), 1);
	assert_true(says(office, ANI, 0, "Action: delayed"));
	assert_true(says(office, ANI, 0, FAR));
	assert_true(says(office, ANI, 0, OTHER));
	assert_true(says(office, ANI, 0, "451 4.7.1 Greylisted"));
	pass(office, 6 * HOUR);
	attempt(office, later);
	assert_int_equal(mail_of(office, ANI), 1);
}

static void who_is_refused_for_now_too_long_has_failed(void **state)
{
	struct test_office *office = *state;
	office->config.max_age = 20 * HOUR;
	send_out(office, FAR, NULL, NULL);
	pass(office, 20 * HOUR - 1);
	attempt(office, later);
	assert_int_equal(mail_of(office, ANI), 1); /* that it waits */
	pass(office, 5 * HOUR);
	attempt(office, later);
	assert_int_equal(number(office, ALL_OUTGOING), 0);
	assert_true(says(office, ANI, 1, "Action: failed"));
	assert_true(says(office, ANI, 1, "451 4.7.1 Greylisted"));
}

/* As a box does whose clock was dead when it started. */
static void a_clock_that_jumps_gives_nothing_up(void **state)
{
	struct test_office *office = *state;
	WRITE(office, mail_purge_step(office->store, 0, false, 1 << 20, &office->e));
	send_out(office, FAR, NULL, NULL);
	pass(office, 400 * 24 * HOUR);
	attempt(office, later);
	assert_int_equal(number(office, ALL_OUTGOING), 1);
	pass(office, -400 * 24 * HOUR);
	attempt(office, later); /* due, though its time is far ahead */
	wait_for(office, 2, 190, 290);
}

static void where_nobody_is_reached_all_that_is_due_there_gets_that_result(void **state)
{
	struct test_office *office = *state;
	const struct job_result dead = {
		.outcome = JOB_LATER, .reply = "no answer", .status = "4.4.1"};
	struct job_due due;
	for (int i = 0; i < 102; i++)
		send_out(office, FAR, OTHER, NULL);
	assert_int_equal(WRITE(office, outbox_unreachable(office->store, &office->config,
					       "far.example", &dead, &office->e)),
		1);
	assert_int_equal(WRITE(office, outbox_unreachable(office->store, &office->config,
					       "far.example", &dead, &office->e)),
		0);
	assert_int_equal(outbox_due(office->store, &office->config, &due, &office->e), 0);
	assert_int_equal(due.count, 1);
	assert_string_equal(due.destinations[0], "other.example");
	assert_int_equal(number(office, ALL_RECIPIENTS), 204);
	assert_sound(office);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SETTLE_TEST(who_has_it_goes_and_the_last_takes_the_message_along),
		SETTLE_TEST(what_became_of_it_is_an_event),
		SETTLE_TEST(results_of_others_are_left_alone),
		SETTLE_TEST(who_is_refused_goes_and_the_sender_hears_why),
		SETTLE_TEST(ret_full_brings_the_whole_message_back_if_it_is_not_big),
		SETTLE_TEST(nobody_hears_what_he_did_not_want_to),
		SETTLE_TEST(who_asked_for_it_hears_that_it_was_handed_on),
		SETTLE_TEST(who_sent_as_somebody_outside_or_nobody_hears_at_his_own_address),
		SETTLE_TEST(a_report_that_its_sender_cannot_have_goes_to_the_postmaster),
		SETTLE_TEST(a_report_that_breaks_off_leaves_nothing_and_goes_to_the_postmaster),
		SETTLE_TEST(a_report_that_nobody_can_have_does_not_undo_the_rest),
		SETTLE_TEST(what_is_damaged_is_told_of_without_its_octets),
		SETTLE_TEST(waits_grow_from_two_minutes_to_four_hours),
		SETTLE_TEST(after_four_hours_its_sender_hears_once_that_it_waits),
		SETTLE_TEST(who_is_refused_for_now_too_long_has_failed),
		SETTLE_TEST(a_clock_that_jumps_gives_nothing_up),
		SETTLE_TEST(where_nobody_is_reached_all_that_is_due_there_gets_that_result),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
