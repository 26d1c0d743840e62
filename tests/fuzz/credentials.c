/* Certificates and keys: PEM as an admin gives it, and DER inside of it.
 *
 * Input: an octet that says what it is, and the octets: PEM, or DER that the
 * target puts in PEM. */
#include "base/credentials.h"
#include "base/der.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice octets = fuzz_input(data, size);
	struct buf pem = {0};
	const char *name = names[fuzz_octet(&octets) % (sizeof(names) / sizeof(names[0]))];
	if (name) {
		walk_der(octets, 0);
		add_pem(&pem, name, octets);
	} else {
		buf_add_slice(&pem, octets);
	}
	int fd = fuzz_file(buf_slice(&pem), NULL);
	read_chain(fd);
	read_key(fd);
	close(fd);
	buf_free(&pem);
	return 0;
}
