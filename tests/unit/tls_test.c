/* base/tls: one connection, from the handshake to its end. The other side is a
 * client in the same process; each moves as far as it can, in turns. */
#include "tests/unit/tls_client.h"

#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Both ends of a connection. */
struct line {
	int fds[2];
	struct tls_chain *chain;
	struct tls_key *key;
	struct tls *server;
	struct tls_client client;
};

static int lay(void **state)
{
	*state = calloc(1, sizeof(struct line));
	return *state == NULL;
}

static void release(struct line *line)
{
	tls_free(line->server);
	tls_chain_free(line->chain);
	tls_key_free(line->key);
	for (int i = 0; i < 2; i++)
		if (line->fds[i] > 0)
			close(line->fds[i]);
}

static int cut(void **state)
{
	release(*state);
	free(*state);
	return 0;
}

static void begin(struct line *line, const char *name, tls_sign_fn sign)
{
	char file[40];
	struct err e;
	release(line);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, line->fds), 0);
	snprintf(file, sizeof(file), "%s.pem", name);
	line->chain = tls_client_read_chain(file, &e);
	assert_non_null(line->chain);
	snprintf(file, sizeof(file), "%s.key", name);
	line->key = tls_client_read_key(file, &e);
	assert_non_null(line->key);
	line->server = tls_server_new(line->chain, sign, line->key);
	tls_client_start(&line->client, line->fds[1], line->chain);
}

/* What the server's handshake came to. */
static long shake_hands(struct line *line)
{
	tls_client_hello(&line->client);
	for (;;) {
		bool moved = tls_client_step(&line->client);
		long outcome = tls_handshake(line->server, line->fds[0]);
		moved |= tls_client_step(&line->client);
		if (outcome != TLS_WANT_READ && outcome != TLS_WANT_WRITE)
			return outcome;
		assert_true(moved);
	}
}

static void connect_with(struct line *line, const char *name)
{
	begin(line, name, tls_client_sign);
	assert_int_equal(shake_hands(line), 1);
	tls_client_step(&line->client);
}

static void client_says(struct line *line, struct slice octets)
{
	assert_int_equal(tls_client_write(&line->client, octets.at, octets.len), octets.len);
	tls_client_step(&line->client);
}

static void server_says(struct line *line, struct slice octets)
{
	assert_int_equal(tls_write(line->server, line->fds[0], octets.at, octets.len), octets.len);
	assert_int_equal(tls_flush(line->server, line->fds[0]), 1);
	tls_client_step(&line->client);
}

static void server_hears(struct line *line, struct slice expected)
{
	char heard[100];
	long len = tls_read(line->server, line->fds[0], heard, sizeof(heard));
	assert_int_equal(len, expected.len);
	assert_memory_equal(heard, expected.at, expected.len);
}

static void client_hears(struct line *line, struct slice expected)
{
	char heard[100];
	assert_int_equal(tls_client_read(&line->client, heard, sizeof(heard)), expected.len);
	assert_memory_equal(heard, expected.at, expected.len);
}

static void greet_both_ways(struct line *line)
{
	client_says(line, SLICE("NOOP\r\n"));
	server_hears(line, SLICE("NOOP\r\n"));
	server_says(line, SLICE("+OK\r\n"));
	client_hears(line, SLICE("+OK\r\n"));
}

static uint16_t agreed_suite(const struct line *line)
{
	return line->client.client.eng.session.cipher_suite;
}

static const struct {
	uint16_t id;
	bool ec;
} suites[] = {
	{BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, true},
	{BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, false},
	{BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true},
	{BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false},
	{BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true},
	{BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, false},
	{BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, true},
	{BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, false},
	{BR_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, true},
	{BR_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384, false},
	{BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, true},
	{BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, false},
	{BR_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, true},
	{BR_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, false},
};

static void every_suite_works_with_its_kind_of_key_and_no_other(void **state)
{
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(suites); i++) {
		begin(line, suites[i].ec ? "ec256" : "rsa", tls_client_sign);
		br_ssl_engine_set_suites(&line->client.client.eng, &suites[i].id, 1);
		assert_int_equal(shake_hands(line), 1);
		assert_int_equal(agreed_suite(line), suites[i].id);
		greet_both_ways(line);

		begin(line, suites[i].ec ? "rsa" : "ec256", tls_client_sign);
		br_ssl_engine_set_suites(&line->client.client.eng, &suites[i].id, 1);
		assert_int_equal(shake_hands(line), TLS_BROKEN);
	}
}

