/* base/conn: a connection, in the clear and over TLS. Where both sides must
 * move at the same time the client is a process of its own. */
#include "base/conn.h"
#include "base/text.h"
#include "tests/unit/tls_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

struct line {
	struct conn conn;
	int client; /* the other end; -1: closed */
	struct slice text;
};

static int lay(void **state)
{
	struct line *line = calloc(1, sizeof(*line));
	int fds[2];
	if (line == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	conn_open(&line->conn, fds[0]);
	line->client = fds[1];
	*state = line;
	return 0;
}

static int cut(void **state)
{
	struct line *line = *state;
	if (line->client >= 0)
		close(line->client);
	conn_close(&line->conn);
	free(line);
	return 0;
}

static void client_leaves(struct line *line)
{
	close(line->client);
	line->client = -1;
}

static void client_says(struct line *line, struct slice octets)
{
	assert_int_equal(send(line->client, octets.at, octets.len, MSG_NOSIGNAL), octets.len);
}

/* What has reached the client by now, in one piece. */
static void client_has(struct line *line, const char *expected)
{
	char heard[200];
	ssize_t len = recv(line->client, heard, sizeof(heard), MSG_DONTWAIT);
	assert_int_equal(len < 0 ? 0 : len, strlen(expected));
	assert_memory_equal(heard, expected, strlen(expected));
}

static void assert_line(struct line *line, struct slice expected)
{
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE);
	assert_int_equal(line->text.len, expected.len);
	assert_memory_equal(line->text.at, expected.at, expected.len);
}

static void assert_end(struct line *line, enum conn_end how)
{
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE_NONE);
	assert_int_equal(line->conn.input, how);
	assert_int_equal(conn_peek(&line->conn).len, 0);
}

static void give_up_at_once(struct line *line)
{
	conn_set_timeouts(&line->conn, 1, 1);
}

/* ---- lines ---- */

static void lines_end_with_crlf_or_lf(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("NOOP\r\nQUIT\n\r\n\na\rb\r\r\n\0c\r\n"));
	assert_line(line, SLICE("NOOP"));
	assert_line(line, SLICE("QUIT"));
	assert_line(line, SLICE(""));
	assert_line(line, SLICE(""));
	assert_line(line, SLICE("a\rb\r"));
	assert_line(line, SLICE("\0c"));
}

static void a_line_may_come_octet_by_octet(void **state)
{
	struct line *line = *state;
	give_up_at_once(line);
	for (const char *octet = "NOOP\r"; *octet != '\0'; octet++) {
		client_says(line, (struct slice){octet, 1});
		assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE_NONE);
		assert_int_equal(line->conn.input, CONN_TIMEOUT);
		line->conn.input = CONN_OPEN; /* as if it had waited on */
	}
	client_says(line, SLICE("\nQ"));
	assert_line(line, SLICE("NOOP"));
	assert_int_equal(conn_buffered(&line->conn), 1);
}

static void the_limit_counts_a_line_without_its_end(void **state)
{
	struct line *line = *state;
	struct slice text;
	client_says(line, SLICE("12345\r\n12345\n123456\r\n123456\n1234\r\n"));
	assert_int_equal(conn_read_line(&line->conn, 5, &text), CONN_LINE);
	assert_int_equal(conn_read_line(&line->conn, 5, &text), CONN_LINE);
	assert_int_equal(conn_read_line(&line->conn, 5, &text), CONN_LINE_LONG);
	assert_int_equal(conn_read_line(&line->conn, 5, &text), CONN_LINE_LONG);
	assert_int_equal(conn_read_line(&line->conn, 5, &text), CONN_LINE);
	assert_true(slice_equal(text, SLICE("1234")));
}

static void the_longest_line_fits(void **state)
{
	struct line *line = *state;
	static char text[CONN_LINE_LIMIT + 2];
	struct slice read;
	memset(text, 'x', CONN_LINE_LIMIT);
	memcpy(text + CONN_LINE_LIMIT, "\r\n", 2);
	client_says(line, SLICE("NOOP\r\n"));
	client_says(line, (struct slice){text, sizeof(text)});
	assert_line(line, SLICE("NOOP"));
	assert_int_equal(conn_read_line(&line->conn, CONN_LINE_LIMIT, &read), CONN_LINE);
	assert_int_equal(read.len, CONN_LINE_LIMIT);
}

