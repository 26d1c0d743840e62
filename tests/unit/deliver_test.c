/* store/deliver.h: who gets a message, where it is filed, and what stands in
 * front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/letters.h"
#include "tests/unit/office.h"

static void a_message_is_filed_in_the_inbox_with_its_trace_in_front(void **state)
{
	struct test_office *office = *state;
	struct buf got = {0};
	add_user(office, "ani@kantor.example");
	assert_int_equal(post(office, "ani@kantor.example", LETTER), ERR_NONE);
	read_nth(office, "ani@kantor.example", "Inbox", 0, &got);
	assert_string_equal(buf_text(&got), "Return-Path: <budi@far.example>\r\n"
					    "Delivered-To: ani@kantor.example\r\n" RECEIVED LETTER);
	buf_free(&got);
}

static void the_size_counted_is_the_octets_read(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	struct buf got = {0};
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	list(office, "ani@kantor.example", "Inbox", &maildrop);
	read_nth(office, "ani@kantor.example", "Inbox", 0, &got);
	assert_int_equal(maildrop.count, 1);
	assert_int_equal(maildrop.items[0].size, got.len);
	assert_int_equal(maildrop.size, got.len);
	assert_int_equal(get_user(office, "ani@kantor.example").used, got.len);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 1);
	maildrop_free(&maildrop);
	buf_free(&got);
}

static void the_null_sender_is_an_empty_return_path(void **state)
{
	struct test_office *office = *state;
	struct buf got = {0};
	add_user(office, "ani@kantor.example");
	struct letter letter = letter_to("ani@kantor.example");
	letter.delivery.sender = (struct slice){0};
	assert_int_equal(post_letter(office, &letter, slice_of(LETTER)), 0);
	read_nth(office, "ani@kantor.example", "Inbox", 0, &got);
	assert_true(slice_has_prefix(buf_slice(&got), SLICE("Return-Path: <>\r\n")));
	buf_free(&got);
}

static void an_empty_message_is_filed_too(void **state)
{
	struct test_office *office = *state;
	struct buf got = {0};
	add_user(office, "ani@kantor.example");
	assert_int_equal(post(office, "ani@kantor.example", ""), ERR_NONE);
	read_nth(office, "ani@kantor.example", "Inbox", 0, &got);
	assert_true(got.len > 0);
	buf_free(&got);
	assert_sound(office);
}

static void each_mailbox_gets_one_copy_and_one_body_serves_all(void **state)
{
	struct test_office *office = *state;
	static const char *const to[] = {"ani@kantor.example", "list@kantor.example",
		"budi@kantor.example", "ANI+offers@kantor.example", "nobody@kantor.example",
		"x@elsewhere.example"};
	const struct slice targets[] = {SLICE("ani@kantor.example"), SLICE("budi@kantor.example")};
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	WRITE(office, aliases_add(office->store, &office->config, SLICE("list@kantor.example"),
			      targets, 2, &office->e));
	struct letter letter = letter_to(NULL);
	for (size_t i = 0; i < 6; i++)
		letter.recipients[i].address = slice_of(to[i]);
	letter.delivery.recipient_count = 6;
	assert_int_equal(post_letter(office, &letter, slice_of(LETTER)), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(letter.results[i], ERR_NONE);
	assert_int_equal(letter.results[4], ERR_MISSING);
	assert_int_equal(letter.results[5], ERR_DENIED);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 1);
	assert_int_equal(get_user(office, "budi@kantor.example").messages, 1);
	assert_int_equal(number(office, SQL("SELECT count(*) FROM bodies /* scans bodies */")), 1);
	assert_int_equal(number(office, SQL("SELECT sum(refs) FROM bodies /* scans bodies */")), 2);
	assert_sound(office);
}

static void a_message_for_nobody_leaves_nothing(void **state)
{
	struct test_office *office = *state;
	struct buf big = {0};
	fill(&big, 3 * BODY_PIECE + 17);
	assert_int_equal(post(office, "nobody@kantor.example", LETTER), ERR_MISSING);
	struct letter letter = letter_to("nobody@kantor.example");
	assert_int_equal(post_letter(office, &letter, buf_slice(&big)), 0);
	assert_int_equal(number(office, SQL("SELECT count(*) FROM bodies /* scans bodies */")), 0);
	assert_int_equal(number(office, SQL("SELECT count(*) FROM pieces /* scans pieces */")), 0);
	buf_free(&big);
}

