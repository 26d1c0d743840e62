/* store/devices, store/maildrop: who deletes for whom, and when a message leaves. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "store/keyring.h"
#include "tests/unit/devices.h"

static void who_has_no_devices_deletes_as_ever(void **state)
{
	struct test_office *office = *state;
	furnish(office, 2);
	assert_int_equal(erase(office, 0, 1), 0);
	assert_false(is_there(office, 1));
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(get_user(office, ANI).messages, 1);
	assert_sound(office);
}

#define PAGES_OF_DEVICES                                                                           \
	SQL("SELECT rootpage FROM sqlite_schema WHERE tbl_name IN ('devices', 'hidden')"           \
	    " AND rootpage > 0 /* scans sqlite_schema */")

/* Whoever reads one of the pages that devices take hears that it is damaged. */
static void damage_pages_of_devices(struct test_office *office)
{
	unsigned char garbage[STORE_PAGE];
	int64_t pages[8];
	size_t count = 0;
	char path[64];
	struct query q = db_query(office->store, PAGES_OF_DEVICES);
	while (db_next(&q, &office->e) == 1 && count < 8)
		pages[count++] = db_int(&q, 0);
	db_end(&q);
	assert_int_equal(count, 3); /* the index of the names is one, too */
	store_close(office->store);
	memset(garbage, 0xA5, sizeof(garbage));
	snprintf(path, sizeof(path), "%s/store.db", office->data);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
			pwrite(fd, garbage, STORE_PAGE, (pages[i] - 1) * STORE_PAGE), STORE_PAGE);
	close(fd);
	assert_int_equal(
		store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL, &office->e), 0);
	store_set_clock(office->store, START);
}

