/* What the machine itself gives, on one line each: limits DIRECTORY. The directory is where
 * the servers' data would lie; what is written there is removed. */
#include "base/cert.h"
#include "base/tls.h"
#include "tests/bench/wire.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const double a_while = 1.0; /* seconds for each */

static double now(clockid_t clock)
{
	struct timespec at;
	clock_gettime(clock, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void show(const char *what, double count, double seconds, const char *unit)
{
	printf("%-42s %12.0f %s\n", what, count / seconds, unit);
	fflush(stdout);
}

/* ---- disk ---- */

/* As a write-ahead log is written once it has its size: over what was there. */
static void measure_sync(void)
{
	static const char page[4096];
	unsigned count = 0;
	int fd = open("limits.sync", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (unsigned i = 0; fd >= 0 && i < 1024; i++)
		if (pwrite(fd, page, sizeof(page), (off_t)(i * sizeof(page))) < 0)
			give_up("pwrite: %s", strerror(errno));
	if (fd < 0 || fsync(fd) < 0)
		give_up("limits.sync: %s", strerror(errno));
	double began = now(CLOCK_MONOTONIC), lasted;
	do {
		if (pwrite(fd, page, sizeof(page), (off_t)(count++ % 1024 * sizeof(page))) < 0 ||
			fdatasync(fd) < 0)
			give_up("fdatasync: %s", strerror(errno));
	} while ((lasted = now(CLOCK_MONOTONIC) - began) < a_while);
	close(fd);
	unlink("limits.sync");
	show("4 kB written over and fdatasync(2)", count, lasted, "/s");
}

static void run_sql(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		give_up("%s: %s", sql, sqlite3_errmsg(db));
}

/* Each message a row of 4 kB, in a log of the size that the store's has. */
static void measure_commits(unsigned messages)
{
	static const char body[4096];
	char what[64];
	sqlite3 *db;
	sqlite3_stmt *insert;
	unsigned count = 0;
	if (sqlite3_open("limits.db", &db) != SQLITE_OK)
		give_up("limits.db: %s", sqlite3_errmsg(db));
	run_sql(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		    "CREATE TABLE messages (id INTEGER PRIMARY KEY, body BLOB) STRICT");
	if (sqlite3_prepare_v2(db, "INSERT INTO messages (body) VALUES (?)", -1, &insert, NULL) !=
		SQLITE_OK)
		give_up("%s", sqlite3_errmsg(db));
	sqlite3_bind_blob(insert, 1, body, sizeof(body), SQLITE_STATIC);
	double began = now(CLOCK_MONOTONIC), lasted;
	do {
		run_sql(db, "BEGIN");
		for (unsigned i = 0; i < messages; i++, sqlite3_reset(insert))
			if (sqlite3_step(insert) != SQLITE_DONE)
				give_up("%s", sqlite3_errmsg(db));
		run_sql(db, "COMMIT");
		count += messages;
	} while ((lasted = now(CLOCK_MONOTONIC) - began) < a_while);
	sqlite3_finalize(insert);
	sqlite3_close(db);
	unlink("limits.db");
	snprintf(what, sizeof(what), "SQLite, WAL, commits of %u message%s", messages,
		messages > 1 ? "s" : "");
	show(what, count, lasted, "messages/s");
}

/* ---- loopback ---- */

/* A connection to ourselves. */
static void connect_loopback(int ends[2])
{
	struct sockaddr_in place = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(place);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&place, len) < 0 || listen(listener, 1) < 0 ||
		getsockname(listener, (struct sockaddr *)&place, &len) < 0 ||
		connect(ends[0], (struct sockaddr *)&place, len) < 0 ||
		(ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		give_up("loopback: %s", strerror(errno));
	setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	close(listener);
}

static void write_for_a_while(int fd)
{
	static const char octets[64 * 1024];
	double ends = now(CLOCK_MONOTONIC) + a_while;
	while (now(CLOCK_MONOTONIC) < ends)
		if (send(fd, octets, sizeof(octets), MSG_NOSIGNAL) < 0)
			_exit(1);
	_exit(0);
}

static void measure_loopback(void)
{
	static char octets[256 * 1024];
	double count = 0;
	ssize_t len;
	int ends[2];
	connect_loopback(ends);
	pid_t writer = fork();
	if (writer == 0)
		write_for_a_while(ends[0]);
	close(ends[0]);
	double began = now(CLOCK_MONOTONIC);
	while ((len = recv(ends[1], octets, sizeof(octets), 0)) > 0)
		count += (double)len;
	show("loopback, one connection, 64 kB a write(2)", count / 1e6,
		now(CLOCK_MONOTONIC) - began, "MB/s");
	close(ends[1]);
	waitpid(writer, NULL, 0);
}

/* ---- processes ---- */

static void measure_forks(void)
{
	unsigned count = 0;
	double began = now(CLOCK_MONOTONIC), lasted;
	do {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		if (child < 0 || waitpid(child, NULL, 0) < 0)
			give_up("fork: %s", strerror(errno));
		count++;
	} while ((lasted = now(CLOCK_MONOTONIC) - began) < a_while);
	show("fork(2) of a small process, and its end", count, lasted, "/s");
}

/* ---- TLS ---- */

static size_t sign(
	void *key, const struct tls_signing *what, unsigned char signature[TLS_SIGNATURE_MAX])
{
	return tls_key_sign(key, what, signature);
}

/* The client, in a thread of its own. */
static void *shake_hands(void *arg)
{
	int fd = *(int *)arg;
	SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
	double ends = now(CLOCK_MONOTONIC) + a_while;
	while (now(CLOCK_MONOTONIC) < ends) {
		SSL *tls = SSL_new(settings);
		if (!tls || !SSL_set_fd(tls, fd) || SSL_connect(tls) != 1)
			give_up("the TLS handshake failed");
		SSL_free(tls);
	}
	SSL_CTX_free(settings);
	close(fd);
	return NULL;
}

/* Answers handshakes on one connection, one after another, until it ends. */
static unsigned answer_handshakes(int fd, const struct tls_chain *chain, struct tls_key *key)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	unsigned count = 0;
	long state;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	do {
		struct tls *tls = tls_server_new(chain, sign, key);
		while ((state = tls_handshake(tls, fd)) == TLS_WANT_READ)
			poll(&readable, 1, -1);
		tls_free(tls);
		count += state == 1;
	} while (state == 1);
	return count;
}

/* PEM in a file, as tls.h wants it. */
static int file_of(const struct buf *pem)
{
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, pem->at, pem->len, 0) != (ssize_t)pem->len)
		give_up("a file without a name: %s", strerror(errno));
	return fd;
}

