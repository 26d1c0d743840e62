/* The writer, asked by hostile sessions: whatever they send on channels of any
 * service, nothing of a user's is deleted without a ticket that the directory
 * gave for him, nor leaves anything as his, a deletion is all or nothing, what was
 * acknowledged is there, or on its way out, and of parts in their order, every question
 * is answered or its channel ended, and the next session is served as if nothing had been.
 *
 * Input: steps, each an octet of enum step, an octet that says on which of the
 * channels, and what the step wants. Before it ani and budi have two messages
 * each; luar@ is an alias that leads outside. budi has two devices, and all three
 * logins of his count: what is his leaves when each of them has deleted it. */
#include "base/header.h"
#include "store/devices.h"
#include "store/mail.h"
#include "tests/fuzz/arriving.h"
#include "tests/fuzz/role.h"

enum step {
	JOIN,        /* service, peer */
	RAW,         /* length, octets */
	FRAME,       /* type, length, body */
	DELIVERY,    /* bits of recipients, length, octets */
	PIECE,       /* letter */
	DELETE,      /* ticket, count, entries */
	DELETE_MORE, /* ticket, count, entries */
	EVENT,       /* ticket, length, octets */
	SUBMIT,      /* ticket, sender, bits of recipients, length, octets */
	LEAVE,
	BEHIND, /* letter */
	HEAD,   /* length, octets */
	BACK,   /* which: 255 is none of all */
	STEPS
};

#define CHANNELS   3
#define STEPS_MOST 48
#define PEER       "203.0.113.5"

static struct fuzz_office office;
static struct fuzz_role role = {.name = "writer", .run = writer_run};
static unsigned char ticket_key[DIGEST_SIZE];
static int64_t users[2], inboxes[2]; /* of ani and budi */
static int64_t logins[3];            /* of budi, as device_id */

static struct channel channels[CHANNELS];
static unsigned services[CHANNELS];
static struct arriving arriving[CHANNELS];
/* What was not answered has been sent: it may add to a deletion, or have ended the
 * channel. */
static bool uncertain[CHANNELS];
static bool may_delete[2], may_tell[2]; /* a ticket of theirs was shown */
static bool unknown_sent;               /* octets that may be anything, a delivery too */
static int64_t acknowledged[2];
static int64_t leaving[3]; /* acknowledged, too: of ani, of budi, forwarded */
static int64_t ids[8];     /* that an input can name: two of either, and others */
static unsigned pieces;
/* By which of his logins each of budi's two was deleted, a bit each; and whether that is
 * all that there was. */
static unsigned deleted_by[2];
static bool views_known;

/* ---- what is in the store ---- */

static int64_t number(const struct statement *statement, int64_t argument)
{
	struct query q = db_query(office.store, statement);
	int64_t result = 0;
	db_bind_int(&q, argument);
	assert(db_next(&q, &office.e) == 1);
	result = db_int(&q, 0);
	db_end(&q);
	return result;
}

static int64_t count_deleted(size_t who)
{
	return number(SQL("SELECT count(*) FROM entries WHERE folder_id = ?"
			  " AND deleted IS NOT NULL"),
		inboxes[who]);
}

static int64_t count_all(size_t who)
{
	return number(SQL("SELECT count(*) FROM entries WHERE folder_id = ?"), inboxes[who]);
}

static int64_t count_told(size_t who)
{
	return number(SQL("SELECT count(*) FROM events WHERE user_id = ? /* scans events */"),
		users[who]);
}

/* Messages on their way out, as a user's (0: forwarded). */
static int64_t count_leaving(int64_t user)
{
	return number(SQL("SELECT count(*) FROM outgoing WHERE user_id = ?"
			  " AND kind = iif(user_id, 'sent', 'forwarded') /* scans outgoing */"),
		user);
}

