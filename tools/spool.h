/* A message on its way from standard input to the server, read to its end before
 * anybody is asked to take it: a job may go on writing for hours. It becomes the
 * stored form (base/dot.h); what is long lies in a file without a name, so that the
 * memory is flat. */
#ifndef TOOLS_SPOOL_H
#define TOOLS_SPOOL_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

#define SPOOL_FRONT (256u * 1024) /* octets, about: no header is longer */

struct spool {            /* set to zero: empty */
	struct buf front; /* of the message; may be changed before it is sent */
	int file;         /* what comes behind it, `file_size` octets; 0: nothing does */
	uint64_t file_size;
	/* From here on private. */
	uint64_t sent;
	char *chunk;
};

/* Reads `fd` to its end; or, where `dot_ends`, to a line of a dot alone. */
int spool_read(struct spool *spool, int fd, bool dot_ends, struct err *e);
/* Octets of all of it. */
uint64_t spool_size(const struct spool *spool);
/* From the first octet on again. */
void spool_rewind(struct spool *spool);
/* client_source_fn of smtpd/client.h: `spool` is a struct spool. */
int spool_next(void *spool, struct slice *octets, struct err *e);
void spool_free(struct spool *spool);

#endif
