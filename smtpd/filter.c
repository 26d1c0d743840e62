/* Asking the milters. A member that fails, by silence, an end or nonsense, is gone for the
 * rest of the session, which cannot connect again: [filter] on_failure says whether its
 * mail is then put off or taken without it. */
#include "smtpd/filter.h"
#include "base/log.h"
#include "base/text.h"
#include "smtpd/filter_talk.h"
#include "smtpd/session.h"
#include <string.h>
#include <unistd.h>

#define OPEN_MS   10000
#define ANSWER_MS 30000
#define END_MS    (5 * 60 * 1000) /* all of them together: the client waits for ten */

#define FIELDS_MOST (4 * BODY_PIECE) /* octets that milters may write to get a header right */

/* ---- verdicts ---- */

/* Frees what it said. */
static void log_verdict(const struct session *session, const struct filter_member *member,
	const char *verdict, struct filter_said *said)
{
	struct log_value values[8] = {log_text("id", session->queue_id),
		log_slice("milter", member->name), log_text("verdict", verdict),
		log_text("sender", session->sender), log_text("from", session->visitor->peer)};
	size_t count = 5;
	if (said->code > 0) {
		values[count++] = log_number("reply", said->code);
		values[count++] = log_text("status", said->status);
	}
	if (said->sentence.len > 0)
		values[count++] = log_reason(buf_text(&said->sentence));
	log_values(LOG_INFO, "filtered", values, count);
	buf_free(&said->sentence);
}

struct slice filter_words(const struct session *session, enum reply reply)
{
	return reply == REPLY_FILTER_REFUSES || reply == REPLY_FILTER_DEFERS
		       ? buf_slice(&session->filter.words)
		       : SLICE("");
}

/* What it has failed in is told once a minute, by whichever session sees it first. */
static enum reply fail(struct session *session, struct filter_member *member, const struct err *e)
{
	/* A body that it has begun to replace is not what it was any more. */
	bool accept =
		session->visitor->config->on_failure == FILTER_ACCEPT && !session->filter.replaced;
	int64_t own = 0, *told = session->visitor->filter_told_ms;
	member->down = true;
	if (log_is_due(told ? told : &own))
		log_event(LOG_ERROR, "filter-failed", log_slice("milter", member->name),
			log_sentence("mail", accept ? "taken without it" : "put off"),
			log_reason(e->text));
	return accept ? REPLY_NONE : REPLY_FILTER_DOWN;
}

static enum reply reply_of(struct session *session, const struct filter_member *member,
	enum milter_verdict verdict, const struct buf *words)
{
	struct filter *filter = &session->filter;
	struct filter_said said = {0};
	switch (verdict) {
	case MILTER_REJECT:
	case MILTER_TEMPFAIL:
		buf_clear(&filter->words);
		filter_read_words(&filter->words, buf_slice(words));
		filter_understand(&said, buf_slice(&filter->words));
		log_verdict(
			session, member, verdict == MILTER_REJECT ? "refused" : "put-off", &said);
		return verdict == MILTER_REJECT ? REPLY_FILTER_REFUSES : REPLY_FILTER_DEFERS;
	case MILTER_DISCARD:
		log_verdict(session, member, "discarded", &said);
		filter->discarded = true;
		return REPLY_FILED;
	case MILTER_CONTINUE:
	case MILTER_ACCEPT:
	case MILTER_SKIP:
		break;
	}
	return REPLY_NONE;
}

/* ---- one question to one member ---- */

struct change_to {
	struct session *session;
	struct filter_member *member;
	struct fields fields; /* as it wants them */
	bool junk;
	struct buf why; /* it is junk, in its words */
};

