/* A session of POP3 from its greeting to its end, over a real store. A second
 * reading of what the client sent, which knows the protocol and not the server,
 * says what each answer must be: nobody is logged in whom the directory refused,
 * a message comes as it is stored, and at QUIT exactly what was marked is asked
 * to be deleted, once, with the ticket of the login; without QUIT nothing is. What was
 * sent whole, by RETR or by TOP, is what the store is told of.
 * How the octets were cut changes nothing.
 *
 * Input: an octet of flags (1: require_tls, 2: the writer fails), three that say
 * where to cut, the octets of the client. */
#include "base/text.h"
#include "pop3d/pop3d.h"
#include "store/events.h"
#include "store/maildrop.h"
#include "tests/fuzz/office.h"
#include "tests/fuzz/session.h"
#include "tests/unit/tls_client.h"
#include <fcntl.h>

#define LIMIT      253
#define SASL_LIMIT 12288
#define MESSAGES   5

static const char *const letters[MESSAGES] = {
	"Subject: satu\r\n\r\nisi\r\n",
	"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nb.\r\n",
	"Subject: no body\r\n\r\n",
	"no header at all\r\n\r\n\r\n\r\n \r\n.\r\n",
	"Subject: eight bits\r\n\r\n\xff\xfe caf\xc3\xa9\r\n",
};
static struct fuzz_office office;
static struct tls_chain *chain;
static int files[3];
static struct maildrop maildrop;
static struct buf stored[MESSAGES]; /* as RETR is to send them */

/* ---- the roles ---- */

static struct {
	size_t logins;
	bool files, deleted;
	struct buf ids;
	uint64_t told; /* how many were sent whole */
} asked;
static bool writer_fails;
static const unsigned char ticket_key[DIGEST_SIZE] = "of the writer's";

static void log_in(struct role_channel *role, struct unpack *in)
{
	struct login login = {.user = ANI, .folder = FOLDER_INBOX};
	struct slice user = unpack_slice(in), password = unpack_slice(in);
	login.ticket = (struct ticket){SERVICE_POP3, 1, 2, 0, ticket_now() + 3600, {0}};
	ticket_sign(&login.ticket, ticket_key);
	login.maildrop = maildrop;
	if (slice_has_prefix(user, SLICE("ani")) && slice_equal(password, SLICE(ANIS))) {
		asked.logins++;
		request_login_answer(role, &login);
	} else {
		fuzz_answer_error(role, user.len == 4 ? ERR_LIMITED : ERR_DENIED);
	}
}

static void send_files(struct role_channel *role)
{
	asked.files = true;
	role_answer_fds(role, ANSWER_OK, files, 3);
}

static void take_deletion(struct role_channel *role, const struct frame *frame)
{
	struct ticket ticket;
	struct err e;
	assert(request_delete_read(frame, &ticket, &asked.ids, &e) == 0);
	assert(ticket_check(&ticket, ticket_key, SERVICE_POP3, ticket_now(), &e) == 0 &&
		!asked.deleted);
	asked.deleted = true;
	if (writer_fails)
		fuzz_answer_error(role, ERR_SPACE);
	else
		role_answer(role, ANSWER_OK, SLICE(""));
}

static void take_event(const struct frame *frame)
{
	struct ticket ticket;
	struct slice detail;
	struct err e;
	assert(request_event_read(frame, ticket_key, ticket_now(), &ticket, &detail, &e) == 0);
	assert(text_to_number(events_word(detail, "retrieved"), 10, &asked.told));
}

static void answer(struct fuzz_session *session, struct role_channel *role, struct frame *frame)
{
	struct unpack in = {.rest = frame->body};
	bool directory = role == &session->directory;
	if (directory && frame->type == REQUEST_LOGIN)
		log_in(role, &in);
	else if (directory && frame->type == REQUEST_STORE_FILES)
		send_files(role);
	else if (!directory && frame->type == REQUEST_DELETE)
		take_deletion(role, frame);
	else if (!directory && frame->type == REQUEST_EVENT)
		take_event(frame);
	else
		abort();
}

/* ---- the second reading ---- */

struct walk {
	struct fuzz_walk fuzz;
	bool in; /* logged in */
	bool marked[MESSAGES];
	uint64_t whole; /* messages that came so */
	bool ended;
	bool has_stls; /* ended by it */
};

