/* What TLS as a client is tried at: a server in a process of its own, ours, or BearSSL's
 * where ours would not do what an old one does. The caller has included cmocka.h. */
#ifndef TESTS_UNIT_TLS_SERVER_H
#define TESTS_UNIT_TLS_SERVER_H

#include "base/conn.h"
#include "tests/unit/tls_client.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAME         "mail.kantor.example"

struct line {
	struct conn conn;
	pid_t server;
	struct tls_trust *trust;
	struct err e;
};

/* BearSSL's way to randomness of its own, which ends at /dev/urandom where the
 * processor has none. */
br_prng_seeder br_prng_seeder_system(const char **name)
{
	(void)name;
	abort();
}

/* ---- the server ---- */

/* Sends back what it hears, until the end: 0 if that is an orderly one. */
static inline int echo(struct conn *conn)
{
	for (struct slice heard; (heard = conn_peek(conn)).len > 0;) {
		conn_write(conn, heard);
		conn_consume(conn, heard.len);
	}
	bool orderly = conn->input == CONN_CLOSED;
	conn_close(conn);
	return !orderly;
}

/* What the server's process does, with a chain and a key of this name. */
struct server {
	const char *chain, *key;
	int (*then)(struct conn *conn);
	/* With BearSSL's own server: the version, and the suite (0: any). */
	unsigned version;
	uint16_t suite;
};

static inline int serve(int fd, const struct server *server)
{
	struct conn conn;
	struct err e;
	char file[40];
	snprintf(file, sizeof(file), "%s.pem", server->chain);
	struct tls_chain *chain = tls_client_read_chain(file, &e);
	snprintf(file, sizeof(file), "%s.key", server->key);
	struct tls_key *key = tls_client_read_key(file, &e);
	conn_open(&conn, fd);
	if (!chain || !key || conn_start_tls(&conn, chain, tls_client_sign, key, 60000) != 0)
		return 1;
	int outcome = server->then(&conn);
	tls_chain_free(chain);
	tls_key_free(key);
	return outcome;
}

static inline int receive(void *fd, unsigned char *octets, size_t len)
{
	ssize_t got = recv(*(int *)fd, octets, len, 0);
	return got > 0 ? (int)got : -1;
}

static inline int transmit(void *fd, const unsigned char *octets, size_t len)
{
	return (int)send(*(int *)fd, octets, len, MSG_NOSIGNAL);
}

static inline void keep(void *decoder, const void *octets, size_t len)
{
	br_skey_decoder_push(decoder, octets, len);
}

/* The RSA key rsa.key, for BearSSL. */
static inline void read_rsa_key(br_skey_decoder_context *key)
{
	br_pem_decoder_context pem;
	char text[4000];
	int fd = tls_client_open_data("rsa.key"), event = 0;
	size_t len = (size_t)read(fd, text, sizeof(text)), from = 0;
	br_pem_decoder_init(&pem);
	br_skey_decoder_init(key);
	while (from < len && event != BR_PEM_END_OBJ) {
		from += br_pem_decoder_push(&pem, text + from, len - from);
		if ((event = br_pem_decoder_event(&pem)) == BR_PEM_BEGIN_OBJ)
			br_pem_decoder_setdest(&pem, keep, key);
	}
	close(fd);
}

/* A server of another time, which echoes a line. */
static inline int serve_as_old(int fd, const struct server *server)
{
	static br_ssl_server_context context;
	static unsigned char records[BR_SSL_BUFSIZE_BIDI];
	br_skey_decoder_context key;
	br_sslio_context io;
	size_t count;
	struct err e;
	char line[100];
	struct tls_chain *chain = tls_client_read_chain("rsa_signed.pem", &e);
	const br_x509_certificate *certificates = credentials_certificates(chain, &count);
	read_rsa_key(&key);
	br_ssl_server_init_full_rsa(&context, certificates, count, br_skey_decoder_get_rsa(&key));
	br_ssl_engine_set_versions(&context.eng, server->version, server->version);
	if (server->suite)
		br_ssl_engine_set_suites(&context.eng, &server->suite, 1);
	br_ssl_engine_set_buffer(&context.eng, records, sizeof(records), 1);
	context.eng.rng_os_rand_done = 1;
	br_ssl_engine_inject_entropy(&context.eng, "not at all random", 17);
	br_ssl_server_reset(&context);
	br_sslio_init(&io, &context.eng, receive, &fd, transmit, &fd);
	size_t len = 0;
	while (len < sizeof(line) && br_sslio_read(&io, line + len, 1) == 1)
		if (line[len++] == '\n') {
			br_sslio_write_all(&io, line, len);
			br_sslio_flush(&io);
		}
	tls_chain_free(chain);
	return len == 0;
}

