/* tools/port_uidls.h, port_json.h and port_names.h: what old servers called things. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/port_json.h"
#include "tools/port_names.h"
#include "tools/port_uidls.h"

static const char *find(struct uidl_table *table, const char *file, uint64_t place)
{
	static char text[200];
	const struct uidl_row *row = uidls_find(table, slice_of(file), place);
	if (!row)
		return "none";
	struct slice uidl = uidls_uidl(table, row);
	snprintf(text, sizeof(text), "%.*s", (int)uidl.len, uidl.at);
	return text;
}

/* ---- Dovecot ---- */

static void the_list_of_a_dovecot_tells_uidls(void **state)
{
	(void)state;
	struct uidl_table table = {0};
	struct err e = {0};
	const char *list = "3 V1800000000 N9 Gffff\n"
			   "1 :one\n"
			   "11 W17 Pown Gabc :two:2,S\n"
			   "300 Gabc :three,S=5\r\n"
			   "x :four\n"
			   "5 Pwithout\n"
			   "0 :zero\n"
			   "\n"
			   "7 :one\n";
	assert_int_equal(uidls_read_dovecot(&table, slice_of(list), UIDLS_DOVECOT_FORMAT, &e), 0);
	assert_int_equal(table.count, 4);
	assert_string_equal(find(&table, "one", 0), "000000076b49d200"); /* the later one */
	assert_string_equal(find(&table, "cur/two:2,FS", 0), "own");
	assert_string_equal(find(&table, "new/three,S=5", 0), "0000012c6b49d200");
	assert_string_equal(find(&table, "four", 0), "none");
	assert_string_equal(find(&table, "", 0), "none");
	assert_string_equal(find(&table, "one", 1), "none");
	assert_int_equal(uidls_find(&table, SLICE("two"), 0)->order, 11);
	uidls_free(&table);
	assert_string_equal(find(&table, "one", 0), "none");
}

static void other_formats_of_a_dovecot(void **state)
{
	(void)state;
	static const char *const formats[][2] = {
		{"%u", "171"},
		{"%v-%u", "1800000000-171"},
		{"%Xu", "ab"},
		{"%08XUu%Xv", "000000AB6b49d200"},
		{"%XULu", "ab"},
		{"%5u", "00171"},
		{"%f", "a.b,S=1"},
		{"%g", "abc"},
		{"%%%u", "%171"},
		{"u%%v", NULL},
		{"%v", NULL},
		{"same", NULL},
		{"", NULL},
		{"%m", NULL},
		{"%{uid}", NULL},
		{"%", NULL},
		{"%99u", NULL},
	};
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct uidl_table table = {0};
		struct err e = {0};
		assert_int_equal(uidls_check_format(formats[i][0], &e), formats[i][1] ? 0 : -1);
		if (!formats[i][1]) {
			assert_int_equal(e.kind, ERR_INPUT);
			continue;
		}
		assert_int_equal(uidls_read_dovecot(&table,
					 SLICE("3 V1800000000 N9\n171 Gabc :a.b,S=1:2,S\n"),
					 formats[i][0], &e),
			0);
		assert_string_equal(find(&table, "a.b,S=1", 0), formats[i][1]);
		uidls_free(&table);
	}
}

static void an_old_list_of_a_dovecot(void **state)
{
	(void)state;
	struct uidl_table table = {0};
	struct err e = {0};
	assert_int_equal(uidls_read_dovecot(&table, SLICE("1 7 9\n3 one:2,S\n4 two\n"),
				 UIDLS_DOVECOT_FORMAT, &e),
		0);
	assert_string_equal(find(&table, "one", 0), "0000000300000007");
	assert_string_equal(find(&table, "two", 0), "0000000400000007");
	uidls_free(&table);
}

static void what_is_no_list_is_refused(void **state)
{
	(void)state;
	static const char *const heads[] = {"", "\n", "2 V7 N9\n", "3 N9\n", "3 V N9\n", "3 Vx\n",
		"1\n", "1 x 9\n", "nonsense"};
	static const char *const couriers[] = {"", "/1 9 7\n", "/4 9 7\n", "3 9 7\n", "/x\n"};
	struct uidl_table table = {0};
	struct err e = {0};
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		assert_int_equal(
			uidls_read_dovecot(&table, slice_of(heads[i]), UIDLS_DOVECOT_FORMAT, &e),
			-1);
		assert_int_equal(e.kind, ERR_DAMAGED);
	}
	for (size_t i = 0; i < sizeof(couriers) / sizeof(couriers[0]); i++)
		assert_int_equal(uidls_read_courier(&table, slice_of(couriers[i]), &e), -1);
	assert_int_equal(table.count, 0);
}