static int change(void *arg, const struct milter_says *says, struct err *e)
{
	struct change_to *to = arg;
	struct filter *filter = &to->session->filter;
	bool blanks = milter_wants_blanks(&to->member->milter), done = true;
	bool first = !filter->replaced;
	switch (says->change) {
	case MILTER_ADD_HEADER:
		done = fields_insert(&to->fields, INT32_MAX, says->name, says->value, blanks);
		break;
	case MILTER_INSERT_HEADER:
		done = fields_insert(&to->fields, says->index, says->name, says->value, blanks);
		break;
	case MILTER_CHANGE_HEADER:
		done = fields_change(&to->fields, says->index, says->name, says->value, blanks);
		break;
	case MILTER_QUARANTINE:
		to->junk = true;
		buf_clear(&to->why);
		buf_add_slice(&to->why, says->value);
		break;
	case MILTER_REPLACE_BODY:
		filter->replaced = true; /* whatever comes of it: the old one is gone */
		if (data_replace_body(to->session, says->value, first, e) < 0)
			return -1;
		break;
	}
	if (!done)
		return err_set(e, ERR_GONE, "it names a header field by what is no name");
	size_t header = fields_length(&to->fields) + filter->rest.len;
	if (to->fields.octets.len > FIELDS_MOST || header > BODY_PIECE)
		return err_set(e, ERR_GONE, "it makes a header that is too big");
	return data_check_size(to->session, header, e);
}

/* The message's last word of this member, and what it wants changed. */
static enum reply ask_for_all(struct session *session, struct filter_member *member,
	int64_t deadline, enum milter_verdict *verdict)
{
	struct filter *filter = &session->filter;
	struct change_to to = {.session = session, .member = member};
	struct buf words = {0};
	struct err e;
	fields_copy(&to.fields, &filter->fields);
	int done = milter_ask(
		&member->milter, MILTER_END, SLICE(""), deadline, verdict, &words, change, &to, &e);
	enum reply reply =
		done < 0 ? fail(session, member, &e) : reply_of(session, member, *verdict, &words);
	if (done == 0 && reply == REPLY_NONE) {
		if (filter->replaced)
			data_end_replaced(session);
		filter->replaced = false;
		fields_free(&filter->fields);
		filter->fields = to.fields;
		filter->junk |= to.junk;
		if (to.junk) {
			struct filter_said said = {.sentence = to.why};
			to.why = (struct buf){0};
			log_verdict(session, member, "quarantined", &said);
		}
	} else {
		fields_free(&to.fields);
	}
	buf_free(&to.why);
	buf_free(&words);
	return reply;
}

static enum reply ask(struct session *session, struct filter_member *member,
	enum milter_command command, struct slice body, enum milter_verdict *verdict)
{
	struct buf words = {0};
	struct err e;
	int done = milter_ask(&member->milter, command, body, text_monotonic_ms() + ANSWER_MS,
		verdict, &words, NULL, NULL, &e);
	enum reply reply =
		done < 0 ? fail(session, member, &e) : reply_of(session, member, *verdict, &words);
	buf_free(&words);
	return reply;
}

/* A question about the message: an answer that is the last ends its part in it. */
static enum reply ask_of_message(struct session *session, struct filter_member *member,
	enum milter_command command, struct slice body)
{
	enum milter_verdict verdict;
	enum reply reply = ask(session, member, command, body, &verdict);
	bool of_recipient =
		command == MILTER_RCPT && (verdict == MILTER_REJECT || verdict == MILTER_TEMPFAIL);
	if (verdict == MILTER_ACCEPT || (reply != REPLY_NONE && !of_recipient)) {
		member->in_message = false;
		member->done = true;
	}
	if (verdict == MILTER_SKIP && command == MILTER_BODY)
		member->skip = true;
	return reply;
}

/* ---- the connection ---- */

void filter_begin(struct session *session)
{
	struct filter *filter = &session->filter;
	filter->count = session->visitor->filter_count;
	for (size_t i = 0; i < filter->count; i++) {
		config_word(session->visitor->config->milter, i, &filter->members[i].name);
		filter->members[i].milter.fd = -1;
	}
}

void filter_hello(struct session *session)
{
	for (size_t i = 0; i < session->filter.count; i++) {
		struct filter_member *member = &session->filter.members[i];
		member->told_hello = false;
		if (member->refuses_hello)
			member->standing = REPLY_NONE;
	}
}

