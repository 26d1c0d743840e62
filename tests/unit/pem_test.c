/* base/pem: objects cut out of a text. */
#include "base/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What comes of a text: "NAME=octets " for each object, "- " for a faulty one. */
static void assert_objects(const char *text, const char *expected)
{
	struct slice rest = slice_of(text);
	struct buf octets = {0}, found = {0};
	char name[PEM_NAME_MAX];
	int outcome;
	while ((outcome = pem_next(&rest, name, &octets)) != 0)
		if (outcome == 1)
			buf_printf(&found, "%s=%.*s ", name, (int)octets.len, octets.at);
		else
			buf_add_text(&found, "- ");
	assert_string_equal(buf_text(&found), expected);
	buf_free(&octets);
	buf_free(&found);
}

static void objects_come_in_their_order_whatever_stands_between(void **state)
{
	(void)state;
	assert_objects("", "");
	assert_objects("a word\n", "");
	assert_objects("# one\n-----BEGIN A-----\nb25l\n-----END A-----\n\n# two\n"
		       "-----BEGIN B C-----\ndHdv\nIG9y\nIDM=\n-----END B C-----\n# no more\n",
		"A=one B C=two or 3 ");
	assert_objects("-----BEGIN A-----\n-----END A-----\n", "A= ");
}

static void lines_may_have_blanks_around_them_and_the_last_no_end(void **state)
{
	(void)state;
	assert_objects("-----BEGIN A----- \n  b2\t\n\n5l \n-----END A-----", "A=one ");
	assert_objects("-----BEGIN A-----\nb25l\n-----END A----------BEGIN B-----\ndHdv\n"
		       "-----END B-----",
		"A=one B=two ");
}

static void a_faulty_object_leaves_the_others_alone(void **state)
{
	static const char *const faults[] = {
		"-----BEGIN A-----\n",
		"-----BEGIN A-----\nb25l\n",
		"-----BEGIN A-----\nb25l\n-----END B-----\n",
		"-----BEGIN A-----\nb25l\n-----END A----\n",
		"-----BEGIN A----\nb25l\n-----END A-----\n",
		"-----BEGIN A\nb25l\n-----END A-----\n",
		"-----BEGIN -----",
		"-----BEGIN A-----\nb2%l\n-----END A-----\n",
		"-----BEGIN A-----\nb25\n-----END A-----\n",
		"-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nb25l\n-----END A-----\n",
	};
	char text[200];
	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		snprintf(text, sizeof(text), "%s\n-----BEGIN B-----\ndHdv\n-----END B-----\n",
			faults[i]);
		assert_objects(text, "- B=two ");
	}
}

static void a_name_too_long_is_a_fault(void **state)
{
	struct buf text = {0}, expected = {0};
	char name[PEM_NAME_MAX + 1];
	(void)state;
	for (size_t len = PEM_NAME_MAX - 1; len <= PEM_NAME_MAX; len++) {
		memset(name, 'N', len);
		name[len] = '\0';
		buf_clear(&text);
		buf_printf(&text, "-----BEGIN %s-----\nb25l\n-----END %s-----\n", name, name);
		buf_clear(&expected);
		if (len < PEM_NAME_MAX)
			buf_printf(&expected, "%s=one ", name);
		else
			buf_add_text(&expected, "- ");
		assert_objects(buf_text(&text), buf_text(&expected));
	}
	buf_free(&text);
	buf_free(&expected);
}

static void a_file_is_read_from_its_start_without_the_line_ends_of_windows(void **state)
{
	int fd = memfd_create("pem", MFD_CLOEXEC);
	struct buf text = {0};
	struct err e;
	(void)state;
	assert_int_equal(write(fd, "one\r\ntwo\n", 9), 9);
	assert_int_equal(pem_read_file(&text, fd, "a.pem", 9, &e), 0);
	assert_string_equal(buf_text(&text), "one\ntwo\n");
	buf_clear(&text);
	assert_int_equal(pem_read_file(&text, fd, "a.pem", 8, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_string_equal(e.text, "a.pem: too large for a PEM file: name the right one");
	buf_free(&text);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_come_in_their_order_whatever_stands_between),
		cmocka_unit_test(lines_may_have_blanks_around_them_and_the_last_no_end),
		cmocka_unit_test(a_faulty_object_leaves_the_others_alone),
		cmocka_unit_test(a_name_too_long_is_a_fault),
		cmocka_unit_test(a_file_is_read_from_its_start_without_the_line_ends_of_windows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
