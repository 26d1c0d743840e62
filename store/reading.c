/* How SQLite reads: page by page. Its reads pass through here for two reasons.
 *
 * It tells a read that ended in EIO as a damaged database (SQLITE_CORRUPT), and a
 * disk or a cable that fails for a moment would have mail called damaged, and a
 * backup restored: the two are told apart here.
 *
 * And the pages of a big piece mostly lie one behind the other: while one is read,
 * whose transaction keeps every page that SQLite may ask for as it is, more is
 * fetched in one call than was asked for. Or, where a checksum is compared behind it,
 * they are read past SQLite, straight to where their octets belong. */
#undef _TIME_BITS
#define _FILE_OFFSET_BITS 64 /* the width of the offsets that SQLite gives */
#include "store/db.h"
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* From this many pages at once, twice as many each time, to the size of the buffer. */
#define FIRST_FETCH (4 * STORE_PAGE)
/* In the log a frame's head stands before each page. */
#define HEAD_ROOM 24

/* An overflow page: the number of the next one, big-endian, then octets. */
#define NUMBER_ROOM 4
#define PAGE_ROOM   (STORE_PAGE - NUMBER_ROOM)
#define RUN_MOST    65 /* pages: a piece of 256 kB */
#define RUN_LEAST   8  /* where fewer lie together SQLite is as quick */

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

/* Reads `len` octets from as many pages as they lie in, from `page` on, as if they lay one
 * behind the other. How many of them do; 0: they could not be read. *next: what the last of
 * these names. */
static size_t read_run(uint32_t page, char *octets, size_t len, uint32_t *next)
{
	unsigned char numbers[RUN_MOST][NUMBER_ROOM];
	struct iovec parts[2 * RUN_MOST];
	size_t pages = 0;
	for (size_t at = 0; at < len; at += PAGE_ROOM, pages++) {
		size_t rest = len - at;
		parts[2 * pages] = (struct iovec){&numbers[pages], NUMBER_ROOM};
		parts[2 * pages + 1] =
			(struct iovec){octets + at, rest < PAGE_ROOM ? rest : PAGE_ROOM};
	}
	ssize_t got = preadv(ahead.fd, parts, (int)(2 * pages), (off_t)(page - 1) * STORE_PAGE);
	if (got != (ssize_t)(len + pages * NUMBER_ROOM))
		return 0;
	size_t together = 0;
	do {
		const unsigned char *number = numbers[together++];
		*next = (uint32_t)number[0] << 24 | (uint32_t)number[1] << 16 |
			(uint32_t)number[2] << 8 | number[3];
	} while (together < pages && *next == page + together);
	return together;
}

bool db_read_chain(char *octets, size_t len)
{
	uint32_t page = (uint32_t)(ahead.next / STORE_PAGE);
	if (ahead.fd < 0 || ahead.next % STORE_PAGE != 0) /* not read now, or from the log */
		return false;
	while (len > 0 && page > 0) {
		size_t most = len < RUN_MOST * PAGE_ROOM ? len : RUN_MOST * PAGE_ROOM;
		size_t taken = read_run(page, octets, most, &page) * PAGE_ROOM;
		if (taken < RUN_LEAST * PAGE_ROOM && taken < len)
			return false;
		taken = taken < len ? taken : len;
		octets += taken;
		len -= taken;
	}
	return len == 0 && page == 0;
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
