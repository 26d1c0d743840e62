/* A conversation with another server, all of whose octets are the fuzzer's. A
 * second reading of what both said, which knows the protocol and not the client,
 * holds each command against the answer that came for it: nothing is said that
 * the answers so far do not allow, a recipient is done exactly where MAIL, RCPT,
 * DATA and the dot behind the whole message were answered yes, and failed only where one
 * of them was answered no for good.
 *
 * Input: an octet of flags (1: a login, 2: the source fails, 12: when TLS begins), an octet
 * that says how long packets are at most, the octets of the server. Packets end
 * with each line. */
#include "smtpd/client.h"
#include "base/text.h"
#include "tests/fuzz/session.h"

#define RECIPIENTS 3
#define MESSAGES   2
#define ANSWERS    300 /* more lines than an input has packets, and than are said */

static const struct envelope_recipient recipients[RECIPIENTS] = {
	{.address = {"dewi@far.example", 16}, .notify = NOTIFY_SUCCESS | NOTIFY_DELAY},
	{.address = {"eko@far.example", 15}, .orcpt = {"rfc822;eko@x", 12}},
	{.address = {"fajar@far.example", 17}, .notify = NOTIFY_NEVER},
};
static const char front[] = "DKIM-Signature: x\r\n", body[] = "a: b\r\n\r\n.\r\nc\r\n";
static const char dotted[] = "DKIM-Signature: x\r\na: b\r\n\r\n..\r\nc\r\n.\r\n";
static bool source_fails;

static int give(void *given, struct slice *octets, struct err *e)
{
	bool *first = given;
	*octets = *first ? slice_of(body) : SLICE("");
	if (!*first && source_fails)
		return err_set(e, ERR_DAMAGED, "as the target wants it");
	*first = false;
	return 0;
}

/* ---- what the server says ---- */

static void say(int server, struct slice text, size_t longest)
{
	for (size_t i = 0; text.len > 0; i++) {
		size_t len = slice_find(text, '\n') + 1;
		struct slice packet = fuzz_take(&text, i == PACKETS_MOST ? text.len
						       : len < longest   ? len
									 : longest);
		assert(send(server, packet.at, packet.len, 0) == (ssize_t)packet.len);
	}
	shutdown(server, SHUT_WR);
}

/* Answers by number, the greeting is 0; they end where one is none, or a 421. */
static struct {
	unsigned codes[ANSWERS];
	size_t count;
	unsigned offers; /* of any of them that could be one to EHLO */
} answers;

static void read_answers(struct slice text)
{
	unsigned first = 0, lines = 0;
	answers.count = 0;
	answers.offers = 0;
	while (slice_find(text, '\n') < text.len && answers.count < ANSWERS) {
		struct slice line = slice_cut(&text, '\n');
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		uint64_t code = 0;
		bool good = line.len >= 3 && line.len <= 2048 && ++lines <= 100 &&
			    text_to_number((struct slice){line.at, 3}, 3, &code) &&
			    code / 100 >= 2 && code / 100 <= 5 && (first == 0 || code == first) &&
			    (line.len == 3 || line.at[3] == ' ' || line.at[3] == '-');
		if (!good)
			return;
		struct slice words = slice_from(line, 4);
		if (slice_equal_nocase(slice_cut(&words, ' '), SLICE("PIPELINING")))
			answers.offers |= CLIENT_PIPELINING;
		first = (unsigned)code;
		if (line.len > 3 && line.at[3] == '-')
			continue;
		answers.codes[answers.count++] = first;
		if (first == 421)
			return;
		first = lines = 0;
	}
}

/* 0: it was never answered. */
static unsigned answer_to(size_t command)
{
	return command < answers.count ? answers.codes[command] : 0;
}

static bool yes(size_t command)
{
	return answer_to(command) / 100 == 2;
}

/* ---- what the client said ---- */

struct walk {
	struct slice rest; /* of what it said */
	size_t commands;   /* said so far: the number of the last one */
	enum client_tls tls;
	bool login, over;
};

static bool begins(const struct walk *walk, const char *text)
{
	return slice_has_prefix(walk->rest, slice_of(text));
}

