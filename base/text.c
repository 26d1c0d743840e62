/* Text forms of numbers, sizes, durations, times and octets. Everything a
 * stranger may have written is parsed here by hand: strtoul() and its kin take
 * signs, blanks and overflow. */
#include "base/text.h"
#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

_Static_assert(sizeof(time_t) >= 8 && sizeof(off_t) >= 8, "WIDE, in the Makefile");

bool text_to_number(struct slice text, unsigned digits, uint64_t *number)
{
	uint64_t value = 0;
	if (text.len == 0 || text.len > digits)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';
		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

bool text_to_any_number(struct slice text, uint64_t *number)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	if (text.len > 0 && !text_to_number(text, UINT_MAX, number))
		*number = UINT64_MAX;
	return text.len > 0;
}

/* A number and the unit behind it; 1 where there is none. */
static bool split_unit(
	struct slice text, const char *units, const uint64_t *factors, uint64_t *number)
{
	uint64_t factor = 1, value;
	const char *unit = text.len > 0 ? strchr(units, text.at[text.len - 1]) : NULL;
	if (unit && *unit) {
		factor = factors[unit - units];
		text.len--;
	}
	if (!text_to_number(text, 20, &value) || value > UINT64_MAX / factor)
		return false;
	*number = value * factor;
	return true;
}

bool text_to_size(struct slice text, uint64_t *octets)
{
	return split_unit(text, "KMG", (const uint64_t[]){1 << 10, 1 << 20, 1 << 30}, octets);
}

bool text_to_duration(struct slice text, int64_t *seconds)
{
	uint64_t value;
	char last = text.len > 0 ? text.at[text.len - 1] : '\0';
	if (!split_unit(text, "smhd", (const uint64_t[]){1, 60, 3600, 86400}, &value))
		return false;
	/* A bare number says nothing about its unit; only nothing needs none. */
	if ((last >= '0' && last <= '9' && value != 0) || value > INT64_MAX)
		return false;
	*seconds = (int64_t)value;
	return true;
}

const char *text_of_size(char text[TEXT_SIZE_MAX], uint64_t octets)
{
	static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
	if (octets < 1024) {
		snprintf(text, TEXT_SIZE_MAX, "%" PRIu64 " B", octets);
		return text;
	}
	size_t unit = 0;
	double value = (double)octets / 1024;
	for (; value >= 1023.95 && unit < 5; unit++)
		value /= 1024;
	snprintf(text, TEXT_SIZE_MAX, "%.1f %s", value, units[unit]);
	return text;
}

const char *text_of_mail_date(char text[TEXT_DATE_MAX], int64_t unix_seconds)
{
	struct tm tm;
	time_t when = (time_t)unix_seconds;
	/* The C locale: no setlocale() anywhere in the house. */
	if (!localtime_r(&when, &tm) ||
		strftime(text, TEXT_DATE_MAX, "%a, %d %b %Y %H:%M:%S %z", &tm) == 0)
		snprintf(text, TEXT_DATE_MAX, "Thu, 01 Jan 1970 00:00:00 +0000");
	return text;
}

