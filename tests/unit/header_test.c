/* base/header: fields, folds, encoded words. */
#include "base/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs most of the above. */
#include <cmocka.h>

static void assert_field(struct slice *header, const char *name, const char *body)
{
	struct header_field field;
	assert_true(header_next(header, &field));
	assert_true(slice_equal(field.name, slice_of(name)));
	assert_true(slice_equal(field.body, slice_of(body)));
}

static void assert_decoded(const char *body, const char *wanted)
{
	struct buf out = {0};
	header_add_decoded(&out, slice_of(body));
	assert_string_equal(buf_text(&out), wanted);
	buf_free(&out);
}

static void fields_come_in_order_up_to_the_blank_line(void **state)
{
	(void)state;
	struct header_field field;
	struct slice header = SLICE("From: a@b\r\nTo:c\r\nSubject:\r\n\r\nNot: a field\r\n");
	assert_field(&header, "From", " a@b");
	assert_field(&header, "To", "c");
	assert_field(&header, "Subject", "");
	assert_false(header_next(&header, &field));
	assert_false(header_next(&header, &field));
}

static void folds_belong_to_their_field(void **state)
{
	(void)state;
	struct slice header = SLICE("Subject: one\r\n two\r\n\tthree\r\nTo: x\r\n\r\n");
	assert_field(&header, "Subject", " one\r\n two\r\n\tthree");
	assert_field(&header, "To", " x");
}

static void lines_that_are_no_fields_are_stepped_over(void **state)
{
	(void)state;
	struct header_field field;
	struct slice header = SLICE(" folded first\r\nFrom x@y Mon Mar  2 10:00:00 2026\r\n"
				    "no colon\r\n : no name\r\nTo : x\r\n: y\r\nCc: z");
	assert_field(&header, "To", " x");
	assert_field(&header, "Cc", " z");
	assert_false(header_next(&header, &field));
}

static void a_bare_lf_ends_a_line_too(void **state)
{
	(void)state;
	struct header_field field;
	struct slice header = SLICE("A: 1\nB: 2\n 3\n\nC: 4\n");
	assert_field(&header, "A", " 1");
	assert_field(&header, "B", " 2\n 3");
	assert_false(header_next(&header, &field));
}

static void the_first_field_of_a_name_is_found_whatever_its_case(void **state)
{
	(void)state;
	struct header_field field;
	struct slice header = SLICE("Subject: 1\r\nX-Spam: yes\r\nx-spam: no\r\n\r\nTo: body\r\n");
	assert_true(header_find(header, "x-SPAM", &field));
	assert_true(slice_equal(field.body, SLICE(" yes")));
	assert_false(header_find(header, "To", &field));
	assert_false(header_find(header, "Sub", &field));
	assert_false(header_find((struct slice){0}, "To", &field));
}

static void a_body_is_unfolded_and_trimmed(void **state)
{
	(void)state;
	assert_decoded(" one\r\n two\r\n\tthree\tfour ", "one two three\tfour");
	assert_decoded("", "");
	assert_decoded(" \r\n ", "");
	assert_decoded("  a  b", "a  b");
}

/* RFC 2047, 8, and real mail. */
static void encoded_words_are_decoded_to_utf_8(void **state)
{
	(void)state;
	assert_decoded(
		"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>");
	assert_decoded("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\xC3\xB8rn Simonsen");
	assert_decoded("=?utf-8?B?UMOkZGFnb2dpaw==?=", "P\xC3\xA4"
						       "dagogik");
	assert_decoded("=?UTF-8*de?q?=C3=84rger?=!", "\xC3\x84rger!");
}

static void blanks_between_encoded_words_belong_to_neither(void **state)
{
	(void)state;
	assert_decoded("(=?ISO-8859-1?Q?a?=)", "(a)");
	assert_decoded("=?ISO-8859-1?Q?a?= b", "a b");
	assert_decoded("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab");
	assert_decoded("=?ISO-8859-1?Q?a?=  \r\n    =?ISO-8859-1?Q?b?=", "ab");
	assert_decoded("=?ISO-8859-1?Q?a_b?=", "a b");
	assert_decoded("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a =?ISO-8859-2?Q?_b?=");
	/* A character cut in two by the words becomes whole again. */
	assert_decoded("=?UTF-8?Q?=C3?= =?UTF-8?Q?=A4?=", "\xC3\xA4");
}

