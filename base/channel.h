/* Framed messages and descriptors over a unix stream socket: how our own
 * processes talk.
 *
 * A frame is a length (4 octets), a type (2), the number of descriptors that
 * ride along (2), in host order, and that many octets. Frames from a session
 * are hostile input: every read of a field is checked and sticks. */
#ifndef BASE_CHANNEL_H
#define BASE_CHANNEL_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>
#include <sys/uio.h>

#define CHANNEL_FDS_MAX   4
#define CHANNEL_FRAME_MAX (1024u * 1024u)

struct channel {
	int fd; /* -1: none */
	/* May descriptors come along? Where not, a frame that brings some is
	 * ERR_INPUT, and none is ever opened here: there is nothing to leak, and
	 * closing one of a file under lock (fcntl) would end the lock. */
	bool takes_fds;
	/* Are there secrets in what comes? Then the memory a frame was in is
	 * overwritten before it is used for anything else. */
	bool wipes;
	/* A rope (bell.h) that is pulled with the first frame sent from now on; 0: none,
	 * or it has been. */
	int bell;
	struct buf in;
	size_t taken;             /* private: octets of `in` the last frame was */
	bool drained;             /* private: the last read took all that was there */
	int fds[CHANNEL_FDS_MAX]; /* arrived, not yet handed out */
	unsigned fd_count;
};

struct frame {
	unsigned type;
	struct slice body;        /* valid until the next receive on the channel */
	int fds[CHANNEL_FDS_MAX]; /* the receiver's to close */
	unsigned fd_count;
};
void channel_close_frame(const struct frame *frame); /* closes them */

/* Takes over a connected descriptor. takes_fds and wipes are false until set. */
void channel_open(struct channel *channel, int fd);
/* Connects to the socket `name` in the directory open as `dir_fd`. A path of
 * any length works. */
int channel_connect(struct channel *channel, int dir_fd, const char *name, struct err *e);
void channel_close(struct channel *channel);

/* Sends one frame; blocks as long as the other side lives and does not read
 * (on a non-blocking descriptor: ERR_GONE too when it does not take all).
 * ERR_GONE when it has gone. */
int channel_send(struct channel *channel, unsigned type, const struct iovec *parts, size_t count,
	const int *fds, unsigned fd_count, struct err *e);
int channel_send_buf(struct channel *channel, unsigned type, const struct buf *body, struct err *e);
/* What channel_add_frame() has gathered, in the same way. */
int channel_send_frames(struct channel *channel, const struct buf *frames, struct err *e);
/* Waits for one frame. 1 there is one, 0 orderly end, -1 failed (ERR_GONE, or
 * ERR_INPUT for a frame that is none). */
int channel_receive(struct channel *channel, struct frame *frame, struct err *e);
/* For event loops: reads once without blocking; 1, 0 and -1 as above, 2 when
 * no whole frame is there yet. */
int channel_receive_some(struct channel *channel, struct frame *frame, struct err *e);
/* Behind a frame: did it bring all that there was? Then reading again is of no use until
 * the descriptor can be read. Lets go of the frame. */
bool channel_is_drained(struct channel *channel);
/* The octets of a frame without descriptors, for one who gathers output. */
void channel_add_frame(struct buf *out, unsigned type, struct slice body);
/* Has the other side hung up? Does not block. */
bool channel_is_gone(const struct channel *channel);

/* Fields of a frame. */
void pack_number(struct buf *body, uint64_t number);
void pack_slice(struct buf *body, struct slice octets);
void pack_text(struct buf *body, const char *text);
void pack_fixed(struct buf *body, const void *octets, size_t len);

struct unpack {
	struct slice rest;
	bool failed; /* sticky; fields after it are zero and empty */
};
uint64_t unpack_number(struct unpack *in);
struct slice unpack_slice(struct unpack *in); /* borrowed from the frame */
/* Copies a slice without NULs into text[size]; fails if it does not fit. */
void unpack_text(struct unpack *in, char *text, size_t size);
void unpack_fixed(struct unpack *in, void *out, size_t len);
/* 0 if every field was there and nothing is left over; else ERR_INPUT. */
int unpack_end(const struct unpack *in, struct err *e);
/* Cuts off a whole frame that channel_add_frame() made; returns its body. */
struct slice channel_cut_frame(struct unpack *in, unsigned *type);

#endif
