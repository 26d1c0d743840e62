/* The elliptic curves of a handshake, by Nettle: X25519 (RFC 7748) and signatures on
 * P-256 (FIPS 186-5), which nearly every handshake consists of. What BearSSL 0.6 has for
 * them works with words of 31 bits, and takes five times as long. */
#ifndef BASE_CURVES_H
#define BASE_CURVES_H

#include <bearssl.h>

/* BearSSL's curves, but for X25519. The first call finds out what the processor can do, so
 * that processes forked later need not. */
const br_ec_impl *curves(void);

/* A private key on P-256, which nobody else holds. NULL: `octets`, the number with its
 * highest first, are none. */
struct curves_key;
struct curves_key *curves_key_new(const unsigned char *octets, size_t len);
/* Wipes and frees; NULL is fine. */
void curves_key_free(struct curves_key *key);

#define CURVES_SIGNATURE_MAX 72
/* Signs a hash by ECDSA; returns the octets of the signature, an ASN.1 sequence (RFC 3279,
 * 2.2.3), in `signature`. */
size_t curves_sign(const struct curves_key *key, const unsigned char *hash, size_t hash_len,
	unsigned char signature[CURVES_SIGNATURE_MAX]);

#endif