static void a_long_line_is_refused_before_its_end_and_swallowed_to_it(void **state)
{
	struct line *line = *state;
	static const char much[100000];
	struct slice text;
	client_says(line, (struct slice){much, 10});
	assert_int_equal(conn_read_line(&line->conn, 8, &text), CONN_LINE_LONG);
	client_says(line, (struct slice){much, sizeof(much)});
	client_says(line, SLICE("\r\nNOOP\r\n"));
	assert_int_equal(conn_read_line(&line->conn, 8, &text), CONN_LINE);
	assert_true(slice_equal(text, SLICE("NOOP")));
}

static void what_follows_a_long_line_can_be_peeked_at(void **state)
{
	struct line *line = *state;
	struct slice text;
	client_says(line, SLICE("1234567890"));
	assert_int_equal(conn_read_line(&line->conn, 5, &text), CONN_LINE_LONG);
	client_says(line, SLICE("1234567890\nbody"));
	assert_true(slice_equal(conn_peek(&line->conn), SLICE("body")));
}

static void a_line_that_never_ends_breaks_the_connection(void **state)
{
	struct line *line = *state;
	struct slice text;
	pid_t client = fork();
	if (client == 0) {
		static const char much[65536];
		close(line->conn.fd);
		while (send(line->client, much, sizeof(much), MSG_NOSIGNAL) > 0)
			;
		_exit(0);
	}
	client_leaves(line);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE_LONG);
	assert_end(line, CONN_BROKEN);
	shutdown(line->conn.fd, SHUT_RDWR);
	waitpid(client, NULL, 0);
}

static void a_line_without_its_end_is_none(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("NOOP\r\nQUIT"));
	client_leaves(line);
	assert_line(line, SLICE("NOOP"));
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE_NONE);
	assert_int_equal(line->conn.input, CONN_CLOSED);
}

static void octets_are_peeked_at_and_consumed_between_lines(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("BDAT 5\r\na\r\n\0bQUIT\r\n"));
	assert_line(line, SLICE("BDAT 5"));
	assert_true(slice_equal(conn_peek(&line->conn), SLICE("a\r\n\0bQUIT\r\n")));
	conn_consume(&line->conn, 2);
	conn_consume(&line->conn, 3);
	assert_int_equal(conn_buffered(&line->conn), 6);
	assert_line(line, SLICE("QUIT"));
	assert_int_equal(conn_buffered(&line->conn), 0);
	assert_int_equal(line->conn.octets_in, 19);
}

/* ---- waiting ---- */

static void a_password_in_two_halves_can_be_forgotten(void **state)
{
	struct line *line = *state;
	struct slice said = SLICE("USER ani@kantor.example\r\nPASS rahasia");
	give_up_at_once(line);
	client_says(line, said);
	assert_line(line, SLICE("USER ani@kantor.example"));
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE_NONE);
	line->conn.input = CONN_OPEN; /* as if it had waited on */
	client_says(line, SLICE("-ani\r\n"));
	assert_line(line, SLICE("PASS rahasia-ani"));
	conn_forget(&line->conn);
	assert_null(memmem(line->conn.in, said.len, "sia", 3));
	assert_null(memmem(line->conn.in, said.len, "ani", 3));
}

static void a_password_that_was_sent_can_be_forgotten(void **state)
{
	struct line *line = *state;
	conn_write_text(&line->conn, "rahasia-ani\r\n");
	assert_int_equal(conn_flush(&line->conn), 0);
	client_has(line, "rahasia-ani\r\n");
	assert_non_null(memmem(line->conn.out.at, line->conn.out.cap, "rahasia", 7));
	conn_write_text(&line->conn, "NOOP");
	conn_forget(&line->conn);
	assert_null(memmem(line->conn.out.at, line->conn.out.cap, "sia", 3));
	assert_int_equal(conn_flush(&line->conn), 0);
	client_has(line, "NOOP");
}

