/* store/reason: why mail was not taken, in words for people. */
#include "base/text.h"
#include "store/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs most of the above. */
#include <cmocka.h>

static void assert_reason(const char *status, const char *reply, const char *en, const char *id)
{
	struct reason reason = reason_find(LANGUAGE_EN, slice_of(status), slice_of(reply));
	assert_non_null(strstr(reason.why, en));
	reason = reason_find(LANGUAGE_ID, slice_of(status), slice_of(reply));
	assert_non_null(strstr(reason.why, id));
}

static void what_happens_every_day_is_told_plainly(void **state)
{
	(void)state;
	assert_reason("5.1.1", "550 5.1.1 unknown", "no such mailbox", "tidak ada");
	assert_reason("5.1.2", "", "no such domain", "Domain itu tidak ada");
	assert_reason("5.1.10", "", "takes no mail at all", "tidak menerima email sama sekali");
	assert_reason("5.2.2", "552 5.2.2 over quota", "mailbox is full", "penuh");
	assert_reason("4.2.2", "452 4.2.2 over quota", "mailbox is full", "penuh");
	assert_reason("5.2.3", "552 5.2.3 x", "too big", "terlalu besar");
	assert_reason("5.3.4", "552 5.3.4 x", "too big", "terlalu besar");
	assert_reason("5.7.1", "550 5.7.1 spam", "unwanted", "tidak diinginkan");
	assert_reason("5.7.26", "550 5.7.26 x", "does not believe", "tidak percaya");
	assert_reason("5.7.2", "550 5.7.2 x", "unwanted", "tidak diinginkan");
	assert_reason("4.4.1", "connection refused", "cannot be reached", "tidak dapat dihubungi");
	assert_reason("4.7.1", "451 4.7.1 greylisted", "not take the mail yet", "belum mau");
	assert_reason("4.7.5", "the certificate has expired", "safe connection", "TLS");
}

static void a_server_that_knows_no_statuses_is_understood_by_its_codes(void **state)
{
	(void)state;
	assert_reason("", "550 no", "no mail for this address", "untuk alamat itu");
	assert_reason("5.0.0", "550 no", "no mail for this address", "untuk alamat itu");
	assert_reason("", "552 no", "full", "penuh");
	assert_reason("", "451 no", "at the moment", "sedang");
	assert_reason("", "554 no", "refused", "menolak");
}

static void what_other_servers_mean_counts_more_than_what_they_say(void **state)
{
	(void)state;
	assert_reason("5.4.1", "550 5.4.1 Recipient address rejected: Access denied",
		"no mail for this address", "untuk alamat itu"); /* Exchange */
	assert_reason("5.5.0", "550 5.5.0 mailbox unavailable", "no mail for this address",
		"untuk alamat itu"); /* Outlook.com */
	assert_reason("5.7.0", "530 5.7.0 Authentication required", "let the office in", "login");
	assert_reason("5.7.8", "535 5.7.8 no", "let the office in", "login");
}

static void assert_told(const char *status, const char *reply)
{
	for (int language = LANGUAGE_EN; language <= LANGUAGE_ID; language++) {
		struct reason reason = reason_find(
			(enum config_language)language, slice_of(status), slice_of(reply));
		struct slice sentences[] = {slice_of(reason.why), slice_of(reason.todo)};
		for (int i = 0; i < 2; i++) {
			assert_true(sentences[i].len > 10 && text_is_printable(sentences[i]));
			assert_int_equal(sentences[i].at[sentences[i].len - 1], '.');
		}
	}
}

static void there_is_always_a_reason_in_ascii(void **state)
{
	(void)state;
	char text[32];
	for (int class = 0; class < 10; class ++)
		for (int subject = 0; subject < 10; subject++)
			for (int detail = 0; detail < 40; detail++) {
				snprintf(text, sizeof(text), "%d.%d.%d", class, subject, detail);
				assert_told(text, "");
			}
	for (int code = 0; code < 1000; code++) {
		snprintf(text, sizeof(text), "%03d no", code);
		assert_told("", text);
	}
	static const char *const others[] = {"", "5", "5.", "5.1", "5.1.", ".", "5.1.1.1", "x.y.z",
		"5.*.1", "?", "*", "5.99999999999999999999.1", "\xff", " "};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_told(others[i], others[i]);
}

static void a_code_stands_at_the_front_of_a_reply(void **state)
{
	(void)state;
	static const char *const good[] = {"550", "550 no", "250-more", "421 x"};
	static const char *const bad[] = {"", "55", "5500", "550x", "350 go on", "999 x",
		"no route to host", " 550", "5x0 a"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(
			slice_equal(reason_code(slice_of(good[i])), (struct slice){good[i], 3}));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(reason_code(slice_of(bad[i])).len, 0);
}

static void a_status_is_three_numbers_of_class_2_4_or_5(void **state)
{
	(void)state;
	static const char *const good[] = {"2.0.0", "4.4.1", "5.7.26", "5.123.123"};
	static const char *const bad[] = {"", "5", "5.1", "5.1.", "3.1.1", "5.1.1 ",
		"5.1.1\r\nX: 1", "5.1.1.1", "5.1234.1", "5..1", "a.b.c", "5.1.x"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(reason_is_status(slice_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(reason_is_status(slice_of(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happens_every_day_is_told_plainly),
		cmocka_unit_test(a_server_that_knows_no_statuses_is_understood_by_its_codes),
		cmocka_unit_test(what_other_servers_mean_counts_more_than_what_they_say),
		cmocka_unit_test(there_is_always_a_reason_in_ascii),
		cmocka_unit_test(a_code_stands_at_the_front_of_a_reply),
		cmocka_unit_test(a_status_is_three_numbers_of_class_2_4_or_5),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
