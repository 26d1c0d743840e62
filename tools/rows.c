/* Lists as table or JSON. Cells are kept as they will stand, all in one buffer;
 * nothing is printed before the last one is there, so that a list that breaks
 * off with an error is no broken JSON. */
#include "tools/rows.h"
#include "base/text.h"
#include <assert.h>
#include <inttypes.h>
#include <string.h>

void rows_begin(struct rows *rows, const char *const *columns, bool json)
{
	*rows = (struct rows){.columns = columns, .json = json};
	while (columns[rows->column_count])
		rows->column_count++;
	assert(rows->column_count > 0 && rows->column_count <= ROWS_COLUMNS_MAX);
}

void rows_free(struct rows *rows)
{
	buf_free(&rows->text);
	buf_free(&rows->ends);
}

/* ---- cells ---- */

static size_t cell_count(const struct rows *rows)
{
	return rows->ends.len / sizeof(size_t);
}

static void end_cell(struct rows *rows)
{
	buf_add(&rows->ends, &rows->text.len, sizeof(rows->text.len));
}

static struct slice cell_at(const struct rows *rows, size_t n)
{
	size_t ends[2] = {0};
	if (n > 0)
		memcpy(ends, rows->ends.at + (n - 1) * sizeof(size_t), sizeof(ends));
	else
		memcpy(ends + 1, rows->ends.at, sizeof(size_t));
	return (struct slice){rows->text.at + ends[0], ends[1] - ends[0]};
}

static void align_right(struct rows *rows)
{
	rows->right |= 1u << cell_count(rows) % rows->column_count;
}

void rows_add_plain(struct buf *out, struct slice text)
{
	while (text.len > 0) {
		uint32_t code = 0;
		size_t len = text_utf8(text, &code);
		if (len > 0 && !text_is_control(code)) {
			buf_add(out, text.at, len);
		} else {
			len = len > 0 ? len : 1;
			for (size_t i = 0; i < len; i++) {
				buf_add_text(out, "\\x");
				text_add_hex(out, text.at + i, 1);
			}
		}
		text = slice_from(text, len);
	}
}

void rows_add_json(struct buf *out, struct slice text)
{
	buf_add_char(out, '"');
	while (text.len > 0) {
		uint32_t code = 0;
		size_t len = text_utf8(text, &code);
		if (len == 0)
			buf_add_text(out, "\\ufffd");
		else if (code == '"' || code == '\\')
			buf_printf(out, "\\%c", (int)code);
		else if (text_is_control(code))
			buf_printf(out, "\\u%04" PRIx32, code);
		else
			buf_add(out, text.at, len);
		text = slice_from(text, len > 0 ? len : 1);
	}
	buf_add_char(out, '"');
}

static void add_text(struct rows *rows, struct slice text)
{
	if (rows->json)
		rows_add_json(&rows->text, text);
	else
		rows_add_plain(&rows->text, text);
}

void rows_slice(struct rows *rows, struct slice text)
{
	add_text(rows, text);
	end_cell(rows);
}

void rows_text(struct rows *rows, const char *text)
{
	rows_slice(rows, slice_of(text));
}

void rows_number(struct rows *rows, int64_t number)
{
	align_right(rows);
	buf_printf(&rows->text, "%" PRId64, number);
	end_cell(rows);
}

void rows_size(struct rows *rows, uint64_t octets)
{
	char text[TEXT_SIZE_MAX];
	align_right(rows);
	if (rows->json)
		buf_printf(&rows->text, "%" PRIu64, octets);
	else
		buf_add_text(&rows->text, text_of_size(text, octets));
	end_cell(rows);
}

void rows_time(struct rows *rows, int64_t unix_seconds)
{
	char text[TEXT_DATE_MAX];
	rows_text(rows, text_of_time(text, unix_seconds));
}

void rows_bool(struct rows *rows, bool value)
{
	if (rows->json)
		buf_add_text(&rows->text, value ? "true" : "false");
	else
		buf_add_text(&rows->text, value ? "yes" : "no");
	end_cell(rows);
}

void rows_null(struct rows *rows, const char *for_people)
{
	buf_add_text(&rows->text, rows->json ? "null" : for_people);
	end_cell(rows);
}

void rows_begin_array(struct rows *rows)
{
	rows->in_array = false;
	buf_add_text(&rows->text, rows->json ? "[" : "");
}

