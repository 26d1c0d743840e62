/* pop3d: whole sessions against a directory and a writer that are two sockets.
 * What the client and the roles will say is put in their sockets beforehand;
 * then the session runs, and what it said is read. */
#include "pop3d/pop3d.h"
#include "store/requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs those above. */
#include <cmocka.h>

static struct config config;
static struct visitor visitor;
static int client;
static struct role_channel directory, writer;
static struct buf heard; /* what the client was told */

static int connected_pair(int *other)
{
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*other = pair[1];
	return pair[0];
}

static int set_up(void **state)
{
	int fd;
	(void)state;
	config = (struct config){.hostname = "mail.kantor.example", .idle_timeout = 600};
	visitor = (struct visitor){.peer = "192.0.2.1", .service = "pop3", .config = &config};
	client = connected_pair(&fd);
	conn_open(&visitor.conn, fd);
	directory = writer = (struct role_channel){0};
	channel_open(&visitor.directory, connected_pair(&fd));
	channel_open(&directory.channel, fd);
	channel_open(&visitor.writer, connected_pair(&fd));
	channel_open(&writer.channel, fd);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(client);
	channel_close(&visitor.directory);
	channel_close(&visitor.writer);
	channel_close(&directory.channel);
	channel_close(&writer.channel);
	buf_free(&heard);
	return 0;
}

static void client_says(const char *text)
{
	assert_int_equal(send(client, text, strlen(text), 0), strlen(text));
}

static void directory_grants(size_t messages, int64_t expires)
{
	struct login login = {.user = "ani@kantor.example", .folder = "Inbox"};
	login.ticket.expires = expires;
	for (size_t i = 0; i < messages; i++)
		maildrop_add(&login.maildrop, 100 + (int64_t)i, 1000, SLICE("uidl"));
	request_login_answer(&directory, &login);
	maildrop_free(&login.maildrop);
}

static void role_refuses(struct role_channel *role, enum err_kind kind)
{
	struct err e;
	err_set(&e, kind, "as the test wants it");
	role_answer_error(role, &e);
}

/* To the end of the session. */
static void serve_and_hear(void)
{
	ssize_t got;
	pop3d_serve(&visitor);
	conn_close(&visitor.conn);
	do {
		got = recv(client, buf_reserve(&heard, 4096), 4096, 0);
		assert_true(got >= 0);
		heard.len += (size_t)got;
	} while (got > 0);
}

/* A session whose client has said `text` and then nothing more. */
static void serve(const char *text)
{
	client_says(text);
	shutdown(client, SHUT_WR);
	serve_and_hear();
}

static bool was_told(const char *text)
{
	return strstr(buf_text(&heard), text) != NULL;
}

/* How often a line begins with `text`. */
static size_t count_lines(const char *text)
{
	struct slice rest = buf_slice(&heard);
	size_t count = 0;
	while (rest.len > 0)
		count += slice_has_prefix(slice_cut(&rest, '\n'), slice_of(text));
	return count;
}

