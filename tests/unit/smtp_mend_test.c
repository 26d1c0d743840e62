/* smtpd/mend.h: what a submitted header loses and gets. */
#include "smtpd/mend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#define NOW  1772420400
#define DATE "Date: d\r\n"
#define ID   "Message-ID: <m>\r\n"

static void assert_mended(const char *given, const char *wanted)
{
	struct buf octets = {0};
	buf_add_text(&octets, given);
	size_t length = mend_header_length(buf_slice(&octets));
	assert_int_not_equal(length, 0);
	mend_header(&octets, length, "mail.kantor.example", NOW);
	assert_string_equal(buf_text(&octets), wanted);
	buf_free(&octets);
}

static void the_header_ends_behind_its_blank_line(void **state)
{
	(void)state;
	assert_int_equal(mend_header_length((struct slice){NULL, 0}), 0);
	assert_int_equal(mend_header_length(SLICE("")), 0);
	assert_int_equal(mend_header_length(SLICE("\r")), 0);
	assert_int_equal(mend_header_length(SLICE("A: b\r\n")), 0);
	assert_int_equal(mend_header_length(SLICE("A: b\r\n\r")), 0);
	assert_int_equal(mend_header_length(SLICE("A: b\r\n\r\n")), 8);
	assert_int_equal(mend_header_length(SLICE("A: b\r\n\r\nC: d\r\n\r\n")), 8);
	assert_int_equal(mend_header_length(SLICE("\r\nA: b\r\n\r\n")), 2);
}

static void a_whole_header_stays_to_the_octet(void **state)
{
	static const char *const whole[] = {DATE ID "\r\n",
		ID "X:  y \r\n\t z\r\n" DATE "\r\nBcc: text\r\n",
		"no field\r\n" DATE ID "\r\n\r\n\r\n", "date : d\r\nMESSAGE-id:\r\n\r\n"};
	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		assert_mended(whole[i], whole[i]);
}

static void hidden_recipients_go_with_their_folds(void **state)
{
	(void)state;
	assert_mended("Bcc: a@b\r\n" DATE ID "\r\n", DATE ID "\r\n");
	assert_mended(DATE "bCC : a@b,\r\n c@d\r\n\te@f\r\n" ID "Bcc:\r\n\r\nx", DATE ID "\r\nx");
	assert_mended(
		DATE ID "Resent-Bcc: a@b\r\nBcc-Not: x\r\n\r\n", DATE ID "Bcc-Not: x\r\n\r\n");
	assert_mended("no field\r\nBcc: a@b\r\nnor this\r\n" DATE ID "\r\n",
		"no field\r\nnor this\r\n" DATE ID "\r\n");
}

static void date_and_message_id_are_added_where_they_are_missing(void **state)
{
	struct buf octets = {0};
	static const char begin[] = "Message-ID: <", end[] = "@mail.kantor.example>\r\n\r\nx";
	(void)state;
	assert_mended(ID "\r\nx", ID "Date: Mon, 02 Mar 2026 10:00:00 +0700\r\n\r\nx");
	buf_add_text(&octets, DATE "\r\nx");
	mend_header(&octets, octets.len - 1, "mail.kantor.example", NOW);
	const char *id = buf_text(&octets) + strlen(DATE);
	assert_int_equal(octets.len, strlen(DATE) + strlen(begin) + 24 + strlen(end));
	assert_memory_equal(id, begin, strlen(begin));
	assert_string_equal(id + strlen(begin) + 24, end);
	buf_free(&octets);
}

int main(void)
{
	setenv("TZ", "WIB-7", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_ends_behind_its_blank_line),
		cmocka_unit_test(a_whole_header_stays_to_the_octet),
		cmocka_unit_test(hidden_recipients_go_with_their_folds),
		cmocka_unit_test(date_and_message_id_are_added_where_they_are_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
