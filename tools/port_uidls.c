/* Rows are found by file and place, in an order made at the first look. */
#include "tools/port_uidls.h"
#include "base/text.h"
#include "tools/port_json.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

void uidls_free(struct uidl_table *table)
{
	free(table->rows);
	buf_free(&table->text);
	*table = (struct uidl_table){0};
}

/* ---- rows ---- */

void uidls_key(struct buf *out, struct slice file)
{
	size_t at = file.len;
	while (at > 0 && file.at[at - 1] != '/')
		at--;
	struct slice name = slice_from(file, at), above = {file.at, at};
	if (above.len >= 4) {
		struct slice last = slice_from(above, above.len - 4);
		if ((slice_equal(last, SLICE("cur/")) || slice_equal(last, SLICE("new/"))) &&
			(above.len == 4 || above.at[above.len - 5] == '/'))
			above.len -= 4;
	}
	buf_add_slice(out, above);
	const char *flags = name.len > 0 ? memmem(name.at, name.len, ":2,", 3) : NULL;
	buf_add(out, name.at, flags ? (size_t)(flags - name.at) : name.len);
}

/* A row whose texts the caller sets. */
static struct uidl_row *add_row(struct uidl_table *table, struct slice file)
{
	if (table->count == table->cap) {
		table->cap = table->cap ? table->cap * 2 : 64;
		table->rows = must_realloc(table->rows, table->cap * sizeof(*table->rows));
	}
	struct uidl_row *row = &table->rows[table->count];
	*row = (struct uidl_row){.file = table->text.len, .order = table->count};
	table->count++;
	uidls_key(&table->text, file);
	row->file_len = table->text.len - row->file;
	row->uidl = table->text.len;
	table->sorted = false;
	return row;
}

static void end_uidl(struct uidl_table *table, struct uidl_row *row)
{
	row->uidl_len = table->text.len - row->uidl;
}

static struct slice text_at(const struct uidl_table *table, size_t at, size_t len)
{
	struct slice text = slice_from(buf_slice(&table->text), at);
	text.len = len;
	return text;
}

struct slice uidls_uidl(const struct uidl_table *table, const struct uidl_row *row)
{
	return text_at(table, row->uidl, row->uidl_len);
}

struct slice uidls_file(const struct uidl_table *table, const struct uidl_row *row)
{
	return text_at(table, row->file, row->file_len);
}

static int compare(struct slice a, uint64_t place_a, struct slice b, uint64_t place_b)
{
	size_t least = a.len < b.len ? a.len : b.len;
	int order = least > 0 ? memcmp(a.at, b.at, least) : 0;
	if (order == 0 && a.len != b.len)
		order = a.len < b.len ? -1 : 1;
	return order ? order : place_a < place_b ? -1 : place_a > place_b;
}

static const struct uidl_table *sorted_table;

/* Of two for one message the later counts, as it does with Dovecot. */
static int compare_rows(const void *a, const void *b)
{
	const struct uidl_row *one = a, *other = b;
	int order = compare(uidls_file(sorted_table, one), one->place,
		uidls_file(sorted_table, other), other->place);
	return order ? order : one->order > other->order ? -1 : one->order < other->order;
}

