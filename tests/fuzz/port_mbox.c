/* An mbox, cut anywhere: its messages are those of a model that sees all of it at once and
 * line by line; each of them in its stored form, written as an mbox and read again, is the
 * same.
 *
 * Input: three octets that say where to cut, the file. */
#include "tools/port_mbox.h"
#include "tests/fuzz/fuzz.h"
#include "tools/port_message.h"
#include "tools/port_render.h"
#include <stdlib.h>

#define MESSAGES_MOST 64

struct found {
	size_t count;
	uint64_t from[MESSAGES_MOST], to[MESSAGES_MOST]; /* [0]: what stands in front */
	int64_t received[MESSAGES_MOST];
};

static void add(struct found *found, uint64_t to, uint64_t next, int64_t received)
{
	assert(found->from[found->count] <= to);
	found->to[found->count++] = to;
	found->from[found->count] = next;
	found->received[found->count] = received;
}

static void scan_in_parts(struct slice file, struct slice cuts, struct found *found)
{
	struct mbox_scan *scan = must_alloc(sizeof(*scan));
	size_t n = 0;
	*found = (struct found){0};
	while (scan->at < file.len && found->count + 2 < MESSAGES_MOST) {
		struct slice rest = slice_from(file, (size_t)scan->at);
		size_t len = cuts.len ? 1u + (unsigned char)cuts.at[n++ % cuts.len] : rest.len;
		bool is;
		char *copy = fuzz_copy(fuzz_take(&rest, len));
		size_t most = (size_t)(file.len - scan->at) - rest.len, before = (size_t)scan->at;
		size_t taken = mbox_scan(scan, (struct slice){copy, most}, &is);
		free(copy);
		assert(taken > 0 && taken <= most && scan->at == before + taken);
		assert(is || taken == most);
		if (is) {
			assert(scan->line_end == scan->at && scan->line_begin < scan->line_end);
			add(found, scan->text_end, scan->line_end, scan->received);
		}
	}
	if (scan->at == file.len)
		add(found, mbox_scan_end(scan), file.len, 0);
	free(scan);
}

/* Line by line, with the whole file at hand. */
static void model(struct slice file, struct found *found)
{
	size_t at = 0, blank = 0;
	*found = (struct found){0};
	while (at < file.len && found->count + 2 < MESSAGES_MOST) {
		const char *lf = memchr(file.at + at, '\n', file.len - at);
		size_t len = lf ? (size_t)(lf - file.at) - at : file.len - at;
		struct slice line = {file.at + at, len};
		int64_t received;
		bool is = lf && len <= MBOX_LINE_MOST && mbox_is_from_line(line, &received);
		if (is)
			add(found, at - blank, at + len + 1, received);
		bool empty = len == 0 || (len == 1 && *line.at == '\r');
		if (lf || !empty)
			blank = lf && empty && !is ? len + 1 : 0;
		else
			blank = len; /* half a line's end */
		at += len + (lf != NULL);
	}
	if (at == file.len)
		add(found, file.len - blank, file.len, 0);
}

/* The message as RETR would send it, written to an mbox and read from it. */
static void write_and_read_again(struct slice stored)
{
	struct port_render render = {.quote = true};
	struct port_message again = {0};
	struct buf mbox = {0};
	struct found found;
	struct err e;
	mbox_add_from_line(&mbox, SLICE("pak@luar.example"), 1795417200);
	buf_add_slice(&mbox, port_render(&render, stored));
	buf_add_slice(&mbox, port_render_end(&render));
	buf_add_char(&mbox, '\n');
	scan_in_parts(buf_slice(&mbox), SLICE("\x40"), &found);
	assert(found.count == 2 && found.to[0] == 0 && found.received[1] == 1795417200);
	const struct port_range range = {.fd = fuzz_file(buf_slice(&mbox), NULL),
		.from = found.from[1],
		.to = found.to[1],
		.quoted = true};
	assert(port_message_read(&again, &range, &e) == 0);
	assert(slice_equal(buf_slice(&again.octets), stored));
	port_message_free(&again);
	port_render_free(&render);
	buf_free(&mbox);
	close(range.fd);
}

static void read_message(int fd, uint64_t from, uint64_t to)
{
	const struct port_range range = {.fd = fd, .from = from, .to = to, .quoted = true};
	struct port_message message = {0};
	struct err e;
	if (port_message_read(&message, &range, &e) == 0) {
		assert(message.whole && message.octets.len == message.size);
		write_and_read_again(buf_slice(&message.octets));
	}
	port_message_free(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice file = fuzz_input(data, size < 65536 ? size : 65536);
	struct slice cuts = fuzz_take(&file, 3);
	struct found whole, cut, wanted;
	scan_in_parts(file, SLICE(""), &whole);
	scan_in_parts(file, cuts, &cut);
	model(file, &wanted);
	assert(whole.count == wanted.count && cut.count == wanted.count);
	int fd = fuzz_file(file, NULL);
	for (size_t i = 0; i < wanted.count; i++) {
		assert(whole.from[i] == wanted.from[i] && whole.to[i] == wanted.to[i]);
		assert(cut.from[i] == wanted.from[i] && cut.to[i] == wanted.to[i]);
		assert(whole.received[i] == wanted.received[i]);
		if (i > 0)
			read_message(fd, wanted.from[i], wanted.to[i]);
	}
	close(fd);
	return 0;
}
