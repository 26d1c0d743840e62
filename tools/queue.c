/* `officemail queue`: mail on its way out. */
#include "base/text.h"
#include "store/outbox.h"
#include "tools/command.h"
#include "tools/rows.h"

static void add_next_try(struct rows *rows, const struct outbox_item *item)
{
	if (item->next_try)
		rows_time(rows, item->next_try);
	else
		rows_null(rows, item->held ? "held" : "now");
}

static void add_reply(struct rows *rows, struct slice reply)
{
	if (reply.len > 0)
		rows_slice(rows, reply);
	else
		rows_null(rows, "-");
}

/* ---- list ---- */

static int add_row(const struct outbox_item *item, void *rows)
{
	rows_slice(rows, item->queue_id);
	rows_slice(rows, item->sender);
	rows_slice(rows, item->recipient);
	rows_number(rows, item->attempts);
	add_next_try(rows, item);
	add_reply(rows, item->last_reply);
	return 0;
}

int command_queue_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {
		"id", "sender", "recipient", "attempts", "next_try", "last_reply", NULL};
	struct office office;
	struct rows rows;
	if (office_open(&office, line, STORE_READER, e) < 0)
		return -1;
	rows_begin(&rows, columns, command_option(line, "--json") != NULL);
	int result = outbox_each(office.store, SLICE(""), add_row, &rows, e);
	if (result == 0)
		rows_print(&rows, stdout);
	rows_free(&rows);
	office_close(&office);
	return result;
}

/* ---- show ---- */

struct shown {
	struct rows message, recipients;
	struct { /* for JSON: arrays of as many as there are recipients */
		struct buf recipients, states, next_tries, hosts, replies; /* a NUL behind each */
		struct buf attempts;                                       /* int64_t */
	} all;
	size_t count;
};

static void add_message(struct shown *shown, const struct outbox_item *item)
{
	struct rows *rows = &shown->message;
	rows_slice(rows, item->queue_id);
	rows_slice(rows, item->sender);
	rows_slice(rows, item->header_from);
	rows_slice(rows, item->who);
	rows_time(rows, item->queued);
	rows_size(rows, item->size);
}

static void add_text(struct buf *texts, struct slice text)
{
	buf_add_slice(texts, text);
	buf_add_char(texts, '\0');
}

static void add_time(struct buf *texts, int64_t unix_seconds)
{
	char text[TEXT_DATE_MAX] = "";
	add_text(texts, slice_of(unix_seconds ? text_of_time(text, unix_seconds) : text));
}

static int add_recipient(const struct outbox_item *item, void *arg)
{
	struct shown *shown = arg;
	struct rows *rows = &shown->recipients;
	if (shown->count++ == 0)
		add_message(shown, item);
	rows_slice(rows, item->recipient);
	rows_number(rows, item->attempts);
	add_next_try(rows, item);
	add_reply(rows, item->last_host);
	add_reply(rows, item->last_reply);
	add_text(&shown->all.recipients, item->recipient);
	add_text(&shown->all.states, item->held       ? SLICE("held")
				     : item->next_try ? SLICE("waiting")
						      : SLICE("trying"));
	add_time(&shown->all.next_tries, item->next_try);
	add_text(&shown->all.hosts, item->last_host);
	add_text(&shown->all.replies, item->last_reply);
	buf_add(&shown->all.attempts, &item->attempts, sizeof(item->attempts));
	return 0;
}

static void add_array(struct rows *rows, const struct buf *texts, size_t count)
{
	struct slice rest = buf_slice(texts);
	rows_begin_array(rows);
	for (size_t i = 0; i < count; i++)
		rows_add_element(rows, slice_cut(&rest, '\0'));
	rows_end_array(rows);
}

