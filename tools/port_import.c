/* `officemail mail import`.
 *
 * Message by message: read through once, so that what is none is known before anything
 * of it is stored; looked for in the mailbox, so that an import can be run again; then
 * filed. What cannot be taken is told with its place, and the rest goes on. */
#include "base/account.h"
#include "base/header.h"
#include "base/text.h"
#include "tools/people.h"
#include "tools/port_batch.h"
#include "tools/port_plan.h"
#include "tools/port_uidls.h"
#include "tools/progress.h"
#include "tools/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct import {
	struct office office;
	struct user user;
	struct folder folder; /* of --folder; id 0: each box its own */
	const char *format;   /* of --uidl-format */
	bool reuse_xuidl;     /* --reuse-xuidl */
	struct import_known *known;
	struct port_plan plan;
	struct port_batch batch;
	struct progress progress;
	uint64_t done; /* octets of files */
	uint64_t there, deleted, bad;
	/* uidl.json, and what stands in it before the names of the plan. */
	struct uidl_table sidecar;
	struct buf prefix;
	/* Of the box under way: */
	int64_t folder_id;
	struct uidl_table old; /* the lists of the old server */
	bool listed;           /* there are such lists: X-UIDL does not count */
	struct port_message message;
	struct buf place, key;
};

/* ---- what people are told ---- */

static void tell(struct import *import, const char *place, const char *what)
{
	progress_hide(&import->progress);
	terminal_tell("%s: %s", place, what);
}

static void tell_bad(struct import *import, const struct err *why)
{
	import->bad++;
	progress_hide(&import->progress);
	terminal_tell("%s: %s; not imported", buf_text(&import->place), why->text);
}

static void tell_renamed(const char *place, struct slice uidl, enum import_uidl why, void *arg)
{
	struct import *import = arg;
	struct buf shown = {0};
	text_add_escaped(&shown, uidl);
	progress_hide(&import->progress);
	terminal_tell("%s: %s %s; it has a new one, and clients will fetch it once more", place,
		buf_text(&shown),
		why == IMPORT_TAKEN ? "is the UIDL of another message already" : "can be no UIDL");
	buf_free(&shown);
}

static void print_summary(const struct import *import)
{
	char size[TEXT_SIZE_MAX];
	const struct port_batch *batch = &import->batch;
	printf("%llu message%s imported (%s)", (unsigned long long)batch->filed,
		batch->filed == 1 ? "" : "s", text_of_size(size, batch->size));
	if (import->there)
		printf(", %llu there already", (unsigned long long)import->there);
	if (import->bad)
		printf(", %llu left out", (unsigned long long)import->bad);
	putchar('\n');
	if (import->deleted)
		printf("%llu of those there are deleted: `officemail mail restore %s` brings back "
		       "what is\n",
			(unsigned long long)import->deleted, import->user.address);
	if (batch->without_uidl)
		printf("%llu had no UIDL of an old server: clients will fetch them once more\n",
			(unsigned long long)batch->without_uidl);
	if (import->plan.others)
		printf("%llu file%s of %s left alone: no mbox, no .eml, or a symbolic link\n",
			(unsigned long long)import->plan.others,
			import->plan.others == 1 ? "" : "s", import->plan.path);
}

/* ---- uidl.json ---- */

static void expect_all(struct import *import, const struct uidl_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		import_expect(import->known, uidls_uidl(table, &table->rows[i]));
}

static int read_sidecar_at(struct import *import, int directory, struct err *e)
{
	const struct port_plan beside = {.path = ".", .root = directory};
	struct buf content = {0};
	int found = port_plan_read(&beside, "uidl.json", &content, e);
	if (found == 1 && uidls_read_json(&import->sidecar, buf_slice(&content), e) < 0)
		found = -1;
	buf_free(&content);
	return found < 0 ? err_prefix(e, "uidl.json: ") : found;
}

/* Beside the file or in the directory; else in the one above, where a part of what it
 * tells of is imported. */
