/* The writer: the one process of the server that changes the store.
 *
 * A round of the loop is a transaction: it begins with the first frame that
 * needs one, each request is a step of its own inside (a savepoint), one commit
 * makes all of it durable, and only then is anybody answered. What came while
 * the disk was busy makes the next round: group commit, and by itself without a
 * wait. Where syncs are slow, gather.h lets a round wait for some more. */
#include "base/log.h"
#include "base/sandbox.h"
#include "store/deletion.h"
#include "store/dispatch.h"
#include "store/gather.h"
#include "store/housekeeping.h"
#include "store/intake.h"
#include "store/requests.h"
#include "store/roles.h"
#include "store/room.h"
#include "store/unpromised.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUND_FRAMES 64
#define ROUND_OCTETS (4u * 1024 * 1024)

/* What the writer keeps for a channel. */
struct asker {
	struct hello hello;
	struct body_writer body;   /* the message that is arriving */
	struct body_writer before; /* it, before this round: what a failed round leaves on disk */
	bool asked;                /* in this round */
	unsigned told;             /* events of what it did */
	struct deletion deletion;  /* in this round, or to come */
	struct errand *errand;     /* of a delivery */
};

/* An answer that waits for the commit. */
struct pending {
	struct role_channel *to;
	bool fills;       /* it is mail */
	bool deletes;     /* may be tried again when the ballast has been dropped */
	bool settles;     /* so may this, by who asks */
	struct err error; /* kind ERR_NONE: done */
	struct buf body;
};

static struct {
	struct store *store;
	struct role_birth *birth;
	unsigned char ticket_key[DIGEST_SIZE];
	struct pending pending[ROUND_FRAMES];
	size_t pending_count;
	struct gathering gathering;
	bool reconfigured;  /* settings have come since the last round */
	struct err unbegun; /* why this round has no transaction; ERR_NONE: it may */
	bool room_seen;     /* in this round */
	struct err no_room; /* why this round takes no mail; ERR_NONE: it may */
} writer;

/* ---- what is asked: each runs in a step of the round's transaction ---- */

static struct intake intake_of(struct asker *asker)
{
	return (struct intake){.store = writer.store,
		.config = writer.birth->config,
		.hello = &asker->hello,
		.ticket_key = writer.ticket_key,
		.body = &asker->body};
}

static int take_piece(
	struct asker *asker, const struct frame *frame, struct buf *answer, struct err *e)
{
	const struct intake intake = intake_of(asker);
	return intake_piece(&intake, frame, answer, e);
}

static int take_delivery(
	struct asker *asker, const struct frame *frame, struct buf *answer, struct err *e)
{
	const struct intake intake = intake_of(asker);
	return intake_deliver(&intake, frame, answer, e);
}

static int take_delete(
	struct asker *asker, const struct frame *frame, struct buf *answer, struct err *e)
{
	(void)answer;
	if (deletion_add(&asker->deletion, frame, writer.ticket_key, e) < 0)
		return -1;
	return deletion_carry_out(&asker->deletion, writer.store, writer.ticket_key, e);
}

static int take_results(
	struct asker *asker, const struct frame *frame, struct buf *answer, struct err *e)
{
	return dispatch_next(writer.store, writer.birth->config, asker->errand, frame, answer, e);
}

static int take_unreachable(
	struct asker *asker, const struct frame *frame, struct buf *answer, struct err *e)
{
	if (!asker->errand && asker->hello.service == SERVICE_DELIVERY)
		return err_set(e, ERR_DENIED, "a delivery that does not say where it goes");
	return dispatch_unreachable(
		writer.store, writer.birth->config, asker->errand, frame, answer, e);
}

/* ---- what needs no transaction now ---- */

/* Frees what is on disk of a message that will not be one, soon. */
static void abandon(const struct body_writer *body)
{
	if (unpromised_free(body))
		housekeeping_soon(); /* the purge frees what is much */
}

static void drop_message(struct asker *asker)
{
	abandon(&asker->body);
	body_writer_free(&asker->body);
}

