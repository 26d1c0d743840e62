/* The exchange of AUTH. The directory decides and logs what was wrong; here a
 * name and a password live no longer than the question. */
#include "smtpd/login.h"
#include "smtpd/session.h"

static enum reply log_in(struct session *session, const struct sasl *sasl)
{
	struct login *login = &session->login;
	struct err e;
	if (request_login(&session->visitor->directory, buf_slice(&sasl->user),
		    buf_slice(&sasl->password), login, &e) == 0) {
		session->dialog.has |= SESSION_LOGGED_IN | SESSION_MAY_MAIL;
		return REPLY_LOGGED_IN;
	}
	if (e.kind == ERR_GONE)
		return REPLY_ROLE_GONE;
	if (e.kind != ERR_DENIED && e.kind != ERR_LIMITED)
		return REPLY_TRY_LATER;
	if (++session->wrong_logins >= WRONG_LOGINS_MAX)
		return REPLY_TOO_MANY_LOGINS;
	return e.kind == ERR_LIMITED ? REPLY_LOGIN_LIMITED : REPLY_WRONG_LOGIN;
}

static enum reply judge(struct session *session, enum sasl_step step, const struct sasl *sasl)
{
	switch (step) {
	case SASL_DONE:
		return log_in(session, sasl);
	case SASL_UNKNOWN:
		return REPLY_NO_MECHANISM;
	case SASL_CANCELLED:
		return REPLY_LOGIN_CANCELLED;
	case SASL_MALFORMED:
	case SASL_CHALLENGE:
		break;
	}
	return REPLY_LOGIN_MALFORMED;
}

int login_run(void *arg, struct slice argument)
{
	struct session *session = arg;
	struct conn *conn = &session->visitor->conn;
	struct sasl sasl = {0};
	enum sasl_step step = dialog_authenticate(conn, "334 ", argument, &sasl);
	enum reply reply = judge(session, step, &sasl);
	sasl_end(&sasl);
	conn_forget(conn);
	if (conn->input != CONN_TIMEOUT) /* that the loop tells */
		reply_say(session, reply, NULL);
	return reply == REPLY_ROLE_GONE || reply == REPLY_TOO_MANY_LOGINS ? DIALOG_END
									  : DIALOG_STAY;
}
