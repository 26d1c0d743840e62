/* Octets, owned and borrowed. Every allocation of the house goes through
 * must_alloc() or must_realloc(), so that nobody else checks for NULL. */
#include "base/buf.h"
#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct slice slice_of(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){buf->at, buf->len};
}

bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static unsigned char fold(char octet)
{
	unsigned char c = (unsigned char)octet;
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (fold(a.at[i]) != fold(b.at[i]))
			return false;
	return true;
}

bool slice_has_prefix(struct slice text, struct slice prefix)
{
	return text.len >= prefix.len && slice_equal((struct slice){text.at, prefix.len}, prefix);
}

static bool is_blank(char octet)
{
	return octet == ' ' || octet == '\t';
}

struct slice slice_trim(struct slice text)
{
	while (text.len > 0 && is_blank(text.at[text.len - 1]))
		text.len--;
	while (text.len > 0 && is_blank(text.at[0]))
		text = slice_from(text, 1);
	return text;
}

struct slice slice_from(struct slice text, size_t from)
{
	if (from >= text.len)
		return (struct slice){text.at ? text.at + text.len : NULL, 0};
	return (struct slice){text.at + from, text.len - from};
}

size_t slice_find(struct slice text, char octet)
{
	const char *found = text.len > 0 ? memchr(text.at, octet, text.len) : NULL;
	return found ? (size_t)(found - text.at) : text.len;
}

struct slice slice_cut(struct slice *rest, char octet)
{
	size_t end = slice_find(*rest, octet);
	struct slice part = {rest->at, end};
	*rest = slice_from(*rest, end + 1);
	return part;
}

void buf_free(struct buf *buf)
{
	free(buf->at);
	*buf = (struct buf){0};
}

void buf_wipe(struct buf *buf)
{
	if (buf->at)
		wipe(buf->at, buf->cap);
	buf_free(buf);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
}

char *buf_reserve(struct buf *buf, size_t more)
{
	assert(more <= SIZE_MAX / 2 - buf->len);
	size_t needed = buf->len + more;
	if (needed > buf->cap || !buf->at) {
		size_t cap = buf->cap * 2 > needed ? buf->cap * 2 : needed;
		if (cap < 64)
			cap = 64;
		buf->at = must_realloc(buf->at, cap);
		buf->cap = cap;
	}
	return buf->at + buf->len;
}

void buf_add(struct buf *buf, const void *octets, size_t len)
{
	if (len == 0)
		return;
	memcpy(buf_reserve(buf, len), octets, len);
	buf->len += len;
}

void buf_add_slice(struct buf *buf, struct slice text)
{
	buf_add(buf, text.at, text.len);
}

void buf_add_text(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char octet)
{
	*buf_reserve(buf, 1) = octet;
	buf->len++;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(len >= 0);
	vsnprintf(buf_reserve(buf, (size_t)len + 1), (size_t)len + 1, format, again);
	va_end(again);
	buf->len += (size_t)len;
}

void buf_drop(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	if (len == 0)
		return;
	memmove(buf->at, buf->at + len, buf->len - len);
	buf->len -= len;
}

const char *buf_text(struct buf *buf)
{
	*buf_reserve(buf, 1) = '\0';
	return buf->at;
}

void wipe(void *memory, size_t len)
{
	if (len > 0) /* else there may be no memory */
		explicit_bzero(memory, len);
}

/* memcpy() leaves what it moved last in the vector registers, up to eight of 16, 32 or 64
 * octets, and whoever saves them next puts it on a stack again (the dynamic linker). */
static void wipe_registers(char *zeros)
{
	void *(*volatile copy)(void *, const void *, size_t) = memcpy;
	for (size_t len = 128; len <= 512; len *= 2)
		copy(zeros, zeros + len, len);
}

__attribute__((noinline)) void wipe_stack_near(void)
{
	char below[8 * 1024];
	wipe(below, sizeof(below));
	wipe_registers(below);
}

__attribute__((noinline)) void wipe_stack(void)
{
	char below[32 * 1024];
	wipe(below, sizeof(below));
	wipe_registers(below);
}

bool equal_constant_time(const void *a, const void *b, size_t len)
{
	const volatile unsigned char *left = a, *right = b;
	unsigned char difference = 0;
	for (size_t i = 0; i < len; i++)
		difference |= left[i] ^ right[i];
	return difference == 0;
}

/* ---- memory ---- */

#define MEMORY_PAUSE_MS 100

/* Beside errno: a child has written to that page anyway. */
static _Thread_local bool waits_for_memory;

void must_wait_for_memory(bool wait)
{
	waits_for_memory = wait;
}

/* Returns when it is worth another try. tries: those before. */
static void lack_memory(unsigned tries)
{
	static const char words[] = "officemail: out of memory\n";
	const struct timespec pause = {.tv_nsec = MEMORY_PAUSE_MS * 1000000L};
	/* Nothing can be done if even this line is not taken. */
	if (tries == 0)
		(void)!write(STDERR_FILENO, words, sizeof(words) - 1);
	if (!waits_for_memory)
		abort();
	nanosleep(&pause, NULL);
}

void *must_alloc(size_t size)
{
	void *memory;
	for (unsigned tries = 0; !(memory = calloc(1, size > 0 ? size : 1)); tries++)
		lack_memory(tries);
	return memory;
}

void *must_realloc(void *memory, size_t size)
{
	void *moved;
	for (unsigned tries = 0; !(moved = realloc(memory, size > 0 ? size : 1)); tries++)
		lack_memory(tries);
	return moved;
}

char *must_copy(const char *text)
{
	size_t size = strlen(text) + 1;
	return memcpy(must_alloc(size), text, size);
}
