/* What either protocol does with its visitor. */
#include "base/service.h"
#include "base/log.h"

#define HANDSHAKE_MS 10000

/* For whoever looks why a mail program gets no connection. */
static void log_failed(const struct visitor *visitor)
{
	const struct conn *conn = &visitor->conn;
	struct err why;
	if (conn->output == CONN_TIMEOUT)
		err_set(&why, ERR_GONE, "no answer for too long");
	else if (conn->tls)
		tls_why_broken(conn->tls, &why);
	else
		err_set(&why, ERR_GONE, "the connection was lost");
	log_event(LOG_INFO, "tls-failed", log_text("service", visitor->service),
		log_text("from", visitor->peer), log_reason(why.text));
}

int visitor_start_tls(struct visitor *visitor)
{
	int done = conn_start_tls(
		&visitor->conn, visitor->chain, visitor->sign, visitor, HANDSHAKE_MS);
	if (done < 0)
		log_failed(visitor);
	return done;
}
