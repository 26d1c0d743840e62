/* The conversation around messages: lines out, answers in, and all that comes before
 * the first MAIL.
 *
 * It is over at the first answer that is none, at a 421 and at a lost connection, once
 * and for all: the connection is cut, every later step returns at once, and
 * client->end keeps the first reason. */
#include "smtpd/client.h"
#include "base/config.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How long is waited, in milliseconds (RFC 5321, 4.5.3.2). The first counts from the
 * greeting to the login, however often the server moves within its times. */
#define BEGIN_MS     (15 * 60 * 1000)
#define ANSWER_MS    (5 * 60 * 1000)
#define BLOCK_MS     (3 * 60 * 1000)
#define HANDSHAKE_MS (2 * 60 * 1000)
#define GOODBYE_MS   (10 * 1000)

/* Octets of a command without its end (RFC 5321, 4.5.3.1.4). */
#define COMMAND_MOST 510

enum client_tls client_tls_to_smarthost(int relay_tls, uint16_t port)
{
	switch ((enum config_relay_tls)relay_tls) {
	case RELAY_TLS_AUTO:
		return port == 465 ? CLIENT_TLS_IMPLICIT : CLIENT_TLS_OFFERED;
	case RELAY_TLS_STARTTLS:
		return CLIENT_TLS_REQUIRED;
	case RELAY_TLS_IMPLICIT:
		return CLIENT_TLS_IMPLICIT;
	case RELAY_TLS_NONE:
		break;
	}
	return CLIENT_TLS_NEVER;
}

/* ---- the end ---- */

void client_break_off(struct client *client, const char *status, const char *format, ...)
{
	char words[1024];
	va_list args;
	if (client->over)
		return;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	client->over = true;
	client->end = (struct client_result){.outcome = CLIENT_LATER};
	snprintf(client->end.status, sizeof(client->end.status), "4%s", status + 1);
	answer_set_text(client->end.reply, sizeof(client->end.reply), slice_of(words));
	conn_cut(client->conn);
}

void client_break_off_answered(struct client *client)
{
	struct client_result result = client_judge(client);
	client_break_off(client, result.status, "%s", result.reply);
}

static void break_off_lost(struct client *client, const char *what)
{
	static const char *const words[] = {
		[CONN_CLOSED] = "the connection was closed",
		[CONN_TIMEOUT] = "it took too long",
		[CONN_BROKEN] = "the connection broke",
		[CONN_STOPPED] = "we were stopped",
	};
	client_break_off(
		client, "4.4.2", "%s before the server %s", words[client->conn->input], what);
}

/* ---- lines out, answers in ---- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The times of one step. */
static int64_t bear(const struct client *client, int64_t timeout_ms)
{
	int64_t patience = client->terms->patience_ms;
	return patience > 0 ? sooner(patience, timeout_ms) : timeout_ms;
}

void client_tell(const struct client *client, bool ours, struct slice line)
{
	struct buf printable = {0};
	if (!client->terms->heard)
		return;
	text_add_escaped(&printable, line);
	client->terms->heard(client->terms->heard_arg, ours, buf_slice(&printable));
	buf_free(&printable);
}

void client_say(struct client *client, struct slice line)
{
	client_tell(client, true, line);
	conn_write(client->conn, line);
	conn_write(client->conn, SLICE("\r\n"));
}

/* Each word of an answer to EHLO but the first line's. */
static void note_offer(struct client *client, struct slice words)
{
	static const struct {
		const char *word;
		unsigned offer;
	} rows[] = {{"PIPELINING", CLIENT_PIPELINING}, {"SIZE", CLIENT_SIZE},
		{"8BITMIME", CLIENT_8BITMIME}, {"STARTTLS", CLIENT_STARTTLS}, {"DSN", CLIENT_DSN},
		{"ENHANCEDSTATUSCODES", CLIENT_STATUSCODES}};
	struct slice word = slice_cut(&words, ' ');
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (slice_equal_nocase(word, slice_of(rows[i].word)))
			client->offers |= rows[i].offer;
	if (slice_equal_nocase(word, SLICE("SIZE")))
		text_to_any_number(slice_trim(words), &client->size_most);
	if (!slice_equal_nocase(word, SLICE("AUTH")))
		return;
	while (words.len > 0) {
		word = slice_cut(&words, ' ');
		if (slice_equal_nocase(word, SLICE("PLAIN")))
			client->offers |= CLIENT_AUTH_PLAIN;
		if (slice_equal_nocase(word, SLICE("LOGIN")))
			client->offers |= CLIENT_AUTH_LOGIN;
	}
}