static void empty_store(void)
{
	static const char *const tables[] = {"recipients", "forwards", "hours", "hidden", "entries",
		"bodies WHERE refs = 0", "pieces", "events"};
	struct buf sql = {0};
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		buf_printf(&sql, "DELETE FROM %s;", tables[i]);
	WRITTEN(&office, db_script(office.store, buf_text(&sql), &office.e));
	buf_free(&sql);
}

static void tell(const char *sentence, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s\n", sentence);
}

/* ---- asking ---- */

static void join(size_t c, unsigned service, const char *peer)
{
	fuzz_leave(&channels[c]);
	channels[c] = fuzz_join(&role, service, peer);
	services[c] = service;
	uncertain[c] = false;
	arriving_end(&arriving[c]);
	arriving[c].unknown = false;
}

static void pack_delivery(
	struct buf *body, const char *sender, unsigned recipients, struct slice text)
{
	static const char *const addresses[] = {ANI, BUDI, "budi@far.example",
		"nobody@kantor.example", "luar@kantor.example", "ani+Junk@kantor.example",
		"\"ani\"@KANTOR.example", "' OR 1=1 --"};
	unsigned count = (unsigned)__builtin_popcount(recipients & 0xFF);
	pack_text(body, sender);
	pack_number(body, count);
	for (size_t i = 0; i < 8; i++)
		if (recipients >> i & 1) {
			pack_text(body, addresses[i]);
			pack_number(body, NOTIFY_DEFAULT);
			pack_text(body, "");
		}
	pack_text(body, "");
	pack_number(body, RETURN_DEFAULT);
	pack_text(body, "Received: by mail.kantor.example; today\r\n");
	pack_text(body, "ABCDEFGHIJKL");
	pack_text(body, PEER);
	pack_number(body, 0);
	pack_slice(body, text);
}

/* What the writer says of each recipient is what will be found. `who` has sent it; -1:
 * the world. True if it was filed for one of ours. */
static bool take_results(const struct frame *frame, unsigned recipients, int who)
{
	enum { NOBODY = -1, OUTSIDE = 2 };
	const int whose[] = {0, 1, who < 0 ? NOBODY : OUTSIDE, NOBODY, OUTSIDE, 0, 0, NOBODY};
	bool done[3] = {false, false, false};
	struct unpack in = {.rest = frame->body};
	for (size_t i = 0; i < 8; i++) {
		if (!(recipients >> i & 1))
			continue;
		bool filed = unpack_number(&in) == ERR_NONE;
		assert(whose[i] >= 0 || !filed);
		if (filed)
			done[whose[i]] = true;
	}
	assert(unpack_end(&in, &office.e) == 0);
	for (size_t i = 0; i < 2; i++)
		acknowledged[i] += done[i];
	leaving[who < 0 ? 2 : who] += done[OUTSIDE];
	return done[0] || done[1];
}

/* Behind a delivery: what was sent before was of this message, or is of none. */
static void end_message(size_t c, bool taken, bool filed, struct slice rest)
{
	const struct arriving *message = &arriving[c];
	if (taken && !message->unknown && arriving_is_headless(message)) {
		assert(message->head.len > 0);
		if (filed)
			arriving_compare(message, &office, rest);
	}
	arriving_end(&arriving[c]);
}

/* A message to those: true if it was taken. */
static bool deliver_on(size_t c, unsigned recipients, struct slice text)
{
	struct buf body = {0};
	struct frame frame;
	pack_delivery(&body, "budi@far.example", recipients, text);
	bool answered =
		fuzz_ask(&channels[c], REQUEST_DELIVER, &body, &frame) && frame.type == ANSWER_OK;
	buf_free(&body);
	/* Those who are trusted do not send as budi@far.example. */
	assert(!answered || services[c] == SERVICE_SMTP || services[c] == SERVICE_LMTP);
	end_message(c, answered, answered && take_results(&frame, recipients, -1), text);
	return answered;
}

