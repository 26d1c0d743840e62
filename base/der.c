/* DER: read from files that an admin gave us and written for ourselves, so a
 * reader that refuses what it does not know, and a writer of three lines. */
#include "base/der.h"
#include <string.h>

/* Lengths beyond 4 octets would be values of more than 4 GB. */
bool der_next(struct slice *rest, unsigned *tag, struct slice *body)
{
	const unsigned char *at = (const unsigned char *)rest->at;
	size_t header = 2;
	if (rest->len < header || (at[0] & 0x1F) == 0x1F)
		return false;
	size_t len = at[1];
	if (len >= 0x80) {
		size_t octets = len - 0x80;
		if (octets == 0 || octets > 4 || rest->len < header + octets)
			return false;
		header += octets;
		len = 0;
		for (size_t i = 2; i < header; i++)
			len = len << 8 | at[i];
	}
	if (len > rest->len - header)
		return false;
	*tag = at[0];
	*body = (struct slice){rest->at + header, len};
	*rest = slice_from(*rest, header + len);
	return true;
}

bool der_take(struct slice *rest, unsigned tag, struct slice *body)
{
	struct slice after = *rest, found;
	unsigned found_tag;
	if (!der_next(&after, &found_tag, &found) || found_tag != tag)
		return false;
	*rest = after;
	*body = found;
	return true;
}

void der_wrap(struct buf *out, size_t begin, unsigned tag)
{
	size_t len = out->len - begin;
	unsigned char header[2 + sizeof(len)] = {(unsigned char)tag, (unsigned char)len};
	size_t header_len = 2;
	if (len >= 0x80) {
		size_t octets = 1;
		while (octets < sizeof(len) && len >> 8 * octets != 0)
			octets++;
		header[1] = (unsigned char)(0x80 + octets);
		while (octets-- > 0)
			header[header_len++] = (unsigned char)(len >> 8 * octets);
	}
	buf_reserve(out, header_len);
	memmove(out->at + begin + header_len, out->at + begin, len);
	memcpy(out->at + begin, header, header_len);
	out->len += header_len;
}

void der_add(struct buf *out, unsigned tag, const void *octets, size_t len)
{
	size_t begin = out->len;
	buf_add(out, octets, len);
	der_wrap(out, begin, tag);
}
