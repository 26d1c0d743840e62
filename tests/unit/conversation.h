/* A conversation of smtpd/client with a scripted server: what its units share. */
#ifndef TESTS_UNIT_CONVERSATION_H
#define TESTS_UNIT_CONVERSATION_H

#include "smtpd/client.h"
#include "tests/unit/scripted.h"

#define MANY 100

static struct scripted server;
static struct conn conn;
static struct client client;
static struct client_terms terms;
static struct client_message message;
static struct tls_chain *chain;
static struct tls_key *key;
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

static inline int lay(void **state)
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

static inline int begin(const char *const *script)
{
	server = (struct scripted){.chain = chain, .key = key};
	conn_open(&conn, scripted_start(&server, script));
	return client_begin(&client, &conn, &terms);
}

static inline void send_message(void)
{
	memset(results, 0xff, sizeof(results));
	piece = 0;
	client_send(&client, &message, results);
}

static inline void end(void)
{
	client_end(&client);
	conn_close(&conn);
	scripted_end(&server);
}

static inline void assert_result(
	size_t i, enum client_outcome outcome, const char *status, const char *reply)
{
	assert_string_equal(results[i].reply, reply);
	assert_string_equal(results[i].status, status);
	assert_int_equal(results[i].outcome, outcome);
}

static inline void assert_end(const char *status, const char *reply)
{
	assert_true(client.over);
	assert_int_equal(client.end.outcome, CLIENT_LATER);
	assert_string_equal(client.end.status, status);
	assert_string_equal(client.end.reply, reply);
}

/* The whole of a conversation that sends one message. */
static inline void talk(const char *const *script)
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
#define MAIL       ">MAIL FROM:<ani@kantor.example>"
#define DEWI       ">RCPT TO:<dewi@far.example>"
#define EKO        ">RCPT TO:<eko@far.example>"
#define FAJAR      ">RCPT TO:<fajar@far.example>"

#endif
