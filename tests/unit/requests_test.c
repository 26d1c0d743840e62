/* store/requests: the tickets and the frames, and what the roles make of those
 * that a hostile session sends. Writer, directory and keys run as they do in the
 * server, each in a process of its own and sealed; the test is their master, and
 * sessions of every service. */
#include "base/listen.h"
#include "base/sandbox.h"
#include "store/requests.h"
#include "store/roles.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/letters.h"
#include "tests/unit/tls_client.h"

#define PEER "203.0.113.5"

/* yescrypt at its cheapest. */
#define ANI       "ani@kantor.example"
#define ANIS      "rahasia-ani"
#define ANIS_HASH "$y$j75$kantorexample.an$dhr6WWbNOZTxEToGPFbYOQzEZtl3JKg04Fwhl03VYS6"
/* Of the old server, of the same password. */
#define ANIS_OLD_HASH "$5$rounds=1000$kantor$eAos37pDVGrspM8QXGRhf/.XdlcmyDMqWyAK.j2lD/4"
#define BUDI          "budi@kantor.example"
#define BUDIS         "rahasia-budi"
#define BUDIS_HASH    "$y$j75$kantorexample.bu$aDPzuIp8Ucb7Cr.YkzfCqx0UO9IOD9hnxcuMpdSs3IB"

/* ---- tickets ---- */

static const unsigned char key[DIGEST_SIZE] = "known to directory and writer";

static struct ticket signed_ticket(void)
{
	struct ticket ticket = {.user_id = 7, .folder_id = 8, .expires = 1000};
	ticket_sign(&ticket, key);
	return ticket;
}

