/* tools/port_mbox.h, port_render.h and port_message.h: octets out and in again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/port_message.h"
#include "tools/port_render.h"
#include <stdlib.h>
#include <unistd.h>

static const struct {
	const char *line;
	int64_t received; /* 0: it is none */
} from_lines[] = {
	{"From pak@luar.example Mon Nov 23 07:00:00 2026", 1795417200},
	{"From pak@luar.example Mon Nov 23 07:00:00 2026\r", 1795417200},
	{"From pak@luar.example  Mon Nov  3 07:00 2026", 1793689200},
	{"From - Mon Nov 23 07:00:00 2026", 1795417200},
	{"From a b c Mon Nov 23 07:00:00 2026", 1795417200},
	{"From a Mon Nov 23 14:00:00 2026 +0700", 1795417200},
	{"From a Mon Nov 23 14:00:00 +0700 2026", 1795417200},
	{"From a Mon Nov 23 07:00:00 UTC 2026", 1795417200},
	{"From a Mon Mon Nov 23 07:00:00 2026", 1795417200},
	{"From here to Monday", 0},
	{"From a Mon Nov 23 2026", 0},
	{"From a Mon Nov 23 07:00:00", 0},
	{"From a Mon Nov 23 25:00:00 2026", 0},
	{"From a Mon Nov 32 07:00:00 2026", 0},
	{"From a Mon Nof 23 07:00:00 2026", 0},
	{"From a Mon Nov 23 07:00:00 1026", 0},
	{">From a Mon Nov 23 07:00:00 2026", 0},
	{"from a Mon Nov 23 07:00:00 2026", 0},
	{"From", 0},
	{"From ", 0},
	{"From \r", 0},
	{"", 0},
};

static void a_line_between_messages_has_a_date(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(from_lines) / sizeof(from_lines[0]); i++) {
		int64_t received = 0;
		bool is = mbox_is_from_line(slice_of(from_lines[i].line), &received);
		if (is != (from_lines[i].received != 0) ||
			(is && received != from_lines[i].received))
			fail_msg("%s: %lld", from_lines[i].line, (long long)received);
	}
}

static void the_line_that_is_written_is_read(void **state)
{
	(void)state;
	static const char *const senders[] = {"pak@luar.example", "", "\"a b\"@x", "a\nb", "\x80"};
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		struct buf line = {0};
		int64_t received = 0;
		mbox_add_from_line(&line, slice_of(senders[i]), 1795417200);
		assert_true(line.len > 5 && line.at[line.len - 1] == '\n');
		assert_null(memchr(line.at, '\n', line.len - 1));
		line.len--;
		assert_true(mbox_is_from_line(buf_slice(&line), &received));
		assert_int_equal(received, 1795417200);
		buf_free(&line);
	}
}

/* ---- quoting ---- */

static struct buf quoted(const char *text, size_t step, bool quote)
{
	struct mbox_lines lines = {0};
	struct buf out = {0};
	struct slice rest = slice_of(text);
	while (rest.len > 0) {
		struct slice part = {rest.at, step < rest.len ? step : rest.len};
		(quote ? mbox_quote : mbox_unquote)(&lines, part, &out);
		rest = slice_from(rest, part.len);
	}
	mbox_lines_end(&lines, &out);
	return out;
}

static void lines_that_could_be_one_between_are_quoted(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"From x\n", ">From x\n"},
		{">From x\n>>From \n", ">>From x\n>>>From \n"},
		{"a From \n >From \nfrom \n", "a From \n >From \nfrom \n"},
		{"From\nFrom\t\nFro", "From\nFrom\t\nFro"},
		{">>>\n>Fro\n>>", ">>>\n>Fro\n>>"},
		{"\n\nFrom ", "\n\n>From "},
		{">F>From \n", ">F>From \n"},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		for (size_t step = 1; step < 9; step++) {
			struct buf out = quoted(pairs[i][0], step, true);
			struct buf in = quoted(pairs[i][1], step, false);
			assert_string_equal(buf_text(&out), pairs[i][1]);
			assert_string_equal(buf_text(&in), pairs[i][0]);
			buf_free(&out);
			buf_free(&in);
		}
	}
}

