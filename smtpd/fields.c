/* Text of fields is only ever added; the list says which of it counts, and in which order. */
#include "smtpd/fields.h"
#include <stdlib.h>
#include <string.h>

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] <= ' ' || name.at[i] >= 127 || name.at[i] == ':')
			return false;
	return name.len > 0;
}

static struct slice text_of(const struct fields *fields, const struct field *field)
{
	return (struct slice){fields->octets.at + field->at, field->len};
}

static struct slice name_of(const struct fields *fields, const struct field *field)
{
	return (struct slice){fields->octets.at + field->at, field->name};
}

static void put_in(struct fields *fields, size_t n, struct field field)
{
	if (fields->count == fields->cap) {
		fields->cap = fields->cap ? 2 * fields->cap : 32;
		fields->at = must_realloc(fields->at, fields->cap * sizeof(*fields->at));
	}
	memmove(fields->at + n + 1, fields->at + n, (fields->count - n) * sizeof(*fields->at));
	fields->at[n] = field;
	fields->count++;
}

static size_t line_length(struct slice text)
{
	size_t len = slice_find(text, '\n');
	return len < text.len ? len + 1 : len;
}

/* The field that `text` begins with; length 0: there is none. */
static struct field field_at(struct slice text)
{
	struct field field = {.name = slice_find(text, ':')};
	size_t len = line_length(text);
	struct slice name = {text.at, field.name};
	/* Blanks in front of the colon are of an older time (RFC 5322, 4.5). */
	while (name.len > 0 && field.name < len &&
		(name.at[name.len - 1] == ' ' || name.at[name.len - 1] == '\t'))
		name.len--;
	if (field.name >= len || !is_name(name))
		return (struct field){0};
	field.name = name.len;
	while (len < text.len && (text.at[len] == ' ' || text.at[len] == '\t'))
		len += line_length(slice_from(text, len));
	field.len = len;
	return field;
}

size_t fields_read(struct fields *fields, struct slice message)
{
	size_t at = 0;
	for (;;) {
		struct field field = field_at(slice_from(message, at));
		if (field.len == 0)
			break;
		field.at = at;
		put_in(fields, fields->count, field);
		at += field.len;
	}
	buf_add(&fields->octets, message.at, at);
	return at;
}

void fields_copy(struct fields *to, const struct fields *from)
{
	fields_free(to);
	for (size_t i = 0; i < from->count; i++)
		put_in(to, i, from->at[i]);
	buf_add_slice(&to->octets, buf_slice(&from->octets));
	to->changed = from->changed;
}

void fields_free(struct fields *fields)
{
	free(fields->at);
	buf_free(&fields->octets);
	*fields = (struct fields){0};
}

void fields_add_text(const struct fields *fields, struct buf *out)
{
	for (size_t i = 0; i < fields->count; i++)
		buf_add_slice(out, text_of(fields, &fields->at[i]));
}

size_t fields_length(const struct fields *fields)
{
	size_t len = 0;
	for (size_t i = 0; i < fields->count; i++)
		len += fields->at[i].len;
	return len;
}

/* What stands behind the colon, without the last line end. */
static struct slice value_of(const struct fields *fields, const struct field *field)
{
	struct slice text = text_of(fields, field);
	struct slice value = slice_from(text, slice_find(text, ':') + 1);
	while (value.len > 0 &&
		(value.at[value.len - 1] == '\n' || value.at[value.len - 1] == '\r'))
		value.len--;
	return value;
}

void fields_add_pair(const struct fields *fields, size_t n, bool blanks, struct buf *out)
{
	struct slice value = value_of(fields, &fields->at[n]);
	buf_add_slice(out, name_of(fields, &fields->at[n]));
	buf_add_char(out, '\0');
	if (!blanks && value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
		value = slice_from(value, 1);
	/* The stored form holds a CR before an LF only. */
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] != '\r')
			buf_add_char(out, value.at[i]);
	buf_add_char(out, '\0');
}

/* ---- changes ---- */

/* A line of a value must not end the field, nor the header. */
static void add_value(struct buf *out, struct slice value)
{
	while (value.len > 0 && strchr(" \t\r\n", value.at[value.len - 1]))
		value.len--;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];
		if (c == '\r' && i + 1 < value.len && value.at[i + 1] == '\n')
			continue;
		if (c == '\r')
			c = ' ';
		if (c != '\n') {
			buf_add_char(out, c);
			continue;
		}
		/* A fold of blanks alone would be an end to some who read it. */
		size_t next = i + 1;
		while (next < value.len && strchr(" \t\r\n", value.at[next]))
			next++;
		bool folded = value.at[i + 1] == ' ' || value.at[i + 1] == '\t';
		bool blank = memchr(value.at + i + 1, '\n', next - i - 1);
		if (blank)
			i = next - 1;
		buf_add_text(out, folded && !blank ? "\r\n" : "\r\n\t");
	}
}

static struct field write_field(
	struct fields *fields, struct slice name, struct slice value, bool blanks)
{
	struct buf *octets = &fields->octets;
	struct field field = {.at = octets->len, .name = name.len, .ours = true};
	buf_add_slice(octets, name);
	buf_add_text(octets, blanks ? ":" : ": ");
	add_value(octets, value);
	buf_add_text(octets, "\r\n");
	field.len = octets->len - field.at;
	return field;
}

bool fields_insert(
	struct fields *fields, uint32_t n, struct slice name, struct slice value, bool blanks)
{
	size_t at = n > 0 ? n - 1 : 0;
	if (!is_name(name))
		return false;
	fields->changed = true;
	struct field field = write_field(fields, name, value, blanks);
	put_in(fields, at < fields->count ? at : fields->count, field);
	return true;
}

bool fields_change(
	struct fields *fields, uint32_t n, struct slice name, struct slice value, bool blanks)
{
	size_t at = 0;
	uint32_t seen = 0;
	if (!is_name(name))
		return false;
	fields->changed = true;
	for (; at < fields->count; at++)
		if (slice_equal_nocase(name_of(fields, &fields->at[at]), name) &&
			++seen >= (n > 0 ? n : 1))
			break;
	if (value.len > 0) {
		struct field field = write_field(fields, name, value, blanks);
		if (at < fields->count)
			fields->at[at] = field;
		else
			put_in(fields, at, field);
	} else if (at < fields->count) {
		fields->count--;
		memmove(fields->at + at, fields->at + at + 1,
			(fields->count - at) * sizeof(*fields->at));
	}
	return true;
}

bool fields_have_ours(const struct fields *fields, struct slice wanted)
{
	struct slice value = wanted;
	struct slice name = slice_trim(slice_cut(&value, ':'));
	value = slice_trim(value);
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->at[i];
		if (field->ours && slice_equal_nocase(name_of(fields, field), name) &&
			slice_equal_nocase(slice_trim(value_of(fields, field)), value))
			return name.len > 0;
	}
	return false;
}
