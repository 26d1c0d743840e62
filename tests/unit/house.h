/* Writer, directory and keys as they run in the server, each in a process of its own
 * and sealed; the test is their master, and sessions of every service. The caller has
 * included cmocka.h. */
#ifndef TESTS_UNIT_HOUSE_H
#define TESTS_UNIT_HOUSE_H

#include "base/listen.h"
#include "base/sandbox.h"
#include "store/requests.h"
#include "store/roles.h"
#include "tests/unit/letters.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static const unsigned char known_key[DIGEST_SIZE] = "known to directory and writer";

static inline struct ticket signed_ticket(void)
{
	struct ticket ticket = {
		.service = SERVICE_POP3, .user_id = 7, .folder_id = 8, .expires = 1000};
	ticket_sign(&ticket, known_key);
	return ticket;
}

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

static inline void run_role(struct house *house, size_t i, int master_fd, pid_t parent)
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

static inline void start_role(struct house *house, size_t i)
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

static inline int setup(void **state)
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
		house->listeners[i] =
			listen_unix(house->run_dir, roles[i].name, 0600, 0, 0, &house->e);
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

static inline void end_role(struct house *house, size_t i)
{
	int status;
	channel_close(&house->masters[i]);
	assert_int_equal(waitpid(house->pids[i], &status, 0), house->pids[i]);
	assert_int_equal(status, 0);
}

static inline int teardown(void **state)
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
static inline struct channel join(struct house *house, size_t role, enum service_kind service)
{
	struct channel channel;
	assert_int_equal(channel_connect(&channel, house->run_dir, roles[role].name, &house->e), 0);
	assert_int_equal(request_hello(&channel, service, PEER, &house->e), 0);
	return channel;
}

static inline void ask(
	struct house *house, struct channel *channel, unsigned type, struct slice body)
{
	struct iovec part = {(void *)(uintptr_t)body.at, body.len};
	assert_int_equal(channel_send(channel, type, &part, 1, NULL, 0, &house->e), 0);
}

/* The role ends the channel, and has not answered. */
static inline void assert_sent_away(struct house *house, struct channel *channel)
{
	int got = channel_receive(channel, &house->frame, &house->e);
	assert_true(got <= 0);
	channel_close(channel);
}

static inline int file_for(struct house *house, struct channel *writer, const char *recipient,
	struct slice rest, enum err_kind *result)
{
	const struct envelope_recipient recipients[] = {{.address = slice_of(recipient)}};
	const struct delivery delivery = {.sender = SLICE("budi@far.example"),
		.recipients = recipients,
		.recipient_count = 1,
		.received = SLICE(RECEIVED),
		.queue_id = "ABCDEFGHIJKL",
		.peer = PEER};
	return request_deliver(writer, NULL, &delivery, rest, result, &house->e);
}

/* Through a channel of its own. */
static inline void file(struct house *house, const char *recipient, const char *text)
{
	struct channel writer = join(house, WRITER, SERVICE_SMTP);
	enum err_kind result;
	assert_int_equal(file_for(house, &writer, recipient, slice_of(text), &result), 0);
	assert_int_equal(result, ERR_NONE);
	channel_close(&writer);
}

/* A login on a channel of its own, which is held open in *directory. */
static inline struct login log_in(struct house *house, struct channel *directory, const char *user)
{
	struct login login;
	struct slice password = user[0] == 'a' ? SLICE(ANIS) : SLICE(BUDIS);
	*directory = join(house, DIRECTORY, SERVICE_POP3);
	if (request_login(directory, slice_of(user), password, &login, &house->e) < 0)
		fail_msg("%s", house->e.text);
	return login;
}

static inline size_t count_messages(struct house *house, const char *user)
{
	struct channel directory;
	struct login login = log_in(house, &directory, user);
	size_t count = login.maildrop.count;
	maildrop_free(&login.maildrop);
	channel_close(&directory);
	return count;
}

/* The store as a tool sees it, while the server runs. */
static inline void with_store(struct house *house, void (*look)(struct test_office *office))
{
	struct test_office *office = house->office;
	assert_int_equal(
		store_open(&office->store, office->data, STORE_TOOL, SYNC_NORMAL, &house->e), 0);
	look(office);
	store_close(office->store);
	office->store = NULL;
}

static inline int prepare(void **state)
{
	struct err e;
	(void)state;
	return sandbox_prepare(&e);
}

#define HOUSE_TEST(promise) cmocka_unit_test_setup_teardown(promise, setup, teardown)

#endif
