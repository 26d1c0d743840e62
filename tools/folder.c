/* `officemail folder`: where a user's mail is filed. */
#include "tools/people.h"
#include "tools/rows.h"

int command_folder_add(struct command_line *line, struct err *e)
{
	struct office office = {.store = NULL};
	struct user user;
	bool is_public = command_option(line, "--public") != NULL;
	int result = people_open(&office, line, STORE_TOOL, &user, e);

	if (result == 0)
		result = store_begin(office.store, e);
	if (result == 0)
		result = people_end(office.store,
			folders_add(
				office.store, user.id, slice_of(line->arguments[1]), is_public, e),
			e);
	office_close(&office);
	return result;
}

int command_folder_remove(struct command_line *line, struct err *e)
{
	struct office office = {.store = NULL};
	struct user user;
	struct folder folder;
	int result = people_open(&office, line, STORE_TOOL, &user, e);

	if (result == 0)
		result = people_find_folder(&office, &user, line->arguments[1], &folder, e);
	if (result == 0)
		result = 1;
	while (result == 1) {
		result = store_begin(office.store, e);
		if (result == 0)
			result = people_end_step(
				office.store, folders_remove(office.store, folder.id, e), e);
	}
	office_close(&office);
	return result;
}

static int add_row(const struct folder *folder, void *arg)
{
	rows_text(arg, folder->name);
	rows_number(arg, folder->messages);
	rows_size(arg, (uint64_t)folder->size);
	rows_bool(arg, folder->is_public);
	return 0;
}

int command_folder_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {"name", "messages", "size", "public", NULL};
	struct office office = {.store = NULL};
	struct user user;
	struct rows rows;
	int result = people_open(&office, line, STORE_READER, &user, e);

	rows_begin(&rows, columns, command_option(line, "--json") != NULL);
	if (result == 0)
		result = folders_each(office.store, user.id, add_row, &rows, e);
	if (result == 0)
		rows_print(&rows, stdout);
	rows_free(&rows);
	office_close(&office);
	return result;
}
