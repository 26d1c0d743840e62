/* One look ahead, no recursion. */
#include "tools/port_json.h"
#include "base/text.h"
#include <string.h>
#include <time.h>

static int wrong(const struct json_reader *in, const char *wanted, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "it is damaged at octet %zu, where %s should stand",
		in->at + 1, wanted);
}

static char peek(struct json_reader *in)
{
	while (in->at < in->text.len && in->text.at[in->at] &&
		strchr(" \t\r\n", in->text.at[in->at]))
		in->at++;
	return in->at < in->text.len ? in->text.at[in->at] : '\0';
}

static bool take(struct json_reader *in, char octet)
{
	if (peek(in) != octet)
		return false;
	in->at++;
	return true;
}

int json_enter(struct json_reader *in, char bracket, struct err *e)
{
	if (!take(in, bracket))
		return wrong(in, bracket == '[' ? "a list" : "an object", e);
	return !take(in, bracket == '[' ? ']' : '}');
}

int json_more(struct json_reader *in, char bracket, struct err *e)
{
	if (take(in, ','))
		return 1;
	return take(in, bracket) ? 0 : wrong(in, "a comma or the end of the list", e);
}

int json_end(struct json_reader *in, struct err *e)
{
	peek(in);
	return in->at == in->text.len ? 0 : wrong(in, "its end", e);
}

/* ---- texts ---- */

static bool take_hex(struct json_reader *in, uint32_t *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, in->at++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		char octet = in->at < in->text.len ? in->text.at[in->at] : '\0';
		const char *digit = octet ? strchr(digits, octet) : NULL;
		if (!digit)
			return false;
		*code = *code << 4 | (uint32_t)((digit - digits) & 15);
	}
	return true;
}

/* Behind the backslash. */
static bool take_escape(struct json_reader *in, struct buf *text)
{
	static const char names[] = "\"\\/bfnrt", octets[] = "\"\\/\b\f\n\r\t";
	uint32_t code, low;
	char octet = in->at < in->text.len ? in->text.at[in->at++] : '\0';
	const char *name = octet ? strchr(names, octet) : NULL;
	if (name) {
		buf_add_char(text, octets[name - names]);
		return true;
	}
	if (octet != 'u' || !take_hex(in, &code))
		return false;
	if (code >= 0xD800 && code < 0xDC00) { /* one half of a pair */
		if (!slice_has_prefix(slice_from(in->text, in->at), SLICE("\\u")))
			return false;
		in->at += 2;
		if (!take_hex(in, &low) || low < 0xDC00 || low > 0xDFFF)
			return false;
		code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
	} else if (code >= 0xDC00 && code <= 0xDFFF) {
		return false;
	}
	text_add_utf8(text, code);
	return true;
}

int json_text(struct json_reader *in, struct buf *text, struct err *e)
{
	buf_clear(text);
	if (!take(in, '"'))
		return wrong(in, "a text in quotes", e);
	while (in->at < in->text.len) {
		char octet = in->text.at[in->at++];
		if (octet == '"')
			return 0;
		if (octet != '\\')
			buf_add_char(text, octet);
		else if (!take_escape(in, text))
			break;
	}
	return wrong(in, "the end of a text", e);
}

int json_key(struct json_reader *in, struct buf *key, struct err *e)
{
	if (json_text(in, key, e) < 0)
		return -1;
	return take(in, ':') ? 0 : wrong(in, "a colon", e);
}

void json_add_text(struct buf *out, struct slice text)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char octet = (unsigned char)text.at[i];
		if (octet == '"' || octet == '\\')
			buf_add_char(out, '\\');
		if (octet < 0x20 || octet == 0x7F)
			buf_printf(out, "\\u%04x", octet);
		else
			buf_add_char(out, (char)octet);
	}
	buf_add_char(out, '"');
}

/* ---- other values ---- */

/* A number, true, false, null: up to what ends it. */
static struct slice take_word(struct json_reader *in)
{
	peek(in);
	size_t from = in->at;
	while (in->at < in->text.len && in->text.at[in->at] &&
		!strchr(" \t\r\n,]}[{:\"", in->text.at[in->at]))
		in->at++;
	return (struct slice){in->text.at + from, in->at - from};
}

int json_number(struct json_reader *in, uint64_t *number, struct err *e)
{
	return text_to_number(take_word(in), 18, number) ? 0 : wrong(in, "a number", e);
}

int json_skip(struct json_reader *in, struct err *e)
{
	struct buf text = {0};
	int result = 0;
	if (peek(in) == '"')
		result = json_text(in, &text, e);
	else if (take_word(in).len == 0)
		result = wrong(in, "a text, a number, true, false or null", e);
	buf_free(&text);
	return result;
}

/* So many digits, and the octet behind them. */
static bool cut_digits(struct slice *rest, unsigned digits, char behind, int *number)
{
	uint64_t value;
	if (rest->len <= digits || rest->at[digits] != behind ||
		!text_to_number((struct slice){rest->at, digits}, digits, &value))
		return false;
	*number = (int)value;
	*rest = slice_from(*rest, digits + 1);
	return true;
}

int json_time(struct json_reader *in, int64_t *unix_seconds, struct err *e)
{
	struct buf text = {0};
	struct tm when = {0};
	if (json_text(in, &text, e) < 0) {
		buf_free(&text);
		return -1;
	}
	struct slice rest = buf_slice(&text);
	bool good = cut_digits(&rest, 4, '-', &when.tm_year) &&
		    cut_digits(&rest, 2, '-', &when.tm_mon) &&
		    cut_digits(&rest, 2, 'T', &when.tm_mday) &&
		    cut_digits(&rest, 2, ':', &when.tm_hour) &&
		    cut_digits(&rest, 2, ':', &when.tm_min) &&
		    cut_digits(&rest, 2, 'Z', &when.tm_sec) && rest.len == 0;
	buf_free(&text);
	when.tm_year -= 1900;
	when.tm_mon--;
	*unix_seconds = timegm(&when);
	return good ? 0 : wrong(in, "a time like 2026-03-02T03:00:00Z", e);
}
