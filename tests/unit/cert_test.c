/* base/cert and base/der: the self-signed certificate, read back. */
#include "base/cert.h"
#include "base/der.h"
#include "base/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define NOW 1772420400 /* 2026-03-02 */

static struct buf certificate, key;
static struct err e;

static int forget(void **state)
{
	(void)state;
	buf_free(&certificate);
	buf_wipe(&key);
	return 0;
}

static int file_of(const struct buf *text)
{
	int fd = memfd_create("pem", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text->at, text->len), text->len);
	return fd;
}

static struct tls_chain *make(const char *hostname, bool loopback, int64_t now)
{
	struct tls_chain *chain;
	forget(NULL);
	assert_int_equal(cert_make_self_signed(hostname, loopback, now, &certificate, &key, &e), 0);
	int fd = file_of(&certificate);
	assert_int_equal(tls_chain_read(&chain, fd, "cert.pem", &e), 0);
	close(fd);
	return chain;
}

static void certificate_and_key_are_read_back_as_a_pair(void **state)
{
	struct tls_chain *chain = make("mail.kantor.example", false, NOW);
	struct tls_key *made;
	int fd = file_of(&key);
	(void)state;
	assert_int_equal(tls_key_read(&made, fd, "key.pem", &e), 0);
	assert_memory_equal(tls_chain_key_id(chain), tls_key_id(made), TLS_KEY_ID_SIZE);
	close(fd);
	tls_key_free(made);
	tls_chain_free(chain);
}

static void it_names_the_host_and_on_loopback_localhost(void **state)
{
	struct tls_chain *chain = make("mail.kantor.example", false, NOW);
	(void)state;
	assert_true(tls_chain_names(chain, "mail.kantor.example"));
	assert_false(tls_chain_names(chain, "localhost"));
	tls_chain_free(chain);
	chain = make("mail.kantor.example", true, NOW);
	assert_true(tls_chain_names(chain, "mail.kantor.example"));
	assert_true(tls_chain_names(chain, "localhost"));
	tls_chain_free(chain);
	chain = make("localhost", true, NOW);
	assert_true(tls_chain_names(chain, "localhost"));
	tls_chain_free(chain);
}

static void it_ends_825_days_after_it_begins(void **state)
{
	struct tls_chain *chain = make("mail.kantor.example", false, NOW);
	(void)state;
	assert_int_equal(tls_chain_expires(chain), NOW - 3600 + 825 * 86400 - 1);
	tls_chain_free(chain);
}

static void dates_past_2049_are_written_in_four_digits(void **state)
{
	int64_t late = INT64_C(2524608000); /* 2050-01-01 */
	(void)state;
	for (int days = -826; days <= 1; days++) {
		struct tls_chain *chain = make("mail.kantor.example", false, late + days * 86400);
		assert_int_equal(
			tls_chain_expires(chain), late + (days + 825) * INT64_C(86400) - 3601);
		tls_chain_free(chain);
	}
}

static void a_host_name_of_any_legal_length_fits(void **state)
{
	char name[256];
	(void)state;
	memset(name, 'a', sizeof(name));
	for (size_t len = 1; len <= 253; len += 4) {
		name[len] = '\0';
		struct tls_chain *chain = make(name, true, NOW);
		assert_true(tls_chain_names(chain, name));
		tls_chain_free(chain);
		name[len] = 'a';
	}
	name[254] = '\0';
	assert_int_equal(cert_make_self_signed(name, false, NOW, &certificate, &key, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_int_equal(cert_make_self_signed("", false, NOW, &certificate, &key, &e), -1);
}

static void no_two_are_alike(void **state)
{
	struct tls_chain *first = make("mail.kantor.example", false, NOW);
	struct tls_chain *second = make("mail.kantor.example", false, NOW);
	(void)state;
	assert_memory_not_equal(tls_chain_key_id(first), tls_chain_key_id(second), TLS_KEY_ID_SIZE);
	tls_chain_free(first);
	tls_chain_free(second);
}

static void der_values_of_every_length_are_read_as_written(void **state)
{
	static const size_t lengths[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 70000};
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buf out = {0};
		char *octets = calloc(1, lengths[i] + 1);
		assert_non_null(octets);
		buf_add_text(&out, "before");
		der_add(&out, DER_OCTET_STRING, octets, lengths[i]);
		buf_add_text(&out, "behind");

		struct slice rest = slice_from(buf_slice(&out), 6), body;
		assert_false(der_take(&rest, DER_SEQUENCE, &body));
		assert_true(der_take(&rest, DER_OCTET_STRING, &body));
		assert_int_equal(body.len, lengths[i]);
		assert_true(slice_equal(rest, SLICE("behind")));
		buf_free(&out);
		free(octets);
	}
}

static void der_that_is_cut_off_or_odd_is_not_read(void **state)
{
	static const struct slice odd[] = {
		{"", 0}, {"\x30", 1}, {"\x30\x01", 2}, {"\x30\x81", 2}, {"\x30\x81\x01", 3},
		{"\x30\x80\x00\x00", 4},             /* indefinite */
		{"\x30\x85\x00\x00\x00\x00\x00", 7}, /* 5 octets of length */
		{"\x30\x84\xff\xff\xff\xff"
		 "abcd",
			10},                                              /* 4 GB */
		{"\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12}, /* reserved */
		{"\x3f\x81\x01\x00", 4},                                  /* a tag of two octets */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct slice rest = odd[i], body;
		unsigned tag;
		assert_false(der_next(&rest, &tag, &body));
		assert_int_equal(rest.len, odd[i].len);
	}
}

static struct tls_key *make_rsa_key(void)
{
	struct tls_key *made;
	forget(NULL);
	cert_make_rsa_key(&key);
	int fd = file_of(&key);
	assert_int_equal(tls_key_read(&made, fd, "office.pem", &e), 0);
	close(fd);
	return made;
}

static void a_key_for_signing_mail_is_of_rsa_and_2048_bits(void **state)
{
	struct tls_key *made = make_rsa_key(), *other;
	(void)state;
	assert_int_equal(tls_key_rsa_bits(made), 2048);
	assert_true(slice_has_prefix(buf_slice(&key), SLICE("-----BEGIN PRIVATE KEY-----\n")));
	other = make_rsa_key();
	assert_memory_not_equal(tls_key_id(made), tls_key_id(other), TLS_KEY_ID_SIZE);
	tls_key_free(made);
	tls_key_free(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, forget)
	const struct CMUnitTest tests[] = {
		TEST(certificate_and_key_are_read_back_as_a_pair),
		TEST(it_names_the_host_and_on_loopback_localhost),
		TEST(it_ends_825_days_after_it_begins),
		TEST(dates_past_2049_are_written_in_four_digits),
		TEST(a_host_name_of_any_legal_length_fits),
		TEST(no_two_are_alike),
		TEST(der_values_of_every_length_are_read_as_written),
		TEST(der_that_is_cut_off_or_odd_is_not_read),
		TEST(a_key_for_signing_mail_is_of_rsa_and_2048_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
