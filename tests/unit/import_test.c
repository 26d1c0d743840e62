/* store/import.h: what is there, what is filed, and under which UIDL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "store/events.h"
#include "store/import.h"
#include "store/mail.h"
#include "tests/unit/office.h"

#define ANI "ani@kantor.example"

struct importing {
	struct test_office *office;
	struct import_known *known;
	int64_t inbox, junk;
};

static void read_known(struct importing *import)
{
	struct test_office *office = import->office;
	import_known_free(import->known);
	assert_int_equal(import_known_read(&import->known, office->store, get_user(office, ANI).id,
				 &office->e),
		0);
}

static struct importing begin(void **state)
{
	struct importing import = {.office = *state};
	add_user(import.office, ANI);
	import.inbox = folder_id(import.office, ANI, "Inbox");
	import.junk = folder_id(import.office, ANI, "Junk");
	read_known(&import);
	return import;
}

static struct import_message message_of(int64_t folder, const char *uidl, const char *text)
{
	return (struct import_message){.folder_id = folder,
		.uidl = slice_of(uidl),
		.received = 1700000000,
		.size = strlen(text),
		.sum = digest_checksum(text, strlen(text))};
}

static enum import_uidl file(
	struct importing *import, int64_t folder, const char *uidl, const char *text)
{
	struct test_office *office = import->office;
	struct import_message message = message_of(folder, uidl, text);
	struct body_writer body = {0};
	enum import_uidl what = IMPORT_NONE;
	assert_int_equal(WRITE(office, ({
		int failed = body_append(office->store, &body, slice_of(text), &office->e);
		failed ? failed
		       : import_file(
				 import->known, office->store, &message, &body, &what, &office->e);
	})),
		0);
	return what;
}

/* 0 not there, 1 there, 2 there and deleted. */
static int find(struct importing *import, int64_t folder, const char *uidl, const char *text)
{
	struct import_message message = message_of(folder, uidl, text);
	bool deleted = false;
	int found = import_find(
		import->known, import->office->store, &message, &deleted, &import->office->e);
	return found + deleted;
}

static int keep(const struct mail *mail, void *arg)
{
	*(struct mail *)arg = *mail;
	return 0;
}

static struct mail last_mail(struct test_office *office)
{
	struct mail mail = {0};
	assert_int_equal(mail_each(office->store, get_user(office, ANI).id, 0, false, keep, &mail,
				 &office->e),
		0);
	return mail;
}

#define TEXT  "Return-Path: <pak@luar.example>\r\nFrom: Pak <pak@luar.example>\r\n\r\nisi\r\n"
#define OTHER "Subject: lain\r\n\r\n"

static void what_is_filed_has_its_uidl_its_time_and_its_octets(void **state)
{
	struct importing import = begin(state);
	struct test_office *office = import.office;
	assert_int_equal(file(&import, import.inbox, "old-1", TEXT), IMPORT_KEPT);
	struct mail mail = last_mail(office);
	assert_string_equal(mail.uidl, "old-1");
	assert_string_equal(mail.from, "Pak <pak@luar.example>");
	assert_int_equal(mail.received, 1700000000);
	assert_int_equal(mail.size, strlen(TEXT));
	struct body_reader reader = {0};
	struct slice octets;
	assert_int_equal(body_open(&reader, office->store, 0, mail.id, &office->e), 0);
	assert_int_equal(body_next(&reader, &octets, &office->e), 0);
	assert_true(slice_equal(octets, SLICE(TEXT)));
	body_close(&reader);
	assert_int_equal(get_user(office, ANI).used, strlen(TEXT));
	assert_int_equal(mail_check(office->store, NULL, NULL, &office->e), 0);
	struct event_totals totals;
	assert_int_equal(events_totals(office->store, &totals, &office->e), 0);
	assert_int_equal(totals.delivered[23], 0);
	import_known_free(import.known);
}

static void a_uidl_that_cannot_be_given_becomes_a_new_one(void **state)
{
	struct importing import = begin(state);
	char longest[72];
	memset(longest, 'x', 71);
	longest[71] = '\0';
	assert_int_equal(file(&import, import.inbox, longest, TEXT), IMPORT_INVALID);
	assert_int_equal(file(&import, import.inbox, "a b", TEXT), IMPORT_INVALID);
	assert_int_equal(file(&import, import.inbox, "a\x7f", TEXT), IMPORT_INVALID);
	assert_int_equal(file(&import, import.inbox, "", TEXT), IMPORT_NONE);
	assert_int_equal(strlen(last_mail(import.office).uidl), UIDL_NEW_LENGTH);
	longest[70] = '\0';
	assert_int_equal(file(&import, import.inbox, longest, TEXT), IMPORT_KEPT);
	assert_string_equal(last_mail(import.office).uidl, longest);
	assert_int_equal(file(&import, import.junk, longest, OTHER), IMPORT_TAKEN);
	read_known(&import);
	assert_int_equal(file(&import, import.junk, longest, OTHER), IMPORT_TAKEN);
	import_known_free(import.known);
}

