/* Frames as they came, and bodies to free; both stay until a commit has held. */
#include "store/unpromised.h"
#include "base/log.h"
#include "base/text.h"

#define WAIT_MS 1000
/* Octets: as many wait for a commit that comes anyway, and as many are taken at all. */
#define FRAMES_MUCH (128u * 1024)
#define FRAMES_MOST (1024u * 1024)

static struct {
	struct buf frames;
	int64_t since_ms;
	struct buf bodies; /* struct body_writer */
} unpromised;

void unpromised_keep(const struct frame *frame)
{
	if (unpromised.frames.len + frame->body.len > FRAMES_MOST)
		return;
	if (unpromised.frames.len == 0) {
		unpromised.since_ms = text_monotonic_ms();
		role_idle_within(WAIT_MS);
	}
	channel_add_frame(&unpromised.frames, frame->type, frame->body);
}

bool unpromised_free(const struct body_writer *body)
{
	struct body_writer on_disk = *body;
	on_disk.header = (struct buf){0};
	if (on_disk.arriving)
		buf_add(&unpromised.bodies, &on_disk, sizeof(on_disk));
	return on_disk.arriving;
}

bool unpromised_frees(void)
{
	return unpromised.bodies.len > 0;
}

bool unpromised_is_due(void)
{
	return unpromised_frees() || unpromised.frames.len > FRAMES_MUCH ||
	       (unpromised.frames.len > 0 && text_monotonic_ms() - unpromised.since_ms >= WAIT_MS);
}

void unpromised_hurry(void)
{
	unpromised.since_ms = -WAIT_MS;
}

static void take_frame(
	struct store *store, const struct frame *frame, const unsigned char ticket_key[DIGEST_SIZE])
{
	struct err e;
	if (store_savepoint(store, &e) < 0)
		return;
	if (request_note(store, frame, ticket_key, &e) == 0 && store_release(store, &e) == 0)
		return;
	log_failure(LOG_WARNING, "event-lost", &e);
	store_undo(store);
}

void unpromised_take(struct store *store, const unsigned char ticket_key[DIGEST_SIZE])
{
	struct unpack in = {.rest = buf_slice(&unpromised.frames)};
	while (in.rest.len > 0 && !in.failed && store_in_transaction(store)) {
		struct frame frame = {0};
		frame.body = channel_cut_frame(&in, &frame.type);
		take_frame(store, &frame, ticket_key);
	}
	const struct body_writer *bodies = (const void *)unpromised.bodies.at;
	for (size_t i = 0; i < unpromised.bodies.len / sizeof(*bodies); i++) {
		struct body_writer body = bodies[i];
		struct err e;
		if (store_in_transaction(store) && body_abandon(store, &body, &e) < 0)
			log_failure(LOG_WARNING, "pieces-not-freed", &e);
	}
}

void unpromised_committed(void)
{
	buf_clear(&unpromised.frames);
	buf_clear(&unpromised.bodies);
}
