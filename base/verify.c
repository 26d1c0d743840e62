/* Where there is trust the chain goes through BearSSL's own check. The first
 * certificate is kept beside it, for what that check cannot do: IP addresses, and
 * words. */
#include "base/verify.h"
#include "base/credentials.h"
#include "base/names.h"
#include "base/text.h"
#include "base/trust.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A certificate with more octets is none that we know. */
#define CERTIFICATE_MAX 65536

static struct slice certificate_of(const struct verifier *verifier)
{
	return buf_slice(&verifier->certificate);
}

/* ---- what the TLS engine calls, where nothing is verified ---- */

static void begin_chain(const br_x509_class **context, const char *server_name)
{
	struct verifier *verifier = (struct verifier *)context;
	(void)server_name;
	buf_clear(&verifier->certificate);
	verifier->count = 0;
}

static void begin_certificate(const br_x509_class **context, uint32_t len)
{
	struct verifier *verifier = (struct verifier *)context;
	(void)len;
	verifier->count++;
}

static void keep(const br_x509_class **context, const unsigned char *octets, size_t len)
{
	struct verifier *verifier = (struct verifier *)context;
	if (verifier->count == 1 && verifier->certificate.len + len <= CERTIFICATE_MAX)
		buf_add(&verifier->certificate, octets, len);
}

static void end_certificate(const br_x509_class **context)
{
	(void)context;
}

static unsigned take_whoever_it_is(const br_x509_class **context)
{
	struct verifier *verifier = (struct verifier *)context;
	if (verifier->count == 0)
		return BR_ERR_X509_EMPTY_CHAIN;
	br_x509_decoder_init(&verifier->leaf, NULL, NULL);
	br_x509_decoder_push(&verifier->leaf, verifier->certificate.at, verifier->certificate.len);
	return (unsigned)br_x509_decoder_last_error(&verifier->leaf);
}

static const br_x509_pkey *get_unverified_key(const br_x509_class *const *context, unsigned *usages)
{
	struct verifier *verifier = (struct verifier *)(uintptr_t)context;
	if (usages)
		*usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
	return br_x509_decoder_get_pkey(&verifier->leaf);
}

static const br_x509_class blind_class = {
	.context_size = sizeof(struct verifier),
	.start_chain = begin_chain,
	.start_cert = begin_certificate,
	.append = keep,
	.end_cert = end_certificate,
	.end_chain = take_whoever_it_is,
	.get_pkey = get_unverified_key,
};

/* ---- where there is trust: the same, and BearSSL's check ---- */

static void begin_check(const br_x509_class **context, const char *server_name)
{
	struct verifier *verifier = (struct verifier *)context;
	uint64_t now = (uint64_t)time(NULL);
	begin_chain(context, server_name);
	/* The check takes an empty name for none, and lets every certificate pass. */
	verifier->by_address = !server_name || !server_name[0];
	br_x509_minimal_set_time(&verifier->chain,
		(uint32_t)(now / 86400 + CREDENTIALS_DAYS_TO_1970), (uint32_t)(now % 86400));
	verifier->chain.vtable->start_chain(&verifier->chain.vtable, server_name);
}

static void begin_to_check_certificate(const br_x509_class **context, uint32_t len)
{
	struct verifier *verifier = (struct verifier *)context;
	begin_certificate(context, len);
	verifier->chain.vtable->start_cert(&verifier->chain.vtable, len);
}

static void check(const br_x509_class **context, const unsigned char *octets, size_t len)
{
	struct verifier *verifier = (struct verifier *)context;
	keep(context, octets, len);
	verifier->chain.vtable->append(&verifier->chain.vtable, octets, len);
}

static void end_checked_certificate(const br_x509_class **context)
{
	struct verifier *verifier = (struct verifier *)context;
	verifier->chain.vtable->end_cert(&verifier->chain.vtable);
}