/* `offers`: the answer lists what the server can do. */
static unsigned hear(struct client *client, int64_t timeout_ms, const char *what, bool offers)
{
	struct conn *conn = client->conn;
	struct answer *answer = &client->answer;
	enum answer_taken taken = ANSWER_GOES_ON;
	answer_start(answer);
	if (client->over)
		return 0;
	timeout_ms = bear(client, timeout_ms);
	conn_set_timeouts(conn, timeout_ms, bear(client, BLOCK_MS));
	conn_set_deadline(conn, sooner(text_monotonic_ms() + timeout_ms, client->deadline));
	conn_flush(conn); /* an answer that is there already does not answer what is not out */
	while (taken == ANSWER_GOES_ON) {
		struct slice line = {0};
		enum conn_line got = conn_read_line(conn, ANSWER_LINE_MOST, &line);
		if (got == CONN_LINE_NONE) {
			break_off_lost(client, what);
			return 0;
		}
		client_tell(client, false, line);
		taken = got == CONN_LINE ? answer_take(answer, line) : ANSWER_SENSELESS;
		if (offers && taken != ANSWER_SENSELESS && answer->lines > 1)
			note_offer(client, slice_from(line, 4));
	}
	if (taken == ANSWER_SENSELESS)
		client_break_off(
			client, "4.4.2", "what came made no sense before the server %s", what);
	else if (answer->code == 421)
		client_break_off_answered(client);
	return client->over ? 0 : answer->code;
}

unsigned client_hear(struct client *client, int64_t timeout_ms, const char *what)
{
	return hear(client, timeout_ms, what, false);
}

bool client_said_yes(unsigned code)
{
	return code / 100 == 2;
}

/* Of us or of TLS, not of the message: nobody's mail is returned for it. */
static bool is_about_login(unsigned code)
{
	return code == 530 || code == 534 || code == 535 || code == 538;
}

struct client_result client_judge(const struct client *client)
{
	const struct answer *answer = &client->answer;
	struct client_result result = {.outcome = CLIENT_LATER};
	if (client_said_yes(answer->code))
		result.outcome = CLIENT_DONE;
	else if (answer->code / 100 == 5 && !is_about_login(answer->code))
		result.outcome = CLIENT_FAILED;
	if (answer->status[0] != '\0')
		memcpy(result.status, answer->status, sizeof(result.status));
	else
		snprintf(result.status, sizeof(result.status), "%c.0.0",
			(char)('0' + answer->code / 100));
	if (result.outcome == CLIENT_LATER)
		result.status[0] = '4';
	memcpy(result.reply, answer->text, sizeof(result.reply));
	return result;
}

/* ---- hello ---- */

static int say_hello(struct client *client)
{
	struct buf line = {0};
	client->offers = 0;
	client->size_most = 0;
	buf_printf(&line, "EHLO %s", client->terms->hostname);
	client_say(client, buf_slice(&line));
	unsigned code = hear(client, ANSWER_MS, "answered EHLO", true);
	if (code / 100 == 5) {
		client->offers = 0;
		memcpy(line.at, "HELO", 4);
		client_say(client, buf_slice(&line));
		code = client_hear(client, ANSWER_MS, "answered HELO");
	}
	buf_free(&line);
	if (client_said_yes(code))
		return 0;
	client_break_off_answered(client);
	return -1;
}

static int start_tls(struct client *client)
{
	const struct client_terms *terms = client->terms;
	struct err e;
	if (conn_start_tls_client(
		    client->conn, terms->trust, terms->server, bear(client, HANDSHAKE_MS), &e) == 0)
		return 0;
	client->tls_broken = true;
	client_break_off(client, "4.7.5", "%s", e.text);
	return -1;
}

/* STARTTLS, where it is wanted. What was heard in the clear does not count behind it. */
static int secure(struct client *client)
{
	const struct client_terms *terms = client->terms;
	bool must = terms->tls == CLIENT_TLS_REQUIRED;
	if (terms->tls == CLIENT_TLS_NEVER || terms->tls == CLIENT_TLS_IMPLICIT)
		return 0;
	if (!(client->offers & CLIENT_STARTTLS)) {
		if (must)
			client_break_off(client, "4.7.4",
				"the server offers no STARTTLS, without which nothing is sent: "
				"mend tls in [relay] of office.ini");
		return must ? -1 : 0;
	}
	client_say(client, SLICE("STARTTLS"));
	unsigned code = client_hear(client, ANSWER_MS, "answered STARTTLS");
	if (code != 0 && !client_said_yes(code) && !must && !terms->trust)
		return 0;
	if (!client_said_yes(code)) {
		client_break_off_answered(client);
		return -1;
	}
	if (conn_buffered(client->conn) > 0) {
		client_break_off(client, "4.7.0",
			"more came in the clear behind the server's yes to STARTTLS: somebody "
			"stands in between");
		return -1;
	}
	return start_tls(client) == 0 ? say_hello(client) : -1;
}

