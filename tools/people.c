/* Commands about people begin with one of them. */
#include "tools/people.h"

static int find_user(
	struct office *office, struct user *user, const struct command_line *line, struct err *e)
{
	const char *address = line->arguments[0];
	int found = users_find(office->store, slice_of(address), user, e);
	if (found == 0)
		return err_set(e, ERR_MISSING,
			"there is no user %s: `officemail user list` shows who there is", address);
	return found < 0 ? -1 : 0;
}

int people_open(struct office *office, struct user *user, const struct command_line *line,
	enum store_role role, struct err *e)
{
	if (office_open(office, line, role, e) < 0)
		return -1;
	if (find_user(office, user, line, e) == 0)
		return 0;
	office_close(office);
	return -1;
}

int people_begin(
	struct office *office, struct user *user, const struct command_line *line, struct err *e)
{
	if (office_begin(office, line, e) < 0)
		return -1;
	if (find_user(office, user, line, e) == 0)
		return 0;
	return office_end(office, -1, e);
}

int people_find_again(
	struct office *office, struct user *user, const struct command_line *line, struct err *e)
{
	return find_user(office, user, line, e);
}

int people_find_folder(struct office *office, const struct user *user, const char *name,
	struct folder *folder, struct err *e)
{
	int found = folders_find(office->store, user->id, slice_of(name), folder, e);
	if (found == 0)
		return err_set(e, ERR_MISSING,
			"%s has no folder %s: `officemail folder list %s` shows which there are",
			user->address, name, user->address);
	return found < 0 ? -1 : 0;
}

int people_list(const struct command_line *line, const char *const *columns,
	people_rows_fn add_rows, struct err *e)
{
	struct office office;
	struct user user;
	struct rows rows;
	if (people_open(&office, &user, line, STORE_READER, e) < 0)
		return -1;
	rows_begin(&rows, columns, command_option(line, "--json") != NULL);
	int result = add_rows(&rows, &office, &user, line, e);
	if (result == 0)
		rows_print(&rows, stdout);
	rows_free(&rows);
	office_close(&office);
	return result;
}
