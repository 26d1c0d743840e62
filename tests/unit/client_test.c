/* smtpd/client: from the greeting to the login, and the end. */
#include "base/config.h"
#include "base/text.h"
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "tests/unit/conversation.h"

static struct tls_trust *trust;

/* ---- the beginning ---- */

static void what_a_server_offers_is_remembered(void **state)
{
	(void)state;
	static const char *const script[] = {HELLO, "<250-mx.far.example PIPELINING",
		"<250-size 1000", "<250-8BITMIME", "<250-STARTTLS", "<250-DSN",
		"<250-AUTH  CRAM-MD5 plain LOGIN", "<250-X-OTHER PIPELINING", "<250-PIPELININGS",
		"<250 ENHANCEDSTATUSCODES", QUIT, NULL};
	assert_int_equal(begin(script), 0);
	assert_int_equal(client.offers, CLIENT_SIZE | CLIENT_8BITMIME | CLIENT_STARTTLS |
						CLIENT_DSN | CLIENT_AUTH_PLAIN | CLIENT_AUTH_LOGIN |
						CLIENT_STATUSCODES);
	assert_int_equal(client.size_most, 1000);
	end();
}

static void a_server_that_knows_no_ehlo_is_said_helo(void **state)
{
	(void)state;
	static const char *const script[] = {"<220-be", "<220 patient", ">EHLO mail.kantor.example",
		"<500-PIPELINING", "<500 what?", ">HELO mail.kantor.example", "<250-x",
		"<250 PIPELINING", QUIT, NULL};
	assert_int_equal(begin(script), 0);
	assert_int_equal(client.offers, 0);
	end();
}

static void a_server_that_takes_no_mail_is_left_for_another(void **state)
{
	(void)state;
	static const struct {
		const char *greeting, *status, *reply;
	} rows[] = {{"<554 5.7.1 not you", "4.7.1", "554 5.7.1 not you"},
		{"<421 4.3.2 closing", "4.3.2", "421 4.3.2 closing"},
		{"<450 later", "4.0.0", "450 later"}, {"<550 never", "4.0.0", "550 never"},
		{"<354 go on", "4.0.0", "354 go on"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const script[] = {rows[i].greeting, NULL};
		assert_int_equal(begin(script), -1);
		assert_end(rows[i].status, rows[i].reply);
		send_message();
		assert_result(0, CLIENT_LATER, rows[i].status, rows[i].reply);
		end();
	}
}

static void a_server_that_refuses_both_hellos_is_left(void **state)
{
	(void)state;
	static const char *const script[] = {
		HELLO, "<550 no", ">HELO mail.kantor.example", "<550 5.7.1 no", NULL};
	assert_int_equal(begin(script), -1);
	assert_end("4.7.1", "550 5.7.1 no");
	end();
}

static void nonsense_ends_it(void **state)
{
	(void)state;
	static const char *const greetings[] = {
		"<+OK hello", "<2200 x", "<999 x", "<220-x\r\n221 x", "<220-x\r\nx", "<"};
	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		const char *const script[] = {greetings[i], NULL};
		assert_int_equal(begin(script), -1);
		assert_end("4.4.2", "what came made no sense before the server greeted");
		end();
	}
}

static void lost_connections_and_silence_end_it(void **state)
{
	(void)state;
	static const char *const closed[] = {"<<220", "cut", NULL};
	assert_int_equal(begin(closed), -1);
	assert_end("4.4.2", "the connection was closed before the server greeted");
	end();
	static const char *const silent[] = {NULL};
	terms.patience_ms = 1;
	assert_int_equal(begin(silent), -1);
	assert_end("4.4.2", "it took too long before the server greeted");
	end();
}

/* ---- TLS ---- */

#define STARTTLS HELLO, "<250-mx.far.example", "<250-SIZE 1", "<250 STARTTLS", ">STARTTLS"
#define IN_TLS   "<220 go", "tls", ">EHLO mail.kantor.example"

