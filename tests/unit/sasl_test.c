/* base/sasl: PLAIN and LOGIN. */
#include "base/sasl.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

static struct sasl sasl;

static enum sasl_step start(const char *argument)
{
	sasl_end(&sasl);
	return sasl_start(&sasl, slice_of(argument));
}

static enum sasl_step next(struct slice plain)
{
	struct buf base64 = {0};
	text_add_base64(&base64, plain.at, plain.len);
	enum sasl_step step = sasl_next(&sasl, buf_slice(&base64));
	buf_free(&base64);
	return step;
}

static enum sasl_step plain(struct slice message)
{
	assert_int_equal(start("PLAIN"), SASL_CHALLENGE);
	return next(message);
}

static void assert_login(const char *user, const char *password)
{
	assert_string_equal(buf_text(&sasl.user), user);
	assert_string_equal(buf_text(&sasl.password), password);
}

static void plain_with_initial_response(void **state)
{
	(void)state;
	assert_int_equal(start("PLAIN AGFuaQBwdw=="), SASL_DONE);
	assert_login("ani", "pw");
	assert_int_equal(start("plain   AGFuaQBwdw== "), SASL_DONE);
	assert_login("ani", "pw");
}

static void plain_without_initial_response_is_challenged_with_nothing(void **state)
{
	(void)state;
	assert_int_equal(start("PLAIN "), SASL_CHALLENGE);
	assert_string_equal(sasl.challenge, "");
	assert_int_equal(next(SLICE("\0ani\0p w ")), SASL_DONE);
	assert_login("ani", "p w ");
}

static void plain_takes_an_identity_only_if_it_is_the_name(void **state)
{
	(void)state;
	assert_int_equal(plain(SLICE("Ani\0ani\0pw")), SASL_DONE);
	assert_login("ani", "pw");
	assert_int_equal(plain(SLICE("budi\0ani\0pw")), SASL_MALFORMED);
}

static void plain_with_nuls_missing_or_too_many_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(plain(SLICE("")), SASL_MALFORMED);
	assert_int_equal(plain(SLICE("ani")), SASL_MALFORMED);
	assert_int_equal(plain(SLICE("ani\0pw")), SASL_MALFORMED);
	assert_int_equal(plain(SLICE("\0ani\0pw\0")), SASL_MALFORMED);
	assert_int_equal(plain(SLICE("\0ani\0p\0w")), SASL_MALFORMED);
	assert_int_equal(plain(SLICE("\0\0pw")), SASL_MALFORMED);
	assert_int_equal(plain(SLICE("\0\0")), SASL_MALFORMED);
	assert_int_equal(start("PLAIN ="), SASL_MALFORMED);
}

static void an_empty_password_is_a_password_though_a_wrong_one(void **state)
{
	(void)state;
	assert_int_equal(plain(SLICE("\0ani\0")), SASL_DONE);
	assert_login("ani", "");
}

static void login_asks_for_name_and_password(void **state)
{
	(void)state;
	assert_int_equal(start("login"), SASL_CHALLENGE);
	assert_string_equal(sasl.challenge, "VXNlcm5hbWU6");
	assert_int_equal(next(SLICE("ani")), SASL_CHALLENGE);
	assert_string_equal(sasl.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(next(SLICE("p\xc3\xa4")), SASL_DONE);
	assert_login("ani", "p\xc3\xa4");
}

static void login_takes_the_name_as_initial_response(void **state)
{
	(void)state;
	assert_int_equal(start("LOGIN YW5p"), SASL_CHALLENGE);
	assert_string_equal(sasl.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(next(SLICE("pw")), SASL_DONE);
	assert_login("ani", "pw");
}

static void login_with_a_nul_or_an_empty_name_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(start("LOGIN"), SASL_CHALLENGE);
	assert_int_equal(next(SLICE("a\0b")), SASL_MALFORMED);
	assert_int_equal(start("LOGIN"), SASL_CHALLENGE);
	assert_int_equal(next(SLICE("")), SASL_MALFORMED);
	assert_int_equal(start("LOGIN ="), SASL_MALFORMED);
	assert_int_equal(start("LOGIN YW5p"), SASL_CHALLENGE);
	assert_int_equal(next(SLICE("p\0w")), SASL_MALFORMED);
}

static void a_star_cancels_at_every_step(void **state)
{
	(void)state;
	assert_int_equal(start("PLAIN"), SASL_CHALLENGE);
	assert_int_equal(sasl_next(&sasl, SLICE("*")), SASL_CANCELLED);
	assert_int_equal(start("LOGIN"), SASL_CHALLENGE);
	assert_int_equal(sasl_next(&sasl, SLICE("*")), SASL_CANCELLED);
	assert_int_equal(start("LOGIN YW5p"), SASL_CHALLENGE);
	assert_int_equal(sasl_next(&sasl, SLICE("*")), SASL_CANCELLED);
}

static void what_is_not_canonical_base64_is_malformed(void **state)
{
	static const char *const bad[] = {"PLAIN AGFuaQBwdw",
		"PLAIN AGFuaQBwdx==", "PLAIN AGFu aQBwdw==", "PLAIN AGFuaQBwdw==AAAA", "PLAIN *",
		"PLAIN %%%%", "PLAIN AGFuaQBwdw==="};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(start(bad[i]), SASL_MALFORMED);
}

static void other_mechanisms_are_unknown(void **state)
{
	(void)state;
	assert_int_equal(start(""), SASL_UNKNOWN);
	assert_int_equal(start("CRAM-MD5"), SASL_UNKNOWN);
	assert_int_equal(start("PLAINS"), SASL_UNKNOWN);
	assert_int_equal(start("PLAI"), SASL_UNKNOWN);
	assert_int_equal(start("XOAUTH2 dXNlcj0="), SASL_UNKNOWN);
}

static int forget(void **state)
{
	(void)state;
	sasl_end(&sasl);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(plain_with_initial_response, forget),
		cmocka_unit_test_teardown(
			plain_without_initial_response_is_challenged_with_nothing, forget),
		cmocka_unit_test_teardown(plain_takes_an_identity_only_if_it_is_the_name, forget),
		cmocka_unit_test_teardown(plain_with_nuls_missing_or_too_many_is_malformed, forget),
		cmocka_unit_test_teardown(
			an_empty_password_is_a_password_though_a_wrong_one, forget),
		cmocka_unit_test_teardown(login_asks_for_name_and_password, forget),
		cmocka_unit_test_teardown(login_takes_the_name_as_initial_response, forget),
		cmocka_unit_test_teardown(login_with_a_nul_or_an_empty_name_is_malformed, forget),
		cmocka_unit_test_teardown(a_star_cancels_at_every_step, forget),
		cmocka_unit_test_teardown(what_is_not_canonical_base64_is_malformed, forget),
		cmocka_unit_test_teardown(other_mechanisms_are_unknown, forget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
