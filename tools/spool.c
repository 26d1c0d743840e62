/* Through two sieves: the one finds the dot, the other makes the stored form. */
#include "tools/spool.h"
#include "base/dot.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK (64u * 1024) /* octets read at a time */

/* ---- the dot ---- */

enum place { LINE_START, BEHIND_DOT, BEHIND_DOT_CR, INSIDE_LINE };

static const char *held_back(enum place place)
{
	return place == BEHIND_DOT ? "." : place == BEHIND_DOT_CR ? ".\r" : "";
}

/* Adds the octets, but holds back what may be the end; false: it was. */
static bool pass_until_dot(enum place *place, struct slice octets, struct buf *out)
{
	for (size_t i = 0; i < octets.len; i++) {
		char c = octets.at[i];
		if (*place == LINE_START && c == '.') {
			*place = BEHIND_DOT;
		} else if (*place == BEHIND_DOT && c == '\r') {
			*place = BEHIND_DOT_CR;
		} else if (c == '\n' && *held_back(*place)) {
			return false;
		} else {
			buf_add_text(out, held_back(*place));
			buf_add_char(out, c);
			*place = c == '\n' ? LINE_START : INSIDE_LINE;
		}
	}
	return true;
}

/* ---- reading ---- */

static int open_file(struct spool *spool, struct err *e)
{
	struct buf path = {0};
	const char *directory = getenv("TMPDIR");
	buf_printf(&path, "%s/officemail-XXXXXX", directory && *directory ? directory : "/tmp");
	buf_text(&path);
	int fd = mkostemp(path.at, O_CLOEXEC);
	if (fd >= 0) {
		unlink(path.at);
		spool->file = fd;
	} else {
		err_set_errno(e, "cannot keep the message (%s)", path.at);
	}
	buf_free(&path);
	return fd < 0 ? -1 : 0;
}

static int write_all(int fd, struct slice octets, struct err *e)
{
	while (octets.len > 0) {
		ssize_t written = write(fd, octets.at, octets.len);
		if (written < 0 && errno != EINTR)
			return err_set_errno(e, "cannot keep the message");
		octets = slice_from(octets, written > 0 ? (size_t)written : 0);
	}
	return 0;
}

static int keep(struct spool *spool, const struct buf *stored, struct err *e)
{
	if (spool->file == 0 && spool->front.len < SPOOL_FRONT) {
		buf_add_slice(&spool->front, buf_slice(stored));
		return 0;
	}
	if (stored->len == 0)
		return 0;
	if (spool->file == 0 && open_file(spool, e) < 0)
		return -1;
	spool->file_size += stored->len;
	return write_all(spool->file, buf_slice(stored), e);
}

/* 1: more may come. */
static int read_some(struct spool *spool, int fd, struct buf *out, struct err *e)
{
	ssize_t got;
	do
		got = read(fd, spool->chunk, CHUNK);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_set_errno(e, "cannot read the message");
	buf_add(out, spool->chunk, (size_t)got);
	return got > 0;
}

int spool_read(struct spool *spool, int fd, bool dot_ends, struct err *e)
{
	struct dot_reader reader;
	struct buf read = {0}, plain = {0}, stored = {0};
	enum place place = LINE_START;
	int more = 1, kept = 0;
	spool->chunk = must_alloc(CHUNK);
	dot_read_start(&reader, false);
	while (more == 1 && kept == 0) {
		more = read_some(spool, fd, dot_ends ? &read : &plain, e);
		if (more == 0)
			buf_add_text(&plain, held_back(place));
		else if (!pass_until_dot(&place, buf_slice(&read), &plain))
			more = 0;
		dot_read(&reader, buf_slice(&plain), &stored);
		if (more == 0)
			dot_read_finish(&reader, &stored);
		kept = keep(spool, &stored, e);
		buf_clear(&read);
		buf_clear(&plain);
		buf_clear(&stored);
	}
	buf_free(&read);
	buf_free(&plain);
	buf_free(&stored);
	return more < 0 ? -1 : kept;
}

/* ---- sending ---- */

uint64_t spool_size(const struct spool *spool)
{
	return spool->front.len + spool->file_size;
}

void spool_rewind(struct spool *spool)
{
	spool->sent = 0;
}

int spool_next(void *arg, struct slice *octets, struct err *e)
{
	struct spool *spool = arg;
	if (spool->sent < spool->front.len) {
		*octets = slice_from(buf_slice(&spool->front), spool->sent);
	} else {
		off_t at = (off_t)(spool->sent - spool->front.len);
		ssize_t got = spool->file ? pread(spool->file, spool->chunk, CHUNK, at) : 0;
		if (got < 0)
			return err_set_errno(e, "cannot read the message again");
		*octets = (struct slice){spool->chunk, (size_t)got};
	}
	spool->sent += octets->len;
	return 0;
}

void spool_free(struct spool *spool)
{
	buf_free(&spool->front);
	free(spool->chunk);
	if (spool->file)
		close(spool->file);
	*spool = (struct spool){0};
}