static void what_is_there_stands_for_one_message(void **state)
{
	struct importing import = begin(state);
	file(&import, import.inbox, "1", TEXT);
	assert_int_equal(find(&import, import.inbox, "1", TEXT), 0); /* of this import */
	read_known(&import);
	assert_int_equal(find(&import, import.inbox, "1", OTHER), 0);
	assert_int_equal(find(&import, import.junk, "2", TEXT), 0);
	assert_int_equal(find(&import, import.junk, "1", TEXT), 1); /* by its UIDL: moved */
	assert_int_equal(find(&import, import.inbox, "1", TEXT), 0);
	read_known(&import);
	assert_int_equal(find(&import, import.inbox, "", TEXT), 1);
	assert_int_equal(find(&import, import.inbox, "", TEXT), 0);
	read_known(&import);
	import_expect(import.known, SLICE("1"));
	assert_int_equal(find(&import, import.inbox, "2", TEXT), 0);
	assert_int_equal(find(&import, import.inbox, "1", TEXT), 1);
	import_known_free(import.known);
}

static void what_a_client_has_deleted_is_there(void **state)
{
	struct importing import = begin(state);
	struct test_office *office = import.office;
	file(&import, import.inbox, "1", TEXT);
	int64_t id = last_mail(office).id, user = get_user(office, ANI).id;
	assert_int_equal(WRITE(office, maildrop_delete(office->store, user, import.inbox, &id, 1,
					       &office->e)),
		0);
	read_known(&import);
	assert_int_equal(find(&import, import.inbox, "1", TEXT), 2);
	assert_int_equal(WRITE(office, mail_again(office->store, user, id, true, &office->e)), 1);
	read_known(&import);
	assert_true(find(&import, import.inbox, "1", TEXT) > 0);
	import_known_free(import.known);
}

static void many_are_found(void **state)
{
	struct importing import = begin(state);
	struct test_office *office = import.office;
	char uidl[32], text[64];
	for (int i = 0; i < 3000; i++) {
		snprintf(uidl, sizeof(uidl), "uid-%d", i);
		snprintf(text, sizeof(text), "N: %04d\r\n\r\n", i);
		assert_int_equal(
			file(&import, i & 1 ? import.junk : import.inbox, uidl, text), IMPORT_KEPT);
	}
	for (int round = 0; round < 2; round++) {
		read_known(&import);
		for (int i = 0; i < 3000; i++) {
			snprintf(uidl, sizeof(uidl), "%s-%d", round ? "other" : "uid", i);
			snprintf(text, sizeof(text), "N: %04d\r\n\r\n", i);
			assert_int_equal(
				find(&import, i & 1 ? import.junk : import.inbox, uidl, text), 1);
		}
	}
	assert_int_equal(get_user(office, ANI).messages, 3000);
	import_known_free(import.known);
}

static int64_t count_arriving(struct test_office *office)
{
	int64_t count = 0;
	assert_int_equal(db_number(office->store,
				 SQL("SELECT count(*) FROM bodies WHERE refs = 0 AND arriving = 1"),
				 &count, &office->e),
		0);
	return count;
}

static void what_was_cut_off_is_freed_by_the_next_import_alone(void **state)
{
	struct importing import = begin(state);
	struct test_office *office = import.office;
	struct body_writer ours = {0}, theirs = {0};
	char *piece = must_alloc(BODY_PIECE);
	const struct slice octets = {piece, BODY_PIECE};
	assert_int_equal(WRITE(office, body_append(office->store, &ours, octets, &office->e)), 0);
	assert_int_equal(WRITE(office, import_mark(office->store, &ours, &office->e)), 0);
	assert_int_equal(WRITE(office, body_append(office->store, &theirs, octets, &office->e)), 0);
	assert_int_equal(count_arriving(office), 2);
	assert_int_equal(WRITE(office, import_clear(office->store, &office->e)), 0);
	assert_int_equal(count_arriving(office), 1);
	REFUSED(office, ERR_GONE, body_append(office->store, &ours, octets, &office->e));
	assert_int_equal(WRITE(office, body_append(office->store, &theirs, octets, &office->e)), 0);
	body_writer_free(&ours);
	body_writer_free(&theirs);
	free(piece);
	import_known_free(import.known);
}

static void one_import_at_a_time(void **state)
{
	struct test_office *office = *state;
	int first, second;
	assert_int_equal(import_lock(&first, office->data, &office->e), 0);
	assert_int_equal(import_lock(&second, office->data, &office->e), -1);
	assert_int_equal(office->e.kind, ERR_IN_USE);
	close(first);
	assert_int_equal(import_lock(&second, office->data, &office->e), 0);
	close(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(what_is_filed_has_its_uidl_its_time_and_its_octets),
		OFFICE_TEST(a_uidl_that_cannot_be_given_becomes_a_new_one),
		OFFICE_TEST(what_is_there_stands_for_one_message),
		OFFICE_TEST(what_a_client_has_deleted_is_there),
		OFFICE_TEST(many_are_found),
		OFFICE_TEST(what_was_cut_off_is_freed_by_the_next_import_alone),
		OFFICE_TEST(one_import_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
