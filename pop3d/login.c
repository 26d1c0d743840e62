/* AUTHORIZATION: TLS and the two ways to say who one is. The directory decides
 * and logs what was wrong; here a name and a password live no longer than the
 * question. */
#include "base/text.h"
#include "pop3d/commands.h"
#include "pop3d/reply.h"

static void forget_name(struct session *session)
{
	buf_wipe(&session->name);
	session->dialog.has &= ~POP3_NAMED;
}

int pop3_stls(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct visitor *visitor = session->visitor;
	(void)argument;
	/* Octets behind STLS came in clear, from whoever was in between. */
	if (conn_buffered(&visitor->conn) > 0) {
		reply_refuse(session, REFUSE_PLAINTEXT_BEHIND);
		return DIALOG_END;
	}
	reply_ok(session, "begin TLS");
	if (visitor_start_tls(visitor) < 0)
		return DIALOG_END;
	forget_name(session);
	session->dialog.has |= DIALOG_TLS | POP3_MAY_LOGIN;
	return DIALOG_STAY;
}

int pop3_user(void *arg, struct slice argument)
{
	struct session *session = arg;
	forget_name(session);
	buf_add_slice(&session->name, argument);
	session->dialog.has |= POP3_NAMED;
	reply_ok(session, "and the password?");
	return DIALOG_STAY;
}

static int log_in(struct session *session, struct slice user, struct slice password)
{
	struct login *login = &session->login;
	struct err e;
	if (request_login(&session->visitor->directory, user, password, login, &e) < 0) {
		reply_failure(session, e.kind);
		if (e.kind == ERR_GONE || ++session->wrong_logins >= WRONG_LOGINS_MAX)
			return DIALOG_END;
		return DIALOG_STAY;
	}
	session->ends = text_monotonic_ms() + (login->ticket.expires - ticket_now()) * 1000;
	reply_ok(session, "%zu messages (%llu octets)", login->maildrop.count,
		(unsigned long long)login->maildrop.size);
	return TRANSACTION;
}

int pop3_pass(void *arg, struct slice argument)
{
	struct session *session = arg;
	int next = log_in(session, buf_slice(&session->name), argument);
	conn_forget(&session->visitor->conn);
	/* PASS is legal right behind USER alone, right or wrong. */
	forget_name(session);
	return next;
}

int pop3_auth(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct sasl sasl = {0};
	int next = DIALOG_STAY;
	/* Outlook asks so for the mechanisms, as servers before RFC 1734 answered. */
	if (slice_trim(argument).len == 0) {
		reply_ok(session, "mechanisms follow");
		reply_line(session, "PLAIN");
		reply_end(session);
		return DIALOG_STAY;
	}

	enum sasl_step step = dialog_authenticate(&session->visitor->conn, "+ ", argument, &sasl);
	if (step == SASL_DONE)
		next = log_in(session, buf_slice(&sasl.user), buf_slice(&sasl.password));
	else if (step == SASL_UNKNOWN)
		reply_refuse(session, REFUSE_MECHANISM);
	else if (step == SASL_MALFORMED)
		reply_refuse(session, REFUSE_MALFORMED);
	else if (session->visitor->conn.input != CONN_TIMEOUT) /* that the loop tells */
		reply_refuse(session, REFUSE_CANCELLED);
	sasl_end(&sasl);
	conn_forget(&session->visitor->conn);
	return next;
}
