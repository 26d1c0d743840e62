/* `officemail mail export`.
 *
 * Files have names that follow from the message, so that an export can be run again: what
 * is there is not written a second time. In an mbox it is the file that is there or not. */
#include "base/account.h"
#include "base/digest.h"
#include "base/header.h"
#include "base/text.h"
#include "store/mail.h"
#include "tools/people.h"
#include "tools/port_names.h"
#include "tools/port_render.h"
#include "tools/port_target.h"
#include "tools/progress.h"
#include "tools/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum format { FORMAT_MBOX, FORMAT_MAILDIR, FORMAT_EML }; /* in the order of the usage */

struct item {
	int64_t id, received;
	uint64_t size;
	char uidl[UIDL_MAX];
};

struct export
{
	struct office office;
	struct user user;
	enum format format;
	bool crlf;
	struct port_target target;
	struct progress progress;
	uint64_t all, done; /* octets, for the progress */
	uint64_t written, size, there, bad;
	/* Of the folder under way: */
	struct folder folder;
	struct buf items; /* struct item each */
	struct buf name;  /* of the file, or of the mbox */
};

/* ---- a message's octets ---- */

/* Is this what the file goes on with? */
static int compare(int fd, struct slice octets)
{
	char there[16 * 1024];
	while (octets.len > 0) {
		size_t most = octets.len < sizeof(there) ? octets.len : sizeof(there);
		ssize_t got = read(fd, there, most);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || memcmp(there, octets.at, (size_t)got) != 0)
			return 0;
		octets = slice_from(octets, (size_t)got);
	}
	return 1;
}

struct writing {
	struct export *export;
	const struct item *item;
	int fd;     /* -1: it is read through, and no more */
	bool check; /* compares with what is there, and writes nothing */
	uint64_t sum, size;
};

/* 1 written, or as it is there; 0 it is another. */
static int put(const struct writing *writing, struct slice octets, struct err *e)
{
	struct export *export = writing->export;
	const char *name = export->name.at;
	if (writing->check)
		return compare(writing->fd, octets);
	if (writing->fd >= 0 &&
		port_target_write(&export->target, name, writing->fd, octets, e) < 0)
		return -1;
	return 1;
}

static int add_from_line(const struct writing *writing, struct slice first, struct err *e)
{
	struct header_field field = {0};
	struct buf line = {0};
	struct slice sender = {0};
	if (header_find(first, "Return-Path", &field))
		sender = slice_trim(field.body);
	if (sender.len >= 2 && *sender.at == '<')
		sender = (struct slice){sender.at + 1, sender.len - 2};
	mbox_add_from_line(&line, sender, writing->item->received);
	if (writing->export->crlf) {
		line.len--;
		buf_add_text(&line, "\r\n");
	}
	int result = put(writing, buf_slice(&line), e);
	buf_free(&line);
	return result;
}

static int put_all(struct writing *writing, struct body_reader *reader, struct port_render *render,
	struct digest_sum *sum, struct err *e)
{
	struct export *export = writing->export;
	struct slice octets;
	int result = 1;
	while (result == 1) {
		if (body_next(reader, &octets, e) < 0)
			return -1;
		if (octets.len == 0)
			return put(writing, port_render_end(render), e);
		if (terminal_was_interrupted())
			return err_set(e, ERR_INTERRUPTED, "interrupted");
		if (render->quote && writing->size == 0 && add_from_line(writing, octets, e) < 0)
			return -1;
		digest_sum_add(sum, octets.at, octets.len);
		writing->size += octets.len;
		result = put(writing, port_render(render, octets), e);
		progress_show(&export->progress, export->done + writing->size, export->all);
	}
	return result;
}