/* The client must say a line that begins so; it is allowed to say it now. */
static void take(struct walk *walk, const char *command)
{
	struct slice line;
	assert(!walk->over && begins(walk, command));
	assert(fuzz_line(&walk->rest, &line) && text_is_printable(line));
	walk->commands++;
}

/* The same, when all before has been answered, and its answer. */
static unsigned ask(struct walk *walk, const char *command)
{
	take(walk, command);
	unsigned code = answer_to(walk->commands);
	walk->over = code == 0 || code == 421;
	return code;
}

static bool is_yes(unsigned code)
{
	return code / 100 == 2;
}

static void walk_login(struct walk *walk)
{
	unsigned code;
	assert(walk->tls == CLIENT_TLS_NEVER);
	if (begins(walk, "AUTH PLAIN ")) {
		code = ask(walk, "AUTH PLAIN AGsAcg==\r\n");
	} else {
		code = ask(walk, "AUTH LOGIN\r\n");
		code = code == 334 ? ask(walk, "aw==\r\n") : code;
		code = code == 334 ? ask(walk, "cg==\r\n") : code;
	}
	walk->over |= !is_yes(code);
}

static void walk_begin(struct walk *walk)
{
	walk->over = walk->tls == CLIENT_TLS_IMPLICIT || !yes(0);
	if (walk->over)
		return;
	unsigned code = ask(walk, "EHLO mail.kantor.example\r\n");
	if (code / 100 == 5)
		code = ask(walk, "HELO mail.kantor.example\r\n");
	walk->over |= !is_yes(code);
	if (!walk->over && begins(walk, "STARTTLS")) {
		assert(walk->tls != CLIENT_TLS_NEVER);
		code = ask(walk, "STARTTLS\r\n");
		walk->over |= is_yes(code) || walk->tls == CLIENT_TLS_REQUIRED;
	}
	walk->over |= walk->tls == CLIENT_TLS_REQUIRED;
	if (!walk->over && walk->login && begins(walk, "AUTH"))
		walk_login(walk);
	else if (walk->login)
		walk->over = true; /* there is no way that it may take */
}

/* ---- a message, and what became of it ---- */

struct verdict {
	unsigned sender, recipients[RECIPIENTS], data, early, end; /* answers; 0: none */
};

/* Behind 354. */
static void walk_octets(struct walk *walk, struct verdict *verdict, size_t accepted)
{
	struct slice whole = slice_of(accepted > 0 ? dotted : ".\r\n");
	if (!slice_has_prefix(walk->rest, whole)) {
		/* Broken off: what came is nowhere near its end. */
		assert(accepted > 0 && walk->rest.len <= whole.len - strlen(".\r\n"));
		assert(slice_has_prefix(whole, walk->rest));
		verdict->early = answer_to(walk->commands + 1);
		walk->rest = SLICE("");
		walk->over = true;
		return;
	}
	assert(accepted == 0 || !source_fails);
	walk->rest = slice_from(walk->rest, whole.len);
	walk->commands++;
	verdict->end = answer_to(walk->commands);
	walk->over = verdict->end == 0 || verdict->end == 421;
}

/* With PIPELINING a command does not wait for the answer before. */
static unsigned ask_on(struct walk *walk, const char *command)
{
	bool pipelined = answers.offers & CLIENT_PIPELINING;
	bool was_over = walk->over;
	if (!begins(walk, command))
		return 0;
	walk->over &= !pipelined;
	unsigned code = ask(walk, command);
	walk->over |= was_over;
	return was_over ? 0 : code;
}

static void walk_message(struct walk *walk, struct verdict *verdict)
{
	static const char *const rcpts[] = {"RCPT TO:<dewi@far.example>",
		"RCPT TO:<eko@far.example>", "RCPT TO:<fajar@far.example>"};
	size_t accepted = 0;
	if (begins(walk, "RSET"))
		walk->over |= !is_yes(ask(walk, "RSET\r\n"));
	if (walk->over || begins(walk, "QUIT"))
		return; /* SIZE forbids it */
	verdict->sender = ask(walk, "MAIL FROM:<ani@kantor.example>");
	for (size_t i = 0; i < RECIPIENTS; i++) {
		verdict->recipients[i] = ask_on(walk, rcpts[i]);
		accepted += is_yes(verdict->sender) && is_yes(verdict->recipients[i]);
	}
	verdict->data = ask_on(walk, "DATA\r\n");
	if (verdict->data == 354)
		walk_octets(walk, verdict, accepted);
	else if (verdict->data != 0 && verdict->data < 400)
		walk->over = true;
}