static void assert_denied(const struct ticket *ticket, int64_t now)
{
	struct err e = {0};
	assert_int_equal(ticket_check(ticket, key, now, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
}

static void a_ticket_is_good_until_its_time(void **state)
{
	struct ticket ticket = signed_ticket();
	struct err e;
	(void)state;
	assert_int_equal(ticket_check(&ticket, key, 0, &e), 0);
	assert_int_equal(ticket_check(&ticket, key, 1000, &e), 0);
	assert_denied(&ticket, 1001);
}

static void a_ticket_changed_in_any_octet_is_forged(void **state)
{
	struct ticket good = signed_ticket();
	(void)state;
	for (size_t i = 0; i < sizeof(good); i++) {
		struct ticket ticket = good;
		((unsigned char *)&ticket)[i] ^= 1;
		assert_denied(&ticket, 0);
	}
	assert_denied(&(struct ticket){.user_id = 7, .folder_id = 8, .expires = 1000}, 0);
}

static void a_ticket_of_another_key_is_forged(void **state)
{
	const unsigned char other[DIGEST_SIZE] = "of the writer that died";
	struct ticket ticket = signed_ticket();
	(void)state;
	ticket_sign(&ticket, other);
	assert_denied(&ticket, 0);
}

static void a_ticket_travels_as_it_is(void **state)
{
	struct ticket ticket = signed_ticket(), got;
	struct buf body = {0};
	struct err e;
	(void)state;
	pack_ticket(&body, &ticket);
	struct unpack in = {.rest = buf_slice(&body)};
	unpack_ticket(&in, &got);
	assert_int_equal(unpack_end(&in, &e), 0);
	assert_memory_equal(&got, &ticket, sizeof(ticket));
	buf_free(&body);
}

/* ---- frames that are none of their kind ---- */

static int read_hello(uint64_t service, const char *peer, struct hello *hello)
{
	struct buf body = {0};
	struct err e;
	pack_number(&body, service);
	pack_text(&body, peer);
	struct frame frame = {.type = REQUEST_HELLO, .body = buf_slice(&body)};
	int done = request_hello_read(&frame, hello, &e);
	if (done < 0)
		assert_int_equal(e.kind, ERR_INPUT);
	buf_free(&body);
	return done;
}

static void a_hello_names_a_service_and_a_peer(void **state)
{
	struct hello hello;
	struct err e;
	(void)state;
	assert_int_equal(read_hello(SERVICE_LMTP, "unix", &hello), 0);
	assert_int_equal(hello.service, SERVICE_LMTP);
	assert_true(hello.source.is_local);
	assert_int_equal(read_hello(SERVICE_POP3, PEER, &hello), 0);
	assert_string_equal(hello.peer, PEER);
	assert_int_equal(read_hello(SERVICE_DIRECTORY + 1, PEER, &hello), -1);
	assert_int_equal(read_hello((UINT64_C(1) << 32) + SERVICE_POP3, PEER, &hello), -1);
	assert_int_equal(read_hello(SERVICE_POP3, "nowhere", &hello), -1);
	assert_int_equal(read_hello(SERVICE_POP3, "", &hello), -1);
	struct frame other = {.type = REQUEST_LOGIN};
	assert_int_equal(request_hello_read(&other, &hello, &e), -1);
}

static void a_delivery_with_more_recipients_than_octets_is_none(void **state)
{
	static const uint64_t counts[] = {3, UINT32_MAX, UINT64_MAX / 16, UINT64_MAX};
	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct buf body = {0};
		struct delivery delivery;
		struct slice *recipients = NULL, rest;
		struct err e;
		pack_text(&body, "budi@far.example");
		pack_number(&body, counts[i]);
		pack_text(&body, ANI);
		struct frame frame = {.type = REQUEST_DELIVER, .body = buf_slice(&body)};
		assert_int_equal(
			request_deliver_read(&frame, &delivery, &recipients, &rest, &e), -1);
		assert_int_equal(e.kind, ERR_INPUT);
		assert_null(recipients);
		buf_free(&body);
	}
}

static void half_a_number_is_no_entry_to_delete(void **state)
{
	struct ticket ticket;
	struct buf ids = {0};
	struct err e;
	struct frame frame = {.type = REQUEST_DELETE_MORE, .body = SLICE("123456789012")};
	(void)state;
	assert_int_equal(request_delete_read(&frame, &ticket, &ids, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_int_equal(ids.len, 0);
}

static void a_digest_longer_than_any_is_not_signed(void **state)
{
	struct tls_signing what;
	struct buf body = {0};
	struct err e;
	char hash[TLS_HASH_MAX + 1] = "";
	(void)state;
	pack_fixed(&body, key, TLS_KEY_ID_SIZE);
	pack_number(&body, 4);
	pack_slice(&body, (struct slice){hash, sizeof(hash)});
	struct frame frame = {.type = REQUEST_SIGN, .body = buf_slice(&body)};
	assert_int_equal(request_sign_read(&frame, &what, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	buf_free(&body);
}

/* ---- the house ---- */

enum { WRITER, DIRECTORY, KEYS, ROLES };
static const struct {
	const char *name;
	int (*run)(struct role_birth *birth, struct err *e);
} roles[ROLES] = {{"writer", writer_run}, {"directory", directory_run}, {"keys", keys_run}};

struct house {
	struct test_office *office;
	int run_dir;
	int listeners[ROLES]; /* the master's as long as the house stands */
	pid_t pids[ROLES];
	struct channel masters[ROLES];
	struct frame frame;
	struct err e;
};

static void run_role(struct house *house, size_t i, int master_fd, pid_t parent)
{
	const struct sandbox_account same = {0};
	struct config config = house->office->config;
	struct role_birth birth = {
		.config = &config, .listener = house->listeners[i], .run_dir = house->run_dir};
	struct err e;
	channel_open(&birth.master, master_fd);
	birth.master.takes_fds = true;
	signal(SIGPIPE, SIG_IGN);
	int done = sandbox_take_account(&same, parent, &e);
	if (done == 0)
		done = roles[i].run(&birth, &e);
	if (done < 0)
		dprintf(STDERR_FILENO, "%s: %s\n", roles[i].name, e.text);
	exit(done < 0);
}

static void start_role(struct house *house, size_t i)
{
	int pair[2];
	pid_t parent = getpid();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	house->pids[i] = fork();
	if (house->pids[i] == 0) {
		close(pair[0]);
		for (size_t j = 0; j < ROLES; j++)
			channel_close(&house->masters[j]);
		run_role(house, i, pair[1], parent);
	}
	close(pair[1]);
	channel_open(&house->masters[i], pair[0]);
}

static int setup(void **state)
{
	struct house *house = must_alloc(sizeof(*house));
	char path[64];
	office_setup((void **)&house->office);
	struct test_office *office = house->office;
	strcpy(office->config.data, office->data);
	office->config.auth_failures = 10;
	WRITE(office, users_add(office->store, &office->config, SLICE(ANI), ANIS_HASH,
			      QUOTA_DEFAULT, &office->e));
	WRITE(office, users_add(office->store, &office->config, SLICE(BUDI), BUDIS_HASH,
			      QUOTA_DEFAULT, &office->e));
	store_close(office->store);
	office->store = NULL;

	snprintf(path, sizeof(path), "%s/run", office->data);
	assert_int_equal(mkdir(path, 0700), 0);
	house->run_dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ROLES; i++) {
		house->masters[i].fd = -1;
		house->listeners[i] = listen_unix(house->run_dir, roles[i].name, 0, 0, &house->e);
		assert_true(house->listeners[i] >= 0);
	}
	for (size_t i = 0; i < ROLES; i++)
		start_role(house, i);
	for (size_t i = 0; i < ROLES; i++) {
		assert_int_equal(channel_receive(&house->masters[i], &house->frame, &house->e), 1);
		assert_int_equal(house->frame.type, ROLE_READY);
	}
	*state = house;
	return 0;
}

static void end_role(struct house *house, size_t i)
{
	int status;
	channel_close(&house->masters[i]);
	assert_int_equal(waitpid(house->pids[i], &status, 0), house->pids[i]);
	assert_int_equal(status, 0);
}

static int teardown(void **state)
{
	static const char *const left[] = {
		"run/writer", "run/directory", "run/keys", "lock", "ballast"};
	struct house *house = *state;
	char path[64];
	end_role(house, DIRECTORY);
	end_role(house, KEYS);
	end_role(house, WRITER);
	for (size_t i = 0; i < ROLES; i++)
		close(house->listeners[i]);
	close(house->run_dir);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", house->office->data, left[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/run", house->office->data);
	rmdir(path);
	office_teardown((void **)&house->office);
	free(house);
	return 0;
}

/* A session's channel to a role. */
static struct channel join(struct house *house, size_t role, enum service_kind service)
{
	struct channel channel;
	assert_int_equal(channel_connect(&channel, house->run_dir, roles[role].name, &house->e), 0);
	assert_int_equal(request_hello(&channel, service, PEER, &house->e), 0);
	return channel;
}

static void ask(struct house *house, struct channel *channel, unsigned type, struct slice body)
{
	struct iovec part = {(void *)(uintptr_t)body.at, body.len};
	assert_int_equal(channel_send(channel, type, &part, 1, NULL, 0, &house->e), 0);
}

/* The role ends the channel, and has not answered. */
static void assert_sent_away(struct house *house, struct channel *channel)
{
	int got = channel_receive(channel, &house->frame, &house->e);
	assert_true(got <= 0);
	channel_close(channel);
}

static int file_for(struct house *house, struct channel *writer, const char *recipient,
	struct slice rest, enum err_kind *result)
{
	const struct slice recipients[] = {slice_of(recipient)};
	const struct delivery delivery = {.sender = SLICE("budi@far.example"),
		.recipients = recipients,
		.recipient_count = 1,
		.received = SLICE(RECEIVED),
		.queue_id = "ABCDEFGHIJKL",
		.peer = PEER};
	return request_deliver(writer, &delivery, rest, result, &house->e);
}

/* Through a channel of its own. */
static void file(struct house *house, const char *recipient, const char *text)
{
	struct channel writer = join(house, WRITER, SERVICE_SMTP);
	enum err_kind result;
	assert_int_equal(file_for(house, &writer, recipient, slice_of(text), &result), 0);
	assert_int_equal(result, ERR_NONE);
	channel_close(&writer);
}

/* A login on a channel of its own, which is held open in *directory. */
static struct login log_in(struct house *house, struct channel *directory, const char *user)
{
	struct login login;
	struct slice password = user[0] == 'a' ? SLICE(ANIS) : SLICE(BUDIS);
	*directory = join(house, DIRECTORY, SERVICE_POP3);
	if (request_login(directory, slice_of(user), password, &login, &house->e) < 0)
		fail_msg("%s", house->e.text);
	return login;
}

static size_t count_messages(struct house *house, const char *user)
{
	struct channel directory;
	struct login login = log_in(house, &directory, user);
	size_t count = login.maildrop.count;
	maildrop_free(&login.maildrop);
	channel_close(&directory);
	return count;
}

/* ---- the right way ---- */

static void mail_that_smtp_files_is_listed_by_pop3_and_deleted(void **state)
{
	struct house *house = *state;
	struct channel directory, asked = join(house, DIRECTORY, SERVICE_SMTP);
	struct channel writer = join(house, WRITER, SERVICE_POP3);
	assert_int_equal(request_resolve(&asked, SLICE("Ani@Kantor.Example"), 0, &house->e), 0);
	assert_int_equal(request_resolve(&asked, SLICE("x@kantor.example"), 0, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_MISSING);
	file(house, ANI, LETTER);
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, "ani");
	assert_string_equal(login.user, ANI);
	assert_string_equal(login.folder, "Inbox");
	assert_int_equal(login.maildrop.count, 2);
	assert_true(login.maildrop.items[0].size > strlen(LETTER));
	assert_int_equal(
		request_delete(&writer, &login.ticket, &login.maildrop.items[0].id, 1, &house->e),
		0);
	request_event(&writer, &login.ticket, SLICE("retrieved=0"));
	assert_int_equal(count_messages(house, ANI), 1);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
	channel_close(&writer);
	channel_close(&asked);
}

static void a_message_of_many_pieces_is_one(void **state)
{
	struct house *house = *state;
	struct channel directory, writer = join(house, WRITER, SERVICE_LMTP);
	struct buf big = {0};
	enum err_kind result;
	fill(&big, 2 * BODY_PIECE + 100);
	for (size_t at = 0; at + BODY_PIECE < big.len; at += BODY_PIECE)
		assert_int_equal(
			request_piece(&writer, (struct slice){big.at + at, BODY_PIECE}, &house->e),
			0);
	assert_int_equal(file_for(house, &writer, ANI, (struct slice){big.at + 2 * BODY_PIECE, 100},
				 &result),
		0);
	struct login login = log_in(house, &directory, ANI);
	assert_int_equal(login.maildrop.count, 1);
	assert_true(login.maildrop.items[0].size > big.len);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
	channel_close(&writer);
	buf_free(&big);
}

static void after_a_login_the_store_s_files_come_and_are_read_only(void **state)
{
	struct house *house = *state;
	struct channel directory;
	struct login login = log_in(house, &directory, ANI);
	int fds[3];
	assert_int_equal(request_store_files(&directory, fds, &house->e), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFL) & O_ACCMODE, O_RDONLY);
		close(fds[i]);
	}
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

/* ---- rights ---- */

static void what_a_service_may_not_ask_ends_its_channel(void **state)
{
	static const struct {
		unsigned role, service, type;
	} forbidden[] = {
		{WRITER, SERVICE_POP3, REQUEST_PIECE},
		{WRITER, SERVICE_POP3, REQUEST_DELIVER},
		{WRITER, SERVICE_POP3, REQUEST_FORGET},
		{WRITER, SERVICE_POP3, REQUEST_TICKET_KEY},
		{WRITER, SERVICE_POP3, REQUEST_LOGGED_IN},
		{WRITER, SERVICE_POP3, REQUEST_NEW_HASH},
		{WRITER, SERVICE_SMTP, REQUEST_DELETE},
		{WRITER, SERVICE_SMTP, REQUEST_DELETE_MORE},
		{WRITER, SERVICE_SMTP, REQUEST_EVENT},
		{WRITER, SERVICE_SMTP, REQUEST_TICKET_KEY},
		{WRITER, SERVICE_LMTP, REQUEST_DELETE},
		{WRITER, SERVICE_LMTP, REQUEST_NEW_HASH},
		{WRITER, SERVICE_DIRECTORY, REQUEST_DELIVER},
		{WRITER, SERVICE_DIRECTORY, REQUEST_DELETE},
		{WRITER, SERVICE_SMTP, REQUEST_LOGIN},
		{WRITER, SERVICE_SMTP, ANSWER_OK},
		{WRITER, SERVICE_SMTP, ROLE_CONFIG},
		{WRITER, SERVICE_SMTP, 65535},
		{DIRECTORY, SERVICE_SMTP, REQUEST_LOGIN},
		{DIRECTORY, SERVICE_SMTP, REQUEST_STORE_FILES},
		{DIRECTORY, SERVICE_LMTP, REQUEST_LOGIN},
		{DIRECTORY, SERVICE_POP3, REQUEST_RESOLVE},
		{DIRECTORY, SERVICE_POP3, REQUEST_DELETE},
		{DIRECTORY, SERVICE_DIRECTORY, REQUEST_LOGIN},
		{DIRECTORY, SERVICE_POP3, ROLE_CONFIG},
		{KEYS, SERVICE_POP3, REQUEST_LOGIN},
		{KEYS, SERVICE_SMTP, MASTER_KEY_FILE},
	};
	struct house *house = *state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		struct channel channel =
			join(house, forbidden[i].role, (enum service_kind)forbidden[i].service);
		ask(house, &channel, forbidden[i].type, SLICE(""));
		assert_sent_away(house, &channel);
	}
	file(house, ANI, LETTER);
	assert_int_equal(count_messages(house, ANI), 1);
}

static void a_pop3_channel_that_files_a_whole_message_files_none(void **state)
{
	struct house *house = *state;
	struct channel writer = join(house, WRITER, SERVICE_POP3);
	enum err_kind result;
	assert_int_equal(file_for(house, &writer, ANI, SLICE(LETTER), &result), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	assert_int_equal(count_messages(house, ANI), 0);
	channel_close(&writer);
}

static void who_does_not_begin_with_a_hello_is_sent_away(void **state)
{
	static const unsigned first[] = {
		REQUEST_TICKET_KEY, REQUEST_LOGIN, REQUEST_SIGN, ANSWER_OK, 0};
	struct house *house = *state;
	for (size_t role = 0; role < ROLES; role++) {
		for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
			struct channel channel;
			assert_int_equal(channel_connect(&channel, house->run_dir, roles[role].name,
						 &house->e),
				0);
			ask(house, &channel, first[i], SLICE(""));
			assert_sent_away(house, &channel);
		}
	}
}

static void who_says_hello_twice_is_sent_away(void **state)
{
	struct house *house = *state;
	for (size_t role = 0; role < ROLES; role++) {
		struct channel channel = join(house, role, SERVICE_SMTP);
		assert_int_equal(request_hello(&channel, SERVICE_DIRECTORY, PEER, &house->e), 0);
		assert_sent_away(house, &channel);
	}
}

/* Both in one write, so that the role finds both. */
static void who_asks_again_before_the_answer_is_sent_away(void **state)
{
	struct house *house = *state;
	struct channel writer = join(house, WRITER, SERVICE_SMTP);
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	struct buf piece = {0}, two = {0}, login = {0};
	fill(&piece, BODY_PIECE);
	pack_text(&login, ANI);
	pack_text(&login, ANIS);
	channel_add_frame(&two, REQUEST_LOGIN, buf_slice(&login));
	channel_add_frame(&two, REQUEST_LOGIN, buf_slice(&login));
	assert_int_equal(send(directory.fd, two.at, two.len, 0), two.len);
	assert_sent_away(house, &directory);

	buf_clear(&two);
	channel_add_frame(&two, REQUEST_FORGET, SLICE(""));
	for (int i = 0; i < 2; i++)
		channel_add_frame(&two, REQUEST_DELIVER, SLICE("no delivery"));
	assert_int_equal(send(writer.fd, two.at, two.len, 0), two.len);
	assert_sent_away(house, &writer);
	file(house, ANI, LETTER);
	assert_int_equal(count_messages(house, ANI), 1);
	buf_free(&piece);
	buf_free(&login);
	buf_free(&two);
}

static void frames_of_the_right_type_with_wrong_fields_are_refused(void **state)
{
	static const struct {
		unsigned role, service, type;
		struct slice body;
	} wrong[] = {
		{WRITER, SERVICE_SMTP, REQUEST_PIECE, {"", 0}},
		{WRITER, SERVICE_SMTP, REQUEST_PIECE, {"less than a piece", 17}},
		{WRITER, SERVICE_SMTP, REQUEST_DELIVER, {"", 0}},
		{WRITER, SERVICE_SMTP, REQUEST_DELIVER, {"\377\377\377\377\377\377\377\377", 8}},
		{WRITER, SERVICE_POP3, REQUEST_DELETE, {"", 0}},
		{WRITER, SERVICE_POP3, REQUEST_DELETE_MORE, {"odd", 3}},
		{DIRECTORY, SERVICE_POP3, REQUEST_LOGIN, {"", 0}},
		{DIRECTORY, SERVICE_POP3, REQUEST_LOGIN, {"\0\0\0\0\0\0\0\0", 8}},
		{DIRECTORY, SERVICE_SMTP, REQUEST_RESOLVE, {"", 0}},
		{DIRECTORY, SERVICE_SMTP, REQUEST_RESOLVE, {"\0\0\0\0\0\0\0\0", 8}},
		{KEYS, SERVICE_POP3, REQUEST_SIGN, {"", 0}},
	};
	struct house *house = *state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct channel channel =
			join(house, wrong[i].role, (enum service_kind)wrong[i].service);
		ask(house, &channel, wrong[i].type, wrong[i].body);
		assert_sent_away(house, &channel);
	}
}