/* All of a message to the file; 1 done, or as it is there; 0 there is another. */
static int pass(struct writing *writing, struct err *e)
{
	struct export *export = writing->export;
	struct port_render render = {.crlf = export->crlf, .quote = export->format == FORMAT_MBOX};
	struct body_reader reader = {0};
	struct digest_sum *sum = digest_sum_begin();
	int result =
		body_open(&reader, export->office.store, export->user.id, writing->item->id, e);
	if (result == 0)
		result = put_all(writing, &reader, &render, sum, e);
	if (result == 1 && render.quote)
		result = put(writing, export->crlf ? SLICE("\r\n") : SLICE("\n"), e);
	writing->sum = digest_sum_end(sum);
	body_close(&reader);
	port_render_free(&render);
	return result;
}

/* ---- what is told ---- */

/* What the store could not give: the rest goes on. 0 it is told; -1 it is graver. */
static int tell_bad(struct export *export, int64_t id, struct err *e)
{
	if (e->kind == ERR_MISSING)
		return 0; /* removed and purged meanwhile: it is no mail any more */
	if (e->kind != ERR_DAMAGED)
		return -1;
	export->bad++;
	progress_hide(&export->progress);
	terminal_tell("%s; message %lld is not exported", e->text, (long long)id);
	return 0;
}

static int add_row(struct export *export, const struct item *item, const char *name, uint64_t place,
	uint64_t sum, struct err *e)
{
	return port_target_add_row(&export->target,
		&(struct uidl_line){.file = slice_of(name),
			.uidl = slice_of(item->uidl),
			.place = place,
			.size = item->size,
			.sum = sum,
			.received = item->received},
		e);
}

static void count_written(struct export *export, const struct item *item)
{
	export->written++;
	export->size += item->size;
}

static size_t item_count(const struct export *export)
{
	return export->items.len / sizeof(struct item);
}

static const struct item *item_at(const struct export *export, size_t n)
{
	return (const struct item *)(const void *)(export->items.at + n * sizeof(struct item));
}

/* ---- a file for each ---- */

/* Under this name from one export to the next. */
static void name_message(struct export *export, const struct item *item)
{
	struct buf *name = &export->name;
	buf_clear(name);
	if (export->format == FORMAT_EML)
		buf_printf(name, "%010lld.eml", (long long)item->id);
	else
		buf_printf(name, "cur/%lld.M%lldP1.%s,W=%llu:2,", (long long)item->received,
			(long long)item->id, export->office.config.hostname,
			(unsigned long long)item->size);
	buf_text(name);
}

/* Is what is there this message? 1 it is, and has its row. */
static int check_there(struct export *export, const struct item *item, struct err *e)
{
	const char *name = export->name.at;
	struct writing writing = {.export = export, .item = item, .check = true};
	const struct uidl_row *row = port_target_row(&export->target, name, 0);
	if (row && row->has_sum && row->size == item->size &&
		slice_equal(uidls_uidl(&export->target.old, row), slice_of(item->uidl)))
		return add_row(export, item, name, 0, row->sum, e) < 0 ? -1 : 1;
	writing.fd = port_target_read(&export->target, name, e);
	if (writing.fd < 0)
		return -1;
	int same = pass(&writing, e);
	char more;
	if (same == 1 && read(writing.fd, &more, 1) != 0)
		same = 0;
	close(writing.fd);
	if (same == 1 && add_row(export, item, name, 0, writing.sum, e) < 0)
		return -1;
	return same;
}

static int write_message(struct export *export, const struct item *item, struct err *e)
{
	const char *name = export->name.at;
	struct writing writing = {.export = export, .item = item};
	writing.fd = port_target_begin(&export->target, name, e);
	if (writing.fd < 0)
		return -1;
	if (pass(&writing, e) < 0) {
		port_target_drop(&export->target, name, writing.fd);
		return e->kind == ERR_MISSING || e->kind == ERR_DAMAGED ? 0 : -1;
	}
	if (port_target_keep(&export->target, name, writing.fd, item->received, e) < 0 ||
		add_row(export, item, name, 0, writing.sum, e) < 0)
		return -1;
	count_written(export, item);
	return 1;
}

