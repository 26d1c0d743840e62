/* smtpd/mx_answer: which hosts an answer names. */
#include "smtpd/mx_answer.h"

#include <arpa/nameser.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

/* ---- an answer, made by hand ---- */

enum { QUERY_RESPONSE = 0x8000, TRUNCATED = 0x0200 };

static struct buf message;

static void put16(unsigned number)
{
	buf_add_char(&message, (char)(number >> 8));
	buf_add_char(&message, (char)number);
}

/* "a.b" as labels; "" is the root. */
static void put_name(const char *name)
{
	struct slice rest = slice_of(name);
	while (rest.len > 0) {
		struct slice label = slice_cut(&rest, '.');
		buf_add_char(&message, (char)label.len);
		buf_add_slice(&message, label);
	}
	buf_add_char(&message, '\0');
}

/* An answer to "MX of luar.example", that will have `records`. */
static void begin(unsigned flags, unsigned records)
{
	buf_clear(&message);
	put16(1);
	put16(flags);
	put16(1);
	put16(records);
	put16(0);
	put16(0);
	put_name("luar.example");
	put16(ns_t_mx);
	put16(ns_c_in);
}

/* Returns where the length of the data stands. */
static size_t begin_record(const char *owner, unsigned type)
{
	put_name(owner);
	put16(type);
	put16(ns_c_in);
	put16(0);
	put16(60);
	put16(0);
	return message.len - 2;
}

static void end_record(size_t at, int more)
{
	size_t len = message.len - at - 2 + (size_t)more;
	message.at[at] = (char)(len >> 8);
	message.at[at + 1] = (char)len;
}

static void put_mx(const char *owner, unsigned preference, const char *host)
{
	size_t at = begin_record(owner, ns_t_mx);
	put16(preference);
	put_name(host);
	end_record(at, 0);
}

static void put_cname(const char *owner, const char *target)
{
	size_t at = begin_record(owner, ns_t_cname);
	put_name(target);
	end_record(at, 0);
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&message);
	return 0;
}

/* Read from memory that ends where the message does. */
static bool read_message(struct mx_answer *answer)
{
	char *copy = must_alloc(message.len);
	memcpy(copy, message.at, message.len);
	bool good = mx_answer_read((struct slice){copy, message.len}, "luar.example", answer);
	free(copy);
	return good;
}

/* "10 mx1.luar.example, 20 ...". */
static void assert_names(const char *wanted)
{
	struct mx_answer answer;
	struct buf said = {0};
	assert_true(read_message(&answer));
	for (size_t i = 0; i < answer.count; i++)
		buf_printf(&said, "%s%u %s", i > 0 ? ", " : "", answer.at[i].preference,
			answer.at[i].name);
	assert_string_equal(buf_text(&said), wanted);
	buf_free(&said);
}

static void assert_unreadable(void)
{
	struct mx_answer answer;
	assert_false(read_message(&answer));
	assert_int_equal(answer.count, 0);
	assert_int_equal(answer.records, 0);
}

/* ---- the names of an answer ---- */

static void hosts_come_by_preference(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 4);
	put_mx("luar.example", 20, "b.luar.example");
	put_mx("LUAR.example", 65535, "d.luar.example");
	put_mx("luar.example", 0, "a.luar.example");
	put_mx("luar.example", 20, "c_1.luar.example");
	assert_names("0 a.luar.example, 20 b.luar.example, 20 c_1.luar.example, "
		     "65535 d.luar.example");
}

static void a_host_named_twice_has_its_better_preference(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 4);
	put_mx("luar.example", 20, "a.example");
	put_mx("luar.example", 15, "b.example");
	put_mx("luar.example", 10, "A.example");
	put_mx("luar.example", 30, "b.example");
	assert_names("10 A.example, 15 b.example");
}

static void the_best_sixteen_are_kept(void **state)
{
	struct mx_answer answer;
	char name[40];
	(void)state;
	begin(QUERY_RESPONSE, 300);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "mx%u.luar.example", i);
		put_mx("luar.example", 1000 - i, name);
	}
	assert_true(read_message(&answer));
	assert_int_equal(answer.records, 300);
	assert_int_equal(answer.count, MX_NAMES_MOST);
	assert_string_equal(answer.at[0].name, "mx299.luar.example");
	assert_string_equal(answer.at[15].name, "mx284.luar.example");
}

static void a_null_mx_refuses_all_mail(void **state)
{
	struct mx_answer answer;
	(void)state;
	begin(QUERY_RESPONSE, 1);
	put_mx("luar.example", 0, "");
	assert_true(read_message(&answer));
	assert_true(answer.refused);
	assert_int_equal(answer.records, 1);
	assert_int_equal(answer.count, 0);
}

/* RFC 7505, 3. */
static void a_null_mx_beside_others_means_nothing(void **state)
{
	struct mx_answer answer;
	(void)state;
	begin(QUERY_RESPONSE, 2);
	put_mx("luar.example", 0, "");
	put_mx("luar.example", 10, "a.example");
	assert_true(read_message(&answer));
	assert_false(answer.refused);
	assert_names("10 a.example");
}

static void what_names_no_host_is_passed_over(void **state)
{
	static const char *const words[] = {"192.0.2.1", "127.1", "2130706433", "0x7f000001",
		"0x7f.1", "0177.0x1", "m x.example", "mx\n.example", "mx\\.example", "mx@x.example",
		"m\xC3\xBC.example", "[192.0.2.1]", "1:2:3"};
	struct mx_answer answer;
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		begin(QUERY_RESPONSE, 2);
		put_mx("luar.example", 0, words[i]);
		put_mx("luar.example", 10, "a.example");
		assert_true(read_message(&answer));
		assert_int_equal(answer.records, 2);
		if (answer.count != 1 || strcmp(answer.at[0].name, "a.example") != 0)
			fail_msg("%s", words[i]);
	}
	/* A dot and a NUL within a label. */
	begin(QUERY_RESPONSE, 1);
	size_t at = begin_record("luar.example", ns_t_mx);
	put16(0);
	buf_add(&message, "\5a.b\0c\4luar\7example\0", 20);
	end_record(at, 0);
	assert_names("");
}

