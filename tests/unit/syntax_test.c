/* base/syntax: what a word may look like. */
#include "base/syntax.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void assert_each(
	bool (*is)(struct slice text), bool wanted, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is(slice_of(words[i])) != wanted)
			fail_msg("%s", words[i]);
}
#define ASSERT_ALL(is, wanted, ...)                                                                \
	assert_each(is, wanted, (const char *const[]){__VA_ARGS__},                                \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* RFC 1123, 2.1; RFC 1035, 2.3.4. */
static void hostnames_are_labels_of_letters_digits_and_hyphens(void **state)
{
	(void)state;
	ASSERT_ALL(syntax_is_hostname, true, "localhost", "mail.kantor.example", "3com.example",
		"xn--mller-kva.example", "a-b.c", LABEL_63 ".example");
	ASSERT_ALL(syntax_is_hostname, false, "", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a_b.c",
		"a b", "m\xC3\xBCller.example", "192.0.2.1", "a.1", "[::1]", LABEL_63 "a.example",
		LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 ".a");
	assert_false(syntax_is_hostname(SLICE("a\0b")));
}

static void addresses_have_one_at_and_need_no_quotes(void **state)
{
	(void)state;
	ASSERT_ALL(syntax_is_address, true, "ani@kantor.example", "a.b+c@x", "o'neil@x.example",
		"!#$%&'*+-/=?^_`{|}~@x");
	ASSERT_ALL(syntax_is_address, false, "", "ani", "@x", "ani@", "a@b@c", ".a@x", "a.@x",
		"a..b@x", "\"a\"@x", "a b@x", "a@[127.0.0.1]", "\xC3\xA4@x", LABEL_63 "aa@x");
	assert_false(syntax_is_address(SLICE("a\0@x")));
}

static void networks_are_addresses_with_or_without_bits(void **state)
{
	(void)state;
	ASSERT_ALL(syntax_is_network, true, "192.168.1.20", "10.0.0.0/8", "::1", "fd00::/8",
		"2001:db8::1/128", "0.0.0.0/0");
	ASSERT_ALL(syntax_is_network, false, "", "10", "10.0.0", "10.0.0.256", "10.0.0.0/",
		"10.0.0.0/33", "::/129", "10.0.0.0/-1", "::1%lo", "printer", "10.0.0.0/8/8");
}

static void assert_listener(const char *text, const char *host, uint16_t port)
{
	struct slice got;
	uint16_t number = 0;
	assert_true(syntax_split_listener(slice_of(text), &got, &number));
	assert_true(slice_equal(got, slice_of(host)));
	assert_int_equal(number, port);
}

static bool is_listener(struct slice text)
{
	struct slice host;
	uint16_t port;
	return syntax_split_listener(text, &host, &port);
}

static void listeners_fall_into_host_and_port(void **state)
{
	(void)state;
	assert_listener("25", "", 25);
	assert_listener("127.0.0.1:2525", "127.0.0.1", 2525);
	assert_listener("[::1]:65535", "::1", 65535);
	assert_listener("mail.kantor.example:1", "mail.kantor.example", 1);
	ASSERT_ALL(is_listener, false, "", "0", "65536", "99999999999", "-1", "25 ", ":25", "[]:25",
		"::1:25", "[::1]", "[::1]25", "[127.0.0.1]:25", "127.0.0.1", "256.0.0.1:25", "a:b",
		"a:", "*:25", "a_b:25");
}

static void a_listener_of_this_box_alone_is_loopback(void **state)
{
	static const char *const alone[] = {
		"127.0.0.1:25", "127.1.2.3:25", "[::1]:25", "Localhost:25"};
	static const char *const open[] = {
		"25", "0.0.0.0:25", "[::]:25", "[::11]:25", "10.127.0.1:25", "x"};
	(void)state;
	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
		assert_true(syntax_is_loopback(slice_of(alone[i])));
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		assert_false(syntax_is_loopback(slice_of(open[i])));
}

static void a_label_is_one_of_a_host_s_and_may_be_a_number(void **state)
{
	(void)state;
	ASSERT_ALL(syntax_is_label, true, "a", "office", "202611", "a-b", LABEL_63);
	ASSERT_ALL(syntax_is_label, false, "", "a.b", "-a", "a-", "a_b", "a/b", "..", LABEL_63 "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_of_this_box_alone_is_loopback),
		cmocka_unit_test(hostnames_are_labels_of_letters_digits_and_hyphens),
		cmocka_unit_test(a_label_is_one_of_a_host_s_and_may_be_a_number),
		cmocka_unit_test(addresses_have_one_at_and_need_no_quotes),
		cmocka_unit_test(networks_are_addresses_with_or_without_bits),
		cmocka_unit_test(listeners_fall_into_host_and_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
