/* A whole session in the target's process, between a client and two roles that
 * are the target's. What the client says is there before it begins, cut as the
 * target wants, each read gets one packet; what it hears is read at the end. */
#ifndef TESTS_FUZZ_SESSION_H
#define TESTS_FUZZ_SESSION_H

#include "base/service.h"
#include "store/requests.h"
#include "tests/fuzz/fuzz.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

/* So much fits in a socket's buffer, and so do the answers to it. */
#define SAID_MOST    2048
#define PACKETS_MOST 200

struct fuzz_session {
	struct visitor visitor;
	service_fn serve;
	/* Answers what the session asks a role. */
	void (*answer)(
		struct fuzz_session *session, struct role_channel *role, struct frame *frame);
	struct role_channel directory, writer; /* our ends */
	struct buf heard;                      /* all that the client was told */
};

static inline int fuzz_pair(int type, int *other)
{
	int pair[2];
	assert(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
	*other = pair[1];
	return pair[0];
}

static inline void fuzz_say(int client, struct slice text, struct slice cuts)
{
	size_t least = text.len / PACKETS_MOST + 1;
	for (size_t i = 0; text.len > 0; i++) {
		size_t len = cuts.len ? 1u + (unsigned char)cuts.at[i % cuts.len] : text.len;
		struct slice packet = fuzz_take(&text, len > least ? len : least);
		assert(TEMP_FAILURE_RETRY(send(client, packet.at, packet.len, 0)) ==
			(ssize_t)packet.len);
	}
	shutdown(client, SHUT_WR);
}

static inline void fuzz_hear_all(int client, struct buf *heard)
{
	enum { MUCH = 32 * 1024 }; /* more than a packet of the session's */
	ssize_t got;
	do {
		got = TEMP_FAILURE_RETRY(recv(client, buf_reserve(heard, MUCH), MUCH, 0));
		assert(got < MUCH);
		heard->len += got > 0 ? (size_t)got : 0;
		/* A session that broke off says so first, and what it said before then. */
	} while (got > 0 || (got < 0 && errno == ECONNRESET));
}

static inline bool fuzz_hear_role(struct fuzz_session *session, struct role_channel *role)
{
	struct frame frame;
	struct err e;
	int got;
	while ((got = channel_receive_some(&role->channel, &frame, &e)) == 1)
		session->answer(session, role, &frame);
	assert(got >= 0);
	return got != 0;
}

/* The roles: until the session has let go of both. */
static inline void *fuzz_roles(void *arg)
{
	struct fuzz_session *session = arg;
	struct pollfd polled[] = {{.fd = session->directory.channel.fd, .events = POLLIN},
		{.fd = session->writer.channel.fd, .events = POLLIN}};
	while (polled[0].fd >= 0 || polled[1].fd >= 0) {
		assert(TEMP_FAILURE_RETRY(poll(polled, 2, 100000)) > 0);
		if (polled[0].revents && !fuzz_hear_role(session, &session->directory))
			polled[0].fd = -1;
		if (polled[1].revents && !fuzz_hear_role(session, &session->writer))
			polled[1].fd = -1;
	}
	return NULL;
}

static inline void fuzz_role_end(struct role_channel *role)
{
	channel_close(&role->channel);
	buf_free(&role->out);
}

/* Runs it to its end on what `text` says. */
static inline void fuzz_serve(struct fuzz_session *session, struct slice text, struct slice cuts)
{
	pthread_t roles;
	int fd, client = fuzz_pair(SOCK_SEQPACKET, &fd);
	conn_open(&session->visitor.conn, fd);
	channel_open(&session->directory.channel, fuzz_pair(SOCK_STREAM, &fd));
	channel_open(&session->visitor.directory, fd);
	channel_open(&session->writer.channel, fuzz_pair(SOCK_STREAM, &fd));
	channel_open(&session->visitor.writer, fd);
	session->visitor.keys.fd = -1;
	assert(pthread_create(&roles, NULL, fuzz_roles, session) == 0);
	fuzz_say(client, text, cuts);
	session->serve(&session->visitor);
	conn_close(&session->visitor.conn);
	channel_close(&session->visitor.directory);
	channel_close(&session->visitor.writer);
	fuzz_hear_all(client, &session->heard);
	assert(pthread_join(roles, NULL) == 0);
	close(client);
	fuzz_role_end(&session->directory);
	fuzz_role_end(&session->writer);
}

static inline void fuzz_answer_error(struct role_channel *role, enum err_kind kind)
{
	struct err e;
	err_set(&e, kind, "as the target wants it");
	role_answer_error(role, &e);
}

/* The next line that was told, without its CRLF, of printable ASCII; false past
 * the last. */
static inline bool fuzz_line(struct slice *heard, struct slice *line)
{
	if (heard->len == 0)
		return false;
	*line = slice_cut(heard, '\n');
	assert(line->len > 0 && line->at[line->len - 1] == '\r');
	line->len--;
	return true;
}

/* What the client said next, as a reading of its own that knows the protocol and
 * not the server. */
struct fuzz_walk {
	struct slice rest;  /* of the client's octets */
	struct slice heard; /* of the server's */
};

enum fuzz_walked { WALK_LINE, WALK_LONG, WALK_END };

/* A command line of at most `limit` octets. A line that never ends is none, but
 * one that is too long is answered before. */
static inline enum fuzz_walked fuzz_walk_line(
	struct fuzz_walk *walk, size_t limit, struct slice *line)
{
	bool ends = slice_find(walk->rest, '\n') < walk->rest.len;
	if (!ends && walk->rest.len < limit + 2)
		return WALK_END;
	*line = slice_cut(&walk->rest, '\n');
	if (line->len > 0 && line->at[line->len - 1] == '\r' && ends)
		line->len--;
	return line->len > limit ? WALK_LONG : WALK_LINE;
}

static inline bool fuzz_line_is_clean(struct slice line)
{
	return slice_find(line, '\0') == line.len && slice_find(line, '\r') == line.len;
}

/* The verb of a line; *argument is what stands behind one blank. */
static inline struct slice fuzz_verb(struct slice line, struct slice *argument)
{
	size_t len = 0;
	while (len < line.len && line.at[len] != ' ' && line.at[len] != '\t')
		len++;
	*argument = slice_from(line, len + 1);
	return (struct slice){line.at, len};
}

#endif
