/* A directory that the scheduler leaves standing: between taking a session that waited at
 * its door and looking for the next it is away for $DAWDLING_MS milliseconds. */
#include "tests/shims/next.h"
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool is_directory;

static void named(const char *name)
{
	is_directory = strcmp(name, "directory") == 0;
}
WRAP_NAMING(named)

/* It stands still by a call that every seal allows. */
int accept4(int listener, struct sockaddr *restrict from, socklen_t *restrict len, int flags)
{
	static void *kept;
	static bool has_taken;
	if (is_directory && has_taken)
		poll(NULL, 0, atoi(getenv("DAWDLING_MS")));
	int taken = NEXT(accept4)(listener, from, len, flags);
	has_taken = taken >= 0;
	return taken;
}
