/* base/text: numbers, sizes, durations, times, base64, xtext. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

static void numbers_are_digits_and_nothing_else(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1a", "0x10", "1.0",
		"18446744073709551616", "99999999999"};
	uint64_t number = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_to_number(slice_of(bad[i]), i == 8 ? 20 : 10, &number));
	assert_false(text_to_number(SLICE("1\0"), 10, &number));
	assert_int_equal(number, 7);
	assert_true(text_to_number(SLICE("0"), 10, &number));
	assert_int_equal(number, 0);
	assert_true(text_to_number(SLICE("4294967297"), 10, &number));
	assert_int_equal(number, 4294967297);
	assert_true(text_to_number(SLICE("18446744073709551615"), 20, &number));
	assert_true(number == UINT64_MAX);
	assert_true(text_to_number(SLICE("0010"), 10, &number));
	assert_int_equal(number, 10);
}

static void a_number_of_any_length_is_at_most_the_greatest(void **state)
{
	(void)state;
	uint64_t number = 7;
	assert_false(text_to_any_number(SLICE(""), &number));
	assert_false(text_to_any_number(SLICE("-1"), &number));
	assert_false(text_to_any_number(SLICE("99999999999999999999x"), &number));
	assert_int_equal(number, 7);
	assert_true(text_to_any_number(SLICE("0042"), &number));
	assert_int_equal(number, 42);
	assert_true(text_to_any_number(SLICE("18446744073709551616"), &number));
	assert_true(number == UINT64_MAX);
	assert_true(text_to_any_number(SLICE("999999999999999999999999999999"), &number));
	assert_true(number == UINT64_MAX);
}

static void sizes_take_k_m_and_g(void **state)
{
	(void)state;
	uint64_t octets = 0;
	assert_true(text_to_size(SLICE("512"), &octets));
	assert_int_equal(octets, 512);
	assert_true(text_to_size(SLICE("3K"), &octets));
	assert_int_equal(octets, 3072);
	assert_true(text_to_size(SLICE("64M"), &octets));
	assert_int_equal(octets, 67108864);
	assert_true(text_to_size(SLICE("2G"), &octets));
	assert_int_equal(octets, 2147483648);
	assert_true(text_to_size(SLICE("17179869183G"), &octets));
}

static void sizes_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "K", "1k", "1KB", "1 K", "-1M", "1T", "1.5M",
		"17179869184G", "99999999999999999999"};
	uint64_t octets;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_to_size(slice_of(bad[i]), &octets));
}

static void durations_need_their_unit(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "m", "10", "10M", "1w", "-1s", "1h30m", "0x1s", "999999999999999999d"};
	int64_t seconds = 0;
	assert_true(text_to_duration(SLICE("30s"), &seconds));
	assert_int_equal(seconds, 30);
	assert_true(text_to_duration(SLICE("10m"), &seconds));
	assert_int_equal(seconds, 600);
	assert_true(text_to_duration(SLICE("12h"), &seconds));
	assert_int_equal(seconds, 43200);
	assert_true(text_to_duration(SLICE("14d"), &seconds));
	assert_int_equal(seconds, 1209600);
	assert_true(text_to_duration(SLICE("0"), &seconds));
	assert_int_equal(seconds, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_to_duration(slice_of(bad[i]), &seconds));
}

static void sizes_are_written_for_people(void **state)
{
	(void)state;
	static const struct {
		uint64_t octets;
		const char *text;
	} vectors[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KB"}, {3355443, "3.2 MB"},
		{1048575, "1.0 MB"}, {1ull << 40, "1.0 TB"}, {UINT64_MAX, "16.0 EB"}};
	char text[TEXT_SIZE_MAX];
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_string_equal(text_of_size(text, vectors[i].octets), vectors[i].text);
}

static void dates_are_those_of_rfc_5322_in_local_time(void **state)
{
	(void)state;
	char text[TEXT_DATE_MAX];
	setenv("TZ", "WIB-7", 1);
	tzset();
	assert_string_equal(text_of_mail_date(text, 1772420400), "Mon, 02 Mar 2026 10:00:00 +0700");
	setenv("TZ", "NST3:30", 1);
	tzset();
	assert_string_equal(text_of_mail_date(text, 0), "Wed, 31 Dec 1969 20:30:00 -0330");
}

static void times_are_those_of_rfc_3339_in_utc(void **state)
{
	(void)state;
	char text[TEXT_DATE_MAX];
	setenv("TZ", "WIB-7", 1);
	tzset();
	assert_string_equal(text_of_time(text, 1772420400), "2026-03-02T03:00:00Z");
	assert_string_equal(text_of_time(text, 4102444800), "2100-01-01T00:00:00Z");
	/* A year that does not fit is a text all the same. */
	assert_true(strlen(text_of_time(text, INT64_MAX)) > 0);
	assert_true(strlen(text_of_mail_date(text, INT64_MAX)) > 0);
}

