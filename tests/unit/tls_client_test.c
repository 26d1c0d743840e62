/* base/tls, base/conn: the client's side. */
#include "base/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/tls_server.h"

/* ---- versions and suites ---- */

static void old_versions_are_for_where_nothing_is_verified(void **state)
{
	static const unsigned versions[] = {BR_TLS10, BR_TLS11, BR_TLS12};
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(versions); i++) {
		struct server server = {.version = versions[i]};
		forget_trust(line);
		connect_to(line, &server);
		assert_met(line, start_tls(line, NAME));

		believe(line, "root.pem");
		connect_to(line, &server);
		int outcome = start_tls(line, NAME);
		if (versions[i] == BR_TLS12)
			assert_met(line, outcome);
		else
			assert_refused(line, outcome, ERR_GONE, "or of an old version");
	}
}

static void rsa_key_exchange_is_taken_and_3des_only_unverified(void **state)
{
	struct line *line = *state;
	struct server server = {.version = BR_TLS12, .suite = BR_TLS_RSA_WITH_AES_128_CBC_SHA};
	believe(line, "root.pem");
	connect_to(line, &server);
	assert_met(line, start_tls(line, NAME));

	server.suite = BR_TLS_RSA_WITH_3DES_EDE_CBC_SHA;
	connect_to(line, &server);
	assert_refused(line, start_tls(line, NAME), ERR_GONE, "no cipher suite");
	forget_trust(line);
	connect_to(line, &server);
	assert_met(line, start_tls(line, NAME));
}

/* ---- what goes wrong in a handshake ---- */

/* The other end of a connection without a process behind it. */
static int connect_to_nobody(struct line *line)
{
	int fds[2];
	hang_up(line);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	conn_open(&line->conn, fds[0]);
	return fds[1];
}

static void answers_that_are_no_tls_break_the_handshake(void **state)
{
	static const struct {
		struct slice answer;
		const char *words;
	} answers[] = {
		{{"220 mail.example ESMTP\r\n", 24}, "what came is no TLS, or"},
		{{"\x00\x00\x00\x00\x00", 5}, "what came is no TLS, or"},
		{{"\x15\x03\x01\x00\x02\x02\x46", 7}, "speaks no TLS 1.2"},
		{{"\x15\x03\x03\x00\x02\x02\x28", 7}, "no cipher suite"},
		{{"\x15\x03\x03\x00\x02\x02\x70", 7}, "refuses with TLS alert 112"},
		{{"\x16\x03\x03\x00\x04\x02\x00\x00\x00", 9}, "BearSSL's error"},
		{{"\x17\x03\x03\x00\x05NOOP\n", 10}, "BearSSL's error"},
		{{"\x16\x03\x03\xff\xff", 5}, "BearSSL's error"},
		{{"\x16\x03", 2}, "hung up in the handshake"},
		{{"", 0}, "hung up in the handshake"},
	};
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		int other = connect_to_nobody(line);
		struct slice answer = answers[i].answer;
		/* It answers when the hello is there: what came before is refused. */
		line->server = fork();
		if (line->server == 0) {
			char hello[1000];
			ssize_t heard = recv(other, hello, sizeof(hello), 0);
			_exit(heard <= 0 || send(other, answer.at, answer.len, 0) < 0);
		}
		close(other);
		assert_refused(line, start_tls(line, NAME), ERR_GONE, answers[i].words);
		assert_non_null(strstr(line->e.text, "TLS with " NAME ": "));
	}
}

static void words_before_tls_are_refused(void **state)
{
	struct line *line = *state;
	struct slice text;
	int other = connect_to_nobody(line);
	assert_int_equal(send(other, "220 go\r\n250 injected\r\n", 22, 0), 22);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE);
	int outcome = conn_start_tls_client(&line->conn, NULL, NAME, 100, &line->e);
	assert_refused(line, outcome, ERR_GONE, "it said more before TLS began");
	close(other);
}

static void silence_is_heard_until_the_time_is_over(void **state)
{
	struct line *line = *state;
	int other = connect_to_nobody(line);
	assert_int_equal(conn_start_tls_client(&line->conn, NULL, NAME, 20, &line->e), -1);
	assert_int_equal(line->conn.input, CONN_TIMEOUT);
	assert_int_equal(line->conn.output, CONN_TIMEOUT);
	assert_int_equal(line->e.kind, ERR_GONE);
	close(other);
}