/* ---- deleting ---- */

/* Tries to delete; the writer must end the channel. */
static void assert_does_not_delete(struct house *house, const struct ticket *ticket, int64_t id)
{
	struct channel writer = join(house, WRITER, SERVICE_POP3);
	assert_int_equal(request_delete(&writer, ticket, &id, 1, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&writer);
}

static void only_a_ticket_of_the_directory_s_deletes(void **state)
{
	struct house *house = *state;
	struct channel directory;
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, ANI);
	int64_t id = login.maildrop.items[0].id;
	struct ticket forged = login.ticket;
	forged.user_id++;
	assert_does_not_delete(house, &forged, id);
	forged = login.ticket;
	forged.expires += 3600;
	assert_does_not_delete(house, &forged, id);
	forged = login.ticket;
	forged.mac[DIGEST_SIZE - 1] ^= 1;
	assert_does_not_delete(house, &forged, id);
	ticket_sign(&forged, key);
	assert_does_not_delete(house, &forged, id);
	assert_does_not_delete(house, &(struct ticket){0}, id);
	assert_int_equal(count_messages(house, ANI), 1);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

static void a_ticket_reaches_its_own_account_and_no_other(void **state)
{
	struct house *house = *state;
	struct channel ani, budi;
	file(house, ANI, LETTER);
	file(house, BUDI, LETTER);
	struct login hers = log_in(house, &ani, ANI), his = log_in(house, &budi, BUDI);
	assert_does_not_delete(house, &hers.ticket, his.maildrop.items[0].id);
	assert_does_not_delete(house, &hers.ticket, INT64_MAX);
	assert_does_not_delete(house, &hers.ticket, -1);
	assert_int_equal(count_messages(house, ANI), 1);
	assert_int_equal(count_messages(house, BUDI), 1);
	maildrop_free(&hers.maildrop);
	maildrop_free(&his.maildrop);
	channel_close(&ani);
	channel_close(&budi);
}

static void a_deletion_with_one_that_may_not_be_deletes_none(void **state)
{
	struct house *house = *state;
	struct channel ani, budi, writer = join(house, WRITER, SERVICE_POP3);
	file(house, ANI, LETTER);
	file(house, BUDI, LETTER);
	struct login hers = log_in(house, &ani, ANI), his = log_in(house, &budi, BUDI);
	const int64_t ids[] = {hers.maildrop.items[0].id, his.maildrop.items[0].id};
	assert_int_equal(request_delete(&writer, &hers.ticket, ids, 2, &house->e), -1);
	assert_int_equal(count_messages(house, ANI), 1);
	assert_int_equal(count_messages(house, BUDI), 1);
	maildrop_free(&hers.maildrop);
	maildrop_free(&his.maildrop);
	channel_close(&ani);
	channel_close(&budi);
	channel_close(&writer);
}

static void a_deletion_longer_than_a_frame_is_one(void **state)
{
	enum { COUNT = DELETE_IDS + 10 };
	struct house *house = *state;
	struct channel directory, writer = join(house, WRITER, SERVICE_POP3);
	int64_t *ids = must_alloc(COUNT * sizeof(*ids));
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, ANI);
	for (size_t i = 0; i < COUNT; i++)
		ids[i] = login.maildrop.items[0].id; /* as often as a hostile session likes */
	assert_int_equal(request_delete(&writer, &login.ticket, ids, COUNT, &house->e), 0);
	assert_int_equal(count_messages(house, ANI), 0);
	free(ids);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
	channel_close(&writer);
}

