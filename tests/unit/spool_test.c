/* tools/spool.h: a message from standard input. */
#include "tools/spool.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h and stdarg.h. */
#include <cmocka.h>

/* Sends the octets down a pipe, `step` at a time, and takes the spool's out again. */
static void pass(struct slice octets, size_t step, bool dot_ends, struct buf *out)
{
	struct spool spool = {0};
	struct slice part;
	struct err e;
	int ends[2], status;
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (size_t at = 0; at < octets.len; at += step) {
			struct slice rest = slice_from(octets, at);
			if (write(ends[1], rest.at, rest.len < step ? rest.len : step) < 0)
				break;
		}
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(spool_read(&spool, ends[0], dot_ends, &e), 0);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	for (int turn = 0; turn < 2; turn++) { /* it can be sent again */
		buf_clear(out);
		spool_rewind(&spool);
		do {
			assert_int_equal(spool_next(&spool, &part, &e), 0);
			buf_add_slice(out, part);
		} while (part.len > 0);
		assert_int_equal(out->len, spool_size(&spool));
	}
	spool_free(&spool);
}

static void assert_passes(const char *given, bool dot_ends, const char *wanted)
{
	for (size_t step = 1; step < 20; step += 9) {
		struct buf out = {0};
		pass(slice_of(given), step, dot_ends, &out);
		assert_string_equal(buf_text(&out), wanted);
		buf_free(&out);
	}
}

static void what_comes_has_the_lines_of_the_store(void **state)
{
	(void)state;
	assert_passes("a\nb\r\n\nc", false, "a\r\nb\r\n\r\nc\r\n");
	assert_passes("a\rb\n", false, "a b\r\n");
	assert_passes("", false, "");
}

static void a_dot_alone_ends_it_where_it_may(void **state)
{
	(void)state;
	assert_passes("a\n.\nb\n", true, "a\r\n");
	assert_passes("a\r\n.\r\nb\n", true, "a\r\n");
	assert_passes(".\na\n", true, "");
	assert_passes("a\n.\nb\n", false, "a\r\n.\r\nb\r\n");
}

static void other_dots_are_as_they_are(void **state)
{
	static const char dots[] = "..\n.a\na.\n. \n.\r.\n...\n";
	(void)state;
	assert_passes(dots, true, "..\r\n.a\r\na.\r\n. \r\n. .\r\n...\r\n");
	assert_passes(dots, false, "..\r\n.a\r\na.\r\n. \r\n. .\r\n...\r\n");
	assert_passes("a\n.", true, "a\r\n.\r\n");
	assert_passes("a\n.\r", true, "a\r\n. \r\n");
}

static void a_long_one_comes_back_whole(void **state)
{
	static const size_t sizes[] = {SPOOL_FRONT - 1, SPOOL_FRONT, SPOOL_FRONT + 1, 3000000};
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf given = {0}, out = {0};
		while (given.len < sizes[i] - 2)
			buf_add_char(&given, (char)('a' + given.len * 7 % 23));
		buf_add_text(&given, "\r\n");
		pass(buf_slice(&given), 10000, true, &out);
		assert_true(slice_equal(buf_slice(&given), buf_slice(&out)));
		buf_free(&given);
		buf_free(&out);
	}
}

static void where_there_is_no_room_for_it_it_says_so(void **state)
{
	struct spool spool = {0};
	struct err e;
	int zeros = open("/dev/zero", O_RDONLY);
	(void)state;
	setenv("TMPDIR", "/nonexistent", 1);
	assert_int_equal(spool_read(&spool, zeros, false, &e), -1);
	assert_non_null(strstr(e.text, "/nonexistent"));
	unsetenv("TMPDIR");
	spool_free(&spool);
	close(zeros);
	assert_int_equal(spool_read(&spool, -1, false, &e), -1);
	spool_free(&spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_has_the_lines_of_the_store),
		cmocka_unit_test(a_dot_alone_ends_it_where_it_may),
		cmocka_unit_test(other_dots_are_as_they_are),
		cmocka_unit_test(a_long_one_comes_back_whole),
		cmocka_unit_test(where_there_is_no_room_for_it_it_says_so),
	};
	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