static bool was_asked(struct role_channel *role)
{
	char octet;
	return recv(role->channel.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static int64_t an_hour_on(void)
{
	return ticket_now() + 3600;
}

#define LOGIN "USER ani\r\nPASS rahasia\r\n"

static void each_way_a_login_fails_has_its_words(void **state)
{
	static const struct {
		enum err_kind kind;
		const char *code;
	} rows[] = {
		{ERR_DENIED, "-ERR [AUTH] "},
		{ERR_INPUT, "-ERR [AUTH] "},
		{ERR_LIMITED, "-ERR [SYS/TEMP] "},
		{ERR_IN_USE, "-ERR [IN-USE] "},
		{ERR_IO, "-ERR [SYS/TEMP] "},
		{ERR_SPACE, "-ERR [SYS/TEMP] "},
		{ERR_INTERRUPTED, "-ERR [SYS/TEMP] "},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(state);
		role_refuses(&directory, rows[i].kind);
		serve(LOGIN "STAT\r\nQUIT\r\n");
		assert_int_equal(count_lines(rows[i].code), 1);
		assert_int_equal(count_lines("-ERR log in first"), 1);
		assert_true(was_told("+OK bye\r\n"));
		tear_down(state);
	}
}

static void the_fifth_wrong_login_ends_the_session(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++)
		role_refuses(&directory, ERR_DENIED);
	serve(LOGIN LOGIN LOGIN LOGIN LOGIN LOGIN "QUIT\r\n");
	assert_int_equal(count_lines("-ERR [AUTH]"), 5);
	assert_false(was_told("bye"));
}

static void a_directory_that_died_is_told_before_login(void **state)
{
	(void)state;
	channel_close(&directory.channel);
	serve("CAPA\r\nQUIT\r\n");
	assert_int_equal(count_lines("-ERR [SYS/TEMP]"), 1);
	assert_int_equal(count_lines("+OK"), 1); /* the greeting */
}

/* What is as good as a death between question and answer: no frame is so long. */
static void role_loses_step(struct role_channel *role)
{
	assert_int_equal(send(role->channel.fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 0), 8);
}

static void a_directory_that_dies_over_a_login_ends_the_session(void **state)
{
	(void)state;
	role_loses_step(&directory);
	serve(LOGIN LOGIN "QUIT\r\n");
	assert_int_equal(count_lines("-ERR [SYS/TEMP]"), 1);
	assert_false(was_told("bye"));
}

static void quit_needs_no_role_where_nothing_is_deleted(void **state)
{
	(void)state;
	channel_close(&directory.channel);
	channel_close(&writer.channel);
	serve("QUIT\r\n");
	assert_int_equal(count_lines("-ERR"), 0);
	assert_true(was_told("+OK bye"));
}

static void a_writer_that_died_ends_the_session_at_the_next_command(void **state)
{
	(void)state;
	directory_grants(2, an_hour_on());
	channel_close(&writer.channel);
	serve(LOGIN "STAT\r\nQUIT\r\n");
	assert_int_equal(count_lines("-ERR [SYS/TEMP]"), 1);
	assert_false(was_told("bye"));
}

static void quit_without_deletions_asks_the_writer_nothing(void **state)
{
	(void)state;
	directory_grants(3, an_hour_on());
	serve(LOGIN "STAT\r\nUIDL\r\nDELE 1\r\nRSET\r\nQUIT\r\n");
	assert_true(was_told("+OK 3 3000\r\n"));
	assert_true(was_told("+OK bye\r\n"));
	assert_false(was_asked(&writer));
}

static void quit_deletes_what_is_marked_and_tells_of_it(void **state)
{
	static const char detail[] = " retrieved=0 octets=0 deleted=2 removed=100,102";
	struct frame frame;
	struct ticket ticket;
	struct buf ids = {0};
	struct err e;
	(void)state;
	directory_grants(3, an_hour_on());
	role_answer(&writer, ANSWER_OK, SLICE(""));
	serve(LOGIN "DELE 1\r\nDELE 3\r\nSTAT\r\nQUIT\r\n");
	assert_true(was_told("+OK 1 1000\r\n"));
	assert_true(was_told("+OK bye; 2 deleted"));

	assert_int_equal(channel_receive(&writer.channel, &frame, &e), 1);
	assert_int_equal(frame.type, REQUEST_DELETE);
	assert_int_equal(request_delete_read(&frame, &ticket, &ids, &e), 0);
	assert_int_equal(ids.len, 2 * sizeof(int64_t));
	assert_memory_equal(ids.at, ((int64_t[]){100, 102}), ids.len);
	assert_int_equal(channel_receive(&writer.channel, &frame, &e), 1);
	assert_int_equal(frame.type, REQUEST_EVENT);
	assert_non_null(memmem(frame.body.at, frame.body.len, detail, strlen(detail)));
	assert_false(was_asked(&writer));
	buf_free(&ids);
}

static void without_quit_the_writer_is_asked_nothing(void **state)
{
	(void)state;
	directory_grants(3, an_hour_on());
	serve(LOGIN "DELE 1\r\nDELE 2\r\n");
	assert_int_equal(count_lines("+OK message"), 2);
	assert_false(was_asked(&writer));
}

static void quit_says_when_nothing_could_be_deleted(void **state)
{
	(void)state;
	directory_grants(3, an_hour_on());
	role_refuses(&writer, ERR_SPACE);
	serve(LOGIN "DELE 2\r\nQUIT\r\n");
	assert_true(was_told("-ERR [SYS/TEMP] nothing was deleted"));
	assert_false(was_told("bye"));
}

static void quit_says_when_the_writer_died_over_it(void **state)
{
	(void)state;
	directory_grants(3, an_hour_on());
	role_loses_step(&writer);
	serve(LOGIN "DELE 2\r\nQUIT\r\n");
	assert_true(was_told("-ERR [SYS/TEMP] nothing was deleted"));
	assert_false(was_told("bye"));
}

static void a_session_does_not_outlive_its_ticket(void **state)
{
	(void)state;
	directory_grants(1, ticket_now() - 1);
	serve(LOGIN "DELE 1\r\nQUIT\r\n");
	assert_true(was_told("-ERR [SYS/TEMP] this session is too old"));
	assert_false(was_told("bye"));
	assert_false(was_asked(&writer));
}

static void the_autologout_says_nothing_and_deletes_nothing(void **state)
{
	(void)state;
	config.idle_timeout = 0;
	directory_grants(1, an_hour_on());
	client_says(LOGIN "DELE 1\r\n");
	pop3d_serve(&visitor);
	assert_int_equal(visitor.conn.input, CONN_TIMEOUT);
	conn_close(&visitor.conn);
	assert_false(was_asked(&writer));
}

static void a_wait_in_vain_for_a_login_is_told_once(void **state)
{
	(void)state;
	config.idle_timeout = 0;
	client_says("AUTH PLAIN\r\n");
	serve_and_hear();
	assert_true(was_told("+ \r\n-ERR [SYS/TEMP] "));
	assert_int_equal(count_lines("-ERR"), 1);
}

static void a_password_does_not_stay_behind(void **state)
{
	(void)state;
	directory_grants(1, an_hour_on());
	client_says(LOGIN "STAT\r\nQUIT\r\n");
	pop3d_serve(&visitor);
	assert_non_null(memmem(visitor.conn.in, visitor.conn.in_to, "STAT", 4));
	assert_null(memmem(visitor.conn.in, visitor.conn.in_to, "rahasia", 7));
	shutdown(client, SHUT_WR);
	conn_close(&visitor.conn);
}

static void nonsense_without_end_ends_the_session(void **state)
{
	struct buf text = {0};
	(void)state;
	for (int i = 0; i < 100; i++)
		buf_add_text(&text, "OMONG KOSONG\r\n");
	serve(buf_text(&text));
	assert_int_equal(count_lines("-ERR no such command"), 51);
	assert_int_equal(count_lines("-ERR too many mistakes"), 1);
	buf_free(&text);
}

/* Runs `what` in a process of its own: more is said than sockets hold. */
static void meanwhile(void (*what)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		what();
		_exit(0);
	}
}