/* ---- login ---- */

/* Says `octets` in base64 behind `command`, which may be empty, and wipes it all. */
static void say_secret(struct client *client, const char *command, struct buf *octets)
{
	struct buf line = {0}, shown = {0};
	buf_reserve(&line, strlen(command) + octets->len * 2 + 4); /* so that it never moves */
	buf_add_text(&line, command);
	text_add_base64(&line, octets->at, octets->len);
	buf_printf(&shown, "%s***", command);
	client_tell(client, true, buf_slice(&shown));
	conn_write(client->conn, buf_slice(&line));
	conn_write(client->conn, SLICE("\r\n"));
	buf_free(&shown);
	buf_wipe(&line);
	buf_wipe(octets);
}

static unsigned hear_login(struct client *client)
{
	return client_hear(client, ANSWER_MS, "answered AUTH");
}

/* RFC 4616. */
static unsigned log_in_plain(struct client *client)
{
	const struct client_terms *terms = client->terms;
	struct buf response = {0};
	buf_reserve(&response, strlen(terms->user) + terms->password.len + 2);
	buf_add_char(&response, '\0');
	buf_add_text(&response, terms->user);
	buf_add_char(&response, '\0');
	buf_add_slice(&response, terms->password);
	if (strlen("AUTH PLAIN ") + (response.len + 2) / 3 * 4 <= COMMAND_MOST) {
		say_secret(client, "AUTH PLAIN ", &response);
		return hear_login(client);
	}
	/* Too long for a command: it waits to be asked for (RFC 4954, 4). */
	client_say(client, SLICE("AUTH PLAIN"));
	unsigned code = hear_login(client);
	if (code == 334) {
		say_secret(client, "", &response);
		code = hear_login(client);
	}
	buf_wipe(&response);
	return code;
}

static unsigned log_in_login(struct client *client)
{
	const struct client_terms *terms = client->terms;
	const struct slice answers[] = {slice_of(terms->user), terms->password};
	client_say(client, SLICE("AUTH LOGIN"));
	unsigned code = hear_login(client);
	for (size_t i = 0; i < 2 && code == 334; i++) {
		struct buf response = {0};
		buf_add_slice(&response, answers[i]);
		say_secret(client, "", &response);
		code = hear_login(client);
	}
	return code;
}

static int log_in(struct client *client)
{
	const struct client_terms *terms = client->terms;
	unsigned code;
	if (!terms->user || terms->user[0] == '\0')
		return 0;
	if (!client->conn->tls && terms->tls != CLIENT_TLS_NEVER) {
		client_break_off(client, "4.7.4",
			"the server offers no STARTTLS, and the password must not go in the clear: "
			"mend tls in [relay] of office.ini, none if the way there is safe");
		return -1;
	}
	if (!(client->offers & (CLIENT_AUTH_PLAIN | CLIENT_AUTH_LOGIN))) {
		client_break_off(client, "4.7.4",
			"the server offers no login by PLAIN or LOGIN: mend user in [relay] of "
			"office.ini, or ask its provider for another port");
		return -1;
	}
	code = client->offers & CLIENT_AUTH_PLAIN ? log_in_plain(client) : log_in_login(client);
	conn_forget(client->conn);
	if (client_said_yes(code))
		return 0;
	if (code == 535)
		client_break_off(client, "4.7.8",
			"%.350s (the login is refused: mend user and password_file in [relay] of "
			"office.ini)",
			client->answer.text);
	else
		client_break_off_answered(client);
	return -1;
}

/* ---- beginning and end ---- */

int client_begin(struct client *client, struct conn *conn, const struct client_terms *terms)
{
	*client = (struct client){
		.conn = conn, .terms = terms, .deadline = text_monotonic_ms() + BEGIN_MS};
	conn_set_write_deadline(conn, client->deadline);
	if (terms->tls == CLIENT_TLS_IMPLICIT && start_tls(client) < 0)
		return -1;
	if (!client_said_yes(client_hear(client, ANSWER_MS, "greeted"))) {
		client_break_off_answered(client);
		return -1;
	}
	if (say_hello(client) < 0 || secure(client) < 0)
		return -1;
	return log_in(client);
}

void client_end(struct client *client)
{
	client->deadline = text_monotonic_ms() + GOODBYE_MS;
	conn_set_write_deadline(client->conn, client->deadline);
	if (client->over)
		return;
	client_say(client, SLICE("QUIT"));
	client_hear(client, GOODBYE_MS, "answered QUIT");
	client->over = true;
}
