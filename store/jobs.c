/* Both ends of the frames between the writer and those who carry mail out, side by
 * side as in requests.c. */
#include "store/jobs.h"
#include "base/text.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define AGAIN_MS   1000
#define TRIES_MOST 300

void job_free(struct job *job)
{
	free(job->recipients);
	*job = (struct job){0};
}

/* ---- asking ---- */

/* Waits for the answer; that mail has come meanwhile is no news then. */
static int receive_answer(struct channel *writer, struct frame *frame, struct err *e)
{
	do {
		int got = channel_receive(writer, frame, e);
		if (got == 0)
			return err_set(e, ERR_GONE, "the writer has gone");
		if (got < 0) {
			e->kind = ERR_GONE;
			return -1;
		}
	} while (frame->type == ANSWER_DUE_ANEW);
	return frame->type == ROLE_ERROR ? role_error_read(frame->body, e) : 0;
}

/* Will the store, which has refused it, take it later? */
static bool is_passing(enum err_kind kind)
{
	return kind == ERR_SPACE || kind == ERR_IO || kind == ERR_IN_USE;
}

static int ask(struct channel *writer, unsigned type, const struct buf *body, struct frame *frame,
	struct err *e)
{
	for (int tries = 1;; tries++) {
		if (channel_send_buf(writer, type, body, e) < 0)
			return -1;
		if (receive_answer(writer, frame, e) == 0)
			return 0;
		if (!is_passing(e->kind) || tries == TRIES_MOST)
			return -1;
		poll(NULL, 0, AGAIN_MS);
	}
}

static void pack_result(struct buf *body, const struct job_result *result)
{
	pack_number(body, (uint64_t)result->recipient_id);
	pack_number(body, result->outcome);
	pack_number(body, result->dsn_passed_on);
	pack_text(body, result->host);
	pack_text(body, result->reply);
	pack_text(body, result->status);
}

/* What came from a stranger's server: printable, or it is not here. */
static void unpack_words(struct unpack *in, char *text, size_t size)
{
	unpack_text(in, text, size);
	for (; *text; text++)
		if (!text_is_printable((struct slice){text, 1}))
			*text = '?';
}

static void unpack_result(struct unpack *in, struct job_result *result)
{
	result->recipient_id = (int64_t)unpack_number(in);
	uint64_t outcome = unpack_number(in);
	result->dsn_passed_on = unpack_number(in) != 0;
	unpack_words(in, result->host, sizeof(result->host));
	unpack_words(in, result->reply, sizeof(result->reply));
	unpack_words(in, result->status, sizeof(result->status));
	in->failed |= outcome > JOB_FAILED;
	result->outcome = in->failed ? JOB_LATER : (enum job_outcome)outcome;
}

/* ---- what is due ---- */

void job_due_pack(struct buf *answer, const struct job_due *due)
{
	pack_number(answer, due->wait_ms);
	pack_number(answer, due->count);
	for (size_t i = 0; i < due->count; i++)
		pack_text(answer, due->destinations[i]);
}

int job_due(struct channel *writer, struct job_due *due, struct err *e)
{
	struct frame frame;
	if (ask(writer, REQUEST_DUE, &(struct buf){0}, &frame, e) < 0)
		return -1;
	struct unpack in = {.rest = frame.body};
	due->wait_ms = unpack_number(&in);
	uint64_t count = unpack_number(&in);
	in.failed |= count > JOB_DESTINATIONS;
	due->count = in.failed ? 0 : (size_t)count;
	for (size_t i = 0; i < due->count; i++)
		unpack_text(&in, due->destinations[i], sizeof(due->destinations[i]));
	return unpack_end(&in, e);
}

int job_hear_due_anew(struct channel *writer, struct err *e)
{
	struct frame frame;
	int got = channel_receive_some(writer, &frame, e);
	if (got == 2)
		return 0;
	if (got == 1 && frame.type == ANSWER_DUE_ANEW)
		return 1;
	return got < 0 ? -1 : err_set(e, ERR_GONE, "the writer has gone");
}

/* ---- unreachable ---- */

