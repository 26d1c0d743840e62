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

/* xxHash's own, under a name that needs no foreign header. */
struct digest_sum *digest_sum_begin(void)
{
	XXH3_state_t *state = XXH3_createState();
	if (!state)
		abort();
	XXH3_64bits_reset(state);
	return (struct digest_sum *)state;
}

void digest_sum_add(struct digest_sum *sum, const void *octets, size_t len)
{
	XXH3_64bits_update((XXH3_state_t *)sum, octets, len);
}

uint64_t digest_sum_end(struct digest_sum *sum)
{
	uint64_t result = sum ? XXH3_64bits_digest((XXH3_state_t *)sum) : 0;
	XXH3_freeState((XXH3_state_t *)sum);
	return result;
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
