/* What a newborn process drops of its parent's. */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stddef.h>

/* In the parent, once it has begun: from here on memory comes from one place. What the
 * beginning has freed lies in pieces all over the heap, and a child that was given one
 * would copy the page it is in. */
void child_gather_memory(void);
/* Closes every descriptor but standard input, output, error and these `count` (-1:
 * none): above all no listener, no other's channel, and no key's file. From here on the
 * process may end where there is no memory. */
void child_keep_only(const int *fds, size_t count);
/* Signals are the parent's matter: it tells its children by their channels. None
 * is blocked. */
void child_leave_signals(void);

#endif
