/* base/bell: sessions that wait to be taken with a first question, as base/role takes them. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/parrot.h"

static void hang(struct cage *cage)
{
	assert_int_equal(bell_hang(&cage->bell, cage->dir_fd, "parrot", 0, 0, &cage->e), 0);
}

/* Sessions 0 to count - 1 connect to the socket that is not watched, where each says
 * something at once. */
static void join_waiting(struct cage *cage, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(channel_connect(&cage->sessions[i], cage->dir_fd,
					 "parrot" BELL_WAITING, &cage->e),
			0);
		ask(cage, i, SAY, "hello");
		cage->sessions[i].bell = cage->bell.rope;
	}
}

static void who_waits_is_taken_with_a_first_question(void **state)
{
	struct cage *cage = *state;
	hang(cage);
	join(cage, 1);
	start(cage);
	hear_master(cage, ROLE_READY, "");
	for (int round = 0; round < 2; round++) { /* behind the first, in which all are taken */
		ask(cage, 0, SAY, "hello");
		hear_text(cage, 0, "hello");
	}
	channel_close(&cage->sessions[0]);
	join_waiting(cage, 3);
	channel_close(&cage->sessions[0]);
	assert_int_equal(channel_receive_some(&cage->sessions[1], &cage->frame, &cage->e), 2);
	ask(cage, 2, SAY, "and a word");
	for (size_t i = 1; i < 3; i++) /* one rope is pulled for all */
		hear_text(cage, i, "hello");
	hear_text(cage, 2, "and a word");
	assert_int_equal(cage->sessions[2].bell, 0);
	do {
		ask(cage, 1, SAY_CLOSED, "");
	} while (hear_number(cage, 1, SAY_CLOSED) < 2); /* who had gone meanwhile, too */
}

static void who_waits_may_begin_with_more_than_a_socket_holds(void **state)
{
	static char much[900000];
	struct cage *cage = *state;
	memset(much, 'x', sizeof(much) - 1);
	hang(cage);
	join_waiting(cage, 1);
	start(cage);
	ask(cage, 0, SAY, much);
	hear_text(cage, 0, "hello");
	hear_text(cage, 0, much);
}

static void a_bell_that_was_rung_before_is_heard_at_the_start(void **state)
{
	struct cage *cage = *state;
	hang(cage);
	join_waiting(cage, 1);
	ask(cage, 0, SAY, "and a word");
	for (int i = 0; i < 100000; i++) /* more than a pipe holds, and nobody waits */
		bell_ring(cage->bell.rope);
	start(cage);
	hear_text(cage, 0, "hello");
	hear_text(cage, 0, "and a word");
}

/* The role before has heard the bell, and has ended before it took anybody. */
static void a_bell_that_was_heard_by_a_role_that_has_ended_calls_the_next_one(void **state)
{
	struct cage *cage = *state;
	hang(cage);
	join_waiting(cage, 1);
	ask(cage, 0, SAY, "and a word");
	bell_hear(&cage->bell);
	start(cage);
	hear_text(cage, 0, "hello");
	hear_text(cage, 0, "and a word");
}

/* However fast it is rung, it is not listened to for longer. */
static void a_bell_that_does_not_stop_is_heard_a_piece_at_a_time(void **state)
{
	struct cage *cage = *state;
	hang(cage);
	for (int i = 0; i < 100000; i++)
		bell_ring(cage->bell.rope);
	struct pollfd heard = {.fd = cage->bell.heard, .events = POLLIN};
	bell_hear(&cage->bell);
	assert_int_equal(poll(&heard, 1, 0), 1);
	start(cage);
	hear_master(cage, ROLE_READY, "");
	join_waiting(cage, 1);
	ask(cage, 0, SAY, "and a word");
	hear_text(cage, 0, "hello");
	hear_text(cage, 0, "and a word");
}

static void who_waits_where_there_is_no_descriptor_is_taken_later(void **state)
{
	struct cage *cage = *state;
	hang(cage);
	leave_room_for_some(cage);
	join_waiting(cage, 8);
	start(cage);
	bell_ring(cage->bell.rope);
	for (size_t i = 0; i < 8; i++) {
		hear_text(cage, i, "hello");
		channel_close(&cage->sessions[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PARROT_TEST(who_waits_is_taken_with_a_first_question),
		PARROT_TEST(who_waits_may_begin_with_more_than_a_socket_holds),
		PARROT_TEST(a_bell_that_was_rung_before_is_heard_at_the_start),
		PARROT_TEST(a_bell_that_was_heard_by_a_role_that_has_ended_calls_the_next_one),
		PARROT_TEST(a_bell_that_does_not_stop_is_heard_a_piece_at_a_time),
		PARROT_TEST(who_waits_where_there_is_no_descriptor_is_taken_later),
	};
	return cmocka_run_group_tests_name("bell", tests, NULL, NULL);
}
