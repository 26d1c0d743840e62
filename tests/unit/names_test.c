/* base/names: what certificates say of themselves, some of them made up. */
#include "base/der.h"
#include "base/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>
#include <string.h>

#define COMMON_NAME  SLICE("\x55\x04\x03")
#define ORGANIZATION SLICE("\x55\x04\x0A")
#define DNS          DER_CONTEXT(2)
#define IP           DER_CONTEXT(7)

/* A distinguished name of one attribute; `value` NULL: of none. */
static void add_name(struct buf *out, struct slice oid, const char *value)
{
	size_t begin = out->len;
	if (value) {
		der_add(out, DER_OID, oid.at, oid.len);
		der_add(out, DER_UTF8, value, strlen(value));
		der_wrap(out, begin, DER_SEQUENCE);
		der_wrap(out, begin, DER_SET);
	}
	der_wrap(out, begin, DER_SEQUENCE);
}

/* As much of a certificate as names are looked for in; `names` are the values of
 * its subjectAltName. */
static struct slice certificate(
	struct slice issuer_oid, const char *issuer, const char *subject, const struct buf *names)
{
	static struct buf der;
	size_t begin;
	buf_clear(&der);
	der_add(&der, DER_INTEGER, "\1", 1);
	der_add(&der, DER_SEQUENCE, "", 0); /* how it is signed */
	add_name(&der, issuer_oid, issuer);
	der_add(&der, DER_SEQUENCE, "", 0); /* from when until when */
	add_name(&der, COMMON_NAME, subject);
	der_add(&der, DER_SEQUENCE, "", 0); /* the key */
	if (names) {
		begin = der.len;
		der_add(&der, DER_SEQUENCE, names->at, names->len);
		der_wrap(&der, begin, DER_OCTET_STRING);
		struct buf value = {0};
		buf_add(&value, der.at + begin, der.len - begin);
		der.len = begin;
		der_add(&der, DER_OID, "\x55\x1D\x11", 3);
		buf_add_slice(&der, buf_slice(&value));
		buf_free(&value);
		der_wrap(&der, begin, DER_SEQUENCE);
		der_wrap(&der, begin, DER_SEQUENCE);
		der_wrap(&der, begin, DER_CONTEXT_CONSTRUCTED(3));
	}
	der_wrap(&der, 0, DER_SEQUENCE);
	der_wrap(&der, 0, DER_SEQUENCE);
	return buf_slice(&der);
}

static void assert_names(struct slice der, const char *expected)
{
	struct buf told = {0};
	names_add(der, &told);
	assert_string_equal(buf_text(&told), expected);
	buf_free(&told);
}

static void assert_issuer(struct slice der, const char *expected)
{
	struct buf told = {0};
	names_add_issuer(der, &told);
	assert_string_equal(buf_text(&told), expected);
	buf_free(&told);
}

static void the_first_names_are_told_and_the_others_counted(void **state)
{
	struct buf names = {0};
	(void)state;
	der_add(&names, DNS, "a.example", 9);
	assert_names(certificate(COMMON_NAME, "x", "b.example", &names), "a.example");
	der_add(&names, DER_CONTEXT(1), "post@a.example", 14);
	der_add(&names, IP, "\300\0\2\1", 4);
	der_add(&names, IP, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	assert_names(
		certificate(COMMON_NAME, "x", NULL, &names), "a.example, 192.0.2.1, 2001:db8::1");
	der_add(&names, DNS, "b.example", 9);
	der_add(&names, DNS, "c.example", 9);
	assert_names(certificate(COMMON_NAME, "x", NULL, &names),
		"a.example, 192.0.2.1, 2001:db8::1 and 2 more");
	buf_free(&names);
}

static void without_alternative_names_the_common_name_is_told(void **state)
{
	(void)state;
	assert_names(certificate(COMMON_NAME, "x", "a.example", NULL), "a.example");
	assert_names(certificate(COMMON_NAME, "x", NULL, NULL), "");
}

static void what_is_told_is_printable_ascii(void **state)
{
	struct buf names = {0};
	(void)state;
	der_add(&names, DNS, "a\n\x1b[2J\0\xff", 8);
	der_add(&names, IP, "\n\n\n", 3);
	assert_names(certificate(COMMON_NAME, "x", NULL, &names),
		"a\\x0a\\x1b[2J\\x00\\xff, \\x0a\\x0a\\x0a");
	assert_issuer(certificate(COMMON_NAME, "a\nb", NULL, NULL), "a\\x0ab");
	buf_free(&names);
}

static void a_signer_is_told_by_its_common_name_else_its_organization(void **state)
{
	(void)state;
	assert_issuer(certificate(COMMON_NAME, "Root", "a", NULL), "Root");
	assert_issuer(certificate(ORGANIZATION, "Kantor", "a", NULL), "Kantor");
	assert_issuer(certificate(COMMON_NAME, NULL, "a", NULL), "");
}

static void self_signed_is_what_bears_one_name_twice(void **state)
{
	(void)state;
	assert_true(names_is_self_signed(certificate(COMMON_NAME, "a", "a", NULL)));
	assert_false(names_is_self_signed(certificate(COMMON_NAME, "a", "b", NULL)));
	assert_false(names_is_self_signed(certificate(ORGANIZATION, "a", "a", NULL)));
}

static void an_address_is_compared_octet_by_octet(void **state)
{
	struct buf names = {0};
	(void)state;
	der_add(&names, DNS, "\300\0\2\7", 4);
	der_add(&names, IP, "", 0);
	der_add(&names, IP, "\300\0\2\1", 4);
	struct slice der = certificate(COMMON_NAME, "x", "192.0.2.9", &names);
	assert_true(names_hold_address(der, SLICE("\300\0\2\1")));
	assert_false(names_hold_address(der, SLICE("\300\0\2\2")));
	assert_false(names_hold_address(der, SLICE("\300\0\2\7")));
	assert_false(names_hold_address(der, SLICE("\300\0\2")));
	assert_false(names_hold_address(der, SLICE("")));
	buf_free(&names);
}

static void what_is_no_certificate_names_nobody(void **state)
{
	static const struct slice octets[] = {
		{"", 0}, {"\x30", 1}, {"\x30\x00", 2}, {"\x30\x84\xff\xff\xff\xff", 6}};
	(void)state;
	for (size_t i = 0; i < sizeof(octets) / sizeof(octets[0]); i++) {
		assert_names(octets[i], "");
		assert_issuer(octets[i], "");
		assert_false(names_cover(octets[i], ""));
		assert_false(names_cover(octets[i], "a.example"));
		assert_false(names_is_self_signed(octets[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_names_are_told_and_the_others_counted),
		cmocka_unit_test(without_alternative_names_the_common_name_is_told),
		cmocka_unit_test(what_is_told_is_printable_ascii),
		cmocka_unit_test(a_signer_is_told_by_its_common_name_else_its_organization),
		cmocka_unit_test(self_signed_is_what_bears_one_name_twice),
		cmocka_unit_test(an_address_is_compared_octet_by_octet),
		cmocka_unit_test(what_is_no_certificate_names_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