/* Of the user it names if it is good for the service, else -1. */
static int make_ticket(struct ticket *ticket, unsigned kind, enum service_kind service)
{
	size_t who = kind & 1;
	*ticket = (struct ticket){.service = service,
		.user_id = users[who],
		.folder_id = inboxes[who],
		.expires = ticket_now() + TICKET_LIFETIME};
	ticket_sign(ticket, ticket_key);
	switch (kind >> 1) {
	case 0:
		return (int)who;
	case 1: /* another's mailbox */
		ticket->user_id = users[!who];
		ticket->folder_id = inboxes[!who];
		return -1;
	case 2: /* of yesterday */
		ticket->expires = ticket_now() - 1;
		break;
	case 3: /* of another login of his */
		ticket->service = service == SERVICE_POP3 ? SERVICE_SUBMISSION : SERVICE_POP3;
		break;
	case 4: /* of a device of budi's */
	case 5:
		if (who == 1) {
			ticket->device_id = logins[(kind >> 1) - 3];
			ticket_sign(ticket, ticket_key);
			return (int)who;
		}
		__attribute__((fallthrough));
	default: /* changed somewhere */
		((unsigned char *)ticket)[kind % sizeof(*ticket)] ^= 0x80;
		return -1;
	}
	ticket_sign(ticket, ticket_key);
	return -1;
}

/* The header's one author, as it can be read without doubt, is the user. */
static bool is_author(size_t who, struct slice text)
{
	struct buf authors = {0};
	bool good = header_authors(text, &authors);
	for (struct slice rest = buf_slice(&authors); rest.len > 0;)
		good = slice_equal_nocase(
			       slice_cut(&rest, '\n'), slice_of(who == 0 ? ANI : BUDI)) &&
		       good;
	buf_free(&authors);
	return good;
}

/* As staff do. */
static void submit_on(size_t c, struct slice *in)
{
	static const char *const senders[] = {"", ANI, BUDI, "budi@far.example"};
	struct ticket ticket;
	struct buf body = {0};
	struct frame frame;
	int who = make_ticket(&ticket, fuzz_octet(in), SERVICE_SUBMISSION);
	unsigned sender = fuzz_octet(in) & 3, recipients = fuzz_octet(in);
	struct slice text = fuzz_take(in, fuzz_octet(in));
	pack_ticket(&body, &ticket);
	pack_delivery(&body, senders[sender], recipients, text);
	bool done =
		fuzz_ask(&channels[c], REQUEST_SUBMIT, &body, &frame) && frame.type == ANSWER_OK;
	buf_free(&body);
	bool filed = false;
	if (done) {
		const struct arriving *message = &arriving[c];
		struct slice head =
			arriving_is_headless(message) ? buf_slice(&message->head) : text;
		assert(services[c] == SERVICE_SUBMISSION || services[c] == SERVICE_TRUSTED);
		assert(who >= 0 && (sender == 0 || sender == (unsigned)who + 1));
		/* A piece of one letter names nobody. */
		assert(message->unknown || (message->pieces == 0 && is_author((size_t)who, head)));
		filed = take_results(&frame, recipients, who);
	}
	end_message(c, done, filed, text);
}

static void pack_ids(struct buf *list, struct slice *in)
{
	unsigned count = fuzz_octet(in) & 7;
	for (unsigned i = 0; i < count; i++)
		pack_number(list, (uint64_t)ids[fuzz_octet(in) & 7]);
}

/* All of them the user's own, and in order? 0 and what was never given is
 * nobody's. */
static bool are_of(int who, struct slice list)
{
	struct unpack in = {.rest = list};
	for (int64_t before = INT64_MIN; in.rest.len > 0;) {
		int64_t id = (int64_t)unpack_number(&in);
		if ((id != ids[2 * who] && id != ids[2 * who + 1]) || id <= before)
			return false;
		before = id;
	}
	return true;
}

static bool is_deleted(int64_t id)
{
	return number(SQL("SELECT deleted IS NOT NULL FROM entries WHERE id = ?"), id);
}

