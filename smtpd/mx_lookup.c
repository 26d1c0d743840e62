/* MX records through libresolv, addresses through getaddrinfo(3), which knows
 * /etc/hosts. Both follow resolv.conf. */
#include "smtpd/mx_lookup.h"
#include "base/digest.h"
#include "smtpd/mx_self.h"
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

/* Three dead servers are given up after 15 s. */
#define WAIT_S 3
#define TRIES  2

bool mx_lookup_begin(void)
{
	if (res_init() < 0)
		return false;
	_res.options &= ~(unsigned long)(RES_DEFNAMES | RES_DNSRCH);
	if (_res.retrans > WAIT_S)
		_res.retrans = WAIT_S;
	if (_res.retry > TRIES)
		_res.retry = TRIES;
	return true;
}

static size_t random_below(size_t count)
{
	uint32_t number;
	digest_random(&number, sizeof(number));
	return number % count;
}

static void shuffle_equals(struct mx_answer *answer)
{
	size_t first = 0;
	for (size_t i = 1; i < answer->count; i++) {
		if (answer->at[i].preference != answer->at[first].preference)
			first = i;
		size_t other = first + random_below(i - first + 1);
		struct mx_name name = answer->at[i];
		answer->at[i] = answer->at[other];
		answer->at[other] = name;
	}
}

static enum mx_said why_nothing(void)
{
	return h_errno == HOST_NOT_FOUND ? MX_NO_NAME : h_errno == NO_DATA ? MX_NOTHING : MX_LATER;
}

enum mx_said mx_lookup_names(const char *domain, struct mx_answer *answer)
{
	static unsigned char octets[NS_MAXMSG];
	memset(answer, 0, sizeof(*answer));
	int len = res_query(domain, ns_c_in, ns_t_mx, octets, sizeof(octets));
	if (len < 0)
		return why_nothing();
	if ((size_t)len > sizeof(octets) ||
		!mx_answer_read((struct slice){(const char *)octets, (size_t)len}, domain, answer))
		return MX_LATER;
	shuffle_equals(answer);
	return answer->records > 0 ? MX_FOUND : MX_NOTHING;
}

/* ---- addresses ---- */

/* Somebody else's server has one address, and it is on a wire: to the kernel the
 * unspecified one would be this box. */
static bool can_be_reached(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET6) {
		const struct in6_addr *ip =
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
		return !IN6_IS_ADDR_UNSPECIFIED(ip) && !IN6_IS_ADDR_MULTICAST(ip) &&
		       !IN6_IS_ADDR_LINKLOCAL(ip);
	}
	uint32_t ip = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
	return address->sa_family == AF_INET && ip >> 24 != 0 && ip < 0xE0000000;
}

/* ::ffff:192.0.2.1 is 192.0.2.1 to the kernel, and so it is to us. */
static void unmap(struct sockaddr_storage *address)
{
	const struct sockaddr_in6 six = *(const struct sockaddr_in6 *)(const void *)address;
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};
	if (address->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
		return;
	memcpy(&four.sin_addr, &six.sin6_addr.s6_addr[12], sizeof(four.sin_addr));
	memset(address, 0, sizeof(*address));
	memcpy(address, &four, sizeof(four));
}

static const struct sockaddr *at(const struct sockaddr_storage *address)
{
	return (const struct sockaddr *)address;
}

void mx_add_address(struct mx_hosts *hosts, const char *name, const struct sockaddr *address)
{
	struct mx_host host = {0};
	memcpy(&host.address, address,
		address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					       : sizeof(struct sockaddr_in));
	unmap(&host.address);
	host.length = host.address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							 : sizeof(struct sockaddr_in);
	snprintf(host.name, sizeof(host.name), "%s", name);
	for (size_t i = 0; i < hosts->count; i++)
		if (mx_same_place(at(&hosts->at[i].address), at(&host.address)))
			return;
	if (hosts->count < MX_HOSTS_MOST && can_be_reached(at(&host.address)))
		hosts->at[hosts->count++] = host;
}

/* The first of that family from there on. */
static const struct addrinfo *next_of(const struct addrinfo *from, int family)
{
	while (from && from->ai_family != family)
		from = from->ai_next;
	return from;
}

static void add_by_turns(
	const struct addrinfo *found, const char *name, size_t most, struct mx_hosts *hosts)
{
	const int first = found->ai_family, second = first == AF_INET ? AF_INET6 : AF_INET;
	const struct addrinfo *turn[2] = {next_of(found, first), next_of(found, second)};
	const size_t full = hosts->count + most;
	for (size_t i = 0; (turn[0] || turn[1]) && hosts->count < full; i ^= 1) {
		if (!turn[i])
			continue;
		mx_add_address(hosts, name, turn[i]->ai_addr);
		turn[i] = next_of(turn[i]->ai_next, turn[i]->ai_family);
	}
}

static enum mx_said ask_for(const char *host, uint16_t port, int family, struct addrinfo **found)
{
	const struct addrinfo wanted = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	char service[8];
	snprintf(service, sizeof(service), "%u", port);
	switch (getaddrinfo(host, service, &wanted, found)) {
	case 0:
		return MX_FOUND;
	case EAI_NONAME:
		return MX_NO_NAME;
	case EAI_NODATA:
		return MX_NOTHING;
	default:
		return MX_LATER;
	}
}

/* Asked for both families at once, glibc takes "there is none" of the one for the whole
 * answer, be it that of the other there was none. */
static bool is_sure(const char *host, uint16_t port, int family)
{
	struct addrinfo *found = NULL;
	enum mx_said said = ask_for(host, port, family, &found);
	if (said == MX_FOUND)
		freeaddrinfo(found);
	return said == MX_NOTHING || said == MX_NO_NAME;
}

enum mx_said mx_lookup_addresses(
	const char *host, uint16_t port, size_t most, struct mx_hosts *hosts)
{
	struct addrinfo *found;
	enum mx_said said = ask_for(host, port, AF_UNSPEC, &found);
	if (said == MX_FOUND) {
		add_by_turns(found, host, most, hosts);
		freeaddrinfo(found);
	} else if (said != MX_LATER &&
		   !(is_sure(host, port, AF_INET) && is_sure(host, port, AF_INET6))) {
		said = MX_LATER;
	}
	return said;
}
