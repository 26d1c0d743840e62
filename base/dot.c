/* The dotted body, in and out.
 *
 * What counts as the beginning of a line differs between the wire and the
 * store, and the difference is what smuggling lives on: on the wire a line
 * begins behind CRLF and nowhere else, so a dot behind a bare LF is neither
 * the end nor stuffed; in the store every line ends with CRLF, so on the way
 * out such a dot is stuffed like any other. */
#include "base/dot.h"
#include <string.h>

enum {
	LINE_BEGIN,   /* behind CRLF (in BDAT also behind a repaired LF), or at the start */
	INSIDE_LINE,  /* a dot here is text */
	AFTER_CR,     /* a CR is held: LF makes it a line end, all else a space */
	AFTER_DOT,    /* a dot at the beginning of a line is held, and dropped */
	AFTER_DOT_CR, /* LF ends the body; all else makes it a dropped dot and a held CR */
};

void dot_read_start(struct dot_reader *reader, bool dotted)
{
	*reader = (struct dot_reader){.dotted = dotted, .state = LINE_BEGIN};
}

static void add(struct buf *out, const char *from, const char *to)
{
	if (out && to > from)
		buf_add(out, from, (size_t)(to - from));
}

static void add_text(struct buf *out, struct slice text)
{
	add(out, text.at, text.at + text.len);
}

/* Takes text from inside a line, or from its beginning where no dot stands, up
 * to a dot that begins a line or to `end`. Lines that need no repair are added
 * many at once. A line's end is looked up once however many CRs are in it, or
 * a chunk of nothing else would cost its square. */
static const char *take_text(
	struct dot_reader *reader, const char *at, const char *end, struct buf *out)
{
	const char *kept = at; /* from here on nothing has been added yet */
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *line_end = lf ? lf : end;
		const char *cr;
		while ((cr = memchr(at, '\r', (size_t)(line_end - at))) && cr + 1 < line_end) {
			add(out, kept, cr);
			add_text(out, SLICE(" "));
			kept = at = cr + 1;
		}
		if (!lf) {
			add(out, kept, cr ? cr : end);
			reader->state = cr ? AFTER_CR : INSIDE_LINE;
			return end;
		}
		at = lf + 1;
		if (!cr) {
			add(out, kept, lf);
			add_text(out, SLICE("\r\n"));
			kept = at;
			reader->state = reader->dotted ? INSIDE_LINE : LINE_BEGIN;
			continue;
		}
		reader->state = LINE_BEGIN;
		if (reader->dotted && at < end && *at == '.')
			break;
	}
	add(out, kept, at);
	return at;
}

size_t dot_read(struct dot_reader *reader, struct slice wire, struct buf *out)
{
	if (wire.len == 0)
		return 0;

	const char *at = wire.at, *end = wire.at + wire.len;
	while (at < end && !reader->ended) {
		switch (reader->state) {
		case LINE_BEGIN:
			if (reader->dotted && *at == '.') {
				reader->state = AFTER_DOT;
				at++;
				break;
			}
			/* fall through */
		case INSIDE_LINE:
			at = take_text(reader, at, end, out);
			break;
		case AFTER_CR:
			if (*at == '\n') {
				add_text(out, SLICE("\r\n"));
				reader->state = LINE_BEGIN;
				at++;
			} else {
				add_text(out, SLICE(" "));
				reader->state = INSIDE_LINE;
			}
			break;
		case AFTER_DOT:
			if (*at == '\r') {
				reader->state = AFTER_DOT_CR;
				at++;
			} else {
				reader->state = INSIDE_LINE;
			}
			break;
		case AFTER_DOT_CR:
			if (*at == '\n') {
				reader->ended = true;
				at++;
			} else {
				reader->state = AFTER_CR;
			}
			break;
		}
	}
	size_t taken = (size_t)(at - wire.at);
	if (memchr(wire.at, '\0', taken))
		reader->has_nul = true;
	return taken;
}

void dot_read_finish(struct dot_reader *reader, struct buf *out)
{
	if (reader->state == AFTER_CR)
		add_text(out, SLICE(" "));
	if (reader->state != LINE_BEGIN)
		add_text(out, SLICE("\r\n"));
	reader->state = LINE_BEGIN;
}

/* Looks for dots and then at what stands before them, not for line ends: text
 * has about as many of either, but base64 has no dots at all. */
struct slice dot_write_span(struct dot_writer *writer, struct slice *stored, bool *stuff)
{
	*stuff = false;
	if (stored->len == 0)
		return *stored;

	const char *begin = stored->at, *end = begin + stored->len;
	const char *dot = begin;
	*stuff = *begin == '.' && !writer->inside_line;
	do {
		dot = memchr(dot + 1, '.', (size_t)(end - dot - 1));
	} while (dot && dot[-1] != '\n');

	struct slice span = {begin, (size_t)((dot ? dot : end) - begin)};
	writer->inside_line = span.at[span.len - 1] != '\n';
	*stored = slice_from(*stored, span.len);
	return span;
}
