/* `officemail user`: who has a mailbox here. */
#include "base/text.h"
#include "store/devices.h"
#include "store/senders.h"
#include "tools/new_password.h"
#include "tools/people.h"
#include "tools/terminal.h"
#include <string.h>
#include <time.h>

/* ---- add, passwd ---- */

static int read_quota(struct command_line *line, const char *text, int64_t *quota, struct err *e)
{
	uint64_t octets;
	*quota = QUOTA_DEFAULT;
	if (!text || strcmp(text, "default") == 0)
		return 0;
	if (!text_to_size(slice_of(text), &octets) || octets > INT64_MAX)
		return command_misuse(line, e,
			"%s is no size: give octets, 500M or 2G, 0 for no limit, or "
			"\"default\" for that of office.ini",
			text);
	*quota = (int64_t)octets;
	return 0;
}

int command_user_add(struct command_line *line, struct err *e)
{
	struct office office;
	const char *address = line->arguments[0];
	struct new_password password = {0};
	int64_t quota;
	if (read_quota(line, command_option(line, "--quota"), &quota, e) < 0 ||
		office_open(&office, line, STORE_TOOL, e) < 0)
		return -1;
	/* Before anybody is asked for a password. */
	int result = users_check_new(office.store, &office.config, slice_of(address), e);
	if (result == 0)
		result = new_password_take(line, "", NULL, &password, e);
	if (result == 0)
		result = store_begin(office.store, e);
	if (result == 0)
		result = users_add(
			office.store, &office.config, slice_of(address), password.hash, quota, e);
	return new_password_end(&password, office_end(&office, result, e));
}

/* Devices that have come while somebody typed have chosen the setting of the hash. */
static int set_hash(struct office *office, const struct user *user, const char *hash, struct err *e)
{
	char like[HASH_MAX];
	if (user->devices > 0) {
		if (devices_setting(office->store, user, like, e) < 0 ||
			devices_check_password(office->store, user, hash, e) < 0)
			return -1;
		if (*like && !password_is_alike(like, hash))
			return err_set(e, ERR_EXISTS,
				"the devices of %s have just been changed: try it once more",
				user->address);
	}
	return users_set_hash(office->store, user->id, hash, e);
}

int command_user_passwd(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	struct new_password password = {0};
	char like[HASH_MAX] = "";
	if (people_open(&office, &user, line, STORE_TOOL, e) < 0)
		return -1;
	int result = user.devices > 0 ? devices_setting(office.store, &user, like, e) : 0;
	if (result == 0)
		result = new_password_take(line, like, NULL, &password, e);
	if (result == 0)
		result = store_begin(office.store, e);
	if (result == 0)
		result = people_find_again(&office, &user, line, e);
	if (result == 0)
		result = set_hash(&office, &user, password.hash, e);
	return new_password_end(&password, office_end(&office, result, e));
}

/* ---- list, show ---- */

/* The last two are shown of one alone. */
static const char *const columns[] = {
	"address", "enabled", "quota", "used", "messages", "last_login", NULL};
static const char *const columns_of_one[] = {"address", "enabled", "quota", "used", "messages",
	"last_login", "allow_from", "devices", NULL};

struct listing {
	struct rows rows;
	struct office office;
};

static int add_row(const struct user *user, void *arg)
{
	struct listing *listing = arg;
	struct rows *rows = &listing->rows;
	uint64_t quota = users_quota(user, &listing->office.config);
	rows_text(rows, user->address);
	rows_bool(rows, user->enabled);
	if (quota == 0 && !rows->json)
		rows_text(rows, "no limit");
	else
		rows_size(rows, quota);
	rows_size(rows, (uint64_t)user->used);
	rows_number(rows, user->messages);
	if (user->last_login)
		rows_time(rows, user->last_login);
	else
		rows_null(rows, "never");
	return 0;
}

int command_user_list(struct command_line *line, struct err *e)
{
	struct listing listing;
	if (office_open(&listing.office, line, STORE_READER, e) < 0)
		return -1;
	rows_begin(&listing.rows, columns, command_option(line, "--json") != NULL);
	int result = users_each(listing.office.store, add_row, &listing, e);
	if (result == 0)
		rows_print(&listing.rows, stdout);
	rows_free(&listing.rows);
	office_close(&listing.office);
	return result;
}

