/* Filing a message: one body, one entry a mailbox, and on its way out one message for all
 * recipients outside of what staff send, one for each target outside of what aliases
 * forward; all in the caller's transaction. */
#ifndef STORE_DELIVER_H
#define STORE_DELIVER_H

#include "base/peers.h"
#include "store/addresses.h"
#include "store/body.h"
#include "store/envelope.h"

#define QUEUE_ID_LENGTH 12

/* As what a message may leave the office; the writer says it of a channel. */
enum right_out {
	OUT_NONE,    /* mail of the world */
	OUT_USER,    /* of a user who has logged in */
	OUT_TRUSTED, /* of one of the [smtpd] trusted addresses */
	OUT_LOCAL,   /* of a local account, by run/submit */
};
#define WHO_MAX 272 /* octets with NUL: "user 5", "peer 192.0.2.1", "login www-data" */

struct delivery {
	struct slice sender; /* envelope; empty: the null sender */
	const struct envelope_recipient *recipients;
	size_t recipient_count;
	struct slice envid; /* xtext, as it came; empty: not said */
	enum dsn_return ret;
	struct slice received;              /* the whole Received: field with its CRLF */
	char queue_id[QUEUE_ID_LENGTH + 1]; /* what the 250 and the field name */
	char peer[PEER_TEXT_MAX];           /* who handed it over, for trace */
	bool junk;                          /* one of our milters says so */

	/* Not the session's to say. */
	enum right_out way_out;
	int64_t user_id;   /* of OUT_USER */
	char who[WHO_MAX]; /* whose recipients of the hour these are */
};

/* A new one, of letters and digits: people type it. */
void deliver_make_queue_id(char queue_id[QUEUE_ID_LENGTH + 1]);

/* Files what `body` holds (its last octets appended before) for every
 * recipient. The recipients are resolved here again. results[i] says what
 * became of recipient i: ERR_NONE filed, or on its way out, or the kind. A recipient that
 * several addresses lead to gets one copy. If nobody got it the body is abandoned.
 * Either way *body is ready for the next message. 1 where something is held, and nothing
 * of delivery->who was before. -1 only when the store itself failed: undo the step, and
 * abandon the body. */
int deliver(struct store *store, const struct config *config, const struct delivery *delivery,
	struct body_writer *body, enum err_kind *results, struct err *e);

/* What is kept of a field beside the message, for people: its body decoded, cut to `most`
 * octets at a letter's end. */
void deliver_add_field(struct buf *out, struct slice header, const char *name, size_t most);

#define UIDL_NEW_LENGTH 16 /* letters of one of ours: 96 random bits */
#define UIDL_MAX        71 /* octets of any (RFC 1939, 7), and a NUL */

/* 1 to 70 octets, each from ! to ~ (RFC 1939, 7). */
bool deliver_can_be_uidl(struct slice uidl);

#endif
