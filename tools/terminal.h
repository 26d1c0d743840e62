/* Asking a person. Prompts go to stderr; a password is never echoed, and never
 * taken from the command line. */
#ifndef TOOLS_TERMINAL_H
#define TOOLS_TERMINAL_H

#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>

/* Asks for a new password twice. ERR_INPUT: the two differ, or stdin is no
 * terminal (says which options there are instead); ERR_INTERRUPTED: Ctrl-C.
 * buf_wipe() it in any case. */
int terminal_ask_password(struct buf *password, struct err *e);
/* For --password-stdin and --hash-stdin: the first line of stdin, without its
 * end. ERR_INPUT if it is empty, longer than 512 octets, or holds a NUL. */
int terminal_read_secret(struct buf *line, struct err *e);
/* Asks "question [y/N]". 1 yes, 0 no, -1 stdin is no terminal: ERR_INPUT, the
 * sentence says to give --yes. */
int terminal_confirm(const char *question, struct err *e);

/* A line on stderr, to which "\n" is added; what would drive the terminal (a file's
 * name, a word of the command line) comes as \xNN. */
void terminal_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From now on the first SIGINT, SIGTERM or SIGHUP is noted, and the command asks for
 * it where it can stop and tidy up; the second ends it as ever. */
void terminal_note_signals(void);
bool terminal_was_interrupted(void);

#endif
