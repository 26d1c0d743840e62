/* store/mail.h: what the tools see, the purge, the check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/letters.h"
#include "tests/unit/office.h"

#define START 1800000000
#define HOUR  3600
#define DAY   (24 * HOUR)
#define WEEKS (14 * DAY)

#define ALL_ENTRIES SQL("SELECT count(*) FROM entries /* scans entries */")
#define ALL_PIECES  SQL("SELECT count(*) FROM pieces /* scans pieces */")

/* ---- what the tools see ---- */

struct seen {
	struct mail last;
	int count;
	int64_t previous;
};

static int see(const struct mail *mail, void *arg)
{
	struct seen *seen = arg;
	assert_true(mail->id > seen->previous);
	seen->previous = mail->id;
	seen->last = *mail;
	seen->count++;
	return 0;
}

static struct seen see_all(struct test_office *office, int64_t folder, bool deleted)
{
	struct seen seen = {0};
	assert_int_equal(mail_each(office->store, get_user(office, "ani@kantor.example").id, folder,
				 deleted, see, &seen, &office->e),
		0);
	return seen;
}

static void erase(struct test_office *office, int64_t id)
{
	assert_int_equal(WRITE(office, maildrop_delete(office->store,
					       get_user(office, "ani@kantor.example").id,
					       folder_id(office, "ani@kantor.example", "Inbox"),
					       &id, 1, &office->e)),
		0);
}

static void mail_is_listed_by_folder_or_all_in_order_of_arrival(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	for (int i = 0; i < 6; i++)
		post(office, i == 3 ? "budi@kantor.example" : "ani@kantor.example", LETTER);
	int64_t junk = folder_id(office, "ani@kantor.example", "Junk");
	assert_int_equal(
		WRITE(office, mail_move(office->store, get_user(office, "ani@kantor.example").id, 1,
				      junk, &office->e)),
		0);
	erase(office, 2);
	assert_int_equal(see_all(office, 0, false).count, 4);
	assert_int_equal(see_all(office, junk, false).count, 1);
	assert_int_equal(see_all(office, 0, true).count, 1);
	assert_int_equal(see_all(office, 0, true).last.deleted, START);
	assert_string_equal(see_all(office, junk, false).last.folder, "Junk");
}

static void a_message_tells_who_it_is_from(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example",
		"From: =?utf-8?q?S=C3=ADti?= <siti@far.example>\r\n\r\n");
	assert_string_equal(see_all(office, 0, false).last.from, "Síti <siti@far.example>");
	post(office, "ani@kantor.example", "Subject: no from\r\n\r\n");
	assert_string_equal(see_all(office, 0, false).last.from, "budi@far.example");
	assert_int_equal(see_all(office, 0, false).last.received, START);
	assert_int_equal(strlen(see_all(office, 0, false).last.uidl), UIDL_NEW_LENGTH);
}

static void a_from_field_of_any_length_is_cut_between_letters(void **state)
{
	struct test_office *office = *state;
	struct buf text = {0};
	add_user(office, "ani@kantor.example");
	buf_add_text(&text, "From: x");
	for (int i = 0; i < 300; i++)
		buf_add_text(&text, "é");
	buf_add_text(&text, "\r\n\r\n");
	post(office, "ani@kantor.example", buf_text(&text));
	assert_int_equal(strlen(see_all(office, 0, false).last.from), 249);
	buf_free(&text);
}

static void moving_keeps_the_uidl_and_the_counters(void **state)
{
	struct test_office *office = *state;
	struct mail before, after;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	int64_t user = get_user(office, "ani@kantor.example").id;
	int64_t junk = folder_id(office, "ani@kantor.example", "Junk");
	assert_int_equal(mail_find(office->store, user, 1, &before, &office->e), 1);
	assert_int_equal(WRITE(office, mail_move(office->store, user, 1, junk, &office->e)), 0);
	assert_int_equal(mail_find(office->store, user, 1, &after, &office->e), 1);
	assert_string_equal(before.uidl, after.uidl);
	assert_int_equal(after.folder_id, junk);
	REFUSED(office, ERR_MISSING, mail_move(office->store, user, 77, junk, &office->e));
	REFUSED(office, ERR_MISSING,
		mail_move(office->store, user, 1, folder_id(office, "budi@kantor.example", "Inbox"),
			&office->e));
	assert_int_equal(mail_find(office->store, get_user(office, "budi@kantor.example").id, 1,
				 &after, &office->e),
		0);
	assert_sound(office);
}

