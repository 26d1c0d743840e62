/* base/peers: where connections come from, and how many one source may hold. */
#include "base/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
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

static void the_last_known_sources_are_known(void **state)
{
	char text[PEER_TEXT_MAX];
	(void)state;
	struct peer first = at("10.255.0.1");
	assert_false(peers_is_known(&first));
	peers_learn(&first);
	peers_learn(&first);
	assert_true(peers_is_known(&first));
	for (unsigned i = 0; i < PEERS_KNOWN_MAX - 1; i++) {
		snprintf(text, sizeof(text), "10.254.%u.%u", i / 256, i % 256);
		struct peer other = at(text);
		peers_learn(&other);
	}
	assert_true(peers_is_known(&first));
	struct peer one_more = at("10.253.0.1");
	peers_learn(&one_more);
	assert_false(peers_is_known(&first));
	assert_true(peers_is_known(&one_more));
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
	peers_learn(&known);
	assert_true(admits(&limits, "10.1.0.1", 9, 9));
	assert_false(admits(&limits, "10.1.0.1", 10, 10));
	assert_false(admits(&limits, "198.51.100.1", 10, 10));
}

static void a_fifth_is_kept_for_those_who_have_logged_in(void **state)
{
	struct peer known = at("10.1.0.2");
	(void)state;
	peers_learn(&known);
	assert_true(admits(&limits, "198.51.100.1", 79, 0));
	assert_false(admits(&limits, "198.51.100.1", 80, 0));
	assert_true(admits(&limits, "10.1.0.2", 80, 0));
	assert_true(admits(&limits, "10.1.0.2", 99, 9));
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
	assert_true(admits(&one, "10.1.0.2", 9, 9));
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
		cmocka_unit_test(a_source_is_an_ipv4_address_or_an_ipv6_network),
		cmocka_unit_test(what_is_no_address_is_no_peer),
		cmocka_unit_test(the_last_known_sources_are_known),
		cmocka_unit_test(nobody_holds_more_than_his_connections),
		cmocka_unit_test(a_fifth_is_kept_for_those_who_have_logged_in),
		cmocka_unit_test(a_stranger_has_an_eighth_of_what_is_left_and_one_at_least),
		cmocka_unit_test(limits_of_0_are_none),
		cmocka_unit_test(what_comes_over_a_unix_socket_is_never_turned_away),
	};
	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
