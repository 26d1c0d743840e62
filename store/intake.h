/* A message that comes to the writer on one channel: its octets, its envelope, and by whose
 * right. Steps of the round's transaction. */
#ifndef STORE_INTAKE_H
#define STORE_INTAKE_H

#include "store/requests.h"

/* What is known of the channel that it comes on. */
struct intake {
	struct store *store;
	const struct config *config;
	const struct hello *hello;
	const unsigned char *ticket_key; /* DIGEST_SIZE octets */
	struct body_writer *body;
};

/* REQUEST_PIECE, _PIECE_BEHIND, _HEAD and _PIECE_BACK, whose octets are added to *answer. */
int intake_piece(
	const struct intake *intake, const struct frame *frame, struct buf *answer, struct err *e);
/* REQUEST_DELIVER and REQUEST_SUBMIT: the rest is appended, and the message filed; the
 * results are added to *answer. ERR_DENIED: who asks may not send it. */
int intake_deliver(
	const struct intake *intake, const struct frame *frame, struct buf *answer, struct err *e);

#endif
