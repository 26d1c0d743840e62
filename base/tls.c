/* TLS: BearSSL's engine, its buffers and our descriptor. (Chains and keys:
 * credentials.c.)
 *
 * The engine is a state machine between four buffers and never does I/O; the
 * loops here move octets between it and a descriptor until the engine or the
 * kernel has had enough, and never wait. */
#include "base/tls.h"
#include "base/credentials.h"
#include "base/curves.h"
#include "base/digest.h"
#include "base/trust.h"
#include "base/verify.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct policy {
	const br_ssl_server_policy_class *vtable; /* first, as BearSSL expects */
	const struct tls_chain *chain;
	tls_sign_fn sign;
	void *arg;
};

struct tls {
	union {
		br_ssl_server_context server;
		br_ssl_client_context client;
	};
	br_ssl_engine_context *engine; /* of either */
	struct policy policy;          /* of a server */
	struct verifier *verifier;     /* of a client */
	bool deaf;                     /* the peer: nothing is sent to it any more */
	/* Input and output apart, so that neither waits for the other. */
	unsigned char records[BR_SSL_BUFSIZE_BIDI];
};

/* Best first where AES has no instructions of its own; with them, AES-GCM goes
 * before ChaCha20: so the table begins with 2 suites of ChaCha20 and 4 of GCM. */
#define CHACHA_SUITES 2
#define GCM_SUITES    4
#define SUITES(X)                                                                                  \
	X(ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)                                               \
	X(ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256)                                                 \
	X(ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)                                                     \
	X(ECDHE_RSA_WITH_AES_128_GCM_SHA256)                                                       \
	X(ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)                                                     \
	X(ECDHE_RSA_WITH_AES_256_GCM_SHA384)                                                       \
	X(ECDHE_ECDSA_WITH_AES_128_CBC_SHA256)                                                     \
	X(ECDHE_RSA_WITH_AES_128_CBC_SHA256)                                                       \
	X(ECDHE_ECDSA_WITH_AES_256_CBC_SHA384)                                                     \
	X(ECDHE_RSA_WITH_AES_256_CBC_SHA384)                                                       \
	X(ECDHE_ECDSA_WITH_AES_128_CBC_SHA)                                                        \
	X(ECDHE_RSA_WITH_AES_128_CBC_SHA)                                                          \
	X(ECDHE_ECDSA_WITH_AES_256_CBC_SHA)                                                        \
	X(ECDHE_RSA_WITH_AES_256_CBC_SHA)                                                          \
	/* Without forward secrecy: offered by a client, for old servers; last. */                 \
	X(RSA_WITH_AES_128_GCM_SHA256)                                                             \
	X(RSA_WITH_AES_256_GCM_SHA384)                                                             \
	X(RSA_WITH_AES_128_CBC_SHA256)                                                             \
	X(RSA_WITH_AES_256_CBC_SHA256)                                                             \
	X(RSA_WITH_AES_128_CBC_SHA)                                                                \
	X(RSA_WITH_AES_256_CBC_SHA)
#define SUITE_ID(name)   BR_TLS_##name,
#define SUITE_NAME(name) "TLS_" #name,
static const uint16_t suites[] = {SUITES(SUITE_ID)};
static const char *const suite_names[] = {SUITES(SUITE_NAME)};
#define SUITE_COUNT   (sizeof(suites) / sizeof(suites[0]))
#define SERVER_SUITES (SUITE_COUNT - 6) /* ECDSA and RSA by turns */

/* Of keys in a chain that is verified. */
#define RSA_OCTETS_MIN 256

/* ---- what the engine asks us ---- */

/* The first suite that fits the key, with the first hash the client can
 * verify. Nothing weaker than SHA-256 is signed. */
