/* The self-signed certificate, DER octet by octet, and keys.
 *
 * It is no authority (CA:FALSE): Thunderbird lets a person trust such a
 * certificate for one server, but none that could sign others. */
#include "base/cert.h"
#include "base/der.h"
#include "base/digest.h"
#include <assert.h>
#include <bearssl.h>
#include <string.h>
#include <time.h>

#define DAYS_VALID   825 /* Apple's clients believe no longer ones */
#define RSA_BITS     2048
#define RSA_EXPONENT 65537

#define OID_ECDSA_SHA256      SLICE("\x2A\x86\x48\xCE\x3D\x04\x03\x02")
#define OID_EC_PUBLIC_KEY     SLICE("\x2A\x86\x48\xCE\x3D\x02\x01")
#define OID_P256              SLICE("\x2A\x86\x48\xCE\x3D\x03\x01\x07")
#define OID_COMMON_NAME       SLICE("\x55\x04\x03")
#define OID_BASIC_CONSTRAINTS SLICE("\x55\x1D\x13")
#define OID_KEY_USAGE         SLICE("\x55\x1D\x0F")
#define OID_EXTENDED_USAGE    SLICE("\x55\x1D\x25")
#define OID_ALTERNATIVE_NAMES SLICE("\x55\x1D\x11")
#define OID_SERVER_AUTH       SLICE("\x2B\x06\x01\x05\x05\x07\x03\x01")

struct key_pair {
	br_ec_private_key private;
	br_ec_public_key public;
	unsigned char private_octets[BR_EC_KBUF_PRIV_MAX_SIZE];
	unsigned char public_octets[BR_EC_KBUF_PUB_MAX_SIZE];
};

static void begin_random(br_hmac_drbg_context *random)
{
	unsigned char seed[32];
	digest_random(seed, sizeof(seed));
	br_hmac_drbg_init(random, &br_sha256_vtable, seed, sizeof(seed));
	wipe(seed, sizeof(seed));
}

static void make_key(struct key_pair *pair)
{
	br_hmac_drbg_context random;
	begin_random(&random);
	br_ec_keygen(&random.vtable, br_ec_get_default(), &pair->private, pair->private_octets,
		BR_EC_secp256r1);
	br_ec_compute_pub(br_ec_get_default(), &pair->public, pair->public_octets, &pair->private);
	wipe(&random, sizeof(random));
}

static void add_slice(struct buf *out, unsigned tag, struct slice body)
{
	der_add(out, tag, body.at, body.len);
}

static void add_algorithm(struct buf *out)
{
	size_t begin = out->len;
	add_slice(out, DER_OID, OID_ECDSA_SHA256);
	der_wrap(out, begin, DER_SEQUENCE);
}

/* A Name of one CN. Clients look at subjectAltName; this is for people. */
static void add_name(struct buf *out, struct slice hostname)
{
	size_t begin = out->len;
	/* A CN has at most 64 characters (RFC 5280, appendix A.1). */
	add_slice(out, DER_OID, OID_COMMON_NAME);
	add_slice(out, DER_UTF8, hostname.len <= 64 ? hostname : SLICE("officemail"));
	der_wrap(out, begin, DER_SEQUENCE);
	der_wrap(out, begin, DER_SET);
	der_wrap(out, begin, DER_SEQUENCE);
}

/* UTCTime has two digits for the year, up to 2049. (RFC 5280, 4.1.2.5) */
static void add_time(struct buf *out, time_t when)
{
	struct tm utc;
	char text[32];
	gmtime_r(&when, &utc);
	bool is_late = utc.tm_year >= 150;
	size_t len = strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &utc);
	size_t skip = is_late ? 0 : 2;
	der_add(out, is_late ? DER_GENERALIZED_TIME : DER_UTC_TIME, text + skip, len - skip);
}

static void add_public_key(struct buf *out, const br_ec_public_key *key)
{
	size_t begin = out->len, bits;
	add_slice(out, DER_OID, OID_EC_PUBLIC_KEY);
	add_slice(out, DER_OID, OID_P256);
	der_wrap(out, begin, DER_SEQUENCE);
	bits = out->len;
	buf_add_char(out, 0); /* unused bits */
	buf_add(out, key->q, key->qlen);
	der_wrap(out, bits, DER_BIT_STRING);
	der_wrap(out, begin, DER_SEQUENCE);
}

static void add_extension(struct buf *out, struct slice oid, bool critical, struct slice value)
{
	size_t begin = out->len;
	add_slice(out, DER_OID, oid);
	if (critical)
		add_slice(out, DER_BOOLEAN, SLICE("\xFF"));
	add_slice(out, DER_OCTET_STRING, value);
	der_wrap(out, begin, DER_SEQUENCE);
}

