/* RCPT commands that have come together are asked about together: a message to twenty
 * costs one journey to the directory, and not twenty. */
#ifndef SMTPD_AHEAD_H
#define SMTPD_AHEAD_H

#include "base/service.h"
#include "store/requests.h"

/* What the directory said, in the order in which the client will ask. */
struct ahead {
	struct ahead_answer {
		enum err_kind kind;
		char address[ADDRESS_MAX];
	} * answers; /* RESOLVE_MOST; NULL: never more than one at a time so far */
	size_t at, count;
};

/* As request_resolve(), of which the kind alone is told; asks about the RCPTs that wait
 * behind this one, too, `most` addresses in all. `domain`: of an address without one. */
enum err_kind ahead_resolve(struct ahead *ahead, struct visitor *visitor, const char *address,
	struct slice domain, uint64_t size, size_t most);
/* The envelope is forgotten. */
void ahead_forget(struct ahead *ahead);

#endif
