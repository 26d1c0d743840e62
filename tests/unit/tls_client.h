/* A TLS client for the units: BearSSL's own, one descriptor that does not
 * block, and no opinion about certificates but that the key is the right one. */
#ifndef TESTS_UNIT_TLS_CLIENT_H
#define TESTS_UNIT_TLS_CLIENT_H

#include "base/credentials.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TLS_DATA "tests/unit/data/"

struct tls_client {
	br_ssl_client_context client;
	br_x509_minimal_context unused;
	br_x509_decoder_context leaf;
	br_x509_knownkey_context known;
	unsigned char records[BR_SSL_BUFSIZE_BIDI];
	int fd;
};

static inline int tls_client_open_data(const char *name)
{
	char path[100];
	snprintf(path, sizeof(path), TLS_DATA "%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* NULL if the file does not hold one: *e says why. */
static inline struct tls_chain *tls_client_read_chain(const char *name, struct err *e)
{
	struct tls_chain *chain = NULL;
	int fd = tls_client_open_data(name);
	if (tls_chain_read(&chain, fd, name, e) != 0)
		chain = NULL;
	close(fd);
	return chain;
}

static inline struct tls_key *tls_client_read_key(const char *name, struct err *e)
{
	struct tls_key *key = NULL;
	int fd = tls_client_open_data(name);
	if (tls_key_read(&key, fd, name, e) != 0)
		key = NULL;
	close(fd);
	return key;
}

/* Signs with the key itself: arg is a struct tls_key. */
static inline size_t tls_client_sign(
	void *arg, const struct tls_signing *what, unsigned char signature[TLS_SIGNATURE_MAX])
{
	return tls_key_sign(arg, what, signature);
}

/* Expects the key of `chain`. What it offers can be changed before its hello. */
static inline void tls_client_start(struct tls_client *tls, int fd, const struct tls_chain *chain)
{
	size_t count;
	const br_x509_certificate *leaf = credentials_certificates(chain, &count);
	tls->fd = fd;
	br_ssl_client_init_full(&tls->client, &tls->unused, NULL, 0);
	br_x509_decoder_init(&tls->leaf, NULL, NULL);
	br_x509_decoder_push(&tls->leaf, leaf->data, leaf->data_len);
	br_x509_pkey *key = br_x509_decoder_get_pkey(&tls->leaf);
	if (key->key_type == BR_KEYTYPE_EC)
		br_x509_knownkey_init_ec(&tls->known, &key->key.ec, BR_KEYTYPE_SIGN);
	else
		br_x509_knownkey_init_rsa(&tls->known, &key->key.rsa, BR_KEYTYPE_SIGN);
	br_ssl_engine_set_x509(&tls->client.eng, &tls->known.vtable);
	br_ssl_engine_set_buffer(&tls->client.eng, tls->records, sizeof(tls->records), 1);
}

static inline void tls_client_hello(struct tls_client *tls)
{
	br_ssl_client_reset(&tls->client, "mail.kantor.example", 0);
}

/* Moves what can be moved without waiting; true if that was anything. */
static inline bool tls_client_step(struct tls_client *tls)
{
	br_ssl_engine_context *engine = &tls->client.eng;
	bool moved = false;
	for (;;) {
		unsigned state = br_ssl_engine_current_state(engine);
		size_t len;
		ssize_t n = -1;

		if (state & BR_SSL_SENDREC) {
			unsigned char *record = br_ssl_engine_sendrec_buf(engine, &len);
			n = send(tls->fd, record, len, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n > 0)
				br_ssl_engine_sendrec_ack(engine, (size_t)n);
		}
		if (n <= 0 && state & BR_SSL_RECVREC) {
			unsigned char *record = br_ssl_engine_recvrec_buf(engine, &len);
			n = recv(tls->fd, record, len, MSG_DONTWAIT);
			if (n > 0)
				br_ssl_engine_recvrec_ack(engine, (size_t)n);
		}
		if (n <= 0)
			return moved;
		moved = true;
	}
}

/* How many octets the engine took; 0: a step is due. */
static inline size_t tls_client_write(struct tls_client *tls, const void *octets, size_t len)
{
	size_t room;
	unsigned char *at = br_ssl_engine_sendapp_buf(&tls->client.eng, &room);
	if (at == NULL || len == 0)
		return 0;
	if (room > len)
		room = len;
	memcpy(at, octets, room);
	br_ssl_engine_sendapp_ack(&tls->client.eng, room);
	br_ssl_engine_flush(&tls->client.eng, 0);
	return room;
}

static inline size_t tls_client_read(struct tls_client *tls, void *out, size_t room)
{
	size_t len;
	unsigned char *at = br_ssl_engine_recvapp_buf(&tls->client.eng, &len);
	if (at == NULL)
		return 0;
	if (len > room)
		len = room;
	memcpy(out, at, len);
	br_ssl_engine_recvapp_ack(&tls->client.eng, len);
	return len;
}

#endif
