/* Files that the tools make: nothing is overwritten, nothing is half there. */
#include "tools/file.h"
#include "base/config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH_MAX (CONFIG_PATH_MAX + 64)

/* The path without slashes at its end. */
static size_t length_of(const char *path)
{
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	return len;
}

/* How much of the path names the directory above; 0: there is none to make. */
static size_t length_above(const char *path)
{
	size_t len = length_of(path);
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 0 && path[len - 1] == '/')
		len--;
	return len;
}

/* The name under which something is made. What bears it already is left of a
 * process that died in the middle: of this number there is no other one now. */
static void name_fresh(char fresh[FRESH_MAX], const char *path)
{
	snprintf(fresh, FRESH_MAX, "%.*s.new-%ld", (int)length_of(path), path, (long)getpid());
}

static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int failed = fsync(fd);
	close(fd);
	return failed;
}

/* A name is on disk when the directory it stands in is. */
static int sync_above(const char *path)
{
	char above[CONFIG_PATH_MAX + 16];
	size_t len = length_above(path);
	if (len >= sizeof(above)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(above, sizeof(above), "%.*s", (int)len, path);
	return sync_directory(len > 0 ? above : *path == '/' ? "/" : ".");
}

static int write_all(int fd, struct slice content)
{
	while (content.len > 0) {
		ssize_t put = write(fd, content.at, content.len);
		if (put < 0 && errno != EINTR)
			return -1;
		content = slice_from(content, put > 0 ? (size_t)put : 0);
	}
	return fsync(fd);
}

/* Writes a file that nobody else can see yet: octets and mode are on disk. */
static int write_fresh(const char *path, mode_t mode, struct slice content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -1;
	int failed = fchmod(fd, mode) != 0 || write_all(fd, content) != 0;
	close(fd);
	return failed ? -1 : 0;
}

int file_write_new(const char *path, mode_t mode, struct slice content, struct err *e)
{
	char fresh[FRESH_MAX];
	if (access(path, F_OK) == 0)
		return err_set(e, ERR_EXISTS, "%s is there already: take it away first", path);
	name_fresh(fresh, path);
	unlink(fresh);
	/* link(2) and not rename(2): it never replaces what came meanwhile. */
	int failed = write_fresh(fresh, mode, content) != 0 || link(fresh, path) != 0;
	if (failed)
		err_set_errno(e, "cannot write %s", path);
	unlink(fresh);
	if (!failed && (failed = sync_above(path)))
		err_set_errno(e, "cannot write %s", path);
	return failed ? -1 : 0;
}

/* The names of two files in a directory, gone in `fresh` where they were there. */
static void clear_pair(
	char paths[2][FRESH_MAX + 64], const char *fresh, const struct file_new files[2])
{
	for (int i = 0; i < 2; i++) {
		snprintf(paths[i], FRESH_MAX + 64, "%s/%s", fresh, files[i].name);
		unlink(paths[i]);
	}
	rmdir(fresh);
}

int file_write_pair(const char *directory, const struct file_new files[2], struct err *e)
{
	char fresh[FRESH_MAX], paths[2][FRESH_MAX + 64];
	name_fresh(fresh, directory);
	clear_pair(paths, fresh, files);
	int failed = mkdir(fresh, 0700);
	for (int i = 0; i < 2 && !failed; i++)
		failed = write_fresh(paths[i], files[i].mode, files[i].content);
	/* rename(2) replaces a directory that is empty, and no other. */
	if (!failed && sync_directory(fresh) == 0 && rename(fresh, directory) == 0 &&
		sync_above(directory) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		err_set(e, ERR_EXISTS,
			"%s holds other things than %s and %s: take it away, and it is made anew",
			directory, files[0].name, files[1].name);
	else
		err_set_errno(e, "cannot write %s", directory);
	clear_pair(paths, fresh, files);
	return -1;
}

static int make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	char fresh[FRESH_MAX];
	name_fresh(fresh, path);
	rmdir(fresh);
	if (mkdir(fresh, 0700) != 0)
		return -1;
	if (chmod(fresh, mode) == 0 && chown(fresh, uid, gid) == 0 && sync_directory(fresh) == 0 &&
		rename(fresh, path) == 0)
		return sync_above(path);
	int failed = errno;
	rmdir(fresh);
	errno = failed;
	return -1;
}

int file_make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *e)
{
	char above[CONFIG_PATH_MAX];
	struct stat what;
	size_t len = length_above(path);
	if (stat(path, &what) == 0) {
		if (S_ISDIR(what.st_mode))
			return 0;
		return err_set(e, ERR_EXISTS,
			"%s is no directory, where one is wanted: take it away", path);
	}
	if (make_directory(path, mode, uid, gid) == 0)
		return 1;
	if (errno == ENOENT && len > 0 && len < sizeof(above)) {
		snprintf(above, sizeof(above), "%.*s", (int)len, path);
		int made = file_make_directory(above, 0755, FILE_OWN, FILE_OWN, e);
		if (made != 0)
			return made < 0 ? -1 : file_make_directory(path, mode, uid, gid, e);
		errno = ENOENT; /* what is above is there, and lets nothing be made in it: /proc */
	}
	return err_set_errno(e, "cannot make the directory %s", path);
}
