/* What a client believes: authorities, and the check of a server's chain. */
#ifndef BASE_TRUST_H
#define BASE_TRUST_H

#include "base/tls.h"
#include <bearssl.h>

const br_x509_trust_anchor *trust_anchors(const struct tls_trust *trust, size_t *count);
/* The file they were read from. */
const char *trust_path(const struct tls_trust *trust);

#endif
