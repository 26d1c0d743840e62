/* store/users.h, promise by promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "tests/unit/office.h"

static int check_new(struct test_office *office, const char *address)
{
	return users_check_new(office->store, &office->config, slice_of(address), &office->e);
}

static int add(struct test_office *office, const char *address)
{
	return users_add(office->store, &office->config, slice_of(address), "$y$x", QUOTA_DEFAULT,
		&office->e);
}

static int add_alias(struct test_office *office, const char *alias, const char *target)
{
	struct slice targets[1] = {slice_of(target)};
	return aliases_add(office->store, &office->config, slice_of(alias), targets, 1, &office->e);
}

static int rename_user(struct test_office *office, const char *from, const char *to)
{
	return users_rename(office->store, &office->config, get_user(office, from).id, slice_of(to),
		&office->e);
}

static bool is_user(struct test_office *office, const char *address)
{
	struct user user;
	int found = users_find(office->store, slice_of(address), &user, &office->e);
	assert_true(found >= 0);
	return found;
}

static int join_aliases(const struct alias *alias, void *arg)
{
	buf_printf(arg, "%s:", alias->alias);
	for (size_t i = 0; i < alias->count; i++)
		buf_printf(arg, " %s", alias->targets[i]);
	buf_add_char(arg, ';');
	return 0;
}

static void expect_aliases(struct test_office *office, const char *expected)
{
	struct buf text = {0};
	assert_int_equal(aliases_each(office->store, join_aliases, &text, &office->e), 0);
	assert_string_equal(buf_text(&text), expected);
	buf_free(&text);
}

static void a_user_is_found_by_address_in_any_case_and_by_id(void **state)
{
	struct test_office *office = *state;
	struct user user;
	assert_int_equal(WRITE(office, add(office, "Ani@Kantor.Example")), 0);
	assert_int_equal(
		users_find(office->store, SLICE("aNI@kANTOR.example"), &user, &office->e), 1);
	assert_string_equal(user.address, "ani@kantor.example");
	assert_string_equal(user.hash, "$y$x");
	assert_true(user.enabled);
	assert_int_equal(user.quota, QUOTA_DEFAULT);
	assert_int_equal(user.last_login, 0);
	assert_int_equal(users_find_id(office->store, user.id, &user, &office->e), 1);
	assert_int_equal(users_find_id(office->store, user.id + 1, &user, &office->e), 0);
}

static void addresses_that_no_user_can_have_are_refused(void **state)
{
	static const char *const refused[] = {"ani", "@kantor.example", "ani@", "ani@luar.example",
		"ani@xkantor.example", "ani@kantor.example.", "\"a b\"@kantor.example",
		"a@b@kantor.example", "an\xC3\xAD@kantor.example", "a b@kantor.example", ""};
	struct test_office *office = *state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		REFUSED(office, ERR_INPUT, add(office, refused[i]));
		assert_false(is_user(office, refused[i]));
	}
}

static void an_address_taken_by_a_user_or_alias_is_refused(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	assert_int_equal(
		WRITE(office, add_alias(office, "info@kantor.example", "ani@kantor.example")), 0);
	REFUSED(office, ERR_EXISTS, add(office, "ANI@kantor.example"));
	REFUSED(office, ERR_EXISTS, add(office, "\"ani\"@kantor.example"));
	REFUSED(office, ERR_EXISTS, add(office, "info@kantor.example"));
	/* As it is said before anything is done. */
	REFUSED(office, ERR_EXISTS, check_new(office, "ani@kantor.example"));
	REFUSED(office, ERR_EXISTS, check_new(office, "info@kantor.example"));
	REFUSED(office, ERR_INPUT, check_new(office, "ani@luar.example"));
	assert_int_equal(check_new(office, "budi@kantor.example"), 0);
	assert_false(is_user(office, "budi@kantor.example"));
}

static void look_ups_are_never_patterns(void **state)
{
	static const char *const none[] = {"%@kantor.example", "a%@kantor.example",
		"*@kantor.example", "an_@kantor.example", "' OR 1=1 --", "x'--@kantor.example"};
	struct test_office *office = *state;
	struct user user;
	struct slice folder;
	add_user(office, "ani@kantor.example");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_false(is_user(office, none[i]));
		assert_int_equal(users_find_login(office->store, slice_of(none[i]), &user, &folder,
					 &office->e),
			0);
	}
}

