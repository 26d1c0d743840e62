/* Lists of numbers as they stand in events: "12-40,44", each run of numbers one
 * after the other as its first and its last. Pure. */
#ifndef STORE_RANGES_H
#define STORE_RANGES_H

#include "base/buf.h"
#include <stdint.h>

struct ranges { /* set to zero: empty */
	struct buf text;
	int64_t last;  /* the number that came last */
	size_t run;    /* where the last run begins in `text` */
	size_t number; /* octets of its first number */
};

/* Adds a number, greater than all before. False: `text` would be longer than `most`
 * octets, and nothing was added. */
bool ranges_add(struct ranges *ranges, int64_t number, size_t most);
void ranges_clear(struct ranges *ranges);
void ranges_free(struct ranges *ranges);

/* Cuts the next run off *list; false at the end, and at what is no list. */
bool ranges_next(struct slice *list, int64_t *first, int64_t *last);
bool ranges_hold(struct slice list, int64_t number);

#endif
