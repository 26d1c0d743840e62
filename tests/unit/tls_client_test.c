/* base/tls, base/trust, base/verify, base/conn: the client's side. The server is
 * a process of its own: ours, or BearSSL's where ours would not do what an old one
 * does. */
#include "base/cert.h"
#include "base/conn.h"
#include "base/sandbox.h"
#include "tests/unit/tls_client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NAME "mail.kantor.example"

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
static int echo(struct conn *conn)
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

static int serve(int fd, const struct server *server)
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

static int receive(void *fd, unsigned char *octets, size_t len)
{
	ssize_t got = recv(*(int *)fd, octets, len, 0);
	return got > 0 ? (int)got : -1;
}

static int transmit(void *fd, const unsigned char *octets, size_t len)
{
	return (int)send(*(int *)fd, octets, len, MSG_NOSIGNAL);
}

static void keep(void *decoder, const void *octets, size_t len)
{
	br_skey_decoder_push(decoder, octets, len);
}

/* The RSA key rsa.key, for BearSSL. */
static void read_rsa_key(br_skey_decoder_context *key)
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
static int serve_as_old(int fd, const struct server *server)
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

static int lay(void **state)
{
	struct line *line = calloc(1, sizeof(*line));
	line->conn.fd = -1;
	*state = line;
	return 0;
}

static int status_of(pid_t child)
{
	int status;
	return waitpid(child, &status, 0) == child ? status : -1;
}

static void hang_up(struct line *line)
{
	if (line->conn.fd >= 0)
		conn_close(&line->conn);
	if (line->server > 0)
		status_of(line->server);
	line->server = 0;
}

static void forget_trust(struct line *line)
{
	tls_trust_free(line->trust);
	line->trust = NULL;
}

static int cut(void **state)
{
	struct line *line = *state;
	hang_up(line);
	forget_trust(line);
	free(line);
	return 0;
}

/* A bundle of this text: 0, or -1 and line->e. */
static int read_trust(struct line *line, struct slice text)
{
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	assert_int_equal(write(fd, text.at, text.len), text.len);
	forget_trust(line);
	int outcome = tls_trust_read(&line->trust, fd, "bundle.pem", &line->e);
	close(fd);
	return outcome;
}

static void add_data(struct buf *out, const char *name)
{
	int fd = tls_client_open_data(name);
	ssize_t len = read(fd, buf_reserve(out, 8192), 8192);
	assert_true(len > 0);
	out->len += (size_t)len;
	close(fd);
}

static void believe(struct line *line, const char *name)
{
	struct buf text = {0};
	add_data(&text, name);
	assert_int_equal(read_trust(line, buf_slice(&text)), 0);
	buf_free(&text);
}

static void connect_to(struct line *line, const struct server *server)
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

static int start_tls(struct line *line, const char *name)
{
	return conn_start_tls_client(&line->conn, line->trust, name, 60000, &line->e);
}

/* Connects to a server that echoes, and begins TLS: 0, or -1 and line->e. */
static int meet(struct line *line, const char *chain, const char *key, const char *name)
{
	connect_to(line, &(struct server){.chain = chain, .key = key, .then = echo});
	return start_tls(line, name);
}

static void assert_echoes(struct line *line)
{
	struct slice heard;
	conn_write_text(&line->conn, "NOOP\r\n");
	assert_int_equal(conn_read_line(&line->conn, 512, &heard), CONN_LINE);
	assert_int_equal(heard.len, 4);
	assert_memory_equal(heard.at, "NOOP", 4);
}

static void assert_met(struct line *line, int outcome)
{
	if (outcome != 0)
		fail_msg("%s", line->e.text);
	assert_echoes(line);
}

