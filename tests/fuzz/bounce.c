/* Reports and notices: whatever other servers and strangers have written, it is of the
 * fields, parts and blocks that it should be, ASCII in good lines but for a subject in
 * UTF-8; and what is attached is there octet for octet, declared for what it is.
 *
 * Input: what to write, and then with 0xFE between them sender, envelope id, address,
 * original recipient, status, host, reply, and the message. */
#include "store/bounce.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

enum { HELD = BOUNCE_RELAYED + 1, FORWARD_FAILED, CAME_BACK, KINDS };

static struct config config = {
	.hostname = "mail.kantor.example", .domains = "kantor.example", .per_hour = 500};

static const char *const letter_fields[] = {"From", "To", "Date", "Message-ID", "Auto-Submitted",
	"MIME-Version", "In-Reply-To", "References", "Subject", "Content-Type",
	"Content-Transfer-Encoding", NULL};
static const char *const message_fields[] = {
	"Original-Envelope-Id", "Reporting-MTA", "X-Officemail-Queue-Id", "Arrival-Date", NULL};
static const char *const recipient_fields[] = {"Original-Recipient", "Final-Recipient", "Action",
	"Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date", "Will-Retry-Until", NULL};

/* Cuts what stands before `end` off, and steps over it; it must be there. */
static struct slice cut_before(struct slice *rest, struct slice end)
{
	const char *at = memmem(rest->at, rest->len, end.at, end.len);
	assert(at);
	struct slice part = {rest->at, (size_t)(at - rest->at)};
	*rest = slice_from(*rest, part.len + end.len);
	return part;
}

/* Each line is a field or its fold, and the fields are of these, each once at most, in
 * this order. */
static void look_at_fields(struct slice fields, const char *const *names)
{
	while (fields.len > 0) {
		struct slice line = cut_before(&fields, SLICE("\r\n"));
		assert(line.len > 0);
		if (line.at[0] == ' ' || line.at[0] == '\t') {
			assert(slice_trim(line).len > 0);
			continue;
		}
		struct slice name = {line.at, slice_find(line, ':')};
		while (*names && !slice_equal(name, slice_of(*names)))
			names++;
		assert(*names++ && name.len < line.len);
	}
}

static void look_at_lines(struct slice text, bool may_be_utf8)
{
	while (text.len > 0) {
		struct slice line = cut_before(&text, SLICE("\r\n"));
		assert(line.len <= 998);
		if (line.len > 0 && line.at[0] == '\t')
			line = slice_from(line, 1);
		while (may_be_utf8 && line.len > 0) {
			uint32_t code = 0;
			size_t len = text_utf8(line, &code);
			assert(len > 0 && !text_is_control(code));
			line = slice_from(line, len);
		}
		assert(text_is_printable(line));
	}
}

/* Blocks of fields, a blank line between them: one of the message, one a recipient. */
static void look_at_status(struct slice status, size_t recipients)
{
	look_at_lines(status, false);
	const char *const *names = message_fields;
	for (; recipients > 0; recipients--) {
		struct slice block = cut_before(&status, SLICE("\r\n\r\n"));
		block.len += 2;
		look_at_fields(block, names);
		names = recipient_fields;
	}
	look_at_fields(status, names);
}

static void look_at_attached(struct slice part, struct slice original, bool whole)
{
	bool high = false;
	size_t line = 0, longest = 0, header = original.len;
	for (size_t i = 0; i + 4 <= original.len && header == original.len; i++)
		if (memcmp(original.at + i, "\r\n\r\n", 4) == 0)
			header = i + 2;
	if (slice_has_prefix(original, SLICE("\r\n")))
		header = 0;
	struct slice wanted = {original.at, whole ? original.len : header};
	for (size_t i = 0; i < wanted.len; i++) {
		line = wanted.at[i] == '\n' ? 0 : line + 1;
		high |= (unsigned char)wanted.at[i] > 127;
		longest = line > longest ? line : longest;
	}
	assert(slice_equal(cut_before(&part, SLICE("\r\n")),
		slice_of(whole ? "Content-Type: message/rfc822"
			       : "Content-Type: text/rfc822-headers")));
	assert(slice_equal(cut_before(&part, SLICE("\r\n\r\n")),
		slice_of(longest > 999 ? "Content-Transfer-Encoding: binary"
			 : high        ? "Content-Transfer-Encoding: 8bit"
				       : "Content-Transfer-Encoding: 7bit")));
	assert(slice_equal(part, wanted));
}

