/* base/role: the loop of a role. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/parrot.h"

/* Until two have asked. */
static int64_t parrot_gather_us(void)
{
	return parrot.asked_count == 1 ? 60 * 1000000 : 0;
}

static int parrot_idle(void)
{
	parrot.idle++;
	return 1;
}

static void it_says_that_it_serves_answers_and_ends_with_its_master(void **state)
{
	struct cage *cage = *state;
	join(cage, 2);
	start(cage);
	hear_master(cage, ROLE_READY, "");
	ask(cage, 0, SAY, "good day");
	ask(cage, 1, SAY, "hello");
	hear_text(cage, 0, "good day");
	hear_text(cage, 1, "hello");
	end(cage);
	assert_int_equal(channel_receive(&cage->sessions[0], &cage->frame, &cage->e), 0);
}

static void what_came_together_is_one_round(void **state)
{
	struct cage *cage = *state;
	join(cage, 3);
	for (size_t i = 0; i < 3; i++)
		ask(cage, i, SAY_ROUND, "");
	start(cage);
	assert_int_equal(hear_number(cage, 0, SAY_ROUND), 3);
	assert_int_equal(hear_number(cage, 1, SAY_ROUND), 3);
	assert_int_equal(hear_number(cage, 2, SAY_ROUND), 3);
}

static void a_round_takes_no_more_frames_than_it_may(void **state)
{
	struct cage *cage = *state;
	cage->program.round_frames = 2;
	join(cage, 1);
	for (int i = 0; i < 5; i++)
		ask(cage, 0, SAY_ROUND, "");
	start(cage);
	assert_int_equal(hear_number(cage, 0, SAY_ROUND), 2);
	assert_int_equal(hear_number(cage, 0, SAY_ROUND), 2);
	assert_int_equal(hear_number(cage, 0, SAY_ROUND), 2);
	assert_int_equal(hear_number(cage, 0, SAY_ROUND), 2);
	assert_int_equal(hear_number(cage, 0, SAY_ROUND), 1);
}

static void a_round_takes_no_more_octets_than_it_may(void **state)
{
	struct cage *cage = *state;
	cage->program.round_octets = 10;
	join(cage, 1);
	ask(cage, 0, SAY, "0123456789");
	ask(cage, 0, SAY_ROUND, "");
	start(cage);
	hear_text(cage, 0, "0123456789");
	assert_int_equal(hear_number(cage, 0, SAY_ROUND), 1);
}

static void who_asks_several_things_at_once_is_answered_in_order(void **state)
{
	struct cage *cage = *state;
	struct buf frames = {0};
	channel_add_frame(&frames, SAY, SLICE("one"));
	channel_add_frame(&frames, SAY, SLICE("two"));
	channel_add_frame(&frames, REFUSE, SLICE(""));
	join(cage, 2);
	start(cage);
	assert_int_equal(channel_send_frames(&cage->sessions[0], &frames, &cage->e), 0);
	hear_text(cage, 0, "one");
	hear_text(cage, 0, "two");
	assert_sent_away(cage, 0, 1);
	buf_free(&frames);
}

static void a_round_may_wait_for_more(void **state)
{
	struct cage *cage = *state;
	cage->program.gather_us = parrot_gather_us;
	join(cage, 3);
	ask(cage, 0, SAY_ROUND, "");
	start(cage);
	hear_master(cage, ROLE_READY, "");
	ask(cage, 2, SAY, "not for the end of the round");
	hear_text(cage, 2, "not for the end of the round");
	channel_close(&cage->sessions[2]); /* its end keeps nobody awake */
	ask(cage, 1, SAY_ROUND, "");
	assert_int_equal(hear_number(cage, 0, SAY_ROUND), 3);
	assert_int_equal(hear_number(cage, 1, SAY_ROUND), 3);
}

