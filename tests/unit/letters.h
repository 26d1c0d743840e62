/* Letters for a unit test: posting and reading them in a test's office. */
#ifndef TESTS_UNIT_LETTERS_H
#define TESTS_UNIT_LETTERS_H

#include "store/mail.h"
#include "tests/unit/office.h"

#define LETTER                                                                                     \
	"From: Budi <budi@far.example>\r\nMessage-ID: <1@far.example>\r\n"                         \
	"Subject: offer\r\n\r\nGood day.\r\n"
#define RECEIVED "Received: from far.example by mail.kantor.example; today\r\n"

struct letter {
	struct envelope_recipient recipients[8];
	enum err_kind results[8];
	struct delivery delivery;
	struct body_writer body;
};

static inline struct letter letter_to(const char *recipient)
{
	return (struct letter){
		.recipients = {{.address = slice_of(recipient)}},
		.delivery = {.sender = SLICE("budi@far.example"),
			.recipient_count = 1,
			.received = SLICE(RECEIVED),
			.queue_id = "ABCDEFGHIJKL",
			.peer = "203.0.113.5"},
	};
}

static inline int append_all(
	struct test_office *office, struct body_writer *body, struct slice octets)
{
	while (octets.len) {
		struct slice piece = {octets.at, octets.len < BODY_PIECE ? octets.len : BODY_PIECE};
		if (body_append(office->store, body, piece, &office->e))
			return -1;
		octets = slice_from(octets, piece.len);
	}
	return 0;
}

/* In the transaction that is open. */
static inline int file_letter(
	struct test_office *office, struct letter *letter, struct slice octets)
{
	letter->delivery.recipients = letter->recipients;
	if (append_all(office, &letter->body, octets))
		return -1;
	int done = deliver(office->store, &office->config, &letter->delivery, &letter->body,
		letter->results, &office->e);
	if (done < 0)
		body_writer_free(&letter->body);
	return done;
}

static inline int post_letter(
	struct test_office *office, struct letter *letter, struct slice octets)
{
	return WRITE(office, file_letter(office, letter, octets));
}

/* Posts to one recipient; what became of it. */
static inline enum err_kind post(
	struct test_office *office, const char *recipient, const char *text)
{
	struct letter letter = letter_to(recipient);
	assert_int_equal(post_letter(office, &letter, slice_of(text)), 0);
	return letter.results[0];
}

/* The folder's list anew; how many. */
static inline size_t list(struct test_office *office, const char *address, const char *folder,
	struct maildrop *maildrop)
{
	maildrop_free(maildrop);
	assert_int_equal(maildrop_list(office->store, folder_id(office, address, folder), maildrop,
				 &office->e),
		0);
	return maildrop->count;
}

static inline int read_entry(struct store *store, int64_t id, struct buf *out, struct err *e)
{
	struct body_reader reader = {0};
	struct slice octets;
	int failed = body_open(&reader, store, 0, id, e);
	if (failed)
		return -1;
	do {
		failed = body_next(&reader, &octets, e);
		buf_add_slice(out, octets);
	} while (!failed && octets.len);
	body_close(&reader);
	return failed;
}

static inline void read_nth(struct test_office *office, const char *address, const char *folder,
	size_t n, struct buf *out)
{
	struct maildrop maildrop = {0};
	assert_true(list(office, address, folder, &maildrop) > n);
	assert_int_equal(read_entry(office->store, maildrop.items[n].id, out, &office->e), 0);
	maildrop_free(&maildrop);
}

/* Lines up to `len` octets in all, no two alike. */
static inline void fill(struct buf *out, size_t len)
{
	for (unsigned line = 0; out->len < len; line++)
		buf_printf(out, "%08u %-62s\r\n", line, "octets of a big message");
	out->len = len;
}

static inline int64_t number(struct test_office *office, const struct statement *statement)
{
	int64_t result = -1;
	assert_int_equal(db_number(office->store, statement, &result, &office->e), 0);
	return result;
}

static inline void keep_finding(const char *sentence, void *arg)
{
	buf_add_text(arg, sentence);
	buf_add_char(arg, '\n');
}

/* mail_check() finds nothing. */
static inline void assert_sound(struct test_office *office)
{
	struct buf findings = {0};
	if (mail_check(office->store, keep_finding, &findings, &office->e) != 0)
		fail_msg("%s%s", buf_text(&findings), office->e.text);
	buf_free(&findings);
}

#endif
