/* Octets, owned (struct buf) and borrowed (struct slice).
 *
 * A buf set to zero is empty and valid; buf_free() accepts it. A slice is
 * valid as long as the octets it points to; the function that lends one says
 * for how long. Neither is terminated by a NUL, and both may hold NULs.
 * Out of memory ends the process. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
	const char *at;
	size_t len;
};

struct buf {
	char *at;
	size_t len, cap;
};

/* A literal as a slice. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

struct slice slice_of(const char *text); /* text may be NULL: empty */
struct slice buf_slice(const struct buf *buf);
bool slice_equal(struct slice a, struct slice b);
bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII only */
bool slice_has_prefix(struct slice text, struct slice prefix);
/* Without blanks and tabs at either end. */
struct slice slice_trim(struct slice text);
/* The octets from `from` on; empty past the end. */
struct slice slice_from(struct slice text, size_t from);
/* Index of the first `octet`, or text.len. */
size_t slice_find(struct slice text, char octet);
/* Cuts the part before the first `octet` off *rest and returns it; *rest goes
 * on behind the octet. Without one, returns all and leaves *rest empty. */
struct slice slice_cut(struct slice *rest, char octet);

void buf_free(struct buf *buf);
/* Frees after overwriting: for passwords and keys. */
void buf_wipe(struct buf *buf);
void buf_clear(struct buf *buf); /* empties, keeps the memory */
/* Room for `more` octets behind the content; returns where they go. The
 * caller adds to len what it wrote. */
char *buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const void *octets, size_t len);
void buf_add_slice(struct buf *buf, struct slice text);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char octet);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Removes `len` octets at the front. */
void buf_drop(struct buf *buf, size_t len);
/* The content as a C string: adds a NUL that len does not count. */
const char *buf_text(struct buf *buf);

/* Overwrites memory in a way that the compiler keeps. */
void wipe(void *memory, size_t len);
/* Overwrites what functions that have returned left on the stack, 32 kB of it, and in
 * vector registers: a library's copies of a key or a password. */
void wipe_stack(void);
/* The same, 8 kB of it: behind functions of our own, which do not go deeper. */
void wipe_stack_near(void);
/* Equality in time that depends on len alone. */
bool equal_constant_time(const void *a, const void *b, size_t len);

/* malloc and friends that end the process instead of failing; once it has been
 * told to wait, they wait until there is memory: for the master, with which all
 * other processes would end. */
void must_wait_for_memory(bool wait);
void *must_alloc(size_t size); /* zeroed */
void *must_realloc(void *memory, size_t size);
char *must_copy(const char *text);

#endif
