/* Reads JSON of one shape: an array of objects whose values are texts and numbers. Pure.
 * (RFC 8259) */
#ifndef TOOLS_PORT_JSON_H
#define TOOLS_PORT_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

struct json_reader {
	struct slice text; /* all of it */
	size_t at;
};

/* ERR_DAMAGED, with the place, from each. Into an array or object: 1 it holds something,
 * 0 it is empty. */
int json_enter(struct json_reader *in, char bracket, struct err *e);
/* Behind a value: 1 another follows, 0 the bracket was closed. */
int json_more(struct json_reader *in, char bracket, struct err *e);
/* The name of a value, and its colon. */
int json_key(struct json_reader *in, struct buf *key, struct err *e);
/* Values. A text is replaced; a time is one of RFC 3339 in UTC, as Unix seconds. */
int json_text(struct json_reader *in, struct buf *text, struct err *e);
int json_number(struct json_reader *in, uint64_t *number, struct err *e);
int json_time(struct json_reader *in, int64_t *unix_seconds, struct err *e);
int json_skip(struct json_reader *in, struct err *e); /* any but an array or object */
/* Nothing but blanks follows. */
int json_end(struct json_reader *in, struct err *e);

/* Adds a text, which is UTF-8, with its quotes. */
void json_add_text(struct buf *out, struct slice text);

#endif
