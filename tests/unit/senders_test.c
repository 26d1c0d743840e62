/* store/senders.h: who may send as whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "store/senders.h"
#include "tests/unit/office.h"

#define ANI  "ani@kantor.example"
#define BUDI "budi@kantor.example"

#define HOSTNAME "mail.kantor.example"

static int64_t add_one(struct test_office *office, const char *address)
{
	add_user(office, address);
	return get_user(office, address).id;
}

static void add_alias(struct test_office *office, const char *alias, const char *target)
{
	struct slice to = slice_of(target);
	assert_int_equal(WRITE(office, aliases_add(office->store, &office->config, slice_of(alias),
					       &to, 1, &office->e)),
		0);
}

static bool may(struct test_office *office, int64_t user, const char *address)
{
	const struct submitter who = {.user_id = user};
	int done = senders_may(office->store, &office->config, &who, slice_of(address), &office->e);
	assert_true(done == 0 || office->e.kind == ERR_DENIED);
	return done == 0;
}

static void an_address_is_whose_mail_comes_to_him(void **state)
{
	struct test_office *office = *state;
	int64_t ani = add_one(office, ANI), budi = add_one(office, BUDI);
	add_alias(office, "info@kantor.example", BUDI);
	add_alias(office, "semua@kantor.example", ANI);
	add_alias(office, "semua@kantor.example", "info@kantor.example");
	add_alias(office, "@toko.example", BUDI);
	assert_true(may(office, ani, ANI));
	assert_true(may(office, ani, "ANI@Kantor.Example"));
	assert_true(may(office, ani, "ani+belanja@kantor.example"));
	assert_true(may(office, ani, "semua@kantor.example"));
	assert_true(may(office, budi, "semua@kantor.example"));
	assert_true(may(office, budi, "info@kantor.example"));
	assert_true(may(office, budi, "apa.saja@toko.example"));
	assert_false(may(office, ani, BUDI));
	assert_false(may(office, ani, "info@kantor.example"));
	assert_false(may(office, ani, "tidakada@kantor.example"));
	assert_false(may(office, ani, "ani@luar.example"));
	assert_false(may(office, ani, "ani"));
	assert_false(may(office, ani, ""));
	assert_false(may(office, ani + budi, ANI));
}

static int grant(struct test_office *office, int64_t user, const char *address)
{
	return WRITE(office, senders_grant(office->store, user, slice_of(address), &office->e));
}

static int take_back(struct test_office *office, int64_t user, const char *address)
{
	return WRITE(office, senders_revoke(office->store, user, slice_of(address), &office->e));
}

static void add_text(struct slice address, void *grants)
{
	buf_add_slice(grants, address);
	buf_add_char(grants, ';');
}

static void expect_grants(struct test_office *office, int64_t user, const char *expected)
{
	struct buf grants = {0};
	assert_int_equal(senders_each_grant(office->store, user, add_text, &grants, &office->e), 0);
	assert_string_equal(buf_text(&grants), expected);
	buf_free(&grants);
}

static void an_address_can_be_granted_wherever_it_lies(void **state)
{
	struct test_office *office = *state;
	int64_t ani = add_one(office, ANI), budi = add_one(office, BUDI);
	assert_int_equal(grant(office, ani, BUDI), 0);
	assert_int_equal(grant(office, ani, "Ani.Wijaya@Luar.Example"), 0);
	assert_int_equal(grant(office, ani, "noreply@kantor.example"), 0);
	assert_int_equal(grant(office, ani, "NoReply@kantor.example"), 0);
	expect_grants(office, ani, "ani.wijaya@luar.example;" BUDI ";noreply@kantor.example;");
	assert_true(may(office, ani, "BUDI@kantor.example"));
	assert_true(may(office, ani, "ani.wijaya@LUAR.example"));
	assert_true(may(office, ani, "noreply@kantor.example"));
	assert_false(may(office, ani, "budi+x@kantor.example"));
	assert_false(may(office, ani, "ani.wijaya@kantor.example"));
	assert_false(may(office, ani, "x@luar.example"));
	assert_false(may(office, budi, "noreply@kantor.example"));
	assert_false(may(office, budi, ANI));
	REFUSED(office, ERR_INPUT,
		senders_grant(office->store, ani, SLICE("@luar.example"), &office->e));
	REFUSED(office, ERR_INPUT, senders_grant(office->store, ani, SLICE("budi"), &office->e));
}

static void a_grant_can_be_taken_back(void **state)
{
	struct test_office *office = *state;
	int64_t ani = add_one(office, ANI);
	assert_int_equal(grant(office, ani, "ani@luar.example"), 0);
	assert_int_equal(take_back(office, ani, "ANI@luar.example"), 0);
	assert_false(may(office, ani, "ani@luar.example"));
	REFUSED(office, ERR_MISSING,
		senders_revoke(office->store, ani, SLICE("ani@luar.example"), &office->e));
}

static void grants_follow_who_is_renamed_and_go_with_who_is_removed(void **state)
{
	struct test_office *office = *state;
	int64_t ani = add_one(office, ANI), budi = add_one(office, BUDI);
	assert_int_equal(grant(office, ani, BUDI), 0);
	assert_int_equal(grant(office, budi, "budi@luar.example"), 0);
	assert_int_equal(WRITE(office, users_rename(office->store, &office->config, budi,
					       SLICE("budiman@toko.example"), &office->e)),
		0);
	assert_true(may(office, ani, "budiman@toko.example"));
	assert_true(may(office, ani, BUDI));
	assert_true(may(office, budi, "budi@luar.example"));
	assert_int_equal(WRITE(office, users_remove(office->store, budi, &office->e)), 0);
	assert_false(may(office, ani, "budiman@toko.example"));
	/* Whoever has the address next is somebody else. */
	assert_int_equal(add_one(office, "budiman@toko.example"), budi);
	assert_false(may(office, budi, "budi@luar.example"));
	expect_grants(office, budi, "");
}

