/* The octets of a message on their way in and out. Pure: no I/O.
 *
 * In: the dotted body of DATA (RFC 5321, 4.5.2) and the plain octets of BDAT
 * (RFC 3030) become the stored form: a bare LF ends a line as CRLF does, a
 * bare CR becomes a space, a missing last CRLF is added. Only CRLF.CRLF, as
 * octets on the wire, ends a dotted body (CRLF.CRLF counts from the first
 * octet: the CRLF behind DATA is one). Out: a stored message becomes the
 * dotted form of RETR and TOP (RFC 1939, 3), and of DATA to another server. */
#ifndef BASE_DOT_H
#define BASE_DOT_H

#include "base/buf.h"
#include <stdint.h>

struct dot_reader {
	bool dotted;    /* DATA: unstuff and look for the end; BDAT: neither */
	bool ended;     /* the end of a dotted body has been read */
	bool has_nul;   /* a NUL was met: the message is to be refused */
	unsigned state; /* private: where between CR, LF and dots */
};

void dot_read_start(struct dot_reader *reader, bool dotted);
/* Takes octets from the wire and adds their stored form to *out (out NULL:
 * to nowhere, for a message already refused). Returns how many octets it
 * took: all of them, or up to and with the end of a dotted body. */
size_t dot_read(struct dot_reader *reader, struct slice wire, struct buf *out);
/* After the last chunk of a BDAT message: flushes a CR that was held back
 * and ends an unfinished line. */
void dot_read_finish(struct dot_reader *reader, struct buf *out);

struct dot_writer {
	bool inside_line; /* the last octet written was not the LF of a line */
};

/* The next span of `stored` that can be sent as it is; *stuff says that a '.'
 * goes in front of it. Cuts the span off *stored. Empty when *stored is.
 * Spans are as long as the text between two stuffed dots. */
struct slice dot_write_span(struct dot_writer *writer, struct slice *stored, bool *stuff);

#endif