static void grant_fifty_thousand(void)
{
	directory_grants(50000, an_hour_on());
}

static void serve_to_the_end(void)
{
	pop3d_serve(&visitor);
	conn_close(&visitor.conn);
}

static void a_list_of_fifty_thousand_is_whole(void **state)
{
	(void)state;
	client_says(LOGIN "LIST\r\nQUIT\r\n");
	meanwhile(grant_fifty_thousand);
	meanwhile(serve_to_the_end);
	close(visitor.conn.fd);
	for (ssize_t got = 1; got > 0; heard.len += (size_t)got) {
		got = recv(client, buf_reserve(&heard, 65536), 65536, 0);
		assert_true(got >= 0);
	}
	assert_int_equal(count_lines("+OK 50000 messages (50000000 octets)"), 2);
	assert_int_equal(count_lines(""), 50000 + 6);
	assert_true(was_told("\r\n50000 1000\r\n.\r\n+OK bye\r\n"));
	while (wait(NULL) > 0)
		continue;
}

static void no_reply_is_longer_than_512_octets(void **state)
{
	(void)state;
	memset(config.hostname, 'h', sizeof(config.hostname) - 1);
	config.hostname[sizeof(config.hostname) - 1] = '\0';
	serve("QUIT\r\n");
	struct slice rest = buf_slice(&heard);
	assert_true(slice_cut(&rest, '\n').len < 512);
	assert_true(slice_equal(rest, SLICE("+OK bye\r\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_a_login_fails_has_its_words),
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		SESSION_TEST(the_fifth_wrong_login_ends_the_session),
		SESSION_TEST(a_directory_that_died_is_told_before_login),
		SESSION_TEST(a_directory_that_dies_over_a_login_ends_the_session),
		SESSION_TEST(a_writer_that_died_ends_the_session_at_the_next_command),
		SESSION_TEST(quit_without_deletions_asks_the_writer_nothing),
		SESSION_TEST(quit_deletes_what_is_marked_and_tells_of_it),
		SESSION_TEST(without_quit_the_writer_is_asked_nothing),
		SESSION_TEST(quit_says_when_nothing_could_be_deleted),
		SESSION_TEST(quit_says_when_the_writer_died_over_it),
		SESSION_TEST(quit_needs_no_role_where_nothing_is_deleted),
		SESSION_TEST(a_session_does_not_outlive_its_ticket),
		SESSION_TEST(the_autologout_says_nothing_and_deletes_nothing),
		SESSION_TEST(a_wait_in_vain_for_a_login_is_told_once),
		SESSION_TEST(a_password_does_not_stay_behind),
		SESSION_TEST(nonsense_without_end_ends_the_session),
		SESSION_TEST(a_list_of_fifty_thousand_is_whole),
		SESSION_TEST(no_reply_is_longer_than_512_octets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
