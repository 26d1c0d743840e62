/* What a newborn process drops of its parent's. */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stddef.h>

/* Closes every descriptor but standard input, output, error and these `count`, whose
 * order changes: above all no listener, no other's channel, and no key's file. From
 * here on the process may end where there is no memory. */
void child_keep_only(int *fds, size_t count);
/* Signals are the parent's matter: it tells its children by their channels. None
 * is blocked. */
void child_leave_signals(void);

#endif
