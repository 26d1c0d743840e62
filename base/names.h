/* Who a certificate is for, and who signed it: the names in its DER (RFC 5280).
 * Pure. What is no certificate names nobody. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include "base/buf.h"

/* Does it name `hostname` (subjectAltName, else CN; a wildcard covers one
 * label: RFC 6125, 6.4)? */
bool names_cover(struct slice certificate, const char *hostname);
/* Is this IP address, of 4 or 16 octets, in its subjectAltName? */
bool names_hold_address(struct slice certificate, struct slice address);

/* For people, in printable ASCII: adds the first host names and addresses that
 * it is for ("a.example, 192.0.2.1 and 7 more"), nothing where there are none. */
void names_add(struct slice certificate, struct buf *out);
/* Adds its issuer's common name, else organization; nothing if it has neither. */
void names_add_issuer(struct slice certificate, struct buf *out);
bool names_is_self_signed(struct slice certificate);

#endif
