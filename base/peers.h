/* Where connections come from, and how many one source may hold.
 *
 * A source is an IPv4 address or an IPv6 /64. A fifth of the places is kept for
 * sources from which somebody has logged in; a stranger's share is an eighth
 * of what is left for strangers. */
#ifndef BASE_PEERS_H
#define BASE_PEERS_H

#include "base/config.h"
#include <sys/socket.h>

#define PEER_TEXT_MAX 48 /* an IPv6 address as text */

struct peer {
	unsigned char source[16]; /* IPv4-mapped, or a /64 with zeros behind */
	bool is_local;            /* a unix socket: no limit applies */
};

/* Of an accepted connection; `text` gets the whole address, "unix" for one on a
 * unix socket. */
void peer_of(struct peer *peer, char text[PEER_TEXT_MAX], const struct sockaddr_storage *address);
/* Of such a text; false: it is none. */
bool peer_parse(struct peer *peer, const char *text);
bool peer_equal(const struct peer *a, const struct peer *b);

/* Sources from which somebody logged in: the last PEERS_KNOWN_MAX of them. */
#define PEERS_KNOWN_MAX 1024
void peers_learn(const struct peer *peer);
bool peers_is_known(const struct peer *peer);

/* May one more come from `peer`, when `open` connections are there, `from_peer`
 * of them from its source? Limits of 0 are none. */
bool peers_admit(
	const struct peer *peer, const struct config *config, size_t open, size_t from_peer);

#endif
