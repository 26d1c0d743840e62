/* Between fork() and a process of its own. */
#include "base/child.h"
#include "base/buf.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int compare_numbers(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void child_keep_only(int *fds, size_t count)
{
	must_wait_for_memory(false);
	unsigned from = STDERR_FILENO + 1;
	qsort(fds, count, sizeof(*fds), compare_numbers);
	for (size_t i = 0; i < count; i++) {
		if ((unsigned)fds[i] > from)
			close_range(from, (unsigned)fds[i] - 1, 0);
		from = (unsigned)fds[i] + 1;
	}
	close_range(from, ~0u, 0);
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
