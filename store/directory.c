/* The directory: answers where an address leads, whether a password is right,
 * and what is in a mailbox.
 *
 * It reads the store and writes nothing; what a login changes is told to the
 * writer, one way. Sessions hold their channel as long as they live: its end
 * tells that a mailbox is free again. */
#include "base/log.h"
#include "base/peers.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "store/addresses.h"
#include "store/hashing.h"
#include "store/keyring.h"
#include "store/known.h"
#include "store/requests.h"
#include "store/roles.h"
#include "store/room.h"
#include "store/senders.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SHOWN 400 /* octets: an address, a folder, and some more */

/* What the directory keeps for a channel. */
struct asker {
	struct asker *next;
	struct role_channel *channel;
	struct hello hello;
	bool waiting; /* for a helper's answer */
	bool logged_in;
	bool has_files;
	unsigned wrong_logins, wrong_addresses;
	int64_t folder_id; /* of the mailbox that is open, once logged in */
	int64_t device_id; /* by which, 0: by the own password */
	/* while waiting: */
	struct user user; /* id 0: there is none */
	struct keyring keyring;
	char folder[FOLDER_NAME_MAX];
	struct buf name; /* as the client wrote it */
};

static struct {
	struct store *store;
	struct role_birth *birth;
	int files[3];
	struct asker *askers;
	struct channel writer; /* fd -1: gone, or not there yet */
	unsigned char ticket_key[DIGEST_SIZE];
	bool has_ticket_key;
} directory;

/* ---- the writer ---- */

static void connect_writer(void);

static void hear_writer(void *arg)
{
	struct frame frame;
	struct err e;
	int got = channel_receive_some(&directory.writer, &frame, &e);
	(void)arg;
	if (got == 2)
		return;
	if (got == 1 && frame.type == ANSWER_OK && frame.body.len == DIGEST_SIZE) {
		memcpy(directory.ticket_key, frame.body.at, DIGEST_SIZE);
		directory.has_ticket_key = true;
		return;
	}
	/* A new writer has a new key, and the sessions of the old one end. */
	role_unwatch(directory.writer.fd);
	channel_close(&directory.writer);
	connect_writer();
}

/* The master keeps the writer's socket: who connects while it is down waits
 * there. */
static void connect_writer(void)
{
	struct err e;
	directory.has_ticket_key = false;
	if (channel_connect(&directory.writer, directory.birth->run_dir, "writer", &e) < 0 ||
		request_hello(&directory.writer, SERVICE_DIRECTORY, "unix", &e) < 0 ||
		channel_send(&directory.writer, REQUEST_TICKET_KEY, NULL, 0, NULL, 0, &e) < 0) {
		log_failure(LOG_ERROR, "no-writer", &e);
		exit(1);
	}
	role_watch(directory.writer.fd, hear_writer, NULL);
}

/* ---- reading ---- */

/* What one question asks is answered from one moment of the store: each statement by
 * itself would find the log changed by the mail of the moment, and read every page
 * anew. It serves without, too.
 *
 * The next question is answered from a later moment, though it comes in the same round:
 * who asks may have been told of a commit that this moment does not know yet, as a client
 * that comes back behind its QUIT. */
static void begin_reading(void)
{
	struct err e;
	(void)store_begin_reading(directory.store, &e);
}

static void end_reading(void)
{
	store_rollback(directory.store);
}

/* ---- addresses ---- */

/* May it send to the outside? */
static bool has_way_out(const struct asker *asker)
{
	return service_submits(asker->hello.service) &&
	       (asker->logged_in || asker->hello.service != SERVICE_SUBMISSION);
}

static int accept_address(
	const struct asker *asker, struct slice text, uint64_t size, struct err *e)
{
	struct address address;
	if (addresses_accept(directory.store, directory.birth->config, text, size, e) == 0)
		return 0;
	if (e->kind != ERR_DENIED || !has_way_out(asker))
		return -1;
	return addresses_check_outside(&address, text, e);
}

