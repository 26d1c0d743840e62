/* The results of an attempt: who has it goes, who cannot have it goes and its sender hears
 * of it, who may still have it waits. Rows that go do so last, since the report on them
 * reads the message they hold. */
#include "base/digest.h"
#include "base/log.h"
#include "store/db.h"
#include "store/events.h"
#include "store/mail.h"
#include "store/outbox.h"
#include "store/reports.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_WAIT 120
#define WAIT_MOST  (4 * 3600)
#define JITTER     20         /* percent, either way */
#define LONG       (4 * 3600) /* after which a sender wants to know that it waits */

#define HEADER_MOST (64 * 1024)
#define WHOLE_MOST  (1024 * 1024) /* of a message that goes back with a report */

#define UNREACHABLE_STEP 100 /* recipients: mail of others waits meanwhile */

/* The message whose results these are. */
struct leaving {
	struct store *store;
	const struct config *config;
	int64_t id, user_id, queued, now;
	uint64_t size;
	bool forwarded, delay_told;
	char sender[ADDRESS_MAX]; /* who sent it to us */
	char queue_id[QUEUE_ID_LENGTH + 1];
	char envid[ENVID_MAX];
	enum dsn_return ret;
	struct buf message_id;
	char peer[PEER_TEXT_MAX]; /* who handed it to us */
	int64_t body_size;
};

/* One of its recipients. */
struct fate {
	int64_t id;
	char address[ADDRESS_MAX];
	char orcpt[ORCPT_MAX];
	unsigned notify;
	int64_t attempts;
	const struct job_result *result;
	enum job_outcome outcome; /* the result's, or JOB_FAILED where it is too old */
};

static int read_message(struct leaving *leaving, struct err *e)
{
	struct query q = db_query(leaving->store,
		SQL("SELECT user_id, queued, o.size, kind = 'forwarded', delay_told,"
		    " CASE kind WHEN 'forwarded' THEN b.sender ELSE o.sender END,"
		    " o.queue_id, envid, ret, b.message_id, b.peer, b.size"
		    " FROM outgoing o LEFT JOIN bodies b ON b.id = o.body_id WHERE o.id = ?"));
	db_bind_int(&q, leaving->id);
	int found = db_next(&q, e);
	if (found != 1)
		return found;
	leaving->user_id = db_int(&q, 0);
	leaving->queued = db_int(&q, 1);
	leaving->size = (uint64_t)db_int(&q, 2);
	leaving->forwarded = db_int(&q, 3) != 0;
	leaving->delay_told = db_int(&q, 4) != 0;
	db_copy_text(&q, 5, leaving->sender, sizeof(leaving->sender));
	db_copy_text(&q, 6, leaving->queue_id, sizeof(leaving->queue_id));
	db_copy_text(&q, 7, leaving->envid, sizeof(leaving->envid));
	leaving->ret = (enum dsn_return)db_int(&q, 8);
	buf_add_slice(&leaving->message_id, db_text(&q, 9));
	db_copy_text(&q, 10, leaving->peer, sizeof(leaving->peer));
	leaving->body_size = db_int(&q, 11);
	db_end(&q);
	return 1;
}

/* 1: its attempt has begun, and it is this message's. */
static int read_recipient(const struct leaving *leaving, const struct job_result *result,
	struct fate *fate, struct err *e)
{
	struct query q = db_query(
		leaving->store, SQL("SELECT address, orcpt, notify, attempts FROM recipients"
				    " WHERE id = ? AND outgoing_id = ? AND state = 'trying'"));
	db_bind_int(&q, result->recipient_id);
	db_bind_int(&q, leaving->id);
	int found = db_next(&q, e);
	if (found != 1)
		return found;
	*fate = (struct fate){.id = result->recipient_id, .result = result};
	db_copy_text(&q, 0, fate->address, sizeof(fate->address));
	db_copy_text(&q, 1, fate->orcpt, sizeof(fate->orcpt));
	fate->notify = (unsigned)db_int(&q, 2);
	fate->attempts = db_int(&q, 3);
	db_end(&q);
	return 1;
}

/* ---- what becomes of one ---- */

/* By a clock that can be believed: else one that jumps would give everything up. */
static int is_too_old(const struct leaving *leaving, struct err *e)
{
	int64_t max_age = leaving->config->max_age;
	if (max_age == 0 || leaving->now - leaving->queued < max_age)
		return 0;
	return mail_trust_clock(leaving->store, leaving->now, e);
}

static int64_t wait_after(int64_t attempts)
{
	int64_t seconds = FIRST_WAIT;
	uint32_t noise;
	for (int64_t n = 1; n < attempts && seconds < WAIT_MOST; n++)
		seconds *= 2;
	if (seconds > WAIT_MOST)
		seconds = WAIT_MOST;
	digest_random(&noise, sizeof(noise));
	return seconds + seconds * (noise % (2 * JITTER + 1) - (int64_t)JITTER) / 100;
}