/* Not one is read, so none is written, by what happens to mail all day. */
static void who_has_no_devices_pays_with_no_page(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	struct keyring ring = {0};
	furnish(office, 2);
	damage_pages_of_devices(office);
	const struct user user = get_user(office, ANI);
	int64_t inbox = folder_id(office, ANI, "Inbox");
	post(office, ANI, LETTER);
	assert_int_equal(keyring_load(&ring, office->store, &user, &office->e), 0);
	keyring_free(&ring);
	assert_int_equal(maildrop_list(office->store, inbox, &maildrop, &office->e), 0);
	assert_int_equal(maildrop.count, 3);
	log_in(office, 0, true);
	assert_int_equal(erase(office, 0, maildrop.items[0].id), 0);
	assert_int_equal(get_user(office, ANI).messages, 2);
	maildrop_free(&maildrop);
	/* And it would have been heard. */
	assert_int_equal(add_as(office, ANI, "pc", HASH "pc"), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	assert_int_equal(maildrop_list_view(office->store, inbox, 0, &maildrop, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_DAMAGED);
	maildrop_free(&maildrop);
}

static void a_message_leaves_when_every_login_that_counts_has_deleted_it(void **state)
{
	struct test_office *office = *state;
	/* Two devices and the own password, in every order. */
	static const int orders[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	furnish(office, 6);
	int64_t logins[3] = {0, add(office, "hp"), add(office, "pc")};
	uint64_t used = (uint64_t)get_user(office, ANI).used;
	for (size_t i = 0; i < 3; i++)
		log_in(office, logins[i], true);
	for (int64_t n = 0; n < 6; n++) {
		for (size_t i = 0; i < 3; i++) {
			int64_t who = logins[orders[n][i]];
			size_t seen = count_seen(office, who);
			assert_true(is_there(office, n + 1));
			assert_int_equal(erase(office, who, n + 1), 0);
			assert_int_equal(count_seen(office, who), seen - 1);
			assert_int_equal(erase(office, who, n + 1), 0); /* again: fine */
		}
		assert_false(is_there(office, n + 1));
		/* It counts once, until it has left. */
		assert_int_equal(get_user(office, ANI).messages, 5 - n);
		assert_int_equal(get_user(office, ANI).used, used / 6 * (uint64_t)(5 - n));
		assert_int_equal(number(office, ALL_HIDDEN), 0);
	}
	assert_sound(office);
}

static void a_login_counts_from_when_it_first_opens_the_mailbox(void **state)
{
	struct test_office *office = *state;
	furnish(office, 3);
	int64_t hp = add(office, "hp"), pc = add(office, "pc");
	log_in(office, pc, true);
	log_in(office, hp, false); /* sends with it, and no more */
	assert_int_equal(erase(office, pc, 1), 0);
	assert_false(is_there(office, 1)); /* neither hp nor the own password has ever looked */
	log_in(office, hp, true);
	assert_int_equal(count_seen(office, hp), 2);
	assert_int_equal(erase(office, pc, 2), 0);
	assert_true(is_there(office, 2));
	log_in(office, 0, true);
	assert_int_equal(count_seen(office, 0), 2); /* what is there now */
	assert_int_equal(erase(office, hp, 2), 0);
	assert_true(is_there(office, 2));
	assert_int_equal(erase(office, 0, 2), 0);
	assert_false(is_there(office, 2));
	assert_sound(office);
}

static void who_used_the_password_before_there_were_devices_counts(void **state)
{
	struct test_office *office = *state;
	furnish(office, 1);
	log_in(office, 0, true);
	int64_t pc = add(office, "pc");
	assert_int_equal(get_user(office, ANI).viewed, START);
	assert_int_equal(erase(office, pc, 1), 0);
	assert_true(is_there(office, 1));
	assert_int_equal(count_seen(office, 0), 1);
	assert_int_equal(count_seen(office, pc), 0);
}

static void a_device_that_is_added_later_sees_what_is_there(void **state)
{
	struct test_office *office = *state;
	furnish(office, 3);
	int64_t pc = add(office, "pc");
	log_in(office, 0, true);
	log_in(office, pc, true);
	erase(office, pc, 1);
	int64_t hp = add(office, "hp");
	assert_int_equal(count_seen(office, hp), 3);
	log_in(office, hp, true);
	erase(office, 0, 1);
	assert_true(is_there(office, 1));
	erase(office, hp, 1);
	assert_false(is_there(office, 1));
}

static void what_a_removed_device_alone_held_leaves_at_once(void **state)
{
	struct test_office *office = *state;
	furnish(office, 4);
	int64_t hp, pc;
	add_two(office, &hp, &pc);
	erase(office, pc, 1);
	erase(office, hp, 2);
	remove_device(office, hp);
	assert_false(is_there(office, 1));
	assert_true(is_there(office, 2)); /* pc still holds it */
	assert_int_equal(count_seen(office, pc), 3);
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(get_user(office, ANI).devices, 1);
	log_in(office, 0, true);
	erase(office, pc, 2);
	assert_true(is_there(office, 2));
	remove_device(office, pc);
	assert_true(is_there(office, 2)); /* the own password's */
	assert_int_equal(get_user(office, ANI).devices, 0);
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	erase(office, 0, 2);
	assert_false(is_there(office, 2));
	assert_sound(office);
}

static void what_the_own_password_deleted_stays_so_without_devices(void **state)
{
	struct test_office *office = *state;
	furnish(office, 2);
	int64_t hp = add(office, "hp");
	log_in(office, hp, true);
	log_in(office, 0, true);
	erase(office, 0, 1);
	assert_true(is_there(office, 1));
	remove_device(office, hp);
	assert_false(is_there(office, 1));
	assert_true(is_there(office, 2));
	assert_sound(office);
}

static void what_is_moved_stays_hidden_and_what_is_restored_does_not(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	furnish(office, 3);
	int64_t hp, pc;
	add_two(office, &hp, &pc);
	int64_t junk = folder_id(office, ANI, "Junk"), user = get_user(office, ANI).id;
	erase(office, pc, 1);
	WRITE(office, mail_move(office->store, user, 1, junk, &office->e));
	assert_int_equal(maildrop_list_view(office->store, junk, pc, &maildrop, &office->e), 0);
	assert_int_equal(maildrop.count, 0);
	assert_int_equal(maildrop_list_view(office->store, junk, hp, &maildrop, &office->e), 0);
	assert_int_equal(maildrop.count, 1);
	maildrop_free(&maildrop);
	/* Deleting what has been moved meanwhile is success, and does nothing. */
	erase(office, hp, 1);
	assert_true(is_there(office, 1));

	erase(office, pc, 2);
	assert_int_equal(WRITE(office, mail_again(office->store, user, 2, false, &office->e)), 1);
	assert_int_equal(count_seen(office, pc), 2); /* 3, and 2 once more */
	erase(office, pc, 3);
	erase(office, hp, 3);
	assert_false(is_there(office, 3));
	assert_int_equal(WRITE(office, mail_again(office->store, user, 3, true, &office->e)), 1);
	assert_int_equal(count_seen(office, pc), 2);
	assert_int_equal(count_seen(office, hp), 2);
	assert_sound(office);
}

static void a_person_deletes_for_all(void **state)
{
	struct test_office *office = *state;
	furnish(office, 2);
	int64_t hp, pc;
	add_two(office, &hp, &pc);
	erase(office, pc, 1);
	assert_int_equal(WRITE(office, maildrop_delete(office->store, get_user(office, ANI).id,
					       folder_id(office, ANI, "Inbox"), &(int64_t){1}, 1,
					       &office->e)),
		0);
	assert_false(is_there(office, 1));
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(count_seen(office, hp), 1);
	assert_sound(office);
}

static void one_wrong_number_hides_nothing(void **state)
{
	struct test_office *office = *state;
	furnish(office, 2);
	add_user(office, BUDI);
	post(office, BUDI, LETTER);
	int64_t hp = add(office, "hp");
	log_in(office, hp, true);
	REFUSED(office, ERR_DENIED, erase_in(office, hp, (int64_t[]){1, 3}, 2));
	REFUSED(office, ERR_DENIED, erase_in(office, hp, (int64_t[]){1, 99}, 2));
	assert_int_equal(number(office, ALL_HIDDEN), 0);
	assert_int_equal(count_seen(office, hp), 2);
	assert_int_equal(get_user(office, BUDI).messages, 1);
	REFUSED(office, ERR_MISSING, erase_in(office, 4711, (int64_t[]){1}, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(who_has_no_devices_deletes_as_ever),
		OFFICE_TEST(who_has_no_devices_pays_with_no_page),
		OFFICE_TEST(a_message_leaves_when_every_login_that_counts_has_deleted_it),
		OFFICE_TEST(a_login_counts_from_when_it_first_opens_the_mailbox),
		OFFICE_TEST(who_used_the_password_before_there_were_devices_counts),
		OFFICE_TEST(a_device_that_is_added_later_sees_what_is_there),
		OFFICE_TEST(what_a_removed_device_alone_held_leaves_at_once),
		OFFICE_TEST(what_the_own_password_deleted_stays_so_without_devices),
		OFFICE_TEST(what_is_moved_stays_hidden_and_what_is_restored_does_not),
		OFFICE_TEST(a_person_deletes_for_all),
		OFFICE_TEST(one_wrong_number_hides_nothing),
	};
	return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