static bool is_hidden(int64_t id, int64_t device_id)
{
	struct query q = db_query(
		office.store, SQL("SELECT 1 FROM hidden WHERE entry_id = ? AND device_id = ?"));
	db_bind_int(&q, id);
	db_bind_int(&q, device_id);
	int found = db_next(&q, &office.e);
	db_end(&q);
	return found == 1;
}

/* One of budi's, by one of his logins. */
static void look_at_view(int64_t id, int64_t device_id, bool certain)
{
	size_t n = id == ids[3];
	views_known = views_known && certain;
	for (unsigned i = 0; i < 3; i++)
		if (logins[i] == device_id)
			deleted_by[n] |= 1u << i;
	assert(is_deleted(id) != is_hidden(id, device_id));
	assert(!views_known || is_deleted(id) == (deleted_by[n] == 7));
}

static void delete_on(size_t c, struct slice *in)
{
	struct ticket ticket;
	struct buf body = {0}, list = {0};
	struct frame frame;
	int64_t before[2] = {count_deleted(0), count_deleted(1)};
	int who = make_ticket(&ticket, fuzz_octet(in), SERVICE_POP3);
	bool pop3 = services[c] == SERVICE_POP3;
	pack_ids(&list, in);
	pack_ticket(&body, &ticket);
	pack_slice(&body, buf_slice(&list));
	bool done =
		fuzz_ask(&channels[c], REQUEST_DELETE, &body, &frame) && frame.type == ANSWER_OK;
	if (who >= 0)
		may_delete[who] = may_delete[who] || pop3;
	assert(!done || (who >= 0 && pop3));
	if (!uncertain[c] && !unknown_sent) {
		assert(done == (who >= 0 && pop3 && are_of(who, buf_slice(&list))));
		for (int of = 0; of < 2; of++)
			assert(count_deleted((size_t)of) == before[of] || (done && of == who));
	}
	for (size_t at = 0; done && at < list.len; at += sizeof(int64_t)) {
		int64_t id;
		memcpy(&id, list.at + at, sizeof(id));
		if (who == 0)
			assert(is_deleted(id));
		else
			look_at_view(id, ticket.device_id, !uncertain[c]);
	}
	views_known = views_known && (!done || who == 0 || !uncertain[c]);
	uncertain[c] = false;
	buf_free(&body);
	buf_free(&list);
}

static void delete_more_on(size_t c, struct slice *in)
{
	struct ticket ticket;
	struct buf body = {0}, list = {0};
	make_ticket(&ticket, fuzz_octet(in), SERVICE_POP3);
	pack_ids(&list, in);
	pack_ticket(&body, &ticket);
	pack_slice(&body, buf_slice(&list));
	uncertain[c] = true;
	fuzz_tell(&channels[c], REQUEST_DELETE_MORE, &body);
	buf_free(&body);
	buf_free(&list);
}

static void tell_on(size_t c, struct slice *in)
{
	struct ticket ticket;
	struct buf body = {0};
	int who = make_ticket(&ticket, fuzz_octet(in), SERVICE_POP3);
	pack_ticket(&body, &ticket);
	pack_slice(&body, fuzz_take(in, fuzz_octet(in)));
	fuzz_tell(&channels[c], REQUEST_EVENT, &body);
	if (who >= 0 && services[c] == SERVICE_POP3)
		may_tell[who] = true;
	/* One that it may not tell is its last. */
	uncertain[c] = uncertain[c] || who < 0 || services[c] != SERVICE_POP3;
	buf_free(&body);
}

static void send_part(size_t c, enum step step, struct slice *in)
{
	struct arriving *message = &arriving[c];
	unsigned octet = fuzz_octet(in);
	bool may = services[c] <= SERVICE_SUBMISSION || services[c] == SERVICE_TRUSTED ||
		   services[c] == SERVICE_LOCAL;
	message->unknown = message->unknown || uncertain[c];
	if (step == HEAD)
		arriving_send_head(message, &channels[c], may, fuzz_take(in, octet));
	else if (step == BACK)
		arriving_ask_back(message, &channels[c], may, octet < 255 ? octet : UINT64_MAX);
	else if (++pieces <= ARRIVING_MOST)
		arriving_send_piece(message, &channels[c], may,
			step == PIECE ? REQUEST_PIECE : REQUEST_PIECE_BEHIND, octet);
}