static int let_wait(const struct leaving *leaving, const struct fate *fate, struct err *e)
{
	const struct job_result *result = fate->result;
	struct query q = db_query(leaving->store,
		SQL("UPDATE recipients SET state = 'waiting', next_try = ?, last_host = ?,"
		    " last_status = ?, last_reply = ? WHERE id = ?"));
	db_bind_int(&q, leaving->now + wait_after(fate->attempts));
	db_bind_text(&q, slice_of(result->host));
	db_bind_text(&q, slice_of(result->status));
	db_bind_text(&q, slice_of(result->reply));
	db_bind_int(&q, fate->id);
	return db_run(&q, e);
}

static int note(const struct leaving *leaving, const struct fate *fate, struct err *e)
{
	static const struct {
		const char *event;
		enum log_level level;
	} words[] = {[JOB_DONE] = {EVENT_RELAYED, LOG_INFO},
		[JOB_LATER] = {EVENT_DEFERRED, LOG_NOTICE},
		[JOB_FAILED] = {EVENT_UNDELIVERABLE, LOG_NOTICE}};
	const struct job_result *result = fate->result;
	const char *event = words[fate->outcome].event;
	struct buf detail = {0};
	log_event(words[fate->outcome].level, event, log_text("id", leaving->queue_id),
		log_text("to", fate->address), log_text("host", result->host),
		log_sentence("reply", result->reply));
	events_add_word(&detail, "id", slice_of(leaving->queue_id));
	events_add_word(&detail, "to", slice_of(fate->address));
	events_add_word(&detail, "host", slice_of(result->host));
	events_add_word(&detail, "message", buf_slice(&leaving->message_id));
	buf_printf(&detail, " queued=%lld size=%lld", (long long)leaving->queued,
		(long long)leaving->body_size);
	events_add_word(&detail, "sender", slice_of(leaving->sender));
	events_add_word(&detail, "peer", slice_of(leaving->peer));
	buf_printf(&detail, " reply=%s", result->reply);
	int done = events_add(leaving->store, event, leaving->user_id, 0, buf_slice(&detail), e);
	buf_free(&detail);
	return done;
}

static int judge(const struct leaving *leaving, struct fate *fate, struct err *e)
{
	fate->outcome = fate->result->outcome;
	if (fate->outcome == JOB_LATER) {
		int too_old = is_too_old(leaving, e);
		if (too_old < 0)
			return -1;
		if (too_old)
			fate->outcome = JOB_FAILED;
		else if (let_wait(leaving, fate, e) < 0)
			return -1;
	}
	return note(leaving, fate, e);
}

/* ---- what its sender hears ---- */

/* Reads the message, or its header, as far as it is to go back. What is damaged goes back
 * as far as it is not. */
static bool read_original(const struct leaving *leaving, bool whole, struct buf *original)
{
	struct body_reader reader = {0};
	struct slice octets = {"", 1};
	struct err damaged;
	whole = whole && leaving->size <= WHOLE_MOST;
	if (body_open_outgoing(&reader, leaving->store, leaving->id, &damaged) < 0)
		return false;
	while (octets.len > 0 && (whole || original->len < HEADER_MOST)) {
		if (body_next(&reader, &octets, &damaged) < 0) {
			whole = false;
			break;
		}
		buf_add_slice(original, octets);
	}
	body_close(&reader);
	if (!whole && original->len > HEADER_MOST)
		original->len = HEADER_MOST;
	/* What is cut off is so at a line's end. */
	while (!whole && original->len > 0 && original->at[original->len - 1] != '\n')
		original->len--;
	return whole;
}

static int tell(const struct leaving *leaving, enum bounce_kind kind,
	const struct bounce_recipient *recipients, size_t count, struct err *e)
{
	struct buf original = {0};
	struct bounce bounce = {.now = leaving->now,
		.sender = slice_of(leaving->sender),
		.queue_id = leaving->queue_id,
		.envid = slice_of(leaving->envid),
		.arrived = leaving->queued,
		.until = leaving->queued + leaving->config->max_age,
		.recipients = recipients,
		.count = count};
	if (count == 0 || (leaving->forwarded && kind != BOUNCE_FAILED))
		return 0;
	bool whole = kind == BOUNCE_FAILED && (leaving->forwarded || leaving->ret == RETURN_FULL);
	bounce.original_is_whole = read_original(leaving, whole, &original);
	bounce.original = buf_slice(&original);
	int done = leaving->forwarded ? reports_tell_forward_failed(
						leaving->store, leaving->config, &bounce, e)
				      : reports_tell_sender(leaving->store, leaving->config, kind,
						&bounce, leaving->user_id, e);
	buf_free(&original);
	return done;
}

/* Is that what he wants to hear? (RFC 3461, 4.1) */
static bool is_wanted(const struct fate *fate, enum bounce_kind kind)
{
	if (kind == BOUNCE_RELAYED)
		return fate->outcome == JOB_DONE && fate->notify & NOTIFY_SUCCESS &&
		       !fate->result->dsn_passed_on;
	return fate->outcome == JOB_FAILED &&
	       (fate->notify == NOTIFY_DEFAULT || fate->notify & NOTIFY_FAILURE);
}

