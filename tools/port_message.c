/* Three sieves in a row: of mbox, of the stored form, and one that looks for the end of
 * the header. */
#include "tools/port_message.h"
#include "base/digest.h"
#include "store/body.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (64u * 1024)

bool port_range_has_changed(const struct port_range *range)
{
	const struct stat *was = range->was;
	struct stat is;
	return was && (fstat(range->fd, &is) != 0 || is.st_size != was->st_size ||
			      is.st_mtim.tv_sec != was->st_mtim.tv_sec ||
			      is.st_mtim.tv_nsec != was->st_mtim.tv_nsec);
}

void port_reader_start(struct port_reader *reader, const struct port_range *range)
{
	reader->range = *range;
	reader->lines = (struct mbox_lines){0};
	reader->ended = false;
	dot_read_start(&reader->dot, false);
	trace_scan_start(&reader->scan, "");
}

void port_reader_free(struct port_reader *reader)
{
	buf_free(&reader->plain);
	buf_free(&reader->stored);
}

static int read_chunk(struct port_reader *reader, struct buf *out, struct err *e)
{
	struct port_range *range = &reader->range;
	uint64_t left = range->to - range->from;
	size_t most = left < CHUNK ? (size_t)left : CHUNK;
	ssize_t got;
	do
		got = pread(range->fd, buf_reserve(out, most), most, (off_t)range->from);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_set_errno(e, "cannot be read");
	if (got == 0)
		return err_set(e, ERR_INPUT, "has changed while it was read");
	out->len += (size_t)got;
	range->from += (uint64_t)got;
	return 0;
}

/* Behind the last octet. */
static int finish(struct port_reader *reader, struct err *e)
{
	if (port_range_has_changed(&reader->range))
		return err_set(e, ERR_INPUT, "has changed while it was read");
	if (reader->range.quoted) {
		mbox_lines_end(&reader->lines, &reader->plain);
		dot_read(&reader->dot, buf_slice(&reader->plain), &reader->stored);
	}
	dot_read_finish(&reader->dot, &reader->stored);
	trace_scan(&reader->scan, buf_slice(&reader->stored));
	if (!reader->scan.header_ended)
		buf_add_text(&reader->stored, "\r\n");
	reader->ended = true;
	return 0;
}

static int read_more(struct port_reader *reader, struct err *e)
{
	struct buf *stored = &reader->stored;
	buf_clear(&reader->plain);
	if (reader->range.from == reader->range.to)
		return finish(reader, e);
	if (read_chunk(reader, &reader->plain, e) < 0)
		return -1;
	if (reader->range.quoted) {
		struct buf raw = reader->plain;
		reader->plain = (struct buf){0};
		mbox_unquote(&reader->lines, buf_slice(&raw), &reader->plain);
		buf_free(&raw);
	}
	dot_read(&reader->dot, buf_slice(&reader->plain), stored);
	trace_scan(&reader->scan, buf_slice(stored));
	if (reader->dot.has_nul)
		return err_set(e, ERR_INPUT, "holds a NUL, which no mail may");
	return 0;
}

int port_reader_next(struct port_reader *reader, struct slice *octets, struct err *e)
{
	buf_clear(&reader->stored);
	while (reader->stored.len == 0 && !reader->ended)
		if (read_more(reader, e) < 0)
			return -1;
	*octets = buf_slice(&reader->stored);
	return 0;
}

/* All of a small message; of a big one the front, in which its header is. */
static void keep(struct port_message *message, struct slice octets)
{
	size_t room = BODY_PIECE - message->octets.len;
	buf_add(&message->octets, octets.at, octets.len < room ? octets.len : room);
}

int port_message_read(struct port_message *message, const struct port_range *range, struct err *e)
{
	struct port_reader reader = {0};
	struct slice octets;
	int failed = 0;
	buf_clear(&message->octets);
	message->size = 0;
	if (range->from == range->to)
		return err_set(e, ERR_INPUT, "is empty");
	struct digest_sum *sum = digest_sum_begin();
	port_reader_start(&reader, range);
	while ((failed = port_reader_next(&reader, &octets, e)) == 0 && octets.len > 0) {
		digest_sum_add(sum, octets.at, octets.len);
		message->size += octets.len;
		keep(message, octets);
	}
	message->sum = digest_sum_end(sum);
	message->whole = message->size < BODY_PIECE;
	port_reader_free(&reader);
	return failed;
}

void port_message_free(struct port_message *message)
{
	buf_free(&message->octets);
	*message = (struct port_message){0};
}
