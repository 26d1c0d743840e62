/* store/logins: what the directory remembers of right and wrong passwords. The
 * clock is an argument. What one test has put into the rings the next one finds
 * there, so each has names and addresses of its own. */
#include "store/logins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define NOW INT64_C(1000000000) /* milliseconds */

static struct login_pair pair_of(const char *name, const char *hash, const char *password)
{
	struct login_pair pair;
	login_pair_of(&pair, slice_of(name), hash, slice_of(password));
	return pair;
}

static bool is_same(struct login_pair a, struct login_pair b)
{
	return memcmp(a.digest, b.digest, sizeof(a.digest)) == 0;
}

static struct peer peer_at(const char *text)
{
	struct peer peer;
	assert_true(peer_parse(&peer, text));
	return peer;
}

static void find_wrong(const char *password, const char *address, int64_t now)
{
	struct login_pair pair = pair_of("ani", "$y$h", password);
	struct peer source = peer_at(address);
	logins_found_wrong(&pair, &source, now);
}

static uint64_t count_wrong(const char *address, int64_t now)
{
	struct peer source = peer_at(address);
	return logins_count_wrong(&source, now);
}

static void a_pair_is_bound_to_the_stored_hash_and_not_to_how_the_name_was_written(void **state)
{
	struct login_pair pair = pair_of("ani", "$y$1", "rahasia");
	(void)state;
	assert_true(is_same(pair, pair_of("ani@kantor.example", "$y$1", "rahasia")));
	assert_false(is_same(pair, pair_of("ani", "$y$2", "rahasia")));
	assert_false(is_same(pair, pair_of("ani", "$y$1", "rahasia ")));
	assert_false(is_same(pair, pair_of("ani", "$y$", "1rahasia")));
}

static void a_pair_of_nobody_is_bound_to_the_name(void **state)
{
	struct login_pair pair = pair_of("nobody", NULL, "rahasia");
	(void)state;
	assert_true(is_same(pair, pair_of("nobody", NULL, "rahasia")));
	assert_false(is_same(pair, pair_of("somebody", NULL, "rahasia")));
}

static void a_right_password_is_fresh_for_a_while_and_remembered_for_days(void **state)
{
	struct login_pair pair = pair_of("ani", "$y$fresh", "rahasia");
	(void)state;
	assert_false(logins_is_fresh(&pair, NOW));
	assert_false(logins_is_remembered(&pair, NOW));
	logins_found_right(&pair, NOW);
	assert_true(logins_is_fresh(&pair, NOW + LOGIN_FRESH_MS - 1));
	assert_false(logins_is_fresh(&pair, NOW + LOGIN_FRESH_MS));
	assert_true(logins_is_remembered(&pair, NOW + LOGIN_REMEMBER_MS - 1));
	assert_false(logins_is_remembered(&pair, NOW + LOGIN_REMEMBER_MS));
}

static void a_password_found_right_again_is_fresh_again(void **state)
{
	struct login_pair pair = pair_of("ani", "$y$again", "rahasia");
	(void)state;
	logins_found_right(&pair, NOW);
	logins_found_right(&pair, NOW + LOGIN_FRESH_MS);
	assert_true(logins_is_fresh(&pair, NOW + 2 * LOGIN_FRESH_MS - 1));
}

static void a_repeated_wrong_password_counts_once_and_others_each(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		find_wrong("the old one", "192.0.2.1", NOW);
	assert_int_equal(count_wrong("192.0.2.1", NOW), 1);
	find_wrong("a guess", "192.0.2.1", NOW);
	assert_int_equal(count_wrong("192.0.2.1", NOW), 2);
}

static void wrong_passwords_are_forgotten_in_time(void **state)
{
	(void)state;
	find_wrong("first", "192.0.2.2", NOW);
	find_wrong("second", "192.0.2.2", NOW + 1);
	assert_int_equal(count_wrong("192.0.2.2", NOW + LOGIN_WRONG_MS - 1), 2);
	assert_int_equal(count_wrong("192.0.2.2", NOW + LOGIN_WRONG_MS), 1);
	assert_int_equal(count_wrong("192.0.2.2", NOW + LOGIN_WRONG_MS + 1), 0);
	find_wrong("first", "192.0.2.2", NOW + 2 * LOGIN_WRONG_MS);
	assert_int_equal(count_wrong("192.0.2.2", NOW + 2 * LOGIN_WRONG_MS), 1);
}

static void wrong_passwords_are_counted_by_ipv4_address_and_ipv6_network(void **state)
{
	(void)state;
	find_wrong("x", "192.0.2.3", NOW);
	assert_int_equal(count_wrong("192.0.2.4", NOW), 0);
	find_wrong("x", "2001:db8::1", NOW);
	find_wrong("x", "2001:db8::2", NOW); /* the same guess from the same network */
	find_wrong("y", "2001:db8:0:0:ffff::3", NOW);
	find_wrong("x", "2001:db8:0:1::1", NOW);
	assert_int_equal(count_wrong("2001:db8::4", NOW), 2);
	assert_int_equal(count_wrong("2001:db8:0:1::4", NOW), 1);
}

/* A flood of guesses pushes out older guesses, and no right password. */
static void guesses_never_push_out_what_was_right(void **state)
{
	struct login_pair pair = pair_of("ani", "$y$kept", "rahasia");
	(void)state;
	logins_found_right(&pair, NOW);
	for (unsigned i = 0; i < 20000; i++) {
		char guess[16];
		snprintf(guess, sizeof(guess), "%u", i);
		find_wrong(guess, "192.0.2.5", NOW);
	}
	assert_true(logins_is_fresh(&pair, NOW));
	assert_true(count_wrong("192.0.2.5", NOW) > 1000);
}

static void the_oldest_of_many_right_ones_gives_way(void **state)
{
	struct login_pair first = pair_of("ani", "$y$first", "rahasia"), last = first;
	(void)state;
	logins_found_right(&first, NOW);
	for (unsigned i = 0; i < 2000; i++) {
		char hash[16];
		snprintf(hash, sizeof(hash), "$y$%u", i);
		last = pair_of("ani", hash, "rahasia");
		logins_found_right(&last, NOW);
	}
	assert_false(logins_is_remembered(&first, NOW));
	assert_true(logins_is_fresh(&last, NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_pair_is_bound_to_the_stored_hash_and_not_to_how_the_name_was_written),
		cmocka_unit_test(a_pair_of_nobody_is_bound_to_the_name),
		cmocka_unit_test(a_right_password_is_fresh_for_a_while_and_remembered_for_days),
		cmocka_unit_test(a_password_found_right_again_is_fresh_again),
		cmocka_unit_test(a_repeated_wrong_password_counts_once_and_others_each),
		cmocka_unit_test(wrong_passwords_are_forgotten_in_time),
		cmocka_unit_test(wrong_passwords_are_counted_by_ipv4_address_and_ipv6_network),
		cmocka_unit_test(guesses_never_push_out_what_was_right),
		cmocka_unit_test(the_oldest_of_many_right_ones_gives_way),
	};
	return cmocka_run_group_tests_name("logins", tests, NULL, NULL);
}
