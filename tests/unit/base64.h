/* Base64 for a unit test: what clients send. */
#ifndef TESTS_UNIT_BASE64_H
#define TESTS_UNIT_BASE64_H

#include "base/buf.h"
#include <stdint.h>

static inline void add_base64(struct buf *out, const void *octets, size_t len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = octets;
	for (size_t i = 0; i < len; i += 3) {
		size_t there = len - i < 3 ? len - i : 3;
		uint32_t group = 0;
		for (size_t j = 0; j < 3; j++)
			group = group << 8 | (j < there ? in[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			buf_add_char(out, j <= there ? letters[group >> (18 - 6 * j) & 63] : '=');
	}
}

#endif