static void who_does_not_read_is_not_waited_for(void **state)
{
	struct cage *cage = *state;
	join(cage, 2);
	start(cage);
	ask(cage, 0, SAY_BIG, "");
	ask(cage, 1, SAY, "meanwhile");
	hear_text(cage, 1, "meanwhile");
	hear(cage, 0, SAY_BIG);
	assert_int_equal(cage->frame.body.len, BIG);
	ask(cage, 0, SAY, "behind it");
	hear_text(cage, 0, "behind it");
}

static void who_asks_on_and_does_not_read_is_sent_away(void **state)
{
	struct cage *cage = *state;
	join(cage, 2);
	start(cage);
	ask(cage, 0, SAY_BIG, "");
	for (int i = 0; i < 10000; i++) /* the last may find it gone */
		channel_send(&cage->sessions[0], SAY, NULL, 0, NULL, 0, &cage->e);
	do {
		ask(cage, 1, SAY_CLOSED, "");
	} while (hear_number(cage, 1, SAY_CLOSED) == 0);
	assert_true(channel_receive(&cage->sessions[0], &cage->frame, &cage->e) <= 0);
}

static void who_never_reads_is_sent_away(void **state)
{
	struct cage *cage = *state;
	join(cage, 2);
	start(cage);
	ask(cage, 0, SAY_70_BIG, ""); /* 64 MB are kept for it */
	do {
		ask(cage, 1, SAY_CLOSED, "");
	} while (hear_number(cage, 1, SAY_CLOSED) == 0);
	int got;
	while ((got = channel_receive(&cage->sessions[0], &cage->frame, &cage->e)) == 1)
		continue;
	assert_true(got <= 0);
}

static void an_error_reaches_the_session_with_its_words(void **state)
{
	struct cage *cage = *state;
	join(cage, 1);
	start(cage);
	ask(cage, 0, FAIL, "");
	hear(cage, 0, ROLE_ERROR);
	assert_int_equal(role_error_read(cage->frame.body, &cage->e), -1);
	assert_int_equal(cage->e.kind, ERR_QUOTA);
	assert_string_equal(cage->e.text, "the cage is full");
	assert_int_equal(role_error_read(SLICE("none"), &cage->e), -1);
	assert_int_equal(cage->e.kind, ERR_IO);
}

static void each_channel_that_ends_is_told_once(void **state)
{
	struct cage *cage = *state;
	join(cage, 4);
	start(cage);
	for (size_t i = 0; i < 3; i++) {
		ask(cage, i, SAY, "here");
		hear_text(cage, i, "here");
	}
	channel_close(&cage->sessions[0]);
	ask(cage, 1, REFUSE, "");
	assert_sent_away(cage, 1, 3);
	do {
		ask(cage, 3, SAY_CLOSED, "");
	} while (hear_number(cage, 3, SAY_CLOSED) < 2);
	ask(cage, 3, SAY_CLOSED, "");
	assert_int_equal(hear_number(cage, 3, SAY_CLOSED), 2);
}

static void a_frame_that_is_none_ends_its_channel_alone(void **state)
{
	struct cage *cage = *state;
	const uint32_t head[2] = {UINT32_MAX, SAY};
	join(cage, 2);
	start(cage);
	assert_int_equal(send(cage->sessions[0].fd, head, sizeof(head), 0), sizeof(head));
	assert_sent_away(cage, 0, 1);
}

static void a_session_that_sends_a_descriptor_is_sent_away(void **state)
{
	struct cage *cage = *state;
	join(cage, 2);
	start(cage);
	assert_int_equal(
		channel_send(&cage->sessions[0], SAY, NULL, 0, &cage->dir_fd, 1, &cage->e), 0);
	assert_sent_away(cage, 0, 1);
}

static void half_a_frame_holds_up_nobody(void **state)
{
	struct cage *cage = *state;
	struct buf octets = {0};
	join(cage, 2);
	start(cage);
	channel_add_frame(&octets, SAY, SLICE("in two halves"));
	assert_int_equal(send(cage->sessions[0].fd, octets.at, 10, 0), 10);
	ask(cage, 1, SAY, "whole");
	hear_text(cage, 1, "whole");
	assert_int_equal(
		send(cage->sessions[0].fd, octets.at + 10, octets.len - 10, 0), octets.len - 10);
	hear_text(cage, 0, "in two halves");
	buf_free(&octets);
}

