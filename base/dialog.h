/* The command loop that POP3 and SMTP share: reads a line, finds the verb in a
 * table, checks what the table's columns say of it, calls its handler.
 *
 * The rules stand in the columns, not in the handlers; what a server announces
 * (CAPA, EHLO) is computed from the same columns. A handler decides and
 * returns the state the session goes to next. */
#ifndef BASE_DIALOG_H
#define BASE_DIALOG_H

#include "base/conn.h"
#include "base/sasl.h"

struct dialog;

enum dialog_argument { ARGUMENT_NONE, ARGUMENT_OPTIONAL, ARGUMENT_REQUIRED };

struct dialog_command {
	const char *verb; /* upper case; matched ASCII case-blind */
	unsigned states;  /* bits 1 << state in which it is legal */
	unsigned needs;   /* bits of dialog->has that must be set */
	unsigned forbids; /* bits of dialog->has that must not be set */
	int argument;     /* enum dialog_argument */
	/* Returns the next state, DIALOG_STAY or DIALOG_END. `argument` is what
	 * follows the verb and one blank, to the octet (a password may end with
	 * blanks), valid until the next read. */
	int (*run)(void *session, struct slice argument);
	const char *announced; /* the word in CAPA or EHLO, or NULL */
};

enum { DIALOG_STAY = -1, DIALOG_END = -2 };

/* What was wrong with a line, before any handler saw it. */
enum dialog_fault {
	DIALOG_UNKNOWN_VERB,
	DIALOG_LINE_TOO_LONG,
	DIALOG_BAD_OCTET, /* a NUL or a bare CR in it */
	DIALOG_WRONG_STATE,
	DIALOG_LACKS,           /* a bit of `needs` is missing */
	DIALOG_FORBIDDEN,       /* a bit of `forbids` is set */
	DIALOG_ARGUMENT,        /* missing, or one too many; blanks are none */
	DIALOG_OTHER_PROTOCOL,  /* GET, POST, Host:, a TLS hello: the session ends */
	DIALOG_TOO_MANY_FAULTS, /* the session ends */
	DIALOG_TIMEOUT,         /* the client said nothing: the session ends */
	DIALOG_STOPPED,         /* the server stops: the session ends */
};

struct dialog {
	struct conn *conn;
	void *session;
	const struct dialog_command *commands; /* ends with verb NULL */
	int state;
	unsigned has;                    /* DIALOG_TLS and the protocol's own bits */
	size_t line_limit;               /* octets of a command line without its end */
	unsigned faults, faults_allowed; /* handlers count theirs: ++faults; one more
					  * than allowed ends the session */
	/* The one place that answers faults. `command` is NULL where none was
	 * found. */
	void (*refuse)(
		void *session, enum dialog_fault fault, const struct dialog_command *command);
	/* Called before each read of a command; NULL: nothing to do. A place to
	 * set deadlines. */
	void (*before_command)(void *session);
	/* Called when a command has been read and its columns allow it; NULL:
	 * nothing to do. A place to see that the roles are still there. Returns
	 * DIALOG_STAY, or DIALOG_END when it has answered in the command's place. */
	int (*before_run)(void *session, const struct dialog_command *command);
};

#define DIALOG_TLS 1u /* the bit of `has` that both protocols know */

/* Runs until a handler returns DIALOG_END, the client leaves, or the loop ends
 * the session; flushes. */
void dialog_run(struct dialog *dialog);

/* The exchange that AUTH begins, to its end: challenges go out behind `prefix`
 * ("+ ", "334 "), lines come in. SASL_CANCELLED also when none came any more.
 * Whatever it returns: use the name and the password, then sasl_end() and
 * conn_forget(). */
enum sasl_step dialog_authenticate(
	struct conn *conn, const char *prefix, struct slice argument, struct sasl *sasl);

/* Would this command be taken now (state, needs, forbids)? For EHLO. */
bool dialog_allows(const struct dialog *dialog, const struct dialog_command *command);

#endif