static void add_extensions(struct buf *out, struct slice hostname, bool loopback)
{
	static const char ipv4[] = {127, 0, 0, 1};
	static const char ipv6[16] = {[15] = 1};
	struct buf usage = {0}, names = {0};
	size_t begin = out->len;
	add_slice(&usage, DER_OID, OID_SERVER_AUTH);
	der_wrap(&usage, 0, DER_SEQUENCE);

	add_slice(&names, DER_CONTEXT(2), hostname);
	if (loopback) {
		if (!slice_equal_nocase(hostname, SLICE("localhost")))
			add_slice(&names, DER_CONTEXT(2), SLICE("localhost"));
		der_add(&names, DER_CONTEXT(7), ipv4, sizeof(ipv4));
		der_add(&names, DER_CONTEXT(7), ipv6, sizeof(ipv6));
	}
	der_wrap(&names, 0, DER_SEQUENCE);

	add_extension(out, OID_BASIC_CONSTRAINTS, true, SLICE("\x30\x00")); /* CA:FALSE */
	add_extension(out, OID_KEY_USAGE, true, SLICE("\x03\x02\x07\x80")); /* digitalSignature */
	add_extension(out, OID_EXTENDED_USAGE, false, buf_slice(&usage));
	add_extension(out, OID_ALTERNATIVE_NAMES, false, buf_slice(&names));
	der_wrap(out, begin, DER_SEQUENCE);
	der_wrap(out, begin, DER_CONTEXT_CONSTRUCTED(3));
	buf_free(&usage);
	buf_free(&names);
}

/* What is signed. (RFC 5280, 4.1) */
static void add_tbs(struct buf *out, const struct key_pair *pair, struct slice hostname,
	bool loopback, int64_t now)
{
	time_t begins = (time_t)(now - 3600);
	time_t ends = begins + (time_t)DAYS_VALID * 86400 - 1; /* both included */
	unsigned char serial[16];
	size_t begin = out->len, part;
	part = out->len;
	add_slice(out, DER_INTEGER, SLICE("\x02")); /* v3 */
	der_wrap(out, part, DER_CONTEXT_CONSTRUCTED(0));

	digest_random(serial, sizeof(serial));
	serial[0] = (serial[0] & 0x3F) | 0x40; /* positive, and as long as it looks */
	der_add(out, DER_INTEGER, serial, sizeof(serial));
	add_algorithm(out);
	add_name(out, hostname);
	part = out->len;
	add_time(out, begins);
	add_time(out, ends);
	der_wrap(out, part, DER_SEQUENCE);
	add_name(out, hostname);
	add_public_key(out, &pair->public);
	add_extensions(out, hostname, loopback);
	der_wrap(out, begin, DER_SEQUENCE);
}

static void add_signature(struct buf *out, const struct key_pair *pair)
{
	unsigned char hash[DIGEST_SIZE];
	char signature[80]; /* for P-256: 72 at most */
	size_t begin;
	digest_sha256(hash, out->at, out->len);
	size_t len = br_ecdsa_sign_asn1_get_default()(
		br_ec_get_default(), &br_sha256_vtable, hash, &pair->private, signature);
	add_algorithm(out);
	begin = out->len;
	buf_add_char(out, 0); /* unused bits */
	buf_add(out, signature, len);
	der_wrap(out, begin, DER_BIT_STRING);
}

static void add_pem(struct buf *out, const char *banner, const void *octets, size_t len)
{
	size_t pem_len = br_pem_encode(NULL, octets, len, banner, BR_PEM_LINE64);
	/* One more for the NUL that the encoder sets. */
	br_pem_encode(buf_reserve(out, pem_len + 1), octets, len, banner, BR_PEM_LINE64);
	out->len += pem_len;
}

int cert_make_self_signed(const char *hostname, bool loopback, int64_t now, struct buf *certificate,
	struct buf *key, struct err *e)
{
	struct slice name = slice_of(hostname);
	struct key_pair pair;
	struct buf der = {0};
	/* RFC 1035, 2.3.4, without the dot of the root. */
	if (name.len == 0 || name.len > 253)
		return err_set(e, ERR_INPUT,
			"a certificate needs a host name of 1 to 253 letters, not %zu", name.len);

	make_key(&pair);
	add_tbs(&der, &pair, name, loopback, now);
	add_signature(&der, &pair);
	der_wrap(&der, 0, DER_SEQUENCE);
	add_pem(certificate, "CERTIFICATE", der.at, der.len);

	buf_clear(&der);
	size_t len = br_encode_ec_pkcs8_der(NULL, &pair.private, &pair.public);
	br_encode_ec_pkcs8_der(buf_reserve(&der, len), &pair.private, &pair.public);
	add_pem(key, "PRIVATE KEY", der.at, len);
	buf_wipe(&der);
	wipe(&pair, sizeof(pair));
	wipe_stack();
	return 0;
}

void cert_make_rsa_key(struct buf *key)
{
	struct {
		br_hmac_drbg_context random;
		br_rsa_private_key private;
		unsigned char private_octets[BR_RSA_KBUF_PRIV_SIZE(RSA_BITS)];
		unsigned char exponent[RSA_BITS / 8];
	} made;
	br_rsa_public_key public;
	unsigned char public_octets[BR_RSA_KBUF_PUB_SIZE(RSA_BITS)];
	struct buf der = {0};
	begin_random(&made.random);
	uint32_t done = br_rsa_keygen_get_default()(&made.random.vtable, &made.private,
		made.private_octets, &public, public_octets, RSA_BITS, RSA_EXPONENT);
	size_t len =
		br_rsa_compute_privexp_get_default()(made.exponent, &made.private, RSA_EXPONENT);
	assert(done && len > 0 && len <= sizeof(made.exponent));

	size_t der_len = br_encode_rsa_pkcs8_der(NULL, &made.private, &public, made.exponent, len);
	br_encode_rsa_pkcs8_der(
		buf_reserve(&der, der_len), &made.private, &public, made.exponent, len);
	add_pem(key, "PRIVATE KEY", der.at, der_len);
	buf_wipe(&der);
	wipe(&made, sizeof(made));
	wipe_stack();
}
