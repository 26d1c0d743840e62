/* smtpd/milter: a conversation with a milter whose packets are all there, or never come;
 * and its words. */
#include "base/text.h"
#include "smtpd/filter_talk.h"
#include "smtpd/milter.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka.h needs the ones above. */
#include <cmocka.h>

#define LITERAL(text)                                                                              \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}
#define TERMS "\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\0\0\0"

static int other; /* the milter's end */
static struct milter milter;
static struct err e;
static enum milter_verdict verdict;
static struct buf words, changes;

static int64_t soon(void)
{
	return text_monotonic_ms() + 20000;
}

static void hear(struct slice octets)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	other = fds[1];
	milter = (struct milter){.fd = fds[0]};
	assert_int_equal(send(other, octets.at, octets.len, 0), octets.len);
}

static int end(void **state)
{
	(void)state;
	milter_close(&milter);
	close(other);
	buf_free(&words);
	buf_free(&changes);
	return 0;
}

static int change(void *arg, const struct milter_says *says, struct err *why)
{
	(void)arg;
	buf_printf(&changes, "%d %u ", (int)says->change, says->index);
	buf_add_slice(&changes, says->name);
	buf_add_char(&changes, '=');
	buf_add_slice(&changes, says->value);
	buf_add_char(&changes, '\n');
	return slice_equal(says->name, SLICE("no")) ? err_set(why, ERR_GONE, "it cannot be") : 0;
}

static int asks(enum milter_command command)
{
	return milter_ask(
		&milter, command, SLICE("body"), soon(), &verdict, &words, change, NULL, &e);
}

/* `said`: behind the terms. */
static void begin(struct slice said)
{
	struct buf octets = {0};
	buf_add_slice(&octets, SLICE(TERMS));
	buf_add_slice(&octets, said);
	hear(buf_slice(&octets));
	buf_free(&octets);
	assert_int_equal(milter_open(&milter, milter.fd, soon(), &e), 0);
}

static void it_is_offered_what_we_do(void **state)
{
	(void)state;
	char got[64];
	begin(SLICE(""));
	assert_int_equal(recv(other, got, sizeof(got), 0), 17);
	assert_memory_equal(got, "\0\0\0\x0dO\0\0\0\6\0\0\0\x33\0\x1f\xf7\xff", 17);
	assert_true(milter_wants(&milter, MILTER_BODY));
}

static void terms_that_are_none_end_it(void **state)
{
	(void)state;
	static const struct slice terms[] = {LITERAL("\0\0\0\x0dO\0\0\0\7\0\0\0\0\0\0\0\0"),
		LITERAL("\0\0\0\x0dO\0\0\0\1\0\0\0\0\0\0\0\0"),
		LITERAL("\0\0\0\x0dO\0\0\0\6\0\0\0\0\0\0\x08\0"),
		LITERAL("\0\0\0\x0cO\0\0\0\6\0\0\0\0\0\0\0"), LITERAL("\0\0\0\1c"),
		LITERAL("\0\0\0\0"), LITERAL("\x7f\xff\xff\xffO"), LITERAL("220 mail ESMTP\r\n")};
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		hear(terms[i]);
		shutdown(other, SHUT_WR);
		assert_int_equal(milter_open(&milter, milter.fd, soon(), &e), -1);
		assert_int_equal(e.kind, ERR_GONE);
		assert_int_equal(milter.fd, -1);
		assert_false(milter_wants(&milter, MILTER_BODY));
		end(NULL);
	}
}

static void who_says_nothing_in_time_is_left(void **state)
{
	(void)state;
	hear(SLICE("\0\0\0"));
	assert_int_equal(milter_open(&milter, milter.fd, text_monotonic_ms() + 20, &e), -1);
	assert_string_equal(e.text, "it does not answer");
	assert_int_equal(milter.fd, -1);
}

static void who_reads_nothing_is_left(void **state)
{
	(void)state;
	static char chunk[60000];
	begin(SLICE(""));
	milter.steps = 0x80000; /* silent about bodies */
	int done = 0;
	for (int i = 0; i < 1000 && done == 0; i++)
		done = milter_ask(&milter, MILTER_BODY, (struct slice){chunk, sizeof(chunk)},
			text_monotonic_ms() + 20, &verdict, &words, NULL, NULL, &e);
	assert_int_equal(done, -1);
	assert_int_equal(milter.fd, -1);
}

static void each_verdict_is_understood(void **state)
{
	(void)state;
	static const enum milter_verdict wanted[] = {MILTER_CONTINUE, MILTER_ACCEPT, MILTER_REJECT,
		MILTER_TEMPFAIL, MILTER_TEMPFAIL, MILTER_DISCARD, MILTER_SKIP, MILTER_REJECT,
		MILTER_TEMPFAIL};
	begin(SLICE("\0\0\0\1c\0\0\0\1a\0\0\0\1p\0\0\0\1r\0\0\0\1t\0\0\0\1f\0\0\0\1d\0\0\0\1s"
		    "\0\0\0\5y550\0\0\0\0\7y450 x\0"));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		assert_int_equal(asks(MILTER_MAIL), 0);
		assert_int_equal(verdict, wanted[i]);
	}
	assert_string_equal(buf_text(&words), "450 x");
}

