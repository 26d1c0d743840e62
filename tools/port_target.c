/* A sync for many files at once, and then their names: on a memory card the sync is what
 * takes the time. */
#include "tools/port_target.h"
#include "base/account.h"
#include "tools/port_plan.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PART     ".part"
#define CUR      "cur/"
#define SIDECAR  "uidl.json"
#define ROWS_DUE 4096 /* rows after which uidl.json is written */

/* ---- the place ---- */

const char *port_target_place(struct port_target *target, const char *name)
{
	const char *below = buf_text(&target->below);
	buf_clear(&target->place);
	buf_printf(&target->place, "%s%s%s%s%s", target->path, *below ? "/" : "", below,
		*name ? "/" : "", name);
	return buf_text(&target->place);
}

static int fail(struct port_target *target, const char *name, struct err *e)
{
	int code = errno;
	const char *place = port_target_place(target, name);
	errno = code;
	return account_err(e, "%s cannot be written", place);
}

/* Makes a directory where there is none, and opens it. */
static int open_directory(int above, const char *name)
{
	if (account_make_directory(above, name, 0700) != 0 && errno != EEXIST)
		return -1;
	return account_open_below(above, name, O_RDONLY | O_DIRECTORY, 0);
}

/* Calls `each` for what a directory holds; returns how much that is. */
static int each_name(int directory, void (*each)(int directory, const char *name))
{
	int fd = account_open_below(directory, "", O_RDONLY | O_DIRECTORY, 0), count = 0;
	DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	if (!listing)
		return -1;
	while ((entry = readdir(listing))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (each)
			each(directory, entry->d_name);
	}
	closedir(listing);
	return count;
}

static int read_old(struct port_target *target, struct err *e)
{
	const struct port_plan plan = {.path = target->path, .root = target->root};
	struct buf content = {0};
	int found = port_plan_read(&plan, SIDECAR, &content, e);
	if (found == 1 && uidls_read_json(&target->old, buf_slice(&content), e) < 0)
		found = -1;
	buf_free(&content);
	target->replaced = must_alloc((target->old.count + 1) * sizeof(*target->replaced));
	return found < 0 ? err_prefix(e, "%s/" SIDECAR ": ", target->path) : found;
}