static void a_tag_files_in_a_public_folder_and_else_in_the_inbox(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	add_user(office, "ani@kantor.example");
	int64_t user = get_user(office, "ani@kantor.example").id;
	WRITE(office, folders_add(office->store, user, SLICE("Offers"), true, &office->e));
	WRITE(office, folders_add(office->store, user, SLICE("Private"), false, &office->e));
	assert_int_equal(post(office, "ani+offers@kantor.example", LETTER), ERR_NONE);
	assert_int_equal(post(office, "ani+private@kantor.example", LETTER), ERR_NONE);
	assert_int_equal(post(office, "ani+other@kantor.example", LETTER), ERR_NONE);
	assert_int_equal(list(office, "ani@kantor.example", "Offers", &maildrop), 1);
	assert_int_equal(list(office, "ani@kantor.example", "Private", &maildrop), 0);
	assert_int_equal(list(office, "ani@kantor.example", "Inbox", &maildrop), 2);
	maildrop_free(&maildrop);
}

static void junk_comes_before_a_tag_and_a_tag_before_rules(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	add_user(office, "ani@kantor.example");
	int64_t user = get_user(office, "ani@kantor.example").id;
	WRITE(office, folders_add(office->store, user, SLICE("Offers"), true, &office->e));
	WRITE(office, folders_add(office->store, user, SLICE("Budi"), false, &office->e));
	WRITE(office, rules_add(office->store, user, SLICE("From"), SLICE("budi@"),
			      folder_id(office, "ani@kantor.example", "Budi"), &office->e));
	struct letter letter = letter_to("ani+offers@kantor.example");
	letter.delivery.junk = true;
	assert_int_equal(post_letter(office, &letter, slice_of(LETTER)), 0);
	assert_int_equal(list(office, "ani@kantor.example", "Junk", &maildrop), 1);
	post(office, "ani+offers@kantor.example", LETTER);
	assert_int_equal(list(office, "ani@kantor.example", "Offers", &maildrop), 1);
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(list(office, "ani@kantor.example", "Budi", &maildrop), 1);
	assert_int_equal(list(office, "ani@kantor.example", "Inbox", &maildrop), 0);
	maildrop_free(&maildrop);
}

static void rules_see_the_header_of_a_big_message(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	struct buf big = {0};
	add_user(office, "ani@kantor.example");
	int64_t user = get_user(office, "ani@kantor.example").id;
	WRITE(office, folders_add(office->store, user, SLICE("Budi"), false, &office->e));
	WRITE(office, rules_add(office->store, user, SLICE("From"), SLICE("budi@"),
			      folder_id(office, "ani@kantor.example", "Budi"), &office->e));
	buf_add_text(&big, LETTER);
	fill(&big, 2 * BODY_PIECE);
	struct letter letter = letter_to("ani@kantor.example");
	assert_int_equal(post_letter(office, &letter, buf_slice(&big)), 0);
	assert_int_equal(list(office, "ani@kantor.example", "Budi", &maildrop), 1);
	maildrop_free(&maildrop);
	buf_free(&big);
}

static void a_full_mailbox_is_refused_and_one_message_may_overshoot(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	WRITE(office, users_set_quota(office->store, get_user(office, "ani@kantor.example").id, 100,
			      &office->e));
	assert_int_equal(post(office, "ani@kantor.example", LETTER), ERR_NONE);
	assert_int_equal(post(office, "ani@kantor.example", LETTER), ERR_QUOTA);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 1);
}

static void a_list_reaches_its_full_members_unless_all_are_full(void **state)
{
	struct test_office *office = *state;
	const struct slice targets[] = {SLICE("ani@kantor.example"), SLICE("budi@kantor.example")};
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	WRITE(office, aliases_add(office->store, &office->config, SLICE("list@kantor.example"),
			      targets, 2, &office->e));
	WRITE(office, users_set_quota(office->store, get_user(office, "ani@kantor.example").id, 1,
			      &office->e));
	assert_int_equal(post(office, "list@kantor.example", LETTER), ERR_NONE);
	assert_int_equal(post(office, "list@kantor.example", LETTER), ERR_NONE);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 2);
	WRITE(office, users_set_quota(office->store, get_user(office, "budi@kantor.example").id, 1,
			      &office->e));
	assert_int_equal(post(office, "list@kantor.example", LETTER), ERR_QUOTA);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 2);
}

