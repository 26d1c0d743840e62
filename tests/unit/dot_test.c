/* base/dot: the dotted body, in and out. */
#include "base/dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#define LITERAL(text)                                                                              \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}

struct vector {
	const char *what;
	struct slice wire;   /* behind 354 */
	struct slice stored; /* what becomes of it */
	struct slice rest;   /* what is left on the wire, for the next command */
};

/* Two chunks for every place to cut, then equal chunks of every size: the
 * stored form must never depend on how the wire cut it. */
static void read_in_chunks(const struct vector *vector, bool dotted, size_t first, size_t size)
{
	struct dot_reader reader;
	struct buf out = {0};
	struct slice wire = vector->wire;
	size_t chunk = first;
	dot_read_start(&reader, dotted);
	while (wire.len > 0 && !reader.ended) {
		struct slice part = {wire.at, chunk < wire.len ? chunk : wire.len};
		/* In memory of its own, so that a look past its end is found out. */
		char *copy = malloc(part.len);
		assert_non_null(copy);
		memcpy(copy, part.at, part.len);
		size_t taken = dot_read(&reader, (struct slice){copy, part.len}, &out);
		free(copy);
		assert_true(taken == part.len || reader.ended);
		wire = slice_from(wire, taken);
		chunk = size;
	}
	if (!dotted)
		dot_read_finish(&reader, &out);
	else
		assert_true(reader.ended);
	if (!slice_equal(buf_slice(&out), vector->stored))
		fail_msg("%s (first %zu, then %zu): got \"%.*s\"", vector->what, first, size,
			(int)out.len, out.at);
	assert_true(slice_equal(wire, vector->rest));
	bool nul = memchr(vector->wire.at, '\0', vector->wire.len) != NULL;
	assert_int_equal(reader.has_nul, nul);
	buf_free(&out);
}

