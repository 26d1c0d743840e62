/* One conversation with a milter: a filter that hears a mail as it comes, and says what
 * is to become of it. (Sendmail's milter protocol, version 6, as libmilter 8.15 speaks it)
 *
 * What a milter says is believed only as far as it has the form of an answer, and is one
 * that was offered to it; the first that is not ends the conversation, and so does an
 * answer that does not come. */
#ifndef SMTPD_MILTER_H
#define SMTPD_MILTER_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

enum milter_command {
	MILTER_ABORT = 'A', /* the message will not come to its end; nothing is answered */
	MILTER_BODY = 'B',
	MILTER_CONNECT = 'C',
	MILTER_MACROS = 'D',
	MILTER_END = 'E',
	MILTER_HELO = 'H',
	MILTER_HEADER = 'L',
	MILTER_MAIL = 'M',
	MILTER_END_OF_HEADER = 'N',
	MILTER_NEGOTIATE = 'O',
	MILTER_QUIT = 'Q', /* nothing is answered */
	MILTER_RCPT = 'R',
	MILTER_DATA = 'T',
};

#define MILTER_CHUNK 65535 /* octets of a body in one packet */

/* What it says of the connection, of a recipient, or of the message. */
enum milter_verdict {
	MILTER_CONTINUE,
	MILTER_ACCEPT,
	MILTER_REJECT,
	MILTER_TEMPFAIL,
	MILTER_DISCARD,
	MILTER_SKIP, /* no more of what this was */
};

/* What it wants changed, at the end of the message. */
enum milter_change {
	MILTER_ADD_HEADER,    /* name, value */
	MILTER_INSERT_HEADER, /* index, name, value */
	MILTER_CHANGE_HEADER, /* index among those of that name, name, value (empty: away) */
	MILTER_REPLACE_BODY,  /* value: the next octets of the new one */
	MILTER_QUARANTINE,    /* value: why */
};

struct milter_says {
	enum milter_change change;
	uint32_t index;
	struct slice name, value; /* valid during the call; as the wire had them, without NULs
				   * but in a body */
};
/* -1: it cannot be. */
typedef int (*milter_change_fn)(void *arg, const struct milter_says *says, struct err *e);

/* Set to zero, with fd -1, it is one that has gone. */
struct milter {
	int fd; /* non-blocking, perhaps not connected yet; -1: the conversation is over */
	/* Private. */
	uint32_t version, steps;
	struct buf in, out;
	size_t taken;     /* of `in`, by the last packet */
	unsigned packets; /* read since the last command of a message's end began */
};

/* Takes over the descriptor, and agrees on version and steps. Until text_monotonic_ms()
 * is `deadline`. ERR_GONE. */
int milter_open(struct milter *milter, int fd, int64_t deadline, struct err *e);
/* Does it want to hear of this? What it does not is not to be asked. */
bool milter_wants(const struct milter *milter, enum milter_command command);
/* Does it want the blank behind a header's colon? */
bool milter_wants_blanks(const struct milter *milter);
/* Macros for the command to come: name, NUL, value, NUL, ... */
void milter_tell(struct milter *milter, enum milter_command command, struct slice macros);
/* Asks, and waits for the answer where the milter gives one to such (else *verdict is
 * MILTER_CONTINUE). Behind a refusal in words of its own they are in *words, as they came:
 * look at them. For MILTER_END each change goes to `change` first.
 * ERR_GONE: the conversation is over, and *e says why. */
int milter_ask(struct milter *milter, enum milter_command command, struct slice body,
	int64_t deadline, enum milter_verdict *verdict, struct buf *words, milter_change_fn change,
	void *arg, struct err *e);
/* A command that nothing is answered to. */
void milter_say(struct milter *milter, enum milter_command command);
/* Frees; says goodbye where it is open. */
void milter_close(struct milter *milter);

#endif
