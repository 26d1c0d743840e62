/* Certificate chains and private keys, out of PEM files.
 *
 * A chain and its key find each other by a digest of the public key, computed
 * from either side: whoever holds keys signs for a chain it has never seen. */
#include "base/credentials.h"
#include "base/curves.h"
#include "base/der.h"
#include "base/digest.h"
#include "base/names.h"
#include "base/pem.h"
#include <stdlib.h>
#include <string.h>

/* More than this is no chain and no key. */
#define FILE_MAX_OCTETS  (256 * 1024)
#define CERTIFICATES_MAX 16

struct tls_chain {
	br_x509_certificate certificates[CERTIFICATES_MAX];
	size_t count;
	bool ec;
	unsigned char key_id[TLS_KEY_ID_SIZE];
	int64_t begins, expires;
};

struct tls_key {
	br_skey_decoder_context decoder; /* holds the key's numbers */
	struct curves_key *p256;         /* if it is on P-256 */
	unsigned char id[TLS_KEY_ID_SIZE];
};

/* ---- public keys ---- */

/* Of the modulus: what stands in a private key leaves the exponent to be
 * guessed, and no two keys share a modulus. */
static void id_of_rsa(unsigned char id[TLS_KEY_ID_SIZE], const unsigned char *n, size_t len)
{
	while (len > 0 && *n == 0) {
		n++;
		len--;
	}
	digest_sha256(id, n, len);
}

static void id_of_ec(unsigned char id[TLS_KEY_ID_SIZE], int curve, const void *point, size_t len)
{
	struct buf form = {0};
	buf_add_char(&form, (char)curve);
	buf_add(&form, point, len);
	digest_sha256(id, form.at, form.len);
	buf_free(&form);
}

static bool is_supported_curve(int curve)
{
	return curve == BR_EC_secp256r1 || curve == BR_EC_secp384r1 || curve == BR_EC_secp521r1;
}

/* ---- chains ---- */

/* What the leaf says: its key, its last day. */
static int look_at_leaf(struct tls_chain *chain, const char *path, struct err *e)
{
	br_x509_decoder_context decoder;
	br_x509_decoder_init(&decoder, NULL, NULL);
	br_x509_decoder_push(
		&decoder, chain->certificates[0].data, chain->certificates[0].data_len);
	const br_x509_pkey *key = br_x509_decoder_get_pkey(&decoder);
	if (!key)
		return err_set(e, ERR_INPUT,
			"%s: the first certificate cannot be read: it must be X.509 with an RSA "
			"or EC key",
			path);
	if (key->key_type == BR_KEYTYPE_EC) {
		const br_ec_public_key *ec = &key->key.ec;
		if (!is_supported_curve(ec->curve))
			return err_set(e, ERR_INPUT,
				"%s: an EC key must be on P-256, P-384 or P-521: get a certificate "
				"for one",
				path);
		chain->ec = true;
		id_of_ec(chain->key_id, ec->curve, ec->q, ec->qlen);
	} else {
		const br_rsa_public_key *rsa = &key->key.rsa;
		if (rsa->nlen > TLS_SIGNATURE_MAX)
			return err_set(e, ERR_INPUT,
				"%s: RSA keys go up to 4096 bits here: get a certificate for one",
				path);
		id_of_rsa(chain->key_id, rsa->n, rsa->nlen);
	}
	chain->begins = credentials_to_unix(decoder.notbefore_days, decoder.notbefore_seconds);
	chain->expires = credentials_to_unix(decoder.notafter_days, decoder.notafter_seconds);
	return 0;
}

int64_t credentials_to_unix(uint32_t days, uint32_t seconds)
{
	return ((int64_t)days - CREDENTIALS_DAYS_TO_1970) * 86400 + seconds;
}

static int read_chain(struct tls_chain *chain, struct slice text, const char *path, struct err *e)
{
	struct buf octets = {0};
	char name[PEM_NAME_MAX];
	int found;
	while ((found = pem_next(&text, name, &octets)) == 1) {
		if (strcmp(name, "CERTIFICATE") != 0 && strcmp(name, "X509 CERTIFICATE") != 0)
			continue;
		if (chain->count == CERTIFICATES_MAX) {
			found = -1;
			break;
		}
		br_x509_certificate *next = &chain->certificates[chain->count++];
		next->data_len = octets.len;
		next->data = memcpy(must_alloc(octets.len), octets.at, octets.len);
	}
	buf_wipe(&octets); /* a key may stand in the same file */
	if (found == -1)
		return err_set(e, ERR_INPUT,
			"%s: not a PEM file of up to %d certificates: put fullchain.pem there",
			path, CERTIFICATES_MAX);
	if (chain->count == 0)
		return err_set(e, ERR_INPUT,
			"%s: no certificate in it (BEGIN CERTIFICATE is looked for): put the PEM "
			"file there",
			path);
	return look_at_leaf(chain, path, e);
}

