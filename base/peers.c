/* The limits beside accept. */
#include "base/peers.h"
#include "base/account.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LOCAL   "unix" /* the text of a peer on a unix socket */
#define ACCOUNT "unix:"

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

uid_t peer_of_account(struct peer *peer, char text[PEER_TEXT_MAX], int fd)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t len = sizeof(who);
	/* It cannot fail; and if it did, nobody has that number. */
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
	*peer = (struct peer){.is_local = true, .is_account = true};
	memcpy(peer->source, &who.uid, sizeof(who.uid));
	snprintf(text, PEER_TEXT_MAX, ACCOUNT "uid-%u", (unsigned)who.uid);
	return who.uid;
}

void peer_name_account(char text[PEER_TEXT_MAX], uid_t uid)
{
	size_t len = strlen(ACCOUNT);
	strcpy(text, ACCOUNT);
	account_name(uid, text + len, PEER_TEXT_MAX - len);
}

const char *peer_account(const char *text)
{
	size_t len = strlen(ACCOUNT);
	return strncmp(text, ACCOUNT, len) == 0 && text[len] ? text + len : NULL;
}

bool peer_parse(struct peer *peer, const char *text)
{
	struct in_addr ipv4;
	struct in6_addr ipv6;
	*peer = (struct peer){.is_local = strcmp(text, LOCAL) == 0 || peer_account(text)};
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
	return a->is_local == b->is_local && a->is_account == b->is_account &&
	       memcmp(a->source, b->source, sizeof(a->source)) == 0;
}

/* IPv4 as IPv4-mapped. Returns how many bits it has, 0 for no address. */
static unsigned read_whole(unsigned char octets[16], const char *text)
{
	memset(octets, 0, 16);
	if (inet_pton(AF_INET, text, octets + 12) == 1) {
		octets[10] = octets[11] = 0xff;
		return 32;
	}
	return inet_pton(AF_INET6, text, octets) == 1 ? 128 : 0;
}

static bool have_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned char differ = a[bits / 8 % 16] ^ b[bits / 8 % 16];
	return memcmp(a, b, bits / 8) == 0 && (bits % 8 == 0 || differ >> (8 - bits % 8) == 0);
}

static bool is_in(const unsigned char octets[16], unsigned width, struct slice network)
{
	unsigned char base[16];
	char text[INET6_ADDRSTRLEN];
	struct slice behind = network;
	struct slice address = slice_cut(&behind, '/');
	uint64_t bits = width;
	snprintf(text, sizeof(text), "%.*s", (int)address.len, address.at);
	if (read_whole(base, text) != width || (behind.len && !text_to_number(behind, 3, &bits)))
		return false;
	return have_prefix(octets, base, 128 - width + (unsigned)bits);
}

bool peer_is_in(const char *address, const char *networks)
{
	unsigned char octets[16];
	unsigned width = read_whole(octets, address);
	struct slice network;
	for (size_t n = 0; width && config_word(networks, n, &network); n++)
		if (is_in(octets, width, network))
			return true;
	return false;
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
	if (peer->is_local && !peer->is_account)
		return true;
	if (config->connections_per_ip && from_peer >= config->connections_per_ip)
		return false;
	if (config->connections == 0)
		return true;
	if (peer->is_account)
		return open < config->connections &&
		       (from_peer == 0 || from_peer < config->connections / 8);
	if (peers_is_known(peer))
		return open < config->connections - config->connections / 10 ||
		       (open < config->connections && from_peer < few(config));
	size_t for_strangers = config->connections - config->connections / 5;
	if (open >= for_strangers)
		return false;
	size_t share = (for_strangers - open + from_peer) / 8;
	return from_peer < (share > 0 ? share : 1);
}
