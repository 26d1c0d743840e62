/* A session of SMTP, LMTP or submission from its greeting to its end. A second reading of
 * what the client sent, which knows the protocol and not the server, says how
 * many answers there must be and where each message begins and ends: no octet of
 * a message is ever a command, none of a command a message, and the writer got
 * each message that was answered 250, in its stored form, and no other. How the
 * octets were cut changes nothing.
 *
 * Input: an octet of flags (1: LMTP, 4: submission, 2: a small max_message),
 * three that say where to cut, the octets of the client. */
#include "base/text.h"
#include "smtpd/smtpd.h"
#include "tests/fuzz/session.h"
#include "tests/fuzz/stored.h"
#include <stdlib.h>

#define LIMIT         (512 + 1500 - 2)
#define SASL_LIMIT    12288
#define MESSAGES_MOST 512
#define SMALL         300 /* max_message */

static struct config config;
static bool lmtp, submission;
#define SERVICE (submission ? "submission" : lmtp ? "lmtp" : "smtp")

/* ---- the roles ---- */

static struct {
	struct buf octets;
	uint64_t recipients;
} filed[MESSAGES_MOST];
static size_t filed_count, logins;
static const unsigned char ticket_key[DIGEST_SIZE] = "of the writer's";

static bool has_one_at(struct slice address)
{
	return slice_find(address, '@') < address.len && text_is_printable(address);
}

static void resolve(struct role_channel *role, struct unpack *in)
{
	static const struct {
		char first;
		enum err_kind kind;
	} kinds[] = {{'m', ERR_MISSING}, {'q', ERR_QUOTA}, {'l', ERR_LOOP}, {'d', ERR_DENIED},
		{'s', ERR_SPACE}};
	struct slice address = unpack_slice(in);
	assert(has_one_at(address) || slice_equal_nocase(address, SLICE("postmaster")));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (address.at[0] == kinds[i].first) {
			fuzz_answer_error(role, kinds[i].kind);
			return;
		}
	}
	role_answer(role, ANSWER_OK, SLICE(""));
}

static void log_in(struct role_channel *role, struct unpack *in)
{
	struct login login = {.user = "ani@kantor.example"};
	struct slice user = unpack_slice(in), password = unpack_slice(in);
	assert(submission);
	login.ticket = (struct ticket){SERVICE_SUBMISSION, 1, 0, 0, ticket_now() + 3600, {0}};
	ticket_sign(&login.ticket, ticket_key);
	if (slice_has_prefix(user, SLICE("ani")) && slice_equal(password, SLICE("rahasia-ani"))) {
		logins++;
		request_login_answer(role, &login);
	} else {
		fuzz_answer_error(role, user.len == 4 ? ERR_LIMITED : ERR_DENIED);
	}
}

/* The user is all whose names begin with an a. */
static void judge_sender(struct role_channel *role, struct slice address)
{
	assert(submission && logins > 0);
	if (slice_has_prefix(address, SLICE("a")))
		role_answer(role, ANSWER_OK, SLICE(""));
	else
		fuzz_answer_error(role, ERR_DENIED);
}

/* The field that we add: no octet of the client's can be a line of its own. */
static void look_at_received(struct slice received)
{
	assert(slice_has_prefix(
		received, submission ? SLICE("Received: by") : SLICE("Received: from")));
	for (bool first = true; received.len > 0; first = false) {
		struct slice line = slice_cut(&received, '\n');
		assert(line.len > 1 && line.len < 998 && line.at[line.len - 1] == '\r');
		assert(first || line.at[0] == '\t');
		for (size_t i = first ? 0 : 1; i < line.len - 1; i++)
			assert(line.at[i] >= ' ' && line.at[i] <= '~');
	}
}

