/* smtpd/fields: a header, and what milters make of it. */
#include "smtpd/fields.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

static struct fields fields;
static struct buf text;

static int empty(void **state)
{
	(void)state;
	fields_free(&fields);
	buf_free(&text);
	return 0;
}

static size_t reads(const char *message)
{
	return fields_read(&fields, slice_of(message));
}

static void assert_text(const char *wanted)
{
	buf_clear(&text);
	fields_add_text(&fields, &text);
	assert_string_equal(buf_text(&text), wanted);
	assert_int_equal(fields_length(&fields), strlen(wanted));
}

static void assert_pair(size_t n, bool blanks, const char *name, const char *value)
{
	struct slice rest;
	buf_clear(&text);
	fields_add_pair(&fields, n, blanks, &text);
	rest = buf_slice(&text);
	assert_true(slice_equal(slice_cut(&rest, '\0'), slice_of(name)));
	assert_true(slice_equal(slice_cut(&rest, '\0'), slice_of(value)));
	assert_int_equal(rest.len, 0);
}

static bool inserts(uint32_t n, const char *name, const char *value)
{
	return fields_insert(&fields, n, slice_of(name), slice_of(value), false);
}

static bool changes(uint32_t n, const char *name, const char *value)
{
	return fields_change(&fields, n, slice_of(name), slice_of(value), false);
}

static void fields_end_at_the_blank_line_or_where_there_is_none(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		size_t length, count;
	} rows[] = {{"A: b\r\nC: d\r\n e\r\n\r\nx: y\r\n", 16, 2}, {"\r\nA: b\r\n", 0, 0},
		{"", 0, 0}, {"A: b\r\nno field\r\nC: d\r\n\r\n", 6, 1}, {" A: b\r\n\r\n", 0, 0},
		{": b\r\n\r\n", 0, 0}, {"A b: c\r\n\r\n", 0, 0}, {"A : b\r\n\r\n", 7, 1},
		{"A:\r\n\r\n", 4, 1}, {"A\r\n: b\r\n\r\n", 0, 0}, {"\x80: b\r\n\r\n", 0, 0},
		{"A: b\r\n", 6, 1}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(reads(rows[i].message), rows[i].length);
		assert_int_equal(fields.count, rows[i].count);
		assert_false(fields.changed);
		fields_free(&fields);
	}
}

static void a_milter_gets_names_and_values_with_folds_as_lines(void **state)
{
	(void)state;
	reads("Subject: a\r\n\tb\r\nX:c\r\nY:  d\r\nZ :\r\n\r\n");
	assert_pair(0, false, "Subject", "a\n\tb");
	assert_pair(0, true, "Subject", " a\n\tb");
	assert_pair(1, false, "X", "c");
	assert_pair(2, false, "Y", " d");
	assert_pair(3, false, "Z", "");
}

static void what_is_inserted_stands_where_it_was_wanted(void **state)
{
	(void)state;
	reads("A: 1\r\nB: 2\r\n\r\n");
	assert_true(inserts(0, "X", "0") && inserts(1, "Y", "1") && inserts(4, "Z", "4"));
	assert_text("Y: 1\r\nX: 0\r\nA: 1\r\nZ: 4\r\nB: 2\r\n");
	assert_true(inserts(6, "L", "last") && inserts(INT32_MAX, "M", "") && fields.changed);
	assert_text("Y: 1\r\nX: 0\r\nA: 1\r\nZ: 4\r\nB: 2\r\nL: last\r\nM: \r\n");
}

static void the_nth_of_a_name_is_changed_taken_away_or_added(void **state)
{
	(void)state;
	reads("A: 1\r\na: 2\r\nB: 3\r\n\r\n");
	assert_true(changes(2, "A", "two") && changes(0, "B", "x"));
	assert_text("A: 1\r\nA: two\r\nB: x\r\n");
	assert_true(changes(1, "a", "") && changes(2, "A", "") && changes(9, "C", ""));
	assert_text("A: two\r\nB: x\r\n");
	assert_true(changes(3, "A", "new"));
	assert_text("A: two\r\nB: x\r\nA: new\r\n");
}

static void no_name_and_no_value_makes_another_field(void **state)
{
	(void)state;
	static const char *const names[] = {"", "A B", "A:", "A\r\nB", "\t", "\x80"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_false(inserts(0, names[i], "x"));
		assert_false(changes(1, names[i], "x"));
	}
	assert_int_equal(fields.count, 0);
	static const struct {
		const char *value, *text;
	} rows[] = {{"a\nBcc: b", "X: a\r\n\tBcc: b\r\n"}, {"a\r\n b", "X: a\r\n b\r\n"},
		{"a\r\rb", "X: a  b\r\n"}, {"a\n\n\nb", "X: a\r\n\tb\r\n"},
		{"a\n \t\r\n b", "X: a\r\n\tb\r\n"}, {"\n\n", "X: \r\n"},
		{"a \r\n\r\n", "X: a\r\n"}, {"\na", "X: \r\n\ta\r\n"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(inserts(0, "X", rows[i].value));
		assert_text(rows[i].text);
		fields_free(&fields);
	}
}

static void what_we_added_is_told_from_what_came(void **state)
{
	(void)state;
	static const char *const yes[] = {"X-Spam: Yes", "x-spam:yes", "X-Spam:  YES "};
	static const char *const no[] = {"X-Spam: No", "X-Spam: Y", "X-Spam:", "", ":", "X: Yes"};
	reads("X-Spam: Yes\r\nA: b\r\n\r\n");
	assert_false(fields_have_ours(&fields, SLICE("X-Spam: Yes")));
	inserts(0, "X-SPAM", "yes");
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(fields_have_ours(&fields, slice_of(yes[i])));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(fields_have_ours(&fields, slice_of(no[i])));
	changes(1, "X-Spam", "");
	assert_false(fields_have_ours(&fields, SLICE("X-Spam: Yes")));
	changes(1, "X-Spam", "Yes");
	struct fields copy = {0};
	fields_copy(&copy, &fields);
	assert_true(fields_have_ours(&copy, SLICE("X-Spam: Yes")) && copy.changed);
	fields_free(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			fields_end_at_the_blank_line_or_where_there_is_none, empty),
		cmocka_unit_test_teardown(
			a_milter_gets_names_and_values_with_folds_as_lines, empty),
		cmocka_unit_test_teardown(what_is_inserted_stands_where_it_was_wanted, empty),
		cmocka_unit_test_teardown(the_nth_of_a_name_is_changed_taken_away_or_added, empty),
		cmocka_unit_test_teardown(no_name_and_no_value_makes_another_field, empty),
		cmocka_unit_test_teardown(what_we_added_is_told_from_what_came, empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