/* As a RCPT is judged: by the address first, whose refusal may be final. */
static int accept_recipient(
	const struct asker *asker, struct slice address, uint64_t size, struct err *e)
{
	return accept_address(asker, address, size, e) < 0
		       ? -1
		       : room_accept(directory.store, directory.birth->config, size, e);
}

static void resolve(struct role_channel *from, const struct frame *frame)
{
	struct asker *asker = from->owner;
	struct unpack in = {.rest = frame->body};
	struct err e;
	struct slice address = unpack_slice(&in);
	uint64_t size = unpack_number(&in);
	if (unpack_end(&in, &e) < 0) {
		role_refuse(from, e.text);
	} else if (asker->wrong_addresses > WRONG_ADDRESSES_MAX) {
		role_refuse(from, "guesses at addresses");
	} else if (accept_recipient(asker, address, size, &e) < 0) {
		asker->wrong_addresses += e.kind == ERR_MISSING;
		role_answer_error(from, &e);
	} else {
		role_answer(from, ANSWER_OK, SLICE(""));
	}
}

static void judge_sender(struct role_channel *from, const struct frame *frame)
{
	const struct asker *asker = from->owner;
	const struct submitter who = {.user_id = asker->user.id,
		.trusted = !asker->logged_in,
		.account = peer_account(asker->hello.peer)};
	struct err e;
	if (!asker->logged_in && asker->hello.service == SERVICE_SUBMISSION)
		role_refuse(from, "sends before a login");
	else if (senders_may(directory.store, directory.birth->config, &who, frame->body, &e) < 0)
		role_answer_error(from, &e);
	else
		role_answer(from, ANSWER_OK, SLICE(""));
}

/* ---- logging in ---- */

/* The line that fail2ban reads: its form does not change, and no name is so long
 * that the address behind it would be cut off. */
static void refuse_login(struct asker *asker, enum err_kind kind, const char *why)
{
	struct err e;
	struct slice name = buf_slice(&asker->name);
	asker->wrong_logins++;
	name.len = name.len < NAME_SHOWN ? name.len : NAME_SHOWN;
	log_event(LOG_NOTICE, "auth-failed",
		log_text("service", service_name(asker->hello.service)), log_slice("user", name),
		log_text("from", asker->hello.peer));
	err_set(&e, kind, "%s", why);
	role_answer_error(asker->channel, &e);
}

/* The password was right: nobody to ban. The client hears the same words. */
static void refuse_disabled(struct asker *asker, const struct device *device)
{
	struct err e;
	asker->wrong_logins++;
	log_event(LOG_NOTICE, "login-of-disabled",
		log_text("service", service_name(asker->hello.service)),
		log_text("user", asker->user.address), log_text("from", asker->hello.peer),
		log_if("device", device ? device->name : ""));
	err_set(&e, ERR_DENIED, "the account is disabled");
	role_answer_error(asker->channel, &e);
}

static bool is_open(int64_t folder_id, int64_t device_id)
{
	for (const struct asker *a = directory.askers; a; a = a->next)
		if (a->logged_in && !a->channel->ended && a->folder_id == folder_id &&
			a->device_id == device_id)
			return true;
	return false;
}

/* A folder that is not there is the Inbox, as it is for mail. */
static int find_folder(const struct asker *asker, struct folder *folder, struct err *e)
{
	int found = 0;
	if (asker->folder[0])
		found = folders_find(
			directory.store, asker->user.id, slice_of(asker->folder), folder, e);
	if (found == 0)
		found = folders_find(
			directory.store, asker->user.id, slice_of(FOLDER_INBOX), folder, e);
	if (found == 0)
		return err_set(e, ERR_IO, "%s has no Inbox", asker->user.address);
	return found < 0 ? -1 : 0;
}

/* The master learns an address from which somebody logged in. True if it was news. */
static bool learn(const struct peer *source, int64_t when_ms)
{
	struct buf body = {0};
	struct err e;
	char text[PEER_TEXT_MAX];
	if (!peers_learn(source, when_ms))
		return false;
	peer_text(source, text);
	pack_text(&body, text);
	pack_number(&body, (uint64_t)when_ms);
	/* If the master has gone, the loop ends. */
	channel_send_buf(&directory.birth->master, MASTER_KNOWN_ADDRESS, &body, &e);
	buf_free(&body);
	return true;
}

