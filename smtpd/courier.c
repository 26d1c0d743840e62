/* From a destination to a connection, from there to a seal, and only then to mail. */
#include "smtpd/courier.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "smtpd/client.h"
#include "smtpd/dkim.h"
#include "smtpd/terms.h"
#include "store/body.h"
#include "store/jobs.h"
#include "store/requests.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REUSE_MS (5 * 60 * 1000) /* from the login on, a connection is good for one more */

/* One lives in a process. */
static struct {
	const struct courier_errand *errand;
	struct channel directory, writer, keys;
	struct terms terms;
	struct mx_host host;
	struct conn conn;
	struct client client;
	struct store *store;
} courier;

static bool to_smarthost(void)
{
	return courier.errand->destination[0] == '\0';
}

/* ---- before the seal ---- */

static int connect_roles(struct err *e)
{
	const struct {
		struct channel *channel;
		const char *name;
	} wanted[] = {{&courier.directory, "directory"}, {&courier.writer, "writer"},
		{&courier.keys, "keys"}};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (channel_connect(wanted[i].channel, courier.errand->run_dir, wanted[i].name, e) <
				0 ||
			request_hello(wanted[i].channel, SERVICE_DELIVERY, "unix", e) < 0)
			return -1;
	return job_begin(&courier.writer, courier.errand->destination, e);
}

static int find_terms(struct err *e)
{
	const struct courier_errand *errand = courier.errand;
	if (to_smarthost())
		return terms_of_smarthost(&courier.terms, errand->config, errand->password_fd, e);
	terms_of_mx(&courier.terms, errand->config);
	return 0;
}

/* A host that would not do says more than that no other is left. Nothing is said where
 * somebody else got through: there may be room for him alone. */
static void tell_unreachable(bool for_good, const char *status, const char *why)
{
	struct courier_page page = *courier.errand->page;
	struct err e;
	if (courier.errand->joins)
		return;
	page.host[sizeof(page.host) - 1] = page.status[sizeof(page.status) - 1] =
		page.words[sizeof(page.words) - 1] = '\0';
	bool spoke = page.words[0] != '\0' && !for_good;
	if (job_unreachable(&courier.writer, courier.errand->destination, for_good,
		    spoke ? page.status : status, page.host, spoke ? page.words : why, &e) < 0)
		log_failure(LOG_WARNING, "delivery-not-told", &e);
}

/* Connects to a host that has not been tried. */
static int reach(int *fd)
{
	const struct courier_errand *errand = courier.errand;
	struct mx_hosts hosts;
	struct err e;
	int found = to_smarthost() ? mx_find_smarthost(errand->config, &hosts, &e)
				   : mx_find(errand->destination, errand->config, &hosts, &e);
	if (found < 0) {
		tell_unreachable(e.kind != ERR_IO, hosts.status, e.text);
		return -1;
	}
	if (mx_connect(&hosts, &errand->page->tried, &mx_patience, &courier.host, fd, &e) < 0) {
		tell_unreachable(false, "4.4.1", e.text);
		return -1;
	}
	return 0;
}

/* What a hostile server must not find here. */
static void close_files(void)
{
	close(courier.errand->run_dir);
	if (courier.errand->password_fd >= 0)
		close(courier.errand->password_fd);
}

/* ---- sealed: the host ---- */

/* To whoever a domain names TLS is better than none, and none better than no mail:
 * once more in the clear, and then the next host. */
static enum courier_end give_host_up(void)
{
	struct courier_page *page = courier.errand->page;
	const struct client_result *end = &courier.client.end;
	snprintf(page->host, sizeof(page->host), "%s", courier.host.name);
	snprintf(page->status, sizeof(page->status), "%s", end->status);
	snprintf(page->words, sizeof(page->words), "%s", end->reply);
	bool clear = courier.client.tls_broken && !to_smarthost();
	log_event(LOG_NOTICE, clear ? "tls-given-up" : "host-given-up",
		log_text("to", courier.errand->destination), log_text("host", courier.host.name),
		log_sentence("reply", end->reply));
	mx_tried_add(clear ? &page->in_clear : &page->tried, &courier.host);
	return COURIER_ANOTHER;
}

