/* Addresses as the wire (MAIL, RCPT) and as the store read them: what comes out
 * is printable ASCII with one "@" outside of quotes, read again it is the same,
 * and what smtpd takes means to the store what it meant to smtpd.
 *
 * Input: "FROM:<...>", "TO:<...>" or an address. */
#include "smtpd/address.h"
#include "base/syntax.h"
#include "base/text.h"
#include "store/address.h"
#include "tests/fuzz/fuzz.h"

static size_t count_ats(const char *address)
{
	size_t count = 0;
	bool quoted = false;
	for (const char *c = address; *c; c++) {
		if (quoted && *c == '\\')
			c++;
		else if (*c == '"')
			quoted = !quoted;
		else
			count += *c == '@' && !quoted;
	}
	assert(!quoted);
	return count;
}

static void read_by_store(struct slice text)
{
	struct address address, again, base;
	struct slice tag;
	struct err e;
	if (address_read(&address, text, &e) < 0) {
		assert(e.kind == ERR_INPUT && e.text[0]);
		/* What office.ini takes for an address the store takes too. */
		assert(!syntax_is_address(text));
		return;
	}
	struct slice whole = slice_of(address.text);
	assert(text_is_printable(whole) && count_ats(address.text) == 1);
	assert(address.text[address.at] == '@');
	assert(address_is_domain(address_domain(&address)));
	assert(address.quoted == !address_is_plain(address_local(&address)));
	assert(address_read(&again, whole, &e) == 0 && address_equal(&address, &again));
	assert(again.at == address.at && again.quoted == address.quoted);
	if (address_cut_tag(&address, &base, &tag)) {
		assert(tag.at >= address.text && tag.at + tag.len == address.text + address.at);
		assert(base.at > 0 && base.at + 1 + tag.len == address.at);
		assert(slice_equal(address_domain(&base), address_domain(&address)));
	}
}

static void read_path(struct slice text, enum address_role role)
{
	char address[ADDRESS_MAX], again[ADDRESS_MAX];
	struct slice rest = text;
	struct buf path = {0};
	enum address_fault fault = address_take_path(&rest, role, SLICE(""), address);
	if (fault != ADDRESS_GOOD) {
		assert(rest.at == text.at && rest.len == text.len && address[0] == '\0');
		return;
	}
	assert(rest.at + rest.len == text.at + text.len && rest.at[-1] == '>');
	struct slice taken = slice_of(address);
	bool without_domain = role == ADDRESS_SENDER
				      ? taken.len == 0
				      : slice_equal_nocase(taken, SLICE("postmaster"));
	assert(text_is_printable(taken));
	assert(count_ats(address) == (without_domain ? 0 : 1));

	buf_add_text(&path, role == ADDRESS_SENDER ? "FROM:<" : "TO:<");
	buf_add_slice(&path, taken);
	buf_add_char(&path, '>');
	struct slice printed = buf_slice(&path);
	assert(address_take_path(&printed, role, SLICE(""), again) == ADDRESS_GOOD);
	assert(printed.len == 0 && strcmp(address, again) == 0);
	buf_free(&path);

	struct address stored;
	struct err e;
	if (without_domain || address_read(&stored, taken, &e) < 0)
		return;
	text_fold(again, taken.len);
	assert(strcmp(stored.text, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	read_path(text, ADDRESS_SENDER);
	read_path(text, ADDRESS_RECIPIENT);
	read_by_store(text);
	return 0;
}