static enum reply open_member(struct session *session, struct filter_member *member)
{
	struct visitor_filter *given = &session->visitor->filters[member - session->filter.members];
	struct err e;
	member->begun = true;
	int fd = given->fd;
	given->fd = -1;
	int done = fd < 0 ? err_set(&e, ERR_GONE, "%s", strerror(given->why))
			  : milter_open(&member->milter, fd, text_monotonic_ms() + OPEN_MS, &e);
	return done < 0 ? fail(session, member, &e) : REPLY_NONE;
}

/* CONNECT or HELO. What it refuses is each message to come. */
static enum reply introduce(
	struct session *session, struct filter_member *member, enum milter_command command)
{
	enum milter_verdict verdict;
	struct buf macros = {0}, body = {0};
	if (command == MILTER_CONNECT)
		filter_put_connection(session, &macros, &body);
	else
		filter_put_hello(session, &macros, &body);
	milter_tell(&member->milter, command, buf_slice(&macros));
	enum reply reply = ask(session, member, command, buf_slice(&body), &verdict);
	if (verdict == MILTER_ACCEPT)
		member->passes = true;
	else if (reply != REPLY_NONE && !member->down) {
		member->standing = reply;
		member->refuses_hello = command == MILTER_HELO;
		buf_clear(&member->words);
		buf_add_slice(&member->words, filter_words(session, reply));
	}
	buf_free(&macros);
	buf_free(&body);
	return reply;
}

/* Makes it ready for MAIL. */
static enum reply greet(struct session *session, struct filter_member *member)
{
	enum reply reply = REPLY_NONE;
	if (!member->begun)
		reply = open_member(session, member);
	if (reply == REPLY_NONE && !member->down && !member->told_connection) {
		member->told_connection = true;
		reply = introduce(session, member, MILTER_CONNECT);
	}
	if (reply == REPLY_NONE && !member->down && !member->passes && !member->told_hello) {
		member->told_hello = true;
		reply = introduce(session, member, MILTER_HELO);
	}
	return reply;
}

void filter_end(struct session *session)
{
	struct filter *filter = &session->filter;
	for (size_t i = 0; i < filter->count; i++) {
		milter_close(&filter->members[i].milter);
		buf_free(&filter->members[i].words);
		if (session->visitor->filters[i].fd >= 0)
			close(session->visitor->filters[i].fd);
	}
	buf_free(&filter->words);
	fields_free(&filter->fields);
	buf_free(&filter->rest);
}

/* ---- the envelope ---- */

/* REPLY_NONE: it can be asked, or is to be left out; *out says which. */
static enum reply see(struct session *session, const struct filter_member *member, bool *out)
{
	*out = true;
	if (member->down)
		return session->visitor->config->on_failure == FILTER_ACCEPT ? REPLY_NONE
									     : REPLY_FILTER_DOWN;
	*out = !member->in_message || member->done;
	return REPLY_NONE;
}

static enum reply ask_all(struct session *session, enum milter_command command,
	const struct buf *macros, struct slice body)
{
	struct filter *filter = &session->filter;
	enum reply reply = filter->discarded ? REPLY_FILED : REPLY_NONE;
	for (size_t i = 0; i < filter->count && reply == REPLY_NONE; i++) {
		struct filter_member *member = &filter->members[i];
		bool out;
		reply = see(session, member, &out);
		if (out)
			continue;
		milter_tell(&member->milter, command, buf_slice(macros));
		reply = ask_of_message(session, member, command, body);
	}
	return reply;
}

static enum reply begin_message(struct session *session, struct filter_member *member,
	const struct buf *macros, struct slice body)
{
	struct filter *filter = &session->filter;
	filter->discarded |= member->standing == REPLY_FILED;
	if (member->standing != REPLY_NONE) {
		buf_clear(&filter->words);
		buf_add_slice(&filter->words, buf_slice(&member->words));
		return member->standing;
	}
	enum reply reply = member->down ? REPLY_NONE : greet(session, member);
	if (reply != REPLY_NONE || member->passes || member->down) {
		bool out;
		return reply == REPLY_NONE ? see(session, member, &out) : reply;
	}
	member->in_message = true;
	milter_tell(&member->milter, MILTER_MAIL, buf_slice(macros));
	return ask_of_message(session, member, MILTER_MAIL, body);
}

