/* Who hears of mail that leaves, or does not. Whoever wrote to us from outside never
 * does: he would be another one's victim as often as the sender. */
#include "store/reports.h"
#include "base/log.h"
#include "store/forwards.h"
#include "store/notices.h"
#include "store/outbox.h"

/* ---- filing ---- */

/* 1: it has been filed; 0: it could not be, and nothing of it is left. */
static int try_to_file(struct store *store, const struct config *config, struct slice to,
	const struct buf *text, struct err *e)
{
	if (store_savepoint(store, e) < 0)
		return -1;
	int filed = notices_file(store, config, to, buf_slice(text), e);
	if (filed >= 0 && store_release(store, e) == 0)
		return filed;
	store_undo(store);
	if (!store_in_transaction(store))
		return -1;
	log_failure(LOG_WARNING, "report-not-filed", e);
	return 0;
}

static int file_at_postmaster(struct store *store, const struct config *config,
	const struct buf *text, const char *about, struct err *e)
{
	int filed = try_to_file(store, config, NOTICES_POSTMASTER, text, e);
	if (filed == 0)
		log_event(LOG_ERROR, "report-lost", log_text("id", about),
			log_reason("neither its recipient nor the postmaster can have it"));
	return filed < 0 ? -1 : 0;
}

/* ---- to whom ---- */

/* Each: 1 he has it; 0 he cannot. */
static int file_at_sender(struct store *store, const struct config *config, struct slice sender,
	const struct buf *text, struct err *e)
{
	struct address address;
	struct err malformed;
	if (address_read(&address, sender, &malformed) < 0 ||
		!config_has_domain(config, address_domain(&address)))
		return 0;
	return try_to_file(store, config, sender, text, e);
}

static int file_at_user(struct store *store, const struct config *config, int64_t user_id,
	const struct buf *text, struct err *e)
{
	struct user user;
	int found = user_id ? users_find_id(store, user_id, &user, e) : 0;
	return found == 1 ? try_to_file(store, config, slice_of(user.address), text, e) : found;
}

int reports_tell_sender(struct store *store, const struct config *config, enum bounce_kind kind,
	const struct bounce *bounce, int64_t user_id, struct err *e)
{
	struct buf text = {0};
	if (bounce->sender.len == 0)
		return 0;
	bounce_report(&text, config, kind, bounce);
	int filed = file_at_sender(store, config, bounce->sender, &text, e);
	if (filed == 0)
		filed = file_at_user(store, config, user_id, &text, e);
	if (filed == 0)
		filed = file_at_postmaster(store, config, &text, bounce->queue_id, e);
	buf_free(&text);
	return filed < 0 ? -1 : 0;
}

int reports_tell_held(struct store *store, const struct config *config, const struct delivery *held,
	struct err *e)
{
	struct user user;
	struct buf text = {0};
	uint64_t count = 0;
	/* "peer 192.0.2.1", "login www-data"; a user has a better name. */
	struct slice who = slice_of(held->who);
	slice_cut(&who, ' ');
	int found = held->user_id ? users_find_id(store, held->user_id, &user, e) : 0;
	if (found < 0 || outbox_count_hour(store, held->who, &count, e) < 0)
		return -1;
	if (found == 1)
		who = slice_of(user.address);
	log_event(LOG_WARNING, "mail-held", log_slice("who", who),
		log_number("recipients", (int64_t)count));
	bounce_held(&text, config, store_now(store), who, count);
	int done = file_at_postmaster(store, config, &text, held->queue_id, e);
	buf_free(&text);
	return done;
}

int reports_tell_forward_failed(struct store *store, const struct config *config,
	const struct bounce *bounce, struct err *e)
{
	struct address target;
	struct buf text = {0};
	if (address_read(&target, bounce->recipients[0].address, e) < 0)
		return -1;
	int wanted = forwards_tell(store, slice_of(target.text), e);
	if (wanted <= 0)
		return wanted;
	bounce_forward_failed(&text, config, bounce);
	int done = file_at_postmaster(store, config, &text, bounce->queue_id, e);
	buf_free(&text);
	return done;
}
