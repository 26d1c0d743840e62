/* smtpd/client: messages, and what becomes of each recipient. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs the three above. */
#include <cmocka.h>

#include "tests/unit/conversation.h"

/* ---- messages ---- */

static void a_message_goes_step_by_step_where_nothing_is_offered(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, MAIL, "<250 ok", DEWI, "<250 ok", ">DATA",
		"<354 go", MESSAGE, "<250 2.0.0 queued as 4711", QUIT, NULL};
	talk(script);
	assert_result(0, CLIENT_DONE, "2.0.0", "250 2.0.0 queued as 4711");
	assert_false(results[0].dsn_passed_on);
}

static void a_pipelined_envelope_goes_in_one_piece(void **state)
{
	(void)state;
	static const char *const script[] = {PIPELINING, MAIL, DEWI, EKO, FAJAR, ">DATA", "<250 ok",
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
	static const char *const script[] = {PIPELINING, MAIL, DEWI, EKO, ">DATA", "<250 ok",
		"<550 5.1.1 who?", "<450 4.2.1 later", "<354 go", ">.", "<554 no recipients", QUIT,
		NULL};
	message.recipient_count = 2;
	talk(script);
	assert_result(0, CLIENT_FAILED, "5.1.1", "550 5.1.1 who?");
	assert_result(1, CLIENT_LATER, "4.2.1", "450 4.2.1 later");
}

static void a_refused_sender_is_everybodys_answer(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, MAIL, "<550 5.7.1 not from there", QUIT, NULL};
	static const char *const pipelined[] = {PIPELINING, MAIL, DEWI, EKO, ">DATA",
		"<451 4.7.1 greylisted", "<503 no sender", "<250 what a server", "<354 go", ">.",
		"<250 taken", QUIT, NULL};
	message.recipient_count = 2;
	talk(script);
	assert_result(0, CLIENT_FAILED, "5.7.1", "550 5.7.1 not from there");
	assert_result(1, CLIENT_FAILED, "5.7.1", "550 5.7.1 not from there");
	talk(pipelined);
	assert_result(0, CLIENT_LATER, "4.7.1", "451 4.7.1 greylisted");
	assert_result(1, CLIENT_LATER, "4.7.1", "451 4.7.1 greylisted");
}

static void without_a_recipient_there_is_no_data(void **state)
{
	(void)state;
	static const char *const script[] = {
		PLAIN, MAIL, "<250 ok", DEWI, "<550 5.1.1 who?", EKO, "<450 later", QUIT, NULL};
	message.recipient_count = 2;
	talk(script);
	assert_result(0, CLIENT_FAILED, "5.1.1", "550 5.1.1 who?");
	assert_result(1, CLIENT_LATER, "4.0.0", "450 later");
}

static void a_refused_data_is_the_answer_of_those_who_were_accepted(void **state)
{
	(void)state;
	static const char *const script[] = {PIPELINING, MAIL, DEWI, EKO, ">DATA", "<250 ok",
		"<550 5.1.1 who?", "<250 ok", "<554 5.7.1 no", QUIT, NULL};
	message.recipient_count = 2;
	talk(script);
	assert_result(0, CLIENT_FAILED, "5.1.1", "550 5.1.1 who?");
	assert_result(1, CLIENT_FAILED, "5.7.1", "554 5.7.1 no");
}

static void a_yes_to_data_is_none_and_ends_it(void **state)
{
	(void)state;
	static const char *const script[] = {
		PLAIN, MAIL, "<250 ok", DEWI, "<250 ok", ">DATA", "<250 2.0.0 thanks", NULL};
	talk(script);
	assert_result(0, CLIENT_LATER, "4.0.0", "250 2.0.0 thanks");
	assert_true(client.over);
}

static void a_refused_message_leaves_the_connection_good(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, MAIL, "<250 ok", DEWI, "<250 ok", ">DATA",
		"<354 go", MESSAGE, "<550 5.7.1 spam", MAIL, "<250 ok", DEWI, "<250 ok", ">DATA",
		"<354 go", MESSAGE, "<250 ok", QUIT, NULL};
	assert_int_equal(begin(script), 0);
	send_message();
	assert_result(0, CLIENT_FAILED, "5.7.1", "550 5.7.1 spam");
	send_message();
	assert_result(0, CLIENT_DONE, "2.0.0", "250 ok");
	end();
}

