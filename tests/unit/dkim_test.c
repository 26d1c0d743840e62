/* smtpd/dkim.h: what is signed, and under which name. That others verify it is shown in
 * tests/e2e/test_dkim.py. */
#include "base/text.h"
#include "smtpd/dkim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>

#define NOW     1772420400
#define FROM    "From: Ani <ani@kantor.example>\r\n"
#define AT_ONCE ((size_t)-1)

static const struct config config = {.hostname = "mail.kantor.example",
	.domains = "kantor.example cabang.example",
	.dkim_selector = "office"};

/* What comes of a message that is taken `span` octets at a time. */
struct result {
	bool is_signed;
	struct buf field;
	unsigned char digest[DIGEST_SIZE];
};

static struct result sign(struct slice message, size_t span)
{
	struct result result = {0};
	struct dkim *dkim = dkim_new();
	for (; message.len > 0; message = slice_from(message, span))
		dkim_take(
			dkim, (struct slice){message.at, span < message.len ? span : message.len});
	result.is_signed = dkim_digest(dkim, &config, NOW, &result.field, result.digest);
	dkim_free(dkim);
	return result;
}

/* The value of a tag, with its folds taken out. */
static const char *tag(struct result *result, const char *name)
{
	static char value[8192];
	size_t len = 0;
	char wanted[16];
	snprintf(wanted, sizeof(wanted), "%s=", name);
	const char *at = strstr(buf_text(&result->field), wanted);
	assert_non_null(at);
	for (at += strlen(wanted); *at && *at != ';'; at++)
		if (!strchr(" \t\r\n", *at))
			value[len++] = *at;
	value[len] = '\0';
	return value;
}

static void assert_body(const char *body, const char *canonical)
{
	static const size_t spans[] = {1, 2, 3, 7, AT_ONCE};
	unsigned char hash[DIGEST_SIZE];
	struct buf message = {0}, wanted = {0};
	buf_add_text(&message, FROM "\r\n");
	buf_add_text(&message, body);
	digest_sha256(hash, canonical, strlen(canonical));
	text_add_base64(&wanted, hash, sizeof(hash));
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct result result = sign(buf_slice(&message), spans[i]);
		assert_true(result.is_signed);
		assert_string_equal(tag(&result, "bh"), buf_text(&wanted));
		buf_free(&result.field);
	}
	buf_free(&message);
	buf_free(&wanted);
}

static void blanks_and_empty_lines_of_a_body_count_as_in_rfc_6376(void **state)
{
	(void)state;
	assert_body(" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"); /* 3.4.5 */
	assert_body("", "");
	assert_body("\r\n", "");
	assert_body("\r\n\r\n\r\n", "");
	assert_body(" \t\r\n\t \r\n", "");
	assert_body("a\r\n", "a\r\n");
	assert_body("a\r\n \r\n\t\r\n", "a\r\n");
	assert_body("\r\n\r\na\r\n", "\r\n\r\na\r\n");
	assert_body("a\r\n \t\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n");
	assert_body("\t \ta\t \tb\t \t\r\n\tc\r\n", " a b\r\n c\r\n");
	assert_body(".\r\n..\r\n", ".\r\n..\r\n");
	assert_body("a\v\f b\200\377\r\n", "a\v\f b\200\377\r\n");
}

static void the_hash_of_an_empty_body_is_that_of_rfc_6376(void **state)
{
	(void)state;
	struct result result = sign(SLICE(FROM "\r\n"), AT_ONCE);
	assert_string_equal(tag(&result, "bh"), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	buf_free(&result.field);
}

static void a_long_body_is_hashed_in_spans_of_any_size(void **state)
{
	struct buf message = {0}, body = {0};
	(void)state;
	for (int i = 0; i < 3000; i++)
		buf_printf(&body, "%*sline %d\r\n", i % 7 == 0 ? 5000 : 0, "", i);
	buf_add_text(&message, FROM "\r\n");
	buf_add_slice(&message, buf_slice(&body));
	struct result whole = sign(buf_slice(&message), AT_ONCE);
	static const size_t spans[] = {1, 63, 4095, 4096, 4097, 65536};
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct result result = sign(buf_slice(&message), spans[i]);
		assert_memory_equal(result.digest, whole.digest, DIGEST_SIZE);
		buf_free(&result.field);
	}
	buf_free(&whole.field);
	buf_free(&message);
	buf_free(&body);
}

