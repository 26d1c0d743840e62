/* store/folders.h, promise by promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "tests/unit/office.h"

static int add(struct test_office *office, const char *name, bool is_public)
{
	struct user user = get_user(office, "ani@kantor.example");
	return folders_add(office->store, user.id, slice_of(name), is_public, &office->e);
}

static int join_names(const struct folder *folder, void *arg)
{
	buf_printf(arg, "%s%s;", folder->name, folder->is_public ? "*" : "");
	return 0;
}

static void expect_folders(struct test_office *office, const char *expected)
{
	struct user user = get_user(office, "ani@kantor.example");
	struct buf names = {0};
	assert_int_equal(folders_each(office->store, user.id, join_names, &names, &office->e), 0);
	assert_string_equal(buf_text(&names), expected);
	buf_free(&names);
}

static void every_user_has_inbox_and_junk(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	expect_folders(office, "Inbox;Junk;");
}

static void a_folder_is_found_whatever_the_case_of_its_letters(void **state)
{
	struct test_office *office = *state;
	struct folder folder;
	add_user(office, "ani@kantor.example");
	assert_int_equal(WRITE(office, add(office, "Faktur Pajak", true)), 0);
	struct user user = get_user(office, "ani@kantor.example");
	assert_int_equal(
		folders_find(office->store, user.id, SLICE("fAKTUR pAJAK"), &folder, &office->e),
		1);
	assert_string_equal(folder.name, "Faktur Pajak");
	assert_true(folder.is_public);
	assert_int_equal(folder.user_id, user.id);
	assert_int_equal(
		folders_find(office->store, user.id, SLICE("Faktur"), &folder, &office->e), 0);
}

static void a_name_twice_is_refused(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	assert_int_equal(WRITE(office, add(office, "Arsip", false)), 0);
	REFUSED(office, ERR_EXISTS, add(office, "ARSIP", true));
	REFUSED(office, ERR_EXISTS, add(office, "inbox", true));
}

static void names_that_are_none_are_refused_and_never_found(void **state)
{
	struct test_office *office = *state;
	char longest[66];
	const char *const refused[] = {"", " ", " a", "a ", "../u2", "a/b", "a@b", "a+b", "a\nb",
		"a\x7F", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a\xC2\x80",
		"\xE2\x82", longest};
	struct folder folder;
	memset(longest, 'x', 65);
	longest[65] = '\0';
	add_user(office, "ani@kantor.example");
	struct user user = get_user(office, "ani@kantor.example");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		REFUSED(office, ERR_INPUT, add(office, refused[i], false));
		assert_int_equal(folders_find(office->store, user.id, slice_of(refused[i]), &folder,
					 &office->e),
			0);
	}
	assert_int_equal(WRITE(office, add(office, longest + 1, false)), 0);
	assert_int_equal(WRITE(office, add(office, "Кантор \xF0\x9F\x93\xA7", false)), 0);
}

static void a_removed_folder_leaves_its_mail_in_inbox_and_takes_its_rules(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	assert_int_equal(WRITE(office, add(office, "Arsip", false)), 0);
	struct user user = get_user(office, "ani@kantor.example");
	int64_t archive = folder_id(office, "ani@kantor.example", "Arsip");
	file_entry(office, archive, 100);
	file_entry(office, archive, 50);
	assert_int_equal(WRITE(office, rules_add(office->store, user.id, SLICE("Subject"),
					       SLICE("x"), archive, &office->e)),
		0);
	assert_int_equal(WRITE(office, folders_remove(office->store, archive, &office->e)), 0);
	expect_folders(office, "Inbox;Junk;");
	struct folder inbox;
	assert_int_equal(
		folders_find(office->store, user.id, SLICE("Inbox"), &inbox, &office->e), 1);
	assert_int_equal(inbox.messages, 2);
	assert_int_equal(inbox.size, 150);
	int64_t none;
	assert_int_equal(
		rules_match(office->store, user.id, SLICE("Subject: x\r\n\r\n"), &none, &office->e),
		0);
}

static void a_large_folder_goes_in_steps(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	assert_int_equal(WRITE(office, add(office, "Arsip", false)), 0);
	int64_t archive = folder_id(office, "ani@kantor.example", "Arsip");
	for (int i = 0; i < FOLDERS_STEP + 1; i++)
		file_entry(office, archive, 1);
	assert_int_equal(WRITE(office, folders_remove(office->store, archive, &office->e)), 1);
	assert_int_equal(WRITE(office, folders_remove(office->store, archive, &office->e)), 0);
	assert_int_equal(get_user(office, "ani@kantor.example").messages, FOLDERS_STEP + 1);
}

static void inbox_and_junk_stay(void **state)
{
	struct test_office *office = *state;
	add_user(office, "ani@kantor.example");
	int64_t inbox = folder_id(office, "ani@kantor.example", "Inbox");
	int64_t junk = folder_id(office, "ani@kantor.example", "Junk");
	REFUSED(office, ERR_INPUT, folders_remove(office->store, inbox, &office->e));
	REFUSED(office, ERR_INPUT, folders_remove(office->store, junk, &office->e));
	REFUSED(office, ERR_MISSING, folders_remove(office->store, 4711, &office->e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(every_user_has_inbox_and_junk),
		OFFICE_TEST(a_folder_is_found_whatever_the_case_of_its_letters),
		OFFICE_TEST(a_name_twice_is_refused),
		OFFICE_TEST(names_that_are_none_are_refused_and_never_found),
		OFFICE_TEST(a_removed_folder_leaves_its_mail_in_inbox_and_takes_its_rules),
		OFFICE_TEST(a_large_folder_goes_in_steps),
		OFFICE_TEST(inbox_and_junk_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
