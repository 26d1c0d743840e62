/* What is stored of a message, worked out another way than base/dot.c does: with
 * all of its octets at hand, and from the words of the interface. */
#ifndef TESTS_FUZZ_STORED_H
#define TESTS_FUZZ_STORED_H

#include "tests/fuzz/fuzz.h"

static inline bool stored_begins(struct slice wire, size_t at, struct slice text)
{
	return slice_has_prefix(slice_from(wire, at), text);
}

/* Where the dot of the end stands; wire.len if it has none. */
static inline size_t stored_end(struct slice wire)
{
	if (stored_begins(wire, 0, SLICE(".\r\n")))
		return 0;
	for (size_t i = 0; i < wire.len; i++)
		if (stored_begins(wire, i, SLICE("\r\n.\r\n")))
			return i + 2;
	return wire.len;
}

/* Adds the stored form of `text`, all of which is the message's. */
static inline void stored_add(struct buf *out, struct slice text, bool dotted)
{
	for (size_t i = 0; i < text.len; i++) {
		bool behind_crlf = i == 0 || (i >= 2 && stored_begins(text, i - 2, SLICE("\r\n")));
		bool before_lf = i + 1 < text.len && text.at[i + 1] == '\n';
		if (dotted && text.at[i] == '.' && behind_crlf)
			continue;
		if (text.at[i] == '\n')
			buf_add_text(out, "\r\n");
		else if (text.at[i] != '\r')
			buf_add_char(out, text.at[i]);
		else if (!before_lf)
			buf_add_char(out, ' ');
	}
}

/* A line that has none gets its end. */
static inline void stored_end_line(struct buf *out)
{
	if (out->len > 0 && out->at[out->len - 1] != '\n')
		buf_add_text(out, "\r\n");
}

#endif
