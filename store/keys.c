/* The private keys, and nothing else. A certificate renewed while sessions of
 * the old one are shaking hands needs both, and a selector that was changed while
 * deliveries are under way: the last few keys of either kind are held. */
#include "base/log.h"
#include "base/memory.h"
#include "base/sandbox.h"
#include "store/requests.h"
#include "store/roles.h"
#include <string.h>
#include <unistd.h>

#define KEYS_HELD 3

static struct {
	struct role_birth *birth;
	struct tls_key *held[KEYS_HELD]; /* of certificates; a ring */
	size_t next;
	struct dkim_key {
		char selector[CONFIG_NAME_MAX];
		struct tls_key *key;
	} dkim[KEYS_HELD]; /* a ring, too */
	size_t next_dkim;
} keys;

/* What a channel's owner points to. */
static char greeted, spent, delivery;

static const struct tls_key *find(const unsigned char *key_id)
{
	for (size_t i = 0; i < KEYS_HELD; i++)
		if (keys.held[i] && memcmp(tls_key_id(keys.held[i]), key_id, TLS_KEY_ID_SIZE) == 0)
			return keys.held[i];
	return NULL;
}

static struct dkim_key *find_dkim(const char *selector)
{
	for (size_t i = 0; i < KEYS_HELD; i++)
		if (keys.dkim[i].key && strcmp(keys.dkim[i].selector, selector) == 0)
			return &keys.dkim[i];
	return NULL;
}

/* ---- sessions and deliveries ---- */

static void sign(struct role_channel *from, const struct frame *frame)
{
	struct tls_signing what;
	unsigned char signature[TLS_SIGNATURE_MAX];
	struct err e;
	if (request_sign_read(frame, &what, &e) < 0) {
		role_refuse(from, e.text);
		return;
	}
	const struct tls_key *key = find(what.key_id);
	size_t len = key ? tls_key_sign(key, &what, signature) : 0;
	if (len == 0) {
		err_set(&e, ERR_INPUT, "nothing to sign for this key");
		role_answer_error(from, &e);
		return;
	}
	role_answer(from, ANSWER_OK, (struct slice){(const char *)signature, len});
}

static void sign_dkim(struct role_channel *from, const struct frame *frame)
{
	char selector[CONFIG_NAME_MAX];
	unsigned char digest[DIGEST_SIZE], signature[TLS_SIGNATURE_MAX];
	struct err e;
	if (request_sign_dkim_read(frame, selector, digest, &e) < 0) {
		role_refuse(from, e.text);
		return;
	}
	const struct dkim_key *found = find_dkim(selector);
	size_t len = found ? tls_key_sign_sha256(found->key, digest, signature) : 0;
	if (len == 0) {
		err_set(&e, ERR_MISSING, "no key signs as %s", selector);
		role_answer_error(from, &e);
		return;
	}
	role_answer(from, ANSWER_OK, (struct slice){(const char *)signature, len});
}

static void take(struct role_channel *from, struct frame *frame)
{
	struct hello hello;
	struct err e;
	if (!from->owner) {
		from->owner = &greeted;
		if (request_hello_read(frame, &hello, &e) < 0)
			role_refuse(from, e.text);
		else if (hello.service == SERVICE_DELIVERY)
			from->owner = &delivery;
	} else if (from->owner == &delivery && frame->type == REQUEST_SIGN_DKIM) {
		sign_dkim(from, frame);
	} else if (from->owner == &delivery || frame->type != REQUEST_SIGN) {
		role_refuse(from, "asks the keys for what they do not do");
	} else if (from->owner == &spent) {
		role_refuse(from, "asks for a second signature");
	} else {
		from->owner = &spent;
		sign(from, frame);
	}
}

static void closed(struct role_channel *channel)
{
	(void)channel;
}

/* ---- the master ---- */

