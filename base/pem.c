/* PEM. Each object is decoded by itself, so that a faulty one does not spoil
 * those behind it. (BearSSL's decoder takes five times as long.) */
#include "base/pem.h"
#include "base/text.h"
#include <errno.h>
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
		return err_set(
			e, ERR_INPUT, "%s: too large for a PEM file: name the right one", path);
	size_t kept = 0;
	for (size_t i = 0; i < text->len; i++)
		if (text->at[i] != '\r') /* of a file from Windows */
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

/* The name in "-----BEGIN NAME-----", or END. */
static bool find_name(struct slice line, struct slice mark, struct slice *name)
{
	static const struct slice dashes = {"-----", 5};
	if (!slice_has_prefix(line, mark) || line.len < mark.len + dashes.len ||
		!slice_equal(slice_from(line, line.len - dashes.len), dashes))
		return false;
	*name = (struct slice){line.at + mark.len, line.len - mark.len - dashes.len};
	return name->len < PEM_NAME_MAX;
}

static bool decode(struct slice object, char name[PEM_NAME_MAX], struct buf *octets)
{
	struct buf letters = {0};
	struct slice begin, end;
	bool found = false;
	if (!find_name(slice_trim(slice_cut(&object, '\n')), SLICE("-----BEGIN "), &begin))
		return false;
	memcpy(name, begin.at, begin.len);
	name[begin.len] = '\0';
	buf_reserve(&letters, object.len); /* no moves: it may be a key */
	while (object.len > 0 && !found) {
		struct slice line = slice_trim(slice_cut(&object, '\n'));
		found = find_name(line, SLICE("-----END "), &end);
		if (!found)
			buf_add_slice(&letters, line);
	}
	found = found && slice_equal(begin, end) && text_from_base64(buf_slice(&letters), octets);
	buf_wipe(&letters);
	return found;
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
	buf_reserve(octets, object.len);
	return decode(object, name, octets) ? 1 : -1;
}
