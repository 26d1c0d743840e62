/* What a client may say, and when: the rules are columns, the handlers decide
 * what remains. */
#include "smtpd/commands.h"
#include "base/log.h"
#include "base/text.h"
#include "smtpd/address.h"
#include "smtpd/login.h"
#include "smtpd/params.h"
#include "smtpd/session.h"

#define NEW        (1u << SESSION_NEW)
#define READY      (1u << SESSION_READY)
#define SENDER     (1u << SESSION_SENDER)
#define RECIPIENTS (1u << SESSION_RECIPIENTS)
#define CHUNKS     (1u << SESSION_CHUNKS)
#define ANY        (NEW | READY | SENDER | RECIPIENTS | CHUNKS)

static int say(struct session *session, enum reply reply, int next)
{
	reply_say(session, reply, NULL);
	return next;
}

/* What a well-made client would not have sent. */
static int say_fault(struct session *session, enum reply reply)
{
	session->dialog.faults++;
	return say(session, reply, DIALOG_STAY);
}

/* ---- hello ---- */

static int hello(struct session *session, struct slice name, bool extended)
{
	session_forget_mail(session);
	buf_clear(&session->client);
	buf_add_slice(&session->client, name);
	session->extended = extended;
	filter_hello(session);
	session->dialog.state = SESSION_READY; /* what is announced depends on it */
	reply_hello(session);
	return SESSION_READY;
}

static int run_ehlo(void *session, struct slice name)
{
	return hello(session, name, true);
}

static int run_helo(void *session, struct slice name)
{
	return hello(session, name, false);
}

static int run_starttls(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct visitor *visitor = session->visitor;
	(void)argument;
	/* Commands that somebody slipped in before the handshake would be taken
	 * for the client's own behind it. */
	if (conn_buffered(&visitor->conn) > 0)
		return say(session, REPLY_EARLY_TLS, DIALOG_END);
	reply_say(session, REPLY_START_TLS, NULL);
	if (visitor_start_tls(visitor) < 0)
		return DIALOG_END;
	session->dialog.has |= DIALOG_TLS | SESSION_MAY_LOGIN;
	session_forget_mail(session);
	buf_clear(&session->client);
	return SESSION_NEW;
}

/* ---- the envelope ---- */

/* Staff send as themselves, whom the office trusts as the office; the null sender is
 * everybody's (RFC 6409, 6.1). */
static enum reply judge_sender(struct session *session)
{
	struct visitor *visitor = session->visitor;
	struct err e;
	if (session->sender[0] == '\0' ||
		request_may_send(&visitor->directory, slice_of(session->sender), &e) == 0)
		return REPLY_NONE;
	if (e.kind != ERR_DENIED)
		return reply_to_error(e.kind);
	if (session_is_logged_in(session))
		return REPLY_NOT_YOUR_ADDRESS;
	return peer_account(visitor->peer) ? REPLY_NOT_THE_ACCOUNTS : REPLY_NOT_THE_DEVICES;
}

static int run_mail(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct params params;
	uint64_t most = session->visitor->config->max_message;
	session->refused = true;
	switch (address_take_path(
		&argument, ADDRESS_SENDER, session_default_domain(session), session->sender)) {
	case ADDRESS_NO_PATH:
		return say_fault(session, REPLY_BAD_ARGUMENT);
	case ADDRESS_MALFORMED:
		return say_fault(session, REPLY_BAD_SENDER);
	case ADDRESS_NOT_ASCII:
		return say_fault(session, REPLY_NOT_ASCII);
	case ADDRESS_GOOD:
		break;
	}
	switch (params_read(argument, PARAMS_MAIL, session_may_ask_reports(session), &params)) {
	case PARAMS_MALFORMED:
		return say_fault(session, REPLY_BAD_PARAMETER);
	case PARAMS_UNKNOWN:
		return say_fault(session, REPLY_UNKNOWN_PARAMETER);
	case PARAMS_GOOD:
		break;
	}
	enum reply refusal = REPLY_NONE;
	session->declared_size = params.size;
	if (most > 0 && params.size > most)
		refusal = REPLY_TOO_BIG;
	else if (session_is_submission(session))
		refusal = judge_sender(session);
	if (refusal == REPLY_NONE)
		refusal = filter_mail(session);
	if (refusal != REPLY_NONE) {
		reply_log(session, LOG_INFO, "sender-refused", SLICE(""), refusal);
		return say(session, refusal, refusal == REPLY_ROLE_GONE ? DIALOG_END : DIALOG_STAY);
	}
	session->refused = false;
	session->ret = params.ret;
	buf_add_slice(&session->envid, params.envid);
	if (!session->has_mailed) {
		session->has_mailed = true;
		session_renew_patience(session);
	}
	return say(session, REPLY_SENDER_OK, SESSION_SENDER);
}