static void a_silent_client_times_out_and_that_sticks(void **state)
{
	struct line *line = *state;
	give_up_at_once(line);
	assert_end(line, CONN_TIMEOUT);
	client_says(line, SLICE("NOOP\r\n"));
	assert_end(line, CONN_TIMEOUT);
	assert_int_equal(line->conn.output, CONN_OPEN);
	conn_write_text(&line->conn, "421 too late\r\n");
	assert_int_equal(conn_flush(&line->conn), 0);
	client_has(line, "421 too late\r\n");
}

static void a_deadline_counts_whatever_the_timeout_says(void **state)
{
	struct line *line = *state;
	conn_set_deadline(&line->conn, text_monotonic_ms() - 1);
	client_says(line, SLICE("NOOP\r\n"));
	assert_line(line, SLICE("NOOP")); /* it was there in time */
	assert_end(line, CONN_TIMEOUT);
}

static void a_stopping_server_ends_the_wait_for_a_command_only(void **state)
{
	struct line *line = *state;
	int lifeline[2];
	assert_int_equal(pipe(lifeline), 0);
	close(lifeline[1]);
	line->conn.lifeline = lifeline[0];
	line->conn.idle = true;
	client_says(line, SLICE("NOOP\r\n"));
	assert_line(line, SLICE("NOOP"));
	assert_end(line, CONN_STOPPED);
	line->conn.idle = false;
	line->conn.input = CONN_OPEN;
	give_up_at_once(line);
	assert_end(line, CONN_TIMEOUT);
	close(lifeline[0]);
}

/* What a session does when it is told: it takes its times anew. */
static unsigned told;
static void give_up_when_told(void *line)
{
	told++;
	give_up_at_once(line);
}

static void a_crowd_cuts_the_wait_under_way_short_and_is_told_once(void **state)
{
	struct line *line = *state;
	int crowd[2];
	told = 0;
	assert_int_equal(pipe(crowd), 0);
	close(crowd[1]);
	line->conn.crowd = crowd[0];
	line->conn.on_crowd = give_up_when_told;
	line->conn.crowd_arg = line;
	client_says(line, SLICE("NOOP\r\n"));
	assert_line(line, SLICE("NOOP")); /* nothing is waited for */
	assert_int_equal(told, 0);
	assert_end(line, CONN_TIMEOUT); /* else it would take ten minutes */
	assert_int_equal(told, 1);
	line->conn.input = CONN_OPEN;
	assert_end(line, CONN_TIMEOUT);
	assert_int_equal(told, 1);
	close(crowd[0]);
}

static void count_quiet(void *arg)
{
	(*(int *)arg)++;
}

static void who_is_waited_for_a_second_is_quiet_and_it_is_told_once(void **state)
{
	struct line *line = *state;
	int quiet = 0;
	line->conn.on_quiet = count_quiet;
	line->conn.quiet_arg = &quiet;
	client_says(line, SLICE("NOOP\r\n"));
	assert_line(line, SLICE("NOOP"));
	assert_int_equal(quiet, 0);
	conn_set_timeouts(&line->conn, 2500, 2500);
	assert_end(line, CONN_TIMEOUT);
	assert_int_equal(quiet, 1);
}

/* ---- output ---- */

static void answers_wait_until_a_read_would(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("NOOP\r\nNOOP\r\n"));
	assert_line(line, SLICE("NOOP"));
	conn_write_text(&line->conn, "+OK 1\r\n");
	assert_line(line, SLICE("NOOP"));
	conn_write_text(&line->conn, "+OK 2\r\n");
	client_has(line, "");
	give_up_at_once(line);
	assert_end(line, CONN_TIMEOUT);
	client_has(line, "+OK 1\r\n+OK 2\r\n");
	assert_int_equal(line->conn.octets_out, 14);
}

