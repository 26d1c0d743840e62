/* store/letter: words made harmless, lines of a good length, encodings that are true. */
#include "base/header.h"
#include "store/letter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs most of the above. */
#include <cmocka.h>

#define NOON 1772427600 /* 2 March 2026, 12:00 in Jakarta */

static struct config config = {
	.hostname = "mail.kantor.example", .domains = "kantor.example lain.example"};

static void assert_words(struct slice words, const char *wanted)
{
	struct buf out = {0};
	letter_add_words(&out, words);
	assert_string_equal(buf_text(&out), wanted);
	buf_free(&out);
}

static void words_are_printable_ascii_on_one_line(void **state)
{
	(void)state;
	assert_words(SLICE("550 5.1.1 <a@b>: no"), "550 5.1.1 <a@b>: no");
	assert_words(SLICE("a\r\nX-Evil: 1\tb\0\x1b[2J\xc3\xa9"),
		"a\\x0d\\x0aX-Evil: 1\\x09b\\x00\\x1b[2J\\xc3\\xa9");
	assert_words((struct slice){0}, "");
}

static void long_words_are_cut(void **state)
{
	(void)state;
	struct buf long_one = {0}, out = {0};
	memset(buf_reserve(&long_one, 10000), 'x', 10000);
	long_one.len = LETTER_WORDS_MOST;
	letter_add_words(&out, buf_slice(&long_one));
	assert_true(slice_equal(buf_slice(&out), buf_slice(&long_one)));
	for (size_t len = LETTER_WORDS_MOST + 1; len < 10000; len *= 2) {
		long_one.len = len;
		buf_clear(&out);
		letter_add_words(&out, buf_slice(&long_one));
		assert_int_equal(out.len, LETTER_WORDS_MOST);
		assert_memory_equal(out.at + out.len - 4, "x...", 4);
	}
	memset(long_one.at, '\r', long_one.len = 200);
	buf_clear(&out);
	letter_add_words(&out, buf_slice(&long_one));
	assert_int_equal(out.len, LETTER_WORDS_MOST);
	buf_free(&long_one);
	buf_free(&out);
}

static void assert_time(int language, const char *wanted)
{
	struct buf out = {0};
	config.language = language;
	letter_add_time(&out, &config, NOON);
	assert_string_equal(buf_text(&out), wanted);
	buf_free(&out);
	config.language = LANGUAGE_EN;
}

static void times_are_those_of_the_office_in_its_language(void **state)
{
	(void)state;
	assert_time(LANGUAGE_EN, "2 March 2026, 12:00 WIB");
	assert_time(LANGUAGE_ID, "2 Maret 2026 pukul 12.00 WIB");
}

static void a_paragraph_is_broken_at_blanks(void **state)
{
	(void)state;
	struct buf text = {0}, out = {0};
	for (int i = 0; i < 30; i++)
		buf_add_text(&text, "word  ");
	letter_add_paragraph(&out, 4, buf_slice(&text));
	struct slice rest = buf_slice(&out);
	size_t words = 0;
	while (rest.len > 2) {
		struct slice line = slice_cut(&rest, '\n');
		assert_true(slice_has_prefix(line, SLICE("    word ")) && line.len <= 73);
		for (size_t i = 0; i < line.len; i++)
			words += line.at[i] == 'w';
	}
	assert_true(slice_equal(rest, SLICE("\r\n")));
	assert_int_equal(words, 30);
	buf_free(&text);
	buf_free(&out);
}

static void a_folded_field_unfolds_to_what_it_was(void **state)
{
	(void)state;
	static const char *const values[] = {"short", "a b  c   d",
		"one two three four five six seven eight nine ten eleven twelve   thirteen 14 15 "
		"16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz "
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf out = {0}, unfolded = {0};
		struct header_field field;
		letter_add_field(&out, "Diagnostic-Code", slice_of(values[i]));
		struct slice rest = buf_slice(&out);
		while (rest.len > 0)
			assert_true(slice_cut(&rest, '\n').len <= 80);
		assert_true(header_find(buf_slice(&out), "Diagnostic-Code", &field));
		header_add_decoded(&unfolded, field.body);
		assert_string_equal(buf_text(&unfolded), values[i]);
		buf_free(&out);
		buf_free(&unfolded);
	}
}

static void a_field_without_a_value_is_none(void **state)
{
	(void)state;
	struct buf out = {0};
	letter_add_field(&out, "Subject", (struct slice){0});
	letter_add_field(&out, "Subject", SLICE("  "));
	assert_int_equal(out.len, 0);
}

static void the_header_ends_at_the_blank_line(void **state)
{
	(void)state;
	assert_true(slice_equal(letter_header_of(SLICE("A: 1\r\nB: 2\r\n\r\nC: 3\r\n\r\n")),
		SLICE("A: 1\r\nB: 2\r\n")));
	assert_true(slice_equal(letter_header_of(SLICE("A: 1\r\nB:")), SLICE("A: 1\r\nB:")));
	assert_int_equal(letter_header_of(SLICE("\r\nA: 1\r\n\r\n")).len, 0);
	assert_int_equal(letter_header_of((struct slice){0}).len, 0);
}

