/* Laid before libc's calls (LD_PRELOAD): every change of a file or a name under
 * one directory, and every sync, goes into a log in the order in which they
 * happened, over all processes; tests/crash/power.py rebuilds from it what a
 * power cut would have left.
 *
 *	RECORDER_LOG   the log, appended to by one write a record
 *	RECORDER_ROOT  the directory, as realpath(3) tells it
 *	RECORDER_LIE   set: a sync does nothing, and says that it did
 *	RECORDER_DIE   N: SIGKILL to the process in place of its Nth change or sync
 *
 * A change is logged when it has been made, before the call returns: nobody can
 * have built on it earlier. A sync is logged at both ends, and covers what
 * stands in the log before its first. A sealed process inherits the log open,
 * and needs no more calls than write(2) and fstat(2) for it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_FD 1000 /* out of everybody's way */

/* power.py reads it: keep both alike. */
struct record {
	uint32_t length; /* with what follows */
	uint32_t kind;
	uint32_t pid;
	uint32_t first; /* octets of the first thing behind: a path, or data */
	uint64_t inode;
	uint64_t number; /* offset, size */
	uint32_t mode, uid, gid, unused;
};

enum kind {
	WRITE = 'w',
	TRUNCATE = 't',
	ATTRIBUTES = 'a',
	CREATE = 'c',
	DIRECTORY = 'd',
	SOCKET = 'k',
	LINK = 'l',
	RENAME = 'r',
	UNLINK = 'u',
	SYNC_BEGUN = 'b',
	SYNC_DONE = 's',
	DATA_SYNC_DONE = 'S',
	ALL_SYNC_DONE = 'f', /* of everything; its first, too, is of inode 0 */
};

static char root[PATH_MAX];
static size_t root_length;
static dev_t root_device;
static int active, lying;
static long die_at, changes;

_Static_assert(sizeof(off_t) == 8, "the calls with 64 in their names are the same ones");

/* ---- the next one in line ---- */

/* clang-format off */
#define EACH_CALL(X) \
	X(openat) X(write) X(pwrite) X(writev) X(ftruncate) X(fallocate) X(fsync) X(fdatasync) X(syncfs) \
	X(renameat2) X(unlinkat) X(linkat) X(mkdirat) X(fchmod) X(fchmodat) X(fchown) X(fchownat) \
	X(bind) X(close_range)
/* clang-format on */
#define DECLARE(call) static __typeof__(call) *next_##call;
#define FIND(call)    next_##call = (__typeof__(call) *)dlsym(RTLD_NEXT, #call);
EACH_CALL(DECLARE)

__attribute__((constructor)) static void begin(void)
{
	struct stat st;
	const char *log = getenv("RECORDER_LOG"), *where = getenv("RECORDER_ROOT");
	EACH_CALL(FIND)
	if (!log || !where || !realpath(where, root) || stat(root, &st))
		return;
	int fd = next_openat(AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0 || dup3(fd, LOG_FD, O_CLOEXEC) < 0) {
		perror(log);
		_exit(126);
	}
	close(fd);
	root_length = strlen(root);
	root_device = st.st_dev;
	lying = getenv("RECORDER_LIE") != NULL;
	die_at = getenv("RECORDER_DIE") ? atol(getenv("RECORDER_DIE")) : 0;
	active = 1;
}

/* ---- the log ---- */

/* Before each change or sync that would be logged. */
static void count_change(void)
{
	if (die_at && ++changes == die_at)
		kill(getpid(), SIGKILL);
}

static void add(struct record *record, const void *first, size_t first_length, const void *second,
	size_t second_length)
{
	int kept = errno;
	record->pid = (uint32_t)getpid();
	record->first = (uint32_t)first_length;
	record->length = (uint32_t)(sizeof(*record) + first_length + second_length);
	struct iovec parts[] = {{record, sizeof(*record)}, {(void *)(uintptr_t)first, first_length},
		{(void *)(uintptr_t)second, second_length}};
	/* A log with a hole in it proves nothing. */
	if (next_writev(LOG_FD, parts, 3) != (ssize_t)record->length)
		abort();
	errno = kept;
}

static void add_path(enum kind kind, const char *path, const char *other)
{
	struct stat st;
	struct record record = {.kind = kind};
	if (kind != UNLINK && lstat(other ? other : path, &st) == 0) {
		record.inode = st.st_ino;
		record.mode = st.st_mode;
		record.uid = st.st_uid;
		record.gid = st.st_gid;
	}
	add(&record, path, strlen(path), other, other ? strlen(other) : 0);
}

/* Is it a file or directory on the device of the root? Asked with the one call
 * that a seal lets through. */
