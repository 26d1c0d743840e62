/* One pass, left to right, no backing up: what an address is must not depend
 * on which "@" or ">" somebody searches for first. Percent signs, bangs and
 * slashes are plain letters; nothing here gives them a meaning. */
#include "smtpd/address.h"
#include "base/syntax.h"
#include "store/address.h"

struct reader {
	struct slice rest;
	char *address;
	size_t len;
	enum address_fault fault;
};

static int peek(const struct reader *in)
{
	return in->rest.len > 0 ? (unsigned char)in->rest.at[0] : -1;
}

static void step(struct reader *in)
{
	in->rest = slice_from(in->rest, 1);
}

static void put(struct reader *in, char octet)
{
	if (in->len + 1 < ADDRESS_MAX)
		in->address[in->len++] = octet;
	else
		in->fault = ADDRESS_MALFORMED;
}

static bool fail(struct reader *in)
{
	in->fault = peek(in) > '~' ? ADDRESS_NOT_ASCII : ADDRESS_MALFORMED;
	return false;
}

static void take(struct reader *in)
{
	put(in, (char)peek(in));
	step(in);
}

static bool read_quoted(struct reader *in)
{
	char text[ADDRESS_MAX];
	size_t len = 0;
	for (step(in); peek(in) != '"'; step(in)) {
		if (peek(in) == '\\')
			step(in);
		if (peek(in) < ' ' || peek(in) > '~' || len == sizeof(text))
			return fail(in);
		text[len++] = (char)peek(in);
	}
	step(in);
	bool quote = !address_is_plain((struct slice){text, len});
	if (quote)
		put(in, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			put(in, '\\');
		put(in, text[i]);
	}
	if (quote)
		put(in, '"');
	return true;
}

static bool read_local_part(struct reader *in)
{
	size_t start = in->len;
	if (peek(in) == '"')
		return read_quoted(in);
	while (syntax_is_atext((char)peek(in)) || peek(in) == '.')
		take(in);
	return in->len > start || fail(in);
}

/* [192.0.2.1], [IPv6:2001:db8::1]: none is ever ours, so what is inside does
 * not matter beyond its letters. */
static bool read_literal(struct reader *in)
{
	size_t start = in->len;
	take(in);
	while (syntax_is_letter_or_digit((char)peek(in)) || peek(in) == '.' || peek(in) == ':' ||
		peek(in) == '-')
		take(in);
	if (peek(in) != ']' || in->len == start + 1)
		return fail(in);
	take(in);
	return true;
}

static bool read_domain(struct reader *in)
{
	size_t start = in->len;
	if (peek(in) == '[')
		return read_literal(in);
	while (syntax_is_letter_or_digit((char)peek(in)) || peek(in) == '.' || peek(in) == '-' ||
		peek(in) == '_')
		take(in);
	return address_is_domain((struct slice){in->address + start, in->len - start}) || fail(in);
}

static bool read_mailbox(struct reader *in, enum address_role role, struct slice domain)
{
	if (role == ADDRESS_SENDER && peek(in) == '>')
		return true;
	if (!read_local_part(in))
		return false;
	if (role == ADDRESS_RECIPIENT && peek(in) == '>' &&
		slice_equal_nocase((struct slice){in->address, in->len}, SLICE("postmaster")))
		return true;
	if (peek(in) == '>' && domain.len > 0) {
		put(in, '@');
		for (size_t i = 0; i < domain.len; i++)
			put(in, domain.at[i]);
		return true;
	}
	if (peek(in) != '@')
		return fail(in);
	take(in);
	return read_domain(in);
}

enum address_fault address_take_path(
	struct slice *text, enum address_role role, struct slice domain, char address[ADDRESS_MAX])
{
	struct slice keyword = role == ADDRESS_SENDER ? SLICE("FROM:") : SLICE("TO:");
	struct reader in = {.rest = slice_from(*text, keyword.len), .address = address};
	address[0] = '\0';
	if (text->len < keyword.len ||
		!slice_equal_nocase((struct slice){text->at, keyword.len}, keyword))
		return ADDRESS_NO_PATH;
	while (peek(&in) == ' ' || peek(&in) == '\t')
		step(&in);
	if (peek(&in) != '<')
		return ADDRESS_NO_PATH;
	step(&in);
	if (read_mailbox(&in, role, domain) && peek(&in) != '>')
		fail(&in);
	address[in.fault == ADDRESS_GOOD ? in.len : 0] = '\0';
	if (in.fault != ADDRESS_GOOD)
		return in.fault;
	step(&in);
	*text = in.rest;
	return ADDRESS_GOOD;
}
