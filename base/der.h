/* Reading and writing DER, as far as certificates need it (X.690). Pure. */
#ifndef BASE_DER_H
#define BASE_DER_H

#include "base/buf.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8 = 0x0C,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};
/* The tag [n] of a context, of one value and of a constructed one. */
#define DER_CONTEXT(n)             (0x80u | (n))
#define DER_CONTEXT_CONSTRUCTED(n) (0xA0u | (n))

/* Cuts the next value off *rest; false where there is no whole one (*rest is
 * then left alone). Tags of one octet, definite lengths. */
bool der_next(struct slice *rest, unsigned *tag, struct slice *body);
/* The same, if the next value has that tag. */
bool der_take(struct slice *rest, unsigned tag, struct slice *body);

/* Adds a whole value. */
void der_add(struct buf *out, unsigned tag, const void *octets, size_t len);
/* Makes what was added since out->len was `begin` the body of one value. */
void der_wrap(struct buf *out, size_t begin, unsigned tag);

#endif
