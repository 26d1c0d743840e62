/* The loop of a role, run in a process of its own as it is in the server. The test is its
 * master and its sessions; the role is a parrot. The caller has included cmocka.h. */
#ifndef TESTS_UNIT_PARROT_H
#define TESTS_UNIT_PARROT_H

#include "base/listen.h"
#include "base/role.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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

static inline void say_number(struct role_channel *to, unsigned type, unsigned long long number)
{
	struct buf body = {0};
	pack_number(&body, number);
	role_answer(to, type, buf_slice(&body));
	buf_free(&body);
}

static inline void parrot_frame(struct role_channel *from, struct frame *frame)
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

static inline void parrot_round_end(void)
{
	for (size_t i = 0; i < parrot.asked_count; i++)
		say_number(parrot.asked[i], SAY_ROUND, parrot.frames);
	parrot.asked_count = parrot.frames = 0;
}

static inline void parrot_closed(struct role_channel *channel)
{
	parrot.closed += channel->owner == &parrot;
}

static inline void tell_master(unsigned type, struct slice body)
{
	struct err e;
	struct iovec part = {(void *)(uintptr_t)body.at, body.len};
	channel_send(&parrot.birth->master, type, &part, 1, NULL, 0, &e);
}

static inline void parrot_from_master(struct frame *frame)
{
	tell_master(FROM_MASTER, frame->fd_count == 1 ? SLICE("one descriptor") : frame->body);
}

static inline void parrot_watched(void *arg)
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

static inline int setup(void **state)
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

static inline void run_parrot(struct cage *cage, int master_fd, int watched)
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

static inline void ask(struct cage *cage, size_t session, unsigned type, const char *text)
{
	struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
	assert_int_equal(
		channel_send(&cage->sessions[session], type, &part, 1, NULL, 0, &cage->e), 0);
}

/* Sessions 0 to count - 1 connect: to a queue, as long as the role does not live. */
static inline void join(struct cage *cage, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
			channel_connect(&cage->sessions[i], cage->dir_fd, "parrot", &cage->e), 0);
}

static inline void start(struct cage *cage)
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

static inline void hear_master(struct cage *cage, unsigned type, const char *text)
{
	assert_int_equal(channel_receive(&cage->master, &cage->frame, &cage->e), 1);
	assert_int_equal(cage->frame.type, type);
	assert_true(slice_equal(cage->frame.body, slice_of(text)));
}

/* The master goes: the role ends, and ends well. */
static inline void end(struct cage *cage)
{
	int status;
	channel_close(&cage->master);
	assert_int_equal(waitpid(cage->pid, &status, 0), cage->pid);
	cage->pid = 0;
	assert_int_equal(status, 0);
}

static inline int teardown(void **state)
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

static inline void hear(struct cage *cage, size_t session, unsigned type)
{
	assert_int_equal(channel_receive(&cage->sessions[session], &cage->frame, &cage->e), 1);
	assert_int_equal(cage->frame.type, type);
}

static inline void hear_text(struct cage *cage, size_t session, const char *text)
{
	hear(cage, session, SAY);
	assert_true(slice_equal(cage->frame.body, slice_of(text)));
}

static inline uint64_t hear_number(struct cage *cage, size_t session, unsigned type)
{
	hear(cage, session, type);
	struct unpack in = {.rest = cage->frame.body};
	uint64_t number = unpack_number(&in);
	assert_int_equal(unpack_end(&in, &cage->e), 0);
	return number;
}

/* The session is sent away, and another is served as before. */
static inline void assert_sent_away(struct cage *cage, size_t session, size_t other)
{
	assert_true(channel_receive(&cage->sessions[session], &cage->frame, &cage->e) <= 0);
	ask(cage, other, SAY, "still there");
	hear_text(cage, other, "still there");
}

/* The role will have descriptors for some of the eight sessions, and not for all. */
static inline void leave_room_for_some(struct cage *cage)
{
	int next = dup(0);
	close(next);
	cage->most_files = (rlim_t)next + 7;
}

#define PARROT_TEST(promise) cmocka_unit_test_setup_teardown(promise, setup, teardown)

#endif
