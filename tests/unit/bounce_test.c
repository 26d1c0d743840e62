/* store/bounce: what stands in reports and notices. Their form is looked at by other
 * people's parsers, in tests/e2e/test_bounce.py. */
#include "base/text.h"
#include "store/bounce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs most of the above. */
#include <cmocka.h>

#define NOON 1772427600 /* 2 March 2026, 12:00 in Jakarta */
#define DAY  86400

static struct config config = {
	.hostname = "mail.kantor.example", .domains = "kantor.example", .per_hour = 500};

#define ORIGINAL                                                                                   \
	"From: ani@kantor.example\r\nSubject: Offer\r\nMessage-ID: <1@kantor.example>\r\n\r\n"     \
	"secret body\r\n"

static struct bounce_recipient budi = {.address = SLICE("budi@far.example"),
	.status = SLICE("5.1.1"),
	.host = SLICE("mx.far.example"),
	.reply = SLICE("550 5.1.1 no such user here"),
	.attempted = NOON};

static struct bounce about(const struct bounce_recipient *recipients, size_t count)
{
	return (struct bounce){.now = NOON,
		.sender = SLICE("ani@kantor.example"),
		.queue_id = "4sKq0Zx1aBcD",
		.arrived = NOON - 5 * DAY,
		.until = NOON + DAY,
		.recipients = recipients,
		.count = count,
		.original = SLICE(ORIGINAL),
		.original_is_whole = true};
}

/* What is written of it, as a C string in *out; lines are blanks, as a reader has it. */
static const char *written(struct buf *out, enum bounce_kind kind, const struct bounce *bounce)
{
	buf_clear(out);
	bounce_report(out, &config, kind, bounce);
	size_t len = 0;
	for (size_t i = 0; i < out->len; i++) {
		char octet = out->at[i] == '\r' || out->at[i] == '\n' ? ' ' : out->at[i];
		if (octet != ' ' || len == 0 || out->at[len - 1] != ' ')
			out->at[len++] = octet;
	}
	out->len = len;
	return buf_text(out);
}

static void assert_says(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("not said: %s\nin: %s", words, text);
}

static void a_failure_says_who_why_and_what_to_do(void **state)
{
	(void)state;
	struct buf out = {0};
	struct bounce bounce = about(&budi, 1);
	const char *text = written(&out, BOUNCE_FAILED, &bounce);
	assert_says(text, "Subject: Not delivered: Offer ");
	assert_says(text, "Your mail \"Offer\" of 25 February 2026, 12:00 WIB, could not be "
			  "delivered to: budi@far.example There is no such mailbox. Check the "
			  "spelling of the address, and send the mail again. mx.far.example said: "
			  "550 5.1.1 no such user here ");
	assert_says(text, "no copy of the mail waits");
	assert_says(text, "the number 4sKq0Zx1aBcD");
	assert_says(text, "In-Reply-To: <1@kantor.example>");
	assert_says(text, "Action: failed Status: 5.1.1 Remote-MTA: dns; mx.far.example "
			  "Diagnostic-Code: smtp; 550 5.1.1 no such user here Last-Attempt-Date:");
	buf_free(&out);
}

static void what_was_tried_to_the_end_has_failed_with_its_last_status(void **state)
{
	(void)state;
	struct buf out = {0};
	struct bounce_recipient down = {.address = SLICE("budi@far.example"),
		.status = SLICE("4.4.1"),
		.reply = SLICE("connection refused")};
	struct bounce bounce = about(&down, 1);
	const char *text = written(&out, BOUNCE_FAILED, &bounce);
	assert_says(text, "cannot be reached. All attempts up to now have failed. Send the mail "
			  "again later");
	assert_says(text, "In detail: connection refused ");
	assert_says(text, "Status: 4.4.1 Diagnostic-Code: x-officemail; connection refused ");
	assert_null(strstr(text, "Remote-MTA"));
	assert_null(strstr(text, "Last-Attempt-Date"));
	buf_free(&out);
}