enum reply filter_mail(struct session *session)
{
	struct filter *filter = &session->filter;
	struct buf macros = {0}, body = {0};
	enum reply reply = REPLY_NONE;
	if (filter->count == 0)
		return REPLY_NONE;
	deliver_make_queue_id(session->queue_id);
	filter_put_sender(session, &macros, &body);
	for (size_t i = 0; i < filter->count && reply == REPLY_NONE; i++)
		reply = begin_message(session, &filter->members[i], &macros, buf_slice(&body));
	buf_free(&macros);
	buf_free(&body);
	if (reply != REPLY_NONE && reply != REPLY_FILED)
		filter_forget(session);
	return reply == REPLY_FILED ? REPLY_NONE : reply;
}

enum reply filter_recipient(struct session *session, struct slice address)
{
	struct buf macros = {0}, body = {0};
	if (session->filter.count == 0)
		return REPLY_NONE;
	filter_put_recipient(session, address, &macros, &body);
	enum reply reply = ask_all(session, MILTER_RCPT, &macros, buf_slice(&body));
	buf_free(&macros);
	buf_free(&body);
	return reply == REPLY_FILED ? REPLY_NONE : reply;
}

enum reply filter_data(struct session *session)
{
	struct buf macros = {0};
	if (session->filter.count == 0)
		return REPLY_NONE;
	filter_put_id(session, &macros);
	enum reply reply = ask_all(session, MILTER_DATA, &macros, SLICE(""));
	buf_free(&macros);
	return reply;
}

/* ---- the message ---- */

/* The first that hears it, from `from` on; NULL: none. */
static struct filter_member *listener(const struct session *session, size_t from)
{
	const struct filter *filter = &session->filter;
	for (size_t i = from; i < filter->count; i++) {
		const struct filter_member *member = &filter->members[i];
		if (member->in_message && !member->done && !member->down)
			return (struct filter_member *)member;
	}
	return NULL;
}

bool filter_hears(const struct session *session)
{
	return session->filter.count > 0 && listener(session, 0);
}

static bool is_listening(const struct filter_member *member)
{
	return !member->done && !member->down;
}

static enum reply send_body(
	struct session *session, struct filter_member *member, struct slice octets)
{
	enum reply reply = REPLY_NONE;
	while (octets.len > 0 && reply == REPLY_NONE && is_listening(member) && !member->skip) {
		size_t len = octets.len < MILTER_CHUNK ? octets.len : MILTER_CHUNK;
		reply = ask_of_message(
			session, member, MILTER_BODY, (struct slice){octets.at, len});
		octets = slice_from(octets, len);
	}
	return reply;
}

static enum reply send_header(struct session *session, struct filter_member *member)
{
	struct filter *filter = &session->filter;
	struct buf macros = {0}, pair = {0};
	enum reply reply = REPLY_NONE;
	for (size_t i = 0; i < filter->fields.count && reply == REPLY_NONE && is_listening(member);
		i++) {
		buf_clear(&pair);
		fields_add_pair(&filter->fields, i, milter_wants_blanks(&member->milter), &pair);
		reply = ask_of_message(session, member, MILTER_HEADER, buf_slice(&pair));
	}
	if (reply == REPLY_NONE && is_listening(member)) {
		filter_put_id(session, &macros);
		milter_tell(&member->milter, MILTER_END_OF_HEADER, buf_slice(&macros));
		reply = ask_of_message(session, member, MILTER_END_OF_HEADER, SLICE(""));
	}
	/* What is no field is body, to a milter as to many who read mail. */
	if (reply == REPLY_NONE && !slice_equal(buf_slice(&filter->rest), SLICE("\r\n")))
		reply = send_body(session, member, buf_slice(&filter->rest));
	buf_free(&macros);
	buf_free(&pair);
	return reply;
}

