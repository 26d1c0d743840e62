/* One pipe serves until it becomes crowded, and another afterwards. */
#include "base/crowd.h"
#include "base/text.h"
#include <fcntl.h>
#include <unistd.h>

#define LASTS_MS 60000

static int ends[2] = {-1, -1}; /* sessions hold [0]; closing [1] tells them */
static int64_t until_ms;

bool crowd_look(const struct config *config, size_t sessions)
{
	uint64_t places = config->connections;
	if (places && sessions >= places / 2)
		until_ms = text_monotonic_ms() + LASTS_MS;
	bool crowded = text_monotonic_ms() < until_ms;
	if (crowded && ends[1] >= 0) {
		close(ends[1]);
		ends[1] = -1;
	} else if (!crowded && ends[1] < 0) {
		if (ends[0] >= 0)
			close(ends[0]);
		if (pipe2(ends, O_CLOEXEC) < 0)
			ends[0] = ends[1] = -1;
	}
	return crowded;
}

int crowd_pipe(void)
{
	return ends[0];
}
