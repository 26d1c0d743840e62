/* The header of a message: fields, unfolded, encoded words decoded. Pure.
 * (RFC 5322, 2.2; RFC 2047) */
#ifndef BASE_HEADER_H
#define BASE_HEADER_H

#include "base/buf.h"

struct header_field {
	struct slice name; /* without the colon and blanks before it */
	struct slice body; /* as it stands, folds included, last line end not */
};

/* Cuts the next field off *header, stepping over lines that are none; false
 * at the blank line or at the end of what is there. */
bool header_next(struct slice *header, struct header_field *field);
/* Octets of the fields that `text` begins with: up to the blank line, or to the first
 * line that is none. */
size_t header_length(struct slice text);
/* First field of that name (ASCII case-blind). */
bool header_find(struct slice header, const char *name, struct header_field *field);
/* Adds the field's body unfolded, outer blanks trimmed, encoded words in
 * UTF-8, US-ASCII and ISO-8859-1 decoded to UTF-8 (others stay as they are). The
 * first blank or tab of a fold is a blank. */
void header_add_decoded(struct buf *out, struct slice body);

/* Adds the addresses of the From field to *authors, each with an LF behind it;
 * display names, comments and groups (RFC 5322, 3.4) are left out, but for a name
 * that could be read as an address, which is added like one. False if there is not
 * exactly one such field, or it cannot be read as addresses without doubt, or
 * there are more than HEADER_AUTHORS_MOST; *authors may then hold some. */
#define HEADER_AUTHORS_MOST 16
bool header_authors(struct slice header, struct buf *authors);

/* Adds the addresses of a list (of To, of an argument) to *out, each with an LF behind
 * it; here a name is only a name. False if it cannot be read; *out may then hold some. */
bool header_add_addresses(struct buf *out, struct slice list);

/* Adds the header to *out, where each author without a domain ("root", "Cron <root>")
 * gets this one. False if there is none such, or the From field cannot be read; *out may
 * then hold anything. */
bool header_qualify_authors(struct buf *out, struct slice header, struct slice domain);

#endif
