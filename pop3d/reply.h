/* Everything the server says: the one place that speaks.
 *
 * +OK texts are English: only a log of the client shows them. -ERR texts are
 * what people read, in the language of [office], with the response codes of
 * RFC 2449 and RFC 3206. No reply repeats an octet that the client sent. */
#ifndef POP3D_REPLY_H
#define POP3D_REPLY_H

#include "pop3d/session.h"

/* What the protocol refuses, whatever the store says. */
enum refusal {
	REFUSE_UNKNOWN_VERB,
	REFUSE_LINE_TOO_LONG,
	REFUSE_BAD_OCTET,
	REFUSE_NOT_LOGGED_IN,
	REFUSE_LOGGED_IN,
	REFUSE_NEEDS_TLS,
	REFUSE_HAS_TLS,
	REFUSE_PLAINTEXT_BEHIND,
	REFUSE_USER_FIRST,
	REFUSE_ARGUMENT,
	REFUSE_OTHER_PROTOCOL,
	REFUSE_TOO_MANY_FAULTS,
	REFUSE_TOO_SLOW,
	REFUSE_STOPPED,
	REFUSE_MECHANISM,
	REFUSE_CANCELLED,
	REFUSE_MALFORMED,
	REFUSE_NO_SUCH_MESSAGE,
	REFUSE_DELETED,
	REFUSE_NOT_REMOVED,
	REFUSE_TOO_OLD,
};

#define REPLY_MAX 512 /* octets of a line with its CRLF (RFC 2449, 4) */

/* "+OK text" */
void reply_ok(struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A line of a multi-line answer; its text never begins with a dot. */
void reply_line(struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The end of a multi-line answer. */
void reply_end(struct session *session);
void reply_refuse(struct session *session, enum refusal refusal);
/* What a role or the store said. */
void reply_failure(struct session *session, enum err_kind kind);
/* What was wrong with a line before a handler saw it: dialog.refuse. */
void reply_fault(void *session, enum dialog_fault fault, const struct dialog_command *command);

#endif