static void the_writer_is_ready_for_the_next_message(void **state)
{
	struct test_office *office = *state;
	struct buf got = {0};
	add_user(office, "ani@kantor.example");
	struct letter letter = letter_to("ani@kantor.example");
	assert_int_equal(post_letter(office, &letter, slice_of(LETTER)), 0);
	assert_int_equal(post_letter(office, &letter, SLICE("From: x@y\r\n\r\nsecond\r\n")), 0);
	read_nth(office, "ani@kantor.example", "Inbox", 1, &got);
	assert_non_null(strstr(buf_text(&got), "second"));
	assert_null(strstr(buf_text(&got), "Subject: offer"));
	buf_free(&got);
}

static void uidls_are_sixteen_letters_and_differ(void **state)
{
	struct test_office *office = *state;
	struct maildrop maildrop = {0};
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	post(office, "ani@kantor.example", LETTER);
	assert_int_equal(list(office, "ani@kantor.example", "Inbox", &maildrop), 2);
	assert_int_equal(strlen(maildrop_uidl(&maildrop, 0)), UIDL_NEW_LENGTH);
	assert_int_equal(strlen(maildrop_uidl(&maildrop, 1)), UIDL_NEW_LENGTH);
	assert_string_not_equal(maildrop_uidl(&maildrop, 0), maildrop_uidl(&maildrop, 1));
	maildrop_free(&maildrop);
}

static void so_do_those_of_many_mailboxes(void **state)
{
	struct test_office *office = *state;
	enum { MANY = 20 };
	struct envelope_recipient recipients[MANY] = {0};
	char addresses[MANY][32];
	enum err_kind results[MANY];
	struct body_writer body = {0};
	struct letter letter = letter_to(NULL);
	struct delivery delivery = letter.delivery;
	for (size_t i = 0; i < MANY; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "u%zu@kantor.example", i);
		add_user(office, addresses[i]);
		recipients[i].address = slice_of(addresses[i]);
	}
	delivery.recipients = recipients;
	delivery.recipient_count = MANY;
	WRITE(office, body_append(office->store, &body, slice_of(LETTER), &office->e));
	WRITE(office,
		deliver(office->store, &office->config, &delivery, &body, results, &office->e));
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(results[i], ERR_NONE);
	assert_int_equal(number(office, SQL("SELECT count(DISTINCT uidl) FROM entries"
					    " WHERE length(uidl) = 16 /* scans entries */")),
		MANY);
	assert_sound(office);
}

static void a_store_failure_is_not_the_recipients_fault(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	assert_int_equal(store_begin(office->store, &office->e), 0);
	assert_int_equal(db_script(office->store, "DROP TABLE pieces", &office->e), 0);
	struct letter letter = letter_to("ani@kantor.example");
	assert_int_equal(file_letter(office, &letter, slice_of(LETTER)), -1);
	assert_int_equal(office->e.kind, ERR_IO);
	store_rollback(office->store);
	assert_int_equal(post_letter(office, &letter, slice_of(LETTER)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_message_is_filed_in_the_inbox_with_its_trace_in_front),
		OFFICE_TEST(the_size_counted_is_the_octets_read),
		OFFICE_TEST(the_null_sender_is_an_empty_return_path),
		OFFICE_TEST(an_empty_message_is_filed_too),
		OFFICE_TEST(each_mailbox_gets_one_copy_and_one_body_serves_all),
		OFFICE_TEST(a_message_for_nobody_leaves_nothing),
		OFFICE_TEST(a_tag_files_in_a_public_folder_and_else_in_the_inbox),
		OFFICE_TEST(junk_comes_before_a_tag_and_a_tag_before_rules),
		OFFICE_TEST(rules_see_the_header_of_a_big_message),
		OFFICE_TEST(a_full_mailbox_is_refused_and_one_message_may_overshoot),
		OFFICE_TEST(a_list_reaches_its_full_members_unless_all_are_full),
		OFFICE_TEST(the_writer_is_ready_for_the_next_message),
		OFFICE_TEST(uidls_are_sixteen_letters_and_differ),
		OFFICE_TEST(so_do_those_of_many_mailboxes),
		OFFICE_TEST(a_store_failure_is_not_the_recipients_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
