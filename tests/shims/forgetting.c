/* Laid before libc, in front of failing.so: a disk as it would be after a loss of
 * power, with a kernel that forgets what it could not write.
 *
 * What the server writes to store.db and to its log reaches the copies of these in
 * $FORGETTING_DIR only when a sync succeeds. When one fails, the pages that were
 * to be written count as clean: no later sync brings them to the disk, until they are
 * written to again. That is what Linux does. With $FORGETTING_HALF every other
 * one of them has reached the disk all the same. */
#undef _FORTIFY_SOURCE
#include "tests/shims/next.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 1 << 16, DESCRIPTORS = 1024, PATH = 4096 };

/* Of each descriptor the file that is written through it. */
static struct file {
	const char *name;
	bool dirty[PAGES];
} files[] = {{.name = "store.db"}, {.name = "store.db-wal"}};
static struct file *file_of[DESCRIPTORS];
static unsigned failures;

static struct file *find(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS ? file_of[fd] : NULL;
}

static void opened(int fd, const char *path, int flags)
{
	const char *slash = strrchr(path, '/');
	if (fd < 0 || fd >= DESCRIPTORS)
		return;
	file_of[fd] = NULL;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (slash && strcmp(slash + 1, files[i].name) == 0 &&
			(flags & O_ACCMODE) != O_RDONLY)
			file_of[fd] = &files[i];
}

static int open_copy(const struct file *file)
{
	char path[PATH];
	const char *directory = getenv("FORGETTING_DIR");
	if (!directory)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", directory, file->name);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* `half`: every other page, others in each failure. */
static void write_back(struct file *file, int fd, bool half)
{
	static char page[PAGE];
	struct stat st;
	int copy = open_copy(file);
	if (copy < 0 || fstat(fd, &st) < 0)
		abort();
	for (off_t i = 0; i < PAGES; i++) {
		if (!file->dirty[i] || (half && (i + failures) % 2))
			continue;
		ssize_t len = pread(fd, page, PAGE, i * PAGE);
		if (len > 0 && pwrite(copy, page, (size_t)len, i * PAGE) != len)
			abort();
	}
	if (!half && ftruncate(copy, st.st_size) < 0)
		abort();
	close(copy);
}

static int synced(int result, int fd)
{
	struct file *file = find(fd);
	if (!file)
		return result;
	failures += result < 0;
	if (result == 0 || getenv("FORGETTING_HALF"))
		write_back(file, fd, result < 0);
	memset(file->dirty, 0, sizeof(file->dirty));
	return result;
}

int fsync(int fd)
{
	static void *kept;
	return synced(NEXT(fsync)(fd), fd);
}

int fdatasync(int fd)
{
	static void *kept;
	return synced(NEXT(fdatasync)(fd), fd);
}

ssize_t pwrite64(int fd, const void *octets, size_t len, off64_t at)
{
	static void *kept;
	struct file *file = find(fd);
	ssize_t written = NEXT(pwrite64)(fd, octets, len, at);
	if (file && written > 0 && at + written > (off64_t)PAGES * PAGE)
		abort(); /* more than a test writes */
	for (off64_t i = at / PAGE; file && written > 0 && i <= (at + written - 1) / PAGE; i++)
		file->dirty[i] = true;
	return written;
}

static int open_and_note(open_fn *real, const char *path, int flags, mode_t mode)
{
	int fd = real(path, flags, mode);
	opened(fd, path, flags);
	return fd;
}
WRAP_OPEN(open, open_and_note)
WRAP_OPEN(open64, open_and_note)

int close(int fd)
{
	static void *kept;
	if (find(fd))
		file_of[fd] = NULL;
	return NEXT(close)(fd);
}