static int is_ours(int fd, struct stat *st)
{
	int kept = errno;
	int ours = active && syscall(SYS_fstat, fd, st) == 0 && st->st_dev == root_device &&
		   (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
	errno = kept;
	return ours;
}

/* Fills `whole` with the path below the root that is meant, with no link on the
 * way to its last part. */
static int is_below(int directory, const char *path, char whole[PATH_MAX])
{
	char named[PATH_MAX + 64], *slash;
	int kept = errno;
	if (!active)
		return 0;
	if (path[0] == '/')
		snprintf(named, sizeof(named), "%s", path);
	else if (directory == AT_FDCWD)
		snprintf(named, sizeof(named), "./%s", path);
	else
		snprintf(named, sizeof(named), "/proc/self/fd/%d/%s", directory, path);
	slash = strrchr(named, '/');
	*slash = '\0';
	int below = realpath(*named ? named : "/", whole) != NULL &&
		    strncmp(whole, root, root_length) == 0 &&
		    (whole[root_length] == '/' || whole[root_length] == '\0');
	if (below)
		snprintf(whole + strlen(whole), PATH_MAX - strlen(whole), "/%s", slash + 1);
	errno = kept;
	return below;
}

/* ---- octets ---- */

static void note_write(const struct stat *st, off_t at, const void *octets, ssize_t count)
{
	struct record record = {.kind = WRITE, .inode = st->st_ino, .number = (uint64_t)at};
	if (count > 0)
		add(&record, octets, (size_t)count, NULL, 0);
}

ssize_t write(int fd, const void *octets, size_t count)
{
	struct stat st;
	if (!is_ours(fd, &st))
		return next_write(fd, octets, count);
	count_change();
	ssize_t done = next_write(fd, octets, count);
	note_write(&st, lseek(fd, 0, SEEK_CUR) - done, octets, done);
	return done;
}

ssize_t pwrite(int fd, const void *octets, size_t count, off_t at)
{
	struct stat st;
	if (!is_ours(fd, &st))
		return next_pwrite(fd, octets, count, at);
	count_change();
	ssize_t done = next_pwrite(fd, octets, count, at);
	note_write(&st, at, octets, done);
	return done;
}

ssize_t pwrite64(int fd, const void *octets, size_t count, off64_t at)
{
	return pwrite(fd, octets, count, at);
}

/* A part at a time: a short write is one, too. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
	struct stat st;
	if (!is_ours(fd, &st))
		return next_writev(fd, parts, count);
	for (int i = 0; i < count; i++)
		if (parts[i].iov_len > 0)
			return write(fd, parts[i].iov_base, parts[i].iov_len);
	return 0;
}

static int note_size(const struct stat *st, off_t size, int failed)
{
	struct record record = {.kind = TRUNCATE, .inode = st->st_ino, .number = (uint64_t)size};
	if (!failed)
		add(&record, NULL, 0, NULL, 0);
	return failed;
}

int ftruncate(int fd, off_t size)
{
	struct stat st;
	if (!is_ours(fd, &st))
		return next_ftruncate(fd, size);
	count_change();
	return note_size(&st, size, next_ftruncate(fd, size));
}

int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t length)
{
	struct stat st;
	if (!is_ours(fd, &st))
		return next_fallocate(fd, mode, at, length);
	if (mode != 0)
		abort(); /* power.py would not know what it does */
	count_change();
	return note_size(&st, at + length > st.st_size ? at + length : st.st_size,
		next_fallocate(fd, mode, at, length));
}

int fallocate64(int fd, int mode, off64_t at, off64_t length)
{
	return fallocate(fd, mode, at, length);
}

int posix_fallocate(int fd, off_t at, off_t length)
{
	return fallocate(fd, 0, at, length) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off64_t at, off64_t length)
{
	return posix_fallocate(fd, at, length);
}

/* ---- syncs ---- */

static int note_sync(int fd, int (*sync)(int), enum kind done)
{
	struct stat st;
	if (!is_ours(fd, &st))
		return sync(fd);
	count_change();
	if (lying)
		return 0;
	struct record record = {.kind = SYNC_BEGUN, .inode = done == ALL_SYNC_DONE ? 0 : st.st_ino};
	add(&record, NULL, 0, NULL, 0);
	if (sync(fd))
		return -1;
	record.kind = done;
	add(&record, NULL, 0, NULL, 0);
	return 0;
}

int fsync(int fd)
{
	return note_sync(fd, next_fsync, SYNC_DONE);
}

int fdatasync(int fd)
{
	return note_sync(fd, next_fdatasync, DATA_SYNC_DONE);
}

int syncfs(int fd)
{
	return note_sync(fd, next_syncfs, ALL_SYNC_DONE);
}

/* ---- names ---- */

static int open_noted(int directory, const char *path, int flags, mode_t mode)
{
	char whole[PATH_MAX];
	struct stat st;
	if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE ||
		!is_below(directory, path, whole))
		return next_openat(directory, path, flags, mode);
	int was_there = lstat(whole, &st) == 0;
	if (was_there && !(flags & O_TRUNC))
		return next_openat(directory, path, flags, mode);
	count_change();
	int fd = next_openat(directory, path, flags, mode);
	if (fd >= 0 && !was_there)
		add_path(CREATE, whole, NULL);
	else if (fd >= 0 && st.st_size > 0)
		note_size(&st, 0, 0);
	return fd;
}

