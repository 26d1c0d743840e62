/* The header of a message. It came from a stranger: lines that are no fields
 * are stepped over, folds may stand anywhere, encoded words may be broken. */
#include "base/header.h"
#include "base/syntax.h"
#include "base/text.h"
#include <string.h>

/* The first line of *rest, its LF and a CR before it not counted. */
static struct slice cut_line(struct slice *rest)
{
	struct slice line = slice_cut(rest, '\n');
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool begins_with_blank(struct slice text)
{
	return text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t');
}

/* The name in front of the colon; empty if the line is no field. */
static struct slice field_name(struct slice line)
{
	size_t colon = slice_find(line, ':');
	if (colon == line.len || begins_with_blank(line))
		return (struct slice){0};
	struct slice name = slice_trim((struct slice){line.at, colon});
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < 33 || name.at[i] > 126)
			return (struct slice){0};
	return name;
}

bool header_next(struct slice *header, struct header_field *field)
{
	while (header->len > 0) {
		struct slice rest = *header;
		struct slice line = cut_line(&rest);
		if (line.len == 0)
			return false;
		struct slice name = field_name(line);
		const char *end = line.at + line.len;
		while (begins_with_blank(rest)) {
			struct slice fold = cut_line(&rest);
			end = fold.at + fold.len;
		}
		*header = rest;
		if (name.len == 0)
			continue;
		const char *body = line.at + slice_find(line, ':') + 1;
		*field = (struct header_field){name, {body, (size_t)(end - body)}};
		return true;
	}
	return false;
}

size_t header_length(struct slice text)
{
	struct slice rest = text, next = text;
	while (field_name(cut_line(&next)).len > 0) {
		while (begins_with_blank(next))
			cut_line(&next);
		rest = next;
	}
	return text.len - rest.len;
}

bool header_find(struct slice header, const char *name, struct header_field *field)
{
	struct header_field next;
	while (header_next(&header, &next)) {
		if (slice_equal_nocase(next.name, slice_of(name))) {
			*field = next;
			return true;
		}
	}
	return false;
}

/* ---- address lists (RFC 5322, 3.4) ---- */

/* Steps over a comment, comments inside it, and its quoted pairs; false: it has
 * no end. */
static bool step_over_comment(struct slice *rest)
{
	size_t depth = 0;
	do {
		if (rest->len == 0)
			return false;
		char c = rest->at[0];
		depth += c == '(';
		depth -= c == ')';
		*rest = slice_from(*rest, c == '\\' ? 2 : 1);
	} while (depth > 0);
	return true;
}

/* The length of the quoted string in front, quotes included; 0: it has no end. */
static size_t quoted_length(struct slice text)
{
	size_t len = 1;
	while (len < text.len && text.at[len] != '"')
		len += text.at[len] == '\\' ? 2 : 1;
	return len < text.len ? len + 1 : 0;
}

/* Takes a quoted string as it stands. */
static bool take_quoted(struct slice *rest, struct buf *out)
{
	size_t len = quoted_length(*rest);
	buf_add(out, rest->at, len);
	*rest = slice_from(*rest, len);
	return len > 0;
}

/* A mailbox of a list as it is taken apart. */
struct mailbox {
	struct buf words; /* outside angles: an address, or somebody's name */
	struct buf angled;
	bool has_angles, inside;
	bool like_address; /* what is outside holds an "@" that is not quoted */
	bool named;        /* and is a name all the same, where angles follow */
};

/* Takes the next octet; false: this is no list of mailboxes. */
static bool take_octet(struct mailbox *mailbox, char c)
{
	struct buf *to = mailbox->inside ? &mailbox->angled : &mailbox->words;
	if (c == '<') {
		if (mailbox->has_angles)
			return false;
		mailbox->has_angles = mailbox->inside = true;
		return true;
	}
	if (c == '>') {
		if (!mailbox->inside)
			return false;
		mailbox->inside = false;
		buf_clear(&mailbox->words);
		return true;
	}
	if (c == ':' && !mailbox->inside) { /* what was before it named a group */
		buf_clear(&mailbox->words);
		return !mailbox->has_angles && !mailbox->like_address;
	}
	if (c == '\\') /* does it take the meaning from a quote that follows? */
		return false;
	mailbox->like_address |= c == '@' && !mailbox->inside;
	buf_add_char(to, c == '\t' || c == '\r' || c == '\n' ? ' ' : c);
	return true;
}

