/* What the master gives to a session, and what a session's program must be.
 *
 * A service is a row of a table that tools/serve.c fills: POP3 on 110 and on
 * 995 are two rows with one function. The function runs in a process of its
 * own that is already sealed: no file, no socket, no fork, the office's
 * account. */
#ifndef BASE_SERVICE_H
#define BASE_SERVICE_H

#include "base/channel.h"
#include "base/config.h"
#include "base/conn.h"
#include "base/peers.h"

/* A connection to a filter that office.ini names, begun for the session. */
struct visitor_filter {
	int fd;  /* non-blocking, perhaps not through yet; -1: it could not be begun */
	int why; /* then: the errno */
};

struct visitor {
	struct conn conn;         /* TLS has begun where the service says so */
	char peer[PEER_TEXT_MAX]; /* the client's address; on a unix socket "unix", or "unix:" and
				   * the name of its account */
	uid_t uid;                /* the client's account, where the service asks for it */
	const char *service;      /* "smtp", "lmtp", "pop3": for the log and the channels */
	bool trusted;             /* may submit without a login; by what the master knows */
	bool crowded;             /* half of `connections` is taken, or was: see conn.on_crowd */
	const struct config *config;
	const struct tls_chain *chain;
	struct channel directory, writer, keys;
	struct visitor_filter filters[CONFIG_FILTERS_MOST]; /* in their order */
	size_t filter_count;
	int64_t *filter_told_ms; /* shared by all sessions: when one told that a filter is
				  * down, see log_is_due() */
	/* Signs for conn_start_tls() through the keys role; arg: this struct. */
	tls_sign_fn sign;
};

/* The handshake, all of it within ten seconds. -1: it has failed, and the log
 * says so. */
int visitor_start_tls(struct visitor *visitor);

/* Speaks with the visitor until one of them has had enough. The master's code
 * closes and logs the end. */
typedef void (*service_fn)(struct visitor *visitor);

#endif