static void add_grant(struct slice address, void *rows)
{
	rows_add_element(rows, address);
}

static int add_grants(struct rows *rows, struct store *store, int64_t user_id, struct err *e)
{
	rows_begin_array(rows);
	int result = senders_each_grant(store, user_id, add_grant, rows, e);
	rows_end_array(rows);
	return result;
}

static int add_devices(struct rows *rows, struct store *store, int64_t user_id, struct err *e)
{
	struct device *devices;
	size_t count;
	if (devices_load(store, user_id, &devices, &count, e) < 0)
		return -1;
	rows_begin_array(rows);
	for (size_t i = 0; i < count; i++)
		rows_add_element(rows, slice_of(devices[i].name));
	rows_end_array(rows);
	devices_free(devices, count);
	return 0;
}

int command_user_show(struct command_line *line, struct err *e)
{
	struct listing listing;
	struct user user;
	if (people_open(&listing.office, &user, line, STORE_READER, e) < 0)
		return -1;
	rows_begin(&listing.rows, columns_of_one, command_option(line, "--json") != NULL);
	add_row(&user, &listing);
	int result = add_grants(&listing.rows, listing.office.store, user.id, e);
	if (result == 0)
		result = add_devices(&listing.rows, listing.office.store, user.id, e);
	if (result == 0)
		rows_print_one(&listing.rows, stdout);
	rows_free(&listing.rows);
	office_close(&listing.office);
	return result;
}

/* ---- enable, disable, quota, rename, allow-from ---- */

static int set_enabled(struct command_line *line, bool enabled, struct err *e)
{
	struct office office;
	struct user user;
	if (people_begin(&office, &user, line, e) < 0)
		return -1;
	return office_end(&office, users_set_enabled(office.store, user.id, enabled, e), e);
}

int command_user_enable(struct command_line *line, struct err *e)
{
	return set_enabled(line, true, e);
}

int command_user_disable(struct command_line *line, struct err *e)
{
	return set_enabled(line, false, e);
}

int command_user_quota(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	int64_t quota;
	if (read_quota(line, line->arguments[1], &quota, e) < 0 ||
		people_begin(&office, &user, line, e) < 0)
		return -1;
	return office_end(&office, users_set_quota(office.store, user.id, quota, e), e);
}

int command_user_rename(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	if (people_begin(&office, &user, line, e) < 0)
		return -1;
	int result = users_rename(
		office.store, &office.config, user.id, slice_of(line->arguments[1]), e);
	return office_end(&office, result, e);
}

int command_user_allow_from(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	int (*change)(struct store * store, int64_t user_id, struct slice address, struct err * e) =
		command_option(line, "--remove") ? senders_revoke : senders_grant;
	int result = 0;
	if (people_begin(&office, &user, line, e) < 0)
		return -1;
	for (size_t i = 1; i < line->count && result == 0; i++)
		result = change(office.store, user.id, slice_of(line->arguments[i]), e);
	return office_end(&office, result, e);
}

/* ---- remove ---- */

/* Says how many messages go, and asks unless --yes. A no is ERR_INTERRUPTED. */
static int confirm_removal(const struct command_line *line, const struct config *config,
	const struct user *user, struct err *e)
{
	struct buf question = {0};
	char until[TEXT_DATE_MAX];
	int result = 1;
	buf_printf(&question, "%s and %lld message%s go; they are kept until %s", user->address,
		(long long)user->messages, user->messages == 1 ? "" : "s",
		text_of_time(until, time(NULL) + config->keep_deleted));
	if (command_option(line, "--yes")) {
		fprintf(stderr, "%s\n", buf_text(&question));
	} else {
		buf_add_text(&question, ". Remove?");
		result = terminal_confirm(buf_text(&question), e);
	}
	buf_free(&question);
	if (result == 0)
		err_set(e, ERR_INTERRUPTED, "%s stays; nothing was changed", user->address);
	return result == 1 ? 0 : -1;
}

static int remove_some(struct office *office, void *arg, struct err *e)
{
	const struct user *user = arg;
	return users_remove(office->store, user->id, e);
}

int command_user_remove(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	if (people_open(&office, &user, line, STORE_TOOL, e) < 0)
		return -1;
	int result = confirm_removal(line, &office.config, &user, e);
	if (result == 0)
		result = office_in_steps(&office, remove_some, &user, e);
	office_close(&office);
	return result;
}
