/* One session of SMTP, LMTP or submission: who the client is and what it has
 * said so far. (RFC 5321; RFC 2033; RFC 6409)
 *
 * Submission is the same program with a login before MAIL, and a message that
 * must be the user's own. Whom office.ini trusts, and programs of this box, submit
 * without one, on port 25 too, with messages that must be the office's own; on the
 * submission ports they may log in, and then are that user. LMTP is the same program with LHLO for EHLO and one answer a recipient at
 * the end of a message. */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "base/dialog.h"
#include "base/service.h"
#include "smtpd/ahead.h"
#include "smtpd/data.h"
#include "smtpd/filter.h"
#include "store/requests.h"

enum session_state {
	SESSION_NEW,    /* no EHLO yet, or forgotten by STARTTLS */
	SESSION_READY,  /* between messages */
	SESSION_SENDER, /* MAIL was taken */
	SESSION_RECIPIENTS,
	SESSION_CHUNKS, /* BDAT was taken, LAST was not */
};

/* Bits of dialog.has, beside DIALOG_TLS. */
#define SESSION_CHAIN      2u /* there is a certificate: STARTTLS can be */
#define SESSION_LMTP       4u
#define SESSION_SUBMISSION 8u  /* what it sends is the office's own */
#define SESSION_MAY_LOGIN  16u /* TLS is on, or `require_tls` is off */
#define SESSION_LOGGED_IN  32u
#define SESSION_MAY_MAIL   64u  /* logged in, or need not be */
#define SESSION_HAS_LOGIN  128u /* on the submission ports */

struct session {
	struct visitor *visitor;
	struct dialog dialog;
	struct buf client; /* what it called itself in EHLO, HELO or LHLO */
	bool extended;     /* with EHLO or LHLO */
	bool has_mailed;   /* a MAIL was taken once: it is more than a scanner */
	unsigned wrong_recipients, wrong_logins;
	struct login login;    /* submission: once logged in */
	int64_t patience_ends; /* text_monotonic_ms: no session goes on for ever
				* without a message */

	/* the envelope */
	char sender[ADDRESS_MAX];
	uint64_t declared_size; /* SIZE= of MAIL; 0: not said */
	struct buf envid;
	enum dsn_return ret;
	bool refused; /* MAIL or a RCPT: what was sent behind it is no fault */
	struct envelope_recipient *recipients; /* taken ones, in order; the octets are ours */
	size_t recipient_count, recipient_cap;
	struct ahead ahead; /* what the directory says of RCPTs to come */

	struct message message;

	struct filter filter;
	char queue_id[QUEUE_ID_LENGTH + 1]; /* of the message; milters hear it at MAIL */
};

/* A client that did something useful may stay for another while. */
void session_renew_patience(struct session *session);
bool session_is_lmtp(const struct session *session);
bool session_is_submission(const struct session *session);
bool session_is_logged_in(const struct session *session);
/* May it ask for reports? (RFC 3461) */
bool session_may_ask_reports(const struct session *session);
/* Of an address without one, where programs may send such: of those that need no
 * login. Else empty. */
struct slice session_default_domain(const struct session *session);
void session_add_recipient(struct session *session, const struct envelope_recipient *recipient);
/* Forgets the envelope and the message: RSET, EHLO, the end of a message. */
void session_forget_mail(struct session *session);

#endif
