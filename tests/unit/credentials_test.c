/* base/tls, its first half: chains and keys out of PEM files. */
#include "tests/unit/tls_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct err e;

static struct tls_chain *read_chain(const char *name)
{
	struct tls_chain *chain = tls_client_read_chain(name, &e);
	assert_non_null(chain);
	return chain;
}

static struct tls_key *read_key(const char *name)
{
	struct tls_key *key = tls_client_read_key(name, &e);
	assert_non_null(key);
	return key;
}

/* A descriptor that reads as `text`. */
static int file_of(struct slice text)
{
	int fd = memfd_create("pem", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.at, text.len), text.len);
	return fd;
}

static void a_key_is_found_by_its_chain(void **state)
{
	static const char *const pairs[][2] = {{"rsa.pem", "rsa.key"}, {"rsa.pem", "rsa_pkcs1.key"},
		{"rsa4096.pem", "rsa4096.key"}, {"ec256.pem", "ec256.key"},
		{"ec256.pem", "ec256_sec1.key"}, {"ec384.pem", "ec384.key"},
		{"ec521.pem", "ec521.key"}, {"chain.pem", "ec256.key"}};
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct tls_chain *chain = read_chain(pairs[i][0]);
		struct tls_key *key = read_key(pairs[i][1]);
		assert_memory_equal(tls_chain_key_id(chain), tls_key_id(key), TLS_KEY_ID_SIZE);
		tls_chain_free(chain);
		tls_key_free(key);
	}
}

/* The file as an editor on Windows leaves it. */
static int with_crlf(const char *name)
{
	char octets[8192];
	struct buf text = {0};
	int fd = tls_client_open_data(name);
	ssize_t len = read(fd, octets, sizeof(octets));
	assert_in_range(len, 1, sizeof(octets) - 1);
	close(fd);
	for (ssize_t i = 0; i < len; i++) {
		if (octets[i] == '\n')
			buf_add_char(&text, '\r');
		buf_add_char(&text, octets[i]);
	}
	fd = file_of(buf_slice(&text));
	buf_free(&text);
	return fd;
}

static void lines_may_end_in_crlf(void **state)
{
	struct tls_chain *chain;
	struct tls_key *key;
	int chain_fd = with_crlf("chain.pem"), key_fd = with_crlf("ec256.key");
	size_t count;
	(void)state;
	assert_int_equal(tls_chain_read(&chain, chain_fd, "cert.pem", &e), 0);
	assert_int_equal(tls_key_read(&key, key_fd, "key.pem", &e), 0);
	credentials_certificates(chain, &count);
	assert_int_equal(count, 2);
	assert_memory_equal(tls_chain_key_id(chain), tls_key_id(key), TLS_KEY_ID_SIZE);
	tls_chain_free(chain);
	tls_key_free(key);
	close(chain_fd);
	close(key_fd);
}

static void keys_of_different_certificates_differ(void **state)
{
	static const char *const names[] = {"rsa.pem", "ec256.pem", "ec384.pem", "ec521.pem"};
	unsigned char ids[COUNT(names)][TLS_KEY_ID_SIZE];
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct tls_chain *chain = read_chain(names[i]);
		memcpy(ids[i], tls_chain_key_id(chain), TLS_KEY_ID_SIZE);
		tls_chain_free(chain);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(ids[i], ids[j], TLS_KEY_ID_SIZE);
	}
}

static void a_chain_keeps_the_order_of_the_file(void **state)
{
	struct tls_chain *chain = read_chain("chain.pem");
	size_t count;
	(void)state;
	credentials_certificates(chain, &count);
	assert_int_equal(count, 2);
	assert_true(credentials_is_ec(chain));
	tls_chain_free(chain);
}

static void the_last_day_is_the_leafs(void **state)
{
	struct tls_chain *chain = read_chain("rsa.pem");
	(void)state;
	assert_int_equal(tls_chain_expires(chain), 4949020271); /* see data/make */
	tls_chain_free(chain);
}

