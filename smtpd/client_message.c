/* One message through a client.
 *
 * The envelope is a row of steps: MAIL, a RCPT for each recipient, DATA. Each is
 * said, and its answer heard: one by one, or with PIPELINING many at once. A
 * recipient is CLIENT_DONE until something else is known; where the conversation
 * ends before the last answer, that is its end. */
#include "base/text.h"
#include "smtpd/client.h"
#include <string.h>

/* RFC 5321, 4.5.3.2, in milliseconds. */
#define ANSWER_MS (5 * 60 * 1000)
#define DATA_MS   (2 * 60 * 1000)
#define FINAL_MS  (10 * 60 * 1000)

/* A server that stays within these times with every octet is given up after so many
 * milliseconds, and as many more as the message has octets. */
#define ENVELOPE_MS (30 * 60 * 1000)
#define MESSAGE_MS  (10 * 60 * 1000)

/* Commands under way: they and their answers fit in what the kernel holds of both
 * directions, or each side would wait for the other to read (RFC 2920, 3.1). */
#define AHEAD_MOST 40

struct transaction {
	struct client *client;
	const struct client_message *message;
	struct client_result *results;
	size_t accepted; /* recipients */
	bool sender_taken;
	bool asked_for; /* 354: what is said now is the message */
};

/* ---- results ---- */

/* What became of all that were not refused. */
static void settle(struct transaction *transaction, const struct client_result *result)
{
	for (size_t i = 0; i < transaction->message->recipient_count; i++)
		if (transaction->results[i].outcome == CLIENT_DONE)
			transaction->results[i] = *result;
}

static void settle_answered(struct transaction *transaction)
{
	struct client_result result = client_judge(transaction->client);
	settle(transaction, &result);
}

/* ---- the envelope ---- */

/* The store holds nothing that is not printable; were there any, it would not become
 * a line of its own. */
static void add_word(struct buf *line, const char *before, struct slice word)
{
	buf_add_text(line, before);
	text_add_escaped(line, word);
}

static void say_mail(struct client *client, const struct client_message *message)
{
	struct buf line = {0};
	add_word(&line, "MAIL FROM:<", message->sender);
	buf_add_text(&line, ">");
	if (client->offers & CLIENT_SIZE && message->size > 0)
		buf_printf(&line, " SIZE=%llu", (unsigned long long)message->size);
	if (client->offers & CLIENT_8BITMIME)
		buf_add_text(&line, " BODY=8BITMIME");
	if (client->offers & CLIENT_DSN && message->ret != RETURN_DEFAULT)
		buf_add_text(&line, message->ret == RETURN_FULL ? " RET=FULL" : " RET=HDRS");
	if (client->offers & CLIENT_DSN && message->envid.len > 0)
		add_word(&line, " ENVID=", message->envid);
	client_say(client, buf_slice(&line));
	buf_free(&line);
}

static void add_notify(struct buf *line, unsigned notify)
{
	static const char *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
	const char *before = " NOTIFY=";
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (notify & 1u << i) {
			buf_add_text(line, before);
			buf_add_text(line, words[i]);
			before = ",";
		}
	}
}

static void say_rcpt(struct client *client, const struct envelope_recipient *recipient)
{
	struct buf line = {0};
	add_word(&line, "RCPT TO:<", recipient->address);
	buf_add_text(&line, ">");
	if (client->offers & CLIENT_DSN) {
		add_notify(&line, recipient->notify);
		if (recipient->orcpt.len > 0)
			add_word(&line, " ORCPT=", recipient->orcpt);
	}
	client_say(client, buf_slice(&line));
	buf_free(&line);
}

/* Step 0 is MAIL, then come the recipients, the last is DATA. */
static void say_step(struct transaction *transaction, size_t step)
{
	const struct client_message *message = transaction->message;
	if (step == 0)
		say_mail(transaction->client, message);
	else if (step <= message->recipient_count)
		say_rcpt(transaction->client, &message->recipients[step - 1]);
	else
		client_say(transaction->client, SLICE("DATA"));
}

/* 552 without a word of a full mailbox is an old one for "too many recipients": RFC
 * 5321, 4.5.3.1.10. */
static bool is_about_number(const struct transaction *transaction, const struct answer *answer)
{
	return answer->code == 552 && transaction->accepted > 0 &&
	       (answer->status[0] == '\0' || strcmp(answer->status, "5.5.3") == 0);
}

static void hear_rcpt(struct transaction *transaction, struct client_result *result)
{
	struct client *client = transaction->client;
	unsigned code = client_hear(client, ANSWER_MS, "answered RCPT");
	if (code == 0 || !transaction->sender_taken)
		return;
	*result = client_judge(client);
	if (client_said_yes(code)) {
		transaction->accepted++;
	} else if (is_about_number(transaction, &client->answer)) {
		result->outcome = CLIENT_LATER;
		result->status[0] = '4';
	}
}

static void hear_mail(struct transaction *transaction)
{
	unsigned code = client_hear(transaction->client, ANSWER_MS, "answered MAIL");
	transaction->sender_taken = client_said_yes(code);
	if (code != 0 && !transaction->sender_taken)
		settle_answered(transaction);
}

static void hear_data(struct transaction *transaction)
{
	unsigned code = client_hear(transaction->client, DATA_MS, "answered DATA");
	transaction->asked_for = code == 354;
	if (code >= 400)
		settle_answered(transaction);
	else if (!transaction->asked_for)
		client_break_off_answered(transaction->client);
}