static void what_is_deleted_is_deleted_though_nobody_waits_for_the_answer(void **state)
{
	struct house *house = *state;
	struct channel directory, writer = join(house, WRITER, SERVICE_POP3);
	struct buf body = {0};
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, ANI);
	pack_ticket(&body, &login.ticket);
	pack_slice(
		&body, (struct slice){(const char *)&login.maildrop.items[0].id, sizeof(int64_t)});
	ask(house, &writer, REQUEST_DELETE, buf_slice(&body));
	channel_close(&writer);
	while (count_messages(house, ANI) > 0)
		continue;
	buf_free(&body);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

/* ---- filing ---- */

static void nobody_s_word_but_the_store_s_says_who_gets_mail(void **state)
{
	struct house *house = *state;
	struct channel writer = join(house, WRITER, SERVICE_SMTP);
	static const struct {
		const char *recipient;
		enum err_kind result;
	} wrong[] = {{"budi@far.example", ERR_DENIED}, {"x@kantor.example", ERR_MISSING},
		{"' OR 1=1 --", ERR_INPUT}, {"", ERR_INPUT}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		enum err_kind result = ERR_NONE;
		assert_int_equal(
			file_for(house, &writer, wrong[i].recipient, SLICE(LETTER), &result), 0);
		assert_int_equal(result, wrong[i].result);
	}
	assert_int_equal(count_messages(house, ANI), 0);
	channel_close(&writer);
}

