/* The loop of a role: takes the connections that wait at its socket, reads
 * frames, calls back; in rounds, so that what arrived together can be answered
 * together (the writer commits once a round).
 *
 * No role waits for a session: an answer it does not take at once is kept for it,
 * up to a limit. Past that, or if it asks on meanwhile, its channel is closed. */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

#include "base/bell.h"
#include "base/channel.h"
#include "base/config.h"

struct role; /* the loop's own state */

struct role_channel {
	struct channel channel;
	struct role *role;
	struct buf out; /* answers not taken yet */
	bool ended;     /* to be closed at the end of the round */
	bool gathers;   /* its frames are being taken: answers go out behind the last */
	bool backlog;   /* frames may be left from the last round */
	void *owner;    /* what the role keeps for it; set at its first frame */
	struct role_channel *next;
};

struct role_program {
	const char *name; /* "writer": for the log */
	/* A frame came. Answer now or in `round_end`. */
	void (*frame)(struct role_channel *from, struct frame *frame);
	/* The channel has ended: free what `owner` points to. */
	void (*closed)(struct role_channel *channel);
	/* How many microseconds the round should wait for more frames before it ends;
	 * asked anew whenever some have come. NULL: it never waits. */
	int64_t (*gather_us)(void);
	/* Every frame of this round has been called; NULL: nothing to do. */
	void (*round_end)(void);
	/* Nothing came for the time asked for, or that time is long over. Returns how
	 * many milliseconds to wait next, -1: until something comes. NULL: never
	 * called. */
	int (*idle)(void);
	/* The master sent new settings; NULL: they do not matter. */
	void (*configured)(const struct config *config);
	/* Another frame from the master; NULL: there is none. Its descriptors are
	 * closed behind the call. */
	void (*from_master)(struct frame *frame);
	bool hears_secrets; /* channel.wipes for all that connect */
	/* A round takes no more than these; 0: no limit. */
	size_t round_frames, round_octets;
};

/* What the master gives a role at birth. */
struct role_birth {
	struct config *config; /* the role's own copy: role_run() keeps it current */
	int listener;          /* the bound socket, non-blocking */
	struct bell bell;      /* for who connects at its other socket */
	int run_dir;           /* DATA/run, to connect to other roles */
	struct channel master; /* frames from and to the master */
};

/* Says that the role serves, then runs until the master's channel ends. */
int role_run(const struct role_program *program, struct role_birth *birth, struct err *e);
/* Watches one more descriptor, before or while the role runs: `readable` is
 * called in the rounds. Closing a descriptor ends its watch by role_unwatch()
 * first. */
#define ROLE_WATCHES_MAX 4
void role_watch(int fd, void (*readable)(void *arg), void *arg);
void role_unwatch(int fd);

/* There is work for `idle`: it is called when nothing comes for `ms`, or earlier. */
void role_idle_within(int ms);

void role_answer(struct role_channel *to, unsigned type, struct slice body);
void role_answer_fds(struct role_channel *to, unsigned type, const int *fds, unsigned fd_count);
void role_answer_error(struct role_channel *to, const struct err *e);
/* Logs what a session should not have asked, and closes its channel. */
void role_refuse(struct role_channel *from, const char *why);

/* Types of frame that the loop itself knows; the roles' own begin at
 * ROLE_FRAME_OWN. */
enum {
	ROLE_READY = 1, /* to the master: serving */
	ROLE_CONFIG,    /* from the master: struct config */
	ROLE_ERROR,     /* an answer: kind, text */
	ROLE_FRAME_OWN = 16,
};
/* Reads the fields of a ROLE_ERROR into *e; returns -1. */
int role_error_read(struct slice body, struct err *e);

#endif
