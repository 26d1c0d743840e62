/* The octets of a message. They pass through one buffer that never holds much
 * more than a piece: what is full goes to the writer while the rest still
 * comes. Once a message is refused (`verdict`), what is left of it is read to
 * its end and thrown away, so that both sides stay in step, and its end is
 * answered with the verdict. */
#include "smtpd/data.h"
#include "base/digest.h"
#include "base/header.h"
#include "base/log.h"
#include "base/text.h"
#include "smtpd/mend.h"
#include "smtpd/session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A message may take ten minutes, one in a crowd, and as much longer as it comes
 * at this speed: an octet a minute must not hold a session for ever. What is
 * thrown away has those minutes alone. */
#define MESSAGE_MS         (10 * 60 * 1000)
#define CROWDED_MESSAGE_MS (60 * 1000)
#define OCTETS_PER_MS      2

/* ---- a message under way ---- */

static void begin(struct session *session, bool dotted)
{
	struct message *message = &session->message;
	message->started = true;
	message->begun = text_monotonic_ms();
	dot_read_start(&message->reader, dotted);
	trace_scan_start(&message->scan, session->visitor->config->hostname);
}

void data_forget(struct session *session)
{
	if (session->message.sent > 0)
		request_forget(&session->visitor->writer);
	buf_free(&session->message.octets);
	session->message = (struct message){0};
}

/* The first reason stands. */
static void refuse(struct session *session, enum reply verdict)
{
	struct message *message = &session->message;
	if (message->verdict != REPLY_NONE)
		return;
	message->verdict = verdict;
	message->begun = text_monotonic_ms();
	if (message->sent > 0)
		request_forget(&session->visitor->writer);
	message->sent = 0;
	buf_free(&message->octets);
}

static void refuse_for(struct session *session, const struct err *e)
{
	log_failure(LOG_WARNING, "message-not-filed", e);
	session->message.sent = 0; /* the writer has let go of it */
	refuse(session, reply_to_error(e->kind));
}

static void send_pieces(struct session *session)
{
	struct message *message = &session->message;
	struct err e;
	/* A last piece that is just full travels with the envelope. */
	while (message->octets.len > BODY_PIECE) {
		struct slice piece = {message->octets.at, BODY_PIECE};
		struct channel *writer = &session->visitor->writer;
		if ((message->parted ? request_piece_behind(writer, piece, &e)
				     : request_piece(writer, piece, &e)) < 0) {
			refuse_for(session, &e);
			return;
		}
		message->sent += BODY_PIECE;
		buf_drop(&message->octets, BODY_PIECE);
	}
}

/* Are all authors the user? The writer asks the same once more. */
static enum reply judge_authors(struct session *session, struct slice header)
{
	struct buf authors = {0};
	struct err e = {.kind = ERR_NONE};
	bool readable = header_authors(header, &authors);
	int done = 0;
	for (struct slice rest = buf_slice(&authors); readable && done == 0 && rest.len > 0;)
		done = request_may_send(&session->visitor->directory, slice_cut(&rest, '\n'), &e);
	buf_free(&authors);
	if (!readable)
		return REPLY_BAD_FROM;
	if (done == 0)
		return REPLY_NONE;
	if (e.kind != ERR_DENIED)
		return reply_to_error(e.kind);
	return session_is_logged_in(session) ? REPLY_NOT_YOUR_FROM : REPLY_NOT_OUR_FROM;
}

/* ---- what milters hear ---- */

#define HEADER_MOST   (BODY_PIECE - MENDED_MOST) /* octets of one that is held back */
#define LINE_END_MOST 3                          /* octets that a body's end may add */

/* Asking has taken time that is not the client's. */
static void heed(struct session *session, enum reply reply, int64_t asked)
{
	session->message.begun += text_monotonic_ms() - asked;
	if (reply != REPLY_NONE)
		refuse(session, reply);
}

/* The header is held back until milters have had their say, and goes to the writer last:
 * its place is in front of the pieces that are there by then. */