/* ---- the client ---- */

static inline int lay(void **state)
{
	struct line *line = calloc(1, sizeof(*line));
	line->conn.fd = -1;
	*state = line;
	return 0;
}

static inline int status_of(pid_t child)
{
	int status;
	return waitpid(child, &status, 0) == child ? status : -1;
}

static inline void hang_up(struct line *line)
{
	if (line->conn.fd >= 0)
		conn_close(&line->conn);
	if (line->server > 0)
		status_of(line->server);
	line->server = 0;
}

static inline void forget_trust(struct line *line)
{
	tls_trust_free(line->trust);
	line->trust = NULL;
}

static inline int cut(void **state)
{
	struct line *line = *state;
	hang_up(line);
	forget_trust(line);
	free(line);
	return 0;
}

/* A bundle of this text: 0, or -1 and line->e. */
static inline int read_trust(struct line *line, struct slice text)
{
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	assert_int_equal(write(fd, text.at, text.len), text.len);
	forget_trust(line);
	int outcome = tls_trust_read(&line->trust, fd, "bundle.pem", &line->e);
	close(fd);
	return outcome;
}

static inline void add_data(struct buf *out, const char *name)
{
	int fd = tls_client_open_data(name);
	ssize_t len = read(fd, buf_reserve(out, 8192), 8192);
	assert_true(len > 0);
	out->len += (size_t)len;
	close(fd);
}

static inline void believe(struct line *line, const char *name)
{
	struct buf text = {0};
	add_data(&text, name);
	assert_int_equal(read_trust(line, buf_slice(&text)), 0);
	buf_free(&text);
}

static inline void connect_to(struct line *line, const struct server *server)
{
	int fds[2];
	hang_up(line);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	line->server = fork();
	if (line->server == 0) {
		close(fds[0]);
		_exit(server->version ? serve_as_old(fds[1], server) : serve(fds[1], server));
	}
	close(fds[1]);
	conn_open(&line->conn, fds[0]);
}

static inline int start_tls(struct line *line, const char *name)
{
	return conn_start_tls_client(&line->conn, line->trust, name, 60000, &line->e);
}

/* Connects to a server that echoes, and begins TLS: 0, or -1 and line->e. */
static inline int meet(struct line *line, const char *chain, const char *key, const char *name)
{
	connect_to(line, &(struct server){.chain = chain, .key = key, .then = echo});
	return start_tls(line, name);
}

static inline void assert_echoes(struct line *line)
{
	struct slice heard;
	conn_write_text(&line->conn, "NOOP\r\n");
	assert_int_equal(conn_read_line(&line->conn, 512, &heard), CONN_LINE);
	assert_int_equal(heard.len, 4);
	assert_memory_equal(heard.at, "NOOP", 4);
}

static inline void assert_met(struct line *line, int outcome)
{
	if (outcome != 0)
		fail_msg("%s", line->e.text);
	assert_echoes(line);
}

static inline void assert_refused(
	struct line *line, int outcome, enum err_kind kind, const char *words)
{
	assert_int_equal(outcome, -1);
	if (!strstr(line->e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", line->e.text, words);
	assert_int_equal(line->e.kind, kind);
	assert_int_equal(line->conn.input, CONN_BROKEN);
	assert_int_equal(line->conn.output, CONN_BROKEN);
}

#define LINE_TEST(promise) cmocka_unit_test_setup_teardown(promise, lay, cut)

#endif
