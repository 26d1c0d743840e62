/* base/conn: a connection in the clear. Where both sides must move at the same time
 * the client is a process of its own. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/line.h"

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
	assert_exits_well(server);
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
	assert_exits_well(client);
	conn_open(&line->conn, open("/dev/null", O_RDWR)); /* for cut() */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINE_TEST(lines_end_with_crlf_or_lf),
		LINE_TEST(a_line_may_come_octet_by_octet),
		LINE_TEST(the_limit_counts_a_line_without_its_end),
		LINE_TEST(the_longest_line_fits),
		LINE_TEST(a_long_line_is_refused_before_its_end_and_swallowed_to_it),
		LINE_TEST(what_follows_a_long_line_can_be_peeked_at),
		LINE_TEST(a_line_that_never_ends_breaks_the_connection),
		LINE_TEST(a_line_without_its_end_is_none),
		LINE_TEST(octets_are_peeked_at_and_consumed_between_lines),
		LINE_TEST(a_password_in_two_halves_can_be_forgotten),
		LINE_TEST(a_password_that_was_sent_can_be_forgotten),
		LINE_TEST(a_silent_client_times_out_and_that_sticks),
		LINE_TEST(a_deadline_counts_whatever_the_timeout_says),
		LINE_TEST(a_stopping_server_ends_the_wait_for_a_command_only),
		LINE_TEST(a_crowd_cuts_the_wait_under_way_short_and_is_told_once),
		LINE_TEST(who_is_waited_for_a_second_is_quiet_and_it_is_told_once),
		LINE_TEST(answers_wait_until_a_read_would),
		LINE_TEST(much_goes_out_whole_and_in_order),
		LINE_TEST(a_stored_message_goes_out_dotted_however_it_is_cut),
		LINE_TEST(a_deadline_of_writes_counts_whatever_is_taken_till_then),
		LINE_TEST(nothing_goes_out_of_a_connection_that_was_cut),
		LINE_TEST(a_client_that_does_not_read_times_out_but_is_heard),
		LINE_TEST(what_a_client_said_before_it_left_is_read),
		TCP_TEST(commands_before_a_reset_are_read),
		TCP_TEST(commands_before_a_reset_are_read_though_an_answer_failed),
		TCP_TEST(the_last_answer_reaches_a_client_that_is_still_sending),
	};
	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
