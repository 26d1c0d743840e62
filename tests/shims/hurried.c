/* A wall clock that runs faster, from $HURRIED_SINCE (Unix seconds) on, by
 * $HURRIED_BY: an hour's retention passes in a minute. The monotonic clock, and
 * with it every timeout, stays what it is. */
#include <stdlib.h>
#include <time.h>

time_t time(time_t *at)
{
	static time_t since;
	static long by;
	struct timespec now;
	if (!since) {
		const char *from = getenv("HURRIED_SINCE"), *factor = getenv("HURRIED_BY");
		since = from ? strtoll(from, NULL, 10) : 1;
		by = factor ? strtol(factor, NULL, 10) : 1;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec = since + (now.tv_sec - since) * by;
	if (at)
		*at = now.tv_sec;
	return now.tv_sec;
}