static int read_sidecar(struct import *import, struct err *e)
{
	struct slice path = slice_of(import->plan.path);
	while (path.len > 1 && path.at[path.len - 1] == '/')
		path.len--;
	int found = import->plan.is_file ? 0 : read_sidecar_at(import, import->plan.root, e);
	size_t name = path.len;
	while (name > 0 && path.at[name - 1] != '/')
		name--;
	struct slice last = slice_from(path, name);
	if (found == 0 && !slice_equal(last, SLICE(".")) && !slice_equal(last, SLICE(".."))) {
		struct buf above = {0};
		buf_add(&above, path.at, name);
		if (name == 0)
			buf_add_text(&above, ".");
		int directory = account_open(buf_text(&above), O_RDONLY | O_DIRECTORY, 0);
		if (directory >= 0) {
			found = read_sidecar_at(import, directory, e);
			close(directory);
		}
		buf_add_slice(&import->prefix, last);
		buf_free(&above);
	}
	expect_all(import, &import->sidecar);
	return found < 0 ? -1 : 0;
}

static const struct uidl_row *find_in_sidecar(
	struct import *import, const struct port_box *box, const char *name, uint64_t place)
{
	struct buf *key = &import->key;
	const char *parts[] = {box->path, name};
	buf_clear(key);
	buf_add_slice(key, buf_slice(&import->prefix));
	for (size_t i = 0; i < 2; i++)
		if (*parts[i])
			buf_printf(key, "%s%s", key->len ? "/" : "", parts[i]);
	return uidls_find(&import->sidecar, buf_slice(key), place);
}

/* ---- one message ---- */

static const char *base_name(const char *name)
{
	const char *slash = strrchr(name, '/');
	return slash ? slash + 1 : name;
}

/* What the old server, or we ourselves, knew it by. */
static void find_uidl(struct import *import, const struct port_box *box, const char *name,
	uint64_t place, struct import_message *to)
{
	struct header_field field;
	const struct uidl_row *row = find_in_sidecar(import, box, name, place);
	if (row && (!row->has_sum || (row->sum == to->sum && row->size == to->size))) {
		to->uidl = uidls_uidl(&import->sidecar, row);
		if (row->received)
			to->received = row->received;
		return;
	}
	if (row)
		tell(import, buf_text(&import->place),
			"it has changed since uidl.json was written, and gets a new UIDL");
	/* A Dovecot that is told to looks at the field first, others do not know it. */
	bool has_field = header_find(buf_slice(&import->message.octets), "X-UIDL", &field) &&
			 slice_trim(field.body).len > 0;
	row = uidls_find(&import->old, slice_of(base_name(name)), 0);
	if (has_field && (import->reuse_xuidl || (!import->listed && import->sidecar.count == 0)))
		to->uidl = slice_trim(field.body);
	else if (row)
		to->uidl = uidls_uidl(&import->old, row);
}

/* Takes what is a message; 0 also where it is none. */
static int take(struct import *import, const struct port_box *box, const char *name, uint64_t place,
	const struct port_range *range, int64_t received, struct err *e)
{
	struct port_message *message = &import->message;
	struct import_message to = {.folder_id = import->folder_id};
	struct err why;
	bool deleted = false;
	if (port_message_read(message, range, &why) < 0) {
		tell_bad(import, &why);
		return 0;
	}
	to.size = message->size;
	to.sum = message->sum;
	to.received = received;
	find_uidl(import, box, name, place, &to);
	int64_t now = store_now(import->office.store);
	if (to.received > now || to.received < 0)
		to.received = now;
	int found = import_find(import->known, import->office.store, &to, &deleted, e);
	if (found != 0) {
		import->there += found == 1;
		import->deleted += found == 1 && deleted;
		return found < 0 ? -1 : 0;
	}
	if (message->whole)
		return port_batch_add(&import->batch, &to, buf_text(&import->place),
			buf_slice(&message->octets), e);
	int result = port_batch_add_big(&import->batch, &to, buf_text(&import->place), range, &why);
	if (result < 0 && why.kind == ERR_INPUT) {
		tell_bad(import, &why);
		return 0;
	}
	if (result < 0)
		*e = why;
	return result;
}

static int check_signals(struct err *e)
{
	return terminal_was_interrupted() ? err_set(e, ERR_INTERRUPTED, "interrupted") : 0;
}

static void show(struct import *import, uint64_t within)
{
	progress_show(&import->progress, import->done + within, import->plan.octets);
}

