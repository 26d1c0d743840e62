/* `officemail alias`: addresses that lead to others. */
#include "store/addresses.h"
#include "tools/command.h"
#include "tools/rows.h"
#include <stdlib.h>

/* The arguments behind the first; free() them. */
static struct slice *take_targets(const struct command_line *line)
{
	struct slice *targets = must_alloc(line->count * sizeof(*targets));
	for (size_t i = 1; i < line->count; i++)
		targets[i - 1] = slice_of(line->arguments[i]);
	return targets;
}

int command_alias_add(struct command_line *line, struct err *e)
{
	struct office office;
	if (office_begin(&office, line, e) < 0)
		return -1;
	struct slice *targets = take_targets(line);
	int result = aliases_add(office.store, &office.config, slice_of(line->arguments[0]),
		targets, line->count - 1, e);
	free(targets);
	return office_end(&office, result, e);
}

int command_alias_remove(struct command_line *line, struct err *e)
{
	struct office office;
	if (office_begin(&office, line, e) < 0)
		return -1;
	struct slice *targets = take_targets(line);
	int result = aliases_remove(
		office.store, slice_of(line->arguments[0]), targets, line->count - 1, e);
	free(targets);
	return office_end(&office, result, e);
}

static int add_row(const struct alias *alias, void *rows)
{
	rows_text(rows, alias->alias);
	rows_begin_array(rows);
	for (size_t i = 0; i < alias->count; i++)
		rows_add_element(rows, slice_of(alias->targets[i]));
	rows_end_array(rows);
	return 0;
}

int command_alias_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {"alias", "targets", NULL};
	struct office office;
	struct rows rows;
	if (office_open(&office, line, STORE_READER, e) < 0)
		return -1;
	rows_begin(&rows, columns, command_option(line, "--json") != NULL);
	int result = aliases_each(office.store, add_row, &rows, e);
	if (result == 0)
		rows_print(&rows, stdout);
	rows_free(&rows);
	office_close(&office);
	return result;
}