enum reply filter_header(struct session *session, struct slice header)
{
	struct filter *filter = &session->filter;
	fields_free(&filter->fields);
	buf_clear(&filter->rest);
	size_t length = fields_read(&filter->fields, header);
	buf_add_slice(&filter->rest, slice_from(header, length));
	struct filter_member *first = listener(session, 0);
	filter->hearer = first;
	return first ? send_header(session, first) : REPLY_NONE;
}

enum reply filter_body(struct session *session, struct slice octets)
{
	struct filter_member *hearer = session->filter.hearer;
	return hearer ? send_body(session, hearer, octets) : REPLY_NONE;
}

/* The body once more, for one who has not heard it: what the writer has of it, and what
 * is still here. */
static enum reply send_all(struct session *session, struct filter_member *member)
{
	struct message *message = &session->message;
	enum reply reply = send_header(session, member);
	for (uint64_t at = 0;
		at < message->sent && reply == REPLY_NONE && is_listening(member) && !member->skip;
		at += BODY_PIECE) {
		struct slice piece;
		struct err e;
		if (request_piece_back(&session->visitor->writer, at / BODY_PIECE, &piece, &e) < 0)
			return data_lost(session, &e);
		reply = send_body(session, member, piece);
	}
	return reply != REPLY_NONE ? reply
				   : send_body(session, member, buf_slice(&message->octets));
}

static enum reply finish_with(
	struct session *session, struct filter_member *member, int64_t deadline)
{
	enum milter_verdict verdict;
	struct buf macros = {0};
	filter_put_id(session, &macros);
	milter_tell(&member->milter, MILTER_END, buf_slice(&macros));
	buf_free(&macros);
	enum reply reply = ask_for_all(session, member, deadline, &verdict);
	member->in_message = false;
	member->done = true;
	return reply;
}

static bool leaves(const struct session *session)
{
	bool outside = false;
	for (size_t i = 0; i < session->recipient_count; i++) {
		struct slice domain = session->recipients[i].address;
		slice_cut(&domain, '@');
		outside |= !config_has_domain(session->visitor->config, domain);
	}
	return outside;
}

enum reply filter_message(struct session *session)
{
	struct filter *filter = &session->filter;
	struct slice junk = slice_of(session->visitor->config->junk_header);
	int64_t deadline = text_monotonic_ms() + END_MS;
	enum reply reply = REPLY_NONE;
	for (size_t i = 0; i < filter->count && reply == REPLY_NONE; i++) {
		struct filter_member *member = &filter->members[i];
		bool out;
		reply = see(session, member, &out);
		if (reply == REPLY_NONE && !out && member != filter->hearer)
			reply = send_all(session, member);
		if (reply == REPLY_NONE && !out && is_listening(member))
			reply = finish_with(session, member, deadline);
	}
	if (reply != REPLY_NONE)
		return reply;
	filter->junk |= fields_have_ours(&filter->fields, junk);
	/* What the office's own filter takes for junk does not leave in the office's name. */
	if (filter->junk && session_is_submission(session) && leaves(session)) {
		log_event(LOG_NOTICE, "junk-not-sent", log_text("id", session->queue_id),
			log_text("sender", session->sender),
			log_text("from", session->visitor->peer));
		return REPLY_OUR_JUNK;
	}
	return REPLY_NONE;
}

void filter_forget(struct session *session)
{
	struct filter *filter = &session->filter;
	for (size_t i = 0; i < filter->count; i++) {
		struct filter_member *member = &filter->members[i];
		if (member->in_message)
			milter_say(&member->milter, MILTER_ABORT);
		member->in_message = member->done = member->skip = false;
	}
	filter->hearer = NULL;
	filter->discarded = filter->junk = filter->replaced = false;
	fields_free(&filter->fields);
	buf_free(&filter->rest);
}
