/* The log: stderr, one line an event, `event key=value key=value`.
 *
 * Values are always escaped: printable ASCII stays, blank, quote, backslash
 * and everything else become \xNN, so that nothing from the wire can forge a
 * line or reach a terminal. A value that is longer than about a thousand octets is cut,
 * and what does not fit in the line is left out. A line is one write of at most 4,096 octets, with
 * the sd-daemon priority prefix where $JOURNAL_STREAM is set. The log never
 * blocks: a line that is not taken is counted, and the count is told when the
 * log takes lines again. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6 };

/* Once in the master, before the first fork. */
void log_open(void);

/* A value; the constructors below make one for each type. */
struct log_value {
	const char *key; /* NULL: it is left out */
	enum { LOG_TEXT, LOG_SLICE, LOG_NUMBER, LOG_SENTENCE } type;
	const char *text;
	struct slice slice;
	int64_t number;
};
struct log_value log_text(const char *key, const char *text);
struct log_value log_if(const char *key, const char *text); /* the same; nothing, if empty */
struct log_value log_slice(const char *key, struct slice text);
struct log_value log_number(const char *key, int64_t number);
struct log_value log_reason(const char *sentence);                    /* a sentence, in quotes */
struct log_value log_sentence(const char *key, const char *sentence); /* the same */

void log_values(
	enum log_level level, const char *event, const struct log_value *values, size_t count);
/* log_event(LOG_INFO, "login", log_slice("user", user), log_number("pid", pid)); */
#define log_event(level, event, ...)                                                               \
	log_values(level, event, (const struct log_value[]){__VA_ARGS__},                          \
		sizeof((const struct log_value[]){__VA_ARGS__}) / sizeof(struct log_value))
/* An error at the edge where it ends: `event reason="…"`. */
void log_failure(enum log_level level, const char *event, const struct err *e);

/* For what would be said again and again as long as its cause lasts: true if it
 * has not been for a minute. *told_ms is 0 at first, and one for each thing to say. */
bool log_is_due(int64_t *told_ms);

#endif