static int export_message(struct export *export, const struct item *item, struct err *e)
{
	name_message(export, item);
	int there = port_target_has(&export->target, export->name.at, e);
	if (there == 0) {
		int result = write_message(export, item, e);
		return result == 0 ? tell_bad(export, item->id, e) : result < 0 ? -1 : 0;
	}
	if (there == 1)
		there = check_there(export, item, e);
	if (there < 0)
		return tell_bad(export, item->id, e);
	export->there += (uint64_t)there;
	if (there == 1)
		return 0;
	export->bad++;
	progress_hide(&export->progress);
	terminal_tell("%s is there and is another message; message %lld is not exported",
		port_target_place(&export->target, export->name.at), (long long)item->id);
	return 0;
}

static int export_messages(struct export *export, struct err *e)
{
	int result = 0;
	for (size_t i = 0; i < item_count(export) && result == 0; i++) {
		const struct item *item = item_at(export, i);
		progress_show(&export->progress, export->done, export->all);
		result = terminal_was_interrupted() ? err_set(e, ERR_INTERRUPTED, "interrupted")
						    : export_message(export, item, e);
		export->done += item->size;
	}
	/* What is whole gets its name, whatever ended it. */
	struct err more;
	if (port_target_flush(&export->target, &more) < 0 && result == 0) {
		*e = more;
		result = -1;
	}
	return result;
}

/* ---- Maildir ---- */

/* The UIDVALIDITY of an earlier export there, which a Dovecot must not have changed. */
static int read_validity(struct export *export, long long *validity, struct err *e)
{
	char head[256];
	int fd = account_open_below(export->target.directory, "dovecot-uidlist", O_RDONLY, 0);
	ssize_t got = fd >= 0 ? read(fd, head, sizeof(head) - 1) : 0;
	if (fd >= 0)
		close(fd);
	head[got > 0 ? got : 0] = '\0';
	head[strcspn(head, "\n")] = '\0';
	if (!*head)
		return 0;
	if (strchr(head, 'G') || sscanf(head, "3 V%lld", validity) != 1)
		return err_set(e, ERR_INPUT,
			"a Dovecot uses %s already: export into a new directory",
			port_target_place(&export->target, ""));
	return 0;
}

/* Before the messages: a row without a file is nothing, a file without a row would lose
 * its UIDL. UIDs are the numbers that messages have here. */
static int write_uidlist(struct export *export, struct err *e)
{
	long long validity = (long long)store_now(export->office.store);
	struct buf list = {0};
	if (read_validity(export, &validity, e) < 0)
		return -1;
	size_t count = item_count(export);
	buf_printf(&list, "3 V%lld N%lld\n", validity,
		count ? (long long)item_at(export, count - 1)->id + 1 : 1);
	for (size_t i = 0; i < count; i++) {
		const struct item *item = item_at(export, i);
		name_message(export, item);
		const char *base = export->name.at + strlen("cur/");
		buf_printf(&list, "%lld P%s :%.*s\n", (long long)item->id, item->uidl,
			(int)strcspn(base, ":"), base);
	}
	int result = port_target_replace(&export->target, "dovecot-uidlist", buf_slice(&list), e);
	buf_free(&list);
	return result;
}

static bool is_inbox(const struct export *export)
{
	return slice_equal_nocase(slice_of(export->folder.name), SLICE(FOLDER_INBOX));
}

/* Maildir++: Inbox is the directory itself, which is a Maildir in any case. */
static int export_maildir(struct export *export, struct err *e)
{
	struct buf below = {0};
	if (port_target_enter(&export->target, "", true, e) < 0)
		return -1;
	if (!is_inbox(export)) {
		buf_add_char(&below, '.');
		names_to_utf7(&below, slice_of(export->folder.name));
	}
	int result = is_inbox(export)
			     ? 0
			     : port_target_enter(&export->target, buf_text(&below), true, e);
	buf_free(&below);
	if (result < 0 ||
		(!is_inbox(export) &&
			port_target_replace(&export->target, "maildirfolder", SLICE(""), e) < 0) ||
		write_uidlist(export, e) < 0)
		return -1;
	return export_messages(export, e);
}

