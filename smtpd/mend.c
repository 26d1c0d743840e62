/* The few repairs of a submitted header. What stays keeps its octets and its
 * order: a signature of the sender's own must not break. */
#include "smtpd/mend.h"
#include "base/digest.h"
#include "base/header.h"
#include "base/text.h"
#include <string.h>

#define MESSAGE_ID_LENGTH 24  /* random letters in front of the "@" */
#define DOMAINS_MOST      600 /* octets added to authors */

size_t mend_header_length(struct slice octets)
{
	if (slice_has_prefix(octets, SLICE("\r\n")))
		return 2;
	/* memmem() takes no NULL, not even for nothing. */
	const char *end = octets.len > 0 ? memmem(octets.at, octets.len, "\r\n\r\n", 4) : NULL;
	return end ? (size_t)(end + 4 - octets.at) : 0;
}

/* Puts the new header, which it frees, in the place of the old one. */
static void replace_header(struct buf *octets, size_t length, struct buf *header)
{
	buf_add_slice(header, slice_from(buf_slice(octets), length));
	buf_free(octets);
	*octets = *header;
}

size_t mend_authors(struct buf *octets, size_t length, struct slice domain)
{
	struct buf header = {0};
	if (!header_qualify_authors(&header, (struct slice){octets->at, length}, domain) ||
		header.len > length + DOMAINS_MOST) {
		buf_free(&header);
		return length;
	}
	size_t mended = header.len;
	replace_header(octets, length, &header);
	return mended;
}

static bool is_named(const struct header_field *field, const char *name)
{
	return slice_equal_nocase(field->name, slice_of(name));
}

/* Adds the header without its hidden recipients; says what else it has. */
static void copy_fields(struct buf *out, struct slice header, bool *has_date, bool *has_id)
{
	struct header_field field;
	struct slice rest = header;
	const char *copied = header.at;
	while (header_next(&rest, &field)) {
		*has_date |= is_named(&field, "Date");
		*has_id |= is_named(&field, "Message-ID");
		if (!is_named(&field, "Bcc") && !is_named(&field, "Resent-Bcc"))
			continue;
		buf_add(out, copied, (size_t)(field.name.at - copied));
		copied = rest.at; /* behind the field and its folds */
	}
	buf_add(out, copied, (size_t)(header.at + header.len - copied));
}

void mend_header(struct buf *octets, size_t length, const char *hostname, int64_t now)
{
	char date[TEXT_DATE_MAX], id[MESSAGE_ID_LENGTH + 1];
	bool has_date = false, has_id = false;
	struct buf mended = {0};
	copy_fields(&mended, (struct slice){octets->at, length - 2}, &has_date, &has_id);
	if (!has_date)
		buf_printf(&mended, "Date: %s\r\n", text_of_mail_date(date, now));
	if (!has_id) {
		digest_random_text(id, MESSAGE_ID_LENGTH);
		buf_printf(&mended, "Message-ID: <%s@%s>\r\n", id, hostname);
	}
	buf_add_text(&mended, "\r\n");
	replace_header(octets, length, &mended);
}
