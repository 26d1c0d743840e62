/* May this address send for a domain, by the domain's SPF record? (RFC 7208) As others
 * will judge us: nobody's mail is judged by it here. Asks DNS: see lookup.h. */
#ifndef SMTPD_SPF_H
#define SMTPD_SPF_H

#include "smtpd/lookup.h"

enum spf_result {
	SPF_NONE, /* no record */
	SPF_PASS,
	SPF_NEUTRAL,
	SPF_SOFTFAIL,
	SPF_FAIL,
	SPF_BROKEN,  /* more than one record, one that cannot be read, more than 10 lookups */
	SPF_LATER,   /* DNS does not answer */
	SPF_UNKNOWN, /* it depends on what is not known here: macros, ptr, exists */
};

/* `family` and `address`, 4 or 16 octets. *record (added to): the domain's own record. */
enum spf_result spf_judge(
	const char *domain, int family, const unsigned char *address, struct buf *record);
/* "pass", "softfail" and so on. */
const char *spf_word(enum spf_result result);
/* Adds the records of the domain that begin as SPF ones do: how many there are. */
enum mx_said spf_find(const char *domain, struct buf *record, size_t *count);

#endif
