/* The outbox as the writer works it. What is "trying" has been given to a delivery by
 * the writer that runs now: so begins each attempt, and so it is known after a crash. */
#include "store/outbox.h"
#include "base/digest.h"
#include "base/text.h"
#include "store/db.h"
#include "store/forwards.h"
#include <stdlib.h>
#include <string.h>

#define HOUR       3600
#define FIVE_MIN   300
#define LOOK_MS    10000   /* a command may have released something, or the clock jumped */
#define WAITS_MOST "28800" /* seconds; who waits longer does so by a clock that jumped */

/* Due are those that wait, from their time on. */
#define IS_DUE "state = 'waiting' AND (next_try <= ?1 OR next_try > ?1 + " WAITS_MOST ")"

/* ---- recipients of the hour ---- */

/* In steps of five minutes. What lies ahead of the clock is not of its last hour. */
int outbox_count_hour(struct store *store, const char *who, uint64_t *count, struct err *e)
{
	int64_t now = store_now(store);
	struct query q = db_query(store, SQL("SELECT coalesce(sum(recipients), 0) FROM hours"
					     " WHERE who = ? AND since > ? AND since <= ?"));
	db_bind_text(&q, slice_of(who));
	db_bind_int(&q, now - HOUR);
	db_bind_int(&q, now);
	int found = db_next(&q, e);
	if (found == 1)
		*count = (uint64_t)db_int(&q, 0);
	db_end(&q);
	return found < 0 ? -1 : 0;
}

static int note_hour(struct store *store, const char *who, size_t count, struct err *e)
{
	int64_t now = store_now(store);
	if (count == 0)
		return 0;
	if (db_run_with(store,
		    SQL("DELETE FROM hours WHERE since <= ?"
			" /* scans hours: a few rows a sender */"),
		    now - HOUR, e) < 0)
		return -1;
	struct query q = db_query(store,
		SQL("INSERT INTO hours (who, since, recipients) VALUES (?, ?, ?)"
		    " ON CONFLICT DO UPDATE SET recipients = recipients + excluded.recipients"));
	db_bind_text(&q, slice_of(who));
	db_bind_int(&q, now - now % FIVE_MIN);
	db_bind_int(&q, (int64_t)count);
	return db_run(&q, e);
}

/* How many more may leave in this hour. */
static int count_free(struct store *store, const struct config *config, const char *who,
	uint64_t *left, struct err *e)
{
	uint64_t sent = 0;
	*left = UINT64_MAX;
	if (config->per_hour == 0)
		return 0;
	if (outbox_count_hour(store, who, &sent, e) < 0)
		return -1;
	*left = sent < config->per_hour ? config->per_hour - sent : 0;
	return 0;
}

/* 1: some mail of theirs is held. */
static int is_holding(struct store *store, const char *who, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT 1 FROM recipients r JOIN outgoing o ON o.id = r.outgoing_id"
			   " WHERE r.state = 'held' AND o.who = ? LIMIT 1"));
	db_bind_text(&q, slice_of(who));
	int found = db_next(&q, e);
	db_end(&q);
	return found;
}

/* ---- what comes ---- */

