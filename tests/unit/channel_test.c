/* base/channel.h: frames and descriptors over a unix socket, and what happens
 * to those who send something else. */
#include "base/channel.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define LONG_FRAME (300u * 1024) /* octets: more than a socket holds */

struct pair {
	struct channel near, far;
	struct frame frame;
	struct err e;
};

static int setup(void **state)
{
	struct pair *pair = must_alloc(sizeof(*pair));
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	channel_open(&pair->near, fds[0]);
	channel_open(&pair->far, fds[1]);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;
	channel_close(&pair->near);
	channel_close(&pair->far);
	free(pair);
	return 0;
}

/* What a hostile process writes to its end. */
static void write_raw(struct pair *pair, const void *octets, size_t len)
{
	assert_int_equal(send(pair->near.fd, octets, len, 0), len);
}

static void write_head(struct pair *pair, uint32_t len, uint16_t type, uint16_t fd_count)
{
	const struct {
		uint32_t len;
		uint16_t type, fd_count;
	} head = {len, type, fd_count};
	write_raw(pair, &head, sizeof(head));
}

static void send_text(struct pair *pair, unsigned type, const char *text)
{
	struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
	assert_int_equal(channel_send(&pair->near, type, &part, 1, NULL, 0, &pair->e), 0);
}

static void assert_receives(struct pair *pair, unsigned type, const char *text)
{
	assert_int_equal(channel_receive(&pair->far, &pair->frame, &pair->e), 1);
	assert_int_equal(pair->frame.type, type);
	assert_true(slice_equal(pair->frame.body, slice_of(text)));
}

static void assert_refuses(struct pair *pair)
{
	pair->e = (struct err){0};
	assert_int_equal(channel_receive_some(&pair->far, &pair->frame, &pair->e), -1);
	assert_int_equal(pair->e.kind, ERR_INPUT);
	assert_true(pair->e.text[0] != '\0');
}

/* ---- frames ---- */

static void frames_arrive_one_by_one_in_their_order(void **state)
{
	struct pair *pair = *state;
	send_text(pair, 7, "first");
	send_text(pair, 8, "");
	send_text(pair, 65535, "third");
	assert_receives(pair, 7, "first");
	assert_receives(pair, 8, "");
	assert_receives(pair, 65535, "third");
	assert_int_equal(channel_receive_some(&pair->far, &pair->frame, &pair->e), 2);
}

static void a_frame_of_several_parts_is_one(void **state)
{
	struct pair *pair = *state;
	struct iovec parts[] = {{(void *)"a ", 2}, {NULL, 0}, {(void *)"whole", 5}};
	assert_int_equal(channel_send(&pair->near, 1, parts, 3, NULL, 0, &pair->e), 0);
	assert_receives(pair, 1, "a whole");
}

static void a_frame_is_not_there_before_its_last_octet_is(void **state)
{
	struct pair *pair = *state;
	struct buf octets = {0};
	channel_add_frame(&octets, 5, SLICE("octet by octet"));
	for (size_t i = 0; i + 1 < octets.len; i++) {
		write_raw(pair, octets.at + i, 1);
		assert_int_equal(channel_receive_some(&pair->far, &pair->frame, &pair->e), 2);
	}
	write_raw(pair, octets.at + octets.len - 1, 1);
	assert_receives(pair, 5, "octet by octet");
	buf_free(&octets);
}

static void a_frame_longer_than_a_socket_holds_arrives_whole(void **state)
{
	struct pair *pair = *state;
	struct buf body = {0};
	for (uint32_t i = 0; i < LONG_FRAME / sizeof(i); i++)
		buf_add(&body, &i, sizeof(i));
	fflush(NULL);
	pid_t sender = fork();
	if (sender == 0)
		_exit(channel_send_buf(&pair->near, 3, &body, &pair->e) < 0);
	assert_int_equal(channel_receive(&pair->far, &pair->frame, &pair->e), 1);
	assert_true(slice_equal(pair->frame.body, buf_slice(&body)));
	int status;
	assert_int_equal(waitpid(sender, &status, 0), sender);
	assert_int_equal(status, 0);
	buf_free(&body);
}

static void a_frame_over_the_limit_is_not_sent(void **state)
{
	struct pair *pair = *state;
	struct buf body = {0};
	buf_reserve(&body, CHANNEL_FRAME_MAX + 1);
	body.len = CHANNEL_FRAME_MAX + 1;
	assert_int_equal(channel_send_buf(&pair->near, 3, &body, &pair->e), -1);
	assert_int_equal(pair->e.kind, ERR_TOO_BIG);
	send_text(pair, 4, "still in step");
	assert_receives(pair, 4, "still in step");
	buf_free(&body);
}