static void with_tls(enum client_tls tls, const char *name)
{
	terms.tls = tls;
	terms.trust = trust;
	terms.server = name;
	terms.user = "k";
	terms.password = SLICE("x");
}

static void starttls_comes_before_the_login_and_forgets_what_was_heard(void **state)
{
	(void)state;
	static const enum client_tls modes[] = {CLIENT_TLS_OFFERED, CLIENT_TLS_REQUIRED};
	static const char *const script[] = {STARTTLS, IN_TLS, "<250-mx.far.example",
		"<250 AUTH PLAIN", ">AUTH PLAIN AGsAeA==", "<235 ok", MAIL, "<250 ok", DEWI,
		"<250 ok", ">DATA", "<354 go", MESSAGE, "<250 ok", QUIT, NULL};
	for (size_t i = 0; i < 2; i++) {
		with_tls(modes[i], "mail.kantor.example");
		assert_int_equal(begin(script), 0);
		assert_int_equal(client.offers, CLIENT_AUTH_PLAIN);
		assert_int_equal(client.size_most, 0);
		send_message();
		assert_int_equal(results[0].outcome, CLIENT_DONE);
		end();
	}
}

static void implicit_tls_comes_before_the_greeting(void **state)
{
	(void)state;
	static const char *const script[] = {"tls", HELLO, "<250-mx.far.example", "<250-STARTTLS",
		"<250 AUTH LOGIN", ">AUTH LOGIN", "<334 ", ">aw==", "<334 ", ">eA==", "<235 ok",
		QUIT, NULL};
	with_tls(CLIENT_TLS_IMPLICIT, "mail.kantor.example");
	assert_int_equal(begin(script), 0);
	end();
}

static void an_mx_may_be_whoever_it_is(void **state)
{
	(void)state;
	static const char *const script[] = {STARTTLS, IN_TLS, "<250 mx.far.example", QUIT, NULL};
	with_tls(CLIENT_TLS_OFFERED, "mx.far.example");
	terms.trust = NULL;
	terms.user = NULL;
	assert_int_equal(begin(script), 0);
	assert_non_null(conn.tls);
	end();
}

static void a_certificate_of_another_name_is_not_believed(void **state)
{
	(void)state;
	static const char *const script[] = {STARTTLS, "<220 go", "no tls", NULL};
	with_tls(CLIENT_TLS_OFFERED, "mx.far.example");
	assert_int_equal(begin(script), -1);
	assert_true(client.tls_broken);
	assert_string_equal(client.end.status, "4.7.5");
	assert_non_null(strstr(client.end.reply, "mx.far.example"));
	end();
}

static void a_handshake_that_breaks_is_told_apart(void **state)
{
	(void)state;
	static const char *const script[] = {STARTTLS, "<220 go", "cut", NULL};
	with_tls(CLIENT_TLS_OFFERED, "mx.far.example");
	terms.trust = NULL;
	assert_int_equal(begin(script), -1);
	assert_true(client.tls_broken);
	end();
}

static void office_ini_says_when_tls_begins(void **state)
{
	(void)state;
	static const struct {
		int relay_tls;
		uint16_t port;
		enum client_tls tls;
	} rows[] = {{RELAY_TLS_AUTO, 465, CLIENT_TLS_IMPLICIT},
		{RELAY_TLS_AUTO, 587, CLIENT_TLS_OFFERED}, {RELAY_TLS_AUTO, 25, CLIENT_TLS_OFFERED},
		{RELAY_TLS_STARTTLS, 465, CLIENT_TLS_REQUIRED},
		{RELAY_TLS_IMPLICIT, 587, CLIENT_TLS_IMPLICIT},
		{RELAY_TLS_NONE, 465, CLIENT_TLS_NEVER}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			client_tls_to_smarthost(rows[i].relay_tls, rows[i].port), rows[i].tls);
}

