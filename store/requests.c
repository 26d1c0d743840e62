/* Both ends of the frames: how a session asks, and how a role reads what it was
 * asked. The two stand side by side so that the fields cannot drift apart. */
#include "store/requests.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

const char *service_name(enum service_kind kind)
{
	static const char *const names[SERVICE_KINDS] = {[SERVICE_SMTP] = "smtp",
		[SERVICE_LMTP] = "lmtp",
		[SERVICE_SUBMISSION] = "submission",
		[SERVICE_POP3] = "pop3",
		[SERVICE_DIRECTORY] = "directory",
		[SERVICE_TRUSTED] = "trusted",
		[SERVICE_LOCAL] = "local",
		[SERVICE_RELAY] = "relay",
		[SERVICE_DELIVERY] = "delivery"};
	return names[kind];
}

bool service_submits(enum service_kind kind)
{
	return kind == SERVICE_SUBMISSION || kind == SERVICE_TRUSTED || kind == SERVICE_LOCAL;
}

/* ---- tickets ---- */

static void ticket_mac(const struct ticket *ticket, const unsigned char key[DIGEST_SIZE],
	unsigned char mac[DIGEST_SIZE])
{
	const int64_t fields[] = {ticket->service, ticket->user_id, ticket->folder_id,
		ticket->device_id, ticket->expires};
	digest_mac(mac, key, DIGEST_SIZE, fields, sizeof(fields));
}

int64_t ticket_now(void)
{
	return text_monotonic_ms() / 1000;
}

void ticket_sign(struct ticket *ticket, const unsigned char key[DIGEST_SIZE])
{
	ticket_mac(ticket, key, ticket->mac);
}

int ticket_check(const struct ticket *ticket, const unsigned char key[DIGEST_SIZE],
	enum service_kind service, int64_t now, struct err *e)
{
	unsigned char mac[DIGEST_SIZE];
	ticket_mac(ticket, key, mac);
	if (!equal_constant_time(mac, ticket->mac, sizeof(mac)))
		return err_set(e, ERR_DENIED, "the ticket is not one of ours");
	if (ticket->service != (int64_t)service)
		return err_set(e, ERR_DENIED, "the ticket is another service's");
	if (ticket->expires < now)
		return err_set(e, ERR_DENIED, "the ticket is past its time");
	return 0;
}

void pack_ticket(struct buf *body, const struct ticket *ticket)
{
	pack_number(body, (uint64_t)ticket->service);
	pack_number(body, (uint64_t)ticket->user_id);
	pack_number(body, (uint64_t)ticket->folder_id);
	pack_number(body, (uint64_t)ticket->device_id);
	pack_number(body, (uint64_t)ticket->expires);
	pack_fixed(body, ticket->mac, sizeof(ticket->mac));
}

void unpack_ticket(struct unpack *in, struct ticket *ticket)
{
	ticket->service = (int64_t)unpack_number(in);
	ticket->user_id = (int64_t)unpack_number(in);
	ticket->folder_id = (int64_t)unpack_number(in);
	ticket->device_id = (int64_t)unpack_number(in);
	ticket->expires = (int64_t)unpack_number(in);
	unpack_fixed(in, ticket->mac, sizeof(ticket->mac));
}

/* ---- asking ---- */

int request_hello(
	struct channel *channel, enum service_kind service, const char *peer, struct err *e)
{
	struct buf body = {0};
	pack_number(&body, service);
	pack_text(&body, peer);
	int done = channel_send_buf(channel, REQUEST_HELLO, &body, e);
	buf_free(&body);
	return done;
}

int request_hello_read(const struct frame *frame, struct hello *hello, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	if (frame->type != REQUEST_HELLO)
		return err_set(e, ERR_INPUT, "a channel that does not begin with a hello");
	*hello = (struct hello){0};
	uint64_t service = unpack_number(&in);
	unpack_text(&in, hello->peer, sizeof(hello->peer));
	if (unpack_end(&in, e) < 0)
		return -1;
	bool has_account = peer_account(hello->peer);
	if (service >= SERVICE_KINDS || !peer_parse(&hello->source, hello->peer) ||
		has_account != (service == SERVICE_LOCAL))
		return err_set(e, ERR_INPUT, "a hello of no service, or from nowhere");
	hello->service = (enum service_kind)service;
	return 0;
}

