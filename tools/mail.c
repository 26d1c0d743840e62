/* `officemail mail`: the messages of a user, one by one. */
#include "store/mail.h"
#include "base/text.h"
#include "tools/people.h"
#include "tools/rows.h"
#include <stdlib.h>

#define STEP 200 /* messages a transaction */

/* ---- list, show ---- */

static int add_row(const struct mail *mail, void *arg)
{
	rows_number(arg, mail->id);
	rows_text(arg, mail->uidl);
	rows_text(arg, mail->folder);
	rows_size(arg, mail->size);
	rows_time(arg, mail->received);
	rows_text(arg, mail->from);
	if (mail->deleted)
		rows_time(arg, mail->deleted);
	else
		rows_null(arg, "-");
	return 0;
}

int command_mail_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {
		"id", "uidl", "folder", "size", "received", "from", "deleted", NULL};
	const char *folder_name = command_option(line, "--folder");
	bool deleted = command_option(line, "--deleted") != NULL;
	struct office office = {.store = NULL};
	struct user user;
	struct folder folder = {.id = 0};
	struct rows rows;
	int result = people_open(&office, line, STORE_READER, &user, e);

	rows_begin(&rows, columns, command_option(line, "--json") != NULL);
	if (result == 0 && folder_name)
		result = people_find_folder(&office, &user, folder_name, &folder, e);
	if (result == 0)
		result = mail_each(office.store, user.id, folder.id, deleted, add_row, &rows, e);
	if (result == 0)
		rows_print(&rows, stdout);
	rows_free(&rows);
	office_close(&office);
	return result;
}

static int read_id(struct command_line *line, const char *text, int64_t *id, struct err *e)
{
	uint64_t number;

	if (!text_to_number(slice_of(text), 18, &number))
		return command_misuse(line, e, "%s is no id of a message", text);
	*id = (int64_t)number;
	return 0;
}

static int find_mail(struct office *office, const struct user *user, int64_t id, struct mail *mail,
	struct err *e)
{
	int found = mail_find(office->store, user->id, id, mail, e);

	if (found == 0)
		return err_set(e, ERR_MISSING,
			"%s has no message %lld: `officemail mail list %s` shows their ids",
			user->address, (long long)id, user->address);
	return found < 0 ? -1 : 0;
}

static int print_message(struct store *store, int64_t id, struct err *e)
{
	struct body_reader reader;
	struct slice octets;
	int result = body_open(&reader, store, id, e);

	while (result == 0) {
		result = body_next(&reader, &octets, e);
		if (octets.len == 0 || result < 0)
			break;
		if (fwrite(octets.at, 1, octets.len, stdout) != octets.len)
			result = err_set_errno(e, "cannot write the message");
	}
	body_close(&reader);
	return result;
}

int command_mail_show(struct command_line *line, struct err *e)
{
	struct office office = {.store = NULL};
	struct user user;
	struct mail mail;
	int64_t id = 0;
	int result = read_id(line, line->arguments[1], &id, e);

	if (result == 0)
		result = people_open(&office, line, STORE_READER, &user, e);
	if (result == 0)
		result = find_mail(&office, &user, id, &mail, e);
	if (result == 0)
		result = print_message(office.store, id, e);
	office_close(&office);
	return result;
}

/* ---- remove, move ---- */

struct task {
	struct office office;
	struct user user;
	struct folder folder; /* to move to; id 0: remove */
	int64_t *ids;
	size_t count, done;
};

static int change(struct task *task, int64_t id, struct err *e)
{
	struct mail mail;

	if (find_mail(&task->office, &task->user, id, &mail, e) < 0)
		return -1;
	if (task->folder.id)
		return mail_move(task->office.store, task->user.id, id, task->folder.id, e);
	return maildrop_delete(task->office.store, task->user.id, mail.folder_id, &id, 1, e);
}

/* 1: there is more. */
static int change_some(struct task *task, struct err *e)
{
	for (size_t n = 0; n < STEP && task->done < task->count; n++)
		if (change(task, task->ids[task->done++], e) < 0)
			return -1;
	return task->done < task->count;
}

/* One wrong id, and nothing is changed. */
static int change_all(struct task *task, struct err *e)
{
	struct mail mail;
	int result = 1;

	for (size_t i = 0; i < task->count; i++)
		if (find_mail(&task->office, &task->user, task->ids[i], &mail, e) < 0)
			return -1;
	while (result == 1) {
		result = store_begin(task->office.store, e);
		if (result == 0)
			result = people_end_step(task->office.store, change_some(task, e), e);
	}
	return result;
}

/* The `count` arguments behind the address are ids. */
static int read_ids(struct command_line *line, struct task *task, size_t count, struct err *e)
{
	int result = 0;

	task->ids = must_alloc(count * sizeof(*task->ids));
	task->count = count;
	for (size_t i = 0; result == 0 && i < count; i++)
		result = read_id(line, line->arguments[i + 1], &task->ids[i], e);
	return result;
}

int command_mail_remove(struct command_line *line, struct err *e)
{
	struct task task = {.ids = NULL};
	int result = read_ids(line, &task, line->count - 1, e);

	if (result == 0)
		result = people_open(&task.office, line, STORE_TOOL, &task.user, e);
	if (result == 0)
		result = change_all(&task, e);
	office_close(&task.office);
	free(task.ids);
	return result;
}

int command_mail_move(struct command_line *line, struct err *e)
{
	struct task task = {.ids = NULL};
	int result = read_ids(line, &task, line->count - 2, e);

	if (result == 0)
		result = people_open(&task.office, line, STORE_TOOL, &task.user, e);
	if (result == 0)
		result = people_find_folder(&task.office, &task.user,
			line->arguments[line->count - 1], &task.folder, e);
	if (result == 0)
		result = change_all(&task, e);
	office_close(&task.office);
	free(task.ids);
	return result;
}
