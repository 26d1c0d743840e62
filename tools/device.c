/* `officemail device`: more passwords for a mailbox, each with a view of its own. */
#include "store/devices.h"
#include "tools/new_password.h"
#include "tools/people.h"

/* Before anybody is asked for a password. */
static int check_new(struct office *office, const struct user *user, const char *name,
	char like[HASH_MAX], struct err *e)
{
	struct device device;
	int found = devices_find(office->store, user->id, slice_of(name), &device, e);
	if (found == 1 && device.hash[0])
		return err_set(e, ERR_EXISTS,
			"there is a device %s already: give another name, or `officemail device "
			"remove %s %s` first",
			device.name, user->address, device.name);
	return found < 0 ? -1 : devices_setting(office->store, user, like, e);
}

int command_device_add(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	struct new_password password = {0};
	const char *name = line->arguments[1];
	char like[HASH_MAX];
	if (people_open(&office, &user, line, STORE_TOOL, e) < 0)
		return -1;
	int result = check_new(&office, &user, name, like, e);
	/* A hash of another setting than the own one's tells nothing of that. */
	if (result == 0)
		result = new_password_take(line, like,
			password_hash_is_old(user.hash) ? user.hash : NULL, &password, e);
	if (result == 0)
		result = store_begin(office.store, e);
	if (result == 0)
		result = people_find_again(&office, &user, line, e);
	if (result == 0)
		result = devices_add(office.store, &user, slice_of(name), password.hash, e);
	return new_password_end(&password, office_end(&office, result, e));
}

/* ---- list ---- */

static void add_device(struct rows *rows, struct store *store, const struct device *device)
{
	int64_t until = devices_counts_until(store, device->viewed);
	rows_text(rows, device->name);
	if (device->last_login)
		rows_time(rows, device->last_login);
	else
		rows_null(rows, "never");
	if (until)
		rows_time(rows, until);
	else
		rows_null(rows, "-");
}

static int add_rows(struct rows *rows, struct office *office, const struct user *user,
	const struct command_line *line, struct err *e)
{
	struct device *devices;
	size_t count;
	(void)line;
	int result = devices_load(office->store, user->id, &devices, &count, e);
	for (size_t i = 0; i < count; i++)
		add_device(rows, office->store, &devices[i]);
	devices_free(devices, count);
	return result;
}

int command_device_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {"name", "last_login", "counts_until", NULL};
	return people_list(line, columns, add_rows, e);
}

/* ---- remove ---- */

struct removal {
	int64_t device_id, at;
};

static int remove_some(struct office *office, void *arg, struct err *e)
{
	struct removal *removal = arg;
	return devices_remove(office->store, removal->device_id, &removal->at, e);
}

int command_device_remove(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	struct device device;
	struct removal removal = {0};
	const char *name = line->arguments[1];
	if (people_open(&office, &user, line, STORE_TOOL, e) < 0)
		return -1;
	int result = devices_find(office.store, user.id, slice_of(name), &device, e);
	if (result == 0)
		result = err_set(e, ERR_MISSING,
			"%s has no device %s: `officemail device list %s` shows which there are",
			user.address, name, user.address);
	else if (result == 1) {
		removal.device_id = device.id;
		result = office_in_steps(&office, remove_some, &removal, e);
	}
	office_close(&office);
	return result;
}