static int add_message(struct store *store, const struct delivery *delivery,
	const struct body_writer *body, const char *kind, struct slice sender, int64_t *outgoing_id,
	struct err *e)
{
	struct slice prefix = delivery->received;
	struct query q = db_query(store,
		SQL("INSERT INTO outgoing (body_id, size, kind, user_id, who, sender, queue_id,"
		    " envid, ret, queued, checksum, prefix)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
	db_bind_int(&q, body->body_id);
	db_bind_int(&q, (int64_t)(prefix.len + body->size));
	db_bind_text(&q, slice_of(kind));
	db_bind_int(&q, delivery->user_id);
	db_bind_text(&q, slice_of(delivery->who));
	db_bind_text(&q, sender);
	db_bind_text(&q, slice_of(delivery->queue_id));
	db_bind_text(&q, delivery->envid);
	db_bind_int(&q, delivery->ret);
	db_bind_int(&q, store_now(store));
	db_bind_int(&q, (int64_t)digest_checksum(prefix.at, prefix.len));
	db_bind_blob(&q, prefix);
	if (db_run(&q, e) < 0)
		return -1;
	*outgoing_id = db_last_id(store);
	store->queued++;
	return 0;
}

static int add_recipient(struct store *store, int64_t outgoing_id,
	const struct envelope_recipient *recipient, bool held, struct err *e)
{
	struct address address;
	if (address_read(&address, recipient->address, e) < 0)
		return -1;
	struct query q = db_query(
		store, SQL("INSERT INTO recipients"
			   " (outgoing_id, address, domain, notify, orcpt, state, next_try)"
			   " VALUES (?, ?, ?, ?, ?, ?, ?)"));
	db_bind_int(&q, outgoing_id);
	db_bind_text(&q, recipient->address);
	db_bind_text(&q, address_domain(&address));
	db_bind_int(&q, recipient->notify);
	db_bind_text(&q, recipient->orcpt);
	db_bind_text(&q, held ? SLICE("held") : SLICE("waiting"));
	db_bind_int(&q, store_now(store));
	return db_run(&q, e);
}

int outbox_add(struct store *store, const struct config *config, const struct delivery *delivery,
	const struct body_writer *body, const struct envelope_recipient *recipients, size_t count,
	struct err *e)
{
	int64_t outgoing_id;
	uint64_t left;
	int holding = 0;
	if (count_free(store, config, delivery->who, &left, e) < 0)
		return -1;
	size_t leaving = count < left ? count : (size_t)left;
	if (leaving < count)
		holding = is_holding(store, delivery->who, e);
	if (holding < 0 ||
		add_message(store, delivery, body, "sent", delivery->sender, &outgoing_id, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (add_recipient(store, outgoing_id, &recipients[i], i >= leaving, e) < 0)
			return -1;
	if (note_hour(store, delivery->who, leaving, e) < 0)
		return -1;
	return leaving < count && !holding;
}

int outbox_forward(struct store *store, const struct delivery *delivery,
	const struct body_writer *body, const struct forward *forward, struct err *e)
{
	const struct envelope_recipient target = {.address = slice_of(forward->target)};
	struct slice domain = slice_of(forward->alias);
	char token[FORWARD_TOKEN_MAX];
	struct buf sender = {0};
	int64_t outgoing_id;
	slice_cut(&domain, '@');
	/* Also for the null sender: of what fails the postmaster is told by the target. */
	if (forwards_token(store, target.address, token, e) < 0)
		return -1;
	if (delivery->sender.len > 0)
		buf_printf(&sender, "%s@%.*s", token, (int)domain.len, domain.at);
	int done = add_message(
		store, delivery, body, "forwarded", buf_slice(&sender), &outgoing_id, e);
	buf_free(&sender);
	return done < 0 ? -1 : add_recipient(store, outgoing_id, &target, false, e);
}

/* ---- what goes ---- */

int64_t outbox_added(const struct store *store)
{
	return store->queued;
}

int outbox_begin(struct store *store, struct err *e)
{
	return db_run_with(store,
		SQL("UPDATE recipients SET state = 'waiting', next_try = ?"
		    " WHERE state = 'trying'"),
		store_now(store), e);
}

static int find_due_domains(struct store *store, int64_t now, struct job_due *due, struct err *e)
{
	struct query q = db_query(store, SQL("SELECT domain FROM recipients WHERE " IS_DUE
					     " GROUP BY domain ORDER BY min(next_try) LIMIT ?2"));
	int found;
	db_bind_int(&q, now);
	db_bind_int(&q, JOB_DESTINATIONS);
	while ((found = db_next(&q, e)) == 1)
		db_copy_text(&q, 0, due->destinations[due->count++], JOB_DOMAIN_MAX);
	return found;
}

static int find_due_at_all(struct store *store, int64_t now, struct job_due *due, struct err *e)
{
	struct query q = db_query(store, SQL("SELECT 1 FROM recipients WHERE " IS_DUE " LIMIT 1"));
	db_bind_int(&q, now);
	int found = db_next(&q, e);
	db_end(&q);
	if (found == 1)
		due->destinations[due->count++][0] = '\0';
	return found < 0 ? -1 : 0;
}

static int is_empty(struct store *store, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT 1 FROM recipients LIMIT 1 /* scans recipients: one */"));
	int found = db_next(&q, e);
	db_end(&q);
	return found < 0 ? -1 : !found;
}

int outbox_due(struct store *store, const struct config *config, struct job_due *due, struct err *e)
{
	int64_t now = store_now(store);
	int empty = is_empty(store, e);
	due->count = 0;
	due->wait_ms = empty > 0 ? UINT64_MAX : LOOK_MS;
	if (empty)
		return empty < 0 ? -1 : 0;
	if ((config->smarthost[0] ? find_due_at_all(store, now, due, e)
				  : find_due_domains(store, now, due, e)) < 0)
		return -1;
	struct query q =
		db_query(store, SQL("SELECT next_try FROM recipients WHERE state = 'waiting'"
				    " AND next_try > ? ORDER BY next_try LIMIT 1"));
	db_bind_int(&q, now);
	int found = db_next(&q, e);
	if (found == 1 && db_int(&q, 0) - now < LOOK_MS / 1000)
		due->wait_ms = (uint64_t)(db_int(&q, 0) - now) * 1000;
	db_end(&q);
	return found < 0 ? -1 : 0;
}

/* The message that has been due for the longest; 1 found. */
static int find_next(struct store *store, struct slice destination, int64_t now,
	int64_t *outgoing_id, struct err *e)
{
	struct query q = db_query(store,
		destination.len > 0
			? SQL("SELECT outgoing_id FROM recipients WHERE domain = ?2 AND " IS_DUE
			      " ORDER BY next_try LIMIT 1")
			: SQL("SELECT outgoing_id FROM recipients WHERE " IS_DUE
			      " ORDER BY next_try LIMIT 1"));
	db_bind_int(&q, now);
	if (destination.len > 0)
		db_bind_text(&q, destination);
	int found = db_next(&q, e);
	if (found == 1)
		*outgoing_id = db_int(&q, 0);
	db_end(&q);
	return found;
}

static int read_message(struct store *store, int64_t outgoing_id, struct job *job, struct err *e)
{
	struct query q =
		db_query(store, SQL("SELECT size, sender, queue_id, envid, ret, kind = 'sent'"
				    " FROM outgoing WHERE id = ?"));
	db_bind_int(&q, outgoing_id);
	int found = db_next(&q, e);
	if (found == 0)
		return err_set(e, ERR_DAMAGED, "a recipient of no message: `officemail check`");
	if (found < 0)
		return -1;
	job->outgoing_id = outgoing_id;
	job->size = (uint64_t)db_int(&q, 0);
	db_copy_text(&q, 1, job->sender, sizeof(job->sender));
	db_copy_text(&q, 2, job->queue_id, sizeof(job->queue_id));
	db_copy_text(&q, 3, job->envid, sizeof(job->envid));
	job->ret = (enum dsn_return)db_int(&q, 4);
	job->sign = db_int(&q, 5) != 0;
	db_end(&q);
	return 0;
}

static int read_recipients(
	struct store *store, struct slice destination, int64_t now, struct job *job, struct err *e)
{
	struct query q = db_query(store,
		SQL("SELECT id, address, notify, orcpt FROM recipients WHERE outgoing_id = ?2"
		    " AND ?3 IN ('', domain) AND " IS_DUE " ORDER BY id LIMIT ?4"));
	int found;
	db_bind_int(&q, now);
	db_bind_int(&q, job->outgoing_id);
	db_bind_text(&q, destination);
	db_bind_int(&q, JOB_RECIPIENTS_MOST);
	job->recipients = must_alloc(JOB_RECIPIENTS_MOST * sizeof(*job->recipients));
	while ((found = db_next(&q, e)) == 1) {
		struct job_recipient *recipient = &job->recipients[job->count++];
		recipient->id = db_int(&q, 0);
		db_copy_text(&q, 1, recipient->address, sizeof(recipient->address));
		recipient->notify = (unsigned)db_int(&q, 2);
		db_copy_text(&q, 3, recipient->orcpt, sizeof(recipient->orcpt));
	}
	return found;
}

static int begin_attempt(struct store *store, int64_t recipient_id, struct err *e)
{
	return db_run_with(store,
		SQL("UPDATE recipients SET state = 'trying', attempts = attempts + 1 WHERE id = ?"),
		recipient_id, e);
}

int outbox_take(struct store *store, const char *destination, struct job *job, struct err *e)
{
	int64_t now = store_now(store), outgoing_id = 0;
	struct slice where = slice_of(destination);
	*job = (struct job){0};
	int found = find_next(store, where, now, &outgoing_id, e);
	if (found != 1)
		return found;
	if (read_message(store, outgoing_id, job, e) < 0 ||
		read_recipients(store, where, now, job, e) < 0)
		return -1;
	for (size_t i = 0; i < job->count; i++)
		if (begin_attempt(store, job->recipients[i].id, e) < 0)
			return -1;
	return 1;
}
