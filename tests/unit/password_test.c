/* store/password.h, promise by promise. */
#include "store/password.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h and stdarg.h. */
#include <cmocka.h>

static const char secret[] = "rahasia-kantor";

static void new_hashes_are_yescrypt_and_never_twice_the_same(void **state)
{
	char first[HASH_MAX], second[HASH_MAX];
	struct err e;
	(void)state;
	assert_int_equal(password_hash(slice_of(secret), first, &e), 0);
	assert_int_equal(password_hash(slice_of(secret), second, &e), 0);
	assert_int_equal(strncmp(first, "$y$j", 4), 0);
	assert_string_not_equal(first, second);
	assert_true(password_hash_is_known(first));
	assert_false(password_hash_is_old(first));
}

static void the_right_password_matches_and_no_other(void **state)
{
	static const char *const wrong[] = {
		"", "rahasia-kanto", "rahasia-kantor ", "Rahasia-kantor", "x"};
	char hash[HASH_MAX];
	struct err e;
	(void)state;
	assert_int_equal(password_hash(slice_of(secret), hash, &e), 0);
	assert_true(password_matches(slice_of(secret), hash));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(password_matches(slice_of(wrong[i]), hash));
}

static void a_password_of_any_letters_up_to_the_limit_is_taken(void **state)
{
	char hash[HASH_MAX], text[PASSWORD_MAX];
	struct err e;
	(void)state;
	memset(text, '\xC3', sizeof(text));
	assert_int_equal(password_hash((struct slice){text, sizeof(text)}, hash, &e), 0);
	assert_true(password_matches((struct slice){text, sizeof(text)}, hash));
	assert_false(password_matches((struct slice){text, sizeof(text) - 1}, hash));
}

static void empty_long_and_control_are_refused_with_words(void **state)
{
	char hash[HASH_MAX], text[PASSWORD_MAX + 1];
	const struct slice refused[] = {
		{NULL, 0}, SLICE("a\0b"), SLICE("a\tb"), SLICE("a\x7F"), {text, sizeof(text)}};
	struct err e;
	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		e.kind = ERR_NONE;
		assert_int_equal(password_hash(refused[i], hash, &e), -1);
		assert_int_equal(e.kind, ERR_INPUT);
		assert_string_not_equal(e.text, "");
	}
}

static void what_cannot_be_a_password_matches_nothing(void **state)
{
	char hash[HASH_MAX], text[PASSWORD_MAX + 1];
	struct err e;
	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(password_hash(SLICE("a"), hash, &e), 0);
	assert_false(password_matches(SLICE("a\0b"), hash)); /* crypt would stop at the NUL */
	assert_false(password_matches((struct slice){text, sizeof(text)}, hash));
	assert_false(password_matches((struct slice){NULL, 0}, hash));
}

static void an_unknown_user_has_no_password(void **state)
{
	(void)state;
	assert_false(password_matches(slice_of(secret), NULL));
	assert_false(password_matches(SLICE(""), NULL));
	assert_false(password_matches(slice_of(secret), "*")); /* no hash at all */
	assert_false(password_matches(SLICE(""), ""));
}

static void hashes_of_the_old_server_are_known_and_old(void **state)
{
	static const char *const imported[][2] = {
		{"Hello world!",
			"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4"
			"OTLiBFdcbYEdFCoEOfaS35inz1"},
		{"Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
		{"U*U", "$1$abcd$kkccxo9MBud7j5gVaAPuA."},
		{"U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(imported) / sizeof(imported[0]); i++) {
		assert_true(password_hash_is_known(imported[i][1]));
		assert_true(password_hash_is_old(imported[i][1]));
		assert_true(password_matches(slice_of(imported[i][0]), imported[i][1]));
		assert_false(password_matches(SLICE("other"), imported[i][1]));
	}
}

static void what_is_no_whole_hash_is_not_known(void **state)
{
	static const char *const refused[] = {"", "!", "*", "x", "secret", "$", "$6$saltstring$",
		"$6$saltstring", "$y$j9T$", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1",
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.", "$nosuch$salt$hash", "abcdefghijklm",
		"!$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW "};
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_false(password_hash_is_known(refused[i]));
}

/* A hash that only a bigger machine can check would shut its user out for good. */
static void a_hash_that_asks_for_too_much_is_not_known(void **state)
{
	(void)state;
	/* 999,999,999 rounds: the better part of an hour. */
	assert_false(password_hash_is_known(
		"$6$rounds=999999999$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjn"
		"QJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"));
#ifndef SANITIZED /* whose processes have no bound on memory */
	/* 1 GB of memory. */
	assert_false(password_hash_is_known(
		"$y$jFT$kantorexample.an$dhr6WWbNOZTxEToGPFbYOQzEZtl3JKg04Fwhl03VYS6"));
#endif
}

#ifndef SANITIZED
/* In a process of its own, which may use so much memory more than it has. */
static int status_of_a_check(const char *hash, rlim_t memory)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit limits[] = {{memory, memory}, {0, 0}};
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_AS, &limits[0]);
		setrlimit(RLIMIT_CORE, &limits[1]);
		_exit(password_matches(slice_of(secret), hash));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void without_memory_a_right_password_is_not_called_wrong(void **state)
{
	char hash[HASH_MAX];
	struct err e;
	(void)state;
	assert_int_equal(password_hash(slice_of(secret), hash, &e), 0);
	int status = status_of_a_check(hash, 256 << 20);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == true);
	status = status_of_a_check(hash, 8 << 20); /* 16 MB it takes */
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	/* Where the hash alone is too big nobody knows whose password it is. */
	status = status_of_a_check(
		"$y$jFT$kantorexample.an$dhr6WWbNOZTxEToGPFbYOQzEZtl3JKg04Fwhl03VYS6", 256 << 20);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == false);
}
#endif

