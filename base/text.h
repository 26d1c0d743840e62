/* Text forms of numbers, sizes, durations, times and octets. Pure. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

/* Digits only, no sign, no blank, at most `digits` of them; false leaves
 * *number alone. */
bool text_to_number(struct slice text, unsigned digits, uint64_t *number);
/* The same, however many: UINT64_MAX for what does not fit. */
bool text_to_any_number(struct slice text, uint64_t *number);
/* "64M": octets; K, M, G are powers of 1024. */
bool text_to_size(struct slice text, uint64_t *octets);
/* "30s", "10m", "12h", "14d": seconds; "0" is 0. */
bool text_to_duration(struct slice text, int64_t *seconds);

#define TEXT_SIZE_MAX 16
/* "3.2 MB"-like form for people, in text[TEXT_SIZE_MAX]; returns text. */
const char *text_of_size(char text[TEXT_SIZE_MAX], uint64_t octets);

#define TEXT_DATE_MAX 40
/* "Mon, 02 Mar 2026 10:00:00 +0700" (RFC 5322, 3.3) in local time. */
const char *text_of_mail_date(char text[TEXT_DATE_MAX], int64_t unix_seconds);
/* "2026-03-02T03:00:00Z" (RFC 3339, UTC). */
const char *text_of_time(char text[TEXT_DATE_MAX], int64_t unix_seconds);

/* Decodes base64 (RFC 4648, 4) to the end of *out: only the canonical form,
 * padding included; false adds nothing. */
bool text_from_base64(struct slice text, struct buf *out);
/* The same the other way, in one line. */
void text_add_base64(struct buf *out, const void *octets, size_t len);
/* Decodes xtext (RFC 3461, 4) to the end of *out: any octet may come of it; false
 * adds nothing. */
bool text_from_xtext(struct slice text, struct buf *out);
void text_add_xtext(struct buf *out, struct slice octets);
void text_add_hex(struct buf *out, const void *octets, size_t len);

/* Length of the well-formed UTF-8 character that `text`, which is not empty,
 * begins with (RFC 3629, 4), 0 if there is none; *code is what it is. */
size_t text_utf8(struct slice text, uint32_t *code);
/* The same the other way: adds a character, which is at most 0x10FFFF. */
void text_add_utf8(struct buf *out, uint32_t code);
/* One that drives a terminal and is no letter: C0, DEL, C1; line separators and
 * the marks that turn the direction of what follows. */
bool text_is_control(uint32_t code);
/* How many places of a terminal's line it takes: 0 what stands on the letter before
 * it, 2 the wide ones of East Asia and pictures, else 1. */
int text_width(uint32_t code);
/* ASCII letters to lower case, in place. */
void text_fold(char *text, size_t len);
/* True if every octet is printable ASCII or a blank (0x20 to 0x7E). */
bool text_is_printable(struct slice text);
/* Adds text with everything but printable ASCII as \xNN. The one way by which
 * anything from the wire reaches a header, a reply or a log line. */
void text_add_escaped(struct buf *out, struct slice text);

/* Monotonic milliseconds, for deadlines. */
int64_t text_monotonic_ms(void);

#endif