/* The writer is told what it has to write: an address that is new today, or an
 * hour that is. */
static void tell_login(const struct asker *asker, const struct device *device)
{
	bool views = asker->hello.service == SERVICE_POP3;
	int64_t now = store_now(directory.store);
	bool is_new = learn(&asker->hello.source, text_monotonic_ms());
	if (is_new || keyring_is_new_hour(&asker->keyring, device, views, now))
		request_logged_in(&directory.writer, asker->user.id, asker->device_id, views,
			asker->hello.peer);
}

static int open_mailbox(struct asker *asker, struct login *login, struct err *e)
{
	struct folder folder;
	if (find_folder(asker, &folder, e) < 0)
		return -1;
	if (directory.birth->config->exclusive && is_open(folder.id, asker->device_id))
		return err_set(e, ERR_IN_USE, "the mailbox is open in another session");
	int listed = asker->user.devices == 0
			     ? maildrop_list(directory.store, folder.id, &login->maildrop, e)
			     : maildrop_list_view(directory.store, folder.id, asker->device_id,
				       &login->maildrop, e);
	if (listed < 0)
		return -1;
	memcpy(login->folder, folder.name, sizeof(login->folder));
	asker->folder_id = folder.id;
	return 0;
}

static int make_login(struct asker *asker, struct login *login, struct err *e)
{
	if (!directory.has_ticket_key)
		return err_set(e, ERR_IO, "the writer is not there");
	if (asker->hello.service == SERVICE_POP3 && open_mailbox(asker, login, e) < 0)
		return -1;
	login->ticket = (struct ticket){
		.service = asker->hello.service == SERVICE_POP3 ? SERVICE_POP3 : SERVICE_SUBMISSION,
		.user_id = asker->user.id,
		.folder_id = asker->folder_id,
		.device_id = asker->device_id,
		.expires = ticket_now() + TICKET_LIFETIME};
	ticket_sign(&login->ticket, directory.ticket_key);
	memcpy(login->user, asker->user.address, sizeof(login->user));
	return 0;
}

/* Damage stays, and clients come back each minute. */
static void tell_login_failed(const struct err *e)
{
	static int64_t told_ms;
	if (e->kind != ERR_DAMAGED || log_is_due(&told_ms))
		log_failure(LOG_ERROR, "login-failed", e);
}

static void let_in(struct asker *asker, const struct device *device)
{
	struct login login = {0};
	struct err e;
	if (device)
		memcpy(login.device, device->name, sizeof(login.device));
	if (make_login(asker, &login, &e) < 0) {
		if (e.kind != ERR_IN_USE)
			tell_login_failed(&e);
		role_answer_error(asker->channel, &e);
	} else {
		asker->logged_in = true;
		/* First the master: the client's next connection is a known one's. */
		tell_login(asker, device);
		request_login_answer(asker->channel, &login);
	}
	maildrop_free(&login.maildrop);
}

/* `which` of the passwords it was, -1: none. */
static void judge(struct asker *asker, int which)
{
	int64_t now = text_monotonic_ms();
	struct keyring *keyring = &asker->keyring;
	const struct device *device = keyring_device(keyring, which);
	wipe(asker->user.hash, sizeof(asker->user.hash));
	if (which < 0) {
		logins_found_wrong(&keyring->pairs[0], &asker->hello.source, now);
		refuse_login(asker, ERR_DENIED, "wrong user or password");
	} else {
		logins_found_right(&keyring->pairs[which], now);
		asker->device_id = device ? device->id : 0;
		if (!asker->user.enabled)
			refuse_disabled(asker, device);
		else
			let_in(asker, device);
	}
	keyring_free(keyring);
}

static void hashed(void *arg, int which, const char *new_hash)
{
	struct asker *asker = arg;
	asker->waiting = false;
	if (which == 0 && new_hash[0])
		request_new_hash(&directory.writer, asker->user.id, asker->user.hash, new_hash);
	judge(asker, which);
}

