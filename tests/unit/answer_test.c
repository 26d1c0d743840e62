/* smtpd/answer: what another server answers. */
#include "smtpd/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the first three. */
#include <cmocka.h>

static struct answer answer;

static enum answer_taken take(struct slice line)
{
	/* In memory of its own, so that a look past its end is found out. */
	char *copy = malloc(line.len + 1);
	assert_non_null(copy);
	memcpy(copy, line.at, line.len);
	enum answer_taken taken = answer_take(&answer, (struct slice){copy, line.len});
	free(copy);
	return taken;
}

static enum answer_taken take_only(struct slice line)
{
	answer_start(&answer);
	return take(line);
}

static void assert_answer(unsigned code, const char *status, const char *text)
{
	assert_int_equal(answer.code, code);
	assert_string_equal(answer.status, status);
	assert_string_equal(answer.text, text);
}

static void an_answer_of_one_line_is_code_status_and_words(void **state)
{
	(void)state;
	assert_int_equal(take_only(SLICE("550 5.1.1 No such user")), ANSWER_WHOLE);
	assert_answer(550, "5.1.1", "550 5.1.1 No such user");
}

static void a_code_alone_is_an_answer(void **state)
{
	(void)state;
	assert_int_equal(take_only(SLICE("250")), ANSWER_WHOLE);
	assert_answer(250, "", "250");
	assert_int_equal(take_only(SLICE("250 ")), ANSWER_WHOLE);
	assert_answer(250, "", "250");
	assert_int_equal(take_only(SLICE("250-")), ANSWER_GOES_ON);
}

static void lines_become_one_and_what_they_repeat_stands_once(void **state)
{
	(void)state;
	assert_int_equal(take_only(SLICE("550-5.7.1 Our system has detected")), ANSWER_GOES_ON);
	assert_int_equal(take(SLICE("550-5.7.1 that this  message is")), ANSWER_GOES_ON);
	assert_int_equal(take(SLICE("550-")), ANSWER_GOES_ON);
	assert_int_equal(take(SLICE("550 5.7.1 spam. ")), ANSWER_WHOLE);
	assert_answer(
		550, "5.7.1", "550 5.7.1 Our system has detected that this  message is spam.");
	assert_int_equal(answer.lines, 4);
}

static void a_status_counts_where_its_class_is_that_of_the_code(void **state)
{
	(void)state;
	static const struct {
		const char *line, *status;
	} rows[] = {{"250 2.0.0", "2.0.0"}, {"450 4.123.999 x", "4.123.999"}, {"550 4.1.1 x", ""},
		{"250 5.1.1 x", ""}, {"354 3.0.0 go", "3.0.0"}, {"550 5.1 x", ""},
		{"550 5.1.1.1 x", ""}, {"550 5.1.1: x", ""}, {"550 5.1.1x", ""}, {"550 5..1 x", ""},
		{"550 5.1. x", ""}, {"550 5.1.1000 x", ""}, {"550 5.-1.1 x", ""},
		{"550 55.1.1 x", ""}, {"550 x 5.1.1", ""}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(take_only(slice_of(rows[i].line)), ANSWER_WHOLE);
		assert_string_equal(answer.status, rows[i].status);
		assert_string_equal(answer.text, rows[i].line);
	}
}

static void what_is_no_line_of_an_answer_makes_no_sense(void **state)
{
	(void)state;
	static const struct slice lines[] = {{"", 0}, {"2", 1}, {"25", 2}, {"+OK", 3},
		{"2500 ok", 7}, {"250ok", 5}, {"250\tok", 6}, {"250\0ok", 6}, {"250_ok", 6},
		{"999 ok", 6}, {"600 ok", 6}, {"199 ok", 6}, {"000 ok", 6}, {" 250 ok", 7},
		{"2\0 ok", 5}, {"-25 ok", 6}, {"+25 ok", 6}, {"25\xb2 ok", 6}, {"\0\0\0", 3}};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(take_only(lines[i]), ANSWER_SENSELESS);
}

static void a_code_that_changes_makes_no_sense(void **state)
{
	(void)state;
	assert_int_equal(take_only(SLICE("250-mx.far.example")), ANSWER_GOES_ON);
	assert_int_equal(take(SLICE("550 no")), ANSWER_SENSELESS);
	assert_int_equal(take_only(SLICE("250-mx.far.example")), ANSWER_GOES_ON);
	assert_int_equal(take(SLICE("SIZE 100")), ANSWER_SENSELESS);
}

static void no_more_than_100_lines_are_an_answer(void **state)
{
	(void)state;
	answer_start(&answer);
	for (unsigned i = 0; i < ANSWER_LINES_MOST - 1; i++)
		assert_int_equal(take(SLICE("220-wait")), ANSWER_GOES_ON);
	struct answer before = answer;
	assert_int_equal(take(SLICE("220 here")), ANSWER_WHOLE);
	answer = before;
	assert_int_equal(take(SLICE("220-wait")), ANSWER_GOES_ON);
	assert_int_equal(take(SLICE("220 here")), ANSWER_SENSELESS);
}

static void a_line_of_2048_octets_is_the_longest(void **state)
{
	(void)state;
	static char line[ANSWER_LINE_MOST + 1];
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	assert_int_equal(take_only((struct slice){line, ANSWER_LINE_MOST}), ANSWER_WHOLE);
	assert_int_equal(strlen(answer.text), ANSWER_TEXT_MAX - 1);
	assert_int_equal(take_only((struct slice){line, ANSWER_LINE_MOST + 1}), ANSWER_SENSELESS);
}

static void what_is_kept_is_printable_and_never_half_an_escape(void **state)
{
	(void)state;
	struct buf line = {0};
	assert_int_equal(take_only(SLICE("550 a\0b\x1b[2J\r\xc3\xa9%n\tc")), ANSWER_WHOLE);
	assert_answer(550, "", "550 a\\x00b\\x1b[2J\\x0d\\xc3\\xa9%n\\x09c");
	for (size_t len = 500; len < 520; len++) {
		buf_clear(&line);
		buf_add_text(&line, "550 ");
		while (line.len < len)
			buf_add_char(&line, 'x');
		buf_add_text(&line, "\x01\x01\x01\x01\x01");
		take_only(buf_slice(&line));
		size_t kept = strlen(answer.text);
		assert_true(kept < ANSWER_TEXT_MAX && kept >= ANSWER_TEXT_MAX - 4);
		assert_true(answer.text[kept - 1] == 'x' || answer.text[kept - 1] == '1');
	}
	buf_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_of_one_line_is_code_status_and_words),
		cmocka_unit_test(a_code_alone_is_an_answer),
		cmocka_unit_test(lines_become_one_and_what_they_repeat_stands_once),
		cmocka_unit_test(a_status_counts_where_its_class_is_that_of_the_code),
		cmocka_unit_test(what_is_no_line_of_an_answer_makes_no_sense),
		cmocka_unit_test(a_code_that_changes_makes_no_sense),
		cmocka_unit_test(no_more_than_100_lines_are_an_answer),
		cmocka_unit_test(a_line_of_2048_octets_is_the_longest),
		cmocka_unit_test(what_is_kept_is_printable_and_never_half_an_escape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
