/* base/dialog: the command loop, with a protocol of five words. */
#include "base/dialog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

enum { BEFORE, INSIDE };
#define HAS_NAME 2u

struct session {
	struct conn conn;
	int client;
	struct dialog dialog;
	unsigned asked;     /* calls of before_command */
	const char *doomed; /* the verb that before_run ends the session at */
};

static int run_open(void *arg, struct slice argument)
{
	struct session *session = arg;
	(void)argument;
	conn_write_text(&session->conn, "open ");
	return INSIDE;
}

static int run_name(void *arg, struct slice argument)
{
	struct session *session = arg;
	conn_write_text(&session->conn, "name<");
	conn_write(&session->conn, argument);
	conn_write_text(&session->conn, "> ");
	session->dialog.has |= HAS_NAME;
	return DIALOG_STAY;
}

static int run_list(void *arg, struct slice argument)
{
	struct session *session = arg;
	conn_write_text(&session->conn, "list<");
	conn_write(&session->conn, argument);
	conn_write_text(&session->conn, "> ");
	return DIALOG_STAY;
}

static int run_bad(void *arg, struct slice argument)
{
	struct session *session = arg;
	(void)argument;
	conn_write_text(&session->conn, "bad ");
	session->dialog.faults++;
	return DIALOG_STAY;
}

static int run_quit(void *arg, struct slice argument)
{
	struct session *session = arg;
	(void)argument;
	conn_write_text(&session->conn, "bye");
	return DIALOG_END;
}

#define EVERYWHERE (1 << BEFORE | 1 << INSIDE)
static const struct dialog_command commands[] = {
	{"OPEN", 1 << BEFORE, 0, DIALOG_TLS, ARGUMENT_NONE, run_open, NULL},
	{"NAME", EVERYWHERE, 0, 0, ARGUMENT_REQUIRED, run_name, NULL},
	{"LIST", 1 << INSIDE, HAS_NAME, 0, ARGUMENT_OPTIONAL, run_list, NULL},
	{"BAD", EVERYWHERE, 0, 0, ARGUMENT_OPTIONAL, run_bad, NULL},
	{"QUIT", EVERYWHERE, 0, 0, ARGUMENT_NONE, run_quit, NULL},
	{0},
};

static void refuse(void *arg, enum dialog_fault fault, const struct dialog_command *command)
{
	static const char *const words[] = {
		[DIALOG_UNKNOWN_VERB] = "unknown",
		[DIALOG_LINE_TOO_LONG] = "long",
		[DIALOG_BAD_OCTET] = "octet",
		[DIALOG_WRONG_STATE] = "state",
		[DIALOG_LACKS] = "lacks",
		[DIALOG_FORBIDDEN] = "forbidden",
		[DIALOG_ARGUMENT] = "argument",
		[DIALOG_OTHER_PROTOCOL] = "other",
		[DIALOG_TOO_MANY_FAULTS] = "enough",
		[DIALOG_TIMEOUT] = "timeout",
		[DIALOG_STOPPED] = "stopped",
	};
	struct session *session = arg;
	conn_write_text(&session->conn, words[fault]);
	if (command != NULL) {
		conn_write_text(&session->conn, ":");
		conn_write_text(&session->conn, command->verb);
	}
	conn_write_text(&session->conn, " ");
}

static void before_command(void *arg)
{
	struct session *session = arg;
	session->asked++;
}

static int before_run(void *arg, const struct dialog_command *command)
{
	struct session *session = arg;
	if (session->doomed == NULL || strcmp(session->doomed, command->verb) != 0)
		return DIALOG_STAY;
	conn_write_text(&session->conn, "doomed");
	return DIALOG_END;
}

