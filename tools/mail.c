/* `officemail mail`: the messages of a user, one by one. */
#include "store/mail.h"
#include "base/text.h"
#include "store/devices.h"
#include "store/events.h"
#include "tools/people.h"
#include <string.h>

#define STEP       200 /* messages a transaction */
#define OFFER_STEP 100 /* of those that are filed again: three rows each */

/* ---- list, show ---- */

struct listing {
	struct rows rows;
	struct office office;
	struct user user;
	bool views; /* who has deleted what is still there is told */
	struct err *e;
	int result;
};

static void add_name(struct slice name, void *rows)
{
	rows_add_element(rows, name.len > 0 ? name : SLICE("own password"));
}

static void add_hiding(struct listing *listing, int64_t id)
{
	struct rows *rows = &listing->rows;
	rows_begin_array(rows);
	listing->result =
		devices_each_hiding(listing->office.store, id, add_name, rows, listing->e);
	rows_end_array(rows);
}

static int add_row(const struct mail *mail, void *arg)
{
	struct listing *listing = arg;
	struct rows *rows = &listing->rows;
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
	if (listing->views)
		add_hiding(listing, mail->id);
	return listing->result;
}

static int add_rows(struct listing *listing, const struct command_line *line)
{
	const char *name = command_option(line, "--folder");
	bool deleted = command_option(line, "--deleted") != NULL;
	struct folder folder = {.id = 0};
	if (name &&
		people_find_folder(&listing->office, &listing->user, name, &folder, listing->e) < 0)
		return -1;
	int result = mail_each(listing->office.store, listing->user.id, folder.id, deleted, add_row,
		listing, listing->e);
	return result < 0 ? -1 : listing->result;
}

int command_mail_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {
		"id", "uidl", "folder", "size", "received", "from", "deleted", NULL};
	static const char *const columns_of_views[] = {
		"id", "uidl", "folder", "size", "received", "from", "deleted", "deleted_by", NULL};
	struct listing listing = {.e = e};
	if (people_open(&listing.office, &listing.user, line, STORE_READER, e) < 0)
		return -1;
	listing.views = listing.user.devices > 0;
	rows_begin(&listing.rows, listing.views ? columns_of_views : columns,
		command_option(line, "--json") != NULL);
	int result = add_rows(&listing, line);
	if (result == 0)
		rows_print(&listing.rows, stdout);
	rows_free(&listing.rows);
	office_close(&listing.office);
	return result;
}

static int read_id(struct command_line *line, const char *text, int64_t *id, struct err *e)
{
	uint64_t number;
	if (!text_to_number(slice_of(text), 18, &number))
		return command_misuse(line, e,
			"%s is no id of a message: `officemail mail list` shows them", text);
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

/* `count` arguments behind the address are ids; adds them to *ids. */
static int read_ids(struct command_line *line, size_t count, struct buf *ids, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		int64_t id;
		if (read_id(line, line->arguments[i + 1], &id, e) < 0)
			return -1;
		buf_add(ids, &id, sizeof(id));
	}
	return 0;
}

static int64_t id_at(const struct buf *ids, size_t n)
{
	int64_t id;
	memcpy(&id, ids->at + n * sizeof(id), sizeof(id));
	return id;
}

static size_t id_count(const struct buf *ids)
{
	return ids->len / sizeof(int64_t);
}

static int print_message(struct store *store, int64_t id, struct err *e)
{
	struct body_reader reader = {0};
	struct slice octets;
	int result = body_open(&reader, store, 0, id, e);
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
	struct buf ids;
	size_t at;
};

static int change(struct office *office, const struct task *task, int64_t id, struct err *e)
{
	struct mail mail;
	if (find_mail(office, &task->user, id, &mail, e) < 0)
		return -1;
	if (task->folder.id)
		return mail_move(office->store, task->user.id, id, task->folder.id, e);
	if (maildrop_delete(office->store, task->user.id, mail.folder_id, &id, 1, e) < 0)
		return -1;
	return mail.deleted
		       ? 0
		       : events_add(office->store, EVENT_REMOVED, task->user.id, id, SLICE(""), e);
}

static int change_some(struct office *office, void *arg, struct err *e)
{
	struct task *task = arg;
	for (size_t n = 0; n < STEP && task->at < id_count(&task->ids); n++)
		if (change(office, task, id_at(&task->ids, task->at++), e) < 0)
			return -1;
	return task->at < id_count(&task->ids);
}

/* Nobody would see it in the other folder. */
static int check_not_deleted(const struct user *user, const struct mail *mail, struct err *e)
{
	if (mail->became)
		return err_set(e, ERR_MISSING,
			"message %lld of %s was filed again as %lld: give that number",
			(long long)mail->id, user->address, (long long)mail->became);
	if (mail->deleted)
		return err_set(e, ERR_MISSING,
			"message %lld of %s is deleted: `officemail mail restore %s %lld` brings "
			"it back",
			(long long)mail->id, user->address, user->address, (long long)mail->id);
	return 0;
}

