/* store/hashing: the helpers and the queue before them. The test runs in a role,
 * as the directory does; the helpers are stopped and let go on by signal, so that
 * what waits behind what is no matter of time. */
#include "base/listen.h"
#include "base/role.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "store/hashing.h"
#include "store/password.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define HASH     "$y$j75$kantorexample.an$dhr6WWbNOZTxEToGPFbYOQzEZtl3JKg04Fwhl03VYS6"
#define PASSWORD "rahasia-ani"
/* Of the old server: SHA-256. */
#define OLD_HASH "$5$rounds=1000$kantor$eAos37pDVGrspM8QXGRhf/.XdlcmyDMqWyAK.j2lD/4"

#define DONE (ROLE_FRAME_OWN + 1) /* to the master: the letters of what was done */

struct question {
	char letter;
	const char *address, *hash, *password;
	const char *device; /* a second hash */
};

/* ---- the role ---- */

static struct {
	struct role_birth *birth;
	const struct question *questions;
	char answers[64];
	size_t done, count;
	char go_on_after; /* this letter done, the first helper goes on */
	pid_t helpers[2];
} role;

static void find_helpers(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *children = fopen(path, "r");
	if (!children || fscanf(children, "%d %d", &role.helpers[0], &role.helpers[1]) != 2)
		abort();
	fclose(children);
}

static void done(void *arg, int which, const char *new_hash)
{
	const struct question *question = arg;
	struct err e;
	size_t len = strlen(role.answers);
	bool alike =
		new_hash[0] && question->device && password_is_alike(new_hash, question->device);
	snprintf(role.answers + len, sizeof(role.answers) - len, "%s%c%s",
		which > 0    ? "+"
		: which == 0 ? ""
			     : "!",
		question->letter,
		alike         ? "="
		: new_hash[0] ? "*"
			      : "");
	if (question->letter == role.go_on_after)
		kill(role.helpers[0], SIGCONT);
	if (++role.done == role.count) {
		struct buf body = {0};
		buf_add_text(&body, role.answers);
		channel_send_buf(&role.birth->master, DONE, &body, &e);
		buf_free(&body);
	}
}

static void ask_all(struct frame *frame)
{
	(void)frame;
	for (size_t i = 0; i < role.count; i++) {
		const struct question *q = &role.questions[i];
		struct peer source;
		if (!peer_parse(&source, q->address))
			abort();
		const char *hashes[] = {q->hash, q->device};
		hashing_ask(&source, slice_of(q->password), hashes, q->device ? 2 : q->hash != NULL,
			done, (void *)(uintptr_t)q);
	}
	if (role.go_on_after)
		kill(role.helpers[1], SIGCONT);
}

static void no_frame(struct role_channel *from, struct frame *frame)
{
	(void)from;
	(void)frame;
}

static void nothing_to_free(struct role_channel *channel)
{
	(void)channel;
}

static int run(struct role_birth *birth)
{
	const struct role_program program = {.name = "directory",
		.frame = no_frame,
		.closed = nothing_to_free,
		.from_master = ask_all};
	struct peer known;
	struct err e;
	role.birth = birth;
	if (!peer_parse(&known, "192.0.2.99"))
		return -1;
	peers_learn(&known, text_monotonic_ms());
	if (hashing_begin(&e) < 0)
		return -1;
	find_helpers();
	for (size_t i = 0; role.go_on_after && i < 2; i++)
		kill(role.helpers[i], SIGSTOP);
	return role_run(&program, birth, &e);
}

/* ---- the test's side ---- */

/* Asks all at once. With `go_on_after` the helpers are stopped before, the second
 * goes on when all have been asked and the first when that letter is done. What
 * was done, in order: "!" stands before a wrong one and "+" before the second hash's,
 * "*" behind one whose hash is to be replaced, "=" where by one like the second. */
