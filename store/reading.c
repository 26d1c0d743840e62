/* How SQLite reads: page by page. Its reads pass through here for two reasons.
 *
 * It tells a read that ended in EIO as a damaged database (SQLITE_CORRUPT), and a
 * disk or a cable that fails for a moment would have mail called damaged, and a
 * backup restored: the two are told apart here.
 *
 * And the pages of a big piece mostly lie one behind the other: while one is read,
 * whose transaction keeps every page that SQLite may ask for as it is, more is
 * fetched in one call than was asked for. */
#undef _TIME_BITS
#define _FILE_OFFSET_BITS 64 /* the width of the offsets that SQLite gives */
#include "store/db.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* From this many pages at once, twice as many each time, to the size of the buffer. */
#define FIRST_FETCH (4 * STORE_PAGE)
/* In the log a frame's head stands before each page. */
#define HEAD_ROOM 24

static int read_failure, write_failure;

/* What was fetched: `len` octets of the file `fd` from `from` on. */
static struct {
	bool on;
	int fd;
	off_t from, next; /* next: where a read would go on behind the one before */
	size_t len, fetch;
	char octets[64 * 1024];
} ahead;

static ssize_t observed(ssize_t got)
{
	if (got < 0 && errno != EINTR)
		read_failure = errno;
	return got;
}

static bool is_fetched(int fd, size_t len, off_t from)
{
	return fd == ahead.fd && from >= ahead.from &&
	       from + (off_t)len <= ahead.from + (off_t)ahead.len;
}

/* Goes on where the last read ended: fetches more, false if that brought less than was
 * asked for. */
static bool fetch(int fd, size_t len, off_t from)
{
	if (fd != ahead.fd || from < ahead.next || from > ahead.next + HEAD_ROOM ||
		len > FIRST_FETCH) {
		ahead.fetch = FIRST_FETCH;
		return false;
	}
	ssize_t got = observed(pread(fd, ahead.octets, ahead.fetch, from));
	ahead.from = from;
	ahead.len = got > 0 ? (size_t)got : 0;
	if (ahead.fetch < sizeof(ahead.octets))
		ahead.fetch *= 2;
	return ahead.len >= len;
}

static ssize_t observed_pread(int fd, void *octets, size_t len, off_t from)
{
	ssize_t got = (ssize_t)len;
	if (ahead.on && (is_fetched(fd, len, from) || fetch(fd, len, from)))
		memcpy(octets, ahead.octets + (from - ahead.from), len);
	else
		got = observed(pread(fd, octets, len, from));
	ahead.fd = fd;
	ahead.next = from + (off_t)len;
	return got;
}

/* Of a write SQLite tells that it failed, and not always why. */
static ssize_t observed_pwrite(int fd, const void *octets, size_t len, off_t from)
{
	ssize_t put = pwrite(fd, octets, len, from);
	if (put < 0 && errno != EINTR)
		write_failure = errno;
	return put;
}

void db_read_ahead(bool on)
{
	ahead.on = on;
	ahead.len = 0;
	ahead.fd = -1;
}

void db_observe_reads(void)
{
	sqlite3_initialize();
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	vfs->xSetSystemCall(vfs, "pread", (sqlite3_syscall_ptr)observed_pread);
	vfs->xSetSystemCall(vfs, "pread64", (sqlite3_syscall_ptr)observed_pread);
	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)observed_pwrite);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)observed_pwrite);
}

int db_take_read_failure(void)
{
	int failure = read_failure;
	read_failure = 0;
	return failure;
}

int db_take_write_failure(void)
{
	int failure = write_failure;
	write_failure = 0;
	return failure;
}
