/* What a session remembers between two commands, and how long it may last. */
#include "smtpd/session.h"
#include "base/text.h"
#include "smtpd/commands.h"
#include "smtpd/smtpd.h"
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_OCTETS (512 + 1500 - 2) /* a command and its parameters, without CRLF */
#define FAULTS_ALLOWED  20

#define IDLE_MS             (5 * 60 * 1000) /* RFC 5321, 4.5.3.2.7 */
#define WRITE_MS            (60 * 1000)
#define PATIENCE_MS         (60 * 60 * 1000)
#define CROWDED_FIRST_MS    (10 * 1000)
#define CROWDED_IDLE_MS     (30 * 1000)
#define CROWDED_WRITE_MS    (30 * 1000)
#define CROWDED_BEGIN_MS    (60 * 1000)     /* to the first MAIL in all */
#define CROWDED_PATIENCE_MS (5 * 60 * 1000) /* from one message to the next */

bool session_is_lmtp(const struct session *session)
{
	return session->dialog.has & SESSION_LMTP;
}

bool session_is_submission(const struct session *session)
{
	return session->dialog.has & SESSION_SUBMISSION;
}

bool session_is_logged_in(const struct session *session)
{
	return session->dialog.has & SESSION_LOGGED_IN;
}

/* EHLO is answered before the login, which must be to come. */
bool session_may_ask_reports(const struct session *session)
{
	return session_is_submission(session) &&
	       session->dialog.has & (SESSION_MAY_LOGIN | SESSION_MAY_MAIL);
}

struct slice session_default_domain(const struct session *session)
{
	struct slice domain = {0};
	if (session->visitor->trusted && !session_is_logged_in(session))
		config_word(session->visitor->config->domains, 0, &domain);
	return domain;
}

/* ---- how long a client may take ---- */

static int64_t idle_ms(const struct session *session)
{
	if (!session->visitor->crowded)
		return IDLE_MS;
	return session->has_mailed ? CROWDED_IDLE_MS : CROWDED_FIRST_MS;
}

static int64_t patience_ms(const struct session *session)
{
	if (!session->visitor->crowded)
		return PATIENCE_MS;
	return session->has_mailed ? CROWDED_PATIENCE_MS : CROWDED_BEGIN_MS;
}

void session_renew_patience(struct session *session)
{
	session->patience_ends = text_monotonic_ms() + patience_ms(session);
}

static void set_deadlines(void *arg)
{
	struct session *session = arg;
	int64_t idle = idle_ms(session), ends = text_monotonic_ms() + idle;
	if (ends > session->patience_ends)
		ends = session->patience_ends;
	conn_set_timeouts(&session->visitor->conn, idle,
		session->visitor->crowded ? CROWDED_WRITE_MS : WRITE_MS);
	conn_set_deadline(&session->visitor->conn, ends);
}

static void hurry(void *arg)
{
	struct session *session = arg;
	int64_t ends = session->patience_ends;
	session->visitor->crowded = true;
	session_renew_patience(session);
	if (ends < session->patience_ends)
		session->patience_ends = ends;
	set_deadlines(session);
}

/* Without the roles nothing can be promised any more; they come back, but not
 * for this session. */
static int see_roles(void *arg, const struct dialog_command *command)
{
	struct session *session = arg;
	struct visitor *visitor = session->visitor;
	if (strcmp(command->verb, "QUIT") == 0 || !visitor->conn.role_gone)
		return DIALOG_STAY;
	reply_say(session, REPLY_ROLE_GONE, NULL);
	return DIALOG_END;
}

/* ---- the envelope ---- */

static struct slice copy(struct slice text)
{
	struct buf copied = {0};
	buf_add_slice(&copied, text);
	return buf_slice(&copied);
}

void session_add_recipient(struct session *session, const struct envelope_recipient *recipient)
{
	if (session->recipient_count == session->recipient_cap) {
		session->recipient_cap = session->recipient_cap ? 2 * session->recipient_cap : 4;
		session->recipients = must_realloc(
			session->recipients, session->recipient_cap * sizeof(*session->recipients));
	}
	session->recipients[session->recipient_count++] =
		(struct envelope_recipient){.address = copy(recipient->address),
			.notify = recipient->notify,
			.orcpt = copy(recipient->orcpt)};
}

void session_forget_mail(struct session *session)
{
	data_forget(session);
	filter_forget(session);
	for (size_t i = 0; i < session->recipient_count; i++) {
		free((char *)session->recipients[i].address.at);
		free((char *)session->recipients[i].orcpt.at);
	}
	free(session->recipients);
	session->recipients = NULL;
	session->recipient_count = session->recipient_cap = 0;
	ahead_forget(&session->ahead);
	session->queue_id[0] = '\0';
	session->sender[0] = '\0';
	session->declared_size = 0;
	buf_free(&session->envid);
	session->ret = RETURN_DEFAULT;
	session->refused = false;
}

/* ---- the session ---- */

/* What the service allows from the beginning. */
static unsigned rights_at_birth(const struct visitor *visitor)
{
	unsigned has = 0;
	if (visitor->conn.tls)
		has |= DIALOG_TLS;
	if (visitor->chain)
		has |= SESSION_CHAIN;
	if (strcmp(visitor->service, "lmtp") == 0)
		has |= SESSION_LMTP;
	bool has_login = strcmp(visitor->service, "submission") == 0;
	if (has_login)
		has |= SESSION_HAS_LOGIN;
	if (visitor->conn.tls || !visitor->config->submission_require_tls)
		has |= SESSION_MAY_LOGIN;
	if (has_login || visitor->trusted)
		has |= SESSION_SUBMISSION;
	if (!has_login || visitor->trusted)
		has |= SESSION_MAY_MAIL;
	return has;
}

void smtpd_serve(struct visitor *visitor)
{
	struct session session = {.visitor = visitor};
	session.dialog = (struct dialog){
		.conn = &visitor->conn,
		.session = &session,
		.commands = smtpd_commands,
		.state = SESSION_NEW,
		.has = rights_at_birth(visitor),
		.line_limit = LINE_MAX_OCTETS,
		.faults_allowed = FAULTS_ALLOWED,
		.refuse = smtpd_refuse,
		.before_command = set_deadlines,
		.before_run = see_roles,
	};
	visitor->conn.roles[0] = visitor->directory.fd;
	visitor->conn.roles[1] = visitor->writer.fd;
	visitor->conn.on_crowd = hurry;
	visitor->conn.crowd_arg = &session;
	filter_begin(&session);
	session_renew_patience(&session);
	reply_greet(&session);
	dialog_run(&session.dialog);
	visitor->conn.on_crowd = NULL;
	session_forget_mail(&session);
	filter_end(&session);
	buf_free(&session.client);
}