static void assert_done(
	const struct question *questions, size_t count, char go_on_after, const char *expected)
{
	static struct config config;
	char dir[] = "/tmp/officemail.XXXXXX";
	struct channel master;
	struct frame frame;
	struct err e;
	int pair[2], status;
	assert_non_null(mkdtemp(dir));
	int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int listener = listen_unix(dir_fd, "directory", 0600, 0, 0, &e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		struct role_birth birth = {
			.config = &config, .listener = listener, .run_dir = dir_fd};
		close(pair[0]);
		channel_open(&birth.master, pair[1]);
		role.questions = questions;
		role.count = count;
		role.go_on_after = go_on_after;
		exit(run(&birth) < 0);
	}
	close(pair[1]);
	channel_open(&master, pair[0]);
	assert_int_equal(channel_receive(&master, &frame, &e), 1);
	assert_int_equal(frame.type, ROLE_READY);
	assert_int_equal(channel_send(&master, ROLE_FRAME_OWN, NULL, 0, NULL, 0, &e), 0);
	assert_int_equal(channel_receive(&master, &frame, &e), 1);
	assert_int_equal(frame.type, DONE);
	struct buf order = {0};
	buf_add_slice(&order, frame.body);
	assert_string_equal(buf_text(&order), expected);
	buf_free(&order);
	channel_close(&master);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(listener);
	unlinkat(dir_fd, "directory", 0);
	close(dir_fd);
	rmdir(dir);
}

static void a_password_is_right_or_wrong(void **state)
{
	static char endless[PASSWORD_MAX + 2];
	memset(endless, 'x', PASSWORD_MAX + 1);
	const struct question questions[] = {
		{'a', "192.0.2.1", HASH, PASSWORD, NULL},
		{'b', "192.0.2.1", HASH, "rahasia", NULL},
		{'c', "192.0.2.1", HASH, "", NULL},
		{'d', "192.0.2.1", NULL, PASSWORD, NULL},
		{'e', "192.0.2.1", NULL, "", NULL},
		{'f', "192.0.2.1", HASH, endless, NULL},
		{'g', "192.0.2.1", "no hash at all", PASSWORD, NULL},
		{'h', "192.0.2.1", HASH, PASSWORD, NULL},
	};
	(void)state;
	assert_done(questions, 8, '\0', "a!b!c!d!e!f!gh");
}

static void who_guesses_waits_behind_himself_and_known_addresses_come_first(void **state)
{
	const struct question questions[] = {
		{'a', "2001:db8::1", HASH, PASSWORD,
			NULL}, /* the first helper's, which stands still */
		{'b', "198.51.100.1", HASH, PASSWORD, NULL}, /* the second's */
		{'c', "2001:db8::1", HASH, PASSWORD, NULL},  /* waits for a */
		{'d', "2001:db8::2", HASH, PASSWORD, NULL},  /* too: it is the same network */
		{'e', "198.51.100.2", HASH, PASSWORD, NULL}, /* in turn */
		{'f', "192.0.2.99", HASH, PASSWORD, NULL},   /* somebody has logged in from there */
		{'g', "198.51.100.3", HASH, PASSWORD, NULL}, /* in turn */
	};
	(void)state;
	assert_done(questions, 7, 'g', "bfegacd");
}

static void a_hash_of_another_kind_is_to_be_replaced(void **state)
{
	const struct question questions[] = {
		{'a', "192.0.2.1", OLD_HASH, PASSWORD, NULL},
		{'b', "192.0.2.1", OLD_HASH, "rahasia", NULL},
		{'c', "192.0.2.1", HASH, PASSWORD, NULL},
	};
	(void)state;
	assert_done(questions, 3, '\0', "a*!bc");
}

static void a_device_s_password_is_told_from_the_own_one(void **state)
{
	/* Of "telepon", with the setting of HASH. */
	static char device[HASH_MAX];
	struct err e;
	(void)state;
	assert_int_equal(password_hash_like(SLICE("telepon"), HASH, device, &e), 0);
	const struct question questions[] = {
		{'a', "192.0.2.1", HASH, PASSWORD, device},
		{'b', "192.0.2.1", HASH, "telepon", device},
		{'c', "192.0.2.1", HASH, "rahasia", device},
		{'d', "192.0.2.1", OLD_HASH, PASSWORD, device}, /* takes their setting */
		{'e', "192.0.2.1", OLD_HASH, "telepon", device},
		{'f', "192.0.2.1", OLD_HASH, "rahasia", device},
	};
	assert_done(questions, 6, '\0', "a+b!cd=+e!f");
}

static int prepare(void **state)
{
	struct err e;
	(void)state;
	return sandbox_prepare(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_right_or_wrong),
		cmocka_unit_test(who_guesses_waits_behind_himself_and_known_addresses_come_first),
		cmocka_unit_test(a_hash_of_another_kind_is_to_be_replaced),
		cmocka_unit_test(a_device_s_password_is_told_from_the_own_one),
	};
	return cmocka_run_group_tests_name("hashing", tests, prepare, NULL);
}
