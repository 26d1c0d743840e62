/* base/curves: what Nettle gives, against the RFC's vectors and against what BearSSL gives. */
#include "base/curves.h"
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define OCTETS 32
#define TIMES  50

static void from_hex(unsigned char out[OCTETS], const char *hex)
{
	for (size_t i = 0; i < OCTETS; i++) {
		unsigned octet;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &octet), 1);
		out[i] = (unsigned char)octet;
	}
}

/* RFC 7748, 5.2; in the second one the highest bit of u is set, which does not count. */
static void x25519_is_that_of_the_rfc(void **state)
{
	static const char *const rows[][3] = {
		{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
			"e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
			"c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
		{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
			"e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
			"95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	};
	unsigned char key[OCTETS], point[OCTETS], product[OCTETS];
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		from_hex(key, rows[i][0]);
		from_hex(point, rows[i][1]);
		from_hex(product, rows[i][2]);
		assert_int_equal(curves()->mul(point, OCTETS, key, OCTETS, BR_EC_curve25519), 1);
		assert_memory_equal(point, product, OCTETS);
	}
}

static void any_key_gives_what_bearssl_gives(void **state)
{
	const br_ec_impl *theirs = br_ec_get_default();
	(void)state;
	for (int i = 0; i < TIMES; i++) {
		unsigned char key[OCTETS], a[OCTETS], b[OCTETS];
		digest_random(key, sizeof(key));
		assert_int_equal(curves()->mulgen(a, key, OCTETS, BR_EC_curve25519), OCTETS);
		assert_int_equal(theirs->mulgen(b, key, OCTETS, BR_EC_curve25519), OCTETS);
		assert_memory_equal(a, b, OCTETS);
		digest_random(key, sizeof(key));
		assert_int_equal(curves()->mul(a, OCTETS, key, OCTETS, BR_EC_curve25519), 1);
		assert_int_equal(theirs->mul(b, OCTETS, key, OCTETS, BR_EC_curve25519), 1);
		assert_memory_equal(a, b, OCTETS);
	}
}

/* RFC 7748, 6.1: a peer that sends one of these knows the secret beforehand. */
static void points_of_small_order_are_refused(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	};
	unsigned char key[OCTETS], point[OCTETS];
	(void)state;
	digest_random(key, sizeof(key));
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		from_hex(point, points[i]);
		assert_int_equal(curves()->mul(point, OCTETS, key, OCTETS, BR_EC_curve25519), 0);
	}
}

static void what_has_not_the_length_is_refused(void **state)
{
	unsigned char key[OCTETS + 1] = {1}, point[OCTETS + 1] = {9};
	(void)state;
	assert_int_equal(curves()->mul(point, OCTETS - 1, key, OCTETS, BR_EC_curve25519), 0);
	assert_int_equal(curves()->mul(point, OCTETS + 1, key, OCTETS, BR_EC_curve25519), 0);
	assert_int_equal(curves()->mul(point, OCTETS, key, OCTETS + 1, BR_EC_curve25519), 0);
	assert_int_equal(curves()->mul(point, OCTETS, key, OCTETS - 1, BR_EC_curve25519), 0);
	assert_int_equal(curves()->mulgen(point, key, OCTETS - 1, BR_EC_curve25519), 0);
	assert_int_equal(curves()->mulgen(point, key, OCTETS + 1, BR_EC_curve25519), 0);
}

static void the_other_curves_are_bearssls(void **state)
{
	static const int others[] = {BR_EC_secp256r1, BR_EC_secp384r1, BR_EC_secp521r1};
	const br_ec_impl *theirs = br_ec_get_default();
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		unsigned char key[OCTETS] = {7}, a[BR_EC_KBUF_PUB_MAX_SIZE], b[sizeof(a)];
		size_t len = theirs->mulgen(b, key, OCTETS, others[i]);
		assert_int_equal(curves()->mulgen(a, key, OCTETS, others[i]), len);
		assert_memory_equal(a, b, len);
		assert_int_equal(curves()->mul(a, len, key, OCTETS, others[i]), 1);
		assert_int_equal(theirs->mul(b, len, key, OCTETS, others[i]), 1);
		assert_memory_equal(a, b, len);
	}
	assert_int_equal(curves()->supported_curves, theirs->supported_curves);
}