static int receive_answer(struct channel *channel, struct frame *frame, struct err *e)
{
	int got = channel_receive(channel, frame, e);
	if (got == 0)
		return err_set(e, ERR_GONE, "the other process has gone");
	if (got < 0) {
		e->kind = ERR_GONE; /* out of step is as good as gone */
		return -1;
	}
	return frame->type == ROLE_ERROR ? role_error_read(frame->body, e) : 0;
}

/* Sends `body` (freed) and waits for the answer. */
static int ask(struct channel *channel, unsigned type, struct buf *body, struct frame *frame,
	struct err *e)
{
	int done = channel_send_buf(channel, type, body, e);
	buf_free(body);
	return done < 0 ? -1 : receive_answer(channel, frame, e);
}

static void pack_question(struct buf *body, struct slice address, uint64_t size)
{
	pack_slice(body, address);
	pack_number(body, size);
}

int request_resolve(struct channel *directory, struct slice address, uint64_t size, struct err *e)
{
	struct buf body = {0};
	struct frame frame;
	pack_question(&body, address, size);
	return ask(directory, REQUEST_RESOLVE, &body, &frame, e);
}

void request_resolve_many(struct channel *directory, const struct slice *addresses, size_t count,
	uint64_t size, enum err_kind *kinds)
{
	struct buf frames = {0};
	struct frame frame;
	struct err e = {.kind = ERR_NONE};
	for (size_t i = 0; i < count; i++) {
		struct buf body = {0};
		pack_question(&body, addresses[i], size);
		channel_add_frame(&frames, REQUEST_RESOLVE, buf_slice(&body));
		buf_free(&body);
	}
	channel_send_frames(directory, &frames, &e);
	buf_free(&frames);
	for (size_t i = 0; i < count; i++) {
		if (e.kind != ERR_GONE && receive_answer(directory, &frame, &e) == 0)
			e.kind = ERR_NONE;
		kinds[i] = e.kind;
	}
}

/* ---- login ---- */

static int take_list(struct slice body, struct maildrop *maildrop, struct err *e)
{
	struct unpack in = {.rest = body};
	size_t count = unpack_number(&in);
	size_t uidl_octets = unpack_number(&in);
	maildrop_reserve(maildrop, count, uidl_octets);
	while (in.rest.len > 0 && !in.failed) {
		int64_t id = (int64_t)unpack_number(&in);
		uint64_t size = unpack_number(&in);
		struct slice uidl = unpack_slice(&in);
		if (!in.failed)
			maildrop_add(maildrop, id, size, uidl);
	}
	return unpack_end(&in, e);
}

int request_login(struct channel *directory, struct slice user, struct slice password,
	struct login *login, struct err *e)
{
	struct buf body = {0};
	struct frame frame;
	*login = (struct login){0};
	pack_slice(&body, user);
	pack_slice(&body, password);
	int done = channel_send_buf(directory, REQUEST_LOGIN, &body, e);
	buf_wipe(&body);
	while (done == 0) {
		done = receive_answer(directory, &frame, e);
		if (done < 0 || frame.type != ANSWER_LIST)
			break;
		done = take_list(frame.body, &login->maildrop, e);
	}
	if (done == 0) {
		struct unpack in = {.rest = frame.body};
		unpack_ticket(&in, &login->ticket);
		unpack_text(&in, login->user, sizeof(login->user));
		unpack_text(&in, login->folder, sizeof(login->folder));
		unpack_text(&in, login->device, sizeof(login->device));
		done = unpack_end(&in, e);
	}
	if (done < 0)
		maildrop_free(&login->maildrop);
	return done;
}

