/* The words of this server. Handlers decide which reply it is; what it looks
 * like, in code, enhanced code and sentence, stands here and nowhere else. */
#include "smtpd/reply.h"
#include "smtpd/filter_talk.h"
#include "smtpd/params.h"
#include "smtpd/session.h"
#include <assert.h>

static const struct row {
	unsigned code;
	const char *enhanced;
	const char *words;
} rows[REPLY_COUNT] = {
	[REPLY_BYE] = {221, "2.0.0", "Bye"},
	[REPLY_OK] = {250, "2.0.0", "Ok"},
	[REPLY_SENDER_OK] = {250, "2.1.0", "Sender ok"},
	[REPLY_RECIPIENT_OK] = {250, "2.1.5", "Recipient ok"},
	[REPLY_CHUNK_OK] = {250, "2.0.0", "Chunk taken"},
	[REPLY_FILED] = {250, "2.0.0", "Ok"},
	[REPLY_CANNOT_VERIFY] = {252, "2.5.0", "Send it some mail and see"},
	[REPLY_HELP] = {214, "2.0.0", "See RFC 5321"},
	[REPLY_START_TLS] = {220, "2.0.0", "Go ahead with TLS"},
	[REPLY_LOGGED_IN] = {235, "2.7.0", "Welcome"},
	[REPLY_SEND_MESSAGE] = {354, NULL, "Send the message, end with a dot on a line by itself"},

	[REPLY_ROLE_GONE] = {421, "4.3.0", "A part of this server restarts, come back soon"},
	[REPLY_TIMEOUT] = {421, "4.4.2", "Waited too long for you, bye"},
	[REPLY_STOPPED] = {421, "4.3.2", "This server is closing down, come back soon"},
	[REPLY_TOO_MANY_FAULTS] = {421, "4.7.0", "Too many errors, bye"},
	[REPLY_TOO_MANY_WRONG] = {421, "4.7.0", "Too many wrong recipients, bye"},
	[REPLY_TOO_MANY_LOGINS] = {421, "4.7.0", "Too many wrong logins, bye"},
	[REPLY_OTHER_PROTOCOL] = {421, "4.7.0", "This is a mail server, bye"},
	[REPLY_EARLY_TLS] = {554, "5.5.0", "Something was sent behind STARTTLS in clear, bye"},
	[REPLY_CHUNK_UNREADABLE] = {501, "5.5.4", "That is no length of a chunk, bye"},

	[REPLY_UNKNOWN_COMMAND] = {500, "5.5.1", "No such command"},
	[REPLY_LINE_TOO_LONG] = {500, "5.5.2", "That line is too long"},
	[REPLY_BAD_OCTET] = {500, "5.5.2", "A NUL or a bare CR in a command"},
	[REPLY_BAD_ARGUMENT] = {501, "5.5.4", "That is not how this command is written"},
	[REPLY_NOT_IMPLEMENTED] = {502, "5.5.1", "Not here"},
	[REPLY_HELLO_FIRST] = {503, "5.5.1", "Say hello first"},
	[REPLY_BAD_SEQUENCE] = {503, "5.5.1", "Not now: commands in a wrong order"},
	[REPLY_TLS_ACTIVE] = {503, "5.5.1", "TLS has begun already"},
	[REPLY_NO_TLS] = {454, "4.7.0", "No certificate here, no TLS"},
	[REPLY_BAD_PARAMETER] = {501, "5.5.4", "A parameter that makes no sense"},
	[REPLY_UNKNOWN_PARAMETER] = {555, "5.5.4", "A parameter that is not known here"},
	[REPLY_BAD_SENDER] = {501, "5.1.7", "That is no address: MAIL FROM:<user@domain>"},
	[REPLY_BAD_RECIPIENT] = {501, "5.1.3", "That is no address: RCPT TO:<user@domain>"},
	[REPLY_NOT_ASCII] = {553, "5.6.7", "Addresses in ASCII only, please"},

	[REPLY_WRONG_LOGIN] = {535, "5.7.8", "Wrong user or password"},
	[REPLY_LOGIN_LIMITED] = {454, "4.7.0",
		"Too many wrong logins from your address, try again later"},
	[REPLY_LOGIN_MALFORMED] = {501, "5.5.2", "That is no answer to an AUTH"},
	[REPLY_LOGIN_CANCELLED] = {501, "5.7.0", "As you like: no login"},
	[REPLY_NO_MECHANISM] = {504, "5.5.4", "PLAIN or LOGIN, no other"},
	[REPLY_LOGIN_FIRST] = {530, "5.7.0", "Log in first: AUTH"},
	[REPLY_LOGIN_AFTER_TLS] = {538, "5.7.11", "No passwords in clear: STARTTLS, or port 465"},
	[REPLY_NOT_YOUR_ADDRESS] = {553, "5.7.1",
		"You send as addresses whose mail you get; the postmaster can allow others"},
	[REPLY_NOT_THE_DEVICES] = {550, "5.7.1",
		"Who is trusted sends as our domains alone: send so, or leave [smtpd] trusted"},
	[REPLY_NOT_THE_ACCOUNTS] = {550, "5.7.1",
		"Accounts of this box send as an address of our domains, or as themselves"},

	[REPLY_TOO_MANY_RECIPIENTS] = {452, "4.5.3",
		"So many at once; send to the rest afterwards"},
	[REPLY_NO_SUCH_USER] = {550, "5.1.1", "Nobody here has this address"},
	[REPLY_NOT_OURS] = {550, "5.7.1", "Relaying denied: this domain is not ours"},
	[REPLY_NO_DOMAIN] = {550, "5.1.2", "No mail leaves for that domain: it has no dot"},
	[REPLY_ALIAS_LOOP] = {550, "5.4.6", "This address leads in circles"},
	[REPLY_MAILBOX_FULL] = {452, "4.2.2", "The mailbox is full"},
	[REPLY_TOO_BIG] = {552, "5.3.4", "The message is too big for this server"},
	[REPLY_HAS_NUL] = {550, "5.6.0", "A message must not hold a NUL"},
	[REPLY_BAD_FROM] = {550, "5.6.0", "The message needs one From field, with addresses"},
	[REPLY_NOT_YOUR_FROM] = {550, "5.7.1",
		"The address in From: is not one of yours; the postmaster can allow it"},
	[REPLY_NOT_OUR_FROM] = {550, "5.7.1", "The address in From: must be of our domains"},
	[REPLY_HEADER_TOO_BIG] = {552, "5.3.4", "The header of the message is too big"},
	[REPLY_MAIL_LOOP] = {554, "5.4.6", "The message goes in circles: too many Received fields"},
	[REPLY_NO_SPACE] = {452, "4.3.1", "No room for mail now, try again later"},
	[REPLY_TRY_LATER] = {451, "4.3.0", "Something is wrong here, try again later"},

	[REPLY_FILTER_REFUSES] = {550, "5.7.1", "The mail filter of this office refuses it"},
	[REPLY_FILTER_DEFERS] = {451, "4.7.1",
		"The mail filter of this office wants it later, try again"},
	[REPLY_FILTER_DOWN] = {451, "4.3.0",
		"The mail filter of this office does not answer, try again later"},
	[REPLY_OUR_JUNK] = {550, "5.7.1",
		"The mail filter takes this for junk, which does not leave this office"},
};