int tls_chain_read(struct tls_chain **chain, int fd, const char *path, struct err *e)
{
	struct tls_chain *read = must_alloc(sizeof(*read));
	struct buf text = {0};
	int outcome = -1;
	if (pem_read_file(&text, fd, path, FILE_MAX_OCTETS, e) == 0)
		outcome = read_chain(read, buf_slice(&text), path, e);
	buf_wipe(&text);
	tls_prepare();
	if (outcome == 0)
		*chain = read;
	else
		tls_chain_free(read);
	return outcome;
}

void tls_chain_free(struct tls_chain *chain)
{
	if (!chain)
		return;
	for (size_t i = 0; i < chain->count; i++)
		free(chain->certificates[i].data);
	free(chain);
}

const unsigned char *tls_chain_key_id(const struct tls_chain *chain)
{
	return chain->key_id;
}

int64_t tls_chain_begins(const struct tls_chain *chain)
{
	return chain->begins;
}

size_t tls_chain_count(const struct tls_chain *chain)
{
	return chain->count;
}

int64_t tls_chain_expires(const struct tls_chain *chain)
{
	return chain->expires;
}

bool credentials_is_ec(const struct tls_chain *chain)
{
	return chain->ec;
}

const br_x509_certificate *credentials_certificates(const struct tls_chain *chain, size_t *count)
{
	*count = chain->count;
	return chain->certificates;
}

static struct slice certificate_at(const struct tls_chain *chain, size_t n)
{
	const br_x509_certificate *certificate = &chain->certificates[n];
	return (struct slice){(const char *)certificate->data, certificate->data_len};
}

bool tls_chain_names(const struct tls_chain *chain, const char *hostname)
{
	return names_cover(certificate_at(chain, 0), hostname);
}

bool tls_chain_names_late(const struct tls_chain *chain, const char *hostname)
{
	for (size_t i = 1; i < chain->count; i++)
		if (names_cover(certificate_at(chain, i), hostname))
			return true;
	return false;
}

bool tls_chain_is_self_signed(const struct tls_chain *chain)
{
	return names_is_self_signed(certificate_at(chain, 0));
}

/* ---- private keys ---- */

/* The digest of the public half; false: this is no key we can sign with. */
static bool find_key_id(struct tls_key *key)
{
	const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(&key->decoder);
	const br_ec_private_key *ec = br_skey_decoder_get_ec(&key->decoder);
	if (rsa) {
		/* The faster one of BearSSL has no room for 4096 bits. */
		unsigned char n[TLS_SIGNATURE_MAX];
		size_t len = br_rsa_i15_compute_modulus(NULL, rsa);

		if (len == 0 || len > sizeof(n))
			return false;
		id_of_rsa(key->id, n, br_rsa_i15_compute_modulus(n, rsa));
		return true;
	}
	if (ec && is_supported_curve(ec->curve)) {
		unsigned char point[BR_EC_KBUF_PUB_MAX_SIZE];
		size_t len = br_ec_compute_pub(br_ec_get_default(), NULL, point, ec);
		id_of_ec(key->id, ec->curve, point, len);
		if (ec->curve == BR_EC_secp256r1)
			key->p256 = curves_key_new(ec->x, ec->xlen);
		return len > 0 && (key->p256 || ec->curve != BR_EC_secp256r1);
	}
	return false;
}

static int read_key(struct tls_key *key, struct slice text, const char *path, struct err *e)
{
	struct buf octets = {0};
	char name[PEM_NAME_MAX] = "";
	int found;
	do {
		found = pem_next(&text, name, &octets);
	} while (found == 1 && !strstr(name, "PRIVATE KEY"));
	br_skey_decoder_init(&key->decoder);
	if (found == 1)
		br_skey_decoder_push(&key->decoder, octets.at, octets.len);
	buf_wipe(&octets);
	if (strcmp(name, "ENCRYPTED PRIVATE KEY") == 0)
		return err_set(e, ERR_INPUT,
			"%s: the key is locked with a passphrase: store it without one "
			"(openssl pkey -in OLD -out NEW)",
			path);
	if (found != 1)
		return err_set(e, ERR_INPUT,
			"%s: no private key in it that can be read (PEM: BEGIN PRIVATE KEY, not "
			"locked with a passphrase)",
			path);
	if (br_skey_decoder_last_error(&key->decoder) != 0 || !find_key_id(key))
		return err_set(e, ERR_INPUT,
			"%s: not a private key of a kind that can be used: RSA up to 4096 bits, "
			"or EC on P-256, P-384 or P-521",
			path);
	return 0;
}

int tls_key_read(struct tls_key **key, int fd, const char *path, struct err *e)
{
	struct tls_key *read = must_alloc(sizeof(*read));
	struct buf text = {0};
	int outcome = -1;
	if (pem_read_file(&text, fd, path, FILE_MAX_OCTETS, e) == 0)
		outcome = read_key(read, buf_slice(&text), path, e);
	buf_wipe(&text);
	if (outcome == 0)
		*key = read;
	else
		tls_key_free(read);
	return outcome;
}