static void what_is_no_good_encoded_word_stays_as_it_is(void **state)
{
	(void)state;
	static const char *const same[] = {"=?UTF-8?Q?=G1?=", "=?UTF-8?Q?=1?=", "=?UTF-8?B?Zg?=",
		"=?KOI8-R?B?Zm9v?=", "=?UTF-8?X?foo?=", "=?UTF-8?Q?foo", "=?UTF-8?Q", "=?", "=",
		"=?UTF-8?Q?a b?=", "a =?= b ?= =?"};
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_decoded(same[i], same[i]);
}

/* Lines of the header; what it says its authors are, NULL where it cannot be read. */
static void assert_authors(const char *header, const char *wanted)
{
	struct buf authors = {0};
	bool readable = header_authors(slice_of(header), &authors);
	assert_int_equal(readable, wanted != NULL);
	if (wanted)
		assert_string_equal(buf_text(&authors), wanted);
	buf_free(&authors);
}

static void authors_are_the_addresses_of_the_from_field(void **state)
{
	static const char *const same[] = {"ani@x", " Ani <ani@x>",
		"\"Kantor, \\\"A\\\" <b@y>\" <ani@x>", "(so (it) is \\) <b@y>) ani@x (Ani)",
		"=?UTF-8?Q?Ani=2C?= < ani@x >", ",ani@x,,", "\r\n Ani\r\n\t<ani@x>", "Kami: ani@x;",
		"Kami: Ani <ani@x>;"};
	char header[128];
	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		snprintf(header, sizeof(header), "To: b@y\r\nFROM :%s\r\n\r\n", same[i]);
		assert_authors(header, "ani@x\n");
	}
	assert_authors("From: a@x, B <b@x>, G: c@x, d@x;, e@x\r\n", "a@x\nb@x\nc@x\nd@x\ne@x\n");
	assert_authors("From: \"a b\"@x\r\n", "\"a b\"@x\n");
	/* Whoever shows what stands in front of the angles shows an address. */
	assert_authors("From: b@y <a@x>\r\n", "b@y\na@x\n");
	assert_authors("From: \"b@y\" <a@x>\r\n", "a@x\n");
	/* A comment parts words (RFC 5322, 3.2.2). */
	assert_authors("From: a+(c)b@x\r\n", "a+ b@x\n");
	assert_authors("From: <a+(c)b@x>\r\n", "a+ b@x\n");
}

static void a_message_has_a_few_authors(void **state)
{
	struct buf header = {0}, authors = {0};
	(void)state;
	buf_add_text(&header, "From: a@x");
	for (size_t i = 1; i < HEADER_AUTHORS_MOST; i++)
		buf_add_text(&header, ",, a@x");
	assert_true(header_authors(buf_slice(&header), &authors));
	assert_int_equal(authors.len, HEADER_AUTHORS_MOST * strlen("a@x\n"));
	buf_add_text(&header, ", a@x");
	buf_clear(&authors);
	assert_false(header_authors(buf_slice(&header), &authors));
	buf_free(&header);
	buf_free(&authors);
}

static void what_two_readers_could_take_for_different_authors_is_unreadable(void **state)
{
	static const char *const doubtful[] = {"", " ", "()", "<>", ";", "Kami: ;", "<a@x> <b@x>",
		"<a@x> b@x", "<a@x", "a@x>", "<<a@x>>", "\"Ani <a@x>", "(Ani a@x", "<a@x (>)",
		"<a@x>: b@x;", "b@y: a@x;", "a\\\"b <b@y>\" <a@x>"};
	char header[128];
	(void)state;
	for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++) {
		snprintf(header, sizeof(header), "From: %s\r\n\r\n", doubtful[i]);
		assert_authors(header, NULL);
	}
	assert_authors("From: \"a\r\n b\"@x\r\n", NULL);
	assert_authors("Subject: x\r\n\r\nFrom: a@x\r\n", NULL);
	assert_authors("From: a@x\r\nfrom: a@x\r\n", NULL);
}

