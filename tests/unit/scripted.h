/* A server that keeps to a script, in a thread of its own: what a unit that speaks
 * SMTP to others is held against.
 *
 * A script is lines, the last one NULL:
 *     <TEXT   the server says TEXT and CRLF
 *     <<TEXT  the server says TEXT as it is
 *     >TEXT   the client says exactly TEXT; before the server speaks again it has
 *             said nothing more
 *     tls     handshake as server, with its chain and key
 *     no tls  the same, and it fails
 *     cut     closes
 * Behind the last line the client says nothing and closes. */
#ifndef TESTS_UNIT_SCRIPTED_H
#define TESTS_UNIT_SCRIPTED_H

#include "base/conn.h"
#include "base/text.h"
#include "tests/unit/tls_client.h"

#include <pthread.h>
#include <stdio.h>

#define SCRIPTED_PATIENCE_MS 20000

struct scripted {
	struct conn conn;
	const char *const *script;
	const struct tls_chain *chain; /* of tls; the caller's, as the key */
	struct tls_key *key;
	char wrong[1000]; /* empty: all went as written */
	pthread_t thread;
};

static inline void scripted_too_much(struct scripted *server, struct slice more)
{
	if (more.len > 0)
		snprintf(server->wrong, sizeof(server->wrong), "too much: '%.*s'",
			more.len < 400 ? (int)more.len : 400, more.at);
}

static inline void scripted_expect(struct scripted *server, const char *expected)
{
	struct slice line;
	struct buf heard = {0};
	enum conn_line got = conn_read_line(&server->conn, CONN_LINE_LIMIT, &line);
	if (got == CONN_LINE && slice_equal(line, slice_of(expected)))
		return;
	if (got == CONN_LINE)
		text_add_escaped(&heard, line);
	snprintf(server->wrong, sizeof(server->wrong), "expected '%s', heard '%.400s' (%d, %d)",
		expected, buf_text(&heard), got, server->conn.input);
	buf_free(&heard);
}

static inline void scripted_step(struct scripted *server, const char *step)
{
	struct conn *conn = &server->conn;
	if (step[0] == '>') {
		scripted_expect(server, step + 1);
		return;
	}
	if (conn_buffered(conn) > 0)
		scripted_too_much(server, conn_peek(conn));
	if (step[0] != '<') {
		bool failed = conn_start_tls(conn, server->chain, tls_client_sign, server->key,
				      SCRIPTED_PATIENCE_MS) < 0;
		if (failed != (strcmp(step, "no tls") == 0))
			snprintf(server->wrong, sizeof(server->wrong), "a wrong end of '%s'", step);
		return;
	}
	conn_write_text(conn, step + (step[1] == '<' ? 2 : 1));
	if (step[1] != '<')
		conn_write_text(conn, "\r\n");
}

static inline void *scripted_run(void *arg)
{
	struct scripted *server = arg;
	const char *const *step = server->script;
	conn_set_timeouts(&server->conn, SCRIPTED_PATIENCE_MS, SCRIPTED_PATIENCE_MS);
	while (*step && strcmp(*step, "cut") != 0 && server->wrong[0] == '\0')
		scripted_step(server, *step++);
	if (!*step && server->wrong[0] == '\0')
		scripted_too_much(server, conn_peek(&server->conn));
	conn_close(&server->conn);
	return NULL;
}

/* Begins to serve on one end of a connection; the other one is returned. */
static inline int scripted_start(struct scripted *server, const char *const *script)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server->script = script;
	conn_open(&server->conn, fds[0]);
	assert_int_equal(pthread_create(&server->thread, NULL, scripted_run, server), 0);
	return fds[1];
}

/* The client has closed: did all go as written? */
static inline void scripted_end(struct scripted *server)
{
	assert_int_equal(pthread_join(server->thread, NULL), 0);
	assert_string_equal(server->wrong, "");
}

#endif