static void assert_refused(struct line *line, int outcome, enum err_kind kind, const char *words)
{
	assert_int_equal(outcome, -1);
	if (!strstr(line->e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", line->e.text, words);
	assert_int_equal(line->e.kind, kind);
	assert_int_equal(line->conn.input, CONN_BROKEN);
	assert_int_equal(line->conn.output, CONN_BROKEN);
}

/* ---- whom it believes ---- */

static void a_server_is_known_by_its_chain_and_its_name(void **state)
{
	static const char *const names[] = {"mail.kantor.example", "MAIL.Kantor.Example",
		"kantor.example", "jakarta.branch.example", "192.0.2.1", "2001:DB8::1"};
	believe(*state, "root.pem");
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_met(*state, meet(*state, "ec256_signed", "ec256", names[i]));
		assert_met(*state, meet(*state, "rsa_signed", "rsa", names[i]));
	}
}

static void a_certificate_for_another_name_is_refused_and_its_names_are_told(void **state)
{
	static const char *const names[] = {"", "mail.example", "mail.kantor.example.net",
		"branch.example", "a.b.branch.example", "other.example", "192.0.2.2", "2001:db8::2",
		"[192.0.2.1]"};
	believe(*state, "root.pem");
	for (size_t i = 0; i < COUNT(names); i++)
		assert_refused(*state, meet(*state, "ec256_signed", "ec256", names[i]), ERR_DENIED,
			"the certificate is for another name: mail.kantor.example, "
			"*.branch.example, 192.0.2.1 and 2 more");
}

static void a_chain_with_a_fault_is_refused_and_the_fault_is_told(void **state)
{
	static const struct {
		const char *chain, *key, *words;
	} faults[] = {
		{"expired", "ec256", "has expired: it was valid until 2021-01-01T00:00:00Z"},
		{"early", "ec256", "is not valid before 2110-01-01T00:00:00Z (is the clock"},
		{"late", "ec256", "a certificate of its chain has expired"},
		{"sha1", "ec256", "made in a way that is unknown here"},
		{"weak", "weak", "a weak key (RSA below 2048 bits)"},
		{"disorder", "ec256", "its chain is in disorder"},
		{"chain", "ec256",
			"nobody known has signed the certificate (its signer is "
			"\"Issuer\"; those in bundle.pem are known)"},
		{"rsa", "rsa", "is self-signed, and not among those in bundle.pem"},
	};
	believe(*state, "root.pem");
	for (size_t i = 0; i < COUNT(faults); i++) {
		const char *name =
			strcmp(faults[i].chain, "chain") == 0 ? "a.kantor.example" : NAME;
		assert_refused(*state, meet(*state, faults[i].chain, faults[i].key, name),
			ERR_DENIED, faults[i].words);
	}
}

static void a_self_signed_certificate_is_believed_where_the_bundle_has_it(void **state)
{
	believe(*state, "rsa.pem");
	assert_met(*state, meet(*state, "rsa", "rsa", NAME));
	assert_refused(*state, meet(*state, "ec256", "ec256", NAME), ERR_DENIED, "self-signed");
	assert_refused(
		*state, meet(*state, "rsa", "rsa", "mail.example"), ERR_DENIED, "another name");
}

static void without_trust_it_takes_whoever_it_is(void **state)
{
	static const struct {
		const char *chain, *key;
	} servers[] = {
		{"ec256_signed", "ec256"},
		{"rsa_signed", "rsa"},
		{"rsa", "rsa"},
		{"rsa4096", "rsa4096"},
		{"ec256", "ec256"},
		{"ec384", "ec384"},
		{"ec521", "ec521"},
		{"expired", "ec256"},
		{"early", "ec256"},
		{"late", "ec256"},
		{"sha1", "ec256"},
		{"weak", "weak"},
		{"disorder", "ec256"},
		{"cn", "ec256"},
	};
	for (size_t i = 0; i < COUNT(servers); i++)
		assert_met(*state, meet(*state, servers[i].chain, servers[i].key, "mx.example"));
	assert_met(*state, meet(*state, "rsa", "rsa", "192.0.2.1"));
}

/* ---- the bundle ---- */

static void assert_bundle_believes(struct line *line, struct slice bundle)
{
	if (read_trust(line, bundle) != 0)
		fail_msg("%s", line->e.text);
	assert_met(line, meet(line, "ec256_signed", "ec256", NAME));
}

static void faulty_certificates_leave_the_others_of_a_bundle_alone(void **state)
{
	static const char *const faults[] = {
		"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
		"-----BEGIN CERTIFICATE\n",
		"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
		"# a word\n",
	};
	struct buf bundle = {0};
	for (size_t i = 0; i < COUNT(faults); i++) {
		buf_clear(&bundle);
		add_data(&bundle, "ec384.pem");
		buf_add_text(&bundle, faults[i]);
		add_data(&bundle, "root.pem");
		assert_bundle_believes(*state, buf_slice(&bundle));

		buf_clear(&bundle);
		add_data(&bundle, "root.pem");
		buf_add_text(&bundle, faults[i]);
		assert_bundle_believes(*state, buf_slice(&bundle));
	}
	buf_free(&bundle);
}

static void a_bundle_may_be_long_come_from_windows_and_lack_its_last_line_end(void **state)
{
	struct buf one = {0}, bundle = {0};
	add_data(&one, "rsa.pem");
	for (int i = 0; i < 300; i++)
		buf_add_slice(&bundle, buf_slice(&one));
	buf_clear(&one);
	add_data(&one, "root.pem");
	for (size_t i = 0; i + 1 < one.len; i++) {
		if (one.at[i] == '\n')
			buf_add_char(&bundle, '\r');
		buf_add_char(&bundle, one.at[i]);
	}
	assert_bundle_believes(*state, buf_slice(&bundle));
	buf_free(&one);
	buf_free(&bundle);
}

static void a_bundle_of_which_nothing_can_be_used_is_refused(void **state)
{
	static const struct slice texts[] = {
		{"", 0},
		{"\0\0\0\0", 4},
		{"-----BEGIN ", 11},
		{"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", 59},
	};
	static const char *const files[] = {"rsa.key", "expired.pem", "ed25519.pem"};
	struct line *line = *state;
	struct buf bundle = {0};
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(read_trust(line, texts[i]), -1);
		assert_int_equal(line->e.kind, ERR_INPUT);
		assert_non_null(strstr(line->e.text, "bundle.pem: no certificate in it"));
	}
	for (size_t i = 0; i < COUNT(files); i++) {
		buf_clear(&bundle);
		add_data(&bundle, files[i]);
		/* The leaf alone: the authority behind it has not expired. */
		char *end = memmem(bundle.at, bundle.len, "-----END CERTIFICATE-----\n", 26);
		bundle.len = end ? (size_t)(end + 26 - bundle.at) : bundle.len;
		assert_int_equal(read_trust(line, buf_slice(&bundle)), -1);
	}
	buf_free(&bundle);
}

