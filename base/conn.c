/* A connection: one way to read and write, whether TLS lies between or not.
 *
 * The descriptor never blocks; every wait is a poll with a deadline. A read
 * tries first and waits after, or waits where its answer has just gone out; either way what
 * has arrived comes before every thought of errors, hang-ups and deadlines. */
#include "base/conn.h"
#include "base/text.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for what is read: only the pages that are written to cost memory, and
 * they are the first as long as the client speaks line by line. */
#define IN_SIZE 32768
/* Output that is gathered before it goes out unasked. */
#define OUT_MUCH 16384
/* How long, in milliseconds and octets, a client that goes on sending is read
 * after the last answer. */
#define LINGER_MS     2000
#define LINGER_OCTETS (16u * 1024 * 1024)

/* What the kernel keeps of output that is not on its way, and how long, in
 * milliseconds, of output that nobody takes: by itself it is 4 MB, and minutes
 * after the close. */
#define UNSENT_OCTETS (128 * 1024)
#define UNTAKEN_MS    60000

/* When who waits for input gives back what memory it kept. */
#define QUIET_MS 1000

static_assert(IN_SIZE >= CONN_LINE_LIMIT + 2, "the longest line and its end fit");

void conn_open(struct conn *conn, int fd)
{
	const int on = 1, unsent = UNSENT_OCTETS, untaken = UNTAKEN_MS;
	*conn = (struct conn){.fd = fd,
		.lifeline = -1,
		.crowd = -1,
		.roles = {-1, -1},
		.read_timeout_ms = 600000,
		.write_timeout_ms = 60000};
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	/* These fail on a unix socket. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &untaken, sizeof(untaken));
}

void conn_set_timeouts(struct conn *conn, int64_t read_ms, int64_t write_ms)
{
	conn->read_timeout_ms = read_ms;
	conn->write_timeout_ms = write_ms;
}

void conn_set_deadline(struct conn *conn, int64_t monotonic_ms)
{
	conn->step_deadline = monotonic_ms;
}

void conn_set_write_deadline(struct conn *conn, int64_t monotonic_ms)
{
	conn->write_deadline = monotonic_ms;
}

static int64_t sooner(int64_t timeout_ms, int64_t deadline)
{
	int64_t timeout = text_monotonic_ms() + timeout_ms;
	return deadline != 0 && deadline < timeout ? deadline : timeout;
}

static int64_t read_deadline(const struct conn *conn)
{
	return sooner(conn->read_timeout_ms, conn->step_deadline);
}

static int64_t write_deadline(const struct conn *conn)
{
	return sooner(conn->write_timeout_ms, conn->write_deadline);
}

/* The wait under way ends by the new times too. */
static void tell_crowd(struct conn *conn, short events, int64_t *deadline)
{
	conn->crowd = -1;
	conn->on_crowd(conn->crowd_arg);
	int64_t anew = events == POLLIN ? read_deadline(conn) : write_deadline(conn);
	if (anew < *deadline)
		*deadline = anew;
}

static void tell_quiet(struct conn *conn)
{
	void (*tell)(void *) = conn->on_quiet;
	conn->on_quiet = NULL;
	tell(conn->quiet_arg);
}

/* Until the descriptor is worth another try: CONN_OPEN. Or CONN_TIMEOUT, or,
 * where a command is awaited, CONN_STOPPED. What has already come is read behind the
 * deadline, too. */
static enum conn_end wait_until(struct conn *conn, short events, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline - text_monotonic_ms();
		bool may_stop = conn->idle && events == POLLIN;
		struct pollfd polled[] = {{.fd = conn->fd, .events = events},
			{.fd = may_stop ? conn->lifeline : -1, .events = POLLIN},
			{.fd = conn->on_crowd ? conn->crowd : -1, .events = POLLIN},
			{.fd = conn->role_gone ? -1 : conn->roles[0], .events = POLLRDHUP},
			{.fd = conn->role_gone ? -1 : conn->roles[1], .events = POLLRDHUP}};
		bool may_be_quiet = conn->on_quiet && events == POLLIN;
		if (left < 0)
			left = 0;
		if (left == 0 && events != POLLIN)
			return CONN_TIMEOUT;
		if (may_be_quiet && left > QUIET_MS)
			left = QUIET_MS;
		int found = poll(polled, 5, left < INT_MAX ? (int)left : INT_MAX);
		if (found == 0 && left == 0)
			return CONN_TIMEOUT;
		if (found == 0 && may_be_quiet)
			tell_quiet(conn);
		if (found <= 0)
			continue;
		conn->role_gone = conn->role_gone || polled[3].revents || polled[4].revents;
		if (polled[0].revents)
			return CONN_OPEN;
		if (polled[1].revents)
			return CONN_STOPPED;
		if (polled[2].revents && conn->on_crowd)
			tell_crowd(conn, events, &deadline);
	}
}

