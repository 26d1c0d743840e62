/* What tls.c needs to know of a chain; the rest of chains and keys is in
 * tls.h. */
#ifndef BASE_CREDENTIALS_H
#define BASE_CREDENTIALS_H

#include "base/tls.h"
#include <bearssl.h>

/* Is the leaf's key an elliptic one (else RSA)? */
bool credentials_is_ec(const struct tls_chain *chain);
/* The certificates, leaf first, in the chain's memory. */
const br_x509_certificate *credentials_certificates(const struct tls_chain *chain, size_t *count);

#endif
