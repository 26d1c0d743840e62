/* libresolv asks, and takes the answer apart. */
#include "smtpd/lookup.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

static const ns_type types[] = {[LOOKUP_A] = ns_t_a,
	[LOOKUP_AAAA] = ns_t_aaaa,
	[LOOKUP_MX] = ns_t_mx,
	[LOOKUP_TXT] = ns_t_txt,
	[LOOKUP_PTR] = ns_t_ptr,
	[LOOKUP_SRV] = ns_t_srv};

static bool add_address(int family, size_t octets, const ns_rr *record, struct buf *text)
{
	char shown[INET6_ADDRSTRLEN];
	if (ns_rr_rdlen(*record) != octets ||
		!inet_ntop(family, ns_rr_rdata(*record), shown, sizeof(shown)))
		return false;
	buf_add_text(text, shown);
	return true;
}

/* A name at `skip` octets, behind so many numbers of 16 bits. */
static bool add_name(const ns_msg *answer, const ns_rr *record, size_t numbers, struct buf *text)
{
	char name[NS_MAXDNAME];
	const unsigned char *data = ns_rr_rdata(*record);
	if (ns_rr_rdlen(*record) < 2 * numbers)
		return false;
	for (size_t i = 0; i < numbers; i++)
		buf_printf(text, "%u ", ns_get16(data + 2 * i));
	if (dn_expand(ns_msg_base(*answer), ns_msg_end(*answer), data + 2 * numbers, name,
		    sizeof(name)) < 0)
		return false;
	text_fold(name, strlen(name));
	text_add_escaped(text, slice_of(name));
	return true;
}

static bool add_strings(const ns_rr *record, struct buf *text)
{
	const unsigned char *data = ns_rr_rdata(*record);
	size_t len = ns_rr_rdlen(*record);
	for (size_t at = 0; at < len; at += 1u + data[at]) {
		if (at + 1 + data[at] > len)
			return false;
		text_add_escaped(text, (struct slice){(const char *)data + at + 1, data[at]});
	}
	return true;
}

static bool add_record(
	const ns_msg *answer, const ns_rr *record, enum lookup_kind kind, struct buf *text)
{
	switch (kind) {
	case LOOKUP_A:
		return add_address(AF_INET, 4, record, text);
	case LOOKUP_AAAA:
		return add_address(AF_INET6, 16, record, text);
	case LOOKUP_MX:
		return add_name(answer, record, 1, text);
	case LOOKUP_SRV:
		return add_name(answer, record, 3, text);
	case LOOKUP_TXT:
		return add_strings(record, text);
	case LOOKUP_PTR:
		break;
	}
	return add_name(answer, record, 0, text);
}

static enum mx_said read_answer(
	const unsigned char *octets, int len, enum lookup_kind kind, struct buf *texts)
{
	ns_msg answer;
	ns_rr record;
	enum mx_said said = MX_NOTHING;
	if (ns_initparse(octets, len, &answer) < 0)
		return MX_LATER;
	for (int i = 0; i < ns_msg_count(answer, ns_s_an); i++) {
		if (ns_parserr(&answer, ns_s_an, i, &record) < 0)
			return MX_LATER;
		if (ns_rr_type(record) != types[kind] || ns_rr_class(record) != ns_c_in)
			continue;
		if (!add_record(&answer, &record, kind, texts))
			return MX_LATER;
		buf_add_char(texts, '\0');
		said = MX_FOUND;
	}
	return said;
}

enum mx_said lookup(const char *name, enum lookup_kind kind, struct buf *texts)
{
	static unsigned char octets[NS_MAXMSG];
	int len = res_query(name, ns_c_in, types[kind], octets, sizeof(octets));
	if (len < 0)
		return h_errno == HOST_NOT_FOUND ? MX_NO_NAME
		       : h_errno == NO_DATA      ? MX_NOTHING
						 : MX_LATER;
	return (size_t)len > sizeof(octets) ? MX_LATER : read_answer(octets, len, kind, texts);
}

bool lookup_next(struct slice *rest, const char **text)
{
	if (rest->len == 0)
		return false;
	*text = slice_cut(rest, '\0').at;
	return true;
}

const char *lookup_reverse(char name[LOOKUP_REVERSE_MAX], int family, const unsigned char *a)
{
	char *end = name;
	if (family == AF_INET) {
		snprintf(name, LOOKUP_REVERSE_MAX, "%u.%u.%u.%u.in-addr.arpa", a[3], a[2], a[1],
			a[0]);
		return name;
	}
	for (size_t i = 16; i-- > 0; end += 4)
		snprintf(end, 5, "%x.%x.", a[i] & 15u, a[i] >> 4);
	snprintf(end, 9, "ip6.arpa");
	return name;
}
