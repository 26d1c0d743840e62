/* The certificates of authorities, out of one PEM file.
 *
 * Such a file is put together from hundreds of sources: one in it that cannot
 * be used must not take the others with it. */
#include "base/trust.h"
#include "base/credentials.h"
#include "base/pem.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Debian's bundle has 0.2 MB. */
#define FILE_MAX_OCTETS (8 * 1024 * 1024)

struct tls_trust {
	br_x509_trust_anchor *anchors; /* what they point to is their own */
	size_t count, room;
	char *path;
};

static unsigned char *copy(const void *octets, size_t len)
{
	return memcpy(must_alloc(len), octets, len);
}

static void copy_key(br_x509_pkey *to, const br_x509_pkey *from)
{
	*to = *from;
	if (from->key_type == BR_KEYTYPE_RSA) {
		to->key.rsa.n = copy(from->key.rsa.n, from->key.rsa.nlen);
		to->key.rsa.e = copy(from->key.rsa.e, from->key.rsa.elen);
	} else {
		to->key.ec.q = copy(from->key.ec.q, from->key.ec.qlen);
	}
}

static void free_anchor(br_x509_trust_anchor *anchor)
{
	free(anchor->dn.data);
	if (anchor->pkey.key_type == BR_KEYTYPE_RSA) {
		free(anchor->pkey.key.rsa.n);
		free(anchor->pkey.key.rsa.e);
	} else {
		free(anchor->pkey.key.ec.q);
	}
}

static void append(void *out, const void *octets, size_t len)
{
	buf_add(out, octets, len);
}

/* Leaves out what cannot be used and what has expired: of an authority nobody
 * looks at the dates later. */
static void add_anchor(struct tls_trust *trust, struct slice certificate)
{
	br_x509_decoder_context decoder;
	struct buf name = {0};
	br_x509_decoder_init(&decoder, append, &name);
	br_x509_decoder_push(&decoder, certificate.at, certificate.len);
	const br_x509_pkey *key = br_x509_decoder_get_pkey(&decoder);
	if (key && credentials_to_unix(decoder.notafter_days, decoder.notafter_seconds) >=
			   (int64_t)time(NULL)) {
		if (trust->count == trust->room) {
			trust->room = trust->room ? 2 * trust->room : 128;
			trust->anchors = must_realloc(
				trust->anchors, trust->room * sizeof(trust->anchors[0]));
		}
		br_x509_trust_anchor *anchor = &trust->anchors[trust->count++];
		anchor->dn = (br_x500_name){copy(name.at, name.len), name.len};
		anchor->flags = br_x509_decoder_isCA(&decoder) ? BR_X509_TA_CA : 0;
		copy_key(&anchor->pkey, key);
	}
	buf_free(&name);
}

static int read_anchors(struct tls_trust *trust, struct slice text, struct err *e)
{
	struct buf certificate = {0};
	char name[PEM_NAME_MAX];
	int found;
	while ((found = pem_next(&text, name, &certificate)) != 0)
		if (found == 1 &&
			(strcmp(name, "CERTIFICATE") == 0 || strcmp(name, "X509 CERTIFICATE") == 0))
			add_anchor(trust, buf_slice(&certificate));
	buf_free(&certificate);
	if (trust->count == 0)
		return err_set(e, ERR_INPUT,
			"%s: no certificate in it that can be used and has not expired (those of "
			"the known authorities are in Debian's package ca-certificates)",
			trust->path);
	return 0;
}

int tls_trust_read(struct tls_trust **trust, int fd, const char *path, struct err *e)
{
	struct tls_trust *read = must_alloc(sizeof(*read));
	struct buf text = {0};
	int outcome = -1;
	read->path = must_copy(path);
	if (pem_read_file(&text, fd, path, FILE_MAX_OCTETS, e) == 0)
		outcome = read_anchors(read, buf_slice(&text), e);
	buf_free(&text);
	if (outcome == 0)
		*trust = read;
	else
		tls_trust_free(read);
	return outcome;
}

void tls_trust_free(struct tls_trust *trust)
{
	if (!trust)
		return;
	for (size_t i = 0; i < trust->count; i++)
		free_anchor(&trust->anchors[i]);
	free(trust->anchors);
	free(trust->path);
	free(trust);
}

const br_x509_trust_anchor *trust_anchors(const struct tls_trust *trust, size_t *count)
{
	*count = trust->count;
	return trust->anchors;
}

const char *trust_path(const struct tls_trust *trust)
{
	return trust->path;
}
