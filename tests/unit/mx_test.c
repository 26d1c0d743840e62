/* smtpd/mx: what needs no DNS; the rest of it is in tests/outside. */
#include "smtpd/mx.h"
#include "smtpd/mx_self.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

/* ---- ourselves ---- */

static bool is_at(const char *listen, const char *ip, unsigned port)
{
	static struct config config;
	struct sockaddr_storage at = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&at;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;
	snprintf(config.smtpd_listen, sizeof(config.smtpd_listen), "%s", listen);
	at.ss_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	four->sin_port = htons((uint16_t)port); /* the same place in both */
	assert_int_equal(inet_pton(at.ss_family, ip,
				 at.ss_family == AF_INET6 ? (void *)&six->sin6_addr
							  : (void *)&four->sin_addr),
		1);
	return mx_is_our_place(&config, (const struct sockaddr *)&at);
}

static void we_are_where_SMTP_listens_and_nowhere_else(void **state)
{
	(void)state;
	assert_true(is_at("127.0.0.2:25", "127.0.0.2", 25));
	assert_false(is_at("127.0.0.2:25", "127.0.0.3", 25));
	assert_false(is_at("127.0.0.2:2525", "127.0.0.2", 25));
	assert_true(is_at("127.0.0.9:25 192.0.2.1:25", "192.0.2.1", 25));
	assert_true(is_at("[2001:db8::1]:25", "2001:db8::1", 25));
	assert_false(is_at("[2001:db8::1]:25", "2001:db8::2", 25));
	assert_true(is_at("localhost:25", "127.0.0.1", 25));
	assert_false(is_at("", "127.0.0.1", 25));
}

static void a_listener_without_an_address_is_every_address_of_this_box(void **state)
{
	(void)state;
	assert_true(is_at("25", "127.0.0.1", 25));
	assert_true(is_at("25", "127.99.99.99", 25));
	assert_true(is_at("0.0.0.0:25", "127.99.99.99", 25));
	assert_false(is_at("25", "192.0.2.1", 25));
	assert_false(is_at("25", "2001:db8::1", 25));
	assert_false(is_at("[::]:25", "127.0.0.1", 25));
	assert_false(is_at("587", "127.0.0.1", 25));
}

/* ---- without DNS ---- */

static void assert_found(int found, const struct mx_hosts *hosts, const char *wanted)
{
	char text[INET6_ADDRSTRLEN + 8], address[INET6_ADDRSTRLEN];
	assert_int_equal(found, 0);
	assert_int_equal(hosts->count, 1);
	const struct sockaddr_in *four = (const struct sockaddr_in *)&hosts->at[0].address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&hosts->at[0].address;
	bool is_six = four->sin_family == AF_INET6;
	inet_ntop(four->sin_family, is_six ? (const void *)&six->sin6_addr : &four->sin_addr,
		address, sizeof(address));
	snprintf(text, sizeof(text), "%s %u", address, ntohs(four->sin_port));
	assert_string_equal(text, wanted);
}

static void an_address_in_brackets_needs_no_DNS(void **state)
{
	static const char *const bad[] = {"[]", "[", "[192.0.2.1", "[192.0.2.256]", "[2001:db8::1]",
		"[IPv6:]", "[IPv6:192.0.2.1]", "[0.0.0.0]", "[255.255.255.255]", "[IPv6:::]",
		"[IPv6:::ffff:0.0.0.0]", "[224.0.0.1]", "[IPv6:fe80::1]", "[127.1]", "192.0.2.1",
		"127.1", "0x7f000001", "a..b", ""};
	static struct config config;
	static struct mx_hosts hosts;
	struct err e = {0};
	(void)state;
	assert_found(mx_find("[192.0.2.1]", &config, &hosts, &e), &hosts, "192.0.2.1 25");
	assert_string_equal(hosts.at[0].name, "[192.0.2.1]");
	assert_found(mx_find("[IPv6:2001:db8::1]", &config, &hosts, &e), &hosts, "2001:db8::1 25");
	assert_found(
		mx_find("[ipv6:::ffff:192.0.2.1]", &config, &hosts, &e), &hosts, "192.0.2.1 25");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (mx_find(bad[i], &config, &hosts, &e) != -1)
			fail_msg("%s", bad[i]);
		assert_int_equal(e.kind, ERR_MISSING);
		assert_string_equal(hosts.status, "5.1.2");
		assert_int_equal(hosts.count, 0);
	}
}

static void our_own_address_in_brackets_is_a_loop(void **state)
{
	static struct config config = {.smtpd_listen = "127.0.0.2:25 2525"};
	static struct mx_hosts hosts;
	struct err e = {0};
	(void)state;
	assert_int_equal(mx_find("[127.0.0.2]", &config, &hosts, &e), -1);
	assert_int_equal(e.kind, ERR_LOOP);
	assert_string_equal(hosts.status, "5.4.6");
	assert_found(mx_find("[127.0.0.3]", &config, &hosts, &e), &hosts, "127.0.0.3 25");
}

static int find_smarthost(const char *host_port, struct mx_hosts *hosts, struct err *e)
{
	static struct config config;
	snprintf(config.smarthost, sizeof(config.smarthost), "%s", host_port);
	snprintf(config.smtpd_listen, sizeof(config.smtpd_listen), "127.0.0.2:2525");
	return mx_find_smarthost(&config, hosts, e);
}

static void a_smarthost_keeps_its_name_and_port(void **state)
{
	static struct mx_hosts hosts;
	struct err e = {0};
	(void)state;
	assert_found(find_smarthost("192.0.2.1:587", &hosts, &e), &hosts, "192.0.2.1 587");
	assert_string_equal(hosts.at[0].name, "192.0.2.1");
	assert_found(find_smarthost("[2001:db8::1]:465", &hosts, &e), &hosts, "2001:db8::1 465");
	assert_int_equal(find_smarthost("localhost:2525", &hosts, &e), 0);
	assert_in_range(hosts.count, 1, 2);
	assert_string_equal(hosts.at[0].name, "localhost");
	assert_int_equal(find_smarthost("nonsense", &hosts, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
}

static void a_smarthost_that_is_we_ourselves_is_none(void **state)
{
	static struct mx_hosts hosts;
	struct err e = {0};
	(void)state;
	assert_int_equal(find_smarthost("127.0.0.2:2525", &hosts, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_non_null(strstr(e.text, "this server itself"));
	assert_int_equal(hosts.count, 0);
	assert_int_equal(find_smarthost("127.0.0.2:2526", &hosts, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_are_where_SMTP_listens_and_nowhere_else),
		cmocka_unit_test(a_listener_without_an_address_is_every_address_of_this_box),
		cmocka_unit_test(an_address_in_brackets_needs_no_DNS),
		cmocka_unit_test(our_own_address_in_brackets_is_a_loop),
		cmocka_unit_test(a_smarthost_keeps_its_name_and_port),
		cmocka_unit_test(a_smarthost_that_is_we_ourselves_is_none),
	};
	return cmocka_run_group_tests_name("mx", tests, NULL, NULL);
}