/* ---- filed again ---- */

static struct mail get_mail(struct test_office *office, int64_t id)
{
	struct mail mail;
	assert_int_equal(mail_find(office->store, get_user(office, "ani@kantor.example").id, id,
				 &mail, &office->e),
		1);
	return mail;
}

static int again(struct test_office *office, const char *address, int64_t id, bool deleted)
{
	int64_t user = get_user(office, address).id;
	return WRITE(office, mail_again(office->store, user, id, deleted, &office->e));
}

/* How many mail_again() could file. */
static size_t offers(struct test_office *office, bool deleted, int64_t since)
{
	struct buf ids = {0};
	uint64_t size;
	assert_int_equal(mail_list_again(office->store, get_user(office, "ani@kantor.example").id,
				 deleted, since, &ids, &size, &office->e),
		0);
	size_t count = ids.len / sizeof(int64_t);
	assert_true((size > 0) == (count > 0));
	buf_free(&ids);
	return count;
}

static void restored_mail_is_new_to_clients_and_the_old_entry_stays_for_sessions(void **state)
{
	struct test_office *office = *state;
	struct buf before = {0}, after = {0}, session = {0};
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	post(office, "ani@kantor.example", LETTER);
	struct mail was = get_mail(office, 1);
	assert_int_equal(read_entry(office->store, 1, &before, &office->e), 0);
	erase(office, 1);
	store_set_clock(office->store, START + HOUR);
	assert_int_equal(again(office, "ani@kantor.example", 1, true), 1);
	struct mail is = get_mail(office, 3), old = get_mail(office, 1);
	assert_string_not_equal(is.uidl, was.uidl);
	assert_int_equal(strlen(is.uidl), UIDL_NEW_LENGTH);
	assert_int_equal(is.received, was.received);
	assert_int_equal(is.folder_id, was.folder_id);
	assert_int_equal(is.deleted, 0);
	assert_int_equal(old.became, 3);
	assert_int_equal(old.deleted, START);
	assert_int_equal(read_entry(office->store, 3, &after, &office->e), 0);
	assert_int_equal(read_entry(office->store, 1, &session, &office->e), 0);
	assert_true(slice_equal(buf_slice(&before), buf_slice(&after)));
	assert_true(slice_equal(buf_slice(&before), buf_slice(&session)));
	assert_int_equal(see_all(office, 0, true).count, 0);
	assert_int_equal(see_all(office, 0, false).count, 2);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 2);
	assert_sound(office);
	buf_free(&before);
	buf_free(&after);
	buf_free(&session);
}

static void mail_offered_again_takes_the_place_of_what_it_was(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	int64_t used = get_user(office, "ani@kantor.example").used;
	store_set_clock(office->store, START + HOUR);
	assert_int_equal(again(office, "ani@kantor.example", 1, false), 1);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, 1);
	assert_int_equal(get_user(office, "ani@kantor.example").used, used);
	assert_int_equal(get_mail(office, 1).deleted, START + HOUR);
	assert_int_equal(get_mail(office, 2).received, START);
	assert_int_equal(see_all(office, 0, true).count, 0);
	erase(office, 1); /* by a session that lists what it was */
	assert_int_equal(see_all(office, 0, false).last.id, 2);
	assert_sound(office);
}

static void nothing_is_filed_again_twice_or_from_the_wrong_side(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	add_user(office, "budi@kantor.example");
	for (int i = 0; i < 2; i++)
		post(office, "ani@kantor.example", LETTER);
	erase(office, 1);
	assert_int_equal(again(office, "ani@kantor.example", 1, false), 0);
	assert_int_equal(again(office, "ani@kantor.example", 2, true), 0);
	assert_int_equal(again(office, "budi@kantor.example", 1, true), 0);
	assert_int_equal(again(office, "ani@kantor.example", 77, true), 0);
	assert_int_equal(again(office, "ani@kantor.example", 1, true), 1);
	assert_int_equal(again(office, "ani@kantor.example", 1, true), 0);
	assert_int_equal(number(office, ALL_ENTRIES), 3);
}