static void every_kind_of_key_works(void **state)
{
	static const char *const names[] = {"rsa", "rsa4096", "ec256", "ec384", "ec521"};
	for (size_t i = 0; i < COUNT(names); i++) {
		connect_with(*state, names[i]);
		greet_both_ways(*state);
	}
}

static void cbc_is_taken_only_from_a_client_that_has_nothing_else(void **state)
{
	static const uint16_t cbc_first[] = {0xC00A, 0xC024, 0xC009, 0xC023, 0xC02C};
	struct line *line = *state;
	begin(line, "ec256", tls_client_sign);
	br_ssl_engine_set_suites(&line->client.client.eng, cbc_first, COUNT(cbc_first));
	assert_int_equal(shake_hands(line), 1);
	assert_int_equal(agreed_suite(line), BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
}

static void suites_without_forward_secrecy_are_refused(void **state)
{
	static const uint16_t plain_rsa[] = {0x009C, 0x009D, 0x003C, 0x002F, 0x000A};
	struct line *line = *state;
	begin(line, "rsa", tls_client_sign);
	br_ssl_engine_set_suites(&line->client.client.eng, plain_rsa, COUNT(plain_rsa));
	assert_int_equal(shake_hands(line), TLS_BROKEN);
}

static void tls_before_1_2_is_refused(void **state)
{
	static const unsigned versions[] = {BR_TLS10, BR_TLS11};
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(versions); i++) {
		begin(line, "rsa", tls_client_sign);
		br_ssl_engine_set_versions(&line->client.client.eng, versions[i], versions[i]);
		assert_int_equal(shake_hands(line), TLS_BROKEN);
	}
}

static size_t refuse_to_sign(
	void *arg, const struct tls_signing *what, unsigned char signature[TLS_SIGNATURE_MAX])
{
	(void)arg;
	(void)what;
	(void)signature;
	return 0;
}

static void a_key_that_does_not_sign_ends_the_handshake(void **state)
{
	begin(*state, "ec256", refuse_to_sign);
	assert_int_equal(shake_hands(*state), TLS_BROKEN);
}

/* BearSSL's own client ends the session over it; others go on. */
static void renegotiation_is_answered_with_no_renegotiation(void **state)
{
	struct line *line = *state;
	br_ssl_engine_context *client = &line->client.client.eng;
	char octet;
	connect_with(line, "ec256");
	assert_true(br_ssl_engine_renegotiate(client));
	tls_client_step(&line->client);
	assert_int_equal(tls_read(line->server, line->fds[0], &octet, 1), TLS_WANT_READ);
	assert_int_equal(tls_flush(line->server, line->fds[0]), 1);
	tls_client_step(&line->client);
	assert_int_equal(br_ssl_engine_last_error(client),
		BR_ERR_RECV_FATAL_ALERT + BR_ALERT_NO_RENEGOTIATION);
	assert_int_equal(tls_read(line->server, line->fds[0], &octet, 1), TLS_WANT_READ);
	assert_int_equal(tls_write(line->server, line->fds[0], "+OK", 3), 3);
}

static void octets_that_are_no_hello_break_the_handshake(void **state)
{
	static const struct slice words[] = {
		{"EHLO me.example\r\nMAIL FROM:<a@b.example>\r\n", 41},
		{"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", 10}, /* a ServerHello */
		{"\x15\x03\x03\x00\x02\x02\x28", 7},              /* an alert */
		{"\x17\x03\x03\x00\x05NOOP\n", 10},               /* words of the session */
		{"\x16\x03\x01\xff\xff", 5},                      /* a record too long */
	};
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(words); i++) {
		begin(line, "ec256", tls_client_sign);
		assert_int_equal(send(line->fds[1], words[i].at, words[i].len, 0), words[i].len);
		assert_int_equal(tls_handshake(line->server, line->fds[0]), TLS_BROKEN);
		assert_int_equal(tls_handshake(line->server, line->fds[0]), TLS_BROKEN);
	}
}

