/* The path of MAIL and RCPT (smtpd/address.h). */
#include "smtpd/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct vector {
	struct slice text;
	const char *address; /* NULL: not good */
	enum address_fault fault;
	const char *rest; /* what follows the path */
};

static void check(enum address_role role, const struct vector *vectors, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct vector *v = &vectors[i];
		char address[ADDRESS_MAX];
		/* A copy of its own, so that reading past its end is seen. */
		char *copy = must_alloc(v->text.len + 1);
		memcpy(copy, v->text.at, v->text.len);
		struct slice text = {copy, v->text.len};
		enum address_fault fault = address_take_path(&text, role, SLICE(""), address);
		if (fault != v->fault || strcmp(address, v->address ? v->address : "") != 0)
			fail_msg("%s: fault %d, address '%s'", v->text.at, fault, address);
		if (v->address) {
			assert_true(slice_equal(text, slice_of(v->rest)));
		} else {
			assert_ptr_equal(text.at, copy);
		}
		free(copy);
	}
}
#define CHECK(role, vectors) check(role, vectors, sizeof(vectors) / sizeof(vectors[0]))

#define GOOD(text, address, rest)                                                                  \
	{                                                                                          \
		SLICE(text), address, ADDRESS_GOOD, rest                                           \
	}
#define BAD(text, fault)                                                                           \
	{                                                                                          \
		SLICE(text), NULL, fault, NULL                                                     \
	}

static void sender_paths_are_read(void **state)
{
	(void)state;
	static const struct vector vectors[] = {
		GOOD("FROM:<a@b.example>", "a@b.example", ""),
		GOOD("from:<A@B.Example>", "A@B.Example", ""),
		GOOD("FROM: <a@b>", "a@b", ""),
		GOOD("FROM: \t<a@b> SIZE=1", "a@b", " SIZE=1"),
		GOOD("FROM:<>", "", ""),
		GOOD("FROM:<> BODY=7BIT", "", " BODY=7BIT"),
		GOOD("FROM:<a..b.@c.example>", "a..b.@c.example", ""),
		GOOD("FROM:<prvs=1/x+y%z!w=q@c.example>", "prvs=1/x+y%z!w=q@c.example", ""),
		GOOD("FROM:<a@[192.0.2.1]>", "a@[192.0.2.1]", ""),
		GOOD("FROM:<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", ""),
		GOOD("FROM:<a@my_host.x-y.example>", "a@my_host.x-y.example", ""),
		GOOD("FROM:<a@b>SIZE=1", "a@b", "SIZE=1"),
	};
	CHECK(ADDRESS_SENDER, vectors);
}

static void quotes_that_are_not_needed_are_taken_off(void **state)
{
	(void)state;
	static const struct vector vectors[] = {
		GOOD("TO:<\"ani\"@x>", "ani@x", ""),
		GOOD("TO:<\"a\\n\\i\"@x>", "ani@x", ""),
		GOOD("TO:<\"a b\"@x>", "\"a b\"@x", ""),
		GOOD("TO:<\"a@b\"@x>", "\"a@b\"@x", ""),
		GOOD("TO:<\"a>b\"@x>", "\"a>b\"@x", ""),
		GOOD("TO:<\"a\\\"b\\\\c\"@x>", "\"a\\\"b\\\\c\"@x", ""),
		GOOD("TO:<\"\"@x>", "\"\"@x", ""),
	};
	CHECK(ADDRESS_RECIPIENT, vectors);
}

static void recipients_need_a_domain_but_for_postmaster(void **state)
{
	(void)state;
	static const struct vector vectors[] = {
		GOOD("TO:<postmaster>", "postmaster", ""),
		GOOD("to: <PostMaster>", "PostMaster", ""),
		BAD("TO:<ani>", ADDRESS_MALFORMED),
		BAD("TO:<>", ADDRESS_MALFORMED),
		BAD("TO:<postmaster@>", ADDRESS_MALFORMED),
	};
	static const struct vector senders[] = {
		BAD("FROM:<postmaster>", ADDRESS_MALFORMED),
		BAD("FROM:<root>", ADDRESS_MALFORMED),
	};
	CHECK(ADDRESS_RECIPIENT, vectors);
	CHECK(ADDRESS_SENDER, senders);
}

