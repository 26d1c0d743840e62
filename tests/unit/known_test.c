/* store/known.h, promise by promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "store/events.h"
#include "store/known.h"
#include "store/mail.h"
#include "tests/unit/office.h"

#define NOW 1800000000
#define DAY 86400

static void note_at(struct test_office *office, int64_t when, const char *address)
{
	struct peer source;
	assert_true(peer_parse(&source, address));
	store_set_clock(office->store, when);
	assert_int_equal(WRITE(office, known_note(office->store, &source, &office->e)), 0);
}

static void add_text(const struct peer *source, int64_t seconds, void *arg)
{
	char text[PEER_TEXT_MAX];
	peer_text(source, text);
	buf_printf(arg, "%s %lld;", text, (long long)seconds);
}

static void expect_at(struct test_office *office, int64_t when, const char *expected)
{
	struct buf text = {0};
	store_set_clock(office->store, when);
	assert_int_equal(known_each(office->store, add_text, &text, &office->e), 0);
	assert_string_equal(buf_text(&text), expected);
	buf_free(&text);
}

static void an_address_is_known_by_its_last_login(void **state)
{
	struct test_office *office = *state;
	note_at(office, NOW, "192.0.2.1");
	note_at(office, NOW + 5, "192.0.2.1");
	expect_at(office, NOW + 7, "::ffff:192.0.2.1 2;");
}

static void an_ipv6_network_is_one_address(void **state)
{
	struct test_office *office = *state;
	note_at(office, NOW, "2001:db8::1");
	note_at(office, NOW, "2001:db8::2");
	expect_at(office, NOW, "2001:db8:: 0;");
}

static void after_thirty_days_it_is_forgotten(void **state)
{
	struct test_office *office = *state;
	note_at(office, NOW, "192.0.2.1");
	expect_at(office, NOW + 30 * DAY, "::ffff:192.0.2.1 2592000;");
	expect_at(office, NOW + 30 * DAY + 1, "");
	note_at(office, NOW + 30 * DAY + 1, "192.0.2.2");
	expect_at(office, NOW + 30 * DAY + 1, "::ffff:192.0.2.2 0;");
}

static void it_outlives_the_events(void **state)
{
	struct test_office *office = *state;
	WRITE(office,
		events_add(office->store, EVENT_LOGIN, 1, 0, SLICE("from=192.0.2.1"), &office->e));
	note_at(office, NOW, "192.0.2.1");
	store_set_clock(office->store, NOW + DAY);
	WRITE(office, events_forget_step(office->store, 3600, &office->e));
	expect_at(office, NOW + DAY, "::ffff:192.0.2.1 86400;");
}

static void a_clock_that_was_ahead_keeps_nobody_for_longer(void **state)
{
	struct test_office *office = *state;
	note_at(office, NOW + 900 * (int64_t)DAY, "192.0.2.1");
	expect_at(office, NOW, "");
	note_at(office, NOW, "192.0.2.1");
	expect_at(office, NOW, "::ffff:192.0.2.1 0;");
}

static void a_clock_that_is_wrong_for_a_while_forgets_nobody(void **state)
{
	struct test_office *office = *state;
	note_at(office, NOW, "192.0.2.1");
	WRITE(office, mail_purge_step(office->store, DAY, false, 1, &office->e));
	expect_at(office, 1000, "::ffff:192.0.2.1 0;"); /* the box has lost its time */
	note_at(office, 1000, "192.0.2.2");
	note_at(office, NOW + 900 * (int64_t)DAY, "192.0.2.3");
	expect_at(office, NOW + 60, "::ffff:192.0.2.1 60;::ffff:192.0.2.2 60;");
}

static void of_more_than_are_kept_the_oldest_goes(void **state)
{
	struct test_office *office = *state;
	struct buf text = {0};
	for (int i = 0; i <= PEERS_KNOWN_MAX; i++) {
		char address[PEER_TEXT_MAX];
		snprintf(address, sizeof(address), "10.0.%d.%d", i / 256, i % 256);
		note_at(office, NOW + i, address);
	}
	assert_int_equal(known_each(office->store, add_text, &text, &office->e), 0);
	assert_null(strstr(buf_text(&text), ":10.0.0.0 "));
	assert_non_null(strstr(buf_text(&text), ":10.0.0.1 "));
	assert_non_null(strstr(buf_text(&text), ":10.0.4.0 0;"));
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICE_TEST(an_address_is_known_by_its_last_login),
		OFFICE_TEST(an_ipv6_network_is_one_address),
		OFFICE_TEST(after_thirty_days_it_is_forgotten),
		OFFICE_TEST(it_outlives_the_events),
		OFFICE_TEST(a_clock_that_was_ahead_keeps_nobody_for_longer),
		OFFICE_TEST(a_clock_that_is_wrong_for_a_while_forgets_nobody),
		OFFICE_TEST(of_more_than_are_kept_the_oldest_goes),
	};
	return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
