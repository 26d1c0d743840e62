/* `officemail mail`: the messages of a user, one by one. */
#include "store/mail.h"
#include "base/text.h"
#include "tools/people.h"
#include <stdlib.h>

#define STEP 200 /* messages a transaction */

/* ---- list, show ---- */

static int add_row(const struct mail *mail, void *rows)
{
	rows_number(rows, mail->id);
	rows_text(rows, mail->uidl);
	rows_text(rows, mail->folder);
	rows_size(rows, mail->size);
	rows_time(rows, mail->received);
	rows_text(rows, mail->from);
	if (mail->deleted)
		rows_time(rows, mail->deleted);
	else
		rows_null(rows, "-");
	return 0;
}

static int add_rows(struct rows *rows, struct office *office, const struct user *user,
	const struct command_line *line, struct err *e)
{
	const char *name = command_option(line, "--folder");
	bool deleted = command_option(line, "--deleted") != NULL;
	struct folder folder = {.id = 0};
	if (name && people_find_folder(office, user, name, &folder, e) < 0)
		return -1;
	return mail_each(office->store, user->id, folder.id, deleted, add_row, rows, e);
}

int command_mail_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {
		"id", "uidl", "folder", "size", "received", "from", "deleted", NULL};
	return people_list(line, columns, add_rows, e);
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
	if (result < 0)
		return -1;
	do {
		result = body_next(&reader, &octets, e);
		if (octets.len > 0 && fwrite(octets.at, octets.len, 1, stdout) != 1)
			result = err_set_errno(e, "cannot write the message");
	} while (result == 0 && octets.len > 0);
	body_close(&reader);
	return result;
}

int command_mail_show(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	struct mail mail;
	int64_t id = 0;
	if (read_id(line, line->arguments[1], &id, e) < 0 ||
		people_open(&office, &user, line, STORE_READER, e) < 0)
		return -1;
	int result = find_mail(&office, &user, id, &mail, e);
	if (result == 0)
		result = print_message(office.store, id, e);
	office_close(&office);
	return result;
}

/* ---- remove, move ---- */

struct task {
	struct user user;
	struct folder folder; /* to move to; id 0: remove */
	int64_t *ids;
	size_t count, done;
};

static int change(struct office *office, const struct task *task, int64_t id, struct err *e)
{
	struct mail mail;
	if (find_mail(office, &task->user, id, &mail, e) < 0)
		return -1;
	if (task->folder.id)
		return mail_move(office->store, task->user.id, id, task->folder.id, e);
	return maildrop_delete(office->store, task->user.id, mail.folder_id, &id, 1, e);
}

static int change_some(struct office *office, void *arg, struct err *e)
{
	struct task *task = arg;
	for (size_t n = 0; n < STEP && task->done < task->count; n++)
		if (change(office, task, task->ids[task->done++], e) < 0)
			return -1;
	return task->done < task->count;
}

/* One wrong id, and nothing is changed. */
static int find_all(struct office *office, const struct task *task, struct err *e)
{
	struct mail mail;
	for (size_t i = 0; i < task->count; i++)
		if (find_mail(office, &task->user, task->ids[i], &mail, e) < 0)
			return -1;
	return 0;
}

static int read_ids(struct command_line *line, struct task *task, struct err *e)
{
	for (size_t i = 0; i < task->count; i++)
		if (read_id(line, line->arguments[i + 1], &task->ids[i], e) < 0)
			return -1;
	return 0;
}

/* The `count` arguments behind the address are ids; `folder` NULL: remove. */
static int change_all(struct command_line *line, size_t count, const char *folder, struct err *e)
{
	struct office office;
	struct task task = {.ids = must_alloc(count * sizeof(*task.ids)), .count = count};
	int result = -1;
	if (read_ids(line, &task, e) < 0 ||
		people_open(&office, &task.user, line, STORE_TOOL, e) < 0)
		goto out;
	result = find_all(&office, &task, e);
	if (result == 0 && folder)
		result = people_find_folder(&office, &task.user, folder, &task.folder, e);
	if (result == 0)
		result = office_in_steps(&office, change_some, &task, e);
	office_close(&office);
out:
	free(task.ids);
	return result;
}

int command_mail_remove(struct command_line *line, struct err *e)
{
	return change_all(line, line->count - 1, NULL, e);
}

int command_mail_move(struct command_line *line, struct err *e)
{
	return change_all(line, line->count - 2, line->arguments[line->count - 1], e);
}