static int check_octets(
	struct test_office *office, int64_t user, const char *sender, struct slice octets)
{
	const struct submitter who = {.user_id = user};
	int done = senders_check(
		office->store, &office->config, &who, slice_of(sender), octets, &office->e);
	assert_true(done == 0 || office->e.kind == ERR_DENIED);
	return done;
}

/* A blank line comes behind the fields. */
static int check(struct test_office *office, int64_t user, const char *sender, const char *fields)
{
	struct buf header = {0};
	buf_printf(&header, "%s\r\n", fields);
	int done = check_octets(office, user, sender, buf_slice(&header));
	buf_free(&header);
	return done;
}

static void sender_and_every_author_must_be_the_user(void **state)
{
	struct test_office *office = *state;
	int64_t ani = add_one(office, ANI), budi = add_one(office, BUDI);
	add_alias(office, "info@kantor.example", ANI);
	assert_int_equal(check(office, ani, ANI, "From: Ani <" ANI ">\r\n"), 0);
	assert_int_equal(check(office, ani, "", "From: info@kantor.example, " ANI "\r\n"), 0);
	assert_int_equal(check(office, ani, BUDI, "From: " ANI "\r\n"), -1);
	assert_int_equal(check(office, ani, ANI, "From: " BUDI "\r\n"), -1);
	assert_int_equal(check(office, ani, ANI, "From: " ANI ", " BUDI "\r\n"), -1);
	assert_int_equal(check(office, ani, ANI, "From: " ANI "\r\nFrom: " ANI "\r\n"), -1);
	assert_int_equal(check(office, ani, ANI, "Subject: x\r\n"), -1);
	assert_int_equal(check(office, ani, ANI, ""), -1);
	assert_int_equal(check(office, budi, ANI, "From: " ANI "\r\n"), -1);
}

/* Somebody who was logged in when his account was disabled. */
static void who_is_disabled_sends_no_more(void **state)
{
	struct test_office *office = *state;
	int64_t ani = add_one(office, ANI);
	assert_int_equal(check(office, ani, ANI, "From: " ANI "\r\n"), 0);
	assert_int_equal(
		WRITE(office, users_set_enabled(office->store, ani, false, &office->e)), 0);
	assert_int_equal(check(office, ani, "", "From: " ANI "\r\n"), -1);
	assert_false(may(office, ani, ANI));
	assert_int_equal(grant(office, ani, "ani@luar.example"), 0);
	assert_false(may(office, ani, "ani@luar.example"));
}

