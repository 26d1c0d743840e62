/* Listening sockets. */
#ifndef BASE_LISTEN_H
#define BASE_LISTEN_H

#include "base/buf.h"
#include "base/err.h"
#include <sys/types.h>

#define LISTENERS_MAX 32

/* Binds every word of `list` ("host:port", "[v6]:port", "port": two sockets,
 * IPv4 and IPv6 apart; a box without IPv6 is no fault; "/path": a unix socket,
 * mode 0660, owned by uid:gid) and adds the descriptors, non-blocking, to fds.
 * The error names the word, and says how to mend it. */
int listen_open(const char *list, uid_t uid, gid_t gid, int fds[LISTENERS_MAX], size_t *count,
	struct err *e);
/* Binds a unix socket `name` in the directory open as `dir_fd`, replacing a stale
 * one; uid 0: it stays the caller's. Returns the descriptor or -1. */
int listen_unix(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid, struct err *e);

#endif
