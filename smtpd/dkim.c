/* What is signed, in canonical form: the body while it passes, then the header.
 *
 * A verifier takes fields from the bottom of the header upwards, in the order of h=,
 * and what is named there more often than it stands in the header as nothing. So a
 * name that is listed once more than it stands there admits no second field of that
 * name: one that mail programs would show, in front of the signed one. */
#include "smtpd/dkim.h"
#include "base/header.h"
#include "base/text.h"
#include "smtpd/mend.h"
#include <bearssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MOST      76 /* columns of our field */
#define SAME_MOST      4  /* fields of one name that are signed, the lowest */
#define HELD_BACK_MOST 4096

/* What a reader sees or answers to, and what says how to read the body (RFC 6376,
 * 5.4.1). Servers on the way add or change the others: Received, Return-Path, what
 * filters say. `once`: no server has a reason to add a second one (RFC 5322, 3.6). */
static const struct signed_name {
	const char *name;
	bool once;
} names[] = {
	{"From", true},
	{"Reply-To", true},
	{"To", true},
	{"Cc", true},
	{"Subject", true},
	{"Date", true},
	{"Message-ID", true},
	{"In-Reply-To", true},
	{"References", true},
	{"MIME-Version", true},
	{"Content-Type", true},
	{"Content-Transfer-Encoding", true},
	{"Content-Disposition", true},
	{"Content-Language", true},
	{"Sender", false},
	{"Resent-From", false},
	{"Resent-Sender", false},
	{"Resent-To", false},
	{"Resent-Cc", false},
	{"Resent-Date", false},
	{"Resent-Message-ID", false},
	{"List-Id", false},
	{"List-Help", false},
	{"List-Subscribe", false},
	{"List-Unsubscribe", false},
	{"List-Unsubscribe-Post", false},
	{"List-Post", false},
	{"List-Owner", false},
	{"List-Archive", false},
};
#define NAMES (sizeof(names) / sizeof(names[0]))

struct dkim {
	struct buf header; /* with its blank line, once that has come */
	bool in_body, too_long;
	br_sha256_context body;
	bool any;                           /* something of the body has been hashed */
	bool blank;                         /* in front of what comes next, if it is on this line */
	uint64_t line_ends;                 /* in front of what comes next */
	unsigned char held[HELD_BACK_MOST]; /* for the hash, which likes long spans */
	size_t held_len;
};

/* ---- the body (RFC 6376, 3.4.4) ---- */

static void let_go(struct dkim *dkim)
{
	br_sha256_update(&dkim->body, dkim->held, dkim->held_len);
	dkim->held_len = 0;
}

static void hash_body(struct dkim *dkim, const char *octets, size_t len)
{
	if (len > sizeof(dkim->held) - dkim->held_len)
		let_go(dkim);
	if (len > sizeof(dkim->held)) {
		br_sha256_update(&dkim->body, octets, len);
	} else {
		memcpy(dkim->held + dkim->held_len, octets, len);
		dkim->held_len += len;
	}
	dkim->any = true;
}

/* What is neither a blank nor a line's end, and the blanks and line ends before it:
 * they count by what follows them. */
static void take_word(struct dkim *dkim, const char *word, size_t len)
{
	for (; dkim->line_ends > 0; dkim->line_ends--)
		hash_body(dkim, "\r\n", 2);
	if (dkim->blank)
		hash_body(dkim, " ", 1);
	dkim->blank = false;
	hash_body(dkim, word, len);
}