/* The first line of the next answer; true: +OK. */
static bool take_reply(struct walk *walk, struct slice *text)
{
	struct slice line;
	assert(fuzz_line(&walk->fuzz.heard, &line));
	assert(text_is_printable(line) && line.len <= 510);
	bool ok = slice_has_prefix(line, SLICE("+OK "));
	assert(ok || slice_has_prefix(line, SLICE("-ERR ")));
	*text = slice_from(line, ok ? 4 : 5);
	return ok;
}

/* The lines up to the dot, unstuffed, into *out. */
static void take_lines(struct walk *walk, struct buf *out)
{
	struct slice line;
	for (;;) {
		assert(fuzz_line(&walk->fuzz.heard, &line));
		if (slice_equal(line, SLICE(".")))
			return;
		if (slice_has_prefix(line, SLICE(".")))
			line = slice_from(line, 1);
		buf_add_slice(out, line);
		buf_add_text(out, "\r\n");
	}
}

static bool is_verb(struct slice verb, const char *word)
{
	return slice_equal_nocase(verb, slice_of(word));
}

/* The index of the message that a number names: it is there, and not marked. */
static bool find(const struct walk *walk, struct slice number, size_t *index)
{
	uint64_t n;
	if (!text_to_number(number, 10, &n) || n < 1 || n > MESSAGES)
		return false;
	*index = (size_t)n - 1;
	return !walk->marked[*index];
}

/* Where TOP ends: behind the header, its blank line, and so many lines. */
static size_t top_of(struct slice message, uint64_t lines)
{
	size_t at = 0;
	bool body = false;
	while (at < message.len && !(body && lines == 0)) {
		struct slice line = slice_from(message, at);
		line.len = slice_find(line, '\n') + 1;
		lines -= body;
		body = body || line.len == 2;
		at += line.len;
	}
	return at;
}

static void walk_message(struct walk *walk, struct slice verb, struct slice argument, bool ok)
{
	struct slice count = slice_trim(argument), number = count;
	struct buf got = {0};
	uint64_t lines = UINT64_MAX;
	size_t index;
	bool good = true;
	if (is_verb(verb, "TOP")) {
		number = slice_cut(&count, ' ');
		good = text_to_any_number(slice_trim(count), &lines);
	}
	assert(ok == (walk->in && good && find(walk, number, &index)));
	if (!ok)
		return;
	take_lines(walk, &got);
	struct slice message = buf_slice(&stored[index]);
	if (is_verb(verb, "TOP"))
		message.len = top_of(message, lines);
	assert(slice_equal(buf_slice(&got), message));
	walk->whole += lines > 0 && message.len == stored[index].len;
	buf_free(&got);
}

/* LIST and UIDL. */
static void walk_list(struct walk *walk, struct slice argument, bool ok)
{
	struct buf lines = {0};
	size_t index, left = 0;
	argument = slice_trim(argument);
	if (argument.len > 0) {
		assert(ok == (walk->in && find(walk, argument, &index)));
		return;
	}
	assert(ok == walk->in);
	if (!ok)
		return;
	take_lines(walk, &lines);
	for (size_t i = 0; i < MESSAGES; i++)
		left += !walk->marked[i];
	for (struct slice rest = buf_slice(&lines); rest.len > 0; left--)
		slice_cut(&rest, '\n');
	assert(left == 0);
	buf_free(&lines);
}

static void walk_quit(struct walk *walk, bool ok)
{
	struct buf ids = {0};
	for (size_t i = 0; i < MESSAGES; i++)
		if (walk->marked[i])
			buf_add(&ids, &maildrop.items[i].id, sizeof(int64_t));
	assert(asked.deleted == (ids.len > 0));
	assert(slice_equal(buf_slice(&ids), buf_slice(&asked.ids)));
	assert(ok == (ids.len == 0 || !writer_fails));
	buf_free(&ids);
	walk->ended = true;
}

/* The lines of an exchange; then its answer. */
static bool walk_auth(struct walk *walk, struct slice argument, struct slice *text)
{
	struct buf lines = {0};
	struct slice line;
	bool ok;
	while (slice_has_prefix(walk->fuzz.heard, SLICE("+ "))) {
		fuzz_line(&walk->fuzz.heard, &line);
		fuzz_walk_line(&walk->fuzz, SASL_LIMIT, &line);
	}
	ok = take_reply(walk, text);
	if (ok && !walk->in && slice_trim(argument).len == 0)
		take_lines(walk, &lines);
	buf_free(&lines);
	return ok;
}

