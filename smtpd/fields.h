/* A header as a list of fields that milters may change. Pure. (RFC 5322, 2.2) */
#ifndef SMTPD_FIELDS_H
#define SMTPD_FIELDS_H

#include "base/buf.h"
#include <stdint.h>

struct field {
	size_t at, len; /* in fields.octets, with its last line end */
	size_t name;    /* octets of the name */
	bool ours;      /* added or changed by a milter of ours */
};

/* Set to zero: none. */
struct fields {
	struct field *at;
	size_t count, cap;
	struct buf octets; /* grows: what is taken out stays here */
	bool changed;
};

/* The fields that `message`, in its stored form, begins with; their length. Behind them
 * comes the blank line, or what is no field. */
size_t fields_read(struct fields *fields, struct slice message);
void fields_copy(struct fields *to, const struct fields *from);
void fields_free(struct fields *fields);
void fields_add_text(const struct fields *fields, struct buf *out);
size_t fields_length(const struct fields *fields);

/* For a milter: name, NUL, value, NUL. Folds are LF and their blanks; without `blanks` one
 * behind the colon is left out. */
void fields_add_pair(const struct fields *fields, size_t n, bool blanks, struct buf *out);

/* By a milter's word. Line ends in the value become folds; with `blanks` what comes behind
 * the colon is the value's own. False: that is no field's name. */

/* In front of the n-th of all; 0 and 1 are the first, past the end is behind the last. */
bool fields_insert(
	struct fields *fields, uint32_t n, struct slice name, struct slice value, bool blanks);
/* The n-th of that name (0 is the first, too): gets the value, or goes where that is
 * empty. Where there is none, it is added behind the last. */
bool fields_change(
	struct fields *fields, uint32_t n, struct slice name, struct slice value, bool blanks);

/* Is there such a field of ours? `wanted`: "X-Spam: Yes", compared ASCII case-blind. */
bool fields_have_ours(const struct fields *fields, struct slice wanted);

#endif