static void hear_step(struct transaction *transaction, size_t step)
{
	if (step == 0)
		hear_mail(transaction);
	else if (step <= transaction->message->recipient_count)
		hear_rcpt(transaction, &transaction->results[step - 1]);
	else
		hear_data(transaction);
}

/* Is the next step worth being said, by what `heard` answers have told? */
static bool is_worth(const struct transaction *transaction, size_t step, size_t heard)
{
	size_t data = transaction->message->recipient_count + 1;
	if (heard > 0 && !transaction->sender_taken)
		return false;
	if (step < data)
		return true;
	return step == data && transaction->message->next &&
	       (transaction->accepted > 0 || heard < data);
}

static void talk_envelope(struct transaction *transaction)
{
	struct client *client = transaction->client;
	size_t most = client->offers & CLIENT_PIPELINING ? AHEAD_MOST : 1;
	size_t said = 0, heard = 0;
	while (!client->over) {
		if (said - heard < most && is_worth(transaction, said, heard))
			say_step(transaction, said++);
		else if (heard < said)
			hear_step(transaction, heard++);
		else
			break;
	}
}

/* ---- the message ---- */

/* The server says something before it has got the message: no yes, and mostly why it
 * does not want any more of it. */
static void hear_too_early(struct transaction *transaction)
{
	struct client *client = transaction->client;
	unsigned code = client_hear(client, 0, "took the message");
	if (code >= 400)
		settle_answered(transaction);
	client_break_off(client, "4.4.2", "the server answered the message before its end");
}

/* False: it is over. */
static bool say_octets(
	struct transaction *transaction, struct dot_writer *dots, struct slice octets)
{
	struct conn *conn = transaction->client->conn;
	conn_write_dotted(conn, dots, octets);
	if (conn->output == CONN_OPEN)
		return true;
	hear_too_early(transaction);
	return false;
}

static bool say_message(struct transaction *transaction)
{
	const struct client_message *message = transaction->message;
	struct client *client = transaction->client;
	struct dot_writer dots = {0};
	struct slice octets = message->front;
	struct err e;
	do {
		if (!say_octets(transaction, &dots, octets))
			return false;
		if (message->next(message->source, &octets, &e) < 0) {
			client_break_off(client, "4.3.0", "%s", e.text);
			return false;
		}
	} while (octets.len > 0);
	if (dots.inside_line && !say_octets(transaction, &dots, SLICE("\r\n")))
		return false;
	if (conn_buffered(client->conn) == 0)
		return true;
	hear_too_early(transaction);
	return false;
}

/* From the 354 to the answer behind the dot. Where nobody was accepted it is an
 * empty message for nobody (RFC 2920, 3.1). */
static void talk_message(struct transaction *transaction)
{
	struct client *client = transaction->client;
	bool wanted = transaction->accepted > 0;
	if (wanted && !say_message(transaction))
		return;
	client_tell(client, true, SLICE("."));
	conn_write(client->conn, SLICE(".\r\n"));
	if (conn_flush(client->conn) < 0) {
		hear_too_early(transaction);
		return;
	}
	client->deadline = text_monotonic_ms() + FINAL_MS;
	client_hear(client, wanted ? FINAL_MS : DATA_MS,
		"answered the end of the message, which may come twice now");
	client->unclean = false;
	if (wanted && !client->over)
		settle_answered(transaction);
}

static bool is_too_big(const struct client *client, const struct client_message *message)
{
	return client->size_most > 0 && message->size > client->size_most;
}

static void refuse_size(struct transaction *transaction)
{
	struct client_result result = {.outcome = CLIENT_FAILED, .status = "5.3.4"};
	struct buf words = {0};
	buf_printf(&words, "the server takes messages of %llu octets at most, this one has %llu",
		(unsigned long long)transaction->client->size_most,
		(unsigned long long)transaction->message->size);
	answer_set_text(result.reply, sizeof(result.reply), buf_slice(&words));
	settle(transaction, &result);
	buf_free(&words);
}

/* What an earlier message left open. */
static void clean_up(struct client *client)
{
	if (!client->unclean)
		return;
	client_say(client, SLICE("RSET"));
	if (!client_said_yes(client_hear(client, ANSWER_MS, "answered RSET")))
		client_break_off_answered(client);
	client->unclean = false;
}

static void set_deadlines(struct client *client, const struct client_message *message)
{
	int64_t now = text_monotonic_ms();
	int64_t size = message->size < INT32_MAX ? (int64_t)message->size : INT32_MAX;
	client->deadline = now + ENVELOPE_MS;
	conn_set_write_deadline(client->conn, client->deadline + MESSAGE_MS + size);
}

void client_send(
	struct client *client, const struct client_message *message, struct client_result *results)
{
	struct transaction transaction = {.client = client, .message = message, .results = results};
	for (size_t i = 0; i < message->recipient_count; i++)
		results[i] = (struct client_result){0};
	if (!client->over && is_too_big(client, message)) {
		refuse_size(&transaction);
		return;
	}
	set_deadlines(client, message);
	clean_up(client);
	if (!client->over) {
		client->unclean = true;
		talk_envelope(&transaction);
	}
	if (!client->over && transaction.asked_for)
		talk_message(&transaction);
	if (client->over)
		settle(&transaction, &client->end);
	for (size_t i = 0; i < message->recipient_count; i++)
		results[i].dsn_passed_on =
			results[i].outcome == CLIENT_DONE && client->offers & CLIENT_DSN;
}
