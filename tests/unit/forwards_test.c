/* store/forwards.h, and what store/deliver.h makes of aliases that lead outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/forwards.h"
#include "store/outbox.h"
#include "tests/unit/letters.h"

#define ANI  "ani@kantor.example"
#define BUDI "budi@kantor.example"
#define PAK  "pak@luar.example"

static void alias(struct test_office *office, const char *name, const char *targets)
{
	struct slice list[4], word;
	size_t count = 0;
	while (config_word(targets, count, &word))
		list[count++] = word;
	if (WRITE(office, aliases_add(office->store, &office->config, slice_of(name), list, count,
				  &office->e)) < 0)
		fail_msg("%s: %s", name, office->e.text);
}

/* ani, who is the postmaster, and budi; info@ leads to PAK. */
static int setup(void **state)
{
	office_setup(state);
	struct test_office *office = *state;
	strcpy(office->config.postmaster, ANI);
	add_user(office, ANI);
	add_user(office, BUDI);
	alias(office, "info@kantor.example", PAK);
	return 0;
}

#define FORWARD_TEST(promise) cmocka_unit_test_setup_teardown(promise, setup, office_teardown)

static const char *token_of(struct test_office *office, const char *target)
{
	static char token[FORWARD_TOKEN_MAX];
	assert_int_equal(
		WRITE(office, forwards_token(office->store, slice_of(target), token, &office->e)),
		0);
	return token;
}

/* What is on its way out, "kind sender>recipient..." each, in order. */
static void expect_outgoing(struct test_office *office, const char *expected)
{
	struct buf found = {0};
	struct query q = db_query(
		office->store, SQL("SELECT kind || ' ' || sender || '>' || group_concat(r.address)"
				   " FROM outgoing o JOIN recipients r ON r.outgoing_id = o.id"
				   " GROUP BY o.id ORDER BY o.id, r.id /* scans o, r */"));
	while (db_next(&q, &office->e) == 1) {
		buf_add_slice(&found, db_text(&q, 0));
		buf_add_char(&found, ';');
	}
	assert_string_equal(buf_text(&found), expected);
	buf_free(&found);
	assert_sound(office);
}

static void expect_forwarded(struct test_office *office, const char *domain, const char *target)
{
	struct buf expected = {0};
	buf_printf(&expected, "forwarded %s@%s>%s;", token_of(office, target), domain, target);
	expect_outgoing(office, buf_text(&expected));
	buf_free(&expected);
}

static size_t count(struct test_office *office, const char *address, const char *folder)
{
	struct maildrop maildrop = {0};
	size_t messages = list(office, address, folder, &maildrop);
	maildrop_free(&maildrop);
	return messages;
}

/* ---- going ---- */

static void mail_of_the_world_leaves_under_the_targets_token(void **state)
{
	struct test_office *office = *state;
	assert_int_equal(post(office, "Info@kantor.example", LETTER), ERR_NONE);
	expect_forwarded(office, "kantor.example", PAK);
	assert_int_equal(count(office, ANI, "Inbox"), 0);
}

static void the_token_stands_at_the_domain_of_the_alias(void **state)
{
	struct test_office *office = *state;
	alias(office, "@gudang.example", PAK);
	assert_int_equal(post(office, "siapa@gudang.example", LETTER), ERR_NONE);
	expect_forwarded(office, "gudang.example", PAK);
}

static void a_null_sender_stays_one(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("info@kantor.example");
	letter.delivery.sender = (struct slice){0};
	assert_int_equal(post_letter(office, &letter, SLICE(LETTER)), 0);
	expect_outgoing(office, "forwarded >" PAK ";");
}

static void a_user_gets_mail_and_the_copy_goes_out(void **state)
{
	struct test_office *office = *state;
	alias(office, BUDI, BUDI " " PAK);
	assert_int_equal(post(office, BUDI, LETTER), ERR_NONE);
	assert_int_equal(count(office, BUDI, "Inbox"), 1);
	expect_forwarded(office, "kantor.example", PAK);
}

static void a_target_gets_a_message_once(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("info@kantor.example");
	alias(office, "semua@kantor.example", "info@kantor.example Pak@Luar.Example " ANI);
	letter.recipients[1].address = SLICE("semua@kantor.example");
	letter.delivery.recipient_count = 2;
	assert_int_equal(post_letter(office, &letter, SLICE(LETTER)), 0);
	expect_forwarded(office, "kantor.example", PAK);
	assert_int_equal(count(office, ANI, "Inbox"), 1);
}

