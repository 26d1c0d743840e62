/* How a session wakes a role, and does not until it has a question.
 *
 * A role that sessions ask has a second socket, DATA/run/NAME.waiting, which it does not
 * watch: a session connects there and says its hello, and both lie until somebody pulls
 * the bell's rope, which the session does with its first question (channel.bell). Then all
 * that wait are taken. A poll that needs directory alone wakes directory alone, once.
 *
 * The rope is the writing end of a pipe, and does not block: who holds it can wake the
 * role and nothing else. */
#ifndef BASE_BELL_H
#define BASE_BELL_H

#include "base/err.h"
#include <sys/types.h>

#define BELL_WAITING ".waiting"

struct bell {
	int waiting;     /* the bound socket, non-blocking; 0: there is no bell */
	int heard, rope; /* the ends of the pipe */
};

/* In the master: binds NAME.waiting in the directory open as `dir_fd`. */
int bell_hang(struct bell *bell, int dir_fd, const char *name, uid_t uid, gid_t gid, struct err *e);
/* rope: 0: nothing to do. */
void bell_ring(int rope);
/* In the role, when it can be read. It can be read on where it was rung very often: who
 * does not stop ringing keeps nobody from his work. */
void bell_hear(const struct bell *bell);

#endif