static void forget(struct role_channel *from, const struct frame *frame)
{
	(void)frame;
	drop_message(from->owner);
}

static void keep_ids(struct role_channel *from, const struct frame *frame)
{
	struct asker *asker = from->owner;
	struct err e;
	if (deletion_add(&asker->deletion, frame, writer.ticket_key, &e) < 0)
		role_refuse(from, e.text);
}

static void keep_unpromised(struct role_channel *from, const struct frame *frame)
{
	(void)from;
	unpromised_keep(frame);
}

static void keep_event(struct role_channel *from, const struct frame *frame)
{
	struct asker *asker = from->owner;
	struct ticket ticket;
	struct slice detail;
	struct err e;
	if (asker->told++ == EVENTS_MOST)
		role_refuse(from, "tells more than a session does");
	else if (request_event_read(frame, writer.ticket_key, ticket_now(), &ticket, &detail, &e) <
		 0)
		role_refuse(from, e.text);
	else
		keep_unpromised(from, frame);
}

static void give_ticket_key(struct role_channel *from, const struct frame *frame)
{
	(void)frame;
	role_answer(from, ANSWER_OK,
		(struct slice){(const char *)writer.ticket_key, sizeof(writer.ticket_key)});
}

static void set_out(struct role_channel *from, const struct frame *frame)
{
	struct asker *asker = from->owner;
	struct err e;
	if (dispatch_set_out(&asker->errand, frame, &e) < 0)
		role_refuse(from, e.text);
}

static void tell_due(struct role_channel *from, const struct frame *frame)
{
	(void)frame;
	dispatch_due(writer.store, writer.birth->config, from);
}

/* ---- rights ---- */

#define BIT(service) (1u << (service))
enum {
	OF_SMTP = BIT(SERVICE_SMTP) | BIT(SERVICE_LMTP),
	OF_SUBMISSION = BIT(SERVICE_SUBMISSION),
	OF_TRUSTED = BIT(SERVICE_TRUSTED),
	OF_LOCAL = BIT(SERVICE_LOCAL),
	OF_SENDERS = OF_SMTP | OF_SUBMISSION | OF_TRUSTED | OF_LOCAL,
	OF_POP3 = BIT(SERVICE_POP3),
	OF_DIRECTORY = BIT(SERVICE_DIRECTORY),
	OF_RELAY = BIT(SERVICE_RELAY),
	OF_DELIVERY = BIT(SERVICE_DELIVERY),
};

static const struct right {
	unsigned type, services;
	bool fills; /* needs room on the disk */
	int (*step)(
		struct asker *asker, const struct frame *frame, struct buf *answer, struct err *e);
	void (*at_once)(struct role_channel *from, const struct frame *frame);
} rights[] = {
	{REQUEST_PIECE, OF_SENDERS, true, take_piece, NULL},
	{REQUEST_PIECE_BEHIND, OF_SENDERS, true, take_piece, NULL},
	{REQUEST_HEAD, OF_SENDERS, true, take_piece, NULL},
	{REQUEST_PIECE_BACK, OF_SENDERS, false, take_piece, NULL},
	{REQUEST_DELIVER, OF_SMTP | OF_TRUSTED | OF_LOCAL, true, take_delivery, NULL},
	{REQUEST_SUBMIT, OF_SUBMISSION | OF_TRUSTED, true, take_delivery, NULL},
	{REQUEST_FORGET, OF_SENDERS, false, NULL, forget},
	{REQUEST_DELETE, OF_POP3, false, take_delete, NULL},
	{REQUEST_DELETE_MORE, OF_POP3, false, NULL, keep_ids},
	{REQUEST_EVENT, OF_POP3, false, NULL, keep_event},
	{REQUEST_DUE, OF_RELAY, false, NULL, tell_due},
	{REQUEST_UNREACHABLE, OF_RELAY | OF_DELIVERY, false, take_unreachable, NULL},
	{REQUEST_DESTINATION, OF_DELIVERY, false, NULL, set_out},
	{REQUEST_NEXT, OF_DELIVERY, false, take_results, NULL},
	{REQUEST_TICKET_KEY, OF_DIRECTORY, false, NULL, give_ticket_key},
	{REQUEST_LOGGED_IN, OF_DIRECTORY, false, NULL, keep_unpromised},
	{REQUEST_NEW_HASH, OF_DIRECTORY, false, NULL, keep_unpromised},
};