static void part(struct session *session)
{
	struct message *message = &session->message;
	struct slice octets = buf_slice(&message->octets);
	int64_t asked = text_monotonic_ms();
	size_t length = message->scan.header_ended ? mend_header_length(octets) : 0;
	if ((length > 0 ? length : octets.len) > HEADER_MOST)
		refuse(session, REPLY_HEADER_TOO_BIG);
	if (length == 0 || message->verdict != REPLY_NONE)
		return;
	enum reply reply = filter_header(session, (struct slice){octets.at, length});
	message->parted = true;
	buf_drop(&message->octets, length);
	heed(session, reply, asked);
}

/* What has come of the body since, in as few packets as can be. */
static void let_hear(struct session *session, bool all)
{
	struct message *message = &session->message;
	size_t left = message->octets.len - message->heard;
	int64_t asked = text_monotonic_ms();
	if (!all)
		left -= left % MILTER_CHUNK;
	if (left == 0 || message->verdict != REPLY_NONE)
		return;
	enum reply reply =
		filter_body(session, (struct slice){message->octets.at + message->heard, left});
	message->heard += left;
	heed(session, reply, asked);
}

int data_check_size(const struct session *session, size_t header, struct err *e)
{
	const struct message *message = &session->message;
	uint64_t most = session->visitor->config->max_message;
	/* A line end may have to be added. */
	uint64_t size = header + message->sent + message->octets.len + LINE_END_MOST;
	if (most == 0 || size <= most + BODY_PIECE)
		return 0;
	return err_set(e, ERR_GONE,
		"it makes a message that is too big: more than [smtpd] max_message and 256 kB");
}

int data_replace_body(struct session *session, struct slice octets, bool first, struct err *e)
{
	struct message *message = &session->message;
	if (first) {
		if (message->sent > 0)
			request_forget(&session->visitor->writer);
		message->sent = 0;
		buf_clear(&message->octets);
		dot_read_start(&message->reader, false);
	}
	dot_read(&message->reader, octets, &message->octets);
	if (data_check_size(session, 0, e) < 0)
		return -1;
	send_pieces(session);
	if (message->verdict != REPLY_NONE || message->reader.has_nul)
		return err_set(e, ERR_GONE, "its new body cannot be kept");
	return 0;
}

void data_end_replaced(struct session *session)
{
	dot_read_finish(&session->message.reader, &session->message.octets);
	send_pieces(session);
}

enum reply data_lost(struct session *session, const struct err *e)
{
	refuse_for(session, e);
	return session->message.verdict;
}

/* To milters, where there are some, and to the writer. */
static void pass_on(struct session *session)
{
	struct message *message = &session->message;
	if (!message->parted && filter_hears(session)) {
		part(session);
		if (!message->parted)
			return;
	}
	if (message->parted)
		let_hear(session, message->octets.len > BODY_PIECE);
	size_t before = message->octets.len;
	if (message->verdict == REPLY_NONE)
		send_pieces(session);
	if (message->parted && message->verdict == REPLY_NONE)
		message->heard -= before - message->octets.len;
}

/* The milters' word, and the header as it is then. */
static void hear_milters(struct session *session)
{
	struct message *message = &session->message;
	struct buf head = {0};
	struct err e;
	if (message->verdict == REPLY_NONE && message->parted)
		let_hear(session, true);
	int64_t asked = text_monotonic_ms();
	if (message->verdict == REPLY_NONE)
		heed(session, filter_message(session), asked);
	if (message->verdict != REPLY_NONE || !message->parted)
		return;
	fields_add_text(&session->filter.fields, &head);
	buf_add_slice(&head, buf_slice(&session->filter.rest));
	asked = text_monotonic_ms();
	if (session->filter.fields.changed && session_is_submission(session))
		heed(session, judge_authors(session, buf_slice(&head)), asked);
	if (message->verdict == REPLY_NONE && message->sent == 0 &&
		head.len + message->octets.len <= BODY_PIECE) {
		buf_add_slice(&head, buf_slice(&message->octets));
		buf_free(&message->octets);
		message->octets = head;
		return;
	}
	if (message->verdict == REPLY_NONE) {
		if (request_head(&session->visitor->writer, buf_slice(&head), &e) < 0)
			refuse_for(session, &e);
		else
			message->sent += head.len;
	}
	buf_free(&head);
}

/* ---- what staff send ---- */

/* Nothing of a user's message goes to the writer before its header is whole; and
 * mended, it is not longer than the first piece, in which the writer looks at it. */
