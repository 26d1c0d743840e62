/* The octets of DATA and BDAT, cut anywhere: what is stored is what a model
 * says that sees all of them at once and knows no states, and the loop counter
 * of the header counts the same however they were cut. Back to the wire and in
 * again they are the same octets.
 *
 * Input: an octet (odd: DATA, even: BDAT), three that say where to cut, the
 * octets of the wire. */
#include "base/dot.h"
#include "smtpd/trace.h"
#include "tests/fuzz/stored.h"
#include <stdlib.h>

/* ---- the reader ---- */

struct reading {
	struct dot_reader reader;
	struct trace_scan scan;
	struct buf out;
	size_t taken;
};

static void read_part(struct reading *reading, struct slice part)
{
	size_t before = reading->out.len;
	char *copy = fuzz_copy(part);
	size_t taken = dot_read(&reading->reader, (struct slice){copy, part.len}, &reading->out);
	free(copy);
	assert(taken == part.len || (taken < part.len && reading->reader.ended));
	reading->taken += taken;
	trace_scan(&reading->scan, slice_from(buf_slice(&reading->out), before));
}

static void read_in_parts(
	struct slice wire, bool dotted, struct slice cuts, struct reading *reading)
{
	*reading = (struct reading){0};
	dot_read_start(&reading->reader, dotted);
	trace_scan_start(&reading->scan, "mail.kantor.example");
	for (size_t i = 0; wire.len > 0 && !reading->reader.ended; i++) {
		size_t len = cuts.len ? 1u + (unsigned char)cuts.at[i % cuts.len] : wire.len;
		read_part(reading, fuzz_take(&wire, len));
	}
	if (!dotted) {
		size_t before = reading->out.len;
		dot_read_finish(&reading->reader, &reading->out);
		trace_scan(&reading->scan, slice_from(buf_slice(&reading->out), before));
	}
}

static void compare_with_model(struct slice wire, bool dotted, const struct reading *got)
{
	struct buf model = {0};
	size_t end = dotted ? stored_end(wire) : wire.len;
	assert(got->reader.ended == (end < wire.len));
	assert(got->taken == (got->reader.ended ? end + 3 : wire.len));
	stored_add(&model, (struct slice){wire.at, end}, dotted);
	/* Without its end a body is never stored; what is held back is left out. */
	if (dotted && !got->reader.ended)
		assert(got->out.len <= model.len &&
			slice_has_prefix(buf_slice(&model), buf_slice(&got->out)));
	if (!dotted)
		stored_end_line(&model);
	if (!dotted || got->reader.ended)
		assert(slice_equal(buf_slice(&model), buf_slice(&got->out)));
	bool has_nul = got->taken > 0 && memchr(wire.at, '\0', got->taken);
	assert(got->reader.has_nul == has_nul);
	buf_free(&model);
}

/* ---- out, and in again ---- */

static void write_and_read_again(struct slice stored)
{
	struct dot_writer writer = {0};
	struct buf wire = {0};
	struct reading again;
	struct slice rest = stored;
	while (rest.len > 0) {
		bool stuff;
		struct slice span = dot_write_span(&writer, &rest, &stuff);
		assert(span.len > 0);
		if (stuff)
			buf_add_char(&wire, '.');
		buf_add_slice(&wire, span);
	}
	assert(!writer.inside_line);
	buf_add_text(&wire, ".\r\n");
	read_in_parts(buf_slice(&wire), true, SLICE(""), &again);
	assert(again.reader.ended && again.taken == wire.len);
	assert(slice_equal(buf_slice(&again.out), stored));
	buf_free(&again.out);
	buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice wire = fuzz_input(data, size);
	struct reading whole, cut;
	bool dotted = fuzz_octet(&wire) & 1;
	struct slice cuts = fuzz_take(&wire, 3);
	read_in_parts(wire, dotted, SLICE(""), &whole);
	read_in_parts(wire, dotted, cuts, &cut);
	compare_with_model(wire, dotted, &cut);
	assert(slice_equal(buf_slice(&whole.out), buf_slice(&cut.out)));
	assert(whole.scan.received == cut.scan.received && whole.scan.ours == cut.scan.ours);
	assert(whole.scan.header_ended == cut.scan.header_ended);
	assert(cut.scan.ours <= cut.scan.received);
	if (!dotted || cut.reader.ended)
		write_and_read_again(buf_slice(&cut.out));
	buf_free(&whole.out);
	buf_free(&cut.out);
	return 0;
}
