/* base/role: the loop of a role, run in a process of its own as it is in the
 * server. The test is its master and its sessions; the role is a parrot. */
#include "base/listen.h"
#include "base/role.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define BIG (1000u * 1024) /* octets: a frame's, more than a socket holds */

/* ---- the role ---- */

enum {
	SAY = ROLE_FRAME_OWN, /* answers with the same octets */
	SAY_BIG,              /* answers with BIG octets */
	SAY_70_BIG,           /* answers 70 times so */
	SAY_ROUND,            /* answers with the number of frames in its round, at its end */
	SAY_CLOSED,           /* how many channels have been closed */
	SAY_HOSTNAME,         /* of the settings */
	SAY_IDLE,             /* how often nothing came */
	FAIL,                 /* an error for an answer */
	REFUSE,
	FROM_MASTER, /* to the master: what else it sent */
	WATCHED,     /* to the master: the watched descriptor could be read */
};

static struct {
	struct role_birth *birth;
	struct role_channel *asked[8];
	size_t asked_count, frames;
	unsigned long long closed, idle;
	int watched;
} parrot;

static void say_number(struct role_channel *to, unsigned type, unsigned long long number)
{
	struct buf body = {0};
	pack_number(&body, number);
	role_answer(to, type, buf_slice(&body));
	buf_free(&body);
}

static void parrot_frame(struct role_channel *from, struct frame *frame)
{
	static char big[BIG];
	struct err e;
	from->owner = &parrot;
	parrot.frames++;
	switch (frame->type) {
	case SAY:
		role_answer(from, SAY, frame->body);
		break;
	case SAY_BIG:
		role_answer(from, SAY_BIG, (struct slice){big, BIG});
		break;
	case SAY_70_BIG:
		for (int i = 0; i < 70; i++)
			role_answer(from, SAY_BIG, (struct slice){big, BIG});
		break;
	case SAY_ROUND:
		parrot.asked[parrot.asked_count++] = from;
		break;
	case SAY_CLOSED:
		say_number(from, SAY_CLOSED, parrot.closed);
		break;
	case SAY_HOSTNAME:
		role_answer(from, SAY_HOSTNAME, slice_of(parrot.birth->config->hostname));
		break;
	case SAY_IDLE:
		say_number(from, SAY_IDLE, parrot.idle);
		break;
	case FAIL:
		err_set(&e, ERR_QUOTA, "the cage is full");
		role_answer_error(from, &e);
		break;
	default:
		role_refuse(from, "says what no parrot understands");
		role_answer(from, SAY, SLICE("never sent"));
	}
}

/* Until two have asked. */
static int64_t parrot_gather_us(void)
{
	return parrot.asked_count == 1 ? 60 * 1000000 : 0;
}

static void parrot_round_end(void)
{
	for (size_t i = 0; i < parrot.asked_count; i++)
		say_number(parrot.asked[i], SAY_ROUND, parrot.frames);
	parrot.asked_count = parrot.frames = 0;
}

static void parrot_closed(struct role_channel *channel)
{
	parrot.closed += channel->owner == &parrot;
}

static int parrot_idle(void)
{
	parrot.idle++;
	return 1;
}

static void tell_master(unsigned type, struct slice body)
{
	struct err e;
	struct iovec part = {(void *)(uintptr_t)body.at, body.len};
	channel_send(&parrot.birth->master, type, &part, 1, NULL, 0, &e);
}

static void parrot_from_master(struct frame *frame)
{
	tell_master(FROM_MASTER, frame->fd_count == 1 ? SLICE("one descriptor") : frame->body);
}

static void parrot_watched(void *arg)
{
	char octet;
	if (read(parrot.watched, &octet, 1) != 1) {
		role_unwatch(parrot.watched);
		return;
	}
	tell_master(WATCHED, slice_of(arg));
}

/* ---- the test's side ---- */

struct cage {
	char dir[32];
	int dir_fd, listener;
	struct bell bell; /* hung where the test wants one */
	pid_t pid;        /* 0: it has ended */
	struct channel master;
	struct channel sessions[8];
	int watched; /* the other end of what the role watches */
	struct role_program program;
	struct config config;
	rlim_t most_files; /* 0: as many as there are */
	struct frame frame;
	struct err e;
};

static int setup(void **state)
{
	struct cage *cage = must_alloc(sizeof(*cage));
	strcpy(cage->dir, "/tmp/officemail.XXXXXX");
	assert_non_null(mkdtemp(cage->dir));
	cage->dir_fd = open(cage->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cage->listener = listen_unix(cage->dir_fd, "parrot", 0600, 0, 0, &cage->e);
	assert_true(cage->listener >= 0);
	for (size_t i = 0; i < 8; i++)
		cage->sessions[i].fd = -1;
	cage->program = (struct role_program){.name = "parrot",
		.frame = parrot_frame,
		.closed = parrot_closed,
		.round_end = parrot_round_end,
		.from_master = parrot_from_master};
	*state = cage;
	return 0;
}

static void run_parrot(struct cage *cage, int master_fd, int watched)
{
	struct rlimit files;
	struct role_birth birth = {

		.config = &cage->config,
		.listener = cage->listener,
		.bell = cage->bell,
		.run_dir = cage->dir_fd};
	struct err e;
	channel_open(&birth.master, master_fd);
	birth.master.takes_fds = true;
	parrot.birth = &birth;
	parrot.watched = watched;
	role_watch(watched, parrot_watched, "an octet");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = cage->most_files ? cage->most_files : files.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &files);
	_exit(role_run(&cage->program, &birth, &e) < 0);
}

