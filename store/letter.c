/* Letters of the office. What is written here by us has short lines of printable
 * ASCII; the one exception is the subject of a message, which people know it by. */
#include "store/letter.h"
#include "base/digest.h"
#include "base/header.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_GOOD       72  /* octets, where there are blanks to break at */
#define LINE_MOST       998 /* RFC 5322, 2.1.1 */
#define RANDOM_LETTERS  24
#define SUBJECT_LETTERS 100

/* ---- words and lines ---- */

void letter_add_words(struct buf *out, struct slice words)
{
	size_t before = out->len;
	bool cut = words.len > LETTER_WORDS_MOST;
	text_add_escaped(out, cut ? (struct slice){words.at, LETTER_WORDS_MOST} : words);
	if (cut || out->len - before > LETTER_WORDS_MOST) {
		out->len = before + LETTER_WORDS_MOST - strlen("...");
		buf_add_text(out, "...");
	}
}

void letter_add_time(struct buf *out, const struct config *config, int64_t unix_seconds)
{
	static const char *const months[][12] = {
		[LANGUAGE_EN] = {"January", "February", "March", "April", "May", "June", "July",
			"August", "September", "October", "November", "December"},
		[LANGUAGE_ID] = {"Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli",
			"Agustus", "September", "Oktober", "November", "Desember"},
	};
	struct tm tm;
	time_t when = (time_t)unix_seconds;
	if (!localtime_r(&when, &tm))
		return;
	buf_printf(out,
		config->language == LANGUAGE_ID ? "%d %s %d pukul %02d.%02d %s"
						: "%d %s %d, %02d:%02d %s",
		tm.tm_mday, months[config->language][tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
		tm.tm_min, tm.tm_zone);
}

/* Cuts the next word off, and says how many blanks stood before it. */
static struct slice cut_word(struct slice *text, size_t *blanks)
{
	const char *begin = text->at;
	*text = slice_trim(*text);
	*blanks = (size_t)(text->at - begin);
	struct slice word = {text->at, slice_find(*text, ' ')};
	*text = slice_from(*text, word.len);
	return word;
}

void letter_add_paragraph(struct buf *out, unsigned indent, struct slice text)
{
	size_t column = 0, blanks;
	while (slice_trim(text).len > 0) {
		struct slice word = cut_word(&text, &blanks);
		if (column > 0 && column + 1 + word.len > LINE_GOOD) {
			buf_add_text(out, "\r\n");
			column = 0;
		}
		buf_printf(out, "%*s", column > 0 ? 1 : (int)indent, "");
		buf_add_slice(out, word);
		column += (column > 0 ? 1 : indent) + word.len;
	}
	buf_add_text(out, "\r\n\r\n");
}

void letter_add_field(struct buf *out, const char *name, struct slice value)
{
	size_t column = strlen(name) + 1, blanks;
	value = slice_trim(value);
	if (value.len == 0)
		return;
	buf_printf(out, "%s: ", name);
	while (value.len > 0) {
		struct slice word = cut_word(&value, &blanks);
		if (blanks > 0 && column + blanks + word.len > LINE_GOOD) {
			buf_add_text(out, "\r\n");
			column = 0;
		}
		buf_printf(out, "%*s", (int)blanks, "");
		buf_add_slice(out, word);
		column += blanks + word.len;
	}
	buf_add_text(out, "\r\n");
}

/* ---- what a message says of itself ---- */

struct slice letter_header_of(struct slice message)
{
	if (slice_has_prefix(message, SLICE("\r\n")))
		return (struct slice){message.at, 0};
	const char *end = message.len > 0 ? memmem(message.at, message.len, "\r\n\r\n", 4) : NULL;
	return end ? (struct slice){message.at, (size_t)(end + 2 - message.at)} : message;
}

bool letter_quote_field(struct buf *out, struct slice header, const char *name)
{
	struct header_field field;
	struct buf line = {0};
	if (!header_find(header, name, &field))
		return false;
	for (size_t i = 0; i < field.body.len; i++) {
		char octet = field.body.at[i];
		if (octet != '\r' && octet != '\n')
			buf_add_char(&line, octet == '\t' ? ' ' : octet);
	}
	struct slice text = slice_trim(buf_slice(&line));
	bool good = text.len > 0 && text.len <= LETTER_WORDS_MOST && text_is_printable(text);
	if (good)
		buf_add_slice(out, text);
	buf_free(&line);
	return good;
}

void letter_add_subject(struct buf *out, struct slice header)
{
	struct header_field field;
	struct buf decoded = {0};
	if (!header_find(header, "Subject", &field))
		return;
	header_add_decoded(&decoded, field.body);
	struct slice rest = buf_slice(&decoded);
	for (unsigned letters = 0; rest.len > 0; letters++) {
		uint32_t code = 0;
		size_t len = text_utf8(rest, &code);
		if (letters == SUBJECT_LETTERS) {
			buf_add_text(out, "...");
			break;
		}
		if (len > 0 && !text_is_control(code))
			buf_add(out, rest.at, len);
		else
			buf_add_char(out, '?');
		rest = slice_from(rest, len > 0 ? len : 1);
	}
	buf_free(&decoded);
}

/* ---- header and parts ---- */

void letter_begin(struct buf *out, const struct config *config, struct slice to, int64_t now,
	const char *automatic)
{
	char date[TEXT_DATE_MAX], id[RANDOM_LETTERS + 1];
	struct buf value = {0};
	struct slice domain;
	if (!config_word(config->domains, 0, &domain))
		domain = slice_of(config->hostname);
	buf_printf(&value,
		config->language == LANGUAGE_ID ? "\"Sistem email %s\" <postmaster@%.*s>"
						: "\"Mail system of %s\" <postmaster@%.*s>",
		config->hostname, (int)domain.len, domain.at);
	letter_add_field(out, "From", buf_slice(&value));
	buf_clear(&value);
	if (to.len > 0) {
		buf_add_char(&value, '<');
		letter_add_words(&value, to);
		buf_add_char(&value, '>');
	} else {
		buf_printf(&value, "<postmaster@%.*s>", (int)domain.len, domain.at);
	}
	letter_add_field(out, "To", buf_slice(&value));
	buf_free(&value);

	digest_random_text(id, RANDOM_LETTERS);
	buf_printf(out, "Date: %s\r\nMessage-ID: <%s@%s>\r\n", text_of_mail_date(date, now), id,
		config->hostname);
	buf_printf(out, "Auto-Submitted: %s\r\nMIME-Version: 1.0\r\n", automatic);
}

enum encoding { ENCODING_7BIT, ENCODING_8BIT, ENCODING_BINARY };

/* The least that these octets can be declared to be. */
static enum encoding encoding_of(struct slice octets)
{
	enum encoding least = ENCODING_7BIT;
	for (size_t i = 0; i < octets.len && least == ENCODING_7BIT; i++)
		if ((unsigned char)octets.at[i] > 127)
			least = ENCODING_8BIT;
	while (octets.len > 0)
		if (slice_cut(&octets, '\n').len > LINE_MOST + 1) /* the CR */
			return ENCODING_BINARY;
	return least;
}

static void add_encoding(struct buf *out, enum encoding encoding)
{
	static const char *const names[] = {"7bit", "8bit", "binary"};
	buf_printf(out, "Content-Transfer-Encoding: %s\r\n", names[encoding]);
}

void letter_add_text(struct buf *out, struct slice text)
{
	enum encoding encoding = encoding_of(text);
	if (text.len >= 4 && memcmp(text.at + text.len - 4, "\r\n\r\n", 4) == 0)
		text.len -= 2; /* what stands between paragraphs */
	buf_printf(out, "Content-Type: text/plain; charset=%s\r\n",
		encoding == ENCODING_7BIT ? "us-ascii" : "utf-8");
	add_encoding(out, encoding);
	buf_add_text(out, "\r\n");
	buf_add_slice(out, text);
}

/* "=_" stands in no quoted-printable or base64; it occurs nowhere in `attached`. */
static void make_boundary(char boundary[RANDOM_LETTERS + 3], struct slice attached)
{
	memcpy(boundary, "=_", 2);
	do
		digest_random_text(boundary + 2, RANDOM_LETTERS);
	while (attached.len > 0 && memmem(attached.at, attached.len, boundary, RANDOM_LETTERS + 2));
}

void letter_add_parts(struct buf *out, const struct letter_parts *parts)
{
	char boundary[RANDOM_LETTERS + 3];
	struct slice attached = parts->whole ? parts->attached : letter_header_of(parts->attached);
	enum encoding encoding = encoding_of(attached), text = encoding_of(parts->text);
	make_boundary(boundary, attached);

	buf_printf(
		out, "Content-Type: multipart/%s;\r\n\tboundary=\"%s\"\r\n", parts->kind, boundary);
	add_encoding(out, encoding > text ? encoding : text);
	buf_printf(out, "\r\n--%s\r\n", boundary);
	letter_add_text(out, parts->text);
	if (parts->status.len > 0) {
		buf_printf(
			out, "\r\n--%s\r\nContent-Type: message/delivery-status\r\n\r\n", boundary);
		buf_add_slice(out, parts->status);
	}
	if (attached.len > 0) {
		buf_printf(out, "\r\n--%s\r\nContent-Type: %s\r\n", boundary,
			parts->whole ? "message/rfc822" : "text/rfc822-headers");
		add_encoding(out, encoding);
		buf_add_text(out, "\r\n");
		buf_add_slice(out, attached);
	}
	buf_printf(out, "\r\n--%s--\r\n", boundary);
}
