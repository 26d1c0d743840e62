/* Room on the disk. What is free there, and in the file, is upkeep.c's to tell. */
#include "store/room.h"
#include "base/log.h"
#include "base/text.h"
#include "store/db.h"

/* So much more than enough is not gone in so short a time: a look at the disk costs as
 * much as a tenth of a small message. */
#define PLENTY    (1u << 30)
#define PLENTY_MS 100

#define NO_ROOM_MS   1000
#define ENTRIES_MOST 20000 /* deletions that are added up: past it they are many enough */

static uint64_t least_space(const struct config *config, uint64_t octets)
{
	uint64_t least = config->reserve > ROOM_LEAST ? config->reserve : ROOM_LEAST;
	return octets < UINT64_MAX - least ? least + octets : UINT64_MAX;
}

int room_for_mail(struct store *store, const struct config *config, uint64_t octets, struct err *e)
{
	static int64_t plenty_until_ms;
	uint64_t least = least_space(config, octets), space = 0;
	int64_t now = text_monotonic_ms();
	if (now < plenty_until_ms && octets < PLENTY / 2)
		return 1;
	if (store_disk_space(store, &space, e) < 0)
		return -1;
	plenty_until_ms = space >= least && space - least >= PLENTY ? now + PLENTY_MS : 0;
	/* The file's own free pages are asked for only when they matter. */
	if (space < least && store_free_space(store, &space, e) < 0)
		return -1;
	return space >= least;
}

static int has_loose_bodies(struct store *store, struct err *e)
{
	int64_t found = 0;
	if (db_number(store,
		    SQL("SELECT EXISTS (SELECT 1 FROM bodies WHERE refs = 0 AND arriving = 0)"),
		    &found, e) < 0)
		return -1;
	return found != 0;
}

/* Adds to *space what the oldest deletions hold, until it is enough. */
static int add_deleted(struct store *store, uint64_t *space, uint64_t enough, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT size FROM entries WHERE deleted IS NOT NULL ORDER BY deleted"));
	int64_t count = 0;
	int found = 0;
	while (*space < enough && (found = db_next(&q, e)) == 1)
		*space = ++count < ENTRIES_MOST ? *space + (uint64_t)db_int(&q, 0) : enough;
	db_end(&q);
	return found < 0 ? -1 : 0;
}

int room_can_be_made(
	struct store *store, const struct config *config, uint64_t octets, struct err *e)
{
	uint64_t least = least_space(config, octets), space = 0, unused = 0;
	int loose = has_loose_bodies(store, e);
	if (loose)
		return loose; /* these go in any case: then it is seen */
	if (store_disk_space(store, &space, e) < 0 || store_unused_space(store, &unused, e) < 0)
		return -1;
	space += unused;
	if (add_deleted(store, &space, least, e) < 0)
		return -1;
	return space >= least;
}

int room_refuse(const struct config *config, struct err *e)
{
	return err_set(e, ERR_SPACE,
		"less than [store] reserve is free on the disk of %s: mail is deferred until there "
		"is room: delete what is not mail from it, or make it bigger",
		config->data);
}

/* ---- at RCPT ---- */

/* Where kept deletions can give way, the writer lets them. Where not, they are added
 * up once a second, and not at each RCPT: everybody's logins wait for it. */
static int has_room(struct store *store, const struct config *config, uint64_t size, struct err *e)
{
	static uint64_t too_much; /* for this there was no way, until then */
	static int64_t until_ms;
	int room = room_for_mail(store, config, size, e);
	if (room || (size >= too_much && text_monotonic_ms() < until_ms))
		return room;
	room = room_can_be_made(store, config, size, e);
	if (room == 0) {
		too_much = size;
		until_ms = text_monotonic_ms() + NO_ROOM_MS;
	}
	return room;
}

/* Once each time that it changes. */
static void tell_room(const struct config *config, bool there)
{
	static bool told;
	struct err e;
	if (!there && !told) {
		room_refuse(config, &e);
		log_failure(LOG_WARNING, "no-room-for-mail", &e);
	} else if (there && told) {
		log_event(LOG_NOTICE, "room-for-mail", log_text("data", config->data));
	}
	told = !there;
}

int room_accept(struct store *store, const struct config *config, uint64_t size, struct err *e)
{
	int room = has_room(store, config, size, e);
	if (room < 0)
		return -1;
	/* That a message is longer than the disk is no news. */
	tell_room(config, room > 0 || (size > 0 && has_room(store, config, 0, e) != 0));
	return room ? 0 : room_refuse(config, e);
}
