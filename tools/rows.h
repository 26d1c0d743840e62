/* Lists and single things, as an aligned table for people or as JSON for
 * programs (--json).
 *
 * Begin, add the cells of one row after another in the order of the columns,
 * then print. What strangers wrote is made harmless here: control characters
 * and broken UTF-8 reach neither a terminal nor a JSON parser. */
#ifndef TOOLS_ROWS_H
#define TOOLS_ROWS_H

#include "base/buf.h"
#include <stdint.h>
#include <stdio.h>

struct rows { /* private */
	const char *const *columns;
	size_t column_count;
	bool json;
	struct buf text; /* of all cells, each as it will stand */
	struct buf ends; /* size_t a cell: where it ends in `text` */
	unsigned right;  /* a bit for each column of numbers */
	bool in_array;   /* behind an element of it */
};

#define ROWS_COLUMNS_MAX 32

/* `columns` ends with NULL: snake_case names, the keys in JSON and (with
 * blanks for underscores) the headings for people. It must outlive rows. */
void rows_begin(struct rows *rows, const char *const *columns, bool json);
void rows_free(struct rows *rows);

void rows_slice(struct rows *rows, struct slice text);
void rows_text(struct rows *rows, const char *text);
void rows_number(struct rows *rows, int64_t number);
void rows_size(struct rows *rows, uint64_t octets);        /* JSON: octets; people: "3.2 MB" */
void rows_time(struct rows *rows, int64_t unix_seconds);   /* RFC 3339, UTC */
void rows_bool(struct rows *rows, bool value);             /* true, false; "yes", "no" */
void rows_null(struct rows *rows, const char *for_people); /* null; "never", "-" */
/* An array, text by text; for people, with ", " between. */
void rows_begin_array(struct rows *rows);
void rows_add_element(struct rows *rows, struct slice text);
void rows_end_array(struct rows *rows);
void rows_numbers(struct rows *rows, const int64_t *numbers, size_t count);

/* Adds text as a terminal can take it: controls and broken octets as \xNN. */
void rows_add_plain(struct buf *out, struct slice text);
/* A JSON string (RFC 8259, 7): broken octets become U+FFFD. */
void rows_add_json(struct buf *out, struct slice text);

/* A table with headings, or an array of objects. */
void rows_print(const struct rows *rows, FILE *out);
/* The first row alone: a line for each column, or one object. */
void rows_print_one(const struct rows *rows, FILE *out);

#endif