static bool is_no(unsigned code)
{
	return code / 100 == 5 && code != 530 && code != 534 && code != 535 && code != 538;
}

static void look_at_words(const struct client_result *result)
{
	static const char classes[] = {
		[CLIENT_DONE] = '2', [CLIENT_LATER] = '4', [CLIENT_FAILED] = '5'};
	assert(strlen(result->status) >= 5 && strlen(result->reply) >= 3);
	assert(result->status[0] == classes[result->outcome]);
	assert(text_is_printable(slice_of(result->reply)));
	assert(text_is_printable(slice_of(result->status)));
}

static void compare(const struct verdict *verdict, const struct client_result results[RECIPIENTS])
{
	for (size_t i = 0; i < RECIPIENTS; i++) {
		const struct client_result *result = &results[i];
		bool done = is_yes(verdict->sender) && is_yes(verdict->recipients[i]) &&
			    verdict->data == 354 && is_yes(verdict->end);
		look_at_words(result);
		assert((result->outcome == CLIENT_DONE) == done);
		assert(!result->dsn_passed_on || done);
		if (result->outcome == CLIENT_FAILED && strcmp(result->status, "5.3.4") != 0)
			assert(is_no(verdict->sender) || is_no(verdict->recipients[i]) ||
				is_no(verdict->data) || is_no(verdict->end) ||
				verdict->data == 354);
	}
}

/* ---- running it ---- */

static void send_message(struct client *client, struct client_result results[RECIPIENTS])
{
	bool first = true;
	struct client_message message = {.sender = SLICE("ani@kantor.example"),
		.envid = SLICE("QQ314159"),
		.ret = RETURN_HEADERS,
		.recipients = recipients,
		.recipient_count = RECIPIENTS,
		.size = strlen(front) + strlen(body),
		.front = slice_of(front),
		.next = give,
		.source = &first};
	client_send(client, &message, results);
}

static void see(void *arg, bool ours, struct slice line)
{
	(void)arg;
	assert(text_is_printable(line));
	assert(!ours || !memmem(line.at, line.len, "AGsAcg", 6));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size);
	unsigned flags = fuzz_octet(&in), longest = fuzz_octet(&in);
	struct slice text = fuzz_take(&in, SAID_MOST);
	struct client_terms terms = {.hostname = "mail.kantor.example",
		.server = "mx.far.example",
		.tls = (enum client_tls)(flags >> 2 & 3),
		.user = flags & 1 ? "k" : NULL,
		.password = SLICE("r"),
		.heard = see};
	struct client_result results[MESSAGES][RECIPIENTS];
	struct buf said = {0};
	struct client client;
	struct conn conn;
	int fd, server = fuzz_pair(SOCK_SEQPACKET, &fd);

	source_fails = flags & 2;
	read_answers(text);
	say(server, text, longest + 1);
	conn_open(&conn, fd);
	client_begin(&client, &conn, &terms);
	for (size_t i = 0; i < MESSAGES; i++)
		send_message(&client, results[i]);
	bool over = client.over;
	if (over)
		look_at_words(&client.end);
	client_end(&client);
	conn_close(&conn);
	fuzz_hear_all(server, &said);
	close(server);

	struct walk walk = {
		.rest = buf_slice(&said), .tls = terms.tls, .login = terms.user != NULL};
	walk_begin(&walk);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct verdict verdict = {0};
		if (!walk.over)
			walk_message(&walk, &verdict);
		compare(&verdict, results[i]);
	}
	if (!over)
		take(&walk, "QUIT\r\n");
	assert(walk.rest.len == 0 || (walk.tls != CLIENT_TLS_NEVER && begins(&walk, "\x16\x03")));
	buf_free(&said);
	return 0;
}
