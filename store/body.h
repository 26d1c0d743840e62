/* A message's octets: stored once for however many mailboxes, in pieces, each
 * with a checksum that every reading compares. */
#ifndef STORE_BODY_H
#define STORE_BODY_H

#include "store/store.h"

#define BODY_PIECE (256 * 1024) /* octets; every piece but the last is full */
/* Octets that a reader keeps: a message of a megabyte, and what stands before it. */
#define BODY_KEPT (4 * BODY_PIECE + 16 * 1024)

/* Writing, in a transaction. A body without a mailbox entry is invisible and is
 * freed when its writer leaves, or at the next start. A message of less than
 * one piece is not stored before deliver() files it. */
struct body_writer {
	int64_t body_id; /* 0: nothing stored yet */
	uint64_t size;   /* octets so far */
	int64_t pieces;
	bool arriving;     /* its row is there already */
	bool headless;     /* its first piece comes last, and may be short */
	struct buf header; /* all of a small message, the header of a big one */
};
/* Adds octets, at most BODY_PIECE a call, and exactly that in every call but
 * the last. ERR_GONE: the transaction of an earlier call was rolled back, and
 * the body with it. */
int body_append(
	struct store *store, struct body_writer *writer, struct slice octets, struct err *e);
/* The same, for a message whose header is not known yet: the octets come behind it. All
 * calls but the last with BODY_PIECE octets; the last is a body_append(). */
int body_append_behind(
	struct store *store, struct body_writer *writer, struct slice octets, struct err *e);
/* Its header, 1 to BODY_PIECE octets, once: before that last call. */
int body_add_head(
	struct store *store, struct body_writer *writer, struct slice header, struct err *e);
/* Adds the n-th piece (0 is the first) that was appended behind to *out. ERR_GONE. */
int body_reread(struct store *store, const struct body_writer *writer, uint64_t n, struct buf *out,
	struct err *e);
/* For deliver(): the body has an id and all of it is stored. */
int body_settle(struct store *store, struct body_writer *writer, struct err *e);
/* Frees what was stored of a body that did not become a message: at once or,
 * where it is big, by the purge. body_id alone will do, and one that has become
 * a message is left alone. */
int body_abandon(struct store *store, struct body_writer *writer, struct err *e);
/* At start: frees what crashes left. */
int body_abandon_all(struct store *store, struct err *e);
/* Frees pieces of bodies that have no entry and no writer, about `octets` of
 * them: a step of the purge. 1: there is more. */
int body_free_step(struct store *store, uint64_t octets, struct err *e);
void body_writer_free(struct body_writer *writer); /* memory only */

/* Reading a mailbox entry: its prefix (Return-Path, Delivered-To, Received),
 * then the pieces; or a message on its way out: the prefix is its Received field. No
 * statement stays open between calls. Set to zero, a reader is closed and valid; one
 * that is opened anew uses its memory again. */
struct body_reader {
	struct store *store;
	bool leaves; /* on its way out; else an entry */
	int64_t id, body_id, next_piece;
	uint64_t size, read, given; /* octets, the prefix among them */
	/* From `start` to `ready` they are compared and not given yet; behind that
	 * there is at most the first piece, not compared yet. */
	struct buf octets;
	size_t start, ready;
	uint64_t first_checksum;
};
/* ERR_MISSING: the entry has been purged. ERR_DAMAGED: its prefix is, or it is not
 * this user's (0: whoever's) any more, whose list named it. */
int body_open(struct body_reader *reader, struct store *store, int64_t user_id, int64_t entry_id,
	struct err *e);
/* ERR_MISSING: it has left, or has been removed from the queue. */
int body_open_outgoing(
	struct body_reader *reader, struct store *store, int64_t outgoing_id, struct err *e);
/* The next octets, valid until the next call; empty at the end. ERR_DAMAGED:
 * the checksum does not fit; ERR_MISSING: purged meanwhile. */
int body_next(struct body_reader *reader, struct slice *octets, struct err *e);
/* Reads on without handing out, up to `octets` and the end of a piece. What is no
 * more than BODY_KEPT stays in memory and comes with the next call, all at once; more
 * is read again. Not in a transaction. Fails as body_next() would. */
int body_look_ahead(struct body_reader *reader, uint64_t octets, struct err *e);
void body_close(struct body_reader *reader);

#endif
