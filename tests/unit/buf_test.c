/* base/buf: octets, owned and borrowed. */
#include "base/buf.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs some of the above. */
#include <cmocka.h>

static void assert_slice(struct slice got, const char *wanted)
{
	assert_int_equal(got.len, strlen(wanted));
	assert_true(got.len == 0 || memcmp(got.at, wanted, got.len) == 0);
}

static void a_zeroed_buf_is_empty_and_can_be_freed(void **state)
{
	(void)state;
	struct buf buf = {0};
	assert_int_equal(buf_slice(&buf).len, 0);
	buf_clear(&buf);
	buf_drop(&buf, 0);
	buf_free(&buf);
	buf_wipe(&buf);
	assert_string_equal(buf_text(&buf), "");
	buf_free(&buf);
}

static void a_buf_grows_and_keeps_nuls(void **state)
{
	(void)state;
	struct buf buf = {0};
	for (int i = 0; i < 10000; i++)
		buf_add_char(&buf, (char)(i % 7));
	assert_int_equal(buf.len, 10000);
	for (size_t i = 0; i < buf.len; i++)
		assert_int_equal(buf.at[i], i % 7);
	buf_free(&buf);
}

static void text_and_numbers_are_appended(void **state)
{
	(void)state;
	struct buf buf = {0};
	buf_add_text(&buf, "a");
	buf_add_slice(&buf, SLICE("bc"));
	buf_add(&buf, "defg", 2);
	buf_printf(&buf, "%s-%d", "x", 42);
	buf_add_slice(&buf, (struct slice){0});
	assert_string_equal(buf_text(&buf), "abcdex-42");
	assert_int_equal(buf.len, 9);
	buf_free(&buf);
}

static void dropping_takes_octets_from_the_front(void **state)
{
	(void)state;
	struct buf buf = {0};
	buf_add_text(&buf, "hello world");
	buf_drop(&buf, 6);
	assert_string_equal(buf_text(&buf), "world");
	buf_drop(&buf, 5);
	assert_int_equal(buf.len, 0);
	buf_free(&buf);
}

static void what_is_reserved_can_be_written_directly(void **state)
{
	(void)state;
	struct buf buf = {0};
	memcpy(buf_reserve(&buf, 5000), "abc", 3);
	buf.len += 3;
	assert_slice(buf_slice(&buf), "abc");
	buf_free(&buf);
}

static void slices_compare_as_octets(void **state)
{
	(void)state;
	assert_true(slice_equal(SLICE("ab\0c"), SLICE("ab\0c")));
	assert_false(slice_equal(SLICE("ab\0c"), SLICE("ab\0d")));
	assert_false(slice_equal(SLICE("ab"), SLICE("abc")));
	assert_true(slice_equal((struct slice){0}, SLICE("")));
}

static void case_is_folded_for_ascii_letters_alone(void **state)
{
	(void)state;
	assert_true(slice_equal_nocase(SLICE("Mail-FROM"), SLICE("mAIL-from")));
	assert_false(slice_equal_nocase(SLICE("a@"), SLICE("a`")));
	assert_false(slice_equal_nocase(SLICE("[x"), SLICE("{x")));
	assert_false(slice_equal_nocase(SLICE("\xC4"), SLICE("\xE4")));
	assert_false(slice_equal_nocase(SLICE("a"), SLICE("ab")));
}

static void prefixes_are_told(void **state)
{
	(void)state;
	assert_true(slice_has_prefix(SLICE("EHLO x"), SLICE("EHLO")));
	assert_true(slice_has_prefix(SLICE("x"), SLICE("")));
	assert_false(slice_has_prefix(SLICE("EH"), SLICE("EHLO")));
}

static void trimming_takes_blanks_and_tabs_alone(void **state)
{
	(void)state;
	assert_slice(slice_trim(SLICE(" \t a b\t ")), "a b");
	assert_slice(slice_trim(SLICE(" \t ")), "");
	assert_slice(slice_trim(SLICE("\r\n")), "\r\n");
	assert_slice(slice_trim((struct slice){0}), "");
}

static void cutting_leaves_what_is_behind_the_octet(void **state)
{
	(void)state;
	struct slice rest = SLICE("one two  three");
	assert_slice(slice_cut(&rest, ' '), "one");
	assert_slice(slice_cut(&rest, ' '), "two");
	assert_slice(slice_cut(&rest, ' '), "");
	assert_slice(slice_cut(&rest, ' '), "three");
	assert_slice(rest, "");
	assert_slice(slice_cut(&rest, ' '), "");
}

static void from_past_the_end_is_empty(void **state)
{
	(void)state;
	assert_slice(slice_from(SLICE("abc"), 1), "bc");
	assert_slice(slice_from(SLICE("abc"), 3), "");
	assert_slice(slice_from(SLICE("abc"), 99), "");
	assert_slice(slice_from((struct slice){0}, 1), "");
}

static void secrets_compare_equal_or_not(void **state)
{
	(void)state;
	assert_true(equal_constant_time("abc", "abc", 3));
	assert_false(equal_constant_time("abc", "abd", 3));
	assert_false(equal_constant_time("abc", "bbc", 3));
	assert_true(equal_constant_time("", "", 0));
}

static void wiping_leaves_zeros(void **state)
{
	(void)state;
	char secret[] = "secret";
	wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(secret[i], 0);
}

static rlim_t all_memory;

static void give_memory_back(int signal)
{
	(void)signal;
	setrlimit(RLIMIT_AS, &(struct rlimit){all_memory, all_memory});
}

/* In a process of its own, which has hardly any memory for the time of a blink.
 * Its exit status, or the negative number of the signal that ended it. */
static int ask_for_memory_in_want(bool wait)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		const struct itimerval blink = {.it_value.tv_usec = 50000};
		struct rlimit limit;
		close(STDERR_FILENO);
		getrlimit(RLIMIT_AS, &limit);
		all_memory = limit.rlim_max;
		signal(SIGALRM, give_memory_back);
		signal(SIGABRT, SIG_DFL);
		limit.rlim_cur = 1 << 20;
		setrlimit(RLIMIT_AS, &limit);
		setitimer(ITIMER_REAL, &blink, NULL);
		must_wait_for_memory(wait);
		_exit(*(char *)must_alloc(64 << 20));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void lack_of_memory_ends_the_process_or_is_waited_out(void **state)
{
	(void)state;
#ifdef SANITIZED
	skip(); /* its allocator knows no such limit */
#endif
	assert_int_equal(ask_for_memory_in_want(false), -SIGABRT);
	assert_int_equal(ask_for_memory_in_want(true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_buf_is_empty_and_can_be_freed),
		cmocka_unit_test(a_buf_grows_and_keeps_nuls),
		cmocka_unit_test(text_and_numbers_are_appended),
		cmocka_unit_test(dropping_takes_octets_from_the_front),
		cmocka_unit_test(what_is_reserved_can_be_written_directly),
		cmocka_unit_test(slices_compare_as_octets),
		cmocka_unit_test(case_is_folded_for_ascii_letters_alone),
		cmocka_unit_test(prefixes_are_told),
		cmocka_unit_test(trimming_takes_blanks_and_tabs_alone),
		cmocka_unit_test(cutting_leaves_what_is_behind_the_octet),
		cmocka_unit_test(from_past_the_end_is_empty),
		cmocka_unit_test(secrets_compare_equal_or_not),
		cmocka_unit_test(wiping_leaves_zeros),
		cmocka_unit_test(lack_of_memory_ends_the_process_or_is_waited_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