static void a_delay_says_until_when_and_that_nothing_needs_doing(void **state)
{
	(void)state;
	struct buf out = {0};
	budi.status = SLICE("4.2.2");
	budi.reply = SLICE("452 4.2.2 full");
	struct bounce bounce = about(&budi, 1);
	const char *text = written(&out, BOUNCE_DELAYED, &bounce);
	assert_says(text, "has not been delivered yet to: budi@far.example The mailbox is full. "
			  "mx.far.example said: 452 4.2.2 full The mail waits here and is tried "
			  "again until 3 March 2026, 12:00 WIB. You need not do anything.");
	assert_says(text, "Action: delayed Status: 4.2.2");
	assert_says(text, "Will-Retry-Until: Tue, 03 Mar 2026 12:00:00 +0700");
	budi.status = SLICE("5.1.1");
	budi.reply = SLICE("550 5.1.1 no such user here");
	buf_free(&out);
}

static void the_clerk_reads_indonesian_where_the_office_does(void **state)
{
	(void)state;
	struct buf out = {0};
	struct bounce bounce = about(&budi, 1);
	config.language = LANGUAGE_ID;
	const char *text = written(&out, BOUNCE_FAILED, &bounce);
	assert_says(text, "From: \"Sistem email mail.kantor.example\" <postmaster@kantor.example>");
	assert_says(text, "Subject: Tidak terkirim: Offer ");
	assert_says(text,
		"Email Anda \"Offer\" tanggal 25 Februari 2026 pukul 12.00 WIB tidak dapat "
		"dikirim ke: budi@far.example Kotak surat dengan alamat itu tidak ada. "
		"Periksa penulisan alamatnya, lalu kirim ulang email ini. Jawaban "
		"mx.far.example: 550 5.1.1 no such user here ");
	text = written(&out, BOUNCE_DELAYED, &bounce);
	assert_says(text, "terus dicoba sampai 3 Maret 2026 pukul 12.00 WIB. Anda tidak perlu");
	config.language = LANGUAGE_EN;
	buf_free(&out);
}

static void only_a_failure_has_the_body_with_it(void **state)
{
	(void)state;
	struct buf out = {0};
	struct bounce bounce = about(&budi, 1);
	assert_says(written(&out, BOUNCE_FAILED, &bounce), "secret body");
	for (int kind = BOUNCE_DELAYED; kind <= BOUNCE_RELAYED; kind++)
		assert_null(strstr(written(&out, (enum bounce_kind)kind, &bounce), "secret body"));
	bounce.original_is_whole = false;
	const char *text = written(&out, BOUNCE_FAILED, &bounce);
	assert_null(strstr(text, "secret body"));
	assert_says(text, "Content-Type: text/rfc822-headers");
	buf_free(&out);
}

static void a_status_is_of_the_class_of_its_action(void **state)
{
	(void)state;
	static const struct {
		enum bounce_kind kind;
		const char *status, *reply, *wanted;
	} cases[] = {
		{BOUNCE_FAILED, "5.2.2", "", "Status: 5.2.2 "},
		{BOUNCE_FAILED, "4.2.2", "", "Status: 4.2.2 "},
		{BOUNCE_FAILED, "2.0.0", "", "Status: 5.0.0 "},
		{BOUNCE_FAILED, "", "", "Status: 5.0.0 "},
		{BOUNCE_FAILED, "", "451 later", "Status: 4.0.0 "},
		{BOUNCE_FAILED, "", "551 no", "Status: 5.0.0 "},
		{BOUNCE_FAILED, "5.1.1\r\nAction: none", "", "Status: 5.0.0 "},
		{BOUNCE_DELAYED, "5.2.2", "", "Status: 4.0.0 "},
		{BOUNCE_DELAYED, "4.2.2", "", "Status: 4.2.2 "},
		{BOUNCE_DELIVERED, "", "", "Status: 2.0.0 "},
		{BOUNCE_RELAYED, "2.1.5", "250 2.1.5 ok", "Status: 2.1.5 "},
		{BOUNCE_RELAYED, "4.0.0", "", "Status: 2.0.0 "},
	};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bounce_recipient one = {.address = SLICE("a@b.example"),
			.status = slice_of(cases[i].status),
			.reply = slice_of(cases[i].reply)};
		struct bounce bounce = about(&one, 1);
		assert_says(written(&out, cases[i].kind, &bounce), cases[i].wanted);
	}
	buf_free(&out);
}

