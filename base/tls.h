/* TLS 1.2 with BearSSL, on Nettle's curves: certificate chains, private keys, and one TLS
 * connection over a descriptor, from either side.
 *
 * A session holds the chain but never the key: whoever holds the key signs
 * for it through the `sign` function. Suites: ECDHE with AES-GCM or
 * ChaCha20-Poly1305, last ECDHE with AES-CBC; a client also offers RSA key
 * exchange. No renegotiation, no session cache. Entropy comes from getrandom(2): nothing here opens a file. */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>
#include <sys/uio.h>

/* ---- certificates and keys ---- */

struct tls_chain; /* certificates only: nothing secret */
struct tls_key;   /* one private key, RSA or EC */

#define TLS_KEY_ID_SIZE 32 /* SHA-256 of the leaf's public key */

/* Reads a PEM chain, leaf first, from descriptor `fd` (left open, read from
 * its start); `path` is for the error's words. */
int tls_chain_read(struct tls_chain **chain, int fd, const char *path, struct err *e);
void tls_chain_free(struct tls_chain *chain);
/* Which key belongs to the leaf. */
const unsigned char *tls_chain_key_id(const struct tls_chain *chain);
/* Beginning and end of the leaf's validity, Unix seconds. */
int64_t tls_chain_begins(const struct tls_chain *chain);
int64_t tls_chain_expires(const struct tls_chain *chain);
/* How many certificates it has, leaf and all; did the leaf sign itself? */
size_t tls_chain_count(const struct tls_chain *chain);
bool tls_chain_is_self_signed(const struct tls_chain *chain);
/* Does the leaf name `hostname` (subjectAltName, else CN; a wildcard covers
 * one label)? */
bool tls_chain_names(const struct tls_chain *chain, const char *hostname);
/* Does one behind the leaf: is the file in the wrong order? */
bool tls_chain_names_late(const struct tls_chain *chain, const char *hostname);

/* Reads a PEM private key (PKCS#8, PKCS#1, SEC1) from `fd`. */
int tls_key_read(struct tls_key **key, int fd, const char *path, struct err *e);
/* Wipes and frees. */
void tls_key_free(struct tls_key *key);
const unsigned char *tls_key_id(const struct tls_key *key);

/* What is to be signed in a handshake and what comes of it. */
#define TLS_HASH_MAX      64
#define TLS_SIGNATURE_MAX 512
struct tls_signing {
	unsigned char key_id[TLS_KEY_ID_SIZE];
	unsigned hash_id; /* BearSSL's br_sha256_ID and so on */
	size_t hash_len;
	unsigned char hash[TLS_HASH_MAX];
};
/* Signs; returns the signature's length in octets, 0 if the request makes no
 * sense for this key. */
size_t tls_key_sign(const struct tls_key *key, const struct tls_signing *what,
	unsigned char signature[TLS_SIGNATURE_MAX]);
/* The same with SHA-256 and the key's own id. */
size_t tls_key_sign_sha256(const struct tls_key *key, const unsigned char hash[32],
	unsigned char signature[TLS_SIGNATURE_MAX]);

/* How many bits an RSA key has; 0: it is none. */
unsigned tls_key_rsa_bits(const struct tls_key *key);
/* Adds the public half of an RSA key: SubjectPublicKeyInfo in DER (RFC 5280, 4.1).
 * False: it cannot be told, of an exponent that nobody uses or numbers that are no key. */
bool tls_key_add_rsa_public(const struct tls_key *key, struct buf *der);

/* The certificates a client believes: a PEM file of them, as
 * /etc/ssl/certs/ca-certificates.crt is. Faulty and expired ones are left out;
 * ERR_INPUT if none is left. `fd` and `path` as above. */
struct tls_trust;
int tls_trust_read(struct tls_trust **trust, int fd, const char *path, struct err *e);
void tls_trust_free(struct tls_trust *trust);
/* Would a client that trusts these believe the chain, whoever it names? ERR_MISSING:
 * nobody known has signed it; ERR_DENIED: anything else, in words that fit behind
 * "FILE: ". */
int tls_chain_verify(const struct tls_chain *chain, const struct tls_trust *trust, struct err *e);

/* ---- one connection ---- */

struct tls;
typedef size_t (*tls_sign_fn)(
	void *arg, const struct tls_signing *what, unsigned char signature[TLS_SIGNATURE_MAX]);

/* Finds out what the processor can do, so that processes forked later need not. Done
 * where a chain is read. */
void tls_prepare(void);

/* Begins a server connection. `chain` must outlive it; `sign` is called once,
 * in the handshake. Costs about 40 kB until tls_free(). */
struct tls *tls_server_new(const struct tls_chain *chain, tls_sign_fn sign, void *arg);
/* Begins a client connection to `name`, a host name (told to the server) or an IP
 * address. With `trust`, which must outlive it, the server's chain must lead to
 * one of these, be valid now and name `name`; TLS 1.2, in the chain RSA from 2048
 * bits and no SHA-1. NULL: whoever it is, with every suite BearSSL has, TLS 1.0
 * to 1.2 (RFC 3207's opportunistic use). */
struct tls *tls_client_new(const struct tls_trust *trust, const char *name);
void tls_free(struct tls *tls); /* wipes */

/* The engine between a caller's octets and a descriptor. Each call does as
 * much as it can without blocking; the descriptor is non-blocking.
 *   >0 octets moved; TLS_WANT_READ / TLS_WANT_WRITE: poll, then call again;
 *   TLS_END: the peer said close_notify; TLS_BROKEN: anything else is over. */
enum { TLS_END = 0, TLS_BROKEN = -1, TLS_WANT_READ = -2, TLS_WANT_WRITE = -3 };

long tls_handshake(struct tls *tls, int fd); /* 1 when done */
long tls_read(struct tls *tls, int fd, void *out, size_t len);
long tls_write(struct tls *tls, int fd, const void *octets, size_t len);
/* Pushes out what tls_write() took: 1 when all is with the kernel. */
long tls_flush(struct tls *tls, int fd);
/* Says close_notify as far as it goes without blocking. */
void tls_close(struct tls *tls, int fd);
/* After the peer stopped reading: what is to be sent is thrown away, what it
 * sent before can still be read. */
void tls_discard_output(struct tls *tls);
/* Of a connection that is broken: says why, for an admin, and returns -1. ERR_DENIED:
 * the server's certificate is not believed; ERR_GONE: anything else. */
int tls_why_broken(const struct tls *tls, struct err *e);
/* Of a connection that is up: its cipher suite as IANA calls it. */
const char *tls_suite(const struct tls *tls);
/* Octets decrypted and not read yet. */
size_t tls_pending(const struct tls *tls);

#endif
