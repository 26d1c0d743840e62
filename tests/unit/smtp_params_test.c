/* The parameters of MAIL and RCPT (smtpd/params.h). */
#include "smtpd/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint64_t size_of(const char *text)
{
	struct params params;
	assert_int_equal(params_read(slice_of(text), PARAMS_MAIL, false, &params), PARAMS_GOOD);
	return params.size;
}

static enum params_fault fault_of(struct slice text, enum params_command command)
{
	struct params params;
	return params_read(text, command, false, &params);
}

static void no_parameters_are_good(void **state)
{
	(void)state;
	assert_int_equal(size_of(""), 0);
	assert_int_equal(size_of("  \t "), 0);
	assert_int_equal(fault_of(SLICE(""), PARAMS_RCPT), PARAMS_GOOD);
	assert_int_equal(fault_of(SLICE("  "), PARAMS_RCPT), PARAMS_GOOD);
}

static void size_and_body_are_read_in_any_order_and_case(void **state)
{
	(void)state;
	assert_int_equal(size_of(" SIZE=1000"), 1000);
	assert_int_equal(size_of(" size=007"), 7);
	assert_int_equal(size_of(" SIZE=0"), 0);
	assert_int_equal(size_of(" BODY=8BITMIME SIZE=12"), 12);
	assert_int_equal(size_of("  Size=12   body=7bit  "), 12);
}

static void a_size_that_does_not_fit_is_the_biggest(void **state)
{
	(void)state;
	assert_true(size_of(" SIZE=18446744073709551615") == UINT64_MAX);
	assert_true(size_of(" SIZE=18446744073709551616") == UINT64_MAX);
	assert_true(size_of(" SIZE=99999999999999999999") == UINT64_MAX);
}