static void check_login(struct asker *asker, struct slice password)
{
	const struct config *config = directory.birth->config;
	struct keyring *keyring = &asker->keyring;
	const char *hashes[KEYRING_MAX];
	const struct peer *source = &asker->hello.source;
	int64_t now = text_monotonic_ms();
	keyring_try(keyring, buf_slice(&asker->name), password);
	int fresh = keyring_find_fresh(keyring, now);
	if (fresh >= 0) {
		judge(asker, fresh);
		return;
	}
	/* Past the limit only a pair that was right before is looked at. */
	if (config->auth_failures && logins_count_wrong(source, now) >= config->auth_failures &&
		!keyring_is_remembered(keyring, now)) {
		refuse_login(asker, ERR_LIMITED, "too many wrong logins from this address");
		keyring_free(keyring);
		return;
	}
	asker->waiting = true;
	hashing_ask(source, password, hashes, keyring_hashes(keyring, hashes), hashed, asker);
}

static void log_in(struct role_channel *from, const struct frame *frame)
{
	struct asker *asker = from->owner;
	struct unpack in = {.rest = frame->body};
	struct err e;
	struct slice folder, name = unpack_slice(&in);
	struct slice password = unpack_slice(&in);
	if (unpack_end(&in, &e) < 0 || asker->waiting || asker->logged_in) {
		role_refuse(from, "logs in out of turn");
		return;
	}
	if (asker->wrong_logins >= WRONG_LOGINS_MAX) {
		role_refuse(from, "guesses at passwords");
		return;
	}
	buf_clear(&asker->name);
	buf_add_slice(&asker->name, name);
	int found = users_find_login(directory.store, name, &asker->user, &folder, &e);
	if (found == 0)
		asker->user = (struct user){0};
	if (found < 0 || keyring_load(&asker->keyring, directory.store, &asker->user, &e) < 0) {
		log_failure(LOG_ERROR, "login-failed", &e);
		role_answer_error(from, &e);
		return;
	}
	/* One that is too long for a folder's name is none that exists. */
	size_t len = found && folder.len < sizeof(asker->folder) ? folder.len : 0;
	if (len > 0)
		memcpy(asker->folder, folder.at, len);
	asker->folder[len] = '\0';
	check_login(asker, password);
	wipe((void *)(uintptr_t)password.at, password.len);
	wipe_stack();
}

static void hand_files(struct role_channel *from, const struct frame *frame)
{
	struct asker *asker = from->owner;
	(void)frame;
	/* Descriptors under way are counted for the account: who does not take them
	 * would leave none for others. */
	bool may = asker->logged_in || asker->hello.service == SERVICE_DELIVERY;
	if (!may || asker->has_files)
		role_refuse(from, "asks for the store before a login, or again");
	else
		role_answer_fds(from, ANSWER_OK, directory.files, 3);
	asker->has_files = true;
}

/* ---- damage ---- */

#define DAMAGED_MOST 256

/* Each entry once, as long as this process lives: the oldest is forgotten. */
static bool is_news(int64_t entry_id)
{
	static int64_t known[DAMAGED_MOST];
	static size_t next;
	for (size_t i = 0; i < DAMAGED_MOST; i++)
		if (known[i] == entry_id)
			return false;
	known[next] = entry_id;
	next = (next + 1) % DAMAGED_MOST;
	return true;
}

static void hear_damage(struct role_channel *from, const struct frame *frame)
{
	const struct asker *asker = from->owner;
	struct unpack in = {.rest = frame->body};
	struct err e;
	char why[sizeof(e.text)];
	int64_t entry_id = (int64_t)unpack_number(&in);
	unpack_text(&in, why, sizeof(why));
	if (!asker->logged_in || unpack_end(&in, &e) < 0) {
		role_refuse(from, "tells of damage out of turn");
		return;
	}
	if (is_news(entry_id))
		log_event(LOG_ERROR, "message-damaged", log_text("user", asker->user.address),
			log_number("message", entry_id), log_reason(why));
}