/* ---- Courier ---- */

static void the_list_of_a_courier_tells_uidls(void **state)
{
	(void)state;
	struct uidl_table table = {0};
	struct err e = {0};
	const char *list = "/3 9 77\none:2,S 100 1:77:0\ntwo 5 2:0:1\nthr ee+ 7 0:0:0\n"
			   "four 7\nfive x 1:2\nsix 7 a:b\n 7 1:2\nlast 7 12:99";
	assert_int_equal(uidls_read_courier(&table, slice_of(list), &e), 0);
	assert_int_equal(table.count, 4);
	assert_string_equal(find(&table, "cur/one:2,RS", 0), "UID1-77");
	assert_string_equal(find(&table, "two", 0), "UID2");
	assert_string_equal(find(&table, "thr ee+", 0), "thr+20ee+2B");
	assert_string_equal(find(&table, "last", 0), "UID12-99");
	uidls_free(&table);
}

/* ---- our own ---- */

static void what_is_written_is_read(void **state)
{
	(void)state;
	const struct uidl_line lines[] = {
		{.file = SLICE("Inbox.mbox"),
			.place = 2,
			.uidl = SLICE("a\"\\b"),
			.size = 5,
			.sum = 0xfedcba9876543210,
			.received = 1800000000},
		{.file = SLICE("\xc3\x89t\xc3\xa9/cur/1.\x01:2,S"), .uidl = SLICE("x"), .size = 1},
	};
	struct uidl_table table = {0};
	struct buf text = {0};
	struct err e = {0};
	buf_add_text(&text, "[");
	for (size_t i = 0; i < 2; i++) {
		if (i)
			buf_add_text(&text, ",");
		uidls_add_json(&text, &lines[i]);
	}
	buf_add_text(&text, "]\n");
	assert_int_equal(uidls_read_json(&table, buf_slice(&text), &e), 0);
	assert_int_equal(table.count, 2);
	assert_string_equal(find(&table, "Inbox.mbox", 2), "a\"\\b");
	assert_string_equal(find(&table, "Inbox.mbox", 1), "none");
	assert_string_equal(find(&table, "\xc3\x89t\xc3\xa9/new/1.\x01", 0), "x");
	const struct uidl_row *row = uidls_find(&table, SLICE("Inbox.mbox"), 2);
	assert_true(row->has_sum && row->sum == 0xfedcba9876543210);
	assert_int_equal(row->size, 5);
	assert_int_equal(row->received, 1800000000);
	uidls_free(&table);
	buf_free(&text);
}

