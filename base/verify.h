/* What a client thinks of the chain that a server shows: an X.509 engine for
 * BearSSL's TLS engine, which knows what to say to people. */
#ifndef BASE_VERIFY_H
#define BASE_VERIFY_H

#include "base/tls.h"
#include <bearssl.h>

struct verifier {
	const br_x509_class *vtable; /* first, as BearSSL expects */
	/* What checks the chain where there is trust; whoever makes the verifier
	 * gives it its algorithms. */
	br_x509_minimal_context chain;
	/* From here on private. */
	const struct tls_trust *trust;
	unsigned char address[16]; /* of the server, where it has no other name */
	size_t address_len;
	bool by_address;
	size_t count;                 /* of certificates so far */
	struct buf certificate;       /* the first one: the server's own */
	br_x509_decoder_context leaf; /* its key, where nothing is verified */
};

/* Makes all but `chain`. With `trust`, which must outlive it, the chain must lead
 * to one of these, be valid now, and be for `name`, a host name or an IP
 * address; NULL: whoever it is. True if `name` is to be told to the server (RFC
 * 6066, 3: an address is not). */
bool verifier_init(struct verifier *verifier, const struct tls_trust *trust, const char *name);
void verifier_free(struct verifier *verifier); /* accepts NULL */

/* True if BearSSL's `error` is about certificates: *e then says, for an admin,
 * what is wrong with them. */
bool verifier_why(const struct verifier *verifier, int error, struct err *e);

#endif
