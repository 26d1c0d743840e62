/* base/digest: SHA-256, HMAC, checksums, randomness. */
#include "base/digest.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

static void assert_digest(const unsigned char digest[DIGEST_SIZE], const char *hex)
{
	struct buf out = {0};
	text_add_hex(&out, digest, DIGEST_SIZE);
	assert_string_equal(buf_text(&out), hex);
	buf_free(&out);
}

static void sha_256_gives_the_vectors_of_fips_180(void **state)
{
	(void)state;
	static const char long_one[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	unsigned char digest[DIGEST_SIZE];
	digest_sha256(digest, "abc", 3);
	assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256(digest, "", 0);
	assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_sha256(digest, long_one, sizeof(long_one) - 1);
	assert_digest(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void hmac_gives_the_vectors_of_rfc_4231(void **state)
{
	(void)state;
	unsigned char digest[DIGEST_SIZE], key[131];
	memset(key, 0x0b, 20);
	digest_mac(digest, key, 20, "Hi There", 8);
	assert_digest(digest, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	digest_mac(digest, "Jefe", 4, "what do ya want for nothing?", 28);
	assert_digest(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	digest_mac(digest, key, sizeof(key),
		"Test Using Larger Than Block-Size Key - Hash Key First", 54);
	assert_digest(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void a_checksum_is_xxh3_for_ever(void **state)
{
	(void)state;
	/* It stands in every store: another algorithm would call all of it damaged. */
	assert_true(digest_checksum("", 0) == 0x2d06800538d394c2);
	assert_true(digest_checksum("abc", 3) == 0x78af5f94892f3950);
	/* Of each length that it takes another way for. */
	static const struct {
		size_t len;
		uint64_t checksum;
	} vectors[] = {{3, 0x3698b80191e625f9}, {200, 0xc56a3bc977e096fb},
		{241, 0x18773c512b008a63}, {1024, 0x5a1893edffa2577c}, {1025, 0x550abe5d45dd663b},
		{4096, 0xbe855965eae8486b}, {4999, 0x6f487c8006a353d8}};
	unsigned char octets[5000];
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (unsigned char)(i * 31 + i / 256);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(digest_checksum(octets, vectors[i].len) == vectors[i].checksum);
}

static void one_flipped_bit_changes_the_checksum(void **state)
{
	(void)state;
	unsigned char octets[1000] = {0};
	uint64_t before = digest_checksum(octets, sizeof(octets));
	for (size_t bit = 0; bit < sizeof(octets) * 8; bit += 37) {
		octets[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_true(digest_checksum(octets, sizeof(octets)) != before);
		octets[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

static void random_octets_differ(void **state)
{
	(void)state;
	unsigned char a[32] = {0}, b[32] = {0};
	digest_random(a, sizeof(a));
	digest_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void random_text_is_letters_of_its_alphabet_and_ends(void **state)
{
	(void)state;
	char text[257];
	digest_random_text(text, 256);
	assert_int_equal(strlen(text), 256);
	assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_"),
		256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha_256_gives_the_vectors_of_fips_180),
		cmocka_unit_test(hmac_gives_the_vectors_of_rfc_4231),
		cmocka_unit_test(a_checksum_is_xxh3_for_ever),
		cmocka_unit_test(one_flipped_bit_changes_the_checksum),
		cmocka_unit_test(random_octets_differ),
		cmocka_unit_test(random_text_is_letters_of_its_alphabet_and_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