static unsigned end_check(const br_x509_class **context)
{
	struct verifier *verifier = (struct verifier *)context;
	struct slice address = {(const char *)verifier->address, verifier->address_len};
	unsigned error = verifier->chain.vtable->end_chain(&verifier->chain.vtable);
	if (error == 0 && verifier->by_address &&
		!names_hold_address(certificate_of(verifier), address))
		return BR_ERR_X509_BAD_SERVER_NAME;
	return error;
}

static const br_x509_pkey *get_checked_key(const br_x509_class *const *context, unsigned *usages)
{
	const struct verifier *verifier = (const struct verifier *)context;
	return verifier->chain.vtable->get_pkey(&verifier->chain.vtable, usages);
}

static const br_x509_class strict_class = {
	.context_size = sizeof(struct verifier),
	.start_chain = begin_check,
	.start_cert = begin_to_check_certificate,
	.append = check,
	.end_cert = end_checked_certificate,
	.end_chain = end_check,
	.get_pkey = get_checked_key,
};

bool verifier_init(struct verifier *verifier, const struct tls_trust *trust, const char *name)
{
	verifier->vtable = trust ? &strict_class : &blind_class;
	verifier->trust = trust;
	if (inet_pton(AF_INET, name, verifier->address) == 1)
		verifier->address_len = 4;
	else if (inet_pton(AF_INET6, name, verifier->address) == 1)
		verifier->address_len = 16;
	return verifier->address_len == 0;
}

void verifier_free(struct verifier *verifier)
{
	if (!verifier)
		return;
	buf_free(&verifier->certificate);
	free(verifier);
}

/* ---- words ---- */

static const struct {
	int error;
	const char *words;
} refusals[] = {
	{BR_ERR_X509_EMPTY_CHAIN, "it shows no certificate"},
	{BR_ERR_X509_UNSUPPORTED,
		"a certificate is made in a way that is unknown here (known are RSA and EC keys, "
		"signed with SHA-256, SHA-384 or SHA-512)"},
	{BR_ERR_X509_LIMIT_EXCEEDED,
		"a certificate is too large (RSA keys go up to 4096 bits here)"},
	{BR_ERR_X509_WRONG_KEY_TYPE, "a certificate is signed by a key of another kind"},
	{BR_ERR_X509_BAD_SIGNATURE, "the signature of a certificate is wrong"},
	{BR_ERR_X509_DN_MISMATCH,
		"its chain is in disorder: each certificate must be followed by the one that "
		"signed it"},
	{BR_ERR_X509_CRITICAL_EXTENSION,
		"a certificate has a critical extension that is unknown here"},
	{BR_ERR_X509_NOT_CA, "a certificate is signed by one that is no authority"},
	{BR_ERR_X509_FORBIDDEN_KEY_USAGE, "a certificate is not for this use"},
	{BR_ERR_X509_WEAK_PUBLIC_KEY, "a certificate has a weak key (RSA below 2048 bits)"},
};

/* BearSSL says the same of a certificate that is to be valid tomorrow. */
static void add_dates(const struct verifier *verifier, struct buf *out)
{
	struct slice certificate = certificate_of(verifier);
	br_x509_decoder_context leaf;
	char date[TEXT_DATE_MAX];
	br_x509_decoder_init(&leaf, NULL, NULL);
	br_x509_decoder_push(&leaf, certificate.at, certificate.len);
	int64_t begins = credentials_to_unix(leaf.notbefore_days, leaf.notbefore_seconds);
	int64_t ends = credentials_to_unix(leaf.notafter_days, leaf.notafter_seconds);
	int64_t now = time(NULL);
	if (now > ends)
		buf_printf(out, "the certificate has expired: it was valid until %s",
			text_of_time(date, ends));
	else if (now < begins)
		buf_printf(out,
			"the certificate is not valid before %s (is the clock of this machine "
			"right?)",
			text_of_time(date, begins));
	else
		buf_add_text(out, "a certificate of its chain has expired, or is not valid yet");
}