static void a_chain_names_what_subject_alt_name_says(void **state)
{
	struct tls_chain *chain = read_chain("rsa.pem");
	(void)state;
	assert_true(tls_chain_names(chain, "mail.kantor.example"));
	assert_true(tls_chain_names(chain, "MAIL.Kantor.example"));
	assert_true(tls_chain_names(chain, "kantor.example"));
	assert_false(tls_chain_names(chain, "other.example")); /* the CN, passed over */
	assert_false(tls_chain_names(chain, "www.kantor.example"));
	assert_false(tls_chain_names(chain, "mail.kantor.example."));
	assert_false(tls_chain_names(chain, "127.0.0.1"));
	assert_false(tls_chain_names(chain, ""));
	tls_chain_free(chain);
}

static void a_wildcard_covers_one_label(void **state)
{
	struct tls_chain *chain = read_chain("chain.pem");
	(void)state;
	assert_true(tls_chain_names(chain, "mail.kantor.example"));
	assert_true(tls_chain_names(chain, "pop.KANTOR.example"));
	assert_false(tls_chain_names(chain, "kantor.example"));
	assert_false(tls_chain_names(chain, ".kantor.example"));
	assert_false(tls_chain_names(chain, "a.b.kantor.example"));
	assert_false(tls_chain_names(chain, "mailkantor.example"));
	tls_chain_free(chain);
}

static void without_subject_alt_name_the_cn_is_the_name(void **state)
{
	struct tls_chain *chain = read_chain("cn.pem");
	(void)state;
	assert_true(tls_chain_names(chain, "mail.kantor.example"));
	assert_false(tls_chain_names(chain, "Kantor"));
	tls_chain_free(chain);
}

