/* The host as DNS has it: where its name leads, whether that is here, and back. */
#include "smtpd/spf.h"
#include "tools/dns_asking.h"
#include "tools/records.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

static const char *type_of(int family)
{
	return family == AF_INET ? "A" : "AAAA";
}

static void read_published(struct asking *asking, int family)
{
	struct buf texts = {0};
	const char *text;
	asking_look(asking, asking->config->hostname, family == AF_INET ? LOOKUP_A : LOOKUP_AAAA,
		&texts);
	struct slice rest = buf_slice(&texts);
	while (asking->count < ASKING_ADDRESSES_MOST && lookup_next(&rest, &text)) {
		struct asking_address *address = &asking->published[asking->count];
		address->family = family;
		snprintf(address->text, sizeof(address->text), "%s", text);
		asking->count += inet_pton(family, text, address->octets) == 1;
	}
	buf_free(&texts);
}

/* ---- this box ---- */

#define OWN_MOST 128

struct box {
	struct asking_address at[OWN_MOST]; /* those that others reach */
	size_t count;
};

static void find_own(struct box *box)
{
	struct ifaddrs *all;
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *one = all; one && box->count < OWN_MOST; one = one->ifa_next) {
		const struct sockaddr *address = one->ifa_addr;
		struct asking_address *to = &box->at[box->count];
		if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
			continue;
		to->family = address->sa_family;
		if (to->family == AF_INET)
			memcpy(to->octets,
				&((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
		else
			memcpy(to->octets,
				&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
				16);
		inet_ntop(to->family, to->octets, to->text, sizeof(to->text));
		box->count += !records_is_private(to->family, to->octets);
	}
	freeifaddrs(all);
}

static bool has(const struct asking_address *list, size_t count, const struct asking_address *one)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].family == one->family &&
			memcmp(list[i].octets, one->octets, one->family == AF_INET ? 4 : 16) == 0)
			return true;
	return false;
}

static const struct asking_address *first_of(
	const struct asking_address *list, size_t count, int family)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].family == family)
			return &list[i];
	return NULL;
}

/* Behind a router that passes ports on, the box has no address that others reach. */
static void compare(struct asking *asking, const struct box *box)
{
	const char *hostname = asking->config->hostname;
	for (size_t i = 0; i < asking->count; i++) {
		const struct asking_address *one = &asking->published[i];
		const struct asking_address *own = first_of(box->at, box->count, one->family);
		if (records_is_private(one->family, one->octets))
			finding(asking->findings,
				"%s leads to %s, an address that nobody outside reaches: publish "
				"the one that the world knows: `%s. IN %s ADDRESS`",
				hostname, one->text, hostname, type_of(one->family));
		else if (own && !has(box->at, box->count, one))
			finding(asking->findings,
				"%s leads to %s, and this box is %s: publish `%s. IN %s %s`, and "
				"take the other away",
				hostname, one->text, own->text, hostname, type_of(one->family),
				own->text);
		else if (!own && one->family == AF_INET6)
			warning(asking->findings,
				"%s leads to %s, and this box has no IPv6 address that others "
				"reach: take the AAAA record away, or give the box the address",
				hostname, one->text);
	}
}

/* ---- the way back ---- */

static bool names_host(struct slice rest, const char *hostname)
{
	const char *text;
	while (lookup_next(&rest, &text))
		if (strcmp(text, hostname) == 0)
			return true;
	return false;
}

/* Whoever gives the address out writes this record: it is in no zone of ours. */
static void check_reverse(struct asking *asking, const struct asking_address *address)
{
	char reverse[LOOKUP_REVERSE_MAX];
	const char *hostname = asking->config->hostname;
	struct buf names = {0};
	lookup_reverse(reverse, address->family, address->octets);
	if (!asking_look(asking, reverse, LOOKUP_PTR, &names))
		;
	else if (names.len == 0)
		finding(asking->findings,
			"%s has no name (PTR), and many servers refuse mail from such: have "
			"whoever gave you the address write `%s. IN PTR %s.`",
			address->text, reverse, hostname);
	else if (!names_host(buf_slice(&names), hostname))
		finding(asking->findings,
			"%s is called %s (PTR) and not %s, and many servers refuse mail from one "
			"that greets otherwise: have whoever gave you the address write `%s. IN "
			"PTR %s.`, or mend [office] hostname",
			address->text, names.at, hostname, reverse, hostname);
	buf_free(&names);
}

/* Mail leaves from the box's own addresses, be they published or not. */
static void check_way_back(struct asking *asking, const struct box *box)
{
	const char *hostname = asking->config->hostname;
	for (size_t i = 0; i < asking->count; i++)
		if (!records_is_private(asking->published[i].family, asking->published[i].octets))
			check_reverse(asking, &asking->published[i]);
	const struct asking_address *six = first_of(box->at, box->count, AF_INET6);
	if (six && !first_of(asking->published, asking->count, AF_INET6))
		warning(asking->findings,
			"mail may leave from %s, which %s does not lead to: publish `%s. IN AAAA "
			"%s`, and its way back (PTR)",
			six->text, hostname, hostname, six->text);
}

/* What bounces are judged by, which name no sender (RFC 7208, 2.4). */
static void check_spf_of_host(struct asking *asking)
{
	const char *hostname = asking->config->hostname;
	struct buf record = {0};
	size_t count;
	if (config_has_domain(asking->config, slice_of(hostname)))
		return;
	if (spf_find(hostname, &record, &count) != MX_LATER && count == 0)
		warning(asking->findings,
			"%s itself has no SPF record, by which its reports of mail that comes back "
			"are judged: publish `%s. IN TXT \"" RECORDS_SPF_HOST "\"`",
			hostname, hostname);
	buf_free(&record);
}

void asking_host(struct asking *asking)
{
	const char *hostname = asking->config->hostname;
	struct box box = {.count = 0};
	read_published(asking, AF_INET);
	read_published(asking, AF_INET6);
	find_own(&box);
	if (asking->count == 0) {
		const struct asking_address *own = first_of(box.at, box.count, AF_INET);
		finding(asking->findings,
			"DNS knows no address of %s, so nobody finds this server: publish `%s. IN "
			"A %s`",
			hostname, hostname, own ? own->text : "ADDRESS");
	}
	compare(asking, &box);
	if (*asking->config->smarthost)
		return; /* others see its addresses, and never ours */
	check_way_back(asking, &box);
	check_spf_of_host(asking);
}
