/* What either protocol does with its visitor. */
#include "base/service.h"
#include "base/log.h"

#define HANDSHAKE_MS 10000

int visitor_start_tls(struct visitor *visitor)
{
	int done = conn_start_tls(
		&visitor->conn, visitor->chain, visitor->sign, visitor, HANDSHAKE_MS);
	if (done < 0)
		log_event(LOG_INFO, "tls-failed", log_text("service", visitor->service),
			log_text("from", visitor->peer));
	return done;
}
