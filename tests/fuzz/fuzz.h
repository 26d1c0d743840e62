/* What the fuzz targets share. A target is one file with the entry that
 * libFuzzer calls; what it promises it asserts. README.md says how to add one. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/buf.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Optional: once, before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

static inline struct slice fuzz_input(const uint8_t *data, size_t size)
{
	return (struct slice){(const char *)data, size};
}

/* Cuts `len` octets off the front, or what there is. */
static inline struct slice fuzz_take(struct slice *in, size_t len)
{
	struct slice taken = {in->at, len < in->len ? len : in->len};
	*in = slice_from(*in, taken.len);
	return taken;
}

/* The next octet, 0 past the end. */
static inline unsigned fuzz_octet(struct slice *in)
{
	struct slice one = fuzz_take(in, 1);
	return one.len > 0 ? (unsigned char)one.at[0] : 0;
}

/* A copy in memory of its own, so that a look past its end is found out. */
static inline char *fuzz_copy(struct slice text)
{
	char *copy = must_alloc(text.len);
	if (text.len > 0)
		memcpy(copy, text.at, text.len);
	return copy;
}

/* A file in memory with these octets; `path`: where it can be opened. */
static inline int fuzz_file(struct slice octets, char path[32])
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	struct buf name = {0};
	assert(fd >= 0);
	assert(octets.len == 0 || write(fd, octets.at, octets.len) == (ssize_t)octets.len);
	if (path) {
		buf_printf(&name, "/proc/self/fd/%d", fd);
		assert(name.len < 32);
		memcpy(path, buf_text(&name), name.len + 1);
		buf_free(&name);
	}
	return fd;
}

#endif
