/* base/listen: what the words of office.ini become. Ports are ones that the
 * kernel has just given to the test. */
#include "base/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

struct place {
	char dir[32];
	int dir_fd;
	int fds[LISTENERS_MAX];
	size_t count;
	struct err e;
};

static int setup(void **state)
{
	struct place *place = must_alloc(sizeof(*place));
	strcpy(place->dir, "/tmp/officemail.XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	place->dir_fd = open(place->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	for (size_t i = 0; i < place->count; i++)
		close(place->fds[i]);
	unlinkat(place->dir_fd, "socket", 0);
	close(place->dir_fd);
	assert_int_equal(rmdir(place->dir), 0);
	free(place);
	return 0;
}

static int open_all(struct place *place, const char *list)
{
	return listen_open(list, 0, 0, place->fds, &place->count, &place->e);
}

/* The error is of that kind, and names the word. */
static void assert_fails(
	struct place *place, const char *list, enum err_kind kind, const char *word)
{
	place->e = (struct err){0};
	assert_int_equal(open_all(place, list), -1);
	assert_int_equal(place->e.kind, kind);
	if (!strstr(place->e.text, word))
		fail_msg("%s: %s", word, place->e.text);
}

/* A socket on a port of the kernel's choice; *port is what it is. */
static int take_port(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static uint16_t free_port(void)
{
	uint16_t port;
	close(take_port(&port));
	return port;
}

static bool listens(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on &&
	       fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static int family_of(int fd)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	return at.ss_family;
}

/* ---- TCP ---- */

static void each_word_of_a_list_is_bound(void **state)
{
	struct place *place = *state;
	char list[100];
	snprintf(list, sizeof(list), "127.0.0.1:%u  localhost:%u", free_port(), free_port());
	assert_int_equal(open_all(place, list), 0);
	assert_true(place->count >= 2); /* localhost may have two addresses */
	for (size_t i = 0; i < place->count; i++)
		assert_true(listens(place->fds[i]));
}

static void an_empty_list_is_off(void **state)
{
	struct place *place = *state;
	assert_int_equal(open_all(place, ""), 0);
	assert_int_equal(open_all(place, "  "), 0);
	assert_int_equal(place->count, 0);
}

/* On a box without IPv6 there is one. */
static void a_port_alone_is_bound_for_either_family_apart(void **state)
{
	struct place *place = *state;
	char port[8];
	snprintf(port, sizeof(port), "%u", free_port());
	assert_int_equal(open_all(place, port), 0);
	assert_in_range(place->count, 1, 2);
	if (place->count == 2)
		assert_int_not_equal(family_of(place->fds[0]), family_of(place->fds[1]));
	for (size_t i = 0; i < place->count; i++)
		assert_true(listens(place->fds[i]));
}

static void a_port_in_use_is_named_with_the_mend(void **state)
{
	struct place *place = *state;
	uint16_t port;
	char word[40];
	int taken = take_port(&port);
	assert_int_equal(listen(taken, 1), 0);
	snprintf(word, sizeof(word), "127.0.0.1:%u", port);
	assert_fails(place, word, ERR_IN_USE, word);
	close(taken);
	assert_int_equal(open_all(place, word), 0);
}

static void what_is_no_place_to_listen_is_named(void **state)
{
	struct place *place = *state;
	assert_fails(place, "127.0.0.1", ERR_INPUT, "127.0.0.1");
	assert_fails(place, "127.0.0.1:0", ERR_INPUT, "127.0.0.1:0");
	assert_fails(place, "127.0.0.1:65536", ERR_INPUT, "65536");
	assert_int_equal(place->count, 0);
}

static void more_listeners_than_there_is_room_for_are_refused(void **state)
{
	struct place *place = *state;
	struct buf list = {0};
	for (int i = 0; i < LISTENERS_MAX + 1; i++)
		buf_printf(&list, "127.0.1.%d:%u ", i + 1, free_port());
	assert_int_equal(open_all(place, buf_text(&list)), -1);
	assert_int_equal(place->e.kind, ERR_INPUT);
	assert_int_equal(place->count, LISTENERS_MAX);
	buf_free(&list);
}

/* ---- unix sockets ---- */

static mode_t mode_of(const struct place *place)
{
	struct stat st;
	assert_int_equal(fstatat(place->dir_fd, "socket", &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode;
}

static void a_path_is_a_unix_socket_for_owner_and_group(void **state)
{
	struct place *place = *state;
	char path[64];
	snprintf(path, sizeof(path), "%s/socket", place->dir);
	assert_int_equal(open_all(place, path), 0);
	assert_int_equal(place->count, 1);
	assert_true(listens(place->fds[0]));
	assert_int_equal(family_of(place->fds[0]), AF_UNIX);
	assert_int_equal(mode_of(place), S_IFSOCK | 0660);
}

static void root_s_socket_is_given_to_the_account(void **state)
{
	struct place *place = *state;
	struct stat st;
	if (geteuid() != 0) {
		print_message("only root can try this\n");
		skip();
	}
	int fd = listen_unix(place->dir_fd, "socket", 0600, 65534, 65533, &place->e);
	assert_true(listens(fd));
	assert_int_equal(fstatat(place->dir_fd, "socket", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65533);
	close(fd);
}

static void a_role_s_socket_is_its_own(void **state)
{
	struct place *place = *state;
	int fd = listen_unix(place->dir_fd, "socket", 0600, 0, 0, &place->e);
	assert_true(listens(fd));
	assert_int_equal(mode_of(place), S_IFSOCK | 0600);
	close(fd);
}

static void a_socket_that_nobody_listens_on_any_more_is_replaced(void **state)
{
	struct place *place = *state;
	int left = listen_unix(place->dir_fd, "socket", 0600, 0, 0, &place->e);
	close(left);
	int fd = listen_unix(place->dir_fd, "socket", 0600, 0, 0, &place->e);
	assert_true(listens(fd));
	close(fd);
}

static void a_socket_that_somebody_listens_on_is_his(void **state)
{
	struct place *place = *state;
	int his = listen_unix(place->dir_fd, "socket", 0600, 0, 0, &place->e);
	assert_int_equal(listen_unix(place->dir_fd, "socket", 0600, 0, 0, &place->e), -1);
	assert_int_equal(place->e.kind, ERR_IN_USE);
	close(his);
}

/* He is busy: nothing is accepted, and the queue is full. */
static void a_socket_with_a_full_queue_is_somebody_s_and_not_waited_for(void **state)
{
	struct place *place = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int visitors[3];
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", place->dir);
	int his = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(his, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(his, 0), 0);
	for (size_t i = 0; i < 3; i++) {
		visitors[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(visitors[i], (const struct sockaddr *)&at, sizeof(at));
	}
	assert_int_equal(listen_unix(place->dir_fd, "socket", 0600, 0, 0, &place->e), -1);
	assert_int_equal(place->e.kind, ERR_IN_USE);
	for (size_t i = 0; i < 3; i++)
		close(visitors[i]);
	close(his);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct place *place = *state;
	int file = openat(place->dir_fd, "socket", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	close(file);
	assert_int_equal(listen_unix(place->dir_fd, "socket", 0600, 0, 0, &place->e), -1);
	assert_int_equal(place->e.kind, ERR_EXISTS);
	assert_int_equal(mode_of(place), S_IFREG | 0600);
}

static void a_path_too_long_for_a_unix_socket_is_said(void **state)
{
	struct place *place = *state;
	char path[200] = "/";
	memset(path + 1, 'x', 150);
	assert_fails(place, path, ERR_INPUT, "too long");
}

#define PLACE_TEST(promise) cmocka_unit_test_setup_teardown(promise, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(each_word_of_a_list_is_bound),
		PLACE_TEST(an_empty_list_is_off),
		PLACE_TEST(a_port_alone_is_bound_for_either_family_apart),
		PLACE_TEST(a_port_in_use_is_named_with_the_mend),
		PLACE_TEST(what_is_no_place_to_listen_is_named),
		PLACE_TEST(more_listeners_than_there_is_room_for_are_refused),
		PLACE_TEST(a_path_is_a_unix_socket_for_owner_and_group),
		PLACE_TEST(root_s_socket_is_given_to_the_account),
		PLACE_TEST(a_role_s_socket_is_its_own),
		PLACE_TEST(a_socket_that_nobody_listens_on_any_more_is_replaced),
		PLACE_TEST(a_socket_that_somebody_listens_on_is_his),
		PLACE_TEST(a_socket_with_a_full_queue_is_somebody_s_and_not_waited_for),
		PLACE_TEST(a_file_that_is_no_socket_is_left_alone),
		PLACE_TEST(a_path_too_long_for_a_unix_socket_is_said),
	};
	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
