/* A connection to a peer, clear or TLS: lines and octets in, octets out. The
 * peer is a client of ours, or a server that we speak to.
 *
 * Calls block, each up to a deadline. Failure sticks, each direction by
 * itself: after the first one every call in that direction returns at once,
 * so one check at the end of a step is enough. A client that no longer reads
 * may still have sent QUIT, a server said why: a failed write does not stop
 * reading, and what has arrived is handed out before the end is believed.
 *
 * Output is gathered and goes out when it is much, when conn_flush() is
 * called, or when a read is about to block: answers to pipelined commands
 * travel together. */
#ifndef BASE_CONN_H
#define BASE_CONN_H

#include "base/buf.h"
#include "base/dot.h"
#include "base/tls.h"
#include <stdint.h>

enum conn_end {
	CONN_OPEN,
	CONN_CLOSED,  /* the peer ended it */
	CONN_TIMEOUT, /* the deadline passed */
	CONN_BROKEN,  /* reset, or TLS went wrong */
	CONN_STOPPED, /* the server ends: see `lifeline` */
};

struct conn {
	int fd;               /* non-blocking */
	struct tls *tls;      /* NULL: in the clear */
	enum conn_end input;  /* sticky */
	enum conn_end output; /* sticky */
	/* A descriptor whose end of file ends an idle wait for the client: the
	 * server is to stop; -1: none. */
	int lifeline;
	bool idle; /* between commands, set by the command loop */
	/* A descriptor whose end of file says that it has become crowded; -1: none,
	 * or it has been told. `on_crowd` is called for it once, when the client is
	 * waited for (NULL: it is not looked at), and may set times anew. */
	int crowd;
	void (*on_crowd)(void *arg);
	void *crowd_arg;
	/* Descriptors of processes without whom the session is worth nothing; -1: none.
	 * `role_gone`: one was found hung up when the client was last waited for. */
	int roles[2];
	bool role_gone;
	/* Called once, when the client has been waited for a second (NULL: not). */
	void (*on_quiet)(void *arg);
	void *quiet_arg;
	int64_t read_timeout_ms, write_timeout_ms;
	/* Of payload; octets_out as far as it is gathered, or the kernel has taken it. */
	uint64_t octets_in, octets_out;
	/* From here on private. */
	int64_t step_deadline, write_deadline;
	char *in; /* what was read: from in_from to in_to it is not handed out yet */
	size_t in_from, in_to;
	bool in_long_line; /* the rest of a line that was too long comes first */
	struct buf out;
};

/* Takes over the socket `fd` and makes it non-blocking; where it is TCP,
 * without delay, and with bounds to what the kernel holds for a client that does
 * not read. Timeouts are 10 and 1 minutes until they are set. */
void conn_open(struct conn *conn, int fd);
/* Flushes, says close_notify under TLS, closes, frees. A client that is still
 * sending is read for a moment longer, so that a reset does not take the last
 * answer from it. */
void conn_close(struct conn *conn);
/* Breaks off, for a peer that must not take what it has got for all of it:
 * nothing more is sent or heard, and conn_close() says no goodbye. */
void conn_cut(struct conn *conn);

/* How long one read (of a whole line) may wait for the client, one write for
 * it to take something. */
void conn_set_timeouts(struct conn *conn, int64_t read_ms, int64_t write_ms);
/* A moment (text_monotonic_ms) past which no read waits, whatever the
 * timeouts say; 0: none. Slow clients cannot stretch it an octet at a time. */
void conn_set_deadline(struct conn *conn, int64_t monotonic_ms);
/* The same for writes. */
void conn_set_write_deadline(struct conn *conn, int64_t monotonic_ms);

/* The TLS handshake, all of it within `timeout_ms`. On failure both
 * directions are CONN_BROKEN or CONN_TIMEOUT and -1 comes back. */
int conn_start_tls(struct conn *conn, const struct tls_chain *chain, tls_sign_fn sign, void *arg,
	int64_t timeout_ms);
/* The same, as client of the server `name`: see tls_client_new(). Refused where the
 * server said more before TLS began. *e says, with the name, why it failed:
 * ERR_DENIED for a certificate that is not believed, else ERR_GONE. */
int conn_start_tls_client(struct conn *conn, const struct tls_trust *trust, const char *name,
	int64_t timeout_ms, struct err *e);
/* Octets that have been read and not handed out. */
size_t conn_buffered(const struct conn *conn);

enum conn_line {
	CONN_LINE,      /* *line is there, without CRLF or LF */
	CONN_LINE_LONG, /* longer than `limit` octets: the next read swallows its rest */
	CONN_LINE_NONE, /* the input has ended: see conn->input */
};
/* Reads a line of at most `limit` octets, its end not counted (limit at most
 * CONN_LINE_LIMIT). *line is valid until the next read. A line without its end
 * before the input ends is CONN_LINE_NONE. A client that goes on past
 * CONN_SWALLOW_LIMIT without an LF is CONN_BROKEN. */
#define CONN_LINE_LIMIT    14000
#define CONN_SWALLOW_LIMIT (64u * 1024 * 1024)
enum conn_line conn_read_line(struct conn *conn, size_t limit, struct slice *line);

/* What has been read and not consumed, at least one octet (reads if there is
 * none); empty when the input has ended. Valid until the next read. */
struct slice conn_peek(struct conn *conn);
/* The same where it is there already: neither reads nor moves anything. */
struct slice conn_ahead(const struct conn *conn);
void conn_consume(struct conn *conn, size_t len);
/* Overwrites what has been handed out or sent, and what is left of it on the
 * stack: there was a password in it. */
void conn_forget(struct conn *conn);

void conn_write(struct conn *conn, struct slice octets);
void conn_write_text(struct conn *conn, const char *text);
/* The next octets of a stored message, in dotted form; `dots` remembers where in
 * a line they ended. */
void conn_write_dotted(struct conn *conn, struct dot_writer *dots, struct slice stored);
/* Sends all that is gathered. 0, or -1 if the output has failed. */
int conn_flush(struct conn *conn);

#endif