static enum reply judge_recipient(
	struct session *session, struct slice argument, char *address, struct params *params)
{
	uint64_t most = session->visitor->config->max_recipients;
	switch (address_take_path(
		&argument, ADDRESS_RECIPIENT, session_default_domain(session), address)) {
	case ADDRESS_NO_PATH:
		return REPLY_BAD_ARGUMENT;
	case ADDRESS_MALFORMED:
		return REPLY_BAD_RECIPIENT;
	case ADDRESS_NOT_ASCII:
		return REPLY_NOT_ASCII;
	case ADDRESS_GOOD:
		break;
	}
	switch (params_read(argument, PARAMS_RCPT, session_may_ask_reports(session), params)) {
	case PARAMS_MALFORMED:
		return REPLY_BAD_PARAMETER;
	case PARAMS_UNKNOWN:
		return REPLY_UNKNOWN_PARAMETER;
	case PARAMS_GOOD:
		break;
	}
	if (most == 0 || most > RECIPIENTS_MOST)
		most = RECIPIENTS_MOST;
	if (session->recipient_count >= most)
		return REPLY_TOO_MANY_RECIPIENTS;
	/* All of them may be wrong, and that many the directory answers. */
	uint64_t answered = WRONG_ADDRESSES_MAX + 1 - session->wrong_recipients;
	most -= session->recipient_count;
	enum err_kind kind = ahead_resolve(&session->ahead, session->visitor, address,
		session_default_domain(session), session->declared_size,
		most < answered ? most : answered);
	if (kind == ERR_NONE)
		return REPLY_RECIPIENT_OK;
	return kind == ERR_DENIED && session_is_submission(session) ? REPLY_NO_DOMAIN
								    : reply_to_error(kind);
}

static int run_rcpt(void *arg, struct slice argument)
{
	struct session *session = arg;
	char address[ADDRESS_MAX] = "";
	struct params params;
	enum reply reply = judge_recipient(session, argument, address, &params), refusal;
	if (reply == REPLY_RECIPIENT_OK &&
		(refusal = filter_recipient(session, slice_of(address))) != REPLY_NONE)
		reply = refusal;
	if (reply == REPLY_RECIPIENT_OK) {
		const struct envelope_recipient recipient = {
			slice_of(address), params.notify, params.orcpt};
		session_add_recipient(session, &recipient);
		return say(session, reply, SESSION_RECIPIENTS);
	}
	session->refused = true;
	/* Who guesses at addresses gets no more than a handful of answers. */
	if (reply_is_final(reply) && ++session->wrong_recipients > WRONG_ADDRESSES_MAX)
		reply = REPLY_TOO_MANY_WRONG;
	reply_log(session, LOG_INFO, "recipient-refused", address[0] ? slice_of(address) : argument,
		reply);
	return say(session, reply,
		reply == REPLY_TOO_MANY_WRONG || reply == REPLY_ROLE_GONE ? DIALOG_END
									  : DIALOG_STAY);
}

/* ---- the small ones ---- */

static int run_rset(void *arg, struct slice argument)
{
	struct session *session = arg;
	(void)argument;
	session_forget_mail(session);
	return say(session, REPLY_OK,
		session->dialog.state == SESSION_NEW ? SESSION_NEW : SESSION_READY);
}

static int run_noop(void *session, struct slice argument)
{
	(void)argument;
	return say(session, REPLY_OK, DIALOG_STAY);
}

static int run_help(void *session, struct slice argument)
{
	(void)argument;
	return say(session, REPLY_HELP, DIALOG_STAY);
}

static int run_vrfy(void *session, struct slice argument)
{
	(void)argument;
	return say(session, REPLY_CANNOT_VERIFY, DIALOG_STAY);
}

static int run_expn(void *session, struct slice argument)
{
	(void)argument;
	return say(session, REPLY_NOT_IMPLEMENTED, DIALOG_STAY);
}

static int run_quit(void *session, struct slice argument)
{
	(void)argument;
	return say(session, REPLY_BYE, DIALOG_END);
}