/* ---- files of their own ---- */

/* When it arrived: its file has been as it is since then, and in a Maildir its name tells
 * when it was delivered. Copies may have lost the one, and mail that a client has put there
 * says more by the other: the earlier. */
static int64_t arrival(const struct port_box *box, const struct port_file *file)
{
	uint64_t named;
	struct slice name = slice_of(base_name(port_plan_name(box, file)));
	if (box->kind == PORT_MAILDIR && text_to_number(slice_cut(&name, '.'), 10, &named) &&
		named > 0 && (int64_t)named < file->time)
		return (int64_t)named;
	return file->time;
}

static int take_file(struct import *import, const struct port_box *box,
	const struct port_file *file, struct err *e)
{
	const char *name = port_plan_name(box, file);
	struct err why;
	struct stat was;
	struct port_range range = {.was = &was};
	buf_clear(&import->place);
	struct buf below = {0};
	buf_printf(&below, "%s%s%s", box->path, *box->path && *name ? "/" : "", name);
	port_plan_place(&import->place, &import->plan, buf_text(&below));
	buf_free(&below);
	range.fd = port_plan_open(&import->plan, box, name, &was, &why);
	int result = 0;
	if (range.fd < 0) {
		tell_bad(import, &why);
	} else {
		range.to = (uint64_t)was.st_size;
		result = take(import, box, name, 0, &range, arrival(box, file), e);
		close(range.fd);
	}
	return result;
}

static const struct port_box *sorted_box;

static int compare_files(const void *a, const void *b)
{
	const struct port_file *one = a, *other = b;
	if (one->order != other->order)
		return one->order < other->order ? -1 : 1;
	const char *name = port_plan_name(sorted_box, one);
	const char *other_name = port_plan_name(sorted_box, other);
	return strcmp(base_name(name), base_name(other_name));
}

/* In the order in which the old server listed them; others by name, which in a Maildir
 * begins with the time. */
static void sort_files(struct import *import, struct port_box *box)
{
	for (size_t i = 0; i < box->count; i++) {
		const char *name = port_plan_name(box, &box->files[i]);
		const struct uidl_row *row = uidls_find(&import->old, slice_of(base_name(name)), 0);
		box->files[i].order = row ? row->order : UINT64_MAX;
	}
	sorted_box = box;
	if (box->count > 0)
		qsort(box->files, box->count, sizeof(*box->files), compare_files);
}

static int take_files(struct import *import, struct port_box *box, struct err *e)
{
	int result = 0;
	sort_files(import, box);
	for (size_t i = 0; i < box->count && result == 0; i++) {
		show(import, 0);
		result = check_signals(e);
		if (result == 0)
			result = take_file(import, box, &box->files[i], e);
		import->done += box->files[i].size;
	}
	return result;
}

/* ---- mbox ---- */

/* What a server of IMAP keeps for itself at the front of an mbox is no mail. */
static bool is_internal(const struct port_range *range)
{
	struct port_message first = {0};
	struct header_field subject, imap;
	struct err ignored;
	bool internal = port_message_read(&first, range, &ignored) == 0 && first.size < 4096 &&
			header_find(buf_slice(&first.octets), "X-IMAP", &imap) &&
			header_find(buf_slice(&first.octets), "Subject", &subject) &&
			slice_equal(slice_trim(subject.body),
				SLICE("DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"));
	port_message_free(&first);
	return internal;
}

static void set_mbox_place(
	struct import *import, const struct port_box *box, uint64_t number, uint64_t at)
{
	buf_clear(&import->place);
	port_plan_place(&import->place, &import->plan, box->path);
	if (number)
		buf_printf(&import->place, ": message %llu, at octet %llu",
			(unsigned long long)number, (unsigned long long)at + 1);
}

struct mbox {
	struct import *import;
	const struct port_box *box;
	int fd;
	struct stat was;
	uint64_t count, begin; /* messages so far; where the one under way begins */
	int64_t received;      /* of that one */
};

