/* Files that the tools make: nothing is overwritten, nothing is half there. */
#include "tools/file.h"
#include "base/config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int file_write_new(const char *path, mode_t mode, struct slice content, struct err *e)
{
	char fresh[CONFIG_PATH_MAX + 32];
	if (access(path, F_OK) == 0)
		return err_set(e, ERR_EXISTS, "%s is there already", path);
	snprintf(fresh, sizeof(fresh), "%s.new-%ld", path, (long)getpid());
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set_errno(e, "cannot create %s", path);
	int result = 0;
	/* link(2) and not rename(2): it never replaces what came meanwhile. */
	if (fchmod(fd, mode) != 0 || write_all(fd, content) != 0 || link(fresh, path) != 0)
		result = err_set_errno(e, "cannot write %s", path);
	unlink(fresh);
	close(fd);
	return result;
}

/* How much of the path names the directory above; 0: there is none to make. */
static size_t length_above(const char *path)
{
	size_t len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 0 && path[len - 1] == '/')
		len--;
	return len;
}

int file_make_directory(const char *path, mode_t mode, struct err *e)
{
	char above[CONFIG_PATH_MAX];
	struct stat what;
	size_t len = length_above(path);
	if (mkdir(path, mode) == 0)
		return chmod(path, mode) == 0 ? 1
					      : err_set_errno(e, "cannot set the mode of %s", path);
	if (errno == ENOENT && len > 0 && len < sizeof(above)) {
		snprintf(above, sizeof(above), "%.*s", (int)len, path);
		int made = file_make_directory(above, 0755, e);
		if (made != 0)
			return made < 0 ? -1 : file_make_directory(path, mode, e);
		errno = ENOENT; /* what is above is there, and lets nothing be made in it: /proc */
	}
	if (errno == EEXIST && stat(path, &what) == 0) {
		if (S_ISDIR(what.st_mode))
			return 0;
		errno = ENOTDIR;
	}
	return err_set_errno(e, "cannot make the directory %s", path);
}
