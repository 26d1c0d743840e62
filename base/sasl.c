/* SASL exchanges as the server sees them. Everything a client sends is taken
 * apart here, so that what comes out are a name and a password without NULs
 * and nothing else. */
#include "base/sasl.h"
#include "base/text.h"
#include <string.h>

enum { PLAIN, LOGIN };
enum { FIRST, LOGIN_PASSWORD };

static bool has_nul(struct slice text)
{
	return slice_find(text, '\0') < text.len;
}

/* authorisation identity NUL name NUL password (RFC 4616, 2). Nobody may act
 * as another, so an identity that is given must be the name. */
static enum sasl_step take_plain(struct sasl *sasl, struct slice message)
{
	struct slice rest = message;
	struct slice identity = slice_cut(&rest, '\0');
	struct slice name = slice_cut(&rest, '\0');
	/* Two NULs, no more: the password begins behind the second. */
	if (identity.len + name.len + 2 > message.len || has_nul(rest))
		return SASL_MALFORMED;
	if (name.len == 0 || (identity.len > 0 && !slice_equal_nocase(identity, name)))
		return SASL_MALFORMED;
	buf_add_slice(&sasl->user, name);
	buf_add_slice(&sasl->password, rest);
	return SASL_DONE;
}

static enum sasl_step take_login(struct sasl *sasl, struct slice message)
{
	if (has_nul(message))
		return SASL_MALFORMED;
	if (sasl->stage == LOGIN_PASSWORD) {
		buf_add_slice(&sasl->password, message);
		return SASL_DONE;
	}
	if (message.len == 0)
		return SASL_MALFORMED;
	buf_add_slice(&sasl->user, message);
	sasl->stage = LOGIN_PASSWORD;
	sasl->challenge = "UGFzc3dvcmQ6"; /* "Password:" */
	return SASL_CHALLENGE;
}

static enum sasl_step take_response(struct sasl *sasl, struct slice base64)
{
	struct buf message = {0};
	enum sasl_step step = SASL_MALFORMED;
	buf_reserve(&message, base64.len); /* so that it never moves and leaves a copy */
	if (text_from_base64(base64, &message)) {
		struct slice octets = buf_slice(&message);
		step = sasl->mechanism == PLAIN ? take_plain(sasl, octets)
						: take_login(sasl, octets);
	}
	buf_wipe(&message);
	return step;
}

enum sasl_step sasl_start(struct sasl *sasl, struct slice argument)
{
	struct slice response = slice_trim(argument);
	struct slice name = slice_cut(&response, ' ');
	*sasl = (struct sasl){0};
	if (slice_equal_nocase(name, SLICE("PLAIN"))) {
		sasl->mechanism = PLAIN;
		sasl->challenge = "";
	} else if (slice_equal_nocase(name, SLICE("LOGIN"))) {
		sasl->mechanism = LOGIN;
		sasl->challenge = "VXNlcm5hbWU6"; /* "Username:" */
	} else {
		return SASL_UNKNOWN;
	}
	response = slice_trim(response);
	if (response.len == 0)
		return SASL_CHALLENGE;
	if (slice_equal(response, SLICE("=")))
		response = SLICE("");
	return take_response(sasl, response);
}

enum sasl_step sasl_next(struct sasl *sasl, struct slice line)
{
	if (slice_equal(line, SLICE("*")))
		return SASL_CANCELLED;
	return take_response(sasl, line);
}

void sasl_end(struct sasl *sasl)
{
	buf_wipe(&sasl->user);
	buf_wipe(&sasl->password);
}