static int64_t count_pieces(struct house *house)
{
	struct test_office *office = house->office;
	assert_int_equal(
		store_open(&office->store, office->data, STORE_READER, SYNC_NORMAL, &house->e), 0);
	int64_t count = number(office, SQL("SELECT count(*) FROM pieces /* scans pieces */"));
	store_close(office->store);
	office->store = NULL;
	return count;
}

static void what_was_sent_of_a_message_goes_with_its_session(void **state)
{
	struct house *house = *state;
	struct channel cut_off = join(house, WRITER, SERVICE_SMTP);
	struct channel given_up = join(house, WRITER, SERVICE_SMTP);
	struct buf piece = {0};
	enum err_kind result;
	fill(&piece, BODY_PIECE);
	assert_int_equal(request_piece(&cut_off, buf_slice(&piece), &house->e), 0);
	assert_int_equal(request_piece(&given_up, buf_slice(&piece), &house->e), 0);
	assert_int_equal(count_pieces(house), 2);
	channel_close(&cut_off);
	request_forget(&given_up);
	/* The channel goes on with the next message; with its commits goes what is
	 * left of the others. */
	do {
		assert_int_equal(
			file_for(house, &given_up, "x@kantor.example", SLICE(LETTER), &result), 0);
	} while (count_pieces(house) > 0);
	channel_close(&given_up);
	buf_free(&piece);
}

