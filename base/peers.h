/* Where connections come from, and how many one source may hold.
 *
 * A source is an IPv4 address or an IPv6 /64. A fifth of the places is kept for
 * sources from which somebody has logged in; a stranger's share is an eighth
 * of what is left for strangers. The last tenth is for known ones that hold
 * next to nothing: who has a password, or stole one, cannot take all. An account
 * of this box, on a socket that asks for it, is a source too, and has an eighth of
 * all places. */
#ifndef BASE_PEERS_H
#define BASE_PEERS_H

#include "base/config.h"
#include <sys/socket.h>

#define PEER_TEXT_MAX 48 /* an IPv6 address as text, or "unix:" and an account's name */

struct peer {
	unsigned char source[16]; /* IPv4-mapped, or a /64 with zeros behind */
	bool is_local;            /* a unix socket: no limit applies but to an account */
	bool is_account;          /* whose number is the source */
};

/* Of an accepted connection; `text` gets the whole address, "unix" for one on a
 * unix socket. */
void peer_of(struct peer *peer, char text[PEER_TEXT_MAX], const struct sockaddr_storage *address);
/* The account at the other end of a unix socket; `text` gets "unix:uid-33". */
uid_t peer_of_account(struct peer *peer, char text[PEER_TEXT_MAX], int fd);
/* Writes the text anew, with the account's name; asks the system for it. */
void peer_name_account(char text[PEER_TEXT_MAX], uid_t uid);
/* Of such a text, or of "unix:" and a name, which does not tell the number; false: it is
 * none. */
bool peer_parse(struct peer *peer, const char *text);
/* The name behind "unix:"; NULL: the text has none. */
const char *peer_account(const char *text);
/* Is the address in one of these networks ("192.0.2.1 10.1.0.0/16 2001:db8::/64")? */
bool peer_is_in(const char *address, const char *networks);
bool peer_equal(const struct peer *a, const struct peer *b);
/* The source alone, as peer_parse() reads it. */
void peer_text(const struct peer *peer, char text[PEER_TEXT_MAX]);

/* Known are the sources from which somebody logged in within PEERS_KNOWN_MS, and
 * of these the PEERS_KNOWN_MAX that did so last. `when_ms` is a moment of
 * text_monotonic_ms(), negative where it was before the boot. Returns whether it
 * is worth passing on: the source was unknown, or its last login PEERS_NEWS_MS
 * older. */
#define PEERS_KNOWN_MAX 1024
#define PEERS_KNOWN_MS  (30LL * 24 * 3600 * 1000)
#define PEERS_NEWS_MS   (24LL * 3600 * 1000)
bool peers_learn(const struct peer *peer, int64_t when_ms);
bool peers_is_known(const struct peer *peer);

/* May one more come from `peer`, when `open` connections are there, `from_peer`
 * of them from its source? Limits of 0 are none. */
bool peers_admit(
	const struct peer *peer, const struct config *config, size_t open, size_t from_peer);

#endif