static void what_is_no_path_is_refused(void **state)
{
	(void)state;
	static const struct vector vectors[] = {
		BAD("", ADDRESS_NO_PATH),
		BAD("T", ADDRESS_NO_PATH),
		BAD("TO:", ADDRESS_NO_PATH),
		BAD("TO: ", ADDRESS_NO_PATH),
		BAD("<a@b>", ADDRESS_NO_PATH),
		BAD("FROM:<a@b>", ADDRESS_NO_PATH),
		BAD("TO:a@b", ADDRESS_NO_PATH),
		BAD("TO :<a@b>", ADDRESS_NO_PATH),
	};
	CHECK(ADDRESS_RECIPIENT, vectors);
}

static void what_is_no_mailbox_is_refused(void **state)
{
	(void)state;
	static const struct vector vectors[] = {
		BAD("TO:<", ADDRESS_MALFORMED),
		BAD("TO:<a", ADDRESS_MALFORMED),
		BAD("TO:<a@b", ADDRESS_MALFORMED),
		BAD("TO:<@b>", ADDRESS_MALFORMED),
		BAD("TO:<a@>", ADDRESS_MALFORMED),
		BAD("TO:<a@b@c>", ADDRESS_MALFORMED),
		BAD("TO:<@us:v@out>", ADDRESS_MALFORMED),
		BAD("TO:<@us,@them:v@out>", ADDRESS_MALFORMED),
		BAD("TO:<a@b,c@d>", ADDRESS_MALFORMED),
		BAD("TO:<a@b:c>", ADDRESS_MALFORMED),
		BAD("TO:<a@b.>", ADDRESS_MALFORMED),
		BAD("TO:<a@.b>", ADDRESS_MALFORMED),
		BAD("TO:<a@b..c>", ADDRESS_MALFORMED),
		BAD("TO:<a@b c>", ADDRESS_MALFORMED),
		BAD("TO:<a @b>", ADDRESS_MALFORMED),
		BAD("TO:< a@b>", ADDRESS_MALFORMED),
		BAD("TO:<<a@b>>", ADDRESS_MALFORMED),
		BAD("TO:<a(x)@b>", ADDRESS_MALFORMED),
		BAD("TO:<\"a@b\">", ADDRESS_MALFORMED),
		BAD("TO:<\"a@b>", ADDRESS_MALFORMED),
		BAD("TO:<\"a\\", ADDRESS_MALFORMED),
		BAD("TO:<\"a\"b@c>", ADDRESS_MALFORMED),
		BAD("TO:<a\"b\"@c>", ADDRESS_MALFORMED),
		BAD("TO:<a\\b@c>", ADDRESS_MALFORMED),
		BAD("TO:<;x;>", ADDRESS_MALFORMED),
		BAD("TO:<\"|cmd\"@>", ADDRESS_MALFORMED),
		BAD("TO:<a@[]>", ADDRESS_MALFORMED),
		BAD("TO:<a@[1.2.3.4>", ADDRESS_MALFORMED),
		BAD("TO:<a@[1.2.3.4]x>", ADDRESS_MALFORMED),
	};
	CHECK(ADDRESS_RECIPIENT, vectors);
}

static void controls_are_refused(void **state)
{
	(void)state;
	static const struct vector vectors[] = {
		BAD("TO:<a\0@b>", ADDRESS_MALFORMED),
		BAD("TO:<a@b\0>", ADDRESS_MALFORMED),
		BAD("TO:<a\x1b@b>", ADDRESS_MALFORMED),
		BAD("TO:<a\t@b>", ADDRESS_MALFORMED),
		BAD("TO:<\"a\tb\"@c>", ADDRESS_MALFORMED),
		BAD("TO:<\"a\\\rb\"@c>", ADDRESS_MALFORMED),
	};
	CHECK(ADDRESS_RECIPIENT, vectors);
}