static bool begin_dialogue(void)
{
	struct client_terms *terms = &courier.terms.client;
	terms->server = courier.host.name;
	/* Whatever the page says, no password goes in the clear for it. */
	if (!to_smarthost() && mx_tried_has(&courier.errand->page->in_clear, &courier.host))
		terms->tls = CLIENT_TLS_NEVER;
	int begun = client_begin(&courier.client, &courier.conn, terms);
	terms_forget(&courier.terms);
	return begun == 0;
}

/* ---- sealed: messages ---- */

static int next_octets(void *source, struct slice *octets, struct err *e)
{
	return body_next(source, octets, e);
}

/* Without one the message stays here: the key is there again in a moment, and others may
 * refuse what is not signed. */
static int add_signature(struct buf *field, const unsigned char digest[DIGEST_SIZE], struct err *e)
{
	unsigned char signature[TLS_SIGNATURE_MAX];
	int len = request_sign_dkim(
		&courier.keys, courier.errand->config->dkim_selector, digest, signature, e);
	if (len < 0)
		return -1;
	dkim_add_signature(field, (struct slice){(const char *)signature, (size_t)len});
	return 0;
}

/* Adds the DKIM-Signature field of a message to *field, or nothing where the office
 * does not sign it. */
static int sign(const struct job *job, struct buf *field, struct err *e)
{
	struct body_reader reader = {0};
	struct slice octets = {"", 1};
	unsigned char digest[DIGEST_SIZE];
	int done = body_open_outgoing(&reader, courier.store, job->outgoing_id, e);
	struct dkim *dkim = dkim_new();
	while (done == 0 && octets.len > 0) {
		done = body_next(&reader, &octets, e);
		dkim_take(dkim, octets);
	}
	if (done == 0 && dkim_digest(dkim, courier.errand->config, time(NULL), field, digest))
		done = add_signature(field, digest, e);
	body_close(&reader);
	dkim_free(dkim);
	return done;
}

/* The client's words for a message, and what it says of each recipient. */
static struct envelope_recipient *address(const struct job *job)
{
	struct envelope_recipient *recipients = must_alloc(job->count * sizeof(*recipients));
	for (size_t i = 0; i < job->count; i++)
		recipients[i] = (struct envelope_recipient){
			.address = slice_of(job->recipients[i].address),
			.notify = job->recipients[i].notify,
			.orcpt = slice_of(job->recipients[i].orcpt),
		};
	return recipients;
}

static void send_job(const struct job *job, struct slice front, struct body_reader *reader,
	struct client_result *results)
{
	struct envelope_recipient *recipients = address(job);
	const struct client_message message = {
		.sender = slice_of(job->sender),
		.envid = slice_of(job->envid),
		.ret = job->ret,
		.recipients = recipients,
		.recipient_count = job->count,
		.size = front.len + reader->size,
		.front = front,
		.next = next_octets,
		.source = reader,
	};
	client_send(&courier.client, &message, results);
	free(recipients);
}

/* It stays here, for a reason of ours. */
static void keep_all(const struct job *job, struct client_result *results, const struct err *why)
{
	for (size_t i = 0; i < job->count; i++) {
		results[i] = (struct client_result){.outcome = CLIENT_LATER, .status = "4.3.0"};
		snprintf(results[i].reply, sizeof(results[i].reply), "%s", why->text);
	}
}

