/* DKIM signatures (RFC 6376, 8301): rsa-sha256, relaxed/relaxed, one a message. Pure:
 * whoever holds the key signs the digest.
 *
 * Mail on its way may have its header folded anew and blanks changed: relaxed
 * overlooks both. There is no l= (it lets text be added behind the signed body) and no
 * x= (a message that has waited a week for somebody's server is as genuine as before). */
#ifndef SMTPD_DKIM_H
#define SMTPD_DKIM_H

#include "base/config.h"
#include "base/digest.h"
#include <stdint.h>

struct dkim;

/* Begins a message. Its header is held, the body is hashed as it comes. */
struct dkim *dkim_new(void);
void dkim_free(struct dkim *dkim); /* or NULL */

/* The next octets of the message in stored form, in spans of any size. */
void dkim_take(struct dkim *dkim, struct slice octets);

/* All of it has been taken: adds the DKIM-Signature field to *field, up to where the
 * signature goes, and works out the digest to be signed. False where no author in From
 * is of a domain of ours or of our host in one, or the header is longer than DKIM_HEADER_MOST: the message is
 * not signed. `now`: Unix seconds. */
#define DKIM_HEADER_MOST (512 * 1024)
bool dkim_digest(struct dkim *dkim, const struct config *config, int64_t now, struct buf *field,
	unsigned char digest[DIGEST_SIZE]);

/* Adds the digest's signature (PKCS#1 v1.5) and the end of the field, which is then to
 * stand in front of the message. */
void dkim_add_signature(struct buf *field, struct slice signature);

#endif