int request_may_send(struct channel *directory, struct slice address, struct err *e)
{
	struct buf body = {0};
	struct frame frame;
	buf_add_slice(&body, address);
	return ask(directory, REQUEST_MAY_SEND, &body, &frame, e);
}

void request_login_answer(struct role_channel *to, const struct login *login)
{
	struct buf body = {0};
	for (size_t i = 0; i < login->maildrop.count; i++) {
		const struct maildrop_item *item = &login->maildrop.items[i];
		if (body.len == 0) {
			pack_number(&body, login->maildrop.count);
			pack_number(&body, login->maildrop.uidls.len);
		}
		pack_number(&body, (uint64_t)item->id);
		pack_number(&body, item->size);
		pack_text(&body, maildrop_uidl(&login->maildrop, i));
		if (body.len > LIST_FRAME || i + 1 == login->maildrop.count) {
			role_answer(to, ANSWER_LIST, buf_slice(&body));
			buf_clear(&body);
		}
	}
	pack_ticket(&body, &login->ticket);
	pack_text(&body, login->user);
	pack_text(&body, login->folder);
	pack_text(&body, login->device);
	role_answer(to, ANSWER_OK, buf_slice(&body));
	buf_free(&body);
}

int request_store_files(struct channel *directory, int fds[3], struct err *e)
{
	struct buf body = {0};
	struct frame frame;
	directory->takes_fds = true;
	if (ask(directory, REQUEST_STORE_FILES, &body, &frame, e) < 0)
		return -1;
	if (frame.fd_count != 3)
		return err_set(e, ERR_GONE, "the store's files did not come");
	memcpy(fds, frame.fds, 3 * sizeof(int));
	return 0;
}

void request_tell_damage(struct channel *directory, int64_t entry_id, const char *why)
{
	struct buf body = {0};
	struct err e;
	pack_number(&body, (uint64_t)entry_id);
	pack_text(&body, why);
	/* A session whose directory has gone is told at its next command. */
	channel_send_buf(directory, REQUEST_TELL_DAMAGE, &body, &e);
	buf_free(&body);
}

/* ---- delivering ---- */

static int send_octets(
	struct channel *writer, enum request type, struct slice octets, struct err *e)
{
	struct iovec part = {(void *)octets.at, octets.len};
	struct frame frame;
	if (channel_send(writer, type, &part, 1, NULL, 0, e) < 0)
		return -1;
	return receive_answer(writer, &frame, e);
}

int request_piece(struct channel *writer, struct slice octets, struct err *e)
{
	return send_octets(writer, REQUEST_PIECE, octets, e);
}

int request_piece_behind(struct channel *writer, struct slice octets, struct err *e)
{
	return send_octets(writer, REQUEST_PIECE_BEHIND, octets, e);
}

int request_head(struct channel *writer, struct slice header, struct err *e)
{
	return send_octets(writer, REQUEST_HEAD, header, e);
}

int request_piece_back(struct channel *writer, uint64_t n, struct slice *octets, struct err *e)
{
	struct buf body = {0};
	struct frame frame;
	pack_number(&body, n);
	if (ask(writer, REQUEST_PIECE_BACK, &body, &frame, e) < 0)
		return -1;
	*octets = frame.body;
	return 0;
}

_Static_assert(
	RECIPIENTS_MOST *(3 * sizeof(uint64_t) + ADDRESS_MAX + ORCPT_MAX) + BODY_PIECE + 16 * 1024 <
		CHANNEL_FRAME_MAX,
	"an envelope does not fit in a frame");

static void pack_recipient(struct buf *body, const struct envelope_recipient *recipient)
{
	pack_slice(body, recipient->address);
	pack_number(body, recipient->notify);
	pack_slice(body, recipient->orcpt);
}

/* What DSN parameters a session can have read; one word each, in what leaves with it. */
static bool is_parameter(struct slice value, size_t most)
{
	return value.len < most && text_is_printable(value) && slice_find(value, ' ') == value.len;
}