static void walk_line(struct walk *walk, struct slice line)
{
	struct buf lines = {0};
	struct slice argument, text;
	struct slice verb = fuzz_verb(line, &argument);
	bool has_argument = slice_trim(argument).len > 0;
	size_t logins = walk->in, index;
	if (!fuzz_line_is_clean(line)) {
		assert(!take_reply(walk, &text));
		return;
	}
	bool auth = is_verb(verb, "AUTH");
	bool ok = auth ? walk_auth(walk, argument, &text) : take_reply(walk, &text);
	if (slice_equal(text, SLICE("this is a POP3 server"))) {
		walk->ended = true;
	} else if (is_verb(verb, "STLS")) {
		/* What stands behind it is no POP3, or came too early. */
		walk->ended = ok || slice_has_prefix(text, SLICE("wait for the answer"));
		walk->has_stls = walk->has_stls || walk->ended;
	} else if (is_verb(verb, "PASS") || (auth && has_argument)) {
		assert(!ok || (!walk->in && asked.logins == logins + 1));
		walk->in = walk->in || ok;
	} else if (is_verb(verb, "CAPA")) {
		assert(ok == !has_argument);
		if (ok)
			take_lines(walk, &lines);
	} else if (is_verb(verb, "RETR") || is_verb(verb, "TOP")) {
		walk_message(walk, verb, argument, ok);
	} else if (is_verb(verb, "LIST") || is_verb(verb, "UIDL")) {
		walk_list(walk, argument, ok);
	} else if (is_verb(verb, "DELE")) {
		assert(ok == (walk->in && find(walk, slice_trim(argument), &index)));
		if (ok)
			walk->marked[index] = true;
	} else if (is_verb(verb, "RSET") && ok) {
		assert(walk->in && !has_argument);
		memset(walk->marked, 0, sizeof(walk->marked));
	} else if (is_verb(verb, "QUIT") && !has_argument) {
		walk_quit(walk, ok);
	}
	buf_free(&lines);
}

/* True where it does not depend on chance what was heard: how much of what is
 * behind STLS had come before it was answered does. */
static bool walk_session(struct slice said, struct slice heard)
{
	struct walk walk = {.fuzz = {said, heard}};
	struct slice line, text;
	assert(take_reply(&walk, &text));
	while (!walk.ended) {
		if (slice_has_prefix(walk.fuzz.heard, SLICE("-ERR too many mistakes")) ||
			(walk.fuzz.rest.len > 0 && walk.fuzz.rest.at[0] == '\x16' &&
				slice_has_prefix(walk.fuzz.heard, SLICE("-ERR this is")))) {
			take_reply(&walk, &text);
			break;
		}
		/* The fifth wrong login is the last thing that is answered. */
		if (walk.fuzz.heard.len == 0 && !walk.in && walk.fuzz.rest.len > 0)
			break;
		switch (fuzz_walk_line(&walk.fuzz, LIMIT, &line)) {
		case WALK_LINE:
			walk_line(&walk, line);
			break;
		case WALK_LONG:
			assert(!take_reply(&walk, &text));
			break;
		case WALK_END:
			walk.ended = true;
			assert(!asked.deleted);
			break;
		}
	}
	assert(walk.fuzz.heard.len == 0 && asked.logins == walk.in);
	assert(walk.whole == asked.told);
	return !walk.has_stls;
}

/* ---- before and after ---- */

static void file_letter(const char *text)
{
	static const struct envelope_recipient recipients[] = {{.address = {ANI, sizeof(ANI) - 1}}};
	const struct delivery delivery = {.sender = SLICE("x@far.example"),
		.recipients = recipients,
		.recipient_count = 1,
		.received = SLICE("Received: today\r\n"),
		.queue_id = "ABCDEFGHIJKL",
		.peer = "unix"};
	struct body_writer body = {0};
	enum err_kind result;
	DONE(&office, store_begin(office.store, &office.e));
	DONE(&office, body_append(office.store, &body, slice_of(text), &office.e));
	DONE(&office, deliver(office.store, &office.config, &delivery, &body, &result, &office.e));
	DONE(&office, store_commit(office.store, &office.e));
	assert(result == ERR_NONE);
}

