/* Certificates and keys: PEM as an admin gives it, and DER inside of it, which a
 * server may also show to us.
 *
 * Input: an octet that says what it is, and the octets: PEM, or DER that the
 * target puts in PEM. */
#include "base/credentials.h"
#include "base/cert.h"
#include "base/der.h"
#include "base/names.h"
#include "base/text.h"
#include "base/trust.h"
#include "base/verify.h"
#include "tests/fuzz/fuzz.h"
#include <time.h>

static const char *const names[] = {
	NULL, "CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"};

static void add_pem(struct buf *out, const char *name, struct slice der)
{
	buf_printf(out, "-----BEGIN %s-----\n", name);
	while (der.len > 0) {
		struct slice line = fuzz_take(&der, 48);
		text_add_base64(out, line.at, line.len);
		buf_add_char(out, '\n');
	}
	buf_printf(out, "-----END %s-----\n", name);
}

/* Values lie side by side in what they were cut from, and written again they
 * are read as they were. */
static void walk_der(struct slice rest, int depth)
{
	struct slice body, again;
	unsigned tag, tag_again;
	const char *end = rest.at + rest.len;
	for (const char *at = rest.at; der_next(&rest, &tag, &body); at = rest.at) {
		struct buf value = {0};
		assert(body.at > at && body.at + body.len == rest.at);
		assert(rest.at + rest.len == end);
		der_add(&value, tag, body.at, body.len);
		struct slice written = buf_slice(&value);
		assert(der_next(&written, &tag_again, &again) && written.len == 0);
		assert(tag_again == tag && slice_equal(again, body));
		buf_free(&value);
		if ((tag & 0x20) && depth < 16)
			walk_der(body, depth + 1);
	}
}

static void read_chain(int fd)
{
	struct tls_chain *chain;
	struct err e;
	size_t count;
	if (tls_chain_read(&chain, fd, "input", &e) < 0) {
		assert(e.kind == ERR_INPUT && e.text[0]);
		return;
	}
	assert(credentials_certificates(chain, &count) && count > 0);
	tls_chain_expires(chain);
	assert(!tls_chain_names(chain, ""));
	tls_chain_names(chain, "mail.kantor.example");
	tls_chain_free(chain);
}

static void read_key(int fd)
{
	struct tls_key *key;
	struct tls_signing what = {.hash_id = br_sha256_ID, .hash_len = br_sha256_SIZE};
	unsigned char signature[TLS_SIGNATURE_MAX];
	struct err e;
	if (tls_key_read(&key, fd, "input", &e) < 0) {
		assert(e.kind == ERR_INPUT && e.text[0]);
		return;
	}
	memcpy(what.key_id, tls_key_id(key), sizeof(what.key_id));
	assert(tls_key_sign(key, &what, signature) <= sizeof(signature));
	what.key_id[0] ^= 1;
	assert(tls_key_sign(key, &what, signature) == 0);
	tls_key_free(key);
}

/* A certificate that can be believed, and that no input can hold. */
static struct buf good;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct buf key = {0};
	struct err e;
	(void)argc;
	(void)argv;
	int made = cert_make_self_signed("mail.kantor.example", false, time(NULL), &good, &key, &e);
	assert(made == 0);
	buf_wipe(&key);
	return 0;
}

/* Whatever stands in front of it in a bundle, the good one is found. */
static struct tls_trust *read_trust(struct slice text)
{
	struct tls_trust *trust;
	struct buf bundle = {0};
	struct err e;
	buf_add_slice(&bundle, text);
	buf_add_char(&bundle, '\n');
	buf_add_slice(&bundle, buf_slice(&good));
	int fd = fuzz_file(buf_slice(&bundle), NULL);
	int outcome = tls_trust_read(&trust, fd, "input", &e);
	assert(outcome == 0);
	close(fd);
	buf_free(&bundle);
	return trust;
}

static void tell_names(struct slice certificate)
{
	struct buf words = {0};
	names_add(certificate, &words);
	names_add_issuer(certificate, &words);
	assert(text_is_printable(buf_slice(&words)));
	assert(!names_hold_address(certificate, SLICE("")));
	names_is_self_signed(certificate);
	buf_free(&words);
}

/* Shows a certificate as a server does: nobody has signed it whom `trust` has. */
static void show(const struct tls_trust *trust, struct slice certificate)
{
	static br_ssl_client_context client;
	struct verifier *verifier = must_alloc(sizeof(*verifier));
	const br_x509_class **engine = &verifier->vtable;
	struct err e = {0};
	size_t count = 0;
	const br_x509_trust_anchor *anchors = trust ? trust_anchors(trust, &count) : NULL;
	verifier_init(verifier, trust, "mail.kantor.example");
	br_ssl_client_init_full(&client, &verifier->chain, anchors, count);
	(*engine)->start_chain(engine, "mail.kantor.example");
	(*engine)->start_cert(engine, (uint32_t)certificate.len);
	if (certificate.len > 0)
		(*engine)->append(engine, (const unsigned char *)certificate.at, certificate.len);
	(*engine)->end_cert(engine);
	unsigned error = (*engine)->end_chain(engine);
	assert(error != 0 || !trust);
	if (error == 0) {
		assert((*engine)->get_pkey(engine, NULL));
	} else {
		assert(verifier_why(verifier, (int)error, &e));
		assert(e.kind == ERR_DENIED && e.text[0] && text_is_printable(slice_of(e.text)));
	}
	verifier_free(verifier);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice octets = fuzz_input(data, size);
	struct buf pem = {0};
	const char *name = names[fuzz_octet(&octets) % (sizeof(names) / sizeof(names[0]))];
	if (name) {
		walk_der(octets, 0);
		tell_names(octets);
		show(NULL, octets);
		add_pem(&pem, name, octets);
	} else {
		buf_add_slice(&pem, octets);
	}
	int fd = fuzz_file(buf_slice(&pem), NULL);
	read_chain(fd);
	read_key(fd);
	close(fd);
	struct tls_trust *trust = read_trust(buf_slice(&pem));
	struct tls_trust *alone = read_trust(SLICE(""));
	if (name)
		show(alone, octets);
	tls_trust_free(trust);
	tls_trust_free(alone);
	buf_free(&pem);
	return 0;
}
