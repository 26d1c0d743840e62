/* A message that comes to the writer in parts: what a target's channel has sent of it, and
 * what must be there in the end, worked out beside the writer. */
#ifndef TESTS_FUZZ_ARRIVING_H
#define TESTS_FUZZ_ARRIVING_H

#include "tests/fuzz/role.h"

#define ARRIVING_MOST 3 /* pieces that an input sends */

struct arriving {
	bool unknown; /* something was sent of which nobody knows what it did */
	unsigned pieces, behind;
	unsigned char letters[ARRIVING_MOST]; /* of which the pieces behind are */
	struct buf head;
};

static inline bool arriving_is_headless(const struct arriving *message)
{
	return message->behind > 0 || message->head.len > 0;
}

/* What was sent is no message any more, or none that is to come. */
static inline void arriving_end(struct arriving *message)
{
	buf_free(&message->head);
	message->pieces = message->behind = 0;
}

/* Sends a part; true: it is there, as it must be. A part that is refused ends the message.
 * `may`: may the channel send at all? */
static inline bool arriving_send(struct arriving *message, struct channel *channel, bool may,
	unsigned type, const struct buf *part)
{
	struct frame frame;
	bool takes = type == REQUEST_PIECE
			     ? !arriving_is_headless(message)
			     : part->len > 0 && message->pieces == 0 && message->head.len == 0;
	bool done = fuzz_ask(channel, type, part, &frame) && frame.type == ANSWER_OK;
	assert(message->unknown || done == (may && takes));
	if (!done)
		arriving_end(message);
	return done && !message->unknown;
}

static inline void arriving_send_head(
	struct arriving *message, struct channel *channel, bool may, struct slice head)
{
	struct buf part = {0};
	buf_add_slice(&part, head);
	if (arriving_send(message, channel, may, REQUEST_HEAD, &part))
		buf_add_slice(&message->head, head);
	buf_free(&part);
}

/* REQUEST_PIECE, or REQUEST_PIECE_BEHIND: so many times the letter. */
static inline void arriving_send_piece(
	struct arriving *message, struct channel *channel, bool may, unsigned type, unsigned letter)
{
	struct buf part = {0};
	memset(buf_reserve(&part, BODY_PIECE), (int)letter, BODY_PIECE);
	part.len = BODY_PIECE;
	if (!arriving_send(message, channel, may, type, &part)) {
		buf_free(&part);
		return;
	}
	if (type == REQUEST_PIECE)
		message->pieces++;
	else
		message->letters[message->behind++] = (unsigned char)letter;
	buf_free(&part);
}

static inline bool arriving_is_piece(
	const struct arriving *message, uint64_t n, struct slice octets)
{
	for (size_t i = 0; n < message->behind && i < octets.len; i++)
		if ((unsigned char)octets.at[i] != message->letters[n])
			return false;
	return n < message->behind && octets.len == BODY_PIECE;
}

/* It gets its own pieces, and no other's. */
static inline void arriving_ask_back(
	struct arriving *message, struct channel *channel, bool may, uint64_t n)
{
	struct buf body = {0};
	struct frame frame;
	pack_number(&body, n);
	bool done = fuzz_ask(channel, REQUEST_PIECE_BACK, &body, &frame) && frame.type == ANSWER_OK;
	assert(message->unknown || done == (may && n < message->behind));
	assert(message->unknown || !done || arriving_is_piece(message, n, frame.body));
	if (!done)
		arriving_end(message);
	buf_free(&body);
}

/* The entry that was filed last is the header, the pieces behind it, the rest. */
static inline void arriving_compare(
	const struct arriving *message, struct fuzz_office *office, struct slice rest)
{
	struct body_reader reader = {0};
	struct buf all = {0};
	struct slice octets;
	int64_t entry = 0;
	DONE(office,
		db_number(office->store, SQL("SELECT max(id) FROM entries"), &entry, &office->e));
	DONE(office, body_open(&reader, office->store, 0, entry, &office->e));
	size_t prefix = reader.read;
	do {
		DONE(office, body_next(&reader, &octets, &office->e));
		buf_add_slice(&all, octets);
	} while (octets.len > 0);
	body_close(&reader);
	struct slice there = slice_from(buf_slice(&all), prefix);
	assert(slice_has_prefix(there, buf_slice(&message->head)));
	there = slice_from(there, message->head.len);
	for (unsigned n = 0; n < message->behind; n++) {
		assert(there.len >= BODY_PIECE);
		assert(arriving_is_piece(message, n, (struct slice){there.at, BODY_PIECE}));
		there = slice_from(there, BODY_PIECE);
	}
	assert(slice_equal(there, rest));
	buf_free(&all);
}

#endif