static void rset_comes_only_behind_an_envelope_without_a_message(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, MAIL, "<250 ok", DEWI, "<550 no", ">RSET",
		"<250 ok", MAIL, "<250 ok", DEWI, "<250 ok", ">DATA", "<354 go", MESSAGE, "<250 ok",
		MAIL, "<451 busy", ">RSET", "<500 what?", NULL};
	assert_int_equal(begin(script), 0);
	send_message();
	send_message();
	assert_result(0, CLIENT_DONE, "2.0.0", "250 ok");
	send_message();
	send_message();
	assert_result(0, CLIENT_LATER, "4.0.0", "500 what?");
	end();
}

static void at_421_the_connection_ends_and_what_is_unanswered_comes_later(void **state)
{
	(void)state;
	static const char *const script[] = {PIPELINING, MAIL, DEWI, EKO, FAJAR, ">DATA", "<250 ok",
		"<250 ok", "<550 5.1.1 who?", "<421 4.3.2 closing", NULL};
	message.recipient_count = 3;
	talk(script);
	assert_result(0, CLIENT_LATER, "4.3.2", "421 4.3.2 closing");
	assert_result(1, CLIENT_FAILED, "5.1.1", "550 5.1.1 who?");
	assert_result(2, CLIENT_LATER, "4.3.2", "421 4.3.2 closing");
	assert_end("4.3.2", "421 4.3.2 closing");
}

static void a_connection_lost_amid_recipients_makes_them_wait(void **state)
{
	(void)state;
	static const char *const script[] = {
		PIPELINING, MAIL, DEWI, EKO, ">DATA", "<250 ok", "<550 no", "cut", NULL};
	message.recipient_count = 2;
	talk(script);
	assert_result(0, CLIENT_FAILED, "5.0.0", "550 no");
	assert_result(1, CLIENT_LATER, "4.4.2",
		"the connection was closed before the server answered RCPT");
}

static void a_connection_lost_behind_the_dot_makes_it_wait(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, MAIL, "<250 ok", DEWI, "<250 ok", ">DATA",
		"<354 go", MESSAGE, "<<250 2.0.0 ok", "cut", NULL};
	talk(script);
	assert_result(0, CLIENT_LATER, "4.4.2",
		"the connection was closed before the server answered the end of the message, "
		"which may come twice now");
}

static void a_552_for_too_many_recipients_is_no_refusal(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, MAIL, "<250 ok", DEWI, "<552 5.2.2 full", EKO,
		"<250 ok", FAJAR, "<552 too many", ">DATA", "<354 go", MESSAGE, "<250 ok", QUIT,
		NULL};
	message.recipient_count = 3;
	talk(script);
	assert_result(0, CLIENT_FAILED, "5.2.2", "552 5.2.2 full");
	assert_result(1, CLIENT_DONE, "2.0.0", "250 ok");
	assert_result(2, CLIENT_LATER, "4.0.0", "552 too many");
}

static void what_is_about_our_login_returns_nobodys_mail(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, MAIL, "<530 5.7.0 STARTTLS first", ">RSET",
		"<250 ok", MAIL, "<250 ok", DEWI, "<535 5.7.8 log in", QUIT, NULL};
	assert_int_equal(begin(script), 0);
	send_message();
	assert_result(0, CLIENT_LATER, "4.7.0", "530 5.7.0 STARTTLS first");
	send_message();
	assert_result(0, CLIENT_LATER, "4.7.8", "535 5.7.8 log in");
	end();
}

/* ---- parameters ---- */

#define OFFERS(...) HELLO, "<250-mx.far.example", __VA_ARGS__