static void assert_no_chain(struct slice text, const char *why)
{
	struct tls_chain *chain;
	int fd = file_of(text);
	assert_int_equal(tls_chain_read(&chain, fd, "cert.pem", &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_memory_equal(e.text, "cert.pem: ", 10);
	assert_non_null(strstr(e.text, why));
	close(fd);
}

static void what_is_no_chain_is_refused_in_words(void **state)
{
	(void)state;
	assert_no_chain(SLICE(""), "no certificate in it");
	assert_no_chain(SLICE("hello\n"), "no certificate in it");
	assert_no_chain(SLICE("\0\xff\0"), "no certificate in it");
	assert_no_chain(SLICE("-----BEGIN CERTIFICATE-----\nMIIB"), "not a PEM file");
	assert_no_chain(SLICE("-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n"),
		"not a PEM file");
	assert_no_chain(SLICE("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
		"cannot be read");
	assert_no_chain(SLICE("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
		"cannot be read");
	assert_null(tls_client_read_chain("rsa.key", &e));
	assert_null(tls_client_read_chain("ed25519.pem", &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

static void assert_no_key(const char *name, const char *why)
{
	assert_null(tls_client_read_key(name, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, why));
}

static void what_is_no_key_is_refused_in_words(void **state)
{
	(void)state;
	assert_no_key("locked.key", "passphrase");
	assert_no_key("ed25519.key", "RSA up to 4096 bits, or EC");
	assert_no_key("rsa.pem", "no private key");
	assert_no_key("make", "no private key");
}

/* A damaged certificate is refused or names nothing; it never reads outside. */
static void a_damaged_leaf_does_no_harm(void **state)
{
	struct tls_chain *whole = read_chain("ec256.pem");
	size_t count;
	const br_x509_certificate *leaf = credentials_certificates(whole, &count);
	(void)state;
	for (size_t at = 0; at < leaf->data_len; at++) {
		unsigned char *octet = &leaf->data[at], before = *octet;
		for (unsigned bit = 0; bit < 8; bit++) {
			*octet = before ^ (unsigned char)(1u << bit);
			tls_chain_names(whole, "mail.kantor.example");
		}
		*octet = before;
	}
	assert_true(tls_chain_names(whole, "mail.kantor.example"));
	tls_chain_free(whole);
}

static struct tls_signing signing_for(const struct tls_key *key, unsigned hash_id, size_t hash_len)
{
	struct tls_signing what = {.hash_id = hash_id, .hash_len = hash_len};
	memcpy(what.key_id, tls_key_id(key), sizeof(what.key_id));
	memset(what.hash, 'h', hash_len);
	return what;
}

static void keys_sign_sha256_sha384_and_sha512(void **state)
{
	static const char *const names[] = {
		"rsa.key", "rsa4096.key", "ec256.key", "ec384.key", "ec521.key"};
	unsigned char signature[TLS_SIGNATURE_MAX];
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct tls_key *key = read_key(names[i]);
		struct tls_signing what = signing_for(key, br_sha256_ID, 32);
		assert_in_range(tls_key_sign(key, &what, signature), 64, sizeof(signature));
		what = signing_for(key, br_sha384_ID, 48);
		assert_in_range(tls_key_sign(key, &what, signature), 64, sizeof(signature));
		what = signing_for(key, br_sha512_ID, 64);
		assert_in_range(tls_key_sign(key, &what, signature), 64, sizeof(signature));
		tls_key_free(key);
	}
}

static void a_request_that_makes_no_sense_is_not_signed(void **state)
{
	struct tls_key *key = read_key("rsa.key");
	unsigned char signature[TLS_SIGNATURE_MAX];
	struct tls_signing what;
	(void)state;
	what = signing_for(key, br_sha256_ID, 31);
	assert_int_equal(tls_key_sign(key, &what, signature), 0);
	what = signing_for(key, br_sha256_ID, 64);
	assert_int_equal(tls_key_sign(key, &what, signature), 0);
	what = signing_for(key, br_sha256_ID, 0);
	assert_int_equal(tls_key_sign(key, &what, signature), 0);
	what = signing_for(key, br_sha1_ID, 20);
	assert_int_equal(tls_key_sign(key, &what, signature), 0);
	what = signing_for(key, 0, 36);
	assert_int_equal(tls_key_sign(key, &what, signature), 0);
	what = signing_for(key, 0xFF00 + br_sha256_ID, 32);
	assert_int_equal(tls_key_sign(key, &what, signature), 0);
	what = signing_for(key, br_sha256_ID, 32);
	what.key_id[0] ^= 1;
	assert_int_equal(tls_key_sign(key, &what, signature), 0);
	tls_key_free(key);
}

static void the_public_half_of_an_rsa_key_is_that_of_its_certificate(void **state)
{
	static const struct {
		const char *certificate, *key;
		unsigned bits;
	} pairs[] = {{"rsa.pem", "rsa.key", 2048}, {"rsa.pem", "rsa_pkcs1.key", 2048},
		{"rsa4096.pem", "rsa4096.key", 4096}};
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct tls_chain *chain = read_chain(pairs[i].certificate);
		struct tls_key *key = read_key(pairs[i].key);
		struct buf der = {0};
		size_t count;
		const br_x509_certificate *leaf = credentials_certificates(chain, &count);
		assert_int_equal(tls_key_rsa_bits(key), pairs[i].bits);
		assert_true(tls_key_add_rsa_public(key, &der));
		assert_in_range(der.len, pairs[i].bits / 8 + 30, pairs[i].bits / 8 + 40);
		assert_non_null(memmem(leaf->data, leaf->data_len, der.at, der.len));
		buf_free(&der);
		tls_key_free(key);
		tls_chain_free(chain);
	}
	struct tls_key *ec = read_key("ec256.key");
	assert_int_equal(tls_key_rsa_bits(ec), 0);
	tls_key_free(ec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_by_its_chain),
		cmocka_unit_test(lines_may_end_in_crlf),
		cmocka_unit_test(keys_of_different_certificates_differ),
		cmocka_unit_test(a_chain_keeps_the_order_of_the_file),
		cmocka_unit_test(the_last_day_is_the_leafs),
		cmocka_unit_test(a_chain_names_what_subject_alt_name_says),
		cmocka_unit_test(a_wildcard_covers_one_label),
		cmocka_unit_test(without_subject_alt_name_the_cn_is_the_name),
		cmocka_unit_test(what_is_no_chain_is_refused_in_words),
		cmocka_unit_test(what_is_no_key_is_refused_in_words),
		cmocka_unit_test(a_damaged_leaf_does_no_harm),
		cmocka_unit_test(keys_sign_sha256_sha384_and_sha512),
		cmocka_unit_test(a_request_that_makes_no_sense_is_not_signed),
		cmocka_unit_test(the_public_half_of_an_rsa_key_is_that_of_its_certificate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
