/* store/rules.h, promise by promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "tests/unit/office.h"

static const char ani[] = "ani@kantor.example";

/* A user with folders A, B and C. */
static int64_t user_with_folders(struct test_office *office)
{
	add_user(office, ani);
	int64_t id = get_user(office, ani).id;
	for (const char *name = "ABC"; *name; name++)
		assert_int_equal(WRITE(office, folders_add(office->store, id,
						       (struct slice){name, 1}, false, &office->e)),
			0);
	return id;
}

static int add(
	struct test_office *office, const char *header, const char *pattern, const char *folder)
{
	return rules_add(office->store, get_user(office, ani).id, slice_of(header),
		slice_of(pattern), folder_id(office, ani, folder), &office->e);
}

/* Where a message with this header is filed: a folder's name, or "". */
static void expect_folder(struct test_office *office, const char *header, const char *folder)
{
	int64_t id = 0;
	int found = rules_match(
		office->store, get_user(office, ani).id, slice_of(header), &id, &office->e);
	assert_int_equal(found, *folder != '\0');
	if (found)
		assert_int_equal(id, folder_id(office, ani, folder));
}

static int join_rules(const struct rule *rule, void *arg)
{
	buf_printf(arg, "%d %s %s %s;", (int)rule->n, rule->header, rule->pattern, rule->folder);
	return 0;
}

static void expect_rules(struct test_office *office, const char *expected)
{
	struct buf text = {0};
	assert_int_equal(
		rules_each(office->store, get_user(office, ani).id, join_rules, &text, &office->e),
		0);
	assert_string_equal(buf_text(&text), expected);
	buf_free(&text);
}

static void a_rule_finds_its_pattern_anywhere_in_the_field_in_any_case(void **state)
{
	struct test_office *office = *state;
	user_with_folders(office);
	assert_int_equal(WRITE(office, add(office, "Subject", "Faktur", "A")), 0);
	expect_folder(office, "Subject: Re: FAKTUR 17\r\n\r\n", "A");
	expect_folder(office, "From: x\r\nsubject:faktur\r\n\r\n", "A");
	expect_folder(office, "Subject: Fakt\r\n\r\n", "");
	expect_folder(office, "X-Subject: Faktur\r\n\r\n", "");
	expect_folder(office, "From: x\r\n\r\nSubject: Faktur\r\n", "");
	expect_folder(office, "", "");
}

static void folds_and_encoded_words_are_seen_through(void **state)
{
	struct test_office *office = *state;
	user_with_folders(office);
	assert_int_equal(WRITE(office, add(office, "Subject", "surat masuk", "A")), 0);
	assert_int_equal(WRITE(office, add(office, "From", "Andr\xC3\xA9", "B")), 0);
	expect_folder(office, "Subject: surat\r\n masuk\r\n\r\n", "A");
	expect_folder(office, "Subject: =?utf-8?B?U3VyYXQgTWFzdWs=?=\r\n\r\n", "A");
	expect_folder(office, "From: =?iso-8859-1?Q?Andr=E9?= <a@b>\r\n\r\n", "B");
}

static void the_first_rule_wins_whatever_the_order_of_the_fields(void **state)
{
	struct test_office *office = *state;
	user_with_folders(office);
	assert_int_equal(WRITE(office, add(office, "To", "x", "A")), 0);
	assert_int_equal(WRITE(office, add(office, "From", "x", "B")), 0);
	assert_int_equal(WRITE(office, add(office, "To", "xy", "C")), 0);
	expect_folder(office, "From: x\r\nTo: xy\r\n\r\n", "A");
	expect_folder(office, "To: xy\r\nFrom: x\r\n\r\n", "A");
	expect_folder(office, "To: b\r\nFrom: x\r\n\r\n", "B");
}

static void any_of_several_fields_of_a_name_will_do(void **state)
{
	struct test_office *office = *state;
	user_with_folders(office);
	assert_int_equal(WRITE(office, add(office, "Received", "from printer", "A")), 0);
	expect_folder(office, "Received: from mx\r\nReceived: from printer\r\n\r\n", "A");
}

static void numbers_have_no_gaps(void **state)
{
	struct test_office *office = *state;
	int64_t id = user_with_folders(office);
	assert_int_equal(WRITE(office, add(office, "To", "1", "A")), 0);
	assert_int_equal(WRITE(office, add(office, "From:", "2", "B")), 0);
	assert_int_equal(WRITE(office, add(office, "Cc", "3", "C")), 0);
	expect_rules(office, "1 To 1 A;2 From 2 B;3 Cc 3 C;");
	assert_int_equal(WRITE(office, rules_remove(office->store, id, 2, &office->e)), 0);
	expect_rules(office, "1 To 1 A;2 Cc 3 C;");
	REFUSED(office, ERR_MISSING, rules_remove(office->store, id, 3, &office->e));
	REFUSED(office, ERR_MISSING, rules_remove(office->store, id, 0, &office->e));
}

static void what_is_no_field_or_pattern_is_refused(void **state)
{
	struct test_office *office = *state;
	char longer[RULE_TEXT_MAX + 1];
	user_with_folders(office);
	memset(longer, 'x', RULE_TEXT_MAX);
	longer[RULE_TEXT_MAX] = '\0';
	REFUSED(office, ERR_INPUT, add(office, "", "x", "A"));
	REFUSED(office, ERR_INPUT, add(office, "a b", "x", "A"));
	REFUSED(office, ERR_INPUT, add(office, "a:b", "x", "A"));
	REFUSED(office, ERR_INPUT, add(office, "\xC3\xA9", "x", "A"));
	REFUSED(office, ERR_INPUT, add(office, longer, "x", "A"));
	REFUSED(office, ERR_INPUT, add(office, "To", "", "A"));
	REFUSED(office, ERR_INPUT, add(office, "To", "a\nb", "A"));
	REFUSED(office, ERR_INPUT, add(office, "To", longer, "A"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(a_rule_finds_its_pattern_anywhere_in_the_field_in_any_case),
		OFFICE_TEST(folds_and_encoded_words_are_seen_through),
		OFFICE_TEST(the_first_rule_wins_whatever_the_order_of_the_fields),
		OFFICE_TEST(any_of_several_fields_of_a_name_will_do),
		OFFICE_TEST(numbers_have_no_gaps),
		OFFICE_TEST(what_is_no_field_or_pattern_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
