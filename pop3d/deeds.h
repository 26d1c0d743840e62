/* What a session has done: noted while it goes on, told at its end, to the log and, where
 * there is something to tell, to the store: which messages the client has fetched, in the
 * midst of which it was lost, and which are removed. */
#ifndef POP3D_DEEDS_H
#define POP3D_DEEDS_H

#include "pop3d/session.h"

/* RETR or TOP: behind its first line. `all`: it asks for the whole message, of which the
 * client has some from here on. */
void deeds_begin_sending(struct session *session, size_t index, bool all);
/* Behind the last line, where the whole message has been sent, by whichever of the two:
 * who knows how much of it the client has. */
void deeds_end_retrieval(struct session *session, size_t index);
/* The client has said something more: it has what was sent before. */
void deeds_hear(struct session *session);
/* Once, behind its end. */
void deeds_tell(struct session *session);
void deeds_free(struct session *session);

#endif
