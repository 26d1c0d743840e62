/* Nothing here fails: a folder of a strange name is imported under a plainer one. */
#include "tools/port_names.h"
#include "base/text.h"
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* ---- UTF-7 of IMAP ---- */

/* Between "&" and "-": UTF-16 in base64. False: it is none; *out may hold some. */
static bool add_shifted(struct buf *out, struct slice text)
{
	uint32_t bits = 0, high = 0;
	int have = 0;
	for (size_t i = 0; i < text.len; i++) {
		const char *digit = text.at[i] ? strchr(digits, text.at[i]) : NULL;
		if (!digit)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have < 16)
			continue;
		have -= 16;
		uint32_t unit = bits >> have & 0xFFFF;
		bits &= (1u << have) - 1;
		bool low = unit >= 0xDC00 && unit <= 0xDFFF;
		if (low != (high != 0))
			return false;
		if (unit >= 0xD800 && unit < 0xDC00) {
			high = unit;
			continue;
		}
		text_add_utf8(
			out, low ? 0x10000 + ((high - 0xD800) << 10 | (unit - 0xDC00)) : unit);
		high = 0;
	}
	return high == 0 && have < 6 && bits == 0;
}

void names_from_utf7(struct buf *out, struct slice name)
{
	size_t before = out->len;
	struct slice rest = name;
	while (rest.len > 0) {
		struct slice plain = {rest.at, slice_find(rest, '&')};
		buf_add_slice(out, plain);
		rest = slice_from(rest, plain.len);
		if (rest.len == 0)
			return;
		size_t end = slice_find(rest, '-');
		struct slice shifted = {rest.at + 1, end - 1};
		bool good = end < rest.len;
		if (good && shifted.len == 0)
			buf_add_char(out, '&');
		else if (good)
			good = add_shifted(out, shifted);
		if (!good) {
			out->len = before;
			buf_add_slice(out, name);
			return;
		}
		rest = slice_from(rest, end + 1);
	}
}

static void add_unit(struct buf *out, uint32_t unit, uint32_t *bits, int *have)
{
	*bits = *bits << 16 | unit;
	for (*have += 16; *have >= 6; *have -= 6)
		buf_add_char(out, digits[*bits >> (*have - 6) & 63]);
	*bits &= (1u << *have) - 1;
}

/* Letters up to the next of ASCII; returns their octets. */
static size_t add_shift(struct buf *out, struct slice rest)
{
	uint32_t code, bits = 0;
	size_t taken = 0, len;
	int have = 0;
	buf_add_char(out, '&');
	while (taken < rest.len && (unsigned char)rest.at[taken] >= 0x80 &&
		(len = text_utf8(slice_from(rest, taken), &code)) > 0) {
		if (code >= 0x10000) {
			add_unit(out, 0xD800 + ((code - 0x10000) >> 10), &bits, &have);
			code = 0xDC00 + ((code - 0x10000) & 0x3FF);
		}
		add_unit(out, code, &bits, &have);
		taken += len;
	}
	if (have > 0)
		buf_add_char(out, digits[bits << (6 - have) & 63]);
	buf_add_char(out, '-');
	return taken;
}

void names_to_utf7(struct buf *out, struct slice name)
{
	while (name.len > 0) {
		uint32_t code;
		size_t taken = 1;
		if (*name.at == '&')
			buf_add_text(out, "&-");
		else if ((unsigned char)*name.at < 0x80 || text_utf8(name, &code) == 0)
			buf_add_char(out, *name.at);
		else
			taken = add_shift(out, name);
		name = slice_from(name, taken);
	}
}

/* ---- folders ---- */

/* The next letter, as a folder's name can have it; *taken octets of the other. */
static struct slice next_letter(struct slice rest, size_t *taken)
{
	uint32_t code;
	*taken = text_utf8(rest, &code);
	if (*taken == 0 || text_is_control(code) || strchr("@+", *rest.at)) {
		*taken = *taken ? *taken : 1;
		return SLICE("-");
	}
	return *rest.at == '/' ? SLICE(".") : (struct slice){rest.at, *taken};
}

bool names_to_folder(char folder[FOLDER_NAME_MAX], struct slice name)
{
	struct slice rest = slice_trim(name);
	struct buf out = {0};
	size_t taken;
	for (; rest.len > 0; rest = slice_from(rest, taken)) {
		struct slice letter = next_letter(rest, &taken);
		if (out.len + letter.len >= FOLDER_NAME_MAX)
			break;
		buf_add_slice(&out, letter);
	}
	struct slice made = slice_trim(buf_slice(&out));
	bool same = slice_equal(made, name);
	if (made.len == 0 || slice_equal_nocase(made, SLICE("INBOX")))
		made = SLICE(FOLDER_INBOX);
	memcpy(folder, made.at, made.len);
	folder[made.len] = '\0';
	buf_free(&out);
	return same;
}

void names_to_file(struct buf *out, struct slice folder)
{
	bool dot = slice_has_prefix(folder, SLICE("."));
	if (dot || slice_has_prefix(folder, SLICE("%2"))) {
		buf_add_text(out, dot ? "%2E" : "%25");
		folder = slice_from(folder, 1);
	}
	buf_add_slice(out, folder);
}

void names_from_file(struct buf *out, struct slice file)
{
	bool dot = slice_has_prefix(file, SLICE("%2E"));
	if (dot || slice_has_prefix(file, SLICE("%252"))) {
		buf_add_char(out, dot ? '.' : '%');
		file = slice_from(file, 3);
	}
	buf_add_slice(out, file);
}
