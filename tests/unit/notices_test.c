/* store/notices.h: what the office itself has to say is filed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/notices.h"
#include "tests/unit/letters.h"

#define NOTICE "From: MAILER-DAEMON@mail.kantor.example\r\nSubject: x\r\n\r\nisi\r\n"

static int file_notice(struct test_office *office, struct slice to, struct slice message)
{
	return WRITE(office, notices_file(office->store, &office->config, to, message, &office->e));
}

static void a_notice_has_no_sender_and_no_trace(void **state)
{
	struct test_office *office = *state;
	struct buf got = {0};
	add_user(office, "ani@kantor.example");
	assert_int_equal(file_notice(office, NOTICES_POSTMASTER, SLICE(NOTICE)), 1);
	read_nth(office, "ani@kantor.example", "Inbox", 0, &got);
	assert_string_equal(
		buf_text(&got), "Return-Path: <>\r\nDelivered-To: ani@kantor.example\r\n" NOTICE);
	buf_free(&got);
	assert_sound(office);
}

static void a_long_one_is_whole(void **state)
{
	struct test_office *office = *state;
	struct buf message = {0}, got = {0};
	add_user(office, "ani@kantor.example");
	buf_add_text(&message, NOTICE);
	while (message.len < 3 * BODY_PIECE)
		buf_add_text(&message, "0123456789\r\n");
	assert_int_equal(file_notice(office, SLICE("ani@kantor.example"), buf_slice(&message)), 1);
	read_nth(office, "ani@kantor.example", "Inbox", 0, &got);
	assert_true(slice_equal(
		slice_from(buf_slice(&got), got.len - message.len), buf_slice(&message)));
	buf_free(&message);
	buf_free(&got);
	assert_sound(office);
}

static void one_for_nobody_leaves_nothing_behind(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	assert_int_equal(file_notice(office, SLICE("siapa@kantor.example"), SLICE(NOTICE)), 0);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 0);
	assert_sound(office);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_notice_has_no_sender_and_no_trace),
		OFFICE_TEST(a_long_one_is_whole),
		OFFICE_TEST(one_for_nobody_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
