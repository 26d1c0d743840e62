/* A file system that is another one, laid before libc's calls (LD_PRELOAD): statfs(2) and
 * statvfs(3) tell of every path the magic number DISGUISE_MAGIC (hex), the flags
 * DISGUISE_FLAGS (of statvfs) and that DISGUISE_INODES inodes are free, where these are
 * set. */
#include "tests/shims/next.h"
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

int statfs(const char *path, struct statfs *told)
{
	static void *kept;
	const char *magic = getenv("DISGUISE_MAGIC");
	int failed = NEXT(statfs)(path, told);
	if (!failed && magic)
		told->f_type = (__typeof__(told->f_type))strtoul(magic, NULL, 16);
	return failed;
}

int statvfs(const char *path, struct statvfs *told)
{
	static void *kept;
	const char *flags = getenv("DISGUISE_FLAGS"), *inodes = getenv("DISGUISE_INODES");
	int failed = NEXT(statvfs)(path, told);
	if (!failed && flags)
		told->f_flag = strtoul(flags, NULL, 10);
	if (!failed && inodes)
		told->f_favail = strtoul(inodes, NULL, 10);
	return failed;
}