/* ---- output ---- */

static void fail_output(struct conn *conn, enum conn_end end)
{
	conn->output = end;
	buf_free(&conn->out);
	if (conn->tls)
		tls_discard_output(conn->tls);
}

/* A call that moved nothing: `outcome` is what it said, in the words of tls.h.
 * Waits for the client to take something; false: the output has failed. */
static bool wait_to_send(struct conn *conn, long outcome)
{
	if (outcome == TLS_WANT_WRITE) {
		if (wait_until(conn, POLLOUT, write_deadline(conn)) == CONN_OPEN)
			return true;
		fail_output(conn, CONN_TIMEOUT);
	} else {
		fail_output(conn, outcome == TLS_END ? CONN_CLOSED : CONN_BROKEN);
	}
	return false;
}

static void send_by_tls(struct conn *conn, struct slice octets)
{
	while (octets.len > 0) {
		long moved = tls_write(conn->tls, conn->fd, octets.at, octets.len);
		if (moved > 0)
			octets = slice_from(octets, (size_t)moved);
		else if (!wait_to_send(conn, moved))
			break;
	}
	conn->octets_out -= octets.len;
}

/* What is gathered and, uncopied, `octets`. */
static void send_in_clear(struct conn *conn, struct slice octets)
{
	struct slice gathered = buf_slice(&conn->out);
	while (gathered.len + octets.len > 0) {
		struct iovec parts[] = {
			{(void *)(uintptr_t)gathered.at, gathered.len},
			{(void *)(uintptr_t)octets.at, octets.len},
		};
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		ssize_t sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
		if (sent >= 0) {
			size_t first = (size_t)sent < gathered.len ? (size_t)sent : gathered.len;
			gathered = slice_from(gathered, first);
			octets = slice_from(octets, (size_t)sent - first);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (!wait_to_send(conn, TLS_WANT_WRITE))
				break;
		} else if (errno != EINTR) {
			fail_output(conn, CONN_BROKEN);
			break;
		}
	}
	conn->octets_out -= gathered.len + octets.len;
	buf_clear(&conn->out);
}

void conn_write(struct conn *conn, struct slice octets)
{
	if (conn->output != CONN_OPEN)
		return;
	conn->octets_out += octets.len;
	if (conn->tls)
		send_by_tls(conn, octets); /* TLS gathers records itself */
	else if (conn->out.len + octets.len < OUT_MUCH)
		buf_add_slice(&conn->out, octets);
	else
		send_in_clear(conn, octets);
}

void conn_write_text(struct conn *conn, const char *text)
{
	conn_write(conn, slice_of(text));
}

void conn_write_dotted(struct conn *conn, struct dot_writer *dots, struct slice stored)
{
	while (stored.len > 0) {
		bool stuff;
		struct slice span = dot_write_span(dots, &stored, &stuff);
		if (stuff)
			conn_write(conn, SLICE("."));
		conn_write(conn, span);
	}
}

int conn_flush(struct conn *conn)
{
	if (conn->output == CONN_OPEN && conn->tls) {
		long outcome;
		do {
			outcome = tls_flush(conn->tls, conn->fd);
		} while (outcome <= 0 && wait_to_send(conn, outcome));
	} else if (conn->output == CONN_OPEN) {
		send_in_clear(conn, SLICE(""));
	}
	return conn->output == CONN_OPEN ? 0 : -1;
}

/* ---- input ---- */