static void unpack_recipient(struct unpack *in, struct envelope_recipient *recipient)
{
	recipient->address = unpack_slice(in);
	uint64_t notify = unpack_number(in);
	recipient->orcpt = unpack_slice(in);
	in->failed |= notify > (NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY | NOTIFY_NEVER) ||
		      !is_parameter(recipient->orcpt, ORCPT_MAX);
	recipient->notify = (unsigned)notify;
}

int request_deliver(struct channel *writer, const struct ticket *ticket,
	const struct delivery *delivery, struct slice rest, enum err_kind *results, struct err *e)
{
	struct buf body = {0};
	struct frame frame;
	if (ticket)
		pack_ticket(&body, ticket);
	pack_slice(&body, delivery->sender);
	pack_number(&body, delivery->recipient_count);
	for (size_t i = 0; i < delivery->recipient_count; i++)
		pack_recipient(&body, &delivery->recipients[i]);
	pack_slice(&body, delivery->envid);
	pack_number(&body, delivery->ret);
	pack_slice(&body, delivery->received);
	pack_text(&body, delivery->queue_id);
	pack_text(&body, delivery->peer);
	pack_number(&body, delivery->junk);
	pack_number(&body, rest.len);
	struct iovec parts[] = {{body.at, body.len}, {(void *)rest.at, rest.len}};
	int done = channel_send(
		writer, ticket ? REQUEST_SUBMIT : REQUEST_DELIVER, parts, 2, NULL, 0, e);
	buf_free(&body);
	if (done < 0 || receive_answer(writer, &frame, e) < 0)
		return -1;
	struct unpack in = {.rest = frame.body};
	for (size_t i = 0; i < delivery->recipient_count; i++)
		results[i] = (enum err_kind)unpack_number(&in);
	return unpack_end(&in, e);
}

int request_deliver_read(const struct frame *frame, struct ticket *ticket,
	struct delivery *delivery, struct envelope_recipient **recipients, struct slice *rest,
	struct err *e)
{
	struct unpack in = {.rest = frame->body};
	*delivery = (struct delivery){0};
	if (frame->type == REQUEST_SUBMIT)
		unpack_ticket(&in, ticket);
	delivery->sender = unpack_slice(&in);
	uint64_t count = unpack_number(&in);
	/* Each takes at least the octets of three numbers: no count can ask for more
	 * than twice the memory that a frame is long. */
	if (in.failed || count > RECIPIENTS_MOST || count > in.rest.len / (3 * sizeof(uint64_t)))
		return err_set(e, ERR_INPUT, "a delivery with too many recipients");
	*recipients = must_alloc((count + 1) * sizeof(**recipients));
	for (uint64_t i = 0; i < count; i++)
		unpack_recipient(&in, &(*recipients)[i]);
	delivery->recipients = *recipients;
	delivery->recipient_count = count;
	delivery->envid = unpack_slice(&in);
	uint64_t ret = unpack_number(&in);
	in.failed |= ret > RETURN_FULL || !is_parameter(delivery->envid, ENVID_MAX);
	delivery->ret = (enum dsn_return)ret;
	delivery->received = unpack_slice(&in);
	unpack_text(&in, delivery->queue_id, sizeof(delivery->queue_id));
	unpack_text(&in, delivery->peer, sizeof(delivery->peer));
	delivery->junk = unpack_number(&in) != 0;
	*rest = unpack_slice(&in);
	if (unpack_end(&in, e) < 0) {
		free(*recipients);
		*recipients = NULL;
		return -1;
	}
	return 0;
}

void request_forget(struct channel *writer)
{
	struct err e;
	/* If the writer has gone, so have the pieces. */
	channel_send(writer, REQUEST_FORGET, NULL, 0, NULL, 0, &e);
}

/* ---- deleting ---- */

static void pack_delete(
	struct buf *body, const struct ticket *ticket, const int64_t *ids, size_t count)
{
	pack_ticket(body, ticket);
	pack_slice(body, (struct slice){(const char *)ids, count * sizeof(*ids)});
}

