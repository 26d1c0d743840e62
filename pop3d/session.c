/* The life of a session: greeting, the command loop with its deadlines, the end.
 * Whatever ends it but QUIT deletes nothing. */
#include "pop3d/session.h"
#include "base/log.h"
#include "base/text.h"
#include "pop3d/commands.h"
#include "pop3d/deeds.h"
#include "pop3d/pop3d.h"
#include "pop3d/reply.h"
#include <stdlib.h>

#define COMMAND_LIMIT  253 /* octets; with CRLF the 255 of RFC 2449, 4 */
#define FAULTS_ALLOWED 50

#define LOGIN_MS           (3 * 60 * 1000)
#define WRITE_MS           (60 * 1000)
#define CROWDED_WRITE_MS   (30 * 1000)
#define CROWDED_LOGIN_MS   (60 * 1000)
#define CROWDED_COMMAND_MS (10 * 1000) /* before login only: RFC 1939, 3 grants 10 min */

static int64_t idle_ms(const struct session *session)
{
	return session->visitor->config->idle_timeout * 1000;
}

/* Time for one command from its first octet waited for to its last. */
static int64_t patience(const struct session *session)
{
	if (session->dialog.state == TRANSACTION)
		return idle_ms(session);
	return session->visitor->crowded ? CROWDED_COMMAND_MS : LOGIN_MS;
}

static void set_deadline(void *arg)
{
	struct session *session = arg;
	int64_t deadline = text_monotonic_ms() + patience(session);
	if (deadline > session->ends)
		deadline = session->ends;
	conn_set_timeouts(&session->visitor->conn, idle_ms(session),
		session->visitor->crowded ? CROWDED_WRITE_MS : WRITE_MS);
	conn_set_deadline(&session->visitor->conn, deadline);
}

/* Who has logged in is hurried to take his answers, and no more. */
static void hurry(void *arg)
{
	struct session *session = arg;
	int64_t ends = text_monotonic_ms() + CROWDED_LOGIN_MS;
	session->visitor->crowded = true;
	if (session->dialog.state == AUTHORIZATION && ends < session->ends)
		session->ends = ends;
	set_deadline(session);
}

/* A session whose roles have died, or whose ticket has run out, can only be
 * sent away. */
static int check_standing(void *arg, const struct dialog_command *command)
{
	struct session *session = arg;
	struct visitor *visitor = session->visitor;
	deeds_hear(session);
	if (command->run == pop3_quit)
		return DIALOG_STAY; /* fails by itself, and only where it needs them */
	if (visitor->conn.role_gone) {
		reply_failure(session, ERR_GONE);
		return DIALOG_END;
	}
	if (text_monotonic_ms() >= session->ends) {
		reply_refuse(session, REFUSE_TOO_OLD);
		return DIALOG_END;
	}
	return DIALOG_STAY;
}

void session_log_failure(struct session *session, const char *event, const struct err *e)
{
	log_event(LOG_ERROR, event, log_text("service", session->visitor->service),
		log_text("user", session->login.user), log_text("from", session->visitor->peer),
		log_if("device", session->login.device), log_reason(e->text));
}

void pop3d_serve(struct visitor *visitor)
{
	struct session session = {.visitor = visitor};
	session.dialog = (struct dialog){
		.conn = &visitor->conn,
		.session = &session,
		.commands = pop3_commands,
		.state = AUTHORIZATION,
		.line_limit = COMMAND_LIMIT,
		.faults_allowed = FAULTS_ALLOWED,
		.refuse = reply_fault,
		.before_command = set_deadline,
		.before_run = check_standing,
	};
	if (visitor->conn.tls)
		session.dialog.has |= DIALOG_TLS | POP3_MAY_LOGIN;
	if (!visitor->config->pop3d_require_tls)
		session.dialog.has |= POP3_MAY_LOGIN;
	session.ends = text_monotonic_ms() + (visitor->crowded ? CROWDED_LOGIN_MS : LOGIN_MS);
	visitor->conn.roles[0] = visitor->directory.fd;
	visitor->conn.roles[1] = visitor->writer.fd;
	visitor->conn.on_crowd = hurry;
	visitor->conn.crowd_arg = &session;
	reply_ok(&session, "%s POP3 server ready", visitor->config->hostname);
	dialog_run(&session.dialog);
	visitor->conn.on_crowd = NULL;
	visitor->conn.on_quiet = NULL;

	if (*session.login.user)
		deeds_tell(&session);
	deeds_free(&session);
	body_close(&session.reader);
	store_close(session.store);
	maildrop_free(&session.login.maildrop);
	buf_wipe(&session.name);
	free(session.deleted);
	free(session.damaged);
	wipe(&session, sizeof(session));
}