static void where_tls_is_a_must_its_absence_ends_it(void **state)
{
	(void)state;
	static const char *const absent[] = {PLAIN, NULL};
	static const char *const refused[] = {STARTTLS, "<454 4.7.0 not now", NULL};
	with_tls(CLIENT_TLS_REQUIRED, "mail.kantor.example");
	assert_int_equal(begin(absent), -1);
	assert_string_equal(client.end.status, "4.7.4");
	assert_false(client.tls_broken);
	end();
	assert_int_equal(begin(refused), -1);
	assert_end("4.7.0", "454 4.7.0 not now");
	end();
	with_tls(CLIENT_TLS_OFFERED, "mail.kantor.example"); /* it is to be verified */
	assert_int_equal(begin(refused), -1);
	assert_end("4.7.0", "454 4.7.0 not now");
	end();
}

static void where_it_is_not_a_refusal_leaves_the_clear(void **state)
{
	(void)state;
	static const char *const refused[] = {STARTTLS, "<454 4.7.0 not now", QUIT, NULL};
	static const char *const absent[] = {PLAIN, QUIT, NULL};
	terms.tls = CLIENT_TLS_OFFERED;
	assert_int_equal(begin(refused), 0);
	end();
	assert_int_equal(begin(absent), 0);
	end();
	static const char *const unwanted[] = {
		HELLO, "<250-mx.far.example", "<250 STARTTLS", QUIT, NULL};
	terms.tls = CLIENT_TLS_NEVER;
	assert_int_equal(begin(unwanted), 0);
	end();
}

static void what_comes_in_the_clear_behind_starttls_ends_it(void **state)
{
	(void)state;
	static const char *const script[] = {STARTTLS, "<220 go\r\n250 AUTH PLAIN", NULL};
	static const char *const half[] = {STARTTLS, "<<220 go\r\n2", "cut", NULL};
	with_tls(CLIENT_TLS_REQUIRED, "mail.kantor.example");
	assert_int_equal(begin(script), -1);
	assert_string_equal(client.end.status, "4.7.0");
	assert_non_null(strstr(client.end.reply, "in between"));
	assert_false(client.tls_broken);
	end();
	assert_int_equal(begin(half), -1);
	assert_string_equal(client.end.status, "4.7.0");
	end();
}

/* ---- logins ---- */

#define AUTH(mechanisms) HELLO, "<250-mx.far.example", "<250 AUTH " mechanisms

static void log_in_as(const char *user, const char *password)
{
	terms.tls = CLIENT_TLS_NEVER;
	terms.user = user;
	terms.password = slice_of(password);
}

static void plain_goes_before_login(void **state)
{
	(void)state;
	static const char *const script[] = {AUTH("LOGIN CRAM-MD5 PLAIN"),
		">AUTH PLAIN AGthbnRvckBmYXIuZXhhbXBsZQByYWhhc2lh", "<235 welcome", QUIT, NULL};
	log_in_as("kantor@far.example", "rahasia");
	assert_int_equal(begin(script), 0);
	end();
}

static void login_goes_where_there_is_no_plain(void **state)
{
	(void)state;
	static const char *const script[] = {AUTH("LOGIN"), ">AUTH LOGIN", "<334 VXNlcm5hbWU6",
		">a2FudG9yQGZhci5leGFtcGxl", "<334 whatever", ">cmFoYXNpYQ==", "<235 2.7.0 ok",
		QUIT, NULL};
	log_in_as("kantor@far.example", "rahasia");
	assert_int_equal(begin(script), 0);
	end();
}