static void much_goes_out_whole_and_in_order(void **state)
{
	struct line *line = *state;
	static const size_t sizes[] = {1, 100, 16383, 1, 16384, 5, 300000, 7, 7, 2000000, 3};
	static char octets[2000000];
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (char)(i * 31 + i / 4096);
	pid_t server = fork();
	if (server == 0) {
		close(line->client);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			conn_write(&line->conn, (struct slice){octets, sizes[i]});
		_exit(conn_flush(&line->conn) != 0);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		static char heard[sizeof(octets)];
		assert_int_equal(recv(line->client, heard, sizes[i], MSG_WAITALL), sizes[i]);
		assert_memory_equal(heard, octets, sizes[i]);
	}
	int status;
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
}

static void a_stored_message_goes_out_dotted_however_it_is_cut(void **state)
{
	struct line *line = *state;
	struct dot_writer dots = {0};
	conn_write_dotted(&line->conn, &dots, SLICE(".a\r\n"));
	conn_write_dotted(&line->conn, &dots, SLICE(""));
	conn_write_dotted(&line->conn, &dots, SLICE(".\r\nb"));
	conn_write_dotted(&line->conn, &dots, SLICE(".c\r\n"));
	assert_int_equal(conn_flush(&line->conn), 0);
	client_has(line, "..a\r\n..\r\nb.c\r\n");
}

static void a_deadline_of_writes_counts_whatever_is_taken_till_then(void **state)
{
	struct line *line = *state;
	static const char much[4000000];
	conn_set_write_deadline(&line->conn, text_monotonic_ms() - 1);
	conn_write_text(&line->conn, "QUIT\r\n");
	assert_int_equal(conn_flush(&line->conn), 0); /* nothing is waited for */
	conn_write(&line->conn, (struct slice){much, sizeof(much)});
	assert_int_equal(line->conn.output, CONN_TIMEOUT);
}

static void nothing_goes_out_of_a_connection_that_was_cut(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("250 wait\r\n"));
	conn_write_text(&line->conn, "half of a ");
	conn_cut(&line->conn);
	conn_write_text(&line->conn, "message");
	assert_end(line, CONN_BROKEN);
	conn_close(&line->conn);
	client_has(line, "");
	conn_open(&line->conn, open("/dev/null", O_RDWR)); /* for cut() */
}

static void a_client_that_does_not_read_times_out_but_is_heard(void **state)
{
	struct line *line = *state;
	static const char much[4000000];
	give_up_at_once(line);
	client_says(line, SLICE("DELE 1\r\nQUIT\r\n"));
	conn_write(&line->conn, (struct slice){much, sizeof(much)});
	assert_int_equal(line->conn.output, CONN_TIMEOUT);
	assert_int_equal(conn_flush(&line->conn), -1);
	assert_line(line, SLICE("DELE 1"));
	conn_write_text(&line->conn, "+OK\r\n");
	assert_line(line, SLICE("QUIT"));
	conn_set_timeouts(&line->conn, 600000, 600000);
	assert_end(line, CONN_TIMEOUT); /* nobody is waited for who cannot be answered */
}

static void what_a_client_said_before_it_left_is_read(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("DELE 1\r\nQUIT\r\n"));
	client_leaves(line);
	conn_write_text(&line->conn, "+OK hello\r\n");
	assert_int_equal(conn_flush(&line->conn), -1);
	assert_int_equal(line->conn.output, CONN_BROKEN);
	assert_line(line, SLICE("DELE 1"));
	assert_line(line, SLICE("QUIT"));
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE_NONE);
}

/* ---- over TCP ---- */

static int lay_tcp(void **state)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	struct line *line = calloc(1, sizeof(*line));
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	if (line == NULL || bind(listener, (struct sockaddr *)&address, len) != 0 ||
		listen(listener, 1) != 0 ||
		getsockname(listener, (struct sockaddr *)&address, &len) != 0)
		return -1;
	line->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* At once, or a reset would take with it what waits for Nagle. */
	setsockopt(line->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(line->client, (struct sockaddr *)&address, len) != 0)
		return -1;
	conn_open(&line->conn, accept(listener, NULL, NULL));
	close(listener);
	*state = line;
	return 0;
}