static int choose(const br_ssl_server_policy_class **context, const br_ssl_server_context *server,
	br_ssl_server_choices *choices)
{
	static const unsigned hash_ids[] = {br_sha256_ID, br_sha384_ID, br_sha512_ID};
	const struct policy *policy = (const struct policy *)context;
	bool ec = credentials_is_ec(policy->chain);
	uint32_t hashes = br_ssl_server_get_client_hashes(server) >> (ec ? 8 : 0);
	unsigned exchange = ec ? BR_SSLKEYX_ECDHE_ECDSA : BR_SSLKEYX_ECDHE_RSA;
	size_t common, hash = 0, suite = 0;
	const br_suite_translated *offered = br_ssl_server_get_client_suites(server, &common);
	while (hash < 3 && (hashes >> hash_ids[hash] & 1) == 0)
		hash++;
	while (suite < common && offered[suite][1] >> 12 != exchange)
		suite++;
	if (hash == 3 || suite == common)
		return 0;
	choices->cipher_suite = offered[suite][0];
	choices->algo_id = 0xFF00 + hash_ids[hash];
	choices->chain = credentials_certificates(policy->chain, &choices->chain_len);
	return 1;
}

/* Only for suites without ECDHE, of which there are none. */
static uint32_t do_keyx(
	const br_ssl_server_policy_class **context, unsigned char *octets, size_t *len)
{
	(void)context;
	(void)octets;
	(void)len;
	return 0;
}

static size_t do_sign(const br_ssl_server_policy_class **context, unsigned algo_id,
	unsigned char *octets, size_t hash_len, size_t room)
{
	const struct policy *policy = (const struct policy *)context;
	struct tls_signing what = {.hash_id = algo_id & 0xFF, .hash_len = hash_len};
	unsigned char signature[TLS_SIGNATURE_MAX];
	if (algo_id < 0xFF00 || hash_len > sizeof(what.hash))
		return 0;
	memcpy(what.key_id, tls_chain_key_id(policy->chain), sizeof(what.key_id));
	memcpy(what.hash, octets, hash_len);
	size_t len = policy->sign(policy->arg, &what, signature);
	if (len > sizeof(signature) || len > room)
		return 0;
	memcpy(octets, signature, len);
	return len;
}

static const br_ssl_server_policy_class policy_class = {
	.context_size = sizeof(struct policy),
	.choose = choose,
	.do_keyx = do_keyx,
	.do_sign = do_sign,
};

/* ---- beginning and end ---- */

/* What is common to all servers, set once and copied: to ask the processor what it can
 * do is slow on a virtual machine. Made before there are sessions. */
static br_ssl_server_context server;
static bool server_is_ready, aes_is_fast;