/* ---- logging in ---- */

static enum err_kind try_login(
	struct house *house, struct channel *directory, struct slice user, struct slice password)
{
	struct login login;
	if (request_login(directory, user, password, &login, &house->e) == 0) {
		maildrop_free(&login.maildrop);
		return ERR_NONE;
	}
	assert_int_equal(login.maildrop.count, 0);
	return house->e.kind;
}

static void a_wrong_login_may_be_followed_by_a_right_one_and_that_by_none(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE("no")), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE("x"), SLICE(ANIS)), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_NONE);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_GONE);
	channel_close(&directory);
}

static void a_name_or_password_as_long_as_a_frame_is_wrong_and_nothing_else(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	struct buf endless = {0};
	fill(&endless, CHANNEL_FRAME_MAX - 100);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), buf_slice(&endless)), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE("x"), buf_slice(&endless)), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, buf_slice(&endless), SLICE("x")), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE("a\0b")), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE("ani\0"), SLICE(ANIS)), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_NONE);
	channel_close(&directory);
	buf_free(&endless);
}

static void before_a_login_the_store_s_files_are_not_handed_out(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	int fds[3];
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE("no")), ERR_DENIED);
	assert_int_equal(request_store_files(&directory, fds, &house->e), -1);
	assert_int_equal(house->e.kind, ERR_GONE);
	channel_close(&directory);
}