/* Cuts a mailbox off the list; false: it cannot be read. *address is empty
 * where nothing stood between two commas. What looks like an address in front of
 * angles is a mailbox of its own: there are readers who take it for the author. */
static bool cut_mailbox(struct slice *list, struct slice *address, struct mailbox *mailbox)
{
	bool good = true;
	for (bool ended = false; good && !ended && list->len > 0;) {
		char c = list->at[0];
		struct buf *to = mailbox->inside ? &mailbox->angled : &mailbox->words;
		ended = !mailbox->inside && (c == ',' || c == ';');
		if (c == '<' && mailbox->like_address && !mailbox->named)
			break;
		if (c == '(') {
			good = step_over_comment(list);
			buf_add_char(to, ' ');
		} else if (c == '"') {
			good = take_quoted(list, to);
		} else {
			good = ended || take_octet(mailbox, c);
			*list = slice_from(*list, 1);
		}
	}
	struct slice words = slice_trim(buf_slice(&mailbox->words));
	*address = mailbox->has_angles ? slice_trim(buf_slice(&mailbox->angled)) : words;
	if (mailbox->has_angles && (words.len > 0 || address->len == 0))
		return false; /* something behind the angles, or nothing in them */
	return good && !mailbox->inside && slice_find(*address, '\n') == address->len;
}

static bool add_mailboxes(struct slice list, struct buf *authors)
{
	size_t count = 0;
	bool good = true;
	while (good && list.len > 0) {
		struct mailbox mailbox = {0};
		struct slice address;
		good = cut_mailbox(&list, &address, &mailbox);
		if (good && address.len > 0) {
			buf_add_slice(authors, address);
			buf_add_char(authors, '\n');
			good = ++count <= HEADER_AUTHORS_MOST;
		}
		buf_free(&mailbox.words);
		buf_free(&mailbox.angled);
	}
	return good && count > 0;
}

bool header_authors(struct slice header, struct buf *authors)
{
	struct header_field field;
	size_t found = 0;
	bool good = true;
	while (good && header_next(&header, &field))
		if (slice_equal_nocase(field.name, SLICE("From")) && ++found == 1)
			good = add_mailboxes(field.body, authors);
	return good && found == 1;
}

bool header_add_addresses(struct buf *out, struct slice list)
{
	bool good = true;
	while (good && list.len > 0) {
		struct mailbox mailbox = {.named = true};
		struct slice address;
		good = cut_mailbox(&list, &address, &mailbox);
		if (good && address.len > 0) {
			buf_add_slice(out, address);
			buf_add_char(out, '\n');
		}
		buf_free(&mailbox.words);
		buf_free(&mailbox.angled);
	}
	return good;
}

static bool is_bare(struct slice address)
{
	for (size_t i = 0; i < address.len; i++)
		if (!syntax_is_atext(address.at[i]) && address.at[i] != '.')
			return false;
	return address.len > 0;
}

/* Where the bare address stands in its mailbox's text: outside of comments and quotes,
 * behind "<" or the name of a group. text.len: nowhere. */
static size_t find_bare(struct slice text, bool has_angles, struct slice address)
{
	char opener = has_angles ? '<' : ':';
	bool opened = !has_angles; /* a group's name may come, and may look like it */
	size_t at = text.len;
	for (struct slice rest = text; rest.len > 0;) {
		if (rest.at[0] == opener) {
			opened = true;
			at = text.len;
		}
		size_t len = 1;
		if (opened && at == text.len && slice_has_prefix(rest, address)) {
			at = (size_t)(rest.at - text.at);
			len = address.len;
		} else if (rest.at[0] == '"') {
			len = quoted_length(rest);
		} else if (rest.at[0] == '(') {
			step_over_comment(&rest);
			len = 0;
		}
		rest = slice_from(rest, len);
	}
	return at;
}

/* False: it cannot be read. */
static bool qualify_mailbox(
	struct buf *out, struct slice *list, struct slice domain, bool *qualified)
{
	struct mailbox mailbox = {0};
	struct slice address, text = *list;
	bool good = cut_mailbox(list, &address, &mailbox);
	text.len -= list->len;
	size_t at =
		good && is_bare(address) ? find_bare(text, mailbox.has_angles, address) : text.len;
	if (at < text.len) {
		buf_add(out, text.at, at + address.len);
		buf_add_char(out, '@');
		buf_add_slice(out, domain);
		text = slice_from(text, at + address.len);
		*qualified = true;
	}
	buf_add_slice(out, text);
	buf_free(&mailbox.words);
	buf_free(&mailbox.angled);
	return good;
}