/* The same for the writer. */
static struct job_result *tell(const struct job *job, const struct client_result *results)
{
	static const enum job_outcome outcomes[] = {
		[CLIENT_DONE] = JOB_DONE, [CLIENT_LATER] = JOB_LATER, [CLIENT_FAILED] = JOB_FAILED};
	struct job_result *report = must_alloc(job->count * sizeof(*report));
	for (size_t i = 0; i < job->count; i++) {
		report[i].recipient_id = job->recipients[i].id;
		report[i].outcome = outcomes[results[i].outcome];
		report[i].dsn_passed_on = results[i].dsn_passed_on;
		snprintf(report[i].host, sizeof(report[i].host), "%s", courier.host.name);
		snprintf(report[i].reply, sizeof(report[i].reply), "%s", results[i].reply);
		snprintf(report[i].status, sizeof(report[i].status), "%s", results[i].status);
	}
	return report;
}

/* NULL, and *e: a role has gone without which nothing can be sent. */
static struct job_result *carry(const struct job *job, struct err *e)
{
	struct client_result *results = must_alloc(job->count * sizeof(*results));
	struct body_reader reader = {0};
	struct buf field = {0};
	bool gone = false;
	if ((job->sign && sign(job, &field, e) < 0) ||
		body_open_outgoing(&reader, courier.store, job->outgoing_id, e) < 0) {
		log_failure(LOG_ERROR, "message-not-sent", e);
		gone = e->kind == ERR_GONE;
		keep_all(job, results, e);
	} else {
		send_job(job, buf_slice(&field), &reader, results);
	}
	body_close(&reader);
	buf_free(&field);
	struct job_result *told = gone ? NULL : tell(job, results);
	free(results);
	return told;
}

static int open_store(struct err *e)
{
	int fds[3];
	if (request_store_files(&courier.directory, fds, e) < 0)
		return -1;
	return store_open_handed(&courier.store, fds, e);
}

static bool wants_another(int64_t old_ms)
{
	return !courier.client.over && !courier.errand->page->last_one &&
	       text_monotonic_ms() < old_ms;
}

/* One message after another, until there is none or the connection is over, or old: then
 * it is another destination's turn. Each question for the next tells what became of the
 * one before. A message whose results are not told is put off by the writer. */
static int carry_all(struct err *e)
{
	const int64_t old_ms = text_monotonic_ms() + REUSE_MS;
	struct courier_page *page = courier.errand->page;
	struct job job = {0};
	struct job_result *report = NULL;
	int more = 1;
	while (more == 1) {
		struct job next = {0};
		more = job_next(
			&courier.writer, &job, report, wants_another(old_ms) ? &next : NULL, e);
		job_free(&job);
		free(report);
		report = NULL;
		job = next;
		page->carries = more == 1;
		page->carried |= page->carries;
		if (more == 1 && !(report = carry(&job, e)))
			more = -1;
	}
	job_free(&job);
	return more;
}

static enum courier_end converse(void)
{
	struct err e;
	if (!begin_dialogue())
		return give_host_up();
	courier.errand->page->talking = true;
	if (open_store(&e) < 0 || carry_all(&e) < 0) {
		log_failure(LOG_ERROR, "delivery-broken", &e);
		return COURIER_BROKEN;
	}
	client_end(&courier.client);
	conn_close(&courier.conn);
	return COURIER_DONE;
}

enum courier_end courier_run(const struct courier_errand *errand)
{
	struct err e;
	int fd;
	courier.errand = errand;
	if (connect_roles(&e) < 0) { /* as where the server stops just now */
		log_failure(LOG_WARNING, "delivery-not-begun", &e);
		return COURIER_BROKEN;
	}
	if (find_terms(&e) < 0) {
		log_failure(LOG_ERROR, "smarthost-not-usable", &e);
		tell_unreachable(false, "4.3.5", e.text);
		return COURIER_DONE;
	}
	if (reach(&fd) < 0)
		return COURIER_DONE;
	conn_open(&courier.conn, fd);
	close_files();
	if (sandbox_seal(SEAL_SESSION, &e) < 0) {
		log_failure(LOG_ERROR, "delivery-not-sealed", &e);
		return COURIER_BROKEN;
	}
	return converse();
}