/* All of the message under way, which ends at `end`. */
static int end_message(struct mbox *mbox, uint64_t end, struct err *e)
{
	struct import *import = mbox->import;
	const struct port_range range = {
		.fd = mbox->fd, .from = mbox->begin, .to = end, .quoted = true, .was = &mbox->was};
	set_mbox_place(import, mbox->box, mbox->count, mbox->begin);
	/* Where messages begin is not known any more, and the last one may be half there. */
	if (port_range_has_changed(&range))
		return err_set(e, ERR_INPUT,
			"%s: the mbox has changed meanwhile: stop the server that writes it, then "
			"import again, and it goes on from there",
			buf_text(&import->place));
	if (mbox->count == 0) {
		const struct err why = {
			.text = "what stands in front of the first message is none"};
		if (end > 0)
			tell_bad(import, &why);
		return 0;
	}
	show(import, mbox->begin);
	if (check_signals(e) < 0)
		return -1;
	if (mbox->count == 1 && is_internal(&range))
		return 0;
	return take(import, mbox->box, "", mbox->count, &range, mbox->received, e);
}

static int read_mbox(struct mbox *mbox, struct mbox_scan *scan, struct buf *chunk, struct err *e)
{
	ssize_t got;
	while ((got = pread(mbox->fd, chunk->at, chunk->cap, (off_t)scan->at)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_set_errno(e, "%s cannot be read", buf_text(&mbox->import->place));
			return -1;
		}
		bool found;
		mbox_scan(scan, (struct slice){chunk->at, (size_t)got}, &found);
		if (!found)
			continue;
		if (end_message(mbox, scan->text_end, e) < 0)
			return -1;
		mbox->count++;
		mbox->begin = scan->line_end;
		mbox->received = scan->received;
	}
	return end_message(mbox, mbox_scan_end(scan), e);
}

static int take_mbox(struct import *import, const struct port_box *box, struct err *e)
{
	struct mbox mbox = {.import = import, .box = box};
	struct mbox_scan *scan;
	struct buf chunk = {0};
	struct err why;
	set_mbox_place(import, box, 0, 0);
	mbox.fd = port_plan_open(&import->plan, box, "", &mbox.was, &why);
	if (mbox.fd < 0) {
		tell_bad(import, &why);
		return 0;
	}
	scan = must_alloc(sizeof(*scan));
	buf_reserve(&chunk, 256 * 1024);
	int result = read_mbox(&mbox, scan, &chunk, e);
	import->done += box->files[0].size;
	buf_free(&chunk);
	free(scan);
	close(mbox.fd);
	return result;
}

/* ---- boxes ---- */

static int read_list(struct import *import, const struct port_box *box, const char *name,
	struct buf *content, struct err *e)
{
	struct buf below = {0};
	buf_printf(&below, "%s%s%s", box->path, *box->path ? "/" : "", name);
	buf_clear(&import->place);
	port_plan_place(&import->place, &import->plan, buf_text(&below));
	int found = port_plan_read(&import->plan, buf_text(&below), content, e);
	buf_free(&below);
	return found;
}

/* A list that is there and cannot be read would cost each client all its mail again. */
static int read_lists(struct import *import, const struct port_box *box, struct err *e)
{
	struct buf content = {0};
	uidls_free(&import->old);
	int found = read_list(import, box, "dovecot-uidlist", &content, e);
	if (found == 1 &&
		uidls_read_dovecot(&import->old, buf_slice(&content), import->format, e) < 0)
		found = -1;
	if (found == 0) {
		found = read_list(import, box, "courierpop3dsizelist", &content, e);
		if (found == 1 && uidls_read_courier(&import->old, buf_slice(&content), e) < 0)
			found = -1;
	}
	import->listed = found == 1;
	buf_free(&content);
	expect_all(import, &import->old);
	return found < 0 ? err_prefix(e, "%s: ", buf_text(&import->place)) : 0;
}

static int find_folder(struct import *import, const struct port_box *box, struct err *e)
{
	struct store *store = import->office.store;
	struct slice name = slice_of(box->folder);
	struct folder folder = import->folder;
	import->folder_id = folder.id;
	if (folder.id)
		return 0;
	if (box->renamed) {
		buf_clear(&import->place);
		port_plan_place(&import->place, &import->plan, box->path);
		progress_hide(&import->progress);
		terminal_tell("%s: is the folder %s here", buf_text(&import->place), box->folder);
	}
	int found = folders_find(store, import->user.id, name, &folder, e);
	if (found == 0 && store_begin(store, e) == 0) {
		found = folders_add(store, import->user.id, name, false, e);
		if (found == 0)
			found = store_commit(store, e);
		if (found < 0)
			store_rollback(store);
		else
			found = folders_find(store, import->user.id, name, &folder, e);
	}
	import->folder_id = folder.id;
	return found == 1 ? 0 : -1;
}

