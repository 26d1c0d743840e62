/* store/ranges.h: lists of numbers, written as they come and read again. */
#include "store/ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above. */
#include <cmocka.h>

static void assert_list(const int64_t *numbers, size_t count, const char *expected)
{
	struct ranges ranges = {0};
	for (size_t i = 0; i < count; i++)
		assert_true(ranges_add(&ranges, numbers[i], 1000));
	assert_string_equal(buf_text(&ranges.text), expected);
	ranges_free(&ranges);
}

#define LIST(expected, ...)                                                                        \
	assert_list((const int64_t[]){__VA_ARGS__},                                                \
		sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), expected)

static void numbers_one_after_the_other_are_a_run(void **state)
{
	(void)state;
	LIST("7", 7);
	LIST("7-8", 7, 8);
	LIST("7-12", 7, 8, 9, 10, 11, 12);
	LIST("7,9", 7, 9);
	LIST("1-3,5,8-9", 1, 2, 3, 5, 8, 9);
	LIST("9-11,99-100,102", 9, 10, 11, 99, 100, 102);
}

static void what_does_not_fit_is_not_added(void **state)
{
	struct ranges ranges = {0};
	(void)state;
	assert_true(ranges_add(&ranges, 8, 4));
	assert_true(ranges_add(&ranges, 9, 4));
	assert_true(ranges_add(&ranges, 10, 4));
	assert_false(ranges_add(&ranges, 12, 4));
	assert_string_equal(buf_text(&ranges.text), "8-10");
	assert_true(ranges_add(&ranges, 11, 4));
	assert_string_equal(buf_text(&ranges.text), "8-11");
	ranges_clear(&ranges);
	assert_true(ranges_add(&ranges, 12, 4));
	assert_string_equal(buf_text(&ranges.text), "12");
	ranges_free(&ranges);
}

static void a_list_holds_what_was_added_and_nothing_else(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct ranges ranges = {0};
		bool in[300] = {false};
		for (int n = 0; n < 300; n++) {
			in[n] = rand() % 100 < round / 2;
			if (in[n])
				assert_true(ranges_add(&ranges, n, 2000));
		}
		for (int n = 0; n < 300; n++)
			assert_int_equal(ranges_hold(buf_slice(&ranges.text), n), in[n]);
		ranges_free(&ranges);
	}
}

static void what_is_no_list_ends_it(void **state)
{
	static const char *const lists[] = {"", ",", "-", "x", "-5", "5-", "5-x", "1e3", "5:6",
		"99999999999999999999", " 5", "5 ", "+5"};
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct slice list = slice_of(lists[i]);
		int64_t first, last;
		assert_false(ranges_next(&list, &first, &last));
		assert_false(ranges_hold(slice_of(lists[i]), 5));
	}
	assert_true(ranges_hold(SLICE("5,x"), 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_one_after_the_other_are_a_run),
		cmocka_unit_test(what_does_not_fit_is_not_added),
		cmocka_unit_test(a_list_holds_what_was_added_and_nothing_else),
		cmocka_unit_test(what_is_no_list_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
