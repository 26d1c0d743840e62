/* Each step is short, because mail waits behind it. */
#include "store/housekeeping.h"
#include "base/log.h"
#include "base/text.h"
#include "store/events.h"
#include "store/mail.h"

#define PURGE_OCTETS (8u * 1024 * 1024) /* of bodies, a step */
#define MAKE_ROOM    16                 /* steps before mail is refused */
#define NEXT_STEP_MS 20
/* Not above the writer's UNPROMISED_MS: what nobody waits for is written then. */
#define ALL_DONE_MS   30000
#define SPACE_GOOD_MS 1000 /* how long a look at the disk holds */

int housekeeping_has_space(struct store *store, const struct config *config, struct err *e)
{
	static int64_t good_until_ms;
	uint64_t space;
	int64_t now = text_monotonic_ms();
	if (now < good_until_ms)
		return 0;
	for (int step = 0;; step++) {
		if (store_free_space(store, &space, e) < 0)
			return -1;
		if (space >= config->reserve)
			break;
		int more = step < MAKE_ROOM ? mail_purge_step(store, config->keep_deleted, true,
						      PURGE_OCTETS, e)
					    : 0;
		if (more < 0)
			return -1;
		if (more == 0)
			return err_set(e, ERR_SPACE,
				"less than [store] reserve is free on the disk of %s: mail is "
				"deferred until there is room",
				config->data);
	}
	good_until_ms = now + SPACE_GOOD_MS;
	return 0;
}

void housekeeping_checkpoint(struct store *store, bool idle)
{
	static int64_t told_ms;
	struct err e;
	if (store_checkpoint(store, idle, &e) < 0 && log_is_due(&told_ms))
		log_failure(LOG_ERROR, "checkpoint-failed", &e);
}

/* 1: there is more to do. */
static int purge(struct store *store, const struct config *config, struct err *e)
{
	if (store_begin(store, e) < 0)
		return -1;
	int more = mail_purge_step(store, config->keep_deleted, false, PURGE_OCTETS, e);
	int forget = more == 0 ? events_forget_step(store, config->keep_deleted, e) : 0;
	if (more < 0 || forget < 0 || store_commit(store, e) < 0) {
		store_rollback(store);
		return -1;
	}
	return more > 0 || forget > 0;
}

int housekeeping_step(struct store *store, const struct config *config)
{
	struct err e;
	int more = purge(store, config, &e);
	if (more == 0)
		more = store_shrink_step(store, &e);
	if (more < 0) {
		log_failure(LOG_ERROR, "housekeeping-failed", &e);
		if (e.kind == ERR_SPACE)
			store_ballast_drop(store); /* for the next attempt */
	}
	if (more > 0)
		return NEXT_STEP_MS;
	housekeeping_checkpoint(store, true);
	if (store_ballast_make(store, &e) < 0)
		log_failure(LOG_WARNING, "no-ballast", &e);
	return ALL_DONE_MS;
}
