/* An unwatched socket, and a pipe to say that somebody is there. */
#include "base/bell.h"
#include "base/listen.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int bell_hang(struct bell *bell, int dir_fd, const char *name, uid_t uid, gid_t gid, struct err *e)
{
	char path[64];
	int ends[2];
	snprintf(path, sizeof(path), "%s" BELL_WAITING, name);
	int waiting = listen_unix(dir_fd, path, 0600, uid, gid, e);
	if (waiting < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		err_set_errno(e, "cannot wait for sessions");
		close(waiting);
		return -1;
	}
	*bell = (struct bell){waiting, ends[0], ends[1]};
	return 0;
}

void bell_ring(int rope)
{
	/* Where it is full it has been rung, and not been heard yet. */
	if (rope)
		(void)!write(rope, "", 1);
}

void bell_hear(const struct bell *bell)
{
	char rings[4096];
	(void)!read(bell->heard, rings, sizeof(rings));
}
