/* The loop of a role: takes the connections that wait at its socket, reads
 * frames, calls back; in rounds, so that what arrived together can be answered
 * together (the writer commits once a round). */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

#include "base/channel.h"
#include "base/config.h"

struct role; /* the loop's own state */

struct role_channel {
	struct channel channel;
	struct role *role;
	unsigned number; /* of this channel, never used again while the role lives */
	bool greeted;    /* the hello has come */
	bool refused;    /* to be closed at the end of the round */
	void *owner;     /* what the role keeps for it */
};

struct role_program {
	const char *name; /* "writer": the socket's name, and the log's */
	/* A frame came. Answer now or in `round_end`. */
	void (*frame)(struct role_channel *from, struct frame *frame);
	/* The channel ended; free what `owner` points to. */
	void (*closed)(struct role_channel *channel);
	/* Every frame of this round was called; NULL: nothing to do. */
	void (*round_end)(void *program);
	/* Nothing came for `idle_ms`. Returns how long to wait for the next, -1:
	 * for ever. NULL: never called. */
	int (*idle)(void *program);
	int idle_ms;
	/* The master sent new settings. */
	void (*configured)(void *program, const struct config *config);
	/* Another frame from the master. */
	void (*from_master)(void *program, struct frame *frame);
	void *program;
	size_t round_frames, round_octets; /* a round takes no more; 0: no limit */
};

/* What the master gives a role at birth. */
struct role_birth {
	const struct config *config;
	int listener;          /* the bound socket */
	int run_dir;           /* DATA/run, to connect to other roles */
	struct channel master; /* frames from and to the master */
};

/* Runs until the master's channel ends or SIGTERM, then returns. ready: called once
 * before the first round has been taken; says ROLE_READY to the master. */
int role_run(const struct role_program *program, struct role_birth *birth, struct err *e);
/* Watches one more descriptor: `readable` is called in the rounds (the password
 * helpers). */
void role_watch(struct role *role, int fd, void (*readable)(void *arg), void *arg);
/* Answers and errors. A channel that does not take an answer is closed: no role
 * waits for a session. */
void role_answer(struct role_channel *to, unsigned type, const struct buf *body, const int *fds,
	unsigned fd_count);
void role_answer_error(struct role_channel *to, const struct err *e);
/* Logs what a session should not have asked, and closes its channel. */
void role_refuse(struct role_channel *from, const char *why);

#endif