static void a_sidecar_by_another_s_hand(void **state)
{
	(void)state;
	static const struct {
		const char *text, *uidl; /* of file "f"; NULL: it is refused */
	} cases[] = {
		{"[]", "none"},
		{" [ { } ] ", "none"},
		{"[{\"file\":\"f\",\"uidl\":\"u\"}]", "u"},
		{"[{\"uidl\":\"u\",\"more\":null,\"n\":-1.5e3,\"t\":true,\"file\":\"f\"}]", "u"},
		{"[{\"file\":\"\\u0066\",\"uidl\":\"\\u00e9\\ud83d\\ude00\\n\"}]",
			"\xc3\xa9\xf0\x9f\x98\x80\n"},
		{"[{\"file\":\"f\",\"uidl\":\"u\",\"sum\":\"00\"}]", "u"},
		{"", NULL},
		{"{}", NULL},
		{"[{}", NULL},
		{"[{},]", NULL},
		{"[{\"file\":\"f\"},]", NULL},
		{"[{\"file\":\"f\" \"uidl\":\"u\"}]", NULL},
		{"[{\"file\":f}]", NULL},
		{"[{\"file\":\"f}]", NULL},
		{"[{\"file\":\"\\x\"}]", NULL},
		{"[{\"file\":\"\\ud83d\"}]", NULL},
		{"[{\"file\":\"\\u12\"}]", NULL},
		{"[{\"message\":\"1\"}]", NULL},
		{"[{\"message\":1e3}]", NULL},
		{"[{\"received\":\"today\"}]", NULL},
		{"[{\"more\":[]}]", NULL},
		{"[{\"more\":}]", NULL},
		{"[] x", NULL},
		{"[\"x\"]", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct uidl_table table = {0};
		struct err e = {0};
		int result = uidls_read_json(&table, slice_of(cases[i].text), &e);
		if (result != (cases[i].uidl ? 0 : -1))
			fail_msg("%s: %d %s", cases[i].text, result, e.text);
		if (cases[i].uidl)
			assert_string_equal(find(&table, "f", 0), cases[i].uidl);
		else
			assert_int_equal(e.kind, ERR_DAMAGED);
		uidls_free(&table);
	}
}

/* ---- names ---- */

static void names_go_through_utf7_and_back(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"Sent", "Sent"},
		{"R&D", "R&-D"},
		{"\xc3\x89t\xc3\xa9", "&AMk-t&AOk-"},
		{"\xe5\x8f\xb0\xe5\x8c\x97", "&U,BTFw-"},
		{"\xf0\x9f\x98\x80x", "&2D3eAA-x"},
		{"a&\xc3\xa9", "a&-&AOk-"},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct buf there = {0}, back = {0};
		names_to_utf7(&there, slice_of(pairs[i][0]));
		assert_string_equal(buf_text(&there), pairs[i][1]);
		names_from_utf7(&back, buf_slice(&there));
		assert_string_equal(buf_text(&back), pairs[i][0]);
		buf_free(&there);
		buf_free(&back);
	}
}

static void what_is_no_utf7_stays(void **state)
{
	(void)state;
	static const char *const names[] = {"a&b", "&", "&A-", "&AMk", "&2D0-", "&3gA-", "&AM!-",
		"\xc3\x89", "&AMl-x&AM", "&AMkB-"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf out = {0};
		names_from_utf7(&out, slice_of(names[i]));
		if (i != 7 && strcmp(buf_text(&out), names[i]))
			fail_msg("%s: %s", names[i], out.at);
		buf_free(&out);
	}
}

static void a_name_of_elsewhere_becomes_one_of_ours(void **state)
{
	(void)state;
	static const struct {
		const char *name, *folder;
		bool same;
	} cases[] = {
		{"Sent", "Sent", true},
		{"", "Inbox", true},
		{"INBOX", "Inbox", true},
		{"a/b", "a.b", false},
		{"a+b@c", "a-b-c", false},
		{" x ", "x", false},
		{"\x80\n", "--", false},
		{"@", "-", false},
		{"0123456789012345678901234567890123456789012345678901234567890123x",
			"0123456789012345678901234567890123456789012345678901234567890123", false},
		{"012345678901234567890123456789012345678901234567890123456789012\xc3\x89",
			"012345678901234567890123456789012345678901234567890123456789012", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char folder[FOLDER_NAME_MAX];
		assert_int_equal(names_to_folder(folder, slice_of(cases[i].name)), cases[i].same);
		assert_string_equal(folder, cases[i].folder);
	}
}

static void a_folder_s_name_can_be_that_of_a_file(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {{"Sent", "Sent"}, {"..", "%2E."}, {"%x", "%x"},
		{"%2E", "%252E"}, {"%2", "%252"}, {"%252E", "%25252E"}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct buf there = {0}, back = {0};
		names_to_file(&there, slice_of(pairs[i][0]));
		assert_string_equal(buf_text(&there), pairs[i][1]);
		names_from_file(&back, buf_slice(&there));
		assert_string_equal(buf_text(&back), pairs[i][0]);
		buf_free(&there);
		buf_free(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_of_a_dovecot_tells_uidls),
		cmocka_unit_test(other_formats_of_a_dovecot),
		cmocka_unit_test(an_old_list_of_a_dovecot),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(the_list_of_a_courier_tells_uidls),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_sidecar_by_another_s_hand),
		cmocka_unit_test(names_go_through_utf7_and_back),
		cmocka_unit_test(what_is_no_utf7_stays),
		cmocka_unit_test(a_name_of_elsewhere_becomes_one_of_ours),
		cmocka_unit_test(a_folder_s_name_can_be_that_of_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