/* clang-format off */
const struct dialog_command smtpd_commands[] = {
	/* verb      when          needs          forbids        argument           handler         announced */
	{"EHLO",     ANY,          0,             SESSION_LMTP,  ARGUMENT_REQUIRED, run_ehlo,       NULL},
	{"HELO",     ANY,          0,             SESSION_LMTP,  ARGUMENT_REQUIRED, run_helo,       NULL},
	{"LHLO",     ANY,          SESSION_LMTP,  0,             ARGUMENT_REQUIRED, run_ehlo,       NULL},
	{"STARTTLS", NEW | READY,  SESSION_CHAIN, DIALOG_TLS | SESSION_LOGGED_IN, ARGUMENT_NONE,     run_starttls,   "STARTTLS"},
	{"AUTH",     READY,        SESSION_HAS_LOGIN | SESSION_MAY_LOGIN, SESSION_LOGGED_IN, ARGUMENT_REQUIRED, login_run, "AUTH PLAIN LOGIN"},
	{"MAIL",     READY,        SESSION_MAY_MAIL, 0,             ARGUMENT_REQUIRED, run_mail,       NULL},
	{"RCPT",     SENDER | RECIPIENTS, 0,      0,             ARGUMENT_REQUIRED, run_rcpt,       NULL},
	{"DATA",     RECIPIENTS,   0,             0,             ARGUMENT_NONE,     data_run,       NULL},
	/* BDAT in any state: its octets are there and must be stepped over; without
	 * a length, too, it is the handler that ends the session. */
	{"BDAT",     ANY,          0,             0,             ARGUMENT_OPTIONAL, data_run_chunk, "CHUNKING"},
	{"RSET",     ANY,          0,             0,             ARGUMENT_NONE,     run_rset,       NULL},
	{"NOOP",     ANY,          0,             0,             ARGUMENT_OPTIONAL, run_noop,       NULL},
	{"QUIT",     ANY,          0,             0,             ARGUMENT_NONE,     run_quit,       NULL},
	{"VRFY",     ANY,          0,             0,             ARGUMENT_REQUIRED, run_vrfy,       NULL},
	{"EXPN",     ANY,          0,             0,             ARGUMENT_OPTIONAL, run_expn,       NULL},
	{"HELP",     ANY,          0,             0,             ARGUMENT_OPTIONAL, run_help,       NULL},
	{NULL, 0, 0, 0, 0, NULL, NULL},
};
/* clang-format on */

static const enum reply by_fault[] = {
	[DIALOG_UNKNOWN_VERB] = REPLY_UNKNOWN_COMMAND,
	[DIALOG_LINE_TOO_LONG] = REPLY_LINE_TOO_LONG,
	[DIALOG_BAD_OCTET] = REPLY_BAD_OCTET,
	[DIALOG_WRONG_STATE] = REPLY_BAD_SEQUENCE,
	[DIALOG_ARGUMENT] = REPLY_BAD_ARGUMENT,
	[DIALOG_OTHER_PROTOCOL] = REPLY_OTHER_PROTOCOL,
	[DIALOG_TOO_MANY_FAULTS] = REPLY_TOO_MANY_FAULTS,
	[DIALOG_TIMEOUT] = REPLY_TIMEOUT,
	[DIALOG_STOPPED] = REPLY_STOPPED,
};

/* Commands of another service are not known to this one: the other protocol's
 * hello, AUTH where nobody logs in. */
static enum reply reply_to_lack(unsigned lacking)
{
	if (lacking & (SESSION_LMTP | SESSION_HAS_LOGIN))
		return REPLY_UNKNOWN_COMMAND;
	if (lacking & SESSION_MAY_LOGIN)
		return REPLY_LOGIN_AFTER_TLS;
	return lacking & SESSION_MAY_MAIL ? REPLY_LOGIN_FIRST : REPLY_NO_TLS;
}

static enum reply reply_to_excess(unsigned excess)
{
	if (excess & SESSION_LMTP)
		return REPLY_UNKNOWN_COMMAND;
	return excess & SESSION_LOGGED_IN ? REPLY_BAD_SEQUENCE : REPLY_TLS_ACTIVE;
}

void smtpd_refuse(void *arg, enum dialog_fault fault, const struct dialog_command *command)
{
	struct session *session = arg;
	enum reply reply = by_fault[fault];
	if (fault == DIALOG_WRONG_STATE && session->dialog.state == SESSION_NEW)
		reply = REPLY_HELLO_FIRST;
	if (fault == DIALOG_WRONG_STATE && session->refused)
		session->dialog.faults--;
	if (fault == DIALOG_LACKS)
		reply = reply_to_lack(command->needs & ~session->dialog.has);
	if (fault == DIALOG_FORBIDDEN)
		reply = reply_to_excess(command->forbids & session->dialog.has);
	say(session, reply, DIALOG_STAY);
}