int request_delete(struct channel *writer, const struct ticket *ticket, const int64_t *ids,
	size_t count, struct err *e)
{
	struct frame frame;
	struct buf body = {0};
	for (; count > DELETE_IDS; ids += DELETE_IDS, count -= DELETE_IDS) {
		pack_delete(&body, ticket, ids, DELETE_IDS);
		int sent = channel_send_buf(writer, REQUEST_DELETE_MORE, &body, e);
		buf_free(&body);
		if (sent < 0)
			return -1;
	}
	pack_delete(&body, ticket, ids, count);
	return ask(writer, REQUEST_DELETE, &body, &frame, e);
}

int request_delete_read(
	const struct frame *frame, struct ticket *ticket, struct buf *ids, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	unpack_ticket(&in, ticket);
	struct slice octets = unpack_slice(&in);
	if (unpack_end(&in, e) < 0)
		return -1;
	if (octets.len % sizeof(int64_t) != 0)
		return err_set(e, ERR_INPUT, "half a number in a list of entries");
	size_t at = ids->len / sizeof(int64_t);
	buf_add_slice(ids, octets);
	const int64_t *all = (const void *)ids->at;
	/* None twice: what is asked for costs no more than a mailbox holds. */
	for (size_t i = at > 0 ? at : 1; i < ids->len / sizeof(*all); i++)
		if (all[i] <= all[i - 1])
			return err_set(e, ERR_INPUT, "a list of entries that is not in order");
	return 0;
}

/* ---- keys ---- */

size_t request_sign(struct channel *keys, const struct tls_signing *what,
	unsigned char signature[TLS_SIGNATURE_MAX])
{
	struct buf body = {0};
	struct frame frame;
	struct err e;
	pack_fixed(&body, what->key_id, sizeof(what->key_id));
	pack_number(&body, what->hash_id);
	pack_slice(&body, (struct slice){(const char *)what->hash, what->hash_len});
	if (ask(keys, REQUEST_SIGN, &body, &frame, &e) < 0 || frame.body.len > TLS_SIGNATURE_MAX)
		return 0;
	memcpy(signature, frame.body.at, frame.body.len);
	return frame.body.len;
}

int request_sign_read(const struct frame *frame, struct tls_signing *what, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	unpack_fixed(&in, what->key_id, sizeof(what->key_id));
	what->hash_id = (unsigned)unpack_number(&in);
	struct slice hash = unpack_slice(&in);
	if (unpack_end(&in, e) < 0)
		return -1;
	if (hash.len > sizeof(what->hash))
		return err_set(e, ERR_INPUT, "a digest of %zu octets is none", hash.len);
	what->hash_len = hash.len;
	memcpy(what->hash, hash.at, hash.len);
	return 0;
}

int request_sign_dkim(struct channel *keys, const char *selector,
	const unsigned char digest[DIGEST_SIZE], unsigned char signature[TLS_SIGNATURE_MAX],
	struct err *e)
{
	struct buf body = {0};
	struct frame frame;
	pack_text(&body, selector);
	pack_fixed(&body, digest, DIGEST_SIZE);
	if (ask(keys, REQUEST_SIGN_DKIM, &body, &frame, e) < 0)
		return -1;
	if (frame.body.len == 0 || frame.body.len > TLS_SIGNATURE_MAX)
		return err_set(e, ERR_GONE, "a signature of %zu octets is none", frame.body.len);
	memcpy(signature, frame.body.at, frame.body.len);
	return (int)frame.body.len;
}

int request_sign_dkim_read(const struct frame *frame, char selector[CONFIG_NAME_MAX],
	unsigned char digest[DIGEST_SIZE], struct err *e)
{
	struct unpack in = {.rest = frame->body};
	unpack_text(&in, selector, CONFIG_NAME_MAX);
	unpack_fixed(&in, digest, DIGEST_SIZE);
	return unpack_end(&in, e);
}
