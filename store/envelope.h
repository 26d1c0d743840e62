/* What an envelope says of a message beside its addresses: the parameters by which a
 * sender asks for reports. (RFC 3461, 4) */
#ifndef STORE_ENVELOPE_H
#define STORE_ENVELOPE_H

#include "base/buf.h"

/* NOTIFY=: when the sender wants to hear of a recipient; bits. Without one it is a
 * failure, and a long delay. */
enum {
	NOTIFY_DEFAULT = 0,
	NOTIFY_NEVER = 1, /* alone */
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
};
#define ENVID_MAX 101 /* octets of the xtext, and a NUL */
#define ORCPT_MAX 501 /* octets of type and xtext, and a NUL */

enum dsn_return { RETURN_DEFAULT, RETURN_HEADERS, RETURN_FULL };

struct envelope_recipient {
	struct slice address;
	unsigned notify;    /* NOTIFY_ bits */
	struct slice orcpt; /* "rfc822;a+2Bb@far.example", as it came; empty: not said */
};

#endif