/* Files it, or, where its first recipient begins with an f, finds no room. */
static void file(struct role_channel *role, const struct frame *frame)
{
	struct delivery delivery;
	struct ticket ticket;
	struct envelope_recipient *recipients;
	struct slice rest;
	struct buf answer = {0};
	struct err e;
	assert(request_deliver_read(frame, &ticket, &delivery, &recipients, &rest, &e) == 0);
	assert(!submission || (logins > 0 && ticket_check(&ticket, ticket_key, SERVICE_SUBMISSION,
						     ticket_now(), &e) == 0));
	assert(delivery.sender.len == 0 || has_one_at(delivery.sender));
	assert(delivery.recipient_count > 0);
	look_at_received(delivery.received);
	bool full = recipients[0].address.at[0] == 'f';
	for (size_t i = 0; i < delivery.recipient_count; i++)
		pack_number(&answer, full ? ERR_QUOTA : ERR_NONE);
	if (!full) {
		assert(filed_count < MESSAGES_MOST);
		buf_add_slice(&filed[filed_count].octets, rest);
		filed[filed_count++].recipients = delivery.recipient_count;
	}
	role_answer(role, ANSWER_OK, buf_slice(&answer));
	buf_free(&answer);
	free(recipients);
}

static void answer(struct fuzz_session *session, struct role_channel *role, struct frame *frame)
{
	struct unpack in = {.rest = frame->body};
	bool directory = role == &session->directory;
	if (directory && frame->type == REQUEST_RESOLVE)
		resolve(role, &in);
	else if (directory && frame->type == REQUEST_LOGIN)
		log_in(role, &in);
	else if (directory && frame->type == REQUEST_MAY_SEND)
		judge_sender(role, frame->body);
	else if (frame->type == REQUEST_FORGET)
		assert(!directory);
	else if (frame->type == (submission ? REQUEST_SUBMIT : REQUEST_DELIVER))
		file(role, frame);
	else
		assert(!"a question of another service");
}

/* ---- the second reading ---- */

struct walk {
	struct fuzz_walk fuzz;
	size_t recipients; /* that were taken */
	size_t messages;   /* of filed[], looked at */
	struct buf chunks; /* of BDAT, as they came */
	bool spoilt;       /* one of them was refused */
	bool ended;        /* the server says no more */
};

/* The code of the next answer, 0 if there is none. */
static unsigned take_reply(struct walk *walk, struct slice *text)
{
	struct slice line;
	uint64_t code = 0, first = 0;
	do {
		if (!fuzz_line(&walk->fuzz.heard, &line))
			return 0;
		assert(text_is_printable(line) && line.len >= 4 && line.len <= 510);
		assert(text_to_number((struct slice){line.at, 3}, 3, &code));
		assert(code >= 200 && code < 600 && (first == 0 || code == first));
		first = code;
	} while (line.at[3] == '-');
	assert(line.at[3] == ' ');
	*text = slice_from(line, 4);
	if (code == 421 || code == 221)
		walk->ended = true;
	return (unsigned)code;
}

/* Every command has one answer. */
static unsigned need_reply(struct walk *walk, struct slice *text)
{
	unsigned code = take_reply(walk, text);
	assert(code != 0);
	return code;
}

static void forget(struct walk *walk)
{
	walk->recipients = 0;
	walk->spoilt = false;
	buf_free(&walk->chunks);
}

/* The first line of `text`, with its end. */
static struct slice first_line(struct slice text)
{
	text.len = slice_find(text, '\n') + 1;
	return text;
}

static bool is_field(struct slice line, const char *name)
{
	struct slice rest = line, before = slice_cut(&rest, ':');
	return before.len < line.len && slice_equal_nocase(slice_trim(before), slice_of(name)) &&
	       line.at[0] != ' ' && line.at[0] != '\t';
}

static void skip(struct slice *text, struct slice what)
{
	assert(slice_has_prefix(*text, what));
	*text = slice_from(*text, what.len);
}

