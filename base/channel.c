/* Frames over unix stream sockets. A frame is handed out as a slice of the
 * input buffer and dropped from it at the next receive, so nothing is copied. */
#include "base/channel.h"
#include "base/bell.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_AT_ONCE (64 * 1024)
#define BEHIND       512 /* octets of the next frame that are read with the rest of one */

struct frame_head {
	uint32_t len;
	uint16_t type, fd_count;
};

union fd_message {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
};

void channel_open(struct channel *channel, int fd)
{
	*channel = (struct channel){.fd = fd};
}

int channel_connect(struct channel *channel, int dir_fd, const char *name, struct err *e)
{
	*channel = (struct channel){.fd = -1};
	/* sun_path holds 108 octets; the data directory's path may be longer. */
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int len = snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
	if (len < 0 || (size_t)len >= sizeof(to.sun_path))
		return err_set(e, ERR_INPUT, "socket name %s is too long", name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(e, "socket for %s", name);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		err_set_errno(e, "cannot reach %s", name);
		close(fd);
		return -1;
	}
	channel_open(channel, fd);
	return 0;
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

void channel_close_frame(const struct frame *frame)
{
	close_all(frame->fds, frame->fd_count);
}

void channel_close(struct channel *channel)
{
	close_all(channel->fds, channel->fd_count);
	if (channel->fd >= 0)
		close(channel->fd);
	/* Behind these all is wiped, or was never written to: it stays untouched. */
	if (channel->wipes && channel->in.len > 0)
		wipe(channel->in.at, channel->in.len);
	buf_free(&channel->in);
	*channel = (struct channel){.fd = -1};
}

/* ---- sending ---- */

/* The bell is rung behind what the socket holds: nobody takes more before. */
static int send_all(struct channel *channel, struct msghdr *message, struct err *e)
{
	for (;;) {
		int rings = channel->bell;
		ssize_t sent =
			sendmsg(channel->fd, message, MSG_NOSIGNAL | (rings ? MSG_DONTWAIT : 0));
		if (sent < 0 && errno == EINTR)
			continue;
		bool full = rings && sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
		if (sent >= 0 || full) {
			bell_ring(rings);
			channel->bell = 0;
		}
		if (full)
			continue;
		if (sent < 0)
			return err_set(
				e, ERR_GONE, "the other process has gone: %s", strerror(errno));
		/* The descriptors ride with the first octet. */
		message->msg_control = NULL;
		message->msg_controllen = 0;
		size_t left = (size_t)sent;
		while (message->msg_iovlen > 0 && left >= message->msg_iov->iov_len) {
			left -= message->msg_iov->iov_len;
			message->msg_iov++;
			message->msg_iovlen--;
		}
		if (message->msg_iovlen == 0)
			return 0;
		message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + left;
		message->msg_iov->iov_len -= left;
	}
}

int channel_send(struct channel *channel, unsigned type, const struct iovec *parts, size_t count,
	const int *fds, unsigned fd_count, struct err *e)
{
	enum { PARTS_MAX = 8 };
	assert(count <= PARTS_MAX && fd_count <= CHANNEL_FDS_MAX);
	struct frame_head head = {.type = (uint16_t)type, .fd_count = (uint16_t)fd_count};
	struct iovec all[1 + PARTS_MAX] = {{&head, sizeof(head)}};
	for (size_t i = 0; i < count; i++) {
		all[1 + i] = parts[i];
		head.len += (uint32_t)parts[i].iov_len;
	}
	if (head.len > CHANNEL_FRAME_MAX)
		return err_set(e, ERR_TOO_BIG, "a frame of %u octets is too long", head.len);
	struct msghdr message = {.msg_iov = all, .msg_iovlen = 1 + count};
	union fd_message control;
	if (fd_count > 0) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		memset(control.room, 0, sizeof(control.room));
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		assert(rights); /* there is room for one */
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
	}
	return send_all(channel, &message, e);
}