static void mend(struct session *session)
{
	struct message *message = &session->message;
	bool whole = message->scan.header_ended;
	size_t length = whole ? mend_header_length(buf_slice(&message->octets)) : 0;
	if ((whole ? length : message->octets.len) > BODY_PIECE - MENDED_MOST)
		refuse(session, REPLY_HEADER_TOO_BIG);
	if (!whole || message->verdict != REPLY_NONE)
		return;
	struct slice domain = session_default_domain(session);
	if (domain.len > 0)
		length = mend_authors(&message->octets, length, domain);
	enum reply refusal = judge_authors(session, (struct slice){message->octets.at, length});
	if (refusal != REPLY_NONE) {
		refuse(session, refusal);
		return;
	}
	mend_header(&message->octets, length, session->visitor->config->hostname, time(NULL));
	message->mended = true;
	pass_on(session);
}

/* ---- what anybody sends ---- */

/* Looks at what came into the buffer behind `from`. */
static void judge(struct session *session, size_t from)
{
	struct message *message = &session->message;
	uint64_t most = session->visitor->config->max_message;
	message->size += message->octets.len - from;
	trace_scan(&message->scan, slice_from(buf_slice(&message->octets), from));
	if (message->reader.has_nul)
		refuse(session, REPLY_HAS_NUL);
	else if (most > 0 && message->size > most)
		refuse(session, REPLY_TOO_BIG);
	else if (trace_scan_is_loop(&message->scan))
		refuse(session, REPLY_MAIL_LOOP);
	else if (session_is_submission(session) && !message->mended)
		mend(session);
	else
		pass_on(session);
}

/* Returns how many octets were the message's. */
static size_t take(struct session *session, struct slice wire)
{
	struct message *message = &session->message;
	bool wanted = message->verdict == REPLY_NONE;
	size_t from = message->octets.len;
	size_t taken = dot_read(&message->reader, wire, wanted ? &message->octets : NULL);
	message->received += taken;
	if (wanted)
		judge(session, from);
	return taken;
}

/* What has come of the message; empty when no more will, or none is of use. */
static struct slice next_octets(struct session *session)
{
	const struct message *message = &session->message;
	if (message->verdict == REPLY_ROLE_GONE)
		return SLICE("");
	int64_t deadline =
		message->begun + (session->visitor->crowded ? CROWDED_MESSAGE_MS : MESSAGE_MS);
	if (message->verdict == REPLY_NONE)
		deadline += (int64_t)(message->received / OCTETS_PER_MS);
	conn_set_deadline(&session->visitor->conn, deadline);
	struct slice octets = conn_peek(&session->visitor->conn);
	/* A client that never stops sending is never waited for. */
	return text_monotonic_ms() < deadline ? octets : SLICE("");
}

/* All of them, for the log: "ani@kantor.example,budi@kantor.example". */
static void add_recipients(const struct session *session, struct buf *list)
{
	for (size_t i = 0; i < session->recipient_count; i++) {
		buf_add_text(list, i > 0 ? "," : "");
		buf_add_slice(list, session->recipients[i].address);
	}
}

static void log_refusal(const struct session *session, enum reply reply)
{
	struct buf recipients = {0};
	add_recipients(session, &recipients);
	reply_log(session, LOG_NOTICE, "message-refused", buf_slice(&recipients), reply);
	buf_free(&recipients);
}

/* The message will not come to its end, nor will the session go on. */
static int give_up(struct session *session)
{
	const struct visitor *visitor = session->visitor;
	const struct conn *conn = &visitor->conn;
	struct buf recipients = {0};
	add_recipients(session, &recipients);
	log_event(LOG_NOTICE, "message-cut-off", log_text("service", visitor->service),
		log_text("sender", session->sender), log_slice("to", buf_slice(&recipients)),
		log_number("octets", (int64_t)session->message.received),
		log_text("from", visitor->peer));
	buf_free(&recipients);
	if (session->message.verdict == REPLY_ROLE_GONE)
		reply_say(session, REPLY_ROLE_GONE, NULL);
	else if (conn->input == CONN_OPEN || conn->input == CONN_TIMEOUT)
		reply_say(session, REPLY_TIMEOUT, NULL);
	return DIALOG_END;
}

/* ---- its end ---- */