static void lines_end_as_asked_for(void **state)
{
	(void)state;
	static const struct {
		bool crlf, quote;
		const char *out;
	} cases[] = {
		{false, false, "a\nFrom b\n\r\rc\n\r"},
		{true, false, "a\r\nFrom b\r\n\r\rc\r\n\r"},
		{false, true, "a\n>From b\n\r\rc\n\r"},
		{true, true, "a\r\n>From b\r\n\r\rc\r\n\r"},
	};
	for (size_t i = 0; i < 4; i++) {
		for (size_t step = 1; step < 5; step++) {
			struct port_render render = {
				.crlf = cases[i].crlf, .quote = cases[i].quote};
			struct slice rest = SLICE("a\r\nFrom b\r\n\r\rc\r\n\r");
			struct buf out = {0};
			while (rest.len > 0) {
				struct slice part = {rest.at, step < rest.len ? step : rest.len};
				buf_add_slice(&out, port_render(&render, part));
				rest = slice_from(rest, part.len);
			}
			buf_add_slice(&out, port_render_end(&render));
			assert_string_equal(buf_text(&out), cases[i].out);
			buf_free(&out);
			port_render_free(&render);
		}
	}
}

/* ---- the file ---- */

/* The texts of the messages found, "|" behind each; what stands in front comes first. */
static struct buf split(struct slice file, size_t step)
{
	struct mbox_scan *scan = must_alloc(sizeof(*scan));
	struct buf out = {0};
	uint64_t begin = 0;
	while (scan->at < file.len) {
		struct slice rest = slice_from(file, (size_t)scan->at);
		bool found;
		rest.len = step < rest.len ? step : rest.len;
		assert_true(mbox_scan(scan, rest, &found) > 0);
		if (!found)
			continue;
		buf_add(&out, file.at + begin, (size_t)(scan->text_end - begin));
		buf_add_char(&out, '|');
		assert_true(scan->text_end <= scan->line_begin);
		begin = scan->line_end;
	}
	buf_add(&out, file.at + begin, (size_t)(mbox_scan_end(scan) - begin));
	free(scan);
	return out;
}

#define LINE "From a Mon Nov 23 07:00:00 2026\n"

static void a_file_is_split_wherever_it_is_cut(void **state)
{
	(void)state;
	static const char *const files[][2] = {
		{LINE "one\n\n" LINE "two\n\n", "|one\n|two\n"},
		{LINE "one\n" LINE LINE "\n" LINE "x", "|one\n|||x"},
		{LINE "one\n\n\n" LINE "two\n\n\n", "|one\n\n|two\n\n"},
		{"front\n\n" LINE "x\r\n\r\n" LINE "\r\n", "front\n|x\r\n|"},
		{LINE "From me\n\nFrom you\n", "|From me\n\nFrom you\n"},
		{LINE "x\n\n>" LINE, "|x\n\n>" LINE},
		{LINE "x\n\r", "|x\n"},
		{LINE "x\n\nFrom a Mon Nov 23 07:00:00 2026",
			"|x\n\nFrom a Mon Nov 23 07:00:00 2026"},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		for (size_t step = 1; step < 200; step += step < 50 ? 1 : 50) {
			struct buf out = split(slice_of(files[i][0]), step);
			if (strcmp(buf_text(&out), files[i][1]))
				fail_msg("%s\nby %zu: %s", files[i][0], step, buf_text(&out));
			buf_free(&out);
		}
	}
}