static void read_letter(struct store *store, size_t index)
{
	struct body_reader reader = {0};
	struct slice octets;
	DONE(&office, body_open(&reader, store, 0, maildrop.items[index].id, &office.e));
	do {
		DONE(&office, body_next(&reader, &octets, &office.e));
		buf_add_slice(&stored[index], octets);
	} while (octets.len > 0);
	body_close(&reader);
	size_t letter = strlen(letters[index]);
	assert(stored[index].len > letter &&
		memcmp(stored[index].at + stored[index].len - letter, letters[index], letter) == 0);
}

/* In a process of its own, as the writer does: makes the store and holds it open
 * until the target has gone. Tells where it is, and the folder. */
static void keep_store(int tell, int wait)
{
	char octet;
	fuzz_office_open(&office);
	int64_t inbox = fuzz_folder(&office, ANI, FOLDER_INBOX);
	for (size_t i = 0; i < MESSAGES; i++)
		file_letter(letters[i]);
	assert(write(tell, &inbox, sizeof(inbox)) == sizeof(inbox));
	assert(write(tell, &office.config, sizeof(office.config)) == sizeof(office.config));
	/* Whoever waits for the end of the target's output waits for the target. */
	close_range(0, 2, 0);
	while (read(wait, &octet, 1) > 0)
		continue;
	_exit(0);
}

static void read_all(int fd, void *out, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t got = read(fd, (char *)out + at, size - at);
		assert(got > 0);
		at += (size_t)got;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int told[2], kept[2], handed[3];
	int64_t inbox;
	struct store *store;
	(void)argc, (void)argv;
	chain = tls_client_read_chain("ec256.pem", &office.e);
	assert(chain);
	assert(pipe2(told, O_CLOEXEC) == 0 && pipe2(kept, O_CLOEXEC) == 0);
	if (fork() == 0) {
		close(kept[1]);
		keep_store(told[1], kept[0]);
	}
	close(kept[0]);
	read_all(told[0], &inbox, sizeof(inbox));
	read_all(told[0], &office.config, sizeof(office.config));
	DONE(&office, store_files_open(files, office.config.data, &office.e));
	for (size_t i = 0; i < 3; i++)
		handed[i] = dup(files[i]);
	DONE(&office, store_open_handed(&store, handed, &office.e));
	DONE(&office, maildrop_list(store, inbox, &maildrop, &office.e));
	assert(maildrop.count == MESSAGES);
	for (size_t i = 0; i < MESSAGES; i++)
		read_letter(store, i);
	store_close(store);
	return 0;
}

/* Those below 64, as bits. */
static uint64_t open_descriptors(void)
{
	uint64_t open = 0;
	for (int fd = 0; fd < 64; fd++)
		open |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
	return open;
}

static size_t sign_nothing(
	void *arg, const struct tls_signing *what, unsigned char signature[TLS_SIGNATURE_MAX])
{
	(void)arg, (void)what, (void)signature;
	return 0;
}

static struct buf serve(struct slice text, struct slice cuts, bool *same)
{
	struct fuzz_session session = {.serve = pop3d_serve, .answer = answer};
	session.visitor = (struct visitor){.peer = "192.0.2.1",
		.service = "pop3",
		.config = &office.config,
		.chain = chain,
		.sign = sign_nothing};
	uint64_t before = open_descriptors(), left;
	memset(&asked, 0, sizeof(asked));
	fuzz_serve(&session, text, cuts);
	*same = walk_session(text, buf_slice(&session.heard));
	buf_free(&asked.ids);
	/* The store's files stay open as long as a session's process. */
	left = asked.files ? open_descriptors() & ~before : 0;
	for (int fd = 0; fd < 64; fd++)
		if (left >> fd & 1)
			close(fd);
	return session.heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size);
	unsigned flags = fuzz_octet(&in);
	struct slice cuts = fuzz_take(&in, 3), text = fuzz_take(&in, SAID_MOST);
	bool cut_same, whole_same;
	office.config.pop3d_require_tls = flags & 1;
	writer_fails = flags & 2;
	struct buf cut = serve(text, cuts, &cut_same), whole = serve(text, SLICE(""), &whole_same);
	if (cut_same && whole_same && !memchr(data, '\x16', size))
		assert(slice_equal(buf_slice(&cut), buf_slice(&whole)));
	buf_free(&cut);
	buf_free(&whole);
	return 0;
}
