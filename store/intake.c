/* Nothing that a session says of itself counts here: who it is its hello and its ticket
 * tell, and whether it may send as somebody is looked up again. */
#include "store/intake.h"
#include "store/dispatch.h"
#include "store/senders.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_size(const struct intake *intake, struct slice octets, struct err *e)
{
	if (octets.len > BODY_PIECE)
		return err_set(e, ERR_INPUT, "a piece of %zu octets is too long", octets.len);
	uint64_t most = intake->config->max_message;
	if (most > 0 && service_submits(intake->hello->service))
		most += MENDED_MOST;
	if (most > 0 && *intake->config->milter)
		most += BODY_PIECE; /* that it adds */
	if (most > 0 && intake->body->size + octets.len > most)
		return err_set(e, ERR_TOO_BIG, "a message of more than %llu octets",
			(unsigned long long)most);
	return 0;
}

static int append(const struct intake *intake, struct slice octets, struct err *e)
{
	if (check_size(intake, octets, e) < 0)
		return -1;
	return octets.len == 0 ? 0 : body_append(intake->store, intake->body, octets, e);
}

/* As a message without its header must be, or not. */
static int check_order(const struct intake *intake, const struct frame *frame, struct err *e)
{
	const struct body_writer *body = intake->body;
	bool begun = body->size > 0, wants = body->headless && body->header.len == 0;
	bool good = frame->type == REQUEST_PIECE        ? !body->headless
		    : frame->type == REQUEST_PIECE_BACK ? body->headless
							: !begun || wants;
	if (frame->type != REQUEST_HEAD && frame->type != REQUEST_PIECE_BACK)
		good &= frame->body.len == BODY_PIECE;
	return good && frame->body.len > 0
		       ? 0
		       : err_set(e, ERR_INPUT, "a piece of %zu octets is none", frame->body.len);
}

static int give_back(
	const struct intake *intake, const struct frame *frame, struct buf *answer, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	uint64_t n = unpack_number(&in);
	if (unpack_end(&in, e) < 0)
		return -1;
	return body_reread(intake->store, intake->body, n, answer, e);
}

int intake_piece(
	const struct intake *intake, const struct frame *frame, struct buf *answer, struct err *e)
{
	if (check_order(intake, frame, e) < 0)
		return -1;
	if (frame->type == REQUEST_PIECE_BACK)
		return give_back(intake, frame, answer, e);
	if (frame->type == REQUEST_PIECE)
		return append(intake, frame->body, e);
	if (check_size(intake, frame->body, e) < 0)
		return -1;
	return frame->type == REQUEST_HEAD
		       ? body_add_head(intake->store, intake->body, frame->body, e)
		       : body_append_behind(intake->store, intake->body, frame->body, e);
}

/* As what it may leave, and whose recipients of the hour these are. */
static void find_way_out(const struct intake *intake, const struct frame *frame,
	const struct ticket *ticket, struct delivery *delivery)
{
	const char *peer = intake->hello->peer, *account = peer_account(peer);
	if (frame->type == REQUEST_SUBMIT) {
		delivery->way_out = OUT_USER;
		delivery->user_id = ticket->user_id;
		snprintf(delivery->who, WHO_MAX, "user %lld", (long long)ticket->user_id);
	} else if (intake->hello->service == SERVICE_TRUSTED) {
		delivery->way_out = OUT_TRUSTED;
		snprintf(delivery->who, WHO_MAX, "peer %s", peer);
	} else if (account) {
		delivery->way_out = OUT_LOCAL;
		snprintf(delivery->who, WHO_MAX, "login %s", account);
	}
}

/* Mail of the world needs no more than a recipient; a user's needs the user, and
 * that of those whom the office trusts its domains. */
static int check_sender(const struct intake *intake, const struct ticket *ticket,
	const struct delivery *delivery, struct err *e)
{
	const struct submitter who = {.user_id = ticket->user_id,
		.trusted = delivery->way_out != OUT_USER,
		.account = peer_account(intake->hello->peer)};
	if (delivery->way_out == OUT_NONE)
		return 0;
	if (!who.trusted &&
		ticket_check(ticket, intake->ticket_key, SERVICE_SUBMISSION, ticket_now(), e) < 0)
		return -1;
	if (!who.trusted && devices_check(intake->store, ticket->device_id, e) < 0) {
		e->kind = e->kind == ERR_MISSING ? ERR_DENIED : e->kind;
		return -1;
	}
	if (!senders_is_trace(delivery->received))
		return err_set(e, ERR_DENIED, "a submission with more than its trace");
	return senders_check(intake->store, intake->config, &who, delivery->sender,
		buf_slice(&intake->body->header), e);
}

int intake_deliver(
	const struct intake *intake, const struct frame *frame, struct buf *answer, struct err *e)
{
	struct ticket ticket = {0};
	struct delivery delivery;
	struct envelope_recipient *recipients;
	struct slice rest;
	if (request_deliver_read(frame, &ticket, &delivery, &recipients, &rest, e) < 0)
		return -1;
	/* Who it was is not the session's to say. */
	memcpy(delivery.peer, intake->hello->peer, sizeof(delivery.peer));
	find_way_out(intake, frame, &ticket, &delivery);
	enum err_kind *results = must_alloc((delivery.recipient_count + 1) * sizeof(*results));
	int done = append(intake, rest, e);
	if (done == 0 && intake->body->headless && intake->body->header.len == 0)
		done = err_set(e, ERR_INPUT, "a message without its header");
	if (done == 0)
		done = check_sender(intake, &ticket, &delivery, e);
	if (done == 0)
		done = dispatch_deliver(
			intake->store, intake->config, &delivery, intake->body, results, e);
	for (size_t i = 0; done == 0 && i < delivery.recipient_count; i++)
		pack_number(answer, results[i]);
	free(results);
	free(recipients);
	return done;
}
