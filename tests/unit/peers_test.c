/* base/peers: where connections come from, and how many one source may hold. */
#include "base/peers.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

static struct peer at(const char *text)
{
	struct peer peer;
	assert_true(peer_parse(&peer, text));
	return peer;
}

static bool is_one_source(const char *a, const char *b)
{
	struct peer first = at(a), second = at(b);
	return peer_equal(&first, &second);
}

static void an_accepted_connection_has_its_address_as_text(void **state)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address;
	struct peer peer, parsed;
	char text[PEER_TEXT_MAX];
	(void)state;
	ipv4->sin_family = AF_INET;
	inet_pton(AF_INET, "192.0.2.7", &ipv4->sin_addr);
	peer_of(&peer, text, &address);
	assert_string_equal(text, "192.0.2.7");
	parsed = at(text);
	assert_true(peer_equal(&peer, &parsed));

	memset(&address, 0, sizeof(address));
	ipv6->sin6_family = AF_INET6;
	inet_pton(AF_INET6, "2001:db8:1:2:3:4:5:6", &ipv6->sin6_addr);
	peer_of(&peer, text, &address);
	assert_string_equal(text, "2001:db8:1:2:3:4:5:6");
	parsed = at(text);
	assert_true(peer_equal(&peer, &parsed));

	memset(&address, 0, sizeof(address));
	address.ss_family = AF_UNIX;
	peer_of(&peer, text, &address);
	assert_string_equal(text, "unix");
	assert_true(peer.is_local);
	parsed = at(text);
	assert_true(peer_equal(&peer, &parsed));
}

