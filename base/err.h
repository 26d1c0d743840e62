/* Why something could not be done: a kind for programs, a sentence for people.
 *
 * Functions that can fail return 0 when done and -1 when not, and then have
 * filled the struct err they were given; look-ups return 1 for found and 0 for
 * not found. An error is returned or handled, never both; only the edges log. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_kind {
	ERR_NONE,
	ERR_INPUT,       /* what was asked for makes no sense: mend the question */
	ERR_MISSING,     /* there is no such thing */
	ERR_EXISTS,      /* there is one already */
	ERR_DENIED,      /* not allowed: rights, ticket, password */
	ERR_LIMITED,     /* refused for now by a limit on how often */
	ERR_IN_USE,      /* another session or server holds it */
	ERR_QUOTA,       /* the mailbox is full */
	ERR_SPACE,       /* the disk is full, or below `reserve` */
	ERR_TOO_BIG,     /* larger than a limit that will not change by waiting */
	ERR_LOOP,        /* an alias or message goes in circles */
	ERR_DAMAGED,     /* stored octets are not what was written */
	ERR_NEWER,       /* written by a newer officemail */
	ERR_IO,          /* the system refused: disk, network, memory, descriptors */
	ERR_GONE,        /* the other side of a channel or connection has gone */
	ERR_INTERRUPTED, /* stopped on request */
};

struct err {
	enum err_kind kind;
	char text[512]; /* one sentence: what is wrong, where, how to mend it */
};

/* Fills *e and returns -1. */
int err_set(struct err *e, enum err_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* As err_set() with ERR_IO (ERR_SPACE for ENOSPC and EDQUOT), and ": " and
 * strerror(errno) behind; and the mend, where it is the same whatever was being done
 * (a full disk, a limit). What else an errno means here, `format` says. */
int err_set_errno(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts words in front of the sentence: "alias sales@x: " + what it was.
 * Returns -1. */
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