static void offers_are_counted_from_the_deletion_or_the_arrival(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	for (int hours = 0; hours < 4; hours++) {
		store_set_clock(office->store, START + hours * HOUR);
		post(office, "ani@kantor.example", LETTER);
	}
	store_set_clock(office->store, START + 10 * HOUR);
	erase(office, 1);
	store_set_clock(office->store, START + 20 * HOUR);
	erase(office, 2);
	assert_int_equal(offers(office, false, INT64_MIN), 2);
	assert_int_equal(offers(office, false, START + 3 * HOUR), 1);
	assert_int_equal(offers(office, true, INT64_MIN), 2);
	assert_int_equal(offers(office, true, START + 10 * HOUR), 2);
	assert_int_equal(offers(office, true, START + 10 * HOUR + 1), 1);
	assert_int_equal(again(office, "ani@kantor.example", 1, true), 1);
	assert_int_equal(offers(office, true, INT64_MIN), 1);
}

/* ---- the purge ---- */

/* Both clocks go on. */
static void pass(struct test_office *office, int64_t seconds)
{
	store_set_clock(office->store, store_now(office->store) + seconds);
	office->store->monotonic_ms += seconds * 1000;
}

/* Purges until there is nothing to do; how many messages are left as rows. */
static int64_t purge(struct test_office *office, int64_t keep, bool disk_full)
{
	int more;
	do
		more = WRITE(office,
			mail_purge_step(office->store, keep, disk_full, 1 << 20, &office->e));
	while (more == 1);
	assert_int_equal(more, 0);
	assert_sound(office);
	return number(office, ALL_ENTRIES);
}

static void begin_purging(struct test_office *office)
{
	office->store->monotonic_ms = 1000;
	add_user(office, "ani@kantor.example");
	purge(office, WEEKS, false);
	for (int i = 0; i < 3; i++)
		post(office, "ani@kantor.example", LETTER);
}

static void deleted_mail_stays_for_keep_deleted_and_then_goes_with_its_octets(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	erase(office, 1);
	for (int64_t hours = 0; hours < WEEKS / HOUR; hours++, pass(office, HOUR))
		if (hours % 24 == 0)
			assert_int_equal(purge(office, WEEKS, false), 3);
	pass(office, 1);
	assert_int_equal(purge(office, WEEKS, false), 2);
	assert_int_equal(number(office, ALL_PIECES), 2);
}

static void mail_that_was_restored_outlives_what_it_was(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	erase(office, 1);
	assert_int_equal(again(office, "ani@kantor.example", 1, true), 1);
	assert_int_equal(purge(office, 0, false), 4);
	pass(office, HOUR);
	assert_int_equal(purge(office, 0, false), 3);
	assert_int_equal(number(office, ALL_PIECES), 3);
	assert_int_equal(again(office, "ani@kantor.example", 1, true), 0);
}

static void a_body_lives_as_long_as_one_of_its_messages(void **state)
{
	struct test_office *office = *state;
	struct buf out = {0};
	begin_purging(office);
	add_user(office, "budi@kantor.example");
	struct letter letter = letter_to("ani@kantor.example");
	letter.recipients[1].address = SLICE("budi@kantor.example");
	letter.delivery.recipient_count = 2;
	assert_int_equal(post_letter(office, &letter, slice_of(LETTER)), 0);
	erase(office, 4);
	assert_int_equal(purge(office, 0, true), 4);
	read_nth(office, "budi@kantor.example", "Inbox", 0, &out);
	buf_free(&out);
}

static void nothing_goes_within_an_hour(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	erase(office, 1);
	pass(office, HOUR - 1);
	assert_int_equal(purge(office, 0, false), 3);
	pass(office, 1);
	assert_int_equal(purge(office, 0, false), 2);
}

static void a_full_disk_takes_what_is_deleted_whatever_its_age(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	erase(office, 1);
	assert_int_equal(purge(office, WEEKS, true), 2);
	assert_int_equal(number(office, ALL_PIECES), 2);
}

static void a_clock_that_jumped_ahead_purges_nothing_for_an_hour(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	erase(office, 1);
	store_set_clock(office->store, START + 10 * 365 * DAY);
	assert_int_equal(purge(office, WEEKS, false), 3);
	pass(office, HOUR - 1);
	assert_int_equal(purge(office, WEEKS, false), 3);
	store_set_clock(office->store, START + HOUR); /* the time server is back */
	assert_int_equal(purge(office, WEEKS, false), 3);
	pass(office, WEEKS);
	assert_int_equal(purge(office, WEEKS, false), 2); /* and has run steadily since */
}