static void an_account_is_known_by_the_socket(void **state)
{
	struct peer peer, unix_peer = at("unix");
	char text[PEER_TEXT_MAX], wanted[PEER_TEXT_MAX];
	int pair[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(peer_of_account(&peer, text, pair[0]), geteuid());
	snprintf(wanted, sizeof(wanted), "unix:uid-%u", (unsigned)geteuid());
	assert_string_equal(text, wanted);
	assert_true(peer.is_local && peer.is_account);
	assert_false(peer_equal(&peer, &unix_peer));
	close(pair[0]);
	close(pair[1]);

	assert_string_equal(peer_account("unix:www-data"), "www-data");
	assert_null(peer_account("unix"));
	assert_null(peer_account("unix:"));
	assert_null(peer_account("192.0.2.1"));
	assert_true(at("unix:www-data").is_local);
	assert_false(peer_parse(&peer, "unix:"));
	assert_false(peer_parse(&peer, "unixwww-data"));
}

static void an_account_of_this_box_has_an_eighth_of_all_places(void **state)
{
	struct config config = {.connections = 80, .connections_per_ip = 100};
	const struct peer account = {.is_local = true, .is_account = true};
	(void)state;
	assert_true(peers_admit(&account, &config, 0, 0));
	assert_true(peers_admit(&account, &config, 79, 9));
	assert_false(peers_admit(&account, &config, 80, 0));
	assert_false(peers_admit(&account, &config, 40, 10));
	config.connections_per_ip = 3;
	assert_false(peers_admit(&account, &config, 3, 3));
	config.connections = 4;
	assert_true(peers_admit(&account, &config, 0, 0));
	config.connections = config.connections_per_ip = 0;
	assert_true(peers_admit(&account, &config, 5000, 5000));
}

static void an_address_is_in_the_networks_it_belongs_to(void **state)
{
	static const char networks[] =
		"192.0.2.7 10.20.0.0/15 172.16.5.9/28 2001:db8::/33 fe80::1 ::/64";
	static const char *const inside[] = {"192.0.2.7", "10.20.0.0", "10.21.255.255",
		"172.16.5.0", "172.16.5.15", "2001:db8:7fff::1", "fe80::1", "::1"};
	static const char *const outside[] = {"192.0.2.8", "192.0.2.70", "10.19.255.255",
		"10.22.0.0", "172.16.5.16", "172.16.4.255", "2001:db8:8000::1", "fe80::2",
		"1.2.3.4", "unix", "unix:root", "", "192.0.2.7/32"};
	(void)state;
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		assert_true(peer_is_in(inside[i], networks));
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		assert_false(peer_is_in(outside[i], networks));
	assert_false(peer_is_in("192.0.2.7", ""));
	assert_true(peer_is_in("192.0.2.7", "192.0.2.128/0")); /* refused by office.ini */
}

static void a_source_is_an_ipv4_address_or_an_ipv6_network(void **state)
{
	(void)state;
	assert_true(is_one_source("192.0.2.1", "192.0.2.1"));
	assert_false(is_one_source("192.0.2.1", "192.0.2.2"));
	assert_true(is_one_source("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"));
	assert_false(is_one_source("2001:db8::1", "2001:db8:0:1::1"));
	assert_true(is_one_source("192.0.2.1", "::ffff:192.0.2.1"));
	assert_false(is_one_source("192.0.2.1", "::ffff:192.0.2.2"));
	assert_false(is_one_source("unix", "::"));
}

static void what_is_no_address_is_no_peer(void **state)
{
	static const char *const none[] = {"", "192.0.2", "192.0.2.256", "2001:db8", "::1%lo",
		"localhost", "unix ", " 192.0.2.1"};
	struct peer peer;
	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(peer_parse(&peer, none[i]));
}

static void a_source_is_known_for_thirty_days_after_its_last_login(void **state)
{
	struct peer early = at("10.252.0.1"), late = at("10.252.0.2");
	int64_t now = text_monotonic_ms();
	(void)state;
	assert_false(peers_is_known(&early));
	assert_true(peers_learn(&early, now - PEERS_KNOWN_MS));
	assert_false(peers_is_known(&early));
	assert_true(peers_learn(&late, now - PEERS_KNOWN_MS + 60000));
	assert_true(peers_is_known(&late));
	assert_true(peers_learn(&early, now));
	assert_true(peers_is_known(&early));
}

static void a_login_is_news_once_a_day(void **state)
{
	struct peer peer = at("10.252.0.3");
	int64_t now = text_monotonic_ms();
	(void)state;
	assert_true(peers_learn(&peer, now - PEERS_NEWS_MS));
	assert_false(peers_learn(&peer, now - 1));
	assert_true(peers_learn(&peer, now));
	assert_false(peers_learn(&peer, now - PEERS_NEWS_MS)); /* told late */
}

/* The office's own address, which was learnt first, is not pushed out by those
 * of its telephones. */
static void of_many_sources_the_one_longest_without_a_login_gives_way(void **state)
{
	char text[PEER_TEXT_MAX];
	int64_t now = text_monotonic_ms();
	(void)state;
	struct peer office = at("10.255.0.1"), second = at("10.254.0.0");
	peers_learn(&office, now - 3 * PEERS_NEWS_MS);
	for (unsigned i = 0; i < PEERS_KNOWN_MAX - 1; i++) {
		snprintf(text, sizeof(text), "10.254.%u.%u", i / 256, i % 256);
		struct peer other = at(text);
		peers_learn(&other, now - 2 * PEERS_NEWS_MS + i);
	}
	assert_true(peers_learn(&office, now));
	struct peer one_more = at("10.253.0.1"), too_old = at("10.253.0.2");
	assert_true(peers_learn(&one_more, now));
	assert_true(peers_is_known(&office));
	assert_true(peers_is_known(&one_more));
	assert_false(peers_is_known(&second));
	assert_false(peers_learn(&too_old, now - 4 * PEERS_NEWS_MS));
}

static void a_source_as_text_is_the_same_source(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8:1:2:3::4", "unix"};
	char text[PEER_TEXT_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct peer peer = at(texts[i]);
		peer_text(&peer, text);
		assert_true(is_one_source(texts[i], text));
	}
}

/* ---- limits ---- */

static const struct config limits = {.connections = 100, .connections_per_ip = 10};

static bool admits(const struct config *config, const char *who, size_t open, size_t from_peer)
{
	struct peer peer = at(who);
	return peers_admit(&peer, config, open, from_peer);
}

static void nobody_holds_more_than_his_connections(void **state)
{
	struct peer known = at("10.1.0.1");
	(void)state;
	peers_learn(&known, text_monotonic_ms());
	assert_true(admits(&limits, "10.1.0.1", 9, 9));
	assert_false(admits(&limits, "10.1.0.1", 10, 10));
	assert_false(admits(&limits, "198.51.100.1", 10, 10));
}

static void a_fifth_is_kept_for_those_who_have_logged_in(void **state)
{
	struct peer known = at("10.1.0.2");
	(void)state;
	peers_learn(&known, text_monotonic_ms());
	assert_true(admits(&limits, "198.51.100.1", 79, 0));
	assert_false(admits(&limits, "198.51.100.1", 80, 0));
	assert_true(admits(&limits, "10.1.0.2", 80, 0));
	assert_true(admits(&limits, "10.1.0.2", 89, 9));
}

static void the_last_tenth_is_for_known_sources_that_hold_next_to_nothing(void **state)
{
	struct peer known = at("10.1.0.2");
	(void)state;
	peers_learn(&known, text_monotonic_ms());
	assert_false(admits(&limits, "10.1.0.2", 90, 4));
	assert_true(admits(&limits, "10.1.0.2", 90, 3));
	assert_true(admits(&limits, "10.1.0.2", 99, 0));
	assert_false(admits(&limits, "10.1.0.2", 100, 0));
}

static void a_stranger_has_an_eighth_of_what_is_left_and_one_at_least(void **state)
{
	(void)state;
	assert_true(admits(&limits, "198.51.100.1", 9, 9));   /* of 80 */
	assert_true(admits(&limits, "198.51.100.1", 40, 4));  /* of 44: 5 */
	assert_false(admits(&limits, "198.51.100.1", 40, 5)); /* of 45: 5 */
	assert_true(admits(&limits, "198.51.100.1", 79, 0));
	assert_false(admits(&limits, "198.51.100.1", 79, 1));
}

static void limits_of_0_are_none(void **state)
{
	const struct config none = {0}, one = {.connections = 10};
	(void)state;
	assert_true(admits(&none, "198.51.100.1", 1000000, 1000000));
	assert_true(admits(&one, "10.1.0.2", 8, 8));
	assert_false(admits(&one, "10.1.0.2", 10, 0));
}

static void what_comes_over_a_unix_socket_is_never_turned_away(void **state)
{
	(void)state;
	assert_true(admits(&limits, "unix", 1000, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_accepted_connection_has_its_address_as_text),
		cmocka_unit_test(an_account_is_known_by_the_socket),
		cmocka_unit_test(an_account_of_this_box_has_an_eighth_of_all_places),
		cmocka_unit_test(an_address_is_in_the_networks_it_belongs_to),
		cmocka_unit_test(a_source_is_an_ipv4_address_or_an_ipv6_network),
		cmocka_unit_test(what_is_no_address_is_no_peer),
		cmocka_unit_test(a_source_is_known_for_thirty_days_after_its_last_login),
		cmocka_unit_test(a_login_is_news_once_a_day),
		cmocka_unit_test(of_many_sources_the_one_longest_without_a_login_gives_way),
		cmocka_unit_test(a_source_as_text_is_the_same_source),
		cmocka_unit_test(nobody_holds_more_than_his_connections),
		cmocka_unit_test(a_fifth_is_kept_for_those_who_have_logged_in),
		cmocka_unit_test(the_last_tenth_is_for_known_sources_that_hold_next_to_nothing),
		cmocka_unit_test(a_stranger_has_an_eighth_of_what_is_left_and_one_at_least),
		cmocka_unit_test(limits_of_0_are_none),
		cmocka_unit_test(what_comes_over_a_unix_socket_is_never_turned_away),
	};
	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
