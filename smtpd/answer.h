/* What another server answers: hostile octets, a line at a time. Pure.
 * (RFC 5321, 4.2; enhanced codes: RFC 2034, RFC 3463) */
#ifndef SMTPD_ANSWER_H
#define SMTPD_ANSWER_H

#include "base/buf.h"

#define ANSWER_LINE_MOST  2048 /* octets without the line's end */
#define ANSWER_LINES_MOST 100
#define ANSWER_TEXT_MAX   513 /* octets with NUL */
#define ANSWER_STATUS_MAX 12

struct answer {
	unsigned code; /* 200 to 599; 0: there is none */
	/* "5.1.1"; empty where it gave none, or one of another class than its code */
	char status[ANSWER_STATUS_MAX];
	/* All its lines on one, in printable ASCII, with code and status in front once */
	char text[ANSWER_TEXT_MAX];
	unsigned lines; /* so far */
};

enum answer_taken {
	ANSWER_GOES_ON,   /* more lines follow */
	ANSWER_WHOLE,     /* that was the last */
	ANSWER_SENSELESS, /* no line of an answer, or one too many: nothing it says counts */
};

void answer_start(struct answer *answer);
/* Takes the next line, without its end: three digits, a blank or a hyphen, and any
 * octets; the digits are those of the first line. Nothing is taken behind the last
 * line. */
enum answer_taken answer_take(struct answer *answer, struct slice line);

/* Any octets as text for a report or a log: printable ASCII on one line, cut
 * where `text`, of `size` octets, ends. */
void answer_set_text(char *text, size_t size, struct slice octets);

#endif