static void a_signature_is_one_for_bearssl(void **state)
{
	static const size_t lens[] = {br_sha256_SIZE, br_sha384_SIZE, br_sha512_SIZE};
	const br_ec_impl *theirs = br_ec_get_default();
	br_ecdsa_vrfy verify = br_ecdsa_vrfy_asn1_get_default();
	unsigned char last[CURVES_SIGNATURE_MAX] = {0};
	(void)state;
	for (size_t i = 0; i < TIMES; i++) {
		unsigned char octets[OCTETS], point[BR_EC_KBUF_PUB_MAX_SIZE];
		unsigned char hash[br_sha512_SIZE], signature[CURVES_SIGNATURE_MAX];
		size_t hash_len = lens[i % 3];
		digest_random(octets, sizeof(octets));
		digest_random(hash, sizeof(hash));
		memset(octets, 0, 1 + i % 3); /* small enough, and shorter than others */
		const br_ec_private_key private = {BR_EC_secp256r1, octets, sizeof(octets)};
		br_ec_public_key public;
		assert_int_not_equal(br_ec_compute_pub(theirs, &public, point, &private), 0);
		struct curves_key *key = curves_key_new(octets, sizeof(octets));
		assert_non_null(key);
		size_t len = curves_sign(key, hash, hash_len, signature);
		assert_in_range(len, 64, CURVES_SIGNATURE_MAX);
		assert_int_equal(verify(theirs, hash, hash_len, &public, signature, len), 1);
		hash[0] ^= 1;
		assert_int_equal(verify(theirs, hash, hash_len, &public, signature, len), 0);
		assert_memory_not_equal(signature, last, 40);
		memcpy(last, signature, len);
		curves_key_free(key);
	}
}

/* Two signatures that share their secret number tell the key to whoever has both. */
static void no_two_signatures_share_their_number(void **state)
{
	const unsigned char octets[OCTETS] = {1}, hash[br_sha256_SIZE] = {2};
	unsigned char first[CURVES_SIGNATURE_MAX], second[CURVES_SIGNATURE_MAX];
	struct curves_key *key = curves_key_new(octets, sizeof(octets));
	(void)state;
	assert_non_null(key);
	size_t first_len = br_ecdsa_asn1_to_raw(first, curves_sign(key, hash, sizeof(hash), first));
	size_t second_len =
		br_ecdsa_asn1_to_raw(second, curves_sign(key, hash, sizeof(hash), second));
	assert_int_equal(first_len, second_len);
	assert_memory_not_equal(first, second, first_len / 2);
	curves_key_free(key);
}

static void what_is_no_key_is_refused(void **state)
{
	static const char order[] =
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
	unsigned char octets[2 * OCTETS] = {0};
	(void)state;
	assert_null(curves_key_new(octets, 0));
	assert_null(curves_key_new(octets, OCTETS));
	from_hex(octets, order);
	assert_null(curves_key_new(octets, OCTETS));
	assert_null(curves_key_new(octets, 2 * OCTETS));
	octets[OCTETS - 1]--;
	struct curves_key *key = curves_key_new(octets, OCTETS);
	assert_non_null(key);
	curves_key_free(key);
	curves_key_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x25519_is_that_of_the_rfc),
		cmocka_unit_test(any_key_gives_what_bearssl_gives),
		cmocka_unit_test(points_of_small_order_are_refused),
		cmocka_unit_test(what_has_not_the_length_is_refused),
		cmocka_unit_test(the_other_curves_are_bearssls),
		cmocka_unit_test(a_signature_is_one_for_bearssl),
		cmocka_unit_test(no_two_signatures_share_their_number),
		cmocka_unit_test(what_is_no_key_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
