/* smtpd/client: speaking to another server, which keeps to a script. */
#include "base/text.h"
#include "smtpd/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

#include "tests/unit/scripted.h"

#define MANY 100

static struct scripted server;
static struct conn conn;
static struct client client;
static struct client_terms terms;
static struct client_message message;
static struct envelope_recipient recipients[MANY];
static struct client_result results[MANY];

/* ---- a message ---- */

static struct slice pieces[4]; /* what the source gives, to an empty one */
static size_t piece;
static bool source_breaks;

static int give(void *source, struct slice *octets, struct err *e)
{
	(void)source;
	*octets = pieces[piece];
	if (octets->len == 0 && source_breaks)
		return err_set(e, ERR_DAMAGED, "piece 2 is damaged");
	piece++;
	return 0;
}

static int lay(void **state)
{
	(void)state;
	terms = (struct client_terms){.hostname = "mail.kantor.example",
		.server = "mx.far.example",
		.patience_ms = 20000};
	for (size_t i = 0; i < MANY; i++)
		recipients[i] = (struct envelope_recipient){0};
	recipients[0].address = SLICE("dewi@far.example");
	recipients[1].address = SLICE("eko@far.example");
	recipients[2].address = SLICE("fajar@far.example");
	message = (struct client_message){.sender = SLICE("ani@kantor.example"),
		.recipients = recipients,
		.recipient_count = 1,
		.size = 30,
		.next = give};
	memset(pieces, 0, sizeof(pieces));
	pieces[0] = SLICE("Subject: halo\r\n\r\n");
	pieces[1] = SLICE("isi\r\n");
	piece = 0;
	source_breaks = false;
	return 0;
}

static int begin(const char *const *script)
{
	server = (struct scripted){0};
	conn_open(&conn, scripted_start(&server, script));
	return client_begin(&client, &conn, &terms);
}

static void send_message(void)
{
	memset(results, 0xff, sizeof(results));
	piece = 0;
	client_send(&client, &message, results);
}

static void end(void)
{
	client_end(&client);
	conn_close(&conn);
	scripted_end(&server);
}

static void assert_result(
	size_t i, enum client_outcome outcome, const char *status, const char *reply)
{
	assert_string_equal(results[i].reply, reply);
	assert_string_equal(results[i].status, status);
	assert_int_equal(results[i].outcome, outcome);
}

static void assert_end(const char *status, const char *reply)
{
	assert_true(client.over);
	assert_int_equal(client.end.outcome, CLIENT_LATER);
	assert_string_equal(client.end.status, status);
	assert_string_equal(client.end.reply, reply);
}

/* The whole of a conversation that sends one message. */
static void talk(const char *const *script)
{
	assert_int_equal(begin(script), 0);
	send_message();
	end();
}

#define HELLO      "<220 mx.far.example", ">EHLO mail.kantor.example"
#define PLAIN      HELLO, "<250 mx.far.example"
#define PIPELINING HELLO, "<250-mx.far.example", "<250 PIPELINING"
#define MESSAGE    ">Subject: halo", ">", ">isi", ">."
#define QUIT       ">QUIT", "<221 bye"

static const char mail[] = ">MAIL FROM:<ani@kantor.example>";
static const char dewi[] = ">RCPT TO:<dewi@far.example>";
static const char eko[] = ">RCPT TO:<eko@far.example>";
static const char fajar[] = ">RCPT TO:<fajar@far.example>";

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
		assert_end("4.5.0", "what came made no sense before the server greeted");
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

/* ---- messages ---- */

static void a_message_goes_step_by_step_where_nothing_is_offered(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, mail, "<250 ok", dewi, "<250 ok", ">DATA",
		"<354 go", MESSAGE, "<250 2.0.0 queued as 4711", QUIT, NULL};
	talk(script);
	assert_result(0, CLIENT_DONE, "2.0.0", "250 2.0.0 queued as 4711");
	assert_false(results[0].dsn_passed_on);
}

static void a_pipelined_envelope_goes_in_one_piece(void **state)
{
	(void)state;
	static const char *const script[] = {PIPELINING, mail, dewi, eko, fajar, ">DATA", "<250 ok",
		"<250 ok", "<550 5.1.1 who?", "<452 4.2.2 full", "<354 go", MESSAGE,
		"<250 2.0.0 taken", QUIT, NULL};
	message.recipient_count = 3;
	talk(script);
	assert_result(0, CLIENT_DONE, "2.0.0", "250 2.0.0 taken");
	assert_result(1, CLIENT_FAILED, "5.1.1", "550 5.1.1 who?");
	assert_result(2, CLIENT_LATER, "4.2.2", "452 4.2.2 full");
}

static void where_all_are_refused_a_354_gets_the_lone_dot(void **state)
{
	(void)state;
	static const char *const script[] = {PIPELINING, mail, dewi, eko, ">DATA", "<250 ok",
		"<550 5.1.1 who?", "<450 4.2.1 later", "<354 go", ">.", "<554 no recipients", QUIT,
		NULL};
	message.recipient_count = 2;
	talk(script);
	assert_result(0, CLIENT_FAILED, "5.1.1", "550 5.1.1 who?");
	assert_result(1, CLIENT_LATER, "4.2.1", "450 4.2.1 later");
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
		TEST(a_message_goes_step_by_step_where_nothing_is_offered),
		TEST(a_pipelined_envelope_goes_in_one_piece),
		TEST(where_all_are_refused_a_354_gets_the_lone_dot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