/* `canonical`: the signed fields in front of our own. */
static void assert_header(const char *header, const char *names, const char *canonical)
{
	unsigned char digest[DIGEST_SIZE];
	struct buf message = {0}, wanted = {0};
	buf_printf(&message, "%s\r\nx\r\n", header);
	struct result result = sign(buf_slice(&message), AT_ONCE);
	assert_true(result.is_signed);
	assert_string_equal(tag(&result, "h"), names);
	buf_add_text(&wanted, canonical);
	buf_add_text(&wanted, "dkim-signature:");
	/* Ours, unfolded: it has one blank, or one fold, at a time, and none at its ends. */
	struct slice field = slice_from(buf_slice(&result.field), strlen("DKIM-Signature: "));
	for (size_t i = 0; i < field.len; i++)
		if (field.at[i] != '\r' && field.at[i] != '\n')
			buf_add_char(&wanted, field.at[i] == '\t' ? ' ' : field.at[i]);
	digest_sha256(digest, wanted.at, wanted.len);
	assert_memory_equal(result.digest, digest, DIGEST_SIZE);
	buf_free(&result.field);
	buf_free(&message);
	buf_free(&wanted);
}

static void fields_are_unfolded_and_their_blanks_made_one(void **state)
{
	(void)state;
	assert_header("Subject : Y\t\r\n\tZ  \r\nFROM:\t\tani@kantor.example\r\n",
		"From:From:Subject:Subject",
		"from:ani@kantor.example\r\nsubject:Y Z\r\n"); /* as B in 3.4.5 */
	assert_header("Subject:\r\nFrom:\r\n ani@kantor.example\r\n", "From:From:Subject:Subject",
		"from:ani@kantor.example\r\nsubject:\r\n");
	assert_header("Cc: \r\n \t\r\nFrom: ani@kantor.example (a\r\n\t \r\n b)\r\n",
		"From:From:Cc:Cc", "from:ani@kantor.example (a b)\r\ncc:\r\n");
	assert_header("no field\r\n at all\r\n" FROM "Date: d\r\n", "From:From:Date:Date",
		"from:Ani <ani@kantor.example>\r\ndate:d\r\n");
}

static void what_servers_on_the_way_add_is_not_signed(void **state)
{
	(void)state;
	assert_header("Return-Path: <x@y>\r\nReceived: by us\r\nX-Spam: No\r\nComments: c\r\n"
		      "Authentication-Results: a\r\nDKIM-Signature: v=1\r\n" FROM,
		"From:From", "from:Ani <ani@kantor.example>\r\n");
}

static void a_second_field_of_a_name_would_break_the_signature(void **state)
{
	(void)state;
	assert_header("Subject: a\r\nSubject: b\r\nTo: t\r\n" FROM,
		"From:From:To:To:Subject:Subject:Subject",
		"from:Ani <ani@kantor.example>\r\nto:t\r\nsubject:b\r\nsubject:a\r\n");
	/* A user who sends on what he got, and a list, may add these. */
	assert_header("Resent-To: a\r\nList-Id: l\r\nSender: s\r\n" FROM,
		"From:From:Sender:Resent-To:List-Id",
		"from:Ani <ani@kantor.example>\r\nsender:s\r\nresent-to:a\r\nlist-id:l\r\n");
}

static void of_many_fields_of_a_name_the_lowest_are_signed(void **state)
{
	(void)state;
	assert_header("To: 1\r\nTo: 2\r\nTo: 3\r\nTo: 4\r\nTo: 5\r\nTo: 6\r\n" FROM,
		"From:From:To:To:To:To",
		"from:Ani <ani@kantor.example>\r\nto:6\r\nto:5\r\nto:4\r\nto:3\r\n");
}

static void the_signature_is_of_the_author_s_domain(void **state)
{
	static const struct {
		const char *header, *domain;
	} authors[] = {{FROM, "kantor.example"}, {"From: x@CABANG.Example\r\n", "cabang.example"},
		{"From: a@luar.example, b@cabang.example, c@kantor.example\r\n", "cabang.example"},
		{"From: \"x@luar.example\"@kantor.example\r\n", "kantor.example"},
		{"From: root@Mail.kantor.example\r\n", "kantor.example"},
		{"From: root@a.mail.kantor.example\r\n", NULL}, {"From: a@luar.example\r\n", NULL},
		{"From: a@x.kantor.example\r\n", NULL}, {"From: a@notkantor.example\r\n", NULL},
		{"From: kantor.example\r\n", NULL}, {"From:\r\n", NULL},
		{"Sender: ani@kantor.example\r\n", NULL}, {"", NULL}, {FROM FROM, NULL},
		{FROM "from : x@luar.example\r\n", NULL}};
	(void)state;
	for (size_t i = 0; i < sizeof(authors) / sizeof(authors[0]); i++) {
		struct buf message = {0};
		buf_printf(&message, "%s\r\n" FROM "x\r\n", authors[i].header);
		struct result result = sign(buf_slice(&message), 5);
		assert_int_equal(result.is_signed, authors[i].domain != NULL);
		if (authors[i].domain)
			assert_string_equal(tag(&result, "d"), authors[i].domain);
		else
			assert_int_equal(result.field.len, 0);
		buf_free(&result.field);
		buf_free(&message);
	}
}