static void parameters_go_where_they_are_offered(void **state)
{
	(void)state;
	static const char *const script[] = {OFFERS("<250-SIZE", "<250-DSN", "<250 8BITMIME"),
		">MAIL FROM:<ani@kantor.example> SIZE=30 BODY=8BITMIME RET=HDRS ENVID=QQ+2B314159",
		"<250 ok",
		">RCPT TO:<dewi@far.example> NOTIFY=SUCCESS,FAILURE,DELAY "
		"ORCPT=rfc822;dewi+2Bx@kantor.example",
		"<250 ok", ">RCPT TO:<eko@far.example> NOTIFY=NEVER", "<250 ok", FAJAR, "<550 no",
		">DATA", "<354 go", MESSAGE, "<250 ok",
		">MAIL FROM:<> SIZE=30 BODY=8BITMIME RET=FULL", "<250 ok", QUIT, NULL};
	recipients[0].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
	recipients[0].orcpt = SLICE("rfc822;dewi+2Bx@kantor.example");
	recipients[1].notify = NOTIFY_NEVER;
	message.recipient_count = 3;
	message.envid = SLICE("QQ+2B314159");
	message.ret = RETURN_HEADERS;
	assert_int_equal(begin(script), 0);
	send_message();
	assert_true(results[0].dsn_passed_on && results[1].dsn_passed_on);
	assert_false(results[2].dsn_passed_on);
	message.recipient_count = 0;
	message.sender = message.envid = SLICE("");
	message.ret = RETURN_FULL;
	send_message();
	end();
}

static void no_parameter_goes_where_none_is_offered(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, ">MAIL FROM:<>", "<250 ok", DEWI, "<250 ok",
		">DATA", "<354 go", MESSAGE, "<250 ok", QUIT, NULL};
	recipients[0].notify = NOTIFY_SUCCESS;
	recipients[0].orcpt = SLICE("rfc822;dewi@kantor.example");
	message.sender = SLICE("");
	message.envid = SLICE("QQ314159");
	message.ret = RETURN_FULL;
	talk(script);
	assert_int_equal(results[0].outcome, CLIENT_DONE);
	assert_false(results[0].dsn_passed_on);
}

static void a_message_larger_than_the_server_takes_is_not_sent(void **state)
{
	(void)state;
	static const char *const script[] = {OFFERS("<250 SIZE 29"),
		">MAIL FROM:<ani@kantor.example> SIZE=29", "<250 ok", DEWI, "<250 ok", ">DATA",
		"<354 go", MESSAGE, "<250 ok", QUIT, NULL};
	assert_int_equal(begin(script), 0);
	send_message();
	assert_result(0, CLIENT_FAILED, "5.3.4",
		"the server takes messages of 29 octets at most, this one has 30");
	message.size = 29;
	send_message();
	assert_int_equal(results[0].outcome, CLIENT_DONE);
	end();
}

static void a_size_that_is_not_known_is_not_said(void **state)
{
	(void)state;
	static const char *const script[] = {OFFERS("<250 SIZE 29"), MAIL, "<250 ok", DEWI,
		"<250 ok", ">DATA", "<354 go", MESSAGE, "<250 ok", QUIT, NULL};
	message.size = 0;
	talk(script);
	assert_int_equal(results[0].outcome, CLIENT_DONE);
}

static void a_size_of_nought_or_nonsense_is_no_limit(void **state)
{
	(void)state;
	static const char *const sizes[] = {
		"<250 SIZE 0", "<250 SIZE -1", "<250 SIZE 1x", "<250 SIZE 99999999999999999999999"};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const char *const script[] = {OFFERS(sizes[i]),
			">MAIL FROM:<ani@kantor.example> SIZE=30", "<550 no", QUIT, NULL};
		talk(script);
		assert_int_equal(results[0].outcome, CLIENT_FAILED);
	}
}

static void nothing_in_an_address_becomes_a_command(void **state)
{
	(void)state;
	static const char *const script[] = {PLAIN, ">MAIL FROM:<a\\x0d\\x0aRSET@x>", "<250 ok",
		">RCPT TO:<\\x00\\xe9@far.example>", "<501 no", QUIT, NULL};
	message.sender = SLICE("a\r\nRSET@x");
	recipients[0].address = SLICE("\0\xe9@far.example");
	talk(script);
	assert_int_equal(results[0].outcome, CLIENT_FAILED);
}

