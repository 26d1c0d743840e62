/* SASL on the server's side: PLAIN (RFC 4616) and LOGIN, with and without
 * initial response. Pure: what the client sent goes in, what to answer comes
 * out. Used by POP3 (RFC 5034) and SMTP (RFC 4954). */
#ifndef BASE_SASL_H
#define BASE_SASL_H

#include "base/buf.h"

/* Longest line a client may send in an exchange (RFC 4954, 4). */
#define SASL_LINE_MAX 12288

enum sasl_step {
	SASL_CHALLENGE, /* send `challenge` (base64, may be empty), read a line */
	SASL_DONE,      /* user and password are there */
	SASL_CANCELLED, /* the client sent "*" */
	SASL_MALFORMED, /* not base64, a NUL where none belongs, an empty name, another identity */
	SASL_UNKNOWN,   /* no such mechanism */
};

struct sasl {
	int mechanism, stage;  /* private */
	const char *challenge; /* base64 text for the client, static */
	struct buf user, password;
};

/* Begins with the argument of AUTH: mechanism, blanks, and an initial
 * response where there is one ("=" is an empty one). */
enum sasl_step sasl_start(struct sasl *sasl, struct slice argument);
/* Goes on with a line of the client, without its CRLF. */
enum sasl_step sasl_next(struct sasl *sasl, struct slice line);
/* Wipes and frees. */
void sasl_end(struct sasl *sasl);

#endif