/* The server's half, with a certificate as init makes it. */
static void measure_handshakes(void)
{
	struct buf certificate_pem = {0}, key_pem = {0};
	struct tls_chain *chain;
	struct tls_key *key;
	struct err e;
	pthread_t client;
	int ends[2];
	if (cert_make_self_signed(
		    "mail.kantor.example", false, time(NULL), &certificate_pem, &key_pem, &e) < 0 ||
		tls_chain_read(&chain, file_of(&certificate_pem), "certificate", &e) < 0 ||
		tls_key_read(&key, file_of(&key_pem), "key", &e) < 0)
		give_up("%s", e.text);
	connect_loopback(ends);
	if (pthread_create(&client, NULL, shake_hands, &ends[0]) != 0)
		give_up("no more threads");
	double began = now(CLOCK_THREAD_CPUTIME_ID);
	unsigned count = answer_handshakes(ends[1], chain, key);
	show("BearSSL, handshakes of a server", count, now(CLOCK_THREAD_CPUTIME_ID) - began,
		"per second of CPU");
	pthread_join(client, NULL);
	close(ends[1]);
	tls_chain_free(chain);
	tls_key_free(key);
	buf_wipe(&key_pem);
	buf_free(&certificate_pem);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0)
		give_up("usage: limits DIRECTORY");
	measure_sync();
	measure_commits(1);
	measure_commits(32);
	measure_loopback();
	measure_forks();
	measure_handshakes();
	return 0;
}
