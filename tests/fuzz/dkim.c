/* A message that is signed: a verifier that goes by RFC 6376 with all of the message at
 * hand finds the same digest and the same hash of the body, however it was cut; what is
 * signed admits no second author.
 *
 * Input: an octet: the span in which it comes; the octets of a message. */
#include "smtpd/dkim.h"
#include "base/header.h"
#include "base/text.h"
#include "smtpd/mend.h"
#include "tests/fuzz/stored.h"
#include <stdlib.h>

#define NOW         1772420400
#define FIELDS_MOST 4096

static const struct config config = {
	.domains = "kantor.example cabang.example", .dkim_selector = "office"};

static bool sign(struct slice message, size_t span, struct buf *field, unsigned char *digest)
{
	struct dkim *dkim = dkim_new();
	while (message.len > 0) {
		struct slice part = fuzz_take(&message, span);
		char *copy = fuzz_copy(part);
		dkim_take(dkim, (struct slice){copy, part.len});
		free(copy);
	}
	bool is_signed = dkim_digest(dkim, &config, NOW, field, digest);
	dkim_free(dkim);
	return is_signed;
}

/* Adds a line with its blanks as the relaxed form has them. */
static void add_relaxed(struct buf *out, struct slice line)
{
	size_t begin = out->len;
	for (size_t i = 0; i < line.len; i++) {
		bool blank = line.at[i] == ' ' || line.at[i] == '\t';
		if (!blank || out->len == begin || out->at[out->len - 1] != ' ')
			buf_add_char(out, blank ? ' ' : line.at[i]);
	}
	if (out->len > begin && out->at[out->len - 1] == ' ')
		out->len--;
}

static void hash_body(struct slice body, unsigned char hash[DIGEST_SIZE])
{
	struct buf form = {0};
	while (body.len > 0) {
		struct slice line = slice_cut(&body, '\n');
		line.len -= line.len > 0; /* the CR */
		add_relaxed(&form, line);
		buf_add_text(&form, "\r\n");
	}
	while (form.len >= 4 && memcmp(form.at + form.len - 4, "\r\n\r\n", 4) == 0)
		form.len -= 2;
	if (form.len == 2)
		form.len = 0;
	digest_sha256(hash, form.at, form.len);
	buf_free(&form);
}

/* The value of a tag of the field, folds and blanks taken out. */
static void add_tag(struct buf *out, struct slice field, const char *name)
{
	field = slice_from(field, slice_find(field, ':') + 1);
	while (field.len > 0) {
		struct slice value = slice_cut(&field, ';');
		struct buf plain = {0};
		for (size_t i = 0; i < value.len; i++)
			if (!memchr(" \t\r\n", value.at[i], 4))
				buf_add_char(&plain, value.at[i]);
		struct slice rest = buf_slice(&plain);
		if (slice_equal(slice_cut(&rest, '='), slice_of(name)))
			buf_add_slice(out, rest);
		buf_free(&plain);
	}
}

static void add_field(struct buf *out, struct slice name, struct slice body)
{
	struct buf plain = {0};
	for (size_t i = 0; i < name.len; i++)
		buf_add_char(out, name.at[i] >= 'A' && name.at[i] <= 'Z' ? (char)(name.at[i] | 32)
									 : name.at[i]);
	buf_add_char(out, ':');
	for (size_t i = 0; i < body.len; i++)
		if (body.at[i] != '\r' && body.at[i] != '\n')
			buf_add_char(&plain, body.at[i]);
	add_relaxed(out, slice_trim(buf_slice(&plain)));
	buf_free(&plain);
}

/* What h= names of the header, each from the bottom up. */
static void add_named(struct buf *out, struct slice header, struct slice names)
{
	static struct header_field fields[FIELDS_MOST];
	static bool used[FIELDS_MOST];
	size_t count = 0, missing = 0;
	while (count < FIELDS_MOST && header_next(&header, &fields[count]))
		used[count++] = false;
	assert(count < FIELDS_MOST);
	while (names.len > 0) {
		struct slice name = slice_cut(&names, ':');
		size_t n = count;
		while (n > 0 && (used[n - 1] || !slice_equal_nocase(fields[n - 1].name, name)))
			n--;
		missing += n == 0 && slice_equal(name, SLICE("From"));
		if (n == 0)
			continue;
		used[n - 1] = true;
		add_field(out, name, fields[n - 1].body);
		buf_add_text(out, "\r\n");
	}
	assert(missing == 1);
}

static void verify(struct slice message, struct slice field, const unsigned char *digest)
{
	struct buf tag = {0}, wanted = {0}, form = {0};
	unsigned char hash[DIGEST_SIZE];
	size_t length = mend_header_length(message);
	hash_body(slice_from(message, length), hash);
	text_add_base64(&wanted, hash, sizeof(hash));
	add_tag(&tag, field, "bh");
	assert(slice_equal(buf_slice(&tag), buf_slice(&wanted)));

	buf_clear(&tag);
	add_tag(&tag, field, "h");
	add_named(&form, (struct slice){message.at, length}, buf_slice(&tag));
	add_field(&form, SLICE("DKIM-Signature"), slice_from(field, slice_find(field, ':') + 1));
	digest_sha256(hash, form.at, form.len);
	assert(memcmp(hash, digest, sizeof(hash)) == 0);
	buf_free(&tag);
	buf_free(&wanted);
	buf_free(&form);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size < FIELDS_MOST ? size : FIELDS_MOST);
	struct buf message = {0}, field = {0}, again = {0};
	unsigned char digest[DIGEST_SIZE], same[DIGEST_SIZE];
	size_t span = fuzz_octet(&in) + 1;
	stored_add(&message, in, false);
	stored_end_line(&message);
	if (mend_header_length(buf_slice(&message)) == 0)
		buf_add_text(&message, "\r\n");
	bool is_signed = sign(buf_slice(&message), span, &field, digest);
	assert(sign(buf_slice(&message), message.len, &again, same) == is_signed);
	assert(slice_equal(buf_slice(&field), buf_slice(&again)));
	if (is_signed) {
		assert(memcmp(digest, same, sizeof(same)) == 0);
		verify(buf_slice(&message), buf_slice(&field), digest);
		for (struct slice rest = buf_slice(&field); rest.len > 0;)
			assert(slice_cut(&rest, '\n').len < 78);
	}
	buf_free(&message);
	buf_free(&field);
	buf_free(&again);
	return 0;
}