static void the_field_says_how_when_and_with_which_key(void **state)
{
	(void)state;
	struct result result = sign(SLICE(FROM "Subject: x\r\n\r\nx\r\n"), AT_ONCE);
	struct slice signature = SLICE("not a signature, but 256 octets of one would be as good, "
				       "and go over as many lines as they need");
	dkim_add_signature(&result.field, signature);
	assert_string_equal(buf_text(&result.field),
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=kantor.example;\r\n"
		"\ts=office; t=1772420400; h=From:From:Subject:Subject;\r\n"
		"\tbh=s14J+iztnrytnRYzb7lhFG/jS/vrxWJnnahfijFMnco=; b=\r\n"
		"\tbm90IGEgc2lnbmF0dXJlLCBidXQgMjU2IG9jdGV0cyBvZiBvbmUgd291bGQgYmUg\r\n"
		"\tYXMgZ29vZCwgYW5kIGdvIG92ZXIgYXMgbWFueSBsaW5lcyBhcyB0aGV5IG5lZWQ=\r\n");
	buf_free(&result.field);
}

static void no_line_of_the_field_is_longer_than_78(void **state)
{
	static const char header[] =
		FROM "Reply-To: a\r\nTo: a\r\nCc: a\r\nSubject: a\r\nDate: a\r\nMessage-ID: a\r\n"
		     "In-Reply-To: a\r\nReferences: a\r\nMIME-Version: a\r\nContent-Type: a\r\n"
		     "Content-Transfer-Encoding: a\r\nContent-Disposition: a\r\nSender: a\r\n"
		     "Resent-From: a\r\nResent-Sender: a\r\nResent-To: a\r\nResent-Cc: a\r\n"
		     "List-Id: a\r\nList-Unsubscribe: a\r\nList-Unsubscribe-Post: a\r\n\r\n";
	(void)state;
	struct result result = sign(SLICE(header), AT_ONCE);
	dkim_add_signature(&result.field, SLICE(header));
	struct slice rest = buf_slice(&result.field), line;
	for (size_t n = 0; rest.len > 0; n++) {
		line = slice_cut(&rest, '\n');
		/* With its CR; a tab looks like eight. */
		assert_in_range(line.len + (n > 0 ? 7 : 0), 2, 78);
		assert_int_equal(line.at[line.len - 1], '\r');
		assert_int_equal(line.at[0], n == 0 ? 'D' : '\t');
	}
	buf_free(&result.field);
}

static void a_header_without_end_is_not_kept(void **state)
{
	struct buf message = {0};
	(void)state;
	buf_add_text(&message, FROM);
	while (message.len < DKIM_HEADER_MOST + 5000)
		buf_add_text(&message, "To: a\r\n");
	buf_add_text(&message, "\r\nx\r\n");
	static const size_t spans[] = {1000, 4096, AT_ONCE};
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct result result = sign(buf_slice(&message), spans[i]);
		assert_false(result.is_signed);
		assert_int_equal(result.field.len, 0);
	}
	buf_free(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_and_empty_lines_of_a_body_count_as_in_rfc_6376),
		cmocka_unit_test(the_hash_of_an_empty_body_is_that_of_rfc_6376),
		cmocka_unit_test(a_long_body_is_hashed_in_spans_of_any_size),
		cmocka_unit_test(fields_are_unfolded_and_their_blanks_made_one),
		cmocka_unit_test(what_servers_on_the_way_add_is_not_signed),
		cmocka_unit_test(a_second_field_of_a_name_would_break_the_signature),
		cmocka_unit_test(of_many_fields_of_a_name_the_lowest_are_signed),
		cmocka_unit_test(the_signature_is_of_the_author_s_domain),
		cmocka_unit_test(the_field_says_how_when_and_with_which_key),
		cmocka_unit_test(no_line_of_the_field_is_longer_than_78),
		cmocka_unit_test(a_header_without_end_is_not_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