static void add_arrays(struct shown *shown)
{
	struct rows *rows = &shown->message;
	add_array(rows, &shown->all.recipients, shown->count);
	add_array(rows, &shown->all.states, shown->count);
	rows_numbers(rows, (const int64_t *)(const void *)shown->all.attempts.at, shown->count);
	add_array(rows, &shown->all.next_tries, shown->count);
	add_array(rows, &shown->all.hosts, shown->count);
	add_array(rows, &shown->all.replies, shown->count);
}

static int is_missing(const char *id, struct err *e)
{
	return err_set(e, ERR_MISSING,
		"no message %s waits to leave: `officemail queue list` shows which do", id);
}

static void print(struct shown *shown, bool json)
{
	if (json)
		add_arrays(shown);
	rows_print_one(&shown->message, stdout);
	if (json)
		return;
	printf("\n");
	rows_print(&shown->recipients, stdout);
}

int command_queue_show(struct command_line *line, struct err *e)
{
	static const char *const message[] = {
		"id", "sender", "from", "submitted_by", "queued", "size", NULL};
	static const char *const message_json[] = {"id", "sender", "from", "submitted_by", "queued",
		"size", "recipients", "states", "attempts", "next_tries", "last_hosts",
		"last_replies", NULL};
	static const char *const recipients[] = {
		"recipient", "attempts", "next_try", "last_host", "last_reply", NULL};
	const char *id = line->arguments[0];
	bool json = command_option(line, "--json") != NULL;
	struct office office;
	struct shown shown = {.count = 0};
	if (office_open(&office, line, STORE_READER, e) < 0)
		return -1;
	rows_begin(&shown.message, json ? message_json : message, json);
	rows_begin(&shown.recipients, recipients, false);
	int result = outbox_each(office.store, slice_of(id), add_recipient, &shown, e);
	if (result == 0 && shown.count == 0)
		result = is_missing(id, e);
	if (result == 0)
		print(&shown, json);
	rows_free(&shown.message);
	rows_free(&shown.recipients);
	buf_free(&shown.all.recipients);
	buf_free(&shown.all.states);
	buf_free(&shown.all.next_tries);
	buf_free(&shown.all.hosts);
	buf_free(&shown.all.replies);
	buf_free(&shown.all.attempts);
	office_close(&office);
	return result;
}

/* ---- retry, remove ---- */

static int note_one(const struct outbox_item *item, void *arg)
{
	(void)item;
	*(bool *)arg = true;
	return 1;
}

/* Who is being tried right now is due enough. */
static int retry_one(struct store *store, const char *id, int64_t *count, struct err *e)
{
	bool there = false;
	if (outbox_each(store, slice_of(id), note_one, &there, e) < 0)
		return -1;
	if (!there)
		return is_missing(id, e);
	int64_t released = outbox_retry(store, slice_of(id), e);
	*count += released;
	return released < 0 ? -1 : 0;
}

static void say(int64_t count, const char *what)
{
	printf("%lld recipient%s %s\n", (long long)count, count == 1 ? "" : "s", what);
}

int command_queue_retry(struct command_line *line, struct err *e)
{
	struct office office;
	int64_t count = 0;
	int result = 0;
	if (office_begin(&office, line, e) < 0)
		return -1;
	if (line->count == 0)
		count = outbox_retry(office.store, SLICE(""), e);
	for (size_t i = 0; i < line->count && result == 0; i++)
		result = retry_one(office.store, line->arguments[i], &count, e);
	result = office_end(&office, count < 0 ? -1 : result, e);
	if (result == 0)
		say(count, "due now");
	return result;
}

int command_queue_remove(struct command_line *line, struct err *e)
{
	struct office office;
	const char *id = line->arguments[0];
	if (office_begin(&office, line, e) < 0)
		return -1;
	int64_t count = outbox_remove(office.store, slice_of(id), e);
	int result = count == 0 ? is_missing(id, e) : count < 0 ? -1 : 0;
	result = office_end(&office, result, e);
	if (result == 0)
		say(count, "removed");
	return result;
}