void tls_prepare(void)
{
	br_ssl_engine_context *engine = &server.eng;
	if (server_is_ready)
		return;
	server_is_ready = true;
	aes_is_fast = br_aes_x86ni_ctr_get_vtable() != NULL;
	br_ssl_server_zero(&server);
	br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
	br_ssl_engine_add_flags(
		engine, BR_OPT_NO_RENEGOTIATION | BR_OPT_ENFORCE_SERVER_PREFERENCES);
	br_ssl_engine_set_hash(engine, br_sha1_ID, &br_sha1_vtable); /* for AES-CBC's HMAC only */
	br_ssl_engine_set_hash(engine, br_sha256_ID, &br_sha256_vtable);
	br_ssl_engine_set_hash(engine, br_sha384_ID, &br_sha384_vtable);
	br_ssl_engine_set_hash(engine, br_sha512_ID, &br_sha512_vtable);
	br_ssl_engine_set_prf_sha256(engine, &br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(engine, &br_tls12_sha384_prf);
	br_ssl_engine_set_ec(engine, curves());
	br_ssl_engine_set_default_aes_gcm(engine);
	br_ssl_engine_set_default_chapol(engine);
	br_ssl_engine_set_default_aes_cbc(engine);
}

/* The n-th best. */
static uint16_t suite_at(size_t n)
{
	const size_t first = CHACHA_SUITES + GCM_SUITES;
	return suites[aes_is_fast && n < first ? (n + CHACHA_SUITES) % first : n];
}

/* Those for its kind of key: BearSSL takes its time over each that is common with the
 * client. */
static void set_server_suites(br_ssl_engine_context *engine, bool ec)
{
	uint16_t ids[SERVER_SUITES / 2];
	for (size_t i = 0; i < SERVER_SUITES / 2; i++)
		ids[i] = suite_at(2 * i + !ec);
	br_ssl_engine_set_suites(engine, ids, SERVER_SUITES / 2);
}

static void set_client_suites(br_ssl_engine_context *engine)
{
	uint16_t ids[SUITE_COUNT];
	for (size_t i = 0; i < SUITE_COUNT; i++)
		ids[i] = suite_at(i);
	br_ssl_engine_set_suites(engine, ids, SUITE_COUNT);
}

/* The engine would look for randomness of its own by opening /dev/urandom
 * where the processor has none; told that it has done so, it takes ours. */
static void seed(br_ssl_engine_context *engine)
{
	unsigned char entropy[32];
	engine->rng_os_rand_done = 1;
	digest_random(entropy, sizeof(entropy));
	br_ssl_engine_inject_entropy(engine, entropy, sizeof(entropy));
	wipe(entropy, sizeof(entropy));
}

static struct tls *begin(void)
{
	struct tls *tls = must_realloc(NULL, sizeof(*tls)); /* the records' pages untouched */
	tls->verifier = NULL;
	tls->deaf = false;
	return tls;
}

struct tls *tls_server_new(const struct tls_chain *chain, tls_sign_fn sign, void *arg)
{
	struct tls *tls = begin();
	br_ssl_engine_context *engine = tls->engine = &tls->server.eng;
	tls_prepare();
	tls->server = server;
	tls->policy = (struct policy){&policy_class, chain, sign, arg};
	br_ssl_server_set_policy(&tls->server, &tls->policy.vtable);
	set_server_suites(engine, credentials_is_ec(chain));
	br_ssl_engine_set_buffer(engine, tls->records, sizeof(tls->records), 1);
	seed(engine);
	int ready = br_ssl_server_reset(&tls->server);
	assert(ready);
	return tls;
}

/* BearSSL's full set of algorithms, cut down to what proves something. */
static void be_strict(br_ssl_engine_context *engine, br_x509_minimal_context *chain)
{
	br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
	set_client_suites(engine);
	br_ssl_engine_set_hash(engine, br_md5_ID, NULL);
	br_x509_minimal_set_hash(chain, br_md5_ID, NULL);
	br_x509_minimal_set_hash(chain, br_sha1_ID, NULL);
	br_x509_minimal_set_minrsa(chain, RSA_OCTETS_MIN);
}

struct tls *tls_client_new(const struct tls_trust *trust, const char *name)
{
	struct tls *tls = begin();
	br_ssl_engine_context *engine = tls->engine = &tls->client.eng;
	tls_prepare();
	struct verifier *verifier = tls->verifier = must_alloc(sizeof(*verifier));
	size_t count = 0;
	const br_x509_trust_anchor *anchors = trust ? trust_anchors(trust, &count) : NULL;
	bool tell_name = verifier_init(verifier, trust, name);
	br_ssl_client_init_full(&tls->client, &verifier->chain, anchors, count);
	if (trust)
		be_strict(engine, &verifier->chain);
	br_ssl_engine_set_ec(engine, curves());
	br_ssl_engine_set_x509(engine, &verifier->vtable);
	br_ssl_engine_add_flags(engine, BR_OPT_NO_RENEGOTIATION);
	br_ssl_engine_set_buffer(engine, tls->records, sizeof(tls->records), 1);
	seed(engine);
	/* Fails with a name too long for TLS, which breaks the handshake. */
	br_ssl_client_reset(&tls->client, tell_name ? name : NULL, 0);
	return tls;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	verifier_free(tls->verifier);
	wipe(tls, sizeof(*tls));
	free(tls);
}

/* ---- records and the descriptor ---- */

static long how_it_closed(const struct tls *tls)
{
	return br_ssl_engine_last_error(tls->engine) == BR_ERR_OK ? TLS_END : TLS_BROKEN;
}

#define CHANGE_CIPHER "\x14\x03\x03" /* so its record begins */

/* Some of the record that is to be sent: 1, or why not. */
static long send_record(struct tls *tls, int fd)
{
	size_t len;
	unsigned char *record = br_ssl_engine_sendrec_buf(tls->engine, &len);
	ssize_t sent = (ssize_t)len;
	if (!tls->deaf) {
		/* Behind ChangeCipherSpec comes Finished: both in one segment. */
		int more = len == 6 && memcmp(record, CHANGE_CIPHER, 3) == 0 ? MSG_MORE : 0;
		do {
			sent = send(fd, record, len, MSG_NOSIGNAL | more);
		} while (sent < 0 && errno == EINTR);
	}
	if (sent < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? TLS_WANT_WRITE : TLS_BROKEN;
	br_ssl_engine_sendrec_ack(tls->engine, (size_t)sent);
	return 1;
}

/* Some of the record that is awaited: 1, or why not. */
static long receive_record(struct tls *tls, int fd)
{
	size_t len;
	unsigned char *record = br_ssl_engine_recvrec_buf(tls->engine, &len);
	ssize_t got;
	do {
		got = recv(fd, record, len, 0);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? TLS_WANT_READ : TLS_BROKEN;
	if (got == 0)
		return TLS_BROKEN; /* without close_notify: perhaps cut off by a third */
	br_ssl_engine_recvrec_ack(tls->engine, (size_t)got);
	return 1;
}

long tls_handshake(struct tls *tls, int fd)
{
	for (;;) {
		unsigned state = br_ssl_engine_current_state(tls->engine);
		long outcome;
		if (state & BR_SSL_SENDREC)
			outcome = send_record(tls, fd);
		else if (state & BR_SSL_SENDAPP)
			return 1;
		else if (state & BR_SSL_RECVREC)
			outcome = receive_record(tls, fd);
		else
			outcome = TLS_BROKEN;
		if (outcome != 1)
			return outcome;
	}
}

/* Reads on where nothing can be sent: only an engine that has nothing else to
 * do is made to send (an alert, the answer to close_notify). */
long tls_read(struct tls *tls, int fd, void *out, size_t len)
{
	for (;;) {
		unsigned state = br_ssl_engine_current_state(tls->engine);
		long outcome;
		if (state & BR_SSL_RECVAPP) {
			size_t there;
			unsigned char *octets = br_ssl_engine_recvapp_buf(tls->engine, &there);
			if (there > len)
				there = len;
			memcpy(out, octets, there);
			wipe(octets, there); /* it may be a password */
			br_ssl_engine_recvapp_ack(tls->engine, there);
			return (long)there;
		}
		if (state & BR_SSL_RECVREC)
			outcome = receive_record(tls, fd);
		else if (state & BR_SSL_SENDREC)
			outcome = send_record(tls, fd);
		else
			return how_it_closed(tls);
		if (outcome == TLS_BROKEN && state & BR_SSL_SENDREC && !(state & BR_SSL_RECVREC))
			tls->deaf = true;
		else if (outcome != 1)
			return outcome;
	}
}

long tls_write(struct tls *tls, int fd, const void *octets, size_t len)
{
	for (;;) {
		unsigned state = br_ssl_engine_current_state(tls->engine);
		long outcome;
		if (tls->deaf)
			return TLS_BROKEN;
		if (state & BR_SSL_SENDAPP) {
			size_t room;
			unsigned char *record = br_ssl_engine_sendapp_buf(tls->engine, &room);
			if (room > len)
				room = len;
			memcpy(record, octets, room);
			br_ssl_engine_sendapp_ack(tls->engine, room);
			return (long)room;
		}
		if (!(state & BR_SSL_SENDREC))
			return how_it_closed(tls);
		outcome = send_record(tls, fd);
		if (outcome != 1)
			return outcome;
	}
}

long tls_flush(struct tls *tls, int fd)
{
	br_ssl_engine_flush(tls->engine, 0);
	for (;;) {
		unsigned state = br_ssl_engine_current_state(tls->engine);
		long outcome;
		if (tls->deaf)
			return TLS_BROKEN;
		if (state & BR_SSL_CLOSED)
			return how_it_closed(tls);
		if (!(state & BR_SSL_SENDREC))
			return 1;
		outcome = send_record(tls, fd);
		if (outcome != 1)
			return outcome;
	}
}

void tls_close(struct tls *tls, int fd)
{
	br_ssl_engine_close(tls->engine);
	while (br_ssl_engine_current_state(tls->engine) & BR_SSL_SENDREC)
		if (tls->deaf || send_record(tls, fd) != 1)
			return;
}

const char *tls_suite(const struct tls *tls)
{
	for (size_t i = 0; i < SUITE_COUNT; i++)
		if (suites[i] == tls->engine->session.cipher_suite)
			return suite_names[i];
	return "";
}

void tls_discard_output(struct tls *tls)
{
	tls->deaf = true;
}

#define NO_TLS                                                                                     \
	"what came is no TLS, or of an old version (is this the right port, and does TLS "         \
	"begin there at once or with STARTTLS?)"

#define UNBELIEVED "the other side does not believe the certificate that it is shown"

static const struct {
	int error;
	const char *words;
} breaks[] = {
	{BR_ERR_OK, "the other side hung up in the handshake"},
	{BR_ERR_UNSUPPORTED_VERSION, NO_TLS},
	{BR_ERR_BAD_VERSION, NO_TLS},
	{BR_ERR_UNKNOWN_TYPE, NO_TLS},
	{BR_ERR_RECV_FATAL_ALERT + BR_ALERT_PROTOCOL_VERSION,
		"the other side speaks no TLS 1.2, and there is none newer here"},
	{BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE,
		"the other side refuses: it knows no cipher suite that is known here, or wants "
		"a client's certificate"},
	{BR_ERR_RECV_FATAL_ALERT + BR_ALERT_BAD_CERTIFICATE, UNBELIEVED},
	{BR_ERR_RECV_FATAL_ALERT + BR_ALERT_UNSUPPORTED_CERTIFICATE, UNBELIEVED},
	{BR_ERR_RECV_FATAL_ALERT + BR_ALERT_CERTIFICATE_EXPIRED, UNBELIEVED},
	{BR_ERR_RECV_FATAL_ALERT + BR_ALERT_CERTIFICATE_UNKNOWN, UNBELIEVED},
	{BR_ERR_RECV_FATAL_ALERT + BR_ALERT_UNKNOWN_CA, UNBELIEVED},
	{BR_ERR_BAD_SIGNATURE, "the other side has not the key of its certificate"},
	{BR_ERR_WRONG_KEY_USAGE, "the key of its certificate is not for this use"},
};

int tls_why_broken(const struct tls *tls, struct err *e)
{
	int error = br_ssl_engine_last_error(tls->engine);
	if (tls->verifier && verifier_why(tls->verifier, error, e))
		return -1;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++)
		if (breaks[i].error == error)
			return err_set(e, ERR_GONE, "%s", breaks[i].words);
	if (error > BR_ERR_RECV_FATAL_ALERT && error < BR_ERR_SEND_FATAL_ALERT)
		return err_set(e, ERR_GONE, "the other side refuses with TLS alert %d",
			error - BR_ERR_RECV_FATAL_ALERT);
	return err_set(e, ERR_GONE, "TLS went wrong (BearSSL's error %d)", error);
}

size_t tls_pending(const struct tls *tls)
{
	size_t len;
	return br_ssl_engine_recvapp_buf(tls->engine, &len) != NULL ? len : 0;
}