static void a_clock_that_goes_steadily_is_believed_after_an_hour(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	erase(office, 1);
	store_set_clock(office->store, START + 60 * DAY); /* the office was closed */
	assert_int_equal(purge(office, WEEKS, false), 3);
	pass(office, HOUR);
	assert_int_equal(purge(office, WEEKS, false), 2);
}

static void a_clock_behind_the_latest_time_purges_nothing_for_an_hour(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	erase(office, 1);
	pass(office, 2 * HOUR);
	store_set_clock(office->store, START - 1);
	assert_int_equal(purge(office, HOUR, false), 3);
	store_set_clock(office->store, START + 2 * HOUR);
	assert_int_equal(purge(office, HOUR, false), 2);
}

static void a_purge_without_work_writes_nothing(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	purge(office, WEEKS, false);
	int before = sqlite3_total_changes(office->store->db);
	pass(office, 600);
	purge(office, WEEKS, false);
	assert_int_equal(sqlite3_total_changes(office->store->db), before);
}

static void a_purge_of_much_mail_goes_in_steps(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("ani@kantor.example");
	int steps = 0, more;
	begin_purging(office);
	store_begin(office->store, &office->e);
	for (int i = 0; i < 500; i++)
		assert_int_equal(file_letter(office, &letter, slice_of(LETTER)), 0);
	store_commit(office->store, &office->e);
	assert_int_equal(db_script(office->store, "UPDATE entries SET deleted = 1", &office->e), 0);
	while ((more = WRITE(office,
			mail_purge_step(office->store, WEEKS, false, 1 << 20, &office->e))) == 1)
		steps++;
	assert_int_equal(more, 0);
	assert_true(steps >= 4);
	assert_int_equal(number(office, ALL_ENTRIES), 0);
	assert_int_equal(number(office, ALL_PIECES), 0);
	assert_sound(office);
}

static void a_removed_user_goes_with_the_last_message(void **state)
{
	struct test_office *office = *state;
	begin_purging(office);
	int64_t user = get_user(office, "ani@kantor.example").id;
	while (WRITE(office, users_remove(office->store, user, &office->e)) == 1)
		;
	assert_int_equal(purge(office, WEEKS, false), 3);
	for (int day = 0; day < 15; day++, pass(office, DAY))
		purge(office, WEEKS, false);
	assert_int_equal(purge(office, WEEKS, false), 0);
	assert_int_equal(number(office, SQL("SELECT count(*) FROM users /* scans users */")), 0);
	assert_int_equal(
		number(office, SQL("SELECT count(*) FROM folders /* scans folders */")), 0);
}

/* ---- the check ---- */

/* One finding, with these words in it. */
static void assert_found(struct test_office *office, const char *words)
{
	struct buf findings = {0};
	int count = mail_check(office->store, keep_finding, &findings, &office->e);
	if (count != 1 || !strstr(buf_text(&findings), words))
		fail_msg("%d findings, expected one with \"%s\": %s", count, words,
			buf_text(&findings));
	buf_free(&findings);
}

static void break_it(struct test_office *office, const char *sql)
{
	if (db_script(office->store, sql, &office->e))
		fail_msg("%s", office->e.text);
}

static void begin_checking(struct test_office *office)
{
	add_user(office, "ani@kantor.example");
	post(office, "ani@kantor.example", LETTER);
	post(office, "ani@kantor.example", LETTER);
	assert_sound(office);
}

static void check_finds_a_wrong_octet_and_names_the_message(void **state)
{
	struct test_office *office = *state;
	begin_checking(office);
	break_it(office, "UPDATE pieces SET octets = CAST(replace(octets, 'Good', 'Goot') AS BLOB)"
			 " WHERE id = 2 << 20");
	assert_found(office, "ani@kantor.example, folder Inbox, message 2: its octets are not");
	assert_found(office, "officemail mail remove ani@kantor.example 2");
}

