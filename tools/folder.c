/* `officemail folder`: where a user's mail is filed. */
#include "tools/people.h"

int command_folder_add(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	bool is_public = command_option(line, "--public") != NULL;
	if (people_begin(&office, &user, line, e) < 0)
		return -1;
	int result = folders_add(office.store, user.id, slice_of(line->arguments[1]), is_public, e);
	return office_end(&office, result, e);
}

static int remove_some(struct office *office, void *arg, struct err *e)
{
	const struct folder *folder = arg;
	return folders_remove(office->store, folder->id, e);
}

int command_folder_remove(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	struct folder folder;
	if (people_open(&office, &user, line, STORE_TOOL, e) < 0)
		return -1;
	int result = people_find_folder(&office, &user, line->arguments[1], &folder, e);
	if (result == 0)
		result = office_in_steps(&office, remove_some, &folder, e);
	office_close(&office);
	return result;
}

static int add_row(const struct folder *folder, void *rows)
{
	rows_text(rows, folder->name);
	rows_number(rows, folder->messages);
	rows_size(rows, (uint64_t)folder->size);
	rows_bool(rows, folder->is_public);
	return 0;
}

static int add_rows(struct rows *rows, struct office *office, const struct user *user,
	const struct command_line *line, struct err *e)
{
	(void)line;
	return folders_each(office->store, user->id, add_row, rows, e);
}

int command_folder_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {"name", "messages", "size", "public", NULL};
	return people_list(line, columns, add_rows, e);
}
