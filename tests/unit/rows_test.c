/* tools/rows: lists for people and for programs. */
#include "tools/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

static const char *const columns[] = {"name", "last_login", "size", NULL};

static void assert_printed(
	const struct rows *rows, void (*print)(const struct rows *, FILE *), const char *wanted)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	print(rows, out);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static void fill(struct rows *rows, bool json)
{
	rows_begin(rows, columns, json);
	rows_text(rows, "ani");
	rows_time(rows, 0);
	rows_size(rows, 3355443);
	rows_text(rows, "b\xC3\xBC"
			"di");
	rows_null(rows, "never");
	rows_size(rows, 5);
}

static void people_get_a_table_with_aligned_columns(void **state)
{
	(void)state;
	struct rows rows;
	fill(&rows, false);
	assert_printed(&rows, rows_print,
		"NAME  LAST LOGIN              SIZE\n"
		"ani   1970-01-01T00:00:00Z  3.2 MB\n"
		"b\xC3\xBC"
		"di  never                    5 B\n");
	rows_free(&rows);
}

/* On a terminal a sign of East Asia takes two places, and an accent of its own none. */
static void wide_signs_take_two_places_and_accents_none(void **state)
{
	(void)state;
	struct rows rows;
	static const char *const two[] = {"name", "is", NULL};
	rows_begin(&rows, two, false);
	rows_text(&rows, "\u7530\u4E2D\u3055\u3093");
	rows_text(&rows, "x");
	rows_text(&rows, "e\u0301");
	rows_text(&rows, "x");
	rows_text(&rows, "\u202Ea");
	rows_text(&rows, "x");
	assert_printed(&rows, rows_print,
		"NAME           IS\n"
		"\u7530\u4E2D\u3055\u3093       x\n"
		"e\u0301              x\n"
		"\\xe2\\x80\\xaea  x\n");
	rows_free(&rows);
}

static void a_cell_that_is_too_wide_moves_its_own_line_alone(void **state)
{
	(void)state;
	struct rows rows;
	static const char *const two[] = {"name", "is", NULL};
	char wide[100], wanted[200];
	memset(wide, 'a', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	rows_begin(&rows, two, false);
	rows_text(&rows, wide);
	rows_text(&rows, "x");
	rows_text(&rows, "ani");
	rows_text(&rows, "x");
	snprintf(wanted, sizeof(wanted), "NAME  IS\n%s  x\nani   x\n", wide);
	assert_printed(&rows, rows_print, wanted);
	rows_free(&rows);
}

static void programs_get_an_array_of_objects(void **state)
{
	(void)state;
	struct rows rows;
	fill(&rows, true);
	assert_printed(&rows, rows_print,
		"[{\"name\": \"ani\", \"last_login\": \"1970-01-01T00:00:00Z\", \"size\": "
		"3355443},\n"
		" {\"name\": \"b\xC3\xBC"
		"di\", \"last_login\": null, \"size\": 5}]\n");
	rows_free(&rows);
}

static void an_empty_list_is_an_empty_array_or_headings_alone(void **state)
{
	(void)state;
	struct rows rows;
	rows_begin(&rows, columns, true);
	assert_printed(&rows, rows_print, "[]\n");
	rows_free(&rows);
	rows_begin(&rows, columns, false);
	assert_printed(&rows, rows_print, "NAME  LAST LOGIN  SIZE\n");
	rows_free(&rows);
}

static void one_thing_is_a_line_a_column_or_an_object(void **state)
{
	(void)state;
	struct rows rows;
	rows_begin(&rows, columns, false);
	rows_text(&rows, "ani");
	rows_null(&rows, "never");
	rows_number(&rows, -7);
	assert_printed(
		&rows, rows_print_one, "name        ani\nlast login  never\nsize        -7\n");
	rows_free(&rows);
	rows_begin(&rows, columns, true);
	rows_bool(&rows, true);
	rows_begin_array(&rows);
	rows_add_element(&rows, SLICE("a"));
	rows_add_element(&rows, SLICE("b\"c"));
	rows_end_array(&rows);
	rows_numbers(&rows, (const int64_t[]){1, 2}, 2);
	assert_printed(&rows, rows_print_one,
		"{\"name\": true, \"last_login\": [\"a\", \"b\\\"c\"], \"size\": [1, 2]}\n");
	rows_free(&rows);
}

static void assert_cell(struct slice text, bool json, const char *wanted)
{
	static const char *const one[] = {"x", NULL};
	struct rows rows;
	struct buf expected = {0};
	rows_begin(&rows, one, json);
	rows_slice(&rows, text);
	buf_printf(&expected, json ? "{\"x\": \"%s\"}\n" : "x  %s\n", wanted);
	assert_printed(&rows, rows_print_one, buf_text(&expected));
	buf_free(&expected);
	rows_free(&rows);
}

/* RFC 8259, 7; RFC 3629, 4. */
static void what_strangers_wrote_breaks_no_json(void **state)
{
	(void)state;
	assert_cell(SLICE("a\"b\\c/"), true, "a\\\"b\\\\c/");
	assert_cell(SLICE("\0\b\n\x1f\x7f"), true, "\\u0000\\u0008\\u000a\\u001f\\u007f");
	assert_cell(SLICE("\xF0\x9F\x93\xA7"), true, "\xF0\x9F\x93\xA7");
	assert_cell(SLICE("\xE4 \xC3"), true, "\\ufffd \\ufffd");
	assert_cell(SLICE("\xC0\x80\xED\xA0\x80"), true, "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd");
	assert_cell(SLICE("\xF4\x90\x80\x80"), true, "\\ufffd\\ufffd\\ufffd\\ufffd");
}

static void what_strangers_wrote_drives_no_terminal(void **state)
{
	(void)state;
	assert_cell(SLICE("\x1b[2J\r\n\0"), false, "\\x1b[2J\\x0d\\x0a\\x00");
	assert_cell(SLICE("\xC2\x9B"
			  "2J"),
		false, "\\xc2\\x9b2J");
	assert_cell(SLICE("\xFF\xC3\xA4"), false, "\\xff\xC3\xA4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_get_a_table_with_aligned_columns),
		cmocka_unit_test(wide_signs_take_two_places_and_accents_none),
		cmocka_unit_test(a_cell_that_is_too_wide_moves_its_own_line_alone),
		cmocka_unit_test(programs_get_an_array_of_objects),
		cmocka_unit_test(an_empty_list_is_an_empty_array_or_headings_alone),
		cmocka_unit_test(one_thing_is_a_line_a_column_or_an_object),
		cmocka_unit_test(what_strangers_wrote_breaks_no_json),
		cmocka_unit_test(what_strangers_wrote_drives_no_terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
