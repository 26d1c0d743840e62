/* Received: written and counted (smtpd/trace.h). */
#include "smtpd/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct trace usual = {
	.client = {"client.example", 14},
	.peer = "192.0.2.7",
	.hostname = "mail.kantor.example",
	.protocol = "ESMTP",
	.queue_id = "abcDEF123-_x",
	.recipient = {"ani@kantor.example", 18},
	.when = 1772420400,
};

static void assert_field(const struct trace *trace, const char *expected)
{
	struct buf out = {0};
	trace_add_received(&out, trace);
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void the_field_names_client_server_protocol_and_recipient(void **state)
{
	(void)state;
	assert_field(&usual, "Received: from client.example ([192.0.2.7])\r\n"
			     "\tby mail.kantor.example (officemail) with ESMTP id abcDEF123-_x\r\n"
			     "\tfor <ani@kantor.example>; Mon, 02 Mar 2026 10:00:00 +0700\r\n");
}

static void what_came_by_tls_names_its_suite(void **state)
{
	(void)state;
	struct trace trace = usual;
	trace.protocol = "ESMTPS";
	trace.suite = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
	assert_field(&trace,
		"Received: from client.example ([192.0.2.7])\r\n"
		"\tby mail.kantor.example (officemail) with ESMTPS id abcDEF123-_x\r\n"
		"\tfor <ani@kantor.example> tls TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;\r\n"
		"\tMon, 02 Mar 2026 10:00:00 +0700\r\n");
	trace.recipient = SLICE("");
	assert_field(&trace, "Received: from client.example ([192.0.2.7])\r\n"
			     "\tby mail.kantor.example (officemail) with ESMTPS id abcDEF123-_x\r\n"
			     "\ttls TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;\r\n\tMon, 02 Mar 2026 "
			     "10:00:00 +0700\r\n");
}

static void several_recipients_are_not_named(void **state)
{
	(void)state;
	struct trace trace = usual;
	trace.recipient = SLICE("");
	assert_field(&trace, "Received: from client.example ([192.0.2.7])\r\n"
			     "\tby mail.kantor.example (officemail) with ESMTP id abcDEF123-_x;\r\n"
			     "\tMon, 02 Mar 2026 10:00:00 +0700\r\n");
}

static void ipv6_and_unix_peers_are_written_as_such(void **state)
{
	(void)state;
	struct trace trace = usual;
	trace.peer = "2001:db8::7";
	assert_field(&trace, "Received: from client.example ([IPv6:2001:db8::7])\r\n"
			     "\tby mail.kantor.example (officemail) with ESMTP id abcDEF123-_x\r\n"
			     "\tfor <ani@kantor.example>; Mon, 02 Mar 2026 10:00:00 +0700\r\n");
	trace.peer = "unix";
	trace.protocol = "LMTP";
	assert_field(&trace, "Received: from client.example (unix)\r\n"
			     "\tby mail.kantor.example (officemail) with LMTP id abcDEF123-_x\r\n"
			     "\tfor <ani@kantor.example>; Mon, 02 Mar 2026 10:00:00 +0700\r\n");
}

static void an_address_literal_stays_one_and_what_is_none_does_not(void **state)
{
	(void)state;
	struct trace trace = usual;
	trace.client = SLICE("[IPv6:2001:db8::1]");
	assert_field(&trace, "Received: from [IPv6:2001:db8::1] ([192.0.2.7])\r\n"
			     "\tby mail.kantor.example (officemail) with ESMTP id abcDEF123-_x\r\n"
			     "\tfor <ani@kantor.example>; Mon, 02 Mar 2026 10:00:00 +0700\r\n");
	trace.client = SLICE("[a]b]");
	assert_field(&trace, "Received: from %5Ba%5Db%5D ([192.0.2.7])\r\n"
			     "\tby mail.kantor.example (officemail) with ESMTP id abcDEF123-_x\r\n"
			     "\tfor <ani@kantor.example>; Mon, 02 Mar 2026 10:00:00 +0700\r\n");
}

static void nothing_a_client_calls_itself_looks_like_another_word(void **state)
{
	(void)state;
	struct trace trace = usual;
	trace.client = SLICE("a ([192.0.2.9])\tby us;\r\nX: 1\0\xff%n\\");
	assert_field(&trace, "Received: from\r\n"
			     "\ta%20%28%5B192.0.2.9%5D%29%09by%20us%3B%0D%0AX%3A"
			     "%201%00%FF%25n%5C\r\n"
			     "\t([192.0.2.7])\r\n"
			     "\tby mail.kantor.example (officemail) with ESMTP id abcDEF123-_x\r\n"
			     "\tfor <ani@kantor.example>; Mon, 02 Mar 2026 10:00:00 +0700\r\n");
}

static void lines_stay_short(void **state)
{
	(void)state;
	char name[2000], hostname[256], recipient[320];
	memset(name, '\xff', sizeof(name));
	memset(hostname, 'h', sizeof(hostname) - 1);
	hostname[sizeof(hostname) - 1] = '\0';
	memset(recipient, 'r', sizeof(recipient));
	struct trace trace = usual;
	struct buf out = {0};
	trace.client = (struct slice){name, sizeof(name)};
	trace.hostname = hostname;
	trace.recipient = (struct slice){recipient, sizeof(recipient)};
	trace_add_received(&out, &trace);
	struct slice rest = buf_slice(&out);
	while (rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');
		assert_in_range(line.len, 2, 400);
		assert_int_equal(line.at[line.len - 1], '\r');
		if (rest.len > 0)
			assert_int_equal(rest.at[0], '\t');
	}
	buf_free(&out);
}

/* ---- counting ---- */

/* In steps of `step` octets, as a message streams by. */
static struct trace_scan scan_text(struct slice text, size_t step)
{
	struct trace_scan scan;
	trace_scan_start(&scan, "mail.kantor.example");
	while (text.len > 0) {
		struct slice part = {text.at, step < text.len ? step : text.len};
		trace_scan(&scan, part);
		text = slice_from(text, part.len);
	}
	return scan;
}

static void received_fields_are_counted_wherever_the_stream_is_cut(void **state)
{
	(void)state;
	static const struct slice header =
		SLICE("Received: from a by b; date\r\n"
		      "received : from b\r\n\tby mail.kantor.example (officemail)\r\n with x\r\n"
		      "X-Received: by mail.kantor.example\r\n"
		      "Subject: Received: by mail.kantor.example\r\n"
		      "no field at all\r\n"
		      "RECEIVED: (x) by\r\n\t MAIL.kantor.example;date\r\n"
		      "Received: by mail.kantor.example.evil with mail.kantor.example\r\n"
		      "\r\n"
		      "Received: by mail.kantor.example\r\n");
	for (size_t step = 1; step <= header.len; step++) {
		struct trace_scan scan = scan_text(header, step);
		assert_true(scan.header_ended);
		assert_int_equal(scan.received, 4);
		assert_int_equal(scan.ours, 2);
		assert_false(trace_scan_is_loop(&scan));
	}
}

static struct trace_scan scan_many(const char *line, unsigned count)
{
	struct buf text = {0};
	while (count-- > 0)
		buf_add_text(&text, line);
	buf_add_text(&text, "\r\n");
	struct trace_scan scan = scan_text(buf_slice(&text), 4096);
	buf_free(&text);
	return scan;
}

static void more_than_a_hundred_received_fields_are_a_loop(void **state)
{
	(void)state;
	struct trace_scan scan = scan_many("Received: from a by b; date\r\n", 100);
	assert_false(trace_scan_is_loop(&scan));
	scan = scan_many("Received: from a by b; date\r\n", 101);
	assert_true(trace_scan_is_loop(&scan));
}

static void more_than_ten_of_our_own_are_a_loop(void **state)
{
	(void)state;
	struct trace_scan scan = scan_many("Received: by mail.kantor.example; date\r\n", 10);
	assert_false(trace_scan_is_loop(&scan));
	scan = scan_many("Received: by mail.kantor.example; date\r\n", 11);
	assert_true(trace_scan_is_loop(&scan));
}

static void a_field_without_end_is_looked_at_as_far_as_it_matters(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_add_text(&text, "Received: by mail.kantor.example ");
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "xxxxxxx\r\n\t");
	buf_add_text(&text, "\r\nReceived: by b\r\n\r\n");
	struct trace_scan scan = scan_text(buf_slice(&text), 1000);
	assert_int_equal(scan.received, 2);
	assert_int_equal(scan.ours, 1);
	buf_free(&text);
}

static void an_empty_message_has_no_header_end(void **state)
{
	(void)state;
	struct trace_scan scan = scan_text(SLICE(""), 1);
	assert_false(scan.header_ended);
	scan = scan_text(SLICE("\r\n"), 1);
	assert_true(scan.header_ended);
}

int main(void)
{
	setenv("TZ", "WIB-7", 1);
	tzset();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_field_names_client_server_protocol_and_recipient),
		cmocka_unit_test(what_came_by_tls_names_its_suite),
		cmocka_unit_test(several_recipients_are_not_named),
		cmocka_unit_test(ipv6_and_unix_peers_are_written_as_such),
		cmocka_unit_test(an_address_literal_stays_one_and_what_is_none_does_not),
		cmocka_unit_test(nothing_a_client_calls_itself_looks_like_another_word),
		cmocka_unit_test(lines_stay_short),
		cmocka_unit_test(received_fields_are_counted_wherever_the_stream_is_cut),
		cmocka_unit_test(more_than_a_hundred_received_fields_are_a_loop),
		cmocka_unit_test(more_than_ten_of_our_own_are_a_loop),
		cmocka_unit_test(a_field_without_end_is_looked_at_as_far_as_it_matters),
		cmocka_unit_test(an_empty_message_has_no_header_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