static void a_client_that_leaves_in_the_handshake_breaks_it(void **state)
{
	struct line *line = *state;
	begin(line, "ec256", tls_client_sign);
	assert_int_equal(send(line->fds[1], "\x16\x03\x01", 3, 0), 3);
	assert_int_equal(tls_handshake(line->server, line->fds[0]), TLS_WANT_READ);
	close(line->fds[1]);
	line->fds[1] = -1;
	assert_int_equal(tls_handshake(line->server, line->fds[0]), TLS_BROKEN);
}

#define MUCH (3u * 1024 * 1024)

/* An octet that tells where it stands. */
static unsigned char octet_at(size_t position)
{
	return (unsigned char)(position * 31 + position / 4096);
}

static void much_goes_both_ways_at_once(void **state)
{
	struct line *line = *state;
	static unsigned char octets[MUCH], part[5000];
	size_t from_server = 0, to_client = 0, from_client = 0, to_server = 0;
	for (size_t i = 0; i < MUCH; i++)
		octets[i] = octet_at(i);
	connect_with(line, "ec256");
	while (to_client < MUCH || to_server < MUCH) {
		from_client +=
			tls_client_write(&line->client, octets + from_client, MUCH - from_client);
		tls_client_step(&line->client);
		for (size_t len; (len = tls_client_read(&line->client, part, sizeof(part))) > 0;
			to_client += len)
			assert_memory_equal(part, octets + to_client, len);
		if (from_server < MUCH) {
			long moved = tls_write(line->server, line->fds[0], octets + from_server,
				MUCH - from_server);
			assert_true(moved > 0 || moved == TLS_WANT_WRITE);
			from_server += moved > 0 ? (size_t)moved : 0;
		} else {
			tls_flush(line->server, line->fds[0]);
		}
		long got = tls_read(line->server, line->fds[0], part, sizeof(part));
		assert_true(got > 0 || got == TLS_WANT_READ);
		if (got > 0) {
			assert_memory_equal(part, octets + to_server, (size_t)got);
			to_server += (size_t)got;
		}
	}
}

static void what_is_written_waits_for_the_flush(void **state)
{
	struct line *line = *state;
	connect_with(line, "ec256");
	assert_int_equal(tls_write(line->server, line->fds[0], "+OK", 3), 3);
	assert_int_equal(tls_write(line->server, line->fds[0], "\r\n", 2), 2);
	assert_false(tls_client_step(&line->client));
	assert_int_equal(tls_flush(line->server, line->fds[0]), 1);
	tls_client_step(&line->client);
	client_hears(line, SLICE("+OK\r\n"));
}

static void octets_decrypted_and_not_read_are_pending(void **state)
{
	struct line *line = *state;
	char octet;
	connect_with(line, "ec256");
	client_says(line, SLICE("QUIT"));
	assert_int_equal(tls_pending(line->server), 0);
	assert_int_equal(tls_read(line->server, line->fds[0], &octet, 1), 1);
	assert_int_equal(tls_pending(line->server), 3);
	server_hears(line, SLICE("UIT"));
	assert_int_equal(tls_pending(line->server), 0);
}

static void close_notify_ends_the_input_behind_what_was_said(void **state)
{
	struct line *line = *state;
	char octet;
	connect_with(line, "ec256");
	client_says(line, SLICE("QUIT\r\n"));
	br_ssl_engine_close(&line->client.client.eng);
	tls_client_step(&line->client);
	server_hears(line, SLICE("QUIT\r\n"));
	assert_int_equal(tls_read(line->server, line->fds[0], &octet, 1), TLS_END);
	assert_int_equal(tls_read(line->server, line->fds[0], &octet, 1), TLS_END);
}

static void the_server_says_close_notify_as_well(void **state)
{
	struct line *line = *state;
	connect_with(line, "ec256");
	tls_close(line->server, line->fds[0]);
	tls_client_step(&line->client);
	assert_int_equal(br_ssl_engine_current_state(&line->client.client.eng), BR_SSL_CLOSED);
	assert_int_equal(br_ssl_engine_last_error(&line->client.client.eng), BR_ERR_OK);
}

