/* pop3d: what of RETR and TOP counts as fetched, over a real store. The session runs in a
 * process of its own, as it does in the server; client, directory and writer are sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pop3d/pop3d.h"
#include "store/events.h"
#include "store/requests.h"
#include "tests/unit/letters.h"
#include <sys/socket.h>
#include <sys/wait.h>

#define ANI      "ani@kantor.example"
#define TWO      "Subject: two\r\n\r\nsatu\r\ndua\r\n"
#define NO_BODY  "Subject: none\r\n\r\n"
#define BIG_SIZE (BODY_PIECE + 45 * 1000) /* more than a piece */

/* The numbers of two, none and big, which are messages 1, 2 and 3. */
static int64_t two, none, big;
static unsigned big_lines; /* of its body */

static int with_mail(void **state)
{
	struct maildrop maildrop = {0};
	struct buf text = {0};
	if (office_setup(state) < 0)
		return -1;
	struct test_office *office = *state;
	struct letter letter = letter_to(ANI);
	add_user(office, ANI);
	post(office, ANI, TWO);
	post(office, ANI, NO_BODY);
	buf_add_text(&text, "Subject: big\r\n\r\n");
	for (big_lines = 0; text.len < BIG_SIZE; big_lines++)
		buf_printf(&text, "%08u\r\n", big_lines);
	assert_int_equal(post_letter(office, &letter, buf_slice(&text)), 0);
	buf_free(&text);
	assert_int_equal(list(office, ANI, "Inbox", &maildrop), 3);
	two = maildrop.items[0].id;
	none = maildrop.items[1].id;
	big = maildrop.items[2].id;
	maildrop_free(&maildrop);
	return 0;
}

#define MAIL_TEST(promise) cmocka_unit_test_setup_teardown(promise, with_mail, office_teardown)

static int pair(int *other)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*other = fds[1];
	return fds[0];
}

static void let_in(struct test_office *office, struct role_channel *directory)
{
	struct login login = {.user = ANI, .folder = "Inbox"};
	login.ticket = (struct ticket){.service = SERVICE_POP3,
		.user_id = get_user(office, ANI).id,
		.expires = ticket_now() + 3600};
	list(office, ANI, "Inbox", &login.maildrop);
	request_login_answer(directory, &login);
	maildrop_free(&login.maildrop);
}

static void hand_over(struct test_office *office, struct role_channel *directory)
{
	int files[3];
	assert_int_equal(store_files_open(files, office->data, &office->e), 0);
	role_answer_fds(directory, ANSWER_OK, files, 3);
	for (size_t i = 0; i < 3; i++)
		close(files[i]);
}

static void serve(struct test_office *office, int client, int directory, int writer)
{
	struct visitor visitor = {
		.peer = "192.0.2.1", .service = "pop3", .config = &office->config};
	office->config.idle_timeout = 600;
	conn_open(&visitor.conn, client);
	channel_open(&visitor.directory, directory);
	channel_open(&visitor.writer, writer);
	visitor.keys.fd = -1;
	pop3d_serve(&visitor);
	_exit(0);
}

/* A login that says `text` and then no more; what the store is told of it, "" for nothing.
 * Valid until the next call. */
static const char *told_of(struct test_office *office, const char *text)
{
	static struct buf detail;
	struct role_channel directory = {0}, writer = {0};
	int client, of_client, of_directory, of_writer, status;
	struct ticket ticket;
	struct frame frame;
	char octets[4096];
	client = pair(&of_client);
	channel_open(&directory.channel, pair(&of_directory));
	channel_open(&writer.channel, pair(&of_writer));
	pid_t session = fork();
	if (session == 0)
		serve(office, of_client, of_directory, of_writer);
	close(of_client);
	close(of_directory);
	close(of_writer);
	buf_clear(&detail);
	buf_printf(&detail, "USER ani\r\nPASS rahasia\r\n%s", text);
	assert_int_equal(send(client, detail.at, detail.len, 0), detail.len);
	shutdown(client, SHUT_WR);
	assert_int_equal(channel_receive(&directory.channel, &frame, &office->e), 1);
	let_in(office, &directory);
	if (channel_receive(&directory.channel, &frame, &office->e) == 1)
		hand_over(office, &directory);
	while (read(client, octets, sizeof(octets)) > 0)
		continue;
	assert_int_equal(waitpid(session, &status, 0), session);
	assert_int_equal(status, 0);
	buf_clear(&detail);
	if (channel_receive(&writer.channel, &frame, &office->e) == 1) {
		struct unpack in = {.rest = frame.body};
		assert_int_equal(frame.type, REQUEST_EVENT);
		unpack_ticket(&in, &ticket);
		buf_add_slice(&detail, unpack_slice(&in));
	}
	close(client);
	channel_close(&directory.channel);
	channel_close(&writer.channel);
	return buf_text(&detail);
}

static void assert_fetched(struct test_office *office, const char *text, int64_t id)
{
	struct buf number = {0};
	struct slice detail = slice_of(told_of(office, text));
	buf_printf(&number, "%lld", (long long)id);
	assert_true(slice_equal(events_word(detail, "fetched"), buf_slice(&number)));
	assert_true(slice_equal(events_word(detail, "retrieved"), SLICE("1")));
	assert_true(events_word(detail, "cut").len == 0);
	buf_free(&number);
}

static void a_top_that_gave_all_of_a_message_counts_as_retr_does(void **state)
{
	static const char *const ways[] = {"RETR 1", "TOP 1 2", "TOP 1 3", "TOP 1 99999999"};
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct buf text = {0};
		buf_printf(&text, "%s\r\nQUIT\r\n", ways[i]);
		assert_fetched(*state, buf_text(&text), two);
		buf_free(&text);
	}
	assert_fetched(*state, "TOP 2 1\r\nQUIT\r\n", none);
}

static void so_it_does_of_many_pieces_to_the_last_line(void **state)
{
	struct buf text = {0};
	buf_printf(&text, "TOP 3 %u\r\nQUIT\r\n", big_lines);
	assert_fetched(*state, buf_text(&text), big);
	buf_clear(&text);
	buf_printf(&text, "TOP 3 %u\r\nQUIT\r\n", big_lines - 1);
	assert_string_equal(told_of(*state, buf_text(&text)), "");
	buf_free(&text);
}

static void a_header_and_a_part_count_for_nothing(void **state)
{
	assert_string_equal(told_of(*state, "TOP 1 0\r\nTOP 1 1\r\nTOP 2 0\r\nQUIT\r\n"), "");
	assert_string_equal(told_of(*state, "TOP 1 1\r\nTOP 3 20\r\n"), "");
}

static void of_what_nothing_followed_nobody_knows_how_much_arrived(void **state)
{
	static const char *const ways[] = {"RETR 1\r\n", "TOP 1 2\r\n", "TOP 1 99999999\r\n"};
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct slice detail = slice_of(told_of(*state, ways[i]));
		struct slice cut = events_word(detail, "cut");
		struct buf id = {0};
		buf_printf(&id, "%lld", (long long)two);
		assert_true(slice_equal(slice_cut(&cut, ':'), buf_slice(&id)));
		assert_true(slice_equal(events_word(detail, "octets"), cut));
		assert_true(events_word(detail, "fetched").len == 0);
		buf_free(&id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MAIL_TEST(a_top_that_gave_all_of_a_message_counts_as_retr_does),
		MAIL_TEST(so_it_does_of_many_pieces_to_the_last_line),
		MAIL_TEST(a_header_and_a_part_count_for_nothing),
		MAIL_TEST(of_what_nothing_followed_nobody_knows_how_much_arrived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