static void each_target_has_its_own_token(void **state)
{
	struct test_office *office = *state;
	struct buf expected = {0};
	alias(office, "info@kantor.example", "bu@luar.example");
	assert_int_equal(post(office, "info@kantor.example", LETTER), ERR_NONE);
	buf_printf(&expected, "forwarded %s@kantor.example>bu@luar.example;",
		token_of(office, "bu@luar.example"));
	buf_printf(&expected, "forwarded %s@kantor.example>" PAK ";", token_of(office, PAK));
	expect_outgoing(office, buf_text(&expected));
	buf_free(&expected);
}

static void where_the_mailbox_is_full_no_copy_goes_out(void **state)
{
	struct test_office *office = *state;
	alias(office, BUDI, BUDI " " PAK);
	WRITE(office, users_set_quota(office->store, get_user(office, BUDI).id, 1, &office->e));
	assert_int_equal(post(office, BUDI, LETTER), ERR_NONE);
	assert_int_equal(post(office, BUDI, LETTER), ERR_QUOTA);
	expect_forwarded(office, "kantor.example", PAK);
}

static enum err_kind post_junk(struct test_office *office, const char *recipient)
{
	struct letter letter = letter_to(recipient);
	letter.delivery.junk = true;
	assert_int_equal(post_letter(office, &letter, SLICE(LETTER)), 0);
	return letter.results[0];
}

static void junk_stays_here(void **state)
{
	struct test_office *office = *state;
	alias(office, BUDI, BUDI " " PAK);
	assert_int_equal(post_junk(office, BUDI), ERR_NONE);
	assert_int_equal(count(office, BUDI, "Junk"), 1);
	assert_int_equal(count(office, ANI, "Junk"), 0);
	assert_int_equal(post_junk(office, "info@kantor.example"), ERR_NONE);
	assert_int_equal(count(office, ANI, "Junk"), 1);
	expect_outgoing(office, "");
}

static void what_a_rule_of_his_files_in_junk_stays_here_and_lists_go_on(void **state)
{
	struct test_office *office = *state;
	int64_t junk = folder_id(office, BUDI, "Junk");
	WRITE(office, rules_add(office->store, get_user(office, BUDI).id, SLICE("From"), SLICE("@"),
			      junk, &office->e));
	alias(office, BUDI, BUDI " " PAK);
	alias(office, "semua@kantor.example", BUDI " tamu@luar.example");
	assert_int_equal(post(office, "Budi@Kantor.Example", LETTER), ERR_NONE);
	assert_int_equal(count(office, BUDI, "Junk"), 1);
	expect_outgoing(office, "");
	assert_int_equal(post(office, "semua@kantor.example", LETTER), ERR_NONE);
	assert_int_equal(count(office, BUDI, "Junk"), 2);
	expect_forwarded(office, "kantor.example", "tamu@luar.example");
}

static void what_staff_send_stays_theirs(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("info@kantor.example");
	letter.recipients[0].notify = NOTIFY_SUCCESS;
	letter.recipients[1].address = SLICE("tamu@luar.example");
	letter.recipients[2].address = SLICE(PAK);
	letter.delivery.recipient_count = 3;
	letter.delivery.sender = SLICE(BUDI);
	letter.delivery.way_out = OUT_USER;
	letter.delivery.user_id = get_user(office, BUDI).id;
	assert_int_equal(post_letter(office, &letter, SLICE(LETTER)), 0);
	expect_outgoing(office, "sent " BUDI ">" PAK ",tamu@luar.example;");
	assert_int_equal(number(office, SQL("SELECT notify FROM recipients WHERE address = "
					    "'" PAK "' /* scans recipients */")),
		NOTIFY_SUCCESS);
}

static void a_big_message_is_forwarded_whole(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("info@kantor.example");
	struct buf octets = {0};
	alias(office, "info@kantor.example", BUDI);
	buf_add_text(&octets, LETTER);
	fill(&octets, 3 * BODY_PIECE + 10);
	assert_int_equal(post_letter(office, &letter, buf_slice(&octets)), 0);
	expect_forwarded(office, "kantor.example", PAK);
	assert_int_equal(number(office, SQL("SELECT refs FROM bodies /* scans bodies */")), 2);
	buf_free(&octets);
}

