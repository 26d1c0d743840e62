/* SQLite in a sealed process: whatever it opens is one of three descriptors
 * that came over a channel, and no call of it names a file.
 *
 * Its unix VFS lets every system call be replaced; these replace the ones that
 * take a path. Two facts of that VFS are relied on, and proved by the unit
 * test under a killing filter: it reads with pread, so the offset that a
 * descriptor shares with other processes does not matter; and it locks with
 * fcntl, whose locks the process loses when *any* descriptor of the file is
 * closed, so these are never closed. */
#undef _TIME_BITS /* Debian's SQLite for armhf knows the 32-bit struct stat */
#define _FILE_OFFSET_BITS 64
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int handed[3];

/* The descriptor behind a path, -1 for every other path. */
static int descriptor_of(const char *path)
{
	static const char *const names[] = {HANDED_PATH, HANDED_PATH "-wal", HANDED_PATH "-shm"};
	for (int i = 0; i < 3; i++)
		if (strcmp(path, names[i]) == 0)
			return handed[i];
	errno = ENOENT;
	return -1;
}

static int handed_open(const char *path, int flags, int mode)
{
	(void)mode;
	if ((flags & O_ACCMODE) == O_RDONLY)
		return descriptor_of(path);
	errno = EACCES;
	return -1;
}

static int handed_close(int fd)
{
	for (int i = 0; i < 3; i++)
		if (fd == handed[i])
			return 0;
	return close(fd);
}

static int handed_access(const char *path, int mode)
{
	if (descriptor_of(path) < 0)
		return -1;
	errno = EACCES;
	return mode & W_OK ? -1 : 0;
}

/* libc's fstat() asks with the call that also takes paths, which no seal lets
 * through. */
static int handed_fstat(int fd, struct stat *st)
{
#ifdef SYS_fstat64
	return (int)syscall(SYS_fstat64, fd, st);
#else
	return (int)syscall(SYS_fstat, fd, st);
#endif
}

static int handed_stat(const char *path, struct stat *st)
{
	int fd = descriptor_of(path);
	return fd < 0 ? -1 : handed_fstat(fd, st);
}

static char *handed_getcwd(char *path, size_t size)
{
	(void)path, (void)size;
	errno = EACCES;
	return NULL;
}

static ssize_t handed_readlink(const char *path, char *target, size_t size)
{
	(void)path, (void)target, (void)size;
	errno = EINVAL; /* no symbolic link */
	return -1;
}

static int handed_unlink(const char *path)
{
	(void)path;
	errno = EACCES;
	return -1;
}

static int handed_open_directory(const char *path, int *fd)
{
	(void)path;
	*fd = -1;
	return SQLITE_CANTOPEN;
}

static uid_t handed_geteuid(void)
{
	return 1; /* not root, who would chown the -shm file */
}

int handed_take_over(const int fds[3], struct err *e)
{
	static const struct {
		const char *name;
		sqlite3_syscall_ptr call;
	} calls[] = {
		{"open", (sqlite3_syscall_ptr)handed_open},
		{"close", (sqlite3_syscall_ptr)handed_close},
		{"access", (sqlite3_syscall_ptr)handed_access},
		{"fstat", (sqlite3_syscall_ptr)handed_fstat},
		{"stat", (sqlite3_syscall_ptr)handed_stat},
		{"lstat", (sqlite3_syscall_ptr)handed_stat},
		{"getcwd", (sqlite3_syscall_ptr)handed_getcwd},
		{"readlink", (sqlite3_syscall_ptr)handed_readlink},
		{"unlink", (sqlite3_syscall_ptr)handed_unlink},
		{"openDirectory", (sqlite3_syscall_ptr)handed_open_directory},
		{"geteuid", (sqlite3_syscall_ptr)handed_geteuid},
	};
	for (int i = 0; i < 3; i++) {
		struct stat st;
		if (handed_fstat(fds[i], &st))
			return err_set_errno(e, "a descriptor of the store");
		if (!S_ISREG(st.st_mode) || st.st_nlink == 0)
			return err_set(e, ERR_GONE,
				"a descriptor of the store leads to a file that "
				"has been removed: ask for new ones");
	}
	memcpy(handed, fds, sizeof(handed));
	sqlite3_initialize();
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call);
	return 0;
}