static void records_of_others_are_passed_over(void **state)
{
	struct mx_answer answer;
	(void)state;
	begin(QUERY_RESPONSE, 3);
	put_mx("lain.example", 0, "evil.example");
	put_mx("x.luar.example", 0, "evil.example");
	end_record(begin_record("luar.example", ns_t_txt), 0);
	assert_true(read_message(&answer));
	assert_int_equal(answer.records, 0);
	assert_int_equal(answer.count, 0);
}

static void cnames_are_followed(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 4);
	put_mx("c.example", 5, "mx.c.example");
	put_cname("b.example", "c.example");
	put_cname("luar.example", "b.example");
	put_mx("d.example", 0, "evil.example");
	assert_names("5 mx.c.example");
}

static void cnames_in_a_circle_lead_nowhere(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 3);
	put_cname("luar.example", "b.example");
	put_cname("b.example", "luar.example");
	put_mx("c.example", 0, "a.example");
	assert_names("");
}

/* ---- hostile answers ---- */

static void an_answer_cut_anywhere_is_none(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 3);
	put_cname("luar.example", "b.example");
	put_mx("b.example", 10, "mx1.luar.example");
	put_mx("b.example", 20, "mx2.luar.example");
	assert_names("10 mx1.luar.example, 20 mx2.luar.example");
	while (message.len > 0) {
		message.len--;
		assert_unreadable();
	}
}

static void what_is_no_answer_to_the_question_is_none(void **state)
{
	struct mx_answer answer;
	(void)state;
	static const unsigned flags[] = {0, QUERY_RESPONSE | TRUNCATED,
		QUERY_RESPONSE | ns_r_servfail, QUERY_RESPONSE | ns_r_nxdomain};
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		begin(flags[i], 1);
		put_mx("luar.example", 0, "a.example");
		assert_unreadable();
	}
	begin(QUERY_RESPONSE, 1);
	put_mx("luar.example", 0, "a.example");
	assert_false(mx_answer_read(buf_slice(&message), "lain.example", &answer));
	message.at[5] = 0; /* no question */
	assert_unreadable();
	begin(QUERY_RESPONSE, 0);
	message.at[message.len - 3] = ns_t_a;
	assert_unreadable();
}

static void a_record_shorter_or_longer_than_its_name_is_refused(void **state)
{
	(void)state;
	for (int more = -19; more <= 20; more++) {
		begin(QUERY_RESPONSE, 1);
		size_t at = begin_record("luar.example", ns_t_mx);
		put16(10);
		put_name("mx1.luar.example");
		end_record(at, more);
		for (int i = 0; i < more; i++)
			buf_add_char(&message, '\0');
		if (more == 0)
			assert_names("10 mx1.luar.example");
		else
			assert_unreadable();
	}
	/* Its name goes on in the next record, which is good by itself. */
	begin(QUERY_RESPONSE, 2);
	size_t at = begin_record("luar.example", ns_t_mx);
	put16(10);
	buf_add_char(&message, 1);
	end_record(at, 0);
	end_record(begin_record("", ns_t_txt), 0);
	assert_unreadable();
}

/* Pointers to themselves, to each other, forward, and past the end. */
static void names_that_never_end_are_refused(void **state)
{
	(void)state;
	for (unsigned to = 0; to < 0x4000; to = to < 100 ? to + 1 : to * 2) {
		begin(QUERY_RESPONSE, 1);
		size_t at = begin_record("luar.example", ns_t_mx);
		put16(10);
		put16(0xC000 | (to == 0 ? (unsigned)message.len : to > 40 ? to : to + 60));
		end_record(at, 0);
		struct mx_answer answer;
		if (to == 0 || to > 100) {
			assert_unreadable();
		} else if (read_message(&answer)) {
			assert_true(answer.count == 0 || mx_is_name(answer.at[0].name));
		}
	}
}

static void more_records_announced_than_there_are_is_refused(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 65535);
	put_mx("luar.example", 0, "a.example");
	assert_unreadable();
}

#define ANSWER_TEST(promise) cmocka_unit_test_teardown(promise, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ANSWER_TEST(hosts_come_by_preference),
		ANSWER_TEST(a_host_named_twice_has_its_better_preference),
		ANSWER_TEST(the_best_sixteen_are_kept),
		ANSWER_TEST(a_null_mx_refuses_all_mail),
		ANSWER_TEST(a_null_mx_beside_others_means_nothing),
		ANSWER_TEST(what_names_no_host_is_passed_over),
		ANSWER_TEST(records_of_others_are_passed_over),
		ANSWER_TEST(cnames_are_followed),
		ANSWER_TEST(cnames_in_a_circle_lead_nowhere),
		ANSWER_TEST(an_answer_cut_anywhere_is_none),
		ANSWER_TEST(what_is_no_answer_to_the_question_is_none),
		ANSWER_TEST(a_record_shorter_or_longer_than_its_name_is_refused),
		ANSWER_TEST(names_that_never_end_are_refused),
		ANSWER_TEST(more_records_announced_than_there_are_is_refused),
	};
	return cmocka_run_group_tests_name("mx_answer", tests, NULL, NULL);
}
