/* The messages of a session by the numbers that the client uses. */
#ifndef POP3D_MESSAGES_H
#define POP3D_MESSAGES_H

#include "pop3d/session.h"

/* The message that `number` means: 1 is index 0. False, and the client has
 * been answered, where it is no number, none of the list, or marked deleted. */
bool messages_find(struct session *session, struct slice number, size_t *index);

/* Marks: a bit a message, of session->deleted or session->damaged. */
bool messages_are_marked(const unsigned char *marks, size_t index);
void messages_mark(const struct session *session, unsigned char **marks, size_t index);

#endif