static int take_box(struct import *import, struct port_box *box, struct err *e)
{
	uidls_free(&import->old);
	import->listed = false;
	if (find_folder(import, box, e) < 0 ||
		(box->kind == PORT_MAILDIR && read_lists(import, box, e) < 0))
		return -1;
	return box->kind == PORT_MBOX ? take_mbox(import, box, e) : take_files(import, box, e);
}

/* ---- the command ---- */

static int take_all(struct import *import, struct err *e)
{
	struct store *store = import->office.store;
	int result = store_begin(store, e);
	if (result == 0)
		result = import_clear(store, e);
	if (result == 0)
		result = store_commit(store, e);
	else
		store_rollback(store);
	if (result == 0)
		result = import_known_read(&import->known, store, import->user.id, e);
	import->batch.known = import->known;
	if (result == 0)
		result = read_sidecar(import, e);
	for (size_t i = 0; i < import->plan.count && result == 0; i++)
		result = take_box(import, &import->plan.boxes[i], e);
	/* What has gathered stays, whatever ended it. */
	struct err more;
	if (import->known && port_batch_flush(&import->batch, &more) < 0 && result == 0) {
		*e = more;
		result = -1;
	}
	return result;
}

static int sum_up(const struct import *import, int result, struct err *e)
{
	const struct port_batch *batch = &import->batch;
	if (result < 0 && e->kind == ERR_INTERRUPTED)
		return err_set(e, ERR_INTERRUPTED,
			"interrupted: what has been imported stays; run it again, and it goes on "
			"from there");
	if (result < 0 || import->bad == 0)
		return result;
	return err_set(e, ERR_INPUT,
		"%llu of %llu messages left out; what is said above tells which, and why",
		(unsigned long long)import->bad,
		(unsigned long long)(import->bad + batch->filed + import->there));
}

static void import_free(struct import *import)
{
	port_batch_free(&import->batch);
	import_known_free(import->known);
	port_plan_free(&import->plan);
	uidls_free(&import->sidecar);
	uidls_free(&import->old);
	port_message_free(&import->message);
	buf_free(&import->prefix);
	buf_free(&import->place);
	buf_free(&import->key);
}

static int import_from(struct import *import, struct command_line *line, struct err *e)
{
	const char *folder = command_option(line, "--folder");
	int lock;
	if (folder &&
		people_find_folder(&import->office, &import->user, folder, &import->folder, e) < 0)
		return -1;
	if (import_lock(&lock, import->office.config.data, e) < 0)
		return -1;
	terminal_note_signals();
	int result = port_plan_make(&import->plan, line->arguments[1], e);
	if (result == 0) {
		result = take_all(import, e);
		progress_end(&import->progress);
		if (result == 0 || e->kind == ERR_INTERRUPTED || import->batch.filed ||
			import->there || import->bad)
			print_summary(import);
		result = sum_up(import, result, e);
	}
	close(lock);
	return result;
}

int command_mail_import(struct command_line *line, struct err *e)
{
	const char *format = command_option(line, "--uidl-format");
	struct import import = {.format = format ? format : UIDLS_DOVECOT_FORMAT,
		.reuse_xuidl = command_option(line, "--reuse-xuidl") != NULL,
		.plan = {.root = -1},
		.progress = {.what = "importing"}};
	struct err why;
	if (uidls_check_format(import.format, &why) < 0)
		return command_misuse(line, e, "--uidl-format: %s", why.text);
	if (people_open(&import.office, &import.user, line, STORE_TOOL, e) < 0)
		return -1;
	import.batch = (struct port_batch){.office = &import.office,
		.user = &import.user,
		.renamed = tell_renamed,
		.arg = &import};
	int result = import_from(&import, line, e);
	import_free(&import);
	office_close(&import.office);
	return result;
}
