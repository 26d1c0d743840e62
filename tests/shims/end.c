/* Ends the process by SIGKILL before the nth call that changes a disk:
 * END_AT=n, counted over link, rename, unlink, mkdir, fsync and fdatasync, and with
 * END_AT_WRITES set over write, pwrite and ftruncate of files, too. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static void count(void)
{
	static long left = -1;
	if (left < 0)
		left = getenv("END_AT") ? atol(getenv("END_AT")) : 0;
	if (left > 0 && --left == 0)
		kill(getpid(), SIGKILL);
}

static void count_write(int fd)
{
	struct stat st;
	if (getenv("END_AT_WRITES") && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		count();
}

/* CALL(int, fsync, (int fd), (fd)): counted, then done. */
#define CALL(type, name, parameters, arguments)                                                    \
	type name parameters                                                                       \
	{                                                                                          \
		count();                                                                           \
		return ((__typeof__(&name))dlsym(RTLD_NEXT, #name))arguments;                      \
	}
#define WRITE(type, name, parameters, arguments)                                                   \
	type name parameters                                                                       \
	{                                                                                          \
		count_write(fd);                                                                   \
		return ((__typeof__(&name))dlsym(RTLD_NEXT, #name))arguments;                      \
	}

CALL(int, link, (const char *from, const char *to), (from, to))
CALL(int, rename, (const char *from, const char *to), (from, to))
CALL(int, unlink, (const char *path), (path))
CALL(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode))
CALL(int, fsync, (int fd), (fd))
CALL(int, fdatasync, (int fd), (fd))
WRITE(int, ftruncate64, (int fd, off64_t size), (fd, size))
WRITE(ssize_t, write, (int fd, const void *octets, size_t len), (fd, octets, len))
WRITE(ssize_t, pwrite, (int fd, const void *octets, size_t len, off_t at), (fd, octets, len, at))
WRITE(ssize_t, pwrite64, (int fd, const void *octets, size_t len, off64_t at),
	(fd, octets, len, at))
