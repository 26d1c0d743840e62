/* A delivery is believed in what it says of the message that it holds, and of nothing
 * else. It holds it from the commit of "trying" on until its results are committed: where
 * a commit fails it still does, and tells them again. */
#include "store/dispatch.h"
#include "base/log.h"
#include "store/housekeeping.h"
#include "store/outbox.h"
#include "store/reports.h"
#include <stdlib.h>
#include <string.h>

struct held {
	int64_t outgoing_id; /* 0: none */
	size_t count;
	int64_t recipients[JOB_RECIPIENTS_MOST];
};

struct errand {
	char destination[JOB_DOMAIN_MAX];
	struct held now, next;
	bool stepped; /* in this round: `next` is what it gets */
};

static struct {
	struct role_channel *relay;
	bool relay_waits; /* it has asked since it was woken */
	bool added;       /* since the last commit, something that is due */
	struct buf lost;  /* struct held: of deliveries that have gone */
	struct buf kept;  /* those of them that could not be given up this time */
} dispatch;

int dispatch_begin(struct store *store, struct err *e)
{
	return outbox_begin(store, e);
}

/* ---- filing ---- */

static bool is_ours(const struct config *config, struct slice recipient)
{
	struct address address;
	struct err malformed;
	return address_read(&address, recipient, &malformed) < 0 ||
	       config_has_domain(config, address_domain(&address));
}

/* Does it lead to a mailbox, and not to the outside alone? */
static bool has_reader(struct store *store, const struct config *config, struct slice recipient)
{
	struct destinations to = {0};
	struct err e;
	bool found = addresses_resolve(store, config, recipient, &to, &e) == 0 && to.count > 0;
	destinations_free(&to);
	return found;
}

/* Who wants to hear that a colleague has it? */
static bool is_wanted(const struct config *config, const struct envelope_recipient *recipient)
{
	return recipient->notify & NOTIFY_SUCCESS && is_ours(config, recipient->address);
}

static bool wants_report(const struct config *config, const struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->recipient_count; i++)
		if (is_wanted(config, &delivery->recipients[i]))
			return delivery->way_out != OUT_NONE;
	return false;
}

static int tell_delivered(struct store *store, const struct config *config,
	const struct delivery *delivery, struct slice header, const enum err_kind *results,
	struct err *e)
{
	struct bounce_recipient *told = must_alloc(delivery->recipient_count * sizeof(*told));
	struct bounce bounce = {.now = store_now(store),
		.sender = delivery->sender,
		.queue_id = delivery->queue_id,
		.envid = delivery->envid,
		.arrived = store_now(store),
		.recipients = told,
		.original = header};
	for (size_t i = 0; i < delivery->recipient_count; i++) {
		const struct envelope_recipient *recipient = &delivery->recipients[i];
		if (results[i] == ERR_NONE && is_wanted(config, recipient) &&
			has_reader(store, config, recipient->address))
			told[bounce.count++] =
				(struct bounce_recipient){.address = recipient->address,
					.orcpt = recipient->orcpt,
					.status = SLICE("2.1.5"),
					.attempted = store_now(store)};
	}
	int done = 0;
	if (bounce.count > 0)
		done = reports_tell_sender(
			store, config, BOUNCE_DELIVERED, &bounce, delivery->user_id, e);
	free(told);
	return done;
}

int dispatch_deliver(struct store *store, const struct config *config,
	const struct delivery *delivery, struct body_writer *body, enum err_kind *results,
	struct err *e)
{
	struct buf header = {0}; /* deliver() lets go of it */
	int64_t before = outbox_added(store);
	bool report = wants_report(config, delivery);
	if (report)
		buf_add_slice(&header, buf_slice(&body->header));
	int done = deliver(store, config, delivery, body, results, e);
	if (done > 0)
		done = reports_tell_held(store, config, delivery, e);
	if (done == 0 && report)
		done = tell_delivered(store, config, delivery, buf_slice(&header), results, e);
	dispatch.added |= outbox_added(store) != before;
	buf_free(&header);
	return done;
}

/* ---- results ---- */

/* One for each, in their order: nobody is left out. */
static int check_results(const struct held *held, const struct job_report *report, struct err *e)
{
	if (report->count != held->count)
		return err_set(e, ERR_DENIED, "results of %zu recipients for %zu", report->count,
			held->count);
	for (size_t i = 0; i < report->count; i++)
		if (report->results[i].recipient_id != held->recipients[i])
			return err_set(e, ERR_DENIED, "results of a message that it does not hold");
	return 0;
}

static int stray(struct err *e)
{
	return err_set(e, ERR_DENIED, "a delivery to where it does not go");
}

