/* Reads that fail. SQLite tells a read that ended in EIO as a damaged database
 * (SQLITE_CORRUPT), and a disk or a cable that fails for a moment would have mail
 * called damaged, and a backup restored. Its reads pass through here, so that
 * the two can be told apart. */
#undef _TIME_BITS
#define _FILE_OFFSET_BITS 64 /* the width of the offsets that SQLite gives */
#include "store/db.h"
#include <errno.h>
#include <unistd.h>

static int read_failure;

static ssize_t observed_pread(int fd, void *octets, size_t len, off_t from)
{
	ssize_t got = pread(fd, octets, len, from);
	if (got < 0 && errno != EINTR)
		read_failure = errno;
	return got;
}

void db_observe_reads(void)
{
	sqlite3_initialize();
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	vfs->xSetSystemCall(vfs, "pread", (sqlite3_syscall_ptr)observed_pread);
	vfs->xSetSystemCall(vfs, "pread64", (sqlite3_syscall_ptr)observed_pread);
}

int db_take_read_failure(void)
{
	int failure = read_failure;
	read_failure = 0;
	return failure;
}