static void recipients_with_the_same_to_tell_share_it(void **state)
{
	(void)state;
	struct buf out = {0};
	struct bounce_recipient three[] = {budi, budi, budi};
	three[1].address = SLICE("citra@far.example");
	three[2].address = SLICE("dewi@far.example");
	three[2].reply = SLICE("550 5.1.1 nor she");
	struct bounce bounce = about(three, 3);
	const char *text = written(&out, BOUNCE_FAILED, &bounce);
	assert_says(text, "to: budi@far.example citra@far.example There is no such mailbox.");
	assert_says(text, "no such user here dewi@far.example There is no such mailbox.");
	buf_free(&out);
}

static void what_the_client_named_comes_back_in_clear(void **state)
{
	(void)state;
	struct buf out = {0};
	budi.orcpt = SLICE("rfc822;budi+2Bshop@far.example");
	struct bounce bounce = about(&budi, 1);
	bounce.envid = SLICE("QQ+3D+20314");
	const char *text = written(&out, BOUNCE_FAILED, &bounce);
	assert_says(text, "Original-Envelope-Id: QQ= 314 ");
	assert_says(text, "Original-Recipient: rfc822;budi+shop@far.example "
			  "Final-Recipient: rfc822; budi@far.example");

	static const char *const bad[] = {"rfc822;a+0D+0Ab@c", "rfc822;+C3+A9@c", "rfc822;a+4",
		"rfc822", "rfc822;", ";a@b", "rfc\r\n822;a@b", "rfc822;a b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		budi.orcpt = bounce.envid = slice_of(bad[i]);
		text = written(&out, BOUNCE_FAILED, &bounce);
		assert_null(strstr(text, "Original-Recipient"));
	}
	bounce.envid = SLICE("a+0D+0AAction:+20none");
	assert_null(strstr(written(&out, BOUNCE_FAILED, &bounce), "Original-Envelope-Id"));
	budi.orcpt = (struct slice){0};
	buf_free(&out);
}

static void a_message_without_a_subject_is_told_by_its_recipient(void **state)
{
	(void)state;
	static const char *const originals[] = {"", "\r\nbody\r\n", "From: x\r\n\r\n",
		"Subject:\r\n\r\n", "Subject: \x1b[2J\r\n\r\n", "no header at all"};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof(originals) / sizeof(originals[0]); i++) {
		struct bounce bounce = about(&budi, 1);
		bounce.original = slice_of(originals[i]);
		assert_says(written(&out, BOUNCE_FAILED, &bounce),
			"Subject: Not delivered: budi@far.example ");
	}
	buf_free(&out);
}

/* Everything but what is quoted of others is 7-bit, whatever the language. */
static void assert_ascii(struct buf *out)
{
	struct slice rest = buf_slice(out);
	while (rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');
		assert_true(line.len > 0 && line.at[line.len - 1] == '\r' && line.len <= 999);
		line.len--;
		if (line.len > 0 && line.at[0] == '\t') /* the boundary's line */
			line = slice_from(line, 1);
		assert_true(text_is_printable(line));
	}
	buf_free(out);
}