static void a_long_line_takes_no_memory_and_is_none_between(void **state)
{
	(void)state;
	struct buf file = {0};
	buf_add_text(&file, LINE "From ");
	for (int i = 0; i < 300000; i++)
		buf_add_char(&file, 'x');
	buf_add_text(&file, " Mon Nov 23 07:00:00 2026\n\n" LINE "y\n");
	struct buf out = split(buf_slice(&file), 4096);
	assert_int_equal(out.len, 5 + 300000 + 26 + 1 + 2 + 1);
	buf_free(&out);
	buf_free(&file);
}

/* ---- a message ---- */

static int make_file(struct slice octets)
{
	char path[] = "/tmp/officemail.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, octets.at, octets.len), octets.len);
	return fd;
}

static void a_message_gets_its_stored_form(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
		bool quoted;
	} cases[] = {
		{"A: b\n\nc\n", "A: b\r\n\r\nc\r\n", false},
		{"A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n", false},
		{"A: b\n\n>From c\n", "A: b\r\n\r\n>From c\r\n", false},
		{"A: b\n\n>From c\n", "A: b\r\n\r\nFrom c\r\n", true},
		{"A: b\n\n>From", "A: b\r\n\r\n>From\r\n", true},
		{"A: b", "A: b\r\n\r\n", false},
		{"\nx", "\r\nx\r\n", false},
		{"x\ry\r", "x y \r\n\r\n", false},
		{">", ">\r\n\r\n", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct port_message message = {0};
		struct err e = {0};
		struct slice in = slice_of(cases[i].in);
		const struct port_range range = {
			.fd = make_file(in), .to = in.len, .quoted = cases[i].quoted};
		assert_int_equal(port_message_read(&message, &range, &e), 0);
		assert_string_equal(buf_text(&message.octets), cases[i].out);
		assert_int_equal(message.size, strlen(cases[i].out));
		assert_true(message.whole);
		port_message_free(&message);
		close(range.fd);
	}
}

static void what_can_be_no_message_is_refused(void **state)
{
	(void)state;
	struct port_message message = {0};
	struct err e = {0};
	struct port_range range = {.fd = make_file((struct slice){"a\0b", 3})};
	assert_int_equal(port_message_read(&message, &range, &e), -1);
	assert_string_equal(e.text, "is empty");
	range.to = 3;
	assert_int_equal(port_message_read(&message, &range, &e), -1);
	assert_string_equal(e.text, "holds a NUL, which no mail may");
	range.from = 2;
	range.to = 4;
	assert_int_equal(port_message_read(&message, &range, &e), -1);
	assert_string_equal(e.text, "has changed while it was read");
	port_message_free(&message);
	close(range.fd);
}

static void one_that_is_written_meanwhile_is_refused(void **state)
{
	(void)state;
	struct port_message message = {0};
	struct err e = {0};
	struct stat was;
	const struct port_range range = {
		.fd = make_file(SLICE("A: b\n\nhalf")), .to = 10, .was = &was};
	assert_int_equal(fstat(range.fd, &was), 0);
	assert_false(port_range_has_changed(&range));
	assert_int_equal(port_message_read(&message, &range, &e), 0);
	assert_int_equal(lseek(range.fd, 0, SEEK_END), 10);
	assert_int_equal(write(range.fd, " more", 5), 5);
	assert_true(port_range_has_changed(&range));
	assert_int_equal(port_message_read(&message, &range, &e), -1);
	assert_string_equal(e.text, "has changed while it was read");
	port_message_free(&message);
	close(range.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_between_messages_has_a_date),
		cmocka_unit_test(the_line_that_is_written_is_read),
		cmocka_unit_test(lines_that_could_be_one_between_are_quoted),
		cmocka_unit_test(lines_end_as_asked_for),
		cmocka_unit_test(a_file_is_split_wherever_it_is_cut),
		cmocka_unit_test(a_long_line_takes_no_memory_and_is_none_between),
		cmocka_unit_test(a_message_gets_its_stored_form),
		cmocka_unit_test(what_can_be_no_message_is_refused),
		cmocka_unit_test(one_that_is_written_meanwhile_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
