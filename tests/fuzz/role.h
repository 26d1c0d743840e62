/* A role of the server, as it is, on a thread of its own, for targets that ask
 * it as hostile sessions do: its master, its listener and its run directory are
 * the target's. */
#ifndef TESTS_FUZZ_ROLE_H
#define TESTS_FUZZ_ROLE_H

#include "base/listen.h"
#include "base/sandbox.h"
#include "store/requests.h"
#include "store/roles.h"
#include "tests/fuzz/office.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct fuzz_role {
	const char *name;
	int (*run)(struct role_birth *birth, struct err *e);
	struct role_birth birth;
	struct channel master; /* our end */
	int run_dir;
};

static inline void *fuzz_role_live(void *arg)
{
	struct fuzz_role *role = arg;
	struct err e;
	if (role->run(&role->birth, &e) < 0)
		fprintf(stderr, "%s: %s\n", role->name, e.text);
	abort(); /* a role outlives its sessions */
}

/* `run_dir` is DATA/run, made by the caller. */
static inline void fuzz_role_start(struct fuzz_role *role, struct config *config, int run_dir)
{
	pthread_t thread;
	struct err e;
	int pair[2];
	signal(SIGPIPE, SIG_IGN);
	/* The seal is a thread's: the role is sealed, the target is not. */
	assert(sandbox_prepare(&e) == 0);
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	role->run_dir = run_dir;
	role->birth = (struct role_birth){.config = config, .run_dir = dup(run_dir)};
	role->birth.listener = listen_unix(run_dir, role->name, 0600, 0, 0, &e);
	assert(role->birth.listener >= 0);
	channel_open(&role->master, pair[0]);
	channel_open(&role->birth.master, pair[1]);
	role->birth.master.takes_fds = true;
	assert(pthread_create(&thread, NULL, fuzz_role_live, role) == 0);
}

/* Returns when it serves. */
static inline void fuzz_role_wait(struct fuzz_role *role)
{
	struct frame frame;
	struct err e;
	assert(channel_receive(&role->master, &frame, &e) == 1 && frame.type == ROLE_READY);
}

static inline int fuzz_run_dir(const struct config *config)
{
	char path[CONFIG_PATH_MAX + 8];
	snprintf(path, sizeof(path), "%s/run", config->data);
	assert(mkdir(path, 0700) == 0);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert(fd >= 0);
	return fd;
}

/* ---- a session ---- */

/* A channel that has said who it is; a blocking one. */
static inline struct channel fuzz_join(struct fuzz_role *role, unsigned service, const char *peer)
{
	struct channel channel;
	struct err e;
	assert(channel_connect(&channel, role->run_dir, role->name, &e) == 0);
	assert(request_hello(&channel, (enum service_kind)service, peer, &e) == 0);
	return channel;
}

/* Octets as they are; false where the role has hung up. */
static inline bool fuzz_send(struct channel *channel, struct slice octets)
{
	while (octets.len > 0) {
		ssize_t sent =
			TEMP_FAILURE_RETRY(send(channel->fd, octets.at, octets.len, MSG_NOSIGNAL));
		if (sent <= 0)
			return false;
		octets = slice_from(octets, (size_t)sent);
	}
	return true;
}

/* The next answer; false: the role has ended the channel. It does one of the
 * two, soon. */
static inline bool fuzz_hear(struct channel *channel, struct frame *frame)
{
	struct pollfd readable = {.fd = channel->fd, .events = POLLIN};
	struct err e;
	int got = channel_receive_some(channel, frame, &e);
	while (got == 2) {
		assert(TEMP_FAILURE_RETRY(poll(&readable, 1, 100000)) == 1);
		got = channel_receive_some(channel, frame, &e);
	}
	assert(got >= 0 || e.kind == ERR_GONE);
	return got == 1;
}

/* Asks nothing that is answered; false: the channel is no more. */
static inline bool fuzz_tell(struct channel *channel, unsigned type, const struct buf *body)
{
	struct err e;
	return channel_send_buf(channel, type, body, &e) == 0;
}

/* An answer, or none: then the channel is closed. */
static inline bool fuzz_ask(
	struct channel *channel, unsigned type, const struct buf *body, struct frame *frame)
{
	if (fuzz_tell(channel, type, body) && fuzz_hear(channel, frame))
		return true;
	channel_close(channel);
	return false;
}

/* Says that no more comes, and waits until the role has seen that. */
static inline void fuzz_leave(struct channel *channel)
{
	struct frame frame;
	if (channel->fd < 0)
		return;
	shutdown(channel->fd, SHUT_WR);
	while (fuzz_hear(channel, &frame))
		channel_close_frame(&frame);
	channel_close(channel);
}

#endif