static void expect_login(struct test_office *office, const char *login, const char *address,
	const char *expected_folder)
{
	struct user user;
	struct slice folder;
	assert_int_equal(
		users_find_login(office->store, slice_of(login), &user, &folder, &office->e),
		address != NULL);
	if (address) {
		assert_string_equal(user.address, address);
		assert_true(slice_equal(folder, slice_of(expected_folder)));
	}
}

static void a_login_is_an_address_or_a_local_part_of_one_account(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	add_user(office, "budi@toko.example");
	expect_login(office, "ani@kantor.example", "ani@kantor.example", "");
	expect_login(office, "ANI", "ani@kantor.example", "");
	expect_login(office, "budi", NULL, NULL);
	expect_login(office, "budi@toko.example", "budi@toko.example", "");
	expect_login(office, "an", NULL, NULL);
	expect_login(office, "", NULL, NULL);
	expect_login(office, "@", NULL, NULL);
	expect_login(office, "@kantor.example", NULL, NULL);
	expect_login(office, "ani@luar.example", NULL, NULL);
	expect_login(office, "ani@kantor.example@", NULL, NULL);
}

static void a_login_names_a_folder_behind_a_plus(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "siti+toko@kantor.example");
	expect_login(office, "ani+Arsip@kantor.example", "ani@kantor.example", "Arsip");
	expect_login(office, "ani@kantor.example+Arsip", "ani@kantor.example", "Arsip");
	expect_login(office, "ani+Arsip", "ani@kantor.example", "Arsip");
	expect_login(office, "ani+", "ani@kantor.example", "");
	expect_login(office, "ani+../budi", "ani@kantor.example", "../budi");
	expect_login(office, "siti+toko", "siti+toko@kantor.example", "");
	expect_login(office, "siti+toko@kantor.example", "siti+toko@kantor.example", "");
	expect_login(office, "+ani", NULL, NULL);
	expect_login(office, "nobody+ani", NULL, NULL);
}

static int join_addresses(const struct user *user, void *arg)
{
	buf_printf(arg, "%s;", user->address);
	return strcmp(user->address, "c@kantor.example") == 0;
}

static void users_come_in_order_until_the_caller_has_enough(void **state)
{
	struct test_office *office = *state;
	struct buf text = {0};
	add_user(office, "d@kantor.example");
	add_user(office, "b@toko.example");
	add_user(office, "c@kantor.example");
	add_user(office, "a@kantor.example");
	assert_int_equal(users_each(office->store, join_addresses, &text, &office->e), 0);
	assert_string_equal(buf_text(&text), "a@kantor.example;b@toko.example;c@kantor.example;");
	buf_free(&text);
}

static void what_is_set_is_read_again(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	int64_t id = get_user(office, "ani@kantor.example").id;
	assert_int_equal(WRITE(office, users_set_hash(office->store, id, "$y$n", &office->e)), 0);
	assert_int_equal(WRITE(office, users_set_enabled(office->store, id, false, &office->e)), 0);
	assert_int_equal(WRITE(office, users_set_quota(office->store, id, 0, &office->e)), 0);
	assert_int_equal(
		WRITE(office, users_set_last_login(office->store, id, 1234, &office->e)), 0);
	struct user user = get_user(office, "ani@kantor.example");
	assert_string_equal(user.hash, "$y$n");
	assert_false(user.enabled);
	assert_int_equal(user.quota, 0);
	assert_int_equal(user.last_login, 1234);
	REFUSED(office, ERR_MISSING, users_set_enabled(office->store, id + 1, true, &office->e));
}

static void used_and_messages_are_those_of_all_folders(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	file_entry(office, folder_id(office, "ani@kantor.example", "Inbox"), 1000);
	file_entry(office, folder_id(office, "ani@kantor.example", "Junk"), 500);
	struct user user = get_user(office, "ani@kantor.example");
	assert_int_equal(user.used, 1500);
	assert_int_equal(user.messages, 2);
}