static const struct right *find_right(const struct asker *asker, unsigned type)
{
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (rights[i].type == type && rights[i].services & BIT(asker->hello.service))
			return &rights[i];
	return NULL;
}

/* ---- the round ---- */

/* The step or the round in which the message grew was undone: the message is
 * lost as a whole. */
static void undo_message(struct asker *asker)
{
	abandon(&asker->before);
	asker->before = (struct body_writer){0};
	body_writer_free(&asker->body);
}

/* SQLite has rolled everything back, or the commit failed: nothing of this
 * round was done. Pieces of it are gone, so the messages they were of are. */
static void fail_round(const struct err *why)
{
	housekeeping_note_failure("commit-failed", why);
	for (size_t i = 0; i < writer.pending_count; i++) {
		struct pending *pending = &writer.pending[i];
		if (pending->error.kind == ERR_NONE)
			pending->error = *why;
		undo_message(pending->to->owner);
	}
}

/* Where another process does not let go of the store, each try takes seconds:
 * one a round is enough. */
static int begin_transaction(struct err *e)
{
	if (store_in_transaction(writer.store))
		return 0;
	if (writer.unbegun.kind == ERR_NONE) {
		if (store_begin(writer.store, e) == 0)
			return 0;
		log_failure(LOG_ERROR, "no-transaction", e);
		writer.unbegun = *e;
	}
	*e = writer.unbegun;
	return -1;
}

static void end_round(void);

/* Once a round. To make some takes transactions of its own: what this round has
 * been asked so far is done before. */
static void look_for_room(void)
{
	struct err e;
	if (writer.room_seen || writer.no_room.kind != ERR_NONE)
		return;
	int room = room_for_mail(writer.store, writer.birth->config, 0, &e);
	if (room == 0) {
		end_round();
		room = housekeeping_make_room(writer.store, writer.birth->config, &e) == 0 ? 1 : -1;
		housekeeping_soon(); /* goes on with it, or takes the ballast back */
	}
	writer.room_seen = room > 0;
	if (room < 0)
		writer.no_room = e;
}

/* A request that cannot even be tried. */
static void refuse_step(struct pending *pending, const struct err *why)
{
	pending->error = *why;
	undo_message(pending->to->owner);
}

static void take_step(struct role_channel *from, const struct right *right, struct frame *frame)
{
	struct asker *asker = from->owner;
	if (right->fills)
		look_for_room();
	struct pending *pending = &writer.pending[writer.pending_count++];
	struct err *e = &pending->error;
	*pending = (struct pending){.to = from,
		.fills = right->fills,
		.deletes = right->type == REQUEST_DELETE,
		.settles = right->type == REQUEST_NEXT || right->type == REQUEST_UNREACHABLE};
	asker->asked = true;
	asker->before = asker->body;
	asker->before.header = (struct buf){0};
	if (right->fills && writer.no_room.kind != ERR_NONE) {
		refuse_step(pending, &writer.no_room);
		return;
	}
	/* With nothing before it in the transaction it is undone with that, and spares
	 * SQLite the pages as they were. */
	bool first = !store_in_transaction(writer.store);
	if (begin_transaction(e) < 0) {
		undo_message(asker);
		return;
	}
	if (first || store_savepoint(writer.store, e) == 0) {
		if (right->step(asker, frame, &pending->body, e) == 0 &&
			(first || store_release(writer.store, e) == 0)) {
			e->kind = ERR_NONE;
			return;
		}
		if (!first)
			store_undo(writer.store);
	}
	if (!store_in_transaction(writer.store)) {
		struct err why = *e;
		fail_round(&why);
		return;
	}
	if (first)
		store_rollback(writer.store);
	if (!pending->deletes)
		undo_message(asker);
}