int port_target_open(struct port_target *target, const char *path, struct err *e)
{
	*target = (struct port_target){
		.path = path, .root = -1, .directory = -1, .parts = -1, .cur = -1};
	bool made = account_make_directory(AT_FDCWD, path, 0700) == 0 || errno == EEXIST;
	if (!made && errno == ENOENT)
		return err_set(e, ERR_MISSING,
			"the directory that %s is to be made in is not there: make that, or name "
			"another",
			path);
	if (made)
		target->root = account_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (target->root < 0)
		return fail(target, "", e);
	if (flock(target->root, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return err_set(e, ERR_IN_USE,
			"another export is writing into %s: wait until it has ended", path);
	int found = read_old(target, e);
	if (found < 0)
		return -1;
	account_unlink_at(target->root, SIDECAR PART);
	if (found == 0 && each_name(target->root, NULL) != 0)
		return err_set(e, ERR_INPUT,
			"%s is not empty, and is no earlier export: name a new directory", path);
	/* From now on it is one, whatever happens. */
	return found == 0 ? port_target_finish(target, e) : 0;
}

static void leave(struct port_target *target)
{
	int *const open[] = {&target->directory, &target->parts, &target->cur};
	for (size_t i = 0; i < 3; i++) {
		if (*open[i] >= 0)
			close(*open[i]);
		*open[i] = -1;
	}
}

void port_target_close(struct port_target *target)
{
	leave(target);
	if (target->root >= 0)
		close(target->root);
	buf_free(&target->below);
	buf_free(&target->names);
	buf_free(&target->place);
	buf_free(&target->rows);
	uidls_free(&target->old);
	free(target->replaced);
}

static int parts_of(const struct port_target *target)
{
	return target->parts >= 0 ? target->parts : target->directory;
}

static void clear_part(int directory, const char *name)
{
	size_t len = strlen(name), end = strlen(PART);
	if (len > end && strcmp(name + len - end, PART) == 0)
		account_unlink_at(directory, name);
}

/* What a Maildir has in it. */
static int enter_maildir(struct port_target *target, struct err *e)
{
	int delivered = open_directory(target->directory, "new");
	if (delivered < 0)
		return fail(target, "new", e);
	close(delivered);
	target->parts = open_directory(target->directory, "tmp");
	if (target->parts < 0)
		return fail(target, "tmp", e);
	target->cur = open_directory(target->directory, "cur");
	return target->cur < 0 ? fail(target, "cur", e) : 0;
}

int port_target_enter(struct port_target *target, const char *below, bool maildir, struct err *e)
{
	if (port_target_flush(target, e) < 0)
		return -1;
	leave(target);
	buf_clear(&target->below);
	buf_add_text(&target->below, below);
	target->directory =
		*below ? open_directory(target->root, below)
		       : account_open_below(target->root, "", O_RDONLY | O_DIRECTORY, 0);
	if (target->directory < 0)
		return fail(target, "", e);
	if (maildir && enter_maildir(target, e) < 0)
		return -1;
	each_name(parts_of(target), clear_part);
	return 0;
}

/* ---- files ---- */

/* The directory that the file lies in, *name is made its name there: "cur" of a Maildir
 * is the one that was opened, whatever its owner puts in its place meanwhile. */
static int home_of(const struct port_target *target, const char **name)
{
	if (target->cur < 0 || strncmp(*name, CUR, strlen(CUR)) != 0)
		return target->directory;
	*name += strlen(CUR);
	return target->cur;
}

int port_target_has(struct port_target *target, const char *name, struct err *e)
{
	struct stat what;
	const char *there = name;
	int home = home_of(target, &there);
	if (account_look_at(home, there, &what) == 0)
		return 1;
	return errno == ENOENT ? 0 : fail(target, name, e);
}

int port_target_read(struct port_target *target, const char *name, struct err *e)
{
	const char *there = name;
	int home = home_of(target, &there);
	int fd = account_open_below(home, there, O_RDONLY | O_NONBLOCK, 0);
	if (fd >= 0)
		return fd;
	int code = errno;
	const char *place = port_target_place(target, name);
	errno = code;
	return account_err(e, "%s cannot be read", place);
}

/* In a directory of their own or beside the finished ones, "cur/NAME" as "NAME.part". */
static const char *part_name(struct buf *part, const char *name)
{
	const char *slash = strrchr(name, '/');
	buf_clear(part);
	buf_printf(part, "%s" PART, slash ? slash + 1 : name);
	return buf_text(part);
}

static int write_all(int fd, struct slice octets)
{
	while (octets.len > 0) {
		ssize_t put = write(fd, octets.at, octets.len);
		if (put < 0 && errno != EINTR)
			return -1;
		octets = slice_from(octets, put > 0 ? (size_t)put : 0);
	}
	return 0;
}

int port_target_begin(struct port_target *target, const char *name, struct err *e)
{
	struct buf part = {0};
	int fd = account_open_below(
		parts_of(target), part_name(&part, name), O_RDWR | O_CREAT | O_TRUNC, 0600);
	buf_free(&part);
	return fd < 0 ? fail(target, name, e) : fd;
}

int port_target_write(
	struct port_target *target, const char *name, int fd, struct slice octets, struct err *e)
{
	return write_all(fd, octets) == 0 ? 0 : fail(target, name, e);
}

void port_target_drop(struct port_target *target, const char *name, int fd)
{
	struct buf part = {0};
	close(fd);
	account_unlink_at(parts_of(target), part_name(&part, name));
	buf_free(&part);
}

int port_target_keep(
	struct port_target *target, const char *name, int fd, int64_t time, struct err *e)
{
	if (account_set_time(fd, time) != 0) {
		/* File systems of others know no such time: the row has it. */
	}
	if (close(fd) != 0)
		return fail(target, name, e);
	buf_add(&target->names, name, strlen(name) + 1);
	return ++target->waiting < TARGET_BATCH ? 0 : port_target_flush(target, e);
}

/* Its name, where nothing has it. */
static int name_file(struct port_target *target, const char *name, struct err *e)
{
	struct buf part = {0};
	const char *there = name;
	int home = home_of(target, &there);
	int result = account_rename_new(parts_of(target), part_name(&part, name), home, there);
	if (result != 0) {
		result = fail(target, name, e);
		account_unlink_at(parts_of(target), buf_text(&part));
	}
	buf_free(&part);
	return result;
}

int port_target_flush(struct port_target *target, struct err *e)
{
	const char *name = target->names.at;
	int result = 0;
	if (target->waiting && syncfs(target->directory) != 0)
		result = fail(target, "", e);
	for (size_t i = 0; i < target->waiting && result == 0; i++, name += strlen(name) + 1)
		result = name_file(target, name, e);
	target->waiting = 0;
	buf_clear(&target->names);
	return result;
}

static int replace(struct port_target *target, int directory, const char *name,
	struct slice content, struct err *e)
{
	struct buf part = {0};
	int fd = account_open_below(
		directory, part_name(&part, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool good = fd >= 0 && write_all(fd, content) == 0 && fsync(fd) == 0;
	if (good && account_replace_at(directory, buf_text(&part), name) != 0)
		good = false;
	int result = good ? 0 : fail(target, name, e);
	if (fd >= 0)
		close(fd);
	if (!good)
		account_unlink_at(directory, buf_text(&part));
	buf_free(&part);
	return result;
}

int port_target_replace(
	struct port_target *target, const char *name, struct slice content, struct err *e)
{
	return replace(target, target->directory, name, content, e);
}

/* ---- uidl.json ---- */

static void add_key(struct buf *key, const struct port_target *target, struct slice name)
{
	struct buf path = {0};
	buf_add_slice(&path, buf_slice(&target->below));
	if (path.len > 0)
		buf_add_char(&path, '/');
	buf_add_slice(&path, name);
	uidls_key(key, buf_slice(&path));
	buf_free(&path);
}

const struct uidl_row *port_target_row(struct port_target *target, const char *name, uint64_t place)
{
	struct buf key = {0};
	add_key(&key, target, slice_of(name));
	const struct uidl_row *row = uidls_find(&target->old, buf_slice(&key), place);
	buf_free(&key);
	return row;
}

int port_target_add_row(struct port_target *target, const struct uidl_line *line, struct err *e)
{
	struct buf key = {0};
	struct uidl_line named = *line;
	add_key(&key, target, line->file);
	const struct uidl_row *row = uidls_find(&target->old, buf_slice(&key), line->place);
	if (row)
		target->replaced[row - target->old.rows] = true;
	if (target->rows.len > 0)
		buf_add_text(&target->rows, ",\n");
	named.file = buf_slice(&key);
	uidls_add_json(&target->rows, &named);
	buf_free(&key);
	return ++target->since < ROWS_DUE ? 0 : port_target_write_rows(target, e);
}

int port_target_write_rows(struct port_target *target, struct err *e)
{
	struct buf text = {0};
	buf_add_text(&text, "[\n");
	buf_add_slice(&text, buf_slice(&target->rows));
	uidls_find(&target->old, SLICE(""), 0); /* their order is the one of `replaced` */
	for (size_t i = 0; i < target->old.count; i++) {
		const struct uidl_row *row = &target->old.rows[i];
		if (target->replaced[i])
			continue;
		if (text.len > 2)
			buf_add_text(&text, ",\n");
		uidls_add_json(&text, &(struct uidl_line){.file = uidls_file(&target->old, row),
					      .uidl = uidls_uidl(&target->old, row),
					      .place = row->place,
					      .size = row->size,
					      .sum = row->sum,
					      .received = row->received});
	}
	buf_add_text(&text, "\n]\n");
	int result = replace(target, target->root, SIDECAR, buf_slice(&text), e);
	buf_free(&text);
	target->since = 0;
	return result;
}

int port_target_finish(struct port_target *target, struct err *e)
{
	if (port_target_flush(target, e) < 0 || port_target_write_rows(target, e) < 0)
		return -1;
	return syncfs(target->root) == 0 ? 0 : fail(target, "", e);
}
