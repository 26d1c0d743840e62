/* What office.ini lets SMTP listen at, compared with where mail would go. */
#include "smtpd/mx_self.h"
#include "base/syntax.h"
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

static const struct in_addr *ip4(const struct sockaddr *at)
{
	return &((const struct sockaddr_in *)(const void *)at)->sin_addr;
}

static const struct in6_addr *ip6(const struct sockaddr *at)
{
	return &((const struct sockaddr_in6 *)(const void *)at)->sin6_addr;
}

static uint16_t port_of(const struct sockaddr *at)
{
	return ntohs(at->sa_family == AF_INET6
			     ? ((const struct sockaddr_in6 *)(const void *)at)->sin6_port
			     : ((const struct sockaddr_in *)(const void *)at)->sin_port);
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	return a->sa_family == AF_INET6
		       ? memcmp(ip6(a), ip6(b), sizeof(struct in6_addr)) == 0
		       : a->sa_family == AF_INET && ip4(a)->s_addr == ip4(b)->s_addr;
}

bool mx_same_place(const struct sockaddr *a, const struct sockaddr *b)
{
	return same_address(a, b) && port_of(a) == port_of(b);
}

/* Does the kernel take it for one of this box? All of 127.0.0.0/8 is, though no
 * interface bears more than one of them. */
static bool is_of_this_box(const struct sockaddr *address)
{
	struct ifaddrs *all;
	bool is = address->sa_family == AF_INET && ntohl(ip4(address)->s_addr) >> 24 == 127;
	if (is || getifaddrs(&all) < 0)
		return is;
	for (const struct ifaddrs *one = all; one && !is; one = one->ifa_next)
		is = one->ifa_addr && same_address(one->ifa_addr, address);
	freeifaddrs(all);
	return is;
}

static bool is_any(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(ip6(address))
					      : ip4(address)->s_addr == htonl(INADDR_ANY);
}

static bool is_heard_at(const struct sockaddr *listener, const struct sockaddr *address)
{
	return same_address(listener, address) ||
	       (listener->sa_family == address->sa_family && is_any(listener) &&
		       is_of_this_box(address));
}

/* A listener's address and port as the listening side reads it: base/listen.c. */
static bool listens_there(struct slice word, const struct sockaddr *address)
{
	const struct addrinfo wanted = {.ai_family = address->sa_family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	struct slice host;
	uint16_t port;
	char name[NI_MAXHOST];
	bool is = false;
	if (!syntax_split_listener(word, &host, &port) || port != port_of(address) ||
		host.len >= sizeof(name))
		return false;
	if (host.len > 0)
		memcpy(name, host.at, host.len);
	name[host.len] = '\0';
	if (getaddrinfo(host.len > 0 ? name : NULL, "0", &wanted, &found) != 0)
		return false;
	for (const struct addrinfo *at = found; at && !is; at = at->ai_next)
		is = is_heard_at(at->ai_addr, address);
	freeaddrinfo(found);
	return is;
}

bool mx_is_our_name(const struct config *config, const char *name)
{
	return slice_equal_nocase(slice_of(config->hostname), slice_of(name));
}

bool mx_is_our_place(const struct config *config, const struct sockaddr *address)
{
	struct slice word;
	for (size_t i = 0; config_word(config->smtpd_listen, i, &word); i++)
		if (listens_there(word, address))
			return true;
	return false;
}
