/* store/maildrop.h: POP3's list and its deletions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/letters.h"
#include "tests/unit/office.h"

static int erase(struct test_office *office, const char *address, int64_t folder, int64_t id)
{
	return WRITE(office, maildrop_delete(office->store, get_user(office, address).id, folder,
				     &id, 1, &office->e));
}

static void a_list_is_in_order_of_arrival(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	for (int i = 0; i < 50; i++) {
		store_set_clock(office->store, 1800000000 - i); /* whatever the clock says */
		post(office, i % 2 ? "ani@kantor.example" : "budi@kantor.example", LETTER);
	}
	assert_int_equal(list(office, "ani@kantor.example", "Inbox", &maildrop), 25);
	for (size_t i = 1; i < maildrop.count; i++) {
		assert_true(maildrop.items[i].id > maildrop.items[i - 1].id);
		assert_string_not_equal(
			maildrop_uidl(&maildrop, i), maildrop_uidl(&maildrop, i - 1));
		assert_int_equal(strlen(maildrop_uidl(&maildrop, i)), UIDL_NEW_LENGTH);
	}
	assert_int_equal(maildrop.size, 25 * maildrop.items[0].size);
	maildrop_free(&maildrop);
}

static void what_is_deleted_is_no_longer_listed_or_counted(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	add_user(office, "ani@kantor.example");
	int64_t inbox = folder_id(office, "ani@kantor.example", "Inbox");
	for (int i = 0; i < 3; i++)
		post(office, "ani@kantor.example", LETTER);
	list(office, "ani@kantor.example", "Inbox", &maildrop);
	int64_t ids[] = {maildrop.items[0].id, maildrop.items[2].id}, left = maildrop.items[1].id;
	assert_int_equal(WRITE(office, maildrop_delete(office->store,
					       get_user(office, "ani@kantor.example").id, inbox,
					       ids, 2, &office->e)),
		0);
	assert_int_equal(list(office, "ani@kantor.example", "Inbox", &maildrop), 1);
	assert_int_equal(maildrop.items[0].id, left);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 1);
	assert_int_equal(get_user(office, "ani@kantor.example").used, maildrop.size);
	maildrop_free(&maildrop);
	assert_sound(office);
}

static void deleting_what_another_session_deleted_is_success(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	int64_t inbox = folder_id(office, "ani@kantor.example", "Inbox");
	post(office, "ani@kantor.example", LETTER);
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(erase(office, "ani@kantor.example", inbox, 1), 0);
	assert_int_equal(erase(office, "ani@kantor.example", inbox, 1), 0);
	/* purged meanwhile, the newest and another */
	assert_int_equal(erase(office, "ani@kantor.example", inbox, 2), 0);
	assert_int_equal(db_script(office->store, "DELETE FROM entries", &office->e), 0);
	assert_int_equal(erase(office, "ani@kantor.example", inbox, 1), 0);
	assert_int_equal(erase(office, "ani@kantor.example", inbox, 2), 0);
}

static void what_was_moved_to_another_folder_stays_there(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	add_user(office, "ani@kantor.example");
	int64_t inbox = folder_id(office, "ani@kantor.example", "Inbox");
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(
		WRITE(office, mail_move(office->store, get_user(office, "ani@kantor.example").id, 1,
				      folder_id(office, "ani@kantor.example", "Junk"), &office->e)),
		0);
	assert_int_equal(erase(office, "ani@kantor.example", inbox, 1), 0);
	assert_int_equal(list(office, "ani@kantor.example", "Junk", &maildrop), 1);
	maildrop_free(&maildrop);
}

static void nobody_deletes_anothers_mail(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	int64_t hers = folder_id(office, "ani@kantor.example", "Inbox");
	int64_t his = folder_id(office, "budi@kantor.example", "Inbox");
	post(office, "budi@kantor.example", LETTER);
	assert_int_equal(erase(office, "ani@kantor.example", hers, 1), -1);
	assert_int_equal(office->e.kind, ERR_DENIED);
	assert_int_equal(erase(office, "ani@kantor.example", his, 1), -1);
	assert_int_equal(office->e.kind, ERR_DENIED);
	assert_int_equal(erase(office, "budi@kantor.example", his, 99), -1);
	assert_int_equal(office->e.kind, ERR_DENIED);
	assert_int_equal(get_user(office, "budi@kantor.example").messages, 1);
}

static void one_wrong_number_undoes_all(void **state)
{
	struct test_office *office = *state;
	const int64_t ids[] = {1, 2, 99};
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	post(office, "ani@kantor.example", LETTER);
	REFUSED(office, ERR_DENIED,
		maildrop_delete(office->store, get_user(office, "ani@kantor.example").id,
			folder_id(office, "ani@kantor.example", "Inbox"), ids, 3, &office->e));
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 2);
}

static void the_number_of_a_purged_message_is_not_given_again(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	add_user(office, "ani@kantor.example");
	for (int i = 0; i < 3; i++)
		post(office, "ani@kantor.example", LETTER);
	assert_int_equal(db_script(office->store,
				 "DELETE FROM entries WHERE id > 1; DELETE FROM bodies WHERE "
				 "refs = 0; DELETE FROM pieces WHERE id >> 20 > 1",
				 &office->e),
		0);
	post(office, "ani@kantor.example", LETTER);
	list(office, "ani@kantor.example", "Inbox", &maildrop);
	assert_int_equal(maildrop.count, 2);
	assert_int_equal(maildrop.items[1].id, 4);
	maildrop_free(&maildrop);
	assert_sound(office);
}

static void a_deletion_under_a_clock_gone_back_is_not_dated_back(void **state)
{
	struct test_office *office = *state;
	struct mail mail;
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(
		WRITE(office, mail_purge_step(office->store, 86400, false, 1 << 20, &office->e)),
		0);
	store_set_clock(office->store, 1000); /* a Raspberry Pi before it asked for the time */
	erase(office, "ani@kantor.example", folder_id(office, "ani@kantor.example", "Inbox"), 1);
	assert_int_equal(mail_find(office->store, get_user(office, "ani@kantor.example").id, 1,
				 &mail, &office->e),
		1);
	assert_int_equal(mail.deleted, 1800000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_list_is_in_order_of_arrival),
		OFFICE_TEST(what_is_deleted_is_no_longer_listed_or_counted),
		OFFICE_TEST(deleting_what_another_session_deleted_is_success),
		OFFICE_TEST(what_was_moved_to_another_folder_stays_there),
		OFFICE_TEST(nobody_deletes_anothers_mail),
		OFFICE_TEST(one_wrong_number_undoes_all),
		OFFICE_TEST(the_number_of_a_purged_message_is_not_given_again),
		OFFICE_TEST(a_deletion_under_a_clock_gone_back_is_not_dated_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