/* What staff sent, without its Bcc, with a Date and a Message-ID: `got`. */
static void hold_against_mended(struct slice got, struct slice sent)
{
	bool has_date = false, has_id = false, hidden = false;
	while (!slice_has_prefix(sent, SLICE("\r\n"))) {
		struct slice line = first_line(sent);
		bool folded = line.at[0] == ' ' || line.at[0] == '\t';
		sent = slice_from(sent, line.len);
		hidden = folded ? hidden : is_field(line, "Bcc") || is_field(line, "Resent-Bcc");
		has_date = has_date || is_field(line, "Date");
		has_id = has_id || is_field(line, "Message-ID");
		if (!hidden)
			skip(&got, line);
	}
	if (!has_date)
		assert(is_field(first_line(got), "Date"));
	got = slice_from(got, has_date ? 0 : first_line(got).len);
	if (!has_id)
		assert(is_field(first_line(got), "Message-ID"));
	got = slice_from(got, has_id ? 0 : first_line(got).len);
	assert(slice_equal(got, sent));
}

/* The end of a message: an answer, or under LMTP one a recipient. */
static void end_message(struct walk *walk, struct buf *stored, bool spoilt)
{
	struct slice text;
	unsigned code = 0;
	for (size_t i = 0; i < (lmtp ? walk->recipients : 1) && !walk->ended; i++) {
		unsigned next = need_reply(walk, &text);
		assert(i == 0 || next == code);
		code = next;
	}
	if (code == 250) {
		assert(!spoilt && walk->messages < filed_count);
		struct slice got = buf_slice(&filed[walk->messages].octets);
		bool header_ends =
			stored_begins(buf_slice(stored), 0, SLICE("\r\n")) ||
			(stored->len > 3 && memmem(stored->at, stored->len, "\r\n\r\n", 4));
		if (!header_ends)
			buf_add_text(stored, "\r\n");
		if (submission)
			hold_against_mended(got, buf_slice(stored));
		else
			assert(slice_equal(got, buf_slice(stored)));
		assert(filed[walk->messages++].recipients == walk->recipients);
		assert(!memchr(stored->at, '\0', stored->len));
		assert(config.max_message == 0 || stored->len <= config.max_message);
	}
	buf_free(stored);
	forget(walk);
}

static void walk_data(struct walk *walk)
{
	struct slice *rest = &walk->fuzz.rest;
	struct buf stored = {0};
	size_t end = stored_end(*rest);
	if (end == rest->len) { /* it never came: nothing is said, nothing filed */
		walk->ended = true;
		return;
	}
	stored_add(&stored, fuzz_take(rest, end), true);
	fuzz_take(rest, 3);
	end_message(walk, &stored, false);
}

static void walk_chunk(struct walk *walk, struct slice argument)
{
	struct buf stored = {0};
	struct slice text, rest = slice_trim(argument);
	struct slice number = slice_cut(&rest, ' ');
	uint64_t len;
	bool last = slice_equal_nocase(slice_trim(rest), SLICE("LAST"));
	if (!text_to_number(number, 20, &len)) {
		assert(need_reply(walk, &text) == 501);
		walk->ended = true;
		return;
	}
	if (len > walk->fuzz.rest.len) {
		walk->ended = true;
		return;
	}
	buf_add_slice(&walk->chunks, fuzz_take(&walk->fuzz.rest, (size_t)len));
	if (last && walk->recipients > 0) {
		stored_add(&stored, buf_slice(&walk->chunks), false);
		stored_end_line(&stored);
		end_message(walk, &stored, walk->spoilt);
	} else if (need_reply(walk, &text) != 250) {
		walk->spoilt = walk->recipients > 0;
		if (!walk->spoilt)
			buf_free(&walk->chunks);
	}
}

static bool is_verb(struct slice verb, const char *word)
{
	return slice_equal_nocase(verb, slice_of(word));
}

static void walk_exchange(struct walk *walk)
{
	struct slice line;
	while (slice_has_prefix(walk->fuzz.heard, SLICE("334 "))) {
		fuzz_line(&walk->fuzz.heard, &line);
		fuzz_walk_line(&walk->fuzz, SASL_LIMIT, &line);
	}
}

