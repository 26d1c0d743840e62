/* `officemail alias`: addresses that lead to others. */
#include "store/addresses.h"
#include "tools/people.h"
#include "tools/rows.h"
#include <stdlib.h>

/* The arguments behind the first as slices; free() them. */
static struct slice *take_targets(const struct command_line *line)
{
	struct slice *targets = must_alloc(line->count * sizeof(*targets));

	for (size_t i = 1; i < line->count; i++)
		targets[i - 1] = slice_of(line->arguments[i]);
	return targets;
}

int command_alias_add(struct command_line *line, struct err *e)
{
	struct office office = {.store = NULL};
	struct slice *targets = take_targets(line);
	int result = office_open(&office, line, STORE_TOOL, e);

	if (result == 0)
		result = store_begin(office.store, e);
	if (result == 0)
		result = people_end(office.store,
			aliases_add(office.store, &office.config, slice_of(line->arguments[0]),
				targets, line->count - 1, e),
			e);
	office_close(&office);
	free(targets);
	return result;
}

int command_alias_remove(struct command_line *line, struct err *e)
{
	struct office office = {.store = NULL};
	struct slice *targets = take_targets(line);
	int result = office_open(&office, line, STORE_TOOL, e);

	if (result == 0)
		result = store_begin(office.store, e);
	if (result == 0)
		result = people_end(office.store,
			aliases_remove(office.store, slice_of(line->arguments[0]), targets,
				line->count - 1, e),
			e);
	office_close(&office);
	free(targets);
	return result;
}

static int add_row(const struct alias *alias, void *arg)
{
	rows_text(arg, alias->alias);
	rows_texts(arg, alias->targets, alias->count);
	return 0;
}

int command_alias_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {"alias", "targets", NULL};
	struct office office = {.store = NULL};
	struct rows rows;
	int result = office_open(&office, line, STORE_READER, e);

	rows_begin(&rows, columns, command_option(line, "--json") != NULL);
	if (result == 0)
		result = aliases_each(office.store, add_row, &rows, e);
	if (result == 0)
		rows_print(&rows, stdout);
	rows_free(&rows);
	office_close(&office);
	return result;
}
