/* Written as the numbers come: the last run is written anew when it grows. */
#include "store/ranges.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>

#define NUMBER_DIGITS 18
#define NUMBER_MAX    24

bool ranges_add(struct ranges *ranges, int64_t number, size_t most)
{
	char text[NUMBER_MAX];
	bool begun = ranges->text.len > 0, goes_on = begun && number == ranges->last + 1;
	size_t kept = goes_on ? ranges->run + ranges->number : ranges->text.len;
	size_t len = (size_t)snprintf(text, sizeof(text), "%s%" PRId64,
		goes_on ? "-"
		: begun ? ","
			: "",
		number);
	if (kept + len > most)
		return false;
	ranges->text.len = kept;
	buf_add(&ranges->text, text, len);
	if (!goes_on) {
		ranges->run = kept + begun;
		ranges->number = len - begun;
	}
	ranges->last = number;
	return true;
}

void ranges_clear(struct ranges *ranges)
{
	buf_clear(&ranges->text);
}

void ranges_free(struct ranges *ranges)
{
	buf_free(&ranges->text);
}

static bool read_number(struct slice text, int64_t *number)
{
	uint64_t n;
	if (!text_to_number(text, NUMBER_DIGITS, &n))
		return false;
	*number = (int64_t)n;
	return true;
}

bool ranges_next(struct slice *list, int64_t *first, int64_t *last)
{
	if (list->len == 0)
		return false;
	struct slice end = slice_cut(list, ',');
	bool alone = slice_find(end, '-') == end.len;
	struct slice begin = slice_cut(&end, '-');
	return read_number(begin, first) && read_number(alone ? begin : end, last);
}

bool ranges_hold(struct slice list, int64_t number)
{
	int64_t first, last;
	while (ranges_next(&list, &first, &last))
		if (first <= number && number <= last)
			return true;
	return false;
}
