/* A connection of base/conn, and the client at its other end. The caller has included
 * cmocka.h. */
#ifndef TESTS_UNIT_LINE_H
#define TESTS_UNIT_LINE_H

#include "base/conn.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct line {
	struct conn conn;
	int client; /* the other end; -1: closed */
	struct slice text;
};

static inline int lay(void **state)
{
	struct line *line = calloc(1, sizeof(*line));
	int fds[2];
	if (line == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	conn_open(&line->conn, fds[0]);
	line->client = fds[1];
	*state = line;
	return 0;
}

static inline int cut(void **state)
{
	struct line *line = *state;
	if (line->client >= 0)
		close(line->client);
	conn_close(&line->conn);
	free(line);
	return 0;
}

static inline void client_leaves(struct line *line)
{
	close(line->client);
	line->client = -1;
}

static inline void client_says(struct line *line, struct slice octets)
{
	assert_int_equal(send(line->client, octets.at, octets.len, MSG_NOSIGNAL), octets.len);
}

/* What has reached the client by now, in one piece. */
static inline void client_has(struct line *line, const char *expected)
{
	char heard[200];
	ssize_t len = recv(line->client, heard, sizeof(heard), MSG_DONTWAIT);
	assert_int_equal(len < 0 ? 0 : len, strlen(expected));
	assert_memory_equal(heard, expected, strlen(expected));
}

static inline void assert_line(struct line *line, struct slice expected)
{
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE);
	assert_int_equal(line->text.len, expected.len);
	assert_memory_equal(line->text.at, expected.at, expected.len);
}

static inline void assert_end(struct line *line, enum conn_end how)
{
	assert_int_equal(conn_read_line(&line->conn, 512, &line->text), CONN_LINE_NONE);
	assert_int_equal(line->conn.input, how);
	assert_int_equal(conn_peek(&line->conn).len, 0);
}

static inline int lay_tcp(void **state)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	struct line *line = calloc(1, sizeof(*line));
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	if (line == NULL || bind(listener, (struct sockaddr *)&address, len) != 0 ||
		listen(listener, 1) != 0 ||
		getsockname(listener, (struct sockaddr *)&address, &len) != 0)
		return -1;
	line->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* At once, or a reset would take with it what waits for Nagle. */
	setsockopt(line->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(line->client, (struct sockaddr *)&address, len) != 0)
		return -1;
	conn_open(&line->conn, accept(listener, NULL, NULL));
	close(listener);
	*state = line;
	return 0;
}

static inline void client_resets(struct line *line)
{
	struct linger at_once = {.l_onoff = 1};
	assert_int_equal(
		setsockopt(line->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	client_leaves(line);
}

static inline void assert_exits_well(pid_t client)
{
	int status;
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_int_equal(status, 0);
}

#define LINE_TEST(promise) cmocka_unit_test_setup_teardown(promise, lay, cut)
#define TCP_TEST(promise)  cmocka_unit_test_setup_teardown(promise, lay_tcp, cut)

#endif
