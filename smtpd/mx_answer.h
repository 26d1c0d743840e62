/* What a DNS answer says about the MX records of a domain. Pure: octets in,
 * names out. (RFC 1035, 4; RFC 5321, 5.1; RFC 7505) */
#ifndef SMTPD_MX_ANSWER_H
#define SMTPD_MX_ANSWER_H

#include "base/buf.h"
#include "smtpd/mx.h"
#include <stdint.h>

#define MX_NAMES_MOST 16

struct mx_name {
	uint16_t preference;
	char name[MX_NAME_MAX]; /* a host name without its last dot */
};

struct mx_answer {
	struct mx_name at[MX_NAMES_MOST]; /* the best there are, best first */
	size_t count;
	size_t records; /* MX records in all; there are more than names where some name no host */
	bool refused;   /* a null MX: the domain takes no mail (RFC 7505) */
};

/* Reads the answer to a question for `domain`; CNAMEs are followed. A record of another
 * owner, and one that does not name a host (an address, say), is passed over; of a host
 * named twice the better preference counts. False, with *answer empty, if it is no
 * answer to that question, says that it failed or is cut short, or has a record that
 * breaks its bounds. */
bool mx_answer_read(struct slice octets, const char *domain, struct mx_answer *answer);

/* A name of a host, as far as getaddrinfo(3) would take it for one: of letters, digits,
 * "-" and "_", and no address in any of the forms that inet_aton(3) knows. */
bool mx_is_name(const char *name);

#endif