static void octets_over_126_are_told_apart(void **state)
{
	(void)state;
	static const struct vector vectors[] = {
		BAD("TO:<\x7f@b>", ADDRESS_NOT_ASCII),
		BAD("TO:<k\xc3\xb6@b>", ADDRESS_NOT_ASCII),
		BAD("TO:<a@k\xc3\xb6.example>", ADDRESS_NOT_ASCII),
		BAD("TO:<a\xef\xbc\xa0"
		    "b>",
			ADDRESS_NOT_ASCII), /* fullwidth @ */
		BAD("TO:<a@b\xe3\x80\x82"
		    "example>",
			ADDRESS_NOT_ASCII),                            /* U+3002 */
		BAD("TO:<a@\xe2\x84\xaa.example>", ADDRESS_NOT_ASCII), /* Kelvin */
		BAD("TO:<\"\xff\"@b>", ADDRESS_NOT_ASCII),
	};
	CHECK(ADDRESS_RECIPIENT, vectors);
}

/* "FROM:<", a local part, "@", a domain, ">" */
static enum address_fault read_long(size_t local, size_t label, size_t labels)
{
	struct buf text = {0};
	char address[ADDRESS_MAX];
	buf_add_text(&text, "FROM:<");
	for (size_t i = 0; i < local; i++)
		buf_add_char(&text, 'a');
	for (size_t i = 0; i < labels; i++) {
		buf_add_char(&text, i == 0 ? '@' : '.');
		for (size_t n = 0; n < label; n++)
			buf_add_char(&text, 'b');
	}
	buf_add_char(&text, '>');
	struct slice path = buf_slice(&text);
	enum address_fault fault = address_take_path(&path, ADDRESS_SENDER, SLICE(""), address);
	if (fault == ADDRESS_GOOD)
		assert_int_equal(strlen(address), text.len - strlen("FROM:<>"));
	buf_free(&text);
	return fault;
}

static void an_address_without_a_domain_gets_the_one_that_is_given(void **state)
{
	static const struct {
		const char *path, *address; /* NULL: malformed */
		enum address_role role;
	} vectors[] = {
		{"TO:<ani>", "ani@kantor.example", ADDRESS_RECIPIENT},
		{"FROM:<\"a b\">", "\"a b\"@kantor.example", ADDRESS_SENDER},
		{"TO:<postmaster>", "postmaster", ADDRESS_RECIPIENT},
		{"FROM:<postmaster>", "postmaster@kantor.example", ADDRESS_SENDER},
		{"TO:<ani@luar.example>", "ani@luar.example", ADDRESS_RECIPIENT},
		{"FROM:<>", "", ADDRESS_SENDER},
		{"TO:<>", NULL, ADDRESS_RECIPIENT},
		{"TO:<ani@>", NULL, ADDRESS_RECIPIENT},
		{"TO:<ani", NULL, ADDRESS_RECIPIENT},
		{"TO:<ani budi>", NULL, ADDRESS_RECIPIENT},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct slice path = slice_of(vectors[i].path);
		char address[ADDRESS_MAX];
		enum address_fault fault =
			address_take_path(&path, vectors[i].role, SLICE("kantor.example"), address);
		assert_int_equal(fault, vectors[i].address ? ADDRESS_GOOD : ADDRESS_MALFORMED);
		assert_string_equal(address, vectors[i].address ? vectors[i].address : "");
	}
}

static void lengths_are_kept(void **state)
{
	(void)state;
	assert_int_equal(read_long(64, 63, 4), ADDRESS_GOOD);
	assert_int_equal(read_long(65, 63, 4), ADDRESS_MALFORMED);
	assert_int_equal(read_long(1, 64, 1), ADDRESS_MALFORMED);
	assert_int_equal(read_long(1, 50, 5), ADDRESS_GOOD);
	assert_int_equal(read_long(1, 51, 5), ADDRESS_MALFORMED);
	assert_int_equal(read_long(200, 10, 2), ADDRESS_GOOD); /* VERP */
	assert_int_equal(read_long(100000, 10, 2), ADDRESS_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sender_paths_are_read),
		cmocka_unit_test(quotes_that_are_not_needed_are_taken_off),
		cmocka_unit_test(recipients_need_a_domain_but_for_postmaster),
		cmocka_unit_test(what_is_no_path_is_refused),
		cmocka_unit_test(what_is_no_mailbox_is_refused),
		cmocka_unit_test(controls_are_refused),
		cmocka_unit_test(octets_over_126_are_told_apart),
		cmocka_unit_test(an_address_without_a_domain_gets_the_one_that_is_given),
		cmocka_unit_test(lengths_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