/* ---- versions and suites ---- */

static void old_versions_are_for_where_nothing_is_verified(void **state)
{
	static const unsigned versions[] = {BR_TLS10, BR_TLS11, BR_TLS12};
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(versions); i++) {
		struct server server = {.version = versions[i]};
		forget_trust(line);
		connect_to(line, &server);
		assert_met(line, start_tls(line, NAME));

		believe(line, "root.pem");
		connect_to(line, &server);
		int outcome = start_tls(line, NAME);
		if (versions[i] == BR_TLS12)
			assert_met(line, outcome);
		else
			assert_refused(line, outcome, ERR_GONE, "or of an old version");
	}
}

static void rsa_key_exchange_is_taken_and_3des_only_unverified(void **state)
{
	struct line *line = *state;
	struct server server = {.version = BR_TLS12, .suite = BR_TLS_RSA_WITH_AES_128_CBC_SHA};
	believe(line, "root.pem");
	connect_to(line, &server);
	assert_met(line, start_tls(line, NAME));

	server.suite = BR_TLS_RSA_WITH_3DES_EDE_CBC_SHA;
	connect_to(line, &server);
	assert_refused(line, start_tls(line, NAME), ERR_GONE, "no cipher suite");
	forget_trust(line);
	connect_to(line, &server);
	assert_met(line, start_tls(line, NAME));
}

/* ---- what goes wrong in a handshake ---- */

