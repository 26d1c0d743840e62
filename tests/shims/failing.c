/* Laid before libc (LD_PRELOAD), makes its calls fail while the server runs.
 *
 * What shall fail stands in a page that the test and all processes of the
 * server share: the test arms it, and the n-th call from then on over all
 * processes that are meant fails, once or until it is disarmed. The page is the
 * file $FAILING_PAGE; struct page has a twin in tests/faults/failing.py, which
 * finds calls and kinds of processes by the names written here. */
#undef _FORTIFY_SOURCE
#include "tests/shims/next.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum call {
	CALL_WRITE,
	CALL_PWRITE,
	CALL_FSYNC,
	CALL_FDATASYNC,
	CALL_FTRUNCATE,
	CALL_OPEN,
	CALL_MMAP,
	CALL_FORK,
	CALL_ACCEPT,
	CALL_MALLOC,
	CALL_RECVMSG,
	CALL_SENDMSG,
	CALL_READ,
	CALL_PREAD,
	CALL_SEND,
	CALL_RECV,
	CALL_POLL,
	CALL_EPOLL_WAIT,
	CALL_SOCKET,
	CALLS
};
enum kind { MASTER, WRITER, DIRECTORY, HELPER, KEYS, RELAY, DELIVERY, SESSION, TOOL, KINDS };
enum { NAME_SIZE = 16 };

struct page {
	atomic_uint armed;
	uint32_t which;  /* calls: a bit each */
	uint32_t kinds;  /* in which processes: a bit each */
	uint32_t nth;    /* from 1 */
	uint32_t steady; /* 0: once; 1: from the nth on; 2: from the nth on every other one */
	int32_t error;   /* an errno; 0: it does less than it was asked for */
	uint64_t inode;  /* of this file alone; 0: whatever it is about */
	atomic_uint count, failed, failed_in; /* since it was armed; failed_in: kinds */
	atomic_uint made[KINDS][CALLS];       /* ever */
	char calls[CALLS][NAME_SIZE], names[KINDS][NAME_SIZE];
};

static struct page *page;
static enum kind kind;

static void name_all(void)
{
	static const char calls[CALLS][NAME_SIZE] = {"write", "pwrite", "fsync", "fdatasync",
		"ftruncate", "open", "mmap", "fork", "accept", "malloc", "recvmsg", "sendmsg",
		"read", "pread", "send", "recv", "poll", "epoll_wait", "socket"};
	static const char names[KINDS][NAME_SIZE] = {"master", "writer", "directory", "helper",
		"keys", "relay", "delivery", "session", "tool"};
	memcpy(page->calls, calls, sizeof(calls));
	memcpy(page->names, names, sizeof(names));
}

__attribute__((constructor)) static void begin(int count, char **arguments)
{
	const char *path = getenv("FAILING_PAGE");
	kind = count > 1 && strcmp(arguments[count - 1], "serve") == 0 ? MASTER : TOOL;
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *at = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return;
	page = at;
	name_all();
}

static bool is_meant(int fd)
{
	struct stat st;
	return page->inode == 0 || (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == page->inode);
}

/* errno is set where it answers true. */
static bool fails(enum call call, int fd)
{
	if (!page)
		return false;
	atomic_fetch_add(&page->made[kind][call], 1);
	if (!atomic_load(&page->armed) || !(page->which >> call & 1) ||
		!(page->kinds >> kind & 1) || !is_meant(fd))
		return false;
	unsigned n = atomic_fetch_add(&page->count, 1) + 1;
	if (n < page->nth || (n > page->nth && page->steady == 0) ||
		(page->steady == 2 && (n - page->nth) % 2 == 1))
		return false;
	atomic_fetch_add(&page->failed, 1);
	atomic_fetch_or(&page->failed_in, 1u << kind);
	errno = page->error;
	return true;
}

/* Whether the call that fails is one that does less, and is made after all. */
static bool is_short(void)
{
	return page->error == 0;
}

static size_t less(size_t len)
{
	return len > 1 ? len / 2 : len;
}

/* A call without a length. */
#define WRAP(call, result, name, declared, fd, ...)                                                \
	result name declared                                                                       \
	{                                                                                          \
		static void *kept;                                                                 \
		if (fails(call, fd))                                                               \
			return (result)-1;                                                         \
		return NEXT(name)(__VA_ARGS__);                                                    \
	}

/* A call whose argument `len` may be made less. */
#define WRAP_LENGTH(call, name, declared, ...)                                                     \
	ssize_t name declared                                                                      \
	{                                                                                          \
		static void *kept;                                                                 \
		if (fails(call, fd)) {                                                             \
			if (!is_short())                                                           \
				return -1;                                                         \
			len = less(len);                                                           \
		}                                                                                  \
		return NEXT(name)(__VA_ARGS__);                                                    \
	}

WRAP_LENGTH(CALL_WRITE, write, (int fd, const void *octets, size_t len), fd, octets, len)
WRAP_LENGTH(CALL_PWRITE, pwrite, (int fd, const void *octets, size_t len, off_t at), fd, octets,
	len, at)