static void room_is_what_the_quota_leaves(void **state)
{
	struct config config = {.quota = 1000};
	struct user user = {.quota = QUOTA_DEFAULT, .used = 400};
	(void)state;
	assert_int_equal(users_room(&user, &config), 600);
	user.quota = 500;
	assert_int_equal(users_room(&user, &config), 100);
	user.used = 600;
	assert_int_equal(users_room(&user, &config), 0);
	user.quota = 0;
	assert_true(users_room(&user, &config) == UINT64_MAX);
	user.quota = QUOTA_DEFAULT;
	config.quota = 0;
	assert_true(users_room(&user, &config) == UINT64_MAX);
}

static void a_renamed_user_leaves_an_alias_and_takes_the_others_along(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	assert_int_equal(
		WRITE(office, add_alias(office, "info@kantor.example", "ani@kantor.example")), 0);
	assert_int_equal(
		WRITE(office, rename_user(office, "ani@kantor.example", "Anita@toko.example")), 0);
	assert_false(is_user(office, "ani@kantor.example"));
	assert_true(is_user(office, "anita@toko.example"));
	expect_login(office, "anita", "anita@toko.example", "");
	expect_aliases(office, "ani@kantor.example: anita@toko.example;"
			       "info@kantor.example: anita@toko.example;");
	/* And back: the alias of that name was the user's own. */
	assert_int_equal(
		WRITE(office, rename_user(office, "anita@toko.example", "ani@kantor.example")), 0);
	expect_aliases(office, "anita@toko.example: ani@kantor.example;"
			       "info@kantor.example: ani@kantor.example;");
}

static void a_copy_that_others_get_moves_along(void **state)
{
	struct test_office *office = *state;
	struct slice targets[] = {SLICE("ani@kantor.example"), SLICE("budi@kantor.example")};
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	assert_int_equal(
		WRITE(office, aliases_add(office->store, &office->config,
				      SLICE("ani@kantor.example"), targets, 2, &office->e)),
		0);
	assert_int_equal(
		WRITE(office, rename_user(office, "ani@kantor.example", "anita@kantor.example")),
		0);
	expect_aliases(office, "ani@kantor.example: anita@kantor.example;"
			       "anita@kantor.example: anita@kantor.example budi@kantor.example;");
}

static void a_new_name_that_is_taken_or_outside_is_refused(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	assert_int_equal(
		WRITE(office, add_alias(office, "info@kantor.example", "budi@kantor.example")), 0);
	REFUSED(office, ERR_EXISTS,
		rename_user(office, "ani@kantor.example", "budi@kantor.example"));
	REFUSED(office, ERR_EXISTS,
		rename_user(office, "ani@kantor.example", "ANI@kantor.example"));
	REFUSED(office, ERR_EXISTS,
		rename_user(office, "ani@kantor.example", "info@kantor.example"));
	REFUSED(office, ERR_INPUT, rename_user(office, "ani@kantor.example", "ani@luar.example"));
	assert_true(is_user(office, "ani@kantor.example"));
}

static void a_removed_user_is_gone_and_the_mail_deleted_now(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	int64_t id = get_user(office, "ani@kantor.example").id;
	file_entry(office, folder_id(office, "ani@kantor.example", "Inbox"), 1000);
	assert_int_equal(WRITE(office, users_remove(office->store, id, &office->e)), 0);
	assert_false(is_user(office, "ani@kantor.example"));
	expect_login(office, "ani", NULL, NULL);
	REFUSED(office, ERR_MISSING, users_remove(office->store, id, &office->e));
	struct query q =
		db_query(office->store, SQL("SELECT deleted FROM entries /* scans entries */"));
	assert_int_equal(db_next(&q, &office->e), 1);
	assert_int_equal(db_int(&q, 0), store_now(office->store));
	db_end(&q);
}

static void a_large_mailbox_goes_in_steps_and_the_user_with_the_last(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	int64_t id = get_user(office, "ani@kantor.example").id;
	int64_t inbox = folder_id(office, "ani@kantor.example", "Inbox");
	for (int i = 0; i < USERS_STEP + 1; i++)
		file_entry(office, inbox, 1);
	assert_int_equal(WRITE(office, users_remove(office->store, id, &office->e)), 1);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 1);
	assert_int_equal(WRITE(office, users_remove(office->store, id, &office->e)), 0);
	assert_false(is_user(office, "ani@kantor.example"));
}

