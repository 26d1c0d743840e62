/* Every octet of an answer is reached through libresolv's ns_*(), which check the
 * bounds. What they let pass is checked here: names are printed with escapes and may
 * hold anything, and a name may go on past the end of its record. */
#include "smtpd/mx_answer.h"
#include "store/address.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdio.h>
#include <string.h>

#define CNAMES_MOST 10
#define NAME_LENGTH 253 /* 255 octets on the wire */

bool mx_is_name(const char *name)
{
	struct in_addr address;
	return strlen(name) <= NAME_LENGTH && address_is_domain(slice_of(name)) &&
	       inet_aton(name, &address) == 0;
}

/* The name at `at`, which goes to the end of the record: without its last dot, the root is
 * empty. */
static bool read_name(
	ns_msg *message, const ns_rr *record, const unsigned char *at, char name[NS_MAXDNAME])
{
	const unsigned char *end = ns_rr_rdata(*record) + ns_rr_rdlen(*record);
	int len = ns_name_uncompress(
		ns_msg_base(*message), ns_msg_end(*message), at, name, NS_MAXDNAME);
	if (len < 0 || at + len != end)
		return false;
	size_t last = strlen(name);
	if (last > 0 && name[last - 1] == '.')
		name[last - 1] = '\0';
	return true;
}

/* Puts a name that is one where its preference belongs, behind its equals; the worst falls off. */
static void keep(struct mx_answer *answer, uint16_t preference, const char *name)
{
	size_t at = 0;
	for (size_t i = 0; i < answer->count; i++)
		if (slice_equal_nocase(slice_of(answer->at[i].name), slice_of(name))) {
			if (answer->at[i].preference <= preference)
				return;
			answer->count--;
			memmove(&answer->at[i], &answer->at[i + 1],
				(answer->count - i) * sizeof(answer->at[0]));
			break;
		}
	while (at < answer->count && answer->at[at].preference <= preference)
		at++;
	if (at == MX_NAMES_MOST)
		return;
	if (answer->count < MX_NAMES_MOST)
		answer->count++;
	memmove(&answer->at[at + 1], &answer->at[at],
		(answer->count - 1 - at) * sizeof(answer->at[0]));
	answer->at[at].preference = preference;
	memcpy(answer->at[at].name, name, strlen(name) + 1);
}

static bool take_mx(ns_msg *message, const ns_rr *record, struct mx_answer *answer)
{
	char name[NS_MAXDNAME];
	const unsigned char *data = ns_rr_rdata(*record);
	if (ns_rr_rdlen(*record) < NS_INT16SZ ||
		!read_name(message, record, data + NS_INT16SZ, name))
		return false;
	answer->records++;
	if (name[0] == '\0')
		answer->refused = true;
	else if (mx_is_name(name))
		keep(answer, (uint16_t)ns_get16(data), name);
	return true;
}

/* Goes through the answers of `owner`: takes MX records, and puts the name that a CNAME
 * leads to into `next`. */
static bool read_answers(
	ns_msg *message, const char *owner, struct mx_answer *answer, char next[NS_MAXDNAME])
{
	ns_rr record;
	next[0] = '\0';
	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		if (ns_parserr(message, ns_s_an, i, &record) < 0)
			return false;
		if (ns_rr_class(record) != ns_c_in ||
			!slice_equal_nocase(slice_of(ns_rr_name(record)), slice_of(owner)))
			continue;
		if (ns_rr_type(record) == ns_t_mx && !take_mx(message, &record, answer))
			return false;
		if (ns_rr_type(record) == ns_t_cname &&
			!read_name(message, &record, ns_rr_rdata(record), next))
			return false;
	}
	return true;
}

static bool is_answer(ns_msg *message, const char *domain)
{
	ns_rr question;
	return ns_msg_getflag(*message, ns_f_qr) && !ns_msg_getflag(*message, ns_f_tc) &&
	       ns_msg_getflag(*message, ns_f_rcode) == ns_r_noerror &&
	       ns_msg_count(*message, ns_s_qd) == 1 &&
	       ns_parserr(message, ns_s_qd, 0, &question) == 0 && ns_rr_type(question) == ns_t_mx &&
	       ns_rr_class(question) == ns_c_in &&
	       slice_equal_nocase(slice_of(ns_rr_name(question)), slice_of(domain));
}

static bool read_message(struct slice octets, const char *domain, struct mx_answer *answer)
{
	ns_msg message;
	char owner[NS_MAXDNAME], next[NS_MAXDNAME];
	if (octets.len > NS_MAXMSG ||
		ns_initparse((const unsigned char *)octets.at, (int)octets.len, &message) < 0 ||
		!is_answer(&message, domain))
		return false;
	snprintf(owner, sizeof(owner), "%s", domain);
	for (int i = 0; i < CNAMES_MOST && answer->records == 0; i++) {
		if (!read_answers(&message, owner, answer, next))
			return false;
		if (next[0] == '\0')
			break;
		memcpy(owner, next, sizeof(owner));
	}
	return true;
}

bool mx_answer_read(struct slice octets, const char *domain, struct mx_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	if (!read_message(octets, domain, answer)) {
		memset(answer, 0, sizeof(*answer));
		return false;
	}
	/* RFC 7505, 3: a null MX is the only one; beside others it means nothing. */
	answer->refused = answer->refused && answer->records == 1;
	return true;
}