static const char *protocol(const struct session *session)
{
	bool tls = session->dialog.has & DIALOG_TLS;
	if (session_is_lmtp(session))
		return tls ? "LMTPS" : "LMTP";
	if (session_is_logged_in(session))
		return tls ? "ESMTPSA" : "ESMTPA";
	if (tls)
		return "ESMTPS";
	return session->extended ? "ESMTP" : "SMTP";
}

/* Hands the message to the writer. Fills results; -1: to no avail, the verdict
 * says why. */
static int file(struct session *session, const char *queue_id, enum err_kind *results)
{
	struct visitor *visitor = session->visitor;
	struct message *message = &session->message;
	struct buf received = {0};
	struct err e;
	bool alone = session->recipient_count == 1;
	bool own = session_is_submission(session);
	const struct trace trace = {
		.client = buf_slice(&session->client),
		.peer = own ? NULL : visitor->peer,
		.hostname = visitor->config->hostname,
		.protocol = protocol(session),
		.suite = visitor->conn.tls ? tls_suite(visitor->conn.tls) : NULL,
		.queue_id = queue_id,
		.recipient = alone ? session->recipients[0].address : SLICE(""),
		.when = time(NULL),
	};
	trace_add_received(&received, &trace);
	struct delivery delivery = {
		.sender = slice_of(session->sender),
		.recipients = session->recipients,
		.recipient_count = session->recipient_count,
		.envid = buf_slice(&session->envid),
		.ret = session->ret,
		.received = buf_slice(&received),
		.junk = session->filter.junk,
	};
	memcpy(delivery.queue_id, queue_id, sizeof(delivery.queue_id));
	snprintf(delivery.peer, sizeof(delivery.peer), "%s", visitor->peer);
	const struct ticket *ticket = session_is_logged_in(session) ? &session->login.ticket : NULL;
	int done = request_deliver(
		&visitor->writer, ticket, &delivery, buf_slice(&message->octets), results, &e);
	buf_free(&received);
	message->sent = 0; /* filed or not, the pieces are no longer ours */
	if (done < 0)
		refuse_for(session, &e);
	return done;
}

/* One answer for all, as SMTP wants it. Where some have it and others do not,
 * the client is asked to send it again: twice is better than never. So it is
 * where only some are refused for good. */
static enum reply sum_up(const enum err_kind *results, size_t count, size_t filed)
{
	if (filed > 0 && filed < count)
		return REPLY_TRY_LATER;
	for (size_t i = 0; i < count; i++)
		if (!reply_is_final(reply_to_error(results[i])))
			return reply_to_error(results[i]);
	return reply_to_error(results[0]);
}

static void log_end(const struct session *session, const char *queue_id, enum reply reply,
	size_t filed, uint64_t size)
{
	const struct visitor *visitor = session->visitor;
	if (filed > 0)
		log_event(LOG_INFO, "message", log_text("id", queue_id),
			log_text("service", visitor->service), log_text("sender", session->sender),
			log_number("size", (int64_t)size), log_number("recipients", (int64_t)filed),
			log_text("from", visitor->peer));
	if (reply != REPLY_FILED)
		log_refusal(session, reply);
}

static int finish(struct session *session)
{
	struct message *message = &session->message;
	size_t count = session->recipient_count, filed = 0;
	bool lmtp = session_is_lmtp(session);
	char queue_id[QUEUE_ID_LENGTH + 1];
	if (session->queue_id[0] == '\0')
		deliver_make_queue_id(session->queue_id);
	memcpy(queue_id, session->queue_id, sizeof(queue_id));
	enum err_kind *results = must_alloc(count * sizeof(*results));
	if (message->verdict == REPLY_NONE && !message->scan.header_ended) {
		size_t from = message->octets.len;
		buf_add_text(&message->octets, "\r\n");
		judge(session, from);
	}
	if (message->verdict == REPLY_NONE && session->filter.count > 0)
		hear_milters(session);
	uint64_t size = message->sent + message->octets.len;
	if (message->verdict == REPLY_NONE && file(session, queue_id, results) == 0)
		session_renew_patience(session);

	enum reply verdict = message->verdict;
	for (size_t i = 0; verdict == REPLY_NONE && i < count; i++)
		filed += results[i] == ERR_NONE;
	enum reply sum = verdict != REPLY_NONE ? verdict : sum_up(results, count, filed);
	for (size_t i = 0; i < (lmtp ? count : 1); i++) {
		bool own = lmtp && verdict == REPLY_NONE;
		enum reply reply = own ? reply_to_error(results[i]) : sum;
		reply_say(session, reply, reply == REPLY_FILED ? queue_id : NULL);
	}
	/* The client does not wait for the log. */
	if (conn_buffered(&session->visitor->conn) == 0)
		conn_flush(&session->visitor->conn);
	log_end(session, queue_id, sum, filed, size);
	free(results);
	session_forget_mail(session);
	return verdict == REPLY_ROLE_GONE ? DIALOG_END : SESSION_READY;
}

