/* Packets: a length (4 octets, network order), a command, and that many octets less one.
 * A command is gathered with what goes before it, and leaves in one write. */
#include "smtpd/milter.h"
#include "base/text.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VERSION       6
#define VERSION_LEAST 2 /* libmilter of 2001 */
#define VERSION_DATA  4 /* the first that knows MILTER_DATA */

#define PACKET_MOST  (128u * 1024) /* octets of one from the milter */
#define PACKETS_MOST 20000         /* of a message's end; a new body of a gigabyte has 16,384 */
#define GATHERED     (64u * 1024)  /* octets that wait for the next that is answered */

/* What a milter may do. Recipients and the sender stay what the client said: whether we
 * take mail for them has been asked already, and answered. */
#define MAY_ADD_HEADERS    0x01u
#define MAY_REPLACE_BODY   0x02u
#define MAY_CHANGE_HEADERS 0x10u
#define MAY_QUARANTINE     0x20u
#define OFFERED_ACTIONS    (MAY_ADD_HEADERS | MAY_REPLACE_BODY | MAY_CHANGE_HEADERS | MAY_QUARANTINE)

/* What it may decline to hear, and to answer; that it may skip the rest of a body; that it
 * gets headers with their blanks. Not: recipients that we refused (0x800). */
#define NO_CONNECT      0x01u
#define NO_HELO         0x02u
#define NO_MAIL         0x04u
#define NO_RCPT         0x08u
#define NO_BODY         0x10u
#define NO_HEADERS      0x20u
#define NO_END_OF_HDRS  0x40u
#define SILENT_HEADERS  0x80u
#define NO_UNKNOWN      0x100u
#define NO_DATA         0x200u
#define MAY_SKIP        0x400u
#define SILENT_CONNECT  0x1000u
#define SILENT_HELO     0x2000u
#define SILENT_MAIL     0x4000u
#define SILENT_RCPT     0x8000u
#define SILENT_DATA     0x10000u
#define SILENT_UNKNOWN  0x20000u
#define SILENT_END_HDRS 0x40000u
#define SILENT_BODY     0x80000u
#define WITH_BLANKS     0x100000u
#define OFFERED_STEPS   0x1FF7FFu

static const struct step {
	char command;
	uint32_t no, silent;
} steps[] = {
	{MILTER_CONNECT, NO_CONNECT, SILENT_CONNECT},
	{MILTER_HELO, NO_HELO, SILENT_HELO},
	{MILTER_MAIL, NO_MAIL, SILENT_MAIL},
	{MILTER_RCPT, NO_RCPT, SILENT_RCPT},
	{MILTER_DATA, NO_DATA, SILENT_DATA},
	{MILTER_HEADER, NO_HEADERS, SILENT_HEADERS},
	{MILTER_END_OF_HEADER, NO_END_OF_HDRS, SILENT_END_HDRS},
	{MILTER_BODY, NO_BODY, SILENT_BODY},
	{MILTER_END, 0, 0},
};

static const struct step *step_of(enum milter_command command)
{
	const struct step *step = steps;
	while (step->command != (char)command)
		step++;
	return step;
}

bool milter_wants(const struct milter *milter, enum milter_command command)
{
	return milter->fd >= 0 && !(milter->steps & step_of(command)->no);
}

bool milter_wants_blanks(const struct milter *milter)
{
	return milter->steps & WITH_BLANKS;
}

/* ---- octets ---- */

static int give_up(struct milter *milter, struct err *e)
{
	close(milter->fd);
	milter->fd = -1;
	e->kind = ERR_GONE;
	return -1;
}

/* 0: it can be read or written. */
static int wait_for(const struct milter *milter, short events, int64_t deadline, struct err *e)
{
	for (;;) {
		struct pollfd wait = {.fd = milter->fd, .events = events};
		int64_t left = deadline - text_monotonic_ms();
		int ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
		if (ready > 0)
			return 0;
		if (ready == 0)
			return err_set(e, ERR_GONE, "it does not answer");
		if (errno != EINTR)
			return err_set_errno(e, "poll");
	}
}

