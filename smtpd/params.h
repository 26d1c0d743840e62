/* The parameters behind the path of MAIL and RCPT. Pure.
 * (RFC 5321, 4.1.2: esmtp-param; RFC 1870; RFC 6152; RFC 3461, 4) */
#ifndef SMTPD_PARAMS_H
#define SMTPD_PARAMS_H

#include "store/envelope.h"
#include <stdint.h>

enum params_command { PARAMS_MAIL, PARAMS_RCPT };

struct params {
	uint64_t size; /* SIZE=: octets; UINT64_MAX for more than fits; 0: not said */

	/* Of staff alone. The slices borrow from the text; empty: not said. */
	enum dsn_return ret; /* RET= */
	struct slice envid;  /* ENVID=: xtext of printable ASCII, less than ENVID_MAX octets */
	unsigned notify;     /* NOTIFY=: NOTIFY_ bits */
	struct slice orcpt;  /* ORCPT=: "rfc822;" and such xtext, less than ORCPT_MAX octets */
};

enum params_fault {
	PARAMS_GOOD,
	PARAMS_MALFORMED, /* no keyword=value, a value that makes no sense, one said twice */
	PARAMS_UNKNOWN,   /* a keyword we did not announce for this command */
};

/* Reads all of `text`: what follows the ">". `staff`: of whom reports can be asked
 * for. */
enum params_fault params_read(
	struct slice text, enum params_command command, bool staff, struct params *params);

/* What EHLO announces for the rows of the table: the n-th word, NULL past the
 * last. */
const char *params_announced(size_t n, bool staff);
#define PARAMS_SIZE_WORD "SIZE" /* the one that is announced with a number */

#endif
