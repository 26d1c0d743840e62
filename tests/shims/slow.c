/* A disk like an SD card: each sync takes $SLOW_MS milliseconds longer. */
#include "tests/shims/next.h"
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* By a call that every seal allows. */
static void wait_for_card(void)
{
	static int longer = -1;
	if (longer < 0) {
		const char *text = getenv("SLOW_MS");
		longer = text ? atoi(text) : 5;
	}
	poll(NULL, 0, longer);
}

int fsync(int fd)
{
	static void *kept;
	wait_for_card();
	return NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
	static void *kept;
	wait_for_card();
	return NEXT(fdatasync)(fd);
}