static bool is_space(char octet)
{
	return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

static void take_body(struct dkim *dkim, const char *at, const char *end)
{
	while (at < end) {
		const char *word = at;
		while (at < end && !is_space(*at))
			at++;
		if (at > word)
			take_word(dkim, word, (size_t)(at - word));
		for (; at < end && is_space(*at); at++) {
			/* A CR stands in front of an LF, here and nowhere else. */
			dkim->line_ends += *at == '\n';
			dkim->blank = *at == ' ' || *at == '\t';
		}
	}
}

static void end_body(struct dkim *dkim, unsigned char hash[DIGEST_SIZE])
{
	br_sha256_context body;
	/* Lines at the end that are empty do not count, the end of the last other one does. */
	if (dkim->any)
		hash_body(dkim, "\r\n", 2);
	let_go(dkim);
	body = dkim->body;
	br_sha256_out(&body, hash);
}

/* ---- the header (RFC 6376, 3.4.2) ---- */

static void add_canonical(struct buf *out, struct slice name, struct slice body)
{
	size_t begin = out->len;
	bool blank = false;
	buf_add_slice(out, name);
	text_fold(out->at + begin, name.len);
	buf_add_char(out, ':');
	begin = out->len;
	for (size_t i = 0; i < body.len; i++) {
		if (is_space(body.at[i])) {
			blank = true;
			continue;
		}
		if (blank && out->len > begin)
			buf_add_char(out, ' ');
		blank = false;
		buf_add_char(out, body.at[i]);
	}
}

/* The lowest fields of one name. */
struct found {
	struct header_field fields[SAME_MOST]; /* a ring */
	size_t count;                          /* also of those that are no longer in it */
};

static void find_fields(struct slice header, struct found found[NAMES])
{
	struct header_field field;
	while (header_next(&header, &field)) {
		size_t i = 0;
		while (i < NAMES && !slice_equal_nocase(field.name, slice_of(names[i].name)))
			i++;
		if (i < NAMES)
			found[i].fields[found[i].count++ % SAME_MOST] = field;
	}
}

/* How many of them are signed. */
static size_t signed_fields(const struct found *found)
{
	return found->count < SAME_MOST ? found->count : SAME_MOST;
}

static void add_signed_fields(struct buf *out, const struct found found[NAMES])
{
	for (size_t i = 0; i < NAMES; i++) {
		for (size_t n = 1; n <= signed_fields(&found[i]); n++) {
			const struct header_field *field =
				&found[i].fields[(found[i].count - n) % SAME_MOST];
			add_canonical(out, field->name, field->body);
			buf_add_text(out, "\r\n");
		}
	}
}

/* ---- the field ---- */

/* Adds a word behind a blank, or without one, where it has room on this line, else on a
 * new one. */
__attribute__((format(printf, 4, 5))) static void add_word(
	struct buf *field, size_t *column, bool blank, const char *format, ...)
{
	char word[CONFIG_NAME_MAX + 8];
	va_list args;
	va_start(args, format);
	size_t len = (size_t)vsnprintf(word, sizeof(word), format, args);
	va_end(args);
	if (*column + blank + len > LINE_MOST) {
		buf_add_text(field, "\r\n\t");
		*column = 8;
	} else if (blank) {
		buf_add_char(field, ' ');
		*column += 1;
	}
	buf_add_text(field, word);
	*column += len;
}

/* "h=": the names in the order of their signing. */
static void add_names(struct buf *field, size_t *column, const struct found found[NAMES])
{
	const char *listed[NAMES * (SAME_MOST + 1)];
	size_t count = 0;
	for (size_t i = 0; i < NAMES; i++) {
		size_t times = signed_fields(&found[i]);
		bool whole = times > 0 && times == found[i].count;
		for (times += whole && names[i].once; times > 0; times--)
			listed[count++] = names[i].name;
	}
	for (size_t n = 0; n < count; n++)
		add_word(field, column, n == 0, "%s%s%s", n == 0 ? "h=" : "", listed[n],
			n + 1 < count ? ":" : ";");
}

/* Whose key may speak for an author at `domain`: it itself where it is ours; for accounts
 * of this box, at our hostname, the one of ours that the hostname is in. Empty: nobody's. */
static struct slice find_signer(const struct config *config, struct slice domain)
{
	bool at_host = slice_equal_nocase(domain, slice_of(config->hostname));
	while (domain.len > 0 && !config_has_domain(config, domain)) {
		slice_cut(&domain, '.');
		if (!at_host)
			domain.len = 0;
	}
	return domain;
}

/* The domain that signs for the first author for whom one of ours may. */
static bool find_domain(
	struct slice header, const struct config *config, char domain[CONFIG_NAME_MAX])
{
	struct buf authors = {0};
	struct slice signer = SLICE("");
	if (header_authors(header, &authors)) {
		struct slice rest = buf_slice(&authors);
		while (signer.len == 0 && rest.len > 0) {
			struct slice author = slice_cut(&rest, '\n');
			const char *at = memrchr(author.at, '@', author.len);
			if (at)
				signer = find_signer(
					config, slice_from(author, (size_t)(at + 1 - author.at)));
		}
	}
	snprintf(domain, CONFIG_NAME_MAX, "%.*s", (int)signer.len, signer.at);
	text_fold(domain, signer.len);
	bool found = signer.len > 0;
	buf_free(&authors);
	return found;
}

/* ---- a message ---- */

struct dkim *dkim_new(void)
{
	struct dkim *dkim = must_alloc(sizeof(*dkim));
	br_sha256_init(&dkim->body);
	return dkim;
}

void dkim_free(struct dkim *dkim)
{
	if (dkim)
		buf_free(&dkim->header);
	free(dkim);
}

void dkim_take(struct dkim *dkim, struct slice octets)
{
	struct buf *header = &dkim->header;
	if (!dkim->in_body && !dkim->too_long) {
		size_t before = header->len, room = DKIM_HEADER_MOST - before;
		buf_add(header, octets.at, octets.len < room ? octets.len : room);
		size_t length = mend_header_length(buf_slice(header));
		dkim->in_body = length > 0;
		dkim->too_long = length == 0 && header->len == DKIM_HEADER_MOST;
		if (dkim->in_body)
			header->len = length;
		octets = slice_from(octets, header->len - before);
	}
	if (dkim->in_body)
		take_body(dkim, octets.at, octets.at + octets.len);
}

bool dkim_digest(struct dkim *dkim, const struct config *config, int64_t now, struct buf *field,
	unsigned char digest[DIGEST_SIZE])
{
	struct slice header = buf_slice(&dkim->header);
	char domain[CONFIG_NAME_MAX] = "";
	struct found found[NAMES] = {{.count = 0}};
	unsigned char hash[DIGEST_SIZE];
	struct buf canonical = {0}, body_hash = {0};
	if (dkim->too_long || !find_domain(header, config, domain))
		return false;
	find_fields(header, found);
	end_body(dkim, hash);
	text_add_base64(&body_hash, hash, sizeof(hash));

	size_t begin = field->len, column = strlen("DKIM-Signature:");
	buf_add_text(field, "DKIM-Signature:");
	add_word(field, &column, true, "v=1;");
	add_word(field, &column, true, "a=rsa-sha256;");
	add_word(field, &column, true, "c=relaxed/relaxed;");
	add_word(field, &column, true, "d=%s;", domain);
	add_word(field, &column, true, "s=%s;", config->dkim_selector);
	add_word(field, &column, true, "t=%lld;", (long long)now);
	add_names(field, &column, found);
	add_word(field, &column, true, "bh=%s;", buf_text(&body_hash));
	add_word(field, &column, true, "b=");

	add_signed_fields(&canonical, found);
	struct slice ours = slice_from(buf_slice(field), begin);
	add_canonical(
		&canonical, SLICE("dkim-signature"), slice_from(ours, slice_find(ours, ':') + 1));
	digest_sha256(digest, canonical.at, canonical.len);
	buf_free(&canonical);
	buf_free(&body_hash);
	return true;
}

void dkim_add_signature(struct buf *field, struct slice signature)
{
	struct buf text = {0};
	text_add_base64(&text, signature.at, signature.len);
	for (struct slice rest = buf_slice(&text); rest.len > 0; rest = slice_from(rest, 64)) {
		buf_add_text(field, "\r\n\t");
		buf_add(field, rest.at, rest.len < 64 ? rest.len : 64);
	}
	buf_add_text(field, "\r\n");
	buf_free(&text);
}
