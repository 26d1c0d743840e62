/* tools/command: the command line, read by the usage that people read. */
#include "tools/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

static struct command command;
static struct command_line line;
static const char *arguments[16];
static struct err e;

/* Reads the words (the last one NULL) by a usage. */
static int parse(const char *usage, const char *const *words)
{
	command = (struct command){.name = "test", .usage = usage};
	line = (struct command_line){.command = &command};
	return command_parse(&line, words, arguments, &e);
}
#define PARSE(usage, ...) parse(usage, (const char *const[]){__VA_ARGS__, NULL})

static void arguments_are_counted_by_the_usage(void **state)
{
	(void)state;
	assert_int_equal(PARSE("ADDRESS ID... FOLDER", "a", "1", "2", "Junk"), 0);
	assert_int_equal(line.count, 4);
	assert_string_equal(line.arguments[3], "Junk");
	assert_null(line.arguments[4]);
	assert_int_equal(PARSE("ADDRESS ID... FOLDER", "a", "1"), -1);
	assert_string_equal(e.text, "FOLDER is missing");
	assert_true(line.misused);
	assert_int_equal(PARSE("ALIAS [TARGET...]", "a"), 0);
	assert_int_equal(PARSE("ALIAS [TARGET...]", "a", "b", "c"), 0);
	assert_int_equal(PARSE("ADDRESS", "a", "b"), -1);
	assert_string_equal(e.text, "\"b\" is one argument too many");
	assert_int_equal(PARSE("", "x"), -1);
	assert_int_equal(PARSE("ADDRESS NAME", "a", ""), -1);
	assert_string_equal(e.text, "NAME is empty");
	assert_true(line.misused);
	assert_int_equal(PARSE("[WORD...]", "a", ""), 0);
}

static void options_have_a_value_where_the_usage_names_one(void **state)
{
	(void)state;
	static const char usage[] = "ADDRESS [--quota SIZE] [--json]";
	assert_int_equal(PARSE(usage, "--quota", "5M", "a", "--json"), 0);
	assert_string_equal(command_option(&line, "--quota"), "5M");
	assert_string_equal(command_option(&line, "--json"), "");
	assert_string_equal(line.arguments[0], "a");
	assert_int_equal(PARSE(usage, "a"), 0);
	assert_null(command_option(&line, "--json"));
	assert_int_equal(PARSE(usage, "a", "--quota="), -1);
	assert_string_equal(e.text, "the value of --quota is empty");
	assert_int_equal(PARSE(usage, "a", "--quota", ""), -1);
	assert_int_equal(PARSE(usage, "a", "--quota"), -1);
	assert_string_equal(e.text, "--quota lacks its value");
	assert_int_equal(PARSE(usage, "a", "--json=x"), -1);
	assert_string_equal(e.text, "--json takes no value");
}

static void a_value_can_be_one_of_some_words(void **state)
{
	(void)state;
	static const char usage[] = "PATH [--format mbox|maildir|eml] [--crlf | --lf]";
	assert_int_equal(PARSE(usage, "a"), 0);
	assert_int_equal(command_choice(&line, "--format"), 0);
	assert_int_equal(PARSE(usage, "a", "--format", "mbox"), 0);
	assert_int_equal(command_choice(&line, "--format"), 0);
	assert_int_equal(PARSE(usage, "a", "--format=eml", "--crlf"), 0);
	assert_int_equal(command_choice(&line, "--format"), 2);
	assert_int_equal(PARSE(usage, "a", "--crlf", "--lf"), -1);
	static const char *const wrong[] = {"zip", "mbo", "emls", "mbox|eml", "MBOX"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(PARSE(usage, "a", "--format", wrong[i]), -1);
		assert_true(line.misused);
		assert_non_null(strstr(e.text, "is none of mbox|maildir|eml"));
	}
	assert_int_equal(PARSE(usage, "a", "--format", ""), -1);
}

static void options_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char usage[] = "[ADDRESS] [--json]";
	assert_int_equal(PARSE(usage, "--jso"), -1);
	assert_string_equal(e.text, "there is no option --jso here");
	assert_int_equal(PARSE(usage, "-j"), -1);
	assert_int_equal(PARSE(usage, "--json", "--json"), -1);
	assert_string_equal(e.text, "--json is given twice");
	assert_int_equal(PARSE(usage, "-"), 0);
	assert_int_equal(PARSE(usage, "--", "--json"), 0);
	assert_string_equal(line.arguments[0], "--json");
}

static void options_of_one_bracket_exclude_each_other(void **state)
{
	(void)state;
	static const char usage[] = "[--stdin | --generate | --hash FILE] [--json]";
	assert_int_equal(PARSE(usage, "--hash", "f", "--json"), 0);
	assert_int_equal(PARSE(usage, "--stdin", "--hash", "f"), -1);
	assert_string_equal(e.text, "--stdin and --hash exclude each other");
}

static void arguments_and_an_option_of_one_bracket_exclude_each_other(void **state)
{
	(void)state;
	static const char usage[] = "ADDRESS [ID... | --since DURATION] [--json]";
	assert_int_equal(PARSE(usage, "a"), 0);
	assert_int_equal(PARSE(usage, "a", "1", "2", "--json"), 0);
	assert_int_equal(line.count, 3);
	assert_int_equal(PARSE(usage, "--since", "3d", "a"), 0);
	assert_string_equal(command_option(&line, "--since"), "3d");
	assert_int_equal(PARSE(usage, "a", "--since", "3d", "1"), -1);
	assert_string_equal(e.text, "--since and ID exclude each other");
}

static void an_option_outside_brackets_must_be_given(void **state)
{
	(void)state;
	static const char usage[] = "--domain DOMAIN [--dir DIR]";
	assert_int_equal(PARSE(usage, "--dir", "d"), -1);
	assert_string_equal(e.text, "--domain is missing");
	assert_int_equal(PARSE(usage, "--domain", "x"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_counted_by_the_usage),
		cmocka_unit_test(options_have_a_value_where_the_usage_names_one),
		cmocka_unit_test(a_value_can_be_one_of_some_words),
		cmocka_unit_test(options_that_are_none_are_refused),
		cmocka_unit_test(options_of_one_bracket_exclude_each_other),
		cmocka_unit_test(arguments_and_an_option_of_one_bracket_exclude_each_other),
		cmocka_unit_test(an_option_outside_brackets_must_be_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