/* ---- mbox, eml ---- */

/* Messages into the mbox, one behind the other; a bad one leaves nothing of it. */
static int write_mbox(struct export *export, const char *name, int fd, struct err *e)
{
	uint64_t place = 0;
	for (size_t i = 0; i < item_count(export); i++) {
		struct writing writing = {.export = export, .item = item_at(export, i), .fd = fd};
		off_t begin = lseek(fd, 0, SEEK_CUR);
		if (terminal_was_interrupted())
			return err_set(e, ERR_INTERRUPTED, "interrupted");
		int result = pass(&writing, e);
		if (result < 0 &&
			(tell_bad(export, writing.item->id, e) < 0 || ftruncate(fd, begin) != 0 ||
				lseek(fd, begin, SEEK_SET) < 0))
			return -1;
		export->done += writing.item->size;
		if (result == 1 && add_row(export, writing.item, name, ++place, writing.sum, e) < 0)
			return -1;
		if (result == 1)
			count_written(export, writing.item);
	}
	return 0;
}

/* Is the mbox there what it would be today? That is without what the store cannot give,
 * which is told. 1, 0. */
static int check_mbox(struct export *export, const char *name, uint64_t *place, struct err *e)
{
	for (size_t i = 0; i < item_count(export); i++) {
		struct writing writing = {.export = export, .item = item_at(export, i), .fd = -1};
		const struct uidl_row *row = port_target_row(&export->target, name, *place + 1);
		if (row && slice_equal(uidls_uidl(&export->target.old, row),
				   slice_of(writing.item->uidl)))
			++*place;
		else if (pass(&writing, e) == 1)
			return 0;
		else if (tell_bad(export, writing.item->id, e) < 0)
			return -1;
	}
	return !port_target_row(&export->target, name, *place + 1);
}

/* One that is there is complete, or in the way. */
static int judge_mbox(struct export *export, const char *name, struct err *e)
{
	uint64_t place = 0, count = item_count(export), bad = export->bad;
	int same = check_mbox(export, name, &place, e);
	if (same == 1)
		export->there += place;
	if (same != 0)
		return same < 0 ? -1 : 0;
	export->bad = bad + (count ? count : 1);
	progress_hide(&export->progress);
	terminal_tell(
		"%s is there already, and not what the folder %s holds today: take it away, or "
		"name another directory",
		port_target_place(&export->target, name), export->folder.name);
	return 0;
}

static int export_mbox(struct export *export, struct err *e)
{
	struct buf *name = &export->name;
	uint64_t written = export->written, octets = export->size;
	buf_clear(name);
	names_to_file(name, slice_of(export->folder.name));
	buf_add_text(name, ".mbox");
	buf_text(name);
	if (port_target_enter(&export->target, "", false, e) < 0)
		return -1;
	int there = port_target_has(&export->target, name->at, e);
	if (there != 0) {
		export->done += (uint64_t) export->folder.size;
		return there < 0 ? -1 : judge_mbox(export, name->at, e);
	}
	int fd = port_target_begin(&export->target, name->at, e);
	if (fd < 0)
		return -1;
	size_t rows_before = export->target.rows.len;
	int result = write_mbox(export, name->at, fd, e);
	/* Its rows stand before it has its name: rows without a file are nothing. */
	if (result == 0 && port_target_write_rows(&export->target, e) < 0)
		result = -1;
	if (result == 0)
		return port_target_keep(
			&export->target, name->at, fd, store_now(export->office.store), e);
	port_target_drop(&export->target, name->at, fd);
	export->target.rows.len = rows_before;
	export->written = written;
	export->size = octets;
	return -1;
}

static int export_eml(struct export *export, struct err *e)
{
	struct buf below = {0};
	names_to_file(&below, slice_of(export->folder.name));
	int result = port_target_enter(&export->target, buf_text(&below), false, e);
	buf_free(&below);
	return result < 0 ? -1 : export_messages(export, e);
}

