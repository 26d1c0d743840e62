/* Each step is short, because mail waits behind it. */
#include "store/housekeeping.h"
#include "base/log.h"
#include "base/role.h"
#include "base/text.h"
#include "store/devices.h"
#include "store/mail.h"
#include "store/room.h"
#include "store/stuck.h"
#include <string.h>

#define PURGE_OCTETS (8u * 1024 * 1024) /* of bodies, a step */
#define MAKE_ROOM_MS 5000
#define NEXT_STEP_MS 20
#define SHORT_MS     1000 /* while mail has no room, or the ballast is given up */
#define SOON_MS      50
#define ALL_DONE_MS  30000
#define AGAIN_MS     (60 * 60 * 1000) /* a failure that stays is told as often */
#define HOUR         3600

/* Mail found no room: what can give way is not all gone yet. */
static bool wanted;

/* ---- failures ---- */

static struct {
	struct err err; /* ERR_NONE: all is well */
	int64_t ms;
} told;

void housekeeping_note_failure(const char *event, const struct err *why)
{
	int64_t now = text_monotonic_ms();
	bool known = told.err.kind == why->kind && strcmp(told.err.text, why->text) == 0;
	if (known && now - told.ms < AGAIN_MS)
		return;
	told.err = *why;
	told.ms = now;
	log_failure(LOG_ERROR, event, why);
}

void housekeeping_checkpoint(struct store *store, bool idle)
{
	struct err e;
	if (store_checkpoint(store, idle, &e) < 0)
		housekeeping_note_failure("checkpoint-failed", &e);
}

static bool is_short(struct store *store, const struct config *config)
{
	struct err e;
	if (room_for_mail(store, config, 0, &e) != 1)
		return true;
	if (told.err.kind != ERR_SPACE)
		return false;
	told.err.kind = ERR_NONE;
	log_event(LOG_NOTICE, "disk-has-room", log_text("data", config->data));
	return false;
}

/* ---- making room ---- */

/* Ends the transaction of a step that returned `more`. */
static int end_step(struct store *store, int more, struct err *e)
{
	if (more >= 0 && store_commit(store, e) == 0)
		return more;
	store_rollback(store);
	return -1;
}

static int purge(struct store *store, const struct config *config, bool disk_full, struct err *e)
{
	if (store_begin(store, e) < 0)
		return -1;
	return end_step(
		store, mail_purge_step(store, config->keep_deleted, disk_full, PURGE_OCTETS, e), e);
}

/* A step: free pages go back first, and then kept deletions become such. The
 * ballast is room for the log of it. 1: there is still no room for mail, and more
 * to be done. */
static int give_way_to_mail(struct store *store, const struct config *config, struct err *e)
{
	uint64_t space;
	int room = room_for_mail(store, config, 0, e);
	int more = room ? room : room_can_be_made(store, config, 0, e);
	if (room || more <= 0)
		return room > 0 ? 0 : more;
	if (store_disk_space(store, &space, e) == 0 && space < STORE_BALLAST)
		store_ballast_drop(store);
	more = store_shrink_step(store, e);
	if (more == 0)
		more = purge(store, config, true, e);
	return more ? more : store_shrink_step(store, e);
}

int housekeeping_make_room(struct store *store, const struct config *config, struct err *e)
{
	int64_t end = text_monotonic_ms() + MAKE_ROOM_MS;
	int result;
	do
		result = give_way_to_mail(store, config, e);
	while (result > 0 && text_monotonic_ms() < end);
	wanted = result > 0;
	if (result < 0)
		return -1;
	result = room_for_mail(store, config, 0, e);
	return result > 0 ? 0 : result < 0 ? -1 : room_refuse(config, e);
}

/* ---- views ---- */

/* Up to where they have been looked at in this hour of the clock. */
static struct {
	int64_t hour, at, left;
	bool done;
} views;

static int settle_some(struct store *store, struct err *e)
{
	int64_t at = views.at, left = views.left;
	if (store_begin(store, e) < 0)
		return -1;
	int more = end_step(store, devices_settle_step(store, &at, &left, e), e);
	if (more < 0)
		return -1;
	views.at = at;
	views.left = left;
	return more;
}

/* Each hour, since logins cease to count by time alone. */
static int settle_views(struct store *store, struct err *e)
{
	int64_t hour = store_now(store) / HOUR;
	if (views.done && hour == views.hour)
		return 0;
	if (hour != views.hour) {
		views.hour = hour;
		views.at = views.left = 0;
	}
	int more = settle_some(store, e);
	views.done = more == 0;
	if (more == 0 && views.left > 0)
		log_event(LOG_NOTICE, "held-by-nobody", log_number("messages", views.left));
	return more;
}

/* ---- what is due ---- */

static int clean(struct store *store, const struct config *config, struct err *e)
{
	int more = wanted ? give_way_to_mail(store, config, e) : 0;
	wanted = more > 0;
	if (more == 0)
		more = purge(store, config, false, e);
	if (more == 0)
		more = settle_views(store, e);
	return more ? more : store_shrink_step(store, e);
}

static int take_step(struct store *store, const struct config *config)
{
	struct err e;
	int more = clean(store, config, &e);
	if (more < 0) {
		housekeeping_note_failure("housekeeping-failed", &e);
		if (e.kind == ERR_SPACE)
			store_ballast_drop(store); /* for the next attempt */
	} else if (told.err.kind != ERR_SPACE) {
		told.err.kind = ERR_NONE;
	}
	if (more > 0)
		return NEXT_STEP_MS;
	if (stuck_look(store, &e) < 0)
		housekeeping_note_failure("stuck-clients-unknown", &e);
	housekeeping_checkpoint(store, true);
	int lent = store_ballast_make(store, &e);
	if (lent < 0)
		housekeeping_note_failure("no-ballast", &e);
	return is_short(store, config) || lent > 0 ? SHORT_MS : ALL_DONE_MS;
}

static int64_t due_ms; /* of the next step */

int housekeeping_step(struct store *store, const struct config *config)
{
	int64_t now = text_monotonic_ms();
	if (due_ms <= now)
		due_ms = now + take_step(store, config);
	return (int)(due_ms - now);
}

void housekeeping_soon(void)
{
	due_ms = 0;
	role_idle_within(SOON_MS);
}
