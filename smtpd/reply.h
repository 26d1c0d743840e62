/* Everything this server says, in one table, and the one place that says it.
 * (RFC 5321, 4.2; enhanced codes: RFC 2034, RFC 3463) */
#ifndef SMTPD_REPLY_H
#define SMTPD_REPLY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

struct session;

enum reply {
	REPLY_NONE,
	/* done */
	REPLY_BYE,
	REPLY_OK,
	REPLY_SENDER_OK,
	REPLY_RECIPIENT_OK,
	REPLY_CHUNK_OK,
	REPLY_FILED, /* with the queue id */
	REPLY_CANNOT_VERIFY,
	REPLY_HELP,
	REPLY_START_TLS,
	REPLY_LOGGED_IN,
	REPLY_SEND_MESSAGE,
	/* the session ends */
	REPLY_ROLE_GONE,
	REPLY_TIMEOUT,
	REPLY_STOPPED,
	REPLY_TOO_MANY_FAULTS,
	REPLY_TOO_MANY_WRONG,
	REPLY_TOO_MANY_LOGINS,
	REPLY_OTHER_PROTOCOL,
	REPLY_EARLY_TLS,
	REPLY_CHUNK_UNREADABLE,
	/* commands that cannot be taken */
	REPLY_UNKNOWN_COMMAND,
	REPLY_LINE_TOO_LONG,
	REPLY_BAD_OCTET,
	REPLY_BAD_ARGUMENT,
	REPLY_NOT_IMPLEMENTED,
	REPLY_HELLO_FIRST,
	REPLY_BAD_SEQUENCE,
	REPLY_TLS_ACTIVE,
	REPLY_NO_TLS,
	REPLY_BAD_PARAMETER,
	REPLY_UNKNOWN_PARAMETER,
	REPLY_BAD_SENDER,
	REPLY_BAD_RECIPIENT,
	REPLY_NOT_ASCII,
	/* logins that are not */
	REPLY_WRONG_LOGIN,
	REPLY_LOGIN_LIMITED,
	REPLY_LOGIN_MALFORMED,
	REPLY_LOGIN_CANCELLED,
	REPLY_NO_MECHANISM,
	REPLY_LOGIN_FIRST,
	REPLY_LOGIN_AFTER_TLS,
	REPLY_NOT_YOUR_ADDRESS,
	REPLY_NOT_THE_DEVICES,
	REPLY_NOT_THE_ACCOUNTS,
	/* recipients and messages that are not */
	REPLY_TOO_MANY_RECIPIENTS,
	REPLY_NO_SUCH_USER,
	REPLY_NOT_OURS,
	REPLY_NO_DOMAIN,
	REPLY_ALIAS_LOOP,
	REPLY_MAILBOX_FULL,
	REPLY_TOO_BIG,
	REPLY_HAS_NUL,
	REPLY_BAD_FROM,
	REPLY_NOT_YOUR_FROM,
	REPLY_NOT_OUR_FROM,
	REPLY_HEADER_TOO_BIG,
	REPLY_MAIL_LOOP,
	REPLY_NO_SPACE,
	REPLY_TRY_LATER,
	/* what [filter] says */
	REPLY_FILTER_REFUSES, /* in its own words, where it had some */
	REPLY_FILTER_DEFERS,  /* the same */
	REPLY_FILTER_DOWN,
	REPLY_OUR_JUNK,
	REPLY_COUNT
};

/* What the answer of a role means to the client: the same at RCPT and at the
 * end of a message. ERR_NONE is a message filed. */
enum reply reply_to_error(enum err_kind kind);
/* 5xx: it was not done, and will not be. */
bool reply_is_final(enum reply reply);

/* Says it, with `more` (printable ASCII, or NULL) behind the words. */
void reply_say(struct session *session, enum reply reply, const char *more);
/* The two answers without an enhanced code (RFC 2034, 4): the greeting, and
 * that of EHLO, HELO and LHLO. */
void reply_greet(struct session *session);
void reply_hello(struct session *session);
/* To the log: what is refused, and why. `to`: of which recipients; empty: of all. */
void reply_log(const struct session *session, enum log_level level, const char *event,
	struct slice to, enum reply reply);

#endif