const struct uidl_row *uidls_find(struct uidl_table *table, struct slice file, uint64_t place)
{
	struct buf key = {0};
	size_t low = 0, high = table->count;
	if (!table->sorted && table->count > 0) {
		sorted_table = table;
		qsort(table->rows, table->count, sizeof(*table->rows), compare_rows);
	}
	table->sorted = true;
	uidls_key(&key, file);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct uidl_row *row = &table->rows[middle];
		if (compare(uidls_file(table, row), row->place, buf_slice(&key), place) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	const struct uidl_row *row = low < table->count ? &table->rows[low] : NULL;
	if (row && compare(uidls_file(table, row), row->place, buf_slice(&key), place) != 0)
		row = NULL;
	buf_free(&key);
	return row;
}

/* ---- Dovecot ---- */

struct dovecot_message {
	uint64_t uid, validity;
	struct slice uidl, guid, file;
};

/* Adds a number, printed as the modifiers in front of its variable say. */
static void add_number(struct buf *out, uint64_t number, bool hex, bool upper, int width)
{
	unsigned long long n = number;
	if (!hex)
		buf_printf(out, "%0*llu", width, n);
	else if (upper)
		buf_printf(out, "%0*llX", width, n);
	else
		buf_printf(out, "%0*llx", width, n);
}

/* "%08Xu": zeros and a width, X for hexadecimal, U and L for its letters (which are small
 * without), the variable. False: it is another one. */
static bool add_variable(
	struct buf *out, const char **format, const struct dovecot_message *message)
{
	const char *at = *format;
	bool hex = false, upper = false;
	int width = 0;
	while (*at >= '0' && *at <= '9' && width < 32)
		width = width * 10 + (*at++ - '0');
	if (width > 64)
		return false;
	for (; *at == 'X' || *at == 'U' || *at == 'L'; at++) {
		hex |= *at == 'X';
		upper = *at == 'U' || (upper && *at != 'L');
	}
	*format = at + (*at != '\0');
	switch (*at) {
	case 'u':
		add_number(out, message->uid, hex, upper, width);
		return true;
	case 'v':
		add_number(out, message->validity, hex, upper, width);
		return true;
	case 'f':
		buf_add_slice(out, message->file);
		return true;
	case 'g': /* of a message that has no other, the file's name */
		buf_add_slice(out, message->guid.len > 0 ? message->guid : message->file);
		return true;
	case '%':
		buf_add_char(out, '%');
		return true;
	default:
		return false;
	}
}

static bool add_formatted(
	struct buf *out, const char *format, const struct dovecot_message *message)
{
	while (*format)
		if (*format != '%')
			buf_add_char(out, *format++);
		else if (format++, !add_variable(out, &format, message))
			return false;
	return true;
}

int uidls_check_format(const char *format, struct err *e)
{
	struct buf one = {0}, other = {0};
	const struct dovecot_message first = {.uid = 1, .guid = SLICE("1"), .file = SLICE("1")};
	const struct dovecot_message second = {.uid = 2, .guid = SLICE("2"), .file = SLICE("2")};
	int result = 0;
	if (!add_formatted(&one, format, &first) || !add_formatted(&other, format, &second))
		result = err_set(e, ERR_INPUT,
			"%s is no format of UIDLs that is known here: %%u, %%v, %%f and %%g are",
			format);
	else if (slice_equal(buf_slice(&one), buf_slice(&other)))
		result = err_set(e, ERR_INPUT,
			"by %s all messages have the same UIDL: a format has %%u, %%f or %%g in "
			"it, as %s has, which is Dovecot's own",
			format, UIDLS_DOVECOT_FORMAT);
	buf_free(&one);
	buf_free(&other);
	return result;
}

static struct slice next_line(struct slice *rest)
{
	struct slice line = slice_cut(rest, '\n');
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* "3 V1275660208 N25022 G..." or, of version 1, "1 1275660208 25022". */
static bool read_dovecot_head(struct slice line, unsigned *version, uint64_t *validity)
{
	struct slice word = slice_cut(&line, ' ');
	*validity = 0;
	if (slice_equal(word, SLICE("1"))) {
		*version = 1;
		return text_to_number(slice_cut(&line, ' '), 10, validity);
	}
	*version = 3;
	if (!slice_equal(word, SLICE("3")))
		return false;
	while (line.len > 0) {
		word = slice_cut(&line, ' ');
		if (word.len > 1 && *word.at == 'V')
			return text_to_number(slice_from(word, 1), 10, validity);
	}
	return false;
}

/* "25006 Pother Gguid :1276528487.M364837P9451.kurkku,S=1355"; in version 1 the file
 * stands behind the number. */
static bool read_dovecot_row(struct slice line, unsigned version, struct dovecot_message *message)
{
	if (!text_to_number(slice_cut(&line, ' '), 10, &message->uid) || message->uid == 0)
		return false;
	message->uidl = message->guid = (struct slice){0};
	while (version == 3 && line.len > 0 && *line.at != ':') {
		struct slice word = slice_cut(&line, ' ');
		if (word.len > 1 && *word.at == 'P')
			message->uidl = slice_from(word, 1);
		else if (word.len > 1 && *word.at == 'G')
			message->guid = slice_from(word, 1);
	}
	message->file = version == 3 ? slice_from(line, 1) : line;
	const char *flags =
		message->file.len > 0 ? memchr(message->file.at, ':', message->file.len) : NULL;
	if (flags)
		message->file.len = (size_t)(flags - message->file.at);
	return message->file.len > 0;
}

int uidls_read_dovecot(
	struct uidl_table *table, struct slice list, const char *format, struct err *e)
{
	struct dovecot_message message = {0};
	unsigned version;
	if (!read_dovecot_head(next_line(&list), &version, &message.validity))
		return err_set(e, ERR_DAMAGED, "its first line is not one of Dovecot's");
	while (list.len > 0) {
		struct slice line = next_line(&list);
		if (!read_dovecot_row(line, version, &message))
			continue;
		struct uidl_row *row = add_row(table, message.file);
		row->order = message.uid;
		if (message.uidl.len > 0)
			buf_add_slice(&table->text, message.uidl);
		else {
			bool known = add_formatted(&table->text, format, &message);
			assert(known);
		}
		end_uidl(table, row);
	}
	return 0;
}

/* ---- Courier ---- */

/* Cuts the last word off. */
static struct slice last_word(struct slice *line)
{
	size_t at = line->len;
	while (at > 0 && line->at[at - 1] != ' ')
		at--;
	struct slice word = slice_from(*line, at);
	line->len = at > 0 ? at - 1 : 0;
	return word;
}

/* "FILE SIZE UID:UIDVALIDITY", with ":0" behind it from version 3 on. */
static bool read_courier_row(
	struct slice line, struct slice *file, uint64_t *uid, uint64_t *validity)
{
	uint64_t size;
	struct slice ids = last_word(&line);
	struct slice octets = last_word(&line);
	*file = line;
	return line.len > 0 && text_to_number(octets, 18, &size) &&
	       text_to_number(slice_cut(&ids, ':'), 18, uid) &&
	       text_to_number(slice_cut(&ids, ':'), 18, validity);
}

/* As pop3d of Courier does where a message has no number: its file's name, what is rare
 * in it written as "+20". */
static void add_escaped_file(struct buf *out, struct slice file)
{
	size_t len = slice_find(file, ':');
	for (size_t i = 0; i < len; i++) {
		unsigned char octet = (unsigned char)file.at[i];
		if (octet < 0x21 || octet > 0x7E || strchr("'\"+", octet))
			buf_printf(out, "+%02X", octet);
		else
			buf_add_char(out, (char)octet);
	}
}

int uidls_read_courier(struct uidl_table *table, struct slice list, struct err *e)
{
	struct slice head = next_line(&list), file;
	uint64_t version = 0, uid, validity;
	if (!slice_has_prefix(head, SLICE("/")) ||
		!text_to_number(slice_from(slice_cut(&head, ' '), 1), 4, &version) || version < 2 ||
		version > 3)
		return err_set(e, ERR_DAMAGED, "its first line is not one of Courier's");
	while (list.len > 0) {
		if (!read_courier_row(next_line(&list), &file, &uid, &validity))
			continue;
		struct uidl_row *row = add_row(table, file);
		if (uid == 0)
			add_escaped_file(&table->text, file);
		else
			buf_printf(&table->text, "UID%llu", (unsigned long long)uid);
		if (uid && validity)
			buf_printf(&table->text, "-%llu", (unsigned long long)validity);
		end_uidl(table, row);
	}
	return 0;
}

/* ---- our own ---- */

struct json_row {
	struct buf file, uidl;
	uint64_t place, size, sum;
	int64_t received;
	bool has_sum;
};

static bool read_hex(struct slice text, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < text.len; i++) {
		const char *digits = "0123456789abcdef";
		const char *digit = text.at[i] ? strchr(digits, text.at[i]) : NULL;
		if (!digit)
			return false;
		*number = *number << 4 | (uint64_t)(digit - digits);
	}
	return text.len == 16;
}

/* The value of one key. */
static int read_value(struct json_reader *in, struct slice key, struct json_row *row, struct err *e)
{
	struct buf text = {0};
	int result = 0;
	if (slice_equal(key, SLICE("file")))
		result = json_text(in, &row->file, e);
	else if (slice_equal(key, SLICE("uidl")))
		result = json_text(in, &row->uidl, e);
	else if (slice_equal(key, SLICE("message")))
		result = json_number(in, &row->place, e);
	else if (slice_equal(key, SLICE("size")))
		result = json_number(in, &row->size, e);
	else if (slice_equal(key, SLICE("received")))
		result = json_time(in, &row->received, e);
	else if (slice_equal(key, SLICE("sum"))) {
		result = json_text(in, &text, e);
		row->has_sum = result == 0 && read_hex(buf_slice(&text), &row->sum);
	} else
		result = json_skip(in, e);
	buf_free(&text);
	return result;
}

static int read_row(struct json_reader *in, struct uidl_table *table, struct err *e)
{
	struct json_row got = {0};
	struct buf key = {0};
	int more = json_enter(in, '{', e);
	while (more == 1) {
		buf_clear(&key);
		more = json_key(in, &key, e);
		if (more == 0)
			more = read_value(in, buf_slice(&key), &got, e);
		if (more == 0)
			more = json_more(in, '}', e);
	}
	if (more == 0 && got.file.len > 0) {
		struct uidl_row *row = add_row(table, buf_slice(&got.file));
		buf_add_slice(&table->text, buf_slice(&got.uidl));
		end_uidl(table, row);
		row->place = got.place;
		row->size = got.size;
		row->sum = got.sum;
		row->has_sum = got.has_sum;
		row->received = got.received;
	}
	buf_free(&key);
	buf_free(&got.file);
	buf_free(&got.uidl);
	return more;
}

int uidls_read_json(struct uidl_table *table, struct slice list, struct err *e)
{
	struct json_reader in = {.text = list};
	int more = json_enter(&in, '[', e);
	while (more == 1) {
		more = read_row(&in, table, e);
		if (more == 0)
			more = json_more(&in, ']', e);
	}
	return more == 0 ? json_end(&in, e) : -1;
}

void uidls_add_json(struct buf *out, const struct uidl_line *line)
{
	char when[TEXT_DATE_MAX];
	buf_add_text(out, "{\"file\": ");
	json_add_text(out, line->file);
	if (line->place)
		buf_printf(out, ", \"message\": %llu", (unsigned long long)line->place);
	buf_add_text(out, ", \"uidl\": ");
	json_add_text(out, line->uidl);
	buf_printf(out, ", \"size\": %llu, \"sum\": \"%016llx\", \"received\": \"%s\"}",
		(unsigned long long)line->size, (unsigned long long)line->sum,
		text_of_time(when, line->received));
}