static void all_that_the_office_says_is_ascii_in_either_language(void **state)
{
	(void)state;
	struct buf hostile = {0}, out = {0};
	for (unsigned i = 0; i < 2000; i++)
		buf_add_char(&hostile, (char)(i * 7));
	struct slice text = buf_slice(&hostile);
	struct bounce_recipient one = {
		.address = text, .orcpt = text, .status = text, .host = text, .reply = text};
	struct bounce bounce = about(&one, 1);
	bounce.sender = bounce.envid = text;
	for (int language = LANGUAGE_EN; language <= LANGUAGE_ID; language++) {
		config.language = language;
		for (int kind = BOUNCE_FAILED; kind <= BOUNCE_RELAYED; kind++) {
			bounce_report(&out, &config, (enum bounce_kind)kind, &bounce);
			assert_ascii(&out);
		}
		bounce_held(&out, &config, NOON, text, 501);
		assert_ascii(&out);
		bounce_forward_failed(&out, &config, &bounce);
		assert_ascii(&out);
		bounce_forward_came_back(&out, &config, &bounce);
		assert_ascii(&out);
	}
	config.language = LANGUAGE_EN;
	buf_free(&hostile);
}

static void the_postmaster_is_told_what_is_held_and_what_to_do(void **state)
{
	(void)state;
	struct buf out = {0};
	bounce_held(&out, &config, NOON, SLICE("ani@kantor.example"), 731);
	const char *text = buf_text(&out);
	assert_says(text, "To: <postmaster@kantor.example>\r\n");
	assert_says(text, "Subject: Mail of ani@kantor.example is held\r\n");
	assert_says(text, "731 recipients");
	assert_says(text, "per_hour = 500");
	assert_says(text, "\r\n    officemail queue list\r\n");
	assert_says(text, "\r\n    officemail queue retry\r\n");
	assert_says(text, "\r\n    officemail queue remove ID\r\n");
	buf_free(&out);
}

static void the_postmaster_is_told_what_was_not_forwarded_and_the_sender_is_not(void **state)
{
	(void)state;
	struct buf out = {0};
	struct bounce bounce = about(&budi, 1);
	bounce.sender = SLICE("stranger@elsewhere.example");
	bounce_forward_failed(&out, &config, &bounce);
	const char *text = buf_text(&out);
	assert_says(text, "To: <postmaster@kantor.example>\r\n");
	assert_says(text, "Subject: Not forwarded to budi@far.example\r\n");
	assert_says(text, "<stranger@elsewhere.example>, could not be forwarded to:");
	assert_says(text, "550 5.1.1 no such user here");
	assert_says(text, "secret body");
	buf_clear(&out);
	bounce_forward_came_back(&out, &config, &bounce);
	text = buf_text(&out);
	assert_says(text, "To: <postmaster@kantor.example>\r\n");
	assert_says(text, "Subject: Forwarded mail came back from budi@far.example\r\n");
	assert_says(text, "secret body");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_says_who_why_and_what_to_do),
		cmocka_unit_test(what_was_tried_to_the_end_has_failed_with_its_last_status),
		cmocka_unit_test(a_delay_says_until_when_and_that_nothing_needs_doing),
		cmocka_unit_test(the_clerk_reads_indonesian_where_the_office_does),
		cmocka_unit_test(only_a_failure_has_the_body_with_it),
		cmocka_unit_test(a_status_is_of_the_class_of_its_action),
		cmocka_unit_test(recipients_with_the_same_to_tell_share_it),
		cmocka_unit_test(what_the_client_named_comes_back_in_clear),
		cmocka_unit_test(a_message_without_a_subject_is_told_by_its_recipient),
		cmocka_unit_test(all_that_the_office_says_is_ascii_in_either_language),
		cmocka_unit_test(the_postmaster_is_told_what_is_held_and_what_to_do),
		cmocka_unit_test(
			the_postmaster_is_told_what_was_not_forwarded_and_the_sender_is_not),
	};
	setenv("TZ", "Asia/Jakarta", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
