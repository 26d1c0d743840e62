/* The writing side of `mail import`: messages gathered and filed many in a transaction,
 * a big one in pieces, a transaction each; none under way for more than 50 ms. */
#ifndef TOOLS_PORT_BATCH_H
#define TOOLS_PORT_BATCH_H

#include "store/import.h"
#include "store/users.h"
#include "tools/command.h"
#include "tools/port_message.h"

struct port_batch { /* set to zero, and the first four given */
	struct office *office;
	struct user *user;
	struct import_known *known;
	/* Called for each message that got another UIDL than it had. */
	void (*renamed)(const char *place, struct slice uidl, enum import_uidl why, void *arg);
	void *arg;
	uint64_t filed, size, without_uidl; /* in the store, and there to stay */
	/* From here on private. */
	struct port_pending *pending;
	size_t count;
	uint64_t waiting; /* octets */
	struct buf texts; /* UIDLs and places of what is pending */
};

/* Takes a message whose octets are all at hand; files what has gathered when it is enough.
 * `place` is how people are told of it. ERR_QUOTA, ERR_SPACE: it does not fit, and was not
 * filed; what came before has been. */
int port_batch_add(struct port_batch *batch, const struct import_message *message,
	const char *place, struct slice octets, struct err *e);
/* Files a big one, reading it anew, behind what has gathered. ERR_INPUT: the file has
 * changed since it was read, or (ERR_INTERRUPTED) the command is to end: nothing of it is
 * there. */
int port_batch_add_big(struct port_batch *batch, const struct import_message *message,
	const char *place, const struct port_range *range, struct err *e);
/* Files what has gathered. */
int port_batch_flush(struct port_batch *batch, struct err *e);
void port_batch_free(struct port_batch *batch);

#endif