/* One try; answers in the words of tls.h. */
static long receive(struct conn *conn, char *at, size_t len)
{
	if (conn->tls)
		return tls_read(conn->tls, conn->fd, at, len);

	ssize_t got;
	do {
		got = recv(conn->fd, at, len, 0);
	} while (got < 0 && errno == EINTR);
	if (got >= 0)
		return got;
	return errno == EAGAIN || errno == EWOULDBLOCK ? TLS_WANT_READ : TLS_BROKEN;
}

/* Reads at least one octet more; false: the input has ended. Where nothing can
 * be sent any more, only what has already arrived is read. */
static bool fill(struct conn *conn, int64_t deadline)
{
	if (conn->input != CONN_OPEN)
		return false;
	if (!conn->in)
		conn->in =
			must_realloc(NULL, IN_SIZE); /* not zeroed: untouched pages cost nothing */
	if (conn->in_from > 0) {
		size_t kept = conn->in_to - conn->in_from;
		memmove(conn->in, conn->in + conn->in_from, kept);
		wipe(conn->in + kept, conn->in_from); /* no copy of a password stays */
		conn->in_to = kept;
		conn->in_from = 0;
	}
	/* Who waits for an answer has sent nothing yet. */
	bool answers = !conn->tls && conn->out.len > 0;
	for (;; answers = false) {
		long got = answers ? TLS_WANT_READ
				   : receive(conn, conn->in + conn->in_to, IN_SIZE - conn->in_to);
		if (got > 0) {
			conn->in_to += (size_t)got;
			conn->octets_in += (uint64_t)got;
			return true;
		}
		if (got == TLS_END || got == TLS_BROKEN) {
			/* The kernel tells a reset once, and may have told it to a write. */
			bool orderly = got == TLS_END && conn->output != CONN_BROKEN;
			conn->input = orderly ? CONN_CLOSED : CONN_BROKEN;
			return false;
		}
		if (conn->output != CONN_OPEN) {
			conn->input = conn->output;
			return false;
		}
		if (conn_flush(conn) == 0)
			conn->input = wait_until(conn, POLLIN, deadline);
		if (conn->input != CONN_OPEN)
			return false;
	}
}

size_t conn_buffered(const struct conn *conn)
{
	return conn->in_to - conn->in_from + (conn->tls ? tls_pending(conn->tls) : 0);
}

static struct slice unread(const struct conn *conn)
{
	if (conn->in_from == conn->in_to)
		return SLICE("");
	return (struct slice){conn->in + conn->in_from, conn->in_to - conn->in_from};
}

struct slice conn_ahead(const struct conn *conn)
{
	return conn->in_long_line ? SLICE("") : unread(conn);
}

void conn_consume(struct conn *conn, size_t len)
{
	assert(len <= conn->in_to - conn->in_from);
	conn->in_from += len;
}

void conn_forget(struct conn *conn)
{
	wipe(conn->in, conn->in_from);
	if (conn->out.at)
		wipe(conn->out.at + conn->out.len, conn->out.cap - conn->out.len);
	if (conn->tls)
		wipe_stack();
	else
		wipe_stack_near();
}

/* False: the input ended before the line that was too long did. */
static bool swallow_long_line(struct conn *conn, int64_t deadline)
{
	size_t swallowed = 0;
	while (conn->in_long_line) {
		struct slice text = unread(conn);
		size_t len = slice_find(text, '\n');
		if (len < text.len) {
			conn_consume(conn, len + 1);
			conn->in_long_line = false;
			break;
		}
		conn_consume(conn, len);
		swallowed += len;
		if (swallowed > CONN_SWALLOW_LIMIT)
			conn->input = CONN_BROKEN;
		if (!fill(conn, deadline))
			return false;
	}
	return true;
}

enum conn_line conn_read_line(struct conn *conn, size_t limit, struct slice *line)
{
	int64_t deadline = read_deadline(conn);
	assert(limit <= CONN_LINE_LIMIT);
	if (!swallow_long_line(conn, deadline))
		return CONN_LINE_NONE;
	for (;;) {
		struct slice text = unread(conn);
		size_t len = slice_find(text, '\n');
		if (len < text.len) {
			conn_consume(conn, len + 1);
			if (len > 0 && text.at[len - 1] == '\r')
				len--;
			if (len > limit)
				return CONN_LINE_LONG;
			*line = (struct slice){text.at, len};
			return CONN_LINE;
		}
		if (text.len >= limit + 2) {
			conn->in_long_line = true;
			return CONN_LINE_LONG;
		}
		if (!fill(conn, deadline))
			return CONN_LINE_NONE;
	}
}