static void settings_are_taken_over_and_other_frames_of_the_master_handed_on(void **state)
{
	struct cage *cage = *state;
	struct config fresh = {.hostname = "mail.kantor.example"};
	struct iovec part = {&fresh, sizeof(fresh)};
	cage->most_files = 64;
	join(cage, 1);
	start(cage);
	hear_master(cage, ROLE_READY, "");
	assert_int_equal(channel_send(&cage->master, ROLE_CONFIG, &part, 1, NULL, 0, &cage->e), 0);
	/* Its descriptor is closed behind the call, or they would run out. */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(channel_send(&cage->master, ROLE_FRAME_OWN, NULL, 0, &cage->dir_fd,
					 1, &cage->e),
			0);
		hear_master(cage, FROM_MASTER, "one descriptor");
	}
	ask(cage, 0, SAY_HOSTNAME, "");
	hear(cage, 0, SAY_HOSTNAME);
	assert_true(slice_equal(cage->frame.body, SLICE("mail.kantor.example")));
}

static void a_watched_descriptor_calls_until_it_is_unwatched(void **state)
{
	struct cage *cage = *state;
	join(cage, 1);
	start(cage);
	hear_master(cage, ROLE_READY, "");
	assert_int_equal(write(cage->watched, "x", 1), 1);
	hear_master(cage, WATCHED, "an octet");
	assert_int_equal(shutdown(cage->watched, SHUT_WR), 0);
	ask(cage, 0, SAY, "goes on");
	hear_text(cage, 0, "goes on");
}

static void where_nothing_comes_there_is_time_for_other_things(void **state)
{
	struct cage *cage = *state;
	cage->program.idle = parrot_idle;
	join(cage, 1);
	start(cage);
	do {
		ask(cage, 0, SAY_IDLE, "");
	} while (hear_number(cage, 0, SAY_IDLE) < 3);
}

static void a_channel_for_which_there_is_no_descriptor_waits_for_one(void **state)
{
	struct cage *cage = *state;
	leave_room_for_some(cage);
	join(cage, 8);
	start(cage);
	for (size_t i = 0; i < 8; i++)
		ask(cage, i, SAY, "me, too");
	for (size_t i = 0; i < 8; i++) {
		hear_text(cage, i, "me, too");
		channel_close(&cage->sessions[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PARROT_TEST(it_says_that_it_serves_answers_and_ends_with_its_master),
		PARROT_TEST(what_came_together_is_one_round),
		PARROT_TEST(a_round_takes_no_more_frames_than_it_may),
		PARROT_TEST(a_round_takes_no_more_octets_than_it_may),
		PARROT_TEST(who_asks_several_things_at_once_is_answered_in_order),
		PARROT_TEST(a_round_may_wait_for_more),
		PARROT_TEST(who_does_not_read_is_not_waited_for),
		PARROT_TEST(who_asks_on_and_does_not_read_is_sent_away),
		PARROT_TEST(who_never_reads_is_sent_away),
		PARROT_TEST(an_error_reaches_the_session_with_its_words),
		PARROT_TEST(each_channel_that_ends_is_told_once),
		PARROT_TEST(a_frame_that_is_none_ends_its_channel_alone),
		PARROT_TEST(a_session_that_sends_a_descriptor_is_sent_away),
		PARROT_TEST(half_a_frame_holds_up_nobody),
		PARROT_TEST(settings_are_taken_over_and_other_frames_of_the_master_handed_on),
		PARROT_TEST(a_watched_descriptor_calls_until_it_is_unwatched),
		PARROT_TEST(where_nothing_comes_there_is_time_for_other_things),
		PARROT_TEST(a_channel_for_which_there_is_no_descriptor_waits_for_one),
	};
	return cmocka_run_group_tests_name("role", tests, NULL, NULL);
}
