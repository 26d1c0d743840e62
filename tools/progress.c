/* A line on a terminal that writes over itself. */
#include "tools/progress.h"
#include "base/text.h"
#include <stdio.h>
#include <unistd.h>

#define SHOW_MS 250

const char *progress_time(char text[PROGRESS_TIME_MAX], double seconds)
{
	double most = 999 * 3600.0;
	unsigned whole = (unsigned)(seconds > most ? most : seconds + 0.5);
	if (whole < 100)
		snprintf(text, PROGRESS_TIME_MAX, "%u s", whole);
	else if (whole < 90 * 60)
		snprintf(text, PROGRESS_TIME_MAX, "%u min", (whole + 30) / 60);
	else
		snprintf(text, PROGRESS_TIME_MAX, "%u h %u min", whole / 3600, whole / 60 % 60);
	return text;
}

void progress_show(struct progress *progress, uint64_t done, uint64_t all)
{
	char left[PROGRESS_TIME_MAX], size[TEXT_SIZE_MAX];
	int64_t now = text_monotonic_ms();
	if (!isatty(STDERR_FILENO) || now - progress->shown_ms < SHOW_MS)
		return;
	if (!progress->began_ms) {
		progress->began_ms = now;
		progress->began_at = done;
	}
	progress->shown_ms = now;
	if (done > all)
		done = all; /* what grows meanwhile */
	double seconds = (double)(now - progress->began_ms) / 1000;
	fprintf(stderr, "\r%s %u%%", progress->what,
		all > 0 ? (unsigned)((double)done * 100 / (double)all) : 100);
	if (seconds >= 1 && done > progress->began_at) {
		double rate = (double)(done - progress->began_at) / seconds;
		fprintf(stderr, ", %s/s, %s left", text_of_size(size, (uint64_t)rate),
			progress_time(left, (double)(all - done) / rate));
	}
	fputs("\033[K", stderr);
}

void progress_hide(struct progress *progress)
{
	if (progress->shown_ms)
		fputs("\r\033[K", stderr);
	progress->shown_ms = 0;
}

void progress_end(struct progress *progress)
{
	progress_hide(progress);
	*progress = (struct progress){.what = progress->what};
}
