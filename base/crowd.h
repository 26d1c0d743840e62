/* When half of `connections` is taken, sessions hurry, and so they do for a minute
 * afterwards. Who is born in a crowd knows it; those who came before hold the end of
 * a pipe, and hear of it by its end of file (conn.crowd). */
#ifndef BASE_CROWD_H
#define BASE_CROWD_H

#include "base/config.h"

/* In the master, before a session is forked, when `sessions` are there. */
bool crowd_look(const struct config *config, size_t sessions);
/* The end of the pipe; -1: there is none. */
int crowd_pipe(void);

#endif