/* ---- DATA ---- */

int data_run(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct message *message = &session->message;
	(void)argument;
	enum reply reply = filter_data(session);
	if (reply != REPLY_NONE && reply != REPLY_FILED) {
		reply_say(session, reply, NULL);
		log_refusal(session, reply);
		session_forget_mail(session);
		return SESSION_READY;
	}
	reply_say(session, REPLY_SEND_MESSAGE, NULL);
	begin(session, true);
	if (reply != REPLY_NONE)
		refuse(session, reply);
	while (!message->reader.ended) {
		struct slice octets = next_octets(session);
		if (octets.len == 0)
			return give_up(session);
		conn_consume(&session->visitor->conn, take(session, octets));
	}
	return finish(session);
}

/* ---- BDAT ---- */

struct chunk {
	uint64_t len;
	bool last;
	enum reply fault; /* for which it is refused, once its octets have come */
};

/* "1000", "1000 LAST"; false: no length. */
static bool read_chunk_head(
	const struct session *session, struct slice argument, struct chunk *chunk)
{
	uint64_t most = session->visitor->config->max_message;
	uint64_t held = session->message.size;
	int state = session->dialog.state;
	struct slice rest = slice_trim(argument);
	struct slice number = slice_cut(&rest, ' ');
	*chunk = (struct chunk){0};
	if (!text_to_number(number, 20, &chunk->len))
		return false;
	rest = slice_trim(rest);
	chunk->last = slice_equal_nocase(rest, SLICE("LAST"));
	if (state == SESSION_NEW)
		chunk->fault = REPLY_HELLO_FIRST;
	else if (state != SESSION_RECIPIENTS && state != SESSION_CHUNKS)
		chunk->fault = REPLY_BAD_SEQUENCE;
	else if (rest.len > 0 && !chunk->last)
		chunk->fault = REPLY_BAD_ARGUMENT;
	else if (most > 0 && (held > most || chunk->len > most - held))
		chunk->fault = REPLY_TOO_BIG;
	return true;
}

int data_run_chunk(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct message *message = &session->message;
	struct conn *conn = &session->visitor->conn;
	struct chunk chunk;
	/* Where the chunk ends, and what comes next as a command, is not known. */
	if (!read_chunk_head(session, argument, &chunk)) {
		reply_say(session, REPLY_CHUNK_UNREADABLE, NULL);
		return DIALOG_END;
	}
	bool first = !message->started;
	if (first)
		begin(session, false);
	int64_t asked = text_monotonic_ms();
	if (chunk.fault != REPLY_NONE)
		refuse(session, chunk.fault);
	else if (first)
		heed(session, filter_data(session), asked);
	for (uint64_t left = chunk.len; left > 0;) {
		struct slice octets = next_octets(session);
		if (octets.len == 0)
			return give_up(session);
		if (octets.len > left)
			octets.len = left;
		conn_consume(conn, take(session, octets));
		left -= octets.len;
	}
	if (session->recipient_count == 0) {
		session->dialog.faults += !session->refused;
		reply_say(session, message->verdict, NULL);
		data_forget(session);
		return DIALOG_STAY;
	}
	if (chunk.last) {
		if (message->verdict == REPLY_NONE) {
			size_t from = message->octets.len;
			dot_read_finish(&message->reader, &message->octets);
			judge(session, from);
		}
		return finish(session);
	}
	reply_say(
		session, message->verdict != REPLY_NONE ? message->verdict : REPLY_CHUNK_OK, NULL);
	return message->verdict == REPLY_ROLE_GONE ? DIALOG_END : SESSION_CHUNKS;
}