/* One wrong id, and nothing is changed. */
static int find_all(struct office *office, const struct task *task, bool move, struct err *e)
{
	struct mail mail;
	for (size_t i = 0; i < id_count(&task->ids); i++)
		if (find_mail(office, &task->user, id_at(&task->ids, i), &mail, e) < 0 ||
			(move && check_not_deleted(&task->user, &mail, e) < 0))
			return -1;
	return 0;
}

/* The `count` arguments behind the address are ids; `folder` NULL: remove. */
static int change_all(struct command_line *line, size_t count, const char *folder, struct err *e)
{
	struct office office;
	struct task task = {0};
	int result = -1;
	if (read_ids(line, count, &task.ids, e) < 0 ||
		people_open(&office, &task.user, line, STORE_TOOL, e) < 0)
		goto out;
	result = find_all(&office, &task, folder != NULL, e);
	if (result == 0 && folder)
		result = people_find_folder(&office, &task.user, folder, &task.folder, e);
	if (result == 0)
		result = office_in_steps(&office, change_some, &task, e);
	office_close(&office);
out:
	buf_free(&task.ids);
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

/* ---- restore, again ---- */

struct offer {
	struct user user;
	bool deleted; /* restore; else again */
	struct buf ids;
	uint64_t size; /* octets of all of them */
	size_t at;
	long long done;
};

/* What is named must be what the command is for. */
static int check_side(const struct offer *offer, const struct mail *mail, struct err *e)
{
	long long id = mail->id;
	if (mail->became)
		return err_set(e, ERR_INPUT, "message %lld is there again already, as %lld", id,
			(long long)mail->became);
	if (offer->deleted && !mail->deleted)
		return err_set(e, ERR_INPUT,
			"message %lld is not deleted: `officemail mail again` offers it once more",
			id);
	if (!offer->deleted && mail->deleted)
		return err_set(e, ERR_INPUT,
			"message %lld is deleted: `officemail mail restore` brings it back", id);
	return 0;
}

static int check_named(struct office *office, struct offer *offer, struct err *e)
{
	struct mail mail;
	for (size_t i = 0; i < id_count(&offer->ids); i++) {
		if (find_mail(office, &offer->user, id_at(&offer->ids, i), &mail, e) < 0 ||
			check_side(offer, &mail, e) < 0)
			return -1;
		offer->size += mail.size;
	}
	return 0;
}

/* A mailbox filled beyond its quota would refuse the mail of tomorrow. */
static int check_room(struct office *office, const struct offer *offer, struct err *e)
{
	char size[TEXT_SIZE_MAX], left[TEXT_SIZE_MAX];
	uint64_t room = users_room(&offer->user, &office->config);
	if (!offer->deleted || offer->size <= room)
		return 0;
	return err_set(e, ERR_QUOTA,
		"they hold %s, and the quota of %s leaves %s: take fewer, or raise it with "
		"`officemail user quota`; nothing was restored",
		text_of_size(size, offer->size), offer->user.address, text_of_size(left, room));
}

static int offer_some(struct office *office, void *arg, struct err *e)
{
	struct offer *offer = arg;
	for (size_t n = 0; n < OFFER_STEP && offer->at < id_count(&offer->ids); n++) {
		int done = mail_again(office->store, offer->user.id,
			id_at(&offer->ids, offer->at++), offer->deleted, e);
		if (done < 0)
			return -1;
		offer->done += done;
	}
	return offer->at < id_count(&offer->ids);
}

static int offer_all(
	struct office *office, struct offer *offer, bool named, int64_t since, struct err *e)
{
	int found = named ? check_named(office, offer, e)
			  : mail_list_again(office->store, offer->user.id, offer->deleted, since,
				    &offer->ids, &offer->size, e);
	if (found < 0 || check_room(office, offer, e) < 0)
		return -1;
	return office_in_steps(office, offer_some, offer, e);
}

static int offer_again(struct command_line *line, bool deleted, struct err *e)
{
	struct office office;
	struct offer offer = {.deleted = deleted};
	const char *since = command_option(line, "--since");
	int64_t seconds = 0;
	int result = -1;
	if (since && !text_to_duration(slice_of(since), &seconds))
		return command_misuse(line, e, "%s is no duration: give 30m, 12h or 14d", since);
	if (read_ids(line, line->count - 1, &offer.ids, e) < 0 ||
		people_open(&office, &offer.user, line, STORE_TOOL, e) < 0)
		goto out;
	result = offer_all(&office, &offer, line->count > 1,
		since ? store_now(office.store) - seconds : INT64_MIN, e);
	office_close(&office);
	if (result == 0)
		printf("%lld message%s %s\n", offer.done, offer.done == 1 ? "" : "s",
			deleted ? "restored" : "offered again");
out:
	buf_free(&offer.ids);
	return result;
}

int command_mail_restore(struct command_line *line, struct err *e)
{
	return offer_again(line, true, e);
}

int command_mail_again(struct command_line *line, struct err *e)
{
	return offer_again(line, false, e);
}
