/* `officemail backup` and `restore`.
 *
 * A backup is written under another name, FILE.part, and gets its own only when it
 * is whole, has been read back and is on disk: the one of yesterday stays until
 * then. What it finds damaged becomes FILE.damaged: the mail of today is kept, and
 * so is the good octet of yesterday. */
#include "store/backup.h"
#include "base/account.h"
#include "base/text.h"
#include "store/mail.h"
#include "store/users.h"
#include "tools/command.h"
#include "tools/progress.h"
#include "tools/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC      "SQLite format 3" /* and a NUL */
#define VERSION_AT 60                /* user_version, big-endian (SQLite's file format) */
#define HEADER     100

/* ---- what both do ---- */

static int show_progress(uint64_t done, uint64_t all, void *arg, struct err *e)
{
	progress_show(arg, done, all);
	if (terminal_was_interrupted())
		return err_set(e, ERR_INTERRUPTED, "interrupted; nothing was changed");
	return 0;
}

static void tell_finding(const char *sentence, void *arg)
{
	progress_end(arg);
	terminal_tell("%s", sentence);
}

static bool same_file(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

static bool is_the_store(const struct config *config, const struct stat *file)
{
	char path[CONFIG_PATH_MAX + 16];
	struct stat store = {0};
	snprintf(path, sizeof(path), "%s/store.db", config->data);
	return stat(path, &store) == 0 && same_file(&store, file);
}

/* Is there a file of that name, and what is it? 0 there is none. */
static int look_at(const char *path, struct stat *file, struct err *e)
{
	int fd = account_open(path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : account_err(e, "%s cannot be looked at", path);
	int result = fstat(fd, file) == 0 ? 1 : err_set_errno(e, "%s", path);
	close(fd);
	return result;
}

/* ---- the file that a backup becomes ---- */

struct target {
	const char *file;
	struct buf part, damaged; /* their names */
	int fd, directory;
};

static bool begins_as_backup(const char *path)
{
	char magic[sizeof(MAGIC)] = "";
	int fd = account_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	ssize_t got = fd >= 0 ? read(fd, magic, sizeof(magic)) : -1;
	if (fd >= 0)
		close(fd);
	return got == 0 || (got == sizeof(magic) && memcmp(magic, MAGIC, sizeof(magic)) == 0);
}

/* What may be replaced: an earlier backup, and nothing that was named by mistake. */
static int check_replaced(const char *path, const struct config *config, struct err *e)
{
	struct stat file = {0};
	int there = look_at(path, &file, e);
	if (there <= 0)
		return there;
	if (S_ISDIR(file.st_mode))
		return err_set(e, ERR_INPUT, "%s is a directory: name a file in it", path);
	if (!S_ISREG(file.st_mode))
		return err_set(e, ERR_INPUT, "%s is no plain file: name another", path);
	if (is_the_store(config, &file))
		return err_set(e, ERR_INPUT, "%s is the store itself: name another file", path);
	if (!begins_as_backup(path))
		return err_set(e, ERR_INPUT,
			"%s is there and is no backup: name another file, or take it away", path);
	return 0;
}

/* The log of another database, which would be read into this one. */
static int check_beside(const char *path, struct err *e)
{
	static const char *const ends[] = {"-wal", "-journal"};
	struct stat file = {0};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct buf name = {0};
		buf_printf(&name, "%s%s", path, ends[i]);
		int there = look_at(buf_text(&name), &file, e);
		if (there == 1)
			there = err_set(e, ERR_INPUT,
				"%s belongs to another database: take it away, or name another "
				"file",
				buf_text(&name));
		buf_free(&name);
		if (there < 0)
			return -1;
	}
	return 0;
}

/* A .part that nobody is writing is what a crash left. */
static int clear_part(const char *part, struct err *e)
{
	int fd = account_open(part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : account_err(e, "%s cannot be opened", part);
	int result = 0;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		result = err_set(e, ERR_IN_USE,
			"another backup is writing %s: wait for its end, or name another file",
			part);
	else if (account_unlink(part) != 0)
		result = account_err(e, "%s cannot be taken away", part);
	close(fd);
	return result;
}

static int open_directory(const char *file, struct err *e)
{
	const char *slash = strrchr(file, '/');
	struct buf name = {0};
	if (slash)
		buf_add(&name, file, (size_t)(slash - file) + 1);
	else
		buf_add_text(&name, ".");
	int fd = account_open(buf_text(&name), O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT)
		err_set(e, ERR_MISSING,
			"the directory %s is not there: make it, or name a file elsewhere",
			buf_text(&name));
	else if (fd < 0)
		account_err(e, "%s cannot be opened", buf_text(&name));
	buf_free(&name);
	return fd;
}

static int target_open(
	struct target *target, const char *file, const struct config *config, struct err *e)
{
	*target = (struct target){.file = file, .fd = -1, .directory = -1};
	buf_printf(&target->part, "%s.part", file);
	buf_printf(&target->damaged, "%s.damaged", file);
	const char *part = buf_text(&target->part);
	if (check_replaced(file, config, e) < 0 || check_beside(file, e) < 0 ||
		check_replaced(buf_text(&target->damaged), config, e) < 0 ||
		(target->directory = open_directory(file, e)) < 0 || clear_part(part, e) < 0)
		return -1;
	target->fd = account_open(part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (target->fd < 0)
		return account_err(e, "%s cannot be written", part);
	if (flock(target->fd, LOCK_EX | LOCK_NB) != 0 && errno != ENOLCK && errno != EOPNOTSUPP)
		return err_set(e, ERR_IN_USE,
			"another backup is writing %s: wait for its end, or name another file",
			part);
	return 0;
}

/* Is FILE.part still what this command writes? */
static bool is_ours(struct target *target)
{
	struct stat ours, named = {0};
	struct err e;
	return target->fd >= 0 && fstat(target->fd, &ours) == 0 &&
	       look_at(buf_text(&target->part), &named, &e) == 1 && same_file(&ours, &named);
}

/* Whatever was not given its name goes. */
static void target_close(struct target *target)
{
	if (is_ours(target))
		account_unlink(buf_text(&target->part));
	if (target->fd >= 0)
		close(target->fd);
	if (target->directory >= 0)
		close(target->directory);
	buf_free(&target->part);
	buf_free(&target->damaged);
}

static int target_name(struct target *target, const char *name, struct err *e)
{
	const char *part = buf_text(&target->part);
	if (!is_ours(target))
		return err_set(e, ERR_GONE, "%s was taken away meanwhile: try again", part);
	if (account_rename(part, name) != 0)
		return account_err(e, "%s cannot be written", name);
	/* Some file systems of others know no sync of a directory. */
	if (fsync(target->directory) != 0 && errno != EINVAL && errno != ENOTSUP)
		return err_set_errno(e, "the directory of %s", name);
	return 0;
}

/* ---- backup ---- */

/* Reads all of the copy back. How many findings there were; -1 it could not look. */
static int verify(struct target *target, struct progress *progress, struct err *e)
{
	struct store *copy;
	if (store_open_copy(&copy, target->fd, buf_text(&target->part), e) < 0)
		return -1;
	*progress = (struct progress){.what = "verifying"};
	progress_show(progress, 0, 1);
	int findings = mail_check(copy, tell_finding, progress, e);
	progress_end(progress);
	store_close(copy);
	return findings;
}

static int make(struct office *office, struct target *target, struct err *e)
{
	struct progress progress = {.what = "copying"};
	struct backup backup = {.name = buf_text(&target->part),
		.reserve = office->config.reserve,
		.progress = show_progress,
		.arg = &progress};
	int result = backup_copy(office->store, target->fd, &backup, e);
	progress_end(&progress);
	if (result == 0 && fsync(target->fd) != 0)
		result = err_set_errno(e, "%s cannot be written", backup.name);
	int findings = result == 0 ? verify(target, &progress, e) : -1;
	if (findings >= 0 && terminal_was_interrupted())
		return err_set(e, ERR_INTERRUPTED, "interrupted; nothing was changed");
	if (findings <= 0)
		return findings < 0 ? -1 : target_name(target, target->file, e);
	const char *damaged = buf_text(&target->damaged);
	if (target_name(target, damaged, e) < 0)
		return -1;
	return err_set(e, ERR_DAMAGED,
		"the store is damaged, and this copy of it is %s; %s is as it was: see `officemail "
		"check`",
		damaged, target->file);
}

/* For `status`. The backup is made, be it noted or not. */
static void note_time(struct command_line *line)
{
	struct office office;
	struct err e;
	int result = office_begin(&office, line, &e);
	if (result == 0) {
		result = backup_set_time(office.store, store_now(office.store), &e);
		result = office_end(&office, result, &e);
	}
	if (result < 0)
		terminal_tell(
			"officemail: the backup is made, but `status` will not know of it: %s",
			e.text);
}

static int backup_to(struct office *office, const char *file, struct err *e)
{
	struct target target;
	int result = target_open(&target, file, &office->config, e);
	if (result == 0)
		result = make(office, &target, e);
	target_close(&target);
	return result;
}

int command_backup(struct command_line *line, struct err *e)
{
	struct office office;
	const char *file = line->arguments[0];
	terminal_note_signals();
	if (office_open(&office, line, STORE_READER, e) < 0)
		return -1;
	int result = backup_to(&office, file, e);
	office_close(&office);
	if (result < 0)
		return -1;
	note_time(line);
	if (isatty(STDERR_FILENO)) /* cron has no use for good news */
		terminal_tell("%s is whole and verified, and holds all mail and the hashes of all "
			      "passwords: keep it as safe as the store",
			file);
	return 0;
}

/* ---- restore ---- */

struct source {
	const char *file;
	int fd, log_fd;
	int64_t made;
};

/* What can be told without a copy: SQLite, of a version that is known. */
static int check_header(const struct source *source, struct err *e)
{
	unsigned char header[HEADER];
	if (pread(source->fd, header, sizeof(header), 0) != sizeof(header) ||
		memcmp(header, MAGIC, sizeof(MAGIC)) != 0)
		return err_set(e, ERR_INPUT,
			"%s is no backup of officemail: name a file that `officemail backup` has "
			"written",
			source->file);
	unsigned version = 0;
	for (size_t i = 0; i < 4; i++)
		version = version << 8 | header[VERSION_AT + i];
	if (version > STORE_SCHEMA_VERSION)
		return err_set(e, ERR_NEWER,
			"%s was written by a newer officemail (version %u, this one knows %d): "
			"install that one",
			source->file, version, STORE_SCHEMA_VERSION);
	return 0;
}

static int source_open(
	struct source *source, const char *file, const struct config *config, struct err *e)
{
	struct buf log = {0};
	struct stat what = {0};
	buf_printf(&log, "%s-wal", file);
	*source = (struct source){.file = file, .log_fd = -1};
	source->fd = account_open(file, O_RDONLY | O_NONBLOCK, 0);
	int result = 0;
	if (source->fd < 0 && errno == ENOENT)
		result = err_set(e, ERR_MISSING,
			"%s is not there: name a file that `officemail backup` has written", file);
	else if (source->fd < 0 || fstat(source->fd, &what) != 0)
		result = account_err(e, "%s cannot be opened", file);
	source->made = what.st_mtim.tv_sec;
	if (result == 0 && !S_ISREG(what.st_mode))
		result = err_set(e, ERR_INPUT,
			"%s is no plain file: name one that `officemail backup` has written", file);
	if (result == 0 && is_the_store(config, &what))
		result = err_set(e, ERR_INPUT,
			"%s is the store itself: name one that `officemail backup` has written",
			file);
	if (result == 0)
		result = check_header(source, e);
	/* A copy made by other hands may have its log beside it. */
	if (result == 0)
		source->log_fd = account_open(buf_text(&log), O_RDONLY | O_NONBLOCK, 0);
	if (result == 0 && source->log_fd < 0 && errno != ENOENT)
		result = account_err(e, "%s cannot be opened", buf_text(&log));
	buf_free(&log);
	return result;
}

static void source_close(struct source *source)
{
	if (source->fd >= 0)
		close(source->fd);
	if (source->log_fd >= 0)
		close(source->log_fd);
}

static int restore_from(const struct source *source, const struct config *config, struct err *e)
{
	struct progress progress = {.what = "copying"};
	struct backup backup = {.name = source->file,
		.made = source->made,
		.progress = show_progress,
		.arg = &progress};
	char aside[RESTORE_ASIDE_MAX] = "";
	int64_t held = 0;
	int lock;
	if (store_check_files(config->data, e) < 0 ||
		store_lock(&lock, config->data, getpid(), e) < 0)
		return -1;
	int result = restore_prepare(
		config->data, source->fd, source->log_fd, &backup, tell_finding, &held, e);
	progress_end(&progress);
	if (result == 0)
		result = restore_swap(config->data, aside, e);
	restore_clear(config->data);
	close(lock);
	if (result == 0 && *aside)
		printf("%s is the store now; the one before is kept as %s, and yours to delete\n",
			source->file, aside);
	else if (result == 0)
		printf("%s is the store now\n", source->file);
	if (result == 0 && held > 0)
		printf("mail for %lld recipients outside, which may have left since that backup, "
		       "is "
		       "held: `officemail queue list`, then `queue retry ID` or `queue remove "
		       "ID`\n",
			(long long)held);
	return result;
}

int command_restore(struct command_line *line, struct err *e)
{
	struct config config;
	struct source source;
	terminal_note_signals();
	if (office_read(line, &config, e) < 0 || account_assume(config.user, e) < 0)
		return -1;
	int result = source_open(&source, line->arguments[0], &config, e);
	if (result == 0)
		result = restore_from(&source, &config, e);
	source_close(&source);
	account_resume();
	return result;
}