/* ---- not arriving, coming back ---- */

/* Whatever is due is refused by its server. */
static void refuse(struct test_office *office)
{
	struct job job;
	struct job_result result = {.outcome = JOB_FAILED,
		.host = "mx.luar.example",
		.reply = "550 5.1.1 No such user",
		.status = "5.1.1"};
	assert_int_equal(WRITE(office, outbox_take(office->store, "", &job, &office->e)), 1);
	assert_int_equal(job.count, 1);
	assert_false(job.sign);
	result.recipient_id = job.recipients[0].id;
	assert_int_equal(WRITE(office, outbox_settle(office->store, &office->config,
					       job.outgoing_id, &result, 1, &office->e)),
		0);
	job_free(&job);
}

static void of_what_does_not_arrive_the_postmaster_hears_once_an_hour(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to("info@kantor.example");
	struct buf notice = {0};
	post(office, "info@kantor.example", LETTER);
	refuse(office);
	read_nth(office, ANI, "Inbox", 0, &notice);
	assert_non_null(strstr(buf_text(&notice), PAK));
	assert_non_null(strstr(buf_text(&notice), "550 5.1.1 No such user"));
	assert_non_null(strstr(buf_text(&notice), "budi@far.example")); /* who sent it */
	assert_non_null(strstr(buf_text(&notice), LETTER));
	post(office, "info@kantor.example", LETTER);
	refuse(office);
	assert_int_equal(count(office, ANI, "Inbox"), 1);
	store_set_clock(office->store, store_now(office->store) + 3600);
	letter.delivery.sender = (struct slice){0};
	assert_int_equal(post_letter(office, &letter, SLICE(LETTER)), 0);
	refuse(office);
	assert_int_equal(count(office, ANI, "Inbox"), 2);
	expect_outgoing(office, "");
	buf_free(&notice);
}

/* Nor goes it in circles where he forwards everything himself. */
static void a_postmaster_who_cannot_be_reached_outside_hears_here(void **state)
{
	struct test_office *office = *state;
	alias(office, ANI, ANI " " PAK);
	post(office, "info@kantor.example", LETTER);
	refuse(office);
	assert_int_equal(count(office, ANI, "Inbox"), 1);
	expect_outgoing(office, "forwarded >" PAK ";");
	refuse(office);
	assert_int_equal(count(office, ANI, "Inbox"), 1);
	expect_outgoing(office, "");
}

static enum err_kind post_back(struct test_office *office, const char *text)
{
	char address[64];
	snprintf(address, sizeof(address), "%s@toko.example", token_of(office, PAK));
	return post(office, address, text);
}

static void what_comes_back_is_a_notice_to_the_postmaster_once_an_hour(void **state)
{
	struct test_office *office = *state;
	struct buf notice = {0};
	assert_int_equal(post_back(office, LETTER), ERR_NONE);
	assert_int_equal(post_back(office, LETTER), ERR_NONE);
	assert_int_equal(count(office, ANI, "Inbox"), 1);
	read_nth(office, ANI, "Inbox", 0, &notice);
	assert_true(slice_has_prefix(buf_slice(&notice), SLICE("Return-Path: <>\r\n")));
	assert_non_null(strstr(buf_text(&notice), PAK));
	assert_non_null(strstr(buf_text(&notice), LETTER));
	store_set_clock(office->store, store_now(office->store) + 3600);
	assert_int_equal(post_back(office, LETTER), ERR_NONE);
	assert_int_equal(count(office, ANI, "Inbox"), 2);
	assert_int_equal(count(office, BUDI, "Inbox"), 0);
	expect_outgoing(office, "");
	buf_free(&notice);
}