struct slice conn_peek(struct conn *conn)
{
	int64_t deadline = read_deadline(conn);
	if (swallow_long_line(conn, deadline) && conn->in_from == conn->in_to)
		fill(conn, deadline);
	return unread(conn);
}

/* ---- beginning and end ---- */

/* The handshake of conn->tls; NULL: there is nobody to begin it with. */
static int shake_hands(struct conn *conn, int64_t deadline)
{
	long outcome = TLS_BROKEN;
	if (conn->tls) {
		buf_free(&conn->out);
		do {
			outcome = tls_handshake(conn->tls, conn->fd);
		} while ((outcome == TLS_WANT_READ &&
				 wait_until(conn, POLLIN, deadline) == CONN_OPEN) ||
			 (outcome == TLS_WANT_WRITE &&
				 wait_until(conn, POLLOUT, deadline) == CONN_OPEN));
	}
	if (outcome > 0)
		return 0;
	bool late = outcome == TLS_WANT_READ || outcome == TLS_WANT_WRITE;
	conn->input = conn->output = late ? CONN_TIMEOUT : CONN_BROKEN;
	return -1;
}

int conn_start_tls(struct conn *conn, const struct tls_chain *chain, tls_sign_fn sign, void *arg,
	int64_t timeout_ms)
{
	int64_t deadline = text_monotonic_ms() + timeout_ms;
	if (conn_flush(conn) == 0)
		conn->tls = tls_server_new(chain, sign, arg);
	return shake_hands(conn, deadline);
}

int conn_start_tls_client(struct conn *conn, const struct tls_trust *trust, const char *name,
	int64_t timeout_ms, struct err *e)
{
	int64_t deadline = text_monotonic_ms() + timeout_ms;
	bool said_more = conn_buffered(conn) > 0;
	if (!said_more && conn_flush(conn) == 0)
		conn->tls = tls_client_new(trust, name);
	if (shake_hands(conn, deadline) == 0)
		return 0;
	if (said_more)
		err_set(e, ERR_GONE, "it said more before TLS began: somebody may have put it in");
	else if (conn->output == CONN_TIMEOUT)
		err_set(e, ERR_GONE, "no answer for too long");
	else if (conn->tls)
		tls_why_broken(conn->tls, e);
	else
		err_set(e, ERR_GONE, "the connection was lost");
	return err_prefix(e, "TLS with %s: ", name);
}

/* A socket closed with octets unread is reset, and the reset may overtake the
 * last answer. */
static void linger(struct conn *conn)
{
	int64_t deadline = text_monotonic_ms() + LINGER_MS;
	size_t unread_octets = conn->in_to - conn->in_from;
	char thrown_away[4096];
	bool told = false;
	while (unread_octets < LINGER_OCTETS) {
		ssize_t got = recv(conn->fd, thrown_away, sizeof(thrown_away), 0);
		if (got > 0)
			unread_octets += (size_t)got;
		if (!told && unread_octets > 0)
			told = shutdown(conn->fd, SHUT_WR) == 0;
		if (got > 0)
			continue;
		if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			return;
		if (unread_octets == 0 || wait_until(conn, POLLIN, deadline) != CONN_OPEN)
			return;
	}
}

void conn_cut(struct conn *conn)
{
	fail_output(conn, CONN_BROKEN);
	conn->input = CONN_BROKEN;
}

void conn_close(struct conn *conn)
{
	if (conn_flush(conn) == 0) {
		if (conn->tls)
			tls_close(conn->tls, conn->fd);
		if (conn->input != CONN_CLOSED && conn->input != CONN_BROKEN)
			linger(conn);
	}
	close(conn->fd);
	tls_free(conn->tls);
	free(conn->in);
	buf_free(&conn->out);
	*conn = (struct conn){.fd = -1, .input = CONN_CLOSED, .output = CONN_CLOSED};
}
