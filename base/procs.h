/* The master: forks, reaps, restarts, and never reads a stranger's octet.
 *
 * It is told what there is by two tables, services and roles, and by a few
 * hooks; it knows nothing of mail. */
#ifndef BASE_PROCS_H
#define BASE_PROCS_H

#include "base/listen.h"
#include "base/role.h"
#include "base/sandbox.h"
#include "base/service.h"

struct procs_service {
	const char *name; /* for the log and the session */
	service_fn run;
	bool tls_first;   /* TLS from the first octet */
	bool by_account;  /* on a unix socket, where clients are told apart by their accounts */
	const char *busy; /* what a client hears for whom there is no place; NULL: nothing */
	int fds[LISTENERS_MAX]; /* bound */
	size_t fd_count;
};
#define PROCS_SERVICES_MAX 8

struct procs_role {
	const char *name; /* and its socket's, in DATA/run */
	/* Returns when the master has gone or asks; seals itself. An error
	 * before it was ready ends the server at start. Later one that dies is
	 * started anew: at once if it had served for a while, else after a pause
	 * that doubles each time, from 10 ms to 10 s. */
	int (*run)(struct role_birth *birth, struct err *e);
	bool has_bell;   /* for sessions: bell.h */
	bool ends_first; /* it has something to finish, and asks other roles meanwhile */
};
#define PROCS_ROLES_MAX 8

struct procs {
	struct config *config; /* current; the hooks may change it */
	struct sandbox_account account;
	const struct procs_service *services;
	size_t service_count;
	const struct procs_role *roles;
	size_t role_count;
	int run_dir; /* DATA/run */
	int lock;    /* held open by the master and every role: it is free when the last has gone */
	const struct tls_chain *
		*chain; /* the current one; sessions keep the one they were born with */

	/* A role has been started: a place to tell it what it needs first. */
	void (*role_started)(struct procs *procs, size_t role);
	/* A role says something but that it is ready. */
	void (*role_says)(struct procs *procs, size_t role, const struct frame *frame);
	/* Beside the roles: is everything there to serve? */
	bool (*is_ready)(void);
	/* In a newborn session, before the seal: fills the channels. */
	int (*prepare)(struct visitor *visitor, int run_dir, struct err *e);
	void (*each_minute)(struct procs *procs);
	void (*reload)(struct procs *procs); /* SIGHUP */
};

/* Runs until SIGTERM or SIGINT, or until procs_stop(): 0, or -1 if it could not
 * start; an empty sentence: it has been said. */
int procs_run(struct procs *procs, struct err *e);
/* From a hook: ends the server as SIGTERM would, with that exit status. */
void procs_stop(int status);
/* The pipe by which a session wakes that role. */
int procs_bell(size_t role);
/* Sends a frame to a role, with the descriptor `fd` (-1: none). One that is down is
 * told nothing; one that does not take it at once is ended, to be started anew. */
void procs_tell(size_t role, unsigned type, struct slice body, int fd);
/* Sends the current settings to every role. */
void procs_send_config(void);

#endif
