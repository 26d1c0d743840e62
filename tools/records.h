/* The records that a domain publishes for its mail: what `dns` prints and `check --dns`
 * looks for. */
#ifndef TOOLS_RECORDS_H
#define TOOLS_RECORDS_H

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"

#define RECORDS_SPF      "v=spf1 mx ~all"
#define RECORDS_SPF_HOST "v=spf1 a ~all"                              /* of the host itself */
#define RECORDS_DMARC    "v=DMARC1; p=none; rua=mailto:postmaster@%s" /* the domain */
#define RECORDS_DKIM     "v=DKIM1; k=rsa; p="                         /* and the key */

/* The port of the first listener that others reach; 0: there is none. */
unsigned records_public_port(const char *list);

/* What a mail program looks for (RFC 6186; RFC 8314, 5). */
struct records_service {
	const char *label;
	unsigned port; /* 0: not offered to others */
};
#define RECORDS_SERVICES 4
void records_services(
	const struct config *config, struct records_service services[RECORDS_SERVICES]);

/* Adds the public half of the signing key, base64. Under the office's account. */
int records_read_key(const struct config *config, struct buf *base64, struct err *e);
/* Adds the value of the DKIM record in strings as a zone file has them, `before` in front
 * of each. */
void records_add_dkim(struct buf *out, struct slice base64, const char *before);

/* Is this address (4 or 16 octets, by the family) one that nobody outside reaches: of this
 * box, of a private network, of a link? */
bool records_is_private(int family, const unsigned char *address);

#endif