static void take(struct role_channel *from, struct frame *frame)
{
	struct err e;
	struct asker *asker = from->owner;
	gathering_came(&writer.gathering, from);
	if (!asker) {
		from->owner = asker = must_alloc(sizeof(*asker));
		if (request_hello_read(frame, &asker->hello, &e) < 0)
			role_refuse(from, e.text);
		return;
	}
	const struct right *right = find_right(asker, frame->type);
	if (!right)
		role_refuse(from, "asks the writer for what its service may not");
	else if (asker->asked)
		role_refuse(from, "does not wait for its answer");
	else if (right->step)
		take_step(from, right, frame);
	else
		right->at_once(from, frame);
}

static int settle_deletions(struct err *e)
{
	int done = 0;
	for (size_t i = 0; i < writer.pending_count && done == 0; i++) {
		const struct asker *asker = writer.pending[i].to->owner;
		if (writer.pending[i].deletes && writer.pending[i].error.kind == ERR_NONE)
			done = deletion_settle(&asker->deletion, writer.store, e);
	}
	return done;
}

static int commit(struct err *e)
{
	unpromised_take(writer.store, writer.ticket_key);
	if (settle_deletions(e) < 0)
		return -1;
	dispatch_give_up(writer.store, writer.birth->config);
	if (!store_in_transaction(writer.store))
		return err_set(e, ERR_IO, "the store rolled the transaction back");
	if (store_commit(writer.store, e) < 0)
		return -1;
	unpromised_committed();
	dispatch_committed();
	return 0;
}

static bool lacked_space(const struct pending *pending)
{
	return (pending->deletes || pending->settles) && pending->error.kind == ERR_SPACE;
}

static bool delete_step(const struct pending *pending)
{
	struct err e;
	struct asker *asker = pending->to->owner;
	struct deletion *deletion = &asker->deletion;
	if (!store_in_transaction(writer.store) || store_savepoint(writer.store, &e) < 0)
		return false;
	if (deletion_carry_out(deletion, writer.store, writer.ticket_key, &e) == 0 &&
		deletion_settle(deletion, writer.store, &e) == 0 &&
		store_release(writer.store, &e) == 0)
		return true;
	store_undo(writer.store);
	return false;
}

/* Deleting must work on a full disk, and what has left must be known: the ballast makes
 * room for the log of it. */
static void delete_again(void)
{
	struct err e;
	bool deleted[ROUND_FRAMES] = {false};
	size_t wanting = 0;
	for (size_t i = 0; i < writer.pending_count; i++)
		wanting += lacked_space(&writer.pending[i]);
	if (wanting == 0)
		return;
	store_ballast_drop(writer.store);
	if (store_begin(writer.store, &e) < 0)
		return;
	housekeeping_soon(); /* takes it back */
	for (size_t i = 0; i < writer.pending_count; i++)
		deleted[i] = writer.pending[i].deletes && lacked_space(&writer.pending[i]) &&
			     delete_step(&writer.pending[i]);
	if (!store_in_transaction(writer.store) || store_commit(writer.store, &e) < 0) {
		store_rollback(writer.store);
		return;
	}
	for (size_t i = 0; i < writer.pending_count; i++)
		if (deleted[i])
			writer.pending[i].error.kind = ERR_NONE;
}

static void answer(struct pending *pending)
{
	struct asker *asker = pending->to->owner;
	if (pending->error.kind == ERR_DENIED || pending->error.kind == ERR_INPUT)
		role_refuse(pending->to, pending->error.text);
	else if (pending->error.kind != ERR_NONE)
		role_answer_error(pending->to, &pending->error);
	else
		role_answer(pending->to, ANSWER_OK, buf_slice(&pending->body));
	buf_free(&pending->body);
	if (pending->fills)
		gathering_answered(&writer.gathering, pending->to);
	if (pending->deletes)
		deletion_free(&asker->deletion);
	dispatch_stepped(asker->errand, pending->error.kind == ERR_NONE);
	asker->asked = false;
}

static int commit_unpromised(struct err *e)
{
	if (store_begin(writer.store, e) == 0 && commit(e) == 0)
		return 0;
	store_rollback(writer.store);
	return -1;
}