/* RFC 4648, 10. */
static const struct {
	const char *plain, *encoded;
} base64[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

static void base64_is_written_as_in_rfc_4648(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(base64) / sizeof(base64[0]); i++) {
		struct buf out = {0};
		text_add_base64(&out, base64[i].plain, strlen(base64[i].plain));
		assert_string_equal(buf_text(&out), base64[i].encoded);
		buf_free(&out);
	}
}

static void base64_is_read_as_in_rfc_4648(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(base64) / sizeof(base64[0]); i++) {
		struct buf out = {0};
		assert_true(text_from_base64(slice_of(base64[i].encoded), &out));
		assert_string_equal(buf_text(&out), base64[i].plain);
		buf_free(&out);
	}
}

static void base64_that_is_not_canonical_is_refused_and_adds_nothing(void **state)
{
	(void)state;
	static const char *const bad[] = {"Z", "Zg",
		"Zg=", "Zh==", "Zm9=", "=Zg=", "Z===", "====", "Zm9v\n", "Zm 9", "Zm-_",
		"Zg==Zg==", "Zm9vZg=a"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf out = {0};
		buf_add_text(&out, "x");
		assert_false(text_from_base64(slice_of(bad[i]), &out));
		assert_string_equal(buf_text(&out), "x");
		buf_free(&out);
	}
}

static void every_octet_survives_base64(void **state)
{
	(void)state;
	unsigned char all[256];
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	for (size_t len = 0; len <= sizeof(all); len++) {
		struct buf encoded = {0}, decoded = {0};
		text_add_base64(&encoded, all, len);
		assert_true(text_from_base64(buf_slice(&encoded), &decoded));
		assert_true(
			slice_equal(buf_slice(&decoded), (struct slice){(const char *)all, len}));
		buf_free(&encoded);
		buf_free(&decoded);
	}
}

static void xtext_is_written_so_that_it_reads_the_same(void **state)
{
	static const char octets[] = "a+b=c d\n~\x7f\xff";
	struct buf out = {0}, back = {0};
	(void)state;
	text_add_xtext(&out, SLICE(octets));
	assert_string_equal(buf_text(&out), "a+2Bb+3Dc+20d+0A~+7F+FF");
	assert_true(text_from_xtext(buf_slice(&out), &back));
	assert_string_equal(buf_text(&back), octets);
	buf_free(&out);
	buf_free(&back);
}

static void xtext_is_read_as_in_rfc_3461(void **state)
{
	(void)state;
	static const struct {
		const char *encoded;
		struct slice plain;
	} good[] = {{"", SLICE("")}, {"QQ314159", SLICE("QQ314159")},
		{"a+2Bb+3Dc@x", SLICE("a+b=c@x")}, {"+0D+0A+00+FF", SLICE("\r\n\0\xff")},
		{"~!", SLICE("~!")}};
	static const char *const bad[] = {"+", "a+", "+2", "+2b", "+G0", "+ 2", "a=b", "a b", "a\r",
		"\x7f", "\xc3\xa9", "+2B+"};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		buf_clear(&out);
		assert_true(text_from_xtext(slice_of(good[i].encoded), &out));
		assert_true(slice_equal(buf_slice(&out), good[i].plain));
	}
	buf_clear(&out);
	buf_add_text(&out, "before");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(text_from_xtext(slice_of(bad[i]), &out));
		assert_string_equal(buf_text(&out), "before");
	}
	buf_free(&out);
}

