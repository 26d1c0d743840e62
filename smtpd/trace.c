/* Where a message has been. What a stranger says of itself stands in a header
 * that people and programs trust, so it goes through a finer sieve here than in
 * the log. */
#include "smtpd/trace.h"
#include "base/syntax.h"
#include "base/text.h"
#include <string.h>

#define LINE_WIDTH   77
#define CLIENT_MAX   255 /* octets of the client's name that are shown */
#define RECEIVED_MAX 100 /* a message that has passed so many hosts is lost */
#define OURS_MAX     10

/* ---- the field we add ---- */

/* [192.0.2.1], [IPv6:2001:db8::1] (RFC 5321, 4.1.3). */
static bool is_literal(struct slice name)
{
	if (name.len < 3 || name.len > CLIENT_MAX || name.at[0] != '[' ||
		name.at[name.len - 1] != ']')
		return false;
	for (size_t i = 1; i < name.len - 1; i++)
		if (!syntax_is_letter_or_digit(name.at[i]) && !strchr(".:-", name.at[i]))
			return false;
	return true;
}

/* A client may call itself anything; only what a host name is made of stays as
 * it is, so that no name can look like the end of one and the beginning of the
 * next word. "%" and two digits stand for the rest: so it remains an atom,
 * which is all that may stand there (RFC 5322, 3.6.7). */
static void add_client(struct buf *out, struct slice name)
{
	size_t start = out->len;
	if (is_literal(name)) {
		buf_add_slice(out, name);
		return;
	}
	for (size_t i = 0; i < name.len && out->len - start < CLIENT_MAX - 3; i++) {
		char c = name.at[i];
		if (syntax_is_letter_or_digit(c) || (c != '\0' && strchr(".-_", c)))
			buf_add_char(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned char)c);
	}
}

static void add_peer(struct buf *out, const char *peer)
{
	if (strcmp(peer, "unix") == 0)
		buf_add_text(out, "(unix)");
	else if (strchr(peer, ':'))
		buf_printf(out, "([IPv6:%s])", peer);
	else
		buf_printf(out, "([%s])", peer);
}

/* Adds the word (and empties it) behind a blank, or on a new line where it does
 * not fit. `column` counts the octets of the line, a tab as it looks. */
static void add_word(struct buf *out, size_t *column, struct buf *word)
{
	bool fits = *column + 1 + word->len <= LINE_WIDTH;
	buf_add_text(out, fits ? " " : "\r\n\t");
	*column = (fits ? *column + 1 : 8) + word->len;
	buf_add_slice(out, buf_slice(word));
	buf_clear(word);
}

/* " from CLIENT ([ADDRESS])" */
static void add_from(struct buf *out, size_t *column, const struct trace *trace)
{
	struct buf word = {0};
	buf_add_text(out, " from");
	*column += strlen(" from");
	add_client(&word, trace->client);
	add_word(out, column, &word);
	add_peer(&word, trace->peer);
	add_word(out, column, &word);
	*column = LINE_WIDTH; /* "by" begins a line */
	buf_free(&word);
}

void trace_add_received(struct buf *out, const struct trace *trace)
{
	char date[TEXT_DATE_MAX];
	struct buf word = {0};
	buf_add_text(out, "Received:");
	size_t column = strlen("Received:");
	if (trace->peer)
		add_from(out, &column, trace);
	buf_printf(&word, "by %s (officemail)", trace->hostname);
	add_word(out, &column, &word);
	buf_printf(&word, "with %s id %s", trace->protocol, trace->queue_id);
	if (trace->recipient.len > 0) {
		add_word(out, &column, &word);
		buf_add_text(&word, "for <");
		text_add_escaped(&word, trace->recipient);
		buf_add_char(&word, '>');
	}
	if (trace->suite) {
		add_word(out, &column, &word);
		buf_printf(&word, "tls %s", trace->suite);
	}
	buf_add_char(&word, ';');
	add_word(out, &column, &word);
	buf_add_text(&word, text_of_mail_date(date, trace->when));
	add_word(out, &column, &word);
	buf_add_text(out, "\r\n");
	buf_free(&word);
}

/* ---- the fields that are there ---- */

void trace_scan_start(struct trace_scan *scan, const char *hostname)
{
	*scan = (struct trace_scan){.hostname = hostname};
}

static bool says_by(struct slice body, const char *hostname)
{
	bool after_by = false;
	while (body.len > 0) {
		size_t len = 0;
		while (len < body.len && !strchr(" \t\r\n;()", body.at[len]))
			len++;
		struct slice word = {body.at, len};
		body = slice_from(body, len + 1);
		if (len == 0)
			continue;
		if (after_by && slice_equal_nocase(word, slice_of(hostname)))
			return true;
		after_by = slice_equal_nocase(word, SLICE("by"));
	}
	return false;
}

static void judge_field(struct trace_scan *scan)
{
	struct slice body = {scan->field, scan->len};
	struct slice name = slice_trim(slice_cut(&body, ':'));
	scan->len = 0;
	if (!slice_equal_nocase(name, SLICE("received")))
		return;
	scan->received++;
	if (says_by(body, scan->hostname))
		scan->ours++;
}

void trace_scan(struct trace_scan *scan, struct slice octets)
{
	while (octets.len > 0 && !scan->header_ended) {
		if (!scan->inside_line && octets.at[0] != ' ' && octets.at[0] != '\t') {
			judge_field(scan);
			/* The stored form holds a CR before an LF only. */
			if (octets.at[0] == '\r') {
				scan->header_ended = true;
				return;
			}
		}
		size_t line = slice_find(octets, '\n');
		scan->inside_line = line == octets.len;
		if (!scan->inside_line)
			line++;
		size_t room = sizeof(scan->field) - scan->len;
		size_t kept = line < room ? line : room;
		memcpy(scan->field + scan->len, octets.at, kept);
		scan->len += kept;
		octets = slice_from(octets, line);
	}
}

bool trace_scan_is_loop(const struct trace_scan *scan)
{
	return scan->received > RECEIVED_MAX || scan->ours > OURS_MAX;
}