static const enum reply by_kind[] = {
	[ERR_NONE] = REPLY_FILED,
	[ERR_INPUT] = REPLY_BAD_RECIPIENT,
	[ERR_MISSING] = REPLY_NO_SUCH_USER,
	[ERR_EXISTS] = REPLY_TRY_LATER,
	[ERR_DENIED] = REPLY_NOT_OURS,
	[ERR_LIMITED] = REPLY_TRY_LATER,
	[ERR_IN_USE] = REPLY_TRY_LATER,
	[ERR_QUOTA] = REPLY_MAILBOX_FULL,
	[ERR_SPACE] = REPLY_NO_SPACE,
	[ERR_TOO_BIG] = REPLY_TOO_BIG,
	[ERR_LOOP] = REPLY_ALIAS_LOOP,
	[ERR_DAMAGED] = REPLY_TRY_LATER,
	[ERR_NEWER] = REPLY_TRY_LATER,
	[ERR_IO] = REPLY_TRY_LATER,
	[ERR_GONE] = REPLY_ROLE_GONE,
	[ERR_INTERRUPTED] = REPLY_ROLE_GONE,
};

enum reply reply_to_error(enum err_kind kind)
{
	return (size_t)kind < sizeof(by_kind) / sizeof(by_kind[0]) ? by_kind[kind]
								   : REPLY_TRY_LATER;
}