static void walk_line(struct walk *walk, struct slice line)
{
	struct slice argument, text;
	struct slice verb = fuzz_verb(line, &argument);
	bool clean = fuzz_line_is_clean(line);
	if (clean && is_verb(verb, "BDAT")) {
		walk_chunk(walk, argument);
		return;
	}
	if (clean && is_verb(verb, "AUTH"))
		walk_exchange(walk);
	unsigned code = need_reply(walk, &text);
	if (!clean) {
		assert(code == 500 || code == 421);
	} else if (code == 354) {
		assert(is_verb(verb, "DATA") && walk->recipients > 0);
		walk_data(walk);
	} else if (is_verb(verb, "RCPT") && code == 250) {
		walk->recipients++;
	} else if (code == 250 && (is_verb(verb, "EHLO") || is_verb(verb, "HELO") ||
					  is_verb(verb, "LHLO") || is_verb(verb, "RSET"))) {
		forget(walk);
	}
}

static void walk_session(struct slice said, struct slice heard)
{
	struct walk walk = {.fuzz = {said, heard}};
	struct slice line, text;
	assert(take_reply(&walk, &text) == 220);
	while (!walk.ended) {
		/* Too many faults: told behind the last one's own answer. */
		bool hello = walk.fuzz.rest.len > 0 && walk.fuzz.rest.at[0] == '\x16';
		if (slice_has_prefix(walk.fuzz.heard, SLICE("421 4.7.0 Too many errors"))) {
			need_reply(&walk, &text);
			break;
		}
		if (hello && slice_has_prefix(walk.fuzz.heard, SLICE("421 4.7.0 This is"))) {
			need_reply(&walk, &text);
			break;
		}
		switch (fuzz_walk_line(&walk.fuzz, LIMIT, &line)) {
		case WALK_LINE:
			walk_line(&walk, line);
			break;
		case WALK_LONG:
			assert(need_reply(&walk, &text) == 500);
			break;
		case WALK_END:
			walk.ended = true;
			break;
		}
	}
	assert(walk.fuzz.heard.len == 0 && walk.messages == filed_count);
	forget(&walk);
}

/* ---- running it ---- */

/* What was heard, without the random ids of messages. A message that deserves
 * two refusals gets that which its octets, as they were cut, showed first. */
static void hide_chance(struct buf *heard)
{
	struct buf same = {0};
	for (struct slice rest = buf_slice(heard); rest.len > 0;) {
		struct slice line = slice_cut(&rest, '\n');
		if (slice_has_prefix(line, SLICE("55")))
			line = SLICE("refused");
		if (slice_has_prefix(line, SLICE("250 2.0.0 Ok ")))
			line = SLICE("filed");
		buf_add_slice(&same, line);
		buf_add_char(&same, '\n');
	}
	buf_free(heard);
	*heard = same;
}

static void forget_filed(void)
{
	for (size_t i = 0; i < filed_count; i++)
		buf_free(&filed[i].octets);
	filed_count = logins = 0;
}

static struct buf serve(struct slice text, struct slice cuts)
{
	struct fuzz_session session = {.serve = smtpd_serve, .answer = answer};
	session.visitor =
		(struct visitor){.peer = "192.0.2.1", .service = SERVICE, .config = &config};
	fuzz_serve(&session, text, cuts);
	walk_session(text, buf_slice(&session.heard));
	hide_chance(&session.heard);
	forget_filed();
	return session.heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size);
	unsigned flags = fuzz_octet(&in);
	struct slice cuts = fuzz_take(&in, 3), text = fuzz_take(&in, SAID_MOST);
	config = (struct config){.hostname = "mail.kantor.example",
		.max_recipients = 20,
		.max_message = flags & 2 ? SMALL : 0};
	lmtp = flags & 1;
	submission = (flags & 5) == 4;
	struct buf cut = serve(text, cuts), whole = serve(text, SLICE(""));
	/* Half of a TLS hello is one only while nothing comes behind it. */
	if (!memchr(data, '\x16', size))
		assert(slice_equal(buf_slice(&cut), buf_slice(&whole)));
	buf_free(&cut);
	buf_free(&whole);
	return 0;
}