static void client_resets(struct line *line)
{
	struct linger at_once = {.l_onoff = 1};
	assert_int_equal(
		setsockopt(line->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	client_leaves(line);
}

static void commands_before_a_reset_are_read(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("DELE 1\r\nQUIT\r\n"));
	client_resets(line);
	assert_line(line, SLICE("DELE 1"));
	conn_write_text(&line->conn, "+OK\r\n");
	assert_line(line, SLICE("QUIT"));
	conn_write_text(&line->conn, "+OK\r\n");
	assert_end(line, CONN_BROKEN);
}

static void commands_before_a_reset_are_read_though_an_answer_failed(void **state)
{
	struct line *line = *state;
	client_says(line, SLICE("DELE 1\r\nQUIT\r\n"));
	client_resets(line);
	conn_write_text(&line->conn, "+OK\r\n");
	assert_int_equal(conn_flush(&line->conn), -1);
	assert_line(line, SLICE("DELE 1"));
	assert_line(line, SLICE("QUIT"));
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE_NONE);
}

static void the_last_answer_reaches_a_client_that_is_still_sending(void **state)
{
	struct line *line = *state;
	pid_t client = fork();
	if (client == 0) {
		static char octets[300000];
		close(line->conn.fd);
		ssize_t sent = send(line->client, octets, sizeof(octets), MSG_NOSIGNAL);
		ssize_t heard = recv(line->client, octets, 9, MSG_WAITALL);
		bool said = heard == 9 && memcmp(octets, "221 bye\r\n", 9) == 0;
		_exit(sent < 0 || !said || recv(line->client, octets, 1, 0) != 0);
	}
	close(line->client);
	line->client = -1;
	assert_true(conn_peek(&line->conn).len > 0);
	conn_write_text(&line->conn, "221 bye\r\n");
	conn_close(&line->conn);
	int status;
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_int_equal(status, 0);
	conn_open(&line->conn, open("/dev/null", O_RDWR)); /* for cut() */
}

/* ---- over TLS ---- */

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

static void assert_exits_well(pid_t client)
{
	int status;
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_int_equal(status, 0);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, lay, cut)
#define TCP(name)  cmocka_unit_test_setup_teardown(name, lay_tcp, cut)
	const struct CMUnitTest tests[] = {
		TEST(lines_end_with_crlf_or_lf),
		TEST(a_line_may_come_octet_by_octet),
		TEST(the_limit_counts_a_line_without_its_end),
		TEST(the_longest_line_fits),
		TEST(a_long_line_is_refused_before_its_end_and_swallowed_to_it),
		TEST(what_follows_a_long_line_can_be_peeked_at),
		TEST(a_line_that_never_ends_breaks_the_connection),
		TEST(a_line_without_its_end_is_none),
		TEST(octets_are_peeked_at_and_consumed_between_lines),
		TEST(a_password_in_two_halves_can_be_forgotten),
		TEST(a_password_that_was_sent_can_be_forgotten),
		TEST(a_silent_client_times_out_and_that_sticks),
		TEST(a_deadline_counts_whatever_the_timeout_says),
		TEST(a_stopping_server_ends_the_wait_for_a_command_only),
		TEST(a_crowd_cuts_the_wait_under_way_short_and_is_told_once),
		TEST(who_is_waited_for_a_second_is_quiet_and_it_is_told_once),
		TEST(answers_wait_until_a_read_would),
		TEST(much_goes_out_whole_and_in_order),
		TEST(a_stored_message_goes_out_dotted_however_it_is_cut),
		TEST(a_deadline_of_writes_counts_whatever_is_taken_till_then),
		TEST(nothing_goes_out_of_a_connection_that_was_cut),
		TEST(a_client_that_does_not_read_times_out_but_is_heard),
		TEST(what_a_client_said_before_it_left_is_read),
		TCP(commands_before_a_reset_are_read),
		TCP(commands_before_a_reset_are_read_though_an_answer_failed),
		TCP(the_last_answer_reaches_a_client_that_is_still_sending),
		TCP(lines_and_answers_go_over_tls),
		TCP(commands_before_a_reset_are_read_over_tls),
		TCP(much_goes_out_whole_over_tls),
		TEST(a_handshake_that_does_not_come_times_out),
		TEST(a_handshake_that_is_none_breaks_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
