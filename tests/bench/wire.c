/* See wire.h. A connection's octets are read into one room, from which lines are lent. */
#include "tests/bench/wire.h"
#include "base/buf.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void give_up(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_exit(1);
}

static SSL_CTX *tls_settings;

static void make_tls_settings(void)
{
	tls_settings = SSL_CTX_new(TLS_client_method());
	if (!tls_settings)
		give_up("OpenSSL has no settings");
	SSL_CTX_set_verify(tls_settings, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(tls_settings, SSL_SESS_CACHE_OFF);
	/* A server may end without close_notify. */
	SSL_CTX_set_options(tls_settings, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

/* Linux falls back to delaying as soon as octets are sent. */
static void ack_at_once(struct wire *wire)
{
	int yes = 1;
	if (wire->acks_at_once)
		setsockopt(wire->fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes));
}

void wire_open(struct wire *wire, const struct sockaddr_in *place, unsigned source)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	int yes = 1;
	if (!wire->in)
		wire->in = must_alloc(WIRE_ROOM);
	wire->from = wire->to = 0;
	wire->tls = NULL;
	wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	here.sin_addr.s_addr = htonl(0x7f010000 + source);
	if (wire->fd < 0 ||
		setsockopt(wire->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) < 0 ||
		setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
		bind(wire->fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
		connect(wire->fd, (const struct sockaddr *)place, sizeof(*place)) < 0)
		give_up("cannot connect: %s", strerror(errno));
	ack_at_once(wire);
}

void wire_start_tls(struct wire *wire)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_tls_settings);
	wire->tls = SSL_new(tls_settings);
	if (!wire->tls || !SSL_set_fd(wire->tls, wire->fd) || SSL_connect(wire->tls) != 1)
		give_up("the TLS handshake failed");
}

void wire_send(struct wire *wire, struct slice octets)
{
	while (octets.len) {
		ssize_t sent;
		if (wire->tls)
			sent = SSL_write(wire->tls, octets.at, (int)octets.len);
		else
			sent = send(wire->fd, octets.at, octets.len, MSG_NOSIGNAL);
		if (sent <= 0)
			give_up("the server has gone while it was written to: %s", strerror(errno));
		octets = slice_from(octets, (size_t)sent);
	}
}

static void read_more(struct wire *wire)
{
	ssize_t len;
	if (wire->from) {
		memmove(wire->in, wire->in + wire->from, wire->to - wire->from);
		wire->to -= wire->from;
		wire->from = 0;
	}
	if (wire->to == WIRE_ROOM)
		give_up("a line without an end");
	if (wire->tls)
		len = SSL_read(wire->tls, wire->in + wire->to, (int)(WIRE_ROOM - wire->to));
	else
		len = recv(wire->fd, wire->in + wire->to, WIRE_ROOM - wire->to, 0);
	if (len <= 0)
		give_up("the server has gone while it was to answer: %s",
			len < 0 ? strerror(errno) : "end of file");
	wire->to += (size_t)len;
	ack_at_once(wire);
}

struct slice wire_line(struct wire *wire)
{
	const char *lf;
	size_t seen = 0;
	while (!(lf = memchr(wire->in + wire->from + seen, '\n', wire->to - wire->from - seen))) {
		seen = wire->to - wire->from;
		read_more(wire);
	}
	struct slice line = {wire->in + wire->from, (size_t)(lf - wire->in) - wire->from};
	wire->from += line.len + 1;
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Inside of a block a line of a dot begins with two: what ends like the end is it. */
uint64_t wire_block(struct wire *wire, wire_take_fn *take, void *arg)
{
	static const char end[] = "\r\n.\r\n";
	const size_t end_len = sizeof(end) - 1;
	uint64_t octets = 0;
	bool at_start = true; /* the CRLF before the dot is that of the line before */
	for (;;) {
		struct slice got = {wire->in + wire->from, wire->to - wire->from};
		bool ended = at_start && got.len == 3
				     ? memcmp(got.at, end + 2, 3) == 0
				     : got.len >= end_len && memcmp(got.at + got.len - end_len, end,
								     end_len) == 0;
		/* What may be the beginning of the end stays. */
		size_t done = got.len > end_len ? got.len - end_len : 0;
		if (ended)
			done = got.len - 3;
		if (done) {
			if (take)
				take(arg, (struct slice){got.at, done});
			octets += done;
			wire->from += done;
			at_start = false;
		}
		if (ended) {
			wire->from = wire->to = 0;
			return octets;
		}
		read_more(wire);
	}
}

void wire_close(struct wire *wire)
{
	if (wire->tls) {
		SSL_shutdown(wire->tls);
		SSL_free(wire->tls);
	}
	close(wire->fd);
}