void rows_add_element(struct rows *rows, struct slice text)
{
	buf_add_text(&rows->text, rows->in_array ? ", " : "");
	rows->in_array = true;
	add_text(rows, text);
}

void rows_end_array(struct rows *rows)
{
	buf_add_text(&rows->text, rows->json ? "]" : "");
	end_cell(rows);
}

void rows_numbers(struct rows *rows, const int64_t *numbers, size_t count)
{
	if (rows->json)
		buf_add_char(&rows->text, '[');
	for (size_t i = 0; i < count; i++)
		buf_printf(&rows->text, "%s%" PRId64, i > 0 ? ", " : "", numbers[i]);
	if (rows->json)
		buf_add_char(&rows->text, ']');
	end_cell(rows);
}

/* ---- printing ---- */

/* A cell that is wider pushes its own line to the right, and no other. */
#define WIDEST 72

static void put(FILE *out, struct slice text)
{
	fwrite(text.at, 1, text.len, out);
}

/* Places on the screen. A cell is well-formed UTF-8. */
static int width_of(struct slice text)
{
	int width = 0;
	while (text.len > 0) {
		uint32_t code = 0;
		size_t len = text_utf8(text, &code);
		width += text_width(code);
		text = slice_from(text, len > 0 ? len : 1);
	}
	return width;
}

/* A column's name, for people. */
static struct slice heading(const char *name, bool upper, char text[64])
{
	size_t len = strnlen(name, 63);
	for (size_t i = 0; i < len; i++) {
		bool letter = name[i] >= 'a' && name[i] <= 'z';
		text[i] = name[i] == '_' ? ' ' : (char)(letter && upper ? name[i] - 32 : name[i]);
	}
	return (struct slice){text, len};
}

static void put_object(const struct rows *rows, size_t row, FILE *out)
{
	for (size_t i = 0; i < rows->column_count; i++) {
		fprintf(out, "%s\"%s\": ", i > 0 ? ", " : "{", rows->columns[i]);
		put(out, cell_at(rows, row * rows->column_count + i));
	}
	fputs("}", out);
}

static void put_cell(
	const struct rows *rows, size_t column, struct slice cell, int width, FILE *out)
{
	int own = width_of(cell), blanks = own < width ? width - own : 0;
	bool right = rows->right & 1u << column, last = column + 1 == rows->column_count;
	if (right)
		fprintf(out, "%*s", blanks, "");
	put(out, cell);
	if (!right && !last)
		fprintf(out, "%*s", blanks, "");
	fputs(last ? "\n" : "  ", out);
}

static void put_table(const struct rows *rows, FILE *out)
{
	int widths[ROWS_COLUMNS_MAX];
	char name[64];
	size_t cells = cell_count(rows), columns = rows->column_count;
	for (size_t i = 0; i < columns; i++)
		widths[i] = (int)strlen(rows->columns[i]);
	for (size_t i = 0; i < cells; i++) {
		int width = width_of(cell_at(rows, i));
		if (width > widths[i % columns] && width <= WIDEST)
			widths[i % columns] = width;
	}
	for (size_t i = 0; i < columns; i++)
		put_cell(rows, i, heading(rows->columns[i], true, name), widths[i], out);
	for (size_t i = 0; i < cells; i++)
		put_cell(rows, i % columns, cell_at(rows, i), widths[i % columns], out);
}

void rows_print(const struct rows *rows, FILE *out)
{
	size_t count = cell_count(rows) / rows->column_count;
	assert(cell_count(rows) % rows->column_count == 0);
	if (!rows->json) {
		put_table(rows, out);
		return;
	}
	fputs("[", out);
	for (size_t i = 0; i < count; i++) {
		fputs(i > 0 ? ",\n " : "", out);
		put_object(rows, i, out);
	}
	fputs("]\n", out);
}

void rows_print_one(const struct rows *rows, FILE *out)
{
	int width = 0;
	char name[64];
	assert(cell_count(rows) == rows->column_count);
	if (rows->json) {
		put_object(rows, 0, out);
		fputs("\n", out);
		return;
	}
	for (size_t i = 0; i < rows->column_count; i++)
		if ((int)strlen(rows->columns[i]) > width)
			width = (int)strlen(rows->columns[i]);
	for (size_t i = 0; i < rows->column_count; i++) {
		put(out, heading(rows->columns[i], false, name));
		fprintf(out, "%*s", width - (int)strlen(rows->columns[i]) + 2, "");
		put(out, cell_at(rows, i));
		fputs("\n", out);
	}
}