/* ---- several at once ---- */

static void a_hash_like_another_has_its_setting_and_one_computation_finds_it(void **state)
{
	char hashes[4][HASH_MAX];
	const char *all[4] = {hashes[0], hashes[1], hashes[2], hashes[3]};
	struct err e;
	(void)state;
	assert_int_equal(password_hash(SLICE("satu"), hashes[0], &e), 0);
	assert_int_equal(password_hash_like(SLICE("dua"), hashes[0], hashes[1], &e), 0);
	assert_int_equal(password_hash_like(SLICE("tiga"), hashes[1], hashes[2], &e), 0);
	assert_int_equal(password_hash_like(SLICE("empat"), "", hashes[3], &e), 0);
	assert_true(password_is_alike(hashes[0], hashes[1]));
	assert_true(password_is_alike(hashes[2], hashes[1]));
	assert_false(password_is_alike(hashes[0], hashes[3]));
	assert_string_not_equal(hashes[0], hashes[1]);
	assert_int_equal(password_find(SLICE("satu"), all, 4), 0);
	assert_int_equal(password_find(SLICE("tiga"), all, 4), 2);
	assert_int_equal(password_find(SLICE("empat"), all, 4), 3); /* of another setting */
	assert_int_equal(password_find(SLICE("lima"), all, 4), -1);
	assert_int_equal(password_find(SLICE(""), all, 4), -1);
	assert_int_equal(password_find(SLICE("satu\0"), all, 4), -1);
	assert_int_equal(password_find(SLICE("satu"), all, 0), -1);
	all[1] = "no hash at all";
	assert_int_equal(password_find(SLICE("tiga"), all, 4), 2);
	assert_int_equal(password_hash_like(SLICE("x"), "no setting", hashes[1], &e), -1);
}

/* The salts of bcrypt have no $ behind them. */
static void hashes_of_the_old_server_are_never_alike(void **state)
{
	static const char *const both[] = {
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeX"};
	(void)state;
	assert_false(password_is_alike(both[0], both[0]));
	assert_int_equal(password_find(SLICE("U*U"), both, 2), 0);
}

static void generated_passwords_are_four_groups_of_clear_letters(void **state)
{
	char first[PASSWORD_GENERATED_MAX], second[PASSWORD_GENERATED_MAX];
	(void)state;
	password_generate(first);
	password_generate(second);
	assert_int_equal(strlen(first), 19);
	for (size_t i = 0; i < 19; i++)
		if (i % 5 == 4)
			assert_int_equal(first[i], '-');
		else
			assert_non_null(strchr("abcdefghjkmnpqrstuvwxyz23456789", first[i]));
	assert_string_not_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_hashes_are_yescrypt_and_never_twice_the_same),
		cmocka_unit_test(the_right_password_matches_and_no_other),
		cmocka_unit_test(a_password_of_any_letters_up_to_the_limit_is_taken),
		cmocka_unit_test(empty_long_and_control_are_refused_with_words),
		cmocka_unit_test(what_cannot_be_a_password_matches_nothing),
		cmocka_unit_test(an_unknown_user_has_no_password),
		cmocka_unit_test(hashes_of_the_old_server_are_known_and_old),
		cmocka_unit_test(what_is_no_whole_hash_is_not_known),
		cmocka_unit_test(a_hash_that_asks_for_too_much_is_not_known),
#ifndef SANITIZED
		cmocka_unit_test(without_memory_a_right_password_is_not_called_wrong),
#endif
		cmocka_unit_test(a_hash_like_another_has_its_setting_and_one_computation_finds_it),
		cmocka_unit_test(hashes_of_the_old_server_are_never_alike),
		cmocka_unit_test(generated_passwords_are_four_groups_of_clear_letters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
