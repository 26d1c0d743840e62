/* Digests, MACs, checksums and randomness: BearSSL's SHA-256, xxHash, and
 * getrandom(2), so that nothing here opens a file. */
#include "base/digest.h"
#include <assert.h>
#include <bearssl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

void digest_sha256(unsigned char out[DIGEST_SIZE], const void *octets, size_t len)
{
	br_sha256_context sha;
	br_sha256_init(&sha);
	br_sha256_update(&sha, octets, len);
	br_sha256_out(&sha, out);
}

void digest_mac(unsigned char out[DIGEST_SIZE], const void *key, size_t key_len, const void *octets,
	size_t len)
{
	br_hmac_key_context prepared;
	br_hmac_context mac;
	br_hmac_key_init(&prepared, &br_sha256_vtable, key, key_len);
	br_hmac_init(&mac, &prepared, 0);
	br_hmac_update(&mac, octets, len);
	br_hmac_out(&mac, out);
	wipe(&prepared, sizeof(prepared));
	wipe(&mac, sizeof(mac));
}

uint64_t digest_checksum(const void *octets, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return digest_checksum_avx2(octets, len);
#endif
	return XXH3_64bits(octets, len);
}

void digest_random(void *out, size_t len)
{
	unsigned char *next = out;
	while (len > 0) {
		ssize_t got = getrandom(next, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		next += got;
		len -= (size_t)got;
	}
}

void digest_random_text(char *out, size_t len)
{
	static const char letters[65] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	digest_random(out, len);
	for (size_t i = 0; i < len; i++)
		out[i] = letters[(unsigned char)out[i] & 63];
	out[len] = '\0';
}