/* ---- the other side goes, or lies ---- */

static void the_end_between_two_frames_is_orderly(void **state)
{
	struct pair *pair = *state;
	send_text(pair, 1, "last words");
	assert_false(channel_is_gone(&pair->far));
	channel_close(&pair->near);
	assert_true(channel_is_gone(&pair->far));
	assert_true(channel_is_gone(&pair->near));
	assert_receives(pair, 1, "last words");
	assert_int_equal(channel_receive(&pair->far, &pair->frame, &pair->e), 0);
}

static void the_end_inside_a_frame_is_none_of_the_kind(void **state)
{
	struct pair *pair = *state;
	write_head(pair, 100, 1, 0);
	write_raw(pair, "half of it", 10);
	channel_close(&pair->near);
	assert_int_equal(channel_receive(&pair->far, &pair->frame, &pair->e), -1);
	assert_int_equal(pair->e.kind, ERR_GONE);
}

static void sending_to_one_who_has_gone_says_so(void **state)
{
	struct pair *pair = *state;
	channel_close(&pair->far);
	assert_int_equal(channel_send(&pair->near, 1, NULL, 0, NULL, 0, &pair->e), -1);
	assert_int_equal(pair->e.kind, ERR_GONE);
}

static void one_who_does_not_read_is_not_waited_for_where_nobody_may_wait(void **state)
{
	struct pair *pair = *state;
	struct buf body = {0};
	buf_reserve(&body, CHANNEL_FRAME_MAX);
	body.len = CHANNEL_FRAME_MAX;
	assert_int_equal(fcntl(pair->near.fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(channel_send_buf(&pair->near, 3, &body, &pair->e), -1);
	assert_int_equal(pair->e.kind, ERR_GONE);
	buf_free(&body);
}

static void wake(int number)
{
	(void)number;
}

static void who_waits_for_a_frame_and_gets_none_is_told_so(void **state)
{
	struct pair *pair = *state;
	const struct sigaction awake = {.sa_handler = wake};
	fcntl(pair->far.fd, F_SETFL, O_NONBLOCK);
	sigaction(SIGALRM, &awake, NULL);
	ualarm(1000, 1000);
	assert_int_equal(channel_receive(&pair->far, &pair->frame, &pair->e), -1);
	ualarm(0, 0);
	assert_int_equal(pair->e.kind, ERR_GONE);
	assert_int_equal(channel_receive_some(&pair->far, &pair->frame, &pair->e), 2);
}

static void a_frame_of_4_gb_is_none(void **state)
{
	write_head(*state, UINT32_MAX, 1, 0);
	assert_refuses(*state);
}

static void a_frame_just_over_the_limit_is_none(void **state)
{
	write_head(*state, CHANNEL_FRAME_MAX + 1, 1, 0);
	assert_refuses(*state);
}

/* ---- descriptors ---- */

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int lowest_free(void)
{
	int fd = dup(0);
	close(fd);
	return fd;
}

static void descriptors_travel_with_their_frame(void **state)
{
	struct pair *pair = *state;
	struct stat sent, got;
	int fds[2];
	pair->far.takes_fds = true;
	assert_int_equal(pipe(fds), 0);
	send_text(pair, 1, "without");
	assert_int_equal(channel_send(&pair->near, 2, NULL, 0, fds, 2, &pair->e), 0);
	send_text(pair, 3, "behind");
	assert_receives(pair, 1, "without");
	assert_int_equal(pair->frame.fd_count, 0);
	assert_receives(pair, 2, "");
	assert_int_equal(pair->frame.fd_count, 2);
	assert_true(is_open(pair->frame.fds[1]));
	assert_int_equal(fcntl(pair->frame.fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(fds[0], &sent), 0);
	assert_int_equal(fstat(pair->frame.fds[0], &got), 0);
	assert_int_equal(sent.st_ino, got.st_ino);
	channel_close_frame(&pair->frame);
	assert_false(is_open(pair->frame.fds[0]));
	assert_receives(pair, 3, "behind");
	close(fds[0]);
	close(fds[1]);
}

static void descriptors_nobody_took_are_closed_with_the_channel(void **state)
{
	struct pair *pair = *state;
	int fds[2];
	char octet;
	pair->far.takes_fds = true;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(channel_send(&pair->near, 2, NULL, 0, &fds[1], 1, &pair->e), 0);
	close(fds[1]);
	write_head(pair, 10, 1, 0);
	assert_receives(pair, 2, "");
	channel_close_frame(&pair->frame);
	assert_int_equal(read(fds[0], &octet, 1), 0); /* nobody holds the other end */
	close(fds[0]);
}

/* A lock of fcntl(2) ends when its process closes any descriptor of the file:
 * who could hand one to the writer could take its locks from it. */
static void a_descriptor_that_is_not_wanted_is_refused_and_never_opened(void **state)
{
	struct pair *pair = *state;
	char path[] = "/tmp/officemail.XXXXXX";
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int locked = mkstemp(path);
	assert_true(locked >= 0);
	assert_int_equal(fcntl(locked, F_SETLK, &lock), 0);
	int other = open(path, O_RDWR | O_CLOEXEC);
	fflush(NULL);
	pid_t sender = fork(); /* whose close() ends no lock of ours */
	if (sender == 0)
		_exit(channel_send(&pair->near, 1, NULL, 0, &other, 1, &pair->e) < 0);
	int status;
	assert_int_equal(waitpid(sender, &status, 0), sender);
	assert_int_equal(status, 0);
	int lowest = lowest_free();
	assert_refuses(pair);
	assert_int_equal(lowest_free(), lowest);
	pid_t looker = fork();
	if (looker == 0) {
		bool held = fcntl(locked, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
		_exit(!held);
	}
	assert_int_equal(waitpid(looker, &status, 0), looker);
	assert_int_equal(status, 0);
	close(other);
	close(locked);
	unlink(path);
}

static void a_frame_that_claims_descriptors_it_has_not_is_refused(void **state)
{
	struct pair *pair = *state;
	pair->far.takes_fds = true;
	write_head(pair, 0, 1, 1);
	assert_refuses(pair);
}

static void a_frame_of_more_descriptors_than_it_can_have_is_refused(void **state)
{
	struct pair *pair = *state;
	pair->far.takes_fds = true;
	write_head(pair, 0, 1, CHANNEL_FDS_MAX + 1);
	assert_refuses(pair);
}

/* ---- connecting ---- */

static void a_socket_is_reached_however_long_its_directory_s_path_is(void **state)
{
	char path[300] = "/tmp/officemail.XXXXXX";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct pair *pair = *state;
	struct channel channel;
	assert_non_null(mkdtemp(path));
	size_t top = strlen(path);
	memset(path + top, 'x', 200);
	path[top] = '/';
	assert_int_equal(mkdir(path, 0700), 0);
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/role", dir);
	assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof(at)), 0);

	assert_int_equal(channel_connect(&channel, dir, "role", &pair->e), -1);
	assert_int_equal(channel.fd, -1);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(channel_connect(&channel, dir, "role", &pair->e), 0);
	channel_close(&channel);
	assert_int_equal(channel_connect(&channel, dir, "nobody", &pair->e), -1);
	close(listener);
	assert_int_equal(unlinkat(dir, "role", 0), 0);
	close(dir);
	rmdir(path);
	path[top] = '\0';
	rmdir(path);
}

/* ---- fields ---- */

static void fields_come_out_as_they_went_in(void **state)
{
	const unsigned char fixed[3] = {1, 0, 255};
	unsigned char out[3];
	char text[6];
	struct buf body = {0};
	struct err e;
	(void)state;
	pack_number(&body, UINT64_MAX);
	pack_text(&body, "hello");
	pack_slice(&body, SLICE("a\0b"));
	pack_fixed(&body, fixed, sizeof(fixed));
	pack_text(&body, "");
	struct unpack in = {.rest = buf_slice(&body)};
	assert_true(unpack_number(&in) == UINT64_MAX);
	unpack_text(&in, text, sizeof(text));
	assert_string_equal(text, "hello");
	assert_true(slice_equal(unpack_slice(&in), SLICE("a\0b")));
	unpack_fixed(&in, out, sizeof(out));
	assert_memory_equal(out, fixed, sizeof(fixed));
	unpack_text(&in, text, sizeof(text));
	assert_string_equal(text, "");
	assert_int_equal(unpack_end(&in, &e), 0);
	buf_free(&body);
}

static void a_field_that_is_not_there_spoils_all_behind_it(void **state)
{
	char text[4] = "abc";
	unsigned char fixed[2] = {1, 1};
	struct err e;
	struct unpack in = {.rest = SLICE("\1\0\0")};
	(void)state;
	assert_true(unpack_number(&in) == 0);
	assert_true(in.failed);
	assert_int_equal(unpack_slice(&in).len, 0);
	unpack_text(&in, text, sizeof(text));
	assert_string_equal(text, "");
	unpack_fixed(&in, fixed, sizeof(fixed));
	assert_int_equal(fixed[0], 0);
	assert_int_equal(unpack_end(&in, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
}

static void a_length_past_the_end_of_the_frame_is_none(void **state)
{
	static const uint64_t lengths[] = {
		6, UINT32_MAX, (UINT64_C(1) << 32) + 1, UINT64_MAX - 7, UINT64_MAX};
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buf body = {0};
		pack_number(&body, lengths[i]);
		buf_add_text(&body, "short");
		struct unpack in = {.rest = buf_slice(&body)};
		assert_int_equal(unpack_slice(&in).len, 0);
		assert_true(in.failed);
		buf_free(&body);
	}
}

static void a_text_holds_no_nul_and_fits(void **state)
{
	static const struct slice bad[] = {
		{"a\0b", 3}, {"\0", 1}, {"12345", 5}, {"longer than the room", 20}};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[5];
		struct buf body = {0};
		pack_slice(&body, bad[i]);
		struct unpack in = {.rest = buf_slice(&body)};
		unpack_text(&in, text, sizeof(text));
		assert_string_equal(text, "");
		assert_true(in.failed);
		buf_free(&body);
	}
}

static void what_is_left_over_is_no_frame_of_that_kind(void **state)
{
	struct buf body = {0};
	struct err e;
	(void)state;
	pack_number(&body, 1);
	buf_add_char(&body, 'x');
	struct unpack in = {.rest = buf_slice(&body)};
	assert_true(unpack_number(&in) == 1);
	assert_int_equal(unpack_end(&in, &e), -1);
	buf_free(&body);
}

static void gathered_frames_are_cut_off_one_by_one(void **state)
{
	struct buf all = {0};
	unsigned type;
	(void)state;
	channel_add_frame(&all, 1, SLICE("one"));
	channel_add_frame(&all, 2, SLICE(""));
	struct unpack in = {.rest = buf_slice(&all)};
	assert_true(slice_equal(channel_cut_frame(&in, &type), SLICE("one")));
	assert_int_equal(type, 1);
	assert_int_equal(channel_cut_frame(&in, &type).len, 0);
	assert_int_equal(type, 2);
	assert_false(in.failed);
	assert_int_equal(in.rest.len, 0);
	buf_free(&all);
}

#define PAIR_TEST(promise) cmocka_unit_test_setup_teardown(promise, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(frames_arrive_one_by_one_in_their_order),
		PAIR_TEST(a_frame_of_several_parts_is_one),
		PAIR_TEST(a_frame_is_not_there_before_its_last_octet_is),
		PAIR_TEST(a_frame_longer_than_a_socket_holds_arrives_whole),
		PAIR_TEST(a_frame_over_the_limit_is_not_sent),
		PAIR_TEST(the_end_between_two_frames_is_orderly),
		PAIR_TEST(the_end_inside_a_frame_is_none_of_the_kind),
		PAIR_TEST(sending_to_one_who_has_gone_says_so),
		PAIR_TEST(one_who_does_not_read_is_not_waited_for_where_nobody_may_wait),
		PAIR_TEST(who_waits_for_a_frame_and_gets_none_is_told_so),
		PAIR_TEST(a_frame_of_4_gb_is_none),
		PAIR_TEST(a_frame_just_over_the_limit_is_none),
		PAIR_TEST(descriptors_travel_with_their_frame),
		PAIR_TEST(descriptors_nobody_took_are_closed_with_the_channel),
		PAIR_TEST(a_descriptor_that_is_not_wanted_is_refused_and_never_opened),
		PAIR_TEST(a_frame_that_claims_descriptors_it_has_not_is_refused),
		PAIR_TEST(a_frame_of_more_descriptors_than_it_can_have_is_refused),
		PAIR_TEST(a_socket_is_reached_however_long_its_directory_s_path_is),
		cmocka_unit_test(fields_come_out_as_they_went_in),
		cmocka_unit_test(a_field_that_is_not_there_spoils_all_behind_it),
		cmocka_unit_test(a_length_past_the_end_of_the_frame_is_none),
		cmocka_unit_test(a_text_holds_no_nul_and_fits),
		cmocka_unit_test(what_is_left_over_is_no_frame_of_that_kind),
		cmocka_unit_test(gathered_frames_are_cut_off_one_by_one),
	};
	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