static bool is_answered(unsigned type)
{
	return type != REQUEST_FORGET && type != REQUEST_DELETE_MORE && type != REQUEST_EVENT &&
	       type != REQUEST_LOGGED_IN && type != REQUEST_NEW_HASH;
}

static void send_any_frame(size_t c, struct slice *in)
{
	unsigned type = fuzz_octet(in);
	struct buf body = {0};
	struct frame frame;
	buf_add_slice(&body, fuzz_take(in, fuzz_octet(in)));
	/* Of what could not be delivered its sender gets a report. */
	unknown_sent = unknown_sent || type == REQUEST_DELIVER || type == REQUEST_SUBMIT ||
		       type == REQUEST_NEXT || type == REQUEST_UNREACHABLE;
	uncertain[c] = uncertain[c] || !is_answered(type);
	arriving[c].unknown = true;
	if (services[c] == SERVICE_DIRECTORY)
		may_tell[0] = may_tell[1] = true;
	if (is_answered(type))
		fuzz_ask(&channels[c], type, &body, &frame);
	else
		fuzz_tell(&channels[c], type, &body);
	buf_free(&body);
}

static void take_step(struct slice *in)
{
	static const char *const peers[] = {PEER, "unix", "2001:db8::1", "192.0.2.1"};
	enum step step = fuzz_octet(in) % STEPS;
	size_t c = fuzz_octet(in) % CHANNELS;
	if (step == JOIN) {
		unsigned service = fuzz_octet(in) % SERVICE_KINDS;
		const char *peer = peers[fuzz_octet(in) & 3];
		join(c, service, service == SERVICE_LOCAL ? "unix:www-data" : peer);
		return;
	}
	if (channels[c].fd < 0)
		return;
	switch (step) {
	case RAW:
		unknown_sent = uncertain[c] = may_tell[0] = may_tell[1] = true;
		fuzz_send(&channels[c], fuzz_take(in, fuzz_octet(in)));
		/* What comes next on it is out of step: its end is all there is. */
		fuzz_leave(&channels[c]);
		break;
	case FRAME:
		send_any_frame(c, in);
		break;
	case DELIVERY: {
		unsigned recipients = fuzz_octet(in);
		deliver_on(c, recipients, fuzz_take(in, fuzz_octet(in)));
		break;
	}
	case PIECE:
	case BEHIND:
	case HEAD:
	case BACK:
		send_part(c, step, in);
		break;
	case DELETE:
		delete_on(c, in);
		break;
	case DELETE_MORE:
		delete_more_on(c, in);
		break;
	case SUBMIT:
		submit_on(c, in);
		break;
	case EVENT:
		tell_on(c, in);
		break;
	default:
		fuzz_leave(&channels[c]);
		break;
	}
}

/* ---- before and after ---- */

/* Two messages for either, filed as a session of smtp files them. */
static void furnish(void)
{
	struct maildrop maildrop;
	empty_store();
	memset(acknowledged, 0, sizeof(acknowledged));
	memset(leaving, 0, sizeof(leaving));
	may_delete[0] = may_delete[1] = may_tell[0] = may_tell[1] = unknown_sent = false;
	pieces = 0;
	deleted_by[0] = deleted_by[1] = 0;
	views_known = true;
	join(0, SERVICE_SMTP, PEER);
	assert(deliver_on(0, 3, SLICE("Subject: 1\r\n\r\n")));
	assert(deliver_on(0, 3, SLICE("Subject: 2\r\n\r\n")));
	fuzz_leave(&channels[0]);
	for (size_t who = 0; who < 2; who++) {
		maildrop = (struct maildrop){0};
		DONE(&office, maildrop_list(office.store, inboxes[who], &maildrop, &office.e));
		assert(maildrop.count == 2);
		ids[2 * who] = maildrop.items[0].id;
		ids[2 * who + 1] = maildrop.items[1].id;
		maildrop_free(&maildrop);
	}
	ids[4] = 0;
	ids[5] = -1;
	ids[6] = INT64_MAX;
	ids[7] = ids[3] + 1000000;
}