static void whatever_is_not_printable_is_escaped(void **state)
{
	(void)state;
	struct buf out = {0};
	text_add_escaped(&out, SLICE("a b~\r\n\0\x1b[2J\x7f\xC3\xA4%n"));
	assert_string_equal(buf_text(&out), "a b~\\x0d\\x0a\\x00\\x1b[2J\\x7f\\xc3\\xa4%n");
	assert_true(text_is_printable(buf_slice(&out)));
	assert_false(text_is_printable(SLICE("a\tb")));
	assert_false(text_is_printable(SLICE("\x80")));
	buf_free(&out);
}

static void folding_touches_ascii_letters_alone(void **state)
{
	(void)state;
	char text[] = "AZ@[\xC4z0";
	text_fold(text, sizeof(text) - 1);
	assert_string_equal(text, "az@[\xC4z0");
}

static void hex_is_lower_case(void **state)
{
	(void)state;
	struct buf out = {0};
	text_add_hex(&out, "\x00\xAB\xFF", 3);
	assert_string_equal(buf_text(&out), "00abff");
	buf_free(&out);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
	(void)state;
	int64_t first = text_monotonic_ms();
	assert_true(first > 0);
	assert_true(text_monotonic_ms() >= first);
}

/* RFC 3629, 4. */
static void utf8_is_taken_a_character_at_a_time(void **state)
{
	(void)state;
	static const struct {
		struct slice text;
		size_t len;
		uint32_t code;
	} good[] = {
		{SLICE("ab"), 1, 'a'},
		{SLICE("\0"), 1, 0},
		{SLICE("\xC2\x80x"), 2, 0x80},
		{SLICE("\xE0\xA0\x80"), 3, 0x800},
		{SLICE("\xED\x9F\xBF"), 3, 0xD7FF},
		{SLICE("\xF0\x9F\x93\xA7"), 4, 0x1F4E7},
		{SLICE("\xF4\x8F\xBF\xBF"), 4, 0x10FFFF},
	};
	static const char *const bad[] = {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2x",
		"\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
		"\xF5\x80\x80\x80", "\xFF"};
	uint32_t code;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(text_utf8(good[i].text, &code), good[i].len);
		assert_int_equal(code, good[i].code);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(text_utf8(slice_of(bad[i]), &code), 0);
	assert_true(text_is_control(0x1B) && text_is_control(0x7F) && text_is_control(0x9B));
	assert_true(text_is_control(0x200F) && text_is_control(0x202E) && text_is_control(0x2066));
	assert_false(text_is_control(' ') || text_is_control(0xA0) || text_is_control(0x2026));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_digits_and_nothing_else),
		cmocka_unit_test(a_number_of_any_length_is_at_most_the_greatest),
		cmocka_unit_test(sizes_take_k_m_and_g),
		cmocka_unit_test(sizes_that_are_none_are_refused),
		cmocka_unit_test(durations_need_their_unit),
		cmocka_unit_test(sizes_are_written_for_people),
		cmocka_unit_test(dates_are_those_of_rfc_5322_in_local_time),
		cmocka_unit_test(times_are_those_of_rfc_3339_in_utc),
		cmocka_unit_test(base64_is_written_as_in_rfc_4648),
		cmocka_unit_test(base64_is_read_as_in_rfc_4648),
		cmocka_unit_test(base64_that_is_not_canonical_is_refused_and_adds_nothing),
		cmocka_unit_test(every_octet_survives_base64),
		cmocka_unit_test(xtext_is_read_as_in_rfc_3461),
		cmocka_unit_test(xtext_is_written_so_that_it_reads_the_same),
		cmocka_unit_test(whatever_is_not_printable_is_escaped),
		cmocka_unit_test(folding_touches_ascii_letters_alone),
		cmocka_unit_test(hex_is_lower_case),
		cmocka_unit_test(the_monotonic_clock_never_goes_back),
		cmocka_unit_test(utf8_is_taken_a_character_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
