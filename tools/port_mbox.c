/* Lines are looked at once, and only their beginning is kept: a line of any length takes
 * no memory. */
#include "tools/port_mbox.h"
#include "base/text.h"
#include <string.h>
#include <time.h>

#define FROM "From "

/* ---- the line between messages ---- */

static const char *const months[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int find_word(const char *const *words, int count, struct slice word)
{
	for (int i = 0; i < count; i++)
		if (slice_equal_nocase(word, slice_of(words[i])))
			return i;
	return -1;
}

static struct slice next_word(struct slice *rest)
{
	*rest = slice_trim(*rest);
	return slice_cut(rest, ' ');
}

static bool read_number(struct slice text, unsigned digits, uint64_t most, int *number)
{
	uint64_t value;
	if (!text_to_number(text, digits, &value) || value > most)
		return false;
	*number = (int)value;
	return true;
}

/* "07:00:00" or "07:00". */
static bool read_clock(struct slice text, struct tm *when)
{
	struct slice hour = slice_cut(&text, ':');
	struct slice minute = slice_cut(&text, ':');
	when->tm_sec = 0;
	return read_number(hour, 2, 23, &when->tm_hour) &&
	       read_number(minute, 2, 59, &when->tm_min) &&
	       (text.len == 0 || read_number(text, 2, 60, &when->tm_sec));
}

/* "+0700": seconds east of UTC. */
static bool read_zone(struct slice text, int64_t *east)
{
	uint64_t digits;
	if (text.len != 5 || !strchr("+-", text.at[0]) ||
		!text_to_number(slice_from(text, 1), 4, &digits))
		return false;
	*east = (int64_t)(digits / 100 * 3600 + digits % 100 * 60);
	if (text.at[0] == '-')
		*east = -*east;
	return true;
}

/* Behind the day of the week: "Nov 23 07:00:00 2026", perhaps a zone before the year or
 * behind it. */
static bool read_date(struct slice rest, int64_t *received)
{
	struct tm when = {0};
	int64_t east = 0;
	int year = 0;
	when.tm_mon = find_word(months, 12, next_word(&rest));
	if (when.tm_mon < 0 || !read_number(next_word(&rest), 2, 31, &when.tm_mday) ||
		!read_clock(next_word(&rest), &when))
		return false;
	for (struct slice word; (word = next_word(&rest)).len > 0;)
		if (!read_zone(word, &east) && word.len == 4 && year == 0)
			read_number(word, 4, 9999, &year);
	when.tm_year = year - 1900;
	*received = year >= 1970 ? timegm(&when) - east : 0;
	return year >= 1970;
}

bool mbox_is_from_line(struct slice line, int64_t *received)
{
	if (!slice_has_prefix(line, SLICE(FROM)))
		return false;
	struct slice rest = slice_from(line, strlen(FROM));
	if (rest.len > 0 && rest.at[rest.len - 1] == '\r')
		rest.len--;
	while (rest.len > 0)
		if (find_word(days, 7, next_word(&rest)) >= 0 && read_date(rest, received))
			return true;
	return false;
}

void mbox_add_from_line(struct buf *out, struct slice sender, int64_t received)
{
	struct tm utc;
	time_t when = received > 0 ? (time_t)received : 0;
	size_t before;
	buf_add_text(out, FROM);
	before = out->len;
	for (size_t i = 0; i < sender.len && i < 320; i++)
		if (sender.at[i] > ' ' && sender.at[i] < 0x7F)
			buf_add_char(out, sender.at[i]);
	if (out->len == before)
		buf_add_text(out, "MAILER-DAEMON");
	gmtime_r(&when, &utc);
	buf_printf(out, " %s %s %2d %02d:%02d:%02d %d\n", days[utc.tm_wday], months[utc.tm_mon],
		utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, utc.tm_year + 1900);
}

/* ---- the file ---- */

/* A line has ended: `blank` in front of it has been seen. */
static bool end_line(struct mbox_scan *scan, uint64_t begin)
{
	struct slice line = {scan->line, scan->line_len};
	bool empty = line.len == 0 || slice_equal(line, SLICE("\r"));
	bool found = !scan->too_long && mbox_is_from_line(line, &scan->received);
	if (found) {
		scan->line_begin = begin;
		scan->line_end = scan->at;
		scan->text_end = begin - scan->blank;
	}
	scan->blank = empty && !scan->too_long ? scan->at - begin : 0;
	scan->line_len = 0;
	scan->too_long = false;
	return found;
}

static void keep(struct mbox_scan *scan, struct slice part)
{
	size_t room = sizeof(scan->line) - scan->line_len;
	size_t len = part.len < room ? part.len : room;
	scan->too_long |= part.len > room;
	memcpy(scan->line + scan->line_len, part.at, len);
	scan->line_len += len;
}

size_t mbox_scan(struct mbox_scan *scan, struct slice octets, bool *found)
{
	struct slice rest = octets;
	*found = false;
	while (rest.len > 0 && !*found) {
		const char *lf = memchr(rest.at, '\n', rest.len);
		struct slice part = {rest.at, lf ? (size_t)(lf - rest.at) : rest.len};
		bool plain = scan->line_len == 0 && !scan->too_long && part.len > 0 &&
			     *part.at != 'F' && *part.at != '\r';
		if (plain)
			scan->too_long = true; /* nothing of it has to be kept */
		else if (!scan->too_long && part.len > 0)
			keep(scan, part);
		scan->at += part.len + (lf != NULL);
		rest = slice_from(rest, part.len + (lf != NULL));
		/* One that is short enough to be looked at begins where it can be told. */
		if (lf)
			*found = end_line(scan, scan->at - scan->line_len - 1);
	}
	return octets.len - rest.len;
}

uint64_t mbox_scan_end(struct mbox_scan *scan)
{
	if (scan->line_len > 0 && !scan->too_long && scan->line_len == 1 && *scan->line == '\r')
		return scan->at - 1; /* half a line's end */
	return scan->at - (scan->line_len == 0 && !scan->too_long ? scan->blank : 0);
}

/* ---- quoting ---- */

enum { LINE_START, IN_QUOTES, IN_FROM, INSIDE };

static void add_held(struct mbox_lines *lines, struct buf *out)
{
	if (lines->held)
		buf_add_char(out, '>');
	buf_add(out, FROM, lines->matched);
	lines->held = false;
	lines->matched = 0;
}

/* Up to the end of the line, and with it. */
static size_t pass_line(struct mbox_lines *lines, struct slice rest, struct buf *out)
{
	const char *lf = memchr(rest.at, '\n', rest.len);
	size_t len = lf ? (size_t)(lf - rest.at) + 1 : rest.len;
	buf_add(out, rest.at, len);
	lines->state = lf ? LINE_START : INSIDE;
	return len;
}

/* All ">" in front of "From " look the same: one is held back, whichever it was, and at
 * "From " it is dropped, or another is added. */
static size_t look_at(struct mbox_lines *lines, char octet, bool quote, struct buf *out)
{
	if (octet == '>' && lines->state != IN_FROM) {
		if (lines->held || quote)
			buf_add_char(out, '>');
		lines->held = !quote;
		lines->state = IN_QUOTES;
		return 1;
	}
	if (octet != FROM[lines->matched]) {
		add_held(lines, out);
		lines->state = INSIDE;
		return 0;
	}
	lines->state = IN_FROM;
	if (++lines->matched == strlen(FROM)) {
		lines->held = quote;
		add_held(lines, out);
		lines->state = INSIDE;
	}
	return 1;
}

static void transform(struct mbox_lines *lines, struct slice rest, bool quote, struct buf *out)
{
	while (rest.len > 0) {
		bool plain = lines->state == INSIDE ||
			     (lines->state == LINE_START && *rest.at != '>' && *rest.at != *FROM);
		size_t taken =
			plain ? pass_line(lines, rest, out) : look_at(lines, *rest.at, quote, out);
		rest = slice_from(rest, taken);
	}
}

void mbox_unquote(struct mbox_lines *lines, struct slice octets, struct buf *out)
{
	transform(lines, octets, false, out);
}

void mbox_quote(struct mbox_lines *lines, struct slice octets, struct buf *out)
{
	transform(lines, octets, true, out);
}

void mbox_lines_end(struct mbox_lines *lines, struct buf *out)
{
	add_held(lines, out);
	lines->state = INSIDE;
}