bool reply_is_final(enum reply reply)
{
	return rows[reply].code >= 500;
}

void reply_log(const struct session *session, enum log_level level, const char *event,
	struct slice to, enum reply reply)
{
	const struct visitor *visitor = session->visitor;
	struct filter_said said;
	filter_understand(&said, filter_words(session, reply));
	bool own = said.code > 0;
	log_event(level, event, log_text("service", visitor->service),
		log_text("sender", session->sender), log_slice(to.len > 0 ? "to" : NULL, to),
		log_number("reply", own ? said.code : rows[reply].code),
		log_text("status", own ? said.status : rows[reply].enhanced),
		log_text("from", visitor->peer),
		log_reason(own ? buf_text(&said.sentence) : rows[reply].words));
	buf_free(&said.sentence);
}

static void say_line(struct session *session, const struct buf *line)
{
	conn_write(&session->visitor->conn, buf_slice(line));
}

void reply_say(struct session *session, enum reply reply, const char *more)
{
	const struct row *row = &rows[reply];
	struct slice words = filter_words(session, reply);
	struct buf line = {0};
	assert(row->code != 0);
	if (words.len > 0) {
		conn_write(&session->visitor->conn, words);
		return;
	}
	buf_printf(&line, "%u ", row->code);
	if (row->enhanced)
		buf_printf(&line, "%s ", row->enhanced);
	buf_add_text(&line, row->words);
	if (more)
		buf_printf(&line, " %s", more);
	buf_add_text(&line, "\r\n");
	say_line(session, &line);
	buf_free(&line);
}

void reply_greet(struct session *session)
{
	struct buf line = {0};
	buf_printf(&line, "220 %s %s officemail\r\n", session->visitor->config->hostname,
		session_is_lmtp(session) ? "LMTP" : "ESMTP");
	say_line(session, &line);
	buf_free(&line);
}

/* Announces what the two tables hold, so that nothing is announced and then
 * refused. */
static void add_extensions(struct buf *words, const struct session *session)
{
	const char *word;
	buf_add_text(words, "PIPELINING\nENHANCEDSTATUSCODES\n");
	for (size_t i = 0; (word = params_announced(i, session_may_ask_reports(session))); i++) {
		buf_add_text(words, word);
		if (slice_equal(slice_of(word), SLICE(PARAMS_SIZE_WORD)))
			buf_printf(words, " %llu",
				(unsigned long long)session->visitor->config->max_message);
		buf_add_char(words, '\n');
	}
	const struct dialog_command *command = session->dialog.commands;
	for (; command->verb; command++)
		if (command->announced && dialog_allows(&session->dialog, command))
			buf_printf(words, "%s\n", command->announced);
}

void reply_hello(struct session *session)
{
	struct buf words = {0}, lines = {0};
	buf_printf(&words, "%s\n", session->visitor->config->hostname);
	if (session->extended)
		add_extensions(&words, session);
	struct slice rest = {words.at, words.len - 1}; /* without the last LF */
	while (rest.len > 0) {
		struct slice word = slice_cut(&rest, '\n');
		buf_add_text(&lines, rest.len > 0 ? "250-" : "250 ");
		buf_add_slice(&lines, word);
		buf_add_text(&lines, "\r\n");
	}
	say_line(session, &lines);
	buf_free(&words);
	buf_free(&lines);
}