static int lay(void **state)
{
	struct session *session = calloc(1, sizeof(*session));
	int fds[2];
	if (session == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	conn_open(&session->conn, fds[0]);
	session->client = fds[1];
	session->dialog = (struct dialog){
		.conn = &session->conn,
		.session = session,
		.commands = commands,
		.state = BEFORE,
		.line_limit = 40,
		.faults_allowed = 3,
		.refuse = refuse,
		.before_command = before_command,
		.before_run = before_run,
	};
	*state = session;
	return 0;
}

static int cut(void **state)
{
	struct session *session = *state;
	close(session->client);
	conn_close(&session->conn);
	free(session);
	return 0;
}

static void says(struct session *session, struct slice octets)
{
	assert_int_equal(send(session->client, octets.at, octets.len, MSG_NOSIGNAL), octets.len);
}

/* Runs the dialog to its end and compares everything that was answered. */
static void assert_answers(struct session *session, const char *expected)
{
	char heard[400];
	dialog_run(&session->dialog);
	ssize_t len = recv(session->client, heard, sizeof(heard) - 1, MSG_DONTWAIT);
	heard[len < 0 ? 0 : len] = '\0';
	assert_string_equal(heard, expected);
}

/* All of what a client says, and then nothing more. */
static void assert_dialog(void **state, struct slice said, const char *expected)
{
	struct session *session = *state;
	says(session, said);
	shutdown(session->client, SHUT_WR);
	assert_answers(session, expected);
}

static void a_verb_is_found_whatever_its_letters_are(void **state)
{
	assert_dialog(
		state, SLICE("open\r\nNaMe x\r\nLIST\r\nqUIT\r\n"), "open name<x> list<> bye");
}

static void the_argument_is_exact_behind_one_blank(void **state)
{
	assert_dialog(state, SLICE("NAME  a b \r\nNAME\tc\r\nname \xc3\xa9\t\r\nQUIT\r\n"),
		"name< a b > name<c> name<\xc3\xa9\t> bye");
}

static void arguments_are_asked_for_as_the_column_says(void **state)
{
	assert_dialog(state, SLICE("OPEN x\r\nNAME\r\nNAME  \t\r\nOPEN \r\nQUIT  \r\n"),
		"argument:OPEN argument:NAME argument:NAME open bye");
}

static void what_stands_in_no_row_is_unknown(void **state)
{
	assert_dialog(state, SLICE("\r\nOPE\r\n OPEN\r\n"), "unknown unknown unknown ");
}

static void only_the_whole_word_is_the_verb(void **state)
{
	assert_dialog(state, SLICE("OPENED\r\nOPEN:x\r\nQUIT\r\n"), "unknown unknown bye");
}

static void states_needs_and_forbids_are_kept(void **state)
{
	struct session *session = *state;
	session->dialog.faults_allowed = 9;
	assert_dialog(state, SLICE("LIST\r\nOPEN\r\nOPEN\r\nLIST\r\nNAME x\r\nLIST\r\n"),
		"state:LIST open state:OPEN lacks:LIST name<x> list<> ");
}

static void what_forbids_is_looked_at_before_the_argument(void **state)
{
	struct session *session = *state;
	session->dialog.has = DIALOG_TLS;
	assert_false(dialog_allows(&session->dialog, &commands[0]));
	assert_true(dialog_allows(&session->dialog, &commands[1]));
	assert_false(dialog_allows(&session->dialog, &commands[2]));
	assert_dialog(state, SLICE("OPEN x\r\n"), "forbidden:OPEN ");
}

static void a_line_with_a_nul_or_a_cr_does_nothing(void **state)
{
	assert_dialog(state, SLICE("QUIT\0\r\nNAME a\rb\r\nQUIT\r\r\n"), "octet octet octet ");
}

static void a_line_too_long_does_nothing(void **state)
{
	assert_dialog(state,
		SLICE("QUIT                                     \r\n"
		      "NAME                                    x\r\n"
		      "NAME                                   x\r\n"),
		"long long name<                                  x> ");
}

static void one_fault_more_than_allowed_ends_the_session(void **state)
{
	assert_dialog(state, SLICE("X\r\nOPEN\r\nBAD\r\nX\r\nBAD\r\nQUIT\r\n"),
		"unknown open bad unknown bad enough ");
}

static void a_browser_is_sent_away(void **state)
{
	assert_dialog(state, SLICE("GET / HTTP/1.1\r\nQUIT\r\n"), "other ");
}

static void a_browser_is_sent_away_by_any_of_its_lines(void **state)
{
	static const char *const lines[] = {"POST /", "get /", "PUT x", "HEAD /", "OPTIONS *",
		"CONNECT a:25", "Host: kantor.example", "PRI * HTTP/2.0"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct session *session = *state;
		says(session, slice_of(lines[i]));
		says(session, SLICE("\r\n"));
		session->dialog.state = BEFORE;
		assert_answers(session, "other ");
	}
}

/* Which has no line end, and whose sender waits. */
static void a_tls_hello_in_the_clear_is_sent_away(void **state)
{
	struct session *session = *state;
	says(session, SLICE("\x16\x03\x01\x02"));
	assert_answers(session, "other ");
}

static void silence_is_answered_once_and_ends_the_session(void **state)
{
	struct session *session = *state;
	conn_set_timeouts(&session->conn, 1, 1);
	says(session, SLICE("OPEN\r\nQUI"));
	assert_answers(session, "open timeout ");
}

static void a_stopping_server_answers_what_has_arrived_and_ends(void **state)
{
	struct session *session = *state;
	int lifeline[2];
	assert_int_equal(pipe(lifeline), 0);
	close(lifeline[1]);
	session->conn.lifeline = lifeline[0];
	says(session, SLICE("OPEN\r\nNAME x\r\nQUI"));
	assert_answers(session, "open name<x> stopped ");
	close(lifeline[0]);
}

static void the_session_is_asked_before_every_read_and_every_run(void **state)
{
	struct session *session = *state;
	session->doomed = "NAME";
	assert_dialog(state, SLICE("OPEN\r\nX\r\nNAME\r\nNAME x\r\nQUIT\r\n"),
		"open unknown argument:NAME doomed");
	assert_int_equal(session->asked, 4);
}

static void a_client_that_has_left_is_still_obeyed(void **state)
{
	struct session *session = *state;
	says(session, SLICE("OPEN\r\nNAME x\r\nQUIT\r\n"));
	close(session->client);
	session->client = -1;
	conn_write_text(&session->conn, "hello");
	assert_int_equal(conn_flush(&session->conn), -1);
	dialog_run(&session->dialog);
	assert_int_equal(session->dialog.state, DIALOG_END);
	assert_int_equal(session->dialog.has, HAS_NAME);
	assert_int_equal(conn_buffered(&session->conn), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lay, cut)
	const struct CMUnitTest tests[] = {
		TEST(a_verb_is_found_whatever_its_letters_are),
		TEST(the_argument_is_exact_behind_one_blank),
		TEST(arguments_are_asked_for_as_the_column_says),
		TEST(what_stands_in_no_row_is_unknown),
		TEST(only_the_whole_word_is_the_verb),
		TEST(states_needs_and_forbids_are_kept),
		TEST(what_forbids_is_looked_at_before_the_argument),
		TEST(a_line_with_a_nul_or_a_cr_does_nothing),
		TEST(a_line_too_long_does_nothing),
		TEST(one_fault_more_than_allowed_ends_the_session),
		TEST(a_browser_is_sent_away),
		TEST(a_browser_is_sent_away_by_any_of_its_lines),
		TEST(a_tls_hello_in_the_clear_is_sent_away),
		TEST(silence_is_answered_once_and_ends_the_session),
		TEST(a_stopping_server_answers_what_has_arrived_and_ends),
		TEST(the_session_is_asked_before_every_read_and_every_run),
		TEST(a_client_that_has_left_is_still_obeyed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