static void check_finds_a_lost_piece(void **state)
{
	struct test_office *office = *state;
	begin_checking(office);
	break_it(office, "DELETE FROM pieces WHERE id = 2 << 20");
	assert_found(office, "message 2: octets of it are missing");
}

static void check_finds_a_wrong_prefix(void **state)
{
	struct test_office *office = *state;
	begin_checking(office);
	break_it(office, "UPDATE entries SET checksum = 1 WHERE id = 1");
	assert_found(office, "message 1: the fields in front");
}

static void check_finds_a_lost_body_and_its_octets(void **state)
{
	struct test_office *office = *state;
	begin_checking(office);
	break_it(office, "DROP TRIGGER bodies_in_use; DELETE FROM pieces WHERE id >> 20 = 1;"
			 "DELETE FROM bodies WHERE id = 1");
	assert_found(office, "message 1: it has lost its octets");
	break_it(office, "DELETE FROM entries WHERE id = 1; INSERT INTO pieces VALUES"
			 " (9 << 20, octets_checksum('x'), CAST('x' AS BLOB))");
	assert_found(office, "octets of no message (body 9)");
}

static void check_counts_again(void **state)
{
	struct test_office *office = *state;
	begin_checking(office);
	break_it(office, "UPDATE folders SET messages = 7 WHERE messages = 2");
	assert_found(office, "folder Inbox: counts 7 messages");
	break_it(office, "UPDATE folders SET messages = 2 WHERE messages = 7;"
			 "UPDATE bodies SET refs = 5 WHERE id = 1");
	assert_found(office, "body 1: counts 5 messages, belongs to 1");
}

static void check_finds_a_user_without_an_inbox(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	break_it(office, "DELETE FROM folders WHERE name = 'Inbox'");
	assert_found(office, "ani@kantor.example has no folder Inbox");
}

static void check_finds_a_row_that_belongs_to_nothing(void **state)
{
	struct test_office *office = *state;
	begin_checking(office);
	break_it(office, "PRAGMA foreign_keys = off; INSERT INTO rules VALUES (1, 77, 1, 'a', 'b',"
			 " 1); PRAGMA foreign_keys = on");
	assert_found(office, "row 1 of rules belongs to nothing in users");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(mail_is_listed_by_folder_or_all_in_order_of_arrival),
		OFFICE_TEST(a_message_tells_who_it_is_from),
		OFFICE_TEST(a_from_field_of_any_length_is_cut_between_letters),
		OFFICE_TEST(moving_keeps_the_uidl_and_the_counters),
		OFFICE_TEST(restored_mail_is_new_to_clients_and_the_old_entry_stays_for_sessions),
		OFFICE_TEST(mail_offered_again_takes_the_place_of_what_it_was),
		OFFICE_TEST(nothing_is_filed_again_twice_or_from_the_wrong_side),
		OFFICE_TEST(offers_are_counted_from_the_deletion_or_the_arrival),
		OFFICE_TEST(mail_that_was_restored_outlives_what_it_was),
		OFFICE_TEST(deleted_mail_stays_for_keep_deleted_and_then_goes_with_its_octets),
		OFFICE_TEST(a_body_lives_as_long_as_one_of_its_messages),
		OFFICE_TEST(nothing_goes_within_an_hour),
		OFFICE_TEST(a_full_disk_takes_what_is_deleted_whatever_its_age),
		OFFICE_TEST(a_clock_that_jumped_ahead_purges_nothing_for_an_hour),
		OFFICE_TEST(a_clock_that_goes_steadily_is_believed_after_an_hour),
		OFFICE_TEST(a_clock_behind_the_latest_time_purges_nothing_for_an_hour),
		OFFICE_TEST(a_purge_without_work_writes_nothing),
		OFFICE_TEST(a_purge_of_much_mail_goes_in_steps),
		OFFICE_TEST(a_removed_user_goes_with_the_last_message),
		OFFICE_TEST(check_finds_a_wrong_octet_and_names_the_message),
		OFFICE_TEST(check_finds_a_lost_piece),
		OFFICE_TEST(check_finds_a_wrong_prefix),
		OFFICE_TEST(check_finds_a_lost_body_and_its_octets),
		OFFICE_TEST(check_counts_again),
		OFFICE_TEST(check_finds_a_user_without_an_inbox),
		OFFICE_TEST(check_finds_a_row_that_belongs_to_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