static void ask(struct cage *cage, size_t session, unsigned type, const char *text)
{
	struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
	assert_int_equal(
		channel_send(&cage->sessions[session], type, &part, 1, NULL, 0, &cage->e), 0);
}

/* Sessions 0 to count - 1 connect: to a queue, as long as the role does not live. */
static void join(struct cage *cage, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
			channel_connect(&cage->sessions[i], cage->dir_fd, "parrot", &cage->e), 0);
}

/* The same at the socket that is not watched, where each says something at once. */
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

static void start(struct cage *cage)
{
	int pair[2], watched[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, watched), 0);
	fflush(NULL);
	cage->pid = fork();
	if (cage->pid == 0) {
		close(pair[0]);
		close(watched[0]);
		for (size_t i = 0; i < 8; i++)
			channel_close(&cage->sessions[i]);
		run_parrot(cage, pair[1], watched[1]);
	}
	close(cage->listener);
	close(pair[1]);
	close(watched[1]);
	cage->watched = watched[0];
	channel_open(&cage->master, pair[0]);
}

static void hear_master(struct cage *cage, unsigned type, const char *text)
{
	assert_int_equal(channel_receive(&cage->master, &cage->frame, &cage->e), 1);
	assert_int_equal(cage->frame.type, type);
	assert_true(slice_equal(cage->frame.body, slice_of(text)));
}

/* The master goes: the role ends, and ends well. */
static void end(struct cage *cage)
{
	int status;
	channel_close(&cage->master);
	assert_int_equal(waitpid(cage->pid, &status, 0), cage->pid);
	cage->pid = 0;
	assert_int_equal(status, 0);
}

static int teardown(void **state)
{
	struct cage *cage = *state;
	if (cage->pid)
		end(cage);
	for (size_t i = 0; i < 8; i++)
		channel_close(&cage->sessions[i]);
	close(cage->watched);
	if (cage->bell.rope) {
		close(cage->bell.waiting);
		close(cage->bell.heard);
		close(cage->bell.rope);
		unlinkat(cage->dir_fd, "parrot" BELL_WAITING, 0);
	}
	unlinkat(cage->dir_fd, "parrot", 0);
	close(cage->dir_fd);
	rmdir(cage->dir);
	free(cage);
	return 0;
}

static void hear(struct cage *cage, size_t session, unsigned type)
{
	assert_int_equal(channel_receive(&cage->sessions[session], &cage->frame, &cage->e), 1);
	assert_int_equal(cage->frame.type, type);
}

static void hear_text(struct cage *cage, size_t session, const char *text)
{
	hear(cage, session, SAY);
	assert_true(slice_equal(cage->frame.body, slice_of(text)));
}

static uint64_t hear_number(struct cage *cage, size_t session, unsigned type)
{
	hear(cage, session, type);
	struct unpack in = {.rest = cage->frame.body};
	uint64_t number = unpack_number(&in);
	assert_int_equal(unpack_end(&in, &cage->e), 0);
	return number;
}

/* The session is sent away, and another is served as before. */
static void assert_sent_away(struct cage *cage, size_t session, size_t other)
{
	assert_true(channel_receive(&cage->sessions[session], &cage->frame, &cage->e) <= 0);
	ask(cage, other, SAY, "still there");
	hear_text(cage, other, "still there");
}

/* ---- what it promises ---- */

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
	int next = dup(0);
	close(next);
	cage->most_files = (rlim_t)next + 7; /* room for some of the eight */
	join(cage, 8);
	start(cage);
	for (size_t i = 0; i < 8; i++)
		ask(cage, i, SAY, "me, too");
	for (size_t i = 0; i < 8; i++) {
		hear_text(cage, i, "me, too");
		channel_close(&cage->sessions[i]);
	}
}

static void hang(struct cage *cage)
{
	assert_int_equal(bell_hang(&cage->bell, cage->dir_fd, "parrot", 0, 0, &cage->e), 0);
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
	int next = dup(0);
	close(next);
	cage->most_files = (rlim_t)next + 7;
	join_waiting(cage, 8);
	start(cage);
	bell_ring(cage->bell.rope);
	for (size_t i = 0; i < 8; i++) {
		hear_text(cage, i, "hello");
		channel_close(&cage->sessions[i]);
	}
}

#define PARROT_TEST(promise) cmocka_unit_test_setup_teardown(promise, setup, teardown)

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
		PARROT_TEST(who_waits_is_taken_with_a_first_question),
		PARROT_TEST(who_waits_may_begin_with_more_than_a_socket_holds),
		PARROT_TEST(a_bell_that_was_rung_before_is_heard_at_the_start),
		PARROT_TEST(a_bell_that_was_heard_by_a_role_that_has_ended_calls_the_next_one),
		PARROT_TEST(a_bell_that_does_not_stop_is_heard_a_piece_at_a_time),
		PARROT_TEST(who_waits_where_there_is_no_descriptor_is_taken_later),
	};
	return cmocka_run_group_tests_name("role", tests, NULL, NULL);
}