bool header_qualify_authors(struct buf *out, struct slice header, struct slice domain)
{
	struct header_field from;
	bool good = header_find(header, "From", &from), qualified = false;
	if (!good)
		return false;
	buf_add(out, header.at, (size_t)(from.body.at - header.at));
	struct slice list = from.body;
	while (good && list.len > 0)
		good = qualify_mailbox(out, &list, domain, &qualified);
	buf_add_slice(out, slice_from(header, (size_t)(from.body.at + from.body.len - header.at)));
	return good && qualified;
}

/* ---- encoded words (RFC 2047) ---- */

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool decode_q(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '_') {
			buf_add_char(out, ' ');
		} else if (text.at[i] != '=') {
			buf_add_char(out, text.at[i]);
		} else {
			int high = i + 2 < text.len ? hex_value(text.at[i + 1]) : -1;
			int low = i + 2 < text.len ? hex_value(text.at[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			buf_add_char(out, (char)(high << 4 | low));
			i += 2;
		}
	}
	return true;
}

static void add_latin1_as_utf8(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (c >= 0x80) {
			buf_add_char(out, (char)(0xC0 | c >> 6));
			c = 0x80 | (c & 0x3F);
		}
		buf_add_char(out, (char)c);
	}
}

/* Adds what the encoded word at the front of `text` says, in UTF-8; returns
 * its length, 0 if there is none that we can read. */
static size_t decode_word(struct slice text, struct buf *out)
{
	if (!slice_has_prefix(text, SLICE("=?")))
		return 0;
	struct slice rest = slice_from(text, 2);
	struct slice charset = slice_cut(&rest, '?');
	struct slice encoding = slice_cut(&rest, '?');
	struct slice encoded = slice_cut(&rest, '?');
	if (rest.len == 0 || rest.at[0] != '=')
		return 0;
	for (const char *at = text.at; at < rest.at; at++)
		if (*at < 33 || *at > 126)
			return 0;

	charset = slice_cut(&charset, '*'); /* the language behind it (RFC 2231, 5) */
	bool latin1 = slice_equal_nocase(charset, SLICE("ISO-8859-1"));
	if (!latin1 && !slice_equal_nocase(charset, SLICE("UTF-8")) &&
		!slice_equal_nocase(charset, SLICE("US-ASCII")))
		return 0;
	struct buf decoded = {0};
	bool good = false;
	if (slice_equal_nocase(encoding, SLICE("B")))
		good = text_from_base64(encoded, &decoded);
	else if (slice_equal_nocase(encoding, SLICE("Q")))
		good = decode_q(encoded, &decoded);
	if (good && latin1)
		add_latin1_as_utf8(out, buf_slice(&decoded));
	else if (good)
		buf_add_slice(out, buf_slice(&decoded));
	buf_free(&decoded);
	return good ? (size_t)(rest.at + 1 - text.at) : 0;
}

void header_add_decoded(struct buf *out, struct slice body)
{
	struct buf plain = {0};
	/* What folds with a tab had a blank there when it was written. */
	for (size_t i = 0; i < body.len; i++) {
		bool folds = i > 0 && body.at[i - 1] == '\n';
		if (body.at[i] != '\r' && body.at[i] != '\n')
			buf_add_char(&plain, folds ? ' ' : body.at[i]);
	}

	struct slice rest = slice_trim(buf_slice(&plain));
	bool after_word = false;
	while (rest.len > 0) {
		size_t blanks = 0;
		while (begins_with_blank(slice_from(rest, blanks)))
			blanks++;
		struct slice next = slice_from(rest, blanks);
		struct buf word = {0};
		size_t len = decode_word(next, &word);
		/* Blanks between two encoded words belong to neither (RFC 2047, 6.2). */
		if (len == 0 || !after_word)
			buf_add(out, rest.at, blanks);
		after_word = len > 0;
		if (after_word) {
			buf_add_slice(out, buf_slice(&word));
		} else {
			/* Up to the next blank, or to what may be a word. */
			len = 1;
			while (len < next.len && !begins_with_blank(slice_from(next, len)) &&
				!slice_has_prefix(slice_from(next, len), SLICE("=?")))
				len++;
			buf_add(out, next.at, len);
		}
		buf_free(&word);
		rest = slice_from(next, len);
	}
	buf_free(&plain);
}