/* A session that means well; with its commit all that waited is written. */
static void look_after(void)
{
	for (size_t c = 0; c < CHANNELS; c++)
		fuzz_leave(&channels[c]);
	join(0, SERVICE_SMTP, PEER);
	assert(deliver_on(0, 3, SLICE("Subject: sense\r\n\r\n")));
	fuzz_leave(&channels[0]);
	for (size_t who = 0; who < 2; who++) {
		struct user user;
		assert(may_delete[who] || count_deleted(who) == 0);
		assert(may_tell[who] || count_told(who) == 0);
		assert(unknown_sent ? count_all(who) >= acknowledged[who]
				    : count_all(who) == acknowledged[who]);
		assert(unknown_sent ? count_leaving(users[who]) <= leaving[who]
				    : count_leaving(users[who]) == leaving[who]);
		assert(users_find_id(office.store, users[who], &user, &office.e) == 1);
		assert(strcmp(user.hash, who == 0 ? ANIS_HASH : BUDIS_HASH) == 0);
	}
	assert(unknown_sent || count_leaving(0) == leaving[2]);
	assert(mail_check(office.store, tell, NULL, &office.e) == 0);
}

/* Both have looked at the mailbox, and so has budi himself. */
static void give_devices(void)
{
	static const char *const names[] = {"hp", "pc"};
	for (size_t i = 0; i < 2; i++) {
		char hash[HASH_MAX];
		struct user user;
		struct device device;
		snprintf(hash, sizeof(hash), "$y$j75$kantorexample.bu$%s", names[i]);
		assert(users_find_id(office.store, users[1], &user, &office.e) == 1);
		WRITTEN(&office,
			devices_add(office.store, &user, slice_of(names[i]), hash, &office.e));
		assert(devices_find(office.store, users[1], slice_of(names[i]), &device,
			       &office.e) == 1);
		logins[1 + i] = device.id;
	}
	struct user user;
	assert(users_find_id(office.store, users[1], &user, &office.e) == 1);
	for (size_t i = 0; i < 3; i++)
		WRITTEN(&office,
			devices_logged_in(office.store, &user, logins[i], true, &office.e));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_office_open(&office);
	for (size_t who = 0; who < 2; who++) {
		users[who] = fuzz_user(&office, who == 0 ? ANI : BUDI);
		inboxes[who] = fuzz_folder(&office, who == 0 ? ANI : BUDI, FOLDER_INBOX);
	}
	WRITTEN(&office, aliases_add(office.store, &office.config, SLICE("luar@kantor.example"),
				 &(struct slice){"pak@far.example", 15}, 1, &office.e));
	give_devices();
	fuzz_role_start(&role, &office.config, fuzz_run_dir(&office.config));
	fuzz_role_wait(&role);
	struct channel directory = fuzz_join(&role, SERVICE_DIRECTORY, "unix");
	struct frame frame;
	assert(fuzz_tell(&directory, REQUEST_TICKET_KEY, &(struct buf){0}));
	assert(fuzz_hear(&directory, &frame) && frame.body.len == sizeof(ticket_key));
	memcpy(ticket_key, frame.body.at, sizeof(ticket_key));
	fuzz_leave(&directory);
	for (size_t c = 0; c < CHANNELS; c++)
		channels[c].fd = -1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size);
	furnish();
	for (int i = 0; i < STEPS_MOST && in.len > 0; i++)
		take_step(&in);
	look_after();
	return 0;
}