/* The other end of a connection without a process behind it. */
static int connect_to_nobody(struct line *line)
{
	int fds[2];
	hang_up(line);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	conn_open(&line->conn, fds[0]);
	return fds[1];
}

static void answers_that_are_no_tls_break_the_handshake(void **state)
{
	static const struct {
		struct slice answer;
		const char *words;
	} answers[] = {
		{{"220 mail.example ESMTP\r\n", 24}, "what came is no TLS, or"},
		{{"\x00\x00\x00\x00\x00", 5}, "what came is no TLS, or"},
		{{"\x15\x03\x01\x00\x02\x02\x46", 7}, "speaks no TLS 1.2"},
		{{"\x15\x03\x03\x00\x02\x02\x28", 7}, "no cipher suite"},
		{{"\x15\x03\x03\x00\x02\x02\x70", 7}, "refuses with TLS alert 112"},
		{{"\x16\x03\x03\x00\x04\x02\x00\x00\x00", 9}, "BearSSL's error"},
		{{"\x17\x03\x03\x00\x05NOOP\n", 10}, "BearSSL's error"},
		{{"\x16\x03\x03\xff\xff", 5}, "BearSSL's error"},
		{{"\x16\x03", 2}, "hung up in the handshake"},
		{{"", 0}, "hung up in the handshake"},
	};
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		int other = connect_to_nobody(line);
		struct slice answer = answers[i].answer;
		/* It answers when the hello is there: what came before is refused. */
		line->server = fork();
		if (line->server == 0) {
			char hello[1000];
			ssize_t heard = recv(other, hello, sizeof(hello), 0);
			_exit(heard <= 0 || send(other, answer.at, answer.len, 0) < 0);
		}
		close(other);
		assert_refused(line, start_tls(line, NAME), ERR_GONE, answers[i].words);
		assert_non_null(strstr(line->e.text, "TLS with " NAME ": "));
	}
}

static void words_before_tls_are_refused(void **state)
{
	struct line *line = *state;
	struct slice text;
	int other = connect_to_nobody(line);
	assert_int_equal(send(other, "220 go\r\n250 injected\r\n", 22, 0), 22);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE);
	int outcome = conn_start_tls_client(&line->conn, NULL, NAME, 100, &line->e);
	assert_refused(line, outcome, ERR_GONE, "it said more before TLS began");
	close(other);
}

static void silence_is_heard_until_the_time_is_over(void **state)
{
	struct line *line = *state;
	int other = connect_to_nobody(line);
	assert_int_equal(conn_start_tls_client(&line->conn, NULL, NAME, 20, &line->e), -1);
	assert_int_equal(line->conn.input, CONN_TIMEOUT);
	assert_int_equal(line->conn.output, CONN_TIMEOUT);
	assert_int_equal(line->e.kind, ERR_GONE);
	close(other);
}

static void a_name_too_long_for_tls_breaks_the_handshake(void **state)
{
	char name[301] = "";
	memset(name, 'a', 300);
	assert_refused(*state, meet(*state, "rsa", "rsa", name), ERR_GONE, "BearSSL's error");
}

/* ---- the connection ---- */

#define MUCH (3u * 1024 * 1024)

static int say_much(struct conn *conn)
{
	static char octets[MUCH];
	for (size_t i = 0; i < MUCH; i++)
		octets[i] = (char)(i * 31 + i / 4096);
	conn_write(conn, (struct slice){octets, MUCH});
	return echo(conn);
}

static void much_goes_both_ways(void **state)
{
	struct line *line = *state;
	size_t heard = 0, echoed = 0;
	believe(line, "root.pem");
	connect_to(line, &(struct server){.chain = "rsa_signed", .key = "rsa", .then = say_much});
	assert_int_equal(start_tls(line, NAME), 0);
	while (heard < MUCH) {
		struct slice part = conn_peek(&line->conn);
		assert_true(part.len > 0);
		for (size_t i = 0; i < part.len; i++, heard++)
			assert_int_equal(part.at[i], (char)(heard * 31 + heard / 4096));
		conn_consume(&line->conn, part.len);
	}
	static const char block[65536];
	for (int i = 0; i < 40; i++) {
		conn_write(&line->conn, (struct slice){block, sizeof(block)});
		while (echoed < sizeof(block) * (size_t)(i + 1)) {
			struct slice part = conn_peek(&line->conn);
			assert_true(part.len > 0);
			echoed += part.len;
			conn_consume(&line->conn, part.len);
		}
	}
}