static void what_makes_no_sense_is_malformed(void **state)
{
	(void)state;
	static const struct slice texts[] = {
		SLICE("SIZE=1"),
		SLICE(" SIZE"),
		SLICE(" SIZE="),
		SLICE(" SIZE=-1"),
		SLICE(" SIZE=+1"),
		SLICE(" SIZE=0x10"),
		SLICE(" SIZE=1a"),
		SLICE(" SIZE=1 SIZE=1"),
		SLICE(" SIZE=100000000000000000000"),
		SLICE(" BODY"),
		SLICE(" BODY=BINARYMIME"),
		SLICE(" BODY=8BITMIME BODY=7BIT"),
		SLICE(" =1"),
		SLICE(" -X=1"),
		SLICE(" S\xc3\x9cZE=1"),
		SLICE(" SIZE=1\0"),
		SLICE(" SIZE\0=1"),
		SLICE(" >"),
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (fault_of(texts[i], PARAMS_MAIL) != PARAMS_MALFORMED)
			fail_msg("'%s'", texts[i].at);
}

static void what_was_not_announced_is_unknown(void **state)
{
	(void)state;
	assert_int_equal(fault_of(SLICE(" SMTPUTF8"), PARAMS_MAIL), PARAMS_UNKNOWN);
	assert_int_equal(fault_of(SLICE(" RET=HDRS"), PARAMS_MAIL), PARAMS_UNKNOWN);
	assert_int_equal(fault_of(SLICE(" SIZE=1 AUTH=<>"), PARAMS_MAIL), PARAMS_UNKNOWN);
	assert_int_equal(fault_of(SLICE(" SIZES=1"), PARAMS_MAIL), PARAMS_UNKNOWN);
	assert_int_equal(fault_of(SLICE(" SIZE=1"), PARAMS_RCPT), PARAMS_UNKNOWN);
	assert_int_equal(fault_of(SLICE(" NOTIFY=NEVER"), PARAMS_RCPT), PARAMS_UNKNOWN);
}

/* ---- of staff ---- */

static struct params staffs(const char *text, enum params_command command)
{
	struct params params;
	if (params_read(slice_of(text), command, true, &params) != PARAMS_GOOD)
		fail_msg("'%s'", text);
	return params;
}

static void refuse_staffs(const char *text, enum params_command command, enum params_fault fault)
{
	struct params params;
	if (params_read(slice_of(text), command, true, &params) != fault)
		fail_msg("'%s'", text);
}

static void expect_text(struct slice text, const char *expected)
{
	assert_true(slice_equal(text, slice_of(expected)));
}

static void staff_say_what_comes_back_and_under_which_name(void **state)
{
	struct params params = staffs(" RET=HDRS ENVID=QQ314159 SIZE=10", PARAMS_MAIL);
	(void)state;
	assert_int_equal(params.ret, RETURN_HEADERS);
	expect_text(params.envid, "QQ314159");
	assert_int_equal(params.size, 10);
	params = staffs(" envid=a+2Bb+3Dc+20d ret=full", PARAMS_MAIL);
	assert_int_equal(params.ret, RETURN_FULL);
	expect_text(params.envid, "a+2Bb+3Dc+20d"); /* passed on as it came */
	params = staffs("", PARAMS_MAIL);
	assert_int_equal(params.ret, RETURN_DEFAULT);
	assert_int_equal(params.envid.len, 0);
	refuse_staffs(" NOTIFY=NEVER", PARAMS_MAIL, PARAMS_UNKNOWN);
	refuse_staffs(" ORCPT=rfc822;a@b", PARAMS_MAIL, PARAMS_UNKNOWN);
}

static void staff_say_when_they_want_to_hear_of_whom(void **state)
{
	(void)state;
	assert_int_equal(staffs("", PARAMS_RCPT).notify, NOTIFY_DEFAULT);
	assert_int_equal(staffs(" NOTIFY=NEVER", PARAMS_RCPT).notify, NOTIFY_NEVER);
	assert_int_equal(staffs(" notify=delay", PARAMS_RCPT).notify, NOTIFY_DELAY);
	assert_int_equal(staffs(" NOTIFY=SUCCESS,Failure", PARAMS_RCPT).notify,
		NOTIFY_SUCCESS | NOTIFY_FAILURE);
	assert_int_equal(staffs(" NOTIFY=DELAY,SUCCESS,FAILURE", PARAMS_RCPT).notify,
		NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY);
	assert_int_equal(staffs(" NOTIFY=FAILURE,FAILURE", PARAMS_RCPT).notify, NOTIFY_FAILURE);
	struct params params =
		staffs(" ORCPT=rfc822;ani+2Bx@luar.example NOTIFY=NEVER", PARAMS_RCPT);
	expect_text(params.orcpt, "rfc822;ani+2Bx@luar.example");
	assert_int_equal(params.notify, NOTIFY_NEVER);
	expect_text(staffs(" ORCPT=x-local;/dev/null;2", PARAMS_RCPT).orcpt, "x-local;/dev/null;2");
	refuse_staffs(" RET=HDRS", PARAMS_RCPT, PARAMS_UNKNOWN);
	refuse_staffs(" ENVID=a", PARAMS_RCPT, PARAMS_UNKNOWN);
}

static void a_wish_that_makes_no_sense_is_malformed(void **state)
{
	static const char *const of_mail[] = {" RET", " RET=", " RET=HEAD", " RET=FULL,HDRS",
		" RET=FULL RET=FULL", " ENVID", " ENVID=", " ENVID=a=b", " ENVID=a+b",
		" ENVID=a+2b", " ENVID=a+", " ENVID=a+2", " ENVID=+00", " ENVID=a+0D+0A",
		" ENVID=+7F", " ENVID=+C3+A9", " ENVID=a\tb", " ENVID=a ENVID=a"};
	static const char *const of_rcpt[] = {" NOTIFY", " NOTIFY=", " NOTIFY=,",
		" NOTIFY=NEVER,SUCCESS", " NOTIFY=SUCCESS,NEVER", " NOTIFY=NEVER,NEVER",
		" NOTIFY=SUCCESS,", " NOTIFY=,SUCCESS", " NOTIFY=SUCCESS,,DELAY", " NOTIFY=ALWAYS",
		" NOTIFY=SUCCESS;DELAY", " NOTIFY=NEVER NOTIFY=NEVER", " ORCPT",
		" ORCPT=", " ORCPT=a@b", " ORCPT=rfc822", " ORCPT=rfc822;", " ORCPT=;a@b",
		" ORCPT=rfc 822;a@b", " ORCPT=r(c;a@b", " ORCPT=a=b;c", " ORCPT=rfc822;a=b@c",
		" ORCPT=rfc822;a+b@c", " ORCPT=rfc822;+0A", " ORCPT=rfc822;a@b ORCPT=rfc822;a@b"};
	(void)state;
	for (size_t i = 0; i < sizeof(of_mail) / sizeof(of_mail[0]); i++)
		refuse_staffs(of_mail[i], PARAMS_MAIL, PARAMS_MALFORMED);
	for (size_t i = 0; i < sizeof(of_rcpt) / sizeof(of_rcpt[0]); i++)
		refuse_staffs(of_rcpt[i], PARAMS_RCPT, PARAMS_MALFORMED);
}

static void wishes_are_as_long_as_their_rfc_has_them(void **state)
{
	char envid[8 + 101] = " ENVID=", orcpt[8 + 7 + 494] = " ORCPT=rfc822;";
	(void)state;
	memset(envid + 7, 'x', 100);
	assert_int_equal(staffs(envid, PARAMS_MAIL).envid.len, 100);
	memset(envid + 7, 'x', 101);
	refuse_staffs(envid, PARAMS_MAIL, PARAMS_MALFORMED);
	memset(orcpt + 14, 'x', 493);
	assert_int_equal(staffs(orcpt, PARAMS_RCPT).orcpt.len, 500);
	memset(orcpt + 14, 'x', 494);
	refuse_staffs(orcpt, PARAMS_RCPT, PARAMS_MALFORMED);
}

static void each_extension_is_announced_once_and_dsn_to_staff(void **state)
{
	(void)state;
	for (int staff = 0; staff < 2; staff++) {
		assert_string_equal(params_announced(0, staff), PARAMS_SIZE_WORD);
		assert_string_equal(params_announced(1, staff), "8BITMIME");
		assert_null(params_announced(2 + (size_t)staff, staff));
	}
	assert_string_equal(params_announced(2, true), "DSN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_parameters_are_good),
		cmocka_unit_test(size_and_body_are_read_in_any_order_and_case),
		cmocka_unit_test(a_size_that_does_not_fit_is_the_biggest),
		cmocka_unit_test(what_makes_no_sense_is_malformed),
		cmocka_unit_test(what_was_not_announced_is_unknown),
		cmocka_unit_test(staff_say_what_comes_back_and_under_which_name),
		cmocka_unit_test(staff_say_when_they_want_to_hear_of_whom),
		cmocka_unit_test(a_wish_that_makes_no_sense_is_malformed),
		cmocka_unit_test(wishes_are_as_long_as_their_rfc_has_them),
		cmocka_unit_test(each_extension_is_announced_once_and_dsn_to_staff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
