/* What the writer was told and promised nobody: events, last logins, better hashes, and
 * pieces of messages that came to nothing. It waits in memory for a commit that is due
 * anyway, or a second for one of its own: many sessions then share that. */
#ifndef STORE_UNPROMISED_H
#define STORE_UNPROMISED_H

#include "store/requests.h"

/* A frame for request_note(). A flood of them is no reason to grow: what is too much is
 * lost. */
void unpromised_keep(const struct frame *frame);
/* A message of which some is on the disk, and that will not be one. False: none is. */
bool unpromised_free(const struct body_writer *body);

/* Is there something to free? That does not wait. */
bool unpromised_frees(void);
/* Is a commit due for it: has something waited for a second, or may not wait? */
bool unpromised_is_due(void);
/* Nobody is in the way, or the server ends: nothing waits on. */
void unpromised_hurry(void);

/* In the transaction that is about to be committed. */
void unpromised_take(struct store *store, const unsigned char ticket_key[DIGEST_SIZE]);
/* It has been. */
void unpromised_committed(void);

#endif