static void a_password_too_long_for_a_command_waits_to_be_asked_for(void **state)
{
	(void)state;
	static char expected[2][600];
	static const size_t lengths[] = {369, 370}; /* of base64 499 octets fit */
	for (size_t i = 0; i < 2; i++) {
		struct buf password = {0}, line = {0};
		while (password.len < lengths[i])
			buf_add_char(&password, 'p');
		buf_add_text(&line, "\1k\1"); /* NULs, below */
		buf_add_slice(&line, buf_slice(&password));
		line.at[0] = line.at[2] = '\0';
		struct buf encoded = {0};
		text_add_base64(&encoded, line.at, line.len);
		snprintf(expected[i], sizeof(expected[i]), ">%s%s", i ? "" : "AUTH PLAIN ",
			buf_text(&encoded));
		const char *const at_once[] = {AUTH("PLAIN"), expected[0], "<235 ok", QUIT, NULL};
		const char *const asked[] = {
			AUTH("PLAIN"), ">AUTH PLAIN", "<334 ", expected[1], "<235 ok", QUIT, NULL};
		log_in_as("k", buf_text(&password));
		assert_int_equal(begin(i ? asked : at_once), 0);
		end();
		buf_free(&password);
		buf_free(&line);
		buf_free(&encoded);
	}
}

static void a_refused_login_says_what_to_mend_and_returns_no_mail(void **state)
{
	(void)state;
	static const char *const script[] = {
		AUTH("PLAIN"), ">AUTH PLAIN AGsAeA==", "<535 5.7.8 wrong", NULL};
	static const char *const later[] = {
		AUTH("PLAIN"), ">AUTH PLAIN AGsAeA==", "<454 4.7.0 busy", NULL};
	static const char *const asks[] = {
		AUTH("PLAIN"), ">AUTH PLAIN AGsAeA==", "<334 more", NULL};
	static const char *const none[] = {AUTH("CRAM-MD5 XOAUTH2"), NULL};
	log_in_as("k", "x");
	assert_int_equal(begin(script), -1);
	assert_end("4.7.8",
		"535 5.7.8 wrong (the login is refused: mend user and password_file in [relay] of "
		"office.ini)");
	send_message();
	assert_int_equal(results[0].outcome, CLIENT_LATER);
	end();
	assert_int_equal(begin(later), -1);
	assert_end("4.7.0", "454 4.7.0 busy");
	end();
	assert_int_equal(begin(asks), -1);
	assert_end("4.0.0", "334 more");
	end();
	assert_int_equal(begin(none), -1);
	assert_string_equal(client.end.status, "4.7.4");
	end();
}

static void a_password_never_goes_in_the_clear_unasked(void **state)
{
	(void)state;
	static const enum client_tls modes[] = {CLIENT_TLS_OFFERED, CLIENT_TLS_REQUIRED};
	static const char *const script[] = {AUTH("PLAIN LOGIN"), NULL};
	for (size_t i = 0; i < 2; i++) {
		log_in_as("k", "x");
		terms.tls = modes[i];
		assert_int_equal(begin(script), -1);
		assert_string_equal(client.end.status, "4.7.4");
		assert_non_null(strstr(client.end.reply, "[relay]"));
		end();
	}
}

static void of_a_password_nothing_stays_behind(void **state)
{
	(void)state;
	static const char *const script[] = {AUTH("LOGIN"), ">AUTH LOGIN", "<334 u",
		">aw==", "<334 p", ">cmFoYXNpYQ==", "<235 ok", QUIT, NULL};
	log_in_as("k", "rahasia");
	assert_int_equal(begin(script), 0);
	assert_null(memmem(conn.out.at, conn.out.cap, "cmFo", 4));
	assert_null(memmem(conn.out.at, conn.out.cap, "NpYQ", 4));
	end();
}

/* ---- looking on ---- */

static void note_line(void *arg, bool ours, struct slice line)
{
	buf_add_text(arg, ours ? ">" : "<");
	buf_add_slice(arg, line);
	buf_add_char(arg, '\n');
}