static void a_header_is_as_long_as_its_fields(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} vectors[] = {
		{"A: b\r\n\r\nC: d\r\n", 6},
		{"A: b\r\n c\r\n\td\r\nE:\r\n\r\n", 18},
		{"A: b\r\nhalo\r\n", 6},
		{"A : b\r\n", 7},
		{"halo\r\nA: b\r\n", 0},
		{"halo dunia: x\r\n", 0},
		{" A: b\r\n", 0},
		{"From ani Mon Nov 23 2026\r\n", 0},
		{"", 0},
		{"\r\n", 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_int_equal(header_length(slice_of(vectors[i].text)), vectors[i].length);
}

static void assert_addresses(const char *list, const char *wanted)
{
	struct buf out = {0};
	bool readable = header_add_addresses(&out, slice_of(list));
	assert_int_equal(readable, wanted != NULL);
	if (wanted)
		assert_string_equal(buf_text(&out), wanted);
	buf_free(&out);
}

static void a_list_of_recipients_holds_addresses_and_names_are_names(void **state)
{
	(void)state;
	assert_addresses("ani@x", "ani@x\n");
	assert_addresses("root", "root\n");
	assert_addresses(
		" ani@x,\r\n Budi <budi@y> (di kantor), \"C, D\" <c@z>", "ani@x\nbudi@y\nc@z\n");
	assert_addresses("lama@x <baru@y>", "baru@y\n");
	assert_addresses("undisclosed-recipients:;", "");
	assert_addresses("Kami: a@x, b@x;, c@x", "a@x\nb@x\nc@x\n");
	assert_addresses("", "");
	assert_addresses(",,a@x,", "a@x\n");
	assert_addresses("\"a b\"@x", "\"a b\"@x\n");
	assert_addresses("<a@x> b@x", NULL);
	assert_addresses("<a@x", NULL);
	assert_addresses("a@x (", NULL);
	assert_addresses("\"a", NULL);
	assert_addresses("a\n\\@x", NULL);
}

/* The From field's body with the domain; NULL: it stays as it is. */
static void assert_qualified(const char *from, const char *wanted)
{
	struct buf given = {0}, header = {0}, whole = {0};
	buf_printf(&given, "To: root\r\nFrom:%s\r\nSubject: root\r\n\r\n", from);
	bool done = header_qualify_authors(&header, buf_slice(&given), SLICE("kantor.example"));
	assert_int_equal(done, wanted != NULL);
	if (wanted) {
		buf_printf(&whole, "To: root\r\nFrom:%s\r\nSubject: root\r\n\r\n", wanted);
		assert_string_equal(buf_text(&header), buf_text(&whole));
	}
	buf_free(&given);
	buf_free(&header);
	buf_free(&whole);
}

static void authors_without_a_domain_get_one_and_nothing_else_changes(void **state)
{
	(void)state;
	assert_qualified(" root", " root@kantor.example");
	assert_qualified("root (root)", "root@kantor.example (root)");
	assert_qualified(" root (a: b)", " root@kantor.example (a: b)");
	assert_qualified(" \"a: root\": root, b@x;", " \"a: root\": root@kantor.example, b@x;");
	assert_qualified(" (root) root", " (root) root@kantor.example");
	assert_qualified(" root <root>", " root <root@kantor.example>");
	assert_qualified(
		" \"<root>\" (<root) < root >", " \"<root>\" (<root) < root@kantor.example >");
	assert_qualified(" ani@x, root,\r\n budi <b.c> , c@y",
		" ani@x, root@kantor.example,\r\n budi <b.c@kantor.example> , c@y");
	assert_qualified(" root: root, a@x;", " root: root@kantor.example, a@x;");
	assert_qualified(" ani@x", NULL);
	assert_qualified("", NULL);
	assert_qualified(" Cron Daemon", NULL);
	assert_qualified(" <root", NULL);
	assert_qualified(" root, <<x>>", NULL);
	assert_qualified(" \"root\"", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_in_order_up_to_the_blank_line),
		cmocka_unit_test(folds_belong_to_their_field),
		cmocka_unit_test(lines_that_are_no_fields_are_stepped_over),
		cmocka_unit_test(a_bare_lf_ends_a_line_too),
		cmocka_unit_test(the_first_field_of_a_name_is_found_whatever_its_case),
		cmocka_unit_test(a_body_is_unfolded_and_trimmed),
		cmocka_unit_test(encoded_words_are_decoded_to_utf_8),
		cmocka_unit_test(blanks_between_encoded_words_belong_to_neither),
		cmocka_unit_test(what_is_no_good_encoded_word_stays_as_it_is),
		cmocka_unit_test(authors_are_the_addresses_of_the_from_field),
		cmocka_unit_test(a_message_has_a_few_authors),
		cmocka_unit_test(a_header_is_as_long_as_its_fields),
		cmocka_unit_test(a_list_of_recipients_holds_addresses_and_names_are_names),
		cmocka_unit_test(authors_without_a_domain_get_one_and_nothing_else_changes),
		cmocka_unit_test(what_two_readers_could_take_for_different_authors_is_unreadable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
