/* Keys and the self-signed certificate: made where an office has none of its own. */
#ifndef BASE_CERT_H
#define BASE_CERT_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

/* Makes a P-256 key and an X.509 v3 certificate for `hostname`: CA:FALSE,
 * hostname first in subjectAltName (and localhost, 127.0.0.1, ::1 where
 * `loopback`), serverAuth, valid from an hour before `now` (Unix seconds) for
 * 825 days at most. Adds PEM to *certificate and *key (wipe it). */
int cert_make_self_signed(const char *hostname, bool loopback, int64_t now, struct buf *certificate,
	struct buf *key, struct err *e);

/* Makes an RSA key of 2048 bits, for signing mail; a second of work, or several. Adds
 * PEM (PKCS#8) to *key; wipe it. */
void cert_make_rsa_key(struct buf *key);

#endif
