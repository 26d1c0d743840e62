/* SASL exchanges and base64: a name and a password that come out hold no NUL,
 * and sent as PLAIN they come out again; only the canonical base64 of octets is
 * taken for them.
 *
 * Input: the argument of AUTH and the client's lines behind it, each ended by
 * LF. */
#include "base/sasl.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

static bool has_nul(const struct buf *text)
{
	return text->len > 0 && memchr(text->at, '\0', text->len);
}

static void read_base64(struct slice text)
{
	struct buf octets = {0}, again = {0};
	buf_add_text(&octets, "before");
	if (text_from_base64(text, &octets)) {
		text_add_base64(&again, octets.at + 6, octets.len - 6);
		assert(slice_equal(buf_slice(&again), text));
	} else {
		assert(octets.len == 6);
	}
	buf_free(&octets);
	buf_free(&again);
}

static void send_as_plain(const struct sasl *known)
{
	struct sasl sasl;
	struct buf message = {0}, argument = {0};
	buf_add_char(&message, '\0');
	buf_add_slice(&message, buf_slice(&known->user));
	buf_add_char(&message, '\0');
	buf_add_slice(&message, buf_slice(&known->password));
	buf_add_text(&argument, "PLAIN ");
	text_add_base64(&argument, message.at, message.len);
	assert(sasl_start(&sasl, buf_slice(&argument)) == SASL_DONE);
	assert(slice_equal(buf_slice(&sasl.user), buf_slice(&known->user)));
	assert(slice_equal(buf_slice(&sasl.password), buf_slice(&known->password)));
	sasl_end(&sasl);
	buf_free(&message);
	buf_free(&argument);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size);
	struct slice line = slice_cut(&rest, '\n');
	struct sasl sasl;
	unsigned challenges = 0;
	enum sasl_step step = sasl_start(&sasl, line);
	while (step == SASL_CHALLENGE) {
		assert(++challenges <= 2 && sasl.challenge);
		line = slice_cut(&rest, '\n');
		read_base64(line);
		step = sasl_next(&sasl, line);
	}
	read_base64(rest);
	assert(step != SASL_UNKNOWN || challenges == 0);
	if (step == SASL_DONE) {
		assert(sasl.user.len > 0 && !has_nul(&sasl.user) && !has_nul(&sasl.password));
		send_as_plain(&sasl);
	}
	sasl_end(&sasl);
	assert(sasl.user.at == NULL && sasl.password.at == NULL);
	return 0;
}
