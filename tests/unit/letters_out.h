/* Letters of user 5 that leave the office, for a unit test. */
#ifndef TESTS_UNIT_LETTERS_OUT_H
#define TESTS_UNIT_LETTERS_OUT_H

#include "store/outbox.h"
#include "tests/unit/letters.h"

#define MINUTE 60
#define HOUR   3600
#define ANI    "ani@kantor.example"
#define FAR    "tamu@far.example"
#define OTHER  "tamu@other.example"

#define ALL_OUTGOING   SQL("SELECT count(*) FROM outgoing /* scans outgoing */")
#define ALL_RECIPIENTS SQL("SELECT count(*) FROM recipients /* scans recipients */")
#define ALL_BODIES     SQL("SELECT count(*) FROM bodies /* scans bodies */")

/* To these; where one is NULL there are fewer. */
static inline struct letter letter_out(const char *a, const char *b, const char *c)
{
	const char *const to[] = {a, b, c};
	struct letter letter = letter_to(NULL);
	letter.delivery.recipient_count = 0;
	for (size_t i = 0; i < 3 && to[i]; i++)
		letter.recipients[letter.delivery.recipient_count++].address = slice_of(to[i]);
	letter.delivery.sender = SLICE(ANI);
	letter.delivery.way_out = OUT_USER;
	letter.delivery.user_id = 5;
	strcpy(letter.delivery.who, "user 5");
	return letter;
}

static inline int send_out(struct test_office *office, const char *a, const char *b, const char *c)
{
	struct letter letter = letter_out(a, b, c);
	int done = post_letter(office, &letter, SLICE(LETTER));
	for (size_t i = 0; i < letter.delivery.recipient_count; i++)
		assert_int_equal(letter.results[i], ERR_NONE);
	return done;
}

static inline void pass(struct test_office *office, int64_t seconds)
{
	store_set_clock(office->store, store_now(office->store) + seconds);
}

#endif