/* The user's row as a tool sees it. */
static struct user look_up(struct house *house, const char *address)
{
	struct test_office *office = house->office;
	assert_int_equal(
		store_open(&office->store, office->data, STORE_READER, SYNC_NORMAL, &house->e), 0);
	struct user user = get_user(office, address);
	store_close(office->store);
	office->store = NULL;
	return user;
}

static void what_nobody_waits_for_is_written_with_the_next_commit(void **state)
{
	struct house *house = *state;
	struct test_office *office = house->office;
	assert_int_equal(
		store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL, &house->e), 0);
	int64_t id = get_user(office, ANI).id;
	WRITE(office, users_set_hash(office->store, id, ANIS_OLD_HASH, &office->e));
	store_close(office->store);
	office->store = NULL;
	assert_int_equal(look_up(house, ANI).last_login, 0);

	assert_int_equal(count_messages(house, ANI), 0);
	file(house, BUDI, LETTER);
	struct user user = look_up(house, ANI);
	assert_true(user.last_login > 0);
	assert_memory_equal(user.hash, "$y$", 3);
	assert_int_equal(count_messages(house, ANI), 0); /* with the new one */
}

static void past_the_limit_only_what_was_right_before_gets_in(void **state)
{
	struct house *house = *state;
	struct channel directory = join(house, DIRECTORY, SERVICE_POP3);
	assert_int_equal(count_messages(house, ANI), 0);
	for (char guess[] = "guess 0"; guess[6] <= '9'; guess[6]++)
		assert_int_equal(
			try_login(house, &directory, SLICE(BUDI), slice_of(guess)), ERR_DENIED);
	assert_int_equal(try_login(house, &directory, SLICE(BUDI), SLICE(BUDIS)), ERR_LIMITED);
	assert_int_equal(try_login(house, &directory, SLICE(ANI), SLICE(ANIS)), ERR_NONE);
	channel_close(&directory);
}

static void the_writer_s_death_makes_its_tickets_worthless(void **state)
{
	struct house *house = *state;
	struct channel directory;
	file(house, ANI, LETTER);
	struct login login = log_in(house, &directory, ANI);
	end_role(house, WRITER);
	start_role(house, WRITER);
	assert_does_not_delete(house, &login.ticket, login.maildrop.items[0].id);
	maildrop_free(&login.maildrop);
	channel_close(&directory);
}

/* ---- signing ---- */

