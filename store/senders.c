/* Most rights to an address are not kept anywhere: they are where its mail goes.
 * The others are rows. */
#include "store/senders.h"
#include "base/header.h"
#include "store/db.h"

/* 1: its mail comes to the user. A refusal of the address is one of the right to it. */
static int belongs(struct store *store, const struct config *config, int64_t user_id,
	struct slice address, struct err *e)
{
	struct destinations to = {0};
	int found = 0, done = addresses_resolve(store, config, address, &to, e);
	for (size_t i = 0; done == 0 && i < to.count; i++)
		found |= to.at[i].user.id == user_id && to.at[i].user.enabled;
	destinations_free(&to);
	return done < 0 && !addresses_is_refusal(e->kind) ? -1 : found;
}

/* 1: he has been granted it. */
static int is_granted(struct store *store, int64_t user_id, struct slice text, struct err *e)
{
	struct address address;
	if (address_read(&address, text, e) < 0)
		return 0;
	struct query q = db_query(store,
		SQL("SELECT 1 FROM grants JOIN users ON id = user_id"
		    " WHERE user_id = ? AND grants.address = ? AND enabled AND removed IS NULL"));
	db_bind_int(&q, user_id);
	db_bind_text(&q, slice_of(address.text));
	int found = db_next(&q, e);
	db_end(&q);
	return found;
}

static int user_may(struct store *store, const struct config *config, int64_t user_id,
	struct slice address, struct err *e)
{
	int may = belongs(store, config, user_id, address, e);
	if (may == 0)
		may = is_granted(store, user_id, address, e);
	if (may == 0)
		return err_set(e, ERR_DENIED,
			"mail for %.*s does not go to who sends as it, nor is it granted",
			(int)address.len, address.at);
	return may < 0 ? -1 : 0;
}

static int trusted_may(
	const struct config *config, const char *account, struct slice address, struct err *e)
{
	struct address ours;
	struct buf own = {0};
	buf_printf(&own, "%s@%s", account ? account : "", config->hostname);
	bool may = addresses_read_ours(&ours, config, address, e) == 0 ||
		   (account && slice_equal_nocase(buf_slice(&own), address));
	buf_free(&own);
	return may ? 0
		   : err_set(e, ERR_DENIED, "%.*s is no address of our domains", (int)address.len,
			     address.at);
}

int senders_may(struct store *store, const struct config *config, const struct submitter *who,
	struct slice address, struct err *e)
{
	return who->trusted ? trusted_may(config, who->account, address, e)
			    : user_may(store, config, who->user_id, address, e);
}

/* ---- grants ---- */

static int run_with_grant(
	struct query *q, int64_t user_id, const struct address *address, struct err *e)
{
	db_bind_int(q, user_id);
	db_bind_text(q, slice_of(address->text));
	return db_run(q, e);
}

int senders_grant(struct store *store, int64_t user_id, struct slice text, struct err *e)
{
	struct address address;
	if (address_read(&address, text, e) < 0)
		return -1;
	struct query q = db_query(
		store, SQL("INSERT OR IGNORE INTO grants (user_id, address) VALUES (?, ?)"));
	return run_with_grant(&q, user_id, &address, e);
}

int senders_revoke(struct store *store, int64_t user_id, struct slice text, struct err *e)
{
	struct address address;
	if (address_read(&address, text, e) < 0)
		return -1;
	struct query q =
		db_query(store, SQL("DELETE FROM grants WHERE user_id = ? AND address = ?"));
	if (run_with_grant(&q, user_id, &address, e) < 0)
		return -1;
	if (db_changes(store) == 0)
		return err_set(e, ERR_MISSING,
			"%s has not been granted: `officemail user show` shows what has been",
			address.text);
	return 0;
}

int senders_each_grant(struct store *store, int64_t user_id,
	void (*each)(struct slice address, void *arg), void *arg, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT address FROM grants WHERE user_id = ? ORDER BY address"));
	int found;
	db_bind_int(&q, user_id);
	while ((found = db_next(&q, e)) == 1)
		each(db_text(&q, 0), arg);
	db_end(&q);
	return found;
}

int senders_follow_user(
	struct store *store, const struct address *from, const struct address *to, struct err *e)
{
	struct query q = db_query(
		store, SQL("INSERT OR IGNORE INTO grants (user_id, address)"
			   " SELECT user_id, ? FROM grants WHERE address = ? /* scans grants */"));
	db_bind_text(&q, slice_of(to->text));
	db_bind_text(&q, slice_of(from->text));
	return db_run(&q, e);
}

int senders_forget_user(struct store *store, int64_t user_id, struct slice address, struct err *e)
{
	struct query q = db_query(store,
		SQL("DELETE FROM grants WHERE user_id = ? OR address = ? /* scans grants */"));
	db_bind_int(&q, user_id);
	db_bind_text(&q, address);
	return db_run(&q, e);
}

/* ---- what is sent ---- */

/* Cuts the first line off, where it ends as the store ends lines: a lone CR or LF
 * others may read as an end, and what is behind it as a field. */
static bool cut_line(struct slice *text, size_t *len)
{
	size_t end = slice_find(*text, '\n');
	if (end == text->len || end == 0 || slice_find(*text, '\r') != end - 1)
		return false;
	*len = end - 1;
	*text = slice_from(*text, end + 1);
	return true;
}

/* Is its blank line there? What lies behind the end others may read, too. */
static bool is_whole(struct slice header)
{
	size_t len;
	while (cut_line(&header, &len))
		if (len == 0)
			return true;
	return false;
}

bool senders_is_trace(struct slice text)
{
	struct slice rest = text, lines = text;
	struct header_field field;
	size_t len;
	while (lines.len > 0)
		if (!cut_line(&lines, &len))
			return false;
	return header_next(&rest, &field) && rest.len == 0 && field.name.at == text.at &&
	       slice_equal_nocase(field.name, SLICE("Received"));
}

int senders_check(struct store *store, const struct config *config, const struct submitter *who,
	struct slice sender, struct slice header, struct err *e)
{
	struct buf authors = {0};
	int done = 0;
	if (sender.len > 0)
		done = senders_may(store, config, who, sender, e);
	if (done == 0 && (!is_whole(header) || !header_authors(header, &authors)))
		done = err_set(e, ERR_DENIED, "a message without one From field that can be read");
	for (struct slice rest = buf_slice(&authors); done == 0 && rest.len > 0;)
		done = senders_may(store, config, who, slice_cut(&rest, '\n'), e);
	buf_free(&authors);
	return done;
}