void tls_key_free(struct tls_key *key)
{
	if (!key)
		return;
	curves_key_free(key->p256);
	wipe(key, sizeof(*key));
	free(key);
}

const unsigned char *tls_key_id(const struct tls_key *key)
{
	return key->id;
}

/* The hashes that are signed, with what PKCS#1 puts in front of each. */
static const struct hash {
	unsigned id;
	size_t len;
	const br_hash_class *class;
	const unsigned char *oid;
} hashes[] = {
	{br_sha256_ID, br_sha256_SIZE, &br_sha256_vtable, BR_HASH_OID_SHA256},
	{br_sha384_ID, br_sha384_SIZE, &br_sha384_vtable, BR_HASH_OID_SHA384},
	{br_sha512_ID, br_sha512_SIZE, &br_sha512_vtable, BR_HASH_OID_SHA512},
};

size_t tls_key_sign(const struct tls_key *key, const struct tls_signing *what,
	unsigned char signature[TLS_SIGNATURE_MAX])
{
	const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(&key->decoder);
	const br_ec_private_key *ec = br_skey_decoder_get_ec(&key->decoder);
	const struct hash *hash = hashes;
	while (hash < hashes + 3 && hash->id != what->hash_id)
		hash++;
	if (hash == hashes + 3 || hash->len != what->hash_len ||
		memcmp(key->id, what->key_id, sizeof(key->id)) != 0)
		return 0;
	if (rsa) {
		size_t len = (rsa->n_bitlen + 7) / 8;
		uint32_t done = br_rsa_pkcs1_sign_get_default()(
			hash->oid, what->hash, hash->len, rsa, signature);
		return done ? len : 0;
	}
	if (key->p256)
		return curves_sign(key->p256, what->hash, hash->len, signature);
	return br_ecdsa_sign_asn1_get_default()(
		br_ec_get_default(), hash->class, what->hash, ec, signature);
}

size_t tls_key_sign_sha256(const struct tls_key *key, const unsigned char hash[br_sha256_SIZE],
	unsigned char signature[TLS_SIGNATURE_MAX])
{
	struct tls_signing what = {.hash_id = br_sha256_ID, .hash_len = br_sha256_SIZE};
	memcpy(what.key_id, key->id, sizeof(what.key_id));
	memcpy(what.hash, hash, br_sha256_SIZE);
	return tls_key_sign(key, &what, signature);
}

/* ---- the public half ---- */

#define OID_RSA_ENCRYPTION SLICE("\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01")

unsigned tls_key_rsa_bits(const struct tls_key *key)
{
	const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(&key->decoder);
	return rsa ? rsa->n_bitlen : 0;
}

/* A number that is not negative: its octets without zeros in front, but for one where
 * the sign would stand. */
static void add_number(struct buf *der, const unsigned char *octets, size_t len)
{
	size_t begin = der->len;
	for (; len > 1 && *octets == 0; len--)
		octets++;
	if (*octets & 0x80)
		buf_add_char(der, 0);
	buf_add(der, octets, len);
	der_wrap(der, begin, DER_INTEGER);
}

static bool is_public_half(const struct tls_key *key, const br_rsa_public_key *public)
{
	const unsigned char hash[br_sha256_SIZE] = {1};
	unsigned char signature[TLS_SIGNATURE_MAX], found[br_sha256_SIZE];
	size_t len = tls_key_sign_sha256(key, hash, signature);
	return br_rsa_i15_pkcs1_vrfy(
		       signature, len, BR_HASH_OID_SHA256, sizeof(found), public, found) == 1 &&
	       memcmp(found, hash, sizeof(hash)) == 0;
}

bool tls_key_add_rsa_public(const struct tls_key *key, struct buf *der)
{
	const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(&key->decoder);
	unsigned char n[TLS_SIGNATURE_MAX];
	size_t begin = der->len, bits, numbers;
	/* It can be worked out of some keys alone; everybody uses this one. */
	uint32_t exponent = br_rsa_i15_compute_pubexp(rsa);
	if (exponent == 0)
		exponent = 65537;
	unsigned char e[4] = {(unsigned char)(exponent >> 24), (unsigned char)(exponent >> 16),
		(unsigned char)(exponent >> 8), (unsigned char)exponent};
	const br_rsa_public_key public = {n, br_rsa_i15_compute_modulus(n, rsa), e, sizeof(e)};
	if (!is_public_half(key, &public))
		return false;

	der_add(der, DER_OID, OID_RSA_ENCRYPTION.at, OID_RSA_ENCRYPTION.len);
	der_add(der, DER_NULL, "", 0);
	der_wrap(der, begin, DER_SEQUENCE);
	bits = der->len;
	buf_add_char(der, 0); /* unused bits */
	numbers = der->len;
	add_number(der, n, public.nlen);
	add_number(der, e, sizeof(e));
	der_wrap(der, numbers, DER_SEQUENCE);
	der_wrap(der, bits, DER_BIT_STRING);
	der_wrap(der, begin, DER_SEQUENCE);
	return true;
}