static size_t sign(struct house *house, struct channel *keys, const unsigned char *id)
{
	struct tls_signing what = {.hash_id = br_sha256_ID, .hash_len = br_sha256_SIZE};
	unsigned char signature[TLS_SIGNATURE_MAX];
	(void)house;
	memcpy(what.key_id, id, sizeof(what.key_id));
	return request_sign(keys, &what, signature);
}

static void the_keys_sign_once_a_channel_and_for_keys_they_hold(void **state)
{
	struct house *house = *state;
	struct buf body = {0};
	struct tls_key *own = tls_client_read_key("ec256.key", &house->e);
	int fd = tls_client_open_data("ec256.key");
	struct channel keys = join(house, KEYS, SERVICE_POP3);
	assert_non_null(own);
	assert_int_equal(sign(house, &keys, key), 0);
	channel_close(&keys);

	pack_fixed(&body, tls_key_id(own), TLS_KEY_ID_SIZE);
	pack_text(&body, "ec256.key");
	struct iovec part = {body.at, body.len};
	assert_int_equal(
		channel_send(&house->masters[KEYS], MASTER_KEY_FILE, &part, 1, &fd, 1, &house->e),
		0);
	assert_int_equal(channel_receive(&house->masters[KEYS], &house->frame, &house->e), 1);
	assert_int_equal(house->frame.type, MASTER_KEY_TAKEN);
	keys = join(house, KEYS, SERVICE_SMTP);
	assert_true(sign(house, &keys, tls_key_id(own)) > 60);
	assert_int_equal(sign(house, &keys, tls_key_id(own)), 0);
	channel_close(&keys);
	close(fd);
	tls_key_free(own);
	buf_free(&body);
}

static int prepare(void **state)
{
	struct err e;
	(void)state;
	return sandbox_prepare(&e);
}

#define HOUSE_TEST(promise) cmocka_unit_test_setup_teardown(promise, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_is_good_until_its_time),
		cmocka_unit_test(a_ticket_changed_in_any_octet_is_forged),
		cmocka_unit_test(a_ticket_of_another_key_is_forged),
		cmocka_unit_test(a_ticket_travels_as_it_is),
		cmocka_unit_test(a_hello_names_a_service_and_a_peer),
		cmocka_unit_test(a_delivery_with_more_recipients_than_octets_is_none),
		cmocka_unit_test(half_a_number_is_no_entry_to_delete),
		cmocka_unit_test(a_digest_longer_than_any_is_not_signed),
		HOUSE_TEST(mail_that_smtp_files_is_listed_by_pop3_and_deleted),
		HOUSE_TEST(a_message_of_many_pieces_is_one),
		HOUSE_TEST(after_a_login_the_store_s_files_come_and_are_read_only),
		HOUSE_TEST(what_a_service_may_not_ask_ends_its_channel),
		HOUSE_TEST(a_pop3_channel_that_files_a_whole_message_files_none),
		HOUSE_TEST(who_does_not_begin_with_a_hello_is_sent_away),
		HOUSE_TEST(who_says_hello_twice_is_sent_away),
		HOUSE_TEST(who_asks_again_before_the_answer_is_sent_away),
		HOUSE_TEST(frames_of_the_right_type_with_wrong_fields_are_refused),
		HOUSE_TEST(only_a_ticket_of_the_directory_s_deletes),
		HOUSE_TEST(a_ticket_reaches_its_own_account_and_no_other),
		HOUSE_TEST(a_deletion_with_one_that_may_not_be_deletes_none),
		HOUSE_TEST(a_deletion_longer_than_a_frame_is_one),
		HOUSE_TEST(what_is_deleted_is_deleted_though_nobody_waits_for_the_answer),
		HOUSE_TEST(nobody_s_word_but_the_store_s_says_who_gets_mail),
		HOUSE_TEST(what_was_sent_of_a_message_goes_with_its_session),
		HOUSE_TEST(a_wrong_login_may_be_followed_by_a_right_one_and_that_by_none),
		HOUSE_TEST(a_name_or_password_as_long_as_a_frame_is_wrong_and_nothing_else),
		HOUSE_TEST(before_a_login_the_store_s_files_are_not_handed_out),
		HOUSE_TEST(what_nobody_waits_for_is_written_with_the_next_commit),
		HOUSE_TEST(past_the_limit_only_what_was_right_before_gets_in),
		HOUSE_TEST(the_writer_s_death_makes_its_tickets_worthless),
		HOUSE_TEST(the_keys_sign_once_a_channel_and_for_keys_they_hold),
	};
	return cmocka_run_group_tests_name("requests", tests, prepare, NULL);
}