static void a_notice_amid_recipients_takes_no_number_of_theirs(void **state)
{
	struct test_office *office = *state;
	struct letter letter = letter_to(NULL);
	char back[64];
	snprintf(back, sizeof(back), "%s@toko.example", token_of(office, PAK));
	letter.recipients[0].address = SLICE(BUDI);
	letter.recipients[1].address = slice_of(back);
	letter.recipients[2].address = SLICE(ANI);
	letter.delivery.recipient_count = 3;
	assert_int_equal(post_letter(office, &letter, slice_of(LETTER)), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(letter.results[i], ERR_NONE);
	assert_int_equal(count(office, ANI, "Inbox"), 2);
	assert_int_equal(count(office, BUDI, "Inbox"), 1);
	assert_sound(office);
}

static void of_what_is_big_the_notice_has_the_header(void **state)
{
	struct test_office *office = *state;
	struct buf octets = {0}, notice = {0};
	buf_add_text(&octets, LETTER);
	fill(&octets, 2 * BODY_PIECE);
	assert_int_equal(post_back(office, buf_text(&octets)), ERR_NONE);
	read_nth(office, ANI, "Inbox", 0, &notice);
	assert_true(notice.len < 8192);
	assert_non_null(strstr(buf_text(&notice), "Message-ID: <1@far.example>"));
	assert_sound(office);
	buf_free(&octets);
	buf_free(&notice);
}

static void junk_that_comes_back_is_no_news(void **state)
{
	struct test_office *office = *state;
	char address[64];
	snprintf(address, sizeof(address), "%s@toko.example", token_of(office, PAK));
	assert_int_equal(post_junk(office, address), ERR_NONE);
	assert_int_equal(count(office, ANI, "Inbox"), 0);
	assert_int_equal(post_back(office, LETTER), ERR_NONE);
	assert_int_equal(count(office, ANI, "Inbox"), 1);
}

/* A postmaster who forwards everything: the notice is forwarded without a sender, so
 * that it can come back nowhere. */
static void a_notice_is_forwarded_without_a_sender(void **state)
{
	struct test_office *office = *state;
	alias(office, ANI, ANI " " PAK);
	assert_int_equal(post_back(office, LETTER), ERR_NONE);
	assert_int_equal(count(office, ANI, "Inbox"), 1);
	expect_outgoing(office, "forwarded >" PAK ";");
}

static void the_postmaster_is_told_of_a_target_once_an_hour(void **state)
{
	struct test_office *office = *state;
	struct slice pak = SLICE(PAK);
	int64_t now = store_now(office->store);
	assert_int_equal(WRITE(office, forwards_tell(office->store, pak, &office->e)), 0);
	token_of(office, PAK);
	token_of(office, "bu@luar.example");
	assert_int_equal(WRITE(office, forwards_tell(office->store, pak, &office->e)), 1);
	store_set_clock(office->store, now + 3599);
	assert_int_equal(WRITE(office, forwards_tell(office->store, pak, &office->e)), 0);
	assert_int_equal(
		WRITE(office, forwards_tell(office->store, SLICE("bu@luar.example"), &office->e)),
		1);
	store_set_clock(office->store, now + 3600);
	assert_int_equal(WRITE(office, forwards_tell(office->store, pak, &office->e)), 1);
	store_set_clock(office->store, now - 86400); /* that was a wrong clock */
	assert_int_equal(WRITE(office, forwards_tell(office->store, pak, &office->e)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FORWARD_TEST(mail_of_the_world_leaves_under_the_targets_token),
		FORWARD_TEST(the_token_stands_at_the_domain_of_the_alias),
		FORWARD_TEST(a_null_sender_stays_one),
		FORWARD_TEST(a_user_gets_mail_and_the_copy_goes_out),
		FORWARD_TEST(a_target_gets_a_message_once),
		FORWARD_TEST(each_target_has_its_own_token),
		FORWARD_TEST(where_the_mailbox_is_full_no_copy_goes_out),
		FORWARD_TEST(junk_stays_here),
		FORWARD_TEST(what_a_rule_of_his_files_in_junk_stays_here_and_lists_go_on),
		FORWARD_TEST(what_staff_send_stays_theirs),
		FORWARD_TEST(a_big_message_is_forwarded_whole),
		FORWARD_TEST(of_what_does_not_arrive_the_postmaster_hears_once_an_hour),
		FORWARD_TEST(a_postmaster_who_cannot_be_reached_outside_hears_here),
		FORWARD_TEST(what_comes_back_is_a_notice_to_the_postmaster_once_an_hour),
		FORWARD_TEST(a_notice_amid_recipients_takes_no_number_of_theirs),
		FORWARD_TEST(of_what_is_big_the_notice_has_the_header),
		FORWARD_TEST(junk_that_comes_back_is_no_news),
		FORWARD_TEST(a_notice_is_forwarded_without_a_sender),
		OFFICE_TEST(the_postmaster_is_told_of_a_target_once_an_hour),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