int job_unreachable(struct channel *writer, const char *destination, bool permanent,
	const char *status, const char *host, const char *words, struct err *e)
{
	struct job_result result = {.outcome = permanent ? JOB_FAILED : JOB_LATER};
	struct buf body = {0};
	struct frame frame;
	uint64_t more = 1;
	int done = 0;
	snprintf(result.host, sizeof(result.host), "%s", host);
	snprintf(result.reply, sizeof(result.reply), "%s", words);
	snprintf(result.status, sizeof(result.status), "%s", status);
	pack_text(&body, destination);
	pack_result(&body, &result);
	while (done == 0 && more) {
		done = ask(writer, REQUEST_UNREACHABLE, &body, &frame, e);
		if (done < 0)
			break;
		struct unpack in = {.rest = frame.body};
		more = unpack_number(&in);
		done = unpack_end(&in, e);
	}
	buf_free(&body);
	return done;
}

int job_unreachable_read(const struct frame *frame, struct job_report *report, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	unpack_text(&in, report->destination, sizeof(report->destination));
	unpack_result(&in, &report->results[0]);
	report->count = 1;
	return unpack_end(&in, e);
}

/* ---- the next message ---- */

void job_pack(struct buf *answer, const struct job *job)
{
	pack_number(answer, (uint64_t)job->outgoing_id);
	pack_number(answer, job->size);
	pack_text(answer, job->sender);
	pack_text(answer, job->queue_id);
	pack_text(answer, job->envid);
	pack_number(answer, job->ret);
	pack_number(answer, job->sign);
	pack_number(answer, job->count);
	for (size_t i = 0; i < job->count; i++) {
		const struct job_recipient *recipient = &job->recipients[i];
		pack_number(answer, (uint64_t)recipient->id);
		pack_text(answer, recipient->address);
		pack_number(answer, recipient->notify);
		pack_text(answer, recipient->orcpt);
	}
}

static int unpack_job(struct slice body, struct job *job, struct err *e)
{
	struct unpack in = {.rest = body};
	job->outgoing_id = (int64_t)unpack_number(&in);
	job->size = unpack_number(&in);
	unpack_text(&in, job->sender, sizeof(job->sender));
	unpack_text(&in, job->queue_id, sizeof(job->queue_id));
	unpack_text(&in, job->envid, sizeof(job->envid));
	job->ret = (enum dsn_return)unpack_number(&in);
	job->sign = unpack_number(&in) != 0;
	uint64_t count = unpack_number(&in);
	in.failed |= count > JOB_RECIPIENTS_MOST;
	job->count = in.failed ? 0 : (size_t)count;
	job->recipients = must_alloc((job->count + 1) * sizeof(*job->recipients));
	for (size_t i = 0; i < job->count; i++) {
		struct job_recipient *recipient = &job->recipients[i];
		recipient->id = (int64_t)unpack_number(&in);
		unpack_text(&in, recipient->address, sizeof(recipient->address));
		recipient->notify = (unsigned)unpack_number(&in);
		unpack_text(&in, recipient->orcpt, sizeof(recipient->orcpt));
	}
	if (unpack_end(&in, e) == 0)
		return 1;
	job_free(job);
	return -1;
}

int job_begin(struct channel *writer, const char *destination, struct err *e)
{
	struct buf body = {0};
	pack_text(&body, destination);
	int done = channel_send_buf(writer, REQUEST_DESTINATION, &body, e);
	buf_free(&body);
	return done;
}

int job_begin_read(const struct frame *frame, char destination[JOB_DOMAIN_MAX], struct err *e)
{
	struct unpack in = {.rest = frame->body};
	unpack_text(&in, destination, JOB_DOMAIN_MAX);
	return unpack_end(&in, e);
}

int job_next(struct channel *writer, const struct job *done, const struct job_result *results,
	struct job *next, struct err *e)
{
	struct buf body = {0};
	struct frame frame;
	size_t count = done ? done->count : 0;
	pack_number(&body, next != NULL);
	pack_number(&body, count);
	for (size_t i = 0; i < count; i++)
		pack_result(&body, &results[i]);
	int asked = ask(writer, REQUEST_NEXT, &body, &frame, e);
	buf_free(&body);
	if (next)
		*next = (struct job){0};
	if (asked < 0 || !next || frame.body.len == 0)
		return asked;
	return unpack_job(frame.body, next, e);
}

int job_next_read(const struct frame *frame, struct job_report *report, struct err *e)
{
	struct unpack in = {.rest = frame->body};
	report->wants_next = unpack_number(&in) != 0;
	uint64_t count = unpack_number(&in);
	in.failed |= count > JOB_RECIPIENTS_MOST;
	report->count = in.failed ? 0 : (size_t)count;
	for (size_t i = 0; i < report->count; i++)
		unpack_result(&in, &report->results[i]);
	return unpack_end(&in, e);
}