static void read_every_way(const struct vector *vectors, size_t count, bool dotted)
{
	for (size_t v = 0; v < count; v++) {
		size_t len = vectors[v].wire.len;
		for (size_t cut = 1; cut <= len; cut++)
			read_in_chunks(&vectors[v], dotted, cut, len);
		for (size_t size = 1; size <= len; size++)
			read_in_chunks(&vectors[v], dotted, size, size);
	}
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void a_dotted_body_is_unstuffed_and_ends_at_crlf_dot_crlf(void **state)
{
	static const struct vector vectors[] = {
		{"empty", LITERAL(".\r\n"), LITERAL(""), LITERAL("")},
		{"a line", LITERAL("a\r\n.\r\n"), LITERAL("a\r\n"), LITERAL("")},
		{"commands behind the end", LITERAL("a\r\n.\r\nQUIT\r\n"), LITERAL("a\r\n"),
			LITERAL("QUIT\r\n")},
		{"commands behind an empty one", LITERAL(".\r\n.\r\n"), LITERAL(""),
			LITERAL(".\r\n")},
		{"blank lines", LITERAL("\r\n\r\n\r\n.\r\n"), LITERAL("\r\n\r\n\r\n"), LITERAL("")},
		{"a stuffed dot", LITERAL("..\r\n.\r\n"), LITERAL(".\r\n"), LITERAL("")},
		{"stuffed dots", LITERAL("..a\r\n...\r\n..b\r\n.\r\n"),
			LITERAL(".a\r\n..\r\n.b\r\n"), LITERAL("")},
		{"a dot that should have been stuffed", LITERAL(".a\r\n.\r\n"), LITERAL("a\r\n"),
			LITERAL("")},
		{"dots inside lines", LITERAL("a.b\r\na.\r\n .\r\n.\r\n"),
			LITERAL("a.b\r\na.\r\n .\r\n"), LITERAL("")},
		{"eight bits", LITERAL("\xff\xc3\xa9\r\n..\x80\r\n.\r\n"),
			LITERAL("\xff\xc3\xa9\r\n.\x80\r\n"), LITERAL("")},
		{"a NUL", LITERAL("a\0b\r\n.\r\n"), LITERAL("a\0b\r\n"), LITERAL("")},
	};
	(void)state;
	read_every_way(vectors, COUNT(vectors), true);
}

#define SMUGGLED "MAIL FROM:<a@b>\r\n"
#define FALSE_END(octets, becomes)                                                                 \
	{                                                                                          \
		octets, LITERAL("x" octets SMUGGLED ".\r\nNOOP\r\n"),                              \
			LITERAL("x" becomes SMUGGLED), LITERAL("NOOP\r\n")                         \
	}

static void only_crlf_dot_crlf_ends_a_body(void **state)
{
	static const struct vector vectors[] = {
		FALSE_END("\n.\n", "\r\n.\r\n"),
		FALSE_END("\n.\r\n", "\r\n.\r\n"),
		FALSE_END("\r\n.\n", "\r\n\r\n"),
		FALSE_END("\r.\r", " . "),
		FALSE_END("\r.\r\n", " .\r\n"),
		FALSE_END("\r\n.\r", "\r\n "),
		FALSE_END("\r\r\n.\r\r\n", " \r\n \r\n"),
		FALSE_END("\r\n.\r\r\n", "\r\n \r\n"),
		FALSE_END("\r\n\0.\r\n", "\r\n\0.\r\n"),
		FALSE_END("\r\n.\0\r\n", "\r\n\0\r\n"),
		FALSE_END("\r\n\0.\0\r\n", "\r\n\0.\0\r\n"),
		FALSE_END("\r\n.\r\0\n", "\r\n \0\r\n"),
		FALSE_END("\r\n. \r\n", "\r\n \r\n"),
		FALSE_END("\r\n .\r\n", "\r\n .\r\n"),
		FALSE_END("\r\n..\r\n", "\r\n.\r\n"),
		FALSE_END("\r\n.\n.\r\n", "\r\n\r\n.\r\n"),
		FALSE_END("\n\n.\n\n", "\r\n\r\n.\r\n\r\n"),
		FALSE_END("\n\r.\n\r", "\r\n .\r\n "),
		FALSE_END("\r\n.\n\r\n", "\r\n\r\n\r\n"),
		FALSE_END("\n\r\n..\r\n", "\r\n\r\n.\r\n"),
		FALSE_END("\r\r.\r\r", "  .  "),
		FALSE_END("\x85.\x85", "\x85.\x85"),
		FALSE_END("\v.\v\f.\f", "\v.\v\f.\f"),
		FALSE_END("\xe2\x80\xa8.\xe2\x80\xa8", "\xe2\x80\xa8.\xe2\x80\xa8"),
	};
	(void)state;
	read_every_way(vectors, COUNT(vectors), true);
}

/* The first line stands behind a CRLF too: that of DATA. */
static void the_first_line_can_be_a_false_end_as_well(void **state)
{
	static const struct vector vectors[] = {
		{"LF", LITERAL(".\na\r\n.\r\n"), LITERAL("\r\na\r\n"), LITERAL("")},
		{"CR", LITERAL(".\ra\r\n.\r\n"), LITERAL(" a\r\n"), LITERAL("")},
		{"CR CRLF", LITERAL(".\r\r\n.\r\n"), LITERAL(" \r\n"), LITERAL("")},
		{"bare LF first", LITERAL("\n.\r\n.\r\n"), LITERAL("\r\n.\r\n"), LITERAL("")},
		{"bare CR first", LITERAL("\r.\r\n.\r\n"), LITERAL(" .\r\n"), LITERAL("")},
		{"CR before the real end", LITERAL("a\r\r\n.\r\n"), LITERAL("a \r\n"), LITERAL("")},
	};
	(void)state;
	read_every_way(vectors, COUNT(vectors), true);
}

static void a_bdat_body_is_repaired_but_its_dots_are_text(void **state)
{
	static const struct vector vectors[] = {
		{"empty", LITERAL(""), LITERAL(""), LITERAL("")},
		{"whole lines", LITERAL("a\r\nb\r\n"), LITERAL("a\r\nb\r\n"), LITERAL("")},
		{"dots", LITERAL(".\r\n..\r\na\r\n.\r\nb\r\n"),
			LITERAL(".\r\n..\r\na\r\n.\r\nb\r\n"), LITERAL("")},
		{"bare LF", LITERAL("a\n.\n\nb\r\n"), LITERAL("a\r\n.\r\n\r\nb\r\n"), LITERAL("")},
		{"bare LF last", LITERAL("a\n"), LITERAL("a\r\n"), LITERAL("")},
		{"bare CR", LITERAL("a\rb\r\r\nc\r\n"), LITERAL("a b \r\nc\r\n"), LITERAL("")},
		{"no line end", LITERAL("a"), LITERAL("a\r\n"), LITERAL("")},
		{"CR last", LITERAL("a\r"), LITERAL("a \r\n"), LITERAL("")},
		{"CRs last", LITERAL("a\r\n\r\r"), LITERAL("a\r\n  \r\n"), LITERAL("")},
		{"a NUL", LITERAL("\0\r\n"), LITERAL("\0\r\n"), LITERAL("")},
	};
	(void)state;
	read_every_way(vectors, COUNT(vectors), false);
}

static void a_refused_body_is_read_to_the_same_end(void **state)
{
	static const struct slice wire = LITERAL("a\r\n..\n.\r\n\r.\r\n.\r\nQUIT\r\n");
	(void)state;
	for (size_t size = 1; size <= wire.len; size++) {
		struct dot_reader reader;
		struct slice rest = wire;
		dot_read_start(&reader, true);
		while (!reader.ended) {
			struct slice part = {rest.at, size < rest.len ? size : rest.len};
			rest = slice_from(rest, dot_read(&reader, part, NULL));
		}
		assert_true(slice_equal(rest, SLICE("QUIT\r\n")));
	}
}

static void a_nul_behind_the_end_is_not_the_messages(void **state)
{
	struct dot_reader reader;
	struct buf out = {0};
	(void)state;
	dot_read_start(&reader, true);
	assert_int_equal(dot_read(&reader, SLICE("a\r\n.\r\n\0"), &out), 6);
	assert_true(reader.ended);
	assert_false(reader.has_nul);
	buf_free(&out);
}

static void write_in_chunks(struct slice stored, size_t size, struct slice expected)
{
	struct dot_writer writer = {0};
	struct buf out = {0};
	while (stored.len > 0) {
		struct slice part = {stored.at, size < stored.len ? size : stored.len};
		stored = slice_from(stored, part.len);
		while (part.len > 0) {
			bool stuff;
			struct slice span = dot_write_span(&writer, &part, &stuff);
			assert_true(span.len > 0);
			if (stuff)
				buf_add_char(&out, '.');
			buf_add_slice(&out, span);
		}
	}
	assert_true(slice_equal(buf_slice(&out), expected));
	buf_free(&out);
}

static void every_line_that_begins_with_a_dot_is_stuffed(void **state)
{
	static const struct {
		struct slice stored, dotted;
	} vectors[] = {
		{LITERAL("a\r\nb\r\n"), LITERAL("a\r\nb\r\n")},
		{LITERAL(".\r\n"), LITERAL("..\r\n")},
		{LITERAL("..\r\n.a\r\n"), LITERAL("...\r\n..a\r\n")},
		{LITERAL("a.\r\n.b.\r\n\r\n."), LITERAL("a.\r\n..b.\r\n\r\n..")},
		{LITERAL("a\0\r\n.\0"), LITERAL("a\0\r\n..\0")},
	};
	(void)state;
	for (size_t v = 0; v < COUNT(vectors); v++)
		for (size_t size = 1; size <= vectors[v].stored.len; size++)
			write_in_chunks(vectors[v].stored, size, vectors[v].dotted);
}

static void spans_reach_from_one_stuffed_dot_to_the_next(void **state)
{
	struct slice stored = SLICE("a.b\r\nc\r\n.d\r\n\r\ne..\r\n.");
	struct dot_writer writer = {0};
	bool stuff;
	(void)state;
	assert_true(slice_equal(dot_write_span(&writer, &stored, &stuff), SLICE("a.b\r\nc\r\n")));
	assert_false(stuff);
	assert_true(
		slice_equal(dot_write_span(&writer, &stored, &stuff), SLICE(".d\r\n\r\ne..\r\n")));
	assert_true(stuff);
	assert_true(slice_equal(dot_write_span(&writer, &stored, &stuff), SLICE(".")));
	assert_true(stuff);
	assert_int_equal(dot_write_span(&writer, &stored, &stuff).len, 0);
	assert_false(stuff);
}

static void what_is_written_is_read_back_unchanged(void **state)
{
	static const char letters[] = "..\r\nab";
	(void)state;
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		struct buf stored = {0}, wire = {0}, back = {0};
		for (long len = random() % 40; len > 0; len--) {
			char letter = letters[random() % 6];
			if (letter == '\r' || letter == '\n')
				buf_add_text(&stored, "\r\n");
			else
				buf_add_char(&stored, letter);
		}
		buf_add_text(&stored, "\r\n");

		struct dot_writer writer = {0};
		struct slice rest = buf_slice(&stored);
		while (rest.len > 0) {
			bool stuff;
			struct slice span = dot_write_span(&writer, &rest, &stuff);
			buf_add_text(&wire, stuff ? "." : "");
			buf_add_slice(&wire, span);
		}
		buf_add_text(&wire, ".\r\n");

		struct dot_reader reader;
		dot_read_start(&reader, true);
		assert_int_equal(dot_read(&reader, buf_slice(&wire), &back), wire.len);
		assert_true(reader.ended);
		assert_true(slice_equal(buf_slice(&back), buf_slice(&stored)));
		buf_free(&stored);
		buf_free(&wire);
		buf_free(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dotted_body_is_unstuffed_and_ends_at_crlf_dot_crlf),
		cmocka_unit_test(only_crlf_dot_crlf_ends_a_body),
		cmocka_unit_test(the_first_line_can_be_a_false_end_as_well),
		cmocka_unit_test(a_bdat_body_is_repaired_but_its_dots_are_text),
		cmocka_unit_test(a_refused_body_is_read_to_the_same_end),
		cmocka_unit_test(a_nul_behind_the_end_is_not_the_messages),
		cmocka_unit_test(every_line_that_begins_with_a_dot_is_stuffed),
		cmocka_unit_test(spans_reach_from_one_stuffed_dot_to_the_next),
		cmocka_unit_test(what_is_written_is_read_back_unchanged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
