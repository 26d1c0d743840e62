/* base/conn: a connection over TLS. The client is a process of its own. */
#include "tests/unit/tls_client.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/line.h"

static struct tls_client tls;

static void client_turns(struct line *line, bool (*is_done)(void))
{
	struct pollfd polled = {.fd = line->client, .events = POLLIN};
	while (!is_done()) {
		tls_client_step(&tls);
		if (!is_done())
			poll(&polled, 1, 10);
	}
}

static bool has_answer(void)
{
	return (br_ssl_engine_current_state(&tls.client.eng) & (BR_SSL_RECVAPP | BR_SSL_CLOSED)) !=
	       0;
}

static bool can_say(void)
{
	return (br_ssl_engine_current_state(&tls.client.eng) & (BR_SSL_SENDAPP | BR_SSL_CLOSED)) !=
	       0;
}

static bool has_sent(void)
{
	return (br_ssl_engine_current_state(&tls.client.eng) & BR_SSL_SENDREC) == 0;
}

/* A record of its own. */
static void client_says_by_tls(struct line *line, const char *text)
{
	client_turns(line, can_say);
	tls_client_write(&tls, text, strlen(text));
	client_turns(line, has_sent);
}

/* A client process that shakes hands, then does `then`, whose answer is its
 * exit status; the server's side of it stays here. */
static pid_t start_tls(struct line *line, int (*then)(struct line *line))
{
	struct err e;
	struct tls_chain *chain = tls_client_read_chain("ec256.pem", &e);
	struct tls_key *key = tls_client_read_key("ec256.key", &e);
	assert_non_null(chain);
	assert_non_null(key);
	pid_t client = fork();
	if (client == 0) {
		close(line->conn.fd);
		tls_client_start(&tls, line->client, chain);
		tls_client_hello(&tls);
		client_turns(line, can_say);
		_exit(then(line));
	}
	client_leaves(line);
	assert_int_equal(conn_start_tls(&line->conn, chain, tls_client_sign, key, 60000), 0);
	tls_chain_free(chain);
	tls_key_free(key);
	return client;
}

static int talk(struct line *line)
{
	char heard[100];
	size_t len = 0;
	client_says_by_tls(line, "NOOP\r\nNO");
	client_says_by_tls(line, "OP\r\n");
	do {
		client_turns(line, has_answer);
		len += tls_client_read(&tls, heard + len, sizeof(heard) - len);
	} while (len < 14);
	br_ssl_engine_close(&tls.client.eng);
	tls_client_step(&tls);
	return memcmp(heard, "+OK 1\r\n+OK 2\r\n", 14) != 0;
}

static void lines_and_answers_go_over_tls(void **state)
{
	struct line *line = *state;
	pid_t client = start_tls(line, talk);
	assert_line(line, SLICE("NOOP"));
	conn_write_text(&line->conn, "+OK 1\r\n");
	assert_line(line, SLICE("NOOP"));
	conn_write_text(&line->conn, "+OK 2\r\n");
	assert_end(line, CONN_CLOSED);
	assert_exits_well(client);
}

static int quit_and_reset(struct line *line)
{
	client_says_by_tls(line, "DELE 1\r\n");
	client_says_by_tls(line, "QUIT\r\n");
	client_resets(line);
	return 0;
}

static void commands_before_a_reset_are_read_over_tls(void **state)
{
	struct line *line = *state;
	static const char much[4000000];
	assert_exits_well(start_tls(line, quit_and_reset));
	conn_write(&line->conn, (struct slice){much, sizeof(much)});
	assert_int_equal(line->conn.output, CONN_BROKEN);
	assert_line(line, SLICE("DELE 1"));
	assert_line(line, SLICE("QUIT"));
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE_NONE);
}

static int take_much(struct line *line)
{
	static char heard[65536];
	size_t taken = 0;
	while (taken < 3000000) {
		client_turns(line, has_answer);
		size_t len = tls_client_read(&tls, heard, sizeof(heard));
		for (size_t i = 0; i < len; i++)
			if (heard[i] != (char)((taken + i) * 31))
				return 1;
		taken += len;
		if (len == 0)
			return 1;
	}
	return 0;
}

static void much_goes_out_whole_over_tls(void **state)
{
	struct line *line = *state;
	static char octets[3000000];
	struct slice rest = {octets, sizeof(octets)};
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (char)(i * 31);
	pid_t client = start_tls(line, take_much);
	for (size_t piece = 1; rest.len > 0; piece = piece * 3 + 1) {
		struct slice part = {rest.at, piece < rest.len ? piece : rest.len};
		conn_write(&line->conn, part);
		rest = slice_from(rest, part.len);
	}
	assert_int_equal(conn_flush(&line->conn), 0);
	assert_exits_well(client);
}

static void assert_no_handshake(struct line *line, int64_t timeout_ms, enum conn_end how)
{
	struct err e;
	struct tls_chain *chain = tls_client_read_chain("ec256.pem", &e);
	struct tls_key *key = tls_client_read_key("ec256.key", &e);
	assert_int_equal(conn_start_tls(&line->conn, chain, tls_client_sign, key, timeout_ms), -1);
	assert_int_equal(line->conn.input, how);
	assert_int_equal(line->conn.output, how);
	assert_int_equal(conn_flush(&line->conn), -1);
	assert_end(line, how);
	tls_chain_free(chain);
	tls_key_free(key);
}

static void a_handshake_that_does_not_come_times_out(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("\x16\x03\x01"));
	assert_no_handshake(line, 1, CONN_TIMEOUT);
}

static void a_handshake_that_is_none_breaks_the_connection(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("CAPA\r\n"));
	assert_no_handshake(line, 60000, CONN_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(lines_and_answers_go_over_tls),
		TCP_TEST(commands_before_a_reset_are_read_over_tls),
		TCP_TEST(much_goes_out_whole_over_tls),
		LINE_TEST(a_handshake_that_does_not_come_times_out),
		LINE_TEST(a_handshake_that_is_none_breaks_the_connection),
	};
	return cmocka_run_group_tests_name("conn_tls", tests, NULL, NULL);
}
