/* A client's end of a connection, clear or TLS, for the load generator: it blocks, and
 * costs as little as a client can, since it shares the machine with what it measures.
 *
 * TLS is OpenSSL's, and not ours: a server is not measured with its own other half.
 * Whatever goes wrong ends the program with a line on stderr: a run in which
 * something was refused measures nothing. */
#ifndef TESTS_BENCH_WIRE_H
#define TESTS_BENCH_WIRE_H

#include "base/buf.h"
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdint.h>

struct wire {
	int fd;
	SSL *tls;          /* NULL: in the clear */
	bool acks_at_once; /* what comes in: set it before wire_open() */
	char *in;          /* WIRE_ROOM octets, kept from one connection to the next */
	size_t from, to;
};
#define WIRE_ROOM (256 * 1024)

/* Says why and ends the program. */
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Connects to `place` (IPv4) from 127.1.x.y, of which `source` is x.y: to the server each
 * source is another client. `wire` is zero the first time. */
void wire_open(struct wire *wire, const struct sockaddr_in *place, unsigned source);
/* A full handshake each time, and no look at the certificate. */
void wire_start_tls(struct wire *wire);
void wire_send(struct wire *wire, struct slice octets);
/* The next line without its CRLF; valid until the next read. */
struct slice wire_line(struct wire *wire);
/* Reads up to and with the line of a single dot, behind which the server has nothing more to
 * say. `take`, if any, is called for all octets but that line, in order. Returns how many
 * they were. */
typedef void wire_take_fn(void *arg, struct slice octets);
uint64_t wire_block(struct wire *wire, wire_take_fn *take, void *arg);
void wire_close(struct wire *wire);

#endif
