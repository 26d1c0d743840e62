/* A message that the office writes itself: its header, its parts, and in them
 * words of others, made harmless. Pure, but for Message-ID and boundary, which are
 * random. What comes out is in stored form. (RFC 5322, 2045, 2046) */
#ifndef STORE_LETTER_H
#define STORE_LETTER_H

#include "base/buf.h"
#include "base/config.h"

/* Everything that came from the wire goes in through here: printable ASCII on one
 * line, the rest as \xNN, LETTER_WORDS_MOST octets at most ("..." where cut). */
#define LETTER_WORDS_MOST 512
void letter_add_words(struct buf *out, struct slice words);

/* "2 March 2026, 10:00 WIB", for people: in the office's language, in local time. */
void letter_add_time(struct buf *out, const struct config *config, int64_t unix_seconds);
/* A paragraph, its lines `indent` blanks in and broken at blanks to be about 72
 * octets long, and an empty line behind it. */
void letter_add_paragraph(struct buf *out, unsigned indent, struct slice text);
/* A field of a header, folded at blanks; the value is printable ASCII. Without a value
 * nothing is added. */
void letter_add_field(struct buf *out, const char *name, struct slice value);

/* The fields that every letter has, and they alone: it comes from postmaster@ the
 * office's first domain, so that an answer to it reaches somebody. Without `to` it goes there,
 * too. `automatic` is what Auto-Submitted says (RFC 3834, 5). */
void letter_begin(struct buf *out, const struct config *config, struct slice to, int64_t now,
	const char *automatic);
/* Ends the header, and the letter: it is this text alone (UTF-8). */
void letter_add_text(struct buf *out, struct slice text);

/* The parts of a letter that has several. */
struct letter_parts {
	const char *kind;      /* "mixed", or "report" with its parameter */
	struct slice text;     /* for people; UTF-8 */
	struct slice status;   /* message/delivery-status; empty: none */
	struct slice attached; /* a message in stored form; empty: none */
	bool whole;            /* false: of that, the header alone (text/rfc822-headers) */
};
/* The same, with parts. What is attached keeps its octets, lines of more than 998
 * included, and the encodings say so: 7bit, 8bit, or binary where a line is too long
 * (RFC 2045, 2; RFC 2046, 5.2.1 allows no other for message/rfc822). */
void letter_add_parts(struct buf *out, const struct letter_parts *parts);

/* The header at the front of a message in stored form, without its blank line. */
struct slice letter_header_of(struct slice message);
/* Adds the body of a field as it stands, on one line. False, and nothing is added, if
 * there is none, or it is empty, too long or not printable ASCII. */
bool letter_quote_field(struct buf *out, struct slice header, const char *name);
/* Adds the subject for people to read: decoded, in UTF-8, without controls; nothing if
 * there is none. */
void letter_add_subject(struct buf *out, struct slice header);

#endif
