/* Asking a person. Whatever ends a question, the terminal echoes again. */
#include "tools/terminal.h"
#include "tools/rows.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAX 512 /* octets; as long as a password may be */

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* A line of stdin, octet by octet: what is behind it belongs to others, and
 * stdio would keep the secret in a buffer of its own. 1 a line, 0 the end.
 * `signals`: the mask to wait with, where signals are to end the question. */
static int read_line(struct buf *line, size_t limit, const sigset_t *signals, struct err *e)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char octet;
	for (;;) {
		if (signals && ppoll(&in, 1, NULL, signals) < 0) {
			if (interrupted)
				return err_set(
					e, ERR_INTERRUPTED, "interrupted; nothing was changed");
			continue;
		}
		ssize_t got = read(STDIN_FILENO, &octet, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(e, "cannot read stdin");
		if (got == 0)
			return line->len > 0;
		if (octet == '\n')
			return 1;
		if (line->len == limit)
			return err_set(e, ERR_INPUT,
				"what was given is longer than %zu octets: give less", limit);
		buf_reserve(line, limit - line->len); /* once: a buffer that moves leaves copies */
		buf_add_char(line, octet);
	}
}

static int check_secret(const struct buf *line, int found, struct err *e)
{
	if (found < 0)
		return -1;
	if (line->len == 0)
		return err_set(
			e, ERR_INPUT, "nothing was given, and nothing was changed: try again");
	if (memchr(line->at, '\0', line->len))
		return err_set(e, ERR_INPUT,
			"what was given holds a NUL, and nothing was changed: try again");
	return 0;
}

int terminal_read_secret(struct buf *line, struct err *e)
{
	int found = read_line(line, SECRET_MAX, NULL, e);
	if (line->len > 0 && line->at[line->len - 1] == '\r')
		line->len--;
	return check_secret(line, found, e);
}

/* Asks with echo off. Signals end the question, not the program, so that the
 * echo comes back; they are let through only while it waits, or one that came a
 * moment before would be missed. */
static int ask_hidden(const char *question, struct buf *answer, struct err *e)
{
	static const int ending[] = {SIGINT, SIGTERM};
	struct sigaction note = {.sa_handler = note_signal}, before[2];
	struct termios was, hidden;
	sigset_t blocked, open_mask;
	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return err_set_errno(e, "cannot switch the terminal's echo off");
	interrupted = 0;
	sigemptyset(&blocked);
	for (size_t i = 0; i < 2; i++)
		sigaddset(&blocked, ending[i]);
	sigprocmask(SIG_BLOCK, &blocked, &open_mask);
	for (size_t i = 0; i < 2; i++)
		sigaction(ending[i], &note, &before[i]);
	hidden = was;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);

	fprintf(stderr, "%s: ", question);
	int found = read_line(answer, SECRET_MAX, &open_mask, e);
	fputs("\n", stderr);

	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	for (size_t i = 0; i < 2; i++)
		sigaction(ending[i], &before[i], NULL);
	sigprocmask(SIG_SETMASK, &open_mask, NULL);
	return check_secret(answer, found, e);
}

int terminal_ask_password(struct buf *password, struct err *e)
{
	struct buf again = {0};
	if (!isatty(STDIN_FILENO))
		return err_set(e, ERR_INPUT,
			"stdin is no terminal to ask on; give --password-stdin or --generate");
	int result = ask_hidden("New password", password, e);
	if (result == 0)
		result = ask_hidden("The same again", &again, e);
	if (result == 0 && !slice_equal(buf_slice(password), buf_slice(&again)))
		result =
			err_set(e, ERR_INPUT, "the two differ, and nothing was changed: try again");
	buf_wipe(&again);
	return result;
}

int terminal_confirm(const char *question, struct err *e)
{
	struct buf answer = {0};
	if (!isatty(STDIN_FILENO))
		return err_set(e, ERR_INPUT, "stdin is no terminal to ask on; give --yes");
	fprintf(stderr, "%s [y/N] ", question);
	int result = read_line(&answer, SECRET_MAX, NULL, e);
	if (result >= 0)
		result = answer.len > 0 && (answer.at[0] == 'y' || answer.at[0] == 'Y');
	buf_free(&answer);
	return result;
}

void terminal_tell(const char *format, ...)
{
	char line[8192];
	struct buf plain = {0};
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	rows_add_plain(&plain, slice_of(line));
	fprintf(stderr, "%s\n", buf_text(&plain));
	buf_free(&plain);
}

/* ---- long commands ---- */

void terminal_note_signals(void)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction note = {.sa_handler = note_signal, .sa_flags = SA_RESTART | SA_RESETHAND};
	interrupted = 0;
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		struct sigaction before;
		sigaction(ending[i], NULL, &before);
		if (before.sa_handler != SIG_IGN) /* nohup */
			sigaction(ending[i], &note, NULL);
	}
}

bool terminal_was_interrupted(void)
{
	return interrupted;
}