static void a_user_added_again_in_time_has_the_same_mailbox(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	int64_t id = get_user(office, "ani@kantor.example").id;
	int64_t inbox = folder_id(office, "ani@kantor.example", "Inbox");
	file_entry(office, inbox, 1000);
	assert_int_equal(WRITE(office, users_set_enabled(office->store, id, false, &office->e)), 0);
	assert_int_equal(WRITE(office, users_remove(office->store, id, &office->e)), 0);
	store_set_clock(office->store, store_now(office->store) + 86400);
	add_user(office, "ani@kantor.example");
	struct user user = get_user(office, "ani@kantor.example");
	assert_int_equal(user.id, id);
	assert_int_equal(user.messages, 0); /* deleted, until somebody restores it */
	assert_true(user.enabled);
	assert_string_equal(user.hash, "$y$x");
	assert_int_equal(folder_id(office, "ani@kantor.example", "Inbox"), inbox);
}

static void a_user_added_again_too_late_begins_anew(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	int64_t id = get_user(office, "ani@kantor.example").id;
	assert_int_equal(WRITE(office, users_remove(office->store, id, &office->e)), 0);
	store_set_clock(office->store, store_now(office->store) + 15 * 86400);
	add_user(office, "ani@kantor.example");
	assert_int_not_equal(get_user(office, "ani@kantor.example").id, id);
}

static void aliases_that_led_to_a_removed_user_alone_go(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	WRITE(office, add_alias(office, "info@kantor.example", "ani@kantor.example"));
	WRITE(office, add_alias(office, "help@kantor.example", "info@kantor.example"));
	WRITE(office, add_alias(office, "all@kantor.example", "ani@kantor.example"));
	WRITE(office, add_alias(office, "all@kantor.example", "budi@kantor.example"));
	WRITE(office, add_alias(office, "@kantor.example", "ani@kantor.example"));
	WRITE(office, add_alias(office, "@toko.example", "@kantor.example"));
	WRITE(office, add_alias(office, "budi@kantor.example", "budi@kantor.example"));
	WRITE(office, add_alias(office, "budi@kantor.example", "ani@kantor.example"));
	int64_t id = get_user(office, "ani@kantor.example").id;
	assert_int_equal(WRITE(office, users_remove(office->store, id, &office->e)), 0);
	expect_aliases(
		office, "@toko.example: @kantor.example;all@kantor.example: budi@kantor.example;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_user_is_found_by_address_in_any_case_and_by_id),
		OFFICE_TEST(addresses_that_no_user_can_have_are_refused),
		OFFICE_TEST(an_address_taken_by_a_user_or_alias_is_refused),
		OFFICE_TEST(look_ups_are_never_patterns),
		OFFICE_TEST(a_login_is_an_address_or_a_local_part_of_one_account),
		OFFICE_TEST(a_login_names_a_folder_behind_a_plus),
		OFFICE_TEST(users_come_in_order_until_the_caller_has_enough),
		OFFICE_TEST(what_is_set_is_read_again),
		OFFICE_TEST(used_and_messages_are_those_of_all_folders),
		cmocka_unit_test(room_is_what_the_quota_leaves),
		OFFICE_TEST(a_renamed_user_leaves_an_alias_and_takes_the_others_along),
		OFFICE_TEST(a_copy_that_others_get_moves_along),
		OFFICE_TEST(a_new_name_that_is_taken_or_outside_is_refused),
		OFFICE_TEST(a_removed_user_is_gone_and_the_mail_deleted_now),
		OFFICE_TEST(a_large_mailbox_goes_in_steps_and_the_user_with_the_last),
		OFFICE_TEST(a_user_added_again_in_time_has_the_same_mailbox),
		OFFICE_TEST(a_user_added_again_too_late_begins_anew),
		OFFICE_TEST(aliases_that_led_to_a_removed_user_alone_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