static void a_field_is_quoted_as_it_stands_or_not_at_all(void **state)
{
	(void)state;
	struct slice header =
		SLICE("Subject: =?utf-8?Q?caf=C3=A9?=\r\n\t two\r\nRaw: caf\xc3\xa9\r\n"
		      "Escape: \x1b[2J\r\nNone: \t \r\nMessage-ID:\r\n <1@x>\r\n");
	static const char *const none[] = {"Raw", "Escape", "None", "Other"};
	struct buf out = {0};
	assert_true(letter_quote_field(&out, header, "Subject"));
	assert_string_equal(buf_text(&out), "=?utf-8?Q?caf=C3=A9?=  two");
	buf_clear(&out);
	assert_true(letter_quote_field(&out, header, "message-id"));
	assert_string_equal(buf_text(&out), "<1@x>");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(letter_quote_field(&out, header, none[i]));
	assert_string_equal(buf_text(&out), "<1@x>");
	buf_free(&out);
}

static void assert_subject(const char *header, const char *wanted)
{
	struct buf out = {0};
	letter_add_subject(&out, slice_of(header));
	assert_string_equal(buf_text(&out), wanted);
	buf_free(&out);
}

static void a_subject_for_people_is_utf8_without_controls(void **state)
{
	(void)state;
	assert_subject("Subject: Offer\r\n", "Offer");
	assert_subject("Subject: =?utf-8?Q?caf=C3=A9?=\r\n", "caf\xc3\xa9");
	assert_subject("Subject: =?utf-8?Q?a=0D=0AB:=20c=1B=E2=80=AEd?=\r\n", "a??B: c??d");
	assert_subject("Subject: raw \xff\xc3\r\n", "raw ??");
	assert_subject("To: x\r\n", "");
	assert_subject(
		"Subject: 1234567890123456789012345678901234567890123456789012345678901234567"
		"8901234567890123456789012345678901234567890\r\n",
		"123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"2345678901234567890...");
}

static void letters_come_from_the_postmaster_of_the_first_domain(void **state)
{
	(void)state;
	struct buf out = {0};
	letter_begin(&out, &config, SLICE("ani@lain.example"), NOON, "auto-replied");
	assert_non_null(strstr(buf_text(&out),
		"From: \"Mail system of mail.kantor.example\" <postmaster@kantor.example>\r\n"
		"To: <ani@lain.example>\r\n"));
	assert_non_null(strstr(buf_text(&out), "Date: Mon, 02 Mar 2026 12:00:00 +0700\r\n"));
	assert_non_null(strstr(buf_text(&out), "Auto-Submitted: auto-replied\r\n"));
	buf_clear(&out);
	letter_begin(&out, &config, (struct slice){0}, NOON, "auto-generated");
	assert_non_null(strstr(buf_text(&out), "To: <postmaster@kantor.example>\r\n"));
	buf_free(&out);
}

/* The encodings of the whole and of what is attached, in this order. */
static void assert_encodings(struct letter_parts parts, const char *of_all, const char *of_attached)
{
	struct buf out = {0};
	const char *field = "Content-Transfer-Encoding: ";
	parts.kind = "mixed";
	letter_add_parts(&out, &parts);
	const char *first = strstr(buf_text(&out), field);
	assert_non_null(first);
	const char *last = first;
	for (const char *next = first; next; next = strstr(next + 1, field))
		last = next;
	assert_memory_equal(first + strlen(field), of_all, strlen(of_all));
	assert_memory_equal(last + strlen(field), of_attached, strlen(of_attached));
	buf_free(&out);
}

static void encodings_are_what_the_octets_are(void **state)
{
	(void)state;
	struct buf lines = {0};
	struct letter_parts parts = {.text = SLICE("x\r\n"), .whole = true};
	parts.attached = SLICE("A: b\r\n\r\nc\r\n");
	assert_encodings(parts, "7bit\r\n", "7bit\r\n");
	parts.attached = SLICE("A: b\r\n\r\n\xe9\r\n");
	assert_encodings(parts, "8bit\r\n", "8bit\r\n");
	parts.whole = false; /* and what is 8-bit stays away */
	assert_encodings(parts, "7bit\r\n", "7bit\r\n");
	parts.text = SLICE("caf\xc3\xa9\r\n");
	assert_encodings(parts, "8bit\r\n", "7bit\r\n");

	parts.whole = true;
	buf_add_text(&lines, "A: ");
	memset(buf_reserve(&lines, 998), 'b', 998);
	lines.len = 998;
	buf_add_text(&lines, "\r\n\r\n");
	parts.attached = buf_slice(&lines);
	assert_encodings(parts, "8bit\r\n", "7bit\r\n");
	buf_clear(&lines);
	buf_add_text(&lines, "b\r\n\r\n");
	memset(buf_reserve(&lines, 999), 'b', 999);
	lines.len += 999;
	buf_add_text(&lines, "\r\n");
	parts.attached = buf_slice(&lines);
	assert_encodings(parts, "binary\r\n", "binary\r\n");
	buf_free(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_printable_ascii_on_one_line),
		cmocka_unit_test(long_words_are_cut),
		cmocka_unit_test(times_are_those_of_the_office_in_its_language),
		cmocka_unit_test(a_paragraph_is_broken_at_blanks),
		cmocka_unit_test(a_folded_field_unfolds_to_what_it_was),
		cmocka_unit_test(a_field_without_a_value_is_none),
		cmocka_unit_test(the_header_ends_at_the_blank_line),
		cmocka_unit_test(a_field_is_quoted_as_it_stands_or_not_at_all),
		cmocka_unit_test(a_subject_for_people_is_utf8_without_controls),
		cmocka_unit_test(letters_come_from_the_postmaster_of_the_first_domain),
		cmocka_unit_test(encodings_are_what_the_octets_are),
	};
	setenv("TZ", "Asia/Jakarta", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