static void as_many_commands_are_under_way_as_fit(void **state)
{
	(void)state;
	enum { AHEAD = 40, STEPS = MANY + 2 };
	static const char *script[3 + 1 + STEPS * 2 + 10] = {PIPELINING};
	static char addresses[MANY][30], commands[MANY][50];
	size_t at = 4;
	message.recipient_count = MANY;
	for (size_t said = 0; said < STEPS; said++) {
		if (said >= AHEAD)
			script[at++] = "<250 ok";
		if (said > 0 && said < STEPS - 1) {
			char *address = addresses[said - 1], *command = commands[said - 1];
			snprintf(address, sizeof(addresses[0]), "user%zu@far.example", said);
			snprintf(command, sizeof(commands[0]), ">RCPT TO:<%s>", address);
			recipients[said - 1].address = slice_of(address);
			script[at++] = command;
		} else {
			script[at++] = said == 0 ? MAIL : ">DATA";
		}
	}
	for (size_t i = 0; i < AHEAD - 1; i++)
		script[at++] = "<250 ok";
	static const char *const rest[] = {"<354 go", MESSAGE, "<250 2.0.0 all of them", QUIT};
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		script[at++] = rest[i];
	assert_true(at < sizeof(script) / sizeof(script[0]));
	talk(script);
	for (size_t i = 0; i < MANY; i++)
		assert_result(i, CLIENT_DONE, "2.0.0", "250 2.0.0 all of them");
}

/* ---- the octets ---- */

#define TO_DATA PLAIN, MAIL, "<250 ok", DEWI, "<250 ok", ">DATA", "<354 go"

static void octets_go_behind_the_front_with_their_dots_stuffed(void **state)
{
	(void)state;
	static const char *const script[] = {TO_DATA, ">DKIM-Signature: v=1;", ">\tb=", ">..a: b",
		">", ">..", ">...", ">x.y", ">....", ">.", "<250 ok", QUIT, NULL};
	message.front = SLICE("DKIM-Signature: v=1;\r\n\tb=\r\n");
	pieces[0] = SLICE(".a: b\r\n\r\n.\r");
	pieces[1] = SLICE("\n..\r\nx");
	pieces[2] = SLICE(".y\r\n...\r\n");
	talk(script);
	assert_int_equal(results[0].outcome, CLIENT_DONE);
}

static void a_message_without_its_last_line_end_gets_one(void **state)
{
	(void)state;
	static const char *const script[] = {
		TO_DATA, ">Subject: halo", ">", ">isi", ">.", "<250 ok", QUIT, NULL};
	pieces[1] = SLICE("isi");
	talk(script);
	assert_int_equal(results[0].outcome, CLIENT_DONE);
}

static void a_message_without_octets_is_a_dot(void **state)
{
	(void)state;
	static const char *const script[] = {TO_DATA, ">.", "<250 ok", QUIT, NULL};
	pieces[0] = SLICE("");
	talk(script);
	assert_int_equal(results[0].outcome, CLIENT_DONE);
}

static void a_source_that_fails_never_comes_to_the_dot(void **state)
{
	(void)state;
	static const char *const script[] = {TO_DATA, NULL};
	source_breaks = true;
	talk(script);
	assert_result(0, CLIENT_LATER, "4.3.0", "piece 2 is damaged");
	assert_end("4.3.0", "piece 2 is damaged");
}

static void an_answer_before_the_end_of_the_message_is_no_yes(void **state)
{
	(void)state;
	static const char *const yes[] = {PLAIN, MAIL, "<250 ok", DEWI, "<250 ok", ">DATA",
		"<354 go\r\n250 ok", ">Subject: halo", ">", ">isi", NULL};
	static const char *const no[] = {PLAIN, MAIL, "<250 ok", DEWI, "<250 ok", ">DATA",
		"<354 go\r\n552 5.3.4 too big", ">Subject: halo", ">", ">isi", NULL};
	static const char *const half[] = {
		PLAIN, MAIL, "<250 ok", DEWI, "<250 ok", ">DATA", "<<354 go\r\n250", "cut", NULL};
	talk(yes);
	assert_result(0, CLIENT_LATER, "4.4.2", "the server answered the message before its end");
	talk(no);
	assert_result(0, CLIENT_FAILED, "5.3.4", "552 5.3.4 too big");
	assert_end("4.4.2", "the server answered the message before its end");
	talk(half);
	assert_int_equal(results[0].outcome, CLIENT_LATER);
	assert_string_equal(results[0].status, "4.4.2");
}