WRAP_LENGTH(CALL_PWRITE, pwrite64, (int fd, const void *octets, size_t len, off64_t at), fd, octets,
	len, at)
WRAP_LENGTH(CALL_READ, read, (int fd, void *octets, size_t len), fd, octets, len)
WRAP_LENGTH(CALL_PREAD, pread, (int fd, void *octets, size_t len, off_t at), fd, octets, len, at)
WRAP_LENGTH(
	CALL_PREAD, pread64, (int fd, void *octets, size_t len, off64_t at), fd, octets, len, at)
WRAP_LENGTH(CALL_PREAD, preadv, (int fd, const struct iovec *parts, int len, off_t at), fd, parts,
	len, at)
WRAP_LENGTH(CALL_PREAD, preadv64, (int fd, const struct iovec *parts, int len, off64_t at), fd,
	parts, len, at)
WRAP_LENGTH(CALL_SEND, send, (int fd, const void *octets, size_t len, int flags), fd, octets, len,
	flags)
WRAP_LENGTH(CALL_RECV, recv, (int fd, void *octets, size_t len, int flags), fd, octets, len, flags)

WRAP(CALL_FSYNC, int, fsync, (int fd), fd, fd)
WRAP(CALL_FDATASYNC, int, fdatasync, (int fd), fd, fd)
WRAP(CALL_FTRUNCATE, int, ftruncate, (int fd, off_t len), fd, fd, len)
WRAP(CALL_FTRUNCATE, int, ftruncate64, (int fd, off64_t len), fd, fd, len)
WRAP(CALL_MMAP, void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t from), fd,
	at, len, prot, flags, fd, from)
WRAP(CALL_MMAP, void *, mmap64, (void *at, size_t len, int prot, int flags, int fd, off64_t from),
	fd, at, len, prot, flags, fd, from)
WRAP(CALL_ACCEPT, int, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags), fd,
	fd, address, len, flags)
WRAP(CALL_POLL, int, poll, (struct pollfd * fds, nfds_t count, int wait), -1, fds, count, wait)
WRAP(CALL_EPOLL_WAIT, int, epoll_wait, (int fd, struct epoll_event *events, int most, int wait), fd,
	fd, events, most, wait)
WRAP(CALL_SOCKET, int, socket, (int domain, int type, int protocol), -1, domain, type, protocol)

/* What _FORTIFY_SOURCE makes of poll(). */
int __poll_chk(struct pollfd *fds, nfds_t count, int wait, size_t size);
int __poll_chk(struct pollfd *fds, nfds_t count, int wait, size_t size)
{
	(void)size;
	return poll(fds, count, wait);
}

/* The first octets alone, of the first part that has any. */
static struct msghdr less_of(const struct msghdr *message, struct iovec *part)
{
	struct msghdr shorter = *message;
	size_t i = 0;
	while (i + 1 < message->msg_iovlen && message->msg_iov[i].iov_len == 0)
		i++;
	if (message->msg_iovlen > 0) {
		*part = message->msg_iov[i];
		part->iov_len = less(part->iov_len);
		shorter.msg_iov = part;
		shorter.msg_iovlen = 1;
	}
	return shorter;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	static void *kept;
	struct iovec part;
	if (!fails(CALL_RECVMSG, fd))
		return NEXT(recvmsg)(fd, message, flags);
	if (!is_short())
		return -1;
	struct msghdr shorter = less_of(message, &part);
	ssize_t got = NEXT(recvmsg)(fd, &shorter, flags);
	message->msg_controllen = shorter.msg_controllen;
	message->msg_flags = shorter.msg_flags;
	return got;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	static void *kept;
	struct iovec part;
	if (!fails(CALL_SENDMSG, fd))
		return NEXT(sendmsg)(fd, message, flags);
	if (!is_short())
		return -1;
	struct msghdr shorter = less_of(message, &part);
	return NEXT(sendmsg)(fd, &shorter, flags);
}

static int open_or_fail(open_fn *real, const char *path, int flags, mode_t mode)
{
	return fails(CALL_OPEN, -1) ? -1 : real(path, flags, mode);
}
WRAP_OPEN(open, open_or_fail)
WRAP_OPEN(open64, open_or_fail)

/* ---- memory: libc's own names for it, since dlsym() asks for some, too ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
	return fails(CALL_MALLOC, -1) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(CALL_MALLOC, -1) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	return fails(CALL_MALLOC, -1) ? NULL : __libc_realloc(memory, size);
}

/* ---- which process this is ---- */

pid_t fork(void)
{
	static void *kept;
	if (fails(CALL_FORK, -1))
		return -1;
	pid_t pid = NEXT(fork)();
	if (pid == 0 && kind == DIRECTORY)
		kind = HELPER;
	return pid;
}

static void named(const char *name)
{
	kind = SESSION;
	for (enum kind role = WRITER; role <= DELIVERY; role++)
		if (page && strcmp(page->names[role], name) == 0)
			kind = role;
}
WRAP_NAMING(named)
