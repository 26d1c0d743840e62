/* How far a long command is, on stderr where that is a terminal: "copying 42%, 118
 * MB/s, 12 s left". Shown at most four times a second; nothing where it is none. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdint.h>

struct progress {
	const char *what;
	/* From here on private. */
	int64_t began_ms, shown_ms; /* of text_monotonic_ms(); 0: not yet */
	uint64_t began_at;
};

void progress_show(struct progress *progress, uint64_t done, uint64_t all); /* octets */
/* Takes the line away, before something else is said or at the end; the next
 * progress_show() brings it back. */
void progress_hide(struct progress *progress);
/* The same, and the next one begins anew. */
void progress_end(struct progress *progress);

/* "12 s", "3 min", "2 h 5 min" in text[PROGRESS_TIME_MAX]; returns text. */
#define PROGRESS_TIME_MAX 32
const char *progress_time(char text[PROGRESS_TIME_MAX], double seconds);

#endif