/* ---- the command ---- */

static int add_item(const struct mail *mail, void *arg)
{
	struct export *export = arg;
	struct item item = {.id = mail->id, .received = mail->received, .size = mail->size};
	memcpy(item.uidl, mail->uidl, sizeof(item.uidl));
	buf_add(&export->items, &item, sizeof(item));
	return 0;
}

static int export_folder(struct export *export, struct err *e)
{
	buf_clear(&export->items);
	if (mail_each(export->office.store, export->user.id, export->folder.id, false, add_item,
		    export, e) < 0)
		return -1;
	switch (export->format) {
	case FORMAT_MBOX:
		return export_mbox(export, e);
	case FORMAT_MAILDIR:
		return export_maildir(export, e);
	default:
		return export_eml(export, e);
	}
}

static int add_folder(const struct folder *folder, void *arg)
{
	buf_add(arg, folder, sizeof(*folder));
	return 0;
}

static int export_all(struct export *export, struct buf *folders, struct err *e)
{
	size_t count = folders->len / sizeof(struct folder);
	const struct folder *at = (const struct folder *)(const void *)folders->at;
	int result = 0;
	for (size_t i = 0; i < count; i++)
		export->all += at[i].size > 0 ? (uint64_t)at[i].size : 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		export->folder = at[i];
		result = export_folder(export, e);
	}
	struct err more;
	if (port_target_finish(&export->target, &more) < 0 && result == 0) {
		*e = more;
		result = -1;
	}
	return result;
}

static int sum_up(const struct export *export, int result, struct err *e)
{
	char size[TEXT_SIZE_MAX];
	if (result < 0 && e->kind != ERR_INTERRUPTED && !export->written && !export->there &&
		!export->bad)
		return -1;
	printf("%llu message%s exported (%s) into %s", (unsigned long long)export->written,
		export->written == 1 ? "" : "s", text_of_size(size, export->size),
		export->target.path);
	if (export->there)
		printf(", %llu there already", (unsigned long long)export->there);
	if (export->bad)
		printf(", %llu left out", (unsigned long long)export->bad);
	putchar('\n');
	if (result < 0 && e->kind == ERR_INTERRUPTED)
		return err_set(e, ERR_INTERRUPTED,
			"interrupted: what has been exported stays; run it again, and it goes on "
			"from there");
	if (result < 0 || export->bad == 0)
		return result;
	return err_set(e, ERR_INPUT, "%llu message%s left out; what is said above tells why",
		(unsigned long long)export->bad, export->bad == 1 ? "" : "s");
}

static int run(struct export *export, const struct command_line *line, struct err *e)
{
	const char *name = command_option(line, "--folder");
	struct buf folders = {0};
	struct folder folder;
	int result = 0;
	if (!name)
		result = folders_each(
			export->office.store, export->user.id, add_folder, &folders, e);
	else if ((result = people_find_folder(&export->office, &export->user, name, &folder, e)) ==
		 0)
		add_folder(&folder, &folders);
	terminal_note_signals();
	if (result == 0)
		result = port_target_open(&export->target, line->arguments[1], e);
	if (result == 0) {
		result = export_all(export, &folders, e);
		progress_end(&export->progress);
		result = sum_up(export, result, e);
	}
	buf_free(&folders);
	port_target_close(&export->target);
	return result;
}

int command_mail_export(struct command_line *line, struct err *e)
{
	struct export export = {.progress = {.what = "exporting"},
		.target = {.root = -1, .directory = -1, .parts = -1, .cur = -1},
		.crlf = command_option(line, "--crlf") != NULL,
		.format = (enum format)command_choice(line, "--format")};
	if (people_open(&export.office, &export.user, line, STORE_READER, e) < 0)
		return -1;
	int result = run(&export, line, e);
	buf_free(&export.items);
	buf_free(&export.name);
	office_close(&export.office);
	return result;
}