static void an_end_without_close_notify_is_no_orderly_one(void **state)
{
	struct line *line = *state;
	char octet;
	connect_with(line, "ec256");
	client_says(line, SLICE("QUIT\r\n"));
	close(line->fds[1]);
	line->fds[1] = -1;
	server_hears(line, SLICE("QUIT\r\n"));
	assert_int_equal(tls_read(line->server, line->fds[0], &octet, 1), TLS_BROKEN);
}

static void a_record_that_was_changed_is_not_handed_out(void **state)
{
	struct line *line = *state;
	unsigned char record[200], octet;
	connect_with(line, "ec256");
	client_says(line, SLICE("QUIT\r\n"));
	ssize_t len = recv(line->fds[0], record, sizeof(record), 0);
	assert_true(len > 20);
	record[len - 20] ^= 1;
	assert_int_equal(send(line->fds[1], record, (size_t)len, 0), len);
	assert_int_equal(tls_read(line->server, line->fds[0], &octet, 1), TLS_BROKEN);
}

/* More than the socket and the engine hold: the answer is stuck half way. */
static void fill_the_way_out(struct line *line)
{
	static const char much[16384];
	long outcome;
	do {
		outcome = tls_write(line->server, line->fds[0], much, sizeof(much));
	} while (outcome > 0);
	assert_int_equal(outcome, TLS_WANT_WRITE);
}

static void what_a_client_said_before_it_left_is_read(void **state)
{
	struct line *line = *state;
	char octet;
	connect_with(line, "ec256");
	fill_the_way_out(line);
	client_says(line, SLICE("DELE 1\r\n"));
	client_says(line, SLICE("QUIT\r\n"));
	close(line->fds[1]);
	line->fds[1] = -1;
	assert_int_equal(tls_flush(line->server, line->fds[0]), TLS_BROKEN);
	tls_discard_output(line->server);
	server_hears(line, SLICE("DELE 1\r\n"));
	assert_int_equal(tls_write(line->server, line->fds[0], "+OK", 3), TLS_BROKEN);
	assert_int_equal(tls_flush(line->server, line->fds[0]), TLS_BROKEN);
	server_hears(line, SLICE("QUIT\r\n"));
	assert_int_equal(tls_read(line->server, line->fds[0], &octet, 1), TLS_BROKEN);
}

/* From here on open(2) kills; a build without a filter goes on without. */
static bool forbid_to_open(void)
{
#ifdef UNSEALED
	return true;
#else
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	(void)seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(open), 0); /* not on arm64 */
	return seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(openat), 0) == 0 &&
	       seccomp_load(filter) == 0;
#endif
}

static void a_handshake_opens_no_file(void **state)
{
	struct line *line = *state;
	begin(line, "ec256", tls_client_sign);
	tls_free(line->server);
	line->server = NULL;
	pid_t child = fork();
	if (child == 0) {
		if (!forbid_to_open())
			_exit(2);
		line->server = tls_server_new(line->chain, tls_client_sign, line->key);
		_exit(shake_hands(line) != 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lay, cut)
	const struct CMUnitTest tests[] = {
		TEST(every_suite_works_with_its_kind_of_key_and_no_other),
		TEST(every_kind_of_key_works),
		TEST(cbc_is_taken_only_from_a_client_that_has_nothing_else),
		TEST(suites_without_forward_secrecy_are_refused),
		TEST(tls_before_1_2_is_refused),
		TEST(a_key_that_does_not_sign_ends_the_handshake),
		TEST(renegotiation_is_answered_with_no_renegotiation),
		TEST(octets_that_are_no_hello_break_the_handshake),
		TEST(a_client_that_leaves_in_the_handshake_breaks_it),
		TEST(much_goes_both_ways_at_once),
		TEST(what_is_written_waits_for_the_flush),
		TEST(octets_decrypted_and_not_read_are_pending),
		TEST(close_notify_ends_the_input_behind_what_was_said),
		TEST(the_server_says_close_notify_as_well),
		TEST(an_end_without_close_notify_is_no_orderly_one),
		TEST(a_record_that_was_changed_is_not_handed_out),
		TEST(what_a_client_said_before_it_left_is_read),
		TEST(a_handshake_opens_no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