static void the_client_says_close_notify(void **state)
{
	struct line *line = *state;
	assert_met(line, meet(line, "rsa", "rsa", NAME));
	conn_close(&line->conn);
	assert_int_equal(status_of(line->server), 0);
	line->server = 0;
}

static int say_goodbye(struct conn *conn)
{
	conn_write_text(conn, "221 bye\r\n");
	conn_close(conn);
	return 0;
}

static int drop(struct conn *conn)
{
	conn_write_text(conn, "221 bye\r\n");
	conn_flush(conn);
	return 0;
}

static void an_orderly_end_is_told_from_a_cut(void **state)
{
	struct line *line = *state;
	struct server server = {.chain = "ec256", .key = "ec256", .then = say_goodbye};
	struct slice text;
	connect_to(line, &server);
	assert_int_equal(start_tls(line, NAME), 0);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE_NONE);
	assert_int_equal(line->conn.input, CONN_CLOSED);

	server.then = drop;
	connect_to(line, &server);
	assert_int_equal(start_tls(line, NAME), 0);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE);
	assert_int_equal(conn_read_line(&line->conn, 512, &text), CONN_LINE_NONE);
	assert_int_equal(line->conn.input, CONN_BROKEN);
}

static void a_sealed_process_can_do_it(void **state)
{
	static const char *const bundles[] = {"root.pem", NULL};
	struct line *line = *state;
	for (size_t i = 0; i < COUNT(bundles); i++) {
		forget_trust(line);
		if (bundles[i])
			believe(line, bundles[i]);
		connect_to(
			line, &(struct server){.chain = "rsa_signed", .key = "rsa", .then = echo});
		pid_t parent = getpid(), client = fork();
		if (client == 0) {
			struct slice heard;
			if ((sandbox_is_sealed_build() && sandbox_prepare(&line->e) != 0) ||
				sandbox_take_account(
					&(struct sandbox_account){0}, parent, &line->e) != 0 ||
				sandbox_seal(SEAL_SESSION, &line->e) != 0)
				_exit(2);
			if (start_tls(line, NAME) != 0)
				_exit(3);
			conn_write_text(&line->conn, "NOOP\r\n");
			bool came = conn_read_line(&line->conn, 512, &heard) == CONN_LINE;
			conn_close(&line->conn);
			_exit(came ? 0 : 4);
		}
		assert_int_equal(status_of(client), 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lay, cut)
	const struct CMUnitTest tests[] = {
		TEST(a_server_is_known_by_its_chain_and_its_name),
		TEST(a_certificate_for_another_name_is_refused_and_its_names_are_told),
		TEST(a_chain_with_a_fault_is_refused_and_the_fault_is_told),
		TEST(a_self_signed_certificate_is_believed_where_the_bundle_has_it),
		TEST(without_trust_it_takes_whoever_it_is),
		TEST(faulty_certificates_leave_the_others_of_a_bundle_alone),
		TEST(a_bundle_may_be_long_come_from_windows_and_lack_its_last_line_end),
		TEST(a_bundle_of_which_nothing_can_be_used_is_refused),
		TEST(old_versions_are_for_where_nothing_is_verified),
		TEST(rsa_key_exchange_is_taken_and_3des_only_unverified),
		TEST(answers_that_are_no_tls_break_the_handshake),
		TEST(words_before_tls_are_refused),
		TEST(silence_is_heard_until_the_time_is_over),
		TEST(a_name_too_long_for_tls_breaks_the_handshake),
		TEST(much_goes_both_ways),
		TEST(the_client_says_close_notify),
		TEST(an_orderly_end_is_told_from_a_cut),
		TEST(a_sealed_process_can_do_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
