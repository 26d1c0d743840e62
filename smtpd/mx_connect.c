/* Several attempts at once, begun one after the other; the first that is through wins. */
#include "base/text.h"
#include "smtpd/mx.h"
#include "smtpd/mx_self.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

const struct mx_patience mx_patience = {.next = 2000, .host = 30000, .all = 60000};

/* One for each host, in their order. */
struct attempt {
	const struct mx_host *host;
	enum { ATTEMPT_NOT_BEGUN, ATTEMPT_OPEN, ATTEMPT_FAILED } state;
	int fd;
	int64_t until;
	int why; /* errno */
};

struct attempts {
	struct attempt at[MX_HOSTS_MOST];
	size_t count, begun, open;
	int64_t next_at, until;
	const struct mx_patience *patience;
};

bool mx_tried_has(const struct mx_tried *tried, const struct mx_host *host)
{
	for (size_t i = 0; tried && i < tried->count && i < MX_HOSTS_MOST; i++)
		if (mx_same_place((const struct sockaddr *)&tried->at[i],
			    (const struct sockaddr *)&host->address))
			return true;
	return false;
}

void mx_tried_add(struct mx_tried *tried, const struct mx_host *host)
{
	unsigned count = tried->count;
	if (count >= MX_HOSTS_MOST || mx_tried_has(tried, host))
		return;
	tried->at[count] = host->address;
	tried->count = count + 1;
}

static void fail(struct attempts *all, struct attempt *one, int why)
{
	if (one->state == ATTEMPT_OPEN)
		all->open--;
	if (one->fd >= 0)
		close(one->fd);
	one->fd = -1;
	one->state = ATTEMPT_FAILED;
	one->why = why;
	all->next_at = 0; /* the next need not wait */
}

static void begin_next(struct attempts *all, int64_t now)
{
	struct attempt *one = &all->at[all->begun++];
	const struct mx_host *host = one->host;
	one->fd = socket(host->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (one->fd < 0 ||
		(connect(one->fd, (const struct sockaddr *)&host->address, host->length) < 0 &&
			errno != EINPROGRESS)) {
		fail(all, one, errno);
		return;
	}
	one->state = ATTEMPT_OPEN;
	one->until = now + all->patience->host;
	all->next_at = now + all->patience->next;
	all->open++;
}

static int result_of(int fd)
{
	int why = 0;
	socklen_t len = sizeof(why);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0 ? errno : why;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Waits for what comes first: an answer, the moment to begin the next, the end of
 * somebody's time. The one that is through, or NULL. */
static struct attempt *wait_for_one(struct attempts *all, int64_t now)
{
	struct pollfd waits[MX_HOSTS_MOST];
	int64_t until = all->begun < all->count ? least(all->next_at, all->until) : all->until;
	for (size_t i = 0; i < all->begun; i++) {
		waits[i] = (struct pollfd){.fd = all->at[i].fd, .events = POLLOUT};
		if (all->at[i].state == ATTEMPT_OPEN)
			until = least(until, all->at[i].until);
	}
	if (poll(waits, all->begun, until > now ? (int)(until - now) : 0) < 0)
		return NULL; /* EINTR: it is waited for again */
	now = text_monotonic_ms();
	for (size_t i = 0; i < all->begun; i++) {
		struct attempt *one = &all->at[i];
		if (one->state != ATTEMPT_OPEN)
			continue;
		int why = waits[i].revents ? result_of(one->fd) : 0;
		if (waits[i].revents && why == 0)
			return one;
		if (why != 0 || now >= one->until)
			fail(all, one, why != 0 ? why : ETIMEDOUT);
	}
	return NULL;
}

static struct attempt *race(struct attempts *all)
{
	struct attempt *through = NULL;
	int64_t now = text_monotonic_ms();
	all->until = now + all->patience->all;
	while (!through && now < all->until && (all->open > 0 || all->begun < all->count)) {
		if (all->begun < all->count && (all->open == 0 || now >= all->next_at))
			begin_next(all, now);
		else
			through = wait_for_one(all, now);
		now = text_monotonic_ms();
	}
	return through;
}

/* "mx1.example [192.0.2.1]:25: Connection refused; ...": a wrong port is the likeliest
 * fault of a smarthost. */
static int say_reasons(const struct attempts *all, struct err *e)
{
	struct buf words = {0};
	for (size_t i = 0; i < all->count; i++) {
		const struct attempt *one = &all->at[i];
		const struct mx_host *host = one->host;
		char address[INET6_ADDRSTRLEN] = "", port[6] = "";
		getnameinfo((const struct sockaddr *)&host->address, host->length, address,
			sizeof(address), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
		buf_printf(&words, "%s%s [%s]:%s: %s", i > 0 ? "; " : "", host->name, address, port,
			one->state == ATTEMPT_FAILED ? strerror(one->why)
			: one->state == ATTEMPT_OPEN ? strerror(ETIMEDOUT)
						     : "not tried, it has taken too long");
	}
	err_set(e, ERR_GONE, "%s", buf_text(&words));
	buf_free(&words);
	return -1;
}

int mx_connect(const struct mx_hosts *hosts, const struct mx_tried *tried,
	const struct mx_patience *patience, struct mx_host *reached, int *fd, struct err *e)
{
	struct attempts all = {.patience = patience};
	for (size_t i = 0; i < hosts->count; i++)
		if (!mx_tried_has(tried, &hosts->at[i]))
			all.at[all.count++] = (struct attempt){.host = &hosts->at[i], .fd = -1};
	if (all.count == 0)
		return err_set(e, ERR_MISSING, "no other host is left to try");
	struct attempt *through = race(&all);
	const int failed = through ? 0 : say_reasons(&all, e);
	*fd = -1;
	if (through) {
		*reached = *through->host;
		*fd = through->fd;
		through->fd = -1;
	}
	for (size_t i = 0; i < all.begun; i++)
		if (all.at[i].fd >= 0)
			close(all.at[i].fd);
	return failed;
}
