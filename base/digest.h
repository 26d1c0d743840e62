/* Digests, MACs, checksums and randomness. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/buf.h"
#include <stdint.h>

#define DIGEST_SIZE 32

/* SHA-256 (FIPS 180-4). */
void digest_sha256(unsigned char out[DIGEST_SIZE], const void *octets, size_t len);
/* HMAC-SHA-256 (RFC 2104). */
void digest_mac(unsigned char out[DIGEST_SIZE], const void *key, size_t key_len, const void *octets,
	size_t len);
/* XXH3, 64 bits: finds damage, keeps nobody out. */
uint64_t digest_checksum(const void *octets, size_t len);
/* The same number, for digest.c: only where the processor is x86-64 and has AVX2. */
uint64_t digest_checksum_avx2(const void *octets, size_t len);
/* The same of octets that come in parts; digest_sum_end() frees *sum, be it NULL. */
struct digest_sum;
struct digest_sum *digest_sum_begin(void);
void digest_sum_add(struct digest_sum *sum, const void *octets, size_t len);
uint64_t digest_sum_end(struct digest_sum *sum);
/* getrandom(2); ends the process if the kernel has none to give. */
void digest_random(void *out, size_t len);
/* `len` letters of [A-Za-z0-9_-], 6 random bits each, and a NUL behind:
 * out[len + 1]. */
void digest_random_text(char *out, size_t len);

#endif