static void answers_that_are_none_end_it(void **state)
{
	(void)state;
	static const struct slice answers[] = {LITERAL("\0\0\0\1x"), LITERAL("\0\0\0\2cx"),
		LITERAL("\0\0\0\1O"), LITERAL("\0\0\0\4y550"), LITERAL("\0\0\0\5y250\0"),
		LITERAL("\0\0\0\3y5\0"), LITERAL("\0\0\0\6y550\0x"), LITERAL("\0\0\0\1y"),
		LITERAL("\0\2\0\1c"), LITERAL("\0\0\0\5+a@b\0"), LITERAL("\0\0\0\5-a@b\0"),
		LITERAL("\0\0\0\5ea@b\0"), LITERAL("\0\0\0\1h"), LITERAL("\0\0\0\4ha\0b"),
		LITERAL("\0\0\0\6ha\0b\0c"), LITERAL("\0\0\0\4m\0\0\0"),
		LITERAL("\0\0\0\x09i\xff\xff\xff\xff"
			"a\0b\0"),
		LITERAL("\0\0\0\2qx"), LITERAL("\0\0\0\6hno\0b\0")};
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		begin(answers[i]);
		shutdown(other, SHUT_WR);
		assert_int_equal(asks(MILTER_END), -1);
		assert_int_equal(e.kind, ERR_GONE);
		assert_int_equal(milter.fd, -1);
		end(NULL);
	}
}

static void changes_come_before_the_last_word_alone(void **state)
{
	(void)state;
	begin(SLICE("\0\0\0\5ha\0b\0\0\0\0\x09i\0\0\0\2c\0d\0\0\0\0\x08m\0\0\0\1e\0\0\0\0\0\4bx\0y"
		    "\0\0\0\3qw\0\0\0\0\1c\0\0\0\5ha\0b\0\0\0\0\1c"));
	assert_int_equal(asks(MILTER_END), 0);
	static const char wanted[] = "0 0 a=b\n1 2 c=d\n2 1 e=\n3 0 =x\0y\n4 0 =w\n";
	assert_true(slice_equal(buf_slice(&changes), SLICE(wanted)));
	assert_int_equal(asks(MILTER_BODY), -1);
}

static void who_goes_on_and_on_is_left(void **state)
{
	(void)state;
	struct buf progress = {0};
	for (int i = 0; i < 20001; i++)
		buf_add(&progress, "\0\0\0\1p", 5);
	begin(buf_slice(&progress));
	assert_int_equal(asks(MILTER_END), -1);
	assert_string_equal(e.text, "it goes on and on");
	buf_free(&progress);
}

static void its_words_become_a_reply_or_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *words, *reply;
	} rows[] = {{"550 5.7.1 no", "550 5.7.1 no\r\n"}, {"550 no", "550 5.7.1 no\r\n"},
		{"450", "450 4.7.1 \r\n"}, {"421 4.3.2 bye", "451 4.3.2 bye\r\n"},
		{"550 4.7.1 no", "550 5.7.1 4.7.1 no\r\n"}, {"550 5.7 no", "550 5.7.1 5.7 no\r\n"},
		{"550 100%% %s", "550 5.7.1 100% %s\r\n"},
		{"550 a\x1b\xff", "550 5.7.1 a\\x1b\\xff\r\n"},
		{"550-a\r\n550 b", "550-5.7.1 a\r\n550 5.7.1 b\r\n"},
		{"550-a\n550-b\n", "550-5.7.1 a\r\n550 5.7.1 b\r\n"}, {"550-a\r\n450 b", ""},
		{"250 ok", ""}, {"5x0 a", ""}, {"560 a", ""}, {"5500", ""}, {"", ""},
		{"550 a\rb", "550 5.7.1 a\\x0db\r\n"},
		{"550 1\n550 2\n550 3\n550 4\n550 5\n550 6\n550 7\n550 8\n550 9", ""}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&words);
		filter_read_words(&words, slice_of(rows[i].words));
		assert_string_equal(buf_text(&words), rows[i].reply);
	}
	buf_free(&words);
}

static void its_words_are_understood_for_the_log(void **state)
{
	(void)state;
	static const struct {
		const char *words;
		unsigned code;
		const char *status, *sentence;
	} rows[] = {{"554 5.6.99 no way", 554, "5.6.99", "no way"},
		{"550 5.999.999 x", 550, "5.999.999", "x"}, {"450", 450, "4.7.1", ""},
		{"550-5.7.1 a\r\n550 5.1.1 b \"c\"", 550, "5.7.1", "a b \"c\""},
		{"550 a\x1b", 550, "5.7.1", "a\\x1b"}, {"250 ok", 0, "", ""}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct filter_said said;
		buf_clear(&words);
		filter_read_words(&words, slice_of(rows[i].words));
		filter_understand(&said, buf_slice(&words));
		assert_int_equal(said.code, rows[i].code);
		assert_string_equal(said.status, rows[i].status);
		assert_string_equal(buf_text(&said.sentence), rows[i].sentence);
		buf_free(&said.sentence);
	}
	buf_free(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(it_is_offered_what_we_do, end),
		cmocka_unit_test(terms_that_are_none_end_it),
		cmocka_unit_test_teardown(who_says_nothing_in_time_is_left, end),
		cmocka_unit_test_teardown(who_reads_nothing_is_left, end),
		cmocka_unit_test_teardown(each_verdict_is_understood, end),
		cmocka_unit_test(answers_that_are_none_end_it),
		cmocka_unit_test_teardown(changes_come_before_the_last_word_alone, end),
		cmocka_unit_test_teardown(who_goes_on_and_on_is_left, end),
		cmocka_unit_test(its_words_become_a_reply_or_nothing),
		cmocka_unit_test(its_words_are_understood_for_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