const char *text_of_time(char text[TEXT_DATE_MAX], int64_t unix_seconds)
{
	struct tm tm;
	time_t when = (time_t)unix_seconds;
	if (!gmtime_r(&when, &tm) || strftime(text, TEXT_DATE_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(text, TEXT_DATE_MAX, "1970-01-01T00:00:00Z");
	return text;
}

static int base64_value(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return letter - 'A';
	if (letter >= 'a' && letter <= 'z')
		return letter - 'a' + 26;
	if (letter >= '0' && letter <= '9')
		return letter - '0' + 52;
	return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

bool text_from_base64(struct slice text, struct buf *out)
{
	size_t before = out->len;
	if (text.len % 4 != 0)
		return false;
	for (; text.len > 0; text = slice_from(text, 4)) {
		uint32_t group = 0;
		size_t letters = 4;
		if (text.len == 4 && text.at[3] == '=')
			letters = text.at[2] == '=' ? 2 : 3;
		for (size_t i = 0; i < 4; i++) {
			int value = i < letters ? base64_value(text.at[i]) : 0;
			if (value < 0)
				goto refuse;
			group = group << 6 | (uint32_t)value;
		}
		/* The bits that no octet holds are zero in the canonical form. */
		if ((letters == 2 && (group & 0xFFFF)) || (letters == 3 && (group & 0xFF)))
			goto refuse;
		const unsigned char three[3] = {(unsigned char)(group >> 16),
			(unsigned char)(group >> 8), (unsigned char)group};
		buf_add(out, three, letters - 1);
	}
	return true;

refuse:
	out->len = before;
	return false;
}

void text_add_base64(struct buf *out, const void *octets, size_t len)
{
	static const char letters[65] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = octets;
	for (size_t i = 0; i < len; i += 3) {
		size_t there = len - i < 3 ? len - i : 3;
		uint32_t group = 0;
		for (size_t j = 0; j < 3; j++)
			group = group << 8 | (j < there ? in[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			buf_add_char(out, j <= there ? letters[group >> (18 - 6 * j) & 63] : '=');
	}
}

bool text_from_xtext(struct slice text, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t before = out->len;
	for (size_t i = 0; i < text.len; i++) {
		char octet = text.at[i];
		if (octet == '+' && i + 2 < text.len) {
			const char *high = memchr(digits, text.at[++i], 16);
			const char *low = memchr(digits, text.at[++i], 16);
			if (!high || !low)
				goto refuse;
			octet = (char)((high - digits) << 4 | (low - digits));
		} else if (octet < 33 || octet > 126 || octet == '+' || octet == '=') {
			goto refuse;
		}
		buf_add_char(out, octet);
	}
	return true;

refuse:
	out->len = before;
	return false;
}

void text_add_xtext(struct buf *out, struct slice octets)
{
	for (size_t i = 0; i < octets.len; i++) {
		char c = octets.at[i];
		if (c > ' ' && c <= '~' && c != '+' && c != '=')
			buf_add_char(out, c);
		else
			buf_printf(out, "+%02X", (unsigned char)c);
	}
}

static const char hex_digits[17] = "0123456789abcdef";

void text_add_hex(struct buf *out, const void *octets, size_t len)
{
	const unsigned char *in = octets;
	for (size_t i = 0; i < len; i++) {
		buf_add_char(out, hex_digits[in[i] >> 4]);
		buf_add_char(out, hex_digits[in[i] & 15]);
	}
}

size_t text_utf8(struct slice text, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)text.at[0];
	size_t len = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	if (len == 0 || first > 0xF4 || len > text.len)
		return 0;
	*code = len == 1 ? first : first & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		unsigned char next = (unsigned char)text.at[i];
		if ((next & 0xC0) != 0x80)
			return 0;
		*code = *code << 6 | (next & 0x3F);
	}
	if (*code < least[len] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
		return 0;
	return len;
}

void text_add_utf8(struct buf *out, uint32_t code)
{
	static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
	int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	buf_add_char(out, (char)(lead[more] | code >> (6 * more)));
	while (more-- > 0)
		buf_add_char(out, (char)(0x80 | (code >> (6 * more) & 0x3F)));
}

bool text_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x200E || code == 0x200F ||
	       (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

int text_width(uint32_t code)
{
	/* wcwidth(3) knows these, but only of a locale, and there is none. After Unicode's
	 * EastAsianWidth.txt (W and F) and the category Mn, as whole blocks. */
	static const struct {
		uint32_t first, last;
		int width;
	} ranges[] = {
		{0x0300, 0x036F, 0},
		{0x0483, 0x0489, 0},
		{0x0591, 0x05BD, 0},
		{0x064B, 0x065F, 0},
		{0x0E34, 0x0E3A, 0},
		{0x0E47, 0x0E4E, 0},
		{0x1100, 0x115F, 2},
		{0x1AB0, 0x1AFF, 0},
		{0x1DC0, 0x1DFF, 0},
		{0x200B, 0x200D, 0},
		{0x20D0, 0x20FF, 0},
		{0x2E80, 0x303E, 2},
		{0x3041, 0x3098, 2},
		{0x3099, 0x309A, 0},
		{0x309B, 0x4DBF, 2},
		{0x4E00, 0xA4CF, 2},
		{0xA960, 0xA97F, 2},
		{0xAC00, 0xD7A3, 2},
		{0xF900, 0xFAFF, 2},
		{0xFE00, 0xFE0F, 0},
		{0xFE20, 0xFE2F, 0},
		{0xFE30, 0xFE6F, 2},
		{0xFEFF, 0xFEFF, 0},
		{0xFF01, 0xFF60, 2},
		{0xFFE0, 0xFFE6, 2},
		{0x1F300, 0x1F64F, 2},
		{0x1F680, 0x1F6FF, 2},
		{0x1F900, 0x1F9FF, 2},
		{0x20000, 0x3FFFD, 2},
		{0xE0100, 0xE01EF, 0},
	};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return ranges[i].width;
	return 1;
}

void text_fold(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] |= 0x20;
}

static bool is_printable(char octet)
{
	return octet >= 0x20 && octet <= 0x7E;
}

bool text_is_printable(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_printable(text.at[i]))
			return false;
	return true;
}

void text_add_escaped(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_printable(text.at[i])) {
			buf_add_char(out, text.at[i]);
		} else {
			buf_add_text(out, "\\x");
			text_add_hex(out, text.at + i, 1);
		}
	}
}

int64_t text_monotonic_ms(void)
{
	struct timespec now;
	int failed = clock_gettime(CLOCK_MONOTONIC, &now);
	assert(!failed);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