static void a_header_that_others_may_read_otherwise_is_refused(void **state)
{
	static const char *const doubtful[] = {"", "From: " ANI "\r\n", "From: " ANI "\r\nX: y",
		"X: y\rFrom: " BUDI "\r\nFrom: " ANI "\r\n\r\n",
		"From: " ANI "\n\nFrom: " BUDI "\r\n\r\n", "From: " ANI "\r\n\n",
		"From: " ANI "\r\n\rX: y\r\n\r\n"};
	struct test_office *office = *state;
	int64_t ani = add_one(office, ANI);
	assert_int_equal(
		check_octets(office, ani, ANI, SLICE("From: " ANI "\r\n\r\nFrom:\n\r")), 0);
	for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++)
		assert_int_equal(check_octets(office, ani, ANI, slice_of(doubtful[i])), -1);
}

static bool may_trusted(struct test_office *office, const char *account, const char *address)
{
	const struct submitter who = {.trusted = true, .account = account};
	int done = senders_may(office->store, &office->config, &who, slice_of(address), &office->e);
	assert_true(done == 0 || office->e.kind == ERR_DENIED);
	return done == 0;
}

static void who_is_trusted_sends_as_any_address_of_our_domains(void **state)
{
	static const char *const others[] = {"ani@luar.example", "ani", "",
		"ani@kantor.example@luar.example", "ani@kantor.example.luar.example",
		"\"a b\"@kantor.example", "www-data@mail.kantor.example", "@kantor.example"};
	struct test_office *office = *state;
	add_user(office, ANI);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(may_trusted(office, NULL, others[i]));
	assert_true(may_trusted(office, NULL, ANI));
	assert_true(may_trusted(office, NULL, "printer@kantor.example"));
	assert_true(may_trusted(office, NULL, "Siapa.Saja+x@TOKO.example"));
}

static void an_account_of_this_box_is_itself_at_the_host_too(void **state)
{
	struct test_office *office = *state;
	assert_true(may_trusted(office, "www-data", "www-data@" HOSTNAME));
	assert_true(may_trusted(office, "www-data", "WWW-Data@" HOSTNAME));
	assert_true(may_trusted(office, "www-data", "siapa@kantor.example"));
	assert_false(may_trusted(office, "www-data", "root@" HOSTNAME));
	assert_false(may_trusted(office, "www-data", "@" HOSTNAME));
	assert_false(may_trusted(office, "www-data", "www-data@luar.example"));
}

static void a_trace_is_one_received_field(void **state)
{
	static const char *const others[] = {"", "Received: x", "Received: x\r", "Received: x\n",
		"From: " BUDI "\r\n", "Received: x\r\nFrom: " BUDI "\r\n", "Received: x\r\n\r\n",
		"Received: x\nFrom: " BUDI "\r\n", "Received: x\rFrom: " BUDI "\r\n",
		"From " BUDI "\r\nReceived: x\r\n", " x\r\nReceived: x\r\n",
		"Received: x\r\ny\r\n"};
	(void)state;
	assert_true(senders_is_trace(SLICE("Received: by x\r\n\twith y;\r\n\tz\r\n")));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(senders_is_trace(slice_of(others[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(an_address_is_whose_mail_comes_to_him),
		OFFICE_TEST(an_address_can_be_granted_wherever_it_lies),
		OFFICE_TEST(a_grant_can_be_taken_back),
		OFFICE_TEST(grants_follow_who_is_renamed_and_go_with_who_is_removed),
		OFFICE_TEST(sender_and_every_author_must_be_the_user),
		OFFICE_TEST(who_is_disabled_sends_no_more),
		OFFICE_TEST(a_header_that_others_may_read_otherwise_is_refused),
		OFFICE_TEST(who_is_trusted_sends_as_any_address_of_our_domains),
		OFFICE_TEST(an_account_of_this_box_is_itself_at_the_host_too),
		cmocka_unit_test(a_trace_is_one_received_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