static void look_at_parts(struct slice body, struct slice boundary, unsigned kind,
	const struct bounce *bounce, bool whole, bool has_attached)
{
	struct buf delimiter = {0};
	buf_printf(&delimiter, "--%.*s", (int)boundary.len, boundary.at);
	assert(cut_before(&body, buf_slice(&delimiter)).len == 0);
	buf_clear(&delimiter);
	buf_printf(&delimiter, "\r\n--%.*s", (int)boundary.len, boundary.at);
	struct slice between = buf_slice(&delimiter);

	struct slice text = cut_before(&body, between);
	cut_before(&text, SLICE("\r\n\r\n"));
	look_at_lines(text, true);
	if (kind <= BOUNCE_RELAYED) {
		struct slice status = cut_before(&body, between);
		assert(slice_equal(cut_before(&status, SLICE("\r\n\r\n")),
			SLICE("\r\nContent-Type: message/delivery-status")));
		look_at_status(status, bounce->count);
	}
	if (has_attached) {
		struct slice attached = cut_before(&body, between);
		assert(cut_before(&attached, SLICE("\r\n")).len == 0);
		look_at_attached(attached, bounce->original, whole);
	}
	assert(slice_equal(body, SLICE("--\r\n")));
	buf_free(&delimiter);
}

static void look_at(struct slice letter, unsigned kind, const struct bounce *bounce)
{
	bool whole = bounce->original_is_whole && (kind == BOUNCE_FAILED || kind > HELD);
	struct slice header = cut_before(&letter, SLICE("\r\n\r\n"));
	header.len += 2;
	look_at_lines(header, false);
	look_at_fields(header, letter_fields);
	if (kind == HELD) {
		look_at_lines(letter, false);
		return;
	}
	cut_before(&header, SLICE("\r\n\tboundary=\""));
	struct slice boundary = cut_before(&header, SLICE("\""));
	assert(!memmem(bounce->original.at, bounce->original.len, boundary.at, boundary.len));
	bool has_attached = whole ? bounce->original.len > 0
				  : bounce->original.len > 0 &&
					    !slice_has_prefix(bounce->original, SLICE("\r\n"));
	look_at_parts(letter, boundary, kind, bounce, whole, has_attached);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size);
	struct bounce_recipient recipients[2] = {0};
	struct bounce bounce = {.queue_id = "4sKq0Zx1aBcD",
		.now = 1772427600,
		.until = 1772427600,
		.recipients = recipients};
	unsigned what = fuzz_octet(&in), kind = (what & 15) % KINDS;
	config.language = what & 16 ? LANGUAGE_ID : LANGUAGE_EN;
	bounce.original_is_whole = what & 32;
	bounce.count = what & 64 ? 2 : 1;
	bounce.sender = slice_cut(&in, '\xFE');
	bounce.envid = slice_cut(&in, '\xFE');
	recipients[0].address = slice_cut(&in, '\xFE');
	recipients[0].orcpt = slice_cut(&in, '\xFE');
	recipients[0].status = slice_cut(&in, '\xFE');
	recipients[0].host = slice_cut(&in, '\xFE');
	recipients[0].reply = slice_cut(&in, '\xFE');
	recipients[1] = recipients[0];
	recipients[1].attempted = 1772427600;
	bounce.original = in;

	struct buf out = {0};
	if (kind <= BOUNCE_RELAYED)
		bounce_report(&out, &config, (enum bounce_kind)kind, &bounce);
	else if (kind == HELD)
		bounce_held(&out, &config, bounce.now, bounce.sender, what);
	else if (kind == FORWARD_FAILED)
		bounce_forward_failed(&out, &config, &bounce);
	else
		bounce_forward_came_back(&out, &config, &bounce);
	look_at(buf_slice(&out), kind, &bounce);
	buf_free(&out);
	return 0;
}
