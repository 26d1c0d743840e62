/* The milters of [filter], asked in their order about what a session says.
 *
 * What they say of the connection and of its hello is heard, and answered, at the first
 * MAIL. Of a message the first milter hears while it comes; each of the others once the one
 * before it is done, with the header and the body as that one left them. */
#ifndef SMTPD_FILTER_H
#define SMTPD_FILTER_H

#include "base/config.h"
#include "smtpd/fields.h"
#include "smtpd/milter.h"
#include "smtpd/reply.h"

struct session;
struct visitor;

struct filter_member {
	struct milter milter;
	struct slice name;           /* as office.ini has it */
	bool begun, down;            /* an answer was asked for; it gives none any more */
	bool told_connection;        /* CONNECT was said */
	bool told_hello;             /* HELO was */
	bool passes;                 /* it wants to hear no more of this connection */
	enum reply standing;         /* REPLY_NONE, or the refusal of each MAIL to come */
	struct buf words;            /* then: its own, as below */
	bool refuses_hello;          /* and only until the next hello */
	bool in_message, done, skip; /* MAIL was said; its last word was; no more of the body */
};

struct filter { /* set to zero: there is none */
	struct filter_member members[CONFIG_FILTERS_MOST];
	size_t count;
	struct buf words; /* of the last refusal: its lines; empty: reply.c's */

	/* of the message */
	bool discarded;
	bool junk;
	bool replaced;                /* its body, by the member that is asked */
	struct filter_member *hearer; /* who hears it while it comes; NULL: nobody */
	struct fields fields;         /* of its header */
	struct buf rest; /* of its header: the blank line, or all from the first line on
				* that is no field */
};

/* For the master's child, before it is sealed: begins the connections. What cannot be
 * begun is found out when it is needed. */
void filter_connect(struct visitor *visitor);
/* For `check`: asks one for its terms. ERR_GONE. */
int filter_try(struct slice milter, struct err *e);

void filter_begin(struct session *session);
void filter_end(struct session *session);

/* The client has said hello, once more perhaps. */
void filter_hello(struct session *session);

/* Each is asked when the server itself would say yes. REPLY_NONE: go on; REPLY_FILED: the
 * message is to be thrown away, as if it had been taken. */
enum reply filter_mail(struct session *session);
enum reply filter_recipient(struct session *session, struct slice address);
enum reply filter_data(struct session *session);

/* Is there one that is to hear the message? */
bool filter_hears(const struct session *session);
/* All of the header, with the blank line. */
enum reply filter_header(struct session *session, struct slice header);
/* The next octets of the body. */
enum reply filter_body(struct session *session, struct slice octets);
/* It is whole. Behind REPLY_NONE the fields are as they are to be filed, and `junk` is
 * known. */
enum reply filter_message(struct session *session);

/* What the client is told behind a milter's refusal in words of its own: lines as
 * filter_read_words() makes them. Empty: reply.c's row. */
struct slice filter_words(const struct session *session, enum reply reply);

/* The message is over, or the envelope forgotten. */
void filter_forget(struct session *session);

#endif
