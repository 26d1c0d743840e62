/* What milters are told of a session, and how their words are read. */
#ifndef SMTPD_FILTER_TALK_H
#define SMTPD_FILTER_TALK_H

#include "base/buf.h"

struct session;

/* Adds the macros for a step, and what the step itself says. */
void filter_put_connection(const struct session *session, struct buf *macros, struct buf *body);
void filter_put_hello(const struct session *session, struct buf *macros, struct buf *body);
void filter_put_sender(const struct session *session, struct buf *macros, struct buf *body);
void filter_put_recipient(
	const struct session *session, struct slice address, struct buf *macros, struct buf *body);
void filter_put_id(const struct session *session, struct buf *macros);

/* "550 5.7.1 words" or several lines of such, as a milter said them: adds the lines to say,
 * each with its CRLF, in printable ASCII. Nothing where they are no reply: a code of other
 * than three digits, or more lines than WORDS_LINES_MOST. 421 becomes 451: it is a mail
 * that is refused, and not the client. */
#define FILTER_WORDS_LINES 8
void filter_read_words(struct buf *out, struct slice words);

/* What such lines say, for the log. */
struct filter_said {
	unsigned code;
	char status[10];     /* of the first line */
	struct buf sentence; /* of all of them, owned */
};
/* From the lines that filter_read_words() has made. Behind none of them all is empty. */
void filter_understand(struct filter_said *said, struct slice lines);

#endif