static void a_name_too_long_for_tls_breaks_the_handshake(void **state)
{
	char name[301] = "";
	memset(name, 'a', 300);
	assert_refused(*state, meet(*state, "rsa", "rsa", name), ERR_GONE, "BearSSL's error");
}

/* ---- the connection ---- */

#define MUCH (3u * 1024 * 1024)

static int say_much(struct conn *conn)
{
	static char octets[MUCH];
	for (size_t i = 0; i < MUCH; i++)
		octets[i] = (char)(i * 31 + i / 4096);
	conn_write(conn, (struct slice){octets, MUCH});
	return echo(conn);
}

static void much_goes_both_ways(void **state)
{
	struct line *line = *state;
	size_t heard = 0, echoed = 0;
	believe(line, "root.pem");
	connect_to(line, &(struct server){.chain = "rsa_signed", .key = "rsa", .then = say_much});
	assert_int_equal(start_tls(line, NAME), 0);
	while (heard < MUCH) {
		struct slice part = conn_peek(&line->conn);
		assert_true(part.len > 0);
		for (size_t i = 0; i < part.len; i++, heard++)
			assert_int_equal(part.at[i], (char)(heard * 31 + heard / 4096));
		conn_consume(&line->conn, part.len);
	}
	static const char block[65536];
	for (int i = 0; i < 40; i++) {
		conn_write(&line->conn, (struct slice){block, sizeof(block)});
		while (echoed < sizeof(block) * (size_t)(i + 1)) {
			struct slice part = conn_peek(&line->conn);
			assert_true(part.len > 0);
			echoed += part.len;
			conn_consume(&line->conn, part.len);
		}
	}
}

static void the_client_says_close_notify(void **state)
{
	struct line *line = *state;
	assert_met(line, meet(line, "rsa", "rsa", NAME));
	conn_close(&line->conn);
	assert_int_equal(status_of(line->server), 0);
	line->server = 0;
}

static int say_goodbye(struct conn *conn)
{
	conn_write_text(conn, "221 bye\r\n");
	conn_close(conn);
	return 0;
}

static int drop(struct conn *conn)
{
	conn_write_text(conn, "221 bye\r\n");
	conn_flush(conn);
	return 0;
}

static void an_orderly_end_is_told_from_a_cut(void **state)
{
	struct line *line = *state;
	struct server server = {.chain = "ec256", .key = "ec256", .then = say_goodbye};
	struct slice text;
	connect_to(line, &server);
	assert_int_equal(start_tls(line, NAME), 0);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE_NONE);
	assert_int_equal(line->conn.input, CONN_CLOSED);

	server.then = drop;
	connect_to(line, &server);
	assert_int_equal(start_tls(line, NAME), 0);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE_NONE);
	assert_int_equal(line->conn.input, CONN_BROKEN);
}

static void a_sealed_process_can_do_it(void **state)
{
	static const char *const bundles[] = {"root.pem", NULL};
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(bundles); i++) {
		forget_trust(line);
		if (bundles[i])
			believe(line, bundles[i]);
		connect_to(
			line, &(struct server){.chain = "rsa_signed", .key = "rsa", .then = echo});
		pid_t parent = getpid(), client = fork();
		if (client == 0) {
			struct slice heard;
			if ((sandbox_is_sealed_build() && sandbox_prepare(&line->e) != 0) ||
				sandbox_take_account(
					&(struct sandbox_account){0}, parent, &line->e) != 0 ||
				sandbox_seal(SEAL_SESSION, &line->e) != 0)
				_exit(2);
			if (start_tls(line, NAME) != 0)
				_exit(3);
			conn_write_text(&line->conn, "NOOP\r\n");
			bool came = conn_read_line(&line->conn, 512, &heard) == CONN_LINE;
			conn_close(&line->conn);
			_exit(came ? 0 : 4);
		}
		assert_int_equal(status_of(client), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINE_TEST(old_versions_are_for_where_nothing_is_verified),
		LINE_TEST(rsa_key_exchange_is_taken_and_3des_only_unverified),
		LINE_TEST(answers_that_are_no_tls_break_the_handshake),
		LINE_TEST(words_before_tls_are_refused),
		LINE_TEST(silence_is_heard_until_the_time_is_over),
		LINE_TEST(a_name_too_long_for_tls_breaks_the_handshake),
		LINE_TEST(much_goes_both_ways),
		LINE_TEST(the_client_says_close_notify),
		LINE_TEST(an_orderly_end_is_told_from_a_cut),
		LINE_TEST(a_sealed_process_can_do_it),
	};
	return cmocka_run_group_tests_name("tls_client", tests, NULL, NULL);
}