static void who_looks_on_sees_every_line_and_no_password(void **state)
{
	(void)state;
	static const char *const script[] = {"<220 h\x1b[2Jello", ">EHLO mail.kantor.example",
		"<250-mx", "<250 AUTH LOGIN PLAIN", ">AUTH PLAIN AGsAeA==", "<235 ok", MAIL,
		"<250 ok", DEWI, "<250 ok", ">DATA", "<354 go", MESSAGE, "<250 ok", QUIT, NULL};
	struct buf seen = {0};
	log_in_as("k", "x");
	terms.heard = note_line;
	terms.heard_arg = &seen;
	talk(script);
	assert_string_equal(buf_text(&seen),
		"<220 h\\x1b[2Jello\n>EHLO mail.kantor.example\n<250-mx\n<250 AUTH LOGIN PLAIN\n"
		">AUTH PLAIN ***\n<235 ok\n>MAIL FROM:<ani@kantor.example>\n<250 ok\n"
		">RCPT TO:<dewi@far.example>\n<250 ok\n>DATA\n<354 go\n>.\n<250 ok\n>QUIT\n"
		"<221 bye\n");
	buf_free(&seen);
}

/* ---- patience ---- */

static void *drip(void *fd)
{
	while (send(*(int *)fd, "220-wait\r\n", 10, MSG_NOSIGNAL) == 10)
		poll(NULL, 0, 10);
	return NULL;
}

/* A hundred lines would take a second, and be too many. */
static void an_answer_has_its_time_however_many_lines_it_takes(void **state)
{
	(void)state;
	pthread_t dripping;
	int fds[2];
	terms.patience_ms = 100;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(pthread_create(&dripping, NULL, drip, &fds[1]), 0);
	conn_open(&conn, fds[0]);
	assert_int_equal(client_begin(&client, &conn, &terms), -1);
	assert_end("4.4.2", "it took too long before the server greeted");
	client_end(&client);
	conn_close(&conn);
	assert_int_equal(pthread_join(dripping, NULL), 0);
	close(fds[1]);
}

static void a_goodbye_that_is_not_answered_is_one(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, ">QUIT", "cut", NULL};
	assert_int_equal(begin(script), 0);
	end();
	assert_true(client.over);
}

static int read_credentials(void **state)
{
	struct err e;
	int fd = tls_client_open_data("root.pem");
	(void)state;
	chain = tls_client_read_chain("ec256_signed.pem", &e);
	key = tls_client_read_key("ec256.key", &e);
	int outcome = tls_trust_read(&trust, fd, "root.pem", &e);
	close(fd);
	return chain && key ? outcome : -1;
}

static int forget_credentials(void **state)
{
	(void)state;
	tls_chain_free(chain);
	tls_key_free(key);
	tls_trust_free(trust);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, lay)
	const struct CMUnitTest tests[] = {
		TEST(what_a_server_offers_is_remembered),
		TEST(a_server_that_knows_no_ehlo_is_said_helo),
		TEST(a_server_that_takes_no_mail_is_left_for_another),
		TEST(a_server_that_refuses_both_hellos_is_left),
		TEST(nonsense_ends_it),
		TEST(lost_connections_and_silence_end_it),
		TEST(starttls_comes_before_the_login_and_forgets_what_was_heard),
		TEST(implicit_tls_comes_before_the_greeting),
		TEST(an_mx_may_be_whoever_it_is),
		TEST(a_certificate_of_another_name_is_not_believed),
		TEST(a_handshake_that_breaks_is_told_apart),
		TEST(office_ini_says_when_tls_begins),
		TEST(where_tls_is_a_must_its_absence_ends_it),
		TEST(where_it_is_not_a_refusal_leaves_the_clear),
		TEST(what_comes_in_the_clear_behind_starttls_ends_it),
		TEST(plain_goes_before_login),
		TEST(login_goes_where_there_is_no_plain),
		TEST(a_password_too_long_for_a_command_waits_to_be_asked_for),
		TEST(a_refused_login_says_what_to_mend_and_returns_no_mail),
		TEST(a_password_never_goes_in_the_clear_unasked),
		TEST(of_a_password_nothing_stays_behind),
		TEST(who_looks_on_sees_every_line_and_no_password),
		TEST(an_answer_has_its_time_however_many_lines_it_takes),
		TEST(a_goodbye_that_is_not_answered_is_one),
	};
	return cmocka_run_group_tests(tests, read_credentials, forget_credentials);
}
