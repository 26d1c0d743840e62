/* PEM. Each object is decoded by itself, so that a faulty one does not spoil
 * those behind it. */
#include "base/pem.h"
#include <bearssl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int pem_read_file(struct buf *text, int fd, const char *path, size_t most, struct err *e)
{
	/* Room at once, so that a key's octets are not left behind by a move. */
	buf_reserve(text, most + 1);
	while (text->len <= most) {
		ssize_t got =
			pread(fd, text->at + text->len, most + 1 - text->len, (off_t)text->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(e, "%s", path);
		if (got == 0)
			break;
		text->len += (size_t)got;
	}
	if (text->len > most)
		return err_set(e, ERR_INPUT, "%s: too large for a PEM file", path);
	/* The decoder takes the CR of a file from Windows for a part of the name. */
	size_t kept = 0;
	for (size_t i = 0; i < text->len; i++)
		if (text->at[i] != '\r')
			text->at[kept++] = text->at[i];
	text->len = kept;
	return 0;
}

/* Where an object begins: at the start of a line, or behind the one before
 * where files were joined whose last line had no end. text.len: nowhere. */
static size_t find_beginning(struct slice text, size_t from)
{
	static const char mark[] = "-----BEGIN ";
	const char *end = text.at + text.len, *at = text.at + from;
	while (at < end && (at = memmem(at, (size_t)(end - at), mark, strlen(mark)))) {
		if (at == text.at || at[-1] == '\n' || at[-1] == '-')
			return (size_t)(at - text.at);
		at++;
	}
	return text.len;
}

static void append(void *out, const void *octets, size_t len)
{
	buf_add(out, octets, len);
}

static bool decode(struct slice text, char name[PEM_NAME_MAX], struct buf *octets)
{
	br_pem_decoder_context decoder;
	int event = 0;
	br_pem_decoder_init(&decoder);
	while (text.len > 0 && event != BR_PEM_END_OBJ && event != BR_PEM_ERROR) {
		text = slice_from(text, br_pem_decoder_push(&decoder, text.at, text.len));
		event = br_pem_decoder_event(&decoder);
		if (event == BR_PEM_BEGIN_OBJ) {
			snprintf(name, PEM_NAME_MAX, "%s", br_pem_decoder_name(&decoder));
			br_pem_decoder_setdest(&decoder, append, octets);
		}
	}
	/* It wants an end behind the last line. */
	if (event == 0) {
		br_pem_decoder_push(&decoder, "\n", 1);
		event = br_pem_decoder_event(&decoder);
	}
	wipe(&decoder, sizeof(decoder));
	return event == BR_PEM_END_OBJ;
}

int pem_next(struct slice *text, char name[PEM_NAME_MAX], struct buf *octets)
{
	struct slice object = slice_from(*text, find_beginning(*text, 0));
	if (object.len == 0)
		return 0;
	object.len = find_beginning(object, 1);
	*text = (struct slice){
		object.at + object.len, text->len - (size_t)(object.at + object.len - text->at)};
	buf_clear(octets);
	buf_reserve(octets, object.len); /* no moves: it may be a key */
	return decode(object, name, octets) ? 1 : -1;
}