/* ---- rights ---- */

#define BIT(service) (1u << (service))
enum {
	OF_STAFF = BIT(SERVICE_SUBMISSION) | BIT(SERVICE_TRUSTED),
	OF_SUBMITTERS = OF_STAFF | BIT(SERVICE_LOCAL),
	OF_SENDERS = OF_SUBMITTERS | BIT(SERVICE_SMTP) | BIT(SERVICE_LMTP),
};

static const struct right {
	unsigned type, services;
	void (*run)(struct role_channel *from, const struct frame *frame);
} rights[] = {
	{REQUEST_RESOLVE, OF_SENDERS, resolve},
	{REQUEST_LOGIN, OF_STAFF | BIT(SERVICE_POP3), log_in},
	{REQUEST_MAY_SEND, OF_SUBMITTERS, judge_sender},
	{REQUEST_STORE_FILES, BIT(SERVICE_POP3) | BIT(SERVICE_DELIVERY), hand_files},
	{REQUEST_TELL_DAMAGE, BIT(SERVICE_POP3), hear_damage},
};

static void greet(struct role_channel *from, const struct frame *frame)
{
	struct err e;
	struct asker *asker = must_alloc(sizeof(*asker));
	from->owner = asker;
	asker->channel = from;
	asker->next = directory.askers;
	directory.askers = asker;
	if (request_hello_read(frame, &asker->hello, &e) < 0)
		role_refuse(from, e.text);
}

static void take(struct role_channel *from, struct frame *frame)
{
	const struct asker *asker = from->owner;
	if (!asker) {
		greet(from, frame);
		return;
	}
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (rights[i].type == frame->type &&
			rights[i].services & BIT(asker->hello.service)) {
			begin_reading();
			rights[i].run(from, frame);
			end_reading();
			return;
		}
	role_refuse(from, "asks the directory for what its service may not");
}

static void closed(struct role_channel *channel)
{
	struct asker *asker = channel->owner;
	if (!asker)
		return;
	struct asker **at = &directory.askers;
	while (*at != asker)
		at = &(*at)->next;
	*at = asker->next;
	hashing_forget(asker);
	keyring_free(&asker->keyring);
	buf_free(&asker->name);
	wipe(asker, sizeof(*asker));
	free(asker);
}

/* ---- beginning ---- */

#define REST_MS 30000

/* What a big list took is given back when nobody asks for a while. */
static int rest(void)
{
	store_rest(directory.store);
	return REST_MS;
}

static void learn_again(const struct peer *source, int64_t seconds, void *arg)
{
	(void)arg;
	learn(source, text_monotonic_ms() - seconds * 1000);
}

static int begin(struct err *e)
{
	const struct config *config = directory.birth->config;
	struct frame frame;
	if (hashing_begin(e) < 0)
		return -1;
	/* The writer has made or mended the store when it answers. */
	connect_writer();
	if (channel_receive(&directory.writer, &frame, e) != 1 || frame.body.len != DIGEST_SIZE)
		return err_set(e, ERR_GONE, "the writer is not there");
	memcpy(directory.ticket_key, frame.body.at, DIGEST_SIZE);
	directory.has_ticket_key = true;
	if (store_files_open(directory.files, config->data, e) < 0 ||
		store_open(&directory.store, config->data, STORE_READER,
			(enum config_sync)config->sync, e) < 0)
		return -1;
	/* It serves without, too. */
	if (known_each(directory.store, learn_again, NULL, e) < 0)
		log_failure(LOG_WARNING, "addresses-not-known", e);
	return sandbox_seal(SEAL_STORE_ROLE, e);
}

int directory_run(struct role_birth *birth, struct err *e)
{
	const struct role_program program = {.name = "directory",
		.frame = take,
		.closed = closed,
		.idle = rest,
		.hears_secrets = true};
	directory.birth = birth;
	directory.writer.fd = -1;
	if (begin(e) < 0)
		return -1;
	int done = role_run(&program, birth, e);
	store_close(directory.store);
	return done;
}