int dispatch_next(struct store *store, const struct config *config, struct errand *errand,
	const struct frame *frame, struct buf *answer, struct err *e)
{
	struct job_report report;
	struct job job = {0};
	if (!errand)
		return stray(e);
	if (job_next_read(frame, &report, e) < 0 || check_results(&errand->now, &report, e) < 0)
		return -1;
	if (report.count > 0 && outbox_settle(store, config, errand->now.outgoing_id,
					report.results, report.count, e) < 0)
		return -1;
	int found = report.wants_next ? outbox_take(store, errand->destination, &job, e) : 0;
	errand->stepped = found >= 0;
	errand->next.outgoing_id = job.outgoing_id;
	errand->next.count = job.count;
	for (size_t i = 0; i < job.count; i++)
		errand->next.recipients[i] = job.recipients[i].id;
	if (found == 1)
		job_pack(answer, &job);
	job_free(&job);
	return found < 0 ? -1 : 0;
}

int dispatch_unreachable(struct store *store, const struct config *config,
	const struct errand *errand, const struct frame *frame, struct buf *answer, struct err *e)
{
	struct job_report report;
	if (job_unreachable_read(frame, &report, e) < 0)
		return -1;
	if (errand && strcmp(errand->destination, report.destination) != 0)
		return stray(e);
	int more = outbox_unreachable(store, config, report.destination, &report.results[0], e);
	pack_number(answer, more > 0);
	return more < 0 ? -1 : 0;
}

int dispatch_set_out(struct errand **errand, const struct frame *frame, struct err *e)
{
	if (*errand)
		return stray(e);
	*errand = must_alloc(sizeof(**errand));
	return job_begin_read(frame, (*errand)->destination, e);
}

/* ---- the relay ---- */

void dispatch_due(struct store *store, const struct config *config, struct role_channel *relay)
{
	struct job_due due;
	struct buf answer = {0};
	struct err e;
	if (outbox_due(store, config, &due, &e) < 0) {
		role_answer_error(relay, &e);
		return;
	}
	dispatch.relay = relay;
	dispatch.relay_waits = true;
	job_due_pack(&answer, &due);
	role_answer(relay, ANSWER_OK, buf_slice(&answer));
	buf_free(&answer);
}

/* ---- around the commit ---- */

void dispatch_stepped(struct errand *errand, bool done)
{
	if (!errand)
		return;
	if (errand->stepped && done)
		errand->now = errand->next;
	errand->stepped = false;
}

void dispatch_closed(const struct role_channel *channel, struct errand *errand)
{
	if (dispatch.relay == channel)
		dispatch.relay = NULL;
	if (errand && errand->now.count > 0)
		buf_add(&dispatch.lost, &errand->now, sizeof(errand->now));
	free(errand);
}

bool dispatch_has_lost(void)
{
	return dispatch.lost.len > 0;
}

static int give_up(
	struct store *store, const struct config *config, const struct held *held, struct err *e)
{
	static const struct job_result lost = {
		.outcome = JOB_LATER, .status = "4.4.2", .reply = "the connection was lost"};
	struct job_result *results = must_alloc(held->count * sizeof(*results));
	for (size_t i = 0; i < held->count; i++) {
		results[i] = lost;
		results[i].recipient_id = held->recipients[i];
	}
	int done = outbox_settle(store, config, held->outgoing_id, results, held->count, e);
	free(results);
	return done;
}

void dispatch_give_up(struct store *store, const struct config *config)
{
	struct err e;
	buf_clear(&dispatch.kept);
	for (size_t at = 0; at < dispatch.lost.len && store_in_transaction(store);
		at += sizeof(struct held)) {
		struct held held; /* the list stays until the commit has held */
		memcpy(&held, dispatch.lost.at + at, sizeof(held));
		bool begun = store_savepoint(store, &e) == 0;
		if (begun && give_up(store, config, &held, &e) == 0 &&
			store_release(store, &e) == 0)
			continue;
		housekeeping_note_failure("message-not-given-up", &e);
		if (begun)
			store_undo(store);
		buf_add(&dispatch.kept, &held, sizeof(held));
	}
}

void dispatch_committed(void)
{
	buf_clear(&dispatch.lost);
	buf_add_slice(&dispatch.lost, buf_slice(&dispatch.kept));
	buf_clear(&dispatch.kept);
	if (dispatch.added && dispatch.relay && dispatch.relay_waits) {
		dispatch.relay_waits = false;
		role_answer(dispatch.relay, ANSWER_DUE_ANEW, SLICE(""));
	}
	dispatch.added = false;
}
