/* What the neighbours need to know of chains and certificates; the rest is in
 * tls.h. */
#ifndef BASE_CREDENTIALS_H
#define BASE_CREDENTIALS_H

#include "base/tls.h"
#include <bearssl.h>

/* Is the leaf's key an elliptic one (else RSA)? */
bool credentials_is_ec(const struct tls_chain *chain);
/* The certificates, leaf first, in the chain's memory. */
const br_x509_certificate *credentials_certificates(const struct tls_chain *chain, size_t *count);

/* BearSSL counts days from the year 0. */
#define CREDENTIALS_DAYS_TO_1970 719528
int64_t credentials_to_unix(uint32_t days, uint32_t seconds);

#endif