static mode_t mode_behind(int flags, va_list more)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list more;                                                                      \
		va_start(more, flags);                                                             \
		mode_t mode = mode_behind(flags, more);                                            \
		va_end(more);                                                                      \
		return open_noted(AT_FDCWD, path, flags, mode);                                    \
	}
#define OPENAT(name)                                                                               \
	int name(int directory, const char *path, int flags, ...)                                  \
	{                                                                                          \
		va_list more;                                                                      \
		va_start(more, flags);                                                             \
		mode_t mode = mode_behind(flags, more);                                            \
		va_end(more);                                                                      \
		return open_noted(directory, path, flags, mode);                                   \
	}
/* What _FORTIFY_SOURCE makes of an open() without a mode. */
#define OPEN_2(name)                                                                               \
	int name(const char *path, int flags);                                                     \
	int name(const char *path, int flags)                                                      \
	{                                                                                          \
		return open_noted(AT_FDCWD, path, flags, 0);                                       \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_2(__open_2)
OPEN_2(__open64_2)

int renameat2(
	int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
	char old[PATH_MAX], new[PATH_MAX];
	if (!is_below(from_directory, from, old) || !is_below(to_directory, to, new))
		return next_renameat2(from_directory, from, to_directory, to, flags);
	count_change();
	int failed = next_renameat2(from_directory, from, to_directory, to, flags);
	if (!failed)
		add_path(RENAME, old, new);
	return failed;
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	return renameat2(from_directory, from, to_directory, to, 0);
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
	char old[PATH_MAX], new[PATH_MAX];
	if (!is_below(from_directory, from, old) || !is_below(to_directory, to, new))
		return next_linkat(from_directory, from, to_directory, to, flags);
	count_change();
	int failed = next_linkat(from_directory, from, to_directory, to, flags);
	if (!failed)
		add_path(LINK, old, new);
	return failed;
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int directory, const char *path, int flags)
{
	char whole[PATH_MAX];
	if (!is_below(directory, path, whole))
		return next_unlinkat(directory, path, flags);
	count_change();
	int failed = next_unlinkat(directory, path, flags);
	if (!failed)
		add_path(UNLINK, whole, NULL);
	return failed;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
	char whole[PATH_MAX];
	if (!is_below(directory, path, whole))
		return next_mkdirat(directory, path, mode);
	count_change();
	int failed = next_mkdirat(directory, path, mode);
	if (!failed)
		add_path(DIRECTORY, whole, NULL);
	return failed;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	char whole[PATH_MAX];
	int failed = next_bind(fd, address, length);
	const char *path = ((const struct sockaddr_un *)(const void *)address)->sun_path;
	if (!failed && address->sa_family == AF_UNIX && is_below(AT_FDCWD, path, whole))
		add_path(SOCKET, whole, NULL);
	return failed;
}

/* ---- owners and modes ---- */

static int note_attributes(int failed, const char *whole, const struct stat *of)
{
	struct stat st = of ? *of : (struct stat){0};
	if (failed || (whole && lstat(whole, &st)))
		return failed;
	struct record record = {.kind = ATTRIBUTES,
		.inode = st.st_ino,
		.mode = st.st_mode,
		.uid = st.st_uid,
		.gid = st.st_gid};
	add(&record, NULL, 0, NULL, 0);
	return 0;
}

int fchmodat(int directory, const char *path, mode_t mode, int flags)
{
	char whole[PATH_MAX];
	int ours = is_below(directory, path, whole);
	int failed = next_fchmodat(directory, path, mode, flags);
	return ours ? note_attributes(failed, whole, NULL) : failed;
}

int chmod(const char *path, mode_t mode)
{
	return fchmodat(AT_FDCWD, path, mode, 0);
}

int fchownat(int directory, const char *path, uid_t uid, gid_t gid, int flags)
{
	char whole[PATH_MAX];
	int ours = is_below(directory, path, whole);
	int failed = next_fchownat(directory, path, uid, gid, flags);
	return ours ? note_attributes(failed, whole, NULL) : failed;
}

int chown(const char *path, uid_t uid, gid_t gid)
{
	return fchownat(AT_FDCWD, path, uid, gid, 0);
}

int lchown(const char *path, uid_t uid, gid_t gid)
{
	return fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int fchmod(int fd, mode_t mode)
{
	struct stat st;
	int failed = next_fchmod(fd, mode);
	return is_ours(fd, &st) ? note_attributes(failed, NULL, &st) : failed;
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	struct stat st;
	int failed = next_fchown(fd, uid, gid);
	return is_ours(fd, &st) ? note_attributes(failed, NULL, &st) : failed;
}

/* ---- the log stays open ---- */

int close_range(unsigned first, unsigned last, int flags)
{
	int failed = 0;
	if (!active || first > LOG_FD || last < LOG_FD)
		return next_close_range(first, last, flags);
	if (first < LOG_FD)
		failed |= next_close_range(first, LOG_FD - 1, flags);
	if (last > LOG_FD)
		failed |= next_close_range(LOG_FD + 1, last, flags);
	return failed ? -1 : 0;
}