static int take_key(const struct frame *frame, unsigned char wanted[TLS_KEY_ID_SIZE], struct err *e)
{
	struct unpack in = {.rest = frame->body};
	char path[CONFIG_PATH_MAX + 16];
	unpack_fixed(&in, wanted, TLS_KEY_ID_SIZE);
	unpack_text(&in, path, sizeof(path));
	if (unpack_end(&in, e) < 0)
		return -1;
	if (find(wanted))
		return 0;
	struct tls_key *key;
	if (tls_key_read(&key, frame->fds[0], path, e) < 0)
		return -1;
	if (memcmp(tls_key_id(key), wanted, TLS_KEY_ID_SIZE) != 0) {
		tls_key_free(key);
		return err_set(e, ERR_INPUT,
			"%s is not the key of the certificate: give the two files that belong "
			"together",
			path);
	}
	tls_key_free(keys.held[keys.next]);
	keys.held[keys.next] = key;
	keys.next = (keys.next + 1) % KEYS_HELD;
	return 0;
}

static int take_dkim_key(const struct frame *frame, char selector[CONFIG_NAME_MAX], struct err *e)
{
	struct unpack in = {.rest = frame->body};
	char path[2 * CONFIG_PATH_MAX];
	unpack_text(&in, selector, CONFIG_NAME_MAX);
	unpack_text(&in, path, sizeof(path));
	if (unpack_end(&in, e) < 0)
		return -1;
	struct tls_key *key;
	if (tls_key_read(&key, frame->fds[0], path, e) < 0)
		return -1;
	if (tls_key_rsa_bits(key) < DKIM_BITS_LEAST) {
		tls_key_free(key);
		return err_set(e, ERR_INPUT, "%s: mail is signed by RSA keys of %d bits or more",
			path, DKIM_BITS_LEAST);
	}
	struct dkim_key *place = find_dkim(selector);
	if (!place) {
		place = &keys.dkim[keys.next_dkim];
		keys.next_dkim = (keys.next_dkim + 1) % KEYS_HELD;
	}
	tls_key_free(place->key);
	place->key = key;
	strcpy(place->selector, selector);
	return 0;
}

/* Adds why not, empty for taken, and sends the answer. By then the file is closed. */
static void answer_master(struct frame *asked, unsigned type, struct buf *answer, const char *why)
{
	struct err e;
	channel_close_frame(asked);
	asked->fd_count = 0;
	pack_text(answer, why);
	/* If the master has gone, the loop ends. */
	channel_send_buf(&keys.birth->master, type, answer, &e);
	buf_free(answer);
	memory_give_back();
}

static void hear_master(struct frame *frame)
{
	struct buf answer = {0};
	struct err e = {.text = ""};
	if (frame->type == MASTER_KEY_FILE && frame->fd_count == 1) {
		unsigned char key_id[TLS_KEY_ID_SIZE];
		int done = take_key(frame, key_id, &e);
		pack_fixed(&answer, key_id, sizeof(key_id));
		answer_master(
			frame, done < 0 ? MASTER_KEY_REFUSED : MASTER_KEY_TAKEN, &answer, e.text);
	} else if (frame->type == MASTER_DKIM_KEY && frame->fd_count == 1) {
		char selector[CONFIG_NAME_MAX];
		int done = take_dkim_key(frame, selector, &e);
		pack_text(&answer, selector);
		answer_master(
			frame, done < 0 ? MASTER_DKIM_REFUSED : MASTER_DKIM_TAKEN, &answer, e.text);
	}
}

int keys_run(struct role_birth *birth, struct err *e)
{
	const struct role_program program = {
		.name = "keys", .frame = take, .closed = closed, .from_master = hear_master};
	keys.birth = birth;
	close(birth->run_dir);
	if (sandbox_seal(SEAL_CLOSED_ROLE, e) < 0)
		return -1;
	int done = role_run(&program, birth, e);
	for (size_t i = 0; i < KEYS_HELD; i++) {
		tls_key_free(keys.held[i]);
		tls_key_free(keys.dkim[i].key);
	}
	return done;
}
