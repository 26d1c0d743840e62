/* A notice is a delivery like any other, of a message that nobody handed over. */
#include "store/notices.h"
#include "base/digest.h"
#include "base/log.h"

static int append(struct store *store, struct body_writer *body, struct slice octets, struct err *e)
{
	while (octets.len > 0) {
		struct slice piece = {octets.at, octets.len < BODY_PIECE ? octets.len : BODY_PIECE};
		if (body_append(store, body, piece, e) < 0)
			return -1;
		octets = slice_from(octets, piece.len);
	}
	return 0;
}

int notices_file(struct store *store, const struct config *config, struct slice recipient,
	struct slice message, struct err *e)
{
	const struct envelope_recipient to = {.address = recipient};
	struct delivery delivery = {.recipients = &to, .recipient_count = 1};
	struct body_writer body = {0};
	enum err_kind result;
	deliver_make_queue_id(delivery.queue_id);
	if (append(store, &body, message, e) < 0 ||
		deliver(store, config, &delivery, &body, &result, e) < 0) {
		body_writer_free(&body);
		return -1;
	}
	if (result == ERR_NONE)
		return 1;
	log_event(LOG_WARNING, "notice-not-filed", log_slice("to", recipient),
		log_reason(result == ERR_QUOTA ? "the mailbox is full" : "nobody is there"));
	return 0;
}