static int flush(struct milter *milter, int64_t deadline, struct err *e)
{
	struct buf *out = &milter->out;
	while (out->len > 0) {
		if (wait_for(milter, POLLOUT, deadline, e) < 0)
			return give_up(milter, e);
		ssize_t sent = send(milter->fd, out->at, out->len, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (sent < 0) {
			err_set(e, ERR_GONE, "%s", strerror(errno));
			return give_up(milter, e);
		}
		buf_drop(out, (size_t)sent);
	}
	return 0;
}

static void put_number(struct buf *out, uint32_t number)
{
	const unsigned char octets[] = {(unsigned char)(number >> 24),
		(unsigned char)(number >> 16), (unsigned char)(number >> 8), (unsigned char)number};
	buf_add(out, octets, sizeof(octets));
}

static uint32_t get_number(struct slice octets)
{
	const unsigned char *at = (const void *)octets.at;
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_packet(struct milter *milter, char command, struct slice body)
{
	put_number(&milter->out, (uint32_t)body.len + 1);
	buf_add_char(&milter->out, command);
	buf_add_slice(&milter->out, body);
}

/* Until so many octets are there. */
static int fill(struct milter *milter, size_t len, int64_t deadline, struct err *e)
{
	while (milter->in.len < len) {
		char *room = buf_reserve(&milter->in, 8192);
		if (wait_for(milter, POLLIN, deadline, e) < 0)
			return give_up(milter, e);
		ssize_t got = read(milter->fd, room, 8192);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0) {
			err_set(e, ERR_GONE, "%s",
				got == 0 ? "it has ended the connection" : strerror(errno));
			return give_up(milter, e);
		}
		milter->in.len += (size_t)got;
	}
	return 0;
}

/* *body is valid until the next one is read. */
static int next_packet(
	struct milter *milter, char *what, struct slice *body, int64_t deadline, struct err *e)
{
	buf_drop(&milter->in, milter->taken);
	milter->taken = 0;
	if (fill(milter, 4, deadline, e) < 0)
		return -1;
	uint32_t len = get_number(buf_slice(&milter->in));
	if (len == 0 || len > PACKET_MOST || ++milter->packets > PACKETS_MOST) {
		err_set(e, ERR_GONE,
			milter->packets > PACKETS_MOST ? "it goes on and on"
						       : "it sends a packet of %u octets",
			(unsigned)len);
		return give_up(milter, e);
	}
	if (fill(milter, 4 + (size_t)len, deadline, e) < 0)
		return -1;
	milter->taken = 4 + (size_t)len;
	*what = milter->in.at[4];
	*body = (struct slice){milter->in.at + 5, len - 1};
	return 0;
}

/* ---- the beginning ---- */

int milter_open(struct milter *milter, int fd, int64_t deadline, struct err *e)
{
	struct buf offer = {0};
	struct slice body;
	char what;
	*milter = (struct milter){.fd = fd};
	put_number(&offer, VERSION);
	put_number(&offer, OFFERED_ACTIONS);
	put_number(&offer, OFFERED_STEPS);
	put_packet(milter, MILTER_NEGOTIATE, buf_slice(&offer));
	buf_free(&offer);
	if (flush(milter, deadline, e) < 0 || next_packet(milter, &what, &body, deadline, e) < 0)
		return -1;
	uint32_t steps_wanted = 0;
	if (what == MILTER_NEGOTIATE && body.len >= 12) {
		milter->version = get_number(body);
		steps_wanted = get_number(slice_from(body, 8));
	}
	/* Actions beyond the offered ones are let pass: some milters always claim all of
	 * them. It is the deed that counts. */
	if (milter->version < VERSION_LEAST || milter->version > VERSION ||
		steps_wanted & ~OFFERED_STEPS) {
		err_set(e, ERR_GONE,
			"it does not agree on version %d of the milter protocol, or on what is "
			"offered: see [filter] in office.ini(5)",
			VERSION);
		return give_up(milter, e);
	}
	milter->steps = steps_wanted | (milter->version < VERSION_DATA ? NO_DATA : 0);
	return 0;
}

/* ---- questions ---- */

void milter_tell(struct milter *milter, enum milter_command command, struct slice macros)
{
	if (macros.len == 0 || !milter_wants(milter, command))
		return;
	put_number(&milter->out, (uint32_t)macros.len + 2);
	buf_add_char(&milter->out, MILTER_MACROS);
	buf_add_char(&milter->out, (char)command);
	buf_add_slice(&milter->out, macros);
}

/* The text up to the next NUL; false: there is none. */
static bool take_text(struct slice *rest, struct slice *text)
{
	if (slice_find(*rest, '\0') == rest->len)
		return false;
	*text = slice_cut(rest, '\0');
	return true;
}

static bool take_index(struct slice *rest, uint32_t *index)
{
	if (rest->len < 4)
		return false;
	*index = get_number(*rest);
	*rest = slice_from(*rest, 4);
	return *index <= INT32_MAX;
}

/* 1: a change, 0: none, -1: one that is not, or was not offered. */
static int read_change(char what, struct slice body, struct milter_says *says)
{
	bool good = true;
	*says = (struct milter_says){0};
	switch (what) {
	case 'h':
		says->change = MILTER_ADD_HEADER;
		break;
	case 'i':
		says->change = MILTER_INSERT_HEADER;
		good = take_index(&body, &says->index);
		break;
	case 'm':
		says->change = MILTER_CHANGE_HEADER;
		good = take_index(&body, &says->index);
		break;
	case 'b':
		says->change = MILTER_REPLACE_BODY;
		says->value = body;
		return 1;
	case 'q':
		says->change = MILTER_QUARANTINE;
		return take_text(&body, &says->value) && body.len == 0 ? 1 : -1;
	case '+':
	case '2':
	case '-':
	case 'e':
	case 'l':
		return -1;
	default:
		return 0;
	}
	return good && take_text(&body, &says->name) && take_text(&body, &says->value) &&
			       body.len == 0
		       ? 1
		       : -1;
}

static bool read_verdict(
	char what, struct slice body, enum milter_verdict *verdict, struct buf *words)
{
	switch (what) {
	case 'c':
		*verdict = MILTER_CONTINUE;
		return body.len == 0;
	case 'a':
		*verdict = MILTER_ACCEPT;
		return body.len == 0;
	case 'r':
		*verdict = MILTER_REJECT;
		return body.len == 0;
	case 't':
	case 'f':
		*verdict = MILTER_TEMPFAIL;
		return body.len == 0;
	case '4':
		*verdict = MILTER_TEMPFAIL;
		return true;
	case 'd':
		*verdict = MILTER_DISCARD;
		return body.len == 0;
	case 's':
		*verdict = MILTER_SKIP;
		return body.len == 0;
	case 'y': {
		struct slice text;
		if (!take_text(&body, &text) || body.len > 0 || text.len < 3 ||
			(text.at[0] != '4' && text.at[0] != '5'))
			return false;
		*verdict = text.at[0] == '4' ? MILTER_TEMPFAIL : MILTER_REJECT;
		buf_clear(words);
		buf_add_slice(words, text);
		return true;
	}
	default:
		return false;
	}
}

static int answer(struct milter *milter, bool changes, int64_t deadline,
	enum milter_verdict *verdict, struct buf *words, milter_change_fn change, void *arg,
	struct err *e)
{
	for (;;) {
		struct milter_says says;
		struct slice body;
		char what;
		if (next_packet(milter, &what, &body, deadline, e) < 0)
			return -1;
		if (what == 'p') /* it is at it */
			continue;
		if (read_verdict(what, body, verdict, words))
			return 0;
		int is_change = changes ? read_change(what, body, &says) : 0;
		if (is_change > 0 && change(arg, &says, e) == 0)
			continue;
		if (is_change <= 0)
			err_set(e, ERR_GONE,
				"its answer '\\x%02x' is none, or asks for what is not offered: "
				"see "
				"[filter] in office.ini(5)",
				(unsigned char)what);
		return give_up(milter, e);
	}
}

int milter_ask(struct milter *milter, enum milter_command command, struct slice body,
	int64_t deadline, enum milter_verdict *verdict, struct buf *words, milter_change_fn change,
	void *arg, struct err *e)
{
	*verdict = MILTER_CONTINUE;
	if (!milter_wants(milter, command))
		return 0;
	put_packet(milter, (char)command, body);
	if (milter->steps & step_of(command)->silent)
		return milter->out.len < GATHERED ? 0 : flush(milter, deadline, e);
	milter->packets = 0;
	if (flush(milter, deadline, e) < 0)
		return -1;
	return answer(milter, command == MILTER_END, deadline, verdict, words, change, arg, e);
}

void milter_say(struct milter *milter, enum milter_command command)
{
	if (milter->fd >= 0)
		put_packet(milter, (char)command, SLICE(""));
}

void milter_close(struct milter *milter)
{
	struct err e;
	milter_say(milter, MILTER_QUIT);
	if (milter->fd >= 0 && flush(milter, text_monotonic_ms() + 1000, &e) == 0)
		close(milter->fd);
	buf_free(&milter->in);
	buf_free(&milter->out);
	*milter = (struct milter){.fd = -1};
}