static void add_names(const struct verifier *verifier, struct buf *out)
{
	struct buf names = {0};
	names_add(certificate_of(verifier), &names);
	if (names.len > 0)
		buf_printf(out, "the certificate is for another name: %s", buf_text(&names));
	else
		buf_add_text(out, "the certificate names no host");
	buf_free(&names);
}

static void add_issuer(const struct verifier *verifier, struct buf *out)
{
	struct slice certificate = certificate_of(verifier);
	struct buf issuer = {0};
	if (names_is_self_signed(certificate)) {
		buf_printf(out, "the certificate is self-signed, and not among those in %s",
			trust_path(verifier->trust));
	} else {
		names_add_issuer(certificate, &issuer);
		buf_printf(out,
			"nobody known has signed the certificate (its signer is \"%s\"; those in "
			"%s are known), or the server keeps one back that belongs between",
			buf_text(&issuer), trust_path(verifier->trust));
	}
	buf_free(&issuer);
}

static void add_words(const struct verifier *verifier, int error, struct buf *out)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].error == error)
			buf_add_text(out, refusals[i].words);
	if (error == BR_ERR_X509_EXPIRED)
		add_dates(verifier, out);
	else if (error == BR_ERR_X509_BAD_SERVER_NAME)
		add_names(verifier, out);
	else if (error == BR_ERR_X509_NOT_TRUSTED)
		add_issuer(verifier, out);
	else if (out->len == 0)
		buf_printf(out, "a certificate cannot be read (BearSSL's error %d)", error);
}

bool verifier_why(const struct verifier *verifier, int error, struct err *e)
{
	struct buf words = {0};
	if (error <= BR_ERR_X509_OK || error > BR_ERR_X509_NOT_TRUSTED)
		return false;
	add_words(verifier, error, &words);
	err_set(e, ERR_DENIED, "%s", buf_text(&words));
	buf_free(&words);
	return true;
}

/* ---- our own chain, as its clients will see it ---- */

#define RSA_OCTETS_MIN 256

static int check_all(struct verifier *verifier, const struct tls_chain *chain)
{
	const br_x509_class **context = &verifier->chain.vtable;
	uint64_t now = (uint64_t)time(NULL);
	size_t count;
	const br_x509_certificate *certificates = credentials_certificates(chain, &count);
	br_x509_minimal_set_hash(&verifier->chain, br_md5_ID, NULL);
	br_x509_minimal_set_hash(&verifier->chain, br_sha1_ID, NULL);
	br_x509_minimal_set_minrsa(&verifier->chain, RSA_OCTETS_MIN);
	br_x509_minimal_set_time(&verifier->chain,
		(uint32_t)(now / 86400 + CREDENTIALS_DAYS_TO_1970), (uint32_t)(now % 86400));
	(*context)->start_chain(context, NULL);
	for (size_t i = 0; i < count; i++) {
		(*context)->start_cert(context, (uint32_t)certificates[i].data_len);
		(*context)->append(context, certificates[i].data, certificates[i].data_len);
		(*context)->end_cert(context);
	}
	buf_add(&verifier->certificate, certificates[0].data, certificates[0].data_len);
	return (int)(*context)->end_chain(context);
}

int tls_chain_verify(const struct tls_chain *chain, const struct tls_trust *trust, struct err *e)
{
	struct verifier *verifier = must_alloc(sizeof(*verifier));
	size_t count;
	const br_x509_trust_anchor *anchors = trust_anchors(trust, &count);
	br_x509_minimal_init_full(&verifier->chain, anchors, count);
	verifier->trust = trust;
	int error = check_all(verifier, chain);
	if (error != 0 && !verifier_why(verifier, error, e))
		err_set(e, ERR_DENIED, "a certificate cannot be read (BearSSL's error %d)", error);
	if (error == BR_ERR_X509_NOT_TRUSTED)
		e->kind = ERR_MISSING;
	verifier_free(verifier);
	return error == 0 ? 0 : -1;
}