/* The commit that nothing else brings. On a full disk the ballast makes room to
 * free what did not become a message. */
static void flush_unpromised(void)
{
	struct err e;
	bool frees = unpromised_frees() || dispatch_has_lost();
	bool due = frees || unpromised_is_due();
	if (!due || writer.unbegun.kind != ERR_NONE || commit_unpromised(&e) == 0)
		return;
	if (frees && e.kind == ERR_SPACE && store_ballast_drop(writer.store) &&
		commit_unpromised(&e) == 0)
		return;
	housekeeping_note_failure("commit-failed", &e);
}

/* Not amid a transaction: SQLite would not have it. */
static void take_config(void)
{
	struct err e;
	writer.reconfigured = false;
	if (store_set_sync(writer.store, (enum config_sync)writer.birth->config->sync, &e) < 0)
		log_failure(LOG_ERROR, "sync-not-set", &e);
}

static int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t gather_us(void)
{
	return writer.pending_count > 0 ? gathering_wait_us(&writer.gathering, now_us()) : 0;
}

static int commit_round(struct err *e)
{
	int64_t begun = now_us();
	if (commit(e) < 0)
		return -1;
	gathering_synced(&writer.gathering, now_us() - begun);
	return 0;
}

static void end_round(void)
{
	struct err e;
	if (store_in_transaction(writer.store) && commit_round(&e) < 0) {
		store_rollback(writer.store);
		fail_round(&e);
	}
	delete_again();
	if (writer.pending_count > 0)
		gathering_next_round(&writer.gathering);
	for (size_t i = 0; i < writer.pending_count; i++)
		answer(&writer.pending[i]);
	writer.pending_count = 0;
	flush_unpromised();
	writer.unbegun.kind = writer.no_room.kind = ERR_NONE;
	writer.room_seen = false;
	if (writer.reconfigured)
		take_config();
	housekeeping_checkpoint(writer.store, false);
}

/* ---- between rounds ---- */

static int rest(void)
{
	unpromised_hurry();
	flush_unpromised();
	return housekeeping_step(writer.store, writer.birth->config);
}

static void closed(struct role_channel *channel)
{
	struct asker *asker = channel->owner;
	gathering_came(&writer.gathering, channel);
	if (!asker)
		return;
	drop_message(asker);
	dispatch_closed(channel, asker->errand);
	if (dispatch_has_lost())
		housekeeping_soon();
	deletion_free(&asker->deletion);
	free(asker);
}

static void configured(const struct config *config)
{
	(void)config;
	writer.reconfigured = true;
}

static int abandon_all(struct err *e)
{
	if (store_begin(writer.store, e) == 0 && body_abandon_all(writer.store, e) == 0 &&
		dispatch_begin(writer.store, e) == 0 && store_commit(writer.store, e) == 0)
		return 0;
	store_rollback(writer.store);
	return -1;
}

static int begin(struct err *e)
{
	const struct config *config = writer.birth->config;
	digest_random(writer.ticket_key, sizeof(writer.ticket_key));
	if (store_open(&writer.store, config->data, STORE_WRITER, (enum config_sync)config->sync,
		    e) < 0)
		return -1;
	/* It serves without, too: what is not freed now is freed at the next start. */
	if (abandon_all(e) < 0 &&
		(e->kind != ERR_SPACE || !store_ballast_drop(writer.store) || abandon_all(e) < 0))
		log_failure(LOG_WARNING, "pieces-not-freed", e);
	return sandbox_seal(SEAL_STORE_ROLE, e);
}

int writer_run(struct role_birth *birth, struct err *e)
{
	const struct role_program program = {.name = "writer",
		.frame = take,
		.closed = closed,
		.gather_us = gather_us,
		.round_end = end_round,
		.idle = rest,
		.configured = configured,
		.round_frames = ROUND_FRAMES,
		.round_octets = ROUND_OCTETS};
	writer.birth = birth;
	if (begin(e) < 0)
		return -1;
	int done = role_run(&program, birth, e);
	housekeeping_soon();
	rest();
	store_close(writer.store);
	return done;
}