int channel_send_buf(struct channel *channel, unsigned type, const struct buf *body, struct err *e)
{
	struct iovec part = {body->at, body->len};
	return channel_send(channel, type, &part, 1, NULL, 0, e);
}

int channel_send_frames(struct channel *channel, const struct buf *frames, struct err *e)
{
	struct iovec part = {frames->at, frames->len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	return send_all(channel, &message, e);
}

void channel_add_frame(struct buf *out, unsigned type, struct slice body)
{
	struct frame_head head = {.len = (uint32_t)body.len, .type = (uint16_t)type};
	buf_add(out, &head, sizeof(head));
	buf_add_slice(out, body);
}

/* ---- receiving ---- */

/* Descriptors that arrived beside octets. More than a frame can have are no
 * part of one, and are closed. */
static void keep_descriptors(struct channel *channel, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (channel->fd_count < CHANNEL_FDS_MAX)
				channel->fds[channel->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

/* 1: the frame is whole; 2: not yet. *missing: how many octets it lacks. */
static int take_frame(struct channel *channel, struct frame *frame, size_t *missing, struct err *e)
{
	struct frame_head head;
	*missing = READ_AT_ONCE;
	if (channel->in.len < sizeof(head))
		return 2;
	memcpy(&head, channel->in.at, sizeof(head));
	if (head.len > CHANNEL_FRAME_MAX || head.fd_count > CHANNEL_FDS_MAX)
		return err_set(e, ERR_INPUT, "a frame of %u octets with %u descriptors is none",
			head.len, head.fd_count);
	size_t whole = sizeof(head) + head.len;
	if (channel->in.len < whole) {
		*missing = whole - channel->in.len;
		return 2;
	}
	if (channel->fd_count < head.fd_count)
		return err_set(e, ERR_INPUT, "a frame came without its descriptors");
	*frame = (struct frame){.type = head.type, .fd_count = head.fd_count};
	frame->body = (struct slice){channel->in.at + sizeof(head), head.len};
	memcpy(frame->fds, channel->fds, sizeof(int) * head.fd_count);
	channel->fd_count -= head.fd_count;
	memmove(channel->fds, channel->fds + head.fd_count, sizeof(int) * channel->fd_count);
	channel->taken = whole;
	return 1;
}

static void drop_last_frame(struct channel *channel)
{
	if (channel->taken == 0)
		return;
	if (channel->wipes)
		wipe(channel->in.at, channel->taken);
	buf_drop(&channel->in, channel->taken);
	if (channel->wipes) /* the octets behind have moved */
		wipe(channel->in.at + channel->in.len, channel->taken);
	channel->taken = 0;
	/* An idle channel costs no memory. */
	if (channel->in.len == 0)
		buf_free(&channel->in);
}

/* Who waits in recvmsg(2) is woken when the other side takes what he sent, too: here
 * by an answer alone. Where one has begun to come, his has been taken. */
static void await(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	(void)poll(&readable, 1, -1);
}

/* Into `small` first. */
static int receive(struct channel *channel, struct frame *frame, char *small, size_t small_size,
	bool wait, struct err *e)
{
	drop_last_frame(channel);
	for (;;) {
		size_t missing;
		int got = take_frame(channel, frame, &missing, e);
		if (got != 2)
			return got;
		/* Most frames are small: the buffer grows when one is not. */
		struct iovec to = {small, small_size};
		struct msghdr message = {.msg_iov = &to, .msg_iovlen = 1};
		union fd_message control;
		if (channel->takes_fds) {
			message.msg_control = control.room;
			message.msg_controllen = sizeof(control.room);
		}
		/* Into memory that is wiped, and is not moved while a frame grows. */
		bool direct = channel->in.len > 0 || channel->wipes;
		if (direct)
			to = (struct iovec){
				buf_reserve(&channel->in, missing + BEHIND), missing + BEHIND};
		size_t room = to.iov_len;
		if (wait && channel->in.len == 0)
			await(channel->fd);
		ssize_t len = recvmsg(
			channel->fd, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && !wait && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 2;
		if (len < 0)
			return err_set(
				e, ERR_GONE, "the other process has gone: %s", strerror(errno));
		if (len == 0 && channel->in.len > 0)
			return err_set(
				e, ERR_GONE, "the other process went in the middle of a frame");
		if (len == 0)
			return 0;
		keep_descriptors(channel, &message);
		/* The kernel has let go of those for which there was no room. */
		if (message.msg_flags & MSG_CTRUNC)
			return err_set(e, ERR_INPUT, "descriptors where none belong");
		channel->drained = (size_t)len < room;
		if (direct)
			channel->in.len += (size_t)len;
		else
			buf_add(&channel->in, to.iov_base, (size_t)len);
	}
}

int channel_receive(struct channel *channel, struct frame *frame, struct err *e)
{
	char small[512];
	return receive(channel, frame, small, sizeof(small), true, e);
}

int channel_receive_some(struct channel *channel, struct frame *frame, struct err *e)
{
	char letter[8192]; /* a small one, whole */
	return receive(channel, frame, letter, sizeof(letter), false, e);
}

bool channel_is_drained(struct channel *channel)
{
	drop_last_frame(channel);
	return channel->drained && channel->in.len == 0;
}

bool channel_is_gone(const struct channel *channel)
{
	if (channel->fd < 0)
		return true;
	struct pollfd poll_fd = {.fd = channel->fd, .events = POLLRDHUP};
	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* ---- fields ---- */

void pack_number(struct buf *body, uint64_t number)
{
	buf_add(body, &number, sizeof(number));
}

void pack_slice(struct buf *body, struct slice octets)
{
	pack_number(body, octets.len);
	buf_add_slice(body, octets);
}

void pack_text(struct buf *body, const char *text)
{
	pack_slice(body, slice_of(text));
}

void pack_fixed(struct buf *body, const void *octets, size_t len)
{
	buf_add(body, octets, len);
}

static const char *unpack_octets(struct unpack *in, uint64_t len)
{
	if (in->failed || in->rest.len < len) {
		in->failed = true;
		return NULL;
	}
	const char *at = in->rest.at;
	in->rest = slice_from(in->rest, (size_t)len);
	return at;
}

uint64_t unpack_number(struct unpack *in)
{
	uint64_t number = 0;
	const char *at = unpack_octets(in, sizeof(number));
	if (at)
		memcpy(&number, at, sizeof(number));
	return number;
}

struct slice unpack_slice(struct unpack *in)
{
	uint64_t len = unpack_number(in);
	const char *at = unpack_octets(in, len);
	return at ? (struct slice){at, len} : (struct slice){NULL, 0};
}

void unpack_text(struct unpack *in, char *text, size_t size)
{
	struct slice octets = unpack_slice(in);
	if (octets.len >= size || (octets.len > 0 && memchr(octets.at, '\0', octets.len))) {
		in->failed = true;
		octets.len = 0;
	}
	if (octets.len > 0)
		memcpy(text, octets.at, octets.len);
	text[octets.len] = '\0';
}

void unpack_fixed(struct unpack *in, void *out, size_t len)
{
	const char *at = unpack_octets(in, len);
	if (at)
		memcpy(out, at, len);
	else
		memset(out, 0, len);
}

int unpack_end(const struct unpack *in, struct err *e)
{
	if (in->failed || in->rest.len > 0)
		return err_set(e, ERR_INPUT, "a frame whose fields do not fit");
	return 0;
}

struct slice channel_cut_frame(struct unpack *in, unsigned *type)
{
	struct frame_head head;
	unpack_fixed(in, &head, sizeof(head));
	*type = head.type;
	const char *at = unpack_octets(in, head.len);
	return at ? (struct slice){at, head.len} : (struct slice){NULL, 0};
}
