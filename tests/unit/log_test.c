/* base/log: one line an event, whatever a stranger sent, and no waiting. */
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs some of the above. */
#include <cmocka.h>

static int reader, real_stderr;
static char got[70000];

/* stderr becomes one end of `fds`; the other is read without waiting. */
static void log_into(const int fds[2], const char *journal)
{
	if (journal)
		setenv("JOURNAL_STREAM", journal, 1);
	else
		unsetenv("JOURNAL_STREAM");
	reader = fds[0];
	fcntl(reader, F_SETFL, O_NONBLOCK);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_open();
}

static int into_pipe(void **state)
{
	(void)state;
	int fds[2];
	if (pipe(fds) < 0)
		return -1;
	log_into(fds, NULL);
	return 0;
}

static int into_journal(void **state)
{
	(void)state;
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -1;
	log_into(fds, "8:1");
	return 0;
}

static int restore(void **state)
{
	(void)state;
	close(reader);
	return dup2(real_stderr, STDERR_FILENO) < 0;
}

static const char *read_log(void)
{
	size_t len = 0;
	ssize_t part;
	while ((part = read(reader, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)part;
	got[len] = '\0';
	return got;
}

static void an_event_is_a_line_of_keys_and_values(void **state)
{
	(void)state;
	log_event(LOG_INFO, "auth-failed", log_text("service", "pop3"),
		log_slice("user", SLICE("ani@kantor.example")), log_number("pid", -7));
	assert_string_equal(
		read_log(), "auth-failed service=pop3 user=ani@kantor.example pid=-7\n");
}

static void what_strangers_sent_stays_one_word(void **state)
{
	(void)state;
	log_event(LOG_INFO, "ehlo", log_slice("helo", SLICE("\x1b[2J a=\"b\"\r\nx\0\\%n\xC3")),
		log_text("empty", ""), log_text("none", NULL));
	assert_string_equal(read_log(),
		"ehlo helo=\\x1b[2J\\x20a=\\x22b\\x22\\x0d\\x0ax\\x00\\x5c%n"
		"\\xc3 empty= none=\n");
}

static void a_failure_tells_its_sentence_in_quotes(void **state)
{
	(void)state;
	struct err e;
	err_set(&e, ERR_IO, "no \"room\" left\n");
	log_failure(LOG_ERROR, "commit-failed", &e);
	assert_string_equal(read_log(), "commit-failed reason=\"no \\x22room\\x22 left\\x0a\"\n");
}

static void under_systemd_a_line_begins_with_its_level(void **state)
{
	(void)state;
	struct err e = {.text = "gone"};
	log_event(LOG_INFO, "login", log_number("n", 1));
	log_failure(LOG_ERROR, "lost", &e);
	assert_string_equal(read_log(), "<6>login n=1\n<3>lost reason=\"gone\"\n");
}

static void a_line_is_at_most_4096_octets(void **state)
{
	(void)state;
	char text[10000];
	memset(text, '\n', sizeof(text));
	log_event(LOG_INFO, "long", log_slice("x", (struct slice){text, sizeof(text)}));
	read_log();
	assert_true(strlen(got) < 1100);
	assert_string_equal(strchr(got, '\n') - 11, "\\x0a\\x0a...\n");
	struct slice all = {text, sizeof(text)};
	log_event(LOG_INFO, "long", log_slice("a", all), log_text("b", "1"), log_slice("c", all),
		log_slice("d", all), log_slice("e", all), log_slice("f", all), log_text("g", "1"));
	read_log();
	assert_true(strlen(got) <= 4096);
	assert_int_equal(strchr(got, '\n') - got, strlen(got) - 1);
	assert_non_null(strstr(got, " b=1 c="));
	assert_non_null(strstr(got, "... d="));
	assert_non_null(strstr(got, "... e="));
	assert_null(strstr(got, " f="));
	assert_null(strstr(got, " g="));
}

static void a_sentence_that_is_cut_has_its_end(void **state)
{
	(void)state;
	char text[3000] = "";
	memset(text, 'x', sizeof(text) - 1);
	log_event(LOG_INFO, "long", log_reason(text), log_number("n", 1));
	read_log();
	assert_non_null(strstr(got, "xxx...\" n=1\n"));
}

/* Logs more lines than a pipe holds. */
static int fill(void)
{
	char padding[1000];
	memset(padding, 'x', sizeof(padding));
	for (int n = 0; n < 1000; n++)
		log_event(LOG_INFO, "line", log_number("n", n),
			log_slice("padding", (struct slice){padding, sizeof(padding)}));
	return 1000;
}

static void a_log_that_is_not_read_is_not_waited_for(void **state)
{
	(void)state;
	char wanted[64];
	int logged = fill();
	int taken = 0;
	read_log();
	for (const char *at = got; (at = strstr(at, "line n=")); at++)
		taken++;
	assert_true(taken > 0 && taken < logged);
	log_event(LOG_INFO, "again", log_number("n", 1));
	read_log();
	snprintf(wanted, sizeof(wanted), "log-lost lines=%d\n", logged - taken);
	assert_non_null(strstr(got, wanted));
	assert_non_null(strstr(got, "again n=1\n"));
	log_event(LOG_INFO, "again", log_number("n", 2));
	assert_null(strstr(read_log(), "log-lost"));
}

static void what_another_process_lost_is_told_too(void **state)
{
	(void)state;
	char wanted[64];
	int logged = fill(), taken = 0, status;
	pid_t child = fork();
	if (child == 0) {
		log_event(LOG_INFO, "session", log_number("n", 1));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	read_log();
	for (const char *at = got; (at = strchr(at, '\n')); at++)
		taken++;
	log_event(LOG_INFO, "again", log_number("n", 1));
	snprintf(wanted, sizeof(wanted), "log-lost lines=%d\n", logged + 1 - taken);
	assert_non_null(strstr(read_log(), wanted));
}

static void the_shell_keeps_a_stderr_that_waits(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	int shells = dup(fds[1]);
	close(reader);
	log_into(fds, NULL);
	assert_int_equal(fcntl(shells, F_GETFL) & O_NONBLOCK, 0);
	close(shells);
}

static void what_goes_on_is_said_once_a_minute(void **state)
{
	(void)state;
	int64_t told_ms = 0;
	assert_true(log_is_due(&told_ms));
	assert_false(log_is_due(&told_ms));
	told_ms -= 60000;
	assert_true(log_is_due(&told_ms));
}

int main(void)
{
	real_stderr = dup(STDERR_FILENO);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_event_is_a_line_of_keys_and_values, into_pipe, restore),
		cmocka_unit_test_setup_teardown(
			what_strangers_sent_stays_one_word, into_pipe, restore),
		cmocka_unit_test_setup_teardown(
			a_failure_tells_its_sentence_in_quotes, into_pipe, restore),
		cmocka_unit_test_setup_teardown(
			under_systemd_a_line_begins_with_its_level, into_journal, restore),
		cmocka_unit_test_setup_teardown(a_line_is_at_most_4096_octets, into_pipe, restore),
		cmocka_unit_test_setup_teardown(
			a_sentence_that_is_cut_has_its_end, into_pipe, restore),
		cmocka_unit_test_setup_teardown(
			a_log_that_is_not_read_is_not_waited_for, into_pipe, restore),
		cmocka_unit_test_setup_teardown(
			what_another_process_lost_is_told_too, into_pipe, restore),
		cmocka_unit_test_setup_teardown(
			the_shell_keeps_a_stderr_that_waits, into_pipe, restore),
		cmocka_unit_test(what_goes_on_is_said_once_a_minute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