static int tell_of(const struct leaving *leaving, enum bounce_kind kind, const struct fate *fates,
	size_t count, struct err *e)
{
	struct bounce_recipient *told = must_alloc((count + 1) * sizeof(*told));
	size_t told_count = 0;
	for (size_t i = 0; i < count; i++)
		if (is_wanted(&fates[i], kind))
			told[told_count++] =
				(struct bounce_recipient){.address = slice_of(fates[i].address),
					.orcpt = slice_of(fates[i].orcpt),
					.status = slice_of(fates[i].result->status),
					.host = slice_of(fates[i].result->host),
					.reply = slice_of(fates[i].result->reply),
					.attempted = leaving->now};
	int done = tell(leaving, kind, told, told_count, e);
	free(told);
	return done;
}

/* Of all who have been tried in vain, once a message. */
static int tell_delay(const struct leaving *leaving, struct err *e)
{
	struct bounce_recipient told[JOB_RECIPIENTS_MOST];
	struct buf texts = {0};
	size_t count = 0, ends[JOB_RECIPIENTS_MOST][5];
	int found;
	if (db_run_with(leaving->store, SQL("UPDATE outgoing SET delay_told = 1 WHERE id = ?"),
		    leaving->id, e) < 0)
		return -1;
	struct query q = db_query(leaving->store,
		SQL("SELECT address, orcpt, last_status, last_host, last_reply FROM recipients"
		    " WHERE outgoing_id = ? AND state = 'waiting' AND attempts > 0"
		    " AND (notify = ? OR notify & ?) ORDER BY id LIMIT ?"));
	db_bind_int(&q, leaving->id);
	db_bind_int(&q, NOTIFY_DEFAULT);
	db_bind_int(&q, NOTIFY_DELAY);
	db_bind_int(&q, JOB_RECIPIENTS_MOST);
	while ((found = db_next(&q, e)) == 1) {
		for (int column = 0; column < 5; column++) {
			buf_add_slice(&texts, db_text(&q, column));
			ends[count][column] = texts.len;
		}
		count++;
	}
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		struct slice fields[5];
		for (int column = 0; column < 5; column++) {
			fields[column] = (struct slice){texts.at + at, ends[i][column] - at};
			at = ends[i][column];
		}
		told[i] = (struct bounce_recipient){
			fields[0], fields[1], fields[2], fields[3], fields[4], leaving->now};
	}
	int done = found < 0 ? -1 : tell(leaving, BOUNCE_DELAYED, told, count, e);
	buf_free(&texts);
	return done;
}

/* ---- all of them ---- */

static int settle(const struct leaving *leaving, struct fate *fates, size_t count, struct err *e)
{
	bool waits = false;
	for (size_t i = 0; i < count; i++) {
		if (judge(leaving, &fates[i], e) < 0)
			return -1;
		waits |= fates[i].outcome == JOB_LATER;
	}
	if (tell_of(leaving, BOUNCE_FAILED, fates, count, e) < 0 ||
		tell_of(leaving, BOUNCE_RELAYED, fates, count, e) < 0)
		return -1;
	if (waits && !leaving->delay_told && leaving->now - leaving->queued >= LONG &&
		tell_delay(leaving, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (fates[i].outcome != JOB_LATER &&
			db_run_with(leaving->store, SQL("DELETE FROM recipients WHERE id = ?"),
				fates[i].id, e) < 0)
			return -1;
	return 0;
}

int outbox_settle(struct store *store, const struct config *config, int64_t outgoing_id,
	const struct job_result *results, size_t count, struct err *e)
{
	struct leaving leaving = {
		.store = store, .config = config, .id = outgoing_id, .now = store_now(store)};
	struct fate *fates = must_alloc((count + 1) * sizeof(*fates));
	size_t known = 0;
	int found = read_message(&leaving, e);
	for (size_t i = 0; found == 1 && i < count; i++) {
		int one = read_recipient(&leaving, &results[i], &fates[known], e);
		known += one == 1;
		if (one < 0)
			found = -1;
	}
	int done = found == 1 ? settle(&leaving, fates, known, e) : found;
	buf_free(&leaving.message_id);
	free(fates);
	return done;
}

static int settle_alike(struct store *store, const struct config *config, const struct job *job,
	const struct job_result *result, struct err *e)
{
	struct job_result *results = must_alloc((job->count + 1) * sizeof(*results));
	for (size_t i = 0; i < job->count; i++) {
		results[i] = *result;
		results[i].recipient_id = job->recipients[i].id;
	}
	int done = outbox_settle(store, config, job->outgoing_id, results, job->count, e);
	free(results);
	return done;
}

int outbox_unreachable(struct store *store, const struct config *config, const char *destination,
	const struct job_result *result, struct err *e)
{
	for (size_t count = 0; count < UNREACHABLE_STEP;) {
		struct job job;
		int found = outbox_take(store, destination, &job, e);
		if (found == 1 && settle_alike(store, config, &job, result, e) < 0)
			found = -1;
		count += job.count;
		job_free(&job);
		if (found != 1)
			return found;
	}
	return 1;
}
