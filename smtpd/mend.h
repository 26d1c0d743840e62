/* What a submission server may do to a message that a mail program has left
 * unfinished. Pure. (RFC 6409, 8) */
#ifndef SMTPD_MEND_H
#define SMTPD_MEND_H

#include "base/buf.h"
#include <stdint.h>

/* The length of the header at the front of `octets` (stored form), its blank
 * line included; 0: its end has not come yet. */
size_t mend_header_length(struct slice octets);

/* Gives authors without a domain this one; returns the header's new length. Left as they
 * are they are nobody's. */
size_t mend_authors(struct buf *octets, size_t length, struct slice domain);

/* Takes Bcc fields out of the header, `length` octets long, and adds Date and
 * Message-ID where they are missing: with the authors' domains MENDED_MOST octets at most. */
void mend_header(struct buf *octets, size_t length, const char *hostname, int64_t now);

#endif
