#include "base/curves.h"
#include "base/buf.h"
#include "base/digest.h"
#include <nettle/curve25519.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <stdlib.h>
#include <string.h>

/* ---- X25519 ---- */

/* Zero comes of a point of small order, which a peer sends to know the secret without
 * taking part (RFC 7748, 6.1). Looks at every octet, whatever is in them. */
static bool is_zero(const unsigned char octets[CURVE25519_SIZE])
{
	unsigned char any = 0;
	for (size_t i = 0; i < CURVE25519_SIZE; i++)
		any |= octets[i];
	return any == 0;
}

static uint32_t multiply(
	unsigned char *point, size_t point_len, const unsigned char *key, size_t key_len, int curve)
{
	unsigned char product[CURVE25519_SIZE];
	if (curve != BR_EC_curve25519)
		return br_ec_get_default()->mul(point, point_len, key, key_len, curve);
	if (point_len != CURVE25519_SIZE || key_len != CURVE25519_SIZE)
		return 0;
	curve25519_mul(product, key, point);
	memcpy(point, product, sizeof(product));
	wipe(product, sizeof(product));
	return !is_zero(point);
}

static size_t multiply_base(
	unsigned char *product, const unsigned char *key, size_t key_len, int curve)
{
	if (curve != BR_EC_curve25519)
		return br_ec_get_default()->mulgen(product, key, key_len, curve);
	if (key_len != CURVE25519_SIZE)
		return 0;
	curve25519_mul_g(product, key);
	return CURVE25519_SIZE;
}

const br_ec_impl *curves(void)
{
	static br_ec_impl ours;
	if (!ours.mul) {
		unsigned char key[CURVE25519_SIZE] = {0};
		ours = *br_ec_get_default();
		ours.mul = multiply;
		ours.mulgen = multiply_base;
		curve25519_mul_g(key, key);
	}
	return &ours;
}

/* ---- P-256 ---- */

#define HALF 32 /* octets of each number of a signature */

struct curves_key {
	struct ecc_scalar number;
};

struct curves_key *curves_key_new(const unsigned char *octets, size_t len)
{
	struct curves_key *key = must_alloc(sizeof(*key));
	mpz_t number;
	nettle_mpz_init_set_str_256_u(number, len, octets);
	ecc_scalar_init(&key->number, nettle_get_secp_256r1());
	int fits = ecc_scalar_set(&key->number, number);
	wipe(mpz_limbs_modify(number, 1), mpz_size(number) * sizeof(mp_limb_t));
	mpz_clear(number);
	if (fits)
		return key;
	curves_key_free(key);
	return NULL;
}

void curves_key_free(struct curves_key *key)
{
	if (!key)
		return;
	wipe(key->number.p, (size_t)ecc_size(key->number.ecc) * sizeof(mp_limb_t));
	ecc_scalar_clear(&key->number);
	free(key);
}

static void draw(void *context, size_t len, uint8_t *out)
{
	(void)context;
	digest_random(out, len);
}

size_t curves_sign(const struct curves_key *key, const unsigned char *hash, size_t hash_len,
	unsigned char signature[CURVES_SIGNATURE_MAX])
{
	unsigned char both[CURVES_SIGNATURE_MAX];
	struct dsa_signature numbers;
	dsa_signature_init(&numbers);
	ecdsa_sign(&key->number, NULL, draw, hash_len, hash, &numbers);
	nettle_mpz_get_str_256(HALF, both, numbers.r);
	nettle_mpz_get_str_256(HALF, both + HALF, numbers.s);
	dsa_signature_clear(&numbers);
	size_t len = br_ecdsa_raw_to_asn1(both, 2 * HALF);
	memcpy(signature, both, len);
	return len;
}
