/* One POP3 session (RFC 1939): who it is, its view of the mailbox, what it did.
 *
 * The view is the list that came with the login; nothing changes it but this
 * session's own marks. The store is opened at the first RETR or TOP: a poll
 * opens none. */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "base/dialog.h"
#include "base/service.h"
#include "store/body.h"
#include "store/requests.h"

/* The states of RFC 1939. UPDATE is no place to wait in: it is what QUIT does. */
enum { AUTHORIZATION, TRANSACTION };

/* Bits of dialog.has beside DIALOG_TLS. */
#define POP3_MAY_LOGIN 2u /* TLS is on, or `require_tls` is off */
#define POP3_NAMED     4u /* USER has been given */

struct session {
	struct visitor *visitor;
	struct dialog dialog;
	int64_t ends; /* text_monotonic_ms() past which it is over, whatever it does */

	struct buf name; /* what USER said */
	unsigned wrong_logins;
	struct login login; /* filled from TRANSACTION on */

	/* A bit a message, allocated when the first is set. */
	unsigned char *deleted, *damaged;
	size_t deleted_count;
	uint64_t deleted_size;

	struct store *store; /* NULL until the first RETR or TOP */
	struct body_reader reader;

	struct {                  /* see deeds.h */
		size_t retrieved; /* sent to the end, as far as can be seen from here */
		uint64_t octets;  /* of them */
		size_t removed;   /* at QUIT */
		bool quit;
		unsigned char *fetched; /* a bit a message, as above */
		size_t under_way;       /* the message that nothing has followed yet; 0: none */
		uint64_t sent_before;   /* conn.octets_out when it began */
	} deeds;
};

/* One line of what went wrong on our side; what the client hears is the
 * caller's affair. */
void session_log_failure(struct session *session, const char *event, const struct err *e);

#endif
