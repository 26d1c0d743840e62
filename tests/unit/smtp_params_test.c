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
	assert_int_equal(params_read(slice_of(text), PARAMS_MAIL, &params), PARAMS_GOOD);
	return params.size;
}

static enum params_fault fault_of(struct slice text, enum params_command command)
{
	struct params params;
	return params_read(text, command, &params);
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

static void size_and_8bitmime_are_announced(void **state)
{
	(void)state;
	assert_string_equal(params_announced(0), PARAMS_SIZE_WORD);
	assert_string_equal(params_announced(1), "8BITMIME");
	assert_null(params_announced(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_parameters_are_good),
		cmocka_unit_test(size_and_body_are_read_in_any_order_and_case),
		cmocka_unit_test(a_size_that_does_not_fit_is_the_biggest),
		cmocka_unit_test(what_makes_no_sense_is_malformed),
		cmocka_unit_test(what_was_not_announced_is_unknown),
		cmocka_unit_test(size_and_8bitmime_are_announced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
