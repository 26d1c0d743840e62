/* The connections to milters, made while it can still be done: a sealed session connects
 * to nothing. TCP is not waited for here but when the first answer is; a unix socket
 * takes its client at once, or where its queue is full when there is room in it. */
#include "base/syntax.h"
#include "base/text.h"
#include "smtpd/session.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE_S 5 /* for room in a unix socket's queue */

static int connect_unix(struct slice path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = QUEUE_S};
	if (path.len >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path.at, path.len);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
		connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		int why = errno == EAGAIN ? ETIMEDOUT : errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

static int connect_inet(struct slice host, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	char text[INET6_ADDRSTRLEN] = "127.0.0.1";
	if (!slice_equal_nocase(host, SLICE("localhost")))
		snprintf(text, sizeof(text), "%.*s", (int)host.len, host.at);
	bool is_v4 = inet_pton(AF_INET, text, &v4.sin_addr) == 1;
	if (!is_v4 && inet_pton(AF_INET6, text, &v6.sin6_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if ((is_v4 ? connect(fd, (const struct sockaddr *)&v4, sizeof(v4))
		   : connect(fd, (const struct sockaddr *)&v6, sizeof(v6))) < 0 &&
		errno != EINPROGRESS) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

static int connect_to(struct slice milter)
{
	struct slice place = milter, host;
	uint16_t port;
	if (slice_equal(slice_cut(&place, ':'), SLICE("unix")))
		return connect_unix(place);
	if (syntax_split_listener(place, &host, &port))
		return connect_inet(host, port);
	errno = EINVAL;
	return -1;
}

void filter_connect(struct visitor *visitor)
{
	struct slice milter;
	for (size_t i = 0;
		i < CONFIG_FILTERS_MOST && config_word(visitor->config->milter, i, &milter); i++) {
		struct visitor_filter *filter = &visitor->filters[visitor->filter_count++];
		filter->fd = connect_to(milter);
		filter->why = filter->fd < 0 ? errno : 0;
	}
}

int filter_try(struct slice name, struct err *e)
{
	struct milter milter;
	int fd = connect_to(name);
	if (fd < 0)
		return err_set(e, ERR_GONE, "%s", strerror(errno));
	int done = milter_open(&milter, fd, text_monotonic_ms() + 5000, e);
	milter_close(&milter);
	return done;
}
