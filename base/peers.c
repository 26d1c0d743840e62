/* The limits beside accept. */
#include "base/peers.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define LOCAL "unix" /* the text of a peer on a unix socket */

/* Of a known address; for one that holds more the last tenth has no place. */
#define FEW_LEAST 4

static struct {
	struct peer peer;
	int64_t when_ms;
} known[PEERS_KNOWN_MAX];
static size_t known_count;

static void from_ipv4(struct peer *peer, const struct in_addr *address)
{
	peer->source[10] = peer->source[11] = 0xff;
	memcpy(peer->source + 12, address, 4);
}

static void from_ipv6(struct peer *peer, const struct in6_addr *address)
{
	memcpy(peer->source, address, IN6_IS_ADDR_V4MAPPED(address) ? 16 : 8);
}

void peer_of(struct peer *peer, char text[PEER_TEXT_MAX], const struct sockaddr_storage *address)
{
	*peer = (struct peer){0};
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;
		from_ipv4(peer, &in->sin_addr);
		inet_ntop(AF_INET, &in->sin_addr, text, PEER_TEXT_MAX);
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
		from_ipv6(peer, &in->sin6_addr);
		inet_ntop(AF_INET6, &in->sin6_addr, text, PEER_TEXT_MAX);
	} else {
		peer->is_local = true;
		strcpy(text, LOCAL);
	}
}

bool peer_parse(struct peer *peer, const char *text)
{
	struct in_addr ipv4;
	struct in6_addr ipv6;
	*peer = (struct peer){.is_local = strcmp(text, LOCAL) == 0};
	if (peer->is_local)
		return true;
	if (inet_pton(AF_INET, text, &ipv4) == 1)
		from_ipv4(peer, &ipv4);
	else if (inet_pton(AF_INET6, text, &ipv6) == 1)
		from_ipv6(peer, &ipv6);
	else
		return false;
	return true;
}

bool peer_equal(const struct peer *a, const struct peer *b)
{
	return a->is_local == b->is_local && memcmp(a->source, b->source, sizeof(a->source)) == 0;
}

void peer_text(const struct peer *peer, char text[PEER_TEXT_MAX])
{
	struct sockaddr_storage address = {.ss_family = peer->is_local ? AF_UNIX : AF_INET6};
	struct peer same;
	memcpy(&((struct sockaddr_in6 *)&address)->sin6_addr, peer->source, sizeof(peer->source));
	peer_of(&same, text, &address);
}

static size_t find(const struct peer *peer)
{
	size_t i = 0;
	while (i < known_count && !peer_equal(&known[i].peer, peer))
		i++;
	return i;
}

static size_t find_oldest(void)
{
	size_t oldest = 0;
	for (size_t i = 1; i < known_count; i++)
		if (known[i].when_ms < known[oldest].when_ms)
			oldest = i;
	return oldest;
}

bool peers_is_known(const struct peer *peer)
{
	size_t i = find(peer);
	return i < known_count && text_monotonic_ms() - known[i].when_ms < PEERS_KNOWN_MS;
}

bool peers_learn(const struct peer *peer, int64_t when_ms)
{
	size_t i = find(peer);
	if (i < known_count) {
		if (when_ms - known[i].when_ms < PEERS_NEWS_MS)
			return false;
	} else if (known_count < PEERS_KNOWN_MAX) {
		known_count++;
	} else {
		i = find_oldest();
		if (known[i].when_ms > when_ms)
			return false;
	}
	known[i].peer = *peer;
	known[i].when_ms = when_ms;
	return true;
}

static uint64_t few(const struct config *config)
{
	uint64_t share = config->connections / 50;
	return share > FEW_LEAST ? share : FEW_LEAST;
}

bool peers_admit(
	const struct peer *peer, const struct config *config, size_t open, size_t from_peer)
{
	if (peer->is_local)
		return true;
	if (config->connections_per_ip && from_peer >= config->connections_per_ip)
		return false;
	if (config->connections == 0)
		return true;
	if (peers_is_known(peer))
		return open < config->connections - config->connections / 10 ||
		       (open < config->connections && from_peer < few(config));
	size_t for_strangers = config->connections - config->connections / 5;
	if (open >= for_strangers)
		return false;
	size_t share = (for_strangers - open + from_peer) / 8;
	return from_peer < (share > 0 ? share : 1);
}
