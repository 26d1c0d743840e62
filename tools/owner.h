/* Who listens at a port, as /proc tells it: to root of everybody, to others of their own
 * processes. */
#ifndef TOOLS_OWNER_H
#define TOOLS_OWNER_H

#include "base/buf.h"

struct owner {
	long pid;
	char name[32]; /* as ps(1) shows it */
};

/* `listener` as office.ini has it. False: nobody, or nobody who can be told. */
bool owner_find(struct owner *owner, struct slice listener);

#endif
