/* Every command about people begins and ends like every other. */
#include "tools/people.h"
#include <time.h>

int people_open(struct office *office, const struct command_line *line, enum store_role role,
	struct user *user, struct err *e)
{
	const char *address = line->arguments[0];
	int found;

	if (office_open(office, line, role, e) < 0)
		return -1;
	found = users_find(office->store, slice_of(address), user, e);
	if (found == 0)
		return err_set(e, ERR_MISSING,
			"there is no user %s: `officemail user list` shows who there is", address);
	return found < 0 ? -1 : 0;
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

int people_end(struct store *store, int result, struct err *e)
{
	if (result >= 0 && store_commit(store, e) < 0)
		result = -1;
	if (result < 0)
		store_rollback(store);
	return result;
}

int people_end_step(struct store *store, int result, struct err *e)
{
	static const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};

	result = people_end(store, result, e);
	if (result == 1)
		nanosleep(&pause, NULL);
	return result;
}
