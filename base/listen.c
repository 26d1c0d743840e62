/* Sockets to listen on, from the words of office.ini. */
#include "base/listen.h"
#include "base/config.h"
#include "base/syntax.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 512

static int bind_failed(struct slice word, int fd, struct err *e)
{
	int why = errno;
	if (fd >= 0)
		close(fd);
	if (why == EADDRINUSE)
		return err_set(e, ERR_IN_USE,
			"%.*s is in use by another program: stop that one (`ss -ltnp` names it) or "
			"choose another port in office.ini",
			(int)word.len, word.at);
	if (why == EACCES)
		return err_set(e, ERR_DENIED,
			"%.*s may not be opened by this account: start as root, or choose a port "
			"from 1024 on in office.ini",
			(int)word.len, word.at);
	if (why == EADDRNOTAVAIL)
		return err_set(e, ERR_INPUT,
			"%.*s: this box has no such address; mend it in office.ini, or give the "
			"port alone",
			(int)word.len, word.at);
	errno = why;
	return err_set_errno(e, "cannot listen on %.*s", (int)word.len, word.at);
}

static int too_many(struct err *e)
{
	return err_set(e, ERR_INPUT,
		"more than %d sockets for one service: take listeners out of office.ini",
		LISTENERS_MAX);
}

static int add_tcp(struct slice word, const struct addrinfo *at, int fds[LISTENERS_MAX],
	size_t *count, struct err *e)
{
	if (*count == LISTENERS_MAX)
		return too_many(e);
	const int on = 1;
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		(at->ai_family == AF_INET6 &&
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
		bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return bind_failed(word, fd, e);
	fds[(*count)++] = fd;
	return 0;
}

static bool box_lacks(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno == EAFNOSUPPORT;
	/* The module may be there with the protocol switched off. */
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	bool lacks = family == AF_INET6 &&
		     bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 &&
		     errno == EADDRNOTAVAIL;
	close(fd);
	return lacks;
}

static int open_tcp(struct slice word, int fds[LISTENERS_MAX], size_t *count, struct err *e)
{
	struct slice host;
	uint16_t number;
	char name[NI_MAXHOST], port[6];
	if (!syntax_split_listener(word, &host, &number) || host.len >= sizeof(name))
		return err_set(e, ERR_INPUT,
			"%.*s is no host:port, [v6]:port or port: mend it in office.ini",
			(int)word.len, word.at);
	if (host.len > 0)
		memcpy(name, host.at, host.len);
	name[host.len] = '\0';
	snprintf(port, sizeof(port), "%u", number);
	const struct addrinfo wanted = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	int failed = getaddrinfo(name[0] ? name : NULL, port, &wanted, &found);
	if (failed)
		return err_set(e, ERR_INPUT,
			"%.*s: %s; mend it in office.ini, or give the address as numbers",
			(int)word.len, word.at, gai_strerror(failed));
	int done = 0;
	for (const struct addrinfo *at = found; at && done == 0; at = at->ai_next)
		if (name[0] || !box_lacks(at->ai_family))
			done = add_tcp(word, at, fds, count, e);
	freeaddrinfo(found);
	return done;
}

/* A socket file that nobody listens on any more may be replaced; one that
 * answers belongs to somebody. */
static bool is_alive(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* EAGAIN: there is somebody, who has enough to do. */
	bool alive = fd >= 0 && (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ||
					errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	return alive;
}

/* The mode from the first moment on, and by no path that could lead elsewhere. */
static int bind_with_mode(int fd, const struct sockaddr_un *at, mode_t mode)
{
	mode_t before = umask(0777 & ~mode);
	int done = bind(fd, (const struct sockaddr *)at, sizeof(*at));
	umask(before);
	return done;
}

static int bind_unix(struct slice word, const struct sockaddr_un *at, mode_t mode, uid_t uid,
	gid_t gid, struct err *e)
{
	struct stat there;
	if (lstat(at->sun_path, &there) == 0) {
		if (!S_ISSOCK(there.st_mode))
			return err_set(e, ERR_EXISTS,
				"%.*s is there and no socket: take it away, or name another path",
				(int)word.len, word.at);
		if (is_alive(at)) {
			errno = EADDRINUSE;
			return bind_failed(word, -1, e);
		}
		unlink(at->sun_path);
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind_with_mode(fd, at, mode) < 0 ||
		(uid != 0 && lchown(at->sun_path, uid, gid) < 0) || listen(fd, BACKLOG) < 0)
		return bind_failed(word, fd, e);
	return fd;
}

int listen_unix(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid, struct err *e)
{
	/* sun_path holds 108 octets; the data directory's path may be longer. */
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
	return bind_unix(slice_of(name), &at, mode, uid, gid, e);
}

static int open_unix(struct slice path, uid_t uid, gid_t gid, int fds[LISTENERS_MAX], size_t *count,
	struct err *e)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (path.len >= sizeof(at.sun_path))
		return err_set(e, ERR_INPUT,
			"%.*s is too long for a unix socket (%zu octets at most): name a shorter "
			"path",
			(int)path.len, path.at, sizeof(at.sun_path) - 1);
	if (*count == LISTENERS_MAX)
		return too_many(e);
	memcpy(at.sun_path, path.at, path.len);
	int fd = bind_unix(path, &at, 0660, uid, gid, e);
	if (fd < 0)
		return -1;
	fds[(*count)++] = fd;
	return 0;
}

int listen_open(const char *list, uid_t uid, gid_t gid, int fds[LISTENERS_MAX], size_t *count,
	struct err *e)
{
	struct slice word;
	for (size_t i = 0; config_word(list, i, &word); i++) {
		int done = word.at[0] == '/' ? open_unix(word, uid, gid, fds, count, e)
					     : open_tcp(word, fds, count, e);
		if (done < 0)
			return -1;
	}
	return 0;
}
