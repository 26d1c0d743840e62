/* What the parts of `check --dns` share, in the process that asks. */
#ifndef TOOLS_DNS_ASKING_H
#define TOOLS_DNS_ASKING_H

#include "smtpd/lookup.h"
#include "tools/finding.h"

#define ASKING_ADDRESSES_MOST 16

struct asking_address {
	int family;
	unsigned char octets[16];
	char text[48];
};

struct asking {
	const struct config *config;
	struct findings *findings;
	struct slice public_key; /* base64; empty: it could not be found */
	struct asking_address published[ASKING_ADDRESSES_MOST]; /* of our hostname */
	size_t count;
};

/* As lookup(); that there was no answer is told here. False then. */
bool asking_look(struct asking *asking, const char *name, enum lookup_kind kind, struct buf *texts);

/* Our host: its addresses, and the way back from them. (dns_host.c) */
void asking_host(struct asking *asking);
/* One of our domains: MX, SPF, DKIM, DMARC, what mail programs look for. (dns_domain.c) */
void asking_domain(struct asking *asking, const char *domain);

#endif
