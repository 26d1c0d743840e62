/* Between fork() and a process of its own. */
#include "base/child.h"
#include "base/buf.h"
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROOM (96u * 1024) /* what a session takes comes out of it */

/* The pieces are taken, for good, from the large to the small, while the heap cannot
 * grow; what it ends with stays. */
void child_gather_memory(void)
{
#if defined(__GLIBC__) && !defined(SANITIZED)
	static void **taken;
	struct rlimit before, now;
	if (getrlimit(RLIMIT_AS, &before) < 0)
		return;
	malloc_trim(0);
	void *volatile end = malloc(ROOM);
	free(end);
	size_t rest = mallinfo2().keepcost;
	end = rest >= ROOM ? malloc(rest - 64) : NULL;
	if (!end)
		return;
	setrlimit(RLIMIT_AS, &(struct rlimit){0, before.rlim_max});
	/* qemu-user takes the limit, and does not keep it: the heap would grow for ever. */
	bool kept = getrlimit(RLIMIT_AS, &now) == 0 && now.rlim_cur == 0;
	for (size_t size = 64 * 1024; kept && size >= 16;
		size = size > 1032 ? size / 2 + 4 : size - 16)
		for (void **piece; (piece = malloc(size)); taken = piece)
			*piece = taken;
	setrlimit(RLIMIT_AS, &before);
	free(end);
#endif
}

void child_keep_only(const int *fds, size_t count)
{
	must_wait_for_memory(false);
	unsigned from = STDERR_FILENO + 1;
	for (;;) {
		unsigned next = ~0u; /* of those to keep the lowest that is left */
		for (size_t i = 0; i < count; i++)
			if (fds[i] >= 0 && (unsigned)fds[i] >= from && (unsigned)fds[i] < next)
				next = (unsigned)fds[i];
		if (next > from)
			close_range(from, next == ~0u ? next : next - 1, 0);
		if (next == ~0u)
			return;
		from = next + 1;
	}
}

void child_leave_signals(void)
{
	sigset_t none;
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
