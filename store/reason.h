/* Why mail was not taken, in words for people. Pure. (RFC 3463; RFC 5321, 4.2) */
#ifndef STORE_REASON_H
#define STORE_REASON_H

#include "base/buf.h"
#include "base/config.h"

/* Whole sentences, in ASCII. */
struct reason {
	const char *why;
	const char *todo; /* what its sender can do, now that it has failed */
};

/* What an enhanced status and a reply mean; either may be empty, and anything may
 * stand in them: there is always a reason. */
struct reason reason_find(enum config_language language, struct slice status, struct slice reply);

/* The three digits at the front of a server's reply; empty: these are no words of a
 * server. */
struct slice reason_code(struct slice reply);
/* Is it a status, "5.1.1", of class 2, 4 or 5? */
bool reason_is_status(struct slice text);

#endif
