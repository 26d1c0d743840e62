/* Lists of UIDLs: dovecot-uidlist, courierpop3dsizelist, uidl.json. What is taken is found
 * again, and written as a uidl.json and read it is the same; folders' names go through
 * UTF-7 and back.
 *
 * Input: an octet for the kind, the list (behind a format and a NUL for Dovecot's). */
#include "tools/port_uidls.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"
#include "tools/port_names.h"
#include <stdlib.h>

static bool is_utf8(struct slice text)
{
	uint32_t code;
	while (text.len > 0) {
		size_t len = text_utf8(text, &code);
		if (len == 0)
			return false;
		text = slice_from(text, len);
	}
	return true;
}

/* Each row, or a later one for the same message, is what is found. */
static void find_each(struct uidl_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct buf file = {0};
		const struct uidl_row *row = &table->rows[i];
		uint64_t place = row->place;
		buf_add_slice(&file, uidls_file(table, row));
		const struct uidl_row *found = uidls_find(table, buf_slice(&file), place);
		/* A key of a key may be shorter: "a:2,:2,b". */
		struct buf key = {0};
		uidls_key(&key, buf_slice(&file));
		bool same = slice_equal(buf_slice(&key), buf_slice(&file));
		assert(!same || (found && slice_equal(uidls_file(table, found), buf_slice(&file)) &&
					found->place == place));
		buf_free(&key);
		buf_free(&file);
	}
}

static void write_and_read_again(const struct uidl_table *table)
{
	struct uidl_table again = {0};
	struct buf text = {0};
	struct err e;
	buf_add_char(&text, '[');
	for (size_t i = 0; i < table->count; i++) {
		const struct uidl_row *row = &table->rows[i];
		buf_add_text(&text, i ? ",\n" : "");
		uidls_add_json(&text, &(struct uidl_line){.file = uidls_file(table, row),
					      .uidl = uidls_uidl(table, row),
					      .place = row->place,
					      .size = row->size,
					      .sum = row->sum,
					      .received = row->received});
	}
	buf_add_char(&text, ']');
	assert(uidls_read_json(&again, buf_slice(&text), &e) == 0);
	size_t n = 0;
	for (size_t i = 0; i < table->count; i++) {
		const struct uidl_row *row = &table->rows[i];
		if (row->file_len == 0)
			continue; /* no message has such a file */
		const struct uidl_row *read = &again.rows[n++];
		assert(n <= again.count && read->has_sum);
		assert(slice_equal(uidls_uidl(&again, read), uidls_uidl(table, row)));
		assert(read->place == row->place && read->size == row->size);
		assert(read->sum == row->sum);
	}
	assert(n == again.count);
	uidls_free(&again);
	buf_free(&text);
}

static void convert_name(struct slice name)
{
	struct buf there = {0}, back = {0};
	char folder[FOLDER_NAME_MAX];
	names_from_utf7(&there, name);
	names_to_folder(folder, buf_slice(&there));
	assert(*folder && strlen(folder) < FOLDER_NAME_MAX && is_utf8(slice_of(folder)));
	assert(!strpbrk(folder, "@/+"));
	buf_clear(&there);
	if (is_utf8(name)) {
		names_to_utf7(&there, name);
		names_from_utf7(&back, buf_slice(&there));
		assert(slice_equal(buf_slice(&back), name));
	}
	buf_clear(&back);
	buf_clear(&there);
	names_to_file(&there, name);
	assert(!slice_has_prefix(buf_slice(&there), SLICE(".")));
	names_from_file(&back, buf_slice(&there));
	assert(slice_equal(buf_slice(&back), name));
	buf_free(&there);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size < 65536 ? size : 65536);
	struct uidl_table table = {0};
	struct err e = {0};
	struct buf format = {0};
	unsigned kind = fuzz_octet(&in) & 3;
	if (kind == 0)
		buf_add_slice(&format, slice_cut(&in, '\0'));
	char *copy = fuzz_copy(in);
	struct slice list = {copy, in.len};
	int result = kind == 0 ? uidls_check_format(buf_text(&format), &e) : 0;
	if (result == 0)
		result = kind == 0   ? uidls_read_dovecot(&table, list, buf_text(&format), &e)
			 : kind == 1 ? uidls_read_courier(&table, list, &e)
			 : kind == 2 ? uidls_read_json(&table, list, &e)
				     : 0;
	if (kind == 3)
		convert_name(list);
	assert(result == 0 || *e.text);
	if (result == 0) {
		find_each(&table);
		/* JSON is UTF-8, which other lists need not be. */
		write_and_read_again(&table);
	}
	free(copy);
	buf_free(&format);
	uidls_free(&table);
	return 0;
}