/* A message without an end. */
static int give_for_ever(void *source, struct slice *octets, struct err *e)
{
	static char lines[65536];
	(void)source;
	(void)e;
	memset(lines, 'x', sizeof(lines));
	memcpy(lines + sizeof(lines) - 2, "\r\n", 2);
	*octets = (struct slice){lines, sizeof(lines)};
	return 0;
}

static void a_server_that_leaves_amid_a_message_is_heard(void **state)
{
	(void)state;
	static const char *const script[] = {TO_DATA, "<552 5.2.3 that is enough", "cut", NULL};
	static const char *const silent[] = {TO_DATA, "cut", NULL};
	message.next = give_for_ever;
	talk(script);
	assert_result(0, CLIENT_FAILED, "5.2.3", "552 5.2.3 that is enough");
	talk(silent);
	assert_int_equal(results[0].outcome, CLIENT_LATER);
	assert_string_equal(results[0].status, "4.4.2");
}

static void without_a_source_recipients_are_asked_for_and_nothing_is_sent(void **state)
{
	(void)state;
	static const char *const script[] = {PIPELINING, MAIL, DEWI, EKO, "<250 ok",
		"<250 2.1.5 welcome", "<550 5.1.1 who?", QUIT, NULL};
	message.recipient_count = 2;
	message.next = NULL;
	talk(script);
	assert_result(0, CLIENT_DONE, "2.1.5", "250 2.1.5 welcome");
	assert_result(1, CLIENT_FAILED, "5.1.1", "550 5.1.1 who?");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, lay)
	const struct CMUnitTest tests[] = {
		TEST(a_message_goes_step_by_step_where_nothing_is_offered),
		TEST(a_pipelined_envelope_goes_in_one_piece),
		TEST(where_all_are_refused_a_354_gets_the_lone_dot),
		TEST(a_refused_sender_is_everybodys_answer),
		TEST(without_a_recipient_there_is_no_data),
		TEST(a_refused_data_is_the_answer_of_those_who_were_accepted),
		TEST(a_yes_to_data_is_none_and_ends_it),
		TEST(a_refused_message_leaves_the_connection_good),
		TEST(rset_comes_only_behind_an_envelope_without_a_message),
		TEST(at_421_the_connection_ends_and_what_is_unanswered_comes_later),
		TEST(a_connection_lost_amid_recipients_makes_them_wait),
		TEST(a_connection_lost_behind_the_dot_makes_it_wait),
		TEST(a_552_for_too_many_recipients_is_no_refusal),
		TEST(what_is_about_our_login_returns_nobodys_mail),
		TEST(parameters_go_where_they_are_offered),
		TEST(no_parameter_goes_where_none_is_offered),
		TEST(a_message_larger_than_the_server_takes_is_not_sent),
		TEST(a_size_that_is_not_known_is_not_said),
		TEST(a_size_of_nought_or_nonsense_is_no_limit),
		TEST(nothing_in_an_address_becomes_a_command),
		TEST(as_many_commands_are_under_way_as_fit),
		TEST(octets_go_behind_the_front_with_their_dots_stuffed),
		TEST(a_message_without_its_last_line_end_gets_one),
		TEST(a_message_without_octets_is_a_dot),
		TEST(a_source_that_fails_never_comes_to_the_dot),
		TEST(an_answer_before_the_end_of_the_message_is_no_yes),
		TEST(a_server_that_leaves_amid_a_message_is_heard),
		TEST(without_a_source_recipients_are_asked_for_and_nothing_is_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
