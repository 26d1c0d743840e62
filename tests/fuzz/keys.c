/* The keys role, asked by hostile sessions and deliveries: it signs handshakes once a
 * channel, mail for deliveries alone, with the keys it holds, and what it signed is a
 * signature of that digest; every question is answered or its channel ended.
 *
 * Input: an octet: the service; then frames, each an octet: its type (odd: a
 * digest of a handshake, 0xFE: of mail), and for a handshake's: hash, key, length and
 * octets; for mail: selector, length and octets; else length and octets. */
#include "tests/fuzz/role.h"
#include "tests/unit/tls_client.h"

#define FRAMES_MOST 8
#define OF_MAIL     0xFE

static struct fuzz_office office;
static struct fuzz_role role = {.name = "keys", .run = keys_run};
static struct tls_chain *chain;
static struct tls_key *dkim_key;
static const br_ec_public_key *public;
static br_x509_decoder_context leaf;

/* The master hands a key on, and it is taken. */
static void hand_key(unsigned type, struct buf *body, const char *name, unsigned taken)
{
	struct frame frame;
	struct err e;
	int fd = tls_client_open_data(name);
	pack_text(body, name);
	struct iovec part = {body->at, body->len};
	assert(fd >= 0 && channel_send(&role.master, type, &part, 1, &fd, 1, &e) == 0);
	assert(channel_receive(&role.master, &frame, &e) == 1 && frame.type == taken);
	close(fd);
	buf_free(body);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct buf body = {0};
	struct err e;
	size_t count;
	(void)argc, (void)argv;
	fuzz_office_open(&office);
	fuzz_role_start(&role, &office.config, fuzz_run_dir(&office.config));
	fuzz_role_wait(&role);
	chain = tls_client_read_chain("ec256.pem", &e);
	dkim_key = tls_client_read_key("rsa.key", &e);
	assert(chain && dkim_key);
	pack_fixed(&body, tls_chain_key_id(chain), TLS_KEY_ID_SIZE);
	hand_key(MASTER_KEY_FILE, &body, "ec256.key", MASTER_KEY_TAKEN);
	pack_text(&body, "office");
	hand_key(MASTER_DKIM_KEY, &body, "rsa.key", MASTER_DKIM_TAKEN);

	const br_x509_certificate *certificate = credentials_certificates(chain, &count);
	br_x509_decoder_init(&leaf, NULL, NULL);
	br_x509_decoder_push(&leaf, certificate->data, certificate->data_len);
	public = &br_x509_decoder_get_pkey(&leaf)->key.ec;
	return 0;
}

/* A digest that could be of a handshake, or not. */
static unsigned pack_question(struct buf *body, struct slice *in, struct slice *hash)
{
	static const unsigned ids[] = {br_sha256_ID, br_sha384_ID, br_sha512_ID, br_sha1_ID, 0,
		br_md5sha1_ID, 255, br_sha224_ID};
	unsigned char key_id[TLS_KEY_ID_SIZE];
	unsigned id = ids[fuzz_octet(in) & 7], key = fuzz_octet(in);
	memcpy(key_id, tls_chain_key_id(chain), sizeof(key_id));
	key_id[key % sizeof(key_id)] ^= (unsigned char)(key >> 5);
	*hash = fuzz_take(in, fuzz_octet(in));
	pack_fixed(body, key_id, sizeof(key_id));
	pack_number(body, id);
	pack_slice(body, *hash);
	return key >> 5 ? 0 : id;
}

/* In what a curve of 256 bits takes of it: BearSSL signs that, but does not verify
 * what it signed. */
static bool is_zero(struct slice hash)
{
	hash.len = hash.len < 32 ? hash.len : 32;
	while (hash.len > 0 && hash.at[0] == 0)
		hash = slice_from(hash, 1);
	return hash.len == 0;
}

static bool is_signature(struct slice signature, struct slice hash)
{
	return br_ecdsa_vrfy_asn1_get_default()(br_ec_get_default(), hash.at, hash.len, public,
		       signature.at, signature.len) == 1;
}

/* A digest that could be of mail, or not; returns whether it can be signed. */
static bool pack_mail(struct buf *body, struct slice *in, struct slice *hash)
{
	unsigned selector = fuzz_octet(in);
	pack_text(body, selector & 1 ? "office" : "oficce");
	*hash = fuzz_take(in, fuzz_octet(in));
	if (hash->len < DIGEST_SIZE) {
		buf_add_slice(body, *hash);
		return false;
	}
	pack_fixed(body, hash->at, DIGEST_SIZE);
	buf_add(body, hash->at + DIGEST_SIZE, hash->len - DIGEST_SIZE);
	return selector & 1 && hash->len == DIGEST_SIZE;
}

static bool is_dkim_signature(struct slice signature, struct slice hash)
{
	unsigned char wanted[TLS_SIGNATURE_MAX];
	size_t len = tls_key_sign_sha256(dkim_key, (const unsigned char *)hash.at, wanted);
	return slice_equal(signature, (struct slice){(const char *)wanted, len});
}

/* The next frame; false: the channel has ended. *asked counts handshakes. */
static bool ask(struct channel *channel, bool delivery, struct slice *in, unsigned *asked)
{
	struct buf body = {0};
	struct slice hash = {0};
	struct frame frame;
	struct err e;
	unsigned type = fuzz_octet(in), hash_id = 0;
	bool signable = false;
	if (type & 1) {
		type = REQUEST_SIGN;
		hash_id = pack_question(&body, in, &hash);
	} else if (type == OF_MAIL) {
		type = REQUEST_SIGN_DKIM;
		signable = pack_mail(&body, in, &hash);
	} else {
		buf_add_slice(&body, fuzz_take(in, fuzz_octet(in)));
	}
	bool answered =
		channel_send_buf(channel, type, &body, &e) == 0 && fuzz_hear(channel, &frame);
	buf_free(&body);
	assert(answered || !(delivery && signable));
	if (!answered)
		return false;
	assert(frame.type == ANSWER_OK || frame.type == ROLE_ERROR);
	if (type == REQUEST_SIGN_DKIM) {
		assert(delivery && (frame.type == ANSWER_OK) == signable);
		assert(!signable || is_dkim_signature(frame.body, hash));
		return true;
	}
	assert(type == REQUEST_SIGN && !delivery && ++*asked == 1);
	if (frame.type == ANSWER_OK)
		assert(hash_id != 0 && (is_zero(hash) || is_signature(frame.body, hash)));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size);
	unsigned asked = 0;
	unsigned service = fuzz_octet(&in);
	service = service & 0x80 ? SERVICE_DELIVERY : service & 3;
	struct channel channel = fuzz_join(&role, service, "unix");
	for (int i = 0; i < FRAMES_MOST && in.len > 0; i++)
		if (!ask(&channel, service == SERVICE_DELIVERY, &in, &asked))
			break;
	fuzz_leave(&channel);
	return 0;
}
